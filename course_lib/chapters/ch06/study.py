"""The runs of chapter 06: Siamese networks on drawn characters, with a distance of Hadsell et al.
and with that of Koch et al., and how the margin was chosen."""

from torch import Tensor, nn

from course_lib.families import Omniglot, Strokes
from course_lib.learners import Koch, Siamese
from course_lib.networks import conv4
from course_lib.training.evaluation import Score, evaluate, test_episodes
from course_lib.training.outer_loop import Plan, meta_train
from course_lib.training.recipes import encoder, picture_run
from course_lib.training.runs import Measurement, once

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


PROTOCOLS = {  # of what goes by the name Omniglot: ways, share of tasks within one alphabet
    "5-way, any alphabets": (5, 0.0),
    "20-way, any alphabets": (20, 0.0),
    "20-way, one alphabet": (20, 1.0),
}


def measure_omniglot(o) -> tuple[dict[str, Tensor], dict]:
    """Accuracy, task by task, of the chapter's networks on real characters under three protocols.
    Nothing was trained on real drawings."""
    learners = {name: once(run) for name, run in zip(("contrastive", "Koch"), RUNS, strict=False)}
    learners["pixels"], found = Siamese(nn.Flatten()), {}
    for protocol, (ways, within) in PROTOCOLS.items():
        family = Omniglot(ways, within=within)
        tasks = test_episodes(family, 200, shots=1, queries=1, seed=4)
        for name, learner in learners.items():
            score = evaluate(learner, tasks, batch=20)
            found[f"{protocol}/{name}"] = score.per_episode
            print(f"{protocol}, {name}: {score}", flush=True)
    return found, {"characters": family.classes}


def on_omniglot() -> dict[str, dict[str, Score]]:
    """What `measure_omniglot` stored: by protocol and learner."""
    found = named("siamese_omniglot").tensors()
    return {
        protocol: {
            name: Score(found[f"{protocol}/{name}"], "accuracy", 1 / ways)
            for name in ("contrastive", "Koch", "pixels")
        }
        for protocol, (ways, _) in PROTOCOLS.items()
    }


def by_margin() -> dict[float, list[Score]]:
    """What `measure_margins` stored: by margin, three training seeds."""
    found = named("siamese_margins").tensors()
    return {
        margin: [
            Score(found[f"margin {margin:g}, seed {seed}"], "accuracy", 0.2) for seed in range(3)
        ]
        for margin in MARGINS
    }


def named(name: str) -> Measurement:
    return next(run for run in RUNS if run.name == name)


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
    Measurement(
        "siamese_omniglot", "the same networks on real Omniglot, by protocol",
        measure=measure_omniglot,
    ),
]  # fmt: skip
