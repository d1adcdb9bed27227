"""Exercise 10.one_step: a gradient step without weights."""

import torch

from course_lib.chapters.ch10.exercises_common import STEP
from course_lib.classroom.exercises.compare import any_of
from course_lib.classroom.exercises.judging import Exercise, Mistake


def one_step(x, y, x_q, eta):
    return eta * (y * (x @ x_q)).sum()


def one_step_with_weights(x, y, x_q, eta):
    w = torch.zeros(x.shape[1], requires_grad=True)
    loss = (x @ w - y).square().sum() / 2
    (gradient,) = torch.autograd.grad(loss, w)
    return (w - eta * gradient).detach() @ x_q


def one_step_in_a_loop(x, y, x_q, eta):
    return sum(eta * float(y_i) * float(x_i @ x_q) for x_i, y_i in zip(x, y))


def no_eta(x, y, x_q, eta):
    return y @ (x @ x_q)


def mean_of_examples(x, y, x_q, eta):
    return eta * (y * (x @ x_q)).mean()


def uphill(x, y, x_q, eta):
    return -one_step(x, y, x_q, eta)


def twice(x, y, x_q, eta):
    return 2 * one_step(x, y, x_q, eta)


def softmax_attention(x, y, x_q, eta):
    return y @ (x @ x_q).softmax(0)


def softmax_times_eta(x, y, x_q, eta):
    return eta * (y @ (x @ x_q).softmax(0))


def weights_alone(x, y, x_q, eta):
    return eta * (y @ x)


def no_labels(x, y, x_q, eta):
    return eta * (x @ x_q).sum()


def no_products(x, y, x_q, eta):
    return eta * y.sum()


def cosines(x, y, x_q, eta):
    return eta * (y @ torch.nn.functional.cosine_similarity(x, x_q[None]))


def all_the_way(x, y, x_q, eta):
    return torch.linalg.pinv(x) @ y @ x_q


def two_steps(x, y, x_q, eta):
    w = eta * (y @ x)
    return (w - eta * (x @ w - y) @ x) @ x_q


def one_per_example(x, y, x_q, eta):
    return eta * y * (x @ x_q)


def mean_of_squares(x, y, x_q, eta):
    w = torch.zeros(x.shape[1], requires_grad=True)
    (gradient,) = torch.autograd.grad((x @ w - y).square().mean(), w)
    return (w - eta * gradient).detach() @ x_q


def example_by_example(x, y, x_q, eta, size=1):
    w = torch.zeros(x.shape[1])
    for x_i, y_i in zip(x, y):
        w = w - eta * size * (w @ x_i - y_i) * x_i
    return w @ x_q


def example_by_example_twice_as_far(x, y, x_q, eta):
    return example_by_example(x, y, x_q, eta, 2)


def no_step(x, y, x_q, eta):
    return torch.zeros(x.shape[1]) @ x_q


def gradient_at_the_query(x, y, x_q, eta):
    return -(y @ (x @ x_q))


def gradient_of_the_sum(x, y, x_q, eta):
    return 2 * gradient_at_the_query(x, y, x_q, eta)


def gradient_of_the_mean(x, y, x_q, eta):
    return 2 * gradient_at_the_query(x, y, x_q, eta) / len(y)


def sum_times_sum(x, y, x_q, eta):
    return eta * y.sum() * (x.sum(0) @ x_q)


def scaled_attention(x, y, x_q, eta):
    return eta * (y @ (x @ x_q)) / x.shape[1] ** 0.5


def scaled_without_eta(x, y, x_q, eta):
    return y @ (x @ x_q) / x.shape[1] ** 0.5


def shares_of_the_products(x, y, x_q, eta):
    return y @ (x @ x_q) / (x @ x_q).sum()


def shares_times_eta(x, y, x_q, eta):
    return eta * shares_of_the_products(x, y, x_q, eta)


def shares_one_each(x, y, x_q, eta):
    return y * (x @ x_q) / (x @ x_q).sum()


def shares_one_each_times_eta(x, y, x_q, eta):
    return eta * shares_one_each(x, y, x_q, eta)


def answers_to_the_examples(x, y, x_q, eta):
    return eta * x @ (y @ x)


def step_cases(generator: torch.Generator) -> list[tuple]:
    """(x (S, d), y (S,), a query (d,), the step size)."""
    sizes = ((4, 2, 0.1), (6, 3, 0.05), (3, 2, 0.3))
    return [
        (*(torch.randn(*shape, generator=generator) for shape in ((s, d), (s,), (d,))), eta)
        for s, d, eta in sizes
    ]


