"""How the course teaches: predictions, explorers, exercises, progress, lectures. It knows no
learner and no family.

    from course_lib.classroom import check, predict, reveal

Importing it loads nothing heavy: a name of FACES is fetched from its file when it is first used.
"""

import sys

from course_lib import faces, interrupts

FACES = {  # what the notebooks take from here, and the file it lives in
    "exercises": ["check", "export_progress", "hint", "progress"],
    "explorer": ["Choice", "Explorer", "Points", "Slider", "Text", "Toggle"],
    "figures": ["COLOURS", "new_figure", "picture"],
    "predictions": ["Outcome", "Prediction", "predict", "reveal"],
}
__getattr__, __dir__ = faces(__name__, FACES)
sys.unraisablehook = interrupts.pass_on  # in a notebook no interrupt of a cell is lost
