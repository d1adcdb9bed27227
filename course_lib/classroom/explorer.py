"""Explorers: a pure function, a way to draw its result, and controls; this file gives them a face.

    Explorer(question=..., compute=..., draw=..., controls=[Slider(...), ...], number=..., alt=...)

The browser sends the state of the controls, one request at a time and always the newest; Python
answers each request with one picture. Tests need no browser: they call `compute` and `examine` for
every state of `extremes`.
"""

import base64
import gc
import html
import inspect
import io
import logging
import threading
import weakref
from itertools import product
from pathlib import Path

import numpy as np
import traitlets
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from course_lib import interrupts
from course_lib.classroom import quick
from course_lib.classroom.controls import Choice, Points, Slider, Text, Toggle
from course_lib.classroom.figures import styled
from course_lib.classroom.listening import Listening

__all__ = ["Choice", "Explorer", "Points", "Slider", "Text", "Toggle"]

HERE = Path(__file__).parent
DPI = 100  # one inch of a figure is 100 CSS pixels
# A fixed title height: matplotlib then need not search for one in each frame.
LIVE_STYLE = {
    "axes.titley": 1.0,
    "figure.constrained_layout.h_pad": 0.07,
    "figure.constrained_layout.w_pad": 0.07,
}
STATIC = "Run this cell in JupyterLab to move the sliders."
log = logging.getLogger(__name__)
LIMITS = {"width": (50, 10_000), "density": (0.1, 10)}  # of a picture, in CSS pixels and in times
_shown: dict = {}  # by question: the explorer that was shown last
# a million objects of torch and matplotlib stay anyway; looking through them again would hold up a
# frame now and then
gc.freeze()


