"""Exercises of chapter 06: the contrastive loss, the pairs of a task, its hardest pairs, the nearest example, and Koch's loss."""

import torch
import torch.nn.functional as F

from course_lib.classroom.exercises.judging import Exercise, Mistake

# The sections to read again

BY_HAND = "Two points, by hand"
HINGES = "Three hinges"
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
        d * d if kind == 0 else max(0.0, m - d) ** 2 for d, kind in zip(D.tolist(), y.tolist())
    ]
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


def hinge_turned_round(D, y, m):
    return ((1 - y) * D**2 + y * (D - m).clamp(min=0) ** 2).mean()


def mean_of_each_kind(D, y, m):
    return (D[y == 0] ** 2).mean() + ((m - D[y == 1]).clamp(min=0) ** 2).mean()


def max_of_python(D, y, m):
    return ((1 - y) * D**2 + y * max(0, m - D) ** 2).mean()


def pair_cases(generator):
    """(D, y, m): distances on both sides of the margin, both kinds of pairs."""
    cases = []
    for n, m in ((6, 1.0), (9, 2.0), (12, 0.7)):
        D = 2 * m * torch.rand(n, generator=generator)
        y = (torch.arange(n) % 3 > 0).long()
        cases.append((D, y, m))
    return cases


# 06.pairs


def all_pairs(classes):
    n = len(classes)
    return [(i, j, int(classes[i] != classes[j])) for i in range(n) for j in range(i + 1, n)]


def all_pairs_by_torch(classes):
    i, j = torch.triu_indices(len(classes), len(classes), offset=1)
    return torch.stack([i, j, (classes[i] != classes[j]).long()], dim=1)


def all_pairs_in_columns(classes):
    return [tuple(row) for row in all_pairs_by_torch(classes).tolist()]


def y_is_same(classes):
    return [(i, j, 1 - kind) for i, j, kind in all_pairs(classes)]


def with_itself(classes):
    n = len(classes)
    return [(i, j, int(classes[i] != classes[j])) for i in range(n) for j in range(i, n)]


def twice(classes):
    n = len(classes)
    return [(i, j, int(classes[i] != classes[j])) for i in range(n) for j in range(n) if i != j]


def neighbours_only(classes):
    return [(i, i + 1, int(classes[i] != classes[i + 1])) for i in range(len(classes) - 1)]


def similar_only(classes):
    return [pair for pair in all_pairs(classes) if pair[2] == 0]


def turned_pairs(classes):
    return [(j, i, kind) for i, j, kind in all_pairs(classes)]


def larger_first(classes):
    return sorted(turned_pairs(classes))


def sorted_by_j(classes):
    return sorted(all_pairs(classes), key=lambda pair: (pair[1], pair[0]))


def classes_for_places(classes):
    return [(int(classes[i]), int(classes[j]), kind) for i, j, kind in all_pairs(classes)]


def class_cases(generator):
    return [(torch.randint(3, (n,), generator=generator),) for n in (4, 5, 7)]


# 06.hardest


def hardest(f, classes, k):
    i, j = torch.triu_indices(len(f), len(f), offset=1)
    different = classes[i] != classes[j]
    i, j = i[different], j[different]
    order = (f[i] - f[j]).square().sum(1).argsort()[:k]
    return list(zip(i[order].tolist(), j[order].tolist()))


def ranked(f, classes, kind):
    """All pairs i < j of a kind ("different", "same" or "any"), nearest first."""
    D = torch.cdist(f, f)
    chosen = [
        (i, j) for i, j, y in all_pairs(classes) if kind == "any" or y == (kind == "different")
    ]
    return sorted(chosen, key=lambda pair: D[pair].item())


def hardest_by_sorting(f, classes, k):
    return ranked(f, classes, "different")[:k]


def farthest_pairs(f, classes, k):
    return ranked(f, classes, "different")[::-1][:k]


def hardest_last(f, classes, k):
    return hardest(f, classes, k)[::-1]


