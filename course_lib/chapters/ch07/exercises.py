"""Exercises of chapter 07: a prototype that takes one more drawing, the loss that trains f, a border, and a search for wrong labels."""

import torch
import torch.nn.functional as F

from course_lib.classroom.exercises.judging import Exercise, Mistake

NAMESPACE = {}

# 07.one_more


def one_more(c, shots, x, n):
    new = c.clone()
    new[n] = (shots * c[n] + x) / (shots + 1)
    return new


def one_more_by_step(c, shots, x, n):
    row = torch.arange(len(c))[:, None] == n
    return torch.where(row, c + (x - c) / (shots + 1), c)


def half_way(c, shots, x, n):
    return _put(c, n, (c[n] + x) / 2)


def one_vote(c, shots, x, n):
    return _put(c, n, (c[n] + x) / (shots + 1))


def old_count(c, shots, x, n):
    return _put(c, n, (shots * c[n] + x) / shots)


def step_too_long(c, shots, x, n):
    return _put(c, n, c[n] + (x - c[n]) / shots)


def not_divided(c, shots, x, n):
    return _put(c, n, shots * c[n] + x)


def replaced(c, shots, x, n):
    return _put(c, n, x)


def all_classes(c, shots, x, n):
    return (shots * c + x) / (shots + 1)


def one_row(c, shots, x, n):
    return (shots * c[n] + x) / (shots + 1)


def appended(c, shots, x, n):
    return torch.cat([c, x[None]])


def half_weighed(c, shots, x, n):
    return _put(c, n, c[n] + x / (shots + 1))


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


def without_minus(query, query_y, c):
    return F.cross_entropy(torch.cdist(query, c).square(), query_y)


def unsquared(query, query_y, c):
    return F.cross_entropy(-torch.cdist(query, c), query_y)


def softmax_twice(query, query_y, c):
    return F.cross_entropy((-torch.cdist(query, c).square()).softmax(1), query_y)


def added_up(query, query_y, c):
    return F.cross_entropy(-torch.cdist(query, c).square(), query_y, reduction="sum")


def one_per_query(query, query_y, c):
    return F.cross_entropy(-torch.cdist(query, c).square(), query_y, reduction="none")


def no_logarithm(query, query_y, c):
    p = (-torch.cdist(query, c).square()).softmax(1)
    return -p.gather(1, query_y[:, None]).mean()


def plus_logarithm(query, query_y, c):
    return -prototype_loss(query, query_y, c)


def own_distance(query, query_y, c):
    return (query - c[query_y]).square().sum(1).mean()


def over_queries(query, query_y, c):
    p = (-torch.cdist(query, c).square()).softmax(0)
    return -p.gather(1, query_y[:, None]).log().mean()


def mean_of_features(query, query_y, c):
    return F.cross_entropy(-(query[:, None] - c[None]).square().mean(-1), query_y)


def every_class(query, query_y, c):
    return -(-torch.cdist(query, c).square()).log_softmax(1).mean()


def every_pair(query, query_y, c):
    return -(-torch.cdist(query, c).square()).log_softmax(1)[:, query_y].mean()


def squared_error(query, query_y, c):
    return F.mse_loss(
        (-torch.cdist(query, c).square()).softmax(1), F.one_hot(query_y, len(c)).to(query.dtype)
    )


def query_cases(generator: torch.Generator) -> list[tuple]:
    """(query (Q, d), query_y (Q,), prototypes (N, d)), with distances that a softmax can tell apart."""
    return [(torch.randn(q, d, generator=generator), torch.randint(n, (q,), generator=generator), torch.randn(n, d, generator=generator))
            for q, n, d in ((4, 3, 2), (3, 5, 4), (6, 2, 3))]  # fmt: skip


# 07.border


def border(c_a, c_b):
    return 2 * (c_a - c_b), c_b @ c_b - c_a @ c_a


def border_from_the_middle(c_a, c_b):
    w = 2 * (c_a - c_b)
    return w, -(w @ (c_a + c_b)) / 2


def without_bias(c_a, c_b):
    return 2 * (c_a - c_b), torch.zeros(())


def bias_turned(c_a, c_b):
    return 2 * (c_a - c_b), c_a @ c_a - c_b @ c_b


