"""The course's own function with one thing changed: a plus for a minus, a mean for a sum, a factor
left out, a return inside its loop. A reader whose function answers like such a mutant is told
which kind of change it is. The line itself is not shown: it would be the solution."""

from __future__ import annotations

import ast
import copy
import inspect
import textwrap
from collections.abc import Callable, Iterator

from course_lib.classroom.exercises.wrong_lines import space_of

EXCHANGED = {  # methods and functions that are taken for one another
    "mean": ("sum", "a sum stands where a mean belongs"),
    "sum": ("mean", "a mean stands where a sum belongs"),
    "argmin": ("argmax", "the largest is taken where the smallest is wanted"),
    "argmax": ("argmin", "the smallest is taken where the largest is wanted"),
    "min": ("max", "the largest is taken where the smallest is wanted"),
    "max": ("min", "the smallest is taken where the largest is wanted"),
    "std": ("var", "a variance stands where its root, the standard deviation, belongs"),
    "var": ("std", "a standard deviation stands where its square, the variance, belongs"),
    "log_softmax": ("softmax", "probabilities stand where their logarithms belong"),
    "softmax": ("log_softmax", "logarithms stand where probabilities belong"),
    "eigvalsh": ("svdvals", "other numbers stand where the curvatures belong"),
    "median": ("mean", "a mean stands where a median belongs"),
}
DROPPED = (
    "abs", "sqrt", "exp", "log", "log2", "square", "clamp", "clamp_min", "relu", "softmax",
    "log_softmax", "sigmoid", "normalize", "float", "flatten", "mean", "sum", "sorted", "std",
    "detach", "min", "max", "argmax", "argmin", "reversed", "inv", "norm",
)  # fmt: skip
MEANS = {
    "normalize": "nothing is brought to length 1",
    "reversed": "you go through it from the front",
    "sorted": "nothing is put in order",
}
OPERATORS = {
    ast.Add: (ast.Sub, "a minus stands where a plus belongs"),
    ast.Sub: (ast.Add, "a plus stands where a minus belongs"),
    ast.Mult: (ast.Div, "you divide where you should multiply"),
    ast.Div: (ast.Mult, "you multiply where you should divide"),
    ast.MatMult: (ast.Mult, "`*`, entry by entry, stands where a product of matrices belongs"),
}
COMPARED = {
    ast.Eq: (ast.NotEq, "a condition is turned round: what should be left out is kept"),
    ast.NotEq: (ast.Eq, "a condition is turned round: what should be kept is left out"),
    ast.Lt: (ast.Gt, "a comparison is turned round"),
    ast.Gt: (ast.Lt, "a comparison is turned round"),
    ast.LtE: (ast.GtE, "a comparison is turned round"),
    ast.GtE: (ast.LtE, "a comparison is turned round"),
}

Change = tuple[int, str, str, Callable]  # how likely (0 first), name, words, act on a copied node


def mutants(solution: Callable) -> Iterator[tuple[str, str, Callable]]:
    """(name, what it means, function): the likelier kinds first; none where the source is no plain
    function."""
    tree = source_tree(solution)
    if tree is None:
        return
    head = tree.body[0]
    found = []
    for place, node in enumerate(ast.walk(tree)):
        found += [(rank, name, says, place, act) for rank, name, says, act in changes(node, head)]
    found.sort(key=lambda change: change[0])
    for _, name, says, place, act in found:
        made = copy.deepcopy(tree)
        replace(made, place, act)
        function = compiled(made, solution)
        if function is not None:
            yield name, says, function


def source_tree(solution: Callable) -> ast.Module | None:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(solution)))
    except (OSError, TypeError, SyntaxError):
        return None
    plain = isinstance(tree.body[0], ast.FunctionDef) and not tree.body[0].decorator_list
    return tree if plain and tree.body[0].name == solution.__name__ else None


