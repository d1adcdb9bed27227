"""Rules over two words, in which looking an example up is not enough.

In `Worlds` an example that resembles the query has its label. Here it need not. With "not" the
nearest example has the *other* label; with "either-or" nothing among the examples resembles the
query at all. What is held out: eight of the 24 kinds, and 20 of the 60 labels, stand in no training
prompt of this sort.
"""

import random

import torch
from torch import Tensor

from course_lib.episodes import Episode, TaskFamily, at_least_one, room_for
from course_lib.families.pretraining_prompts import MIXTURE, OTHER, PromptMixture, prefix
from course_lib.families.prompt_tokens import KINDS, LABELS, LINE_ENDS, SEPARATORS
from course_lib.families.prompt_worlds import FOR_QUERIES, ID, KIND_GROUP, LABEL_GROUP, WORDS

HELD_OUT = (4, 5)  # the groups of kinds and labels that no training prompt of two words shows
RULES = ("not", "either-or")
YES, NO = "any", "no"  # `any dog` is a dog; `no dog` has the other label
CASES = ((0, 0), (1, 0), (0, 1), (1, 1))  # (which kind, whether `no`); the last is asked for
NOT_SHARE = 0.8  # of the training prompts; the rest is the mixture of before


class TwoWords(TaskFamily):
    """Tasks of "which label have these two words?", with one of two rules.

    - "not": two kinds, two labels, as in ``any dog : blip``, ``any saw : zug``; ``no dog`` has the
      other label. The examples show ``any`` with both kinds, and ``no`` with the first alone. The
      queries ask for ``no`` with the second.
    - "either-or": one label if both words are of one kind, the other if they are of two. The
      examples show two kinds, the queries ask for two others.

    Args:
        rule: one of `RULES`.
        shared: "either-or" only: the queries ask for other words of the kinds that the examples
            show, so that an example like the query can be found.
        practised: kinds and labels that training prompts of two words show, instead of those that
            were held out.

    Raises:
        ValueError: there is no such rule.
    """

    def __init__(
        self, rule: str = "either-or", shared: bool = False, practised: bool = False, device="cpu"
    ):
        if rule not in RULES:
            raise ValueError(f"rule={rule!r}: choose one of {', '.join(map(repr, RULES))}")
        self.rule, self.shared, self.practised = rule, shared, practised
        self.device = torch.device(device)

    def sample(
        self, tasks: int, *, shots: int, queries: int, generator: torch.Generator | None = None
    ) -> Episode:
        """x (T, items, 2) are token ids, y the class numbers 0 and 1.

        ``names["labels"]`` (T, 2): the token ids of the labels. ``hidden["kinds"]`` (T, 4): the
        numbers of the kinds; "not" uses the first two.
        """
        room_for(tasks * (shots + queries) * 32, tasks=tasks, shots=shots, queries=queries)
        at_least_one(tasks=tasks, shots=shots, queries=queries)
        random = {"generator": generator, "device": self.device}
        kinds = drawn(numbers(KIND_GROUP, not self.practised, self.device), tasks, 4, random)
        labels = drawn(numbers(LABEL_GROUP, not self.practised, self.device), tasks, 2, random)
        words = torch.rand(tasks, len(KINDS), WORDS, **random).argsort(2)  # an order for each kind
        turned = torch.randint(2, (tasks, 1), **random)  # which class is which
        sets = []
        for n, asked in ((shots, False), (queries, True)):
            x, y = self.items(kinds, words, n, asked, random)
            sets += [x, y ^ turned]
        return Episode(*sets, names={"labels": labels + ID[LABELS[0]]}, hidden={"kinds": kinds})

    def items(self, kinds: Tensor, words: Tensor, n: int, asked: bool, random: dict):
        """n items a task: their two words (T, n, 2) and their classes (T, n)."""
        tasks = len(kinds)
        low, high = (0, FOR_QUERIES) if asked else (FOR_QUERIES, WORDS)

        def word(kind: Tensor, place: Tensor) -> Tensor:
            at = words.gather(1, kind[..., None].expand(-1, -1, WORDS)).gather(2, place[..., None])
            return 1 + kind * WORDS + at[..., 0]

        first = torch.randint(low, high, (tasks, n), **random)
        if self.rule == "not":
            case = torch.randint(3, (tasks, n), **random)  # any A, any B, no A
            which = torch.ones_like(case) if asked else (case == 1).long()
            says_no = torch.ones_like(case) if asked else (case == 2).long()
            said = torch.where(says_no == 1, ID[NO], ID[YES])
            return torch.stack([said, word(kinds.gather(1, which), first)], 2), which ^ says_no
        which = torch.randint(2, (tasks, n), **random)
        other = torch.randint(2, (tasks, n), **random)
        shift = 2 * (asked and not self.shared)
        # of one kind: another word of it
        second = low + (first - low + torch.randint(1, high - low, (tasks, n), **random)) % (
            high - low
        )
        pair = (kinds.gather(1, which + shift), kinds.gather(1, (which ^ other) + shift))
        return torch.stack([word(pair[0], first), word(pair[1], second)], 2), other

    def settings(self) -> dict:
        about = {"family": "two words", "rule": self.rule, "shared": self.shared}
        return about | {"practised": self.practised}


def numbers(group_of: dict[str, int], held_out: bool, device="cpu") -> Tensor:
    """The numbers of the kinds, or labels, that no training prompt of two words shows, or of those
    that some do."""
    found = [i for i, group in enumerate(group_of.values()) if (group in HELD_OUT) == held_out]
    return torch.tensor(found, device=device)


def drawn(numbers: Tensor, tasks: int, count: int, random: dict) -> Tensor:
    """``count`` different ones of the numbers for each task: (tasks, count)."""
    return numbers[torch.rand(tasks, len(numbers), **random).argsort(1)[:, :count]]


class NotMixture(PromptMixture):
    """Training prompts of the rule "not" among those of `PromptMixture`. Kinds and labels of the
    groups `HELD_OUT` stand in none of the two-word prompts.

    "either-or" has none: mixed in, 700 steps taught neither rule (measured while the course was
    made).
    """

    def prompt(self, draw: random.Random, kind: str = "") -> list[tuple[str, float]]:
        """One prompt as (token, weight) pairs, exactly ``length`` of them; of one ``kind``, if it
        is told: "no" or one of `MIXTURE`."""
        if kind in MIXTURE or not kind and draw.random() >= NOT_SHARE:
            return super().prompt(draw, kind)
        example = self.no(draw)
        separator, end = draw.choice(SEPARATORS), draw.choice(LINE_ENDS)
        prompt, line = [(token, OTHER) for token in prefix(draw)], 0
        while len(prompt) < self.length:
            words, answer = example(line)
            prompt += [(word, OTHER) for word in (*words, separator)]
            prompt += [(answer, 1.0), (end, OTHER)]
            line += 1
        return prompt[: self.length]

    def no(self, draw: random.Random):
        """`any dog : blip`, `no dog : zug`: the other label with `no`. The fourth of the four cases
        comes late, so that it has to be worked out."""
        kinds, labels = draw.sample(shown(KIND_GROUP), 2), draw.sample(shown(LABEL_GROUP), 2)
        late = draw.randint(3, 8)

        def example(line: int):
            which, says_no = draw.choice(CASES if line >= late else CASES[:3])
            said = NO if says_no else YES
            return (said, draw.choice(KINDS[kinds[which]])), labels[which ^ says_no]

        return example


def shown(group_of: dict[str, int]) -> list[str]:
    """The kinds, or labels, that training prompts of two words may show."""
    return [name for name, group in group_of.items() if group not in HELD_OUT]
