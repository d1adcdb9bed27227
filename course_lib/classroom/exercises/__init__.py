"""Exercises for the notebooks: `check("03.meta_gradient", my_function)`, `hint("03.meta_gradient",
1)`, `progress()`.

Each chapter's exercises are in its room, as `EXERCISES = (Exercise(...), ...)`; they are imported
when first asked for. Nothing here raises in a notebook: an untouched notebook runs to its end.
"""

from __future__ import annotations

import importlib
import pkgutil

from course_lib import interrupts
from course_lib.classroom import progress_file as store
from course_lib.classroom.exercises.compare import any_of
from course_lib.classroom.exercises.judging import Exercise, Mistake, Numbers, Verdict, judge
from course_lib.classroom.exercises.wrong_lines import told
from course_lib.classroom.progress_file import export_progress, forget

__all__ = [
    "Exercise", "Mistake", "Numbers", "Verdict", "all_exercises", "any_of", "chapter", "check",
    "export_progress", "find",
    "forget", "hint", "judge", "progress", "solution_text", "told",
]  # fmt: skip


def chapter(number: str) -> tuple[Exercise, ...]:
    """The exercises of chapter "03"; none if it has none."""
    name = f"course_lib.chapters.ch{number}.exercises"
    try:
        return tuple(importlib.import_module(name).EXERCISES)
    except ModuleNotFoundError as error:
        if error.name not in (name, name.rpartition(".")[0]):
            raise
        return ()


def all_exercises() -> tuple[Exercise, ...]:
    found = pkgutil.iter_modules(importlib.import_module("course_lib.chapters").__path__)
    numbers = sorted(module.name.removeprefix("ch") for module in found)
    return tuple(exercise for number in numbers for exercise in chapter(number))


def find(identity: str) -> Exercise | Verdict:
    """The exercise, or a verdict that lists the ids of its chapter."""
    number = str(identity).split(".")[0]
    known = {exercise.id: exercise for exercise in chapter(number)}
    ids = ", ".join(f"`{name}`" for name in known) or "no exercises"
    return known.get(identity) or Verdict(
        "unknown", f"There is no exercise `{identity}`. Chapter {number} has {ids}."
    )


def check(identity: str, function) -> Verdict:
    """Run `function` on the exercise's cases and say whether it is right, or what is likely to be
    wrong with it."""
    exercise = find(identity)
    if isinstance(exercise, Verdict):
        return exercise
    try:
        verdict = judge(exercise, function)
    except Exception as error:  # a fault of the checker, never of the reader: say so
        interrupts.let_through(error)
        problem = f"{type(error).__name__}: {error}"
        text = f"The checker itself stopped ({problem}). Your function may be right."
        return Verdict("checker", text, exercise.statement.title)
    if verdict.name != "not_tried":
        with store.change() as stored:
            before = stored["exercises"].get(identity, {})
            stored["exercises"][identity] = store.tried(before, verdict.name, verdict.passed)
    return verdict


def hint(identity: str, number: int = 1) -> Verdict:
    """The first or second hint."""
    exercise = find(identity)
    if isinstance(exercise, Verdict):
        return exercise
    hints, title = exercise.statement.hints, exercise.statement.title
    if number not in range(1, len(hints) + 1):
        calls = " and ".join(f'`hint("{identity}", {n + 1})`' for n in range(len(hints)))
        return Verdict("hint", f"There are {len(hints)} hints: {calls or 'none'}.", title)
    return Verdict("hint", hints[number - 1], f"{number} of {len(hints)}")


def solution_text(identity: str) -> str:
    """The solution as the notebook gives it, for those who have tried."""
    exercise = find(identity)
    return exercise.text if isinstance(exercise, Verdict) else exercise.statement.solution


def progress():
    """Show what is predicted and solved in each chapter."""
    return store.table(exercise.id for exercise in all_exercises())