def replace(tree: ast.Module, place: int, act: Callable) -> None:
    """Put what `act` makes of one node in its place; None takes a statement out."""
    nodes = list(ast.walk(tree))
    old = nodes[place]
    new = act(old)
    for parent in nodes:
        for field, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, field, new)
            elif isinstance(value, list) and any(item is old for item in value):
                here = next(i for i, item in enumerate(value) if item is old)
                value[here : here + 1] = [new] if new is not None else []


def compiled(tree: ast.Module, solution: Callable) -> Callable | None:
    space: dict = {}
    try:
        code = compile(ast.fix_missing_locations(tree), "<a mutant>", "exec")
        exec(code, space_of(solution), space)
    except (SyntaxError, ValueError, TypeError):
        return None
    return space[solution.__name__]


def changes(node: ast.AST, head: ast.FunctionDef) -> Iterator[Change]:
    """Everything that may be changed at one node."""
    if isinstance(node, ast.BinOp):
        yield from of_operator(node)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield 1, "minus", "a minus sign is missing", lambda n: n.operand
    elif isinstance(node, ast.Call):
        yield from of_call(node)
    elif isinstance(node, ast.Constant):
        yield from of_constant(node)
    elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARED:
        other, says = COMPARED[type(node.ops[0])]
        yield 1, "condition", says, lambda n, o=other: ast.Compare(n.left, [o()], n.comparators)
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        yield 4, "slice", "a part is taken whole", lambda n: n.value
    elif isinstance(node, ast.comprehension) and node.ifs:
        yield 1, "condition", "a condition is missing: some should be left out", lambda n: (
            ast.comprehension(n.target, n.iter, [], 0)
        )
    elif isinstance(node, ast.Return) and node.value is not None:
        yield from of_return(node, head)
    elif isinstance(node, ast.For):
        says = "a `return` stands inside the loop, so only its first turn counts"
        yield 2, "early return", says, lambda n: early(n, head)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield from of_name(node, head)
    elif isinstance(node, ast.Assign | ast.AugAssign | ast.Expr) and node in head.body:
        yield 6, "a step", "a step is left out", lambda n: None


def of_operator(node: ast.BinOp) -> Iterator[Change]:
    if type(node.op) in OPERATORS:
        other, says = OPERATORS[type(node.op)]
        yield 1, "operator", says, lambda n, o=other: ast.BinOp(n.left, o(), n.right)
    if isinstance(node.op, ast.Pow) and isinstance(node.right, ast.Constant):
        power = node.right.value
        word = {2: "a square", 0.5: "a root"}.get(power, "a power")
        yield 0, "power", f"{word} is missing", lambda n: n.left
        if power == 0.5:
            yield 3, "power", "a square stands where a root belongs", lambda n: ast.BinOp(
                n.left, ast.Pow(), ast.Constant(2)
            )
        return
    word = {ast.Mult: "the factor", ast.MatMult: "the factor", ast.Div: "the divisor"}
    says = word.get(type(node.op), "the term")
    yield 1, "left out", f"{says}{named(node.right)} is missing", lambda n: n.left
    if isinstance(node.op, ast.Sub):
        yield 2, "left out", "one of two terms is missing", lambda n: ast.UnaryOp(
            ast.USub(), n.right
        )
        yield 2, "turned round", "a difference is the wrong way round", lambda n: ast.BinOp(
            n.right, ast.Sub(), n.left
        )
    if isinstance(node.op, ast.Div):
        yield 2, "upside down", "a fraction is upside down", lambda n: ast.BinOp(
            n.right, ast.Div(), n.left
        )
    if not isinstance(node.op, ast.Div):
        yield 2, "left out", f"{says}{named(node.left)} is missing", lambda n: n.right


def named(node: ast.expr) -> str:
    """" `alpha`" for a name or a number; nothing for more, which would be half the solution."""
    short = isinstance(node, ast.Name | ast.Constant)
    return f" `{ast.unparse(node)}`" if short else ""


