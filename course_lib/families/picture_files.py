"""Few-shot tasks from your own pictures: a folder that holds a folder of pictures for each
class."""

import io
import unicodedata
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from course_lib import expanded
from course_lib.episodes import at_least_one
from course_lib.families.pictures import PictureClasses

LITTER = {
    "__MACOSX",
    "Thumbs.db",
    "desktop.ini",
}  # what operating systems leave in folders, besides names with a dot in front


class PictureError(ValueError):
    """Pictures that cannot be used as they are: the message names the file or class, and what to
    do."""


def own_pictures(folder, ways=5, size=28, grey=True, invert="auto", device="cpu") -> PictureClasses:
    """Few-shot tasks from a folder that holds one folder of pictures for each class, named after
    it.

    Any format that Pillow reads. A picture is turned as its camera says, laid on white where it is
    transparent, widened to a square with the colour of its rim, and shrunk by averaging. Hidden
    files are left out; so are files beside the class folders.

    Args:
        size: pixels, height and width.
        grey: one channel; otherwise three, red, green and blue.
        invert: True turns dark ink on light paper into ink 1 on paper 0. "auto": does so where
            pictures are grey and most of them have a light rim. False: 1 is white.

    Raises:
        PictureError: no such folder, no class in it, a class without pictures, or a file that is no
            whole picture.
    """
    at_least_one(size=size)
    if invert not in ("auto", True, False):
        raise ValueError(f'invert={invert!r}: choose "auto", True or False')
    root = expanded(folder)
    if not root.is_dir():
        raise PictureError(
            f"{root}: there is no such folder; give one that holds a folder of pictures for each "
            "class"
        )
    stacks, rims = {}, []
    for place in (entry for entry in tidy(root) if entry.is_dir()):
        files = [entry for entry in tidy(place) if entry.is_file()]
        if not files:
            raise PictureError(
                f"{place}: this class has no pictures; add some or remove the folder"
            )
        loaded = [read_picture(file, size, grey) for file in files]
        stacks[place.name] = torch.stack([picture for picture, _ in loaded])
        rims += [rim for _, rim in loaded]
    if not stacks:
        raise PictureError(
            f"{root}: there is no class folder in it; put the pictures of each class into a "
            "folder of their own"
        )
    if (grey and torch.tensor(rims).median() > 0.5) if invert == "auto" else invert:
        stacks = {name: 255 - stack for name, stack in stacks.items()}
    return PictureClasses(list(stacks.values()), ways, names=list(stacks), device=device)


def tidy(folder: Path) -> list[Path]:
    """What the reader put into a folder, in an order that no file system changes."""
    try:
        entries = [
            entry
            for entry in folder.iterdir()
            if not entry.name.startswith(".") and entry.name not in LITTER
        ]
    except OSError as error:
        raise PictureError(
            f"{folder}: the folder cannot be read ({error.strerror}); change its permissions"
        ) from error
    return sorted(entries, key=lambda entry: (unicodedata.normalize("NFC", entry.name), entry.name))


def read_picture(file: Path, size: int, grey: bool) -> tuple[Tensor, float]:
    """One picture as (1 or 3, size, size) uint8, and how light its rim is, from 0 to 1.

    Raises:
        PictureError: the file cannot be read, is no picture, is truncated, or has too many pixels.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise PictureError(
            f"{file}: the file cannot be read ({error.strerror}); change its permissions or "
            "remove it"
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            values = levels(ImageOps.exif_transpose(Image.open(io.BytesIO(data))), size, grey)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(
            f"{file}: the picture claims more than {Image.MAX_IMAGE_PIXELS // 10**6} million "
            "pixels; make it smaller or remove it"
        ) from error
    except (
        Exception
    ) as error:  # Pillow's many decoders fail in many ways, and each means the same to the reader
        raise PictureError(
            f"{file}: this is no picture, or a damaged one ({error}); replace or remove it"
        ) from error
    rim = (
        torch.cat([values[:, 0], values[:, -1], values[:, :, 0], values[:, :, -1]], dim=1)
        .median(dim=1)
        .values
    )
    return as_bytes(shrink(square(values, rim), size)), rim.mean().item()


def levels(image: Image.Image, size: int, grey: bool) -> Tensor:
    """The picture's light: (1 or 3, height, width) floats from 0 to 1."""
    if image.mode == "F" or image.mode.startswith(
        "I"
    ):  # more than 8 bits; Pillow's own conversion would cut them off at 255
        values = torch.from_numpy(np.asarray(image).astype("float32")).nan_to_num()
        top = 65535 if image.mode != "F" else 1 if values.max() <= 1 else 255
        values = (values / top).clamp(0, 1)
        return values[None] if grey else values.expand(3, -1, -1)
    white = Image.new("RGBA", image.size, "white")
    image = Image.alpha_composite(white, image.convert("RGBA")).convert("L" if grey else "RGB")
    image = image.reduce(
        max(1, min(image.size) // (8 * size))
    )  # a photograph need not become millions of floats
    values = torch.from_numpy(np.array(image)).float() / 255
    return values[None] if grey else values.permute(2, 0, 1)


def square(picture: Tensor, rim: Tensor) -> Tensor:
    """The picture (C, H, W) in the middle of a square of colour ``rim`` (C,)."""
    height, width = picture.shape[1:]
    side = max(height, width)
    canvas = rim[:, None, None].repeat(1, side, side)
    top, left = (side - height) // 2, (side - width) // 2
    canvas[:, top : top + height, left : left + width] = picture
    return canvas


def shrink(pictures: Tensor, size: int) -> Tensor:
    """Square pictures (..., side, side) at another size: each new pixel is the average of the area
    that it covers."""
    side = pictures.shape[-1]
    edges, old = torch.arange(size + 1) * side / size, torch.arange(side)
    cover = (
        (torch.minimum(edges[1:, None], old + 1.0) - torch.maximum(edges[:-1, None], old)).clamp(
            min=0
        )
        * size
        / side
    )
    return cover @ pictures @ cover.mT


def as_bytes(pictures: Tensor) -> Tensor:
    """0..1 -> 0..255."""
    return (255 * pictures.clamp(0, 1)).round().to(torch.uint8)
