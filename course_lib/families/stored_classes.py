"""N ways and K shots from a store of items: the one sampler for pictures and for sentences."""

import torch
from torch import Tensor

from course_lib.episodes import Episode, TaskFamily, at_least_one, room_for


class StoredClasses(TaskFamily):
    """Tasks of ``ways`` classes, with items that are drawn without replacement from those of each
    class.

    A family sets ``ways``, ``device``, ``names`` (of the classes), and ``counts`` and ``starts``,
    (classes,) each: how many items a class has, and where they begin in the store. It overrides
    `items`, and `choose` if not all tasks are alike.
    """

    what = "items"  # as messages call them

    def items(self, rows: Tensor) -> Tensor:
        """The items of a store by their numbers: (tasks, n) -> (tasks, n, ...)."""
        raise NotImplementedError

    def choose(self, tasks: int, generator: torch.Generator | None) -> Tensor:
        """Distinct classes for each task, in random order: (tasks, ways)."""
        return self.rand(tasks, self.classes, generator=generator).topk(self.ways).indices

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.names)

    def sample(
        self, tasks: int, *, shots: int, queries: int, generator: torch.Generator | None = None
    ) -> Episode:
        """Draw tasks of ``ways`` classes, with ``shots`` support and ``queries`` query items of
        each class, all of them different.

        x is (tasks, ways * shots or queries, ...); y numbers the classes 0, 1, ... anew in each
        task; the order within a set is random. ``names["classes"]`` is (tasks, ways): the classes
        behind the numbers.

        Raises:
            ValueError: a count is below 1, or a class has fewer than shots + queries items.
        """
        at_least_one(tasks=tasks, shots=shots, queries=queries)
        self.enough(shots, queries)
        numbers = tasks * self.ways * (int(self.counts.max()) + (shots + queries) * self.size)
        room_for(numbers, tasks=tasks, shots=shots, queries=queries)
        classes = self.choose(tasks, generator)
        most, counts, starts = int(self.counts.max()), self.counts[classes], self.starts[classes]
        chance = self.rand(tasks, self.ways, most, generator=generator)
        absent = torch.arange(most, device=self.device) >= counts[..., None]
        places = chance.masked_fill(absent, -1).topk(shots + queries).indices
        picked = places + starts[..., None]  # (tasks, ways, items)
        sets = []
        for rows in (picked[..., :shots], picked[..., shots:]):
            order = self.rand(tasks, rows[0].numel(), generator=generator).argsort()
            sets += [self.items(rows.flatten(1).gather(1, order)), order // rows.shape[-1]]
        return Episode(*sets, names={"classes": classes})

    @property
    def size(self) -> int:
        """How many numbers an item has."""
        return self.items(torch.zeros(1, dtype=torch.long, device=self.device)).numel()

    def rand(self, *shape: int, generator: torch.Generator | None) -> Tensor:
        return torch.rand(*shape, generator=generator, device=self.device)

    def enough(self, shots: int, queries: int) -> None:
        """Refuse more items than a class has.

        Raises:
            ValueError: names the class and says what to change.
        """
        small = (self.counts < shots + queries).nonzero().flatten().tolist()
        if small:
            first = f"{self.names[small[0]]} has {self.counts[small[0]]} {self.what}"
            raise ValueError(
                f"shots={shots} and queries={queries}: {first} and needs {shots + queries}, like "
                f"{len(small)} of "
                f"{self.classes} classes; ask for fewer, add {self.what} or leave the class out"
            )
