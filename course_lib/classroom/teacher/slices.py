"""Taking a submission apart: of a whole notebook, the lines that one exercise needs."""

from __future__ import annotations

import ast
import json
import re
import symtable
from dataclasses import dataclass, field

ASKING = ("check", "hint", "predict", "reveal", "progress")  # their calls are not run again
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
OWN = re.compile(r"ch\d\d\.exercises|exercises\.(find|chapter|all_exercises)\b|\.solution\b")


@dataclass(frozen=True)
class Line:
    """One statement of the outermost level, the names that it binds or changes, and those that it
    needs; ``anew``: what it binds does not depend on what these names were before."""

    tree: ast.stmt
    binds: frozenset[str]
    needs: frozenset[str]
    anew: bool


@dataclass
class Submission:
    """What somebody has handed in.

    Args:
        lines: its statements in order.   checked: {id: what stands in check(id, ...)}.
        broken: what Python says of cells that it cannot read.
        own: whether it names the course's own solutions.
    """

    lines: list[Line] = field(default_factory=list)
    checked: dict[str, tuple[ast.expr, int]] = field(default_factory=dict)
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
            found.broken.append(trouble(cell, error))
            continue
        for statement in tree.body:
            if not asks(statement):
                found.lines.append(line_of(statement))
            elif statement.value.func.id == "check" and len(statement.value.args) == 2:
                identity, function = statement.value.args
                found.checked[str(getattr(identity, "value", ""))] = function, len(found.lines)
    return found


def trouble(cell: str, error: Exception) -> str:
    """Where Python stopped reading, and what it says."""
    lines, number = cell.splitlines(), getattr(error, "lineno", None) or 1
    said = getattr(error, "msg", None) or str(error) or type(error).__name__
    line = lines[number - 1].strip() if number <= len(lines) else ""
    return f"{said}, in the line {line[:60]!r}"


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
    top = symtable.symtable(ast.unparse(statement), "a line", "exec")
    symbols = top.get_symbols()
    binds = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}
    needs = {s.get_name() for s in symbols if s.is_referenced()}
    inner = list(top.get_children())
    while inner:  # functions, classes and comprehensions: what they take from outside
        table = inner.pop()
        needs |= {s.get_name() for s in table.get_symbols() if s.is_global()}
        inner += table.get_children()
    if any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
           for node in ast.walk(statement)):  # fmt: skip
        binds.add("*")
    if isinstance(statement, FUNCTIONS):
        return Line(statement, frozenset(binds), frozenset(needs), anew=True)
    only = isinstance(statement, ast.Assign | ast.AnnAssign | ast.Import | ast.ImportFrom)
    also = changed(statement)
    anew = only and not also and not binds & needs
    if not anew:  # it goes on from what these names were before
        needs |= also | binds
    return Line(statement, frozenset(binds | also), frozenset(needs), anew)


def changed(statement: ast.stmt) -> set[str]:
    """What a line may change without binding it: `network.train()`, `rates[0] = 1`."""
    found = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            found.add(root(node.value.func))
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.Delete):
            targets = [node.target] if isinstance(node, ast.AugAssign) else node.targets
            found |= {root(target) for target in targets}
    return found - {""}


def root(node: ast.expr) -> str:
    """The name at the left end of `name.part[0].other`; "" where there is none, or no part."""
    start = node
    while isinstance(start, ast.Attribute | ast.Subscript):
        start = start.value
    return start.id if isinstance(start, ast.Name) and start is not node else ""


def needed(submission: Submission, wanted: ast.expr, place: int | None = None) -> list[ast.stmt]:
    """The lines that an expression needs, in their order: those that bind its names, and what
    these need in turn. A cell that trains for a minute is run only where it is needed.

    Args:
        place: how many lines stand before the expression; all, where it is not told.
    """
    end = len(submission.lines) if place is None else place
    asked = [(node.id, end) for node in ast.walk(wanted) if isinstance(node, ast.Name)]
    known: set[tuple[str, int]] = set()
    taken: set[int] = set()
    while asked:
        name, before = asked.pop()
        if (name, before) in known:
            continue
        known.add((name, before))
        for number in binding(submission.lines, name, before):
            taken.add(number)
            line = submission.lines[number]
            late = isinstance(line.tree, FUNCTIONS)  # its names are looked up when it is called
            asked += [(other, end if late else number) for other in line.needs]
    return [submission.lines[number].tree for number in sorted(taken)]


def binding(lines: list[Line], name: str, before: int) -> list[int]:
    """The lines that make a name what it is at a place: its last binding before, and what has
    changed it since. A function may also be bound later on."""
    found = []
    for number in range(before - 1, -1, -1):
        if name in lines[number].binds or "*" in lines[number].binds:
            found.append(number)
            if name in lines[number].binds and lines[number].anew:
                return found
    later = [n for n in range(before, len(lines)) if name in lines[n].binds and lines[n].anew]
    return found + later[:1]
