"""The one idea of the course: a few-shot learner is a function of a support set and query
inputs."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.episodes import Episode


class Learner(nn.Module):
    """predict(support_x, support_y, query_x) -> predictions for the query items.

    A method overrides `predict`, which handles one task. `forward` runs a whole episode and may be
    overridden where tasks can run side by side. `outer_loss` is what the outer loop makes small.
    """

    loss_fn = staticmethod(F.mse_loss)

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor) -> Tensor:
        """One task: support_x (S, ...), support_y (S,) or (S, outputs), query_x (Q, ...) -> (Q,
        outputs)."""
        raise NotImplementedError

    def forward(self, episode: Episode) -> Tensor:
        """All tasks of an episode: (T, Q, outputs)."""
        return torch.stack([self.predict(sx, sy, qx) for sx, sy, qx, _ in episode])

    def outer_loss(self, episode: Episode) -> Tensor:
        """The loss of the adapted learner on the query sets, averaged over tasks: a scalar to
        differentiate."""
        predictions = right_shape(self, self(episode), episode.query_y)
        return self.loss_fn(predictions.flatten(0, 1), episode.query_y.flatten(0, 1))

    def settings(self) -> dict:
        """What defines this learner, as plain values: part of the key of a checkpoint."""
        return {"learner": type(self).__name__.lower()}


def right_shape(learner: Learner, predictions: Tensor, target: Tensor) -> Tensor:
    """The predictions themselves, once they fit the targets.

    A wrong shape would broadcast inside the loss and train on nonsense without a word.

    Raises:
        ValueError: says which shape came and which was expected.
    """
    wanted = (
        f"{tuple(target.shape)}"
        if target.is_floating_point()
        else f"{tuple(target.shape)} + (classes,)"
    )
    fits = (
        predictions.shape == target.shape
        if target.is_floating_point()
        else predictions.shape[:-1] == target.shape
    )
    if not fits:
        raise ValueError(
            f"{type(learner).__name__} returned predictions of shape {tuple(predictions.shape)}; "
            f"the targets ask for {wanted}: mend its predict() or its network"
        )
    return predictions
