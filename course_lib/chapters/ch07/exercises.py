"""Exercises of chapter 07: a prototype that takes one more drawing, the loss that trains f, a
border, and a search for wrong labels."""

import torch
import torch.nn.functional as F

from course_lib.chapters.ch07.mistakes import MORE
from course_lib.classroom.exercises import Exercise, told

NAMESPACE = {}

# 07.one_more


def one_more(c, shots, x, n):
    new = c.clone()
    new[n] = (shots * c[n] + x) / (shots + 1)
    return new


def one_more_by_step(c, shots, x, n):
    row = torch.arange(len(c))[:, None] == n
    return torch.where(row, c + (x - c) / (shots + 1), c)


def in_place(c, shots, x, n):
    c[n] = (shots * c[n] + x) / (shots + 1)
    return c


def _put(c, n, row):
    new = c.clone()
    new[n] = row
    return new


def one_more_cases(generator: torch.Generator) -> list[tuple]:
    """(prototypes (N, d), shots so far, a new embedding (d,), its class)."""
    sizes = ((3, 2, 4, 1), (5, 3, 2, 0), (2, 4, 9, 1))
    return [
        (torch.randn(n, d, generator=generator), shots, torch.randn(d, generator=generator), at)
        for n, d, shots, at in sizes
    ]


# 07.loss


def prototype_loss(query, query_y, c):
    logits = -torch.cdist(query, c).square()
    return F.cross_entropy(logits, query_y)


def loss_by_hand(query, query_y, c):
    squared = ((query[:, None] - c[None]) ** 2).sum(-1)
    own = squared.gather(1, query_y[:, None])[:, 0]
    return (own + (-squared).logsumexp(1)).mean()


def query_cases(generator: torch.Generator) -> list[tuple]:
    """(query (Q, d), query_y (Q,), prototypes (N, d)), with distances that a softmax can tell
    apart."""
    cases = []
    for q, n, d in ((4, 3, 2), (3, 5, 4), (6, 2, 3)):
        query = torch.randn(q, d, generator=generator).requires_grad_()
        labels = torch.randint(n, (q,), generator=generator)
        cases.append((query, labels, torch.randn(n, d, generator=generator).requires_grad_()))
    return cases


# 07.border


def border(c_a, c_b):
    return 2 * (c_a - c_b), c_b @ c_b - c_a @ c_a


def border_from_the_middle(c_a, c_b):
    w = 2 * (c_a - c_b)
    return w, -(w @ (c_a + c_b)) / 2


def exchanged(c_a, c_b):
    return border(c_b, c_a)


def both_logits(c_a, c_b):
    c = torch.stack([c_a, c_b])
    return 2 * c, -c.square().sum(1)


def border_cases(generator: torch.Generator) -> list[tuple]:
    return [
        (torch.randn(d, generator=generator), torch.randn(d, generator=generator) + 1)
        for d in (2, 4, 6)
    ]


# 07.left_out


def _cosines(support):
    z = F.normalize(support, dim=1)
    return z @ z.T


def _votes(attention, support, support_y, ways):
    return attention @ F.one_hot(support_y, ways).to(support.dtype)


def left_out(support, support_y, ways):
    cosine = F.normalize(support, dim=1) @ F.normalize(support, dim=1).T
    cosine.fill_diagonal_(-torch.inf)
    return (10 * cosine).softmax(1) @ F.one_hot(support_y, ways).to(support.dtype)


def left_out_one_by_one(support, support_y, ways):
    rows = []
    for i in range(len(support)):
        others = torch.arange(len(support)) != i
        attention = (10 * F.cosine_similarity(support[i : i + 1], support[others])).softmax(0)
        rows.append(torch.stack([attention[support_y[others] == n].sum() for n in range(ways)]))
    return torch.stack(rows)


def attention_itself(support, support_y, ways):
    return (10 * _cosines(support).fill_diagonal_(-torch.inf)).softmax(1)


def support_cases(generator: torch.Generator) -> list[tuple]:
    """(support (S, d), support_y (S,) in random order, ways)."""
    cases = []
    for ways, shots in ((3, 2), (2, 4), (4, 3)):
        y = torch.arange(ways).repeat_interleave(shots)[
            torch.randperm(ways * shots, generator=generator)
        ]
        cases.append((torch.randn(len(y), 3, generator=generator), y, ways))
    # nearly opposite to all others: a cosine of -1 in the own place would not be the least by far
    opposite = torch.tensor([[1.0, 0.0], [-1.0, 0.1], [-1.0, -0.1], [-1.0, 0.0]])
    cases.append((opposite, torch.tensor([0, 1, 0, 1]), 2))
    return cases


