"""What one meta-gradient costs, way by way: the same network and tasks, in turn, in one process, on
the same number of threads."""

import argparse
import importlib.util
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.commands import prompt_speed
from course_lib.commands.meta_gradients import (
    compiled,
    library,
    plain_higher_loop,
    torchopt_loop,
)
from course_lib.episodes import Episode, at_least_one
from course_lib.families import Sinusoids, Strokes
from course_lib.learners import MAML
from course_lib.networks.small import conv4, mlp
from course_lib.training.peak_memory import peak_memory

BASELINE = "plain higher loop"


@dataclass(frozen=True)
class Timing:
    """One way to the meta-gradient.

    Args:
        milliseconds: median time of one meta-gradient.   ratio: median of its time over the plain
            loop's, round by round.
        work: the same ratio of processor time, all threads together: it suffers less from what else
            the machine does.
        difference: largest difference to the plain loop's gradient in float64, relative to its
            largest entry.
        kilobytes: memory of tensors at the worst moment, beyond what was held before; on one
            thread. NaN where it cannot be counted.
        first: milliseconds of the first call, before the timed rounds: it compiles, where anything
            is compiled.
    """

    way: str
    milliseconds: float
    ratio: float
    work: float
    difference: float
    kilobytes: float
    first: float


WAYS = {BASELINE: plain_higher_loop} | {
    f"way={way!r}": library(way) for way in ("higher", "autograd", "vmap")
}
IMAGE_WAYS = WAYS | {"way='fast'": library("fast")}
COMPILED = "way='compiled'"
TORCHOPT = {"TorchOpt": torchopt_loop} if importlib.util.find_spec("torchopt") else {}


def gradients(
    steps: int = 5, tasks: int = 25, rounds: int = 15, everything: bool = False
) -> list[Timing]:
    """The sinusoid experiment, K = 10, second order, on one thread.

    Args:
        everything: also the compiled way, which takes a minute or two to compile, and TorchOpt
            where it is installed.

    Raises:
        ValueError: a count is below 1, or there is no compiler.
    """
    at_least_one(steps=steps, tasks=tasks, rounds=rounds)
    family = Sinusoids()
    episode = family.sample(tasks, shots=10, queries=10, generator=family.generator(0))
    ways = {name: partial(way, steps=steps) for name, way in WAYS.items()}
    others = TORCHOPT | {COMPILED: compiled()} if everything else {}
    ways |= {name: partial(way, steps=steps) for name, way in others.items()}
    return measure(
        ways, (mlp(seed=0), episode), (mlp(seed=0).double(), double(episode)), rounds, threads=1
    )


def door(rounds: int = 200) -> tuple[float, float]:
    """What looking at everything that comes in costs, where it costs most: the smallest outer step
    of the course, one inner step by vmap on 25 sinusoids, K = 10.

    Returns:
        Milliseconds of the step, and those of it that are the door: a new episode looked at, and
        the learner that takes it. Medians.
    """
    at_least_one(rounds=rounds)
    family, learner = Sinusoids(), MAML(mlp(seed=0), way="vmap")
    generator = family.generator(0)
    steps, doors = [], []
    for _ in range(rounds):
        began = time.perf_counter()
        episode = family.sample(25, shots=10, queries=10, generator=generator)
        learner.outer_loss(episode).backward()
        ended = time.perf_counter()
        learner.look(episode)
        Episode(*episode.four, names=episode.names, hidden=episode.hidden)
        steps.append(ended - began)
        doors.append(time.perf_counter() - ended)
    return 1000 * statistics.median(steps), 1000 * statistics.median(doors)


def images(
    steps: int = 5, tasks: int = 16, channels: int = 64, rounds: int = 5, threads: int | None = None
) -> list[Timing]:
    """Conv-4 on drawn characters, 5-way 1-shot, 15 queries a class, second order. Gradients are
    compared in a smaller network.

    Args:
        threads: for every way alike; None: as many as torch uses now.

    Raises:
        ValueError: a count is below 1.
    """
    threads = torch.get_num_threads() if threads is None else threads
    at_least_one(steps=steps, tasks=tasks, channels=channels, rounds=rounds, threads=threads)
    family = Strokes(5)
    draw = partial(family.sample, shots=1, generator=family.generator(0))
    network = partial(
        conv4, outputs=5, norm=partial(nn.BatchNorm2d, track_running_stats=False), seed=0
    )
    ways = {
        name: partial(way, steps=steps, loss_fn=F.cross_entropy, alpha=0.1)
        for name, way in IMAGE_WAYS.items()
    }
    exact = network(min(channels, 8)).double(), double(draw(2, queries=5))
    return measure(ways, (network(channels), draw(tasks, queries=15)), exact, rounds, threads)


def double(episode: Episode) -> Episode:
    """Real numbers in float64, classes as they are."""
    return episode.map(lambda t: t.double() if t.is_floating_point() else t)


