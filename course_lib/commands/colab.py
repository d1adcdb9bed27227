"""What the first cell of each notebook runs on Colab: install what is missing, keep what is there.

A runtime brings its own torch, built for its GPU, and other packages that were chosen with it. So
nothing that is there is replaced, and what is missing comes alone (pip's --no-deps). Only the
standard library is imported here.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
LEAST = {  # what the notebooks import and a runtime brings: the oldest version they were tried with
    "torch": "2.8.0",
    "numpy": "2.0.2",
    "matplotlib": "3.10.0",
    "ipywidgets": "7.7.1",
    "pillow": "11.3.0",
    "safetensors": "0.5.3",
}
ADDED = ("higher", "anywidget", "psygnal")  # what a runtime lacks; anywidget wants psygnal
OF_THOSE = {"psygnal": "0.16.1"}  # wanted by others of the list, so requirements.txt has no pin


class Decision(NamedTuple):
    """What to do with a runtime.

    Args:
        install: requirements for pip, each to come without what it depends on.
        kept: "torch 2.9.0", and so on: what stays.
        older: sentences about what stays though the course was never tried with it.
    """

    install: list[str]
    kept: list[str]
    older: list[str]


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: "2.9.1+cu126" -> (2, 9, 1), "2.10.0a0" -> (2, 10, 0)."""
    return tuple(map(int, re.match(r"\d+(?:\.\d+)*", version)[0].split(".")))


def decide(found: dict[str, str | None], pins: dict[str, str]) -> Decision:
    """What is installed, and what stays.

    Args:
        found: package: its version in this runtime, or None.
        pins: package: the version that the course is tested with.
    """
    decision = Decision([], [], [])
    for name in (*LEAST, *ADDED):
        if (version := found.get(name)) is None:
            decision.install.append(f"{name}=={pins[name]}")
            continue
        decision.kept.append(f"{name} {version}")
        if name in LEAST and numbers(version) < numbers(LEAST[name]):
            decision.older.append(
                f"{name} {version} is older than {LEAST[name]}, the oldest that the course was "
                "tried with: if a cell fails, choose a newer runtime version in the Runtime menu."
            )
    return decision


def pins() -> dict[str, str]:
    """Package: version, as requirements.txt and this file pin it."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w-]+)==([\w.]+)", lines, re.M)) | OF_THOSE


def version_of(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def command(install: list[str]) -> list[str]:
    """The words that install requirements, each without what it depends on."""
    return [sys.executable, "-m", "pip", "install", "-q", "--no-deps", *install]


def prepare() -> None:
    """Make this runtime ready for the notebooks.

    Raises:
        subprocess.CalledProcessError: pip failed; it has said why.
    """
    decision = decide({name: version_of(name) for name in (*LEAST, *ADDED)}, pins())
    if decision.install:
        print("installing", ", ".join(decision.install))
        subprocess.run(command(decision.install), check=True)
        importlib.invalidate_caches()
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    output = importlib.import_module("google.colab.output")
    output.enable_custom_widget_manager()  # for what is drawn and dragged
    print("kept:", ", ".join(decision.kept), *decision.older, sep="\n")


if __name__ == "__main__":
    prepare()
