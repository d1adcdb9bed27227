"""Prompt worlds: tasks that can be written as a prompt and solved by reading it. Words belong to
kinds, and kinds have labels.

The labels are made up, so nobody can know them: a reader, or a model, has to find them in the
examples. What is held out: the kinds fall into 6 groups, and so do the labels. In training, kinds
of one group never meet in a prompt, nor does a kind meet a label of its own group. Test tasks are
made of such kinds and labels only.
"""

import difflib

import torch
from torch import Tensor

from course_lib.episodes import Episode, TaskFamily, at_least_one, room_for
from course_lib.families.prompt_tokens import (
    DIGITS,
    GROUPS,
    KINDS,
    LABELS,
    LETTERS,
    LINE_ENDS,
    SEPARATORS,
    STRUCTURE,
)

TOKENS = [
    "",
    *(w for words in KINDS.values() for w in words),
    *KINDS,
    *LABELS,
    *LETTERS,
    *DIGITS,
    *SEPARATORS,
    *LINE_ENDS,
    *STRUCTURE,
]
ID = {token: i for i, token in enumerate(TOKENS)}
KIND_GROUP = {kind: i % GROUPS for i, kind in enumerate(KINDS)}
LABEL_GROUP = {label: i % GROUPS for i, label in enumerate(LABELS)}
WORDS = len(KINDS["animal"])
# of the 12 words of a kind, so many are kept for the queries of a task, and the examples use the
# others
FOR_QUERIES = 4


class Worlds(TaskFamily):
    """Tasks of "which label has this word?", held out from the training prompts.

    Here ``shots`` counts all examples of a prompt, as people who write prompts do, not those of one
    class. The class of each example is drawn at random, so a class may be missing among a few, and
    nobody can know its label then: see `covered`.

    Args:
        ways: how many labels.
        kinds_per_label: how many kinds of words share a label.

    Raises:
        ValueError: a group does not hold enough kinds for that many labels.
    """

    def __init__(self, ways: int = 2, kinds_per_label: int = 1, device="cpu"):
        at_least_one(ways=ways, kinds_per_label=kinds_per_label)
        per_group = len(KINDS) // GROUPS
        if ways < 2 or ways * kinds_per_label > per_group:
            raise ValueError(
                f"{ways} labels of {kinds_per_label} kinds: choose at least 2 labels, and at most "
                f"{per_group} kinds in all"
            )
        self.ways, self.kinds_per_label, self.device = ways, kinds_per_label, torch.device(device)

    def sample(
        self, tasks: int, *, shots: int, queries: int, generator: torch.Generator | None = None
    ) -> Episode:
        """x (T, items, 1) are token ids, to be read with `text`; y the class numbers.

        ``names["labels"]`` (T, ways): the token ids of the labels, which are part of what a task
        shows. ``hidden["kinds"]`` (T, ways * kinds_per_label): the numbers of the kinds; kind i has
        label i modulo ways.
        """
        numbers = tasks * (shots + queries) * 4 * self.ways
        room_for(numbers, tasks=tasks, shots=shots, queries=queries)
        count, random = (
            self.ways * self.kinds_per_label,
            {"generator": generator, "device": self.device},
        )
        kinds, labels = self.kinds_and_labels(tasks, random)
        which = torch.randint(count, (tasks, shots + queries), **random)  # the kind of each item
        place = torch.cat([torch.randint(low, high, (tasks, items), **random) for low, high,
        items in
                           ((FOR_QUERIES, WORDS, shots), (0, FOR_QUERIES, queries))],
                           1)  # fmt: skip
        order = torch.rand(tasks, count, WORDS, **random).argsort(
            2
        )  # of the words of each kind, anew in each task
        word = order.gather(1, which[..., None].expand(-1, -1, WORDS)).gather(2, place[..., None])
        x, y = 1 + kinds.gather(1, which)[..., None] * WORDS + word, which % self.ways
        sets = x[:, :shots], y[:, :shots], x[:, shots:], y[:, shots:]
        return Episode(*sets, names={"labels": labels + ID[LABELS[0]]}, hidden={"kinds": kinds})

    def kinds_and_labels(self, tasks: int, random: dict) -> tuple[Tensor, Tensor]:
        """The numbers of the kinds (tasks, ways * kinds_per_label) and of the labels (tasks, ways):
        all of one group."""
        count, group = self.ways * self.kinds_per_label, torch.randint(GROUPS, (tasks,), **random)
        kinds = members(KIND_GROUP, self.device)[group].gather(
            1, torch.rand(tasks, len(KINDS) // GROUPS, **random).argsort(1)[:, :count]
        )
        labels = members(LABEL_GROUP, self.device)[group].gather(
            1, torch.rand(tasks, len(LABELS) // GROUPS, **random).argsort(1)[:, : self.ways]
        )
        return kinds, labels

    def settings(self) -> dict:
        return {"family": "worlds", "ways": self.ways, "kinds_per_label": self.kinds_per_label}


def members(group_of: dict[str, int], device) -> Tensor:
    """Row g holds the numbers of the kinds, or labels, of group g."""
    groups = [[i for i, group in enumerate(group_of.values()) if group == g] for g in range(GROUPS)]
    return torch.tensor(groups, device=device)


def covered(episode: Episode, shots: int) -> Tensor:
    """Which queries have their label among the first ``shots`` examples: (T, Q) of booleans.

    The mean is the ceiling of a reader who has to *say* the label: with N labels 1 - (1 - 1/N)^k in
    the long run. A reader who only has to choose among the N labels can do better, by exclusion.
    """
    return (episode.query_y[:, :, None] == episode.support_y[:, None, :shots]).any(-1)


def encode(text: str) -> list[int]:
    """Token ids of a text: words with spaces between them; the end of a line is a token too.

    Raises:
        ValueError: a word is not among those that the model knows; the message names the nearest
            ones.
    """
    words = text.replace("\n", " \n ").split(" ")
    words = [word for word in words if word]
    for word in words:
        if word not in ID:
            near = difflib.get_close_matches(word, TOKENS, n=3)
            raise ValueError(
                f"the small model has never seen {word!r}"
                + (f": did you mean {' or '.join(near)}?" if near else "")
            )
    return [ID[word] for word in words]


def text(ids) -> str:
    """Words with spaces between them, from token ids; 0, the filling, is left out."""
    return " ".join(TOKENS[i] for i in ids if i).replace(" \n ", "\n").replace("\n ", "\n")
