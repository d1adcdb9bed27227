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
import itertools
import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy
import torch

from course_lib.classroom.exercises import compare, diagnose, kinds, mutants, statements
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
    with warnings.catch_warnings(action="ignore"):  # of mutants: they are not the reader's
        kind = run_limited(
            lambda: by_chance(exercise, function, got) or kind_of(exercise, got, wanted),
            exercise.seconds,
        )
    if isinstance(kind, kinds.Kind):
        return f"kind:{kind.name}", f"{kind.says} {diagnose.onward(exercise)}"
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
    return [
        outcome(function, case, pristine, number, exercise.gradients)
        for number, (case, pristine) in enumerate(
            zip(exercise.fresh(), exercise.fresh(), strict=True)
        )
    ]


def outcome(function: Callable, case, pristine, number: int, gradients: bool):
    """What a function makes of one case; ``pristine`` is its untouched twin."""
    torch.manual_seed(number)
    try:
        result = function(**case) if isinstance(case, dict) else function(*case)
        slopes = compare.gradients(result, case) if gradients else []
        return compare.Made(result, slopes, compare.changed(case, pristine))
    except Exception as error:
        return Raised(error)


def by_chance(exercise: Exercise, function: Callable, got: list) -> kinds.Kind | None:
    """Does the function answer otherwise when it is asked again?"""
    for number, (case, twin, before) in enumerate(
        zip(exercise.fresh(), exercise.fresh(), got, strict=True)
    ):
        random.seed(number + 1000)
        again = outcome(function, case, twin, number + 1000, gradients=False)
        if isinstance(before, compare.Made) and isinstance(again, compare.Made):
            plain = all(kinds.as_tensor(x) is not None for x in kinds.leaf_values(again.result))
            if plain and not compare.same_values(before.result, again.result, exercise.tolerance):
                return kinds.Kind(
                    "by chance",
                    "Asked again about the same arguments, your function gives another answer: is "
                    "something drawn at random, or kept from the call before?",
                )
    return None


def kind_of(exercise: Exercise, got: list, wanted: list) -> kinds.Kind | None:
    """A kind of mistake that any exercise can meet, or the course's function with one thing
    changed, that answers as the reader's does in every case."""
    pairs = [(g, w) for g, w in zip(got, wanted, strict=True) if isinstance(g, compare.Made)]
    if not all(compare.same_values(g.result, w.result, exercise.tolerance) for g, w in pairs):
        if found := kinds.kind_of(exercise, got, wanted, made):
            return found
    made_it = [number for number, each in enumerate(got) if isinstance(each, compare.Made)]
    if not made_it:
        return None
    first = made_it[0]
    forms = (exercise.solution, *exercise.others)
    for name, says, mutant in itertools.chain.from_iterable(map(mutants.mutants, forms)):
        case, twin = exercise.fresh()[first], exercise.fresh()[first]
        # a mutant may loop without end: it gets a second
        one = run_limited(
            lambda m=mutant, c=case, t=twin: outcome(m, c, t, first, exercise.gradients), 1.0
        )
        if compare.same(got[first], one, exercise.tolerance) and all(
            compare.same(g, m, exercise.tolerance)
            for g, m in zip(got, outcomes(exercise, mutant), strict=True)
        ):
            return kinds.Kind(name, f"{kinds.OPENING}as if {says}.")
    return None


def made(function: Callable, cases: list, originals: list, gradients: bool) -> list:
    """What a function makes of changed cases; gradients are those of the original inputs."""
    found = []
    for number, (case, original) in enumerate(zip(cases, originals, strict=True)):
        torch.manual_seed(number)
        try:
            result = function(**case)
            slopes = compare.gradients(result, original) if gradients else []
            found.append(compare.Made(result, slopes, {}))
        except Exception as error:
            found.append(Raised(error))
    return found


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
