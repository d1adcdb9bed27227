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
from course_lib.families.pictures import PictureClasses, as_floats

LITTER = {
    "__MACOSX",
    "Thumbs.db",
    "desktop.ini",
}  # what operating systems leave in folders, besides names with a dot in front


class PictureError(ValueError):
    """Pictures that cannot be used as they are: the message names the file or class, and what to
    do."""


class OwnPictures(PictureClasses):
    """The pictures of a folder, and how they were treated, so that new ones can be treated alike.

    Args:
        size, grey, inverted: how every picture of the folder was read.
        left_out: what stands in the folder and is no picture of a class: why -> names.
        The rest as in `PictureClasses`.
    """

    def __init__(self, pictures, ways, names, device, *, size, grey, inverted, left_out):
        super().__init__(pictures, ways, names, device=device)
        self.treatment = {"size": size, "grey": grey, "inverted": inverted}
        self.left_out = left_out

    def read(self, *files) -> Tensor:
        """New pictures, treated as those of the folder were: (n, channels, size, size), from 0 to
        1.

        Raises:
            PictureError: a file is no whole picture.
        """
        size, grey, inverted = self.treatment.values()
        pictures = torch.stack([read_picture(expanded(file), size, grey)[0] for file in files])
        return as_floats(255 - pictures if inverted else pictures).to(self.device)

    def recognise(self, learner, *files) -> list[dict[str, float]]:
        """What a learner says of new pictures, with the whole folder as support set: for each file
        the classes by name and their probabilities, the likeliest first.

        Args:
            learner: of the course, such as ``load_or_train("strokes_sturdy")``.
        """
        y = torch.arange(self.classes, device=self.device).repeat_interleave(self.counts)
        training = learner.training
        learner.eval()
        try:
            with torch.no_grad():
                logits = learner.predict(as_floats(self.pictures), y, self.read(*files))
        finally:
            learner.train(training)
        found = [dict(zip(self.names, row.tolist(), strict=True)) for row in logits.softmax(-1)]
        return [dict(sorted(row.items(), key=lambda item: -item[1])) for row in found]

    def _only(self, groups: set) -> "OwnPictures":
        some = super()._only(groups)
        stacks = some.pictures.split(some.counts.tolist())
        return OwnPictures(
            stacks, some.ways, some.names, self.device, **self.treatment, left_out=self.left_out
        )


def own_pictures(folder, ways=5, size=28, grey=True, invert="auto", device="cpu") -> OwnPictures:
    """Few-shot tasks from a folder that holds one folder of pictures for each class, named after
    it.

    Any format that Pillow reads. A picture is turned as its camera says, laid on white where it is
    transparent, widened to a square with the colour of its rim, and shrunk by averaging. What is
    left out (hidden files, files beside the class folders, folders inside them, broken links) is
    told in a line, and kept as ``left_out``.

    Args:
        size: pixels, height and width.
        grey: one channel; otherwise three, red, green and blue.
        invert: True turns dark ink on light paper into ink 1 on paper 0. "auto": does so where
            pictures are grey and most of them have a light rim. False: 1 is white.

    Raises:
        PictureError: no such folder, no class in it, a class without pictures, a file that is no
            whole picture, or one that is there twice.
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
    stacks, rims, seen = {}, [], {}
    left_out: dict[str, list[str]] = {}
    for place in usable(root, left_out, Path.is_dir, "files beside the class folders"):
        files = usable(place, left_out, Path.is_file, "folders inside a class folder")
        if not files:
            raise PictureError(
                f"{place}: this class has no pictures; add some or remove the folder"
            )
        loaded = [read_picture(file, size, grey) for file in files]
        for file, (picture, _) in zip(files, loaded, strict=True):
            first = seen.setdefault(picture.numpy().tobytes(), file)
            if first is not file:
                raise PictureError(
                    f"{file}: the picture of {first.relative_to(root)} once more; keep one, or a "
                    "task could ask what it has shown"
                )
        stacks[place.name] = torch.stack([picture for picture, _ in loaded])
        rims += [rim for _, rim in loaded]
    if not stacks:
        raise PictureError(
            f"{root}: there is no class folder in it; put the pictures of each class into a "
            "folder of their own"
        )
    if len(stacks) < 2:
        raise PictureError(
            f"{root}: there is one class in it, {next(iter(stacks))}; a task needs at least 2"
        )
    inverted = bool((grey and torch.tensor(rims).median() > 0.5) if invert == "auto" else invert)
    if inverted:
        stacks = {name: 255 - stack for name, stack in stacks.items()}
    if left_out:
        print(f"left out of {root.name}: {told(left_out)}")
    treatment = {"size": size, "grey": grey, "inverted": inverted}
    return OwnPictures(
        list(stacks.values()), ways, list(stacks), device, **treatment, left_out=left_out
    )


def usable(folder: Path, left_out: dict[str, list[str]], wanted, others: str) -> list[Path]:
    """The entries of a folder that are of the wanted kind; the names of the rest are added to
    ``left_out``."""
    kept = []
    for entry in tidy(folder, left_out):
        if wanted(entry):
            kept.append(entry)
        else:
            why = "broken links" if entry.is_symlink() and not entry.exists() else others
            left_out.setdefault(why, []).append(entry.name)
    return kept


def told(left_out: dict[str, list[str]]) -> str:
    """How many of each kind, and the first names."""
    kinds = []
    for why, names in left_out.items():
        first = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        kinds.append(f"{len(names)} {why} ({first})")
    return "; ".join(kinds)


def tidy(folder: Path, left_out: dict[str, list[str]]) -> list[Path]:
    """What the reader put into a folder, in an order that no file system changes. What systems
    leave there, and hidden files, are added to ``left_out``."""
    try:
        entries = []
        for entry in folder.iterdir():
            if entry.name.startswith(".") or entry.name in LITTER:
                left_out.setdefault("hidden files", []).append(entry.name)
            else:
                entries.append(entry)
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
            image = Image.open(io.BytesIO(data))
            if max(image.size) ** 2 > Image.MAX_IMAGE_PIXELS:
                width, height = image.size
                raise PictureError(
                    f"{file}: the picture has {width} x {height} pixels, and as a square too many; "
                    "cut it, or make it smaller"
                )
            values = levels(ImageOps.exif_transpose(image), size, grey)
    except PictureError:
        raise
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
        # whole numbers that stay below 256 are levels of 8 bits in a larger box
        tops = (1, 255, 65535) if image.mode == "F" else (255, 65535)
        top = next((top for top in tops if values.max() <= top), values.max())
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
