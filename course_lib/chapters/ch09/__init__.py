"""Chapter 09: MAML and its neighbours on short requests."""

from course_lib import faces

FACES = {  # what the notebook takes from here, and the file it lives in
    "explorers": ["your_own_intents"],
    "pretrained": ["pretrained_scores"],
    "study": [
        "NAMES", "bag_of_words", "counting", "episodes", "prepare", "scores", "trained",
        "with_learned_vectors",
    ],
}  # fmt: skip
__getattr__, __dir__ = faces(__name__, FACES)
