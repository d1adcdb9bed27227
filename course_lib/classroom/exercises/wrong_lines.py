"""Mistakes as text: a wrong line becomes a function with the solution's parameters."""

from __future__ import annotations
import __future__ as future_features

import ast
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

EDIT = " -> "


@dataclass(frozen=True)
class Told:
    """What a reader is told, where a sentence is not enough: see `told`."""

    says: str | Callable
    read: str = ""
    seen: Callable[[list], bool] | None = None


def told(says, *, read: str = "", seen: Callable[[list], bool] | None = None) -> Told:
    """A value of a table of mistakes.

    Args:
        says: the sentence, or a function of `Numbers`.   read: the section to read again, if it is
            not that of the exercise.
        seen: recognises a mistake with many forms by what it leaves: a function of [(inputs, result
            or exception), ...] over all cases. The key is then one example of it.
    """
    return Told(says, read, seen)


def functions_of(key, solution: Callable) -> tuple[Callable, ...]:
    """The functions that a key of a table stands for, the first of which is the example.

    Args:
        key: an expression over the solution's parameters and the names of its module, such as
            "theta + alpha * gradient"; an edit of the solution's text, "old -> new"; a function; or
            a tuple of such.

    Raises:
        ValueError: an expression does not parse, or what an edit replaces stands nowhere in the
            solution.
    """
    keys = key if isinstance(key, tuple) else (key,)
    return tuple(one if callable(one) else function_of(one, solution) for one in keys)


def function_of(line: str, solution: Callable) -> Callable:
    """The function that one expression or one edit stands for."""
    place = f"<a wrong line of {solution.__name__}>"
    if EDIT in line:
        old, _, new = line.partition(EDIT)
        source = textwrap.dedent(inspect.getsource(solution))
        head, body = source[: (cut := body_of(source))], source[cut:]
        if old not in body:
            raise ValueError(f"{line!r}: {old!r} stands nowhere in {solution.__name__}")
        space: dict = {}
        exec(
            compiled(head + body.replace(old, new), place, "exec", solution),
            space_of(solution),
            space,
        )
        return space[solution.__name__]
    parameters = inspect.signature(solution)
    plain = [each.replace(annotation=each.empty) for each in parameters.parameters.values()]
    names = str(parameters.replace(parameters=plain, return_annotation=parameters.empty))[1:-1]
    return eval(compiled(f"lambda {names}: ({line})", place, "eval", solution), space_of(solution))


def body_of(source: str) -> int:
    """Where the first statement of a function begins in its source: an edit changes no signature
    and no decorator."""
    first = ast.parse(source).body[0].body[0]
    return sum(len(line) + 1 for line in source.split("\n")[: first.lineno - 1])


def space_of(solution: Callable) -> dict:
    """The names of the solution's module, as they are when the line is run."""
    return solution.__globals__


def compiled(text: str, place: str, mode: str, solution: Callable):
    flags = future_features.annotations.compiler_flag & solution.__code__.co_flags
    try:
        return compile(text, place, mode, flags=flags, dont_inherit=True)
    except SyntaxError as error:
        raise ValueError(f"{text!r} is no Python: {error.msg}") from error
