"""Ways to draw the same picture sooner. Explorers use them; nothing else needs them.

Most of a frame's time goes into axes and legends that did not change, and into packing the picture.
`tests/test_quick.py` holds that the picture stays the same.
"""

import struct
import zlib
from collections import OrderedDict

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.collections import Collection
from matplotlib.legend import _parse_legend_args
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text


def png(pixels: np.ndarray) -> bytes:
    """An opaque picture of (rows, columns, 4) bytes as PNG: each row as its difference from the one
    above, packed lightly."""
    rows, columns, channels = pixels.shape
    flat = pixels.reshape(rows, columns * channels)
    lines = np.empty((rows, columns * channels + 1), np.uint8)
    lines[:, 0] = 2  # "up": the filter of this name in the PNG standard
    lines[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=lines[1:, 1:])
    head = struct.pack(">IIBBBBB", columns, rows, 8, 6, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(lines, 1)), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def prepare(axes):
    """Let new axes remember how they look. Returns the function that clears them.

    It leaves them as they are now: ``axes.clear()`` alone keeps the aspect, what was hidden or
    moved, and how ticks look. One thing is asked of a draw function: what it changes on the legend
    that ``axes.legend`` returns, it changes in each frame.
    """
    both = [axes.xaxis, axes.yaxis]
    ticks = [(dict(axis._major_tick_kw), dict(axis._minor_tick_kw)) for axis in both]
    for axis in both:
        _make_ticks_late(axis)
        _remember(axis)
    _keep_legend(axes)

    def clear():
        moved = _moved_spines(axes)
        for axis, (major, minor) in zip(both, ticks, strict=True):
            axis._major_tick_kw, axis._minor_tick_kw = dict(major), dict(minor)
            axis._autolabelpos = True
            axis.set_visible(True)
        axes.clear()
        axes.set_aspect("auto", anchor="C")
        for spine in moved:
            spine.set_position(("outward", 0.0))

    return clear


def _make_ticks_late(axis) -> None:
    """Ticks are made when one is needed. Clearing axes alone makes them again ten times, and
    drawing from memory needs none."""
    make = axis._get_tick

    def make_and_clip(major):
        tick = make(major)
        tick.set_clip_path(axis.axes.patch)
        return tick

    def clip_what_exists(path, transform=None):
        Artist.set_clip_path(axis, path, transform)
        for tick in (*vars(axis).get("majorTicks", ()), *vars(axis).get("minorTicks", ())):
            tick.set_clip_path(path, transform)

    style = axis.set_tick_params

    def style_what_exists(*args, **kwargs):
        missing = {"majorTicks", "minorTicks"} - vars(axis).keys()
        vars(axis).update(
            (ticks, []) for ticks in missing
        )  # ticks made later take the new style anyway
        try:
            style(*args, **kwargs)
        finally:
            for ticks in missing:
                vars(axis).pop(ticks, None)

    axis._get_tick, axis.set_clip_path, axis.set_tick_params = (
        make_and_clip,
        clip_what_exists,
        style_what_exists,
    )


def _remember(artist, look=None) -> None:
    """From now on draw this artist (an axis with ticks, labels and grid; a legend) from memory
    while it would look the same.

    Where it cannot be told what it looks like (``look`` gives None), it is drawn as always.
    """
    draw, memory, look = artist.draw, {"look": None}, look or (lambda: _look(artist))

    def draw_or_recall(renderer):
        now = look()
        if now is None or not artist.get_visible():
            draw(renderer)
            return
        if now != memory["look"]:
            layer = RendererAgg(renderer.width, renderer.height, renderer.dpi)
            draw(layer)
            pixels = np.asarray(layer.buffer_rgba())[
                ::-1
            ]  # images are drawn from the bottom row up
            rows, columns = (np.flatnonzero(pixels[..., 3].any(axis=way)) for way in (1, 0))
            if not len(rows):
                return
            bottom, left = rows[0], columns[0]
            image = np.ascontiguousarray(pixels[bottom : rows[-1] + 1, left : columns[-1] + 1])
            memory.update(look=now, place=(left, bottom), image=image)
        renderer.draw_image(renderer.new_gc(), *memory["place"], memory["image"])

    artist.draw = draw_or_recall


def _keep_legend(axes) -> None:
    """From now on ``axes.legend`` gives the last legend again while a new one would look the same,
    and draws it from memory."""
    make, memory = axes.legend, {"look": None}

    def make_or_keep(*args, **kwargs):
        look = _legend_look(axes, *args, **kwargs)
        if look is not None and look == memory["look"]:
            axes.legend_ = memory["legend"]
            return axes.legend_
        legend = make(*args, **kwargs)
        if look is not None:
            memory.update(look=look, legend=legend)
            _remember(legend, lambda: axes.bbox.bounds)
        return legend

    axes.legend = make_or_keep


