"""Submissions run apart from each other and from us: what loops, eats memory, writes, breaks or
ends its process costs its own points and nobody else's."""

import csv
import json
import os
import sys

import pytest

from course_lib import ROOT
from course_lib.__main__ import main
from course_lib.classroom import exercises
from course_lib.classroom.exercises import statements
from course_lib.classroom.teacher import marks, slices, submissions
from course_lib.classroom.teacher.submissions import Limits, Marked

GRADIENT, LOSS, STEP = IDS = "03.meta_gradient", "03.maml_loss", "03.outer_step"
STUBS = {
    GRADIENT: "def meta_gradient_on_paper(theta, A, s, q, alpha):",
    LOSS: "def maml_loss(theta, loss_of, support, query, alpha):",
    STEP: "def outer_step(theta, task_losses, beta):",
}


def solved(identity: str) -> str:
    return "import torch\n" + statements.statement(identity).solution


def written(**bodies: str) -> str:
    """A submission: a body for each of gradient, loss and step; solved where none is given."""
    parts = []
    for name, identity in zip(("gradient", "loss", "step"), IDS, strict=True):
        body = bodies.get(name)
        parts.append(solved(identity) if body is None else f"{STUBS[identity]}\n    {body}")
    return "\n\n".join(parts) + "\n"


def mark_one(tmp_path, text: str, **limits) -> Marked:
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "eve.py").write_text(text, encoding="utf-8")
    usual = {"seconds": 4.0, "megabytes": 500}
    (one,) = submissions.mark(tmp_path / "room", "03", Limits(**usual | limits))
    assert list(one.verdicts) and set(one.verdicts) == set(IDS)
    return one


def names(one: Marked) -> list[str]:
    return [one.verdicts[identity][0] for identity in IDS]


# --- in a process ---------------------------------------------------------------------------------


def test_a_loop_without_end_costs_one_point(tmp_path):
    one = mark_one(tmp_path, written(gradient="while True: pass"), seconds=2.0)
    assert names(one) == ["time", "passed", "passed"]
    assert "2 seconds" in one.verdicts[GRADIENT][1]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the watcher limits memory")
def test_what_eats_memory_is_stopped_at_once_or_as_it_grows(tmp_path):
    eats = "rows = []\n    while True: rows.append('x' * 10**7)"
    one = mark_one(tmp_path, written(gradient="return torch.ones(10**10).sum()", loss=eats))
    assert names(one) == ["raised", "raised", "passed"]
    assert "memory" in one.verdicts[GRADIENT][1] and "MemoryError" in one.verdicts[LOSS][1]


def test_the_watcher_stops_what_takes_too_much_on_every_system(tmp_path, monkeypatch):
    monkeypatch.setattr(submissions, "COURSE_MEGABYTES", -490)
    one = mark_one(tmp_path, written())
    assert names(one) == ["memory"] * 3 and "more than 500 MB" in one.verdicts[LOSS][1]


def test_files_processes_and_networks_are_out_of_reach(tmp_path):
    outside = tmp_path / "outside"
    body = f"open('mine', 'w').write('x')\n    open({str(outside)!r}, 'w').write('x')\n    return 1"
    child = "import subprocess\n    return subprocess.run(['true'])"
    net = "import socket\n    socket.create_connection(('127.0.0.1', 9))"
    one = mark_one(tmp_path, written(gradient=body, loss=child, step=net))
    assert names(one) == ["raised"] * 3 and not outside.exists()
    said = [one.verdicts[identity][1] for identity in IDS]
    assert "its own folder only" in said[0]
    assert "subprocess.Popen" in said[1] and "socket" in said[2]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["room"]


def test_a_process_that_ends_itself_is_followed_by_another(tmp_path):
    ends = mark_one(tmp_path, written(gradient="import os; os._exit(0)", loss="raise SystemExit"))
    assert names(ends)[0] == "died" and names(ends)[2] == "passed"
    assert not ends.passed(LOSS)


def test_forged_verdicts_and_the_courses_own_solution_are_seen(tmp_path):
    forged = json.dumps({"token": "x", "id": LOSS, "name": "passed", "text": ""})
    text = written(
        gradient=f"import sys; print({forged!r}); sys.stdout.flush(); return 1",
        loss="return theta", step="from course_lib.chapters.ch03.exercises import outer_step as o"
        "\n    return o(theta, task_losses, beta)",
    )  # fmt: skip
    one = mark_one(tmp_path, text)
    assert not one.passed(LOSS) and one.passed(STEP)
    assert "course's own solutions" in one.note


