"""Where a file may be written, and how: whole or not at all.

Everything that the course writes goes through here: a regular file in a folder, through a partial
file beside it that takes its place in one step. A kill at any moment leaves the old file whole;
the partial file that it leaves is removed by the next write. A device is never replaced (run as
root, ``os.replace`` would do it), and no link is followed out of its folder.
"""

import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DAY = 86_400.0  # seconds after which a partial file is old where nobody can ask for its process


class PlaceError(ValueError):
    """A place that cannot be written to. What was there is untouched."""


def check_place(path) -> Path:
    """The place of a file, once it is known that a file can be written there: ask before the work
    that ends in it.

    Raises:
        PlaceError: it is a folder, a device or a link, or its folder cannot be made or written to.
    """
    path = Path(path)
    with begun(path):
        pass
    return path


def write(path, data: bytes) -> None:
    """Write a whole file; folders that are missing are made.

    Raises:
        PlaceError: see `check_place`; or the disk is full.
    """
    path = Path(path)
    with begun(path) as partial:
        try:
            with open(partial, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            replace(partial, path)
        except OSError as error:
            raise cannot(path, error) from error


@contextmanager
def begun(path: Path) -> Iterator[Path]:
    """A new, empty partial file beside ``path``, of a name of its own; it is gone afterwards."""
    try:
        regular(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_old_partials(path)
        partial = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(3)}.partial")
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        if isinstance(error, PlaceError):
            raise
        raise cannot(path, error) from error
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def regular(path: Path) -> None:
    """Refuse what a file must not take the place of.

    Raises:
        PlaceError: says what stands there.
    """
    advice = "choose the name of a file"
    if path.name in ("", "..") or path.is_dir():
        raise PlaceError(f"cannot write {path}: it is a folder, {advice}")
    if path.is_symlink():
        target = os.readlink(path)
        raise PlaceError(f"cannot write {path}: it is a link to {target}, {advice} itself")
    if path.exists() and not path.is_file():
        raise PlaceError(f"cannot write {path}: it is a device or a pipe, {advice}")


def cannot(path: Path, error: Exception) -> PlaceError:
    why = getattr(error, "strerror", None) or str(error)
    return PlaceError(
        f"cannot write {path}: {why}. The file that was there is untouched: make room or choose "
        "another place"
    )


def replace(partial: Path, path: Path) -> None:
    """One step, with patience for Windows, where somebody may be reading the file just now."""
    for attempt in range(50):
        try:
            os.replace(partial, path)
            return
        except PermissionError:
            if os.name != "nt" or attempt == 49:
                raise
            time.sleep(0.02)


def remove_old_partials(path: Path) -> None:
    """Remove what killed processes have left of this file; those of a living one stay."""
    name = re.compile(re.escape(path.name) + r"\.(\d+)(-[0-9a-f]+)?\.partial")
    for found in path.parent.iterdir():
        if (match := name.fullmatch(found.name)) and not found.is_symlink():
            if not alive(int(match[1]), found):
                found.unlink(missing_ok=True)


def alive(process: int, partial: Path) -> bool:
    """Whether the process that began a partial file still runs. Windows cannot be asked without
    harm: there a day counts."""
    if os.name == "nt":
        return time.time() - partial.stat().st_mtime < DAY
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
