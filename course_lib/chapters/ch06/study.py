"""The runs of chapter 06: Siamese networks on drawn characters, with a distance of Hadsell et al.
and with that of Koch et al., and how the margin was chosen."""

import torch
from torch import Tensor

from course_lib.families import Strokes
from course_lib.learners import Koch, Siamese
from course_lib.networks import conv4
from course_lib.training.evaluation import evaluate, test_episodes
from course_lib.training.outer_loop import Plan, meta_train
from course_lib.training.recipes import encoder, picture_run
from course_lib.training.runs import Measurement

SAME = dict(outer_steps=2000, tasks=4, queries=3, beta=3e-3, held_out=20)
MARGINS, SHORT, CHOOSERS = (1.0, 2.0, 4.0, 10.0), 300, 10  # CHOOSERS: training scripts set aside


def measure_margins(o) -> tuple[dict[str, Tensor], dict]:
    """Accuracy, task by task, of short runs with each margin, on training scripts set aside.

    The scripts that chapter 06 tests on are held out from both sides, so the choice of the margin
    has not seen them.
    """
    training = Strokes().split(SAME["held_out"])[0]
    learn, choose = training.split(CHOOSERS)
    tasks = test_episodes(choose, 300, shots=1, queries=3, seed=5)
    found = {}
    for margin in MARGINS:
        for seed in range(3):
            learner = Siamese(conv4(32, seed=seed), margin=margin)
            plan = Plan(
                SHORT, tasks=SAME["tasks"], shots=1, queries=SAME["queries"], beta=SAME["beta"],
                decay=True, seed=seed,
            )  # fmt: skip
            meta_train(learner, learn, plan, progress=False)
            score = evaluate(learner, tasks)
            found[f"margin {margin:g}, seed {seed}"] = score.per_episode
            print(f"margin {margin:g}, seed {seed}: {score}", flush=True)
    return found, {"outer_steps": SHORT, "scripts": list(choose.only)}


RUNS = [
    picture_run(
        "strokes_siamese", "a Siamese network, contrastive loss with margin 4",
        lambda o, classes: Siamese(encoder(o), margin=o.margin), margin=4.0, **SAME,
    ),
    picture_run(
        "strokes_koch", "a Siamese network with a learned, weighted distance",
        lambda o, classes: Koch(encoder(o), features=o.channels, seed=o.seed), **SAME,
    ),
    Measurement(
        "siamese_margins", "which margin, by training scripts", measure=measure_margins
    ),
]  # fmt: skip
