"""Chapter 04: what the second derivative costs, and what may be dropped."""

from course_lib import faces

FACES = {  # what the notebook takes from here, and the file it lives in
    "calculator": ["price_of"],
    "explorers": ["angle_and_ratio", "cut_edges", "price_calculator", "two_gradients"],
    "graphs": ["reachable", "unrolled"],
    "study": ["learner_for", "operations", "outer_gradient", "price", "problem"],
}  # fmt: skip
__getattr__, __dir__ = faces(__name__, FACES)
