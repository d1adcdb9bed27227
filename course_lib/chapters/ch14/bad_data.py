"""Data that cannot be used, made to see what is said of each."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from course_lib.chapters.ch14.projects import HELP_DESK, write_pictures
from course_lib.chapters.ch14.sources import own_data
from course_lib.chapters.ch14.table import compare
from course_lib.families import Strokes


def letters(place: Path) -> Path:
    """A small folder of three letters, two drawings each."""
    family = Strokes(ways=2, scripts=1, characters=3, seed=3)
    ink = family.draw(torch.arange(3).repeat_interleave(2), generator=family.generator(3))
    return write_pictures(place / "letters", ink, 2, "letter")


def swapped(place: Path) -> Path:
    """The sentence first, the label after the tab."""
    lines = HELP_DESK.read_text("utf-8").splitlines()
    text = "\n".join("\t".join(reversed(line.split("\t"))) for line in lines)
    (place / "swapped.tsv").write_text(text, "utf-8")
    return place / "swapped.tsv"


def twice(place: Path) -> Path:
    """One of the pictures in two folders."""
    folder = letters(place)
    copied = (folder / "letter_00" / "0000.png").read_bytes()
    (folder / "letter_02" / "0009.png").write_bytes(copied)
    return folder


def unreadable(place: Path) -> Path:
    """A picture whose second half is missing."""
    folder = letters(place)
    file = folder / "letter_01" / "0001.png"
    file.write_bytes(file.read_bytes()[:60])
    return folder


def single(place: Path) -> Path:
    """A class with one picture."""
    folder = letters(place)
    (folder / "letter_01" / "0001.png").unlink()
    return folder


CASES: dict[str, Callable[[Path], Path]] = {
    "columns the other way round": swapped,
    "the same picture twice": twice,
    "an unreadable file": unreadable,
    "a class with one example": single,
}


def what_is_said() -> Iterator[tuple[str, str]]:
    """(the fault, the sentence that a reader gets), one by one.

    Raises:
        RuntimeError: a fault went through without a word.
    """
    for fault, make in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                compare(own_data(make(Path(folder))), only=["pixels, nearest example"], episodes=2)
            except ValueError as error:
                yield fault, str(error).replace(folder + "/", "")
            else:
                raise RuntimeError(f"{fault}: nothing was said")
