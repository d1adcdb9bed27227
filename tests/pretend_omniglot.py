"""Archives that look like Omniglot's: the tests draw their own characters, so that they need no
network and no data."""

import io
import zipfile

import numpy as np
from PIL import Image

ALPHABETS = {"Angular": 7, "Bent": 6, "Curly": 5}


def drawing(rng, character: int) -> bytes:
    """A PNG like a published one, 105 x 105, one bit, ink 0: a slanted bar and a box, shaken by the
    hand."""
    ink = np.zeros((105, 105), bool)
    x, y = rng.integers(-4, 5, 2) + (30 + 7 * (character % 5), 30 + 9 * (character // 5))
    for i in range(50):
        ink[y + i // 2 : y + i // 2 + 3, x - i // 3 + 20 : x - i // 3 + 23] = True
    ink[60 + character : 66 + character, 30:70] = True
    return png(~ink)


def png(pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def files(top: str, alphabets=ALPHABETS, seed=0) -> dict[str, bytes]:
    rng = np.random.default_rng(seed)
    return {
        f"{top}/{alphabet}/character{character + 1:02}/{character + 1:04}_{drawer + 1:02}.png": drawing(  # noqa: E501
            rng, character
        )
        for alphabet, count in alphabets.items()
        for character in range(count)
        for drawer in range(20)
    }


def zipped(contents: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in contents.items():
            packed.writestr(name, data)
    return file.getvalue()


def runs() -> dict[str, bytes]:
    """The files of 20 one-shot runs, of which the even ones list their test items backwards."""
    rng, contents = np.random.default_rng(1), {}
    for run in range(1, 21):
        order = rng.permutation(20)
        for i in range(20):
            contents[f"run{run:02}/training/class{i + 1:02}.png"] = drawing(rng, i)
            contents[f"run{run:02}/test/item{i + 1:02}.png"] = drawing(rng, order[i])
        lines = [
            f"run{run:02}/test/item{i + 1:02}.png run{run:02}/training/class{order[i] + 1:02}.png"
            for i in range(20)
        ]
        contents[f"run{run:02}/class_labels.txt"] = "\n".join(
            lines if run % 2 else lines[::-1]
        ).encode()
    return contents
