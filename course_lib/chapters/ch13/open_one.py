"""The open exercise of chapter 13: a rule of your own against greedy, a hundred pulls."""

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from course_lib.chapters.ch13.players import bandits
from course_lib.learners.bandit_players import Counter, Greedy, play
from course_lib.training.evaluation import Score, paired

PULLS, COUNT, SEED = 100, 2000, 2024


class Yours(Counter):
    """A player who prefers arms by a rule: rule(wins, pulls) -> preferences, all (T, k)."""

    def __init__(self, rule: Callable[[Tensor, Tensor], Tensor]):
        super().__init__()
        self.rule = rule

    def preferences(self, memory: Tensor) -> Tensor:
        wins, losses = memory.unbind(1)
        found = self.rule(wins, wins + losses)
        if not isinstance(found, Tensor) or found.shape != wins.shape:
            given = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(
                f"the rule returned {given}: one preference for each arm, {tuple(wins.shape)}"
            )
        if not torch.isfinite(found).all():
            raise ValueError("the rule returned NaN or infinity: an arm may have no pulls yet")
        return found


def earned(player: Counter) -> Score:
    """The totals of the bandits of this exercise."""
    found = play(player, bandits(COUNT, SEED), PULLS, seed=SEED).totals
    return Score(found, f"reward of {PULLS} pulls", chance=PULLS / 2)


greedy_earned = lru_cache(lambda: earned(Greedy()))


def against_greedy(rule: Callable[[Tensor, Tensor], Tensor]) -> str:
    """What a rule earns more than greedy, paired, in a sentence that says whether that is enough.

    Raises:
        ValueError: the rule returns no preferences.
    """
    yours = earned(Yours(rule))
    gain = paired(yours, greedy_earned())
    verdict = "beaten" if gain.mean > gain.half_width else "not beaten yet"
    return (
        f"you {yours.mean:.1f}, greedy {greedy_earned().mean:.1f}, difference {gain.mean:+.2f} ± "
        f"{gain.half_width:.2f} on {COUNT} bandits: greedy is {verdict}"
    )
