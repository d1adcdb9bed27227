"""The promises every chapter keeps: its exercises diagnose their own mistakes, and notebook and
exercise file tell the same story."""

import ast
import dataclasses
import math
import re
import sys
import types
from importlib import import_module

import nbformat
import pytest
import torch

from course_lib import ROOT
from course_lib.classroom.exercises import Exercise, all_exercises, check, statements, told
from course_lib.classroom.exercises.judging import judge, outcomes
from course_lib.classroom.exercises.running import Raised

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
SHIPPED = all_exercises()
IDENTITY = re.compile(r"\d\d\.\w+")
LEAST = 3  # predictions, and exercises, from chapter 01 on

each_exercise = pytest.mark.parametrize("exercise", SHIPPED, ids=lambda exercise: exercise.id)
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


# --- exercise files -------------------------------------------------------------------------------


def test_ids_are_unique_and_begin_with_their_chapter():
    ids = [exercise.id for exercise in SHIPPED]
    assert len(ids) == len(set(ids))
    for exercise in SHIPPED:
        assert IDENTITY.fullmatch(exercise.id), exercise.id
        assert (
            exercise
            in import_module(f"course_lib.chapters.ch{exercise.id[:2]}.exercises").EXERCISES
        )


def flaws(exercise: Exercise) -> list[str]:
    """What an exercise lacks; nothing, it is to be hoped."""
    found = []
    if any(isinstance(outcome, Raised) for outcome in outcomes(exercise, exercise.solution)):
        found.append("the solution raises")
    for right in (exercise.solution, *exercise.others):
        if not judge(exercise, right).passed:
            found.append(f"a right form does not pass: {judge(exercise, right)}")
    try:
        rows = exercise.rows
    except ValueError as error:  # a wrong line that does not parse, or edits what is not there
        return [*found, str(error)]
    verdicts = {row.name: judge(exercise, row.wrong) for row in rows}
    found += [
        f"{name} is met by {verdict.name}: {verdict}"
        for name, verdict in verdicts.items()
        if verdict.name != f"mistake:{name}"
    ]
    for row in rows:
        for form in row.forms[1:]:
            if (verdict := judge(exercise, form)).name != f"mistake:{row.name}":
                found.append(f"another form of {row.name} is met by {verdict.name}")
    stated = exercise.statement
    texts = [verdict.text for verdict in verdicts.values()]
    wholes = {
        "fewer than three mistakes": len(texts) >= 3,
        "two mistakes say the same": len(set(texts)) == len(texts),
        "a mistake names no section": all(row.read for row in rows),
        "a number is not filled in": not any(re.search(r"\{(got|wanted)", text) for text in texts),
        "no other right form": len(exercise.others) >= 1,
        "two rows have one name": len(verdicts) == len(rows),
        "no title or no solution in the notebook": bool(stated.title and stated.solution),
        "not two hints": len(stated.hints) == 2 and all(stated.hints),
        "difficulty is 1, 2 or 3 and minutes are above 0": stated.difficulty in (1, 2, 3)
        and stated.minutes > 0,
        "fewer than three cases": len(exercise.fresh()) >= 3,
    }
    return found + [word for word, fine in wholes.items() if not fine]


@each_exercise
def test_an_exercise_keeps_its_contract(exercise):
    assert flaws(exercise) == []


# --- notebooks ------------------------------------------------------------------------------------


def code(cell) -> ast.Module:
    """The cell's Python, without magics and shell lines."""
    return ast.parse(
        re.sub(r"^(\s*)[%!].*$", r"\1pass", cell.source, flags=re.M)
        if cell.cell_type == "code"
        else ""
    )


def calls(notebook, name: str) -> list[tuple[int, str, ast.Call]]:
    """(cell number, id, call) of each `name("02.some_id", ...)`, in order."""
    return [
        (place, node.args[0].value, node)
        for place, cell in enumerate(notebook.cells)
        for node in ast.walk(code(cell))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", None) == name
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and IDENTITY.fullmatch(str(node.args[0].value))
    ]


def prediction_flaws(notebook, number: str) -> list[str]:
    asked, shown = calls(notebook, "predict"), calls(notebook, "reveal")
    found = [
        f"predict {i} appears {n} times"
        for i in {i for _, i, _ in asked}
        if (n := [j for _, j, _ in asked].count(i)) != 1
    ]
    found += [
        f"{i} does not belong to chapter {number}" for _, i, _ in asked + shown if i[:2] != number
    ]
    found += [
        f"reveal {i} has no predict" for _, i, _ in shown if i not in {j for _, j, _ in asked}
    ]
    for place, i, _ in asked:
        places = [where for where, j, _ in shown if i == j]
        if len(places) != 1 or places[0] <= place:
            found.append(
                f"predict {i} needs exactly one reveal, in a later cell; it has {len(places)}"
            )
    return found + (
        [f"{len(asked)} predictions; at least {LEAST} are wanted"]
        if number > "00" and len(asked) < LEAST
        else []
    )


