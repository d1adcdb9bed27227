"""Locked predictions: the first answer stays, a result is never spoiled, and every answer is spoken to."""

import json

import pytest
from matplotlib.figure import Figure

from course_lib.classroom import predictions as module
from course_lib.classroom import progress_file as progress
from course_lib.classroom.panel import inline
from course_lib.classroom.predictions import FOLDED, predict, prediction, reveal

OPTIONS = {"falls": "It keeps falling", "rises": "It falls, then rises", "flat": "It stays < 1"}
SAYS = {
    "falls": "You expected more steps to help.",
    "rises": "Five points are few.",
    "flat": "You expected no change.",
}


@pytest.fixture(autouse=True)
def new_kernel():
    module._questions.clear()


def ask(**more):
    return predict("02.more_steps", "What does the `query` error do?", OPTIONS, **more)


def test_an_answer_from_the_browser_is_stored_and_stays(own_progress):
    question = ask()
    assert prediction("02.more_steps") is None and question.locked == ""
    question._handle_custom_msg({"lock": "falls"}, [])
    assert prediction("02.more_steps") == "falls" and question.locked.startswith("Locked on 20")
    question._handle_custom_msg({"lock": "rises"}, [])
    assert prediction("02.more_steps") == "falls" and question.answer == "falls"
    entry = json.loads(own_progress.read_text())["predictions"]["02.more_steps"]
    assert (
        entry["said"] == "It keeps falling"
        and entry["right"] is None
        and entry["locked_at"][:2] == "20"
    )
    assert ask().answer == "falls"  # the cell run again, or tomorrow


def test_two_open_copies_keep_the_first_answer():
    first, second = ask(), ask()
    first.lock("flat")
    second.lock("rises")
    assert second.answer == "flat" == prediction("02.more_steps")


def test_an_answer_to_an_older_wording_does_not_lock_a_changed_question():
    predict("02.more_steps", "Q?", {"old": "Old", "other": "Other"}).lock("old")
    question = ask()
    assert question.locked == ""
    assert FOLDED in reveal("02.more_steps", right="rises", says=SAYS)._repr_html_()
    question.lock("flat")
    assert prediction("02.more_steps") == "flat"


def test_a_number():
    question = predict("01.floor", "How large?", number=(0, 10, 0.1), unit="MSE")
    assert "from 0 to 10 MSE" in question.static()
    with pytest.raises(ValueError, match="not one of the answers"):
        question.lock(11)
    question.lock(2.6)
    assert prediction("01.floor") == 2.6 and question.said == "2.6 MSE"


def test_the_static_form_is_plain_and_never_changes():
    pages = [ask()._repr_mimebundle_()[0] for _ in range(2)]
    assert (
        pages[0]["text/html"] == pages[1]["text/html"]
        and pages[0]["text/plain"] == pages[1]["text/plain"]
    )
    assert "application/vnd.jupyter.widget-view+json" in pages[0]
    page = pages[0]["text/html"]
    assert (
        "<input" not in page
        and "<script" not in page
        and "query</code>" in page
        and "It stays &lt; 1" in page
    )
    ask().lock("falls")
    assert ask().static() == page  # what is committed does not depend on who ran it


@pytest.mark.parametrize(
    "arguments, says",
    [
        (dict(), "either options"),
        (dict(options=OPTIONS, number=(0, 1, 1)), "either options"),
        (dict(options={"a": "A"}), "at least two"),
        (dict(number=(1, 0, 1)), "low < high"),
        (dict(number=(0, 1)), "low < high"),
    ],
)
def test_a_question_that_cannot_be_asked(arguments, says):
    with pytest.raises(ValueError, match=says):
        predict("02.a", "Q?", **arguments)


def test_without_an_answer_the_result_is_folded_and_nothing_is_stored(own_progress):
    ask()
    page = reveal("02.more_steps", right="rises", says=SAYS, show="<img alt='curve'>")._repr_html_()
    assert 'class="course-reveal" data-id="02.more_steps"' in page
    assert (
        page.index("<details>")
        < page.index(FOLDED)
        < page.index("</summary>")
        < page.index("Five points")
        < page.index("<img")
    )
    assert (
        all(text in page for text in SAYS.values())
        and page.rstrip().endswith("</details></div>")
        and "open" not in page.split("<summary>")[0]
    )
    assert not own_progress.exists()


