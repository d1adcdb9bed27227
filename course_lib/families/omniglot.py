"""Omniglot: 1623 characters of 50 alphabets, each drawn once by 20 people (Lake, Salakhutdinov,
Tenenbaum, Science 350, 2015).

Read from the published archives, zipped or unpacked. `python -m course_lib fetch omniglot`
downloads them.
"""

import io
import lzma
import os
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from course_lib import cache_folder, expanded
from course_lib.families.picture_files import PictureError, as_bytes, shrink
from course_lib.families.pictures import PictureClasses, split_groups

SIDE = 105  # pixels of a published drawing
SIZE = 28
# a stroke is that much darker than the area it covers, cut off at 1, as in the generated characters
GAIN = 1.25
PARTS = {  # archives that hold a part: the first line found is read
    "background": (
        ("images_background",),
        ("images_background_small1", "images_background_small2"),
    ),
    "evaluation": (("images_evaluation",),),
}
DAMAGED = (  # what zipfile raises for archives whose bytes are not those that were written
    zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, struct.error, NotImplementedError,
    RuntimeError, UnicodeError, LookupError, ArithmeticError,
)  # fmt: skip
LARGEST = 2**20  # bytes of a member; a drawing has 300
FETCH = (
    "run `python -m course_lib fetch omniglot`, or name a folder with the archives in OMNIGLOT_ROOT"
)


