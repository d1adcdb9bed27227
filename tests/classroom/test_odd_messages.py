"""Whatever a browser sends, a widget goes on: odd messages are ignored with a note."""

import gc
import json
import os
import random

import numpy as np
import pytest
import torch

from course_lib.chapters.ch00.explorers import Quiz, taste
from course_lib.classroom import progress_file
from course_lib.classroom.controls import Choice, Points, Slider, Text, Toggle
from course_lib.classroom.drawpad import DrawPad
from course_lib.classroom.exercises import chapter, judge
from course_lib.classroom.explorer import Explorer
from course_lib.classroom.predictions import Outcome, Prediction, Question
from course_lib.families import hand_drawn

SEED = int(os.environ.get("COURSE_SEED", 0))
ODD = [None, True, -1, 0, 1e400, float("nan"), 10**30, "abc", "", [], [[]], [None], {}, {"a": 1},
       "\ud800", [[1, 2], [3]], [[float("nan"), 0.0]], [["x", "y"]]]  # fmt: skip


def explorer() -> Explorer:
    return Explorer(
        "What does it show?",
        lambda n, kind, on, at, said: n,
        lambda result, axes: axes.plot([0, result]),
        [
            Slider("n", "number", 1, 5, 1, value=2),
            Choice("kind", "kind", ("a", "b"), "a"),
            Toggle("on", "on", False),
            Points("at", "points", ((0.0, 0.0),), ((-1, 1), (-1, 1))),
            Text("said", "words", "hello"),
        ],
        lambda result: f"It is {result}.",
        lambda result: "A line from nothing to the number that was chosen.",
    )


def test_an_explorer_goes_on_after_any_message():
    shown, dice = explorer(), random.Random(SEED)
    names = ["values", "width", "density", "serial", "touched", "nonsense"]
    parts = ["n", "kind", "on", "at", "said", "nobody"]
    for _ in range(80):
        request = {name: dice.choice(ODD) for name in dice.sample(names, dice.randrange(1, 4))}
        if dice.random() < 0.6:
            request["values"] = {name: dice.choice(ODD) for name in dice.sample(parts, 2)}
        shown._on_request({"new": request})
        assert shown.answer["error"] == "" and shown.answer["number"].startswith("It is"), request
        assert shown.state["n"] in range(1, 6) and -1 <= shown.state["at"][0][0] <= 1
    shown._on_request({"new": {"values": {"n": 4}, "width": 700, "density": 1}})
    assert shown.answer["number"] == "It is 5." and shown.answer["width"] == 700
    print(f"COURSE_SEED={SEED}: 80 messages")


def test_the_quiz_of_chapter_00_goes_on_too():
    made, dice = taste(), random.Random(SEED)
    assert isinstance(made, Quiz)
    for _ in range(30):
        names = dice.sample([c.name for c in made.controls] + ["nobody"], 2)
        touched = dice.choice([*ODD, {"answer": "x"}, {"answer": 3, "round": 1}])
        request = {"values": {name: dice.choice(ODD) for name in names}, "touched": touched}
        made._on_request({"new": request})
        assert made.answer["error"] == "", request


def test_a_draw_pad_goes_on_after_any_message():
    pad, dice = DrawPad(["one", "two"], hand_drawn), random.Random(SEED)
    for _ in range(100):
        strokes = dice.choice([*ODD, [[[0.1, 0.2], [float("nan"), 0.5]]], [[[1e308, -1e308]] * 3]])
        request = dice.choice([
            {"papers": dice.choice(ODD)}, {}, {"serial": dice.choice(ODD)},
            {"papers": [{"strokes": strokes, "ready": dice.choice(ODD)}] * 2},
            {"papers": [{"strokes": strokes}, dice.choice(ODD)]},
        ])  # fmt: skip
        pad._on_request({"new": request})
        assert torch.isfinite(pad.pictures).all()
    paper = {"strokes": [[[0.1, 0.1], [0.9, 0.9]]], "ready": True}
    pad._on_request({"new": {"papers": [paper, paper]}})
    assert pad.answer["error"] == "" and pad.pictures.sum() > 1


