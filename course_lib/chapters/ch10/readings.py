"""What the stored answers of the real model say: accuracies over example sets and queries, with
calibration or without it, and the choice of a prompt on few labelled queries."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from course_lib.chapters.ch10 import design
from course_lib.chapters.ch10 import study_smollm as study
from course_lib.chapters.ch10.cells import NEUTRAL, Cell, task
from course_lib.training.evaluation import wilson

REPAIRS = ("as it is", "contextual", "batch")


@dataclass(frozen=True)
class Share:
    """A share of right answers over example sets and queries, in percent.

    The interval covers both draws: its variance is that of the sets' means over the number of sets
    plus that of the queries' means over the number of queries, a little too much rather than too
    little. Sets without any spread have Wilson's interval over the queries.

    Args:
        mean, half: of the 95 % interval.   low, high: of the sets' own shares.   sets, queries: how
            many.
    """

    mean: float
    half: float
    low: float
    high: float
    sets: int
    queries: int

    def __str__(self) -> str:
        return f"{self.mean:5.1f} ± {self.half:4.1f}"

    @property
    def span(self) -> str:
        """The worst and the best example set."""
        return f"{self.low:.0f} to {self.high:.0f}"


def share(right: Tensor) -> Share:
    """Right answers (sets, queries) of 0 and 1, or differences of such, as a `Share`."""
    right = right.float()
    sets, queries = right.shape
    each = 100 * right.mean(1)
    mean = each.mean().item()
    spread = right.mean(0).var() / queries
    if sets > 1:
        spread = spread + right.mean(1).var() / sets
    half = 196 * spread.item() ** 0.5
    if 0 <= right.min() and (sets == 1 or not right.mean(1).var()):  # no spread is no certainty
        ends = wilson(mean / 100, queries)
        half = max(half, 100 * max(abs(end - mean / 100) for end in ends))
    return Share(mean, half, each.min().item(), each.max().item(), sets, queries)


@cache
def stored() -> dict[str, Tensor]:
    """The tensors of the file."""
    return study.RUN.tensors()


@cache
def place() -> dict[Cell, tuple[str, int]]:
    """Where a cell lies in the file: tensor and row."""
    return {cell: (name, i) for name, own in study.groups().items() for i, cell in enumerate(own)}


def said(cell: Cell) -> tuple[Tensor, Tensor]:
    """What the model said: log probabilities of the labels for the queries (Q, N), and for queries
    without content (3, N).

    Raises:
        ValueError: the study has no such cell.
    """
    if cell not in place():
        raise ValueError(f"{cell} was not measured: `design.all_cells()` lists what was")
    name, row = place()[cell]
    scores = stored()[name][row]
    return scores[: -len(NEUTRAL)], scores[-len(NEUTRAL) :]


def truth(cell: Cell) -> Tensor:
    """The right classes of a cell's queries: (Q,)."""
    return torch.tensor([n for _, n in task(cell.task).queries[: cell.queries]])


def repaired(log_p: Tensor, neutral: Tensor, repair: str) -> Tensor:
    """Log probabilities (Q, N) with a preference divided out: none, what the model says to queries
    without content ("contextual", Zhao et al. 2021), or its mean over the queries themselves
    ("batch", Zhou et al. 2024), which needs no labels."""
    if repair == "contextual":
        return log_p - neutral.logsumexp(0)
    if repair == "batch":
        shares = log_p.log_softmax(-1)
        return shares - shares.logsumexp(0)
    return log_p


def answers(cell: Cell, repair: str = "as it is") -> Tensor:
    """The class that is answered for each query: (Q,). ``repair`` may also be "mean", which divides
    the score of a label by its tokens."""
    log_p, neutral = said(cell)
    if repair == "mean":
        return (log_p / stored()[f"lengths/{cell.task}"]).argmax(-1)
    return repaired(log_p, neutral, repair).argmax(-1)


def right(cells: Sequence[Cell], repair: str = "as it is") -> Tensor:
    """Which queries are answered rightly, one row a cell: (cells, Q)."""
    return torch.stack([answers(cell, repair) == truth(cell) for cell in cells]).float()


def by_sets(cell: Cell, sets: int = 8) -> list[Cell]:
    """The same cell with each example set that was measured; without examples there is one."""
    if not cell.shots:
        return [cell]
    every = [replace(cell, seed=s) for s in range(sets)]
    return [one for one in every if one in place()]


def score(cell: Cell, repair: str = "as it is", sets: int = 8) -> Share:
    """Accuracy of a prompt over its example sets."""
    return share(right(by_sets(cell, sets), repair))