def test_a_wrong_answer_is_spoken_to_first_and_the_outcome_comes_last():
    ask().lock("falls")
    page = reveal("02.more_steps", right="rises", says=SAYS, show="<img alt='curve'>")._repr_html_()
    order = [
        page.index(text)
        for text in (
            "You predicted",
            "It keeps falling",
            SAYS["falls"],
            "<img",
            "What happened",
            SAYS["rises"],
        )
    ]
    assert order == sorted(order) and "<details" not in page and SAYS["flat"] not in page
    assert progress.read()["predictions"]["02.more_steps"]["right"] is False


def test_a_right_answer():
    ask().lock("rises")
    page = reveal("02.more_steps", right="rises", says=SAYS)._repr_html_()
    assert "That is what happened" in page and page.count(SAYS["rises"]) == 1
    assert progress.read()["predictions"]["02.more_steps"]["right"] is True


def test_a_new_kernel_remembers_what_was_said():
    ask().lock("falls")
    module._questions.clear()
    assert "It keeps falling" in repr(reveal("02.more_steps", right="rises", says=SAYS))


def test_every_option_needs_a_text():
    ask()
    with pytest.raises(ValueError, match="no text for 'flat'"):
        reveal("02.more_steps", right="rises", says={"falls": "a", "rises": "b"})
    with pytest.raises(ValueError, match="not one of the options"):
        reveal("02.more_steps", right="extra", says={**SAYS, "extra": "e"})
    with pytest.raises(ValueError, match="no text for 'rises'"):
        reveal("02.other", right="rises", says={"falls": "a"})
    with pytest.raises(ValueError, match="needs right=key"):
        reveal("02.more_steps", right=1.0, tolerance=1, says=dict(low="", high="", close=""))
    predict("01.floor", "Q?", number=(0, 10, 1))
    with pytest.raises(ValueError, match="no text for 'close'"):
        reveal("01.floor", right=3, tolerance=1, says={"low": "l", "high": "h"})
    with pytest.raises(ValueError, match="finite"):
        reveal("01.floor", right=float("nan"), tolerance=1, says=dict(low="", high="", close=""))


@pytest.mark.parametrize(
    "answer, key, correct",
    [(1.0, "low", False), (2.6, "close", True), (3.5, "close", True), (9, "high", False)],
)
def test_a_number_is_low_close_or_high(answer, key, correct):
    predict("01.floor", "How large?", number=(0, 10, 0.1), unit="MSE").lock(answer)
    says = {"low": "LOW", "high": "HIGH", "close": "CLOSE"}
    page = reveal("01.floor", right=3.01, tolerance=0.5, says=says)._repr_html_()
    assert says[key] in page and ("3.01 MSE" in page) is (not correct) and "3.01" in page
    assert progress.read()["predictions"]["01.floor"]["right"] is correct
    spoken = reveal(
        "01.floor",
        right=3.01,
        tolerance=0.5,
        says=lambda said, right: f"{said:.1f} and {right:.2f}",
    )
    assert f"{answer:.1f} and 3.01" in repr(spoken)


def test_a_figure_has_its_alt_text_and_is_shown_once():
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    axes.plot([0, 1])
    page = reveal(
        "02.more_steps", right="rises", says=SAYS, show=figure, alt="A curve that falls, then rises"
    )._repr_html_()
    assert 'alt="A curve that falls, then rises"' in page and "data:image/png;base64," in page
    assert not pyplot.fignum_exists(figure.number)
    with pytest.raises(ValueError, match="alt="):
        reveal("02.more_steps", right="rises", says=SAYS, show=Figure())
    with pytest.raises(ValueError, match="not int"):
        reveal("02.more_steps", right="rises", says=SAYS, show=3)


def test_marks_in_texts():
    assert (
        inline("a < b & `x < y` **s** *e* 2 * 3 * 4").count(
            "<strong>s</strong> <em>e</em> 2 * 3 * 4"
        )
        == 1
    )
    assert inline("`<b>`").endswith(">&lt;b&gt;</code>") and "<script>" not in inline("<script>")
