"""Exercises of chapter 06: the contrastive loss, the pairs of an episode, the nearest example, and Koch's loss."""

import torch
import torch.nn.functional as F

from course_lib.exercises.base import Exercise, Mistake

# The sections to read again

BY_HAND = "Two points, by hand"
HINGES = "Three hinges"
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
    losses = [d * d if kind == 0 else max(0.0, m - d) ** 2 for d, kind in zip(D.tolist(), y.tolist())]
    return sum(losses) / len(losses)


def y_swapped(D, y, m):
    return contrastive(D, 1 - y, m)


def hinge_of_square(D, y, m):
    return ((1 - y) * D**2 + y * (m - D**2).clamp(min=0)).mean()


def hinge_without_square(D, y, m):
    return ((1 - y) * D**2 + y * (m - D).clamp(min=0)).mean()


def similar_without_square(D, y, m):
    return ((1 - y) * D + y * (m - D).clamp(min=0) ** 2).mean()


def no_clamp(D, y, m):
    return ((1 - y) * D**2 + y * (m - D) ** 2).mean()


def clamp_after_square(D, y, m):
    return ((1 - y) * D**2 + y * (m**2 - D**2).clamp(min=0)).mean()


def margin_for_similar(D, y, m):
    return ((1 - y) * (D - m).clamp(min=0) ** 2 + y * (m - D).clamp(min=0) ** 2).mean()


def with_halves(D, y, m):
    return contrastive(D, y, m) / 2


def pair_cases(generator):
    """(D, y, m): distances on both sides of the margin, both kinds of pairs."""
    cases = []
    for n, m in ((6, 1.0), (9, 2.0), (12, 0.7)):
        D = 2 * m * torch.rand(n, generator=generator)
        y = (torch.arange(n) % 3 > 0).long()
        cases.append((D, y, m))
    return cases


# 06.pairs


def all_pairs(y):
    n = len(y)
    return [(i, j, int(y[i] != y[j])) for i in range(n) for j in range(i + 1, n)]


def all_pairs_by_torch(y):
    i, j = torch.triu_indices(len(y), len(y), offset=1)
    return torch.stack([i, j, (y[i] != y[j]).long()], dim=1)


def all_pairs_in_columns(y):
    return [tuple(row) for row in all_pairs_by_torch(y).tolist()]


def y_is_same(y):
    return [(i, j, 1 - kind) for i, j, kind in all_pairs(y)]


def with_itself(y):
    n = len(y)
    return [(i, j, int(y[i] != y[j])) for i in range(n) for j in range(i, n)]


def twice(y):
    n = len(y)
    return [(i, j, int(y[i] != y[j])) for i in range(n) for j in range(n) if i != j]


def neighbours_only(y):
    return [(i, i + 1, int(y[i] != y[i + 1])) for i in range(len(y) - 1)]


def similar_only(y):
    return [pair for pair in all_pairs(y) if pair[2] == 0]


def class_cases(generator):
    return [(torch.randint(3, (n,), generator=generator),) for n in (4, 5, 7)]


# 06.nearest


def nearest(support, support_y, query):
    return support_y[torch.cdist(query, support).argmin(dim=1)]


def nearest_by_hand(support, support_y, query):
    D = ((query[:, None] - support[None]) ** 2).sum(-1)
    return support_y[D.min(dim=1).indices]


def farthest(support, support_y, query):
    return support_y[torch.cdist(query, support).argmax(dim=1)]


def place_not_class(support, support_y, query):
    return torch.cdist(query, support).argmin(dim=1)


def no_distance_per_pair(support, support_y, query):
    D = (query[:, None] - support[None]).sum(-1).abs()
    return support_y[D.argmin(dim=1)]


def city_blocks(support, support_y, query):
    return support_y[torch.cdist(query, support, p=1).argmin(dim=1)]


def by_class_mean(support, support_y, query):
    means = torch.stack([support[support_y == n].mean(0) for n in range(int(support_y.max()) + 1)])
    return torch.cdist(query, means).argmin(dim=1)


def embedding_cases(generator):
    """(support (S, d), support_y (S,), query (Q, d)): three examples a class, and many queries, so that every mistake shows."""
    cases = []
    for ways, d in ((4, 2), (5, 3), (6, 8)):
        support = torch.randn(3 * ways, d, generator=generator)
        y = torch.arange(ways).repeat(3)[torch.randperm(3 * ways, generator=generator)]
        cases.append((support, y, torch.randn(40, d, generator=generator)))
    return cases


