"""What the peers' cases share: small networks, folders of pictures, and yardsticks that use nothing
of the course: torch's own optimisers on copies, and differences of two losses."""

import copy
import math

import numpy as np
import torch
from PIL import Image
from torch import nn, optim

from course_lib.episodes import Episode
from course_lib.networks.normalisation import BatchNorm
from course_lib.networks.small import seeded

ALPHA, RATE = 0.1, 0.01
FOLDERS = {"balanced": (2, 2, 2), "unbalanced": (2, 1, 5)}
TIED = "situation 2: a layer used twice"
UNUSED = "situation 12: a frozen or unused layer"
NO_RULE = "situation 14: vmap has no rule for this layer"


class Twice(nn.Module):
    """One linear layer under two names, used twice."""

    def __init__(self):
        super().__init__()
        self.one = nn.Sequential(nn.Linear(4, 2))
        self.other = nn.Sequential(self.one[0])

    def forward(self, x):
        return self.one(x) + self.other(x)


class HalfUsed(nn.Module):
    """Two parameters; the output depends on the first alone."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.rand(4, 3)), nn.Parameter(torch.rand(4, 3))

    def forward(self, x):
        return x @ self.a


def simple() -> nn.Module:
    return nn.Sequential(
        nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 4, bias=False), nn.Sigmoid(), nn.Linear(4, 2)
    )


def twice_in_a_row() -> nn.Module:
    layer = nn.Linear(4, 3)
    return nn.Sequential(
        layer, nn.ReLU(), nn.Linear(3, 4), nn.Sigmoid(), layer, nn.Tanh(), nn.Linear(3, 2)
    )


def normalised(norm) -> nn.Module:
    return nn.Sequential(
        nn.Linear(4, 3), nn.ReLU(), norm(3), nn.Linear(3, 4), nn.Sigmoid(), norm(4), nn.Linear(4, 2)
    )


NETWORKS = {
    "simple_model": simple,
    "share_weight_model": Twice,
    "share_weight_seq_model": twice_in_a_row,
    "partially_used_model": HalfUsed,
    "batchnorm_mlp": lambda: normalised(lambda n: nn.BatchNorm1d(n, track_running_stats=False)),
    "batchnorm_mlp, query": lambda: normalised(BatchNorm),
    "batchnorm_mlp, running": lambda: normalised(lambda n: BatchNorm(n, "running")),
}


def made(name: str) -> nn.Module:
    with seeded(0):
        return NETWORKS[name]().double()


def tasks(network, draws: int, items: int = 10, seed: int = 1) -> Episode:
    """Inputs from 0 to 1 and targets 0, a support and a query set for each draw."""
    g = torch.Generator().manual_seed(seed)
    support_x, query_x = torch.rand(2, draws, items, 4, generator=g, dtype=torch.float64)
    y = torch.zeros(draws, items, network(support_x[0]).shape[-1], dtype=torch.float64)
    return Episode(support_x, y, query_x, y)


def sum_of_squares(predictions, targets):
    return (predictions - targets).square().sum()


def trained(network, loss_fn, x, y, steps, optimizer=optim.SGD, **settings) -> nn.Module:
    """A copy of the network after some steps of a torch optimiser."""
    own = copy.deepcopy(network)
    stepping = optimizer(own.parameters(), **{"lr": ALPHA} | settings)
    for _ in range(steps):
        stepping.zero_grad()
        loss_fn(own(x), y).backward()
        stepping.step()
    return own


def right_slope(network, outer_loss, value, seed=0, rtol=1e-4) -> bool:
    """Whether the gradient of outer_loss() is that of differences of value(network), which knows no
    graph, along one random direction."""
    network.zero_grad()
    outer_loss().backward()
    g = torch.Generator().manual_seed(seed)
    pairs = [(p, torch.randn(p.shape, generator=g).to(p)) for p in network.parameters()]
    told = sum((p.grad * v).sum() for p, v in pairs if p.grad is not None)
    values = []
    for width in (1e-6, -1e-6):
        moved = copy.deepcopy(network)
        with torch.no_grad():
            for p, (_, v) in zip(moved.parameters(), pairs, strict=True):
                p += width * v
        values.append(value(moved))
    true = (values[0] - values[1]) / 2e-6
    return math.isclose(told, true, rel_tol=rtol, abs_tol=1e-7)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def as_folder(tmp_path, counts):
    """A folder with so many pictures of each class, all of them different."""
    rng = np.random.default_rng(0)
    for number, count in enumerate(counts):
        place = tmp_path / f"class_{number}"
        place.mkdir()
        for i in range(count):
            pixels = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(place / f"{i}.png")
    return tmp_path


def soft_network(seed: int = 0) -> nn.Module:
    """The network of learn2learn's tests, with its buffer that nobody uses."""
    with seeded(seed):
        layers = nn.Sequential(
            nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 20), nn.Sigmoid(), nn.Linear(20, 20),
            nn.Softmax(-1),
        ).double()  # fmt: skip
    layers.register_buffer("nobody_uses", torch.zeros(1, 2, 3, 4))
    return layers


def norm(predictions, targets):
    return (predictions - targets).norm()


def seven(tasks: int = 2, seed: int = 1) -> Episode:
    """Seven items of ten numbers; the queries are the support set, as in the peer."""
    x = torch.randn(tasks, 7, 10, generator=generator(seed), dtype=torch.float64)
    y = torch.zeros(tasks, 7, 20, dtype=torch.float64)
    return Episode(x, y, x, y)