def _legend_look(axes, *args, **kwargs):
    """Everything that a new legend's appearance depends on; None when that cannot be listed, or its
    place depends on the data."""
    handles, labels, kwargs = _parse_legend_args([axes], *args, **kwargs)
    looks = [_handle_look(handle) for handle in handles]
    if kwargs.get("loc", "best") == "best" or None in looks:
        return None
    return tuple(labels), tuple(looks), repr(sorted(kwargs.items()))


def _handle_look(handle):
    """What a legend shows of a line, a patch or a collection; None for anything else."""
    if isinstance(handle, Line2D):
        names = (
            "color",
            "linestyle",
            "linewidth",
            "marker",
            "markersize",
            "markerfacecolor",
            "markeredgecolor",
            "markeredgewidth",
        )
        names += ("fillstyle", "gapcolor", "drawstyle", "alpha", "visible")
        return repr([getattr(handle, f"get_{name}")() for name in names] + [handle._dash_pattern])
    if isinstance(handle, Patch):
        return repr(
            [
                getattr(handle, f"get_{name}")()
                for name in (
                    "facecolor",
                    "edgecolor",
                    "linewidth",
                    "linestyle",
                    "alpha",
                    "hatch",
                    "fill",
                )
            ]
        )
    if isinstance(handle, Collection):
        names = ("facecolor", "edgecolor", "linewidth", "linestyle", "alpha", "hatch")
        shapes = (
            [path.vertices.tolist() for path in handle.get_paths()[:1]]
            if hasattr(handle, "get_sizes")
            else []
        )
        sizes = handle.get_sizes().tolist() if hasattr(handle, "get_sizes") else []
        return repr(
            [type(handle).__name__, shapes, sizes]
            + [
                np.asarray(getattr(handle, f"get_{name}")(), dtype=object).tolist()
                for name in names
            ]
        )
    return None


def _moved_spines(axes) -> list:
    return [
        spine for spine in axes.spines.values() if spine._position not in (None, ("outward", 0.0))
    ]


def _look(axis):
    """Everything that an axis's appearance depends on; None when that cannot be listed."""
    by_hand = any(len(vars(axis).get(ticks, ())) > 1 for ticks in ("majorTicks", "minorTicks"))
    if by_hand or _moved_spines(axis.axes) or not axis._autolabelpos:
        return None
    major, minor, label = axis.get_majorticklocs(), axis.get_minorticklocs(), axis.label
    return (
        axis.axes.bbox.bounds,
        tuple(axis.get_view_interval()),
        axis.get_scale(),
        tuple(major),
        tuple(minor),
        tuple(axis.major.formatter.format_ticks(major)),
        tuple(axis.minor.formatter.format_ticks(minor)),
        axis.major.formatter.get_offset(),
        repr(axis._major_tick_kw),
        repr(axis._minor_tick_kw),
        (axis.labelpad, axis.get_label_position(), repr(axis.offsetText.get_color())),
        (
            label.get_text(),
            repr(label.get_color()),
            label.get_size(),
            label.get_weight(),
            label.get_style(),
        ),
        (
            label.get_rotation(),
            label.get_visible(),
            label.get_alpha(),
            label.get_ha(),
            label.get_va(),
        ),
    )


def write(axes, x: float, y: float, words: str, **look) -> Text:
    """As ``axes.text``, for words that come again in the next frames: each is drawn once, at whole
    pixels, and copied from then on.

    Dollar signs are dollar signs. The words stand upright, and are not cut at the edge of the axes.
    """
    return axes.add_artist(
        _KeptText(x, y, words, transform=axes.transData, parse_math=False, **look)
    )


class _KeptText(Text):
    """See `write`."""

    memory: OrderedDict = OrderedDict()
    most = 1000

    def draw(self, renderer):
        if not self.get_visible() or not self.get_text().strip():
            return
        x, y = self.get_transform().transform(self.get_unitless_position()).round().astype(int)
        font, place = self.get_fontproperties(), (self.get_ha(), self.get_va())
        look = (
            self.get_text(),
            hash(font),
            repr(self.get_color()),
            self.get_alpha(),
            place,
            renderer.dpi,
        )
        if look not in self.memory:
            plain = Text(
                0,
                0,
                self.get_text(),
                fontproperties=font,
                color=self.get_color(),
                alpha=self.get_alpha(),
                parse_math=False,
            )
            plain.set(ha=place[0], va=place[1], figure=self.get_figure(root=True))
            box = plain.get_window_extent(renderer)
            left, bottom = (
                int(box.x0) - 3,
                int(box.y0) - 3,
            )  # some room for letters that lean out of their box
            layer = RendererAgg(int(box.x1) + 3 - left, int(box.y1) + 3 - bottom, renderer.dpi)
            plain.set_position((-left, -bottom))
            plain.draw(layer)
            self.memory[look] = (
                left,
                bottom,
                np.ascontiguousarray(np.asarray(layer.buffer_rgba())[::-1]),
            )
            if len(self.memory) > self.most:
                self.memory.popitem(last=False)
        left, bottom, image = self.memory[look]
        renderer.draw_image(renderer.new_gc(), x + left, y + bottom, image)
        self.stale = False
