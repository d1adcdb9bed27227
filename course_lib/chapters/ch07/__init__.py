"""Chapter 07: matching, prototypical and relation networks."""

from course_lib import faces

FACES = {  # what the notebook takes from here, and the file it lives in
    "explorers": [
        "attention_over_support", "drawings_picture", "embed", "five_drawings",
        "prototypes_and_boundaries", "ways_and_shots",
    ],
    "own_folder": ["example_folder"],
}  # fmt: skip
__getattr__, __dir__ = faces(__name__, FACES)
