"""More mistakes that readers of chapter 08 make: rows for the tables of exercises.py."""

SPREAD = "1.96 * (right / items * (1 - right / items) / items) ** 0.5"
MORE = {
    "paired_interval": {
        "((one - other).abs().mean(), 1.96 * (one - other).abs().std() / len(one) ** 0.5)": (
            "You dropped the signs. Where one learner wins in some episodes and loses in others, "
            "the differences should cancel."
        ),
        "((one - other).mean() - 1.96 * (one - other).std() / len(one) ** 0.5,"
        " (one - other).mean() + 1.96 * (one - other).std() / len(one) ** 0.5)": (
            "These are the low and the high end. Asked for are the mean and half the width "
            "between them."
        ),
        "((one - other).mean(), 1.645 * (one - other).std() / len(one) ** 0.5)": (
            "1.645 is the factor of a 90 % interval. For 95 % it is 1.96."
        ),
        "(one.mean() - other.mean(),"
        " 1.96 * torch.cat([one, other]).std() / (2 * len(one)) ** 0.5)": (
            "You put all accuracies into one pot. That ignores that both learners met the same "
            "episodes: take differences, episode by episode."
        ),
    },
    "claim": {
        "(right / items - 1.96 * (right / items * (1 - right / items)) ** 0.5 / items,"
        " right / items + 1.96 * (right / items * (1 - right / items)) ** 0.5 / items,"
        " right / items - 1.96 * (right / items * (1 - right / items)) ** 0.5 / items"
        " > 1 / ways)": (
            "You divide by n, and it should be by √n: the number of items belongs under the root, "
            "√(p(1 − p) / n)."
        ),
        f"(max(0.0, right / items - {SPREAD}), min(1.0, right / items + {SPREAD}),"
        f" right / items - {SPREAD} > 1 / ways)": (
            "You cut the interval at 0 and 1. Leave it as it is: an end beyond 1 tells that the "
            "formula is strained here."
        ),
        "(right / items - (1.96 * (right / items * (1 - right / items) / (items - 1)) ** 0.5),"
        " right / items + (1.96 * (right / items * (1 - right / items) / (items - 1)) ** 0.5),"
        " right / items - (1.96 * (right / items * (1 - right / items) / (items - 1)) ** 0.5)"
        " > 1 / ways)": (
            "You divide by n − 1. The variance of a share is p(1 − p) / n."
        ),
        f"(right / items, {SPREAD}, right / items - {SPREAD} > 1 / ways)": (
            "These are the mean and half the width. Asked for are the low and the high end."
        ),
        f"(right / items + {SPREAD}, right / items - {SPREAD}, right / items - {SPREAD}"
        " > 1 / ways)": (
            "High and low have changed places: the low end comes first."
        ),
        f"(right / items - {SPREAD}, right / items + {SPREAD}, right / items + {SPREAD}"
        " < 1 / ways)": (
            "You ask whether all of the interval lies *below* chance. Told apart from guessing "
            "means here that all of it lies above."
        ),
    },
    "without_a_leak": {
        "(query - support.mean(0)) / (support.var(0, unbiased=False) ** 0.5 + 1e-5)": (
            "You add 1e-5 to the standard deviation. It belongs to the variance, under the root: "
            "where a feature hardly varies, that is far from the same."
        ),
        "(query - support.mean(0)) / (support.std(0) + 1e-5)": (
            "Two things: `std` divides by n − 1 where batch norm divides by n, and 1e-5 belongs to "
            "the variance, under the root."
        ),
        (
            "(query - support.mean()) / (support.var(unbiased=False) + 1e-5) ** 0.5",
            "(query - support.mean(1).mean()) / (support.var(0, unbiased=False) + 1e-5) ** 0.5",
        ): (
            "Your mean runs over all features at once. Each feature has its own: `mean(0)`, over "
            "the support items."
        ),
    },
    "meta_baseline": {
        "tau * F.normalize(query, dim=0) @ F.normalize("
        "torch.stack([support[support_y == n].mean(0) for n in range(int(support_y.max()) + 1)]),"
        " dim=0).T": (
            "You brought the *columns* to length 1. A cosine needs each embedding, a row, at "
            "length 1: `dim=1`."
        ),
    },
}
