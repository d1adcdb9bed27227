"""Chapter 05: other outer loops."""

from course_lib import faces

FACES = {  # what the notebook takes from here, and the file it lives in
    "explorers": ["five_loops", "race", "rates_on_a_bowl", "steps_on_bowl"],
    "map_of_loops": ["loops_map"],
    "bench": ["METHODS"],
    "kept": ["bytes_kept"],
    "study": ["exploded", "over_seeds"],
}  # fmt: skip
__getattr__, __dir__ = faces(__name__, FACES)
