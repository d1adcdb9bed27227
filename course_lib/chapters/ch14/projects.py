"""Three small projects with a decision at the end, and data that the course makes itself.

Each writes files of the very form that a reader would bring: a folder of pictures, a file of
sentences, a file of curves.
"""

import math
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import torch
from PIL import Image

from course_lib import DATA, files
from course_lib.families import Strokes
from course_lib.families.altered import Altered

HELP_DESK = DATA / "projects" / "help_desk.tsv"
LETTERS, DRAWINGS, SCAN = 20, 12, 56  # of the alphabet; pixels of a scan
SENSORS, READINGS = 60, 40  # angle sensors, and readings of each


@dataclass(frozen=True)
class Project:
    """One worked project.

    Args:
        name: of the project and of its data.   question: that has to be decided.
        make: writes the data below a folder and returns their place.
        needs: the accuracy, or the error as a share of the variance, that its owner asks for.
        shots: examples to compare.
    """

    name: str
    question: str
    make: Callable[[Path], Path]
    needs: float
    shots: tuple[int, ...]


def alphabet(place: Path, seed: int = 1914, even: bool = False) -> Path:
    """An alphabet that no learner has seen, as scanned: 20 letters, 12 drawings of each by other
    hands, in other sizes, places and pens. Dark ink on light paper, one folder a letter.

    Args:
        even: the control: the very same drawings, by one clean pen and all of one size.
    """
    family = Strokes(ways=2, scripts=1, characters=LETTERS, seed=seed)
    dice = family.generator(seed)
    ink = family.draw(torch.arange(LETTERS).repeat_interleave(DRAWINGS), generator=dice)
    if even:
        return write_pictures(place / "even_alphabet", ink, DRAWINGS, "letter")
    scans = Altered(family, size=1.25, place=0.06, blur=0.8, coarse=0.2, faint=0.2).alter(ink, dice)
    return write_pictures(place / "alphabet", scans, DRAWINGS, "letter")


def write_pictures(folder: Path, ink: torch.Tensor, each: int, name: str) -> Path:
    """Drawings (n, 1, H, W), ink 1, as PNG files: ``each`` in a folder of its own."""
    for i, drawing in enumerate(ink[:, 0]):
        file = folder / f"{name}_{i // each:02}" / f"{i % each:04}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        paper = Image.fromarray((255 * (1 - 0.9 * drawing)).round().byte().numpy())
        paper.resize((SCAN, SCAN), Image.Resampling.BICUBIC).save(file)
    return folder


def help_desk(place: Path) -> Path:
    """144 requests to a help desk in 8 kinds, written for the course."""
    place.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(HELP_DESK, place / "help_desk.tsv"))


def sensors(place: Path, seed: int = 60) -> Path:
    """Angle sensors: each has its own amplitude and offset of the magnet, a third harmonic of its
    own, and noise. Volts against radians, from -5 to 5."""
    dice = torch.Generator().manual_seed(seed)

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(*shape, generator=dice)

    amplitude, offset = uniform(0.4, 2.5, SENSORS, 1), uniform(0.0, math.pi, SENSORS, 1)
    third, turn = uniform(0.0, 0.15, SENSORS, 1), uniform(0.0, 2 * math.pi, SENSORS, 1)
    x = uniform(-5.0, 5.0, SENSORS, READINGS)
    volts = amplitude * ((x - offset).sin() + third * (3 * x - turn).sin())
    volts += 0.05 * torch.randn(SENSORS, READINGS, generator=dice)
    lines = [
        f"sensor_{i:02}\t{angle:.4f}\t{volt:.4f}"
        for i, row in enumerate(zip(x.tolist(), volts.tolist(), strict=True))
        for angle, volt in zip(*row, strict=True)
    ]
    files.write(place / "sensors.tsv", "\n".join([*lines, ""]).encode())
    return place / "sensors.tsv"


PROJECTS = {
    "alphabet": Project(
        "alphabet",
        "An archive has an alphabet of 20 letters. Is one drawing of each enough to sort its scans "
        "at 90 %, or does somebody have to draw five?",
        alphabet, 0.90, (1, 5),
    ),
    "help_desk": Project(
        "help_desk",
        "A help desk sorts requests into 8 kinds that change twice a year. Below 80 % people sort "
        "faster by hand. Is a learner worth it, and which?",
        help_desk, 0.80, (1, 5),
    ),
    "sensors": Project(
        "sensors",
        "Each angle sensor has to be calibrated. Every reading costs a minute. How many readings, "
        "and which method, until a tenth of the variance is left?",
        sensors, 0.10, (3, 5, 10),
    ),
}  # fmt: skip


MAKERS = {name: project.make for name, project in PROJECTS.items()} | {
    "even_alphabet": partial(alphabet, even=True)  # the control of the first project
}


@lru_cache(maxsize=8)
def made(name: str) -> Path:
    """The data of a project, or "even_alphabet", in a temporary folder, made once a process.

    Raises:
        ValueError: there is no such project.
    """
    if name not in MAKERS:
        raise ValueError(f"{name!r}: there is no such project; there are {', '.join(MAKERS)}")
    return MAKERS[name](Path(tempfile.mkdtemp(prefix="course_")))
