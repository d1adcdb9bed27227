"""The progress bar, as a terminal and as a notebook see it."""

import io
import sys
import types

import pytest

from course_lib.training import progress_bar
from course_lib.training.progress_bar import bar, duration


@pytest.mark.parametrize(
    "seconds, words",
    [(0, "0 s"), (9.4, "9 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s"), (3780, "1 h 3 min")],
)
def test_durations_are_said_as_a_reader_says_them(seconds, words):
    assert duration(seconds) == words


@pytest.fixture
def slow_clock(monkeypatch):
    """Every look at the clock finds a second gone."""
    seconds = iter(range(10**6))
    monkeypatch.setattr(progress_bar.time, "monotonic", lambda: next(seconds))


def test_in_a_terminal_one_line_counts_up_and_ends(slow_clock, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    assert list(bar("abc", 3, "meta-training", lambda: "outer loss 1.234")) == ["a", "b", "c"]
    lines = screen.getvalue().split("\r")[1:]
    assert lines[0].rstrip() == "meta-training: 0 of 3, starting"
    assert [line.split(",")[0] for line in lines[1:]] == [
        f"meta-training: {i} of 3" for i in (1, 2, 3, 3)
    ]
    assert all(
        "outer loss 1.234" in line and line.rstrip().endswith(" s left") for line in lines[1:-1]
    )
    assert (
        " took " in lines[-1]
        and screen.getvalue().count("\n") == 1
        and screen.getvalue().endswith("\n")
    )
    assert len({len(line.rstrip("\n")) for line in lines}) == 1, (
        "a shorter line would leave the end of a longer one"
    )


def test_a_resumed_run_counts_on_and_a_finished_one_says_so(slow_clock, capsys):
    assert list(bar([7, 8], 10, "work", start=8)) == [7, 8]
    assert list(bar([], 10, "work", lambda: 1 / 0, start=10)) == []
    words = capsys.readouterr().err
    assert "work: 8 of 10, starting" in words and "work: 9 of 10" in words
    assert words.rstrip().split("\r")[-1].startswith("work: 10 of 10, took")


def test_the_time_left_is_the_time_an_item_takes_times_the_items_left(monkeypatch, capsys):
    clock = [0.0]
    monkeypatch.setattr(progress_bar.time, "monotonic", lambda: clock[0])
    for _ in bar(range(2, 10), 10, "work", start=2):
        clock[0] += 30
    assert "work: 4 of 10, 3 min 0 s left" in capsys.readouterr().err


def test_in_a_notebook_it_is_one_output_that_is_updated(slow_clock, monkeypatch):
    shown = []

    class Handle:
        def update(self, content):
            shown.append(("update", content.data))

    def display(content, display_id):
        shown.append(("new", content.data))
        return Handle()

    ipython = types.SimpleNamespace(get_ipython=lambda: types.SimpleNamespace(kernel="yes"))
    page = types.SimpleNamespace(
        HTML=lambda text: types.SimpleNamespace(data=text), display=display
    )
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", page)
    assert list(bar("ab", 2, "a <b>", lambda: "loss < 1")) == ["a", "b"]
    assert [kind for kind, _ in shown] == ["new", "update", "update", "update"]
    assert 'aria-label="a &lt;b&gt;" value="0" max="2"' in shown[0][1]
    assert (
        'value="2" max="2"' in shown[-1][1]
        and "loss &lt; 1" in shown[-1][1]
        and "took" in shown[-1][1]
    )
    assert all("<b>" not in text for _, text in shown)


def test_ipython_in_a_terminal_is_no_notebook(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: object()))
    assert not progress_bar.in_notebook()
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: None))
    assert not progress_bar.in_notebook()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not progress_bar.in_notebook()