def exercise_flaws(
    notebook, number: str, exercises: tuple[Exercise, ...], names: dict
) -> list[str]:
    """Each exercise of the chapter has its stub, its check and its folded solution, and the
    solution passes."""
    known, checked = {exercise.id: exercise for exercise in exercises}, calls(notebook, "check")
    found = [f"check {i} is no exercise of this chapter" for _, i, _ in checked if i not in known]
    found += [
        f"{i} is checked {n} times"
        for i in known
        if (n := [j for _, j, _ in checked].count(i)) != 1
    ]
    if number > "00" and len(known) < LEAST:
        found.append(f"{len(known)} exercises; at least {LEAST} are wanted")
    checked = [(place, i, call) for place, i, call in checked if i in known]
    for turn, (place, i, call) in enumerate(checked):
        function = (
            call.args[1].id if len(call.args) > 1 and isinstance(call.args[1], ast.Name) else ""
        )
        stubs = [
            p
            for p in range(place + 1)
            if any(getattr(node, "name", None) == function for node in code(notebook.cells[p]).body)
        ]
        if not stubs:
            found.append(f"{i}: no cell above defines {function or 'the function'}")
            continue
        stub = notebook.cells[stubs[-1]].source.rstrip()
        if len(stub.splitlines()) > 8:
            found.append(f"{i}: the stub has {len(stub.splitlines())} lines; 8 at most")
        if (verdict := judge(known[i], run(stub, function, names))).name != "not_tried":
            found.append(f"{i}: the stub counts as tried: {verdict}")
        end = checked[turn + 1][0] if turn + 1 < len(checked) else len(notebook.cells)
        folded = "\n".join(
            cell.source
            for cell in notebook.cells[stubs[-1] : end]
            if cell.cell_type == "markdown" and "<details" in cell.source
        )
        blocks = re.findall(r"```python\n(.*?)```", folded, flags=re.S)
        solutions = [
            block for block in blocks if re.search(rf"^(def|class) {function}\b", block, flags=re.M)
        ]
        if not solutions:
            found.append(
                f"{i}: no folded solution (<details> with a ```python block that defines "
                f"{function})"
            )
        for block in solutions:
            if not (verdict := judge(known[i], run(block, function, names))).passed:
                found.append(f"{i}: the folded solution does not pass: {verdict}")
    return found


def run(source: str, function: str, names: dict):
    """Execute one cell where the exercise lives: torch, F, math and the chapter's NAMESPACE; return
    the function it defines."""
    space = {
        "torch": torch,
        "F": torch.nn.functional,
        "math": math,
        "check": lambda *a: None,
        "hint": lambda *a: None,
        **names,
    }
    exec(compile(source, "<notebook cell>", "exec"), space)
    return space[function]


def test_each_chapter_with_exercises_has_its_notebook():
    assert {exercise.id[:2] for exercise in SHIPPED} <= {path.stem[:2] for path in NOTEBOOKS}


@each_notebook
def test_a_notebook_and_its_exercises_agree(path):
    number = path.stem[:2]
    mine = tuple(exercise for exercise in SHIPPED if exercise.id[:2] == number)
    names = (
        getattr(import_module(f"course_lib.chapters.ch{number}.exercises"), "NAMESPACE", {})
        if mine
        else {}
    )
    assert exercise_flaws(nbformat.read(path, 4), number, mine, names) == []


@each_notebook
def test_each_prediction_has_its_reveal_and_its_row(path):
    notebook, number = nbformat.read(path, 4), path.stem[:2]
    assert prediction_flaws(notebook, number) == []
    table = import_module(f"course_lib.chapters.ch{number}.predictions").PREDICTIONS
    assert {i for _, i, _ in calls(notebook, "predict")} == {f"{number}.{name}" for name in table}


@each_notebook
def test_little_of_a_notebook_is_plumbing_of_predictions(path):
    """The lines of statements that predict or reveal, of all lines of code."""
    notebook = nbformat.read(path, 4)
    plumbing = sum(
        node.end_lineno - node.lineno + 1
        for cell in notebook.cells
        for node in code(cell).body
        if any(
            getattr(getattr(call, "func", None), "id", "") in ("predict", "reveal")
            for call in ast.walk(node)
        )
    )
    lines = sum(
        bool(line.strip())
        for cell in notebook.cells
        if cell.cell_type == "code"
        for line in cell.source.splitlines()
    )
    assert plumbing <= lines / 10, f"{plumbing} of {lines} lines"


