"""Exercises of chapter 06: the contrastive loss, the pairs of a task, its hardest pairs, and
Koch's loss."""

import torch
import torch.nn.functional as F

from course_lib.chapters.ch06.mistakes import MORE
from course_lib.classroom.exercises import Exercise, told

# The sections to read again

BY_HAND = "Two points, by hand"
HARD = "Easy and hard pairs"
PAIRS = "All pairs of a task"
NEAREST = "From distances to classes"
KOCH = "Koch asks another question"
COLLAPSE = "Only similar pairs"

# 06.contrastive


def contrastive(D, y, m):
    return ((1 - y) * D**2 + y * (m - D).clamp(min=0) ** 2).mean()


def contrastive_by_cases(D, y, m):
    return torch.where(y == 1, F.relu(m - D) ** 2, D**2).mean()


def contrastive_in_a_loop(D, y, m):
    losses = [
        d * d if kind == 0 else (m - d).clamp(min=0) ** 2
        for d, kind in zip(D, y.tolist(), strict=True)
    ]
    return sum(losses) / len(losses)


def pair_cases(generator):
    """(D, y, m): distances on both sides of the margin, both kinds of pairs."""
    cases = []
    for n, m in ((6, 1.0), (9, 2.0), (12, 0.7)):
        D = 2 * m * torch.rand(n, generator=generator)
        y = (torch.arange(n) % 3 > 0).long()
        cases.append((D.requires_grad_(), y, m))
    return cases


# 06.hardest


def all_pairs(classes):
    """(i, j, 1 for different classes) of all i < j."""
    n = len(classes)
    return [(i, j, int(classes[i] != classes[j])) for i in range(n) for j in range(i + 1, n)]



def hardest(f, classes, k):
    i, j = torch.triu_indices(len(f), len(f), offset=1)
    different = classes[i] != classes[j]
    i, j = i[different], j[different]
    order = (f[i] - f[j]).square().sum(1).argsort()[:k]
    return list(zip(i[order].tolist(), j[order].tolist(), strict=False))


def ranked(f, classes, kind):
    """All pairs i < j of a kind ("different", "same" or "any"), nearest first."""
    D = torch.cdist(f, f)
    chosen = [
        (i, j) for i, j, y in all_pairs(classes) if kind == "any" or y == (kind == "different")
    ]
    return sorted(chosen, key=lambda pair: D[pair].item())


def hardest_by_sorting(f, classes, k):
    return ranked(f, classes, "different")[:k]


def with_themselves(f, classes, k):
    n = len(f)
    D = torch.cdist(f, f)
    return sorted(
        ((i, j) for i in range(n) for j in range(i, n)),
        key=lambda pair: 0.0 if pair[0] == pair[1] else D[pair].item(),
    )[:k]


def lists_out_of_step(f, classes, k):
    i, j = torch.triu_indices(len(f), len(f), offset=1)
    D = (f[i] - f[j]).norm(dim=1)[classes[i] != classes[j]]
    order = D.argsort()[:k]
    return list(zip(i[order].tolist(), j[order].tolist(), strict=False))


def one_for_each(f, classes, k):
    taken, kept = set(), []
    for pair in ranked(f, classes, "different"):
        if not taken & set(pair):
            taken |= set(pair)
            kept.append(pair)
    return kept[:k]


def active_only(f, classes, k):
    D = torch.cdist(f, f)
    return [pair for pair in ranked(f, classes, "different") if D[pair] < 1]


def place_cases(generator):
    """(f (n, d), classes (n,), k): classes in clumps that overlap, so that near pairs are of both
    kinds."""
    cases = []
    for n, d, k in ((8, 2, 3), (10, 3, 4), (12, 2, 5)):
        classes = torch.arange(n)[torch.randperm(n, generator=generator)] % 3
        clumps = torch.randn(3, d, generator=generator)
        cases.append((clumps[classes] + 0.7 * torch.randn(n, d, generator=generator), classes, k))
    return cases


# 06.koch


def koch(h1, h2, a, b, same):
    p = torch.sigmoid((h1 - h2).abs() @ a + b)
    return -(same * p.log() + (1 - same) * (1 - p).log()).mean()


def koch_by_logits(h1, h2, a, b, same):
    return F.binary_cross_entropy_with_logits((h1 - h2).abs() @ a + b, same.float())


