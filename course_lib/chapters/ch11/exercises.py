"""Exercises of chapter 11: the votes of a head, gradient descent in many steps, and an open one: a
look-up that works where looking words up does not."""

import torch
import torch.nn.functional as F

from course_lib.classroom.exercises import Exercise, told
from course_lib.families.two_words import TwoWords
from course_lib.language_models.tiny_gpt import shipped_model

NAMESPACE: dict = {}


# 11.votes


def votes(attention, y, ways):
    return torch.stack([attention[y == n].sum() for n in range(ways)])


def votes_by_one_hot(attention, y, ways):
    return attention @ F.one_hot(y, ways).to(attention.dtype)


def votes_of_the_last(attention, y, ways):
    found = torch.zeros(ways)
    for a, n in zip(attention, y, strict=True):
        found[n] = a
    return found


def vote_cases(generator: torch.Generator) -> list[tuple]:
    """(attention at the labels (S,), their classes (S,), how many classes)."""
    cases = []
    for shots, ways in ((6, 2), (8, 3), (5, 4)):
        attention = torch.rand(shots + 2, generator=generator).softmax(0)[:shots]
        y = torch.randint(ways - 1, (shots,), generator=generator)  # the last class has no example
        cases.append((attention, y, ways))
    return cases


# 11.descend


def descend(x, y, x_q, eta, steps):
    w = torch.zeros(x.shape[1])
    for _ in range(steps):
        w = w + eta * x.T @ (y - x @ w)
    return w @ x_q


def descend_by_autograd(x, y, x_q, eta, steps):
    w = torch.zeros(x.shape[1], requires_grad=True)
    for _ in range(steps):
        loss = (x @ w - y).square().sum() / 2
        w = w - eta * torch.autograd.grad(loss, w)[0]
    return (w @ x_q).detach()


def example_by_example(x, y, x_q, eta, steps):
    w = torch.zeros(x.shape[1])
    for _ in range(steps):
        for a, b in zip(x, y, strict=True):
            w = w + eta * a * (b - a @ w)
    return w @ x_q


def descent_cases(generator: torch.Generator) -> list[tuple]:
    """(x (S, d), y (S,), a query (d,), the size of a step, how many steps)."""
    sizes = ((4, 2, 0.1, 3), (6, 3, 0.05, 5), (3, 2, 0.2, 2))
    return [
        (*(torch.randn(*shape, generator=generator) for shape in ((s, d), (s,), (d,))), eta, steps)
        for s, d, eta, steps in sizes
    ]


# 11.compare


def compare(shown, y, asked):
    alike, alike_asked = (pairs.prod(-2).sum(-1) for pairs in (shown, asked))  # (S,), (Q,)
    return y[(alike_asked[:, None] - alike).abs().argmin(1)]


def compare_by_means(shown, y, asked):
    alike, alike_asked = (F.cosine_similarity(p[:, 0], p[:, 1]) for p in (shown, asked))
    means = torch.stack([alike[y == n].mean() for n in (0, 1)])
    return (alike_asked[:, None] - means).abs().argmin(1)


def compare_by_distance(shown, y, asked):
    far, far_asked = ((p[:, 0] - p[:, 1]).norm(dim=-1) for p in (shown, asked))
    return y[(far_asked[:, None] - far).abs().argmin(1)]


def side_by_side(shown, y, asked):
    return y[torch.cdist(asked.flatten(1), shown.flatten(1)).argmin(1)]


def both_added(shown, y, asked):
    return y[torch.cdist(asked.sum(1), shown.sum(1)).argmin(1)]


def direction_of_the_difference(shown, y, asked):
    a, b = (F.normalize(p[:, 0] - p[:, 1], dim=-1) for p in (asked, shown))
    return y[(a @ b.T).argmax(1)]


def without_examples(shown, y, asked):
    return (asked.prod(-2).sum(-1) < 0.5).long()


def compare_cases(generator: torch.Generator) -> list[tuple]:
    """(examples (S, 2, W), their classes, queries (Q, 2, W)) of tasks whose queries use other
    kinds. Which class stands for "of one kind" differs between them."""
    family = TwoWords("either-or")
    tasks = family.sample(4, shots=10, queries=12, generator=family.generator(32))
    words = F.normalize(shipped_model().embedding.weight.detach(), dim=-1)
    parts = words[tasks.support_x], tasks.support_y, words[tasks.query_x]
    return [tuple(part[t] for part in parts) for t in range(4)]


