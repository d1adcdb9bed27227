"""Handouts: students see no solution and no answer, teachers see all of it, and both are notebooks
that work."""

import json
import re

import nbformat
import pytest

from course_lib import ROOT
from course_lib.__main__ import main
from course_lib.classroom.exercises import chapter
from course_lib.classroom.exercises.statements import SOLUTION
from course_lib.classroom.teacher.handout import handout
from course_lib.classroom.teacher.slices import parsed

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def source(notebook: dict, kind: str) -> str:
    return "\n\n".join("".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == kind)


def valid(notebook: dict) -> None:
    nbformat.validate(nbformat.from_dict(notebook))


@each
def test_a_students_handout_has_every_question_and_no_answer(path):
    whole = json.loads(path.read_text(encoding="utf-8"))
    made = handout(whole, "students")
    valid(made)
    words = source(made, "markdown")
    assert "Solution</summary>" not in words and "Answers</summary>" not in words
    for solution in SOLUTION.findall(source(whole, "markdown")):
        assert solution.strip() not in json.dumps(made, ensure_ascii=False)
    assert source(made, "code") == source(whole, "code")
    hints = re.compile(r"<summary>Hint \d")
    assert len(hints.findall(words)) == len(hints.findall(source(whole, "markdown")))
    revealed = [c for c in made["cells"] if re.search(r"^reveal\(", "".join(c["source"]), re.M)]
    assert not any(cell["outputs"] for cell in revealed)
    assert set(parsed(json.dumps(made), True).checked) == {e.id for e in chapter(path.stem[:2])}


def test_a_teachers_handout_has_solutions_replies_and_mistakes():
    path = ROOT / "notebooks" / "02_inner_loop.ipynb"
    whole = json.loads(path.read_text(encoding="utf-8"))
    made = handout(whole, "teachers")
    valid(made)
    words = source(made, "markdown")
    assert "<summary>Solution" not in words
    for solution in SOLUTION.findall(source(whole, "markdown")):
        assert solution.strip() in words
    asked = re.findall(r'^predict\(\s*"(\d\d\.\w+)"', source(whole, "code"), re.M)
    assert words.count("what is said to each answer") == len(asked) > 0
    assert words.count("What happened: **") == len(asked)
    known = chapter("02")
    assert words.count("the mistakes that this check knows") == len(known)
    assert words.count("Read again:") >= sum(len(exercise.rows) for exercise in known)


def test_the_recall_answers_of_a_chapter_go_too():
    path = ROOT / "notebooks" / "06_siamese.ipynb"
    made = source(handout(json.loads(path.read_text(encoding="utf-8")), "students"), "markdown")
    recall = made.partition("### Can you still say it?")[2].partition("### Words")[0]
    assert "</details>" not in recall and recall.count("\n- ") >= 4


def test_the_command_writes_both_and_refuses_others(tmp_path, capsys):
    out = ["--output", str(tmp_path)]
    assert main(["handout", "0", "02", "--for", "students", *out]) == 0
    assert main(["handout", "00", "--for", "teachers", *out]) == 0
    found = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.ipynb"))
    assert found == ["students/00_start_here.ipynb", "students/02_inner_loop.ipynb",
                     "teachers/00_start_here.ipynb"]  # fmt: skip
    assert main(["handout", "77", "--for", "students", *out]) == 2
    assert "there is no chapter 77" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["handout", "00", "--for", "parents"])
