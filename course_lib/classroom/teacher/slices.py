"""Taking a submission apart: of a whole notebook, the lines that one exercise needs."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass, field

ASKING = ("check", "hint", "predict", "reveal", "progress")  # their calls are not run again
OWN = re.compile(r"ch\d\d\.exercises|exercises\.(find|chapter|all_exercises)\b|\.solution\b")


@dataclass(frozen=True)
class Line:
    """One statement of the outermost level, the names that it binds, and those that it needs."""

    tree: ast.stmt
    binds: frozenset[str]
    needs: frozenset[str]


@dataclass
class Submission:
    """What somebody has handed in.

    Args:
        lines: its statements in order.   checked: {id: what stands in check(id, ...)}.
        broken: what Python says of cells that it cannot read.
        own: whether it names the course's own solutions.
    """

    lines: list[Line] = field(default_factory=list)
    checked: dict[str, ast.expr] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    own: bool = False


def parsed(text: str, notebook: bool) -> Submission:
    """A submission, from the text of its file.

    Raises:
        ValueError: it is no notebook.
    """
    found = Submission()
    for cell in cells(text) if notebook else [text]:
        found.own = found.own or bool(OWN.search(cell))
        try:
            tree = ast.parse(re.sub(r"^(\s*)[%!].*$", r"\1pass", cell, flags=re.M))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            first = next((line for line in cell.splitlines() if line.strip()), "")
            found.broken.append(f"{first.strip()[:60]!r}: {str(error).partition(' (')[0]}")
            continue
        for node in ast.walk(tree):
            if called(node) == "check" and len(node.args) == 2:
                if isinstance(node.args[0], ast.Constant):
                    found.checked[str(node.args[0].value)] = node.args[1]
        found.lines += [line_of(statement) for statement in tree.body if not asks(statement)]
    return found


def cells(text: str) -> list[str]:
    """The code cells of a notebook.

    Raises:
        ValueError: it is none.
    """
    try:
        found = json.loads(text)["cells"]
        return ["".join(c["source"]) for c in found if c["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("it is no notebook") from None


def called(node) -> str | None:
    return getattr(node.func, "id", None) if isinstance(node, ast.Call) else None


def asks(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and called(statement.value) in ASKING


def line_of(statement: ast.stmt) -> Line:
    binds, needs = set(), set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name):
            (needs if isinstance(node.ctx, ast.Load) else binds).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            binds.add(node.name)
        elif isinstance(node, ast.alias):
            binds.add(node.asname or node.name.partition(".")[0])
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        needs |= binds - {statement.name}  # what is bound inside a function is its own
        binds = {statement.name}
    if isinstance(statement, ast.AugAssign) or not binds:
        binds |= changed(statement)
    return Line(statement, frozenset(binds), frozenset(needs | binds))


def changed(statement: ast.stmt) -> set[str]:
    """What a line may change without binding it: `network.train()`, `rates[0] = 1`."""
    return {
        node.value.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.value, ast.Name)
    }


def needed(submission: Submission, wanted: ast.expr) -> list[ast.stmt]:
    """The lines that an expression needs, in their order: those that bind its names, and what
    these need in turn. A cell that trains for a minute is run only where it is needed."""
    names = {node.id for node in ast.walk(wanted) if isinstance(node, ast.Name)}
    taken: set[int] = set()
    while True:
        more = {
            place
            for place, line in enumerate(submission.lines)
            if place not in taken and (line.binds & names or "*" in line.binds)
        }
        if not more:
            return [submission.lines[place].tree for place in sorted(taken)]
        taken |= more
        names |= {name for place in more for name in submission.lines[place].needs}
