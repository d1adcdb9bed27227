"""Chapter 12: prompt or tune."""

from course_lib import faces

FACES = {  # what the notebook takes from here, and the file it lives in
    "explorers": ["WHO", "find_the_crossover", "inside_tuning", "what_is_stored"],
    "predictions": ["before_and_after", "curves"],
    "study": ["SHOTS", "from_counts", "percent", "practise", "stored", "stored_score", "tasks_of"],
}  # fmt: skip
__getattr__, __dir__ = faces(__name__, FACES)
