"""Plausible wrong answers to the exercises of chapter 01, written from statement and stub alone."""

WRONG = {
    "01.split": [
        "x[:shots], y[:shots], x[shots:], y[shots:]",
        "x[order[:shots]], y[order[:shots]], x, y",
        "s, q = order[:shots], order[shots:]\nreturn x[s], x[q], y[s], y[q]",
        "s, q = order[:shots], order[shots:]\nreturn x[q], y[q], x[s], y[s]",
        "s, q = order[-shots:], order[:-shots]\nreturn x[s], y[s], x[q], y[q]",
        "s = order[:shots]\nreturn x[s], y[s], x[shots:], y[shots:]",
        "s, q = order[:shots], order[shots + 1:]\nreturn x[s], y[s], x[q], y[q]",
        "s = order[:shots]\nreturn x[s], y[s], x[s], y[s]",
        "s, q = order[:shots - 1], order[shots - 1:]\nreturn x[s], y[s], x[q], y[q]",
        "s, q = order[:shots], order[shots:]\nreturn x[s], y[:shots], x[q], y[shots:]",
        "s, q = order < shots, order >= shots\nreturn x[s], y[s], x[q], y[q]",
        "s, q = order[:shots].sort().values, order[shots:].sort().values\n"
        "return x[s], y[s], x[q], y[q]",
        "s, q = order[:shots], order[shots:]\nreturn (x[s], y[s]), (x[q], y[q])",
        "x, y = x[order], y[order]\nreturn x[:shots], y[:shots], x, y",
        "s, q = order[:shots], order[shots:2 * shots]\nreturn x[s], y[s], x[q], y[q]",
        "import torch\norder = torch.randperm(len(x))\ns, q = order[:shots], order[shots:]\n"
        "return x[s], y[s], x[q], y[q]",
    ],
    "01.relabel": [
        "support, query",
        "names[support], names[query]",
        "table = {int(n): i for i, n in enumerate(sorted(names.tolist()))}\n"
        "return (torch.tensor([table[int(n)] for n in support]),\n"
        "        torch.tensor([table[int(n)] for n in query]))",
        "places = lambda items: (items[:, None] == names[None]).float()\n"
        "return places(support), places(query)",
        "table = {int(n): i + 1 for i, n in enumerate(names)}\n"
        "return (torch.tensor([table[int(n)] for n in support]),\n"
        "        torch.tensor([table[int(n)] for n in query]))",
        "table = {n: i for i, n in enumerate(names)}\n"
        "return torch.tensor([table[n] for n in support]), torch.tensor([table[n] for n in query])",
        "table = {int(n): i for i, n in enumerate(names)}\n"
        "return [table[int(n)] for n in support], [table[int(n)] for n in query]",
        "table = {int(n): i for i, n in enumerate(support.unique())}\n"
        "return (torch.tensor([table[int(n)] for n in support]),\n"
        "        torch.tensor([table[int(n)] for n in query]))",
        "seen = []\nfor n in support.tolist():\n    if n not in seen:\n        seen.append(n)\n"
        "return (torch.tensor([seen.index(n) for n in support.tolist()]),\n"
        "        torch.tensor([seen.index(n) for n in query.tolist()]))",
        "places = lambda items: (items[:, None] == names[None]).nonzero()[:, 0]\n"
        "return places(support), places(query)",
        "torch.arange(len(support)), torch.arange(len(query))",
        "support % len(names), query % len(names)",
        "places = torch.tensor([names.tolist().index(n) for n in support.tolist()])\n"
        "return places, query",
        "places = lambda items: torch.searchsorted(names, items)\n"
        "return places(support), places(query)",
        "places = torch.tensor([names.tolist().index(n) for n in support.tolist()])\n"
        "return places, places",
        "order = names.argsort()\nreturn order[support], order[query]",
    ],
    "01.floor": [
        "curves.var()",
        "((curves - curves.mean()) ** 2).mean()",
        "(curves ** 2).mean()",
        "((curves - curves.mean(1, keepdim=True)) ** 2).mean()",
        "curves.var(0).mean()",
        "curves.std(0).mean()",
        "curves.mean(0)",
        "((curves - curves.median(0).values) ** 2).mean()",
        "min(((curves - c) ** 2).mean() for c in curves)",
        "curves.var(0, unbiased=False)",
        "((curves - curves.mean(0)) ** 2).sum()",
        "(curves - curves.mean(0)).abs().mean()",
        "((curves - curves.mean(0)) ** 2).mean().sqrt()",
        "curves.mean(0).var()",
        "((curves - curves.mean(0)) ** 2).mean(1).min()",
        "(curves - curves.mean(0)).mean() ** 2",
    ],
}