# --- the command ----------------------------------------------------------------------------------


def notebook(text: str) -> str:
    cells = [{"cell_type": "code", "source": [part]} for part in text.split("\n\n")]
    return json.dumps({"cells": cells})


def test_the_command_marks_files_and_folders_and_names_what_it_cannot_read(tmp_path, capsys):
    room, out = tmp_path / "room", tmp_path / "out"
    (room / "ada" / "ch03").mkdir(parents=True)
    magic = "%matplotlib inline\n1 / 0\n\n" + written(gradient="return 0")
    (room / "ada" / "ch03" / "03_outer_loop.ipynb").write_text(notebook(magic))
    (room / "broken.ipynb").write_text("{")
    (room / "huge.py").write_bytes(b" " * 31_000_000)
    (room / "link.py").symlink_to(ROOT / "start.py")
    given = ["--seconds", "20", "--output", str(out)]
    assert main(["mark", "03", str(room), *given]) == 0
    assert "ada: 2 of 3" in capsys.readouterr().out
    rows = {name: list(csv.DictReader((out / name).open())) for name in os.listdir(out)}
    assert sorted(rows) == ["final_grades.csv", "grades.csv", "verdicts.csv"]
    assert tuple(rows["grades.csv"][0]) == marks.NBGRADER
    scores = {row["student_id"]: row["score"] for row in rows["grades.csv"]}
    assert scores == {"ada": "2.0", "broken": "0.0", "huge": "0.0", "link": "0.0"}
    assert list(rows["final_grades.csv"][0]) == ["file", *IDS, "percent_correct"]
    said = {(row["student_id"], row["exercise"]): row["verdict"] for row in rows["verdicts.csv"]}
    assert said["broken", LOSS] == "syntax"
    assert said["huge", LOSS] == said["link", LOSS] == "refused"


@pytest.mark.parametrize(
    "words, says",
    [
        (["03", "nowhere"], "there is no such folder"),
        (["03", "."], "there is no notebook and no .py file in it"),
        (["77", "."], "there is no chapter 77"),
        (["03", ".", "--seconds", "0"], "choose a number above 0"),
    ],
)
def test_the_command_says_what_to_change(tmp_path, monkeypatch, capsys, words, says):
    monkeypatch.chdir(tmp_path)
    assert main(["mark", *words]) == 2
    assert says in capsys.readouterr().err


# --- without a process ----------------------------------------------------------------------------


def test_only_the_lines_that_an_exercise_needs_are_run():
    text = """
import torch
slow = train_for_hours()
scale = 1
scale = [3]
scale.append(2)
def helper(b): return torch.ones(b)
for answer in range(3): pass
def answer(c): return helper(c) + scale[0] + later()
check('03.a', lambda a: answer(a))
answer = None
def later(): return 1
"""
    made = slices.parsed(text, notebook=False)
    lines = [slices.ast.unparse(line) for line in slices.needed(made, *made.checked["03.a"])]
    assert [line.split("(")[0].split(" =")[0] for line in lines] == [
        "import torch", "scale", "scale.append", "def helper", "def answer", "def later",
    ]  # fmt: skip


def test_a_chapter_as_it_ships_needs_only_its_stub():
    for number in ("02", "03", "07"):
        (path,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
        made = slices.parsed(path.read_text(encoding="utf-8"), notebook=True)
        assert set(made.checked) == {exercise.id for exercise in exercises.chapter(number)}
        assert all(len(slices.needed(made, *asked)) == 1 for asked in made.checked.values())


def test_who_hands_in_twice_gets_the_better_of_the_two():
    verdicts = {identity: ("passed", "") for identity in IDS}
    twice = [Marked("ada", "a.py", verdicts), Marked("ada", "b.py", dict.fromkeys(IDS, ("no", "")))]
    table = marks.tables(twice, "03", list(IDS))["grades.csv"].splitlines()
    assert len(table) == 2 and table[1] == "ch03,,,ada,,,,3.0,0.0,3.0,3.0"
