"""What a notebook's cells become in a lecture, before nbconvert makes slides of them: explorers
move, and the speaker's view says what to ask and what goes wrong."""

import hashlib
import re

import nbformat
from nbconvert.preprocessors import Preprocessor
from traitlets import CInt

from course_lib.classroom.controls import Points, Text
from course_lib.classroom.frames import POSITIONS, explorer_of, moving, player
from course_lib.classroom.predictions import find

ROOM = 2_900_000  # bytes of a chapter for explorers that move
ASKS = re.compile(r'^predict\("([\w.]+)"\)\s*$', re.MULTILINE)
CHAPTER = re.compile(r"(\d\d)_")
TROUBLE = re.compile(r"^<details><summary>(When you do this yourself.*?)</summary>(.*)</details>\s*$", re.DOTALL)  # fmt: skip  # noqa: E501
LET_THEM = (
    "Everybody answers before you go on; let one voice speak for each answer. Space goes on, and "
    "the next Space opens what happens."
)
GUESS = "Ask for a guess before you move anything, and move one thing at a time."


class LectureCells(Preprocessor):
    """Started by nbconvert for the template in this folder; see conf.json."""

    positions = CInt(
        POSITIONS, help="of a control, drawn beforehand; 0 leaves still pictures"
    ).tag(config=True)

    def preprocess(self, notebook, resources):
        named = CHAPTER.match(resources.get("metadata", {}).get("name", ""))
        chapter = named[1] if named else ""
        shown = {}  # place of the cell: its explorer
        for place, cell in enumerate(notebook.cells):
            for output in cell.get("outputs", ()):
                page = output.get("data", {}).get("text/html", "")
                if explorer := explorer_of(page, chapter):
                    shown[place] = (explorer, output)
        if self.positions and shown:
            for explorer, output in shown.values():
                output["data"]["text/html"] = moving(
                    explorer, ROOM // len(shown), self.positions
                )
            resources["player"] = player()
        cells = []
        for place, cell in enumerate(notebook.cells):
            cells.append(_told(cell))
            if place in shown:
                cells.append(note(about_explorer(shown[place][0])))
            if cell.cell_type == "code":
                cells += [note(about_prediction(name)) for name in ASKS.findall(cell.source)]
        notebook.cells = cells
        return notebook, resources


def note(words: str):
    """A cell that stands in the speaker's view only."""
    name = f"note-{hashlib.sha256(words.encode()).hexdigest()[:8]}"  # the same in each export
    metadata = {"slideshow": {"slide_type": "notes"}}
    return nbformat.v4.new_markdown_cell(words, metadata=metadata, id=name)


def _told(cell):
    """What a reader unfolds in trouble, a lecturer has in the speaker's view."""
    skipped = cell.metadata.get("slideshow", {}).get("slide_type") == "skip"
    trouble = TROUBLE.match(cell.source) if skipped and cell.cell_type == "markdown" else None
    return note(f"**{trouble[1].strip()}**\n\n{trouble[2].strip()}") if trouble else cell


def about_prediction(identity: str) -> str:
    """What to ask, and what to say to each answer."""
    asked = find(identity)
    words = {"low": "too low", "high": "too high", "close": "close"}
    said = (asked.options or words, asked.says)
    lines = [f"- *{said[0][key]}*: {reply}" for key, reply in said[1].items()]
    head = f"**Ask:** {asked.question} {LET_THEM}"
    return "\n".join([head, "", "**What goes wrong, and what to say to it:**", "", *lines])


def about_explorer(explorer) -> str:
    """What to ask, and what can be moved."""
    lines = [f"- {_move(control)}" for control in explorer.controls]
    return "\n".join([f"**Ask:** {explorer.question} {GUESS}", "", "**What moves:**", "", *lines])


def _move(control) -> str:
    if isinstance(control, Points):
        return f"{control.label}: drag them; with the keyboard, arrows, and N for the next"
    if isinstance(control, Text):
        return f"{control.label}: type, or choose one of {len(control.samples)} examples"
    ends = control.extremes()
    texts = [getattr(control, "text", str)(value) for value in ends]
    now = getattr(control, "text", str)(control.value)
    return f"{control.label}: {', '.join(texts)}; it begins at {now}"
