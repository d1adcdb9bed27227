"""Chapter 06: Siamese networks and the contrastive loss."""

from course_lib import faces

FACES = {  # what the notebook takes from here, and the file it lives in
    "drawing": ["pairs_picture", "symbols", "two_drawings"],
    "explorers": ["contrastive_margin", "embedding_scrubber", "few_classes", "watch"],
    "study": ["by_margin", "on_omniglot"],
}  # fmt: skip
__getattr__, __dir__ = faces(__name__, FACES)
