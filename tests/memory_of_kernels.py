"""The peak memory of the kernels that a process starts, seen from outside through /proc."""

import re
import threading
from contextlib import contextmanager
from pathlib import Path

PEAK = "peak memory of a notebook"  # what a test calls it in its report
EVERY = 0.1  # seconds between looks; what a kernel takes after the last one is missed


def children() -> dict[int, list[int]]:
    """Process: those that it has started, of all processes there are."""
    found: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_the_name = status.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        found.setdefault(int(after_the_name[1]), []).append(int(status.parent.name))
    return found


def below(process: int) -> list[int]:
    """All processes that this one has started, and those started by them."""
    known, waiting, found = children(), [process], []
    while waiting:
        waiting += (new := known.get(waiting.pop(), []))
        found += new
    return found


def peak_of(process: int) -> int | None:
    """Peak resident memory of a kernel in MB of 2**20 bytes; None for what is no kernel."""
    place = Path("/proc") / str(process)
    try:
        if b"ipykernel_launcher" not in (place / "cmdline").read_bytes():
            return None
        peak = re.search(r"VmHWM:\s+(\d+) kB", (place / "status").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None
    return peak and round(int(peak[1]) / 1024)


@contextmanager
def kernels_watched(process: int):
    """{kernel: its peak}, in the order in which they were started, while ``process`` runs."""
    peaks: dict[int, int] = {}
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(EVERY):
            for one in below(process):
                if peak := peak_of(one):
                    peaks[one] = peak

    watcher = threading.Thread(target=look, daemon=True)
    if Path("/proc/self/status").exists():
        watcher.start()
    try:
        yield peaks
    finally:
        stop.set()
        if watcher.ident:
            watcher.join()
