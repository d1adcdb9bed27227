"""Explorers that move without a kernel: in the offline slides and on the web.

    page = moving(explorer) + player()      # the player once a page, after the explorers

Each control is drawn beforehand along its positions while the others stand at their start, and a
small player shows these pictures. Without JavaScript the start stays there as a still picture.
"""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, util
from pathlib import Path

from PIL import Image

from course_lib.classroom.controls import Choice, Points, Slider, Text, Toggle

HERE = Path(__file__).parent
POSITIONS = 12  # of a control, drawn beforehand
MOST = 900_000  # bytes of HTML for one explorer
DENSITIES = (2.0, 1.5, 1.25, 1.0)  # pixels in a CSS pixel; the first that fits is taken
GROWTH = 0.9  # bytes of a picture grow like its density to this power, at least
ONE_AT_A_TIME = "Here one control moves at a time, and the others stand at their start."
DRAG = "The points are dragged"
TYPE = "Your own text is typed"


@dataclass(frozen=True)
class Frame:
    """A picture as WebP, the number line under it, and what it shows."""

    webp: bytes
    number: str
    alt: str


@dataclass(frozen=True)
class Track:
    """One control and its positions.

    Args:
        kind: "slider", "choice" or "toggle": how the player shows it.
        texts: what is said at each position.
        start: the position where everything begins.
        frames: for each position, the place of its frame.
    """

    name: str
    label: str
    kind: str
    texts: tuple[str, ...]
    start: int
    frames: tuple[int, ...]


@dataclass(frozen=True)
class Frames:
    """All pictures of an explorer; the first is its start."""

    tracks: tuple[Track, ...]
    frames: tuple[Frame, ...]
    density: float


def positions(control, most: int = POSITIONS) -> list[tuple[object, str]]:
    """The values of a control that are drawn, with their words: a slider at ``most`` places at
    least its ends and its start among them; a text at its samples; points nowhere."""
    if isinstance(control, Slider):
        last, start = len(control.values) - 1, control.values.index(control.value)
        steps = min(most, last + 1) - 1
        places = sorted({round(i * last / steps) for i in range(steps + 1)})
        if start not in places:  # the start takes the place of its nearest neighbour
            inner = places[1:-1] or places
            places.remove(min(inner, key=lambda place: abs(place - start)))
            places = sorted({*places, start, 0, last})
        return [(control.values[place], control.text(control.values[place])) for place in places]
    if isinstance(control, Choice):
        return [(option, str(option)) for option in control.options]
    if isinstance(control, Toggle):
        return [(False, "no"), (True, "yes")]
    if isinstance(control, Text):
        shown = dict.fromkeys([control.value, *(text for _, text in control.samples)])
        titles = {text: title for title, text in control.samples}
        return [(text, titles.get(text, "as at the start")) for text in shown]
    return [(control.value, "as at the start")]


