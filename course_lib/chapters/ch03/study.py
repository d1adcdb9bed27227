"""The runs of chapters 01 to 03: sinusoids, MAML beside joint training."""

from course_lib.learners import MAML, Joint
from course_lib.training.recipes import curve_run

RUNS = [
    curve_run(
        f"sinusoids_{name}_{shots}shot",
        f"{says} on sine waves, {shots} points a task",
        method,
        shots=shots,
        queries=shots,
    )
    for name, says, method in (("maml", "MAML", MAML), ("joint", "joint training", Joint))
    for shots in (5, 10)
]
