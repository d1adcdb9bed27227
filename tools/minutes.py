"""How long a chapter takes, by one definition for all.

    python -m tools.minutes           the minutes of every chapter
    python -m tools.minutes --write   put them into the chapters and the README

Words of the main flow at 150 a minute, 40 seconds a code cell, 90 a prediction, 3 minutes an
explorer, and the minutes that each exercise says of itself. What is folded (`<details>`), the words
and the references are not of the main flow; hints and solutions count with their exercise.
"""

import importlib
import json
import re
import sys
from pathlib import Path

from course_lib import ROOT
from tools.colab import is_for_colab

WORDS, CELL, PREDICTION, EXPLORER = 150, 40, 90, 3  # a minute; seconds; seconds; minutes
OWN = re.compile(r"\*Difficulty \d of 3, about (\d+) minutes")
FOLDED = re.compile(r"<details>.*?</details>", re.DOTALL)
ASIDE = re.compile(r"^### (Words|References)", re.MULTILINE)


def minutes(notebook: Path) -> float:
    """The minutes of a chapter, from its cells."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    chapter = importlib.import_module(f"course_lib.chapters.ch{notebook.stem[:2]}")
    module = importlib.import_module(f"{chapter.__name__}.explorers")
    explorers = {function.__name__ for function in module.EXPLORERS}
    total, own = 0.0, 0
    for cell in cells:
        text = "".join(cell["source"])
        if cell["cell_type"] == "code":
            total += part_of_code(text, explorers)
        elif match := OWN.search(text):
            own += int(match[1])
        elif not ASIDE.search(text):
            total += len(FOLDED.sub("", text).split()) / WORDS
    return total + own


def part_of_code(text: str, explorers: set[str]) -> float:
    """The minutes of one code cell. An exercise's stub counts with the exercise."""
    if is_for_colab(text) or re.search(r"^check\(", text, re.MULTILINE):
        return 0.0
    seconds = PREDICTION * len(re.findall(r"^predict\(", text, re.MULTILINE))
    shown = sum(len(re.findall(rf"^{name}\(", text, re.MULTILINE)) for name in explorers)
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("reveal(")]
    if lines and not seconds and not shown:
        seconds += CELL
    return seconds / 60 + EXPLORER * shown


STATED = re.compile(r"About (\d+) minutes, exercises included\.")


def chapters() -> list[Path]:
    return sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def rounded(notebook: Path) -> int:
    """As a chapter and the README say it: to five minutes."""
    return 5 * round(minutes(notebook) / 5)


def in_the_readme() -> dict[str, int]:
    """The minutes of each chapter in the README's table, by its number."""
    rows = (ROOT / "README.md").read_text(encoding="utf-8")
    return {n: int(m) for n, m in re.findall(r"^\| (\d\d) \|.*?\| (\d+) \|", rows, re.MULTILINE)}


def write() -> None:
    """Put the minutes where they are stated."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    for place in chapters():
        now, number = rounded(place), place.stem[:2]
        told = STATED.sub(
            f"About {now} minutes, exercises included.", place.read_text(encoding="utf-8")
        )
        place.write_text(told, encoding="utf-8")
        row = rf"^(\| {number} \|.*?\| )\d+( \|)"
        text = re.sub(row, rf"\g<1>{now}\g<2>", text, flags=re.MULTILINE)
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    for chapter in chapters():
        print(f"{chapter.stem}: {minutes(chapter):.0f} minutes")
