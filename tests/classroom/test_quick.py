"""The quick way to draw gives the picture that matplotlib's own way gives."""

import io
import random

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from course_lib.classroom import quick
from course_lib.classroom.figures import STYLE


def test_png_is_read_back_exactly():
    pixels = np.random.default_rng(0).integers(0, 256, (37, 53, 4), dtype=np.uint8)
    image = Image.open(io.BytesIO(quick.png(pixels)))
    image.load()
    assert image.mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(image), pixels)


def legend(axes, label, **look):
    axes.lines[0].set(label=label, **look)
    axes.legend(loc="lower left")


# What a draw function may do to its axes; each is drawn after each other one, from memory and
# plainly.
HABITS = {
    "plain": lambda axes: axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="x"),
    "same limits, other label": lambda axes: axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="another"),
    "other limits": lambda axes: axes.set(xlim=(-2, 3), ylim=(0, 700)),
    "upside down": lambda axes: axes.set(xlim=(0, 1), ylim=(1, 0), xlabel="x"),
    "logarithmic": lambda axes: axes.set(xlim=(0, 1), ylim=(1e-4, 1), yscale="log"),
    "no grid": lambda axes: axes.grid(False),
    "small ticks": lambda axes: axes.tick_params(labelsize=6, colors="red"),
    "no ticks": lambda axes: axes.set(xticks=[], yticks=[]),
    "named ticks": lambda axes: axes.set_xticks([0, 0.5, 1], ["one", "two", "three"]),
    "turned tick labels": lambda axes: [label.set_rotation(40) for label in axes.get_xticklabels()],
    "coloured label": lambda axes: axes.set_xlabel("x", color="green", size=8),
    "moved label": lambda axes: (axes.set_xlabel("x"), axes.xaxis.set_label_coords(0.2, -0.1)),
    "label above": lambda axes: (axes.set_xlabel("x"), axes.xaxis.set_label_position("top")),
    "moved spine": lambda axes: axes.spines["bottom"].set_position("zero"),
    "large numbers": lambda axes: axes.set(xlim=(1e9, 1e9 + 10), ylim=(0, 1e-7)),
    "minor ticks": lambda axes: axes.minorticks_on(),
    "square": lambda axes: axes.set_aspect("equal"),
    "nothing but data": lambda axes: axes.set_axis_off(),
    "hidden axis": lambda axes: axes.xaxis.set_visible(False),
    "legend": lambda axes: legend(axes, "one"),
    "legend of other words": lambda axes: legend(axes, "two"),
    "legend of another colour": lambda axes: legend(axes, "one", color="red"),
    "legend of dashes": lambda axes: legend(axes, "one", linestyle="--"),
    "legend of points": lambda axes: (
        axes.scatter([0.2, 0.8], [0.2, 0.8], s=30, c="green", label="dots"),
        axes.legend(loc="lower left"),
    ),
    "legend of larger points": lambda axes: (
        axes.scatter([0.2, 0.8], [0.2, 0.8], s=60, c="green", label="dots"),
        axes.legend(loc="lower left"),
    ),
    "legend of squares": lambda axes: (
        axes.scatter([0.2, 0.8], [0.2, 0.8], s=60, c="green", marker="s", label="dots"),
        axes.legend(loc="lower left"),
    ),
    "legend of a band": lambda axes: (
        axes.fill_between([0, 1], 0.1, 0.3, label="band"),
        axes.legend(loc="lower left"),
    ),
    "legend of a darker band": lambda axes: (
        axes.fill_between([0, 1], 0.1, 0.3, label="band", alpha=0.5),
        axes.legend(loc="lower left"),
    ),
    "legend of bars": lambda axes: (
        axes.bar([0, 1], [0.1, 0.3], label="bars"),
        axes.legend(loc="lower left"),
    ),
    "legend elsewhere": lambda axes: (
        axes.lines[0].set_label("one"),
        axes.legend(loc="upper right"),
    ),
    "legend where there is room": lambda axes: (axes.lines[0].set_label("one"), axes.legend()),
    "legend with a frame": lambda axes: (
        axes.lines[0].set_label("one"),
        axes.legend(loc="lower left", frameon=True),
    ),
    "data over the axes": lambda axes: axes.imshow(np.eye(4), extent=(0, 1, 0, 1), zorder=0),
}