def measure(
    ways: dict[str, Callable], timed: tuple, exact: tuple, rounds: int, threads: int
) -> list[Timing]:
    """Time every way in every round, so that a busy moment of the machine meets all of them alike.

    Args:
        ways: functions of network and episode.   timed, exact: (network, episode) to time, and in
            float64 to compare.
    """
    before, clocks = torch.get_num_threads(), (time.perf_counter, time.process_time)
    torch.set_num_threads(threads)
    try:
        seconds, first = {name: [] for name in ways}, {}
        for turn in range(rounds + 1):
            for name, way in ways.items():
                began = [clock() for clock in clocks]
                way(*timed)
                took = [clock() - then for clock, then in zip(clocks, began, strict=True)]
                if turn > 0:
                    seconds[name].append(took)
                else:  # the first round only warms up
                    first[name] = 1000 * took[0]
        torch.set_num_threads(1)  # memory is counted on the thread of the caller
        memory = {
            # what compiled code takes does not pass through torch's dispatcher
            name: math.nan if name == COMPILED else peak_memory(partial(way, *timed))
            for name, way in ways.items()
        }
        vectors = {name: flat(way(*exact)).clone() for name, way in ways.items()}
    finally:
        torch.set_num_threads(before)
    truth = vectors[BASELINE]
    return [
        Timing(
            name,
            1000 * statistics.median(wall for wall, _ in seconds[name]),
            *(
                statistics.median(
                    one[i] / other[i]
                    for one, other in zip(seconds[name], seconds[BASELINE], strict=True)
                )
                for i in (0, 1)
            ),
            ((vectors[name] - truth).abs().max() / truth.abs().max()).item(),
            memory[name] / 1000,
            first[name],
        )
        for name in ways
    ]


def flat(tensors: list[Tensor]) -> Tensor:
    """Several tensors as one vector."""
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def run_gradients(options: argparse.Namespace) -> int:
    print(
        f"one meta-gradient, second order: network 1-40-40-1, {options.tasks} tasks, K=10, "
        f"{options.steps} inner steps, one thread"
    )
    print(f"{'way':<20}{'ms':>8}{'ratio':>8}{'difference':>13}{'peak kB':>10}")
    for row in gradients(options.steps, options.tasks, options.rounds, options.all):
        peak = "-" if math.isnan(row.kilobytes) else f"{row.kilobytes:.0f}"
        print(
            f"{row.way:<20}{row.milliseconds:8.1f}{row.ratio:8.3f}{row.difference:13.1e}{peak:>10}"
        )
        if row.way == COMPILED:
            print(f"  compiled in {row.first / 1000:.0f} s, once; its memory cannot be counted")
    print(
        "ratio: to the plain loop; difference: of the gradients in float64, relative; medians of "
        f"{options.rounds} rounds"
    )
    step, at_the_door = door()
    print(
        f"an outer step of one inner step takes {step:.2f} ms; looking at what comes in is "
        f"{100 * at_the_door / step:.1f} % of it"
    )
    return 0


def run_images(options: argparse.Namespace) -> int:
    threads = torch.get_num_threads() if options.threads is None else options.threads
    rows = images(options.steps, options.tasks, options.channels, options.rounds, threads)
    print(
        f"one meta-gradient, second order: Conv-4 with {options.channels} channels, "
        f"{options.tasks} tasks, 5-way 1-shot, 15 queries a class,"
    )
    print(f"{options.steps} inner steps, {threads} thread{'s' if threads > 1 else ''}")
    print(f"{'way':<20}{'ms':>8}{'ratio':>8}{'work':>8}{'difference':>13}{'peak MB':>10}")
    for row in rows:
        print(
            f"{row.way:<20}{row.milliseconds:8.0f}{row.ratio:8.3f}{row.work:8.3f}"
            f"{row.difference:13.1e}{row.kilobytes / 1000:10.0f}"
        )
    print(
        "ratio: of time to the plain loop; work: of processor time, all threads together; "
        f"medians of {options.rounds} rounds;"
    )
    print(
        "difference: of the gradients in float64, relative, in a small network; peak: of one thread"
    )
    return 0


def add_parser(subparsers) -> None:
    """Add ``python -m course_lib benchmark gradients``, ``... images`` and ``... prompts``."""
    parser = subparsers.add_parser(
        "benchmark", help="measure what the parts of the course cost on this machine"
    )
    what = parser.add_subparsers(title="what to measure", metavar="what", required=True)
    cost = what.add_parser("gradients", help="one meta-gradient on sinusoids, each way")
    cost.add_argument("--tasks", type=int, default=25)
    cost.add_argument("--rounds", type=int, default=15, help="how often each way is timed")
    cost.add_argument(
        "--all", action="store_true", help="also the compiled way (minutes at first) and TorchOpt"
    )
    cost.set_defaults(run=run_gradients)
    pictures = what.add_parser("images", help="one meta-gradient on pictures, each way")
    pictures.add_argument("--tasks", type=int, default=16)
    pictures.add_argument("--channels", type=int, default=64)
    pictures.add_argument("--rounds", type=int, default=5, help="how often each way is timed")
    pictures.add_argument("--threads", type=int, help="for every way alike")
    pictures.set_defaults(run=run_images)
    prompt_speed.add_words(what)
    for each in (cost, pictures):
        each.add_argument("--steps", type=int, default=5, help="inner steps")