EXERCISES = (
    Exercise(
        "11.votes",
        solution=votes,
        cases=vote_cases,
        others=(votes_by_one_hot,),
        read="A head is a matching network",
        mistakes={
            "torch.stack([attention[y == n].mean().nan_to_num() for n in range(ways)])": (
                "You took the mean of each class. A class with many examples has many votes: they "
                "are added, not averaged."
            ),
            "torch.stack([(y == n).sum() for n in range(ways)]).float()": (
                "You counted the examples. Each one votes with the attention that it got, so one "
                "example may outvote three."
            ),
            (
                "torch.stack([attention[y == n].sum() for n in range(ways)]).argmax()",
                "y[attention.argmax()]",
            ): "That is the winner. The votes of all classes are asked for, one number each.",
            "torch.stack([torch.cat([attention[y == n], torch.zeros(1)]).max() for n in range(ways)])": (  # noqa: E501
                "You kept the largest vote of each class: that is the nearest example. A matching "
                "network adds the votes of all examples of a class."
            ),
            "torch.stack([attention[y == n].sum() for n in range(ways)]).softmax(0)": (
                "There is a softmax too many. The attention has been through one already; the "
                "votes are its sums."
            ),
            "votes(attention, y, ways) / attention.sum()": (
                "You made the votes sum to 1. The head also looks elsewhere, and what it spends "
                "there is nobody's vote; leave the sums as they are."
            ),
            votes_of_the_last: (
                "Of each class only the last example has voted: `=` overwrites where `+=` adds."
            ),
            "attention": (
                "Those are the votes of the examples, one each. Add up the votes of each class."
            ),
        },
    ),
    Exercise(
        "11.descend",
        solution=descend,
        cases=descent_cases,
        others=(descend_by_autograd,),
        read="A prompt beside gradient descent",
        mistakes={
            "steps * eta * (y @ (x @ x_q))": (
                "You took the first step {got:.3f} over and over. After it w is no longer 0, so "
                "the errors are smaller: each step needs y − x w anew ({wanted:.3f})."
            ),
            "eta * (y @ (x @ x_q))": (
                "You took one step: {got:.3f}. After all `steps` the answer is {wanted:.3f}."
            ),
            "(y - x @ w) -> (x @ w - y)": (
                "The sign is turned: {got:.3f} instead of {wanted:.3f}. A step goes against the "
                "gradient, which is Σ (w · x_i − y_i) x_i."
            ),
            "w + eta -> w + 2 * eta": (
                "Your steps are twice as long: {got:.3f} instead of {wanted:.3f}. The loss is "
                "*half* the sum, so the 2 of the square cancels."
            ),
            "w + eta * x.T @ (y - x @ w) -> w + eta * x.T @ (y - x @ w) / len(y)": (
                "You took the mean over the examples ({got:.3f}). The loss here is half the sum: "
                "{wanted:.3f}."
            ),
            example_by_example: (
                "You stepped after each example ({got:.3f}). One step uses all of them at the "
                "same w: {wanted:.3f}."
            ),
            "torch.linalg.pinv(x) @ y @ x_q": (
                "This is least squares, where endless steps would end: {got:.3f}. After `steps` "
                "steps the answer is {wanted:.3f}."
            ),
            "range(steps) -> range(steps - 1)": (
                "One step is missing: {got:.3f} instead of {wanted:.3f}."
            ),
            "range(steps) -> range(steps + 1)": (
                "One step too many: {got:.3f} instead of {wanted:.3f}."
            ),
            "w @ x_q -> w": "Those are the weights. The answer is w · x_q, one number.",
        },
    ),
    Exercise(
        "11.compare",
        solution=compare,
        cases=compare_cases,
        others=(compare_by_means, compare_by_distance),
        read="Where looking up fails",
        mistakes={
            side_by_side: told(
                "You looked for the example with the most similar words. No example has words of "
                "the query's kinds, so its label is a matter of luck: chance is 50 %. What may "
                "carry over from two kinds to two others is how the two words of a pair compare."
            ),
            both_added: told(
                "You added the two words and looked for the nearest sum. A sum tells which kinds "
                "there are, and the query's kinds stand in no example. Compare the two words of a "
                "pair with *each other* first."
            ),
            direction_of_the_difference: told(
                "You compared the directions of the differences. A direction says *which* kinds "
                "differ; what you need is *how far* the two words are apart, its length."
            ),
            without_examples: told(
                "You measured the right thing, and did not look at `y`. In half of the tasks the "
                "first class stands for two kinds: the examples say which."
            ),
            (
                "y[(alike_asked[:, None] - alike).abs().argmin(1)] -> "
                "1 - y[(alike_asked[:, None] - alike).abs().argmin(1)]",
                "argmin -> argmax",
            ): told(
                "Every answer is turned round, or taken from the example whose pair compares "
                "*least* like the query's. A query that compares as an example does has the "
                "example's class."
            ),
        },
    ),
)
