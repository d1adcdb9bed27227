"""One outer loop in several processes: each takes some of the tasks of every outer step, and their
gradients are averaged.

`torchrun --nproc-per-node 2 -m course_lib train NAME` starts them. Each draws the whole episode
from the same seed and takes its slice, so the tasks are those of one process, however many there
are.
"""

import copy
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from course_lib.episodes import Episode
from course_lib.learners.base import Learner

PATIENCE = 600.0  # seconds that a process waits for the others
LOST = (
    "another process of this run has ended, does not answer, or the run was told to stop: the same "
    "command goes on from the last save, with as many processes as you like"
)
ALONE = ": train this learner in one process"


def asked_for() -> int:
    """How many processes torchrun says that there are; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", 1))


def count() -> int:
    """How many processes train together now."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def first() -> bool:
    """Whether this is the process that prints and writes."""
    return count() == 1 or dist.get_rank() == 0


@contextmanager
def joined(device: str = "cpu", patience: float = PATIENCE) -> Iterator[str]:
    """Inside, the processes that torchrun has started train together; one process is left as it is.

    Of an error one process tells, the first that meets it; the others end without a word.

    Args:
        device: "cpu" (gloo), or "cuda" (nccl): then each process gets a GPU of its own.
        patience: seconds to wait for the others, at the start and in each outer step.

    Yields:
        The device of this process.

    Raises:
        ValueError: there are too few GPUs, or a process is missing or has ended.
    """
    if asked_for() == 1:
        yield device
        return
    signal.signal(signal.SIGTERM, stop)
    wait, store = timedelta(seconds=patience), None
    try:
        with all_here():
            store, rank, size = next(dist.rendezvous("env://", timeout=wait))
        device = own_device(device)
        with all_here():
            backend = "nccl" if device.startswith("cuda") else "gloo"
            dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=wait)
        yield device
    except BaseException:
        if not tells(store):
            raise SystemExit(2) from None
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def own_device(device: str) -> str:
    """The device of this process: "cpu", or the GPU of its number.

    Raises:
        ValueError: there is none for it.
    """
    if not device.startswith("cuda"):
        return device
    mine, there = int(os.environ.get("LOCAL_RANK", 0)), torch.cuda.device_count()
    if device != "cuda":
        raise ValueError(f"--device {device}: with several processes write --device cuda")
    if mine >= there:
        raise ValueError(
            f"this machine has {there} GPUs and each process needs its own: start torchrun with "
            f"--nproc-per-node {max(there, 1)}, or use --device cpu"
        )
    torch.cuda.set_device(mine)
    return f"cuda:{mine}"


def stop(*_) -> None:
    """torchrun ends the others in this way where one process has ended."""
    raise ValueError(LOST)


def tells(store) -> bool:
    """Whether this process is the first of all to tell why it ends."""
    try:
        return store is None or store.add("told", 1) == 1
    except RuntimeError:  # the process that kept the store is gone
        return True


@contextmanager
def all_here() -> Iterator[None]:
    """Inside, processes meet.

    Raises:
        ValueError: one has not come in time, or has ended.
    """
    try:
        yield
    except RuntimeError as error:
        raise ValueError(LOST) from error


# --- what the outer loop asks ---------------------------------------------------------------------


def share(tasks: int) -> slice:
    """Which of the tasks of an outer step are this process's; their numbers differ by one at most.

    Raises:
        ValueError: there are more processes than tasks.
    """
    if (processes := count()) == 1:
        return slice(0, tasks)
    if processes > tasks:
        raise ValueError(
            f"{processes} processes for tasks={tasks} in an outer step: each needs a task, start "
            f"at most {tasks} or set tasks={processes}"
        )
    rank = dist.get_rank()
    return slice(tasks * rank // processes, tasks * (rank + 1) // processes)


def start_alike(learner: Learner, step: int) -> None:
    """Give every process the weights of the first.

    Raises:
        ValueError: the others have not found the file that the first resumes from.
    """
    if count() == 1:
        return
    device = next(learner.parameters()).device
    steps = torch.tensor([step, -step], device=device)
    with all_here():
        dist.all_reduce(steps, dist.ReduceOp.MAX)
        for tensor in (*learner.parameters(), *learner.buffers()):
            dist.broadcast(tensor.detach(), 0)
    if steps[0] != -steps[1]:
        raise ValueError(
            f"the processes resume at different outer steps, {-steps[1]} and {steps[0]}: the file "
            "must lie where all of them see it"
        )


def check_divisible(learner: Learner, episode: Episode) -> None:
    """Whether the loss of two tasks together is the mean of theirs alone, tried on a copy in
    float64.

    Raises:
        ValueError: it is not, so that several processes would train something else than one.
    """
    if count() == 1:
        return
    name, trial = type(learner).__name__, copy.deepcopy(learner).double()
    pair = episode[:2].map(lambda t: t.double() if t.is_floating_point() else t)
    before = [buffer.clone() for buffer in trial.buffers()]
    with torch.no_grad(), torch.random.fork_rng():
        random = random_states(pair)
        together = trial.outer_loss(pair)
        drew = any(not a.equal(b) for a, b in zip(random, random_states(pair), strict=True))
        alone = (trial.outer_loss(pair[:1]) + trial.outer_loss(pair[1:])) / 2
    if drew:
        raise ValueError(
            f"{name} draws random numbers while it trains, such as dropout, and each process would "
            f"draw its own{ALONE}"
        )
    if not all(a.equal(b) for a, b in zip(before, trial.buffers(), strict=True)):
        raise ValueError(
            f"{name} collects something over all tasks, such as running averages of batch norm, "
            f"and each process would see its own{ALONE}"
        )
    # a loss that is not finite is told of by the outer loop
    if together.isfinite() and not torch.isclose(together, alone, rtol=1e-6, atol=1e-9):
        raise ValueError(
            f"the loss of {name} on two tasks together, {together:.4f}, is not the mean of theirs "
            f"alone, {alone:.4f}: something is pooled over the tasks, such as batch norm or a sum"
            f"{ALONE}"
        )


def random_states(episode: Episode) -> list[Tensor]:
    """Where torch's own random numbers stand, on the CPU and on the episode's GPU."""
    device = episode.support_x.device
    gpu = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
    return [torch.get_rng_state(), *gpu]


def average(learner: Learner, loss: Tensor, tasks: int, of: int) -> Tensor:
    """Put the mean gradient over all tasks into every process's learner.

    Args:
        loss: of this process's tasks.   tasks: how many those are.   of: how many there are in all.

    Returns:
        The mean loss over all tasks.
    """
    if count() == 1:
        return loss
    weights, part = list(learner.parameters()), tasks / of
    # a gradient that no process has stays away, as in one process: Adam skips it
    there = torch.stack([loss.new_tensor(float(w.grad is not None)) for w in weights])
    own = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
    sums = torch.cat([part * g.flatten() for g in own] + [part * loss.detach().view(1), there])
    with all_here():
        dist.all_reduce(sums)
    place = 0
    for w, has in zip(weights, sums[-len(weights) :].tolist(), strict=True):
        found = sums[place : place + w.numel()].view_as(w).to(w.dtype)
        w.grad, place = (found if has else None), place + w.numel()
    return sums[place]
