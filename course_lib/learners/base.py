"""The one idea of the course: a few-shot learner is a function of a support set and query
inputs."""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import interrupts
from course_lib.episodes import Episode
from course_lib.learners.mismatch import explained

DOORS = ("predict", "forward", "after_each_step", "outer_loss")


def at_the_door(method):
    """The method with the door in front of it: what comes in is looked at, an error from below is
    explained, and an interrupt waits until nothing is half done. Once: calls inside pass."""

    @functools.wraps(method)
    def guarded(self, *given, **settings):
        if self.inside:
            return method(self, *given, **settings)
        with interrupts.held():
            self.inside = True
            try:
                self.look(*given)
                return method(self, *given, **settings)
            except (RuntimeError, IndexError, TypeError, AttributeError) as error:
                if (sentence := explained(self, given, error)) is None:
                    raise
                raise ValueError(sentence) from error
            finally:
                self.inside = False

    return guarded


class Learner(nn.Module):
    """predict(support_x, support_y, query_x) -> predictions for the query items.

    A method overrides `predict`, which handles one task. `forward` runs a whole episode and may be
    overridden where tasks can run side by side. `outer_loss` is what the outer loop makes small.

    Raises:
        ValueError: what came in does not fit; the message says what to change. `Episode` refuses
            what does not fit together, `look` what this learner cannot work with, and an error of
            torch is explained where its cause can be told.
    """

    loss_fn = staticmethod(F.mse_loss)
    inside = False  # at work: the door has been passed

    def __init_subclass__(cls, **settings):
        super().__init_subclass__(**settings)
        for name in DOORS:
            if name in vars(cls):
                setattr(cls, name, at_the_door(vars(cls)[name]))

    def look(self, *given) -> None:
        """What a method looks at before it begins; more where it overrides this.

        Raises:
            ValueError: one thing was given, and it is no episode.
        """
        if len(given) == 1 and not isinstance(given[0], Episode):
            raise ValueError(
                f"{type(self).__name__} was given a {type(given[0]).__name__}: give an Episode, or "
                "call predict(support_x, support_y, query_x)"
            )

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor) -> Tensor:
        """One task: support_x (S, ...), support_y (S,) or (S, outputs), query_x (Q, ...) -> (Q,
        outputs)."""
        raise NotImplementedError

    @at_the_door
    def forward(self, episode: Episode) -> Tensor:
        """All tasks of an episode: (T, Q, outputs)."""
        return torch.stack([self._in_turn(*task[:3]) for task in episode])

    def _in_turn(self, *task: Tensor) -> Tensor:
        interrupts.now()
        return self.predict(*task)

    @at_the_door
    def outer_loss(self, episode: Episode) -> Tensor:
        """The loss of the adapted learner on the query sets, averaged over tasks: a scalar to
        differentiate."""
        predictions = right_shape(self, self(episode), episode.query_y, episode.ways)
        return self.loss_fn(predictions.flatten(0, 1), episode.query_y.flatten(0, 1))

    def settings(self) -> dict:
        """What defines this learner, as plain values: part of the key of a checkpoint."""
        return {"learner": type(self).__name__.lower()}


def right_shape(
    learner: Learner,
    predictions: Tensor,
    target: Tensor,
    ways: int | None = None,
    of: str = "",
) -> Tensor:
    """The predictions themselves, once they fit the targets.

    A wrong shape would broadcast inside the loss and train on nonsense without a word; a class
    without an output could never be answered.

    Args:
        ways: how many classes there are.   of: whose targets, where it is not the query set.

    Raises:
        ValueError: says which shape came and which was expected.
    """
    real = target.is_floating_point()
    wanted = f"{tuple(target.shape)}" if real else f"{tuple(target.shape)} + (classes,)"
    if not isinstance(predictions, Tensor):
        raise ValueError(
            f"{type(learner).__name__} returned a {type(predictions).__name__}; the "
            f"targets{of} ask for a tensor {wanted}: mend its predict() or its network"
        )
    shape = predictions.shape if real else predictions.shape[:-1]
    if shape != target.shape:
        raise ValueError(
            f"{type(learner).__name__} returned predictions of shape "
            f"{tuple(predictions.shape)}; the targets{of} ask for {wanted}: mend its predict() or "
            "its network"
        )
    if not real and ways is not None and predictions.shape[-1] < ways:
        raise ValueError(
            f"{type(learner).__name__} has {predictions.shape[-1]} outputs and the labels go up to "
            f"{ways - 1}: build it with {ways} outputs, or draw tasks of {predictions.shape[-1]} "
            "classes"
        )
    return predictions
