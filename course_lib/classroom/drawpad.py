"""A draw pad: a row of papers for mouse, finger or pen. Python gets 28 x 28 pictures as its
networks know them, and answers live.

    pad = DrawPad(["one", "other"], hand_drawn, on_change=lambda pad: f"{distance(*pad.pictures)}")

The browser sends strokes, one request at a time and always the newest. The pad knows no family of
pictures: whoever makes it brings the pen that renders them.
"""

import html
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
import traitlets
from torch import Tensor

from course_lib import interrupts
from course_lib.classroom.figures import COLOURS, new_figure, picture
from course_lib.classroom.listening import Listening

HERE = Path(__file__).parent
STATIC = "Run this cell in JupyterLab to draw."
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Said:
    """What `on_change` may answer besides a plain sentence.

    Args:
        text: the sentence under the papers.
        bars: for papers, by name: (length between 0 and 1, words beside it).
        best: the name of the paper to mark.
    """

    text: str
    bars: dict[str, tuple[float, str]] = field(default_factory=dict)
    best: str | None = None


class DrawPad(Listening):
    """Papers to draw on, beside each the picture that a network sees.

    Args:
        names: one for each paper.
        pen: what turns strokes into pictures, an object with ``clean(strokes)``,
            ``render(strokes)`` -> (28, 28) and ``SHAPES``, ready-made
            strokes by name: `course_lib.families.hand_drawn`.
        on_change: called with the pad when something was drawn and no paper is empty; returns a
            sentence or `Said`. Keep it under 100 ms.
        question: the heading.
        start: ready-made strokes by name, shown until the reader draws over them, so that nothing
            is empty in a fresh notebook.
        colours: by name, a key of `COLOURS` for the frame, such as "support" or "query".
        size: of a paper, in CSS pixels.

    Raises:
        ValueError: names are missing or twice the same, or start and colours name no paper.
    """

    _esm = HERE / "drawpad.js"
    _css = HERE / "drawpad.css"
    heard = ("request",)
    spec = traitlets.Dict().tag(sync=True)
    request = traitlets.Dict().tag(
        sync=True, echo_update=False
    )  # browser to Python: the newest strokes
    answer = traitlets.Dict().tag(
        sync=True
    )  # Python to browser: the strokes it has seen, and what it says
    pixels = traitlets.CBytes().tag(sync=True)  # 28 x 28 bytes a paper, 255 is ink

    def __init__(
        self,
        names,
        pen,
        on_change: Callable | None = None,
        *,
        question="Draw on the papers",
        start=None,
        colours=None,
        size=None,
    ):
        self.names, self.on_change, self.question = tuple(map(str, names)), on_change, question
        self.pen = pen
        start, colours = dict(start or {}), dict(colours or {})
        if not self.names or len(set(self.names)) < len(self.names):
            raise ValueError(f"names={list(names)}: give each paper a name of its own")
        if unknown := (start.keys() | colours.keys()) - set(self.names):
            raise ValueError(f"no paper is named {sorted(unknown)}: there are {list(self.names)}")
        if unknown := set(colours.values()) - COLOURS.keys():
            raise ValueError(f"no colour is named {sorted(unknown)}: choose from {sorted(COLOURS)}")
        self._lock = threading.RLock()
        self._papers = {name: pen.clean(start.get(name, [])) for name in self.names}
        self._ready = {name for name in self.names if start.get(name)}
        self._seen = {}
        frames = [COLOURS.get(colours.get(name)) for name in self.names]
        size = size or (200 if len(self.names) < 4 else 128)
        super().__init__(
            spec={
                "question": question,
                "names": list(self.names),
                "frames": frames,
                "size": size,
                "shapes": pen.SHAPES,
            }
        )
        self._tell()

    # What notebooks and tests use

    @property
    def strokes(self) -> dict[str, list]:
        """The drawing on each paper: a list of strokes, each a list of (x, y) between 0 and 1, y
        down."""
        return {
            name: [list(stroke) for stroke in strokes] for name, strokes in self._papers.items()
        }

    @property
    def pictures(self) -> Tensor:
        """What a network sees of the papers, in their order: (n, 1, 28, 28), ink 1 on paper 0."""
        return torch.stack([self._picture(name) for name in self.names])[:, None]

    def draw(self, name: str, strokes) -> None:
        """Draw on a paper from code, as a reader would with the mouse; what was on it goes.

        Raises:
            ValueError: there is no such paper, or these are no strokes.
        """
        if name not in self._papers:
            raise ValueError(f"no paper is named {name!r}: there are {list(self.names)}")
        with self._lock:
            self._papers[name] = self.pen.clean(strokes)
            self._ready.discard(name)
            self._tell()

    def clear(self, name: str) -> None:
        """Leave a paper empty."""
        self.draw(name, [])

    # Between browser and Python

    @traitlets.observe("request")
    def _on_request(self, change):
        with self._lock:
            try:
                papers = change["new"]["papers"]
                self._papers = {
                    name: self.pen.clean(paper["strokes"])
                    for name, paper in zip(self.names, papers, strict=True)
                }
                self._ready = {
                    name for name, paper in zip(self.names, papers, strict=True) if paper["ready"]
                }
                problem = None
            except (KeyError, TypeError, ValueError) as error:
                log.exception("draw pad %r got strokes it cannot use", self.question)
                problem = error
            self._tell(change["new"].get("serial"), problem)

    def _tell(self, serial=None, problem=None) -> None:
        """Render, ask `on_change`, and send everything to the browser at once."""
        said = Said("")
        if empty := [name for name in self.names if not self._papers[name]]:
            said = Said(f"Still empty: {', '.join(empty)}.")
        elif self.on_change is not None:
            try:
                said = self.on_change(self)
                said = said if isinstance(said, Said) else Said(str(said))
                if unknown := (said.bars.keys() | {said.best} - {None}) - set(self.names):
                    raise ValueError(
                        f"on_change speaks of papers {sorted(unknown)}; there are "
                        f"{list(self.names)}"
                    )
            except Exception as error:
                interrupts.let_through(error)
                log.exception("draw pad %r: on_change failed", self.question)
                said, problem = Said(""), error
        self.said = said
        papers = [
            {"strokes": self._papers[name], "ready": name in self._ready} for name in self.names
        ]
        bars = {
            name: [min(max(float(length), 0.0), 1.0), words]
            for name, (length, words) in said.bars.items()
        }
        told = f"Python could not answer ({type(problem).__name__}: {problem})." if problem else ""
        with self.hold_sync():
            self.pixels = (255 * self.pictures).round().byte().numpy().tobytes()
            self.answer = {
                "serial": serial,
                "papers": papers,
                "text": said.text,
                "bars": bars,
                "best": said.best,
                "error": told,
            }

    def _picture(self, name: str) -> Tensor:
        """Rendered once for each drawing."""
        key, strokes = str(self._papers[name]), self._papers[name]
        if self._seen.get(name, ("",))[0] != key:
            self._seen[name] = key, self.pen.render(strokes)
        return self._seen[name][1]

    # Without a kernel

    def _repr_mimebundle_(self, **kwargs):
        data, metadata = super()._repr_mimebundle_(**kwargs)
        data["text/plain"] = f"{self.question} {self.answer['text']} ({STATIC})"
        data["text/html"] = self._static()
        return data, metadata

    def _static(self) -> str:
        """The pictures as they stand, and what was said of them."""
        count, escape = len(self.names), html.escape
        figure, axes = new_figure(min(9.0, 1.5 * count), 1.8)
        for place, (name, image) in enumerate(zip(self.names, self.pictures[:, 0], strict=True)):
            axes.imshow(
                1 - image.numpy(),
                cmap="gray",
                vmin=0,
                vmax=1,
                extent=(1.1 * place, 1.1 * place + 1, 1, 0),
            )
            axes.text(
                1.1 * place + 0.5,
                1.05,
                f"{name}\n{self.said.bars.get(name, ('', ''))[1]}",
                ha="center",
                va="top",
                fontsize=10,
            )
        axes.set(xlim=(-0.05, 1.1 * count - 0.05), ylim=(1.45, -0.02))
        axes.set_axis_off()
        axes.set_aspect("equal")
        shown = picture(
            figure,
            (
                f"{count} drawings of {image.shape[1]} by {image.shape[0]} pixels, ink on white "
                f"paper: {', '.join(self.names)}."
            ),
        )
        said = f"<p>{escape(self.answer['text'] or self.answer['error'])}</p>"
        head, foot = f"<p><strong>{escape(self.question)}</strong></p>", f"<p><em>{STATIC}</em></p>"
        return f"{head}{shown._repr_html_()}{said}{foot}"
