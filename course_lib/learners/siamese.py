"""Siamese networks: the same encoder sees two drawings, and what is learned is whether they show
the same thing.

Two losses under one name. `Siamese` moves points by the contrastive loss, where y = 0 marks a
similar pair (Hadsell, Chopra, LeCun 2006); `Koch` trains a classifier of pairs by cross-entropy,
where y = 1 marks the same class (Koch, Zemel, Salakhutdinov 2015).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.episodes import Episode
from course_lib.learners.metric import MetricLearner, one_hot
from course_lib.networks.small import seeded

EPSILON = 1e-12  # under the root: the slope of a distance is undefined at 0
HINGES = {  # what a dissimilar pair at distance D pays
    "squared": lambda distance, margin: (margin - distance).clamp(min=0).square(),
    "plain": lambda distance, margin: (margin - distance).clamp(min=0),
    "of square": lambda distance, margin: (margin - distance.square()).clamp(min=0),
}
PAIRS = ("all", "balanced", "similar")


def distance(one: Tensor, other: Tensor) -> Tensor:
    """Euclidean distance D along the last dimension, with finite slopes where the two are equal:
    (..., d) and (..., d) -> (...)."""
    return ((one - other).square().sum(-1) + EPSILON).sqrt()


def contrastive(
    distance: Tensor, different: Tensor, margin: float = 1.0, hinge: str = "squared"
) -> Tensor:
    """L = (1 - y) D^2 + y max(0, m - D)^2 of each pair: Hadsell, Chopra, LeCun 2006, without their
    two halves.

    Args:
        distance: D, any shape.   different: y, the same shape: 0 for a similar pair, 1 for a
            dissimilar one.
        margin: m, in units of D.   hinge: "squared" as above, "plain" for max(0, m - D), "of
            square" for max(0, m - D^2).

    Raises:
        ValueError: shapes differ, y is something else than 0 and 1, the margin is not above 0, or
            the hinge is unknown.
    """
    check_margin(margin, hinge)
    if distance.shape != different.shape:
        raise ValueError(
            f"distance {tuple(distance.shape)} and different {tuple(different.shape)}: give one y "
            "for each pair"
        )
    different = different.to(distance)
    if not ((different == 0) | (different == 1)).all():
        raise ValueError("different: y must be 0 for a similar pair and 1 for a dissimilar one")
    return (1 - different) * distance.square() + different * HINGES[hinge](distance, margin)


def pairs_of(y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """All pairs i < j of the items of each task: class numbers (T, M) -> i (P,), j (P,), different
    (T, P) true or false.

    Raises:
        ValueError: y are no class numbers.
    """
    if y.is_floating_point() or y.ndim != 2:
        raise ValueError(
            f"y of shape {tuple(y.shape)}, {y.dtype}: pairs need whole class numbers, (tasks, "
            "items)"
        )
    i, j = torch.triu_indices(y.shape[1], y.shape[1], offset=1, device=y.device)
    return i, j, y[:, i] != y[:, j]


def mean_of_pairs(loss: Tensor, different: Tensor, pairs: str) -> Tensor:
    """One number for all pairs, (T, P) both: see `Siamese`.

    Raises:
        ValueError: there are no pairs of a kind that is needed.
    """
    same = ~different
    if not same.any() or (pairs == "balanced" and not different.any()):
        raise ValueError(
            "pairs need 2 items of one class, and 2 classes: ask for more ways, shots or queries"
        )
    if pairs == "balanced":
        return (loss[same].mean() + loss[different].mean()) / 2
    return loss.mean() if pairs == "all" else loss[same].mean()


def reach(encoder: nn.Module, f: Tensor) -> float:
    """The largest distance that two embeddings can have, as far as that can be told: infinity
    unless all f (..., d) have length 1, or the last layer bounds each number."""
    if ((f.detach().square().sum(-1) - 1).abs() < 1e-3).all():
        return 2.0
    last = [layer for layer in encoder.modules() if not list(layer.children())][-1]
    span = {nn.Sigmoid: 1.0, nn.Hardsigmoid: 1.0, nn.Tanh: 2.0, nn.Hardtanh: 2.0}.get(type(last))
    return math.inf if span is None else span * f.shape[-1] ** 0.5


class PairLearner(MetricLearner):
    """What both Siamese learners share: pairs from whole episodes, and the answer of the nearest
    support example."""

    def __init__(self, encoder: nn.Module, pairs: str):
        super().__init__(encoder)
        if pairs not in PAIRS:
            raise ValueError(f"pairs={pairs!r}: choose one of {', '.join(PAIRS)}")
        self.pairs = pairs

    def alike(self, one: Tensor, other: Tensor) -> Tensor:
        """How alike two embeddings are, larger for more: (..., d) and (..., d) -> (...)."""
        raise NotImplementedError

    def compare(self, support: Tensor, support_y: Tensor, query: Tensor) -> Tensor:
        """Logit of a class: how alike the query and the nearest support example of the class
        are."""
        alike = self.alike(query[:, :, None], support[:, None])  # (T, Q, S)
        foreign = one_hot(support_y) == 0  # (T, S, N)
        return alike[..., None].masked_fill(foreign[:, None], -math.inf).amax(2)

    def all_pairs(self, episode: Episode) -> tuple[Tensor, Tensor, Tensor]:
        """Embeddings of the two sides of every pair of a task's items, support and query together,
        and y = different.

        Returns:
            (T, P, d), (T, P, d) and (T, P), with P = M (M - 1) / 2 pairs of M = S + Q items.
        """
        i, j, different = pairs_of(torch.cat([episode.support_y, episode.query_y], dim=1))
        f = torch.cat(self.embed(episode), dim=1)
        return f[:, i], f[:, j], different

    def settings(self) -> dict:
        return super().settings() | {"pairs": self.pairs}


class Siamese(PairLearner):
    """Pull similar pairs together, push dissimilar ones apart until they are ``margin`` away from
    each other.

    The outer loss is the contrastive loss of all pairs of each task's items, support and query
    together. A task of N classes has about N times as many dissimilar pairs as similar ones.

    Args:
        encoder: f, (n, ...) -> (n, d).
        margin: m, in units of the distance.
        hinge: "squared", "plain" or "of square": see `contrastive`.
        pairs: "all" with the same weight, "balanced" (each kind gets half of the weight; worse
            here, for Koch by far), or "similar" (only these: everything then collapses into one
                point).

    Raises:
        ValueError: a setting is out of range.
    """

    def __init__(
        self, encoder: nn.Module, margin: float = 1.0, *, hinge: str = "squared", pairs: str = "all"
    ):
        super().__init__(encoder, pairs)
        check_margin(margin, hinge)
        self.margin, self.hinge = float(margin), hinge

    def alike(self, one: Tensor, other: Tensor) -> Tensor:
        return -distance(one, other)

    def outer_loss(self, episode: Episode) -> Tensor:
        """The mean contrastive loss of the pairs: see the class.

        Raises:
            ValueError: no two embeddings can be ``margin`` apart; there are no pairs of a kind.
        """
        one, other, different = self.all_pairs(episode)
        largest = reach(self.encoder, one)
        apart = largest**2 if self.hinge == "of square" else largest
        if self.margin > apart + 1e-3:
            raise ValueError(
                f"margin={self.margin:g}: embeddings of this encoder are at most {largest:g} "
                f"apart, so dissimilar pairs could never be far enough: choose at most {apart:g}"
            )
        return mean_of_pairs(
            contrastive(distance(one, other), different, self.margin, self.hinge),
            different,
            self.pairs,
        )

    def settings(self) -> dict:
        return super().settings() | {"margin": self.margin, "hinge": self.hinge}


class Koch(PairLearner):
    """p(same) = sigmoid(sum_j a_j |h1_j - h2_j| + b) with learned a and b, and cross-entropy; y = 1
    for the same class.

    Here a pair is classified and no distance is asked for: there is no margin. The paper feeds it
    sigmoid units and much larger pictures.

    Args:
        encoder: h, (n, ...) -> (n, features).   features: how many numbers the encoder gives.
        pairs: see `Siamese`.
        seed: makes the starting a and b repeatable without touching torch's global seed.

    Raises:
        ValueError: a setting is out of range, or the encoder gives another number of features.
    """

    def __init__(
        self, encoder: nn.Module, features: int = 64, *, pairs: str = "all", seed: int | None = None
    ):
        super().__init__(encoder, pairs)
        if isinstance(features, bool) or not isinstance(features, int) or features < 1:
            raise ValueError(
                f"features={features!r}: give the number of features of the encoder, at least 1"
            )
        with seeded(seed):
            self.weigh = nn.Linear(features, 1)

    def alike(self, one: Tensor, other: Tensor) -> Tensor:
        """The logit of p(same)."""
        gap = (one - other).abs()
        if gap.shape[-1] != self.weigh.in_features:
            raise ValueError(
                f"the encoder gives {gap.shape[-1]} features and "
                f"features={self.weigh.in_features}: make them equal"
            )
        return self.weigh(gap)[..., 0]

    def outer_loss(self, episode: Episode) -> Tensor:
        one, other, different = self.all_pairs(episode)
        logits = self.alike(one, other)
        loss = F.binary_cross_entropy_with_logits(logits, (~different).to(logits), reduction="none")
        return mean_of_pairs(loss, different, self.pairs)


def check_margin(margin: float, hinge: str) -> None:
    """Refuse what would train on nonsense.

    Raises:
        ValueError: the margin is not a finite number above 0, or the hinge is unknown.
    """
    if not (math.isfinite(margin) and margin > 0):
        raise ValueError(
            f"margin={margin}: it must be a finite number above 0, or dissimilar pairs are never "
            "pushed"
        )
    if hinge not in HINGES:
        raise ValueError(f"hinge={hinge!r}: choose one of {', '.join(HINGES)}")