def without_two(c_a, c_b):
    return c_a - c_b, c_b @ c_b - c_a @ c_a


def halved(c_a, c_b):
    return c_a - c_b, (c_b @ c_b - c_a @ c_a) / 2


def exchanged(c_a, c_b):
    return border(c_b, c_a)


def bias_of_lengths(c_a, c_b):
    return 2 * (c_a - c_b), c_b.norm() - c_a.norm()


def bias_of_difference(c_a, c_b):
    return 2 * (c_a - c_b), -(c_a - c_b).square().sum()


def class_a_alone(c_a, c_b):
    return 2 * c_a, -c_a @ c_a


def bias_per_number(c_a, c_b):
    return 2 * (c_a - c_b), c_b**2 - c_a**2


def bias_summed(c_a, c_b):
    return 2 * (c_a - c_b), -c_a @ c_a - c_b @ c_b


def both_logits(c_a, c_b):
    c = torch.stack([c_a, c_b])
    return 2 * c, -c.square().sum(1)


def weights_alone(c_a, c_b):
    return 2 * (c_a - c_b)


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


def with_itself(support, support_y, ways):
    return _votes((10 * _cosines(support)).softmax(1), support, support_y, ways)


def zero_before(support, support_y, ways):
    return _votes((10 * _cosines(support).fill_diagonal_(0)).softmax(1), support, support_y, ways)


def zero_after(support, support_y, ways):
    return _votes((10 * _cosines(support)).softmax(1).fill_diagonal_(0), support, support_y, ways)


def dot_product(support, support_y, ways):
    return _votes(
        (10 * (support @ support.T).fill_diagonal_(-torch.inf)).softmax(1), support, support_y, ways
    )


def without_scale(support, support_y, ways):
    return _votes(_cosines(support).fill_diagonal_(-torch.inf).softmax(1), support, support_y, ways)


def down_the_columns(support, support_y, ways):
    return _votes(
        (10 * _cosines(support).fill_diagonal_(-torch.inf)).softmax(0), support, support_y, ways
    )


def attention_itself(support, support_y, ways):
    return (10 * _cosines(support).fill_diagonal_(-torch.inf)).softmax(1)


def class_numbers(support, support_y, ways):
    return attention_itself(support, support_y, ways) @ support_y.to(support.dtype)


def mean_votes(support, support_y, ways):
    return left_out(support, support_y, ways) / F.one_hot(support_y, ways).sum(0)


def dot_product_with_itself(support, support_y, ways):
    return _votes((10 * support @ support.T).softmax(1), support, support_y, ways)


def no_softmax(support, support_y, ways):
    return _votes(10 * _cosines(support).fill_diagonal_(0), support, support_y, ways)


def all_left_out(support, support_y, ways):
    return (
        left_out(support, support_y, ways) * torch.nan
    )  # what a softmax over minus infinity alone gives


def labels_as_votes(support, support_y, ways):
    return attention_itself(support, support_y, ways) @ support_y


def whole_number_votes(support, support_y, ways):
    return attention_itself(support, support_y, ways) @ F.one_hot(
        support_y, ways
    )  # float @ int64: torch refuses


def support_cases(generator: torch.Generator) -> list[tuple]:
    """(support (S, d), support_y (S,) in random order, ways)."""
    cases = []
    for ways, shots in ((3, 2), (2, 4), (4, 3)):
        y = torch.arange(ways).repeat_interleave(shots)[
            torch.randperm(ways * shots, generator=generator)
        ]
        cases.append((torch.randn(len(y), 3, generator=generator), y, ways))
    return cases


