"""The runs of chapter 12: everyone on the same tasks, what a query costs, LoRA from a meta-trained
start, and rows of a real language model."""

from course_lib.chapters.ch12 import frozen, line_up, lora_start, real_rows

RUNS = [*line_up.RUNS, frozen.RUN, lora_start.RUN, real_rows.RUN]
