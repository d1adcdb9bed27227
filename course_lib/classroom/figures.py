"""One look for every figure of the course: the same colour means the same thing in every
chapter."""

import base64
import html
import io
import threading
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib
from matplotlib.figure import Figure
from PIL import Image

# Okabe and Ito's palette, which readers with colour-blindness can tell apart.
COLOURS = {
    "support": "#D55E00",  # what the learner may look at
    "query": "#0072B2",  # what it is judged on
    "before": "#8C8C8C",  # theta, before adaptation
    "after": "#009E73",  # phi, after adaptation
    "truth": "#222222",  # the task itself, which no learner sees
    "joint": "#CC79A7",  # one model trained on everything
    "theta": "#E69F00",  # the start that the outer loop moves
    "prototype": "#56B4E9",
    "chance": "#999999",
}

STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 11,
    "axes.titlesize": 11.5,
    "axes.labelsize": 11,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "lines.linewidth": 2.0,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.dpi": 100,
}


_STYLING = threading.RLock()


@contextmanager
def styled(**more):
    """The course's style while drawing, one thread at a time.

    JupyterLab answers sliders in a thread of their own while a cell may be drawing, and
    matplotlib's settings belong to the whole process: two that set and restore them at once would
    leave one's settings to everybody.
    """
    with _STYLING, matplotlib.rc_context({**STYLE, **more}):
        yield


@dataclass(frozen=True)
class Picture:
    """A figure with its alt text, as HTML that every viewer shows: JupyterLab, slides, GitHub,
    print."""

    png: bytes
    alt: str
    width: int

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.png).decode()
        return (
            f'<figure style="margin:0"><img alt="{html.escape(self.alt, quote=True)}" '
            f'width="{self.width}" '
            f'style="max-width:100%;height:auto;background:#fff;border-radius:6px" '
            f'src="data:image/png;base64,{data}"></figure>'
        )

    def __repr__(self) -> str:
        return f"Picture: {self.alt}"


def new_figure(width: float = 9.0, height: float = 3.4, mosaic=None, **options):
    """A figure in the course's style.

    Args:
        width, height: size in inches; 9 inches fill the page of a notebook.
        mosaic: as in ``matplotlib.figure.Figure.subplot_mosaic``; None for one pair of axes.
        options: passed on to ``subplot_mosaic``.

    Returns:
        (figure, axes): one ``Axes``, or a dictionary of them when there is a mosaic.
    """
    with styled():
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots() if mosaic is None else figure.subplot_mosaic(mosaic, **options)
    return figure, axes


def picture(figure: Figure, alt: str, density: int = 2) -> Picture:
    """Turn a figure into a `Picture`: twice the density for sharp screens, with alt text.

    Raises:
        ValueError: the alt text is missing or says next to nothing.
    """
    if len(alt.split()) < 5:
        raise ValueError(
            f"alt={alt!r}: say in a sentence what the figure shows, for a reader who cannot see it"
        )
    buffer, small = io.BytesIO(), io.BytesIO()
    with styled():
        figure.savefig(buffer, format="png", dpi=density * 100)
    Image.open(buffer).convert("RGB").quantize(256).save(
        small, "PNG", optimize=True
    )  # a third of the bytes
    return Picture(small.getvalue(), alt, width=int(figure.get_figwidth() * 100))
