"""The draw pad without a browser: strokes become the pictures that networks know, and Python
answers."""

import logging
import math

import pytest
import torch

from course_lib.classroom.drawpad import STATIC, DrawPad, Said
from course_lib.families import Strokes, hand_drawn
from course_lib.families.hand_drawn import PEN, SHAPES, another_hand, clean, render, turned
from course_lib.families.strokes import SIZE


def extent(image):
    """Width and height of the ink, in pixels."""
    rows, columns = ((image > 0.3).any(dim).nonzero().flatten() for dim in (1, 0))
    return int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)


def send(pad, papers, serial="me:1"):
    """What the browser does."""
    pad.request = {"serial": serial, "papers": papers}


@pytest.mark.parametrize("name", SHAPES)
def test_a_drawing_looks_like_the_generated_ones_to_a_network(name):
    image = render(SHAPES[name])
    assert image.shape == (SIZE, SIZE) and image.min() >= 0 and image.max() <= 1
    assert 0.5 * SIZE <= max(extent(image)) <= 0.82 * SIZE  # the box of the generated characters
    generated = Strokes(sloppiness=0).draw(torch.arange(200))
    darkest = generated.flatten(1).amax(1)
    assert darkest.min() - 0.05 <= image.max()
    shares = (generated > 0.5).float().flatten(1).mean(1)
    assert shares.quantile(0.01) / 2 < (image > 0.5).float().mean() < 1.5 * shares.max()


def test_a_stroke_has_the_very_pixels_of_a_generated_one():
    """The same polyline through both renderers."""
    from course_lib.families.scripts import POINTS
    from course_lib.families.strokes import fit, ink

    along = torch.linspace(0, 1, POINTS)
    line = torch.stack([along, 0.3 + 0.4 * along], dim=1)
    used, none = torch.ones(1, 1, dtype=torch.bool), torch.zeros(1)
    points = fit(line[None], used.repeat(1, POINTS), size=none + 0.72, place=torch.zeros(1, 2))
    theirs = ink(points[:, None], used, pen=none + PEN)[0]
    assert (render([line.tolist()]) - theirs).abs().max() < 0.02


def test_neither_place_nor_size_nor_the_speed_of_the_pen_matters():
    small = [[(0.1 + 0.3 * x, 0.6 + 0.3 * y) for x, y in stroke] for stroke in SHAPES["zigzag"]]
    slow = [
        [
            (a[0] + t / 50 * (b[0] - a[0]), a[1] + t / 50 * (b[1] - a[1]))
            for a, b in zip(s, s[1:], strict=False)
            for t in range(51)
        ]
        for s in SHAPES["zigzag"]
    ]
    for other in (small, slow):
        assert (render(other) - render(SHAPES["zigzag"])).abs().max() < 0.02


def test_empty_papers_taps_and_tiny_scribbles_make_pictures_too():
    assert render([]).sum() == 0 and render([[]]).sum() == 0
    tap, tiny = render([[(0.4, 0.4)]]), render([[(0.4, 0.4), (0.42, 0.4)]])
    assert 0.5 < tap.max() and max(extent(tap)) <= 3
    assert torch.isfinite(tiny).all() and max(extent(tiny)) < 0.3 * SIZE


def test_turned_by_a_quarter_is_the_picture_turned():
    picture = render(SHAPES["arrow"])
    assert (render(turned(SHAPES["arrow"])) - picture.rot90(-1)).abs().max() < 0.02
    assert turned(SHAPES["gate"], 4) == SHAPES["gate"]


def test_another_hand_draws_the_same_thing_differently():
    one, other = render(another_hand(SHAPES["gate"], 1)), render(another_hand(SHAPES["gate"], 2))
    assert (
        0.1 < (one - other).abs().max()
        and one.flatten() @ other.flatten() > one.flatten() @ render(SHAPES["cross"]).flatten()
    )
    assert another_hand(SHAPES["gate"], 1) == another_hand(SHAPES["gate"], 1)


@pytest.mark.parametrize(
    "strokes", [3, [3], [[3]], [[(1, 2, 3)]], [[(0, math.nan)]], "abc", [[("a", "b")]]]
)
def test_what_is_no_drawing_is_refused(strokes):
    with pytest.raises(ValueError, match="strokes: "):
        clean(strokes)


def test_points_outside_the_paper_are_brought_back_and_too_many_are_refused():
    assert clean([[(-3, 0.5), (2, 0.5)], []]) == [[(0.0, 0.5), (1.0, 0.5)]]
    with pytest.raises(ValueError, match="too many"):
        clean([[(0.5, 0.5)] * 20_001])


def test_pictures_come_in_the_order_of_the_names():
    pad = DrawPad(["a", "b"], hand_drawn, start={"b": SHAPES["cross"]})
    assert pad.pictures.shape == (2, 1, SIZE, SIZE) and pad.pictures[0].sum() == 0
    assert torch.equal(pad.pictures[1, 0], render(SHAPES["cross"]))
    assert pad.answer["text"] == "Still empty: a." and pad.strokes["a"] == []


