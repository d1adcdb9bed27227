"""Is this machine ready for the course? `python -m course_lib check` in a terminal, `check.show()`
in a notebook.

Every row says what was found and what is wanted; a row that is amiss says what to do. Nothing here
is written or downloaded.
"""

import html
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from course_lib import ROOT, cache_folder, expanded

GB = 2**30
REPAIR = (
    "run `python3 start.py` again; in an environment of your own, `pip install -r requirements.txt`"
)


class Row(NamedTuple):
    what: str
    found: str
    wanted: str = ""
    ok: bool | None = None  # None: for information
    advice: str = ""


def report(private: bool = False) -> list[Row]:
    """All rows. `private` leaves out folders outside the course and your home, as for a notebook
    that will be shared."""
    rows = [python_row(), *package_rows(), widget_row(), *device_rows(), memory_row(), disk_row()]
    return rows + [omniglot_row(private), cache_row(private), progress_row(private)]


# ------------------------------------------------------------------ rows


def python_row(version=tuple(sys.version_info[:3])) -> Row:
    found = ".".join(map(str, version))
    return Row(
        "Python",
        found,
        "3.11 or newer",
        tuple(version) >= (3, 11),
        "install Python 3.12 and run `python3.12 start.py`",
    )


def pins() -> dict[str, str]:
    """Package: version, from requirements.txt in a checkout, else from the installed course."""
    listed = ROOT / "requirements.txt"
    if listed.exists():
        lines = listed.read_text(encoding="utf-8").splitlines()
    else:
        lines = [
            line
            for line in importlib.metadata.requires("learning-to-learn") or []
            if "extra ==" not in line
        ]
    return dict(
        match.groups() for line in lines if (match := re.match(r"([\w.-]+)==([\w.]+)", line))
    )


def installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def package_rows(wanted: dict[str, str] | None = None, version=installed) -> list[Row]:
    rows = []
    for name, pin in (pins() if wanted is None else wanted).items():
        found = version(name)  # "2.13.0+cpu" is a build of 2.13.0
        rows.append(
            Row(name, found or "missing", pin, bool(found) and found.split("+")[0] == pin, REPAIR)
        )
    return rows


def widget_row(folders: list[str] | None = None) -> Row:
    """JupyterLab draws a slider only where the page's half of the widgets is installed beside
    Python's."""
    if folders is None:
        try:
            from jupyter_core.paths import jupyter_path

            folders = jupyter_path("labextensions")
        except (ImportError, RuntimeError):  # RuntimeError: Jupyter finds no home folder
            folders = [str(Path(sys.prefix) / "share" / "jupyter" / "labextensions")]
    halves = {"ipywidgets": "@jupyter-widgets/jupyterlab-manager", "anywidget": "anywidget"}
    missing = [
        name
        for name, part in halves.items()
        if not any((Path(folder) / part / "package.json").exists() for folder in folders)
    ]
    found = (
        f"no JupyterLab part of {' and '.join(missing)}" if missing else "JupyterLab parts present"
    )
    return Row("widgets", found, "ipywidgets, anywidget", not missing, REPAIR)


def device_rows() -> list[Row]:
    try:
        import torch
    except Exception as error:  # a broken library raises OSError, a missing one ImportError
        return [
            Row("device", f"PyTorch does not load ({type(error).__name__})", "cpu", False, REPAIR)
        ]
    rows = [Row("device cpu", f"{torch.get_num_threads()} threads", "1 or more", True)]
    for index in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(index)
        rows.append(
            Row(f"device cuda:{index}", f"{card.name}, {card.total_memory / GB:.0f} GB", "optional")
        )
    if torch.backends.mps.is_available():
        rows.append(Row("device mps", "Apple GPU", "optional"))
    if len(rows) == 1:
        unused = torch.version.cuda is None and shutil.which("nvidia-smi")
        found = "an NVIDIA driver, but this PyTorch is the build without CUDA" if unused else "none"
        rows.append(Row("device gpu", found, "optional"))
    return rows


def memory_bytes() -> int | None:
    """The memory this process may use: the machine's, or less where a container or a hub sets a
    limit. None: unknown."""
    try:
        if os.name == "nt":
            return windows_memory()
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        try:
            total = int(
                subprocess.run(
                    ["sysctl", "-n", "hw.memsize"], capture_output=True, timeout=5
                ).stdout
            )
        except (OSError, ValueError, subprocess.TimeoutExpired):
            return None
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(limit).read_text()))
        except (OSError, ValueError):  # no such file, or the word "max"
            pass
    return total


def windows_memory() -> int:
    import ctypes

    class Status(ctypes.Structure):  # MEMORYSTATUSEX
        _fields_ = [
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            ("total", ctypes.c_ulonglong),
            ("rest", ctypes.c_ulonglong * 6),
        ]

    status = Status(length=ctypes.sizeof(Status))
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
    return status.total


