"""General diagnoses, asked in order when no named mistake fits. Each returns (name, sentence) or
(name, sentence, HTML)."""

from __future__ import annotations

import html
import inspect
from collections.abc import Callable
from typing import Any

import torch

from course_lib.classroom.exercises import compare
from course_lib.classroom.exercises.compare import is_number, leaves, pairs, wide
from course_lib.classroom.exercises.running import Raised


def general(exercise, function: Callable, got: list, wanted: list, agree: list[bool]) -> tuple:
    """The first diagnosis that fits; in the end one case, shown."""
    wrong = [i for i, fits in enumerate(agree) if not fits]
    for look in (raised, returned_nothing, wrong_type, wrong_shape, not_finite):
        for i in wrong:
            found = look(function, got[i], wanted[i])
            if found:
                return *found, shown(exercise, function, i, got[i], wanted[i])
    values = [
        compare.same_values(g.result, w.result, exercise.tolerance)
        for g, w in zip(got, wanted, strict=True)
    ]
    if all(values):
        return hidden(function, exercise, [(got[i], wanted[i]) for i in wrong])
    found = scaled(
        [(g.result, w.result) for g, w in zip(got, wanted, strict=True)], exercise.tolerance
    )
    smallest = min(
        (i for i in wrong if not values[i]),
        key=lambda i: sum(t.numel() for t in compare.tensors(exercise.fresh()[i])),
    )
    picture = shown(exercise, function, smallest, got[smallest], wanted[smallest])
    if found:
        return *found, picture
    a, b = compare.furthest(got[smallest], wanted[smallest])
    right = sum(agree)
    share = (
        f"{right} of {len(agree)} cases agree{'s' * (right == 1)}"
        if right
        else f"None of the {len(agree)} cases agrees"
    )
    return (
        "different",
        (
            f"{share} with the course's function. In the case below it gave {number(a)} where "
            f"{number(b)} was wanted. {onward(exercise)}"
        ),
        picture,
    )


def onward(exercise) -> str:
    """Where to look when nobody knows the mistake by name: the section, and the first hint."""
    section = f"Read again: {exercise.read.rstrip('.?')}. " if exercise.read else ""
    return f'{section}Then ask for the first hint, with `hint("{exercise.id}", 1)`.'


def too_slow(seconds: float, late: Raised) -> str:
    if not late.error.__class__.__name__ == "TimeUp":
        return f"It stopped with {type(late.error).__name__}."
    end = (
        "It was stopped."
        if late.ended
        else "It is still running: interrupt or restart the kernel before you go on."
    )
    return (
        f"Your function had not finished after {seconds:g} seconds. Is there a loop that never "
        f"ends? {end}"
    )


SLIPS = {  # what Python says for the commonest slips, and what it means here
    "non-int of type": (
        "`torch.autograd.grad` returns a tuple: write `gradient, = ...` with a comma, or take its "
        "`[0]`."
    ),
    "and 'tuple'": (
        "`torch.autograd.grad` returns a tuple: write `gradient, = ...` with a comma, or take its "
        "`[0]`."
    ),
    "does not require grad": (
        "This tensor is cut from the graph, by `.detach()` or because it is new: "
        "`.requires_grad_()` lets gradients be taken."
    ),
    "'function' object": (
        "A function was used where its value is needed: call it, as in `loss_of(theta)`."
    ),
    "got function": (
        "A function was used where its value is needed: call it, as in `loss_of(theta)`."
    ),
    "bitwise_xor": "In Python `^` is no power: write `**`.",
    "unsupported operand type(s) for ^": "In Python `^` is no power: write `**`.",
    "not implemented for 'Long'": (
        "Whole numbers stand where floats are needed: are two arguments exchanged, or is a "
        "`.float()` missing?"
    ),
    "expected scalar type Long": (
        "Floats stand where class numbers are needed: are two arguments exchanged?"
    ),
    "Tensors must have same number of dimensions": "Look at the shapes of what is joined.",
    "must be Tensor": (
        "A plain number was given where a tensor is needed: `.item()` and `float()` leave the "
        "graph."
    ),
}


def raised(function, got, wanted) -> tuple | None:
    if not isinstance(got, Raised):
        return None
    where = got.where(function)
    message = " ".join(str(got.error).split())
    meaning = next((f" {words}" for slip, words in SLIPS.items() if slip in message), "")
    message = message[:300] + (" ..." if len(message) > 300 else "")
    end = (
        f". Python says: {message}"
        + ("." if meaning and not message.endswith(".") else "")
        + meaning
        if message
        else "."
    )
    return (
        "raised",
        f"It stopped with `{type(got.error).__name__}`{', ' + where if where else ''}{end}",
    )


def returned_nothing(function, got, wanted) -> tuple | None:
    if got.result is not None or wanted.result is None:
        return None
    return (
        "none",
        "Your function returned None. Is there a `return` at its end, and on every way through it?",
    )


