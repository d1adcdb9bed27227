"""The contract of an exercise, and `judge`, which runs a reader's function and says what is likely
to be wrong with it.

A misconception is a wrong line. If the reader's answers agree with those of a mistake on every
case, that mistake is the diagnosis; only otherwise do the general questions of `diagnose.py` follow
(type, shape, sign, a constant factor, ...).
"""

from __future__ import annotations

import dis
import html
import inspect
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy
import torch

from course_lib.classroom.exercises import compare, diagnose, statements
from course_lib.classroom.exercises.running import Raised, run_limited
from course_lib.classroom.exercises.wrong_lines import Told, functions_of
from course_lib.classroom.panel import panel, paragraph


@dataclass(frozen=True)
class Mistake:
    """A row of an exercise's table: what was written, the functions that do it, and what a reader
    is told.

    `forms` are variants of one misconception; the first stands for all. `says` may use {got} and
    {wanted} (the numbers that differ most, as in "{got:.2f}"), or be a function of `Numbers`.
    `read` is the section to read again.
    """

    name: str
    forms: tuple[Callable, ...]
    says: str | Callable[[Numbers], str]
    read: str
    seen: Callable[[list], bool] | None = None

    @property
    def wrong(self) -> Callable:
        return self.forms[0]


@dataclass(frozen=True)
class Numbers:
    """What a diagnosis may quote, from the first case that differs: the two numbers furthest apart,
    and the whole of it."""

    got: float
    wanted: float
    inputs: Any
    result: Any
    right: Any


@dataclass(frozen=True)
class Exercise:
    """One exercise: a solution, the cases that try it, and a table of mistakes, {a wrong line: what
    it means}.

    Statement, title, minutes, difficulty, hints and the solution to read stand in the chapter's
    notebook (`statement`).

    Args:
        id: "03.outer_step".   solution: the course's own function.   others: other right forms.
        cases: a function of a generator. It must build the same fresh inputs each time: every run
            gets its own, so nothing is cloned. A case is a tuple (positional) or a dict (keywords).
        mistakes: what a key may be, `wrong_lines.functions_of` says; a value is a sentence, a
            function of `Numbers`, or `told`.
        read: the section to read again, where a row names no other.
        gradients: compare the gradients of the result with respect to the inputs that require one
            as well. Without it, a result that has lost its graph is as good as one that has it.
        properties: (name, function of the reader's function that returns None or a sentence).
    """

    id: str
    solution: Callable
    cases: Callable[[torch.Generator], list]
    mistakes: dict
    others: tuple[Callable, ...] = ()
    read: str = ""
    tolerance: float = 1e-4
    properties: tuple[tuple[str, Callable], ...] = ()
    gradients: bool = False
    seconds: float = 20.0

    def fresh(self) -> list:
        torch.manual_seed(0)
        random.seed(0)
        return self.cases(torch.Generator().manual_seed(0))

    @cached_property
    def rows(self) -> tuple[Mistake, ...]:
        """The table, with its wrong lines turned into functions."""
        return tuple(self.row(key, value) for key, value in self.mistakes.items())

    def row(self, key, value) -> Mistake:
        told = value if isinstance(value, Told) else Told(value)
        first = key[0] if isinstance(key, tuple) else key
        name = first.__name__ if callable(first) else " ".join(first.split())
        forms = functions_of(key, self.solution)
        return Mistake(name, forms, told.says, told.read or self.read, told.seen)

    @cached_property
    def statement(self) -> statements.Statement:
        """What the notebook says of it."""
        return statements.statement(self.id)


@dataclass(frozen=True)
class Verdict:
    """What `check` answers: `passed`, a `name` for tests, and what the reader sees (`text`, with
    `inline` marks; `detail` is HTML)."""

    name: str
    text: str
    title: str = ""
    detail: str = ""

    @property
    def passed(self) -> bool:
        return self.name == "passed"

    @property
    def word(self) -> str:
        return {
            "passed": "Passed",
            "not_tried": "Not tried yet",
            "unknown": "No such exercise",
            "hint": "Hint",
        }.get(self.name, "Not yet")

    def _repr_html_(self) -> str:
        kind = {"passed": "good", "not_tried": "quiet", "hint": "ask"}.get(self.name, "other")
        head = f"**{self.word}**" + (f" ({self.title}). " if self.title else ". ")
        name = html.escape(self.name, quote=True)
        attributes = f'class="course-verdict" data-name="{name}"'
        return panel(kind, paragraph(head + self.text) + self.detail, attributes)

    def __repr__(self) -> str:
        return f"{self.word}: {self.text}"


def judge(exercise: Exercise, function: Callable) -> Verdict:
    """Run `function` on every case and name what is wrong, if anything is. Leaves the random state
    as it was."""
    with torch.random.fork_rng(devices=[]):
        state, numpy_state = random.getstate(), numpy.random.get_state()
        try:
            name, text, *detail = _judge(exercise, function)
        finally:
            random.setstate(state)
            numpy.random.set_state(numpy_state)
    return Verdict(name, text, exercise.statement.title, *detail)


