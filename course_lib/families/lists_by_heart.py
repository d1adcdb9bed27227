"""Word lists: tasks that have to be learned by heart. And tasks to practise on, which obey the
rules of the training prompts.

In a word list the label says nothing about the kind: half of the words of each kind have the one
label, half the other. So an example helps with its own word only, and the queries ask for the words
of the list again.
"""

import torch
from torch import Tensor

from course_lib.episodes import Episode, room_for
from course_lib.families.prompt_tokens import GROUPS, KINDS, LABELS
from course_lib.families.prompt_worlds import ID, KIND_GROUP, LABEL_GROUP, WORDS, Worlds, members


class Practice(Worlds):
    """As `Worlds`, with kinds of several groups and labels of yet others: what training prompts may
    show, and no test task does."""

    def kinds_and_labels(self, tasks: int, random: dict) -> tuple[Tensor, Tensor]:
        return apart(tasks, self.ways * self.kinds_per_label, self.ways, self.device, random)

    def settings(self) -> dict:
        return super().settings() | {"family": "practice"}


class WordLists(Worlds):
    """Lists of words with one of two labels, to be learned by heart: ``shots`` words, each once, of
    4 kinds.

    Args:
        practice: kinds and labels as in training prompts; otherwise of one group, as in every test
            task.

    Raises:
        ValueError: in `sample`, there are more shots than words.
    """

    def __init__(self, practice: bool = False, device="cpu"):
        super().__init__(2, 2, device)
        self.practice = practice

    def kinds_and_labels(self, tasks: int, random: dict) -> tuple[Tensor, Tensor]:
        return (
            apart(tasks, 4, 2, self.device, random)
            if self.practice
            else super().kinds_and_labels(tasks, random)
        )

    def sample(
        self, tasks: int, *, shots: int, queries: int, generator: torch.Generator | None = None
    ) -> Episode:
        """As `Worlds.sample`. The queries are words of the list in random order, each as often as
        any other, give or take one."""
        numbers = tasks * (shots + queries) * 4 * self.ways
        room_for(numbers, tasks=tasks, shots=shots, queries=queries)
        if shots > 4 * WORDS:
            raise ValueError(
                f"shots={shots}: a list has at most {4 * WORDS} words, {WORDS} of each kind"
            )
        random = {"generator": generator, "device": self.device}
        kinds, labels = self.kinds_and_labels(tasks, random)
        item = torch.arange(shots, device=self.device)
        kind, turn = item % 4, item // 4  # the kinds in turn; in each, the labels in turn
        word = torch.rand(tasks, 4, WORDS, **random).argsort(2)[:, kind, turn]
        x, y = 1 + kinds[:, kind] * WORDS + word, ((turn + kind) % 2).expand(tasks, -1)
        order = torch.rand(tasks, shots, **random).argsort(1)
        x, y = x.gather(1, order)[..., None], y.gather(1, order)
        rounds = -(-queries // shots)
        asked = torch.cat(
            [torch.rand(tasks, shots, **random).argsort(1) for _ in range(rounds)], 1
        )[:, :queries]
        sets = x, y, x.gather(1, asked[..., None]), y.gather(1, asked)
        return Episode(*sets, names={"labels": labels + ID[LABELS[0]]}, hidden={"kinds": kinds})

    def settings(self) -> dict:
        return {"family": "word lists", "practice": self.practice}


def apart(tasks: int, kinds: int, labels: int, device, random: dict) -> tuple[Tensor, Tensor]:
    """Kinds of as many groups (tasks, kinds), and labels (tasks, labels) of the groups that are
    left."""
    groups = torch.rand(tasks, GROUPS, **random).argsort(1)
    of_kind, of_label = members(KIND_GROUP, device), members(LABEL_GROUP, device)
    pick = torch.randint(len(KINDS) // GROUPS, (tasks, kinds), **random)
    chosen = of_kind[groups[:, :kinds]].gather(2, pick[..., None])[..., 0]
    free = of_label[groups[:, kinds:]].flatten(1)  # (tasks, labels of the other groups)
    which = torch.rand(tasks, free.shape[1], **random).argsort(1)[:, :labels]
    return chosen, free.gather(1, which)
