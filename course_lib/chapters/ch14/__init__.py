"""Chapter 14: the capstone, every method of the course on the reader's own data."""

from course_lib import faces

FACES = {  # what the notebook takes from here, and the file it lives in
    "explorers": ["best_of_many", "luck", "which_methods"],
    "sources": ["drawn", "of_stacks", "own_data"],
    "pads": ["two_pads"],
    "table": ["compare"],
    "faces": ["picture_of"],
    "report": ["write_report"],
    "projects": ["PROJECTS", "made"],
    "bad_data": ["what_is_said"],
    "other_libraries": ["beside"],
}  # fmt: skip
__getattr__, __dir__ = faces(__name__, FACES)
