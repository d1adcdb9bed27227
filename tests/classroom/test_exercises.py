"""The checker itself, on a sample chapter that is written here and does not ship."""

import math
import os
import random
import sys
import threading
import types

import pytest
import torch
from torch.nn import functional as F

from course_lib.classroom import exercises, progress_file
from course_lib.classroom.exercises import (
    Exercise,
    all_exercises,
    check,
    hint,
    judge,
    solution_text,
    statements,
    told,
)
from course_lib.classroom.exercises.wrong_lines import functions_of


def cases(generator):
    """Random support and query sets, one of them with a single point."""
    made = []
    for shots in (5, 3, 1):
        x = torch.rand(shots, 2, generator=generator)
        made.append(
            (x, torch.rand(shots, generator=generator), torch.rand(2, generator=generator), 0.1)
        )
    return made


def step(x, y, theta, alpha):
    error = x @ theta - y
    return theta - alpha * 2 * x.T @ error / len(y)


def step_again(x, y, theta, alpha):
    theta = theta.clone().requires_grad_()
    (g,) = torch.autograd.grad(F.mse_loss(x @ theta, y), theta)
    return (theta - alpha * g).detach()


def gradient_only(x, y, theta, alpha):
    return (theta - step(x, y, theta, alpha)) / alpha


STEP = Exercise(
    id="98.step",
    cases=cases,
    solution=step,
    others=(step_again,),
    read="One step down",
    mistakes={
        "2 * theta - step(x, y, theta, alpha)": (
            "your step climbs: the first weight is {got:.3f} where {wanted:.3f} is lower"
        ),
        gradient_only: lambda n: (
            f"this is the gradient ({n.got:.2f}), not the step to {n.wanted:.2f}"
        ),
        "theta.grad * alpha": told("theta has no .grad before backward", read="Autograd"),
        "/ len(y) -> / 1": "you summed where the loss takes the mean",
    },
    seconds=2.0,
)


def scalar_cases(generator):
    return [(torch.randn(n, generator=generator),) for n in (4, 10, 7)]


LOSS = Exercise(
    id="98.loss", cases=scalar_cases, solution=lambda x: (x**2).mean(), mistakes={}, seconds=2.0
)


def graph_cases(generator):
    return [(torch.randn(3, generator=generator).requires_grad_(), 0.5) for _ in range(2)]


def inner(theta, alpha):
    (g,) = torch.autograd.grad((theta**4).sum(), theta, create_graph=True)
    return theta - alpha * g


def inner_first_order(theta, alpha):
    (g,) = torch.autograd.grad((theta**4).sum(), theta)
    return theta - alpha * g


GRAPH = Exercise(
    id="98.graph",
    cases=graph_cases,
    solution=inner,
    gradients=True,
    mistakes={
        inner_first_order: "the path through the gradient is cut: {got:.2f} and not {wanted:.2f}"
    },
    read="Gradient paths",
)


TABLE = Exercise(
    id="98.table",
    cases=lambda generator: [dict(n=3), dict(n=1)],
    solution=lambda n: {"mean": torch.ones(n), "parts": (n, [torch.zeros(n, 2), float(n)])},
    mistakes={},
    properties=(
        (
            "repeatable",
            lambda f: (
                None
                if f(3)["mean"].sum() == 3
                and hasattr(f, "__code__")
                and f.__code__.co_consts != ("bad",)
                and getattr(f, "fine", True)
                else "It is not repeatable."
            ),
        ),
    ),
)


def descend(model, rate):
    with torch.no_grad():
        for p in model.parameters():
            p -= rate


DESCEND = Exercise(
    id="98.descend",
    solution=descend,
    cases=lambda generator: [(torch.nn.Linear(2, 1), rate) for rate in (0.1, 0.2)],
    mistakes={"p -= rate -> p += rate": "it adds: {got:.2f}"},
    read="x",
)


