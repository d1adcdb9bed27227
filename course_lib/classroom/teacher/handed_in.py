"""Reading what other people have handed in: regular files of a limited size, and nothing else."""

from __future__ import annotations

import os
import stat
import unicodedata
from pathlib import Path

MEGABYTE = 1_000_000


class Refused(ValueError):
    """A file that is left out; its words say why, and begin with "it"."""


def text(path: Path, most: float) -> str:
    """The text of a file that somebody has handed in.

    Args:
        most: bytes that it may have.

    Raises:
        Refused: it is a link, a folder, a device or a pipe, is larger, or is no text in UTF-8.
    """
    if path.is_symlink():
        raise Refused("it is a link, and links are not followed")
    # a pipe is opened without waiting for somebody to write into it
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        number = os.open(path, flags | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise Refused(f"it cannot be opened: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise Refused("it is no regular file")
    with os.fdopen(number, "rb") as file:
        data = file.read(int(most) + 1)
    if len(data) > most:
        raise Refused(f"it is larger than {most / MEGABYTE:g} MB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused("it is no text in UTF-8") from None


def folder(place) -> Path:
    """A folder to read from.

    Raises:
        ValueError: there is none of this name.
    """
    place = Path(place).expanduser()
    if not place.is_dir():
        raise ValueError(f"{place}: there is no such folder, name the one with the files in it")
    return place


def clean(words, most: int = 60) -> str:
    """Words from a stranger's file on one short line: letters that cannot be seen, or that turn
    the direction of reading, are gone."""
    seen = (c for c in str(words)[: 10 * most] if unicodedata.category(c)[0] != "C" or c in "\t\n")
    line = " ".join("".join(seen).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def cell(value) -> str:
    """A value for a CSV file. A spreadsheet would run what begins like a formula, so such a word
    gets an apostrophe in front."""
    words = "" if value is None else clean(value, 300) if isinstance(value, str) else str(value)
    return f"'{words}" if isinstance(value, str) and words[:1] in tuple("=+-@") else words