class Omniglot(PictureClasses):
    """Few-shot classification of real handwritten characters, 28 x 28, ink 1 on paper 0.

    Args:
        ways: classes in an episode.
        part: "background" (964 characters, or the 242 of the two small archives), "evaluation"
            (659), "all" that is there, or the names of alphabets.
        rotations: each character turned by 0, 90, 180 and 270 degrees becomes four classes. For
            training only.
        within: the share of tasks whose classes all come from one alphabet.
        root: the folder of the archives; the one named by OMNIGLOT_ROOT, or the course's cache,
            unless told.
        device: where the drawings lie and episodes are made.

    Attributes:
        characters: for each class (alphabet, character).   turns: its rotation in degrees.
        alphabets: their names.   drawers: (classes, drawings), the number of the person who drew
            it, 1 to 20.

    Raises:
        PictureError: there are no archives, or one is damaged.
        ValueError: there is no such part or alphabet, or there are fewer classes than ways.
    """

    family = "omniglot"

    def __init__(
        self, ways=5, part="background", rotations=False, within=0.0, root=None, device="cpu"
    ):
        self.part, self.rotations, self.root = part, bool(rotations), omniglot_root(root)
        chosen = read_part(part, self.root)
        turns = (0, 90, 180, 270) if rotations else (0,)
        rows = [(key, turn, drawings) for key, drawings in chosen.items() for turn in turns]
        self.characters, self.turns = [key for key, _, _ in rows], [turn for _, turn, _ in rows]
        self.alphabets = list(dict.fromkeys(alphabet for alphabet, _ in self.characters))
        names = ["/".join(key) + (f" turned by {turn}" if turn else "") for key, turn, _ in rows]
        stacks = [drawings.pictures.rot90(turn // 90, (2, 3)) for _, turn, drawings in rows]
        super().__init__(
            stacks, ways, names, [alphabet for alphabet, _ in self.characters], within, device
        )
        self.drawers = torch.tensor([drawings.drawers for _, _, drawings in rows])

    def settings(self) -> dict:
        part = self.part if isinstance(self.part, str) else list(self.part)
        return super().settings() | {"part": part, "rotations": self.rotations}

    def split(self, held_out) -> tuple["Omniglot", "Omniglot"]:
        """Two families with no alphabet in common: the alphabets named in ``held_out``, or the last
        so many, are the second's.

        The second has no rotations: they make more classes to train on, and none that anybody has
        drawn.

        Raises:
            ValueError: there is no such alphabet, or one of the two would have fewer classes than
                ways.
        """
        sides = split_groups(self.groups, held_out)
        parts = [
            tuple(alphabet for alphabet in self.alphabets if alphabet in side) for side in sides
        ]
        same = {"ways": self.ways, "within": self.within, "root": self.root, "device": self.device}
        return Omniglot(part=parts[0], rotations=self.rotations, **same), Omniglot(
            part=parts[1], **same
        )


class Drawings:
    """The drawings of one character: pictures (n, 1, 28, 28) uint8, ink 255, and who drew each."""

    def __init__(self, pictures: Tensor, drawers: list[int]):
        self.pictures, self.drawers = pictures, drawers


def read_part(part, root: Path) -> dict[tuple[str, str], Drawings]:
    """The drawings of each (alphabet, character) of a part, in alphabetical order."""
    if isinstance(part, str) and part not in (*PARTS, "all"):
        part = (part,)
    wanted = [part] if part in PARTS else list(PARTS)
    found = {
        name: next((line for line in PARTS[name] if any(archive(root, one) for one in line)), ())
        for name in wanted
    }
    if not any(found.values()):
        what = "Omniglot archive" if len(wanted) > 1 else f"{PARTS[wanted[0]][0][0]}.zip"
        raise PictureError(f"{root}: there is no {what} here; {FETCH}")
    places = [place for line in found.values() for one in line if (place := archive(root, one))]
    characters = {}
    for place in places:  # the two small archives share alphabets
        for key, drawings in load(place, place.stat().st_mtime_ns).items():
            characters.setdefault(key, drawings)
    characters = dict(sorted(characters.items()))
    if isinstance(part, str):
        return characters
    known = list(dict.fromkeys(alphabet for alphabet, _ in characters))
    if not part or set(part) - set(known):
        raise ValueError(
            f'part={part!r}: choose "background", "evaluation", "all", or alphabets out of '
            f"{', '.join(known)}"
        )
    return {key: drawings for key, drawings in characters.items() if key[0] in part}


@lru_cache(maxsize=8)
def load(place: Path, _changed: int) -> dict[tuple[str, str], Drawings]:
    """All characters of one archive, which is read once a process, and again when it has
    changed."""
    raw: dict[tuple[str, str], list] = {}
    for name, data in members(place):
        if not name.endswith(".png"):
            continue
        path = PurePosixPath(name)
        drawer = re.fullmatch(r"\d+_(\d+)", path.stem)
        if not drawer or len(path.parts) < 3:
            raise PictureError(
                f"{place}: {name} is not named alphabet/character/number_drawer.png; {FETCH}"
            )
        raw.setdefault(path.parts[-3:-1], []).append(
            (int(drawer[1]), decode(data, f"{place}: {name}"))
        )
    if not raw:
        raise PictureError(f"{place}: there is no drawing in it; {FETCH}")
    characters = {}
    for key, drawn in raw.items():
        drawn.sort(key=lambda pair: pair[0])
        if [drawer for drawer, _ in drawn] != list(range(1, 21)):
            raise PictureError(
                f"{place}: {'/'.join(key)} has {len(drawn)} drawings and not those of 20 drawers; "
                f"{FETCH}"
            )
        characters[key] = Drawings(
            as_bytes(shrink_ink(torch.stack([ink for _, ink in drawn]))), list(range(1, 21))
        )
    return characters


def shrink_ink(ink: Tensor) -> Tensor:
    """Published drawings (..., 105, 105), ink 1, as the course uses them: (..., 28, 28), ink up to
    1 on paper 0."""
    return (GAIN * shrink(ink, SIZE)).clamp(max=1)


def decode(data: bytes, name: str) -> Tensor:
    """One published drawing: (1, 105, 105), ink 1 and paper 0.

    Raises:
        PictureError: it is no PNG of that size, or damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", Image.DecompressionBombWarning
            )  # nothing is unpacked before its size is known
            image = Image.open(io.BytesIO(data), formats=["PNG"])
        pixels = np.array(image.convert("1")) if image.size == (SIDE, SIDE) else None
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise PictureError(f"{name} is no PNG, or a damaged one; {FETCH}") from error
    if pixels is None:
        raise PictureError(
            f"{name} has {image.size[0]} x {image.size[1]} pixels and should have {SIDE} x "
            f"{SIDE}; {FETCH}"
        )
    return torch.from_numpy(pixels).logical_not().float()[None]


# ------------------------------------------------------------------ archives


def omniglot_root(root=None) -> Path:
    """The folder to look into: ``root``, or the one named by OMNIGLOT_ROOT, or the course's
    cache."""
    return expanded(root or os.environ.get("OMNIGLOT_ROOT") or cache_folder() / "omniglot")


def archive(root: Path, name: str) -> Path | None:
    """The archive ``name`` in a folder: unpacked, zipped, or not there."""
    return next((place for place in (root / name, root / f"{name}.zip") if place.exists()), None)


def members(place: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files in an archive, zipped or unpacked, in order. Nothing is
    written anywhere.

    Raises:
        PictureError: it cannot be read, is damaged, or holds a name or a size that the published
            archives do not.
    """
    try:
        if place.is_dir():
            files = sorted(file for file in place.rglob("*") if file.is_file())
            named = [(file.relative_to(place.parent).as_posix(), file) for file in files]
            yield from ((name, file.read_bytes()) for name, file in named if not litter(name))
            return
        with zipfile.ZipFile(place) as packed:
            for member in sorted(packed.infolist(), key=lambda member: member.filename):
                check_member(place, member)
                if not member.is_dir() and not litter(member.filename):
                    yield member.filename, packed.read(member)
    except DAMAGED as error:
        raise PictureError(
            f"{place} is damaged or no zip archive ({error}); delete it, then {FETCH}"
        ) from error
    except OSError as error:
        raise PictureError(
            f"{place} cannot be read ({error.strerror or error}); change its permissions, or "
            f"{FETCH}"
        ) from error


def check_member(place: Path, member: zipfile.ZipInfo) -> None:
    """Refuse what no published archive holds: names that lead elsewhere, and files that unpack to
    more than they say."""
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in member.filename:
        raise PictureError(
            f"{place} holds a file named {member.filename!r}, which leads out of it, so it is not "
            f"the published archive; {FETCH}"
        )
    if member.file_size > LARGEST:
        raise PictureError(
            f"{place}: {member.filename} unpacks to {member.file_size} bytes, so it is not the "
            f"published archive; {FETCH}"
        )


def litter(name: str) -> bool:
    """Whether an operating system left this file there."""
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)
