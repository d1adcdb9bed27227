"""Locked predictions: the first answer stays, a result is never spoiled, and every answer is spoken
to."""

import json
import sys
import types

import pytest
from matplotlib.figure import Figure

from course_lib.classroom import progress_file as progress
from course_lib.classroom.panel import inline
from course_lib.classroom.predictions import (
    FOLDED,
    Outcome,
    Prediction,
    predict,
    prediction,
    reveal,
)

SAYS = {
    "falls": "You expected more steps to help.",
    "rises": "Five points are few.",
    "flat": "You expected no change.",
}
OFFERED = {"falls": "It keeps falling", "rises": "It falls, then rises", "flat": "It stays < 1"}
NEAR = {"low": "LOW", "high": "HIGH", "close": "CLOSE"}


def steps(right="rises", **more) -> Outcome:
    return Outcome(right, **more)


QUESTION = "What does the `query` error do?"
STEPS = Prediction(QUESTION, {key: (OFFERED[key], SAYS[key]) for key in OFFERED}, steps)
FLOOR = Prediction("How large?", NEAR, Outcome, number=(0, 10, 0.1), unit="MSE", tolerance=0.5)


@pytest.fixture(autouse=True)
def sample_chapter(monkeypatch):
    chapter = types.ModuleType("sample")
    chapter.PREDICTIONS = {"steps": STEPS, "floor": FLOOR}
    monkeypatch.setitem(sys.modules, "course_lib.chapters.ch98.predictions", chapter)
    return chapter


def ask():
    return predict("98.steps")


def test_an_answer_from_the_browser_is_stored_and_stays(own_progress):
    question = ask()
    assert prediction("98.steps") is None and question.locked == ""
    question._handle_custom_msg({"lock": "falls"}, [])
    assert prediction("98.steps") == "falls" and question.locked.startswith("Locked on 20")
    question._handle_custom_msg({"lock": "rises"}, [])
    assert prediction("98.steps") == "falls" and question.answer == "falls"
    entry = json.loads(own_progress.read_text())["predictions"]["98.steps"]
    assert entry["said"] == "It keeps falling" and entry["right"] is None
    assert entry["locked_at"][:2] == "20"
    assert ask().answer == "falls"  # the cell run again, or tomorrow


def test_two_open_copies_keep_the_first_answer():
    first, second = ask(), ask()
    first.lock("flat")
    second.lock("rises")
    assert second.answer == "flat" == prediction("98.steps")


def test_an_answer_to_an_older_wording_does_not_lock_a_changed_question(sample_chapter):
    older = Prediction("Q?", {"old": ("Old", "a"), "other": ("Other", "b")}, steps)
    sample_chapter.PREDICTIONS = {"steps": older}
    ask().lock("old")
    sample_chapter.PREDICTIONS = {"steps": STEPS}
    question = ask()
    assert question.locked == ""
    assert FOLDED in reveal("98.steps")._repr_html_()
    question.lock("flat")
    assert prediction("98.steps") == "flat"


def test_a_number():
    question = predict("98.floor")
    assert "from 0 to 10 MSE" in question.static()
    with pytest.raises(ValueError, match="not one of the answers"):
        question.lock(11)
    question.lock(2.6)
    assert prediction("98.floor") == 2.6 and question.said == "2.6 MSE"


