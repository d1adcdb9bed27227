"""More mistakes that readers of chapter 07 make: rows for the tables of exercises.py."""

import torch
from torch.nn import functional as F


def divided_by_ways(c, shots, x, n):
    c = c.clone()
    c[n] = (shots * c[n] + x) / (len(c) + 1)
    return c


def mean_of_all(c, shots, x, n):
    c = c.clone()
    c[n] = torch.stack([*c, x]).mean(0)
    return c


def brackets(c, shots, x, n):
    c = c.clone()
    c[n] = shots * c[n] + x / (shots + 1)
    return c


def alone(support):
    return (10 * F.normalize(support, dim=1) @ F.normalize(support, dim=1).T).fill_diagonal_(
        float("-inf")
    )


def votes(weights, support_y, ways):
    return weights.softmax(1) @ F.one_hot(support_y, ways).to(weights)


def own_votes(support, support_y, ways):
    return votes(alone(support), support_y, ways)[range(len(support)), support_y]


def by_distance(support, support_y, ways):
    return votes(
        (-10 * torch.cdist(support, support)).fill_diagonal_(float("-inf")), support_y, ways
    )


def summed_before(support, support_y, ways):
    z = alone(support).nan_to_num(neginf=0.0).fill_diagonal_(0)
    return (z @ F.one_hot(support_y, ways).to(z)).softmax(1)


def class_left_out(support, support_y, ways):
    z = alone(support).masked_fill(support_y[:, None] == support_y[None], float("-inf"))
    return votes(z, support_y, ways)


D2 = "(query[:, None] - c[None]).square().sum(2)"
MORE = {
    "one_more": {
        divided_by_ways: (
            "You divide by the number of classes plus one. A class mean is divided by the number "
            "of *its* drawings, shots + 1."
        ),
        mean_of_all: (
            "You averaged all prototypes with the new drawing. Only the drawings of class n make "
            "its mean."
        ),
        brackets: (
            "Brackets are missing: the whole sum shots · c + x is divided by shots + 1."
        ),
    },
    "loss": {
        "F.cross_entropy(F.cosine_similarity(query[:, None], c[None], dim=2), query_y)": (
            "Your logits are cosines, between −1 and 1. Here they are minus the squared "
            "distances."
        ),
        (
            f"({D2}.argmin(1) != query_y).float().mean()",
            f"({D2}.argmin(1) == query_y).float().mean()",
        ): (
            "This counts right or wrong answers. A count has no slope, so it cannot train f: take "
            "minus the logarithm of the right class's probability."
        ),
        f"-(-{D2}).softmax(1)[range(len(query)), query_y].mean().log()": (
            "You took the logarithm of a mean. Take it for each query first, then the mean: "
            "{wanted:.3f}, you have {got:.3f}."
        ),
        (
            f"F.cross_entropy(-{D2} / 2, query_y)",
            f"F.cross_entropy(-{D2} / query.shape[1] ** 0.5, query_y)",
        ): (
            "Your squared distances are divided by something. That is another temperature, and "
            "the probabilities are softer: {got:.3f} instead of {wanted:.3f}."
        ),
    },
    "border": {
        "((c_a + c_b) / 2, 0.0 * c_a.sum())": (
            "This is the point halfway between the prototypes. It lies on the border; w is the "
            "direction *across* the border, 2·(c_a − c_b)."
        ),
        "((c_a - c_b) / 2, ((c_b ** 2).sum() - (c_a ** 2).sum()) / 2)": (
            "w and b have two different factors, a quarter and a half of the right ones. Multiply "
            "both squared distances out, and subtract."
        ),
        "(2 * (c_a - c_b), -2 * c_a @ c_b)": (
            "Your b is the mixed term of a square. What is left after subtracting the two squared "
            "distances is ‖c_b‖² − ‖c_a‖²."
        ),
        "(2 * (c_a - c_b), -(2 * (c_a - c_b)) @ (c_a + c_b))": (
            "Your b is twice too large: the border passes through the *midpoint*, "
            "(c_a + c_b) / 2."
        ),
    },
    "left_out": {
        own_votes: (
            "You return each drawing's votes for its own label. Asked for are the votes for all "
            "classes, a row that sums to 1."
        ),
        by_distance: (
            "You compare by distance. A matching network compares by cosine: bring each row to "
            "length 1, then multiply."
        ),
        summed_before: (
            "You summed the cosines per class, and took the softmax of these sums. Take the "
            "softmax over the drawings first, then add up per class."
        ),
        class_left_out: (
            "You left out the drawing's whole class. Only the drawing itself may not vote; the "
            "others of its class may."
        ),
    },
}