# 06.koch


def koch(h1, h2, a, b, same):
    p = torch.sigmoid((h1 - h2).abs() @ a + b)
    return -(same * p.log() + (1 - same) * (1 - p).log()).mean()


def koch_by_logits(h1, h2, a, b, same):
    return F.binary_cross_entropy_with_logits((h1 - h2).abs() @ a + b, same.float())


def koch_other_way_round(h1, h2, a, b, same):
    return koch(h1, h2, a, b, 1 - same)


def no_minus(h1, h2, a, b, same):
    return -koch(h1, h2, a, b, same)


def without_bias(h1, h2, a, b, same):
    return koch(h1, h2, a, 0.0, same)


def squared_gap(h1, h2, a, b, same):
    return koch((h1 - h2) ** 2, torch.zeros_like(h2), a, b, same)


def signed_gap(h1, h2, a, b, same):
    return koch_by_logits_of((h1 - h2) @ a + b, same)


def koch_by_logits_of(logit, same):
    return F.binary_cross_entropy_with_logits(logit, same.float())


def same_half_only(h1, h2, a, b, same):
    p = torch.sigmoid((h1 - h2).abs() @ a + b)
    return -(same * p.log()).mean()


def koch_cases(generator):
    """(h1 (n, d), h2 (n, d), a (d,), b, same (n,))."""
    cases = []
    for n, d in ((6, 3), (8, 5), (10, 4)):
        h1, h2 = torch.rand(2, n, d, generator=generator)
        a = torch.randn(d, generator=generator)
        cases.append((h1, h2, a, 0.3 + torch.rand((), generator=generator).item(), (torch.arange(n) % 3 == 0).long()))
    return cases