EXERCISE = Exercise(
    id="10.one_step",
    title="a gradient step without weights",
    minutes=10,
    difficulty=3,
    cases=step_cases,
    solution=one_step,
    others=(one_step_with_weights, one_step_in_a_loop),
    mistakes=(
        Mistake(
            "no_eta",
            no_eta,
            "The step size is missing: {got:.3f} instead of {wanted:.3f}. Attention has no such number by itself; here `eta` scales the values.",
            STEP,
        ),
        Mistake(
            "mean_of_examples",
            mean_of_examples,
            "You took the mean over the examples ({got:.3f}). The loss here is half the *sum* of the squared "
            "errors, so the step is a sum too: {wanted:.3f}.",
            STEP,
        ),
        Mistake(
            "uphill",
            uphill,
            "The sign is turned: {got:.3f} instead of {wanted:.3f}. At w = 0 the error is −y, so the gradient is −Σ y_i x_i, and a step goes against it.",
            STEP,
        ),
        Mistake(
            "twice",
            twice,
            "Yours is twice as large: {got:.3f} instead of {wanted:.3f}. The 2 of the square and the half before the sum cancel.",
            STEP,
        ),
        Mistake(
            "softmax_attention",
            softmax_attention,
            "This is attention with a softmax, without `eta`. Its weights are positive and sum to 1, so an example "
            "can never pull the other way ({got:.3f} instead of {wanted:.3f}). The gradient step has no softmax.",
            STEP,
        ),
        Mistake(
            "softmax_times_eta",
            softmax_times_eta,
            "Leave out the softmax. The gradient step weighs an example with the plain product x_i · x_q, which "
            "may be negative ({wanted:.3f}, not {got:.3f}).",
            STEP,
        ),
        Mistake(
            "weights_alone",
            weights_alone,
            "Those are the weights after the step, and they are right. The answer to the query is w · x_q, one number.",
            STEP,
        ),
        Mistake(
            "no_labels",
            no_labels,
            "The y_i are missing ({got:.3f} instead of {wanted:.3f}). The products say how much each example counts; the y say what it votes for.",
            STEP,
        ),
        Mistake(
            "no_products",
            no_products,
            "Every query gets the same answer, {got:.3f}: it does not depend on x. Each y_i is weighed with x_i · x_q ({wanted:.3f}).",
            STEP,
        ),
        Mistake(
            "cosines",
            cosines,
            "You used cosines. The step uses plain inner products: a longer x_i has a larger gradient ({wanted:.3f}, not {got:.3f}).",
            STEP,
        ),
        Mistake(
            "all_the_way",
            all_the_way,
            "This is the least-squares answer, where many steps would end: {got:.3f}. One step from w = 0 is asked for: {wanted:.3f}.",
            STEP,
        ),
        Mistake(
            "two_steps",
            two_steps,
            "You took two steps: {got:.3f}. After the first, the answer is {wanted:.3f}. The second needs the errors, so another layer of attention.",
            STEP,
        ),
        Mistake(
            "one_per_example",
            one_per_example,
            "Those are the votes of the examples, one each. Their sum is the answer.",
            STEP,
        ),
        Mistake(
            "mean_of_squares",
            mean_of_squares,
            lambda n: (
                f"You took the step on the *mean* of the squared errors, {n.got:.3f}. The loss here is *half the sum*: with {len(n.inputs[1])} "
                f"examples its gradient is {len(n.inputs[1]) / 2:g} times that of the mean ({n.wanted:.3f}). "
                "The chapter's MAML takes the mean, and so needs eta = 2 alpha / 8 to match."
            ),
            STEP,
        ),
        Mistake(
            "example_by_example",
            example_by_example,
            lambda n: (
                f"You took {len(n.inputs[1])} steps, one after each example: {n.got:.3f}. From the second on, w is no longer 0. *One* step "
                f"adds up the gradients of all examples at w = 0: {n.wanted:.3f}."
            ),
            STEP,
            seen=any_of(example_by_example, example_by_example_twice_as_far),
        ),
        Mistake(
            "no_step",
            no_step,
            "{got:.0f} is the answer at w = 0, before any step. The step is missing: w becomes −eta times the gradient, and the answer {wanted:.3f}.",
            STEP,
        ),
        Mistake(
            "gradient_at_the_query",
            gradient_at_the_query,
            "You multiplied x_q with the gradient ({got:.3f}). The gradient is no weight yet: w after the step is 0 − eta × gradient, "
            "and w · x_q is {wanted:.3f}.",
            STEP,
            seen=any_of(gradient_at_the_query, gradient_of_the_sum, gradient_of_the_mean),
        ),
        Mistake(
            "sum_times_sum",
            sum_times_sum,
            "You summed the y and the x apart, and multiplied the sums ({got:.3f}). Each y_i belongs to its own x_i: multiply first, "
            "then sum ({wanted:.3f}).",
            STEP,
        ),
        Mistake(
            "scaled_attention",
            scaled_attention,
            lambda n: (
                f"You divided by √d = {n.inputs[0].shape[1] ** 0.5:.2f}, as attention in a transformer does: {n.got:.3f}. A gradient step has "
                f"no such factor: {n.wanted:.3f}."
            ),
            STEP,
            seen=any_of(scaled_attention, scaled_without_eta),
        ),
        Mistake(
            "shares_of_the_products",
            shares_of_the_products,
            lambda n: (
                f"You divided the products x_i · x_q by their sum, {float((n.inputs[0] @ n.inputs[2]).sum()):.3f}. They may be negative and are "
                f"no shares; the sum may even be 0. The gradient step takes them as they are, times eta: {float(one_step(*n.inputs)):.3f}."
            ),
            STEP,
            seen=any_of(
                shares_of_the_products, shares_times_eta, shares_one_each, shares_one_each_times_eta
            ),
        ),
        Mistake(
            "answers_to_the_examples",
            answers_to_the_examples,
            lambda n: (
                f"Those are the answers to the {len(n.inputs[1])} examples. The weights are right; multiply them with the query `x_q` "
                f"in place of `x`: {float(one_step(*n.inputs)):.3f}."
            ),
            STEP,
        ),
    ),
    hints=(
        "Write down the gradient of half the sum of (w · x_i − y_i)², and put w = 0 into it.",
        "After the step w = eta Σ y_i x_i. Now take w · x_q and move x_q into the sum.",
    ),
)
