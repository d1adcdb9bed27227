"""Chapter 08: strong baselines, and a comparison that means something."""

from course_lib import faces

FACES = {  # what the notebook takes from here, and the file it lives in
    "explorers": ["claim_reader", "when_visible", "wilson"],
    "study": ["LINE_UP", "asked_in_groups", "episodes", "thick", "trained", "with_statistics"],
}  # fmt: skip
__getattr__, __dir__ = faces(__name__, FACES)
