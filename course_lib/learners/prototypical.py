"""Prototypical networks (Snell et al. 2017): a class is a point, the mean of its support
embeddings."""

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.learners.metric import MetricLearner, one_hot

EPS = 1e-12  # the slope of a square root at 0 is infinite; with this under the root it is 0


def prototypes(support: Tensor, support_y: Tensor) -> Tensor:
    """c_n, the mean of the support embeddings of each class: (T, S, d) and classes (T, S) -> (T, N,
    d).

    Raises:
        ValueError: a task has no support example of one of the classes.
    """
    ones = one_hot(support_y).to(support.dtype)
    return ones.mT @ support / ones.sum(1)[..., None]


def squared(query: Tensor, points: Tensor) -> Tensor:
    """-||q - c||^2, equation 2 of the paper."""
    return -(query[:, :, None] - points[:, None]).square().sum(-1)


def plain(query: Tensor, points: Tensor) -> Tensor:
    """-||q - c||: the distance without its square, as some libraries have it."""
    return -(EPS - squared(query, points)).sqrt()


def cosine(query: Tensor, points: Tensor) -> Tensor:
    """cos(q, c), from -1 to 1: the angle alone counts, not the length."""
    return F.normalize(query, dim=-1) @ F.normalize(points, dim=-1).mT


CLOSENESS = {
    "squared": squared,
    "plain": plain,
    "cosine": cosine,
}  # each: (T, Q, d) and (T, N, d) -> (T, Q, N), larger is closer


class Prototypical(MetricLearner):
    """The logit of a class is how close the query is to its prototype: -||f(q) - c_n||^2 (Snell et
    al. 2017, equations 1 and 2).

    Args:
        encoder: f, (n, ...) -> (n, d).
        distance: "squared", as in the paper; "plain", without the square: the same answers, other
            confidences; or "cosine".
        scale: factor in front of the cosine, which alone spans too little for a softmax to become
            sure. Not used otherwise.

    Raises:
        ValueError: there is no such distance, or the scale is not above 0.
    """

    def __init__(self, encoder, distance: str = "squared", scale: float = 10.0):
        super().__init__(encoder)
        if distance not in CLOSENESS:
            raise ValueError(f"distance={distance!r}: choose from {list(CLOSENESS)}")
        self.distance, self.scale = distance, positive(scale) if distance == "cosine" else 1.0

    def compare(self, support: Tensor, support_y: Tensor, query: Tensor) -> Tensor:
        return self.scale * CLOSENESS[self.distance](query, prototypes(support, support_y))

    def settings(self) -> dict:
        return super().settings() | {"distance": self.distance, "scale": self.scale}


def positive(scale: float) -> float:
    """The scale itself, once it is known to be a finite number above 0."""
    if not 0 < scale < torch.inf:
        raise ValueError(f"scale={scale}: it must be a finite number above 0")
    return float(scale)
