"""Explorers without a browser: what a declaration may say, what tests can ask, and how requests are
answered."""

import base64
import io
import json
import re

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from course_lib.classroom.explorer import (
    LIVE_STYLE,
    STATIC,
    Choice,
    Explorer,
    Points,
    Slider,
    Text,
    Toggle,
)
from course_lib.classroom.figures import styled
from tests.browser import gallery


def declare(**changes):
    settings = {
        "question": "What does the slope do?",
        "compute": lambda slope: slope,
        "draw": lambda slope, axes: axes.plot([0, 1], [0, slope]),
        "controls": [Slider("slope", "slope", -1.0, 1.0, 0.5, value=0.0)],
        "number": lambda slope: f"The line rises by {slope}.",
        "alt": lambda slope: f"A straight line that rises by {slope}.",
        "size": (3, 2),
    }
    return Explorer(**{**settings, **changes})


ORIGIN, BOX = ((0.0, 0.0),), ((-1, 1), (-1, 1))
WRONG = [
    (lambda: Slider("a", "a", 1, 0, 1, value=1), "low=1 must be smaller than high=0"),
    (lambda: Slider("a", "a", 0, 1, 0, value=0), "step=0 must be greater than 0"),
    (lambda: Slider("a", "a", 0.0, 1.0, 0.3, value=0.0), "do not arrive at 1.0: change high"),
    (
        lambda: Slider("a", "a", 0.0, 1.0, 0.1, value=1.1),
        "value=1.1 is not a position of the slider; the nearest is 1.0",
    ),
    (lambda: Slider("a", "a", 0.0, 1.0, 0.1, value=0.25), "the nearest is 0.2"),
    (
        lambda: Slider("a", "a", 0.0, 1.0, 0.5, value=0.0, log=True),
        "log=True needs low greater than 0",
    ),
    (
        lambda: Choice("a", "a", ["x", "y"], value="z"),
        "value='z' is not among the options ['x', 'y']",
    ),
    (lambda: Points("a", "a", (), BOX), "give at least one"),
    (lambda: Points("a", "a", ((2, 0),), BOX), "lies outside the bounds"),
    (lambda: Points("a", "a", ORIGIN, ((1, -1), (-1, 1))), "the first must be smaller"),
    (lambda: Points("a", "a", ORIGIN, BOX, move="z"), "move='z' must be"),
    (lambda: Text("a", "a", "x", rows=0), "rows=0 and most=2000 must be at least 1"),
    (lambda: Text("a", "a", 3), "a=3 is no text: put it in quotes"),
    (
        lambda: Text("a", "a", "long", most=3),
        "the text has 4 characters, and at most 3 fit: shorten it",
    ),
    (lambda: Text("a", "a", "x", most=3, samples=[("one", "long")]), "the text has 4 characters"),
    (lambda: Text("a", "a", "x\ny"), "several lines, and the field shows one: set rows"),
    (
        lambda: Text("a", "a", "x", samples=[("one", "y"), ("one", "z")]),
        "give each a title of its own",
    ),
    (lambda: declare(controls=[]), "compute needs ['slope']: add a control"),
    (
        lambda: declare(controls=[*declare().controls, Toggle("other", "other", True)]),
        "compute takes no ['other']: rename",
    ),
    (lambda: declare(controls=2 * declare().controls), "two have the same name"),
    (
        lambda: declare(controls=[Points("slope", "p", ORIGIN, BOX, axes="left")]),
        "axes='left' is not among the axes",
    ),
]


