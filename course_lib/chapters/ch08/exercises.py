"""Exercises of chapter 08: a paired interval, a claim read with care, queries that cannot leak, and
the logits of Meta-Baseline."""

import torch
import torch.nn.functional as F

from course_lib.chapters.ch08.mistakes import MORE
from course_lib.classroom.exercises import Exercise

NAMESPACE = {}


# 08.paired_interval


def paired_interval(one, other):
    difference = one - other
    return difference.mean(), 1.96 * difference.std() / len(difference) ** 0.5


def paired_interval_by_sums(one, other):
    n = len(one)
    d = [float(a - b) for a, b in zip(one, other, strict=False)]
    mean = sum(d) / n
    return mean, 1.96 * (sum((x - mean) ** 2 for x in d) / (n - 1) / n) ** 0.5


def unpaired(one, other):
    return one.mean() - other.mean(), 1.96 * ((one.var() + other.var()) / len(one)) ** 0.5


def spread(one, other):
    return (one - other).mean(), 1.96 * (one - other).std()


def turned_round(one, other):
    difference, half = paired_interval(one, other)
    return -difference, half


def score_cases(generator: torch.Generator) -> list[tuple]:
    """(accuracies of one, of the other) in the same episodes of 25 query items, some of them hard
    for both."""
    cases = []
    for n, gain in ((200, 0.02), (50, -0.03), (12, 0.1)):
        hard = 0.8 + 0.12 * torch.randn(n, 1, generator=generator)
        both = (
            hard + torch.tensor([gain, 0.0]) + 0.04 * torch.randn(n, 2, generator=generator)
        ).clamp(0, 1)
        cases.append(tuple(((25 * both).round() / 25).T))
    return cases


# 08.claim


def claim(right, items, ways):
    p = right / items
    half = 1.96 * (p * (1 - p) / items) ** 0.5
    return p - half, p + half, p - half > 1 / ways


def claim_by_answers(right, items, ways):
    answers = torch.tensor([1.0] * right + [0.0] * (items - right), dtype=torch.float64)
    low, high = (
        answers.mean() + sign * 1.96 * answers.std(correction=0) / items**0.5 for sign in (-1, 1)
    )
    return low, high, bool(ways * low > 1)


def half_is_chance(right, items, ways):
    low, high, _ = claim(right, items, ways)
    return low, high, low > 0.5


def mean_against_chance(right, items, ways):
    low, high, _ = claim(right, items, ways)
    return low, high, right / items > 1 / ways


def nothing_is_chance(right, items, ways):
    low, high, _ = claim(right, items, ways)
    return low, high, low > 0


def high_end_against_chance(right, items, ways):
    low, high, _ = claim(right, items, ways)
    return low, high, high > 1 / ways


def claims(_: torch.Generator) -> list[tuple]:
    """(right answers, test images, ways): each of them what another mistake would judge
    otherwise."""
    return [
        (7, 10, 5),
        (1, 10, 5),
        (14, 20, 10),
        (3, 10, 5),
        (30, 200, 10),
        (9, 60, 5),
        (21, 30, 2),
        (55, 100, 2),
        (4, 100, 5),
    ]


# 08.without_a_leak: queries (Q, C) normalised with the statistics of the support set (S, C)

EPS = 1e-5


def without_a_leak(support, query):
    mean, variance = support.mean(0), support.var(0, correction=0)
    return (query - mean) / (variance + EPS).sqrt()


def without_a_leak_by_torch(support, query):
    return F.batch_norm(
        query, support.mean(0), ((support - support.mean(0)) ** 2).mean(0), training=False, eps=EPS
    )


def feature_cases(generator: torch.Generator) -> list[tuple]:
    """(support, query) features; the queries are not spread like the support set, as in a batch
    that is not balanced."""
    return [
        (2 * torch.randn(s, c, generator=generator) + 1, torch.randn(q, c, generator=generator))
        for s, q, c in ((5, 4, 3), (10, 6, 2), (5, 5, 4))
    ] + [  # features that hardly vary: here it matters where 1e-5 is added
        (0.003 * torch.randn(6, 3, generator=generator), torch.randn(4, 3, generator=generator))
    ]


# 08.meta_baseline


def meta_baseline(support, support_y, query, tau):
    c = torch.stack([support[support_y == n].mean(0) for n in range(int(support_y.max()) + 1)])
    return tau * F.normalize(query, dim=-1) @ F.normalize(c, dim=-1).T


