"""Sentences with holes, for training only: some words become unknown ones."""

import dataclasses

import torch
from torch import Tensor

from course_lib.episodes import Episode, TaskFamily
from course_lib.families.intents import SentenceClasses
from course_lib.families.vocabulary import PAD


class WordDropout(TaskFamily):
    """The episodes of another family, with each word replaced by a random unknown one with
    probability ``share``.

    A learner then cannot lean on any single word, and it meets unknown words before its test. Holes
    are in the data of an episode and fall once: an inner loop sees the same sentences in each of
    its steps.

    Args:
        family: of sentences.   share: from 0 to below 1.

    Raises:
        ValueError: share is out of range.
    """

    def __init__(self, family: SentenceClasses, share: float):
        if not 0 <= share < 1:
            raise ValueError(
                f"share={share}: the probability of a hole must be at least 0 and below 1"
            )
        self.sentences, self.share, self.device = family, float(share), family.device

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return self.sentences.classes

    def sample(
        self, tasks: int, *, shots: int, queries: int, generator: torch.Generator | None = None
    ) -> Episode:
        """As the family's own, with holes."""
        episode = self.sentences.sample(tasks, shots=shots, queries=queries, generator=generator)
        parts = {
            name: self.with_holes(getattr(episode, name), generator)
            for name in ("support_x", "query_x")
        }
        return dataclasses.replace(episode, **parts)

    def with_holes(self, ids: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Word ids with holes: any shape."""
        buckets, known = (
            self.sentences.vocabulary.buckets,
            len(self.sentences.vocabulary) - self.sentences.vocabulary.buckets,
        )
        chance = torch.rand(ids.shape, generator=generator, device=ids.device)
        unknown = known + torch.randint(buckets, ids.shape, generator=generator, device=ids.device)
        return torch.where((chance < self.share) & (ids != PAD), unknown, ids)

    def settings(self) -> dict:
        return self.sentences.settings() | {"word_dropout": self.share}
