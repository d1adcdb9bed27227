"""What chapter 04 measures: the price of one outer gradient, way by way, and how many tasks an
outer loop needs."""

import os
import platform
import statistics
import time
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from course_lib.episodes import Episode
from course_lib.families import Sinusoids, Strokes
from course_lib.learners import MAML
from course_lib.learners.base import Learner
from course_lib.networks import BatchNorm
from course_lib.networks.small import conv4, mlp
from course_lib.training.evaluation import evaluate_each_step, test_episodes
from course_lib.training.outer_loop import Plan, meta_train
from course_lib.training.peak_memory import peak_memory
from course_lib.training.runs import Measurement

STEPS = (1, 2, 4, 8, 16, 32)
LEARNERS = {  # what is compared: the settings of MAML behind each name
    "second order": {"way": "autograd"},
    "first order": {"way": "autograd", "first_order": True},
    "head only": {"way": "autograd", "adapt": "head"},
    "checkpointed": {"way": "checkpointed"},
    "forward over reverse": {"way": "mixed"},
}
NETWORKS = ("sinusoid MLP", "Conv-4")


# --- the price of one outer gradient --------------------------------------------------------------


def problem(
    name: str, channels: int = 64, tasks: int = 1, queries: int = 5
) -> tuple[nn.Module, Episode, dict]:
    """The network, one outer step's tasks, and the settings of a learner.

    Args:
        name: "sinusoid MLP": 1-40-40-1, 25 waves with 10 support and 10 query points. "Conv-4": on
            drawn characters, 5-way 1-shot.
        channels, tasks, queries: of Conv-4; queries a class.

    Raises:
        ValueError: there is no problem of this name.
    """
    if name == "sinusoid MLP":
        family = Sinusoids()
        episode = family.sample(25, shots=10, queries=10, generator=family.generator(0))
        return mlp(seed=0), episode, {"alpha": 0.01}
    if name == "Conv-4":
        family = Strokes(5)
        episode = family.sample(tasks, shots=1, queries=queries, generator=family.generator(0))
        network = conv4(channels, outputs=5, norm=BatchNorm, seed=0)
        return network, episode, {"alpha": 0.1, "loss_fn": F.cross_entropy}
    raise ValueError(f"problem {name!r}: choose one of {', '.join(NETWORKS)}")


def learner_for(way: str, network: nn.Module, steps: int, settings: dict) -> Learner:
    """The learner behind a name of LEARNERS."""
    return MAML(network, steps=steps, **settings | LEARNERS[way])


def outer_gradient(learner: Learner, episode: Episode) -> list[Tensor]:
    """What one outer step asks for."""
    return list(torch.autograd.grad(learner.outer_loss(episode), list(learner.parameters())))


def operations(function, *given) -> int:
    """Floating-point operations of matrix products and convolutions in function(*given), as torch
    counts them."""
    with FlopCounterMode(display=False) as counter:
        function(*given)
    return counter.get_total_flops()


def price(learner: Learner, episode: Episode, rounds: int = 3) -> dict[str, float]:
    """Of one outer gradient: processor seconds (median of rounds), peak bytes, floating-point
    operations."""
    gradient, seconds = partial(outer_gradient, learner, episode), []
    gradient()  # the first time, torch makes itself ready
    for _ in range(rounds):
        began = time.process_time()
        gradient()
        seconds.append(time.process_time() - began)
    return {
        "seconds": statistics.median(seconds),
        "bytes": peak_memory(gradient),
        "operations": operations(gradient),
    }


def curves(o) -> tuple[dict[str, Tensor], dict]:
    """The price of each way on each network for k = 1, 2, ..., 32 inner steps, on one thread."""
    found, before = {}, torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name in NETWORKS:
            network, episode, settings = problem(name)
            for way in LEARNERS:
                prices = [
                    price(learner_for(way, network, steps, settings), episode, o.rounds)
                    for steps in STEPS
                ]
                for what in prices[0]:
                    numbers = [one[what] for one in prices]
                    found[f"{what}/{name}/{way}"] = torch.tensor(numbers, dtype=torch.float64)
                print(name, way, [f"{one['seconds']:.3f} s" for one in prices], flush=True)
    finally:
        torch.set_num_threads(before)
    return found, {"steps": STEPS, "machine": machine()}


def machine() -> str:
    """The machine in words."""
    return (
        f"{platform.system()} on {platform.machine()}, {os.cpu_count()} cores in use by others "
        f"too, one thread, torch {torch.__version__}"
    )