def test_drawing_from_code_asks_python_and_the_browser_gets_all_of_it():
    seen = []
    pad = DrawPad(
        ["a", "b"],
        hand_drawn,
        on_change=lambda pad: (
            seen.append(pad.pictures) or Said("A says", {"a": (1.7, "D = 0.1")}, best="a")
        ),
    )
    pad.draw("a", SHAPES["circle"])
    assert not seen and "Still empty: b" in pad.answer["text"]
    pad.draw("b", SHAPES["cross"])
    assert torch.equal(seen[-1], pad.pictures)
    assert (
        pad.answer["text"] == "A says"
        and pad.answer["bars"] == {"a": [1.0, "D = 0.1"]}
        and pad.answer["best"] == "a"
    )
    assert (
        pad.pixels == (255 * pad.pictures).round().byte().numpy().tobytes()
        and len(pad.pixels) == 2 * SIZE * SIZE
    )
    assert [paper["ready"] for paper in pad.answer["papers"]] == [False, False]
    pad.clear("a")
    assert (
        pad.answer["text"] == "Still empty: a."
        and pad.answer["bars"] == {}
        and set(pad.pixels[: SIZE * SIZE]) == {0}
    )


def test_strokes_from_the_browser_are_rendered_and_answered_with_their_serial():
    pad = DrawPad(
        ["a", "b"],
        hand_drawn,
        on_change=lambda pad: f"{pad.pictures.sum():.1f}",
        start={"a": SHAPES["circle"], "b": SHAPES["cross"]},
    )
    assert [paper["ready"] for paper in pad.answer["papers"]] == [True, True]
    zigzag = [list(map(list, SHAPES["zigzag"][0]))]
    send(pad, [{"strokes": zigzag, "ready": False}, pad.answer["papers"][1]], serial="x:7")
    assert pad.answer["serial"] == "x:7" and pad.answer["text"] == f"{pad.pictures.sum():.1f}"
    assert torch.equal(pad.pictures[0, 0], render(SHAPES["zigzag"])) and torch.equal(
        pad.pictures[1, 0], render(SHAPES["cross"])
    )
    assert [paper["ready"] for paper in pad.answer["papers"]] == [False, True]


def test_a_message_that_is_no_drawing_changes_nothing_and_is_told(caplog):
    pad = DrawPad(["a"], hand_drawn, start={"a": SHAPES["circle"]})
    with caplog.at_level(logging.CRITICAL):
        send(pad, [{"strokes": [[[0.1]]], "ready": False}], serial="x:1")
        assert "ValueError" in pad.answer["error"] and pad.answer["serial"] == "x:1"
        send(pad, [], serial="x:2")
    assert "Python could not answer" in pad.answer["error"]
    assert torch.equal(pad.pictures[0, 0], render(SHAPES["circle"]))


def test_a_failing_answer_is_told_and_the_drawing_stays(caplog):
    pad = DrawPad(["a"], hand_drawn, on_change=lambda pad: 1 / 0)
    with caplog.at_level(logging.CRITICAL):
        pad.draw("a", SHAPES["circle"])
        assert "ZeroDivisionError" in pad.answer["error"] and pad.pictures.sum() > 0
        pad.on_change = lambda pad: Said("nearest", {"z": (1, "")})
        pad.draw("a", SHAPES["cross"])
    assert "['z']" in pad.answer["error"]
    pad.on_change = lambda pad: "well"
    pad.draw("a", SHAPES["cross"])
    assert pad.answer["error"] == "" and pad.answer["text"] == "well"


def test_without_a_kernel_there_is_a_picture_with_alt_text():
    pad = DrawPad(
        ["a <b>", "c"],
        hand_drawn,
        on_change=lambda pad: "1 < 2",
        start={"a <b>": SHAPES["circle"], "c": SHAPES["cross"]},
        question="Same & equal?",
    )
    data, _ = pad._repr_mimebundle_()
    page = data["text/html"]
    assert (
        "Same &amp; equal?" in page
        and "1 &lt; 2" in page
        and STATIC in page
        and 'alt="2 drawings' in page
        and "a &lt;b&gt;" in page
    )
    assert "1 < 2" in data["text/plain"] and "application/vnd.jupyter.widget-view+json" in data


def test_the_pixels_trait_takes_bytes_as_the_browser_sends_them():
    pad = DrawPad(["a"], hand_drawn)
    pad.pixels = memoryview(b"\x01" * 784)
    assert pad.pixels == b"\x01" * 784


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda: DrawPad([], hand_drawn), "a name of its own"),
        (lambda: DrawPad(["a", "a"], hand_drawn), "a name of its own"),
        (
            lambda: DrawPad(["a"], hand_drawn, start={"b": SHAPES["cross"]}),
            r"no paper is named \['b'\]",
        ),
        (lambda: DrawPad(["a"], hand_drawn, colours={"a": "pink"}), "no colour is named"),
        (lambda: DrawPad(["a"], hand_drawn).draw("b", []), "no paper is named 'b'"),
        (lambda: DrawPad(["a"], hand_drawn).draw("a", [[(0, math.inf)]]), "NaN or infinity"),
    ],
)
def test_bad_input_is_refused_in_words(make, says):
    with pytest.raises(ValueError, match=says):
        make()