@pytest.mark.parametrize("number", [None, (0, 10, 1)])
def test_a_question_goes_on_after_any_message(number, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    answers = {"a": ("this", "yes"), "b": ("that", "no")}
    near = {"low": "more", "high": "less", "close": "yes"}
    asked = (
        Prediction("How many?", near, Outcome, number=number, tolerance=0.5)
        if number
        else Prediction("What happens?", answers, Outcome)
    )
    question = Question("99.test", asked)
    for odd in ODD:
        for content in (odd, {"lock": odd}):
            if number and isinstance(odd, int) and not isinstance(odd, bool) and 0 <= odd <= 10:
                continue
            question._received(None, content, None)
    assert question.locked == "" and question.answer is None
    question._received(None, {"lock": 3 if number else "a"}, None)
    assert question.answer == (3 if number else "a") and question.locked


# --- memory ---------------------------------------------------------------------------------------


def test_an_explorer_that_is_shown_again_lets_its_old_canvases_go():
    import resource

    def shown():
        one = explorer()
        one._on_request({"new": {"width": 900, "density": 2.0}})
        one._repr_mimebundle_()
        return one

    kept = [shown() for _ in range(3)]  # Jupyter keeps every widget
    gc.collect()
    before = sum(len(one._canvases) for one in kept)
    kept += [shown() for _ in range(9)]
    assert sum(len(one._canvases) for one in kept) <= before <= 3
    kept[0]._on_request({"new": {"values": {"n": 0}}})  # an old one can still be moved
    assert kept[0].answer["number"] == "It is 1."
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 0


# --- the progress file ----------------------------------------------------------------------------


@pytest.mark.parametrize("part, value", [
    (part, odd) for part in ("tries", "passed", "right", "said", "last") for odd in ODD[:14]
])  # fmt: skip
def test_an_entry_with_odd_parts_is_read(part, value, monkeypatch, tmp_path, capsys):
    from course_lib.commands.check import progress_row

    file = tmp_path / "progress.json"
    monkeypatch.setenv("COURSE_PROGRESS", str(file))
    entry = {"answer": "a", part: value}
    file.write_text(json.dumps({"exercises": {"01.x": entry}, "predictions": {"01.y": entry}}))
    stored = progress_file.read()
    assert stored["exercises"]["01.x"]["answer"] == "a"
    assert progress_file.counts(stored)["01"]["exercises"] == 1
    assert progress_row().ok and "unreadable" not in capsys.readouterr().out
    progress_file.table()


def test_an_export_says_that_it_is_no_proof(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    copy = json.loads(progress_file.export_progress(tmp_path / "me.json").read_text())
    assert "anyone can write into such a file" in copy["note"]


def test_an_exercise_leaves_every_random_state_as_it_was():
    def careless(*given, **named):
        np.random.seed(3), random.seed(3), torch.manual_seed(3)
        return np.random.rand()

    def states() -> tuple:
        of_numpy, of_torch = np.random.get_state()[1], torch.get_rng_state()
        return random.getstate(), of_numpy.tolist(), of_torch.tolist()

    before = states()
    judge(chapter("01")[0], careless)
    assert states() == before


def test_a_browser_sets_what_a_widget_listens_to_and_nothing_else(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path / "progress.json"))
    asked = Prediction("What happens?", {"a": ("this", "yes"), "b": ("that", "no")}, Outcome)
    for made in (explorer(), DrawPad(["one", "two"], hand_drawn), Question("99.test", asked)):
        for name in made.keys:
            if name in made.heard:
                continue
            before = made.get_state(name)
            made.set_state({name: dict(a=1) if name in ("spec", "answer") else "<b>mine</b>"})
            assert made.get_state(name) == before, (type(made).__name__, name)
    shown = explorer()
    shown.set_state({"request": {"values": {"n": 5}, "serial": 1}, "spec": {}})
    assert shown.answer["number"] == "It is 5." and shown.spec