# --- how many tasks -------------------------------------------------------------------------------


class Pool(Sinusoids):
    """A fixed number of sine waves, drawn once; the points are fresh each time.

    Args:
        size: how many waves.   seed: of the draw.

    Raises:
        ValueError: size is below 1.
    """

    def __init__(self, size: int, seed: int = 0):
        super().__init__()
        if size < 1:
            raise ValueError(f"size={size}: a pool needs at least 1 task")
        drawn = Sinusoids().sample(size, shots=1, queries=1, generator=self.generator(seed))
        self.size, self.seed, self.waves = size, seed, drawn.hidden

    def settings(self) -> dict:
        return super().settings() | {"pool": self.size, "pool_seed": self.seed}

    def sample(self, tasks, *, shots, queries, generator=None) -> Episode:
        """As `Sinusoids.sample`, with waves of the pool."""
        fresh = super().sample(tasks, shots=shots, queries=queries, generator=generator)
        chosen = torch.randint(self.size, (tasks,), generator=generator)
        A, p = (self.waves[name][chosen] for name in ("amplitude", "phase"))
        wave = lambda x: A[:, None, None] * torch.sin(x - p[:, None, None])  # noqa: E731
        return Episode(
            fresh.support_x, wave(fresh.support_x), fresh.query_x, wave(fresh.query_x),
            hidden={"amplitude": A, "phase": p},
        )  # fmt: skip


POOLS = (5, 20, 100, 0)  # 0: endless, each task is new
SEEDS = (0, 1, 2)
SMALL_WAVES = (0.1, 1.0)  # amplitudes of an outer loop that meets easy tasks only


def pools(o) -> tuple[dict[str, Tensor], dict]:
    """Test error of MAML on new tasks, and on those of its own pool, after 0, 1 and 10 inner steps.

    Returns:
        "new" and "own": (pools, seeds, 3, 3), mean, half of its interval over tasks, and median;
        "small waves": (seeds, 3, 3), of a learner trained on small amplitudes, on new tasks of all
        sizes.
    """
    new = test_episodes(Sinusoids(), o.episodes, shots=5, queries=100, seed=21)
    rows = {"new": [], "own": [], "small waves": []}
    for size in POOLS:
        families = [Pool(size, seed) if size else Sinusoids() for seed in SEEDS]
        learners = [
            trained_on(family, seed, o) for family, seed in zip(families, SEEDS, strict=True)
        ]
        own = [
            test_episodes(family, o.episodes, shots=5, queries=100, seed=22) for family in families
        ]
        rows["new"].append([errors(learner, new) for learner in learners])
        rows["own"].append([errors(*pair) for pair in zip(learners, own, strict=True)])
        print(size, rows["new"][-1], flush=True)
    small = Sinusoids(amplitude=SMALL_WAVES)
    rows["small waves"] = [errors(trained_on(small, seed, o), new) for seed in SEEDS]
    tensors = {name: torch.tensor(values) for name, values in rows.items()}
    return tensors, {"pools": POOLS, "seeds": SEEDS, "episodes": o.episodes}


def trained_on(family: Sinusoids, seed: int, o) -> MAML:
    """MAML after its training on a family, from starting weights of this seed."""
    learner = MAML(mlp(seed=seed), alpha=0.01, steps=1, way="vmap")
    plan = Plan(outer_steps=o.outer_steps, tasks=25, shots=5, queries=5, beta=0.001, seed=seed)
    meta_train(learner, family, plan, progress=False)
    return learner


def errors(learner: MAML, episode: Episode) -> list[list[float]]:
    """Query MSE after 0, 1 and 10 inner steps: mean, half of its interval, and median over
    tasks."""
    scores = evaluate_each_step(learner, episode, steps=10)
    medians = [score.per_episode.nan_to_num(1e30).median().item() for score in scores]
    return [[scores[k].mean, scores[k].half_width, medians[k]] for k in (0, 1, 10)]


RUNS = [
    Measurement(
        "price_curves",
        "seconds, bytes and operations of one outer gradient for 1 to 32 inner steps",
        {"rounds": 3},
        measure=curves,
    ),
    Measurement(
        "price_tasks",
        "test error of MAML trained on 5, 20, 100 or endless sine waves, three seeds",
        {"outer_steps": 6000, "episodes": 1000},
        measure=pools,
    ),
]
