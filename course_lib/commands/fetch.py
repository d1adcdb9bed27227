"""`python -m course_lib fetch omniglot`: download the real drawings once, verified, into the
course's cache. (`fetch smollm`: see fetch_smollm.py.)

A file stands in the cache only after its checksum was right. What an interrupted download left is
continued by the next one.
"""

import argparse
import errno
import hashlib
import http.client
import os
import re
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from course_lib import cache_folder
from course_lib.commands.check import shorten
from course_lib.families.omniglot import DAMAGED, check_member
from course_lib.files import alive
from course_lib.training.progress_bar import bar

SOURCE = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
BLOCK = 100_000  # bytes read at a time
PATIENCE = 30  # seconds without a byte
LONGEST = 3600  # seconds for a file in all
SLOWEST = 100  # bytes a second, over the first two minutes or longer
LARGEST = 200_000_000  # bytes of a file: Omniglot's largest has a twentieth


class FetchError(ValueError):
    """A download that did not work out. The cache is as it was; the message says what to do."""


class Download(NamedTuple):
    """A file to fetch: its address, and the checksum that it must have."""

    url: str
    method: str
    digest: str

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


RUNS = Download(
    f"{SOURCE}/one-shot-classification/all_runs.zip",
    "sha256",
    "437c1eeab0af8484112e1b4cc0f3d541ec727f7c47b9b202da738af9dfd6c325",
)
OMNIGLOT = [  # the first two md5 sums are those that torchvision checks
    Download(f"{SOURCE}/images_background.zip", "md5", "68d2efa1b9178cc56df9314c21c6e718"),
    Download(f"{SOURCE}/images_evaluation.zip", "md5", "6b91aef0f799c5bb55b94e3f2daec811"),
    RUNS,
]
SMALL = [
    Download(
        f"{SOURCE}/images_background_small1.zip",
        "sha256",
        "f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4",
    ),
    Download(
        f"{SOURCE}/images_background_small2.zip",
        "sha256",
        "3ccaa407515a8778e5d0861875af38b17e418f301ad5bb3b5a6b65d901a41c7f",
    ),
    RUNS,
]


def fetch(what: Download, folder: Path) -> bool:
    """Have the file in ``folder``, whole and verified. False: it was there before.

    Raises:
        FetchError: no network, a refusal of the server, a cut connection, a wrong file, a full
            disk, or a folder that cannot be written.
    """
    place, partial = folder / what.name, folder / f"{what.name}.partial"
    try:
        if checksum(what, place) == what.digest:
            return False
        with alone(place):
            return fetch_alone(what, place, partial)
    except OSError as error:
        raise no_room(partial, error) from error
    finally:
        if os.access(folder, os.R_OK) and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


