"""Chapter 11: inside in-context learning."""

from course_lib import faces

FACES = {  # what the notebook takes from here, and the file it lives in
    "explorers": ["how_many_steps", "when_it_begins_to_read", "which_head_votes"],
    "heads": ["accuracy_without_each", "head_scores", "votes", "without_head"],
    "pairs": ["RULES", "everyone", "practised", "tasks_of"],
    "regressions": ["best_descent", "episodes", "error_after", "trained"],
    "map_of_layers": ["transformer_map"],
}  # fmt: skip
__getattr__, __dir__ = faces(__name__, FACES)
