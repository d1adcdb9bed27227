"""The outer loop, scores with intervals, and the files that runs leave behind."""

from course_lib.training.evaluation import (
    Score,
    evaluate,
    evaluate_each_step,
    paired,
    test_episodes,
)
from course_lib.training.outer_loop import Plan, meta_train

__all__ = [
    "Plan",
    "Score",
    "evaluate",
    "evaluate_each_step",
    "meta_train",
    "paired",
    "test_episodes",
]
