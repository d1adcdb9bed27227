"""Chapter 00: what a few-shot task is, and what a score without an interval is worth."""

from course_lib import faces

FACES = {  # what the notebook takes from here, and the file it lives in
    "explorers": [
        "blurred", "colour_key", "episode_picture", "intervals_picture", "moved",
        "pixel_accuracy", "slide_copy", "taste",
    ],
    "study": ["pixel_nearest"],
}  # fmt: skip
__getattr__, __dir__ = faces(__name__, FACES)
