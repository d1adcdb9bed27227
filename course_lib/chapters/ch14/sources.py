"""A reader's own data as tasks: a folder of pictures, a file of sentences, a file of curves, or
symbols drawn on the pad.

    data = own_data("my_pictures")          # or requests.tsv, or sensors.tsv
    for part in data.pieces(200, shots=1, queries=5, seed=0):
        part["usual"]                       # some of the 200 tasks, as an Episode
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from course_lib import expanded
from course_lib.episodes import Episode, TaskFamily, at_least_one
from course_lib.families import (
    AsWritten,
    Intents,
    PictureClasses,
    own_pictures,
    own_sentences,
)
from course_lib.families.curve_files import numbers, own_curves

PIECE = 2_000_000  # numbers in the items of a piece: 8 MB, whatever the number of tasks
MOST_TASKS = 50  # in a piece
WAYS, QUERIES, POINTS = 5, 5, 20  # unless told, and where the data have as many


@dataclass(frozen=True, eq=False)
class OwnData:
    """Where the tasks come from, and how they may be read.

    Args:
        name: for the report.   kind: "pictures", "sentences" or "curves".
        family: the tasks, as most learners read them.
        says: one sentence about size.
        others: the same items in another form, by name, such as "text": sentences as they were
            written. The same seed draws the same items from all of them.
        smallest: how many items the smallest class or curve has.
    """

    name: str
    kind: str
    family: TaskFamily
    says: str
    smallest: int
    others: dict[str, TaskFamily] = field(default_factory=dict)

    @property
    def ways(self) -> int | None:
        """N, or None for curves."""
        return getattr(self.family, "ways", None)

    def queries(self, shots: int) -> int:
        """How many queries (a class) a task asks unless told: as many as the smallest class has
        left, and at most `QUERIES`, or `POINTS` of a curve."""
        return max(1, min(POINTS if self.kind == "curves" else QUERIES, self.smallest - shots))

    def pieces(
        self, episodes: int, *, shots: int, queries: int, seed: int
    ) -> Iterator[dict[str, Episode]]:
        """The tasks, a few at a time, so that memory does not grow with their number. Each piece
        has them in every form.

        Raises:
            ValueError: a count is below 1, or a class has too few items: the family's sentence.
        """
        at_least_one(episodes=episodes)
        forms = {"usual": self.family} | self.others
        dice = {form: family.generator(seed) for form, family in forms.items()}
        size = MOST_TASKS
        if self.ways is not None:
            one = self.ways * (shots + queries) * max(family.size for family in forms.values())
            size = max(1, min(size, PIECE // one))
        for first in range(0, episodes, size):
            count = min(size, episodes - first)
            yield {
                form: family.sample(count, shots=shots, queries=queries, generator=dice[form])
                for form, family in forms.items()
            }


def own_data(place, ways: int | None = None, device="cpu") -> OwnData:
    """A folder with a folder of pictures for each class; a file with a label, a tab and a sentence
    in each line; or one with a curve's name, x and y.

    Args:
        ways: classes in a task; 5, or as many as there are, unless told.

    Raises:
        ValueError: what lies there cannot be used: `PictureError`, `SentenceError`, `CurveError`,
            or there are fewer classes than ways.
    """
    path = expanded(place)
    if path.is_dir():
        family = own_pictures(path, ways=2 if ways is None else ways, device=device)
        family.ways = min(WAYS, family.classes) if ways is None else ways
        return of_pictures(family, path.name)
    if is_curves(path):
        if ways is not None:
            raise ValueError(f"ways={ways}: {path.name} holds curves, and curves have no classes")
        curves = own_curves(path, device)
        said = f"{len(curves.names)} curves, {int(curves.counts.sum())} points"
        return OwnData(path.name, "curves", curves, said, int(curves.counts.min()))
    family = own_sentences(path, 2 if ways is None else ways, Intents().vocabulary, device)
    family.ways = min(WAYS, family.classes) if ways is None else ways
    said = f"{family.classes} labels, {int(family.counts.sum())} sentences"
    return OwnData(
        path.name, "sentences", family, said, int(family.counts.min()), {"text": AsWritten(family)}
    )


def of_pictures(family: PictureClasses, name: str) -> OwnData:
    """Any family of pictures, such as one of `drawn`."""
    said = f"{family.classes} classes, {int(family.counts.sum())} pictures"
    return OwnData(name, "pictures", family, said, int(family.counts.min()))


def drawn(*pads, ways: int | None = None, name: str = "my symbols") -> OwnData:
    """Symbols drawn on several pads: each paper is a class, and each pad has one drawing of it.

    Args:
        pads: of `course_lib.classroom.DrawPad`, with the same names on their papers; two at least.

    Raises:
        ValueError: there are fewer than two pads, their papers have other names, one is empty, or
            two drawings of a symbol are the same.
    """
    if len(pads) < 2:
        raise ValueError(f"{len(pads)} pad: draw each symbol at least twice, on a pad each time")
    if any(pad.names != pads[0].names for pad in pads):
        raise ValueError("the pads name their papers differently: give them the same names")
    pictures = torch.stack([pad.pictures for pad in pads], 1)  # (papers, pads, 1, 28, 28)
    for label, own in zip(pads[0].names, pictures, strict=True):
        if (own.flatten(1).amax(1) == 0).any():
            raise ValueError(f"{label}: a paper is empty; draw the symbol on every pad")
        if len(own.flatten(1).unique(dim=0)) < len(own):
            raise ValueError(f"{label}: the same drawing twice; draw it again by hand")
    return of_stacks(dict(zip(pads[0].names, pictures, strict=True)), ways, name)


def of_stacks(
    stacks: Mapping[str, Tensor], ways: int | None = None, name: str = "pictures"
) -> OwnData:
    """Pictures that are tensors already: for each class (n, 1, 28, 28), ink 1 on paper 0."""
    ways = min(WAYS, len(stacks)) if ways is None else ways
    return of_pictures(PictureClasses(list(stacks.values()), ways, list(stacks)), name)


def is_curves(path) -> bool:
    """Whether the first written line of a file has three columns, two of them numbers."""
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            first = next((line for line in file if line.strip()), "")
    except (OSError, ValueError):
        return False  # whoever reads it next says so
    fields = [part.strip() for part in first.split("\t")]
    return len(fields) == 3 and None not in (numbers(fields[2:]), numbers(fields[1:2]))
