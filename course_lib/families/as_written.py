"""Sentences as they were written, for language models that read text and not the ids of words."""

import torch
from torch import Tensor

from course_lib.episodes import Episode
from course_lib.families.intents import SentenceClasses
from course_lib.families.stored_classes import StoredClasses


class AsWritten(StoredClasses):
    """The tasks of a family of sentences; x (T, n, 1) is the number of a sentence, not its words.

    `text` reads it as it was written, with its capitals, spaces, prices and signs. The same seed
    draws the same tasks as from the family itself, and `as_ids` turns an episode into the family's
    own, so that a prompted model and a learner of word ids answer the same queries.

    Args:
        family: of sentences, such as `Intents` or what `own_sentences` returns.
    """

    what = "sentences"

    def __init__(self, family: SentenceClasses):
        self.family, self.ways, self.device = family, family.ways, family.device
        self.names, self.counts, self.starts = family.names, family.counts, family.starts
        self.texts = [text for name in family.names for text in family.sentences(name)]

    def items(self, rows: Tensor) -> Tensor:
        return rows[..., None]

    def choose(self, tasks: int, generator: torch.Generator | None) -> Tensor:
        return self.family.choose(tasks, generator)

    def text(self, row) -> str:
        """The sentence of a row of x."""
        return self.texts[int(row[0])]

    def as_ids(self, episode: Episode) -> Episode:
        """The same tasks with the word ids of the family: x (T, n, L)."""
        ids = [self.family.rows[x.squeeze(-1)] for x in (episode.support_x, episode.query_x)]
        return Episode(ids[0], episode.support_y, ids[1], episode.query_y, names=episode.names)

    def settings(self) -> dict:
        return self.family.settings() | {"as_written": True}