def koch_by_logits_of(logit, same):
    return F.binary_cross_entropy_with_logits(logit, same.float())


def koch_cases(generator):
    """(h1 (n, d), h2 (n, d), a (d,), b, same (n,)). In the last one the weighted sums lie in 0 to
    1: there a missing sigmoid leaves numbers."""
    cases = []
    for n, d, size in ((6, 3, 1.0), (8, 5, 1.0), (10, 4, 0.0)):
        h1, h2 = torch.rand(2, n, d, generator=generator)
        a = size * torch.randn(d, generator=generator) + (1 - size) * (
            0.15 * torch.rand(d, generator=generator) - 0.05
        )
        cases.append(
            (
                h1.requires_grad_(),
                h2,
                a.requires_grad_(),
                0.3 + 0.3 * torch.rand((), generator=generator).item(),
                (torch.arange(n) % 3 == 0).float(),
            )
        )
    return cases


EXERCISES = (
    Exercise(
        "06.contrastive",
        solution=contrastive,
        cases=pair_cases,
        others=(contrastive_by_cases, contrastive_in_a_loop),
        gradients=True,
        read=BY_HAND,
        mistakes={
            "contrastive(D, 1 - y, m)": (
                "The two kinds of pairs have changed places: {got:.3f} instead of {wanted:.3f}. "
                "In this loss y = 1 marks a *dissimilar* pair. Koch counts the other way round."
            ),
            "(m - D).clamp(min=0) ** 2 -> (m - D**2).clamp(min=0)": told(
                "You have max(0, m − D²): {got:.3f} instead of {wanted:.3f}. Then a pair stops "
                "paying at D = √m, and pairs that lie on each other are not pushed at all. The "
                "square stands around the hinge: max(0, m − D)².",
                read=BY_HAND,
            ),
            "(min=0) ** 2 -> (min=0)": told(
                "The hinge of dissimilar pairs lacks its square: {got:.3f} instead of "
                "{wanted:.3f}. Without it every pair inside the margin is pushed equally hard.",
                read=BY_HAND,
            ),
            "D**2 -> D": "Similar pairs pay D² and not D: {got:.3f} instead of {wanted:.3f}.",
            "(m - D).clamp(min=0) -> (m - D)": (
                "Pairs beyond the margin pay too ({got:.3f} instead of {wanted:.3f}): your loss "
                "pulls them back to D = m. `.clamp(min=0)` leaves them alone."
            ),
            "(m - D).clamp(min=0) ** 2 -> (m**2 - D**2).clamp(min=0)": (
                "You have max(0, m² − D²), which is {got:.3f} and not {wanted:.3f}. Subtract "
                "first, then clamp, then square."
            ),
            "D**2 -> (D - m).clamp(min=0) ** 2": (
                "You give similar pairs a margin as well: {got:.3f} instead of {wanted:.3f}. They "
                "pay from the first bit of distance; only dissimilar pairs are ever left alone."
            ),
            "contrastive(D, y, m) / 2": (
                "Half of what was asked: {got:.3f} and not {wanted:.3f}. The paper of 2006 has "
                "two factors ½; the loss of this chapter has none. Both are smallest at the "
                "same place."
            ),
            "m - D -> D - m": (
                "Your hinge holds D − m: dissimilar pairs pay for being *far* apart ({got:.3f} "
                "instead of {wanted:.3f}). What is missing up to the margin is m − D."
            ),
            "(D[y == 0] ** 2).mean() + ((m - D[y == 1]).clamp(min=0) ** 2).mean()": told(
                "You add the mean of the similar pairs and the mean of the dissimilar ones "
                "({got:.3f} instead of {wanted:.3f}). Here it is one mean over all pairs.",
                read=PAIRS,
            ),
            "(m - D).clamp(min=0) -> max(0, m - D)": told(
                "Python's max takes one number; D holds many: use `.clamp(min=0)`. An `if` on y "
                "has the same trouble: multiply by y and 1 − y in its place.",
                read=PAIRS,
            ),
        },
    ),
    Exercise(
        "06.hardest",
        solution=hardest,
        cases=place_cases,
        others=(hardest_by_sorting,),
        read=HARD,
        mistakes={
            'ranked(f, classes, "different")[::-1][:k]': (
                "These are the *farthest* dissimilar pairs. They are the easiest: a dissimilar "
                "pair pays the more the nearer it is."
            ),
            "hardest(f, classes, k)[::-1]": (
                "The right pairs, hardest last. The nearest pair comes first."
            ),
            'ranked(f, classes, "any")[:k]': (
                "There are similar pairs among yours. They are near because training made them "
                "so; hard means near *and* different."
            ),
            'ranked(f, classes, "same")[::-1][:k]': (
                "These are the hardest *similar* pairs: same and far. Asked for are different "
                "and near."
            ),
            'ranked(f, classes, "same")[:k]': (
                "These pairs are similar and near: the easiest of all. Is `==` where `!=` "
                "should be?"
            ),
            with_themselves: told(
                "A drawing is paired with itself: distance 0, and the same class. Take i < j, "
                "and only pairs of two classes.",
                read=PAIRS,
            ),
            "[pair for i, j in hardest(f, classes, k) for pair in ((i, j), (j, i))][:k]": told(
                "Each pair is there as (i, j) and as (j, i), so half of the k places are lost. "
                "Take i < j.",
                read=PAIRS,
            ),
            lists_out_of_step: (
                "You sort the dissimilar distances, and read i and j from the list of *all* "
                "pairs. The places no longer fit: drop the similar pairs from i and j too."
            ),
            one_for_each: (
                "You use each drawing once only. That makes a better picture; here a drawing "
                "may be in several hard pairs."
            ),
            "[(int(classes[i]), int(classes[j])) for i, j in hardest(f, classes, k)]": told(
                "You return the classes of the two drawings. i and j are their places in the list.",
                read=PAIRS,
            ),
            active_only: (
                "You return all pairs nearer than 1, as many as there are. The k hardest are "
                "asked for, and no margin is given."
            ),
            **MORE["hardest"],
        },
    ),
    Exercise(
        "06.koch",
        solution=koch,
        cases=koch_cases,
        others=(koch_by_logits,),
        gradients=True,
        read=KOCH,
        mistakes={
            "koch(h1, h2, a, b, 1 - same)": (
                "{got:.3f} instead of {wanted:.3f}. Either `same` is turned round, or there is "
                "a minus inside the sigmoid. Here 1 means same, and the sign is learned in a."
            ),
            "koch_by_logits_of(b - (h1 - h2).abs() @ a, same)": (
                "There is a minus before the weighted sum: {got:.3f} instead of {wanted:.3f}. "
                "It seems right, since far means different; but the sign is learned in a."
            ),
            "torch.sigmoid((h1 - h2).abs() @ a + b) -> (h1 - h2).abs() @ a + b": (
                "The sigmoid is missing: a weighted sum can be below 0 or above 1, and then its "
                "logarithm is no number. σ makes a probability of it."
            ),
            "koch_by_logits_of((h1 - h2).abs().sum(1) + b, same)": (
                "The weights a are missing: {got:.3f} instead of {wanted:.3f}. Each of the "
                "differences has its own weight."
            ),
            "koch_by_logits_of(((h1 - h2) @ a).abs() + b, same)": (
                "You weigh first and take the absolute value of the sum: {got:.3f} instead of "
                "{wanted:.3f}. Then differences cancel. First |h1 − h2|, then the weights."
            ),
            "-koch(h1, h2, a, b, same)": (
                "The minus sign is missing ({got:.3f}): minimising this would make the right "
                "answers improbable. The objective as printed in the paper lacks it too."
            ),
            "koch(h1, h2, a, 0.0, same)": (
                "The bias b is missing: {got:.3f} instead of {wanted:.3f}. Without it two equal "
                "pictures get p = ½ for ever."
            ),
            "koch((h1 - h2) ** 2, torch.zeros_like(h2), a, b, same)": (
                "You weigh squared differences; Koch weighs absolute ones, |h1 − h2|: {got:.3f} "
                "instead of {wanted:.3f}."
            ),
            "koch_by_logits_of((h1 - h2) @ a + b, same)": (
                "Without the absolute value the answer depends on which picture comes first: "
                "{got:.3f} instead of {wanted:.3f}."
            ),
            "() + (1 - same) * (1 - p).log() -> ()": (
                "Only pairs of the same class pay: {got:.3f} instead of {wanted:.3f}. "
                "Cross-entropy has a second term, for pairs that differ: (1 − same)·log(1 − p)."
            ),
            **MORE["koch"],
        },
    ),
)
