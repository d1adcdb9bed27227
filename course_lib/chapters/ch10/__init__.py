"""Chapter 10: few-shot prompting."""

from course_lib import faces

FACES = {  # what the notebook takes from here, and the file it lives in
    "advice": ["ADVICE", "with_examples", "worlds"],
    "cells": ["Cell", "written"],
    "explorers": ["what_examples_tell"],
    "live": ["opened", "repeated"],
    "lookup": ["most_like"],
    "readings": ["choose_prompt", "repaired", "said", "truth"],
    "real_editor": ["real_prompt_editor"],
    "tables": [
        "about_summaries", "best_and_worst_summary", "by_shots", "candidates", "label_scoring",
        "preferences", "relevance", "spread", "what_held",
    ],
    "yardsticks": ["look_up", "orders_within_tasks", "threshold"],
}  # fmt: skip
__getattr__, __dir__ = faces(__name__, FACES)