def of_call(node: ast.Call) -> Iterator[Change]:
    word = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if word in EXCHANGED:
        other, says = EXCHANGED[word]
        yield 0, f"{other} for {word}", says, lambda n, o=other: renamed(n, o)
    if word in DROPPED:
        says = MEANS.get(word, f"`{word}` is missing")
        yield 1, f"no {word}", says, inner
    if word == "one_hot":
        return
    for number, keyword in enumerate(node.keywords):
        says = f"`{keyword.arg}=` is missing or another one"
        yield 2, f"no {keyword.arg}", says, lambda n, i=number: ast.Call(
            n.func, n.args, [k for j, k in enumerate(n.keywords) if j != i]
        )


def renamed(node: ast.Call, other: str) -> ast.Call:
    if isinstance(node.func, ast.Attribute):
        return ast.Call(ast.Attribute(node.func.value, other, ast.Load()), node.args, node.keywords)
    return ast.Call(ast.Name(other, ast.Load()), node.args, node.keywords)


def inner(node: ast.Call) -> ast.expr:
    """What a call is made on: `x` of `x.abs()`, of `torch.abs(x)`, of `sorted(x)`."""
    module = isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
    if module and node.func.value.id in ("torch", "F", "math", "linalg") or isinstance(
        node.func, ast.Name
    ):
        return node.args[0] if node.args else node
    return node.func.value if isinstance(node.func, ast.Attribute) else node


def of_constant(node: ast.Constant) -> Iterator[Change]:
    value = node.value
    if isinstance(value, bool):
        yield 2, "flag", "a yes stands where a no belongs, or the reverse", lambda n: ast.Constant(
            not n.value
        )
    elif isinstance(value, int) and value in (-1, 0, 1):
        other = {0: 1, 1: 0, -1: 0}[value]
        says = "the other axis is taken, or a count begins at another number"
        yield 3, "axis", says, lambda n, o=other: ast.Constant(o)
        yield 4, "axis", says, lambda n, o=value: ast.Constant(o + 1 if o != 0 else -1)
    elif isinstance(value, int | float):
        for rank, other in ((2, 1), (3, 2 * value), (3, value / 2), (4, value + 1), (5, 0)):
            says = f"a number is {other:g} where another one belongs"
            yield rank, f"number {other:g}", says, lambda n, o=other: ast.Constant(o)


def of_return(node: ast.Return, head: ast.FunctionDef) -> Iterator[Change]:
    for name in sorted(bound(head) - parameters(head)):
        says = "what you return is a step on the way, and not yet what is asked for"
        yield 1, "too early", says, lambda n, w=name: ast.Return(ast.Name(w, ast.Load()))
    if isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2:
        yield 1, "exchanged", "your two results have changed places", lambda n: ast.Return(
            ast.Tuple(n.value.elts[::-1], ast.Load())
        )


def early(node: ast.For, head: ast.FunctionDef) -> ast.For:
    last = head.body[-1]
    returns = last if isinstance(last, ast.Return) else ast.Return(ast.Constant(None))
    return ast.For(node.target, node.iter, [*node.body, copy.deepcopy(returns)], node.orelse)


def of_name(node: ast.Name, head: ast.FunctionDef) -> Iterator[Change]:
    known = parameters(head) | bound(head)
    if node.id not in known:
        return
    for other in sorted(known - {node.id}):
        rank = 3 if other in parameters(head) and node.id in parameters(head) else 5
        here = f"`{other}`" if other in parameters(head) else "something else"
        there = f"`{node.id}`" if node.id in parameters(head) else "another one"
        says = f"{here} stands in one place where {there} belongs"
        yield rank, f"{other} for {node.id}", says, lambda n, o=other: ast.Name(o, ast.Load())


def parameters(head: ast.FunctionDef) -> set[str]:
    return {argument.arg for argument in head.args.args}


def bound(head: ast.FunctionDef) -> set[str]:
    """The names that a function gives to something itself."""
    return {
        node.id
        for statement in head.body
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
