"""Linear regressions with hidden weights: the family on which in-context learning can be held
against the best possible answer."""

import math

import torch

from course_lib.episodes import Episode, TaskFamily, at_least_one, room_for


class LinearRegressions(TaskFamily):
    """y = w . x + noise, a new w for every task (Garg et al. 2022, who train without noise).

    The numbers of w are drawn from N(0, 1/d), those of x from N(0, 1). So w . x has variance 1
    whatever d is, and whoever answers 0 everywhere has a mean squared error of 1. (Garg et al. draw
    w from N(0, I) and divide the error by d, which comes to the same.)

    The support set is what was measured: its y carry noise. The y of the queries are w . x without
    noise: an error of 0 then means that w is known, and no part of an error is bad luck in the
    query. The best predictor is the same for both kinds of target.

    Args:
        dims: d, how many numbers x has.
        noise: standard deviation of the Gaussian noise on the y of the support set.
        scale: standard deviation of the numbers of x; another than 1 takes a learner out of what it
            was trained on.
        device: where episodes are made.

    Raises:
        ValueError: dims is below 1, the noise below 0, or the scale not above 0.
    """

    def __init__(self, dims: int = 4, noise: float = 0.3, scale: float = 1.0, device="cpu"):
        at_least_one(dims=dims)
        if not (math.isfinite(noise) and noise >= 0):
            raise ValueError(f"noise={noise}: it must be a finite number of at least 0")
        if not (math.isfinite(scale) and scale > 0):
            raise ValueError(f"scale={scale}: it must be a finite number above 0")
        self.dims, self.noise, self.scale = dims, float(noise), float(scale)
        self.device = torch.device(device)

    @property
    def best_penalty(self) -> float:
        """The penalty of the best ridge regression: noise^2 / (1/d), the variance of the noise over
        that of a weight (see `Ridge`)."""
        return self.noise**2 * self.dims

    def settings(self) -> dict:
        return {
            "family": "linear regressions",
            "dims": self.dims,
            "noise": self.noise,
            "scale": self.scale,
        }

    def sample(
        self, tasks: int, *, shots: int, queries: int, generator: torch.Generator | None = None
    ) -> Episode:
        """Draw tasks. x is (tasks, points, d), y (tasks, points, 1); ``hidden`` has "w", (tasks,
        d).

        Raises:
            ValueError: a count is below 1.
        """
        numbers = tasks * (shots + queries) * (self.dims + 1)
        room_for(numbers, tasks=tasks, shots=shots, queries=queries)

        def normal(*shape):
            return torch.randn(*shape, generator=generator, device=self.device)

        w = normal(tasks, self.dims) / self.dims**0.5
        x = self.scale * normal(tasks, shots + queries, self.dims)
        y = x @ w[:, :, None]
        measured = y[:, :shots] + self.noise * normal(tasks, shots, 1)
        return Episode(x[:, :shots], measured, x[:, shots:], y[:, shots:], hidden={"w": w})
