"""How the course teaches: predictions, explorers, exercises, progress, lectures. It knows no learner and no family.

    from course_lib.classroom import check, predict, reveal

Importing it loads nothing heavy: a name of FACES is fetched from its file when it is first used.
"""

import importlib

FACES = {  # what the notebooks take from here, and the file it lives in
    "exercises": ["check", "export_progress", "hint", "progress"],
    "explorer": ["Choice", "Explorer", "Points", "Slider", "Text", "Toggle"],
    "figures": ["COLOURS", "new_figure", "picture"],
    "predictions": ["Outcome", "Prediction", "predict", "reveal"],
}
_FILE = {name: file for file, names in FACES.items() for name in names}


def __getattr__(name: str):
    if name not in _FILE:
        raise AttributeError(f"course_lib.classroom has no {name!r}: it offers {', '.join(_FILE)}")
    return getattr(importlib.import_module(f"course_lib.classroom.{_FILE[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_FILE])