@pytest.fixture(autouse=True)
def sample_chapter(monkeypatch):
    chapter = types.ModuleType("sample")
    chapter.EXERCISES = (STEP, LOSS, GRAPH, TABLE, DESCEND)
    monkeypatch.setitem(sys.modules, "course_lib.chapters.ch98.exercises", chapter)
    said = statements.Statement(
        title="One step",
        difficulty=1,
        minutes=5,
        hints=("Which way is down?", "theta - alpha * gradient"),
        solution="def step(x, y, theta, alpha): ...",
    )
    stated = lambda number: {"98.step": said} if number == "98" else statements_of(number)  # noqa: E731
    statements_of = statements.statements
    monkeypatch.setattr(statements, "statements", stated)


# --- what passes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "identity, function",
    [
        ("98.step", step),
        ("98.step", step_again),
        ("98.graph", inner),
        ("98.table", TABLE.solution),
        ("98.descend", descend),
        ("98.step", lambda x, y, theta, alpha: step(x, y, theta.requires_grad_(), alpha)),
        ("98.loss", lambda x: float((x**2).mean())),
        ("98.loss", lambda x: (x**2).mean().numpy()),
        ("98.loss", lambda x: (x**2).mean().item()),
        (
            "98.table",
            lambda n: {
                "parts": [torch.tensor(n), (torch.zeros(n, 2, dtype=torch.float64), n)],
                "mean": torch.ones(n),
            },
        ),
    ],
)
def test_right_forms_pass(identity, function):
    verdict = check(identity, function)
    assert verdict.passed and verdict.name == "passed", verdict
    assert progress_file.read()["exercises"][identity]["passed"] is True
    assert "Passed" in verdict._repr_html_() and "Traceback" not in verdict._repr_html_()


# --- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("exercise", [STEP, GRAPH, DESCEND], ids=lambda e: e.id)
def test_each_mistake_meets_its_own_diagnosis(exercise):
    for row in exercise.rows:
        assert check(exercise.id, row.wrong).name == f"mistake:{row.name}"


def test_a_diagnosis_uses_the_readers_numbers_and_names_a_section():
    said = check("98.step", lambda x, y, theta, alpha: 2 * theta - step(x, y, theta, alpha)).text
    assert (
        "Your step climbs" in said
        and "lower. Read again: One step down." in said
        and "{" not in said
    )
    got, wanted = (float(word) for word in said.split() if word[0].isdigit() and "." in word)
    assert got != wanted


def test_a_mistake_with_many_forms_is_recognised_by_what_it_leaves():
    def own_order(x, y, shots, order):
        mine = torch.randperm(len(x))
        return x[mine[:shots]], y[mine[:shots]], x[mine[shots:]], y[mine[shots:]]

    def with_replacement(x, y, shots, order):
        support, query = torch.randint(len(x), (2 * shots,)), torch.randint(len(x), (len(x),))
        return x[support], y[support], x[query], y[query]

    def torn(x, y, shots, order):
        a, b, c, d = own_order(x, y, shots, order)
        return a, b.flip(0), c, d.flip(0)

    assert (
        "A valid split, but the checks compare" in check("01.split", own_order).text
        and check("01.split", torn).name == "kind:by chance"
    )
    drawn = check("01.split", with_replacement)  # the leak is named, and not the shape
    assert "points are in neither set: you drew twice" in drawn.text
    assert check("01.split", lambda x, y, shots, order: (x[:shots], None, 3, y)).name == "type"
    lists = check(
        "01.relabel", lambda names, support, query: ([0] * len(support), [0] * len(query))
    )
    assert "Your two results are lists" in lists.text


def test_a_mistake_that_agrees_only_on_some_cases_is_not_named():
    assert (
        check(
            "98.step",
            lambda x, y, theta, alpha: (
                2 * theta - step(x, y, theta, alpha) if len(y) > 1 else theta * 7
            ),
        ).name
        == "different"
    )


def test_a_row_is_named_by_its_wrong_line_or_its_function():
    names = [row.name for row in STEP.rows]
    assert names[0] == "2 * theta - step(x, y, theta, alpha)" and names[1] == "gradient_only"