@pytest.mark.parametrize(("make", "sentence"), WRONG, ids=[sentence for _, sentence in WRONG])
def test_a_wrong_declaration_says_what_to_change(make, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        make()


def test_sliders_keep_to_the_kind_of_number_they_were_given():
    whole, parts, log = (
        Slider("k", "K", 1, 20, 1, 5),
        Slider("a", "a", 0.0, 1.0, 0.1, 0.3),
        Slider("t", "tau", 0.01, 10.0, 0.5, 0.1, log=True),
    )
    assert whole.values == tuple(range(1, 21)) and all(type(value) is int for value in whole.values)
    assert parts.values == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    assert log.values == (0.01, 0.0316, 0.1, 0.316, 1.0, 3.16, 10.0)


def test_values_are_written_as_their_steps_are():
    assert Slider("a", "a", -1.0, 1.0, 0.05, 0.0).text(-0.5) == "−0.50"
    assert Slider("k", "K", 0, 20, 1, 5, unit="steps").text(5) == "5 steps"
    assert Slider("t", "tau", 0.001, 1.0, 1, 0.1, log=True).text(0.001) == "0.001"


def test_compute_may_have_defaults_and_take_anything():
    assert declare(compute=lambda slope, seed=0: slope + seed).defaults == {"slope": 0.0}
    assert declare(compute=lambda **state: state["slope"]).compute(slope=2) == 2


def test_extremes_are_every_combination_of_ends():
    states = list(gallery.waves().extremes())
    assert len(states) == 2 * 2 * 2 * 2
    assert {state["shots"] for state in states} == {1, 20}
    assert {state["shape"] for state in states} == {"sine", "triangle"}
    states = list(gallery.prototypes().extremes())
    assert len(states) == 4 * 4 * 2 * 2
    assert {state["outlier"] for state in states} == {
        ((-2.5, 1.5),),
        ((-2.9, 1.5),),
        ((2.9, 1.5),),
    }, "it moves along x only"


def test_a_text_is_tried_as_declared_empty_long_without_sense_and_with_each_sample():
    story, wanted = gallery.writing().controls
    declared, empty, long, *samples = story.extremes()
    assert (declared, empty, samples) == (
        "a dog\nand a cat",
        "",
        ["a dog", "hippopotamus\nand a rhinoceros"],
    )
    assert (
        len(long) == story.most
        and "\n" in long
        and "\t" in long
        and not long.isascii()
        and "$" in long
    )
    assert (
        wanted.extremes()[:2] == ["a", ""]
        and len(wanted.extremes()[2]) == wanted.most
        and "\n" not in wanted.extremes()[2]
    )
    assert Text("a", "a", "").extremes()[:1] == [""] and len(Text("a", "a", "").extremes()) == 2, (
        "nothing is tried twice"
    )


@pytest.mark.parametrize(
    "make", [gallery.waves, gallery.prototypes, gallery.writing], ids=lambda make: make.__name__
)
def test_nothing_stumbles_at_extremes(make):
    explorer = make()
    for state in [explorer.defaults, *list(explorer.extremes())[::3]]:
        assert explorer.examine(**state) == []


def test_examine_finds_what_a_reader_would():
    def draw(slope, axes):
        axes.set_ylabel("a label far too long for so small a picture, " * 3)

    found = declare(
        number=lambda slope: "loss nan", alt=lambda slope: "a line", draw=draw
    ).examine()
    assert any("nan" in sentence for sentence in found)
    assert any("alt text" in sentence for sentence in found)
    assert any("leave the picture" in sentence for sentence in found)


def test_examine_and_compute_let_exceptions_through():
    descent = gallery.descent()
    with pytest.raises(OverflowError):
        descent.compute(step=3, alpha=0.9)
    with pytest.raises(OverflowError):
        descent.examine(alpha=0.9)


def test_picture_is_a_png_of_the_declared_size():
    image = Image.open(io.BytesIO(declare().picture()))
    image.load()
    assert image.format == "PNG" and image.size == (300, 200)
    assert declare().picture(slope=1.0) != declare().picture(slope=-1.0)


@pytest.mark.parametrize(
    "make", [gallery.waves, gallery.prototypes, gallery.descent], ids=lambda make: make.__name__
)
def test_picture_is_what_matplotlib_draws(make):
    explorer = make()
    with styled(**LIVE_STYLE):
        figure = Figure(figsize=explorer.size, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplot_mosaic(explorer.mosaic) if explorer.mosaic else figure.subplots()
        explorer.draw(explorer.compute(**explorer.defaults), axes)
        figure.canvas.draw()
    plain = np.asarray(figure.canvas.buffer_rgba()).astype(int)
    assert np.abs(np.asarray(Image.open(io.BytesIO(explorer.picture()))) - plain).max() <= 2


def test_the_same_state_gives_the_same_picture_whatever_came_before():
    explorer = gallery.prototypes()
    first = explorer.picture()
    for state in list(explorer.extremes())[::9]:
        explorer.picture(**state)
    assert explorer.picture() == first


def test_what_draw_adds_to_the_figure_is_gone_in_the_next_frame():
    def draw(slope, axes):
        axes.plot([0, 1], [0, slope])
        if slope > 0:
            axes.twinx().plot([0, 1], [5, 6])
            axes.figure.text(0.5, 0.5, "a word across the figure")
            axes.set_aspect("equal")

    explorer = declare(draw=draw)
    first = explorer.picture()
    assert explorer.picture(slope=1.0) != first
    assert explorer.picture() == first


def test_a_colour_bar_that_takes_room_is_refused():
    def draw(slope, axes):
        axes.figure.colorbar(axes.imshow(np.eye(2)))

    with pytest.raises(ValueError, match="inset_axes"):
        declare(draw=draw).picture()


def test_narrow_pages_get_one_row_stacked():
    explorer = gallery.descent()
    wide, narrow = (explorer._canvas((width, 1.0))[0].get_size_inches() for width in (900, 480))
    assert tuple(wide) == (9.0, 3.4)
    assert narrow[0] == 4.8 and narrow[1] > wide[1]


# What travels between Python and the browser


def ask(explorer, **request):
    """As the browser does: through the widget's own way to take in a message."""
    explorer.set_state({"request": request})
    return explorer.answer


def test_a_request_is_answered_with_its_own_state():
    waves = gallery.waves()
    answer = ask(
        waves,
        serial="me:1",
        values={"amplitude": 49, "shots": 0, "shape": 1},
        width=840,
        density=2.0,
    )
    assert waves.state == {"amplitude": 5.0, "phase": 0.0, "shape": "triangle", "shots": 1}
    assert type(waves.state["shots"]) is int
    assert answer["serial"] == "me:1" and answer["frame"] == 1 and answer["error"] == ""
    assert answer["number"] == "Outputs reach from -4.96 to 4.96."
    assert "1 support points" in answer["alt"]
    assert Image.open(io.BytesIO(waves.png)).size == (1680, 720)
    json.dumps(answer)


def test_each_request_is_answered_once_and_the_last_is_what_stands():
    waves = gallery.waves()
    answers = []
    waves.observe(lambda change: answers.append(change["new"]["serial"]), names="answer")
    for place in range(5):
        ask(waves, serial=f"me:{place}", values={"amplitude": place})
    assert answers == [f"me:{place}" for place in range(5)]
    assert waves.state["amplitude"] == 0.5 and waves.answer["frame"] == 5


def test_values_from_the_browser_are_kept_within_bounds():
    prototypes = gallery.prototypes()
    far = [[99, -99]] * 6
    ask(
        prototypes,
        serial="1",
        values={"temperature": 10**6, "support": far, "outlier": [[99, 99]], "squared": 0},
    )
    assert prototypes.state["temperature"] == 10.0
    assert prototypes.state["support"] == ((2.9, -1.9),) * 6
    assert prototypes.state["outlier"] == ((2.9, 1.5),), "y stays"
    assert prototypes.state["squared"] is False


def test_points_come_with_the_place_of_their_axes():
    place = ask(gallery.prototypes(), serial="1")["places"]["support"]
    left, top, right, bottom = place["box"]
    assert 0 < left < right < 0.5 and 0 < top < bottom < 1
    assert place["x"] == [-3.0, 3.0, False] and place["y"] == [-2.0, 2.0, False]


def test_a_failure_is_a_sentence_and_the_picture_stays(caplog):
    descent = gallery.descent()
    ask(descent, serial="1")
    before = descent.png
    answer = ask(descent, serial="2", values={"alpha": 8})
    assert (
        answer["error"]
        == "Python could not compute this setting (OverflowError: this toy leaves its valley)."
    )
    assert answer["serial"] == "2" and answer["frame"] == 1 and answer["number"] == ""
    assert descent.png == before
    assert "failed at" in caplog.text
    assert ask(descent, serial="3", values={"alpha": 0})["error"] == ""


def test_a_text_arrives_as_it_was_typed():
    writing = gallery.writing()
    answer = ask(
        writing, serial="1", values={"story": "three little\n\tпесни 🎈 ", "wanted": "песни"}
    )
    assert (
        writing.state == {"story": "three little\n\tпесни 🎈 ", "wanted": "песни"}
        and answer["values"] == writing.state
    )
    assert answer["number"] == "4 words, 17 letters, 1 times 'песни'."
    ask(writing, serial="2", values={"story": "one\r\ntwo\rthree"})
    assert writing.state["story"] == "one\ntwo\nthree", "line ends are those of browsers"
    answer = ask(writing, serial="3", values={"story": "half of a sign: \ud83c"})
    assert writing.state["story"] == "half of a sign: ?" and not answer["error"]
    json.dumps(answer, ensure_ascii=False).encode()


def test_a_text_that_is_too_long_is_refused_and_not_cut(caplog):
    writing = gallery.writing()
    ask(writing, serial="1", values={"story": "short"})
    answer = ask(writing, serial="2", values={"story": "x" * 201})
    assert "the text has 201 characters, and at most 200 fit: shorten it" in answer["error"]
    assert (
        answer["serial"] == "2" and answer["values"]["story"] == writing.state["story"] == "short"
    )
    assert (
        ask(writing, serial="3", values={"story": "x" * 200})["error"] == ""
        and len(writing.state["story"]) == 200
    )
    with pytest.raises(ValueError, match="201 characters"):
        writing.show(story="x" * 201)


def test_show_moves_the_controls_from_code():
    waves = gallery.waves()
    waves.show(phase=1.0, shots=3)
    assert waves.state == {**waves.defaults, "phase": 1.0, "shots": 3}
    assert waves.answer["values"]["phase"] == 10
    with pytest.raises(ValueError, match="no control is named"):
        waves.show(colour="red")
    with pytest.raises(ValueError, match="not a position"):
        waves.show(phase=0.123)


def test_every_viewer_gets_what_it_can_show():
    waves = gallery.waves()
    data, _ = waves._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == waves.model_id
    page = data["text/html"]
    for part in (waves.question, waves.answer["number"], STATIC, f'alt="{waves.answer["alt"]}"'):
        assert part in page
    image = Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", page)[1])))
    assert image.size == (1800, 720)
    assert len(page) < 80_000
    assert waves.question in data["text/plain"]


def test_markup_in_words_is_only_words():
    data, _ = declare(
        question="Is a < b?",
        number=lambda slope: "<b>1</b>",
        alt=lambda slope: 'A line that says "no" & <i>.',
    )._repr_mimebundle_()
    assert (
        "Is a &lt; b?" in data["text/html"]
        and "&lt;b&gt;1&lt;/b&gt;" in data["text/html"]
        and "<i>" not in data["text/html"]
    )


def test_a_slider_may_say_words_instead_of_numbers():
    slider = Slider("look", "steps", 1, 3, 1, value=2, words=("0", "10", "1000"))
    assert slider.spec()["texts"] == ["0", "10", "1000"] and slider.text(3) == "1000"
    with pytest.raises(ValueError, match="look: 2 words for 3 positions"):
        Slider("look", "steps", 1, 3, 1, value=2, words=("0", "10"))
