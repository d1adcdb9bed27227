"""How good is a learner? A mean over many episodes, with the interval that says how well it is
known."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from course_lib import interrupts
from course_lib.episodes import Episode, TaskFamily, at_least_one
from course_lib.learners.base import Learner, right_shape


@dataclass(frozen=True)
class Score:
    """A mean over episodes and half the width of its 95 % interval, 1.96 standard errors.

    The interval covers which episodes were drawn. It does not cover which seed trained the learner.
    Accuracies that are all the same have no spread: there it reaches as far as Wilson's interval
    (1927), with an episode for a trial.

    Args:
        lost: in how many episodes an answer was NaN. Where there are classes it counts as wrong.
    """

    per_episode: Tensor
    metric: str = "MSE"
    chance: float | None = None
    lost: int = 0

    @property
    def mean(self) -> float:
        return self.per_episode.mean().item()

    @property
    def half_width(self) -> float:
        if len(self) < 2:
            raise ValueError("an interval needs at least 2 episodes: evaluate on more")
        if self.metric == "accuracy" and self.per_episode.max() == self.per_episode.min():
            # no spread to measure: an episode counts as one trial, with Wilson's interval
            mean = min(max(self.mean, 0.0), 1.0)
            return max(abs(end - mean) for end in wilson(mean, len(self)))
        return (1.96 * self.per_episode.std() / len(self) ** 0.5).item()

    def __len__(self) -> int:
        return self.per_episode.numel()

    def __str__(self) -> str:
        chance = "" if self.chance is None else f", chance {self.chance:.3g}"
        lost = f", {self.lost} of them with the answer NaN" if self.lost else ""
        return (
            f"{self.metric} {self.mean:.3f} ± {self.half_width:.3f} "
            f"({len(self)} episodes{lost}{chance})"
        )


def wilson(p: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share p of n independent answers (Wilson 1927): it stays between 0 and
    1, unlike p ± 1.96 s."""
    z = 1.96
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, (middle - half) / (1 + z * z / n)), min(1.0, (middle + half) / (1 + z * z / n))


def squared_error(predictions: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error of each episode: two (T, Q, outputs) -> (T,)."""
    return (predictions - targets).square().flatten(1).mean(1)


def accuracy(predictions: Tensor, targets: Tensor) -> Tensor:
    """Share of query items classified right in each episode: (T, Q, classes) and (T, Q) -> (T,).

    NaN is no answer, so it is wrong; argmax alone would take it for the first class.
    """
    right = (predictions.argmax(-1) == targets) & ~predictions.isnan().any(-1)
    return right.float().flatten(1).mean(1)


def score_tasks(predictions: Tensor, targets: Tensor) -> Tensor:
    """MSE for real targets, accuracy for classes: (T,)."""
    return (squared_error if targets.is_floating_point() else accuracy)(predictions, targets)


def as_score(per_episode: Tensor, episode: Episode, lost: int = 0) -> Score:
    """Numbers of `score_tasks` with their name, and with chance where there are classes."""
    if episode.ways is None:
        return Score(per_episode, lost=lost)
    return Score(per_episode, "accuracy", chance=1 / episode.ways, lost=lost)


def test_episodes(
    family: TaskFamily, episodes: int, *, shots: int, queries: int, seed: int
) -> Episode:
    """The same episodes for everyone who asks with the same seed: what makes a comparison
    paired."""
    at_least_one(episodes=episodes)
    return family.sample(episodes, shots=shots, queries=queries, generator=family.generator(seed))


test_episodes.__test__ = False  # no test, whatever its name makes pytest think


def evaluate(learner: Learner, episode: Episode, batch: int | None = None) -> Score:
    """Adapt to each task of ``episode`` and score the query predictions: MSE for real targets,
    accuracy for classes.

    The learner is in eval mode meanwhile, and as it was afterwards.

    Args:
        batch: tasks adapted at a time; more need more memory and give the same numbers. As many
            as `usual_batch` says, unless told.

    Raises:
        ValueError: the learner returns a wrong shape, or NaN in every task.
    """
    with in_eval_mode(learner), torch.no_grad():
        scores, lost = zip(
            *(scored(learner, learner(part), part) for part in parts(episode, batch)), strict=True
        )
    if sum(lost) == len(episode):
        raise ValueError(
            f"{type(learner).__name__} answered NaN in every task: lower alpha, or look for NaN in "
            "its weights"
        )
    return as_score(torch.cat(scores), episode, sum(lost))


def evaluate_each_step(
    learner, episode: Episode, steps: int, batch: int | None = None
) -> list[Score]:
    """As `evaluate`, after 0, 1, ..., ``steps`` inner steps, for learners that adapt by steps
    (`MAML.after_each_step`). Every answer after a step may be NaN: alpha is then too large."""
    found: list[list] = [[] for _ in range(steps + 1)]
    with in_eval_mode(learner):
        for part in parts(episode, batch):
            answers = learner.after_each_step(part, steps)
            for row, predictions in zip(found, answers, strict=True):
                row.append(scored(learner, predictions, part))
    return [
        as_score(torch.cat(scores), episode, sum(lost))
        for scores, lost in (zip(*row, strict=True) for row in found)
    ]


def scored(learner: Learner, predictions: Tensor, part: Episode) -> tuple[Tensor, int]:
    """The scores of some tasks, (T,), and in how many of them an answer was NaN.

    Raises:
        ValueError: the predictions have a wrong shape.
    """
    right_shape(learner, predictions, part.query_y, part.ways)
    lost = predictions.isnan().flatten(1).any(1)
    return score_tasks(predictions, part.query_y), int(lost.sum())


NUMBERS = 500_000  # in the items of a batch: what a network makes of them is many times as much


def usual_batch(episode: Episode) -> int:
    """Tasks at a time that keep memory small: 100 of curves, fewer of pictures."""
    one = sum(x[0].numel() for x in (episode.support_x, episode.query_x))
    return max(1, min(100, NUMBERS // max(one, 1)))


def parts(episode: Episode, batch: int | None) -> Iterator[Episode]:
    """The episode in batches; an interrupt takes effect between them."""
    for part in episode.parts(usual_batch(episode) if batch is None else batch):
        interrupts.now()
        yield part


@contextmanager
def in_eval_mode(learner: Learner) -> Iterator[None]:
    """The learner in eval mode, and afterwards as it was, even after an interrupt."""
    training = learner.training
    with interrupts.held():
        learner.eval()
        try:
            yield
        finally:
            learner.train(training)


def paired(one: Score, other: Score) -> Score:
    """one - other, episode by episode: the interval to read when two learners met the same
    episodes.

    Raises:
        ValueError: the two scores come from different numbers of episodes.
    """
    if len(one) != len(other):
        raise ValueError(
            f"{len(one)} and {len(other)} episodes: score both learners on the same episodes"
        )
    return Score(one.per_episode - other.per_episode, f"difference in {one.metric}")
