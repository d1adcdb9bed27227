"""Players of bandits: learners whose support set is their own past.

`Player` says what a player is, `play` lets one play many bandits side by side. Made by hand:
`Random`, `Greedy`, `UCB`, `Thompson`. All four keep one thing of the past, how often each arm paid
and how often not. A learned one is `rl2.RL2`.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.episodes import Episode, at_least_one
from course_lib.learners.base import Learner
from course_lib.networks.small import seeded


class Player(Learner):
    """What a player does: it begins with an empty memory, sees pulls, and prefers arms.

    The one signature of the course is kept: `predict` reads a past (support set) and says how much
    it would like to pull each arm that is asked about (queries).
    """

    def begin(self, tasks: int, arms: int, device=None) -> Tensor:
        """The memory before the first pull: (T, ...)."""
        raise NotImplementedError

    def see(self, memory: Tensor, pulled: Tensor, paid: Tensor) -> Tensor:
        """The memory after one more pull: memory (T, ...), pulled (T, k) with a 1 for the arm,
        paid (T,) -> (T, ...)."""
        raise NotImplementedError

    def preferences(self, memory: Tensor) -> Tensor:
        """How much each arm is preferred: (T, ...) -> (T, k)."""
        raise NotImplementedError

    def choose(self, memory: Tensor) -> Tensor:
        """The arms to pull next, the most preferred ones, ties decided by chance: (T, ...) -> (T,)
        arm numbers."""
        liked = self.preferences(memory)
        best = liked == liked.max(-1, keepdim=True).values
        return (best * (1 + torch.rand_like(liked))).argmax(-1)

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor) -> Tensor:
        """One task: support_x (S, k) the arms pulled, support_y (S, 1) what they paid, query_x
        (Q, k) the arms asked about -> (Q, 1), how much each is preferred after this past."""
        return self.read_pasts(support_x[None], support_y[None], query_x[None])[0]

    def forward(self, episode: Episode) -> Tensor:
        """All tasks side by side: (T, Q, 1)."""
        return self.read_pasts(episode.support_x, episode.support_y, episode.query_x)

    def read_pasts(self, pulled: Tensor, paid: Tensor, asked: Tensor) -> Tensor:
        """pulled (T, S, k), paid (T, S, 1), asked (T, Q, k) -> (T, Q, 1)."""
        memory = self.begin(len(pulled), pulled.shape[-1], pulled.device)
        for t in range(pulled.shape[1]):
            memory = self.see(memory, pulled[:, t], paid[:, t, 0])
        return asked @ self.preferences(memory)[:, :, None]


class Counter(Player):
    """A player who counts: its memory is (T, 2, k), how often each arm paid and how often not."""

    def begin(self, tasks: int, arms: int, device=None) -> Tensor:
        return torch.zeros(tasks, 2, arms, device=device)

    def see(self, memory: Tensor, pulled: Tensor, paid: Tensor) -> Tensor:
        outcome = torch.stack([paid, 1 - paid], 1)  # (T, 2)
        return memory + outcome[:, :, None] * pulled[:, None, :]


class Random(Counter):
    """Every arm is as good as every other."""

    def preferences(self, memory: Tensor) -> Tensor:
        return torch.zeros_like(memory[:, 0])


class Greedy(Counter):
    """The mean of the posterior: (1 + wins) / (2 + pulls). The prior is uniform, Beta(1, 1), so an
    arm that was never pulled counts as 1/2. Ties are decided by chance."""

    def preferences(self, memory: Tensor) -> Tensor:
        wins, losses = memory.unbind(1)
        return (1 + wins) / (2 + wins + losses)


class UCB(Counter):
    """The mean of the posterior plus a bonus for what is little known:
    (1 + wins) / (2 + pulls) + c sqrt(2 ln t / (2 + pulls)), t the number of this pull.

    The uniform prior counts as one win and one loss, as in Duan et al. (2016). The textbook's UCB1
    (Auer, Cesa-Bianchi, Fischer 2002) has none: it pulls every arm once first, in an order drawn
    by chance, and has c = 1.

    Args:
        c: how much the bonus counts.   prior: False for the textbook's form.

    Raises:
        ValueError: c is below 0.
    """

    def __init__(self, c: float = 0.1, *, prior: bool = True):
        super().__init__()
        if not c >= 0:
            raise ValueError(f"c={c}: the bonus needs a weight of at least 0")
        self.c, self.prior = float(c), prior

    def preferences(self, memory: Tensor) -> Tensor:
        wins, losses = memory.unbind(1)
        pulls = wins + losses
        t = pulls.sum(-1, keepdim=True) + 1
        if self.prior:
            return (1 + wins) / (2 + pulls) + self.c * (2 * t.log() / (2 + pulls)).sqrt()
        seen = pulls.clamp(min=1)
        return torch.where(
            pulls == 0, torch.inf, wins / seen + self.c * (2 * t.log() / seen).sqrt()
        )

    def settings(self) -> dict:
        return super().settings() | {"c": self.c, "prior": self.prior}


class Thompson(Counter):
    """One draw from the posterior Beta(1 + wins, 1 + losses) of each arm (Thompson 1933). The arm
    whose draw is highest is pulled."""

    def preferences(self, memory: Tensor) -> Tensor:
        wins, losses = memory.unbind(1)
        return torch.distributions.Beta(1 + wins, 1 + losses).sample()


# --- playing --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Games:
    """What was played on T bandits in n pulls: pulled (T, n) arm numbers, paid (T, n) of 0 and 1,
    and, where it was asked for, memories (T, n, ...), each from before its pull."""

    pulled: Tensor
    paid: Tensor
    memories: Tensor | None = None

    @property
    def totals(self) -> Tensor:
        """The sum of all rewards of each bandit: (T,)."""
        return self.paid.sum(1)


def luck_of(pulls: int, tasks: int) -> Tensor:
    """One number from 0 to 1 for each pull of each bandit, (n, T): whoever pulls an arm with a
    chance above it is paid."""
    return torch.rand(pulls, tasks)


@torch.no_grad()
def play(
    player: Player,
    chances: Tensor,
    pulls: int,
    *,
    seed: int | None = 0,
    forgets: bool = False,
    blind: bool = False,
    remember: bool = False,
) -> Games:
    """Let a player play T bandits side by side. With one seed every player meets the same luck: in
    a bandit, the same arm at the same pull pays the same.

    Args:
        chances: (T, k), of each arm.   pulls: n.   seed: None leaves the luck to torch.
        forgets: empty the memory after every pull.
        blind: tell the player of every reward that it was 0.
        remember: keep the memories.

    Raises:
        ValueError: pulls is below 1, or the chances are no chances.
    """
    at_least_one(pulls=pulls)
    if chances.ndim != 2 or not ((chances >= 0) & (chances <= 1)).all():
        raise ValueError(
            f"chances {tuple(chances.shape)}: give (bandits, arms), each between 0 and 1"
        )
    tasks, arms = chances.shape
    with seeded(seed):
        luck = luck_of(pulls, tasks).to(chances)
        memory, kept, pulled, paid = player.begin(tasks, arms, chances.device), [], [], []
        for t in range(pulls):
            if remember:
                kept.append(memory)
            arm = player.choose(memory)
            reward = (luck[t] < chances.gather(1, arm[:, None])[:, 0]).float()
            told = torch.zeros_like(reward) if blind else reward
            memory = player.see(memory, F.one_hot(arm, arms).float(), told)
            if forgets:
                memory = player.begin(tasks, arms, chances.device)
            pulled.append(arm)
            paid.append(reward)
    memories = torch.stack(kept, 1) if remember else None
    return Games(torch.stack(pulled, 1), torch.stack(paid, 1), memories)
