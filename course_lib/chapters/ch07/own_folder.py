"""A folder of pictures such as a reader would bring, made on the spot: dark ink on white paper, one
folder a class."""

import tempfile
from pathlib import Path

import torch
from PIL import Image

from course_lib.families import Strokes

NAMES = ("fern", "gate", "hook")
SHOTS, PIXELS = 3, 84


def example_folder(seed: int = 7) -> tuple[Path, list[Path]]:
    """Three classes of three pictures each, and one new picture of each class beside the folder.

    Returns:
        The folder, and the new pictures in the order of the class names.
    """
    family = Strokes(ways=len(NAMES), scripts=1, seed=seed)
    classes = torch.arange(len(NAMES)).repeat_interleave(SHOTS + 1)
    drawings = family.draw(classes, generator=family.generator(seed))[:, 0]
    place = Path(tempfile.mkdtemp(prefix="course_"))
    folder, new = place / "my_pictures", []
    for i, drawing in enumerate(drawings):
        name, number = NAMES[i // (SHOTS + 1)], i % (SHOTS + 1)
        file = place / f"new_{name}.png" if number == SHOTS else folder / name / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        paper = Image.fromarray((255 * (1 - drawing)).round().byte().numpy())
        paper.resize((PIXELS, PIXELS), Image.Resampling.BICUBIC).save(file)
        if number == SHOTS:
            new.append(file)
    return folder, new
