"""The runs of chapter 12: everyone on the same tasks, what a query costs, and LoRA from a
meta-trained start."""

from course_lib.chapters.ch12 import frozen, line_up, lora_start

RUNS = [*line_up.RUNS, frozen.RUN, lora_start.RUN]
