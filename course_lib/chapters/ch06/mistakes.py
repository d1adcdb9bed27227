"""More mistakes that readers of chapter 06 make: rows for the tables of exercises.py."""

import torch

Z = "(a * (h1 - h2).abs()).sum(1) + b"
BCE = "F.binary_cross_entropy_with_logits"


def in_list_order(f, classes, k):
    n = range(len(f))
    return [(i, j) for i in n for j in n if i < j and classes[i] != classes[j]][:k]


def neighbours(f, classes, k):
    d = torch.cdist(f, f)
    pairs = [(i, i + 1) for i in range(len(f) - 1) if classes[i] != classes[i + 1]]
    return sorted(pairs, key=lambda pair: d[pair])[:k]


def triples(f, classes, k):
    d = torch.cdist(f, f)
    n = range(len(f))
    return sorted(
        (float(d[i, j]), i, j) for i in n for j in n if i < j and classes[i] != classes[j]
    )[:k]


MORE = {
    "hardest": {
        in_list_order: (
            "Dissimilar pairs, in the order of the list. The hardest are those whose places lie "
            "closest: sort by distance before you take k."
        ),
        neighbours: (
            "You looked at neighbours in the list only. A hard pair may stand anywhere: go "
            "through all i < j."
        ),
        triples: (
            "Your entries hold the distance as well. It is good to sort by; return (i, j) only."
        ),
    },
    "koch": {
        f"{BCE}(torch.sigmoid({Z}), same)": (
            "The sigmoid is taken twice: `with_logits` takes one itself. Give it the plain sum, "
            "or use `binary_cross_entropy` on probabilities."
        ),
        f"{BCE}(a.sum() * (h1 - h2).norm(dim=1) + b, same)": (
            "You weighted the length of the difference with one number. Koch has a weight for "
            "each feature: a · |h1 − h2|."
        ),
        f"{BCE}((a * (h1 - h2).abs() + b).sum(1), same)": (
            "b is added once for each feature. Add it once, after the sum."
        ),
        f"{BCE}((a * (h1 - h2).abs()).mean(1) + b, same)": (
            "You took a mean over the features. The weights a are added up: a sum."
        ),
        f"{BCE}((a * h1 * h2).sum(1) + b, same)": (
            "You weighted the product of the two. Koch weighs their absolute difference, "
            "|h1 − h2|."
        ),
    },
}
