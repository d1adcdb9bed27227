"""What tuning costs elsewhere: how well a tuned model still reads the prompts of other tasks."""

import torch
from torch import Tensor

from course_lib.chapters.ch10.prompts import choose
from course_lib.episodes import Episode, at_least_one
from course_lib.families.prompt_worlds import KIND_GROUP, Worlds
from course_lib.learners.tuned import Tuned
from course_lib.learners.tuned_parts import labels_of
from course_lib.learners.tuning import InContextTuning
from course_lib.training.evaluation import Score

GROUP = torch.tensor(list(KIND_GROUP.values()))


def forgetting(
    learner, episode: Episode, *, shots: int = 8, others: int = 50, seed: int = 0
) -> Score:
    """Accuracy on few-shot prompts of other tasks, after tuning on each task of ``episode``.

    What a task trained stays in place, a soft prompt too. The same seed gives the same prompts to every learner.

    Args:
        learner: one of tuning.py, or a model that has not been tuned: any callable (B, L) -> (B, L, V). That is the figure to compare with.
        episode: T tasks of `Worlds`.   shots, others, seed: see `elsewhere`.

    Returns:
        A score with T numbers, each the mean over ``others`` prompts.
    """
    tuned = isinstance(learner, Tuned | InContextTuning)
    found, labels = (
        [],
        labels_of(episode, learner.labels if tuned else None, episode.query_y.device),
    )
    for i, ((support_x, support_y, _, _), other) in enumerate(
        zip(episode, elsewhere(episode, shots=shots, others=others, seed=seed))
    ):
        model = learner.after(support_x, support_y, labels[i]) if tuned else learner
        found.append((choose(model, other, shots).argmax(-1) == other.query_y).float().mean())
    return Score(torch.stack(found), "accuracy on other tasks", chance=0.5)


def elsewhere(
    episode: Episode, *, shots: int = 8, others: int = 50, seed: int = 0
) -> list[Episode]:
    """For each task of an episode of `Worlds`, other tasks: two labels, from groups of kinds and labels that the task has nothing of.

    Args:
        shots: examples a prompt.   others: other tasks for each task, with one query each.
    """
    at_least_one(shots=shots, others=others)
    family = Worlds(device=episode.query_y.device)
    pool = family.sample(20 + 4 * others, shots=shots, queries=1, generator=family.generator(seed))
    group = of_group(pool)
    return [chosen(pool, (group != mine).nonzero()[:others, 0]) for mine in of_group(episode)]


def of_group(episode: Episode) -> Tensor:
    """The group that the kinds of each task come from: (T,)."""
    return GROUP.to(episode.query_y.device)[episode.hidden["kinds"][:, 0]]


def chosen(episode: Episode, which: Tensor) -> Episode:
    """Some tasks of an episode, by number."""
    four = (
        part[which]
        for part in (episode.support_x, episode.support_y, episode.query_x, episode.query_y)
    )
    return Episode(*four, hidden={name: part[which] for name, part in episode.hidden.items()})
