"""Chapter 02: the inner loop."""

from course_lib import faces

FACES = {  # what the notebook takes from here, and the file it lives in
    "explorers": ["bend_network", "descent_on_map", "map_picture"],
}  # fmt: skip
__getattr__, __dir__ = faces(__name__, FACES)
