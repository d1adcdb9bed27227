"""Words with coloured backgrounds: every word is drawn, in rows that fit, whatever was typed."""

import warnings

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from course_lib.classroom.tokens import FONT, SMALLEST, Token, draw_tokens, drawable, wrap


def drawn(lines, notes=None, size=(4, 3), dpi=100, **how):
    figure = Figure(figsize=size, dpi=dpi)
    FigureCanvasAgg(figure)
    axes = figure.add_axes([0.02, 0.02, 0.96, 0.96])
    draw_tokens(axes, lines, notes, **how)
    figure.canvas.draw()
    return axes


def words_of(axes):
    return [text.get_text() for text in axes.texts]


def test_rows_hold_every_token_and_are_no_longer_than_asked():
    lines = [
        [Token(word) for word in "a fairly long line of many words and more".split()],
        [],
        [Token("b")],
        [Token("x" * 30), Token("y")],
    ]
    rows = wrap(lines, 12)
    assert [number for number, _ in rows] == sorted(number for number, _ in rows) and {
        number for number, _ in rows
    } == {0, 1, 2, 3}
    assert all(at + len(token.text) <= 12 for _, row in rows for at, token in row)
    assert [
        token.text for number, row in rows if number == 0 for _, token in row
    ] == "a fairly long line of many words and more".split()
    assert [at for at, _ in rows[1][1]][0] == 2, "what goes on in the next row is indented"
    assert [token.text for number, row in rows if number == 3 for _, token in row] == [
        "x" * 9 + "…",
        "y",
    ]


def test_lines_and_notes_are_written_and_backgrounds_follow_the_weights():
    axes = drawn(
        [[Token("dog", 0.5), Token(":")], [Token("cow", -1.0), Token("x", 0.0, "black")]],
        ["66 %", "34 %"],
    )
    assert words_of(axes) == ["dog :", "66 %", "cow x", "34 %"]
    (boxes,) = [one for one in axes.collections if isinstance(one, PolyCollection)]
    alphas = boxes.get_facecolor()[:, 3]
    assert alphas.tolist() == [0.5, 1.0, 0.0] and len(boxes.get_paths()) == 3
    assert (boxes.get_facecolor()[0, :3] != boxes.get_facecolor()[1, :3]).any(), (
        "for and against have colours of their own"
    )
    assert boxes.get_edgecolor()[:, 3].tolist() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize("dpi", [100, 150, 200])
def test_backgrounds_lie_behind_their_words(dpi):
    """The width of letters is rounded to pixels: a line of 40 letters must end where its background
    ends."""
    axes = drawn([[Token("m" * 40, 1.0)]], dpi=dpi)
    box = axes.collections[0].get_paths()[0].get_extents().transformed(axes.transData)
    text = axes.texts[0].get_window_extent()
    letter = text.width / 40
    assert (
        abs(text.x0 - box.x0 - letter / 4) < letter / 2
        and abs(box.x1 - letter / 4 - text.x1) < letter / 2
    )
    assert box.ymin < text.y0 + 2 and text.y1 < box.ymax + 2


def test_letters_shrink_until_everything_fits_and_then_the_first_rows_go():
    few, many, far = (drawn([[Token(f"line{i}")] for i in range(count)]) for count in (3, 20, 400))
    sizes = [axes.texts[0].get_size() for axes in (few, many, far)]
    assert sizes[0] > sizes[1] > sizes[2] == SMALLEST
    assert len(words_of(few)) == 3 and len(words_of(many)) == 20
    kept = words_of(far)
    assert kept[0] == f"… {400 - len(kept) + 1} rows above" and kept[-1] == "line399"
    for axes in (few, many, far):
        page = axes.figure.bbox
        assert all(
            page.y0 <= text.get_window_extent().y0 and text.get_window_extent().x1 <= page.x1
            for text in axes.texts
        )


def test_what_the_fonts_lack_is_a_box_and_nothing_complains():
    assert drawable("dog ↵ é ж") == "dog ↵ é ж" and drawable("한🎈\x00\u202e") == "□□□□"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        axes = drawn([[Token("한국어", 0.3), Token("$x^"), Token("\\frac{")]])
    assert words_of(axes) == ["□□□ $x^ \\frac{"] and axes.texts[0].get_fontfamily() == [FONT]


def test_nothing_to_draw_is_an_empty_picture():
    axes = drawn([[]])
    assert not words_of(axes) and not axes.collections
    assert (np.asarray(axes.figure.canvas.buffer_rgba())[..., :3] == 255).all()
