"""Chapter 03: the outer loop."""

from course_lib import faces

FACES = {  # what the notebook takes from here, and the file it lives in
    "explorers": ["gradient_paths", "theta_path", "three_starts"],
    "study": ["curvature", "drawn_characters"],
}  # fmt: skip
__getattr__, __dir__ = faces(__name__, FACES)
