"""Exercises of chapter 10: write a prompt, score a label of several tokens, a ceiling, calibration, and one gradient step without weights."""

from course_lib.chapters.ch10 import exercise_calibrate as calibrate
from course_lib.chapters.ch10 import exercise_ceiling as ceiling
from course_lib.chapters.ch10 import exercise_label_score as label_score
from course_lib.chapters.ch10 import exercise_one_step as one_step
from course_lib.chapters.ch10 import exercise_write_prompt as write_prompt

NAMESPACE = {}

EXERCISES = tuple(
    module.EXERCISE for module in (write_prompt, label_score, ceiling, calibrate, one_step)
)