def similar_too(f, classes, k):
    return ranked(f, classes, "any")[:k]


def similar_and_far(f, classes, k):
    return ranked(f, classes, "same")[::-1][:k]


def similar_and_near(f, classes, k):
    return ranked(f, classes, "same")[:k]


def with_themselves(f, classes, k):
    n = len(f)
    D = torch.cdist(f, f)
    return sorted(
        ((i, j) for i in range(n) for j in range(i, n)),
        key=lambda pair: 0.0 if pair[0] == pair[1] else D[pair].item(),
    )[:k]


def both_ways(f, classes, k):
    return [pair for i, j in hardest(f, classes, k) for pair in ((i, j), (j, i))][:k]


def lists_out_of_step(f, classes, k):
    i, j = torch.triu_indices(len(f), len(f), offset=1)
    D = (f[i] - f[j]).norm(dim=1)[classes[i] != classes[j]]
    order = D.argsort()[:k]
    return list(zip(i[order].tolist(), j[order].tolist()))


def one_for_each(f, classes, k):
    taken, kept = set(), []
    for pair in ranked(f, classes, "different"):
        if not taken & set(pair):
            taken |= set(pair)
            kept.append(pair)
    return kept[:k]


def classes_of_hardest(f, classes, k):
    return [(int(classes[i]), int(classes[j])) for i, j in hardest(f, classes, k)]


def active_only(f, classes, k):
    D = torch.cdist(f, f)
    return [pair for pair in ranked(f, classes, "different") if D[pair] < 1]


def place_cases(generator):
    """(f (n, d), classes (n,), k): classes in clumps that overlap, so that near pairs are of both kinds."""
    cases = []
    for n, d, k in ((8, 2, 3), (10, 3, 4), (12, 2, 5)):
        classes = torch.arange(n)[torch.randperm(n, generator=generator)] % 3
        clumps = torch.randn(3, d, generator=generator)
        cases.append((clumps[classes] + 0.7 * torch.randn(n, d, generator=generator), classes, k))
    return cases


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


def over_the_support(support, support_y, query):
    return support_y[torch.cdist(query, support).argmin(dim=0)]


def distance_for_class(support, support_y, query):
    return torch.cdist(query, support).min(dim=1).values


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


def without_sigmoid(h1, h2, a, b, same):
    p = (h1 - h2).abs() @ a + b
    return -(same * p.log() + (1 - same) * (1 - p).log()).mean()


def without_a(h1, h2, a, b, same):
    return koch_by_logits_of((h1 - h2).abs().sum(1) + b, same)


def abs_at_the_end(h1, h2, a, b, same):
    return koch_by_logits_of(((h1 - h2) @ a).abs() + b, same)


def minus_before_a(h1, h2, a, b, same):
    return koch_by_logits_of(b - (h1 - h2).abs() @ a, same)


