"""Kinds of mistakes that any exercise can meet, asked when no row of its table fits.

Two questions. Does the reader's function answer as the course's does with one argument changed:
alpha = 1, two sets exchanged, only the first of a list? Or is its result the wanted one with one
thing done to it, or left out: a root, a mean, a softmax, an order?
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from course_lib.classroom.exercises import compare
from course_lib.classroom.exercises.running import Raised


@dataclass(frozen=True)
class Kind:
    """A kind of mistake: its name, and the sentence that a reader gets."""

    name: str
    says: str


def kind_of(exercise, got: list, wanted: list, run: Callable) -> Kind | None:
    """The first kind that explains the results in every case.

    Args:
        got, wanted: outcomes of the reader's and the course's function.
        run: `judging.made`, which runs a function on changed cases.
    """
    if any(isinstance(outcome, Raised) for outcome in (*got, *wanted)):
        return None
    if found := of_result(exercise, got, wanted):
        return found
    names = list(inspect.signature(exercise.solution).parameters)
    for changed, kind in substitutions(exercise, names):
        try:
            cases = [table(case, names) for case in exercise.fresh()]
            made = run(exercise.solution, list(map(changed, cases)), cases, exercise.gradients)
        except Exception:  # the course's function cannot take this change, so it is none of it
            continue
        if all(itertools.starmap(compare_with(exercise), zip(got, made, strict=True))):
            return kind
    return None


def compare_with(exercise) -> Callable:
    """Do two outcomes agree in results, and in gradients where these are asked for? (What else is
    changed in place is another question.)"""

    def fits(one, other) -> bool:
        if isinstance(other, Raised):
            return False
        parts = ("result", "gradients") if exercise.gradients else ("result",)
        return all(
            compare.same_values(getattr(one, p), getattr(other, p), exercise.tolerance)
            for p in parts
        )

    return fits


def table(case, names: list[str]) -> dict:
    return dict(case) if isinstance(case, dict) else dict(zip(names, case, strict=False))


# --- another argument -----------------------------------------------------------------------------

NUMBERS = (  # name, what is done to a number, how it is said
    ("is 1", lambda v: type(v)(1), "as if `{0}` were 1: is `{0}` missing in your formula?"),
    ("negative", lambda v: -v, "as if `{0}` had the other sign: is a plus a minus somewhere?"),
    ("doubled", lambda v: 2 * v, "as if `{0}` were twice as large: is a 2 there once too often?"),
    ("halved", lambda v: v / 2, "as if `{0}` were half as large: is a 2 missing?"),
    ("one more", lambda v: v + 1, "as if `{0}` were one more: do you go one too far?"),
    ("one less", lambda v: v - 1, "as if `{0}` were one less: do you stop one too early?"),
    ("inverse", lambda v: 1 / v, "with 1 / `{0}` in its place: do you divide where you should "
     "multiply, or the reverse?"),
    ("squared", lambda v: v * v, "with the square of `{0}` in its place."),
    ("root", lambda v: v**0.5, "with the square root of `{0}` in its place."),
    ("zero", lambda v: type(v)(0), "as if `{0}` were 0: it plays no part in your answer."),
)  # fmt: skip
LISTS = (
    ("first only", lambda v: v[:1], "as if `{0}` had its first entry only: is a `return` inside "
     "the loop?"),
    ("last only", lambda v: v[-1:], "as if `{0}` had its last entry only: does each turn of the "
     "loop forget the one before?"),
    ("reversed", lambda v: v[::-1], "as if `{0}` stood in the other order: in which order do you "
     "go through it?"),
    ("without the first", lambda v: v[1:], "as if the first entry of `{0}` were not there."),
    ("without the last", lambda v: v[:-1], "as if the last entry of `{0}` were not there."),
    ("again and again", lambda v: [v[0]] * len(v), "as if all entries of `{0}` were its first."),
)  # fmt: skip
TENSORS = (
    ("cut", lambda v: v.detach(), "as if `{0}` were cut from the graph: no gradient reaches it."),
    ("negative", lambda v: -v, "as if `{0}` had the other sign."),
    ("ones", lambda v: torch.ones_like(v), "as if `{0}` were 1 everywhere: is it missing in your "
     "formula?"),
    ("zeros", lambda v: torch.zeros_like(v), "as if `{0}` were 0: it plays no part in your "
     "answer."),
    ("other way round", lambda v: 1 - v, "with 1 - `{0}` in its place: do 0 and 1 mean the "
     "opposite?"),
    ("absolute", lambda v: v.abs(), "as if `{0}` had no negative entries."),
    ("exponential", lambda v: v.exp(), "with exp(`{0}`) in its place."),
    ("squared", lambda v: v.square(), "with the square of `{0}` in its place."),
    ("doubled", lambda v: 2 * v, "as if `{0}` were twice as large."),
    ("unit length", lambda v: v / v.norm(dim=-1, keepdim=True), "as if each row of `{0}` had "
     "length 1."),
    ("one for all", lambda v: v.mean().expand_as(v), "as if every entry of `{0}` were their mean."),
    ("first for all", lambda v: v.flatten()[0].expand_as(v), "as if every entry of `{0}` were the "
     "first one."),
    ("diagonal", lambda v: v.diagonal().diag() if v.ndim == 2 else None, "as if `{0}` had entries "
     "on its diagonal only."),
    ("transposed", lambda v: v.T if v.ndim == 2 else None, "with `{0}` transposed."),
)  # fmt: skip
OPENING = "Your function answers "


def substitutions(exercise, names: list[str]) -> Iterator[tuple[Callable, Kind]]:
    """(a change of the arguments, the kind of mistake that it stands for)."""
    first = table(exercise.fresh()[0], names)
    for one, other in itertools.combinations(first, 2):
        if alike(first[one], first[other]):
            yield swapped(one, other), Kind(
                f"{one} and {other} exchanged",
                f"{OPENING}as if `{one}` and `{other}` had changed places.",
            )
    for one, other in itertools.permutations(first, 2):
        if alike(first[one], first[other]):
            yield replaced(one, other), Kind(
                f"{other} for {one}",
                f"{OPENING}as if `{other}` stood in place of `{one}`: which of the two belongs "
                "where?",
            )
    for name, value in first.items():
        for label, act, says in changes(value):
            yield changed(name, act), Kind(f"{name} {label}", OPENING + says.format(name))


def changes(value: Any) -> tuple:
    """What may be done to an argument of this type."""
    if isinstance(value, bool):
        return ()
    if isinstance(value, int | float):
        return NUMBERS
    if isinstance(value, list):
        return LISTS
    if isinstance(value, torch.Tensor) and value.is_floating_point() and value.ndim:
        return TENSORS
    return ()


def alike(one: Any, other: Any) -> bool:
    """Could one of two arguments stand where the other belongs?"""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.ndim == other.ndim and one.dtype == other.dtype
    if isinstance(one, int | float) and isinstance(other, int | float):
        return True
    return type(one) is type(other) and isinstance(one, tuple)


def swapped(one: str, other: str) -> Callable:
    return lambda case: case | {one: case[other], other: case[one]}


def replaced(one: str, other: str) -> Callable:
    return lambda case: case | {one: case[other]}


def changed(name: str, act: Callable) -> Callable:
    return lambda case: case | {name: act(case[name])}


# --- another result -------------------------------------------------------------------------------

DONE = (  # name, what makes the given of the wanted, how it is said
    ("squared", lambda t: t**2, "the square of what is wanted."),
    ("root", lambda t: t.sqrt(), "the square root of what is wanted."),
    ("inverse", lambda t: 1 / t, "1 divided by what is wanted: what is above and what is below?"),
    ("logarithm", lambda t: t.log(), "the logarithm of what is wanted."),
    ("exponential", lambda t: t.exp(), "the exponential of what is wanted: is a log missing?"),
    ("probabilities", lambda t: t.softmax(-1), "a softmax of what is wanted: the plain scores are "
     "asked for."),
    ("rest to 1", lambda t: 1 - t, "1 minus what is wanted: do you count the opposite?"),
    ("one more", lambda t: t + 1, "one more than wanted."),
    ("one less", lambda t: t - 1, "one less than wanted."),
    ("absolute", lambda t: t.abs(), "what is wanted without its sign."),
    ("other order", lambda t: t.flip(0), "what is wanted, in the opposite order."),
    ("per cent", lambda t: 100 * t, "in per cent, and a share from 0 to 1 is wanted."),
)  # fmt: skip
LEFT_OUT = (  # what is still to be done to the given
    ("mean", lambda t: t.mean(), "A mean over all of it is still to be taken."),
    ("sum", lambda t: t.sum(), "Its entries are still to be added up."),
    ("largest", lambda t: t.max(), "Its largest entry is what is wanted."),
    ("smallest", lambda t: t.min(), "Its smallest entry is what is wanted."),
    ("diagonal", lambda t: t.diagonal(), "Only its diagonal is wanted."),
    ("mean of the first axis", lambda t: t.mean(0), "A mean over its first axis is missing."),
    ("mean of the second axis", lambda t: t.mean(1), "A mean over its second axis is missing."),
    ("sum of the first axis", lambda t: t.sum(0), "A sum over its first axis is missing."),
    ("sum of the second axis", lambda t: t.sum(1), "A sum over its second axis is missing."),
    ("class", lambda t: t.argmax(-1), "The place of the largest score in each row is wanted."),
    ("nearest", lambda t: t.argmin(-1), "The place of the smallest entry in each row is wanted."),
)  # fmt: skip
REDUCED = (  # what was done once too often
    ("a mean", lambda t: t.mean(), "the mean of what is wanted: several numbers are asked for."),
    ("a sum", lambda t: t.sum(), "the sum of what is wanted: several numbers are asked for."),
    ("answers", lambda t: t.argmax(-1), "the place of the largest score: the scores themselves are "
     "asked for."),
    ("the first", lambda t: t[0], "the first of what is wanted: is a `return` inside the loop?"),
    ("the last", lambda t: t[-1], "the last of what is wanted: are the others forgotten?"),
)  # fmt: skip


def of_result(exercise, got: list, wanted: list) -> Kind | None:
    """The kind of mistake that can be seen in the results alone."""
    pairs = [(g.result, w.result) for g, w in zip(got, wanted, strict=True)]
    near = exercise.tolerance
    return of_structure(pairs, near) or of_arguments(exercise, pairs, near) or of_parts(pairs, near)


def of_structure(pairs: list, near: float) -> Kind | None:
    """A list that is too long, too short or turned round."""
    if not all(isinstance(a, list | tuple) and isinstance(b, list | tuple) for a, b in pairs):
        return None
    shapes = (
        ("too many at the end", lambda a, b: a[: len(b)], "Your list begins right and goes on too "
         "long: is it one turn too many?"),
        ("too many in front", lambda a, b: a[len(a) - len(b):], "Your list ends right and begins "
         "too early: something stands in front of it."),
        ("the other order", lambda a, b: a[::-1], "The right entries, in the opposite order."),
    )  # fmt: skip
    for name, act, says in shapes:
        if all(len(a) >= len(b) and compare.same_values(act(a, b), b, near) for a, b in pairs):
            return Kind(name, says)
    for name, act, says in (
        ("too few at the end", lambda a, b: b[: len(a)], "Your list begins right and ends too "
         "early: is a turn missing, or a `return` inside the loop?"),
        ("too few in front", lambda a, b: b[len(b) - len(a):], "Your list ends right, and its "
         "beginning is missing."),
    ):  # fmt: skip
        if all(0 < len(a) < len(b) and compare.same_values(a, act(a, b), near) for a, b in pairs):
            return Kind(name, says)
    return None


def of_arguments(exercise, pairs: list, near: float) -> Kind | None:
    """An argument as it came, or the way to the wanted place in place of the place itself."""
    names = list(inspect.signature(exercise.solution).parameters)
    cases = [table(case, names) for case in exercise.fresh()]
    for name, value in cases[0].items():
        if not isinstance(value, torch.Tensor | int | float | list):
            continue
        if all(compare.same_values(a, case[name], near) for (a, _), case in zip(pairs, cases)):  # noqa: B905
            return Kind(f"{name} as it came", f"You return `{name}` as it came.")
        for label, act, says in (
            ("the change", lambda b, v: b - v, "You return how far it is from `{0}` to what is "
             "wanted. Asked for is the place itself: `{0}` plus this change."),
            ("the change back", lambda b, v: v - b, "You return `{0}` minus what is wanted. Asked "
             "for is the place itself: `{0}` minus this."),
            ("the other way", lambda b, v: 2 * v - b, "You go from `{0}` as far as is wanted, in "
             "the opposite direction: is a plus a minus?"),
        ):  # fmt: skip
            if all(
                moved(a, b, case[name], act, near) for (a, b), case in zip(pairs, cases)  # noqa: B905
            ):
                return Kind(f"{label}: {name}", says.format(name))
    return None


def moved(a: Any, b: Any, value: Any, act: Callable, near: float) -> bool:
    """Is `a` what `act` makes of the wanted and an argument?"""
    tensors = all(isinstance(t, torch.Tensor) for t in (a, b, value))
    if not tensors or a.shape != b.shape or b.shape != value.shape or not b.is_floating_point():
        return False
    return compare.same_values(a, act(b.detach(), value.detach()), near)


def of_parts(pairs: list, near: float) -> Kind | None:
    """One thing done to every number, or left out; of several results, to the wrong ones alone."""
    found = [list(map(as_tensor, leaf_values(a))) for a, _ in pairs]
    right = [list(map(as_tensor, leaf_values(b))) for _, b in pairs]
    counts = {(len(a), len(b)) for a, b in zip(found, right, strict=True)}
    if len(counts) != 1 or len(next(iter(counts))) != 2 or len(set(next(iter(counts)))) != 1:
        return None
    size = len(found[0])
    if any(t is None for part in (*found, *right) for t in part) or not 0 < size <= 4:
        return None
    fine = [all(same(a[i], b[i], near) for a, b in zip(found, right)) for i in range(size)]  # noqa: B905
    wrong = [i for i in range(size) if not fine[i]]
    if not wrong:
        return None
    which = f"{ORDER[wrong[0]]} result is " if size > len(wrong) == 1 else "Your result is "
    tests = [(n, lambda a, b, f=f: same(a, f(b), near), which + s) for n, f, s in (*DONE, *REDUCED)]
    tests += [
        (f"no {n}", lambda a, b, f=f: smaller(a, b) and same(f(a), b, near), "Nearly there. " + s)
        for n, f, s in LEFT_OUT
    ]
    for name, fits, says in tests:
        if all(fit(fits, a[i], b[i]) for a, b in zip(found, right, strict=True) for i in wrong):
            if any(b[i].numel() > 1 for b in right for i in wrong) or len(right) > 2:
                return Kind(name, says)
    return None


ORDER = ("Your first", "Your second", "Your third", "Your fourth")


def smaller(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Is there anything left to be put together? (Not where an axis of size 1 is too many.)"""
    return a.numel() > b.numel()


def leaf_values(value: Any) -> list:
    return [leaf for _, leaf in compare.leaves(value)]


def as_tensor(leaf: Any) -> torch.Tensor | None:
    is_one = isinstance(leaf, torch.Tensor) or compare.is_number(leaf)
    return compare.wide(leaf) if is_one else None


def same(a: torch.Tensor, b: torch.Tensor, near: float) -> bool:
    return a.shape == b.shape and torch.allclose(a.double(), b.double(), rtol=near, atol=near)


def fit(fits: Callable, a: torch.Tensor, b: torch.Tensor) -> bool:
    """Does it fit? What cannot be done to this shape does not."""
    try:
        return bool(fits(a, b))
    except (RuntimeError, IndexError):
        return False
