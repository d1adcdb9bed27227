"""How the runs of curves and of pictures are prepared and reported: recipes that the tables of
several chapters share."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import torch.nn.functional as F
from torch import nn

from course_lib.episodes import Episode, TaskFamily
from course_lib.families import Omniglot, Sinusoids, Strokes
from course_lib.learners import MAML, Learner
from course_lib.networks import BatchNorm, conv4, mlp
from course_lib.training.evaluation import Score, evaluate, evaluate_each_step, test_episodes
from course_lib.training.runs import TEST_SEED, Run, plan_of, printed

CHECKED_STEPS = (0, 1, 5, 10)  # inner steps after which learners that adapt by steps are scored
OTHER_SCRIPTS = (
    1  # the seed of the scripts to test on, where none of the training scripts are held out
)

INNER = {"alpha": 0.1, "inner_steps": 5, "first_order": False, "adapt": "all", "way": "fast"}
PLAN = {"outer_steps": 1000, "tasks": 1, "shots": 1, "queries": 5, "beta": 2e-3, "decay": True}
CURVES = INNER | PLAN | {
    "alpha": 0.01, "inner_steps": 1, "way": "vmap", "outer_steps": 70_000, "tasks": 25, "shots": 10,
    "queries": 10,
    "beta": 1e-3, "decay": False, "episodes": 2000, "test_seed": TEST_SEED,
}  # fmt: skip
# data: strokes or omniglot; held_out: scripts kept for testing; within: share of tasks from one
# script
PICTURES = PLAN | {
    "data": "strokes", "ways": 5, "scripts": 80, "held_out": 0, "within": 0.0, "rotations": False,
    "part": "evaluation",
    "channels": 32, "half": False, "episodes": 1000, "test_seed": TEST_SEED,
}  # fmt: skip


def inner(o: SimpleNamespace) -> dict:
    """The arguments of MAML that the settings give."""
    given = {name: getattr(o, name) for name in ("alpha", "first_order", "adapt", "way")}
    return given | {"steps": o.inner_steps}


# --- curves ---------------------------------------------------------------------------------------


def curve_run(name: str, says: str, method: type[MAML], **usual) -> Run:
    """A run on sinusoids of MAML or of a learner with its arguments."""
    return Run(name, says, CURVES | usual, partial(prepare_curves, method), report_curves)


def prepare_curves(method: type[MAML], o: SimpleNamespace):
    learner = method(mlp(seed=o.seed), **inner(o)).to(o.device)
    return learner, Sinusoids(device=o.device), plan_of(o)


def report_curves(learner: MAML, o: SimpleNamespace) -> dict[str, Score]:
    """On fresh sinusoids, 100 queries each, after 0, 1, 5 and 10 inner steps."""
    family = Sinusoids(device=o.device)
    tasks = test_episodes(family, o.episodes, shots=o.shots, queries=100, seed=o.test_seed)
    return printed(after_steps(learner, tasks))


def after_steps(learner: MAML, tasks: Episode) -> dict[str, Score]:
    """The scores after 0, 1, 5, 10 inner steps, and after as many as in training."""
    steps = sorted({*CHECKED_STEPS, learner.steps})
    scores = evaluate_each_step(learner, tasks, max(steps))
    return {f"after {step:2d} inner steps": scores[step] for step in steps}


# --- pictures -------------------------------------------------------------------------------------


def picture_run(
    name: str, says: str, make: Callable[[SimpleNamespace, int], Learner], **usual
) -> Run:
    """A run on drawn or real characters. ``make`` gets the settings and the number of training
    classes."""
    return Run(name, says, PICTURES | usual, partial(prepare_pictures, make), report_pictures)


def encoder(o: SimpleNamespace) -> nn.Module:
    """conv4 without a head, as the settings say."""
    return conv4(o.channels, seed=o.seed)


def prepare_pictures(make, o: SimpleNamespace):
    family = picture_families(o)[0]
    learner = make(o, family.classes)
    return halved(learner, o.half).to(o.device), family, plan_of(o)


def halved(learner: Learner, half: bool) -> Learner:
    """The learner, computing in bfloat16 while it trains if that is asked for.

    Raises:
        ValueError: it cannot.
    """
    if half and not hasattr(learner, "in_half"):
        raise ValueError(
            f"half=True: {type(learner).__name__} computes in float32 only; bfloat16 is for metric "
            "learners, and too coarse for second derivatives: set half=False"
        )
    return learner.in_half() if half else learner


def picture_families(o: SimpleNamespace) -> tuple[TaskFamily, TaskFamily]:
    """Where training tasks come from, and where those come from that nobody has trained on.

    Raises:
        ValueError: there are no such data.
    """
    if o.data == "strokes":
        drawn = Strokes(ways=o.ways, scripts=o.scripts, within=o.within, device=o.device)
        other = Strokes(ways=o.ways, seed=OTHER_SCRIPTS, device=o.device)
        return drawn.split(o.held_out) if o.held_out else (drawn, other)
    if o.data == "omniglot":
        place = {"ways": o.ways, "device": o.device}
        background = Omniglot(part="background", rotations=o.rotations, within=o.within, **place)
        return background, Omniglot(part=o.part, **place)
    raise ValueError(f"data={o.data}: choose strokes or omniglot")


def report_pictures(learner: Learner, o: SimpleNamespace) -> dict[str, Score]:
    """On fresh tasks of characters that nobody has trained on."""
    fresh = picture_families(o)[1]
    tasks = test_episodes(fresh, o.episodes, shots=o.shots, queries=o.queries, seed=o.test_seed)
    if hasattr(learner, "after_each_step"):
        return printed(after_steps(learner, tasks))
    return printed({f"{o.data}, {o.ways}-way {o.shots}-shot": evaluate(learner, tasks)})


def maml_on_pictures(o: SimpleNamespace, classes: int) -> MAML:
    """MAML on conv4 with a head of as many outputs as ways, and batch norm in the mode that
    ``statistics`` says."""
    norm = partial(BatchNorm, statistics=o.statistics)
    network = conv4(o.channels, outputs=o.ways, norm=norm, seed=o.seed)
    return MAML(network, F.cross_entropy, **inner(o))