def koch_cases(generator):
    """(h1 (n, d), h2 (n, d), a (d,), b, same (n,)). In the last one the weighted sums lie in 0 to 1: there a missing sigmoid leaves numbers."""
    cases = []
    for n, d, size in ((6, 3, 1.0), (8, 5, 1.0), (10, 4, 0.0)):
        h1, h2 = torch.rand(2, n, d, generator=generator)
        a = size * torch.randn(d, generator=generator) + (1 - size) * (
            0.15 * torch.rand(d, generator=generator) - 0.05
        )
        cases.append(
            (
                h1,
                h2,
                a,
                0.3 + 0.3 * torch.rand((), generator=generator).item(),
                (torch.arange(n) % 3 == 0).float(),
            )
        )
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
            Mistake(
                "y_swapped",
                y_swapped,
                "The two kinds of pairs have changed places: {got:.3f} instead of {wanted:.3f}. In this loss y = 1 marks a "
                "*dissimilar* pair. Koch counts the other way round.",
                BY_HAND,
            ),
            Mistake(
                "hinge_of_square",
                hinge_of_square,
                "You have max(0, m − D²): {got:.3f} instead of {wanted:.3f}. Then a pair stops paying at D = √m, and "
                "pairs that lie on each other are not pushed at all. The square stands around the hinge: max(0, m − D)².",
                HINGES,
            ),
            Mistake(
                "hinge_without_square",
                hinge_without_square,
                "The hinge of dissimilar pairs lacks its square: {got:.3f} instead of {wanted:.3f}. "
                "Without it every pair inside the margin is pushed equally hard.",
                HINGES,
            ),
            Mistake(
                "similar_without_square",
                similar_without_square,
                "Similar pairs pay D² and not D: {got:.3f} instead of {wanted:.3f}.",
                BY_HAND,
            ),
            Mistake(
                "no_clamp",
                no_clamp,
                "Pairs beyond the margin pay too ({got:.3f} instead of {wanted:.3f}): your loss pulls them back to D = m. "
                "`.clamp(min=0)` leaves them alone.",
                BY_HAND,
            ),
            Mistake(
                "clamp_after_square",
                clamp_after_square,
                "You have max(0, m² − D²), which is {got:.3f} and not {wanted:.3f}. Subtract first, "
                "then clamp, then square.",
                BY_HAND,
            ),
            Mistake(
                "margin_for_similar",
                margin_for_similar,
                "You give similar pairs a margin as well: {got:.3f} instead of {wanted:.3f}. They pay "
                "from the first "
                "bit of distance; only dissimilar pairs are ever left alone.",
                BY_HAND,
            ),
            Mistake(
                "with_halves",
                with_halves,
                "Half of what was asked: {got:.3f} and not {wanted:.3f}. The paper of 2006 has two factors ½; the "
                "loss of this chapter "
                "has none. Both are smallest at the same place.",
                BY_HAND,
            ),
            Mistake(
                "hinge_turned_round",
                hinge_turned_round,
                "Your hinge holds D − m: dissimilar pairs pay for being *far* apart ({got:.3f} instead "
                "of {wanted:.3f}). What is missing up to the margin is m − D.",
                BY_HAND,
            ),
            Mistake(
                "mean_of_each_kind",
                mean_of_each_kind,
                "You add the mean of the similar pairs and the mean of the dissimilar ones ({got:.3f} instead "
                "of {wanted:.3f}). Here it is one mean over all pairs.",
                PAIRS,
            ),
            Mistake(
                "max_of_python",
                max_of_python,
                "Python's max takes one number; D holds many: use `.clamp(min=0)`. An `if` on y has the same "
                "trouble: multiply by y and 1 − y in its place.",
                PAIRS,
            ),
        ),
        hints=(
            "Two terms, one for each kind of pair; y switches between them: (1 − y) times the first, y times the second.",
            "`(m - D).clamp(min=0)` is the hinge of all pairs at once. Square it, and take the mean at the end.",
        ),
    ),
    Exercise(
        id="06.pairs",
        title="the pairs of a task",
        minutes=8,
        difficulty=2,
        cases=class_cases,
        solution=all_pairs,
        others=(all_pairs_in_columns,),
        mistakes=(
            Mistake(
                "y_is_same",
                y_is_same,
                "Your third number is 1 for pairs of the same class. Here y = 1 marks a dissimilar pair.",
                BY_HAND,
            ),
            Mistake(
                "with_itself",
                with_itself,
                "Each item is paired with itself as well. Such a pair has distance 0 whatever the encoder does: it "
                "teaches nothing.",
                PAIRS,
            ),
            Mistake(
                "twice",
                twice,
                "Each pair is there twice, as (i, j) and as (j, i). Let j begin at i + 1.",
                PAIRS,
            ),
            Mistake(
                "neighbours_only",
                neighbours_only,
                "You pair only neighbours in the list. n items have n(n − 1)/2 pairs.",
                PAIRS,
            ),
            Mistake(
                "similar_only",
                similar_only,
                "Only similar pairs came back. With these alone everything falls into one point.",
                COLLAPSE,
            ),
            Mistake(
                "turned_pairs",
                turned_pairs,
                "Your pairs are (j, i): the larger place comes first. Here i < j.",
                PAIRS,
            ),
            Mistake(
                "larger_first",
                larger_first,
                "In your pairs the first place is the larger one: your inner loop ends before i. Let it begin after i, "
                "so that i < j.",
                PAIRS,
            ),
            Mistake(
                "sorted_by_j",
                sorted_by_j,
                "The pairs are right and stand in another order: yours are sorted by j and then by i. Let i be the outer "
                "loop.",
                PAIRS,
            ),
            Mistake(
                "classes_for_places",
                classes_for_places,
                "Your first two numbers are the classes of the items. i and j are their places in the "
                "list: 0, 1, 2, ...",
                PAIRS,
            ),
        ),
        hints=(
            "Two loops: i over all items, j over the items after i.",
            "`int(classes[i] != classes[j])` is the third number.",
        ),
    ),
    Exercise(
        id="06.hardest",
        title="the hardest dissimilar pairs",
        minutes=15,
        difficulty=3,
        cases=place_cases,
        solution=hardest,
        others=(hardest_by_sorting,),
        mistakes=(
            Mistake(
                "farthest_pairs",
                farthest_pairs,
                "These are the *farthest* dissimilar pairs. They are the easiest: a dissimilar pair pays the more the "
                "nearer it is.",
                HARD,
            ),
            Mistake(
                "hardest_last",
                hardest_last,
                "The right pairs, hardest last. The nearest pair comes first.",
                HARD,
            ),
            Mistake(
                "similar_too",
                similar_too,
                "There are similar pairs among yours. They are near because training made them so; hard means near "
                "*and* different.",
                HARD,
            ),
            Mistake(
                "similar_and_far",
                similar_and_far,
                "These are the hardest *similar* pairs: same and far. Asked for are different and near.",
                HARD,
            ),
            Mistake(
                "similar_and_near",
                similar_and_near,
                "These pairs are similar and near: the easiest of all. Is `==` where `!=` should be?",
                HARD,
            ),
            Mistake(
                "with_themselves",
                with_themselves,
                "A drawing is paired with itself: distance 0, and the same class. Take i < j, and only pairs of two "
                "classes.",
                PAIRS,
            ),
            Mistake(
                "both_ways",
                both_ways,
                "Each pair is there as (i, j) and as (j, i), so half of the k places are lost. Take i < j.",
                PAIRS,
            ),
            Mistake(
                "lists_out_of_step",
                lists_out_of_step,
                "You sort the dissimilar distances, and read i and j from the list of *all* pairs. The places "
                "no longer fit: drop the similar pairs from i and j too.",
                HARD,
            ),
            Mistake(
                "one_for_each",
                one_for_each,
                "You use each drawing once only. That makes a better picture; here a drawing may be in several hard "
                "pairs.",
                HARD,
            ),
            Mistake(
                "classes_of_hardest",
                classes_of_hardest,
                "You return the classes of the two drawings. i and j are their places in the list.",
                PAIRS,
            ),
            Mistake(
                "active_only",
                active_only,
                "You return all pairs nearer than 1, as many as there are. The k hardest are asked for, and no margin is "
                "given.",
                HARD,
            ),
        ),
        hints=(
            "Which distance of a dissimilar pair pays most? Start from all pairs i < j and throw the similar ones away.",
            "Keep i, j and D in step: whatever you drop or sort in one, drop or sort in the other two.",
        ),
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
            Mistake(
                "farthest",
                farthest,
                "You take the *farthest* support example. A small distance means alike: argmin.",
                NEAREST,
            ),
            Mistake(
                "place_not_class",
                place_not_class,
                "You return the place of the nearest example in the support set ({got:.0f}); its class is "
                "support_y at this place ({wanted:.0f}).",
                NEAREST,
            ),
            Mistake(
                "no_distance_per_pair",
                no_distance_per_pair,
                "You add up differences before taking their size, so plus and minus cancel. Each "
                "pair has one "
                "distance: square the differences, add them up, take the root.",
                BY_HAND,
            ),
            Mistake(
                "city_blocks",
                city_blocks,
                "Your distance adds up absolute differences. Here it is the Euclidean one; the sum of |h1 − h2| "
                "belongs to Koch's "
                "network, with weights.",
                KOCH,
            ),
            Mistake(
                "by_class_mean",
                by_class_mean,
                "You compare with the mean of each class. That is a good idea, and another method: prototypes, in "
                "chapter 07. "
                "Here the nearest single example decides.",
                NEAREST,
            ),
            Mistake(
                "over_the_support",
                over_the_support,
                "Your argmin runs over the queries: it finds the nearest query of each support example. Each "
                "*query* asks for its nearest support example: with `cdist(query, support)` that is `dim=1`.",
                NEAREST,
            ),
            Mistake(
                "distance_for_class",
                distance_for_class,
                "You return the smallest distance ({got:.2f}). Asked for is whose it is: `argmin` gives the "
                "place, `support_y` the class.",
                NEAREST,
            ),
        ),
        hints=(
            "`torch.cdist(query, support)` has one row a query and one column a support example.",
            "`argmin(dim=1)` gives the place of the nearest example; `support_y` knows its class.",
        ),
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
            Mistake(
                "koch_other_way_round",
                koch_other_way_round,
                "{got:.3f} instead of {wanted:.3f}. Either `same` is turned round, or there is a minus "
                "inside the sigmoid. Here 1 means same, and the sign is learned in a.",
                KOCH,
            ),
            Mistake(
                "minus_before_a",
                minus_before_a,
                "There is a minus before the weighted sum: {got:.3f} instead of {wanted:.3f}. It seems right, since "
                "far means different; but the sign is learned in a.",
                KOCH,
            ),
            Mistake(
                "without_sigmoid",
                without_sigmoid,
                "The sigmoid is missing: a weighted sum can be below 0 or above 1, and then its logarithm is no "
                "number. σ makes a probability of it.",
                KOCH,
            ),
            Mistake(
                "without_a",
                without_a,
                "The weights a are missing: {got:.3f} instead of {wanted:.3f}. Each of the differences has its own weight.",
                KOCH,
            ),
            Mistake(
                "abs_at_the_end",
                abs_at_the_end,
                "You weigh first and take the absolute value of the sum: {got:.3f} instead of {wanted:.3f}. Then "
                "differences cancel. First |h1 − h2|, then the weights.",
                KOCH,
            ),
            Mistake(
                "no_minus",
                no_minus,
                "The minus sign is missing ({got:.3f}): minimising this would make the right answers improbable. The "
                "objective as printed "
                "in the paper lacks it too.",
                KOCH,
            ),
            Mistake(
                "without_bias",
                without_bias,
                "The bias b is missing: {got:.3f} instead of {wanted:.3f}. Without it two equal pictures get p = ½ "
                "for ever.",
                KOCH,
            ),
            Mistake(
                "squared_gap",
                squared_gap,
                "You weigh squared differences; Koch weighs absolute ones, |h1 − h2|: {got:.3f} instead of {wanted:.3f}.",
                KOCH,
            ),
            Mistake(
                "signed_gap",
                signed_gap,
                "Without the absolute value the answer depends on which picture comes first: {got:.3f} instead of "
                "{wanted:.3f}.",
                KOCH,
            ),
            Mistake(
                "same_half_only",
                same_half_only,
                "Only pairs of the same class pay: {got:.3f} instead of {wanted:.3f}. Cross-entropy has a "
                "second term, for "
                "pairs that differ: (1 − same)·log(1 − p).",
                KOCH,
            ),
        ),
        hints=(
            "p = sigmoid(|h1 − h2| · a + b), one number for each pair.",
            "Cross-entropy: −(same·log p + (1 − same)·log(1 − p)), then the mean.",
        ),
    ),
)