@pytest.mark.parametrize(
    "key, says",
    [
        ("theta +", "is no Python"),
        ("theta - -> theta + )", "is no Python"),
        ("alpha * 3 -> alpha * 2", "'alpha \\* 3' stands nowhere in step"),
    ],
)
def test_a_key_that_means_nothing_is_refused(key, says):
    with pytest.raises(ValueError, match=says):
        functions_of(key, step)


def test_a_tuple_of_keys_is_one_misconception_with_several_forms():
    forms = functions_of(("theta", "alpha * theta", "2 * x.T -> 3 * x.T"), step)
    case = cases(torch.Generator().manual_seed(0))[0]
    results = [form(*case) for form in forms]
    assert results[0].equal(case[2]) and results[1].equal(0.1 * case[2])
    torch.testing.assert_close(results[2] - case[2], 1.5 * (step(*case) - case[2]))


# --- general diagnoses ----------------------------------------------------------------------------


def stub(x, y, theta, alpha):
    """Return the weights after one step."""
    ...


def stub_with_lines(x, y, theta, alpha):
    error = x @ theta - y  # noqa: F841
    g = ...
    return theta - alpha * g


def raises_todo(x, y, theta, alpha):
    raise NotImplementedError("your lines here")


def returns_dots(x, y, theta, alpha):
    new = ...
    return new


@pytest.mark.parametrize("function", [stub, stub_with_lines, raises_todo, returns_dots])
def test_a_stub_is_not_tried_and_nothing_is_stored(function, own_progress):
    verdict = check("98.step", function)
    assert verdict.name == "not_tried" and "Not tried yet" in verdict._repr_html_()
    assert not own_progress.exists()


def forgot_return(x):
    result = x.mean()  # noqa: F841


