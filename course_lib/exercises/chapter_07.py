"""Exercises of chapter 07: prototypes, the probabilities they give, the linear classifier they are, and attention that votes."""

import torch
import torch.nn.functional as F

from course_lib.exercises.base import Exercise, Mistake

NAMESPACE = {}


def drawn(generator: torch.Generator, ways: int, shots: int, d: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Support embeddings (S, d) and classes (S,) in random order."""
    y = torch.arange(ways).repeat_interleave(shots)[torch.randperm(ways * shots, generator=generator)]
    return torch.randn(len(y), d, generator=generator) + 2 * y[:, None], y


# 07.prototypes


def class_means(support, support_y, ways):
    return torch.stack([support[support_y == n].mean(0) for n in range(ways)])


def class_means_by_product(support, support_y, ways):
    ones = F.one_hot(support_y, ways).to(support.dtype)
    return ones.T @ support / ones.sum(0)[:, None]


def mean_of_all(support, support_y, ways):
    return support.mean(0).expand(ways, -1)


def sums(support, support_y, ways):
    return torch.stack([support[support_y == n].sum(0) for n in range(ways)])


def by_ways(support, support_y, ways):
    return sums(support, support_y, ways) / ways


def by_everybody(support, support_y, ways):
    return sums(support, support_y, ways) / len(support)


def first_example(support, support_y, ways):
    return torch.stack([support[support_y == n][0] for n in range(ways)])


def in_blocks(support, support_y, ways):
    return support.view(ways, -1, support.shape[-1]).mean(1)


def support_cases(generator: torch.Generator) -> list[tuple]:
    """(support, support_y, ways), never as many ways as shots."""
    return [(*drawn(generator, ways, shots), ways) for ways, shots in ((3, 2), (2, 5), (5, 4), (4, 3))]


# 07.probabilities


def probabilities(query, c):
    return (-torch.cdist(query, c).square()).softmax(1)


def probabilities_by_difference(query, c):
    logits = -((query[:, None] - c[None]) ** 2).sum(-1)
    return (logits - logits.logsumexp(1, keepdim=True)).exp()


def without_minus(query, c):
    return torch.cdist(query, c).square().softmax(1)


def over_queries(query, c):
    return (-torch.cdist(query, c).square()).softmax(0)


def unsquared(query, c):
    return (-torch.cdist(query, c)).softmax(1)


def still_logits(query, c):
    return -torch.cdist(query, c).square()


def mean_over_features(query, c):
    return (-(query[:, None] - c[None]).square().mean(-1)).softmax(1)


def share_of_distance(query, c):
    distance = torch.cdist(query, c).square()
    return distance / distance.sum(1, keepdim=True)


def pair_cases(generator: torch.Generator) -> list[tuple]:
    """(query (Q, d), prototypes (N, d)), with distances that a softmax can tell apart."""
    return [(torch.randn(q, d, generator=generator), torch.randn(n, d, generator=generator)) for q, n, d in ((4, 3, 2), (2, 5, 4), (6, 2, 3))]


# 07.linear


def linear(c):
    return 2 * c, -c.square().sum(1)


def linear_by_dot_products(c):
    return c + c, -torch.stack([row @ row for row in c])


def without_bias(c):
    return 2 * c, torch.zeros(len(c))


def bias_added(c):
    return 2 * c, c.square().sum(1)


def without_two(c):
    return c, -c.square().sum(1)


def bias_of_length(c):
    return 2 * c, -c.norm(dim=1)


def minus_two(c):
    return -2 * c, c.square().sum(1)


def prototype_cases(generator: torch.Generator) -> list[tuple]:
    return [(torch.randn(n, d, generator=generator),) for n, d in ((3, 2), (5, 4), (2, 6))]


# 07.votes


def votes(query, support, support_y, ways):
    cosine = F.normalize(query, dim=1) @ F.normalize(support, dim=1).T
    return (10 * cosine).softmax(1) @ F.one_hot(support_y, ways).to(query.dtype)


def votes_with_a_loop(query, support, support_y, ways):
    attention = (10 * F.cosine_similarity(query[:, None], support[None], dim=-1)).softmax(1)
    return torch.stack([attention[:, support_y == n].sum(1) for n in range(ways)], dim=1)


def dot_product(query, support, support_y, ways):
    return (10 * query @ support.T).softmax(1) @ F.one_hot(support_y, ways).to(query.dtype)


def among_queries(query, support, support_y, ways):
    cosine = F.normalize(query, dim=1) @ F.normalize(support, dim=1).T
    return (10 * cosine).softmax(0) @ F.one_hot(support_y, ways).to(query.dtype)


def numbers_as_votes(query, support, support_y, ways):
    cosine = F.normalize(query, dim=1) @ F.normalize(support, dim=1).T
    return (10 * cosine).softmax(1) @ support_y.to(query.dtype)


def mean_votes(query, support, support_y, ways):
    return votes(query, support, support_y, ways) / F.one_hot(support_y, ways).sum(0)


def without_scale(query, support, support_y, ways):
    cosine = F.normalize(query, dim=1) @ F.normalize(support, dim=1).T
    return cosine.softmax(1) @ F.one_hot(support_y, ways).to(query.dtype)


def no_softmax(query, support, support_y, ways):
    cosine = F.normalize(query, dim=1) @ F.normalize(support, dim=1).T
    return (10 * cosine) @ F.one_hot(support_y, ways).to(query.dtype)


def winner_takes_all(query, support, support_y, ways):
    cosine = F.normalize(query, dim=1) @ F.normalize(support, dim=1).T
    return F.one_hot(support_y[cosine.argmax(1)], ways).to(query.dtype)


def attention_cases(generator: torch.Generator) -> list[tuple]:
    """(query, support, support_y, ways)."""
    return [(torch.randn(q, 3, generator=generator), *drawn(generator, ways, shots), ways) for q, ways, shots in ((4, 3, 2), (3, 2, 5), (5, 4, 3))]


EXERCISES = (
    Exercise(
        id="07.prototypes",
        title="one point a class",
        minutes=5,
        difficulty=1,
        cases=support_cases,
        solution=class_means,
        others=(class_means_by_product,),
        mistakes=(
            Mistake("mean_of_all", mean_of_all, "You took the mean over the whole support set, so that all classes share one point ({got:.2f} where "
                    "{wanted:.2f} "
                    "belongs). Each class has its own: choose the rows with `support_y == n` first.", "A class is a point"),
            Mistake("sums", sums, "You added the examples of a class up and did not divide: {got:.2f} instead of {wanted:.2f}. A sum moves away from its "
                    "examples with every shot.", "A class is a point"),
            Mistake("by_ways", by_ways, "You divide by the number of classes. The mean of a class divides by its own examples, its shots: {wanted:.2f} "
                    "instead of "
                    "{got:.2f}.", "A class is a point"),
            Mistake("by_everybody", by_everybody, "You divide by the size of the whole support set, which pulls every prototype towards zero: {got:.2f} "
                    "instead "
                    "of {wanted:.2f}. Divide by the shots of the class.", "A class is a point"),
            Mistake("first_example", first_example, "You kept the first example of each class and dropped the others: {got:.2f} instead of {wanted:.2f}. "
                    "With more "
                    "than one shot the prototype is their mean.", "A class is a point"),
            Mistake("in_blocks", in_blocks, "You cut the support set into equal blocks. It is in random order, so a block mixes classes: {got:.2f} instead of "
                    "{wanted:.2f}. Ask `support_y` who belongs together.", "A class is a point"),
        ),
        hints=("`support[support_y == n]` holds the embeddings of class n.", "One mean per class, over the examples; then `torch.stack` puts the rows "
                    "together."),
    ),
    Exercise(
        id="07.probabilities",
        title="from distances to probabilities",
        minutes=6,
        difficulty=2,
        cases=pair_cases,
        solution=probabilities,
        others=(probabilities_by_difference,),
        mistakes=(
            Mistake("without_minus", without_minus, "The minus is missing: your most probable class is the *farthest* one ({got:.3f} where {wanted:.3f} "
                    "belongs). "
                    "Close must give a large logit.", "A class is a point"),
            Mistake("over_queries", over_queries, "Your softmax runs over the queries, so each column sums to 1 and the queries compete with each other "
                    "({got:.3f} instead of {wanted:.3f}). The classes compete: sum over them.", "A class is a point"),
            Mistake("unsquared", unsquared, "You used the plain distance. The order of the classes is the same, the confidence is not: {got:.3f} instead of "
                    "{wanted:.3f}. The paper squares it.", "Which distance?"),
            Mistake("still_logits", still_logits, "These are logits, not probabilities yet ({got:.2f}): a softmax over the classes makes it {wanted:.3f}.",
                    "A class is a point"),
            Mistake("mean_over_features", mean_over_features, "You averaged the squared differences over the numbers of the embedding. A squared distance "
                    "is their "
                    "sum: {wanted:.3f} instead of {got:.3f}.", "A class is a point"),
            Mistake("share_of_distance", share_of_distance, "You divided the distances by their sum: rows sum to 1, but the farthest class gets the largest "
                    "share "
                    "({got:.3f} where {wanted:.3f} belongs). A softmax of minus the squared distance is asked.", "A class is a point"),
        ),
        hints=("First all squared distances, (Q, N). `torch.cdist` gives the distances without the square.",
               "The softmax of what is negative and largest for the nearest class, along the axis of the classes."),
    ),
    Exercise(
        id="07.linear",
        title="the linear classifier inside",
        minutes=8,
        difficulty=2,
        cases=prototype_cases,
        solution=linear,
        others=(linear_by_dot_products,),
        mistakes=(
            Mistake("without_bias", without_bias, "The bias is missing (0 where {wanted:.2f} belongs). Without it a long prototype wins too often: the "
                    "length of "
                    "c counts against it.", "A linear classifier"),
            Mistake("bias_added", bias_added, "The bias has the wrong sign: {got:.2f} where {wanted:.2f} belongs. Multiply −||q − c||² out: the last term is "
                    "−||c||².", "A linear classifier"),
            Mistake("without_two", without_two, "Your weight is c and should be 2c: {got:.2f} instead of {wanted:.2f}. The product q·c appears twice when "
                    "||q − c||² is multiplied out.", "A linear classifier"),
            Mistake("bias_of_length", bias_of_length, "You took the length of c, not its square: {got:.2f} instead of {wanted:.2f}.", "A linear classifier"),
            Mistake("minus_two", minus_two, "All signs are turned round: this is +||q − c||², whose largest logit is the farthest class ({got:.2f} where "
                    "{wanted:.2f} belongs).", "A linear classifier"),
        ),
        hints=("Multiply −||q − c||² out. You get three terms; one of them does not depend on the class.",
               "−||q||² + 2 q·c − ||c||²: what stands with q is w, what stands alone is b."),
    ),
    Exercise(
        id="07.votes",
        title="attention that votes",
        minutes=9,
        difficulty=3,
        cases=attention_cases,
        solution=votes,
        others=(votes_with_a_loop,),
        mistakes=(
            Mistake("dot_product", dot_product, "This is the dot product, not the cosine: long embeddings get the votes whatever their direction ({got:.3f} "
                    "instead "
                    "of {wanted:.3f}). Divide each embedding by its length, with `F.normalize`.", "Matching"),
            Mistake("among_queries", among_queries, "Your softmax runs over the queries. Each query has one unit of attention to spread over the support "
                    "set: its row "
                    "sums to 1 ({got:.3f} instead of {wanted:.3f}).", "Matching"),
            Mistake("numbers_as_votes", numbers_as_votes, lambda n: "You averaged the class *numbers*: a query between class 0 and class 2 would become a 1. "
                    f"Numbers of classes have no order; give each class a column with `F.one_hot`. You have shape {tuple(n.result.shape)}, "
                    f"{tuple(n.right.shape)} is wanted.", "Matching"),
            Mistake("mean_votes", mean_votes, "You divided the votes by the shots. Attention is summed per class, and a row then sums to 1: {wanted:.3f} "
                    "instead of "
                    "{got:.3f}.", "Matching"),
            Mistake("without_scale", without_scale, "The factor 10 is missing: a bare cosine lies between −1 and 1, and the votes stay nearly even "
                    "({got:.3f} instead "
                    "of {wanted:.3f}).", "Matching"),
            Mistake("no_softmax", no_softmax, "You added up similarities, not attention: {got:.2f} is no share. A softmax over the support set comes first.",
                    "Matching"),
            Mistake("winner_takes_all", winner_takes_all, "You gave all votes to the nearest example. Matching is softer: each support example votes with "
                    "its share "
                    "of attention ({wanted:.3f}, not {got:.0f}).", "Matching"),
        ),
        hints=("Three steps: cosines (Q, S), a softmax over the support set, sums per class.",
               "`F.one_hot(support_y, ways)` is (S, ways): a matrix product with it adds up the attention of each class."),
    ),
)