def meta_baseline_by_similarity(support, support_y, query, tau):
    sums = F.one_hot(support_y).to(support.dtype).T @ support  # a sum points where its mean points
    return tau * F.cosine_similarity(query[:, None], sums[None], dim=-1)


def mean_of_cosines(support, support_y, query, tau):
    cosines = tau * F.normalize(query, dim=-1) @ F.normalize(support, dim=-1).T
    return torch.stack(
        [cosines[:, support_y == n].mean(1) for n in range(int(support_y.max()) + 1)], dim=1
    )


def nearest_example(support, support_y, query, tau):
    cosines = tau * F.normalize(query, dim=-1) @ F.normalize(support, dim=-1).T
    return torch.stack(
        [cosines[:, support_y == n].amax(1) for n in range(int(support_y.max()) + 1)], dim=1
    )


def probabilities(support, support_y, query, tau):
    return meta_baseline(support, support_y, query, tau).softmax(-1)


def embedding_cases(generator: torch.Generator) -> list[tuple]:
    """(support, classes, query, tau): embeddings of several lengths, 2 or 3 examples a class, in
    random order."""
    cases = []
    for ways, shots, d, tau in ((3, 2, 4, 10.0), (2, 3, 3, 5.0), (4, 2, 5, 12.0)):
        y = torch.arange(ways).repeat_interleave(shots)[
            torch.randperm(ways * shots, generator=generator)
        ]
        length = 0.5 + 2 * torch.rand(ways * shots, 1, generator=generator)
        cases.append(
            (
                length * torch.randn(ways * shots, d, generator=generator),
                y,
                torch.randn(3, d, generator=generator),
                tau,
            )
        )
    return cases


PAIRED, CLAIMS, LEAK, COSINES = (
    "Which differences are real?",
    "Reading a claim",
    "The batch-norm surprise",
    "Three ways to a last layer",
)


