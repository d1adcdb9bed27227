"""Words with coloured backgrounds: where a model looks in a text, or how much each of its words
counts."""

from dataclasses import dataclass
from functools import lru_cache

from matplotlib.backends.backend_agg import get_hinting_flag
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.font_manager import FontProperties, findfont, get_font

from course_lib.classroom.figures import COLOURS
from course_lib.classroom.quick import write

FONT = "DejaVu Sans Mono"  # comes with matplotlib: every letter has the same width
LEADING = 1.5  # distance of two lines, as a share of the size
SMALLEST = 6.0


@dataclass(frozen=True)
class Token:
    """A word to draw: its background grows with ``weight`` from -1 (blue) over 0 (none) to 1
    (orange); ``mark`` draws a frame around it."""

    text: str
    weight: float = 0.0
    mark: str = ""


@lru_cache
def _font():
    return get_font(findfont(FontProperties(family=FONT)))


@lru_cache
def _advance(size: float, dpi: float) -> float:
    """Width of a letter in points, in the pixels that it gets."""
    font = _font()
    font.set_size(size, dpi)
    font.set_text("m" * 40, 0.0, flags=get_hinting_flag())
    return font.get_width_height()[0] / 64 / 40 * 72 / dpi


@lru_cache(maxsize=4096)
def _has_shape(letter: str) -> bool:
    return letter.isprintable() and _font().get_char_index(ord(letter)) > 0


def drawable(text: str) -> str:
    """The text with a box in place of each character that the fonts of the pictures do not have."""
    return "".join(letter if _has_shape(letter) else "\N{WHITE SQUARE}" for letter in text)


def wrap(lines, columns: int) -> list[tuple[int, list[tuple[int, Token]]]]:
    """Rows of at most that many letters: the number of the line each belongs to, and its tokens
    with the columns where they start.

    A token that is longer than a row is cut, with an ellipsis. What does not fit in a row goes on
    in the next, two columns to the right.
    """
    rows = []
    for number, line in enumerate(lines):
        row, at = [], 0
        for token in line:
            width = min(len(token.text), columns - 2)
            if row and at + width > columns:
                rows.append((number, row))
                row, at = [], 2
            row.append(
                (
                    at,
                    token
                    if len(token.text) <= width
                    else Token(token.text[: width - 1] + "…", token.weight, token.mark),
                )
            )
            at += width + 1
        rows.append((number, row))
    return rows


def draw_tokens(axes, lines, notes=None, largest: float = 12.0) -> None:
    """Draw lines of `Token` in letters of one width, as large as fits; when even small letters do
    not, the first lines are left out, and it says so.

    Args:
        axes: everything but their title is hidden.
        lines: a list of tokens for each line.
        notes: for each line a word to stand behind it, such as "34 %".
        largest: size of the letters in points.
    """
    points = 72 / axes.figure.dpi
    wide, high = axes.bbox.width * points, axes.bbox.height * points
    margin = max(map(len, notes), default=0) + 1 if notes else 0
    size = largest
    while True:
        width = _advance(size, axes.figure.dpi)
        rows = wrap(lines, max(8, int(wide / width) - margin))
        room = int(high / (LEADING * size))
        if len(rows) <= room or size <= SMALLEST:
            break
        size = max(SMALLEST, size - 0.5)
    if len(rows) > room:
        left_out = len(rows) - room + 1
        rows = [(-1, [(0, Token(f"… {left_out} rows above"))]), *rows[left_out:]]
    boxes, faces, edges = [], [], []
    end = (
        max((at + len(token.text) for _, row in rows for at, token in row), default=0) + margin
    )  # where the notes end
    for place, (number, row) in enumerate(rows):
        top, text = place * LEADING * size, ""
        for at, token in row:
            text = text.ljust(at) + drawable(token.text)
            if token.weight or token.mark:
                left, right = (at - 0.25) * width, (at + len(token.text) + 0.25) * width
                boxes.append(
                    [
                        (left, top),
                        (right, top),
                        (right, top + 1.36 * size),
                        (left, top + 1.36 * size),
                    ]
                )
                faces.append(
                    to_rgba(
                        COLOURS["theta" if token.weight > 0 else "prototype"],
                        min(1.0, abs(token.weight)),
                    )
                )
                edges.append(to_rgba(token.mark or "white", 1.0 if token.mark else 0.0))
        first = number >= 0 and (place == 0 or rows[place - 1][0] != number)
        for x, words, side in (
            (0, text, "left"),
            (end * width, notes[number] if notes and first else "", "right"),
        ):
            if words.strip():
                write(
                    axes,
                    x,
                    top + size,
                    words,
                    ha=side,
                    va="baseline",
                    size=size,
                    family=FONT,
                    color=COLOURS["truth"],
                )
    if boxes:
        axes.add_collection(
            PolyCollection(boxes, facecolors=faces, edgecolors=edges, linewidths=1.2), autolim=False
        )
    axes.set(xlim=(0, wide), ylim=(high, 0))
    axes.set_axis_off()