EXERCISES = (
    Exercise(
        id="06.contrastive",
        title="the contrastive loss",
        minutes=8,
        difficulty=1,
        cases=pair_cases,
        solution=contrastive,
        others=(contrastive_by_cases, contrastive_in_a_loop),
        mistakes=(
            Mistake("y_swapped", y_swapped, "The two kinds of pairs have changed places: {got:.3f} instead of {wanted:.3f}. In this loss y = 1 marks a "
                    "*dissimilar* pair. Koch counts the other way round.", BY_HAND),
            Mistake("hinge_of_square", hinge_of_square, "You have max(0, m − D²): {got:.3f} instead of {wanted:.3f}. Then a pair stops paying at D = √m, and "
                    "pairs that lie on each other are not pushed at all. The square stands around the hinge: max(0, m − D)².", HINGES),
            Mistake("hinge_without_square", hinge_without_square, "The hinge of dissimilar pairs lacks its square: {got:.3f} instead of {wanted:.3f}. "
                    "Without it every pair inside the margin is pushed equally hard.", HINGES),
            Mistake("similar_without_square", similar_without_square, "Similar pairs pay D² and not D: {got:.3f} instead of {wanted:.3f}.", BY_HAND),
            Mistake("no_clamp", no_clamp, "Pairs beyond the margin pay too ({got:.3f} instead of {wanted:.3f}): your loss pulls them back to D = m. "
                    "`.clamp(min=0)` leaves them alone.", BY_HAND),
            Mistake("clamp_after_square", clamp_after_square, "You have max(0, m² − D²), which is {got:.3f} and not {wanted:.3f}. Subtract first, "
                    "then clamp, then square.",
                    BY_HAND),
            Mistake("margin_for_similar", margin_for_similar, "You give similar pairs a margin as well: {got:.3f} instead of {wanted:.3f}. They pay "
                    "from the first "
                    "bit of distance; only dissimilar pairs are ever left alone.", BY_HAND),
            Mistake("with_halves", with_halves, "Half of what was asked: {got:.3f} and not {wanted:.3f}. The paper of 2006 has two factors ½; the "
                    "loss of this chapter "
                    "has none. Both are smallest at the same place.", BY_HAND),
        ),
        hints=("Two terms, one for each kind of pair; y switches between them: (1 − y) times the first, y times the second.",
               "`(m - D).clamp(min=0)` is the hinge of all pairs at once. Square it, and take the mean at the end."),
    ),
    Exercise(
        id="06.pairs",
        title="the pairs of an episode",
        minutes=8,
        difficulty=2,
        cases=class_cases,
        solution=all_pairs,
        others=(all_pairs_in_columns,),
        mistakes=(
            Mistake("y_is_same", y_is_same, "Your third number is 1 for pairs of the same class. Here y = 1 marks a dissimilar pair.", BY_HAND),
            Mistake("with_itself", with_itself, "Each item is paired with itself as well. Such a pair has distance 0 whatever the encoder does: it "
                    "teaches nothing.",
                    PAIRS),
            Mistake("twice", twice, "Each pair is there twice, as (i, j) and as (j, i). Let j begin at i + 1.", PAIRS),
            Mistake("neighbours_only", neighbours_only, "You pair only neighbours in the list. n items have n(n − 1)/2 pairs.", PAIRS),
            Mistake("similar_only", similar_only, "Only similar pairs came back. With these alone everything falls into one point.", COLLAPSE),
        ),
        hints=("Two loops: i over all items, j over the items after i.", "`int(y[i] != y[j])` is the third number."),
    ),
    Exercise(
        id="06.nearest",
        title="the nearest support example answers",
        minutes=6,
        difficulty=1,
        cases=embedding_cases,
        solution=nearest,
        others=(nearest_by_hand,),
        mistakes=(
            Mistake("farthest", farthest, "You take the *farthest* support example. A small distance means alike: argmin.", NEAREST),
            Mistake("place_not_class", place_not_class, "You return the place of the nearest example in the support set ({got:.0f}); its class is "
                    "support_y at this place ({wanted:.0f}).", NEAREST),
            Mistake("no_distance_per_pair", no_distance_per_pair, "You add up differences before taking their size, so plus and minus cancel. Each "
                    "pair has one "
                    "distance: square the differences, add them up, take the root.", BY_HAND),
            Mistake("city_blocks", city_blocks, "Your distance adds up absolute differences. Here it is the Euclidean one; the sum of |h1 − h2| "
                    "belongs to Koch's "
                    "network, with weights.", KOCH),
            Mistake("by_class_mean", by_class_mean, "You compare with the mean of each class. That is a good idea, and another method: prototypes, in "
                    "chapter 07. "
                    "Here the nearest single example decides.", NEAREST),
        ),
        hints=("`torch.cdist(query, support)` has one row a query and one column a support example.",
               "`argmin(dim=1)` gives the place of the nearest example; `support_y` knows its class."),
    ),
    Exercise(
        id="06.koch",
        title="Koch's loss",
        minutes=8,
        difficulty=2,
        cases=koch_cases,
        solution=koch,
        others=(koch_by_logits,),
        mistakes=(
            Mistake("koch_other_way_round", koch_other_way_round, "Here 1 means *same*, and p is the probability of same. You use the contrastive loss's y: "
                    "{got:.3f} instead of {wanted:.3f}.", KOCH),
            Mistake("no_minus", no_minus, "The minus sign is missing ({got:.3f}): minimising this would make the right answers improbable. The "
                    "objective as printed "
                    "in the paper lacks it too.", KOCH),
            Mistake("without_bias", without_bias, "The bias b is missing: {got:.3f} instead of {wanted:.3f}. Without it two equal pictures get p = ½ "
                    "for ever.",
                    KOCH),
            Mistake("squared_gap", squared_gap, "You weigh squared differences; Koch weighs absolute ones, |h1 − h2|: {got:.3f} instead of {wanted:.3f}.",
                    KOCH),
            Mistake("signed_gap", signed_gap, "Without the absolute value the answer depends on which picture comes first: {got:.3f} instead of "
                    "{wanted:.3f}.",
                    KOCH),
            Mistake("same_half_only", same_half_only, "Only pairs of the same class pay: {got:.3f} instead of {wanted:.3f}. Cross-entropy has a "
                    "second term, for "
                    "pairs that differ: (1 − same)·log(1 − p).", KOCH),
        ),
        hints=("p = sigmoid(|h1 − h2| · a + b), one number for each pair.", "Cross-entropy: −(same·log p + (1 − same)·log(1 − p)), then the mean."),
    ),
)
