"""A chapter to hand out: for students without solutions, for teachers with everything in sight."""

from __future__ import annotations

import copy
import html
import re

from course_lib.classroom import exercises, predictions
from course_lib.classroom.exercises.judging import judge

READERS = ("students", "teachers")
FOLDED = r"<details><summary>{}</summary>\s*(.*?)\s*</details>"
ANSWERS = re.compile(FOLDED.format("(?:Solution|Answers)"), re.S)
RECALL = re.compile(r"^(?:- )?<details><summary>(.*?)</summary>\s*(.*?)\s*</details>", re.S | re.M)
HAPPENED = re.compile(r"What happened: <strong>(.*?)</strong>", re.S)


def handout(notebook: dict, reader: str) -> dict:
    """The notebook, as JSON, for one of READERS.

    For students: no solution and no answer to a recall question, and the cells that reveal a
    prediction have not been run. For teachers: these stand open, each prediction is followed by
    its answers, what is said to them and what happened, and each exercise by the mistakes that
    its check knows.

    Raises:
        ValueError: there is no such reader.
    """
    if reader not in READERS:
        raise ValueError(f"a handout is for {' or '.join(READERS)}, not for {reader!r}")
    made = copy.deepcopy(notebook)
    happened = outcomes(notebook)
    cells = []
    for cell in made["cells"]:
        words = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            words = (without if reader == "students" else opened)(words)
            if not words.strip():
                continue
            cell["source"] = words.splitlines(keepends=True)
        elif reader == "students" and re.search(r"^reveal\(", words, re.M):
            cell["outputs"], cell["execution_count"] = [], None
        cells.append(cell)
        if reader == "teachers" and cell["cell_type"] == "code":
            cells += [note(text, len(cells)) for text in asides(words, happened)]
    made["cells"] = cells
    return made


def without(words: str) -> str:
    """A text cell without its solutions and answers."""
    words = ANSWERS.sub("", words)
    return RECALL.sub(r"- \1", words) if "### Can you still say it?" in words else words


def opened(words: str) -> str:
    """A text cell whose solutions and answers are not folded."""
    words = ANSWERS.sub(r"**For teachers.**\n\n\1\n", words)
    recall = "### Can you still say it?" in words
    return RECALL.sub(lambda m: f"- {m[1]}\n  *{m[2].strip()}*\n", words) if recall else words


def outcomes(notebook: dict) -> dict[str, str]:
    """What happened in each prediction, by its id, from the stored outputs."""
    found = {}
    for cell in notebook["cells"]:
        for identity in re.findall(r'^reveal\(\s*"(\d\d\.\w+)"', "".join(cell["source"]), re.M):
            page = "".join(
                "".join(output.get("data", {}).get("text/html", ""))
                for output in cell.get("outputs", [])
            )
            if match := HAPPENED.search(page):
                found[identity] = html.unescape(re.sub(r"<[^>]+>", "", match[1]))
    return found


def asides(code: str, happened: dict[str, str]) -> list[str]:
    """What a teacher reads below a cell that asks a prediction or checks an exercise."""
    asked = re.findall(r'^predict\(\s*"(\d\d\.\w+)"', code, re.M)
    checked = re.findall(r'^check\(\s*"(\d\d\.\w+)"', code, re.M)
    return [replies(identity, happened.get(identity, "")) for identity in asked] + [
        mistakes(identity) for identity in checked
    ]


def replies(identity: str, happened: str) -> str:
    asked = predictions.find(identity)
    offered = asked.options or {"low": "too low", "high": "too high", "close": "close"}
    lines = [f"- *{offered[key]}*: {said}" for key, said in asked.says.items()]
    end = f"\n\nWhat happened: **{happened}**" if happened else ""
    return "**For teachers: what is said to each answer.**\n\n" + "\n".join(lines) + end


def mistakes(identity: str) -> str:
    """The table of an exercise, each row with the sentence that its reader gets."""
    exercise = exercises.find(identity)
    lines = [f"- {judge(exercise, row.wrong).text}" for row in exercise.rows]
    return "**For teachers: the mistakes that this check knows.**\n\n" + "\n".join(lines)


def note(text: str, number: int) -> dict:
    return {
        "cell_type": "markdown",
        "id": f"teachers-{number}",
        "metadata": {"slideshow": {"slide_type": "skip"}},
        "source": text.splitlines(keepends=True),
    }
