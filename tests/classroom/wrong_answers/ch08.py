"""Plausible wrong answers to the exercises of chapter 08, written from statement and stub alone."""

WRONG = {
    "08.paired_interval": [
        # unpaired
        "n = len(one)\nreturn one.mean() - other.mean(), "
        "1.96 * (one.var() / n + other.var() / n) ** 0.5",
        # the other way round
        "d = other - one\nreturn d.mean(), 1.96 * d.std() / len(d) ** 0.5",
        # no root
        "d = one - other\nreturn d.mean(), 1.96 * d.std() / len(d)",
        # the standard error
        "d = one - other\nreturn d.mean(), d.std() / len(d) ** 0.5",
        # the standard deviation
        "d = one - other\nreturn d.mean(), 1.96 * d.std()",
        # the whole width
        "d = one - other\nreturn d.mean(), 2 * 1.96 * d.std() / len(d) ** 0.5",
        # absolute differences
        "d = (one - other).abs()\nreturn d.mean(), 1.96 * d.std() / len(d) ** 0.5",
        # the sum of two half-widths
        "n = len(one) ** 0.5\nreturn one.mean() - other.mean(), "
        "1.96 * (one.std() + other.std()) / n",
        # the difference of two half-widths
        "n = len(one) ** 0.5\nreturn one.mean() - other.mean(), "
        "1.96 * (one.std() - other.std()) / n",
        # the variance
        "d = one - other\nreturn d.mean(), 1.96 * d.var() / len(d) ** 0.5",
        # low and high
        "d = one - other\nh = 1.96 * d.std() / len(d) ** 0.5\nreturn d.mean() - h, d.mean() + h",
        # twice as many
        "d = one - other\nreturn d.mean(), 1.96 * d.std() / (2 * len(d)) ** 0.5",
        # not corrected
        "d = one - other\nreturn d.mean(), 1.645 * d.std() / len(d) ** 0.5",
        # only the interval of one
        "return one.mean() - other.mean(), 1.96 * one.std() / len(one) ** 0.5",
        # every difference
        "d = one - other\nreturn d, 1.96 * d.std() / len(d) ** 0.5",
        # pooled
        "x = torch.cat([one, other])\nreturn one.mean() - other.mean(), "
        "1.96 * x.std() / len(x) ** 0.5",
    ],
    "08.claim": [
        # standard error without the root
        "p = right / items\ns = 1.96 * p * (1 - p) / items\n"
        "return p - s, p + s, p - s > 1 / ways",
        # n not under the root
        "p = right / items\ns = 1.96 * (p * (1 - p)) ** 0.5 / items\n"
        "return p - s, p + s, p - s > 1 / ways",
        # the mean above chance
        "p = right / items\ns = 1.96 * (p * (1 - p) / items) ** 0.5\n"
        "return p - s, p + s, p > 1 / ways",
        # the high end above chance
        "p = right / items\ns = 1.96 * (p * (1 - p) / items) ** 0.5\n"
        "return p - s, p + s, p + s > 1 / ways",
        # above one half
        "p = right / items\ns = 1.96 * (p * (1 - p) / items) ** 0.5\n"
        "return p - s, p + s, p - s > 0.5",
        # one standard error
        "p = right / items\ns = (p * (1 - p) / items) ** 0.5\n"
        "return p - s, p + s, p - s > 1 / ways",
        # clipped
        "p = right / items\ns = 1.96 * (p * (1 - p) / items) ** 0.5\n"
        "return max(0.0, p - s), min(1.0, p + s), p - s > 1 / ways",
        # in percent
        "p = 100 * right / items\ns = 1.96 * (p * (100 - p) / items) ** 0.5\n"
        "return p - s, p + s, p - s > 100 / ways",
        # Wilson
        "z, n = 1.96, items\np = right / n\nm = (p + z * z / (2 * n)) / (1 + z * z / n)\n"
        "h = z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5 / (1 + z * z / n)\n"
        "return m - h, m + h, m - h > 1 / ways",
        # the standard deviation
        "p = right / items\ns = 1.96 * (p * (1 - p)) ** 0.5\n"
        "return p - s, p + s, p - s > 1 / ways",
        # n - 1
        "p = right / items\ns = 1.96 * (p * (1 - p) / (items - 1)) ** 0.5\n"
        "return p - s, p + s, p - s > 1 / ways",
        # the spread of chance
        "p, c = right / items, 1 / ways\ns = 1.96 * (c * (1 - c) / items) ** 0.5\n"
        "return p - s, p + s, p - s > c",
        # ways forgotten
        "p = right / items\ns = 1.96 * (p * (1 - p) / items) ** 0.5\n"
        "return p - s, p + s, p - s > 0",
        # half-width instead of ends
        "p = right / items\ns = 1.96 * (p * (1 - p) / items) ** 0.5\n"
        "return p, s, p - s > 1 / ways",
        # different from chance in either way
        "p = right / items\ns = 1.96 * (p * (1 - p) / items) ** 0.5\n"
        "return p - s, p + s, abs(p - 1 / ways) > s",
        # the other way round
        "p = right / items\ns = 1.96 * (p * (1 - p) / items) ** 0.5\n"
        "return p - s, p + s, p + s < 1 / ways",
        # high first
        "p = right / items\ns = 1.96 * (p * (1 - p) / items) ** 0.5\n"
        "return p + s, p - s, p - s > 1 / ways",
        # counts
        "p = right / items\ns = 1.96 * (p * (1 - p) * items) ** 0.5\n"
        "return right - s, right + s, right - s > items / ways",
    ],
    "08.without_a_leak": [
        # the queries' own
        "(query - query.mean(0)) / (query.var(0, unbiased=False) + 1e-5) ** 0.5",
        # n - 1
        "(query - support.mean(0)) / (support.var(0) + 1e-5) ** 0.5",
        # over features
        "(query - query.mean(1, keepdim=True)) / "
        "(query.var(1, unbiased=False, keepdim=True) + 1e-5) ** 0.5",
        # no root
        "(query - support.mean(0)) / (support.var(0, unbiased=False) + 1e-5)",
        # 1e-5 outside of the root
        "(query - support.mean(0)) / (support.var(0, unbiased=False) ** 0.5 + 1e-5)",
        # no epsilon
        "(query - support.mean(0)) / support.var(0, unbiased=False) ** 0.5",
        # one number for all
        "(query - support.mean()) / (support.var(unbiased=False) + 1e-5) ** 0.5",
        # both together
        "x = torch.cat([support, query])\n"
        "return (query - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5) ** 0.5",
        # the support normalised
        "(support - support.mean(0)) / (support.var(0, unbiased=False) + 1e-5) ** 0.5",
        # mean of the support, variance of the queries
        "(query - support.mean(0)) / (query.var(0, unbiased=False) + 1e-5) ** 0.5",
        # mean of the queries
        "(query - query.mean(0)) / (support.var(0, unbiased=False) + 1e-5) ** 0.5",
        # not centred
        "query / (support.var(0, unbiased=False) + 1e-5) ** 0.5",
        # std with n - 1
        "(query - support.mean(0)) / (support.std(0) + 1e-5)",
        # one query at a time
        "torch.stack([(q - q.mean()) / (q.var(unbiased=False) + 1e-5) ** 0.5 for q in query])",
        # torch's batch norm in training mode
        "F.batch_norm(query, None, None, training=True)",
        # centred only
        "query - support.mean(0)",
        # over features of the support
        "(query - support.mean(1).mean()) / (support.var(0, unbiased=False) + 1e-5) ** 0.5",
    ],
    "08.meta_baseline": [
        # no tau
        "N = int(support_y.max()) + 1\n"
        "c = torch.stack([support[support_y == n].mean(0) for n in range(N)])\n"
        "return F.normalize(query, dim=1) @ F.normalize(c, dim=1).T",
        # divided by tau
        "N = int(support_y.max()) + 1\n"
        "c = torch.stack([support[support_y == n].mean(0) for n in range(N)])\n"
        "return F.normalize(query, dim=1) @ F.normalize(c, dim=1).T / tau",
        # dot product
        "N = int(support_y.max()) + 1\n"
        "c = torch.stack([support[support_y == n].mean(0) for n in range(N)])\n"
        "return tau * query @ c.T",
        # prototypes not normalised
        "N = int(support_y.max()) + 1\n"
        "c = torch.stack([support[support_y == n].mean(0) for n in range(N)])\n"
        "return tau * F.normalize(query, dim=1) @ c.T",
        # the mean of unit vectors
        "s = F.normalize(support, dim=1)\nN = int(support_y.max()) + 1\n"
        "c = torch.stack([s[support_y == n].mean(0) for n in range(N)])\n"
        "return tau * F.normalize(query, dim=1) @ F.normalize(c, dim=1).T",
        # the mean of cosines
        "z = F.normalize(query, dim=1) @ F.normalize(support, dim=1).T\n"
        "N = int(support_y.max()) + 1\n"
        "return tau * torch.stack([z[:, support_y == n].mean(1) for n in range(N)], 1)",
        # squared distance
        "N = int(support_y.max()) + 1\n"
        "c = torch.stack([support[support_y == n].mean(0) for n in range(N)])\n"
        "return -tau * torch.cdist(query, c) ** 2",
        # probabilities
        "N = int(support_y.max()) + 1\n"
        "c = torch.stack([support[support_y == n].mean(0) for n in range(N)])\n"
        "return (tau * F.normalize(query, dim=1) @ F.normalize(c, dim=1).T).softmax(1)",
        # transposed
        "N = int(support_y.max()) + 1\n"
        "c = torch.stack([support[support_y == n].mean(0) for n in range(N)])\n"
        "return tau * F.normalize(c, dim=1) @ F.normalize(query, dim=1).T",
        # sums, normalised afterwards with the wrong axis
        "N = int(support_y.max()) + 1\n"
        "c = torch.stack([support[support_y == n].mean(0) for n in range(N)])\n"
        "return tau * F.normalize(query, dim=0) @ F.normalize(c, dim=0).T",
        # one logit a support example
        "tau * F.normalize(query, dim=1) @ F.normalize(support, dim=1).T",
        # the first example of each class
        "N = int(support_y.max()) + 1\n"
        "c = torch.stack([support[support_y == n][0] for n in range(N)])\n"
        "return tau * F.normalize(query, dim=1) @ F.normalize(c, dim=1).T",
        # minus
        "N = int(support_y.max()) + 1\n"
        "c = torch.stack([support[support_y == n].mean(0) for n in range(N)])\n"
        "return -tau * F.normalize(query, dim=1) @ F.normalize(c, dim=1).T",
        # the class
        "N = int(support_y.max()) + 1\n"
        "c = torch.stack([support[support_y == n].mean(0) for n in range(N)])\n"
        "return (tau * F.normalize(query, dim=1) @ F.normalize(c, dim=1).T).argmax(1)",
        # queries not normalised
        "N = int(support_y.max()) + 1\n"
        "c = torch.stack([support[support_y == n].mean(0) for n in range(N)])\n"
        "return tau * query @ F.normalize(c, dim=1).T",
        # unit vectors averaged and not normalised again
        "s = F.normalize(support, dim=1)\nN = int(support_y.max()) + 1\n"
        "c = torch.stack([s[support_y == n].mean(0) for n in range(N)])\n"
        "return tau * F.normalize(query, dim=1) @ c.T",
        # the nearest example of each class
        "z = F.normalize(query, dim=1) @ F.normalize(support, dim=1).T\n"
        "N = int(support_y.max()) + 1\n"
        "return tau * torch.stack([z[:, support_y == n].max(1).values for n in range(N)], 1)",
    ],
}