EXERCISES = (
    Exercise(
        "07.one_more",
        solution=one_more,
        cases=one_more_cases,
        others=(one_more_by_step,),
        read="A class is a point",
        mistakes={
            "_put(c, n, (c[n] + x) / 2)": (
                "You went half-way to the new point. The old prototype stands for `shots` "
                "drawings and the new point for one: weigh them like that ({wanted:.2f}, not "
                "{got:.2f})."
            ),
            "_put(c, n, (c[n] + x) / (shots + 1))": (
                "You divide by the right number, but the old prototype counts once only. It "
                "stands for `shots` drawings: their sum is `shots * c[n]` ({wanted:.2f}, not "
                "{got:.2f})."
            ),
            "_put(c, n, (shots * c[n] + x) / shots)": (
                "You divide by the old number of drawings. There is one more now: {wanted:.2f}, "
                "not {got:.2f}."
            ),
            "_put(c, n, c[n] + (x - c[n]) / shots)": (
                "Your step towards the new point is too long ({got:.2f} instead of "
                "{wanted:.2f}): the new drawing is one of `shots + 1`, and so is its share."
            ),
            "_put(c, n, shots * c[n] + x)": (
                "This is the sum of the class: {got:.2f}. Divide it by the number of drawings, "
                "the new one included, and it is {wanted:.2f}."
            ),
            "_put(c, n, x)": (
                "You put the new point in the place of the prototype: the old drawings are "
                "forgotten ({got:.2f}, and {wanted:.2f} is wanted)."
            ),
            "(shots * c + x) / (shots + 1)": (
                "You moved every prototype. The drawing belongs to class `n`, and the rows of "
                "the other classes stay as they are ({wanted:.2f}, not {got:.2f})."
            ),
            "(shots * c[n] + x) / (shots + 1)": lambda n: (
                "That is the new row of class `n` alone, and it is right. Return all prototypes, "
                f"shape {tuple(n.right.shape)}, with this row in its place."
            ),
            "torch.cat([c, x[None]])": (
                "You put the new point below the prototypes, as if it were a class of its own. "
                "It is one more drawing of class `n`."
            ),
            "_put(c, n, c[n] + x / (shots + 1))": (
                "You added the new drawing's share and left the old prototype at full weight "
                "({got:.2f} instead of {wanted:.2f}). Its share shrinks to `shots / (shots + 1)`."
            ),
            in_place: (
                "The numbers are right, but `c[n] = ...` also changed the prototypes of whoever "
                "called you. Work on `c.clone()`."
            ),
            **MORE["one_more"],
        },
    ),
    Exercise(
        "07.loss",
        solution=prototype_loss,
        cases=query_cases,
        others=(loss_by_hand,),
        gradients=True,
        read="Train it, live",
        mistakes={
            "F.cross_entropy(torch.cdist(query, c).square(), query_y)": told(
                "The minus is missing: this loss is small when the right prototype is the "
                "*farthest* one ({got:.2f} instead of {wanted:.2f}).",
                read="A class is a point",
            ),
            "F.cross_entropy(-torch.cdist(query, c), query_y)": told(
                "You used the plain distance; the paper squares it ({wanted:.2f}, not "
                "{got:.2f}). `torch.cdist` gives it without the square.",
                read="Which distance?",
            ),
            "F.cross_entropy((-torch.cdist(query, c).square()).softmax(1), query_y)": (
                "`F.cross_entropy` wants logits and takes the softmax itself. You gave it "
                "probabilities, so the softmax runs twice ({got:.2f} instead of {wanted:.2f})."
            ),
            'F.cross_entropy(-torch.cdist(query, c).square(), query_y, reduction="sum")': (
                "You added the queries up. The loss is their mean: {wanted:.2f}, not {got:.2f}."
            ),
            'F.cross_entropy(-torch.cdist(query, c).square(), query_y, reduction="none")': (
                "You return one loss for each query. The outer loop needs one number: their mean."
            ),
            "-(-torch.cdist(query, c).square()).softmax(1).gather(1, query_y[:, None]).mean()": (
                "The logarithm is missing: {got:.2f} is minus a probability. Minus its "
                "logarithm is {wanted:.2f}."
            ),
            "-prototype_loss(query, query_y, c)": (
                "The sign is turned round: {got:.2f} is the mean *logarithm* of the right "
                "class. A loss falls as that probability rises: {wanted:.2f}."
            ),
            "(query - c[query_y]).square().sum(1).mean()": told(
                "You took the distance to the right prototype alone ({got:.2f}). An f that puts "
                "every drawing on one point would make it 0. The other prototypes belong into "
                "the softmax: {wanted:.2f}.",
                read="A class is a point",
            ),
            (
                "-(-torch.cdist(query, c).square()).softmax(0).gather(1, query_y[:, "
                "None]).log().mean()"
            ): told(
                "Your softmax runs over the queries. It is the classes that compete for a "
                "query: take it along axis 1 ({wanted:.2f}, not {got:.2f}).",
                read="A class is a point",
            ),
            "-(-torch.cdist(query, c).square()).log_softmax(1).mean()": (
                "You averaged over all classes. Only the probability of the right class counts, "
                "the one in `query_y`: {wanted:.2f}, not {got:.2f}."
            ),
            "-(-torch.cdist(query, c).square()).log_softmax(1)[:, query_y].mean()": (
                "`[:, query_y]` takes every listed class for every query. One class belongs to "
                "each query: `[torch.arange(len(query)), query_y]` ({wanted:.2f}, not {got:.2f})."
            ),
            (
                "F.mse_loss((-torch.cdist(query, c).square()).softmax(1), F.one_hot(query_y, "
                "len(c)).to(query.dtype))"
            ): (
                "This is a squared error on the probabilities, which the relation network uses "
                "on its scores. Prototypes are trained with cross-entropy ({wanted:.2f}, not "
                "{got:.2f})."
            ),
            "F.cross_entropy(-(query[:, None] - c[None]).square().mean(-1), query_y)": told(
                "You averaged the squared differences over the numbers of the embedding. A "
                "squared distance is their sum: {wanted:.2f}, not {got:.2f}.",
                read="A class is a point",
            ),
            **MORE["loss"],
        },
    ),
    Exercise(
        "07.border",
        solution=border,
        cases=border_cases,
        others=(border_from_the_middle,),
        read="A linear classifier",
        mistakes={
            "2 * (c_a - c_b), torch.zeros(())": (
                "The bias is missing. With b = 0 every border would run through zero; yours has "
                "to pass half-way between the prototypes ({wanted:.2f} belongs there)."
            ),
            "2 * (c_a - c_b), c_a @ c_a - c_b @ c_b": (
                "The bias has the wrong sign: {got:.2f} where {wanted:.2f} belongs. In the "
                "logit of class a the term −||c_a||² has a minus."
            ),
            "2 * (c_a - c_b) -> c_a - c_b": (
                "The weights lack the factor 2, and the bias does not: {got:.2f} instead of "
                "{wanted:.2f}. This border is shifted."
            ),
            "c_a - c_b, (c_b @ c_b - c_a @ c_a) / 2": (
                "The border is in the right place, but both parts are half of what is asked: w · "
                "q + b is to be the difference of the two logits ({wanted:.2f}, not {got:.2f})."
            ),
            "border(c_b, c_a)": (
                "The two classes are exchanged: yours is positive where class b wins ({got:.2f} "
                "instead of {wanted:.2f}). Subtract the logit of b from that of a."
            ),
            "2 * (c_a - c_b), c_b.norm() - c_a.norm()": (
                "You subtracted the lengths, not their squares: {got:.2f} instead of {wanted:.2f}."
            ),
            "2 * (c_a - c_b), -(c_a - c_b).square().sum()": (
                "Your bias is −||c_a − c_b||². Each logit has its own bias, −||c||²; subtract "
                "the two biases ({wanted:.2f}, not {got:.2f})."
            ),
            "2 * c_a, -c_a @ c_a": (
                "This is the logit of class a alone. Whether a wins depends on b as well: "
                "subtract the logit of b ({wanted:.2f}, not {got:.2f})."
            ),
            "2 * (c_a - c_b), -c_a @ c_a - c_b @ c_b": (
                "You added the two biases. The logits are subtracted, so −||c_b||² becomes a "
                "plus ({wanted:.2f}, not {got:.2f})."
            ),
            both_logits: (
                "These are the weights and biases of both classes, as in the chapter. For the "
                "border, subtract those of b from those of a: one w and one b are left."
            ),
            "2 * (c_a - c_b)": "The weights are right. Return the bias as well: `return w, b`.",
            "2 * (c_a - c_b), c_b**2 - c_a**2": (
                "Your bias has one number for each number of the embedding. It is a single one: "
                "add them up."
            ),
            **MORE["border"],
        },
    ),
    Exercise(
        "07.left_out",
        solution=left_out,
        cases=support_cases,
        others=(left_out_one_by_one,),
        read="Matching",
        mistakes={
            "_votes((10 * _cosines(support)).softmax(1), support, support_y, ways)": (
                "Each drawing looks at itself, with cosine 1, and votes for its own label "
                "({got:.3f} instead of {wanted:.3f}). A wrong label would confirm itself: leave "
                "the drawing out."
            ),
            (
                "_votes((10 * _cosines(support).fill_diagonal_(0)).softmax(1), support, "
                "support_y, ways)"
            ): (
                "You set the drawing's own cosine to 0, and a softmax gives e⁰ = 1 a share too "
                "({got:.3f} instead of {wanted:.3f}). Only minus infinity gets none."
            ),
            (
                "_votes((10 * _cosines(support).fill_diagonal_(-1)).softmax(1), support, "
                "support_y, ways)"
            ): (
                "You set the drawing's own cosine to −1, the least that a cosine can be. Beside "
                "drawings that point the other way this is no less than theirs, and it gets a "
                "share ({got:.3f} instead of {wanted:.3f}). Only minus infinity gets none."
            ),
            (
                "_votes((10 * _cosines(support)).softmax(1).fill_diagonal_(0), support, "
                "support_y, ways)"
            ): (
                "You removed the drawing's own share after the softmax, so that the other "
                "shares no longer sum to 1 ({got:.3f} instead of {wanted:.3f}). Remove it "
                "before the softmax."
            ),
            (
                "_votes((10 * (support @ support.T).fill_diagonal_(-torch.inf)).softmax(1), "
                "support, support_y, ways)"
            ): (
                "This is the dot product, not the cosine: long embeddings get the votes "
                "whatever their direction ({got:.3f} instead of {wanted:.3f}). Divide each "
                "embedding by its length."
            ),
            (
                "_votes(_cosines(support).fill_diagonal_(-torch.inf).softmax(1), support, "
                "support_y, ways)"
            ): (
                "The factor 10 is missing: the votes stay nearly even ({got:.3f} instead of "
                "{wanted:.3f})."
            ),
            (
                "_votes((10 * _cosines(support).fill_diagonal_(-torch.inf)).softmax(0), "
                "support, support_y, ways)"
            ): (
                "Your softmax runs down the columns. Row i is the attention that drawing i has "
                "to give: it sums to 1 along axis 1 ({wanted:.3f}, not {got:.3f})."
            ),
            "(10 * _cosines(support).fill_diagonal_(-torch.inf)).softmax(1)": lambda n: (
                f"This is the attention on each drawing, shape {tuple(n.result.shape)}. Add it up "
                f"for each class: shape {tuple(n.right.shape)} is wanted."
            ),
            "attention_itself(support, support_y, ways) @ support_y.to(support.dtype)": (
                "You averaged the class *numbers*: between class 0 and class 2 that would be a "
                "1. Numbers of classes have no order; give each class a column with `F.one_hot`."
            ),
            "left_out(support, support_y, ways) / F.one_hot(support_y, ways).sum(0)": (
                "You divided the votes by the shots. Attention is summed per class, so that a "
                "row sums to 1: {wanted:.3f}, not {got:.3f}."
            ),
            "_votes((10 * support @ support.T).softmax(1), support, support_y, ways)": (
                "Two things: normalise the embeddings, for this is no cosine yet, and leave the "
                "drawing itself out ({got:.3f} instead of {wanted:.3f})."
            ),
            "_votes(10 * _cosines(support).fill_diagonal_(0), support, support_y, ways)": (
                "You added up similarities, not attention: {got:.2f} is no share. A softmax "
                "over the other drawings comes first."
            ),
            "left_out(support, support_y, ways) * torch.nan": (
                "Every number is NaN: whole rows are minus infinity before the softmax. Only "
                "the diagonal is left out."
            ),
            "attention_itself(support, support_y, ways) @ support_y": (
                "You multiplied attention with the class *numbers*, and torch stops because "
                "those are whole numbers. Numbers of classes are only names: give each class a "
                "column with `F.one_hot`, then `.float()`."
            ),
            "attention_itself(support, support_y, ways) @ F.one_hot(support_y, ways)": (
                "`F.one_hot` gives whole numbers, and a matrix product needs one type on both "
                "sides. Add `.float()` to it."
            ),
            **MORE["left_out"],
        },
    ),
)
