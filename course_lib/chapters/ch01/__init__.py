"""Chapter 01: families of tasks."""

from course_lib import faces

FACES = {  # what the notebook takes from here, and the file it lives in
    "explorers": [
        "KNOWLEDGE", "class_numbers_picture", "floor_of", "left_open", "one_task_picture",
        "points_leave_open", "task_map",
    ],
}  # fmt: skip
__getattr__, __dir__ = faces(__name__, FACES)
