"""Least squares and ridge regression: what a statistician answers, as yardsticks for learners that
were trained to answer.

Nothing here is learned from other tasks. Only the penalty says what to expect of a task before its
first example.
"""

import math

import torch
from torch import Tensor

from course_lib.episodes import Episode
from course_lib.learners.base import Learner


class Ridge(Learner):
    """w = (X'X + penalty I)^-1 X'y from the support set alone, and the answer w . x: no bias,
    linear in x.

    With weights drawn from N(0, s^2 I) and noise of variance n^2, penalty = n^2 / s^2 is the best
    there is: the posterior of w is then a Gaussian whose mean is this w, and the mean of what is
    possible has the least squared error (`LinearRegressions.best_penalty`).

    Args:
        penalty: at least 0; 0 is `LeastSquares`. An empty support set is answered with 0.

    Raises:
        ValueError: the penalty is below 0 or not finite.
    """

    def __init__(self, penalty: float):
        super().__init__()
        if not (math.isfinite(penalty) and penalty >= 0):
            raise ValueError(f"penalty={penalty}: it must be a finite number of at least 0")
        self.penalty = float(penalty)

    def solve(self, support_x: Tensor, support_y: Tensor) -> Tensor:
        """w of each task: (..., S, d) and (..., S, 1) -> (..., d, 1)."""
        if self.penalty == 0:
            # of all w that fit best, the shortest: the only one there is from d points on, and one
            # of many before
            return torch.linalg.pinv(support_x) @ support_y
        identity = torch.eye(support_x.shape[-1], dtype=support_x.dtype, device=support_x.device)
        return torch.linalg.solve(
            support_x.mT @ support_x + self.penalty * identity, support_x.mT @ support_y
        )

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor) -> Tensor:
        """One task or, with a leading T everywhere, many: see `Learner.predict`."""
        return query_x @ self.solve(support_x, support_y)

    def forward(self, episode: Episode) -> Tensor:
        return self.predict(episode.support_x, episode.support_y, episode.query_x)

    def settings(self) -> dict:
        return super().settings() | {"penalty": self.penalty}


class LeastSquares(Ridge):
    """The w that fits the support set best; with fewer than d examples the shortest of those that
    fit it exactly (as in Garg et al. 2022).

    Near d examples an X that is almost singular turns noise into very large weights. The mean
    squared error is then ruled by a few tasks, and its mean over episodes does not settle: look at
    the median.
    """

    def __init__(self):
        super().__init__(penalty=0.0)
