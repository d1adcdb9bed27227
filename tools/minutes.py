"""How long a chapter takes, by one definition for all.

    python -m tools.minutes           the minutes of every chapter
    python -m tools.minutes --write   put them into the chapters, the README and docs/teaching.md

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
SECTION = re.compile(r"^## (.*)$", re.MULTILINE)
ASIDE = re.compile(r"^### (Words|References)", re.MULTILINE)


def minutes(notebook: Path) -> float:
    """The minutes of a chapter, from its cells."""
    return sum(sections(notebook).values())


def sections(notebook: Path) -> dict[str, float]:
    """The minutes of each section of a chapter; what stands before the first has the name ""."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    chapter = importlib.import_module(f"course_lib.chapters.ch{notebook.stem[:2]}")
    module = importlib.import_module(f"{chapter.__name__}.explorers")
    explorers = {function.__name__ for function in module.EXPLORERS}
    found, title = {"": 0.0}, ""
    for cell in cells:
        text = "".join(cell["source"])
        if cell["cell_type"] == "code":
            found[title] += part_of_code(text, explorers)
            continue
        if heading := SECTION.search(text):
            title = heading[1]
            found.setdefault(title, 0.0)
        if match := OWN.search(text):
            found[title] += int(match[1])
        elif not ASIDE.search(text):
            found[title] += len(FOLDED.sub("", text).split()) / WORDS
    return found


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


TEACHING = ROOT / "docs" / "teaching.md"
ROW = re.compile(r"^\| ([^|]*) \| `(\w+)` \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$", re.MULTILINE)


def part(notebook: Path, words: str) -> int:
    """The minutes of what a course of docs/teaching.md takes from a chapter: "whole", "without the
    exercises", or the titles of its sections.

    Raises:
        ValueError: the chapter has no section of this title.
    """
    if words == "whole":
        return rounded(notebook)
    found = sections(notebook)
    if words == "without the exercises":
        return 5 * round((sum(found.values()) - found["Exercises"]) / 5)
    titles = [title.strip() for title in words.split(" · ")]
    if missing := [title for title in titles if title not in found]:
        raise ValueError(f"{notebook.stem} has no section {missing[0]!r}: {', '.join(found)}")
    return round(sum(found[title] for title in titles))


def teaching(text: str) -> str:
    """docs/teaching.md with the minutes of its tables, and their sums, as they are now. A chapter
    that is not there yet has a dash."""
    places = {place.stem[3:]: place for place in chapters()}
    pieces = re.split(r"(^Together: .* minutes\.)", text, flags=re.MULTILINE)
    for i in range(0, len(pieces) - 1, 2):
        pieces[i] = ROW.sub(lambda row: filled(row, places), pieces[i])
        total = sum(int(row[4]) for row in ROW.finditer(pieces[i]) if row[4].isdigit())
        pieces[i + 1] = f"Together: {total} minutes."
    return "".join(pieces)


def filled(row: re.Match, places: dict[str, Path]) -> str:
    when, chapter, words, _, asked = row.groups()
    now = part(places[chapter], words) if chapter in places else "–"
    return f"| {when} | `{chapter}` | {words} | {now} | {asked} |"


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
    TEACHING.write_text(teaching(TEACHING.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    for chapter in chapters():
        print(f"{chapter.stem}: {minutes(chapter):.0f} minutes")
