"""From the words of the command line to a family of tasks, a learner and a plan. What each command means stands here, once."""

import argparse
from functools import partial

import torch
import torch.nn.functional as F

from course_lib import learners
from course_lib.episodes import TaskFamily
from course_lib.families import Omniglot, Sinusoids, Strokes
from course_lib.learners import Learner
from course_lib.networks.normalisation import BatchNorm
from course_lib.networks.small import conv4, mlp
from course_lib.training import checkpoints, prepared_runs
from course_lib.training.outer_loop import Plan
from course_lib.training.pretraining import LanguagePlan

OTHER_SCRIPTS = 1  # the seed of the alphabet that learners of strokes are tested on; they are trained on that of seed 0
CURVES = {"maml": learners.MAML, "joint": learners.Joint}
METRIC = {  # made from the encoder and, where that is not enough, from the options and the number of base classes
    "baseline": lambda encoder, o, classes: learners.Baseline(
        encoder, classes, features=o.channels, seed=o.seed
    ),
    "baseline++": lambda encoder, o, classes: learners.BaselinePlusPlus(
        encoder, classes, features=o.channels, seed=o.seed
    ),
    "meta-baseline": learners.MetaBaseline,
    "siamese": learners.Siamese,
    "koch": lambda encoder, o, _: learners.Koch(encoder, features=o.channels, seed=o.seed),
    "matching": learners.Matching,
    "prototypical": learners.Prototypical,
    "relation": lambda encoder, o, _: learners.Relation(encoder, features=o.channels, seed=o.seed),
}
USUAL = {  # what an option is unless told, for each kind of data
    "sinusoids": {"method": "maml", "shots": 10, "tasks": 25, "outer_steps": 70_000, "alpha": 0.01, "beta": 1e-3, "inner_steps": 1, "episodes": 2000},
    "pictures": {
        "method": "prototypical", "ways": 5, "shots": 1, "queries": 5, "tasks": 1, "outer_steps": 3000, "alpha": 0.1, "beta": 1e-3, "inner_steps": 5,
        "episodes": 1000, "channels": 64, "scripts": 80, "within": 0.0, "statistics": "support",
    },
    "worlds": {"method": "tiny_gpt", "outer_steps": LanguagePlan.steps, "beta": LanguagePlan.rate, "episodes": 1000},
    "prepared": dict.fromkeys(["method", "episodes", *prepared_runs.FROM_PLAN]),
}  # fmt: skip
KINDS = {
    "sinusoids": "sinusoids",
    "strokes": "pictures",
    "omniglot": "pictures",
    "worlds": "worlds",
    "regressions": "prepared",
    "intents": "prepared",
}
LANGUAGE = ["tiny_gpt"]
SWITCHES = {
    "adapt": "all",
    "gradient": "fast",
    "start": None,
    "decay": False,
    "first_order": False,
    "half": False,
    "rotations": False,
    "part": "evaluation",
}


def filled(options: argparse.Namespace) -> argparse.Namespace:
    """The options with the usual value in the place of each that was not given.

    Raises:
        ValueError: an option or a method does not go with the data.
    """
    usual = USUAL[KINDS[options.data]]
    for name in sorted(set(USUAL["pictures"]) - set(usual)):
        if (name != "queries" or options.data == "worlds") and getattr(options, name) is not None:
            todo = (
                "have none, it is for --data strokes or omniglot"
                if options.data == "sinusoids"
                else "take none, leave it out"
            )
            raise ValueError(
                f"--{name.replace('_', '-')} {getattr(options, name)}: {options.data} {todo}"
            )
    if KINDS[options.data] in ("worlds", "prepared"):
        if foreign := [
            name for name, usual_value in SWITCHES.items() if getattr(options, name) != usual_value
        ]:
            raise ValueError(
                f"--{foreign[0].replace('_', '-')} does not go with --data {options.data}: leave it out"
            )
    if KINDS[options.data] == "prepared":
        options = prepared_runs.filled(options)
    given = {name: value for name, value in vars(options).items() if value is not None}
    full = argparse.Namespace(**{**vars(options), **usual, **given})
    if full.queries is None:
        full.queries = full.shots
    known = {
        "sinusoids": CURVES,
        "pictures": [*METRIC, "maml"],
        "worlds": LANGUAGE,
        "prepared": prepared_runs.METHODS.get(options.data),
    }[KINDS[options.data]]
    if full.method not in known:
        raise ValueError(
            f"--method {full.method} does not go with --data {full.data}: choose one of {', '.join(known)}"
        )
    return full


def check_device(name: str) -> None:
    """Refuse a device that this machine lacks.

    Raises:
        ValueError: says so.
    """
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"--device {name}: this machine has no such device, use cpu") from error


def training_family(o: argparse.Namespace) -> TaskFamily:
    """Where the tasks of training come from."""
    if o.data == "sinusoids":
        return Sinusoids(device=o.device)
    if o.data == "strokes":
        return Strokes(ways=o.ways, scripts=o.scripts, within=o.within, device=o.device)
    return Omniglot(
        ways=o.ways, part="background", rotations=o.rotations, within=o.within, device=o.device
    )


def testing_family(o: argparse.Namespace) -> TaskFamily:
    """Where tasks come from that nobody has trained on: other scripts, or Omniglot's evaluation alphabets."""
    if o.data == "sinusoids":
        return Sinusoids(device=o.device)
    if o.data == "strokes":
        return Strokes(ways=o.ways, seed=OTHER_SCRIPTS, device=o.device)
    return Omniglot(ways=o.ways, part=o.part, device=o.device)


def learner(o: argparse.Namespace) -> Learner:
    """The untrained learner, on the device."""
    if o.method in CURVES:
        network = mlp(seed=o.seed) if o.data == "sinusoids" else classifier(o)
        loss = {} if o.data == "sinusoids" else {"loss_fn": F.cross_entropy}
        inner = {
            "alpha": o.alpha,
            "steps": o.inner_steps,
            "first_order": o.first_order,
            "adapt": o.adapt,
            "way": o.gradient,
        }
        return CURVES[o.method](network, **loss, **inner).to(o.device)
    make = METRIC[o.method]
    encoder = conv4(o.channels, seed=o.seed)
    if o.start:
        tensors, _ = checkpoints.read(o.start)
        checkpoints.load_weights(
            encoder, checkpoints.weights(tensors, "learner.encoder."), source=o.start
        )
    made = make(encoder) if isinstance(make, type) else make(encoder, o, training_family(o).classes)
    return (made.in_half() if o.half else made).to(o.device)


def classifier(o: argparse.Namespace) -> torch.nn.Module:
    """conv4 with a head, and batch norm that takes its statistics from where ``--statistics`` says."""
    return conv4(
        o.channels, outputs=o.ways, norm=partial(BatchNorm, statistics=o.statistics), seed=o.seed
    )


def plan(o: argparse.Namespace) -> Plan:
    return Plan(o.outer_steps, o.tasks, o.shots, o.queries, o.beta, o.seed, o.decay)
