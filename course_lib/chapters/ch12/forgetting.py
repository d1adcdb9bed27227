"""What tuning costs elsewhere: how well a tuned model still reads the prompts of other tasks."""

import torch
from torch import Tensor

from course_lib.episodes import Episode, at_least_one
from course_lib.families.prompt_worlds import KIND_GROUP, Worlds
from course_lib.learners.in_context import InContext, InContextTuning
from course_lib.learners.tuning.tuned import Tuned
from course_lib.training.evaluation import Score, evaluate

GROUP = torch.tensor(list(KIND_GROUP.values()))


def forgetting(
    learner, episode: Episode, *, shots: int = 8, others: int = 50, seed: int = 0
) -> Score:
    """Accuracy on few-shot prompts of other tasks, after tuning on each task of ``episode``.

    What a task trained stays in place, a soft prompt too. The same seed gives the same prompts to
    every learner.

    Args:
        learner: one of learners/tuning, or a model that has not been tuned: any callable (B, L) ->
            (B, L, V). That is the figure to compare with.
        episode: T tasks of `Worlds`.   shots, others, seed: see `elsewhere`.

    Returns:
        A score with T numbers, each the mean over ``others`` prompts.
    """
    if isinstance(learner, Tuned):
        trained = learner.trained_on(episode)
        models = [trained.model_of(task) for task in range(len(episode))]
    else:
        model = learner.model if isinstance(learner, InContextTuning) else learner
        models = [model] * len(episode)
    return kept(models, elsewhere(episode, shots=shots, others=others, seed=seed), shots)


def kept(models: list, others: list[Episode], shots: int) -> Score:
    """How well each model reads the first ``shots`` examples of its own episode of other tasks: a
    score with a number for each model."""
    found = [
        evaluate(InContext(model, shots), other).mean
        for model, other in zip(models, others, strict=True)
    ]
    return Score(torch.tensor(found), "accuracy on other tasks", chance=0.5)


def elsewhere(
    episode: Episode, *, shots: int = 8, others: int = 50, seed: int = 0
) -> list[Episode]:
    """For each task of an episode of `Worlds`, other tasks: two labels, from groups of kinds and
    labels that the task has nothing of.

    Args:
        shots: examples a prompt.   others: other tasks for each task, with one query each.
    """
    at_least_one(shots=shots, others=others)
    family = Worlds(device=episode.query_y.device)
    pool = family.sample(20 + 4 * others, shots=shots, queries=1, generator=family.generator(seed))
    group = of_group(pool)
    return [pool[(group != mine).nonzero()[:others, 0]] for mine in of_group(episode)]


def of_group(episode: Episode) -> Tensor:
    """The group that the kinds of each task come from: (T,)."""
    return GROUP.to(episode.query_y.device)[episode.hidden["kinds"][:, 0]]