def test_the_static_form_is_plain_and_never_changes():
    pages = [ask()._repr_mimebundle_()[0] for _ in range(2)]
    assert pages[0]["text/html"] == pages[1]["text/html"]
    assert pages[0]["text/plain"] == pages[1]["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in pages[0]
    page = pages[0]["text/html"]
    assert "<input" not in page and "<script" not in page
    assert "query</code>" in page and "It stays &lt; 1" in page
    ask().lock("falls")
    assert ask().static() == page  # what is committed does not depend on who ran it


@pytest.mark.parametrize(
    "answers, more, says",
    [
        ({}, {}, "at least two answers"),
        ({"a": ("A", "reply")}, {}, "at least two answers"),
        ({"a": ("A", "reply"), "b": ("B",)}, {}, "each with what is said to it"),
        (NEAR, {"number": (1, 0, 1), "tolerance": 1}, "low < high"),
        (NEAR, {"number": (0, 1, 0), "tolerance": 1}, "step > 0"),
        (NEAR, {"number": (0, 1, 0.1)}, "tolerance="),
        ({"low": "l", "high": "h"}, {"number": (0, 1, 0.1), "tolerance": 1}, "low, high, close"),
    ],
)
def test_a_question_that_cannot_be_asked(answers, more, says):
    with pytest.raises(ValueError, match=says):
        Prediction("Q?", answers, steps, **more)


def test_an_id_that_no_table_has_is_refused_with_those_that_it_has():
    with pytest.raises(ValueError, match="98.other: chapter 98 predicts steps, floor"):
        predict("98.other")


def test_without_an_answer_the_result_is_folded_and_nothing_is_stored(own_progress):
    ask()
    page = reveal("98.steps", show="<img alt='curve'>")._repr_html_()
    assert 'class="course-reveal" data-id="98.steps"' in page
    order = ("<details>", FOLDED, "</summary>", "Five points", "<img")
    places = [page.index(part) for part in order]
    assert places == sorted(places)
    assert all(text in page for text in SAYS.values())
    assert page.rstrip().endswith("</details></div>") and "open" not in page.split("<summary>")[0]
    assert not own_progress.exists()


def test_a_wrong_answer_is_spoken_to_first_and_the_outcome_comes_last():
    ask().lock("falls")
    page = reveal("98.steps", show="<img alt='curve'>")._repr_html_()
    said = ("You predicted", "It keeps falling", SAYS["falls"], "<img", "What happened")
    order = [page.index(text) for text in (*said, SAYS["rises"])]
    assert order == sorted(order) and "<details" not in page and SAYS["flat"] not in page
    assert progress.read()["predictions"]["98.steps"]["right"] is False


def test_a_right_answer():
    ask().lock("rises")
    page = reveal("98.steps")._repr_html_()
    assert "That is what happened" in page and page.count(SAYS["rises"]) == 1
    assert progress.read()["predictions"]["98.steps"]["right"] is True


def test_what_was_measured_goes_to_the_rule_and_its_lines_are_shown_folded():
    page = reveal("98.steps", "flat", lines=["a < b", "c"])._repr_html_()
    assert "What happened: <strong>It stays &lt; 1" in page
    assert page.index("<details>") < page.index("a &lt; b\nc")


def test_an_outcome_that_is_no_answer_is_refused():
    with pytest.raises(ValueError, match="right='extra' is not one of the options 'falls'"):
        reveal("98.steps", "extra")
    with pytest.raises(ValueError, match="finite"):
        reveal("98.floor", float("nan"))


@pytest.mark.parametrize(
    "answer, key, correct",
    [(1.0, "low", False), (2.6, "close", True), (3.5, "close", True), (9, "high", False)],
)
def test_a_number_is_low_close_or_high(answer, key, correct):
    predict("98.floor").lock(answer)
    page = reveal("98.floor", 3.01)._repr_html_()
    assert NEAR[key] in page and ("3.01 MSE" in page) is (not correct) and "3.01" in page
    assert progress.read()["predictions"]["98.floor"]["right"] is correct


def test_a_figure_has_its_alt_text_and_is_shown_once():
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    axes.plot([0, 1])
    page = reveal("98.steps", show=figure, alt="A curve that falls, then rises")._repr_html_()
    assert 'alt="A curve that falls, then rises"' in page and "data:image/png;base64," in page
    assert not pyplot.fignum_exists(figure.number)
    with pytest.raises(ValueError, match="alt="):
        reveal("98.steps", show=Figure())
    with pytest.raises(ValueError, match="not int"):
        reveal("98.steps", show=3)


def test_marks_in_texts():
    assert (
        inline("a < b & `x < y` **s** *e* 2 * 3 * 4").count(
            "<strong>s</strong> <em>e</em> 2 * 3 * 4"
        )
        == 1
    )
    assert inline("`<b>`").endswith(">&lt;b&gt;</code>") and "<script>" not in inline("<script>")


def test_how_far_off_a_number_is(own_progress):
    """Nearly right, off, and far off: each has its own words."""
    from course_lib.classroom.predictions import _near

    says = {"low": "a", "high": "b", "close": "c"}
    asked = Prediction("How many?", says, Outcome, number=(0, 100, 1), tolerance=5)
    assert _near(58, 60, asked) == "" and _near(50, 60, asked) == "That is nearly it. "
    assert _near(45, 60, asked) == "" and _near(1, 60, asked) == "That is far off. "