class Explorer(Listening):
    """A picture that follows its controls.

    Args:
        question: what the reader finds out by moving the controls; the heading.
        compute: pure function of the controls, by name; returns any result.
        draw: ``draw(result, axes)`` into cleared axes: one ``Axes``, or a dictionary of them when
            there is a mosaic.
        controls: `Slider`, `Choice`, `Toggle`, `Points` and `Text`.
        number: ``number(result)``: the sentence under the picture.
        alt: ``alt(result)``: what the picture shows, for a reader who cannot see it.
        size: inches; 9 fill the page, and 3.8 or less in height leave the controls on the screen.
        mosaic: as in ``Figure.subplot_mosaic``; a single row is stacked where the page is narrow.
    """

    _esm = HERE / "explorer.js"
    _css = HERE / "explorer.css"
    heard = ("request",)
    spec = traitlets.Dict().tag(sync=True)
    request = traitlets.Dict().tag(
        sync=True, echo_update=False
    )  # browser to Python: the newest state wanted
    answer = traitlets.Dict().tag(sync=True)  # Python to browser: what the picture shows
    png = traitlets.CBytes().tag(sync=True)

    def __init__(
        self, question, compute, draw, controls, number, alt, size=(9.0, 3.6), mosaic=None
    ):
        self.question, self.compute, self.draw, self.controls = (
            question,
            compute,
            draw,
            list(controls),
        )
        self.number, self.alt, self.size, self.mosaic = number, alt, size, mosaic
        self._check()
        self.defaults = {control.name: control.value for control in self.controls}
        self.state = dict(self.defaults)
        self._canvases, self._first, self._lock = {}, None, threading.RLock()
        self._fit, self._frame = (round(size[0] * DPI), 2.0), 0
        specs = [
            {"name": c.name, "label": c.label, "value": c.pack(c.value), **c.spec()}
            for c in self.controls
        ]
        super().__init__(spec={"question": question, "controls": specs, "width": self._fit[0]})

    def _check(self):
        names = [control.name for control in self.controls]
        if len(set(names)) < len(names):
            raise ValueError(f"controls {names}: two have the same name; rename one")
        parameters = inspect.signature(self.compute).parameters.values()
        taken = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        needed = {p.name for p in parameters if p.name in taken and p.default is p.empty}
        if any(p.kind is p.VAR_KEYWORD for p in parameters):
            taken |= set(names)
        if missing := needed - set(names):
            raise ValueError(
                f"compute needs {sorted(missing)}: add a control of that name, or give a default "
                "value"
            )
        if unknown := set(names) - taken:
            raise ValueError(
                f"compute takes no {sorted(unknown)}: rename the control or the parameter"
            )
        known = {name for row in self.mosaic for name in row} if self.mosaic else {None}
        for control in self.controls:
            if isinstance(control, Points) and control.axes not in known:
                raise ValueError(
                    f"{control.name}: axes={control.axes!r} is not among the axes "
                    f"{sorted(map(str, known))}"
                )

    # What tests and chapters use

    def extremes(self):
        """Every combination of slider ends, choices and toggles; points as declared, in a corner,
        and spread out; texts as declared, empty, long without sense, and every sample."""
        names = [control.name for control in self.controls]
        for values in product(*(control.extremes() for control in self.controls)):
            yield dict(zip(names, values, strict=True))

    def picture(self, **state) -> bytes:
        """The picture of a state as PNG; controls that are not named stand at their defaults."""
        return self._draw(self.compute(**{**self.defaults, **state}), (self._fit[0], 1.0))[0]

    def look(self, state: dict, density: float = 1.0) -> tuple[bytes, str, str]:
        """What a reader meets in a state: the picture as PNG, the number line, the alt text."""
        result = self.compute(**{**self.defaults, **state})
        png = self._draw(result, (self._fit[0], density))[0]
        return png, self.number(result), self.alt(result)

    def show(self, **state):
        """Move the controls from code; those that are not named stay where they are."""
        packed = {c.name: c.pack(state.pop(c.name, self.state[c.name])) for c in self.controls}
        if state:
            raise ValueError(f"no control is named {sorted(state)}: there are {sorted(packed)}")
        self._answer({"values": packed})

    def examine(self, **state) -> list[str]:
        """What a reader would stumble over in this state, in sentences; an empty list is good."""
        result = self.compute(**{**self.defaults, **state})
        number, alt, found = self.number(result), self.alt(result), []
        if not number.strip() or "nan" in number.lower().split():
            found.append(f"the number under the picture says {number!r}")
        if len(alt.split()) < 5:
            found.append(f"the alt text says next to nothing: {alt!r}")
        for width in (self._fit[0], 480):
            self._draw(result, (width, 1.0))
            figure = self._canvas((width, 1.0))[0]
            for axes in figure.axes:
                box, page = axes.get_tightbbox(), figure.bbox
                over = max(page.x0 - box.x0, page.y0 - box.y0, box.x1 - page.x1, box.y1 - page.y1)
                if over > 1:
                    name = axes.get_label() or axes.get_title(loc="left") or axes.get_ylabel()
                    found.append(
                        f"at {width} pixels {over:.0f} pixels of axes {name!r} leave the picture"
                    )
        return found

    # Drawing

    def _canvas(self, fit):
        """The figure for a width and a density, laid out once, for the result at the defaults."""
        if fit not in self._canvases:
            if self._first is None:
                self._first = self.compute(**self.defaults)
            if len(self._canvases) > 3:
                self._canvases.pop(next(iter(self._canvases)))
            (width, density), (wide, high), mosaic = fit, self.size, self.mosaic
            if mosaic and len(mosaic) == 1 and width < 0.72 * wide * DPI:
                mosaic = [[name] for name in dict.fromkeys(mosaic[0])]
                high = max(high, 2.4 * len(mosaic))
            figure = Figure(figsize=(width / DPI, high), dpi=DPI * density, layout="constrained")
            FigureCanvasAgg(figure)
            axes = figure.subplot_mosaic(mosaic) if mosaic else figure.subplots()
            clear = {one: quick.prepare(one) for one in figure.axes}
            self.draw(self._first, axes)
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
            self._canvases[fit] = (
                figure,
                axes,
                clear,
                [one.get_position(original=True).bounds for one in clear],
            )
        return self._canvases[fit]

    def _draw(self, result, fit):
        """PNG bytes, and for each `Points` where its axes lie in the picture."""
        with styled(**LIVE_STYLE):
            figure, axes, clear, places = self._canvas(fit)
            for child in figure.get_children():
                if child is not figure.patch and child not in clear:
                    # what the last draw added to the figure: a line between axes, a second scale
                    child.remove()
            for make_new in clear.values():
                make_new()
            self.draw(result, axes)
            figure.canvas.draw()
            if places != [one.get_position(original=True).bounds for one in clear]:
                raise ValueError(
                    "draw moved its axes, as a colour bar does: give it room with "
                    "cax=axes.inset_axes([1.02, 0, 0.03, 1])"
                )
            png = quick.png(np.asarray(figure.canvas.buffer_rgba()))
            points = [control for control in self.controls if isinstance(control, Points)]
            return png, {c.name: _place(figure, axes[c.axes] if c.axes else axes) for c in points}

    # The browser

    @traitlets.observe("request")
    def _on_request(self, change):
        self._answer(self._cleaned(change["new"]))

    def _cleaned(self, request: dict) -> dict:
        """What a browser sent, without the parts that cannot be; a note says which were left."""
        kinds = {"values": dict, "touched": dict, "width": (int, float), "density": (int, float)}
        clean = {"serial": request.get("serial")}
        for name, kind in kinds.items():
            value = request.get(name)
            if value is None and name not in request:
                continue
            limits = LIMITS.get(name)
            good = isinstance(value, kind) and not isinstance(value, bool)
            if good and (limits is None or limits[0] <= value <= limits[1]):
                clean[name] = value
            else:
                log.warning("explorer %r: %s=%.80r is ignored", self.question, name, value)
        if any(not isinstance(move, int) for move in clean.get("touched", {}).values()):
            log.warning("explorer %r: touched=%.80r is ignored", self.question, clean["touched"])
            del clean["touched"]
        values = clean.pop("values", {})
        for control in self.controls:
            # a text that does not fit is the reader's own: they are told
            typed = isinstance(control, Text) and isinstance(values.get(control.name), str)
            if control.name in values and not typed:
                try:
                    control.unpack(values[control.name])
                except (ValueError, TypeError, OverflowError) as problem:
                    log.warning("explorer %r: %s; it is ignored", self.question, problem)
                    del values[control.name]
        return clean | {"values": values}

    def _answer(self, request):
        with self._lock, self.hold_sync():
            values = request.get("values", {})
            self._fit = (
                int(request.get("width", self._fit[0])),
                float(request.get("density", self._fit[1])),
            )
            answer = {**self.answer, "serial": request.get("serial"), "error": "", "number": ""}
            try:
                self.state = {
                    c.name: c.unpack(values.get(c.name, c.pack(self.state[c.name])))
                    for c in self.controls
                }
                result = self.compute(**self.state)
                self.png, places = self._draw(result, self._fit)
                self._frame += 1
                answer |= {
                    "frame": self._frame,
                    "places": places,
                    "number": self.number(result),
                    "alt": self.alt(result),
                }
                answer |= {"width": self._fit[0], "density": self._fit[1]}
            except Exception as problem:
                interrupts.let_through(problem)
                log.exception("explorer %r failed at %r", self.question, values or self.state)
                answer["error"] = (
                    f"Python could not compute this setting ({type(problem).__name__}: {problem})."
                )
            self.answer = answer | {
                "values": {
                    control.name: control.pack(self.state[control.name])
                    for control in self.controls
                }
            }

    def _repr_mimebundle_(self, **kwargs):
        self._let_others_go()
        if not self.answer:
            self._answer({})
        data, metadata = super()._repr_mimebundle_(**kwargs)
        data["text/plain"] = f"{self.question} {self.answer['number']} ({STATIC})"
        data["text/html"] = self._static()
        return data, metadata

    def _let_others_go(self) -> None:
        """A cell that runs again shows a new explorer, and Jupyter keeps the old one for good: its
        canvases go. Should it be moved once more, it draws them anew."""
        older = _shown.get(self.question)
        older = older and older()
        if older is not None and older is not self:
            with older._lock:
                older._canvases.clear()
                older._first = None
        _shown[self.question] = weakref.ref(self)

    def _static(self) -> str:
        """For viewers without a kernel: the picture as it stands, in few bytes."""
        buffer = io.BytesIO()
        if self.png:
            Image.open(io.BytesIO(self.png)).convert("RGB").quantize(256).save(
                buffer, "PNG", optimize=True
            )
        data, escape = base64.b64encode(buffer.getvalue()).decode(), html.escape
        return (
            "<figure "
            f'style="margin:0"><figcaption><strong>{escape(self.question)}</strong></figcaption>'
            f'<img alt="{escape(self.answer.get("alt", ""))}" width="{self._fit[0]}" '
            f'src="data:image/png;base64,{data}" '
            f'style="max-width:100%;height:auto;background:#fff;border-radius:6px">'
            f"<p>{escape(self.answer['number'] or self.answer['error'])}</p>"
            f"<p><em>{STATIC}</em></p></figure>"
        )


def _place(figure, axes) -> dict:
    """Where axes lie in the picture, in fractions from its top left corner, and what they span."""
    box, page = axes.bbox, figure.bbox
    return {
        "box": [
            box.x0 / page.width,
            1 - box.y1 / page.height,
            box.x1 / page.width,
            1 - box.y0 / page.height,
        ],
        "x": [*map(float, axes.get_xlim()), axes.get_xscale() == "log"],
        "y": [*map(float, axes.get_ylim()), axes.get_yscale() == "log"],
    }
