"""Chapter 13: adaptation by trial."""

from course_lib import faces

FACES = {  # what the notebook takes from here, and the file it lives in
    "explorers": ["goal_walk", "in_its_head", "ten_pulls"],
    "players": ["bandits", "chosen_bonus", "totals"],
    "inside": ["best_arm_named", "decoded", "rewards_by_pull"],
    "walkers": ["WALKERS", "goals", "standing", "straight"],
    "study": ["seeds_of", "shipped_walker", "walked"],
    "open_one": ["Yours", "against_greedy"],
    "meta_world": ["reach"],
}  # fmt: skip
__getattr__, __dir__ = faces(__name__, FACES)
