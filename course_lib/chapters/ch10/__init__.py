"""Chapter 10: few-shot prompting."""

from course_lib import faces

FACES = {  # what the notebook takes from here, and the file it lives in
    "advice": [
        "ADVICE", "best_and_worst", "by_contradiction", "in_all_orders", "order_decides",
        "with_examples", "worlds",
    ],
    "explorers": ["what_examples_tell", "when_it_begins_to_read"],
    "heads": ["accuracy_without_each", "head_scores", "without_head"],
    "predictions": ["effect"],
    "regressions": ["episodes", "error_after", "trained"],
}  # fmt: skip
__getattr__, __dir__ = faces(__name__, FACES)