def drawn(habit, figure, axes):
    axes.plot([0, 0.3, 1], [0.2, 0.9, 0.1])
    habit(axes)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba()).astype(int)


def fresh():
    figure = Figure(figsize=(3, 2), dpi=60)
    FigureCanvasAgg(figure)
    return figure, figure.add_axes([0.2, 0.25, 0.7, 0.6])


def test_from_memory_as_plainly():
    """A long walk from habit to habit: what one leaves behind must not be seen in the next."""
    with matplotlib.rc_context(STYLE):
        plain = {name: drawn(habit, *fresh()) for name, habit in HABITS.items()}
        figure, axes = fresh()
        clear = quick.prepare(axes)
        walk, last = random.Random(0).choices(list(HABITS), k=500), None
        for name in walk:
            clear()
            far = np.abs(drawn(HABITS[name], figure, axes) - plain[name]).max()
            assert far <= 2, f"{name!r} after {last!r} differs from a fresh picture by {far}"
            last = name


def test_memory_is_used():
    calls = []
    figure, axes = fresh()
    plainly = axes.xaxis.draw
    axes.xaxis.draw = lambda renderer: (calls.append(1), plainly(renderer))
    clear = quick.prepare(axes)
    for _ in range(5):
        clear()
        drawn(HABITS["plain"], figure, axes)
    assert len(calls) == 1


def test_a_legend_is_drawn_once_while_it_looks_the_same():
    calls = []
    figure, axes = fresh()
    clear = quick.prepare(axes)
    legends = set()
    for step in range(6):
        clear()
        axes.plot([0, 1], [0, step], label="one" if step < 3 else "two")
        made = axes.legend(loc="lower left")
        if id(made) not in legends:
            legends.add(id(made))
            box, plainly = made._legend_box, made._legend_box.draw
            box.draw = lambda renderer, plainly=plainly: (calls.append(1), plainly(renderer))
        figure.canvas.draw()
    assert len(legends) == len(calls) == 2


def written(words, add, x=0.3, y=0.5, **look):
    """A picture of words in the middle of axes; their anchor lies on a whole pixel."""
    figure = Figure(figsize=(4, 1), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.add_axes([0, 0, 1, 1])
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_axis_off()
    add(axes, x, y, words, **look)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba()).astype(int)


LOOKS = [
    {},
    {"ha": "right"},
    {"va": "center"},
    {"size": 8, "family": "DejaVu Sans Mono"},
    {"color": "red", "weight": "bold"},
    {"alpha": 0.4, "ha": "center"},
]


def plainly(axes, x, y, words, **look):
    axes.text(x, y, words, parse_math=False, **look)


def test_words_are_written_as_plain_text_is():
    for words in ("dog : blip", "costs $3 and $4", "j_^y", "two\nlines", "↵"):
        for look in LOOKS:
            for _ in range(2):  # the second time from memory
                assert (
                    np.abs(
                        written(words, quick.write, **look) - written(words, plainly, **look)
                    ).max()
                    <= 2
                ), (words, look)


def test_words_are_drawn_once_and_look_the_same_in_each_frame(monkeypatch):
    quick._KeptText.memory.clear()
    first = written("again", quick.write, x=0.3012)
    assert len(quick._KeptText.memory) == 1
    np.testing.assert_array_equal(written("again", quick.write, x=0.3012), first)
    written("again", quick.write, x=0.7)
    assert len(quick._KeptText.memory) == 1, "the place is no part of the look"
    written("again", quick.write, color="red")
    assert len(quick._KeptText.memory) == 2
    written(" ", quick.write)
    assert len(quick._KeptText.memory) == 2, "nothing to see is nothing to keep"
    monkeypatch.setattr(quick._KeptText, "most", 4)
    for number in range(9):
        written(str(number), quick.write)
    assert [look[0] for look in quick._KeptText.memory] == ["5", "6", "7", "8"]