def draw_frames(explorer, most: int = MOST, positions_each: int = POSITIONS) -> Frames:
    """The frames along each control: first as many as asked for, then as sharp as ``most`` bytes
    of HTML allow."""
    looks = [(density, positions_each) for density in DENSITIES]
    looks += [(DENSITIES[-1], max(2, positions_each * part // 12)) for part in (8, 5, 2)]
    ends = [
        {control.name: value}
        for control in explorer.controls
        for value, _ in positions(control, 2)
        if value != control.value
    ]
    sizes = [len(_webp(explorer.look(state, DENSITIES[-1])[0])) for state in [{}, *ends]]
    for density, each in looks:
        count = 1 + sum(len(positions(control, each)) - 1 for control in explorer.controls)
        expected = 4 / 3 * count * sum(sizes) / len(sizes) * density**GROWTH
        if expected < most and (drawn := _drawn(explorer, density, each, most)):
            return drawn
    return _drawn(explorer, DENSITIES[-1], 2, None)


def _drawn(explorer, density: float, each: int, most: int | None) -> Frames | None:
    """The frames at one sharpness; None when they are more than ``most`` bytes."""
    frames, tracks, left = [], [], most

    def frame(state) -> bool:
        nonlocal left
        png, number, alt = explorer.look(state, density)
        frames.append(Frame(_webp(png), number, alt))
        if left is not None:  # base64 needs four letters for three bytes
            left -= 4 * len(frames[-1].webp) // 3 + len((number + alt).encode()) + 40
        return left is None or left > 0

    if not frame({}):
        return None
    for control in explorer.controls:
        found, places = positions(control, each), []
        if len(found) < 2:
            continue
        for value, _ in found:
            places.append(0 if value == control.value else len(frames))
            if places[-1] and not frame({control.name: value}):
                return None
        kind = {Slider: "slider", Toggle: "toggle"}.get(type(control), "choice")
        texts, start = tuple(words for _, words in found), places.index(0)
        tracks.append(Track(control.name, control.label, kind, texts, start, tuple(places)))
    return Frames(tuple(tracks), tuple(frames), density)


def moving(
    explorer,
    most: int = MOST,
    positions_each: int = POSITIONS,
    put: Callable[[bytes], str] | None = None,
) -> str:
    """An explorer as HTML that moves without a kernel, wherever `player` stands on the page too.

    Args:
        most: bytes of HTML, about; pictures lose sharpness until they fit.
        positions_each: of a control, at most; at least 2.
        put: stores a picture (WebP) and returns its address; data addresses unless told.
    """
    drawn = draw_frames(explorer, most, positions_each)
    put = put or _data
    shown = [{"src": put(one.webp), "number": one.number, "alt": one.alt} for one in drawn.frames]
    first = drawn.frames[0]
    escape, source = html.escape, shown[0].pop("src")  # it stands in the page already
    data = {"tracks": [vars(track) for track in drawn.tracks], "frames": shown}
    written = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    width = explorer.spec["width"]
    return (
        f'<figure class="course-moving" style="max-width:{width}px">'
        f"<figcaption><strong>{escape(explorer.question)}</strong></figcaption>"
        f'<img alt="{escape(first.alt)}" width="{width}" src="{source}" '
        'style="max-width:100%;height:auto;background:#fff;border-radius:6px">'
        f'<p class="course-moving-number">{escape(first.number)}</p>'
        f'<p class="course-moving-how"><em>{escape(_how(explorer))}</em></p>'
        f'<script type="application/json">{written}</script></figure>'
    )


def player() -> str:
    """The style and the script that move every `moving` explorer of a page; once a page."""
    style, script = ((HERE / f"frames.{kind}").read_text("utf-8") for kind in ("css", "js"))
    return f"<style>\n{style}</style>\n<script>\n{script}</script>\n"


def explorer_of(page: str, chapter: str):
    """The explorer whose still picture a cell of a chapter shows, or None.

    It is found by its question and by its number line: an explorer that the notebook made from its
    own variables says other numbers, and its picture stays as it is.

    Args:
        page: the HTML output of the cell.
        chapter: "03".
    """
    name = f"course_lib.chapters.ch{chapter}"
    if not (chapter.isdigit() and util.find_spec(name) and "<figcaption>" in page):
        return None
    for make in getattr(import_module(f"{name}.explorers"), "EXPLORERS", ()):
        explorer = make()
        if html.escape(explorer.question) not in page:
            continue
        if html.escape(explorer.number(explorer.compute(**explorer.defaults))) in page:
            return explorer
    return None


def _how(explorer) -> str:
    """What cannot be done here, and where it can."""
    kinds = {type(control) for control in explorer.controls}
    away = [words for kind, words in ((Points, DRAG), (Text, TYPE)) if kind in kinds]
    if not away:
        return f"{ONE_AT_A_TIME} In JupyterLab all of them move."
    return f"{ONE_AT_A_TIME} {' and '.join([away[0], *map(str.lower, away[1:])])} in JupyterLab."


def _webp(png: bytes) -> bytes:
    """A picture in few bytes and without loss but for its colours, of which 64 stay."""
    small, picture = io.BytesIO(), Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(64, dither=Image.Dither.NONE).convert("RGB").save(
        small, "WEBP", lossless=True, quality=60, method=3
    )
    return small.getvalue()


def _data(webp: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(webp).decode()}"
