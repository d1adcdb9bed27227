"""Chapter 10: few-shot prompting."""

from course_lib import faces

FACES = {  # what the notebook takes from here, and the file it lives in
    "advice": [
        "ADVICE", "best_and_worst", "by_contradiction", "in_all_orders", "order_decides",
        "with_examples", "worlds",
    ],
    "explorers": ["what_examples_tell"],
    "predictions": ["effect"],
}  # fmt: skip
__getattr__, __dir__ = faces(__name__, FACES)
