"""Plausible wrong answers to the exercises of chapter 00, written from statement and stub alone."""

WRONG = {
    "00.chance": [
        "0.5",
        "ways",
        "1 / (ways + 1)",
        "100 / ways",
        "1 / (ways - 1)",
        "1 / 5",
        "1 / ways ** 2",
        "1 - 1 / ways",
        "0.2",
        "round(1 / ways)",
        "1 // ways",
        "import random\nreturn random.random()",
        "import random\nreturn float(random.randrange(ways) == 0)",
        "(1 / ways) * 100 / 1",
        "print(1 / ways)",
    ],
    "00.nearest": [
        # the index of the nearest example, not its class
        "d = ((query_x[:, None] - support_x[None]) ** 2).flatten(2).sum(2)\nreturn d.argmin(1)",
        # the farthest
        "d = ((query_x[:, None] - support_x[None]) ** 2).flatten(2).sum(2)\n"
        "return support_y[d.argmax(1)]",
        # for each support drawing the nearest query
        "d = ((query_x[:, None] - support_x[None]) ** 2).flatten(2).sum(2)\n"
        "return support_y[d.argmin(0)]",
        # differences without square or absolute value
        "d = (query_x[:, None] - support_x[None]).flatten(2).sum(2)\nreturn support_y[d.argmin(1)]",
        # the amount of ink
        "d = (query_x.flatten(1).mean(1)[:, None] - support_x.flatten(1).mean(1)).abs()\n"
        "return support_y[d.argmin(1)]",
        # the distances
        "return ((query_x[:, None] - support_x[None]) ** 2).flatten(2).sum(2)",
        # the smallest distance
        "d = ((query_x[:, None] - support_x[None]) ** 2).flatten(2).sum(2)\nreturn d.min(1).values",
        # one query only
        "d = ((query_x[0] - support_x) ** 2).flatten(1).sum(1)\nreturn support_y[d.argmin()]",
        # a product without lengths
        "d = query_x.flatten(1) @ support_x.flatten(1).T\nreturn support_y[d.argmax(1)]",
        # class means
        "ways = int(support_y.max()) + 1\n"
        "c = torch.stack([support_x[support_y == n].mean(0) for n in range(ways)])\n"
        "d = ((query_x[:, None] - c[None]) ** 2).flatten(2).sum(2)\nreturn d.argmin(1)",
        # a product, and its minimum
        "d = query_x.flatten(1) @ support_x.flatten(1).T\nreturn support_y[d.argmin(1)]",
        # a list of plain numbers, and the first in place of the best
        "answers = []\nfor q in query_x:\n    best = 0\n    for i, s in enumerate(support_x):\n"
        "        if ((q - s) ** 2).sum() < best:\n            best = i\n"
        "    answers.append(support_y[best])\nreturn torch.stack(answers)",
        # return inside the loop
        "for q in query_x:\n    d = ((q - support_x) ** 2).flatten(1).sum(1)\n"
        "    return support_y[d.argmin()]",
        "return support_y",
        # broadcast without a new axis
        "d = ((query_x - support_x) ** 2).flatten(1).sum(1)\nreturn support_y[d.argmin()]",
    ],
    "00.interval": [
        # over items and not over episodes
        "h = hits.float().flatten()\nreturn h.mean(), 1.96 * h.std() / len(h) ** 0.5",
        # no root
        "m = hits.float().mean(1)\nreturn m.mean(), 1.96 * m.std() / len(m)",
        # the whole width
        "m = hits.float().mean(1)\nreturn m.mean(), 2 * 1.96 * m.std() / len(m) ** 0.5",
        # the standard error alone
        "m = hits.float().mean(1)\nreturn m.mean(), m.std() / len(m) ** 0.5",
        # the standard deviation
        "m = hits.float().mean(1)\nreturn m.mean(), m.std()",
        # 1.96 standard deviations
        "m = hits.float().mean(1)\nreturn m.mean(), 1.96 * m.std()",
        # over the wrong axis
        "m = hits.float().mean(0)\nreturn m.mean(), 1.96 * m.std() / len(m) ** 0.5",
        # the variance
        "m = hits.float().mean(1)\nreturn m.mean(), 1.96 * m.var() / len(m) ** 0.5",
        # low and high end
        "m = hits.float().mean(1)\nh = 1.96 * m.std() / len(m) ** 0.5\n"
        "return m.mean() - h, m.mean() + h",
        # the binomial formula
        "p = hits.float().mean()\nreturn p, 1.96 * (p * (1 - p) / hits.numel()) ** 0.5",
        # the binomial formula over episodes
        "p = hits.float().mean()\nreturn p, 1.96 * (p * (1 - p) / len(hits)) ** 0.5",
        # divided by the number of items
        "m = hits.float().mean(1)\nreturn m.mean(), 1.96 * m.std() / hits.numel() ** 0.5",
        # in percent
        "m = 100 * hits.float().mean(1)\nreturn m.mean(), 1.96 * m.std() / len(m) ** 0.5",
        # half of the half
        "m = hits.float().mean(1)\nreturn m.mean(), 1.96 * m.std() / len(m) ** 0.5 / 2",
        # the mean alone
        "return hits.float().mean()",
        # sums of hits
        "m = hits.float().sum(1)\nreturn m.mean(), 1.96 * m.std() / len(m) ** 0.5",
    ],
}