EXERCISES = (
    Exercise(
        id="07.one_more",
        title="one more drawing",
        minutes=5,
        difficulty=1,
        cases=one_more_cases,
        solution=one_more,
        others=(one_more_by_step,),
        mistakes=(
            Mistake(
                "half_way",
                half_way,
                "You went half-way to the new point. The old prototype stands for `shots` drawings and the new point for one: "
                "weigh them like that ({wanted:.2f}, not {got:.2f}).",
                "A class is a point",
            ),
            Mistake(
                "one_vote",
                one_vote,
                "You divide by the right number, but the old prototype counts once only. It stands for `shots` drawings: their sum "
                "is `shots * c[n]` ({wanted:.2f}, not {got:.2f}).",
                "A class is a point",
            ),
            Mistake(
                "old_count",
                old_count,
                "You divide by the old number of drawings. There is one more now: {wanted:.2f}, not {got:.2f}.",
                "A class is a point",
            ),
            Mistake(
                "step_too_long",
                step_too_long,
                "Your step towards the new point is too long ({got:.2f} instead of {wanted:.2f}): the new drawing is one "
                "of `shots + 1`, and so is its share.",
                "A class is a point",
            ),
            Mistake(
                "not_divided",
                not_divided,
                "This is the sum of the class: {got:.2f}. Divide it by the number of drawings, the new one included, and it is "
                "{wanted:.2f}.",
                "A class is a point",
            ),
            Mistake(
                "replaced",
                replaced,
                "You put the new point in the place of the prototype: the old drawings are forgotten ({got:.2f}, and "
                "{wanted:.2f} is wanted).",
                "A class is a point",
            ),
            Mistake(
                "all_classes",
                all_classes,
                "You moved every prototype. The drawing belongs to class `n`, and the rows of the other classes stay as they "
                "are ({wanted:.2f}, not {got:.2f}).",
                "A class is a point",
            ),
            Mistake(
                "one_row",
                one_row,
                lambda n: (
                    "That is the new row of class `n` alone, and it is right. Return all prototypes, shape "
                    f"{tuple(n.right.shape)}, with this row in its place."
                ),
                "A class is a point",
            ),
            Mistake(
                "appended",
                appended,
                "You put the new point below the prototypes, as if it were a class of its own. It is one more drawing of class `n`.",
                "A class is a point",
            ),
            Mistake(
                "half_weighed",
                half_weighed,
                "You added the new drawing's share and left the old prototype at full weight ({got:.2f} instead of "
                "{wanted:.2f}). Its share shrinks to `shots / (shots + 1)`.",
                "A class is a point",
            ),
            Mistake(
                "in_place",
                in_place,
                "The numbers are right, but `c[n] = ...` also changed the prototypes of whoever called you. Work on `c.clone()`.",
                "A class is a point",
            ),
        ),
        hints=(
            "The sum of the old embeddings of class n is `shots * c[n]`.",
            "Copy `c` first. Then put (old sum + x) / (shots + 1) into row n.",
        ),
    ),
    Exercise(
        id="07.loss",
        title="the loss that trains f",
        minutes=7,
        difficulty=2,
        cases=query_cases,
        solution=prototype_loss,
        others=(loss_by_hand,),
        mistakes=(
            Mistake(
                "without_minus",
                without_minus,
                "The minus is missing: this loss is small when the right prototype is the *farthest* one ({got:.2f} "
                "instead of {wanted:.2f}).",
                "A class is a point",
            ),
            Mistake(
                "unsquared",
                unsquared,
                "You used the plain distance; the paper squares it ({wanted:.2f}, not {got:.2f}). `torch.cdist` gives it without "
                "the square.",
                "Which distance?",
            ),
            Mistake(
                "softmax_twice",
                softmax_twice,
                "`F.cross_entropy` wants logits and takes the softmax itself. You gave it probabilities, so the softmax "
                "runs twice ({got:.2f} instead of {wanted:.2f}).",
                "Train it, live",
            ),
            Mistake(
                "added_up",
                added_up,
                "You added the queries up. The loss is their mean: {wanted:.2f}, not {got:.2f}.",
                "Train it, live",
            ),
            Mistake(
                "one_per_query",
                one_per_query,
                "You return one loss for each query. The outer loop needs one number: their mean.",
                "Train it, live",
            ),
            Mistake(
                "no_logarithm",
                no_logarithm,
                "The logarithm is missing: {got:.2f} is minus a probability. Minus its logarithm is {wanted:.2f}.",
                "Train it, live",
            ),
            Mistake(
                "plus_logarithm",
                plus_logarithm,
                "The sign is turned round: {got:.2f} is the mean *logarithm* of the right class. A loss falls as that "
                "probability rises: {wanted:.2f}.",
                "Train it, live",
            ),
            Mistake(
                "own_distance",
                own_distance,
                "You took the distance to the right prototype alone ({got:.2f}). An f that puts every drawing on one point "
                "would make it 0. The other prototypes belong into the softmax: {wanted:.2f}.",
                "A class is a point",
            ),
            Mistake(
                "over_queries",
                over_queries,
                "Your softmax runs over the queries. It is the classes that compete for a query: take it along axis 1 "
                "({wanted:.2f}, not {got:.2f}).",
                "A class is a point",
            ),
            Mistake(
                "every_class",
                every_class,
                "You averaged over all classes. Only the probability of the right class counts, the one in `query_y`: "
                "{wanted:.2f}, not {got:.2f}.",
                "Train it, live",
            ),
            Mistake(
                "every_pair",
                every_pair,
                "`[:, query_y]` takes every listed class for every query. One class belongs to each query: "
                "`[torch.arange(len(query)), query_y]` ({wanted:.2f}, not {got:.2f}).",
                "Train it, live",
            ),
            Mistake(
                "squared_error",
                squared_error,
                "This is a squared error on the probabilities, which the relation network uses on its scores. Prototypes "
                "are trained with cross-entropy ({wanted:.2f}, not {got:.2f}).",
                "Train it, live",
            ),
            Mistake(
                "mean_of_features",
                mean_of_features,
                "You averaged the squared differences over the numbers of the embedding. A squared distance is "
                "their sum: {wanted:.2f}, not {got:.2f}.",
                "A class is a point",
            ),
        ),
        hints=(
            "The logits are minus the squared distances, (Q, N).",
            "`F.cross_entropy(logits, classes)` takes the softmax, the logarithm and the mean.",
        ),
    ),
    Exercise(
        id="07.border",
        title="the border between two classes",
        minutes=8,
        difficulty=2,
        cases=border_cases,
        solution=border,
        others=(border_from_the_middle,),
        mistakes=(
            Mistake(
                "without_bias",
                without_bias,
                "The bias is missing. With b = 0 every border would run through zero; yours has to pass half-way between "
                "the prototypes ({wanted:.2f} belongs there).",
                "A linear classifier",
            ),
            Mistake(
                "bias_turned",
                bias_turned,
                "The bias has the wrong sign: {got:.2f} where {wanted:.2f} belongs. In the logit of class a the term "
                "−||c_a||² has a minus.",
                "A linear classifier",
            ),
            Mistake(
                "without_two",
                without_two,
                "The weights lack the factor 2, and the bias does not: {got:.2f} instead of {wanted:.2f}. This border is "
                "shifted.",
                "A linear classifier",
            ),
            Mistake(
                "halved",
                halved,
                "The border is in the right place, but both parts are half of what is asked: w · q + b is to be the difference of the "
                "two logits ({wanted:.2f}, not {got:.2f}).",
                "A linear classifier",
            ),
            Mistake(
                "exchanged",
                exchanged,
                "The two classes are exchanged: yours is positive where class b wins ({got:.2f} instead of {wanted:.2f}). "
                "Subtract the logit of b from that of a.",
                "A linear classifier",
            ),
            Mistake(
                "bias_of_lengths",
                bias_of_lengths,
                "You subtracted the lengths, not their squares: {got:.2f} instead of {wanted:.2f}.",
                "A linear classifier",
            ),
            Mistake(
                "bias_of_difference",
                bias_of_difference,
                "Your bias is −||c_a − c_b||². Each logit has its own bias, −||c||²; subtract the two biases "
                "({wanted:.2f}, not {got:.2f}).",
                "A linear classifier",
            ),
            Mistake(
                "class_a_alone",
                class_a_alone,
                "This is the logit of class a alone. Whether a wins depends on b as well: subtract the logit of b "
                "({wanted:.2f}, not {got:.2f}).",
                "A linear classifier",
            ),
            Mistake(
                "bias_summed",
                bias_summed,
                "You added the two biases. The logits are subtracted, so −||c_b||² becomes a plus ({wanted:.2f}, not "
                "{got:.2f}).",
                "A linear classifier",
            ),
            Mistake(
                "both_logits",
                both_logits,
                "These are the weights and biases of both classes, as in the chapter. For the border, subtract those of b from "
                "those of a: one w and one b are left.",
                "A linear classifier",
            ),
            Mistake(
                "weights_alone",
                weights_alone,
                "The weights are right. Return the bias as well: `return w, b`.",
                "A linear classifier",
            ),
            Mistake(
                "bias_per_number",
                bias_per_number,
                "Your bias has one number for each number of the embedding. It is a single one: add them up.",
                "A linear classifier",
            ),
        ),
        hints=(
            "Write down both logits: 2 c_a · q − ||c_a||² and 2 c_b · q − ||c_b||².",
            "Subtract the second from the first. What stands with q is w.",
        ),
    ),
    Exercise(
        id="07.left_out",
        title="which label looks wrong?",
        minutes=10,
        difficulty=3,
        cases=support_cases,
        solution=left_out,
        others=(left_out_one_by_one,),
        mistakes=(
            Mistake(
                "with_itself",
                with_itself,
                "Each drawing looks at itself, with cosine 1, and votes for its own label ({got:.3f} instead of {wanted:.3f}). "
                "A wrong label would confirm itself: leave the drawing out.",
                "Matching",
            ),
            Mistake(
                "zero_before",
                zero_before,
                "You set the drawing's own cosine to 0, and a softmax gives e⁰ = 1 a share too ({got:.3f} instead of "
                "{wanted:.3f}). Only minus infinity gets none.",
                "Matching",
            ),
            Mistake(
                "zero_after",
                zero_after,
                "You removed the drawing's own share after the softmax, so that the other shares no longer sum to 1 ({got:.3f} "
                "instead of {wanted:.3f}). Remove it before the softmax.",
                "Matching",
            ),
            Mistake(
                "dot_product",
                dot_product,
                "This is the dot product, not the cosine: long embeddings get the votes whatever their direction ({got:.3f} "
                "instead of {wanted:.3f}). Divide each embedding by its length.",
                "Matching",
            ),
            Mistake(
                "without_scale",
                without_scale,
                "The factor 10 is missing: the votes stay nearly even ({got:.3f} instead of {wanted:.3f}).",
                "Matching",
            ),
            Mistake(
                "down_the_columns",
                down_the_columns,
                "Your softmax runs down the columns. Row i is the attention that drawing i has to give: it sums to "
                "1 along axis 1 ({wanted:.3f}, not {got:.3f}).",
                "Matching",
            ),
            Mistake(
                "attention_itself",
                attention_itself,
                lambda n: (
                    f"This is the attention on each drawing, shape {tuple(n.result.shape)}. Add it up for "
                    f"each class: shape {tuple(n.right.shape)} is wanted."
                ),
                "Matching",
            ),
            Mistake(
                "class_numbers",
                class_numbers,
                "You averaged the class *numbers*: between class 0 and class 2 that would be a 1. Numbers of classes "
                "have no order; give each class a column with `F.one_hot`.",
                "Matching",
            ),
            Mistake(
                "mean_votes",
                mean_votes,
                "You divided the votes by the shots. Attention is summed per class, so that a row sums to 1: {wanted:.3f}, not "
                "{got:.3f}.",
                "Matching",
            ),
            Mistake(
                "dot_product_with_itself",
                dot_product_with_itself,
                "Two things: normalise the embeddings, for this is no cosine yet, and leave the "
                "drawing itself out ({got:.3f} instead of {wanted:.3f}).",
                "Matching",
            ),
            Mistake(
                "no_softmax",
                no_softmax,
                "You added up similarities, not attention: {got:.2f} is no share. A softmax over the other drawings comes "
                "first.",
                "Matching",
            ),
            Mistake(
                "all_left_out",
                all_left_out,
                "Every number is NaN: whole rows are minus infinity before the softmax. Only the diagonal is left out.",
                "Matching",
            ),
            Mistake(
                "labels_as_votes",
                labels_as_votes,
                "You multiplied attention with the class *numbers*, and torch stops because those are whole numbers. "
                "Numbers of classes are only names: give each class a column with `F.one_hot`, then `.float()`.",
                "Matching",
            ),
            Mistake(
                "whole_number_votes",
                whole_number_votes,
                "`F.one_hot` gives whole numbers, and a matrix product needs one type on both sides. Add "
                "`.float()` to it.",
                "Matching",
            ),
        ),
        hints=(
            "The support set is its own query set: the cosines are (S, S), and the diagonal holds each drawing with itself.",
            "`cosine.fill_diagonal_(-torch.inf)` before the softmax: e to the power of minus infinity is 0.",
        ),
    ),
)
