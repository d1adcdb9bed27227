"""The networks that learners adapt."""

import torch
from torch import nn


def mlp(inputs: int = 1, outputs: int = 1, hidden=(40, 40), activation=nn.ReLU, seed: int | None = None) -> nn.Sequential:
    """A multilayer perceptron: (..., inputs) -> (..., outputs). The default is the one of the sinusoid experiment.

    Args:
        hidden: width of each hidden layer.
        seed: makes the starting weights repeatable without touching torch's global seed.

    Raises:
        ValueError: a width is below 1.
    """
    widths = [inputs, *hidden, outputs]
    if min(widths) < 1:
        raise ValueError(f"widths {widths}: every layer needs at least 1 unit")
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed the GPUs as well
        layers = []
        for before, after in zip(widths, widths[1:]):
            layers += [nn.Linear(before, after), activation()]
    return nn.Sequential(*layers[:-1])


class SineModel(nn.Module):
    """y = A sin(x - p) with its own two parameters: a network whose theta = (A, p) is a point on a map.

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
