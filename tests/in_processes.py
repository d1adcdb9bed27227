"""What several processes compute together, for tests that start them: python in_processes.py FILE,
with the variables of torchrun around it. The test computes the same alone."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn
from torch.distributed import TCPStore
from toys import episode, smooth

from course_lib import ROOT
from course_lib.episodes import Episode
from course_lib.families import Strokes
from course_lib.learners import MAML, Joint, Learner, Matching, Prototypical
from course_lib.networks import BatchNorm, conv4
from course_lib.training import processes

TASKS = 5


def pictures() -> Episode:
    family = Strokes(ways=3)
    drawn = family.sample(TASKS, shots=2, queries=2, generator=family.generator(3))
    return drawn.map(lambda t: t.double() if t.is_floating_point() else t)


def flat_encoder() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 6), nn.Tanh()).double()


def dropping() -> nn.Module:
    return nn.Sequential(*smooth()[:2], nn.Dropout(0.5), *smooth()[2:])


def conv(norm=BatchNorm, **settings) -> nn.Module:
    return conv4(4, outputs=3, norm=lambda n: norm(n, **settings), seed=0).double()


def half_used() -> nn.Module:
    """A network with a parameter that no gradient reaches."""
    network = smooth()
    network.register_parameter("idle", nn.Parameter(torch.ones(3, dtype=torch.float64)))
    return network


SMALL = {"alpha": 0.05, "steps": 2}
DIVISIBLE = {
    "autograd": (lambda: MAML(smooth(), way="autograd", **SMALL), lambda: episode(TASKS)),
    "higher": (lambda: MAML(smooth(), way="higher", **SMALL), lambda: episode(TASKS)),
    "vmap": (lambda: MAML(smooth(), way="vmap", **SMALL), lambda: episode(TASKS)),
    "first order": (lambda: MAML(smooth(), first_order=True, **SMALL), lambda: episode(TASKS)),
    "head": (lambda: MAML(smooth(), adapt="head", **SMALL), lambda: episode(TASKS)),
    "idle parameter": (lambda: MAML(half_used(), way="autograd", **SMALL), lambda: episode(TASKS)),
    "joint": (lambda: Joint(smooth()), lambda: episode(TASKS)),
    "fast": (lambda: MAML(conv(), F.cross_entropy, way="fast", **SMALL), pictures),
    "prototypical": (lambda: Prototypical(flat_encoder()), pictures),
    "matching": (lambda: Matching(flat_encoder()), pictures),
}  # fmt: skip
REFUSED = {
    "dropout": (lambda: MAML(dropping(), **SMALL), lambda: episode(TASKS), "draws random numbers"),
    "running": (
        lambda: MAML(conv(statistics="running"), F.cross_entropy, **SMALL),
        pictures,
        "MAML collects something over all tasks",
    ),
    "sum": (
        lambda: MAML(smooth(), lambda p, t: F.mse_loss(p, t, reduction="sum"), alpha=0.001),
        lambda: episode(TASKS),
        "is not the mean of theirs alone",
    ),
    "batch norm": (
        lambda: Prototypical(conv4(4, seed=0).double()),
        pictures,
        "Prototypical collects something over all tasks",
    ),
    "pooled": (
        lambda: Prototypical(conv4(4, norm=BatchNorm, seed=0).double()),
        pictures,
        "the loss of Prototypical on two tasks together",
    ),
}


def gradient(learner: Learner, tasks: Episode) -> list[torch.Tensor | None]:
    """The outer loss and its gradient as `meta_train` finds them."""
    mine = processes.share(tasks.tasks)
    processes.check_divisible(learner, tasks)
    part = tasks if processes.count() == 1 else tasks[mine]
    loss = learner.outer_loss(part)
    loss.backward()
    loss = processes.average(learner, loss, part.tasks, tasks.tasks)
    return [loss.detach()] + [w.grad for w in learner.parameters()]


def main(path: str) -> None:
    torch.set_num_threads(1)
    with processes.joined(patience=60):
        found = {}
        for name, (make, tasks) in DIVISIBLE.items():
            found |= {
                f"{name}.{i}": g for i, g in enumerate(gradient(make(), tasks())) if g is not None
            }
        for name, (make, tasks, _) in REFUSED.items():
            try:
                gradient(make(), tasks())
            except ValueError as error:
                found[f"refused {name}"] = torch.tensor(list(str(error).encode()))
        if processes.first():
            save_file(found, path)


@contextmanager
def started(count: int, *words: str, **variables: str):
    """Inside, ``count`` processes run ``python WORDS`` together; afterwards none is left."""
    # as torchrun does it: a store that outlives the processes
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": store.host, "MASTER_PORT": str(store.port)}
    shared |= {"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "0"}
    shared |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    running = [
        subprocess.Popen(
            [sys.executable, *words],
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for rank in range(count)
    ]
    try:
        yield running
    finally:
        for one in running:
            one.kill()
            one.communicate()


def together(count: int, *words: str, **variables: str) -> list[tuple[int, str, str]]:
    """Exit code, stdout and stderr of each of several processes, which have three minutes."""
    with started(count, *words, **variables) as running:
        said = [one.communicate(timeout=180) for one in running]
        return [(one.returncode, *words) for one, words in zip(running, said, strict=True)]


if __name__ == "__main__":
    main(str(Path(sys.argv[1])))
