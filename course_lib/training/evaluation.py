"""How good is a learner? A mean over many episodes, with the interval that says how well it is
known."""

from dataclasses import dataclass

import torch
from torch import Tensor

from course_lib.episodes import Episode, TaskFamily, at_least_one, finite
from course_lib.learners.base import Learner, right_shape


@dataclass(frozen=True)
class Score:
    """A mean over episodes and half the width of its 95 % interval, 1.96 standard errors.

    The interval covers which episodes were drawn. It does not cover which seed trained the learner.
    """

    per_episode: Tensor
    metric: str = "MSE"
    chance: float | None = None

    @property
    def mean(self) -> float:
        return self.per_episode.mean().item()

    @property
    def half_width(self) -> float:
        if len(self) < 2:
            raise ValueError("an interval needs at least 2 episodes: evaluate on more")
        return (1.96 * self.per_episode.std() / len(self) ** 0.5).item()

    def __len__(self) -> int:
        return self.per_episode.numel()

    def __str__(self) -> str:
        chance = "" if self.chance is None else f", chance {self.chance:.3g}"
        return (
            f"{self.metric} {self.mean:.3f} ± {self.half_width:.3f} ({len(self)} episodes{chance})"
        )


def squared_error(predictions: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error of each episode: two (T, Q, outputs) -> (T,)."""
    return (predictions - targets).square().flatten(1).mean(1)


def accuracy(predictions: Tensor, targets: Tensor) -> Tensor:
    """Share of query items classified right in each episode: (T, Q, classes) and (T, Q) -> (T,)."""
    return (predictions.argmax(-1) == targets).float().flatten(1).mean(1)


def score_tasks(predictions: Tensor, targets: Tensor) -> Tensor:
    """MSE for real targets, accuracy for classes: (T,)."""
    return (squared_error if targets.is_floating_point() else accuracy)(predictions, targets)


def as_score(per_episode: Tensor, episode: Episode) -> Score:
    """Numbers of `score_tasks` with their name, and with chance where there are classes."""
    if episode.query_y.is_floating_point():
        return Score(per_episode)
    return Score(per_episode, "accuracy", chance=1 / (int(episode.query_y.max()) + 1))


def test_episodes(
    family: TaskFamily, episodes: int, *, shots: int, queries: int, seed: int
) -> Episode:
    """The same episodes for everyone who asks with the same seed: what makes a comparison
    paired."""
    at_least_one(episodes=episodes)
    return finite(
        family.sample(episodes, shots=shots, queries=queries, generator=family.generator(seed))
    )


test_episodes.__test__ = False  # no test, whatever its name makes pytest think


def evaluate(learner: Learner, episode: Episode, batch: int = 100) -> Score:
    """Adapt to each task of ``episode`` and score the query predictions: MSE for real targets,
    accuracy for classes.

    The learner is in eval mode meanwhile, and as it was afterwards.

    Args:
        batch: tasks adapted at a time; more need more memory and give the same numbers.

    Raises:
        ValueError: the learner returns a wrong shape.
    """
    scores, training = [], learner.training
    learner.eval()
    try:
        with torch.no_grad():
            for part in episode.parts(batch):
                scores.append(
                    score_tasks(right_shape(learner, learner(part), part.query_y), part.query_y)
                )
    finally:
        learner.train(training)
    return as_score(torch.cat(scores), episode)


def evaluate_each_step(learner, episode: Episode, steps: int, batch: int = 100) -> list[Score]:
    """As `evaluate`, after 0, 1, ..., ``steps`` inner steps, for learners that adapt by steps
    (`MAML.after_each_step`)."""
    columns, training = [], learner.training
    learner.eval()
    try:
        for part in episode.parts(batch):
            every_step = learner.after_each_step(part, steps)
            columns.append(
                torch.stack(
                    [
                        score_tasks(right_shape(learner, p, part.query_y), part.query_y)
                        for p in every_step
                    ]
                )
            )
    finally:
        learner.train(training)
    return [as_score(row, episode) for row in torch.cat(columns, dim=1)]


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
