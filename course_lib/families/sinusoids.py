"""Sine waves with a hidden amplitude and phase: the smallest family of tasks worth learning to
learn."""

import math

import torch
from torch import Tensor

from course_lib.episodes import Episode, TaskFamily, room_for


def sine(x: Tensor, amplitude, phase) -> Tensor:
    """y = A sin(x - p). Angles in radians; shapes broadcast."""
    return amplitude * torch.sin(x - phase)


class Sinusoids(TaskFamily):
    """y = A sin(x - p), with A, p and the points x drawn uniformly (Finn et al. 2017, section 5.1).

    Args:
        amplitude, phase, x: the ranges (low, high) that A, p (radians) and x are drawn from.
        device: where episodes are made.

    Raises:
        ValueError: a range is empty or not finite.
    """

    def __init__(self, amplitude=(0.1, 5.0), phase=(0.0, math.pi), x=(-5.0, 5.0), device="cpu"):
        for name, (low, high) in (("amplitude", amplitude), ("phase", phase), ("x", x)):
            if not (math.isfinite(low) and math.isfinite(high) and low <= high):
                raise ValueError(
                    f"{name}=({low}, {high}): a range needs two finite numbers, the lower one first"
                )
        self.amplitude, self.phase, self.x = tuple(amplitude), tuple(phase), tuple(x)
        self.device = torch.device(device)

    def settings(self) -> dict:
        return {
            "family": "sinusoids",
            "amplitude": self.amplitude,
            "phase": self.phase,
            "x": self.x,
        }

    def sample(
        self, tasks: int, *, shots: int, queries: int, generator: torch.Generator | None = None
    ) -> Episode:
        """Draw tasks. x and y are (tasks, points, 1); ``hidden`` has "amplitude" and "phase",
        (tasks,) each.

        Raises:
            ValueError: a count is below 1.
        """
        numbers = tasks * (shots + queries) * 2
        room_for(numbers, tasks=tasks, shots=shots, queries=queries)

        def uniform(low_high, *shape):
            low, high = low_high
            return low + (high - low) * torch.rand(*shape, generator=generator, device=self.device)

        amplitude, phase = uniform(self.amplitude, tasks), uniform(self.phase, tasks)
        x = uniform(self.x, tasks, shots + queries, 1)
        y = sine(x, amplitude[:, None, None], phase[:, None, None])
        return Episode(
            x[:, :shots],
            y[:, :shots],
            x[:, shots:],
            y[:, shots:],
            hidden={"amplitude": amplitude, "phase": phase},
        )

    def best_single_function(self, x: Tensor) -> Tensor:
        """The one curve with the least mean squared error over all tasks: the average task, E[A
        sin(x - p)].

        For the default ranges this is -(2 * 2.55 / pi) cos x, with a mean squared error of 3.01.
        """
        (low, high), mean_amplitude = self.phase, sum(self.amplitude) / 2
        if high == low:
            return sine(x, mean_amplitude, low)
        # the mean of sin(x - p) over p in [low, high]
        return mean_amplitude * (torch.cos(x - high) - torch.cos(x - low)) / (high - low)
