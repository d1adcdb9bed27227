"""Relation networks (Sung et al. 2018): the comparison itself is learned."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.episodes import at_least_one
from course_lib.learners.metric import MetricLearner, one_hot
from course_lib.networks.small import seeded


def match_loss(logits: Tensor, query_y: Tensor) -> Tensor:
    """Mean squared error of the relation scores to 1 for the right class and 0 for the others: (n,
    N) and (n,) -> a scalar."""
    return F.mse_loss(logits.sigmoid(), F.one_hot(query_y, logits.shape[-1]).to(logits.dtype))


class Relation(MetricLearner):
    """r = g([f(x_s), f(x_q)]), a learned score from 0 to 1 for each pair of class and query (Sung
    et al. 2018, equation 1).

    With several shots, the support features of a class are summed. The logits are those of r: r =
    sigmoid(logits). The outer loss is the squared error of r to 1 for the right class and 0 for the
    others.

    In the paper g takes feature maps and begins with two blocks of convolution. Here it takes the
    feature vectors that all metric learners of the course compare, through two hidden layers with
    batch norm: the backbone is then the same for all, and in runs of a few hundred episodes on
    generated characters this g learned faster than one with convolutions.

    Args:
        encoder: f, (n, ...) -> (n, d).
        features: d.   hidden: width of both hidden layers of g.
        seed: makes the starting weights of g repeatable without touching torch's global seed.

    Raises:
        ValueError: a width is below 1, or ``features`` does not fit the encoder.
    """

    loss_fn = staticmethod(match_loss)

    def __init__(self, encoder, features: int = 64, hidden: int = 64, seed: int | None = None):
        super().__init__(encoder)
        at_least_one(features=features, hidden=hidden)
        self.features, self.hidden = features, hidden
        with seeded(seed):
            self.g = nn.Sequential(
                nn.Linear(2 * features, hidden), nn.BatchNorm1d(hidden), nn.ReLU(),
                nn.Linear(hidden, hidden), nn.BatchNorm1d(hidden), nn.ReLU(),
                nn.Linear(hidden, 1),
            )  # fmt: skip

    def compare(self, support: Tensor, support_y: Tensor, query: Tensor) -> Tensor:
        if support.shape[-1] != self.features:
            raise ValueError(
                f"features={self.features}, but the encoder gives {support.shape[-1]} numbers: "
                f"set features={support.shape[-1]}"
            )
        classes = one_hot(support_y).to(support.dtype).mT @ support  # sums, (T, N, d)
        pairs = torch.cat(
            torch.broadcast_tensors(classes[:, None], query[:, :, None]), dim=-1
        )  # (T, Q, N, 2d)
        return self.g(pairs.flatten(0, 2)).view(pairs.shape[:3])

    def settings(self) -> dict:
        return super().settings() | {"hidden": self.hidden}