EXERCISES = (
    Exercise(
        "08.paired_interval",
        solution=paired_interval,
        cases=score_cases,
        others=(paired_interval_by_sums,),
        read=PAIRED,
        mistakes={
            "one.mean() - other.mean(), 1.96 * ((one.var() + other.var()) / len(one)) ** 0.5": (
                "This is the interval for two learners that met different episodes: ± "
                "{got:.3f}. Yours met the same ones. Subtract episode by episode first, and "
                "what was hard for both cancels: ± {wanted:.3f}."
            ),
            "one.mean() - other.mean(), 1.96 * (one.std() + other.std()) / len(one) ** 0.5": (
                "You added the two half-widths: {got:.3f} instead of {wanted:.3f}. That is "
                "wider than even the unpaired interval. Subtract episode by episode, then "
                "measure the spread of the differences."
            ),
            "(one - other).mean(), 1.96 * (one - other).std()": (
                "1.96 standard deviations are {got:.3f}: that is where single episodes lie. How "
                "well the mean is known is the standard error, smaller by the root of the "
                "number of episodes: {wanted:.3f}."
            ),
            "(one - other).mean(), (one - other).std() / len(one) ** 0.5": (
                "You return one standard error, {got:.4f}. A 95 % interval reaches 1.96 of them "
                "to each side: {wanted:.4f}."
            ),
            "(one - other).mean(), 1.96 * (one - other).std() / (len(one) + len(other)) ** 0.5": (
                "You divided by the root of twice the number of episodes ({got:.4f} instead of "
                "{wanted:.4f}). Two learners in n episodes make n differences."
            ),
            "(one - other).mean(), 1.96 * (one - other).std() / (25 * len(one)) ** 0.5": (
                "You counted images: 25 a task makes the interval five times too narrow, "
                "{got:.4f} instead of {wanted:.4f}. The images of an episode share its classes "
                "and its support set; what is independent is the episode."
            ),
            turned_round: (
                "Right width, wrong direction: {got:+.3f} instead of {wanted:+.3f}. The "
                "difference is one minus other."
            ),
            "(one - other).mean(), 1.96 * (one - other).var() / len(one) ** 0.5": (
                "The variance stands where the standard deviation belongs: {got:.4f} instead of "
                "{wanted:.4f}."
            ),
            **MORE["paired_interval"],
        },
    ),
    Exercise(
        "08.claim",
        solution=claim,
        cases=claims,
        others=(claim_by_answers,),
        read=CLAIMS,
        mistakes={
            half_is_chance: (
                "You compare with one half. That is chance for 2 classes; for N classes it is 1 "
                "/ N. Your answer differs where the low end lies between the two."
            ),
            mean_against_chance: (
                "You compare the accuracy itself with chance. Half of all guessers lie above "
                "chance; ask whether the low end of the interval does."
            ),
            nothing_is_chance: "You compare with zero. Whoever guesses gets 1 / ways right.",
            "(1 - p) / items -> (1 - p)": (
                "An end of your interval is {got:.2f} where {wanted:.2f} is right: that is the "
                "spread of a single answer. Divide the variance by the number of test images "
                "before the root."
            ),
            "(p * (1 - p) / items) ** 0.5 -> p * (1 - p) / items": (
                "An end of your interval is {got:.2f} where {wanted:.2f} is right: p(1 − p) / n "
                "is the variance of the mean. The standard error is its root."
            ),
            "1.96 * (p * (1 - p) / items) -> (p * (1 - p) / items)": (
                "Your interval reaches one standard error to each side, to {got:.2f} where "
                "{wanted:.2f} is right. For 95 % it is 1.96 of them."
            ),
            high_end_against_chance: (
                "You ask whether the interval reaches above chance anywhere. To tell a result "
                "from guessing, all of it must lie above: compare the low end."
            ),
            **MORE["claim"],
        },
    ),
    Exercise(
        "08.without_a_leak",
        solution=without_a_leak,
        cases=feature_cases,
        others=(without_a_leak_by_torch,),
        read=LEAK,
        mistakes={
            "without_a_leak(query, query)": (
                "You normalise the queries with their own mean and variance: one number is "
                "{got:.2f} where {wanted:.2f} is right. Each answer then depends on who else is "
                "asked."
            ),
            "without_a_leak(torch.cat([support, query]), query)": (
                "Support and queries together give the statistics: {got:.2f} where {wanted:.2f} "
                "is right. Half of the leak is left: another query still changes the answer."
            ),
            "without_a_leak(query.T, query.T).T": (
                "You normalise each query over its own features. That is layer norm; it does "
                "not leak, but it is no batch norm: {got:.2f} where {wanted:.2f} is right."
            ),
            "query - support.mean(0)": (
                "The mean is gone, the scale is not: divide by the standard deviation of the "
                "support set ({got:.2f}, not {wanted:.2f})."
            ),
            "(query - support.mean(0)) / (support.var(0, correction=0) + EPS)": (
                "You divide by the variance; its root is the standard deviation ({got:.2f}, not "
                "{wanted:.2f})."
            ),
            "(query - support.mean(0)) / (support.var(0) + EPS).sqrt()": (
                "Batch norm divides by n, not by n − 1: `correction=0` ({got:.3f}, not "
                "{wanted:.3f})."
            ),
            "without_a_leak(support, support)": (
                "You returned the support set. The question is what becomes of the queries."
            ),
            **MORE["without_a_leak"],
        },
    ),
    Exercise(
        "08.meta_baseline",
        solution=meta_baseline,
        cases=embedding_cases,
        others=(meta_baseline_by_similarity,),
        read=COSINES,
        mistakes={
            "F.normalize(query, dim=-1) @ F.normalize(c, dim=-1) -> query @ c": (
                "These are inner products: a long embedding gets larger logits, {got:.1f} "
                "instead of {wanted:.1f}. A cosine divides by both lengths."
            ),
            "meta_baseline(support, support_y, query, 1.0)": (
                "tau is missing: logits between −1 and 1 ({got:.2f} instead of {wanted:.2f}) "
                "leave the softmax nearly even."
            ),
            "meta_baseline(support, support_y, query, 1 / tau)": (
                "tau multiplies the cosine; you divide by it ({got:.2f} instead of "
                "{wanted:.2f}). Where it is called a temperature it would divide."
            ),
            (
                "tau * F.normalize(query, dim=-1) @ F.normalize(c, dim=-1).T -> -tau * "
                "(query[:, None] - c).square().sum(-1)"
            ): (
                "This is the squared distance of a prototypical network: {got:.1f} instead of "
                "{wanted:.1f}. Meta-Baseline looks at the angle alone."
            ),
            mean_of_cosines: (
                "You average the cosines of the examples. The class is one point, the mean of "
                "its embeddings; then comes one cosine: {wanted:.2f}, not {got:.2f}."
            ),
            nearest_example: (
                "You compare with the nearest example of each class. Meta-Baseline compares "
                "with their mean: {wanted:.2f}, not {got:.2f}."
            ),
            "meta_baseline(support, support_y, query, tau).softmax(-1)": (
                "You return probabilities ({got:.2f}); wanted are logits ({wanted:.2f}). The "
                "loss takes the softmax itself."
            ),
            **MORE["meta_baseline"],
        },
    ),
)
