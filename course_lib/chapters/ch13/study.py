"""What chapter 13 measured, with its named runs: players of bandits, and walkers to a goal."""

import torch

from course_lib.chapters.ch13.players import HUNDRED, TEN, measure_seeds
from course_lib.chapters.ch13.walkers import SEEDS, WALKERS, measure_points, walker
from course_lib.learners.policy_maml import PolicyMAML
from course_lib.networks import checkpoints
from course_lib.training.evaluation import Score
from course_lib.training.runs import Measurement

RUNS = [
    TEN,
    HUNDRED,
    Measurement(
        "bandits_seeds", "RL2 after three trainings, on the same bandits", {"episodes": 20_000},
        measure=measure_seeds,
    ),
    Measurement(
        "points_walkers", "walkers to a goal: MAML with policy gradients, and what it is held "
        "against", {"outer_steps": 150, "episodes": 400}, measure=measure_points,
    ),
]  # fmt: skip


def named(run: str) -> Measurement:
    """A run of this chapter, by its name."""
    return next(one for one in RUNS if one.name == run)


def seeds_of(pulls: int) -> list[Score]:
    """Totals of RL2 on the bandits that are reported, one score for each training seed."""
    tensors = named("bandits_seeds").tensors()
    what = {"metric": f"reward of {pulls} pulls", "chance": pulls / 2}
    return [Score(tensors[f"{pulls}/{seed}"].double(), **what) for seed in (0, 1, 2)]


def walked(name: str) -> tuple[list[Score], list[float]]:
    """The returns of a walker after 0, 1, ... inner steps, goal by goal the mean over the training
    seeds; and for each step the standard deviation of the seeds' means."""
    tensors = named("points_walkers").tensors()
    every = torch.stack([tensors[f"{name}/{seed}"].double() for seed in SEEDS])  # (3, steps, T)
    luck = every.mean(-1).std(0).tolist()
    return [Score(step, "return") for step in every.mean(0)], luck


def shipped_walker(name: str, seed: int = 0) -> PolicyMAML:
    """A walker after the training that was measured, with its inner rate.

    Raises:
        ValueError: there is no such walker.
    """
    if name not in WALKERS:
        raise ValueError(f"there is no walker {name!r}: choose one of {', '.join(WALKERS)}")
    run = named("points_walkers")
    learner = walker(name, seed, run.about()["chosen"][f"{name}/{seed}"])
    weights = checkpoints.weights(run.tensors(), f"weights/{name}/{seed}/")
    checkpoints.load_weights(learner.network, weights, run.file.name)
    return learner.eval()
