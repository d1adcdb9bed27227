"""What one meta-gradient costs, way by way: the same network and tasks, in turn, in one process and on one thread."""

import argparse
import statistics
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass

import higher
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from course_lib.episodes import Episode, at_least_one
from course_lib.families import Sinusoids
from course_lib.learners import MAML
from course_lib.networks import mlp

ALPHA = 0.01
BASELINE = "plain higher loop"


@dataclass(frozen=True)
class Row:
    """One way to the meta-gradient.

    Args:
        milliseconds: median time of one meta-gradient.   ratio: median of its time over the plain loop's, round by round.
        difference: largest difference to the plain loop's gradient in float64, relative to its largest entry.
        kilobytes: memory of tensors at the worst moment, beyond what was held before.
    """

    way: str
    milliseconds: float
    ratio: float
    difference: float
    kilobytes: float


def plain_higher_loop(network, episode: Episode, steps: int) -> list[Tensor]:
    """The yardstick: one task after the other, as in the example that comes with ``higher``."""
    network.zero_grad()
    optimizer = torch.optim.SGD(network.parameters(), lr=ALPHA)
    for support_x, support_y, query_x, query_y in episode:
        with higher.innerloop_ctx(network, optimizer, copy_initial_weights=False) as (fnet, inner):
            for _ in range(steps):
                inner.step(F.mse_loss(fnet(support_x), support_y))
            (F.mse_loss(fnet(query_x), query_y) / episode.tasks).backward()
    return [parameter.grad for parameter in network.parameters()]


def library(way: str) -> Callable:
    """The same gradient from `MAML` with one of its three ways."""

    def gradient(network, episode: Episode, steps: int) -> list[Tensor]:
        learner = MAML(network, alpha=ALPHA, steps=steps, way=way)
        return list(torch.autograd.grad(learner.outer_loss(episode), list(network.parameters())))

    return gradient


WAYS = {BASELINE: plain_higher_loop} | {f"way={way!r}": library(way) for way in ("higher", "autograd", "vmap")}


def gradients(steps: int = 5, tasks: int = 25, rounds: int = 15) -> list[Row]:
    """Time every way in every round, so that a busy moment of the machine meets all of them alike. Second order, K = 10.

    Raises:
        ValueError: a count is below 1.
    """
    at_least_one(steps=steps, tasks=tasks, rounds=rounds)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        family, network = Sinusoids(), mlp(seed=0)
        episode = family.sample(tasks, shots=10, queries=10, generator=family.generator(0))
        run = {name: lambda way=way: way(network, episode, steps) for name, way in WAYS.items()}
        seconds = {name: [] for name in WAYS}
        for turn in range(rounds + 1):
            for name in WAYS:
                began = time.perf_counter()
                run[name]()
                if turn > 0:  # the first round only warms up
                    seconds[name].append(time.perf_counter() - began)
        memory = {name: peak_memory(run[name]) for name in WAYS}
        exactly = episode.map(lambda t: t.double())
        vectors = {name: flat(way(mlp(seed=0).double(), exactly, steps)) for name, way in WAYS.items()}
    finally:
        torch.set_num_threads(threads)
    truth = vectors[BASELINE]
    return [
        Row(
            name,
            1000 * statistics.median(seconds[name]),
            statistics.median(one / other for one, other in zip(seconds[name], seconds[BASELINE], strict=True)),
            ((vectors[name] - truth).abs().max() / truth.abs().max()).item(),
            memory[name] / 1000,
        )
        for name in WAYS
    ]


def flat(tensors: list[Tensor]) -> Tensor:
    """Several tensors as one vector."""
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


class Held(TorchDispatchMode):
    """Counts the bytes of the tensors made while it is active: those held now, and at the worst moment."""

    def __init__(self):
        super().__init__()
        self.sizes, self.now, self.peak = {}, 0, 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        given = {storage._cdata for storage in storages((args, kwargs))}
        for storage in storages(result):
            place = storage._cdata
            if place not in given and place not in self.sizes:  # neither a view nor changed in place
                self.sizes[place] = storage.nbytes()
                self.now += storage.nbytes()
                self.peak = max(self.peak, self.now)
                weakref.finalize(storage, self.freed, place)
        return result

    def freed(self, place: int) -> None:
        self.now -= self.sizes.pop(place)


def storages(nested) -> list:
    """The memory behind every tensor in nested lists, tuples and dictionaries."""
    return [leaf.untyped_storage() for leaf in tree_leaves(nested) if isinstance(leaf, Tensor)]


def peak_memory(function: Callable) -> int:
    """Bytes of tensors that a call held at its worst moment, beyond those that existed before."""
    with Held() as held:
        function()
    return held.peak


def run_gradients(options: argparse.Namespace) -> int:
    print(f"one meta-gradient, second order: network 1-40-40-1, {options.tasks} tasks, K=10, {options.steps} inner steps, one thread")
    print(f"{'way':<20}{'ms':>8}{'ratio':>8}{'difference':>13}{'peak kB':>10}")
    for row in gradients(options.steps, options.tasks, options.rounds):
        print(f"{row.way:<20}{row.milliseconds:8.1f}{row.ratio:8.3f}{row.difference:13.1e}{row.kilobytes:10.0f}")
    print(f"ratio: to the plain loop; difference: of the gradients in float64, relative; medians of {options.rounds} rounds")
    return 0


def add_parser(subparsers) -> None:
    """Add ``python -m course_lib benchmark gradients``."""
    parser = subparsers.add_parser("benchmark", help="measure what the parts of the course cost on this machine")
    what = parser.add_subparsers(title="what to measure", metavar="what", required=True)
    cost = what.add_parser("gradients", help="one meta-gradient, each way")
    cost.add_argument("--steps", type=int, default=5, help="inner steps")
    cost.add_argument("--tasks", type=int, default=25)
    cost.add_argument("--rounds", type=int, default=15, help="how often each way is timed")
    cost.set_defaults(run=run_gradients)