def wrong_type(function, got, wanted) -> tuple | None:
    if compare.paths(got.result) != compare.paths(wanted.result):
        return (
            "type",
            (
                f"Your function returned {kind(got.result)}; {kind(wanted.result)} is "
                f"wanted.{unpacked(got.result, wanted.result)}"
                f"{into_tensor(got.result, wanted.result)}"
            ),
        )
    for path, a, b in pairs(got.result, wanted.result):
        if (
            isinstance(a, torch.Tensor)
            and (isinstance(b, torch.Tensor) or is_number(b))
            or is_number(a)
            and is_number(b)
        ):
            continue
        if isinstance(b, torch.Tensor) or is_number(b) or type(a) is not type(b):
            return "type", f"{place(path)} is {kind(a)}; {kind(b)} is wanted.{into_tensor(a, b)}"
    return None


def unpacked(a: Any, b: Any) -> str:
    """A tuple of one where its content was wanted: what autograd returns."""
    if isinstance(a, tuple) and len(a) == 1 and not isinstance(b, tuple | list):
        return " `torch.autograd.grad` returns a tuple: take its `[0]`, or unpack it with a comma."
    return ""


def into_tensor(a: Any, b: Any) -> str:
    if not isinstance(b, torch.Tensor):
        return ""
    return (
        " `torch.stack` makes one tensor of several."
        if isinstance(a, (list, tuple))
        else " `torch.as_tensor` makes one, without a graph."
    )


def wrong_shape(function, got, wanted) -> tuple | None:
    for path, a, b in pairs(got.result, wanted.result):
        if (
            compare.comparable(a, b)
            or not isinstance(a, torch.Tensor)
            or not (isinstance(b, torch.Tensor) or is_number(b))
        ):
            continue
        have, want = tuple(a.shape), tuple(getattr(b, "shape", ()))
        if not want:
            return (
                "shape",
                (
                    f"{place(path)} has shape {have}; one number is wanted. Is a `.mean()`, "
                    "`.sum()` or `.squeeze()` missing?"
                ),
            )
        if len(have) != len(want):
            why = f"it has {len(have)} dimension{'s' * (len(have) != 1)} in place of {len(want)}"
            if [n for n in have if n != 1] == [n for n in want if n != 1]:
                why += (
                    ": only a dimension of size 1 is too many or too few (`squeeze`, `unsqueeze`, "
                    "`keepdim`)"
                )
        elif sorted(have) == sorted(want):
            why = "the sizes are right and their order is not: is something transposed?"
        else:
            i = next(i for i in range(len(want)) if have[i] != want[i])
            why = f"dimension {i} is {have[i]} in place of {want[i]}"
        return "shape", f"{place(path)} has shape {have}, and {want} is wanted: {why}."
    return None


def not_finite(function, got, wanted) -> tuple | None:
    for path, a, b in pairs(got.result, wanted.result):
        if (
            compare.comparable(a, b)
            and bool(wide(b).isfinite().all())
            and not bool(wide(a).isfinite().all())
        ):
            word = "NaN (not a number)" if bool(wide(a).isnan().any()) else "infinity"
            return "not_finite", (
                f"{place(path)} contains {word} for the inputs below. Look for a division by "
                "zero, the logarithm or square root of zero, or an `exp` that overflows."
            )
    return None


def hidden(function, exercise, both: list) -> tuple:
    """The values are right in every case, and something that cannot be seen in them is not."""
    for got, wanted in both:
        path = compare.detached(got.result, wanted.result)
        if path:
            return "detached", (
                f"The values are right, but {path} has lost its graph: no gradient can flow back "
                "through it. Look for `.detach()`, "
                "`.item()`, `.data`, `torch.no_grad()` or `torch.tensor(...)` around a tensor."
            )
    for got, wanted in both:
        extra = [name for name in got.changed if name not in wanted.changed]
        if extra:
            return "mutated", (
                "The result is right, but your function changes its input "
                f"{argument(function, extra[0])} in place. Whoever called it will find other "
                "numbers there. Work on a new tensor (`x = x - ...`, not `x -= ...`)."
            )
        if not compare.same_values(got.changed, wanted.changed, exercise.tolerance):
            name = next(iter(wanted.changed))
            return (
                "not_updated",
                (
                    f"This function must change {argument(function, name)} in place, and it "
                    "leaves other numbers there than wanted."
                ),
            )
    a, b = compare.furthest(
        *next(
            p
            for p in both
            if not compare.same_values(p[0].gradients, p[1].gradients, exercise.tolerance)
        )
    )
    return "gradient", (
        "The values are right, but the gradient that flows back through them is not: one entry "
        f"is {number(a)} where {number(b)} is wanted. Is a part of the graph cut (`detach`, "
        "`create_graph=False`) or kept that should be cut?"
    )


