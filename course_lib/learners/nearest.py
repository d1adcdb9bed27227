"""The nearest example: the simplest yardstick of all, and the one to put into every table."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.learners.base import Learner


def nearest(distances: Tensor, support_y: Tensor, ways: int | None = None) -> Tensor:
    """Logits (..., Q, N): minus the distance (..., Q, S) to the nearest support item of each class,
    support_y (..., S); -inf for a class without one. N is ``ways``, or what support_y shows."""
    ways = int(support_y.max()) + 1 if ways is None else ways
    logits = distances.new_full((*distances.shape[:-1], ways), -torch.inf)
    owners = support_y[..., None, :].expand_as(distances)
    return logits.scatter_reduce(-1, owners, -distances, "amax")


class Nearest(Learner):
    """A query gets the class of the support item that lies nearest to it, by Euclidean distance.

    Args:
        encoder: where items are compared, (n, ...) -> (n, d). None compares them as they are, pixel
            by pixel.
    """

    loss_fn = staticmethod(F.cross_entropy)

    def __init__(self, encoder: nn.Module | None = None):
        super().__init__()
        self.encoder = nn.Flatten() if encoder is None else encoder

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor) -> Tensor:
        """One task: (S, ...), (S,) classes and (Q, ...) -> minus the distance to the nearest item
        of each class, (Q, N)."""
        return nearest(torch.cdist(self.encoder(query_x), self.encoder(support_x)), support_y)
