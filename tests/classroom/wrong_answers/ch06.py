"""Plausible wrong answers to the exercises of chapter 06, written from statement and stub alone."""

D = "d = torch.cdist(f, f)\n"
PAIRS = "pairs = [(i, j) for i in range(len(f)) for j in range(i + 1, len(f))"

WRONG = {
    "06.contrastive": [
        # y the other way round
        "(y * D ** 2 + (1 - y) * (m - D).clamp(min=0) ** 2).mean()",
        # a sum
        "((1 - y) * D ** 2 + y * (m - D).clamp(min=0) ** 2).sum()",
        # no clamp
        "((1 - y) * D ** 2 + y * (m - D) ** 2).mean()",
        # squared distance in the margin
        "((1 - y) * D ** 2 + y * (m - D ** 2).clamp(min=0)).mean()",
        # the factor one half
        "(0.5 * (1 - y) * D ** 2 + 0.5 * y * (m - D).clamp(min=0) ** 2).mean()",
        # not squared
        "((1 - y) * D + y * (m - D).clamp(min=0)).mean()",
        # only the hinge not squared
        "((1 - y) * D ** 2 + y * (m - D).clamp(min=0)).mean()",
        # only the pull not squared
        "((1 - y) * D + y * (m - D).clamp(min=0) ** 2).mean()",
        # the hinge the wrong way round
        "((1 - y) * D ** 2 + y * (D - m).clamp(min=0) ** 2).mean()",
        # one loss a pair
        "(1 - y) * D ** 2 + y * (m - D).clamp(min=0) ** 2",
        # the mean of the two means
        "(D[y == 0] ** 2).mean() + ((m - D[y == 1]).clamp(min=0) ** 2).mean()",
        # clamped at the other side
        "((1 - y) * D ** 2 + y * (m - D).clamp(max=0) ** 2).mean()",
        # margin for both
        "((1 - y) * (D - m).clamp(min=0) ** 2 + y * (m - D).clamp(min=0) ** 2).mean()",
        # a margin of 1
        "((1 - y) * D ** 2 + y * (1 - D).clamp(min=0) ** 2).mean()",
        # minus the dissimilar
        "((1 - y) * D ** 2 - y * D ** 2).mean()",
        # Python's max
        "((1 - y) * D ** 2 + y * max(0, m - D) ** 2).mean()",
        # caret
        "((1 - y) * D ^ 2 + y * (m - D).clamp(min=0) ^ 2).mean()",
        # margin squared minus distance squared
        "((1 - y) * D ** 2 + y * (m ** 2 - D ** 2).clamp(min=0)).mean()",
    ],
    "06.hardest": [
        # the farthest
        D + PAIRS + " if classes[i] != classes[j]]\n"
        "return sorted(pairs, key=lambda p: -d[p])[:k]",
        # the similar pairs
        D + PAIRS + " if classes[i] == classes[j]]\nreturn sorted(pairs, key=lambda p: d[p])[:k]",
        # all pairs
        D + PAIRS + "]\n" + "return sorted(pairs, key=lambda p: d[p])[:k]",
        # both orders
        "d = torch.cdist(f, f)\npairs = [(i, j) for i in range(len(f)) for j in range(len(f))\n"
        "         if classes[i] != classes[j]]\nreturn sorted(pairs, key=lambda p: d[p])[:k]",
        # not sorted
        "pairs = [(i, j) for i in range(len(f)) for j in range(i + 1, len(f))\n"
        "         if classes[i] != classes[j]]\nreturn pairs[:k]",
        # i > j
        D + PAIRS.replace("[(i, j)", "[(j, i)") + " if classes[i] != classes[j]]\n"
        "return sorted(pairs, key=lambda p: d[p])[:k]",
        # hardest last
        D + PAIRS + " if classes[i] != classes[j]]\n"
        "return sorted(pairs, key=lambda p: d[p])[:k][::-1]",
        # all, not k
        D + PAIRS + " if classes[i] != classes[j]]\nreturn sorted(pairs, key=lambda p: d[p])",
        # the distances
        D + PAIRS + " if classes[i] != classes[j]]\nreturn sorted(d[p] for p in pairs)[:k]",
        # classes and not positions
        D + PAIRS + " if classes[i] != classes[j]]\npairs = sorted(pairs, key=lambda p: d[p])[:k]\n"
        "return [(int(classes[i]), int(classes[j])) for i, j in pairs]",
        # with itself: distance 0
        "d = torch.cdist(f, f)\npairs = [(i, j) for i in range(len(f)) for j in range(i, len(f))]\n"
        "return sorted(pairs, key=lambda p: d[p])[:k]",
        # one for each drawing
        "d = torch.cdist(f, f)\nd[classes[:, None] == classes[None]] = float('inf')\n"
        "near = d.argmin(1)\nreturn [(i, int(near[i])) for i in range(k)]",
        # by the coordinates' sum
        "pairs = [(i, j) for i in range(len(f)) for j in range(i + 1, len(f))\n"
        "         if classes[i] != classes[j]]\n"
        "return sorted(pairs, key=lambda p: float((f[p[0]] - f[p[1]]).sum()))[:k]",
        # neighbours in the list only
        "d = torch.cdist(f, f)\npairs = [(i, i + 1) for i in range(len(f) - 1)\n"
        "         if classes[i] != classes[i + 1]]\nreturn sorted(pairs, key=lambda p: d[p])[:k]",
        # all pairs, then filtered
        D + PAIRS + "]\n" + "pairs = sorted(pairs, key=lambda p: d[p])[:k]\n"
        "return [(i, j) for i, j in pairs if classes[i] != classes[j]]",
        # triples with the distance
        "d = torch.cdist(f, f)\nrows = sorted((float(d[i, j]), i, j) for i in range(len(f))\n"
        "              for j in range(i + 1, len(f)) if classes[i] != classes[j])\nreturn rows[:k]",
    ],
    "06.koch": [
        # the contrastive meaning of same
        "p = torch.sigmoid((a * (h1 - h2).abs()).sum(1) + b)\n"
        "return -((1 - same) * p.log() + same * (1 - p).log()).mean()",
        # no absolute value
        "p = torch.sigmoid((a * (h1 - h2)).sum(1) + b)\n"
        "return -(same * p.log() + (1 - same) * (1 - p).log()).mean()",
        # no sigmoid
        "p = (a * (h1 - h2).abs()).sum(1) + b\n"
        "return F.binary_cross_entropy(p, same)",
        # squared difference
        "z = (a * (h1 - h2) ** 2).sum(1) + b\n"
        "return F.binary_cross_entropy_with_logits(z, same)",
        # no bias
        "z = (a * (h1 - h2).abs()).sum(1)\nreturn F.binary_cross_entropy_with_logits(z, same)",
        # a sum
        "z = (a * (h1 - h2).abs()).sum(1) + b\n"
        "return F.binary_cross_entropy_with_logits(z, same, reduction='sum')",
        # no minus
        "p = torch.sigmoid((a * (h1 - h2).abs()).sum(1) + b)\n"
        "return (same * p.log() + (1 - same) * (1 - p).log()).mean()",
        # the sigmoid twice
        "p = torch.sigmoid((a * (h1 - h2).abs()).sum(1) + b)\n"
        "return F.binary_cross_entropy_with_logits(p, same)",
        # only similar pairs
        "p = torch.sigmoid((a * (h1 - h2).abs()).sum(1) + b)\nreturn -(same * p.log()).mean()",
        # no weights
        "z = (h1 - h2).abs().sum(1) + b\nreturn F.binary_cross_entropy_with_logits(z, same)",
        # the norm
        "z = a.sum() * (h1 - h2).norm(dim=1) + b\n"
        "return F.binary_cross_entropy_with_logits(z, same)",
        # squared error
        "p = torch.sigmoid((a * (h1 - h2).abs()).sum(1) + b)\nreturn ((p - same) ** 2).mean()",
        # bias added per feature
        "z = (a * (h1 - h2).abs() + b).sum(1)\nreturn F.binary_cross_entropy_with_logits(z, same)",
        # minus the distance
        "z = -(a * (h1 - h2).abs()).sum(1) + b\n"
        "return F.binary_cross_entropy_with_logits(z, same)",
        # one a pair
        "z = (a * (h1 - h2).abs()).sum(1) + b\n"
        "return F.binary_cross_entropy_with_logits(z, same, reduction='none')",
        # a mean over features
        "z = (a * (h1 - h2).abs()).mean(1) + b\n"
        "return F.binary_cross_entropy_with_logits(z, same)",
        # a product of the two
        "z = (a * h1 * h2).sum(1) + b\nreturn F.binary_cross_entropy_with_logits(z, same)",
        # the absolute value of the sum
        "z = (a * (h1 - h2)).sum(1).abs() + b\nreturn F.binary_cross_entropy_with_logits(z, same)",
    ],
}