def memory_row(read=memory_bytes) -> Row:
    size = read()
    if not size:
        return Row("memory", "unknown", "2 GB or more")
    return Row(
        "memory",
        f"{size / GB:.1f} GB",
        "2 GB or more",
        size >= 1.8 * GB,
        "close other programs and run one notebook at a time",
    )


def disk_row(usage=shutil.disk_usage) -> Row:
    free = usage(ROOT).free
    return Row(
        "free disk",
        f"{free / GB:.1f} GB",
        "0.5 GB or more",
        free >= 0.5 * GB,
        "free some space on the disk of the course's folder",
    )


def omniglot_row(private: bool = False) -> Row:
    named = os.environ.get("OMNIGLOT_ROOT")
    if not named:
        return Row("Omniglot folder", "OMNIGLOT_ROOT not set", "optional")
    try:
        folder = expanded(named)
    except ValueError as error:
        return Row("Omniglot folder", named, "optional", False, str(error))
    good = folder.is_dir() and any(folder.iterdir())
    return Row(
        "Omniglot folder",
        shorten(folder, private),
        "optional",
        good,
        "OMNIGLOT_ROOT names no folder with files in it: correct or unset it",
    )


def cache_row(private: bool = False) -> Row:
    try:
        folder = cache_folder().absolute()
    except ValueError as error:
        return Row("cache folder", "unknown", "writable", False, str(error))
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    good = nearest.is_dir() and os.access(nearest, os.W_OK)
    return Row(
        "cache folder",
        shorten(folder, private),
        "writable",
        good,
        "set COURSE_CACHE to a folder that you may write to",
    )


def progress_row(private: bool = False) -> Row:
    try:
        from course_lib.classroom.progress_file import path
    except ImportError:  # the packages it needs are missing, which the rows above say
        return Row("progress file", "unknown", "optional")
    try:
        file = path()
    except (ValueError, RuntimeError) as error:
        return Row("progress file", "unknown", "readable", False, str(error))
    if not file.exists():
        return Row("progress file", "none yet", "optional")
    try:
        good = isinstance(json.loads(file.read_text(encoding="utf-8")), dict)
    except (OSError, ValueError):
        good = False
    return Row(
        "progress file",
        shorten(file, private),
        "readable",
        good,
        "the file is damaged: rename it, and the next answer begins a new one",
    )


def shorten(path: Path, private: bool = False) -> str:
    """A path without the name of your home: from the course's folder as ./, from home as ~/,
    elsewhere whole, or its end if `private`."""
    path = Path(path).absolute()
    known = [(".", ROOT)]
    try:
        known.append(("~", Path.home()))
    except RuntimeError:  # this user has none
        pass
    for short, folder in known:
        if path.is_relative_to(folder):
            return "/".join([short, *path.relative_to(folder).parts])
    return f".../{path.name}" if private else str(path)


# ------------------------------------------------------------------ what the reader sees


def sentence(rows: list[Row]) -> str:
    amiss = [row for row in rows if row.ok is False]
    if not amiss:
        return "All is in order."
    advice = dict.fromkeys(
        f"{', '.join(row.what for row in amiss if row.advice == reason.advice)}: {reason.advice}"
        for reason in amiss
    )
    return "Not in order: " + "; ".join(advice) + "."


def mark(row: Row) -> str:
    return {True: "ok", False: "AMISS", None: "-"}[row.ok]


def table(rows: list[Row]) -> str:
    cells = [
        ("", "found", "wanted", ""),
        *((row.what, row.found, row.wanted, mark(row)) for row in rows),
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(4)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def table_html(rows: list[Row]) -> str:
    head = "".join(
        f'<th scope="col" style="text-align:left">{name}</th>'
        for name in ("part", "found", "wanted", "")
    )
    body = ""
    for row in rows:
        rest = "".join(
            f'<td style="text-align:left">{html.escape(text)}</td>'
            for text in (row.found, row.wanted, mark(row))
        )
        body += (
            '<tr><th scope="row" '
            f'style="text-align:left;font-weight:normal">{html.escape(row.what)}</th>{rest}</tr>'
        )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"{table}<p>{html.escape(sentence(rows))}</p>"


def show() -> None:
    """The same table in a notebook, fit to be shared: no path of this machine stands in it."""
    from IPython.display import HTML, display

    display(HTML(table_html(report(private=True))))


def add_parser(subparsers) -> None:
    subparsers.add_parser("check", help="is this machine ready for the course?").set_defaults(
        run=main
    )


def main(_options=None) -> int:
    rows = report()
    print(table(rows))
    print("\n" + sentence(rows))
    return int(any(row.ok is False for row in rows))
