"""Small things that the tests of the core share."""

import os

import pytest
import torch
from torch import nn

from course_lib.episodes import Episode
from course_lib.families import Sinusoids
from course_lib.networks.small import mlp

TIMED = pytest.mark.skipif(
    not os.environ.get("COURSE_TIMES"),
    reason="NOT TIMED: a clock tells little on a busy machine; set COURSE_TIMES=1 on a quiet one",
)
WAYS = ("autograd", "higher", "vmap")
NO_GPU = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="NOT TESTED ON A GPU: this machine has none"
)
DEVICES = ["cpu", pytest.param("cuda", marks=NO_GPU)]


def smooth(seed: int = 0) -> nn.Sequential:
    """A small network in float64 without kinks, so that finite differences are exact."""
    return mlp(hidden=(4, 4), activation=nn.Tanh, seed=seed).double()


def episode(tasks: int = 3, shots: int = 4, queries: int = 5, seed: int = 1) -> Episode:
    """Sine waves in float64."""
    family = Sinusoids(x=(-2.0, 2.0))
    drawn = family.sample(tasks, shots=shots, queries=queries, generator=family.generator(seed))
    return drawn.map(lambda tensor: tensor.double())


def flat(tensors) -> torch.Tensor:
    """Tensors as one vector."""
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def relative(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest difference, relative to the largest entry of ``other``."""
    return ((one - other).abs().max() / other.abs().max()).item()
