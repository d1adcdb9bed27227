"""What the hidden state of RL2 holds, and whether it is used."""

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.chapters.ch13.players import ARMS, OTHERS, bandits
from course_lib.learners.bandit_players import Counter, Games, Player, play
from course_lib.learners.rl2 import RL2


@torch.no_grad()
def replayed(player: Player, games: Games) -> Tensor:
    """The memories of a player to whom the pulls and rewards of these games are told, whoever made
    them: (T, n + 1, ...), the first before all pulls."""
    tasks, pulls = games.pulled.shape
    memory, kept = player.begin(tasks, ARMS), []
    for t in range(pulls):
        kept.append(memory)
        pulled = F.one_hot(games.pulled[:, t], ARMS).float()
        memory = player.see(memory, pulled, games.paid[:, t])
    return torch.stack([*kept, memory], 1)


def explained(states: Tensor, targets: Tensor, penalty: float = 1.0) -> Tensor:
    """How much of the variance of each target a ridge regression from the states explains, on the
    half of the bandits that it was not fitted on: states (T, d), targets (T, m) -> (m,)."""
    ones = torch.ones(len(states), 1)
    x, y = torch.cat([states, ones], 1).double(), targets.double()
    half = len(x) // 2
    gram = x[:half].T @ x[:half] + penalty * torch.eye(x.shape[1], dtype=x.dtype)
    weights = torch.linalg.solve(gram, x[:half].T @ y[:half])
    rest = (y[half:] - x[half:] @ weights).square().mean(0)
    return 1 - rest / y[half:].var(0, correction=0)


def decoded(player: RL2, others: dict[str, Player], pulls: int = 10, count: int = 4000) -> dict:
    """For each reader, {what: mean over the arms of the explained variance} of pulls, wins and the
    mean of the posterior of each arm, before the last pull. All are told the same games, which
    ``player`` has played."""
    games = play(player, bandits(count, OTHERS), pulls, seed=OTHERS)
    wins, losses = replayed(Counter(), games)[:, pulls - 1].unbind(1)
    targets = {
        "pulls of an arm": wins + losses, "wins of an arm": wins,
        "mean of its posterior": (1 + wins) / (2 + wins + losses),
    }  # fmt: skip
    found = {}
    for name, reader in {"trained": player, **others}.items():
        states = replayed(reader, games)[:, pulls - 1].flatten(1)
        found[name] = {
            what: explained(states, target).mean().item() for what, target in targets.items()
        }
    return found


@torch.no_grad()
def moved_by_order(player: RL2, count: int = 2000, pulls: int = 9) -> Tensor:
    """How far the chances of the next pull move when the past is told in another order: half of the
    summed differences, 0 to 1, of each bandit (T,). Counts are the same, so nothing should."""
    games = play(player, bandits(count, OTHERS), pulls, seed=OTHERS)
    order = torch.rand(count, pulls, generator=torch.Generator().manual_seed(0)).argsort(1)
    other = Games(games.pulled.gather(1, order), games.paid.gather(1, order))
    one, two = (
        player.preferences(replayed(player, g)[:, -1]).softmax(-1) for g in (games, other)
    )
    return (one - two).abs().sum(-1) / 2


@torch.no_grad()
def best_arm_named(player: Player, episode) -> Tensor:
    """Whether the arm that a player prefers after the past of each task is the one with the highest
    chance: (T,) of 0 and 1. The past was made by someone else."""
    return (player(episode)[..., 0].argmax(1) == episode.query_y[..., 0].argmax(1)).float()


def rewards_by_pull(player: Player, pulls: int, count: int = 20_000, **how) -> Tensor:
    """The mean reward of the first, second, ... pull: (n,)."""
    return play(player, bandits(count), pulls, **how).paid.mean(0)
