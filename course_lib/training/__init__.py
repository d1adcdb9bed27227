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
from course_lib.training.shipped import load_or_train, shipped_network

__all__ = [
    "Plan", "Score", "accuracy", "as_score", "bar", "evaluate", "evaluate_each_step", "load_or_train", "meta_train", "paired",
    "shipped_network", "squared_error", "test_episodes",
]  # fmt: skip
