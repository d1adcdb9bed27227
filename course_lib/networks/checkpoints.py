"""Checkpoints: safetensors files that hold numbers and plain text, so loading one never runs
code.

A file says its own checksum, so flipped bits are noticed; and what it says about itself is checked
against `FORM` before anyone reads it.
"""

import hashlib
import json
import math
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from course_lib import files

FORMAT = "learning-to-learn/2"


class CheckpointError(ValueError):
    """A checkpoint that cannot be loaded, or not be written. Nothing was loaded and nothing
    overwritten."""


class Told(dict):
    """What a file holds, by name; asked for what it lacks, it says so in one sentence."""

    source = what = ""

    def __missing__(self, name):
        raise CheckpointError(
            f"{self.source} has no {self.what} {name!r}: choose another file, or make this one "
            "again"
        )


def told(content: dict, source: str, what: str) -> Told:
    found = Told(content)
    found.source, found.what = source, what
    return found


def write(path, tensors: dict[str, Tensor], about: dict) -> None:
    """Save tensors and a JSON-able description, all or nothing: a kill at any moment leaves the old
    file whole.

    Raises:
        CheckpointError: the disk is full, the place cannot be written to, or the description is not
            of the form.
    """
    tensors = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    text = json.dumps(about)
    check_form(Path(path).name, about)
    said = {"format": FORMAT, "about": text, "sha256": checksum(tensors, text)}
    try:
        files.write(path, save(tensors, metadata=said))
    except files.PlaceError as error:
        raise CheckpointError(str(error)) from error


def read(path, *needs: str) -> tuple[dict[str, Tensor], dict]:
    """The tensors and the description of a checkpoint.

    Args:
        needs: what the description has to tell, such as "settings".

    Returns:
        Two tables; a name that is in neither raises CheckpointError where it is asked for.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it is truncated, damaged, foreign, of another format, or tells too little;
            the message says which.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path.name}: train first, or check the path")
    try:
        # the whole file at once: another process may put a new one in its place meanwhile
        data = path.read_bytes()
        tensors, metadata = load(data), metadata_of(data)
        if "format" not in metadata:
            raise CheckpointError(
                f"{path.name} is a safetensors file, but no checkpoint of this course: choose "
                "another file"
            )
        if metadata["format"] != FORMAT:
            raise CheckpointError(
                f"{path.name} has format {metadata['format']!r} and this code reads {FORMAT!r}: "
                "train again to replace it"
            )
        if checksum(tensors, metadata["about"]) != metadata["sha256"]:
            raise CheckpointError(
                f"{path.name} is damaged, its checksum is wrong: delete it and train again"
            )
        about = json.loads(metadata["about"])
    except CheckpointError:
        raise
    # a header that is none fails in many ways
    except (SafetensorError, KeyError, ValueError, TypeError, OSError, RuntimeError) as error:
        raise CheckpointError(
            f"{path.name} is truncated or no checkpoint: delete it and train again ({error})"
        ) from error
    check_form(path.name, about, *needs)
    return told(tensors, path.name, "tensor"), told(about, path.name, "entry")


def metadata_of(data: bytes) -> dict:
    """The texts in the header of a safetensors file that `load` has taken."""
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]).get("__metadata__", {})


def checksum(tensors: dict[str, Tensor], text: str) -> str:
    """sha256 of the description, and of every tensor's name, type, shape and bits."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(repr((name, str(tensor.dtype), tuple(tensor.shape))).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


# --- what a file says about itself ----------------------------------------------------------------


def table(value) -> bool:
    return isinstance(value, dict)


def count(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def seconds(value) -> bool:
    """Of the run, or of several things by name."""
    return (number(value) and value >= 0) or (table(value) and all(map(seconds, value.values())))


def one_number(source: str, about: dict, part: str = "seconds") -> float:
    """A part that must be a single number here.

    Raises:
        CheckpointError: it is none.
    """
    if not number(about[part]):
        raise CheckpointError(
            f"{source} is damaged, what it says of {part!r} cannot be: train again"
        )
    return about[part]


def rows(value) -> bool:
    """A table of numbers, such as a model's accuracy along its training."""
    return isinstance(value, list) and all(
        isinstance(row, list | tuple) and len(row) == 3 and all(map(number, row)) for row in value
    )


def figures(value) -> bool:
    """Of each score its mean and half of the interval."""
    return table(value) and all(
        isinstance(pair, list) and len(pair) == 2 and all(map(number, pair))
        for pair in value.values()
    )


def run(value) -> bool:
    """The named run that made the file, the settings that were changed, and the seed."""
    return (
        table(value)
        and isinstance(value.get("name"), str)
        and table(value.get("set"))
        and count(value.get("seed"))
    )


def names(value) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def words(value) -> bool:
    return isinstance(value, str)


FORM = {
    "settings": table,
    "step": count,
    "seconds": seconds,
    "tensors": names,
    "figures": figures,
    "test_episodes": count,
    "run": run,
    "command": words,
    "size": table,
    "history": rows,
}


def check_form(name: str, about, *needs: str) -> None:
    """Whether a description is of the form: what it tells is of the kind that readers expect.

    Raises:
        CheckpointError: says which part is not, or is missing.
    """
    if not table(about):
        raise CheckpointError(
            f"{name} describes itself by {type(about).__name__}, not by a table: train again"
        )
    for part, right in FORM.items():
        if part in about and not right(about[part]):
            raise CheckpointError(
                f"{name} is damaged, what it says of {part!r} cannot be: train again"
            )
    if missing := [part for part in needs if part not in about]:
        raise CheckpointError(
            f"{name} says nothing of {', '.join(map(repr, missing))}: choose a file of `python -m "
            "course_lib train`"
        )


# --- loading --------------------------------------------------------------------------------------


def weights(tensors: dict[str, Tensor], of: str = "learner.") -> dict[str, Tensor]:
    """The tensors whose names begin with ``of``, named without it: what `load_weights` takes."""
    return {
        name.removeprefix(of): tensor for name, tensor in tensors.items() if name.startswith(of)
    }


def load_weights(
    module: torch.nn.Module, tensors: dict[str, Tensor], source: str = "the checkpoint"
) -> None:
    """Copy tensors into a module's parameters and buffers, after checking that every one fits.

    Raises:
        CheckpointError: a name or shape differs, or a number is NaN or infinite; the module is left
            as it was.
    """
    check_fit(module.state_dict(), tensors, source)
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise CheckpointError(f"{source}: {name} holds NaN or infinity, train again")
    module.load_state_dict(tensors)


def check_fit(own: dict[str, Tensor], tensors: dict[str, Tensor], source: str) -> None:
    """Whether ``tensors`` could stand in the place of ``own``.

    Raises:
        CheckpointError: a name, shape or type differs; the message says which.
    """
    missing, foreign = own.keys() - tensors.keys(), tensors.keys() - own.keys()
    if missing or foreign:
        raise CheckpointError(
            f"{source} does not fit this learner: it lacks {sorted(missing)} and has "
            f"{sorted(foreign)} besides"
        )
    for name, tensor in tensors.items():
        if tensor.shape != own[name].shape:
            raise CheckpointError(
                f"{source}: {name} has shape {tuple(tensor.shape)} there and "
                f"{tuple(own[name].shape)} here"
            )
        if tensor.dtype != own[name].dtype:
            raise CheckpointError(f"{source}: {name} is {tensor.dtype}, not {own[name].dtype}")