def breaks(x):
    half = x[: len(x) // 2]
    return half @ x


def mutates(x):
    x *= x
    return x.mean()


def forever(x):
    while True:
        x = x + 0


@pytest.mark.parametrize(
    "identity, function, name, says",
    [
        ("98.loss", forgot_return, "none", "return"),
        ("98.loss", breaks, "raised", "return half @ x"),
        ("98.loss", breaks, "raised", "RuntimeError"),
        ("98.loss", lambda x, y: x, "signature", "(x, y)"),
        ("98.loss", 3.5, "not_function", "the number 3.5"),
        ("98.loss", torch.ones(2), "not_function", "shape (2,)"),
        ("98.loss", lambda x: "0.3", "type", "a string"),
        ("98.loss", lambda x: x**2, "kind:no mean", "A mean over all of it is still to be taken"),
        ("98.loss", lambda x: torch.cat([x, x])[:, None], "shape", "one number is wanted"),
        ("98.loss", lambda x: (x**2).mean().sqrt(), "kind:root", "the square root of what is"),
        ("98.loss", lambda x: random.random(), "kind:by chance", "gives another answer"),
        (
            "98.step",
            lambda x, y, theta, alpha: step(x, y, theta, 1.0),
            "kind:alpha is 1",
            "missing",
        ),
        ("98.step", lambda x, y, theta, alpha: theta, "kind:theta as it came", "as it came"),
        (
            "98.step",
            lambda x, y, theta, alpha: theta - alpha * x.T @ (x @ theta - y) / len(y),
            "kind:alpha halved",
            "a 2 missing",
        ),
        (
            "98.step",
            lambda x, y, theta, alpha: theta - alpha * 2 * x.T @ (x @ theta + y) / len(y),
            "kind:x negative",
            "the other sign",
        ),
        (
            "98.graph",
            lambda theta, alpha: theta - alpha * theta.detach() ** 3 * 4 + 0 * theta,
            "mistake:inner_first_order",
            "path through the gradient is cut",
        ),
        ("98.loss", lambda x: (x**2).mean() / 0, "not_finite", "infinity"),
        ("98.loss", lambda x: (x**2).mean() * math.nan, "not_finite", "NaN"),
        ("98.loss", lambda x: -(x**2).mean(), "sign", "wrong sign"),
        ("98.loss", lambda x: 2 * (x**2).mean(), "factor", "exactly 2 times too large"),
        ("98.loss", lambda x: (x**2).mean() / 2, "factor", "exactly 0.5 times"),
        ("98.loss", lambda x: (x**2).sum(), "factor_by_case", "4, 10, 7"),
        ("98.loss", lambda x: x.abs().mean(), "different", "None of the 3"),
        ("98.loss", lambda x: (x**2).mean() + (len(x) == 4), "different", "2 of 3 cases agree"),
        ("98.loss", mutates, "mutated", "`x` in place"),
        ("98.loss", forever, "time", "It was stopped"),
        (
            "98.step",
            lambda x, y, theta, alpha: step(x, y, theta, alpha).numpy(),
            "type",
            "numpy ndarray",
        ),
        (
            "98.step",
            lambda x, y, theta, alpha: list(step(x, y, theta, alpha)),
            "type",
            "torch.stack",
        ),
        (
            "98.step",
            lambda x, y, theta, alpha: step(x, y, theta, alpha)[None],
            "shape",
            "(1, 2), and (2,) is wanted",
        ),
        (
            "98.step",
            lambda x, y, theta, alpha: torch.zeros(3),
            "shape",
            "dimension 0 is 3 in place of 2",
        ),
        (
            "98.graph",
            lambda theta, alpha: inner(theta, alpha).detach(),
            "detached",
            "lost its graph",
        ),
        (
            "98.graph",
            lambda theta, alpha: inner(theta, alpha).detach() + 0 * theta,
            "gradient",
            "gradient that flows back",
        ),
        ("98.table", lambda n: {"mean": torch.ones(n)}, "type", "`parts`"),
        (
            "98.table",
            lambda n: {"mean": torch.ones(n), "parts": (n, [torch.zeros(2, n), float(n)])},
            "shape",
            "transposed",
        ),
        (
            "98.descend",
            lambda model, rate: model.train() and None,
            "not_updated",
            "other numbers there than wanted",
        ),
        ("98.nothing", stub, "unknown", "`98.step`, `98.loss`"),
        ("97.nothing", stub, "unknown", "no exercises"),
        ("nonsense", stub, "unknown", "no exercises"),
    ],
)
def test_general_diagnoses(identity, function, name, says, capsys):
    verdict = check(identity, function)
    assert (verdict.name, verdict.passed) == (name, False), verdict
    assert says in verdict.text and "Traceback" not in verdict._repr_html_()
    assert capsys.readouterr().err == ""


def test_a_property_that_fails_is_said_in_its_own_words():
    def unrepeatable(n):
        return TABLE.solution(n)

    unrepeatable.fine = False
    verdict = check("98.table", unrepeatable)
    assert verdict.name == "property:repeatable" and verdict.text == "It is not repeatable."


def test_a_case_that_differs_is_shown_and_small():
    page = check("98.loss", lambda x: x.abs().mean())._repr_html_()
    assert "input x" in page and "wanted" in page and page.count("<tr>") == 3
    assert (
        "tensor of shape" in exercises.diagnose.brief(torch.zeros(100))
        and exercises.diagnose.brief(torch.tensor([1.23456])) == "[1.235]"
    )


def test_a_strange_result_is_escaped():
    page = check("98.loss", lambda x: "<script>alert(1)</script>")._repr_html_()
    assert "<script>" not in page


def test_an_endless_function_leaves_no_thread():
    before = threading.active_count()
    assert check("98.loss", forever).name == "time"
    assert threading.active_count() == before


def test_exit_and_recursion_do_not_escape():
    def leaves(x):
        raise SystemExit

    def deep(x):
        return deep(x)

    assert check("98.loss", leaves).name == "time" and "SystemExit" in check("98.loss", leaves).text
    assert check("98.loss", deep).name == "raised"


def test_the_random_state_of_the_notebook_is_left_alone():
    torch.manual_seed(5)
    random.seed(5)
    first = torch.rand(1), random.random()
    torch.manual_seed(5)
    random.seed(5)
    check("98.step", gradient_only)
    assert (torch.rand(1), random.random()) == first


def test_a_fault_of_the_checker_is_one_sentence(monkeypatch):
    broken = Exercise(id="98.broken", cases=lambda g: 1 / 0, solution=step, mistakes={})
    monkeypatch.setattr(sys.modules["course_lib.chapters.ch98.exercises"], "EXERCISES", (broken,))
    assert check("98.broken", step).name == "checker"


def test_tries_are_counted_and_a_pass_stays():
    check("98.loss", forgot_return)
    check("98.loss", LOSS.solution)
    check("98.loss", forgot_return)
    entry = progress_file.read()["exercises"]["98.loss"]
    assert (
        entry["tries"] == 3 and entry["passed"] and entry["last"] == "none" and entry["passed_at"]
    )


def test_hints_and_the_solution():
    assert "Which way is down" in repr(hint("98.step", 1)) and "gradient" in repr(
        hint("98.step", 2)
    )
    assert "2 hints" in repr(hint("98.step", 3)) and hint("98.no", 1).name == "unknown"
    assert solution_text("98.step").startswith("def step") and "no exercise" in solution_text(
        "98.no"
    )


def test_what_the_function_prints_reaches_the_reader(capsys):
    check("98.loss", lambda x: print("seen") or (x**2).mean())
    assert "seen" in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="signals differ")
