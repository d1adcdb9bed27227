"""The runs of chapter 07: matching, prototypical and relation networks on drawn characters; small
ones, and the long one that ships."""

from types import SimpleNamespace

import torch
from torch import Tensor, nn

from course_lib.families import Omniglot, Strokes
from course_lib.families.altered import Altered
from course_lib.families.digits import Digits
from course_lib.learners import Learner, Matching, Nearest, Prototypical, Relation
from course_lib.networks import conv4
from course_lib.training.evaluation import Score, evaluate, test_episodes
from course_lib.training.recipes import PICTURES, encoder, halved, picture_run, report_pictures
from course_lib.training.runs import Measurement, Run, once, plan_of, printed

SMALL = dict(tasks=2)  # 2 tasks of 5 classes an outer step


def prototypical(o, classes):
    return Prototypical(encoder(o))


RUNS = [
    picture_run(
        "strokes_matching_small", "a matching network",
        lambda o, classes: Matching(encoder(o)), **SMALL,
    ),
    picture_run("strokes_prototypical_small", "a prototypical network", prototypical, **SMALL),
    picture_run(
        "strokes_relation_small", "a relation network",
        lambda o, classes: Relation(encoder(o), features=o.channels, seed=o.seed), **SMALL,
    ),
    picture_run(
        "strokes_prototypical_20way_small",
        "a prototypical network, trained with 20 classes a task",
        prototypical, ways=20, queries=2,
    ),
    picture_run(
        "strokes_prototypical",
        "the prototypical network behind the draw pad: 24,000 outer steps, over an hour",
        prototypical, ways=20, outer_steps=24_000, channels=64, scripts=2000, within=0.7, half=True,
    ),
]  # fmt: skip

# --- where the generated characters end -----------------------------------------------------------

# how far pictures are altered, chosen among four settings on Omniglot's background characters
ALTERED = dict(size=1.3, place=0.08, blur=1.0, coarse=0.3, faint=0.2)


def prepare_altered(o: SimpleNamespace) -> tuple[Learner, Altered, object]:
    """As for `strokes_prototypical`, on pictures that are altered one by one."""
    drawn = Strokes(ways=o.ways, scripts=o.scripts, within=o.within, device=o.device)
    family = Altered(drawn, **{name: getattr(o, name) for name in ALTERED})
    learner = Prototypical(encoder(o))
    return halved(learner, o.half).to(o.device), family, plan_of(o)


RUNS.append(
    Run(
        "strokes_sturdy",
        "a prototypical network that has seen other pens, sizes, places and resolutions",
        PICTURES
        | ALTERED
        | dict(ways=20, outer_steps=8000, channels=64, scripts=2000, within=0.7, half=True),
        prepare_altered,
        report_pictures,
    )
)
BESIDE = {  # what stands in the table of the digits
    "pixels, nearest example": lambda: Nearest(),
    "pixels, prototypes": lambda: Prototypical(nn.Flatten()),
    "untrained encoder, prototypes": lambda: Prototypical(conv4(64, seed=0)),
    "strokes_prototypical": lambda: once(run_named("strokes_prototypical")),
    "strokes_sturdy": lambda: once(run_named("strokes_sturdy")),
}


def run_named(name: str) -> Run:
    return next(run for run in RUNS if run.name == name)


def digit_tasks(shots: int, episodes: int, seed: int):
    """10-way tasks of digits, 5 queries a class."""
    return test_episodes(Digits(10), episodes, shots=shots, queries=5, seed=seed)


def measure_digits(o: SimpleNamespace) -> tuple[dict[str, Tensor], dict]:
    """Right answers in each episode of every learner of BESIDE, on digits and on Omniglot."""
    drawn = {f"digits, {k}-shot": digit_tasks(k, o.episodes, o.test_seed) for k in (1, 5)}
    omniglot = Omniglot(10)
    drawn["Omniglot, 1-shot"] = test_episodes(
        omniglot, o.episodes, shots=1, queries=5, seed=o.test_seed
    )
    found, figures = {}, {}
    for name, make in BESIDE.items():
        scores = {f"{what}: {name}": evaluate(make(), tasks) for what, tasks in drawn.items()}
        for key, score in printed(scores).items():
            found[key] = (score.per_episode * 50).round().to(torch.uint8)
            figures[key] = [score.mean, score.half_width]
    return found, {"figures": figures, "omniglot_classes": omniglot.classes}


def digit_score(key: str) -> Score:
    """A stored score of `measure_digits`."""
    right = digits_run.tensors()[key]
    return Score(right.double() / 50, "accuracy", chance=0.1)


digits_run = Measurement(
    "digits_scores",
    "encoders on handwritten digits that no pen of the course has drawn",
    dict(episodes=1000, test_seed=26),
    measure=measure_digits,
)
RUNS.append(digits_run)
