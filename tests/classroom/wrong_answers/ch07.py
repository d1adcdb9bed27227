"""Plausible wrong answers to the exercises of chapter 07, written from statement and stub alone."""

WRONG = {
    "07.one_more": [
        # the mean of two
        "c = c.clone()\nc[n] = (c[n] + x) / 2\nreturn c",
        # divided by shots
        "c = c.clone()\nc[n] = (shots * c[n] + x) / shots\nreturn c",
        # in place
        "c[n] = (shots * c[n] + x) / (shots + 1)\nreturn c",
        # one row
        "(shots * c[n] + x) / (shots + 1)",
        # every row
        "(shots * c + x) / (shots + 1)",
        # weights exchanged
        "c = c.clone()\nc[n] = (c[n] + shots * x) / (shots + 1)\nreturn c",
        # the new one only
        "c = c.clone()\nc[n] = x\nreturn c",
        # a new row
        "torch.cat([c, x[None]])",
        # added
        "c = c.clone()\nc[n] = c[n] + x\nreturn c",
        # shots not multiplied
        "c = c.clone()\nc[n] = (c[n] + x) / (shots + 1)\nreturn c",
        # moved the wrong way
        "c = c.clone()\nc[n] = c[n] - (x - c[n]) / (shots + 1)\nreturn c",
        # the step 1 / shots
        "c = c.clone()\nc[n] = c[n] + (x - c[n]) / shots\nreturn c",
        # the class before
        "c = c.clone()\nc[n - 1] = (shots * c[n - 1] + x) / (shots + 1)\nreturn c",
        # divided by the ways
        "c = c.clone()\nc[n] = (shots * c[n] + x) / (len(c) + 1)\nreturn c",
        # a copy that is none
        "new = c\nnew[n] = (shots * new[n] + x) / (shots + 1)\nreturn new",
        # a mean over all
        "c = c.clone()\nc[n] = torch.stack([*c, x]).mean(0)\nreturn c",
        # brackets
        "c = c.clone()\nc[n] = shots * c[n] + x / (shots + 1)\nreturn c",
    ],
    "07.loss": [
        # plain distance
        "F.cross_entropy(-torch.cdist(query, c), query_y)",
        # plus the distance
        "F.cross_entropy(torch.cdist(query, c) ** 2, query_y)",
        # a sum
        "F.cross_entropy(-torch.cdist(query, c) ** 2, query_y, reduction='sum')",
        # the distance to the right prototype
        "((query - c[query_y]) ** 2).sum(1).mean()",
        # softmax first, then cross-entropy
        "F.cross_entropy((-torch.cdist(query, c) ** 2).softmax(1), query_y)",
        # a dot product
        "F.cross_entropy(query @ c.T, query_y)",
        # cosine
        "F.cross_entropy(F.cosine_similarity(query[:, None], c[None], dim=2), query_y)",
        # probabilities in place of logarithms
        "p = (-torch.cdist(query, c) ** 2).softmax(1)\n"
        "return -p[range(len(query)), query_y].mean()",
        # no minus
        "p = (-torch.cdist(query, c) ** 2).log_softmax(1)\n"
        "return p[range(len(query)), query_y].mean()",
        # softmax over queries
        "p = (-torch.cdist(query, c) ** 2).log_softmax(0)\n"
        "return -p[range(len(query)), query_y].mean()",
        # the wrong number
        "((-torch.cdist(query, c) ** 2).argmax(1) != query_y).float().mean()",
        # a mean over features
        "d = ((query[:, None] - c[None]) ** 2).mean(2)\nreturn F.cross_entropy(-d, query_y)",
        # the logarithm of the mean
        "p = (-torch.cdist(query, c) ** 2).softmax(1)\n"
        "return -p[range(len(query)), query_y].mean().log()",
        # halved
        "F.cross_entropy(-torch.cdist(query, c) ** 2 / 2, query_y)",
        # one a query
        "F.cross_entropy(-torch.cdist(query, c) ** 2, query_y, reduction='none')",
        # accuracy
        "((-torch.cdist(query, c) ** 2).argmax(1) == query_y).float().mean()",
        # arguments exchanged
        "F.cross_entropy(query_y, -torch.cdist(query, c) ** 2)",
        # all classes
        "p = (-torch.cdist(query, c) ** 2).log_softmax(1)\nreturn -p.mean()",
        # negative distances, divided by the root of d
        "F.cross_entropy(-torch.cdist(query, c) ** 2 / query.shape[1] ** 0.5, query_y)",
    ],
    "07.border": [
        # exchanged
        "2 * (c_b - c_a), (c_a ** 2).sum() - (c_b ** 2).sum()",
        # no 2
        "c_a - c_b, (c_b ** 2).sum() - (c_a ** 2).sum()",
        # the sign of b
        "2 * (c_a - c_b), (c_a ** 2).sum() - (c_b ** 2).sum()",
        # no bias
        "2 * (c_a - c_b), 0.0",
        # the bias of one
        "2 * c_a, -(c_a ** 2).sum()",
        # norms, not squared
        "2 * (c_a - c_b), c_b.norm() - c_a.norm()",
        # the mean between
        "(c_a + c_b) / 2, 0.0",
        # divided by 2
        "(c_a - c_b) / 2, ((c_b ** 2).sum() - (c_a ** 2).sum()) / 2",
        # halved
        "c_a - c_b, ((c_b ** 2).sum() - (c_a ** 2).sum()) / 2",
        # not summed
        "2 * (c_a - c_b), c_b ** 2 - c_a ** 2",
        # the square of the difference
        "2 * (c_a - c_b), -((c_a - c_b) ** 2).sum()",
        # a unit vector
        "w = (c_a - c_b) / (c_a - c_b).norm()\nreturn w, -w @ (c_a + c_b) / 2",
        # the product
        "2 * (c_a - c_b), -2 * c_a @ c_b",
        # the midpoint, with the wrong sign
        "w = 2 * (c_a - c_b)\nreturn w, w @ (c_a + c_b) / 2",
        # the sum
        "2 * (c_a + c_b), (c_b ** 2).sum() - (c_a ** 2).sum()",
        # not halved midpoint
        "w = 2 * (c_a - c_b)\nreturn w, -w @ (c_a + c_b)",
        # order of the pair
        "(c_b ** 2).sum() - (c_a ** 2).sum(), 2 * (c_a - c_b)",
    ],
    "07.left_out": [
        # itself too
        "s = F.normalize(support, dim=1)\n"
        "return (10 * s @ s.T).softmax(1) @ F.one_hot(support_y, ways).float()",
        # zero in the diagonal before the softmax
        "s = F.normalize(support, dim=1)\nz = 10 * s @ s.T\nz.fill_diagonal_(0)\n"
        "return z.softmax(1) @ F.one_hot(support_y, ways).float()",
        # zero after the softmax
        "s = F.normalize(support, dim=1)\nw = (10 * s @ s.T).softmax(1)\nw.fill_diagonal_(0)\n"
        "return w @ F.one_hot(support_y, ways).float()",
        # no factor 10
        "s = F.normalize(support, dim=1)\nz = s @ s.T\nz.fill_diagonal_(float('-inf'))\n"
        "return z.softmax(1) @ F.one_hot(support_y, ways).float()",
        # dot product
        "z = 10 * support @ support.T\nz.fill_diagonal_(float('-inf'))\n"
        "return z.softmax(1) @ F.one_hot(support_y, ways).float()",
        # the wrong axis
        "s = F.normalize(support, dim=1)\nz = 10 * s @ s.T\nz.fill_diagonal_(float('-inf'))\n"
        "return z.softmax(0) @ F.one_hot(support_y, ways).float()",
        # minus one in the diagonal
        "s = F.normalize(support, dim=1)\nz = s @ s.T\nz.fill_diagonal_(-1)\n"
        "return (10 * z).softmax(1) @ F.one_hot(support_y, ways).float()",
        # the attention itself
        "s = F.normalize(support, dim=1)\nz = 10 * s @ s.T\nz.fill_diagonal_(float('-inf'))\n"
        "return z.softmax(1)",
        # divided by the number in each class
        "s = F.normalize(support, dim=1)\nz = 10 * s @ s.T\nz.fill_diagonal_(float('-inf'))\n"
        "y = F.one_hot(support_y, ways).float()\nreturn z.softmax(1) @ (y / y.sum(0))",
        # own votes only
        "s = F.normalize(support, dim=1)\nz = 10 * s @ s.T\nz.fill_diagonal_(float('-inf'))\n"
        "v = z.softmax(1) @ F.one_hot(support_y, ways).float()\n"
        "return v[range(len(v)), support_y]",
        # distances
        "z = -10 * torch.cdist(support, support)\nz.fill_diagonal_(float('-inf'))\n"
        "return z.softmax(1) @ F.one_hot(support_y, ways).float()",
        # the winner
        "s = F.normalize(support, dim=1)\nz = 10 * s @ s.T\nz.fill_diagonal_(float('-inf'))\n"
        "return (z.softmax(1) @ F.one_hot(support_y, ways).float()).argmax(1)",
        # no softmax
        "s = F.normalize(support, dim=1)\nz = 10 * s @ s.T\nz.fill_diagonal_(0)\n"
        "return z @ F.one_hot(support_y, ways).float()",
        # plus infinity
        "s = F.normalize(support, dim=1)\nz = 10 * s @ s.T\nz.fill_diagonal_(float('inf'))\n"
        "return z.softmax(1) @ F.one_hot(support_y, ways).float()",
        # normalised over the wrong axis
        "s = F.normalize(support, dim=0)\nz = 10 * s @ s.T\nz.fill_diagonal_(float('-inf'))\n"
        "return z.softmax(1) @ F.one_hot(support_y, ways).float()",
        # softmax of sums per class
        "s = F.normalize(support, dim=1)\nz = 10 * s @ s.T\nz.fill_diagonal_(0)\n"
        "return (z @ F.one_hot(support_y, ways).float()).softmax(1)",
        # the whole class left out
        "s = F.normalize(support, dim=1)\nz = 10 * s @ s.T\n"
        "z[support_y[:, None] == support_y[None]] = float('-inf')\n"
        "return z.softmax(1) @ F.one_hot(support_y, ways).float()",
        # divided by 10
        "s = F.normalize(support, dim=1)\nz = s @ s.T / 10\nz.fill_diagonal_(float('-inf'))\n"
        "return z.softmax(1) @ F.one_hot(support_y, ways).float()",
    ],
}
