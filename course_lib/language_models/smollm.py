"""SmolLM2-135M-Instruct in the course's cache: a real language model, small enough for a laptop.

`python -m course_lib fetch smollm` puts it there. It comes as a file of llama.cpp (GGUF, numbers of
4 bits), is turned into one of transformers once, and is then opened within seconds.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from course_lib import cache_folder, files
from course_lib.language_models.label_scores import ModelError

NAME = "SmolLM2-135M-Instruct"
ABOUT = "course.json"  # written last: a folder without it is not whole
GGUF = f"{NAME}.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
ADVICE = "python -m course_lib fetch smollm"
NEEDS = 'pip install "transformers==5.23.0" "gguf==0.19.0"'


def smollm_folder() -> Path:
    """Where the model lies once it was fetched."""
    return cache_folder() / NAME


def fetched() -> bool:
    """Whether the model is there, so that ``open_model("smollm")`` needs no network."""
    return (smollm_folder() / ABOUT).is_file()


def whole(folder: Path) -> Path:
    """The folder of the model, once its files are known to be those that were written.

    Raises:
        ModelError: it was not fetched, or a file is missing or has changed.
    """
    try:
        digests = json.loads((folder / ABOUT).read_text())["sha256"]
    except FileNotFoundError:
        raise ModelError(f"{NAME} is not on this machine: {ADVICE} (93 MB)") from None
    except (OSError, ValueError, KeyError, TypeError):
        digests = {}
    damaged = [name for name, digest in digests.items() if sha256(folder / name) != digest]
    if damaged or not digests:
        raise ModelError(
            f"{(damaged or [ABOUT])[0]} in {folder} is damaged: remove that folder, then {ADVICE}"
        )
    return folder


def sha256(file: Path) -> str | None:
    """The checksum of a regular file; None where there is none."""
    if file.is_symlink() or not file.is_file():
        return None
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def convert(file: Path, folder: Path) -> None:
    """Write the model of a GGUF file into ``folder`` as transformers keeps it, in bfloat16.

    All numbers of the file are multiplied out to single precision and rounded to bfloat16, whose
    8 bits hold what 4 bits said. The folder appears whole or not at all.

    Raises:
        ModelError: transformers or gguf is not installed, or the file is damaged.
        OSError: the disk is full or cannot be written to.
    """
    try:
        import gguf  # noqa: F401, transformers asks for it
        import transformers
    except ImportError:
        raise ModelError(f"turning {file.name} into a model needs two packages: {NEEDS}") from None
    where = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(**where)
        load = transformers.AutoModelForCausalLM.from_pretrained
        read = load(**where, dtype=torch.float32)
    except OSError:
        raise
    except Exception as error:  # whatever the library raises on damaged bytes
        raise ModelError(f"{file} cannot be read ({type(error).__name__}): fetch again") from error
    config = read.config
    if hasattr(config, "quantization_config"):  # save_pretrained refuses a model that has one
        del config.quantization_config
    config.name_or_path = NAME
    kept = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    kept.load_state_dict(read.state_dict())
    with new_folder(folder) as partial:
        tokenizer.save_pretrained(partial)
        kept.save_pretrained(partial)
        names = sorted(file.name for file in partial.iterdir())
        about = {"sha256": {name: sha256(partial / name) for name in names}}
        (partial / ABOUT).write_text(json.dumps(about, indent=1))


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder beside ``folder`` that takes its name when all went well, and is gone otherwise.

    Raises:
        PlaceError: a link, a device or a file stands where the folder should be.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise files.PlaceError(f"{folder} is no folder: remove it and fetch again")
    folder.parent.mkdir(parents=True, exist_ok=True)
    for found in folder.parent.glob(f"{folder.name}.*.partial"):
        process = re.search(r"\.(\d{1,9})\.partial$", found.name)
        if process and found.is_dir() and not found.is_symlink():
            if not files.alive(int(process[1]), found):
                shutil.rmtree(found)
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    partial.mkdir()
    try:
        yield partial
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
