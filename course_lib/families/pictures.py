"""Few-shot tasks from any pictures: give a stack of them for each class."""

import hashlib
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from course_lib.episodes import at_least_two
from course_lib.families.stored_classes import StoredClasses


class PictureClasses(StoredClasses):
    """Few-shot classification of given pictures.

    Args:
        pictures: for each class its pictures (n, C, H, W), uint8 from 0 to 255 or floats from 0 to
            1. n may differ, the rest not.
        ways: classes in an episode.
        names: of the classes, for messages and plots; "class 0", ... unless told.
        groups: the group of each class, such as its alphabet. `split` keeps groups whole; without
            it each class is its own.
        within: the share of tasks whose classes all come from one group, as in `Strokes`. Groups of
            fewer classes than ways serve only the other tasks.
        device: where the pictures lie and episodes are made.

    Raises:
        ValueError: there are fewer classes than ways, or shapes, names, groups or shares do not fit
            together.
    """

    family = "pictures"

    def __init__(
        self, pictures: Sequence[Tensor], ways=5, names=None, groups=None, within=0.0, device="cpu"
    ):
        at_least_two(ways)
        names = (
            [f"class {i}" for i in range(len(pictures))]
            if names is None
            else [str(name) for name in names]
        )
        if not len(names) == len(pictures) == len(pictures if groups is None else groups):
            raise ValueError(
                f"{len(pictures)} classes, {len(names)} names, {len(groups or pictures)} groups: "
                "give one name and one group a class"
            )
        for name, stack in zip(names, pictures, strict=True):
            check_stack(name, stack, like=pictures[0])
        if not 0 <= within <= 1:
            raise ValueError(f"within={within}: a share of tasks lies between 0 and 1")
        if ways > len(pictures):
            raise ValueError(
                f"ways={ways}: there are {len(pictures)} classes to choose from; ask for fewer "
                "ways or add classes"
            )
        self.ways, self.within, self.device = ways, float(within), torch.device(device)
        self.names, self.groups = names, list(range(len(names))) if groups is None else list(groups)
        self.counts = torch.tensor([len(stack) for stack in pictures], device=self.device)
        self.starts = self.counts.cumsum(0) - self.counts
        self.pictures = torch.cat([stack.to(self.device) for stack in pictures])
        numbers = {group: i for i, group in enumerate(dict.fromkeys(self.groups))}
        self.group_of = torch.tensor([numbers[group] for group in self.groups], device=self.device)
        self.large_groups = (self.group_of.bincount() >= ways).nonzero().flatten()
        if within and not len(self.large_groups):
            raise ValueError(
                f"within={within}: no group has {ways} classes; ask for fewer ways or set within=0"
            )

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with any pixel, class or group."""
        about = repr(
            (
                self.pictures.dtype,
                tuple(self.pictures.shape),
                self.counts.tolist(),
                self.group_of.tolist(),
            )
        )
        return hashlib.sha256(about.encode() + self.pictures.cpu().numpy().tobytes()).hexdigest()[
            :16
        ]

    def settings(self) -> dict:
        return {
            "family": self.family,
            "ways": self.ways,
            "within": self.within,
            "classes": self.classes,
            "fingerprint": self.fingerprint,
        }

    def drawings(self, number: int) -> Tensor:
        """All pictures of one class: (n, C, H, W) floats from 0 to 1."""
        start = int(self.starts[number])
        return as_floats(self.pictures[start : start + int(self.counts[number])])

    def split(self, held_out) -> tuple["PictureClasses", "PictureClasses"]:
        """Two families with no group in common: the groups named in ``held_out``, or the last
        ``held_out`` groups, are the second's.

        Raises:
            ValueError: there is no such group, or one of the two would have fewer classes than
                ways.
        """
        kept, held_out = split_groups(self.groups, held_out)
        return self._only(kept), self._only(held_out)

    def _only(self, groups: set) -> "PictureClasses":
        stacks = self.pictures.split(self.counts.tolist())
        chosen = [i for i, group in enumerate(self.groups) if group in groups]
        names, own = [self.names[i] for i in chosen], [self.groups[i] for i in chosen]
        return PictureClasses(
            [stacks[i] for i in chosen], self.ways, names, own, self.within, self.device
        )

    what = "pictures"

    def items(self, rows: Tensor) -> Tensor:
        """x is (tasks, ways * shots or queries, C, H, W), from 0 to 1."""
        return as_floats(self.pictures[rows])

    def choose(self, tasks: int, generator: torch.Generator | None) -> Tensor:
        """Distinct classes for each task, in random order: (tasks, ways)."""
        chance = self.rand(tasks, self.classes, generator=generator)
        if self.within:
            alike = self.rand(tasks, 1, generator=generator) < self.within
            group = self.large_groups[
                torch.randint(
                    len(self.large_groups), (tasks, 1), generator=generator, device=self.device
                )
            ]
            chance -= 1.0 * (alike & (self.group_of != group))
        return chance.topk(self.ways).indices


def as_floats(pictures: Tensor) -> Tensor:
    """uint8 -> 0..1; floats are left as they are."""
    return pictures.float() / 255 if pictures.dtype == torch.uint8 else pictures


def check_stack(name: str, stack: Tensor, like: Tensor) -> None:
    """Whether a class's pictures can stand beside the others.

    Raises:
        ValueError: no picture, another shape or type than the first class has, or values outside 0
            to 1.
    """
    if not isinstance(stack, Tensor):
        raise ValueError(
            f"{name}: its pictures are a {type(stack).__name__}, not a tensor: write "
            "torch.as_tensor(...)"
        )
    if stack.ndim != 4 or not len(stack):
        raise ValueError(
            f"{name}: its pictures have shape {tuple(stack.shape)}; give at least one, as "
            "(pictures, channels, height, width)"
        )
    if stack.shape[1:] != like.shape[1:] or stack.dtype != like.dtype:
        raise ValueError(
            f"{name}: its pictures are {tuple(stack.shape[1:])} {stack.dtype}, the first class "
            f"has {tuple(like.shape[1:])} {like.dtype}: make them alike"
        )
    if stack.dtype != torch.uint8 and not (
        stack.is_floating_point() and 0 <= stack.min() and stack.max() <= 1
    ):
        raise ValueError(f"{name}: give pictures as uint8 from 0 to 255, or as floats from 0 to 1")


def split_groups(groups: list, held_out) -> tuple[set, set]:
    """The groups to keep and the groups to hold out: those named, or the last so many.

    Raises:
        ValueError: there is no such group, or one side would be empty.
    """
    known = list(dict.fromkeys(groups))
    if isinstance(held_out, int):
        held_out = known[len(known) - held_out :] if 0 < held_out < len(known) else []
    held_out = {held_out} if isinstance(held_out, str) else set(held_out)
    if foreign := held_out - set(known):
        raise ValueError(
            f"held_out={sorted(map(str, foreign))}: there is no such group; there are "
            f"{', '.join(map(str, known))}"
        )
    if not 0 < len(held_out) < len(known):
        raise ValueError(
            f"held_out: of {len(known)} groups, hold out at least 1 and keep at least 1"
        )
    return set(known) - held_out, held_out