def difference(one: Cell, other: Cell, repair: str = "as it is", sets: int = 8) -> Share:
    """Accuracy of one minus another, the same queries and the example sets that both have; a prompt
    without examples is compared with every set of the other."""
    a, b = by_sets(one, sets), by_sets(other, sets)
    if one.shots and other.shots:
        shared = {cell.seed for cell in a} & {cell.seed for cell in b}
        a, b = ([cell for cell in own if cell.seed in shared] for own in (a, b))
    a, b = right(a, repair), right(b, repair)
    return share(a.expand(max(len(a), len(b)), -1) - b)


def one_sided(cell: Cell) -> float:
    """How often the most frequent answer is given, in percent, averaged over the sets: 100 means
    one answer for everything."""
    shares = []
    for one in by_sets(cell):
        counts = torch.bincount(answers(one))
        shares.append(counts.max().item() / counts.sum().item())
    return 100 * sum(shares) / len(shares)


def ranks_rightly(cell: Cell) -> float:
    """With two labels: how often a query of class 0 leans more to label 0 than one of class 1 does,
    in percent (the area under the ROC curve), averaged over the sets. No preference for a label
    changes it; 50 is chance."""
    found = []
    for one in by_sets(cell):
        log_p = said(one)[0]
        lean, y = log_p[:, 0] - log_p[:, 1], truth(one)
        pairs = lean[y == 0][:, None] - lean[y == 1]
        found.append(((pairs > 0).float() + 0.5 * (pairs == 0)).mean().item())
    return 100 * sum(found) / len(found)


# --- the order of the same examples ---------------------------------------------------------------


def best_and_worst_order(right: Tensor, halves: Tensor) -> dict[str, Tensor]:
    """For every example set, the orders that are best and worst on one half of the queries, scored
    on the other half; then the halves change places.

    Args:
        right: (sets, orders, Q) of 0 and 1.   halves: (sets, Q) of 0 and 1.

    Returns:
        The shares right of the best and the worst order and of the mean of all, (sets,) each.
    """
    found: dict[str, list] = {"best": [], "worst": [], "mean": []}
    for half in (0, 1):
        one, other = (halves == half).float()[:, None], (halves != half).float()[:, None]
        chooses = (right * one).sum(-1) / one.sum(-1)
        scores = (right * other).sum(-1) / other.sum(-1)
        found["best"].append(scores.gather(1, chooses.argmax(1, keepdim=True))[:, 0])
        found["worst"].append(scores.gather(1, chooses.argmin(1, keepdim=True))[:, 0])
        found["mean"].append(scores.mean(1))
    return {name: torch.stack(both).mean(0) for name, both in found.items()}


def all_orders() -> list[Cell]:
    """The cells of sentiment with the same four examples in another order."""
    return [Cell("sentiment", shots=4, seed=s, order=o) for s in design.SETS for o in design.ORDERS]


def in_all_orders(repair: str = "as it is") -> tuple[Tensor, Tensor]:
    """Sentiment with the same four examples in eight orders: right answers (8 sets, 8 orders, Q),
    and the half of the queries that each belongs to, (8, Q). Twins are in one half."""
    grid = right(all_orders(), repair).unflatten(0, (len(design.SETS), len(design.ORDERS)))
    halves = torch.arange(grid.shape[-1]) // 2 % 2
    return grid, halves.expand(len(grid), -1)


# --- choosing a prompt with few labels (Perez et al. 2021) ----------------------------------------


def choose_prompt(right: Tensor, labelled: int, draws: int = 1000, seed: int = 0) -> dict:
    """Choose the prompt that is right most often on so many labelled queries, and score it there
    and on fresh ones, over many draws of the labelled queries.

    Args:
        right: (prompts, Q) of 0 and 1.

    Returns:
        In percent, meaned over the draws: "on the labelled", "on fresh ones", "any prompt", and
        "the best there is", which is chosen on the fresh queries themselves; "lowest" and "highest"
        of the middle 95 % of draws on fresh queries.
    """
    dice = torch.Generator().manual_seed(seed)
    order = torch.rand(draws, right.shape[1], generator=dice).argsort(1)
    rows = right[:, order]  # (prompts, draws, Q)
    seen, fresh = rows[..., :labelled].mean(-1), rows[..., labelled:].mean(-1)
    ties = seen + 1e-6 * torch.rand(seen.shape, generator=dice)
    best = ties.argmax(0)[None]
    told, true = seen.gather(0, best)[0], fresh.gather(0, best)[0]
    low, high = torch.quantile(true, torch.tensor([0.025, 0.975])).tolist()
    return {
        "on the labelled": 100 * told.mean().item(),
        "on fresh ones": 100 * true.mean().item(),
        "any prompt": 100 * fresh.mean().item(),
        "the best there is": 100 * fresh.amax(0).mean().item(),
        "lowest": 100 * low,
        "highest": 100 * high,
    }
