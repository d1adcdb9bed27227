"""Checkpoints: safetensors files that hold numbers and plain text, so loading one never runs code."""

import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

FORMAT = "learning-to-learn/1"


class CheckpointError(ValueError):
    """The file is not a checkpoint that this code can load; nothing was loaded from it."""


def write(path, tensors: dict[str, Tensor], about: dict) -> None:
    """Save tensors and a JSON-able description, all or nothing: a kill at any moment leaves the old file whole."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = save(
        {name: t.detach().cpu().contiguous() for name, t in tensors.items()},
        metadata={"format": FORMAT, "about": json.dumps(about)},
    )
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


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
                raise CheckpointError(f"{path.name} is a safetensors file, but no checkpoint of this course: choose another file")
            if metadata["format"] != FORMAT:
                raise CheckpointError(
                    f"{path.name} has format {metadata['format']!r} and this code reads {FORMAT!r}: train again to replace it"
                )
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(metadata["about"])
    except SafetensorError as error:
        raise CheckpointError(f"{path.name} is truncated or no checkpoint: delete it and train again ({error})") from error


def load_weights(module: torch.nn.Module, tensors: dict[str, Tensor], source: str = "the checkpoint") -> None:
    """Copy tensors into a module's parameters and buffers, after checking that every one fits.

    Raises:
        CheckpointError: a name or shape differs; the module is left as it was.
    """
    own = module.state_dict()
    missing, foreign = own.keys() - tensors.keys(), tensors.keys() - own.keys()
    if missing or foreign:
        raise CheckpointError(f"{source} does not fit this learner: it lacks {sorted(missing)} and has {sorted(foreign)} besides")
    for name, tensor in tensors.items():
        if tensor.shape != own[name].shape:
            raise CheckpointError(f"{source}: {name} has shape {tuple(tensor.shape)}, this learner {tuple(own[name].shape)}")
    module.load_state_dict(tensors)
