"""The unit of few-shot learning: an episode, and the families that episodes come from."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from course_lib.door import alike, tensors_that_fit, ways_of

MOST = 10**9  # whatever is counted


@dataclass(frozen=True)
class Episode:
    """T tasks side by side, each with a support set to learn from and a query set to be judged on.

    Shapes: T tasks, S support items and Q query items a task.
        support_x: (T, S, ...)   support_y: (T, S) class numbers, or (T, S, outputs) for regression
        query_x:   (T, Q, ...)   query_y:   (T, Q) or (T, Q, outputs)
        names:     what the class numbers of a task stand for, (T, N) each: "classes", numbers of
                   the family's classes, or "labels", token ids of label words. A learner may read
                   them.
        hidden:    what made each task, (T, ...) each, such as its amplitude. For plots: no learner
                   reads it.

    ``episode[10:20]`` is an episode of ten of the tasks, with everything that belongs to them.
    Iterating gives one task at a time, without the tasks dimension:
    ``for support_x, support_y, query_x, query_y in episode``. ``episode.ways`` is N, the number of
    classes, and None for regression.

    This is the door for data: whatever a learner would take without a word and answer wrongly is
    refused here. In every task the classes are numbered 0, 1, ..., N - 1, there are two at least,
    and the support set shows each of them; where ``names["labels"]`` gives them words, a prompt may
    leave some of them out.

    Raises:
        ValueError: the tensors do not belong together, hold NaN or infinity, or the class numbers
            are none.
    """

    support_x: Tensor
    support_y: Tensor
    query_x: Tensor
    query_y: Tensor
    names: dict[str, Tensor] = field(default_factory=dict, kw_only=True)
    hidden: dict[str, Tensor] = field(default_factory=dict, kw_only=True)
    ways: int | None = field(init=False, repr=False)

    def __post_init__(self):
        tensors_that_fit("support", self.support_x, self.support_y)
        tensors_that_fit("query", self.query_x, self.query_y)
        if self.support_x.shape[0] != self.query_x.shape[0]:
            raise ValueError(
                f"{self.support_x.shape[0]} support sets and {self.query_x.shape[0]} query sets: "
                "one of each a task"
            )
        for letter in "xy":
            alike(letter, getattr(self, f"support_{letter}"), getattr(self, f"query_{letter}"))
        for field_name in ("names", "hidden"):
            for name, tensor in getattr(self, field_name).items():
                if len(tensor) != self.tasks:
                    raise ValueError(
                        f"{field_name}[{name!r}] tells of {len(tensor)} tasks and the episode has "
                        f"{self.tasks}: cut both alike, with episode[first:last]"
                    )
        words = self.names.get("labels")
        known = None if words is None else words.shape[-1]
        object.__setattr__(self, "ways", ways_of(self.support_y, self.query_y, known))

    @property
    def tasks(self) -> int:
        """T, how many tasks there are."""
        return self.support_x.shape[0]

    def __len__(self) -> int:
        return self.tasks

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        return zip(self.support_x, self.support_y, self.query_x, self.query_y, strict=True)

    def __getitem__(self, which: slice | list[int] | Tensor) -> "Episode":
        """The tasks of a slice, or of a list or tensor of numbers, or of a mask: an episode again,
        cut whole.

        Raises:
            TypeError: ``which`` is one number: ``episode[3:4]`` is an episode of one task.
        """
        if isinstance(which, int):
            raise TypeError(
                f"episode[{which}]: an episode of one task is episode[{which}:{which + 1}]"
            )
        about = {
            name: {key: tensor[which] for key, tensor in getattr(self, name).items()}
            for name in ("names", "hidden")
        }
        return Episode(*(tensor[which] for tensor in self.four), **about)

    def parts(self, size: int) -> "Iterator[Episode]":
        """The episode in pieces of at most ``size`` tasks."""
        at_least_one(batch=size)
        return (self[first : first + size] for first in range(0, self.tasks, size))

    @property
    def four(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """support_x, support_y, query_x, query_y."""
        return self.support_x, self.support_y, self.query_x, self.query_y

    def map(self, change) -> "Episode":
        """A new episode with ``change`` applied to the four tensors, such as ``lambda t:
        t.double()``.

        It cannot change how many tasks there are: that is what ``episode[first:last]`` is for.
        """
        four = (change(tensor) for tensor in self.four)
        return Episode(*four, names=self.names, hidden=self.hidden)


def one_task(support_x: Tensor, support_y: Tensor, query_x: Tensor, **names: Tensor) -> Episode:
    """An episode of one task whose answers nobody knows: (S, ...), (S,) or (S, outputs), (Q, ...).

    Args:
        names: as in `Episode`, without the tasks dimension.
    """
    x, y, asked = (part[None] for part in (support_x, support_y, query_x))
    unknown = y.new_zeros(1, asked.shape[1] if asked.ndim > 1 else 0, *y.shape[2:])
    return Episode(x, y, asked, unknown, names={name: words[None] for name, words in names.items()})


class TaskFamily:
    """Where tasks come from: a distribution over tasks that can be sampled.

    A family overrides `sample` and `settings`. Episodes are made on ``device``; nothing moves them
    later.
    """

    device: torch.device = torch.device("cpu")

    def sample(
        self, tasks: int, *, shots: int, queries: int, generator: torch.Generator | None = None
    ) -> Episode:
        """Draw ``tasks`` tasks, each with ``shots`` support items (a class, if there are classes)
        and ``queries`` query items."""
        raise NotImplementedError

    def settings(self) -> dict:
        """What defines this family, as plain values: part of the key of a checkpoint."""
        raise NotImplementedError

    def generator(self, seed: int) -> torch.Generator:
        """A seeded source of randomness on this family's device."""
        return torch.Generator(self.device).manual_seed(seed)


def at_least_one(**counts: int) -> None:
    """Refuse counts below 1, and those that no machine could count to.

    Raises:
        ValueError: names the count and says what it needs.
    """
    needs = {
        "shots": "a support set needs at least 1 example",
        "queries": "a query set needs at least 1 example",
        "tasks": "an episode needs at least 1 task",
    }
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(
                f"{name}={count!r}: {needs.get(name, 'it must be a whole number of at least 1')}"
            )
        if count > MOST:
            raise ValueError(f"{name}={count}: at most {MOST:,}")


def at_least_two(ways: int) -> None:
    """Refuse tasks of fewer than two classes.

    Raises:
        ValueError: says so.
    """
    at_least_one(ways=ways)
    if ways < 2:
        raise ValueError(f"ways={ways}: a task needs at least 2 classes")


def room_for(numbers: int, **counts: int) -> None:
    """Refuse what this machine's memory cannot hold, before it is taken.

    Args:
        numbers: of 4 bytes each.   counts: what they follow from, for the message.

    Raises:
        ValueError: names the counts and both amounts of memory.
    """
    at_least_one(**counts)
    if (wanted := 4 * numbers) > (there := memory()):
        said = ", ".join(f"{name}={count}" for name, count in counts.items())
        raise ValueError(
            f"{said}: that takes {wanted / 1e9:,.0f} GB, and this machine has {there / 1e9:,.0f} "
            "GB: ask for fewer"
        )


def memory() -> int:
    """Bytes of memory that this machine has; 8 GB where it cannot be asked (Windows)."""
    if not hasattr(os, "sysconf"):
        return 8_000_000_000
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