def scaled(both: list[tuple], tolerance: float) -> tuple | None:
    """Is every result the right one times a constant: -1, 2, 1/2, the size of something?"""
    factors = [factor(result, right, tolerance) for result, right in both]
    known = [f for f in factors if f is not None and f != "any"]
    if None in factors or sum(numbers(right).numel() for _, right in both) < 2 or not known:
        return None
    if max(known) - min(known) <= 1e-3 * abs(known[0]):
        f = known[0]
        if abs(f + 1) < 1e-3:
            return (
                "sign",
                (
                    "Every number has the right size and the wrong sign. Is a difference or a "
                    "gradient step the wrong way round?"
                ),
            )
        word = (
            f"{f:.4g} times what is wanted"
            if f < 0 or 0.1 < f < 1
            else f"{f:.4g} times too large"
            if f > 1
            else f"{1 / f:.4g} times too small"
        )
        return "factor", f"Every number is exactly {word}. Is a factor missing, or there twice?"
    if all(
        f > 0 and abs(max(f, 1 / f) - round(max(f, 1 / f))) < 1e-3 for f in known
    ):  # 5, 10, 1/5: the sizes of something
        sizes = ", ".join(f"{f:.4g}" for f in dict.fromkeys(round(f, 6) for f in known[:4]))
        return "factor_by_case", (
            "In each case every number is off by one factor, and the factor differs from case to "
            f"case ({sizes}). Is a sum taken where a mean is wanted, or the reverse?"
        )
    return None


def numbers(value: Any) -> torch.Tensor:
    """All numbers inside `value`, in one row."""
    found = [
        wide(leaf).flatten()
        for _, leaf in leaves(value)
        if is_number(leaf) or isinstance(leaf, torch.Tensor)
    ]
    return torch.cat(found) if found else torch.zeros(0, dtype=torch.float64)


def factor(result: Any, right: Any, tolerance: float) -> float | str | None:
    """The one number with result = factor * right; "any" if all is zero, None if there is none."""
    a, b = numbers(result), numbers(right)
    if a.shape != b.shape or not b.numel() or float(b.abs().max()) < 1e-8:
        return (
            "any" if a.shape == b.shape and (not a.numel() or float(a.abs().max()) < 1e-8) else None
        )
    f = float((a * b).sum() / (b * b).sum())
    return (
        f
        if f != 0 and torch.allclose(a, f * b, rtol=tolerance, atol=tolerance * max(1.0, abs(f)))
        else None
    )


def shown(exercise, function, case_number: int, got, wanted) -> str:
    """One case as a small table: what went in, what came out, what was wanted."""
    case = exercise.fresh()[case_number]
    names = list(inspect.signature(exercise.solution).parameters)
    inputs = case if isinstance(case, dict) else dict(zip(names, case, strict=False))
    rows = [(f"input {name}", brief(value)) for name, value in inputs.items()]
    rows += [("your function gave", "an error" if isinstance(got, Raised) else brief(got.result))]
    rows += [("wanted", "an error" if isinstance(wanted, Raised) else brief(wanted.result))]
    cells = "".join(
        '<tr><th scope="row" style="text-align: left; vertical-align: top; white-space: '
        f'nowrap;">{html.escape(name)}</th>'
        '<td style="text-align: left;"><code style="white-space: '
        f'pre-wrap;">{html.escape(text)}</code></td></tr>'
        for name, text in rows
    )
    return f"<table>{cells}</table>"


def argument(function, path: str) -> str:
    """The name of the input behind a path such as [0] or ['x']."""
    inside = path[1 : path.index("]")]
    try:
        return f"`{list(inspect.signature(function).parameters)[int(inside)]}`"
    except (ValueError, IndexError):
        return f"`{inside.strip(chr(39))}`"


def place(path: str) -> str:
    return f"The result's `{path}`" if path else "The result"


def number(value: float) -> str:
    return f"{value:.4g}"


def kind(value: Any) -> str:
    """What something is, in words a reader uses."""
    if value is None:
        return "None"
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, dict):
        return "a dict with " + (
            ", ".join(f"`{key}`" for key in list(value)[:6]) or "nothing in it"
        )
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, float):
        return f"the number {number(value)}"
    if isinstance(value, (bool, int)):
        return f"the number {value}"
    if isinstance(value, str):
        return "a string"
    return f"a {type(value).__module__.split('.')[0]} {type(value).__name__}".replace(
        "a builtins ", "a "
    ).replace("a __main__ ", "a ")


def brief(value: Any, most: int = 24) -> str:
    """Small values in full with four digits, large ones by their shape."""
    if isinstance(value, torch.Tensor):
        if value.numel() > most:
            return f"tensor of shape {tuple(value.shape)}"
        return str(rounded(value.detach().cpu().tolist()))
    if isinstance(value, float):
        return number(value)
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{key!r}: {brief(item)}" for key, item in list(value.items())[:6])
            + "}"
        )
    if isinstance(value, (tuple, list)):
        return (
            "("
            + ", ".join(brief(item) for item in value[:6])
            + (", ...)" if len(value) > 6 else ")")
        )
    if isinstance(value, torch.nn.Module) or callable(value):
        return getattr(value, "__name__", type(value).__name__)
    text = repr(value)
    return text if len(text) < 200 else f"{text[:200]}..."


def rounded(values: Any) -> Any:
    return (
        [rounded(value) for value in values]
        if isinstance(values, list)
        else float(f"{values:.4g}")
        if isinstance(values, float)
        else values
    )
