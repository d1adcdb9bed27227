"""RL^2: a recurrent network that plays, and whose hidden state is all that it learns of a task
(Duan et al. 2016; Wang et al. 2016)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.episodes import Episode, at_least_one, at_least_two
from course_lib.learners.bandit_players import Player
from course_lib.networks.small import seeded


class RL2(Player):
    """A GRU that reads its own past, one pull at a time: the arm, and what it paid.

    Nothing changes in its weights while it plays. The outer loop is a plain actor-critic: it plays
    fresh bandits, makes pulls likelier after which more was gained than expected, and fits what to
    expect. The player sees what was paid, 1 or 0. The outer loop drew the bandits and knows better:
    it counts the chance of the arm pulled minus that of the best arm. That has the same mean up to
    a constant of the bandit, so it makes the same player best, with far less noise.

    Args:
        arms: k.   width: of the hidden state.
        discount: a reward j pulls later counts discount^j.   trace: lambda of the generalised
            advantage (Schulman et al. 2016); 1 is the plain return minus the expected one.
        entropy: how much an undecided policy is rewarded, which keeps it trying.
        seed: makes the starting weights repeatable without touching torch's global seed.

    Raises:
        ValueError: a setting is out of range.
    """

    def __init__(
        self,
        arms: int = 5,
        width: int = 64,
        *,
        discount: float = 1.0,
        trace: float = 1.0,
        entropy: float = 0.02,
        seed: int | None = None,
    ):
        super().__init__()
        at_least_two(arms)
        at_least_one(width=width)
        for name, value in (("discount", discount), ("trace", trace)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name}={value}: choose a number between 0 and 1")
        if not entropy >= 0:
            raise ValueError(f"entropy={entropy}: choose a number of at least 0")
        self.arms, self.width = arms, width
        self.discount, self.trace, self.entropy = discount, trace, entropy
        with seeded(seed):
            self.read = nn.GRUCell(arms + 1, width)
            self.actor, self.critic = nn.Linear(width, arms), nn.Linear(width, 1)

    def begin(self, tasks: int, arms: int, device=None) -> Tensor:
        """A hidden state of zeros, where the weights are: (T, width).

        Raises:
            ValueError: the bandits have another number of arms than the network was built for.
        """
        if arms != self.arms:
            raise ValueError(
                f"the bandits have {arms} arms and RL2 was built for {self.arms}: write "
                f"RL2(arms={arms}) and train it"
            )
        return self.actor.weight.new_zeros(tasks, self.width)

    def see(self, memory: Tensor, pulled: Tensor, paid: Tensor) -> Tensor:
        return self.read(torch.cat([pulled, paid[:, None]], 1), memory)

    def preferences(self, memory: Tensor) -> Tensor:
        return self.actor(memory)

    def choose(self, memory: Tensor) -> Tensor:
        """An arm drawn from the softmax of the preferences: (T, width) -> (T,)."""
        return sampled(self.preferences(memory))

    def outer_loss(self, episode: Episode) -> Tensor:
        """The loss of actor and critic on games of their own: as many pulls as the episode has
        support items, on bandits with the chances of its queries. The past in the episode is not
        read."""
        chances, pulls = episode.query_y[..., 0], episode.support_x.shape[1]
        memory, kept, arms = self.begin(*chances.shape), [], []
        for _ in range(pulls):
            arm = sampled(self.preferences(memory).detach())
            paid = torch.bernoulli(chances.gather(1, arm[:, None]))[:, 0]
            kept.append(memory)
            arms.append(arm)
            memory = self.see(memory, F.one_hot(arm, self.arms).float(), paid)
        pulled = torch.stack(arms, 1)
        worth = chances.gather(1, pulled) - chances.max(1, keepdim=True).values
        return self.loss_of(torch.stack(kept, 1), pulled, worth)

    def loss_of(self, memories: Tensor, arms: Tensor, worth: Tensor) -> Tensor:
        """memories (T, n, width), each from before its pull, arms (T, n), and what each pull was
        worth (T, n) -> a scalar to differentiate."""
        logs = self.actor(memories).log_softmax(-1)  # (T, n, k)
        expected = self.critic(memories)[..., 0]  # (T, n)
        gain = advantages(worth, expected.detach(), self.discount, self.trace)
        taken = logs.gather(2, arms[:, :, None])[..., 0]
        scaled = (gain - gain.mean(0)) / (gain.std() + 1e-6)  # against other bandits, same pull
        actor = -(taken * scaled).mean()
        critic = (expected - (gain + expected.detach())).square().mean()
        undecided = -(logs.exp() * logs).sum(-1).mean()
        return actor + 0.5 * critic / self.reach(worth.shape[1]) - self.entropy * undecided

    def reach(self, pulls: int) -> float:
        """How many pulls a return sums up, which brings the critic's loss to one scale."""
        return pulls if self.discount == 1 else min(pulls, 1 / (1 - self.discount))

    def settings(self) -> dict:
        own = {"arms": self.arms, "width": self.width, "discount": self.discount}
        return super().settings() | own | {"trace": self.trace, "entropy": self.entropy}


def sampled(preferences: Tensor) -> Tensor:
    """An arm drawn from the softmax of each row: (T, k) -> (T,). Adding Gumbel noise and taking the
    largest is such a draw."""
    noise = -torch.empty_like(preferences).exponential_().log()
    return (preferences + noise).argmax(-1)


def advantages(rewards: Tensor, expected: Tensor, discount: float, trace: float) -> Tensor:
    """How much better it went from each pull on than was expected: (T, n) and (T, n) -> (T, n).

    With delta_t = r_t + discount * expected_{t+1} - expected_t, the advantage is the sum of the
    deltas from t on, each later one times discount * trace once more. After the last pull nothing
    is expected.
    """
    following = torch.cat([expected[:, 1:], torch.zeros_like(expected[:, :1])], 1)
    deltas, found, later = rewards + discount * following - expected, [], 0.0
    for delta in reversed(deltas.unbind(1)):
        later = delta + discount * trace * later
        found.append(later)
    return torch.stack(found[::-1], 1)