def _judge(exercise: Exercise, function: Callable) -> tuple:
    if not callable(function):
        return (
            "not_function",
            (
                f"`check` needs the function itself, and got {diagnose.kind(function)}. Pass its "
                "name without brackets."
            ),
        )
    if untouched(function):
        return (
            "not_tried",
            "Replace the `...` by your own lines, run the function, then run this check again.",
        )
    clash = wrong_signature(exercise, function)
    if clash:
        return "signature", clash
    wanted = outcomes(exercise, exercise.solution)
    got = run_limited(lambda: outcomes(exercise, function), exercise.seconds)
    if isinstance(got, Raised):
        return "time", diagnose.too_slow(exercise.seconds, got)
    if any(leftover(outcome) for outcome in got):
        return "not_tried", "There is still a `...` to replace."
    agree = [compare.same(g, w, exercise.tolerance) for g, w in zip(got, wanted, strict=True)]
    broken = failed_properties(exercise, function) if all(agree) else {}
    if all(agree) and not broken:
        return "passed", f"Your function agrees with the course's on all {len(agree)} cases" + (
            " and has the properties asked for." if exercise.properties else "."
        )
    for mistake in exercise.rows:
        if recognised(mistake, exercise, got):
            if not broken or failed_properties(exercise, mistake.wrong).keys() == broken.keys():
                return (
                    f"mistake:{mistake.name}",
                    (
                        f"{spoken(mistake, exercise, got, wanted, agree)} Read again: "
                        f"{ended(mistake.read)}"
                    ),
                )
    if broken:
        name, sentence = next(iter(broken.items()))
        return f"property:{name}", sentence
    return diagnose.general(exercise, function, got, wanted, agree)


def recognised(mistake: Mistake, exercise: Exercise, got: list) -> bool:
    """Does the reader's function do what this mistake does, in every case?"""
    if mistake.seen:
        results = [
            outcome.error if isinstance(outcome, Raised) else outcome.result for outcome in got
        ]
        return mistake.seen(list(zip(exercise.fresh(), results, strict=True)))
    return any(
        all(
            compare.same(g, m, exercise.tolerance)
            for g, m in zip(got, outcomes(exercise, form), strict=True)
        )
        for form in mistake.forms
    )


def outcomes(exercise: Exercise, function: Callable) -> list:
    """What `function` makes of each case: a `Made`, or `Raised`. Inputs that it changes in place
    are part of the outcome."""
    made, pristine = [], exercise.fresh()
    for number, case in enumerate(exercise.fresh()):
        torch.manual_seed(number)
        try:
            result = function(**case) if isinstance(case, dict) else function(*case)
            gradients = compare.gradients(result, case) if exercise.gradients else []
            made.append(compare.Made(result, gradients, compare.changed(case, pristine[number])))
        except Exception as error:
            made.append(Raised(error))
    return made


def failed_properties(exercise: Exercise, function: Callable) -> dict[str, str]:
    def ask(prove):
        try:
            return prove(function)
        except Exception as error:
            return f"It stopped with {type(error).__name__}: {error}"

    found = run_limited(
        lambda: {name: ask(prove) for name, prove in exercise.properties}, exercise.seconds
    )
    if isinstance(found, Raised):
        return {"time": diagnose.too_slow(exercise.seconds, found)}
    return {name: sentence for name, sentence in found.items() if sentence}


def ended(title: str) -> str:
    """The title of a section as the end of a sentence."""
    return title if title.endswith(("?", ".")) else f"{title}."


def spoken(mistake: Mistake, exercise: Exercise, got: list, wanted: list, agree: list[bool]) -> str:
    """The mistake's own sentence with the reader's numbers in it."""
    first = agree.index(False) if False in agree else 0
    if isinstance(got[first], Raised) or isinstance(wanted[first], Raised):
        a, b, result, right = float("nan"), float("nan"), got[first], wanted[first]
    else:
        a, b = compare.furthest(got[first], wanted[first])
        result, right = got[first].result, wanted[first].result
    numbers = Numbers(a, b, exercise.fresh()[first], result, right)
    try:
        said = (
            mistake.says(numbers)
            if callable(mistake.says)
            else mistake.says.format(got=a, wanted=b)
        )
    except Exception:
        said = (
            mistake.says
            if isinstance(mistake.says, str)
            else f"This looks like a known mistake ({mistake.name})."
        )
    return said[:1].upper() + said[1:].rstrip() + ("" if said.rstrip()[-1:] in ".?:" else ".")


def untouched(function: Callable) -> bool:
    """Is the body only `...`, `pass` or a docstring? Seen in the bytecode, so that no source is
    needed."""
    code = getattr(function, "__code__", None)
    idle = {
        "RESUME",
        "NOP",
        "POP_TOP",
        "LOAD_CONST",
        "RETURN_CONST",
        "RETURN_VALUE",
        "COPY_FREE_VARS",
    }
    return code is not None and all(
        i.opname in idle
        and (i.opname not in ("LOAD_CONST", "RETURN_CONST") or i.argval in (None, ...))
        for i in dis.get_instructions(code)
    )


def leftover(outcome) -> bool:
    """Did a `...` of the stub take part: returned, or met in a calculation? Or does the stub raise
    NotImplementedError? (So does torch, about what it has "not implemented": that is a try.)"""
    if isinstance(outcome, Raised):
        said = str(outcome.error)
        raised = isinstance(outcome.error, NotImplementedError) and "implemented" not in said
        return raised or "ellipsis" in said
    return any(leaf is ... for _, leaf in compare.leaves(outcome.result))


def wrong_signature(exercise: Exercise, function: Callable) -> str | None:
    case = exercise.fresh()[0]
    arguments, names = ((), case) if isinstance(case, dict) else (case, {})
    try:
        inspect.signature(function).bind(*arguments, **names)
    except TypeError as error:
        wanted, given = inspect.signature(exercise.solution), inspect.signature(function)
        return f"Your function takes `{given}`, and this exercise calls it as `{wanted}` ({error})."
    except ValueError:
        pass  # a built-in function without a signature: the call will tell
    return None