@contextmanager
def alone(place: Path) -> Iterator[None]:
    """No other fetch of the same file meanwhile. What a killed one has left does not count.

    Raises:
        FetchError: another one is at work.
    """
    lock = place.with_name(f"{place.name}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            with open(lock, "x") as file:
                file.write(str(os.getpid()))
            break
        except FileExistsError:
            regular(lock)
            try:
                text = lock.read_text(errors="replace").strip()
            except FileNotFoundError:
                continue  # the other one has just finished
            # empty for the moment between two calls of the other one; odd where nobody of ours was
            other = int(text) if re.fullmatch(r"\d{1,9}", text) else None
            if other is None or alive(other, lock):
                raise FetchError(
                    f"{place.name} is being fetched by another process ({text[:20]!a}): "
                    f"wait for it, or remove {lock} if there is none"
                ) from None
            lock.unlink(missing_ok=True)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def regular(path: Path) -> None:
    """Refuse a folder, a pipe, a device or a link where a file of the cache should be.

    Raises:
        FetchError: names it.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise FetchError(f"{path} is no regular file: remove it and fetch again")


def fetch_alone(what: Download, place: Path, partial: Path) -> bool:
    """`fetch`, while nobody else writes these files. True: the file is new."""
    if checksum(what, place) == what.digest:  # whoever was at work before has fetched it
        return False
    regular(place)
    regular(partial)
    if partial.exists() and partial.stat().st_size > LARGEST:
        partial.unlink()
    resumed = receive(what, partial)
    # the rest did not belong to the beginning
    if resumed and checksum(what, partial) != what.digest:
        partial.unlink()
        receive(what, partial)
    if (found := checksum(what, partial)) != what.digest:
        partial.unlink()
        wrong = f"{what.name} has the {what.method} {found} and should have {what.digest}"
        raise FetchError(
            f"{wrong}, so it was thrown away; fetch again, perhaps from another network"
        )
    check_names(partial)
    os.replace(partial, place)
    return True


def receive(what: Download, partial: Path) -> bool:
    """Download into ``partial``, from where it ends if the server agrees. True: something was there
    before.

    Raises:
        FetchError: no network, a refusal, or a cut connection. What was received is kept for the
            next time.
        OSError: the disk does not take it.
    """
    have = partial.stat().st_size if partial.is_file() else 0
    with connect(what, have) as answer:
        if answer.status == 416:  # nothing lies beyond what is there: it is whole, or it is wrong
            return True
        start = (
            have if answer.status == 206 else 0
        )  # a server that does not know ranges sends everything, with status 200
        if answer.status == 206 and not answer.headers.get("Content-Range", "").startswith(
            f"bytes {have}-"
        ):
            partial.unlink(missing_ok=True)
            raise FetchError(
                f"{what.url}: the server sent another part than it was asked for, so the begun "
                "download was removed; fetch again"
            )
        length = answer.headers.get("Content-Length", "")
        total = start + int(length) if re.fullmatch(r"\d{1,15}", length) else None
        if (total or 0) > LARGEST:
            raise too_much(what, total)
        blocks = read_blocks(what, answer, start)
        if total:
            blocks = bar(
                blocks,
                -(-total // BLOCK),
                f"{what.name}, {BLOCK // 1000} kB each",
                start=start // BLOCK,
            )
        received = append(partial, start, blocks)
    if total and received < total:
        raise FetchError(
            f"{what.name}: the connection ended after {received} of {total} bytes; fetch again to "
            "go on from there"
        )
    return start > 0


def connect(what: Download, have: int) -> http.client.HTTPResponse:
    """The server's answer, asked to leave out the first ``have`` bytes."""
    request = urllib.request.Request(
        what.url,
        headers={"User-Agent": "learning-to-learn"} | ({"Range": f"bytes={have}-"} if have else {}),
    )
    try:
        return urllib.request.urlopen(request, timeout=PATIENCE)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:
            return error
        error.close()
        advice = "try again later, or put the file into a folder and name that in OMNIGLOT_ROOT"
        raise FetchError(
            f"{what.url}: the server answered {error.code} {error.reason}; {advice}"
        ) from error
    except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
        raise no_network(what, error) from error


def read_blocks(what: Download, answer: http.client.HTTPResponse, start: int) -> Iterator[bytes]:
    """What the server sends after the first ``start`` bytes, in blocks. Limits are looked at with
    every packet, so a server that sends a byte now and then is left."""
    began, size, block = time.monotonic(), start, bytearray()
    try:
        while packet := answer.read1(BLOCK - len(block)):
            size += len(packet)
            block += packet
            took = time.monotonic() - began
            if size > LARGEST:
                raise too_much(what, size)
            if took > LONGEST or (took > 4 * PATIENCE and size - start < SLOWEST * took):
                raise FetchError(
                    f"{what.url}: {size - start} bytes in {took:.0f} s, so it would never end; "
                    "what came is kept, fetch again later to go on"
                )
            if len(block) == BLOCK:
                yield bytes(block)
                block.clear()
    except http.client.IncompleteRead:
        pass  # the caller counts
    except FetchError:
        yield bytes(block)
        raise
    except (OSError, http.client.HTTPException) as error:
        yield bytes(block)
        raise no_network(what, error) from error
    yield bytes(block)


def too_much(what: Download, size: int) -> FetchError:
    return FetchError(
        f"{what.url}: {size // 1_000_000} MB are more than any file of Omniglot has; look at the "
        "address in a browser"
    )


def no_network(what: Download, error: Exception) -> FetchError:
    why = getattr(error, "reason", None) or error
    return FetchError(
        f"{what.url} cannot be reached ({why}); check the network, behind a proxy set "
        "HTTPS_PROXY, then fetch again to go on"
    )


def append(partial: Path, start: int, blocks: Iterator[bytes]) -> int:
    """Write blocks at the end of a file of ``start`` bytes. Returns its length."""
    partial.parent.mkdir(parents=True, exist_ok=True)
    with open(partial, "ab" if start else "wb") as file:
        for block in blocks:
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None))


def no_room(partial: Path, error: OSError) -> FetchError:
    """The errors of a disk as sentences."""
    if not full(error):
        return not_writable(partial.parent, error)
    partial.unlink(missing_ok=True)
    return FetchError(
        f"the disk of {partial.parent} is full, so the begun download was removed; free 50 "
        "MB, or set COURSE_CACHE to another disk"
    )


def not_writable(folder: Path, error: OSError) -> FetchError:
    return FetchError(
        f"{folder} cannot be written to ({error.strerror or error}); set COURSE_CACHE to a folder "
        "that you may write to"
    )


def checksum(what: Download, file: Path) -> str | None:
    """The file's checksum by the method of ``what``; None where there is no file."""
    if not file.is_file():
        return None
    with open(file, "rb") as opened:
        return hashlib.file_digest(
            opened, lambda: hashlib.new(what.method, usedforsecurity=False)
        ).hexdigest()


def check_names(partial: Path) -> None:
    """Refuse an archive that is none, or that holds names which lead out of it; it is removed."""
    try:
        with zipfile.ZipFile(partial) as packed:
            for member in packed.infolist():
                check_member(partial, member)
    except (*DAMAGED, ValueError) as error:
        partial.unlink()
        raise FetchError(
            f"{partial.name.removesuffix('.partial')} was thrown away: {error}"
        ) from error


# ------------------------------------------------------------------ command


def add_parser(subparsers) -> None:
    parser = subparsers.add_parser(
        "fetch", help="download Omniglot's drawings, or a real language model, into the cache"
    )
    parser.add_argument("what", choices=["omniglot", "smollm"])
    parser.add_argument(
        "--small",
        action="store_true",
        help="only 242 background characters (3 MB instead of 16) and the one-shot runs",
    )
    parser.set_defaults(run=main)


def main(options: argparse.Namespace) -> int:
    if options.what == "smollm":
        from course_lib.commands import fetch_smollm  # torch is imported only where it is needed

        return fetch_smollm.main()
    folder = cache_folder() / "omniglot"
    for what in SMALL if options.small else OMNIGLOT:
        new = fetch(what, folder)
        print(f"{what.name}: {'fetched' if new else 'already there'}, {what.method} right")
    print(f"in {shorten(folder)}")
    if os.environ.get("OMNIGLOT_ROOT"):
        print(
            "note: OMNIGLOT_ROOT is set, so the course reads from that folder; unset it to use "
            "what was fetched"
        )
    return 0
