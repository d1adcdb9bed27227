"""Checkpoints: safetensors files that hold numbers and plain text, so loading one never runs
code."""

import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

FORMAT = "learning-to-learn/1"


class CheckpointError(ValueError):
    """A checkpoint that cannot be loaded, or not be written. Nothing was loaded and nothing
    overwritten."""


def write(path, tensors: dict[str, Tensor], about: dict) -> None:
    """Save tensors and a JSON-able description, all or nothing: a kill at any moment leaves the old
    file whole.

    Raises:
        CheckpointError: the disk is full, or the place cannot be written to.
    """
    path = Path(path)
    data = save(
        {name: t.detach().cpu().contiguous() for name, t in tensors.items()},
        metadata={"format": FORMAT, "about": json.dumps(about)},
    )
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(partial, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        why = (
            f"cannot write {path}: {error.strerror}. The file that was there is untouched: make "
            "room or choose another place"
        )
        raise CheckpointError(why) from error


def read(path) -> tuple[dict[str, Tensor], dict]:
    """The tensors and the description of a checkpoint.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it is truncated, foreign, or of another format; the message says which.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path.name}: train first, or check the path")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if "format" not in metadata:
                raise CheckpointError(
                    f"{path.name} is a safetensors file, but no checkpoint of this course: choose "
                    "another file"
                )
            if metadata["format"] != FORMAT:
                raise CheckpointError(
                    f"{path.name} has format {metadata['format']!r} and this code reads "
                    f"{FORMAT!r}: train again to replace it"
                )
            # copies: what get_tensor lends lies in the file itself, and is lost when the file
            # changes
            return {name: file.get_tensor(name).clone() for name in file.keys()}, json.loads(
                metadata["about"]
            )
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise CheckpointError(
            f"{path.name} is truncated or no checkpoint: delete it and train again ({error})"
        ) from error


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
        CheckpointError: a name or shape differs; the module is left as it was.
    """
    check_fit(module.state_dict(), tensors, source)
    module.load_state_dict(tensors)


def check_fit(own: dict[str, Tensor], tensors: dict[str, Tensor], source: str) -> None:
    """Whether ``tensors`` could stand in the place of ``own``.

    Raises:
        CheckpointError: a name or shape differs; the message says which.
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
