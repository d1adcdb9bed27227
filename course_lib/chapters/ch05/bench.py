"""Where the outer loops of chapter 05 are compared: networks, families, plans, and how the settings
of each are chosen."""

import time
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from course_lib.episodes import Episode, TaskFamily
from course_lib.families import Sinusoids, Strokes
from course_lib.learners import IMAML, MAML, Joint, Learner, MetaSGD, Reptile
from course_lib.networks import mlp
from course_lib.networks.small import seeded
from course_lib.training.evaluation import Score, evaluate_each_step, test_episodes
from course_lib.training.outer_loop import Plan, meta_train

SEEDS = (0, 1, 2)
CHOOSING_SEED, CHOOSING_TASKS, TEST_TASKS = 100, 101, 5  # seeds: of training, of the tasks
STEPS_TO_TRY = (1, 3, 5, 10)
METHODS = {  # in the files and in figures
    "untrained": "nothing learned", "joint": "joint training", "maml": "MAML",
    "first order": "first order", "anil": "ANIL", "reptile": "Reptile", "meta-sgd": "Meta-SGD",
    "imaml": "implicit MAML",
}  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """Where all of them are compared.

    Args:
        network: from a seed to a network.   loss_fn: of both loops.   plan: from a seed.
        k: inner steps in training of those that keep the path; Reptile and implicit MAML, which
            need more than one, take ``walk``.
        rates: the inner rates to choose from.   strength: of implicit MAML.
        training, testing: families.   episodes, shots, queries: of the reported tasks.
        choosing: how many tasks of the training side the settings are chosen on.
    """

    network: object
    loss_fn: object
    plan: object
    k: int
    walk: int
    rates: tuple
    strength: float
    training: TaskFamily
    testing: TaskFamily
    episodes: int
    shots: int
    queries: int
    choosing: int

    def tasks(self) -> Episode:
        """The reported tasks, the same for everyone."""
        return test_episodes(
            self.testing, self.episodes, shots=self.shots, queries=self.queries, seed=TEST_TASKS
        )

    def tasks_to_choose_on(self) -> Episode:
        sizes = {"shots": self.shots, "queries": self.queries}
        return test_episodes(self.training, self.choosing, **sizes, seed=CHOOSING_TASKS)


def small_conv(seed: int) -> nn.Sequential:
    """Three strided convolutions of 16 channels and a head of five outputs, 6,181 numbers. Group
    norm looks at one drawing at a time, so no answer depends on other drawings."""
    with seeded(seed):
        layers = []
        for before in (1, 16, 16):
            layers += [nn.Conv2d(before, 16, 3, 2, 1), nn.GroupNorm(4, 16), nn.ReLU()]
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(256, 5))


def curves(outer_steps: int) -> Bench:
    """Sine waves, five points a task."""
    plan = partial(
        Plan, outer_steps=outer_steps, tasks=25, shots=5, queries=5, beta=2e-3, decay=True
    )
    return Bench(
        lambda seed: mlp(seed=seed), F.mse_loss, plan, 1, 8, (0.01, 0.02), 0.5,
        Sinusoids(), Sinusoids(), 600, 5, 50, 300,
    )  # fmt: skip


def strokes(outer_steps: int) -> Bench:
    """Drawn characters, five classes, one drawing of each; tested on 20 scripts held out."""
    plan = partial(
        Plan, outer_steps=outer_steps, tasks=4, shots=1, queries=5, beta=3e-3, decay=True
    )
    return Bench(
        small_conv, F.cross_entropy, plan, 3, 5, (0.1, 0.3), 0.5,
        *Strokes(ways=5, scripts=70).split(20), 400, 1, 5, 150,
    )  # fmt: skip


def learner_of(name: str, bench: Bench, alpha: float, seed: int) -> Learner:
    """A learner before its training.

    Raises:
        ValueError: there is no such method.
    """
    given = bench.network(seed), bench.loss_fn
    kept, longer = ({"alpha": alpha, "steps": k, "way": "vmap"} for k in (bench.k, bench.walk))
    makers = {
        "untrained": lambda: MAML(*given, **kept),
        "joint": lambda: Joint(*given, **kept),
        "maml": lambda: MAML(*given, **kept),
        "first order": lambda: MAML(*given, **kept, first_order=True),
        "anil": lambda: MAML(*given, **kept, adapt="head"),
        "reptile": lambda: Reptile(*given, **longer),
        "reptile, mixed": lambda: Reptile(*given, **longer),
        "meta-sgd": lambda: MetaSGD(*given, **kept),
        "imaml": lambda: IMAML(*given, **longer, strength=bench.strength, solver_steps=4),
    }
    if name not in makers:
        raise ValueError(f"{name!r}: choose one of {', '.join(makers)}")
    return makers[name]()


class Mixed(TaskFamily):
    """The control of Reptile: the same points as in another family, dealt out so that each "task"
    holds points of many tasks. The gradients within a task then share nothing of their own."""

    def __init__(self, family: TaskFamily):
        self.family, self.device = family, family.device

    def sample(self, tasks, *, shots, queries, generator=None) -> Episode:
        drawn = self.family.sample(tasks, shots=shots, queries=queries, generator=generator)
        x, y = (
            torch.cat([getattr(drawn, f"support_{z}"), getattr(drawn, f"query_{z}")], 1)
            for z in "xy"
        )
        order = torch.rand(tasks * x.shape[1], generator=generator, device=self.device).argsort()
        x, y = (part.flatten(0, 1)[order].view_as(part) for part in (x, y))
        return Episode(x[:, :shots], y[:, :shots], x[:, shots:], y[:, shots:])

    def settings(self) -> dict:
        return self.family.settings() | {"mixed": True}


def trained(name: str, bench: Bench, alpha: float, seed: int) -> tuple[Learner, float]:
    """The learner after its training, and the seconds of one core that this took."""
    learner, began = learner_of(name, bench, alpha, seed), time.process_time()
    if name != "untrained":
        family = Mixed(bench.training) if "mixed" in name else bench.training
        meta_train(learner, family, bench.plan(seed=seed), progress=False)
    return learner.eval(), time.process_time() - began


def better(score: Score) -> float:
    """The larger the better, for accuracy and for error."""
    return score.mean if score.metric == "accuracy" else -score.mean


def chosen(name: str, short: Bench) -> tuple[float, int]:
    """Inner rate and number of inner steps at test time: the best of one short run for each rate,
    on tasks of the training side, with a seed that nobody reports."""
    tasks, found = short.tasks_to_choose_on(), {}
    for alpha in short.rates:
        learner, _ = trained(name, short, alpha, CHOOSING_SEED)
        by_step = evaluate_each_step(learner, tasks, max(STEPS_TO_TRY))
        found |= {
            (alpha, steps): better(by_step[steps])
            for steps in STEPS_TO_TRY
            if by_step[steps].mean == by_step[steps].mean  # not NaN
        }
    return max(found, key=found.get)
