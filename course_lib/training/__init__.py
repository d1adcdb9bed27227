"""The outer loop, scores with intervals, and the files that runs leave behind."""

from course_lib.training.evaluation import (
    Score,
    accuracy,
    as_score,
    evaluate,
    evaluate_each_step,
    paired,
    squared_error,
    test_episodes,
)
from course_lib.training.outer_loop import Plan, meta_train
from course_lib.training.progress_bar import bar

__all__ = [
    "Plan", "Score", "accuracy", "as_score", "bar", "evaluate", "evaluate_each_step", "meta_train",
    "paired", "squared_error",
    "test_episodes",
]  # fmt: skip