@each_notebook
def test_a_notebook_imports_from_few_faces(path):
    found = [
        ast.unparse(node)
        for cell in nbformat.read(path, 4).cells
        for node in ast.walk(code(cell))
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert len(found) <= 8, found


# --- these tests, tested on a chapter written here ------------------------------------------------


def double(x):
    return 2 * x


GOOD = Exercise(
    id="98.double",
    solution=double,
    others=(lambda x: x + x,),
    cases=lambda generator: [(torch.rand(n, generator=generator),) for n in (1, 2, 3)],
    read="a",
    mistakes={
        "x * x": "{got:.2f}, not {wanted:.2f}",
        ("x * 1", "2 * x -> x"): "it stays {got:.2f}",
        "x / 2": told("half: {got:.2f}", read="c"),
    },
)
STATED = statements.Statement("Twice", difficulty=1, minutes=1, hints=("a", "b"), solution="def")


@pytest.fixture(autouse=True)
def stated(monkeypatch):
    """What a notebook of chapter 98 would say."""
    real = statements.statements
    said = lambda number: {"98.double": STATED} if number == "98" else real(number)  # noqa: E731
    monkeypatch.setattr(statements, "statements", said)


STUB, SOLUTION = (
    'def double(x):\n    """Twice x."""\n    ...',
    "<details>\n\n```python\ndef double(x):\n    return factor * x\n```\n</details>",
)


def sample(*sources: str):
    """Cells in order; those that begin with < are markdown."""
    cells = [
        (nbformat.v4.new_markdown_cell if source.startswith("<") else nbformat.v4.new_code_cell)(
            source
        )
        for source in sources
    ]
    return nbformat.v4.new_notebook(cells=cells)


def test_a_good_chapter_has_no_flaws():
    notebook = sample("%matplotlib inline\n!ls", STUB, 'check("98.double", double)', SOLUTION)
    found = exercise_flaws(notebook, "98", (GOOD,), {"factor": 2})
    assert flaws(GOOD) == [] and found == [f"1 exercises; at least {LEAST} are wanted"]


@pytest.mark.parametrize(
    "cells, says",
    [
        ((STUB, 'check("98.double", double)'), "no folded solution"),
        ((STUB, 'check("98.double", double)', SOLUTION.replace("factor", "3")), "does not pass"),
        (
            (STUB.replace("...", "return x"), 'check("98.double", double)', SOLUTION),
            "counts as tried",
        ),
        (
            (STUB.replace("...", "\n" * 7 + "    ..."), 'check("98.double", double)', SOLUTION),
            "lines; 8 at most",
        ),
        ((STUB, 'check("98.other", double)', SOLUTION), "no exercise of this chapter"),
        ((STUB, SOLUTION), "checked 0 times"),
        (('check("98.double", double)', SOLUTION), "no cell above"),
    ],
)
def test_a_flawed_chapter_is_noticed(cells, says):
    assert any(
        says in flaw for flaw in exercise_flaws(sample(*cells), "98", (GOOD,), {"factor": 2})
    )


def changed(**fields) -> Exercise:
    return dataclasses.replace(GOOD, **fields)


def test_an_exercise_whose_mistakes_are_not_told_apart_is_noticed():
    twins = {"x * x": "{got:.2f}", "x**2": "{got:.2f}", double: "right"}
    found = flaws(changed(mistakes=twins, read=""))
    assert len([flaw for flaw in found if "is met by" in flaw]) == 2
    assert "two mistakes say the same" in found and "a mistake names no section" in found


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("x +", "is no Python"),
        ("3 * x -> x", "stands nowhere in double"),
        ("x + x", "x + x is met by passed"),
        ("x * x * 1", "x * x * 1 is met by mistake:x * x"),
        (("x - 1", "x * x"), "another form of x - 1 is met by mistake:x * x"),
    ],
)
def test_a_wrong_key_is_noticed(key, says):
    """It does not parse, edits what is not there, is right, or is what another row is."""
    found = flaws(changed(mistakes=GOOD.mistakes | {key: "something else: {got:.2f}"}))
    assert any(says in flaw for flaw in found), found


@pytest.mark.parametrize(
    "cells, says",
    [
        (('predict("98.a")',), "exactly one reveal"),
        (('predict("98.a")\nreveal("98.a", 1)',), "in a later cell"),
        (('reveal("98.a", 1)',), "has no predict"),
        (('predict("97.a")', 'reveal("97.a", 1)'), "does not belong"),
        (('predict("98.a")', 'predict("98.a")', 'reveal("98.a", 1)'), "2 times"),
        (('predict("98.a")', 'reveal("98.a", 1)'), "1 predictions"),
    ],
)
def test_a_prediction_without_its_reveal_is_noticed(cells, says):
    assert any(says in flaw for flaw in prediction_flaws(sample(*cells), "98"))


def test_three_predictions_with_reveals_are_fine():
    cells = [
        line for name in "abc" for line in (f'predict("98.{name}")', f'reveal("98.{name}", 1)')
    ]
    assert prediction_flaws(sample(*cells), "98") == []


def test_check_finds_a_chapter_by_its_file(monkeypatch):
    monkeypatch.setitem(
        sys.modules, "course_lib.chapters.ch98.exercises", types.SimpleNamespace(EXERCISES=(GOOD,))
    )
    assert check("98.double", double).passed


def test_every_chapter_is_linked_from_the_map_and_from_the_one_before():
    texts = {
        path.name: "\n".join(
            cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown"
        )
        for path in NOTEBOOKS
    }
    names = list(texts)
    for before, name in zip(names, names[1:], strict=False):
        number, what = name[:2], texts[before].split("**Next:**")
        rows = texts[names[0]].splitlines()
        row = next(line for line in rows if line.startswith(f"| {number} |"))
        assert f"]({name})" in row and "to come" not in row, name
        assert len(what) == 2 and f"]({name})" in what[1], f"{before} does not lead to {name}"
