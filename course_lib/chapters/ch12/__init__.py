"""Chapter 12: prompt or tune."""

from course_lib import faces

FACES = {  # what the notebook takes from here, and the file it lives in
    "decision": ["decision_table"],
    "explorers": ["WHO", "find_the_crossover", "inside_tuning", "what_is_stored"],
    "frozen": ["FrozenHead", "seconds_of"],
    "line_up": [
        "SHOTS", "from_counts", "practise", "stored", "stored_score", "tasks_of",
    ],
    "lora_start": ["meta_train_start", "start_table"],
    "real_rows": ["stored_rows"],
    "predictions": ["before_and_after", "curves", "keep_or_forget"],
}  # fmt: skip
__getattr__, __dir__ = faces(__name__, FACES)