def test_an_interrupt_reaches_the_cell():
    import signal

    timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        check("98.loss", forever)


@pytest.mark.parametrize(
    ("slip", "word"),
    [
        (
            lambda theta, loss_of, alpha: (
                theta - alpha * torch.autograd.grad(loss_of(theta), theta)
            ),
            "tuple",
        ),
        (
            lambda theta, loss_of, alpha: theta - alpha * torch.autograd.grad(loss_of, theta)[0],
            "call it",
        ),
        (
            lambda theta, loss_of, alpha: (
                theta - alpha * torch.autograd.grad(loss_of(theta.detach()), theta)[0]
            ),
            "cut from the graph",
        ),
    ],
)
def test_the_commonest_slips_are_explained_in_the_words_of_the_course(slip, word):
    verdict = check("02.inner_step", slip)
    assert verdict.name == "raised" and word in verdict.text


def test_what_torch_has_not_implemented_is_a_try(own_progress):
    said = check("98.loss", lambda x: (x ^ 2).mean())
    assert said.name == "raised" and "`^` is no power: write `**`" in said.text
    assert progress_file.read()["exercises"]["98.loss"]["tries"] == 1

    def swapped(x):
        return torch.nn.functional.cross_entropy(torch.arange(3), x[:1].expand(3, 3).squeeze())

    said = check("98.loss", swapped)
    assert said.name == "raised" and "Not tried" not in said.text


def test_a_tuple_of_autograd_is_named():
    said = check("98.loss", lambda x: ((x**2).mean(),))
    assert said.name == "type" and "take its `[0]`, or unpack it with a comma" in said.text


def test_a_verdict_without_a_name_says_where_to_go_on():
    said = check("98.loss", lambda x: (x**2).mean() + 0.123 * x.abs().mean() ** 3)
    assert said.name == "different" and 'hint("98.loss", 1)' in said.text


@pytest.mark.parametrize("wrong", [lambda loss: loss.detach(), lambda loss: loss.item()])
def test_a_loss_that_cannot_train_does_not_pass(wrong):
    for identity in ("03.maml_loss", "06.contrastive", "06.koch", "07.loss", "12.answer_loss"):
        exercise = next(e for e in all_exercises() if e.id == identity)
        verdict = judge(exercise, lambda *given, e=exercise: wrong(e.solution(*given)))
        assert verdict.name != "passed", identity
