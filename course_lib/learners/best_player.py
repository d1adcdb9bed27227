"""The best that anyone can do at a short bandit, computed backwards from the last pull."""

from functools import lru_cache

import torch
from torch import Tensor

from course_lib.episodes import at_least_one
from course_lib.learners.bandit_players import Counter

LONGEST = 30  # pulls with two arms; more arms need more memory, see `Best`


@lru_cache(maxsize=1_000_000)
def value(counts: tuple[tuple[int, int], ...], left: int) -> float:
    """The reward to be expected from ``left`` more pulls of who chooses best, when every arm has
    the counts (wins, losses) and each chance was drawn uniformly.

    Args:
        counts: sorted, since arms with the same counts are alike: that keeps the table small.
    """
    return max(worth(counts, arm, left) for arm in range(len(counts))) if left else 0.0


def worth(counts: tuple[tuple[int, int], ...], arm: int, left: int) -> float:
    """The same, when this arm is pulled first: p (1 + value after a win) + (1 - p) (value after a
    loss), with p = (1 + wins) / (2 + pulls)."""
    (wins, losses), rest = counts[arm], counts[:arm] + counts[arm + 1 :]
    p = (1 + wins) / (2 + wins + losses)
    won = value(tuple(sorted((*rest, (wins + 1, losses)))), left - 1)
    lost = value(tuple(sorted((*rest, (wins, losses + 1)))), left - 1)
    return p * (1 + won) + (1 - p) * lost


class Best(Counter):
    """Pulls the arm of the highest `worth`: no player has a higher mean reward over bandits whose
    chances are uniform. Beyond some 15 pulls of five arms the table no longer fits.

    Args:
        pulls: n, how many pulls there are.

    Raises:
        ValueError: pulls is below 1 or above 30.
    """

    def __init__(self, pulls: int = 10):
        super().__init__()
        at_least_one(pulls=pulls)
        if pulls > LONGEST:
            raise ValueError(f"pulls={pulls}: the table would not fit; {LONGEST} at most")
        self.pulls = pulls

    def preferences(self, memory: Tensor) -> Tensor:
        rows, which = memory.flatten(1).long().unique(dim=0, return_inverse=True)
        arms = memory.shape[-1]
        found = [self.worths(tuple(zip(row[:arms], row[arms:], strict=True))) for row in
                 rows.tolist()]  # fmt: skip
        return torch.tensor(found, device=memory.device)[which]

    def worths(self, counts: tuple[tuple[int, int], ...]) -> list[float]:
        """`worth` of each arm; after the last pull, the mean of the posterior."""
        left = max(1, self.pulls - sum(map(sum, counts)))
        return [worth(counts, arm, left) for arm in range(len(counts))]

    def settings(self) -> dict:
        return super().settings() | {"pulls": self.pulls}
