"""The networks that learners adapt."""

from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import nn

from course_lib.episodes import room_for


@contextmanager
def seeded(seed: int | None):
    """Weights made inside are repeatable, and torch's global seed is as it was afterwards. None:
    leave everything to torch."""
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.default_generator.manual_seed(
                seed
            )  # torch.manual_seed would reseed the GPUs as well
        yield


def mlp(
    inputs: int = 1, outputs: int = 1, hidden=(40, 40), activation=nn.ReLU, seed: int | None = None
) -> nn.Sequential:
    """A multilayer perceptron: (..., inputs) -> (..., outputs). The default is the one of the
    sinusoid experiment.

    Args:
        hidden: width of each hidden layer.
        seed: makes the starting weights repeatable without touching torch's global seed.

    Raises:
        ValueError: a width is below 1.
    """
    widths = [inputs, *hidden, outputs]
    if min(widths) < 1:
        raise ValueError(f"widths {widths}: every layer needs at least 1 unit")
    room_for(4 * max(a * b for a, b in pairwise(widths)), widest=max(widths))
    with seeded(seed):
        layers = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), activation()]
    return nn.Sequential(*layers[:-1])


def conv4(
    channels: int = 64,
    outputs: int | None = None,
    *,
    inputs: int = 1,
    size: int = 28,
    norm=nn.BatchNorm2d,
    seed: int | None = None,
) -> nn.Sequential:
    """Four blocks of 3 x 3 convolution, normalisation, ReLU and 2 x 2 max-pool: (n, inputs, size,
    size) -> (n, features).

    The network of nearly every few-shot paper on small pictures (Vinyals et al. 2016). 28 x 28
    pixels leave one number a channel: features = channels. With ``outputs``, a linear head follows:
    (n, outputs).

    Args:
        norm: makes the normalisation layer of a block from the number of channels.
        seed: makes the starting weights repeatable without touching torch's global seed.

    Raises:
        ValueError: a count is below 1, or the picture is too small to be halved four times.
    """
    if min(channels, inputs, 1 if outputs is None else outputs) < 1:
        raise ValueError(
            f"channels={channels}, inputs={inputs}, outputs={outputs}: each needs at least 1"
        )
    if size < 16:
        raise ValueError(
            f"size={size}: four poolings halve a picture four times, so it needs at least 16 "
            "pixels a side"
        )
    room_for(4 * 27 * channels * max(channels, inputs), channels=channels, inputs=inputs)
    with seeded(seed):
        layers = []
        for before in (inputs, channels, channels, channels):
            layers += [
                nn.Conv2d(before, channels, 3, padding=1),
                norm(channels),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        layers.append(nn.Flatten())
        if outputs is not None:
            layers.append(nn.Linear(channels * (size // 16) ** 2, outputs))
    return nn.Sequential(*layers)


class SineModel(nn.Module):
    """y = A sin(x - p) with its own two parameters: a network whose theta = (A, p) is a point on a
    map.

    Args:
        amplitude, phase: where the two parameters start (phase in radians).
    """

    def __init__(self, amplitude: float = 1.0, phase: float = 0.0):
        super().__init__()
        self.amplitude = nn.Parameter(torch.tensor(float(amplitude)))
        self.phase = nn.Parameter(torch.tensor(float(phase)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., 1) -> (..., 1)."""
        return self.amplitude * torch.sin(x - self.phase)
