"""Bernoulli bandits: arms that pay 1 or 0, each with a chance of its own that nobody tells."""

import torch
import torch.nn.functional as F

from course_lib.episodes import Episode, TaskFamily, at_least_two, room_for


class Bandits(TaskFamily):
    """k arms; arm a pays 1 with chance p_a and else 0, with p_a drawn uniformly from [0, 1].

    The tasks of Duan et al. (2016, section 3.1). The support set of a task is a past: which arm
    was pulled, and what it paid. Here the past is that of a player who pulls at random; a learner
    that plays makes its own. The queries are the arms themselves, and their targets the chances.

    Args:
        arms: k.
        device: where episodes are made.

    Raises:
        ValueError: there are fewer than two arms.
    """

    def __init__(self, arms: int = 5, device="cpu"):
        at_least_two(arms)
        self.arms, self.device = arms, torch.device(device)

    def settings(self) -> dict:
        return {"family": "bandits", "arms": self.arms}

    def sample(
        self, tasks: int, *, shots: int, queries: int, generator: torch.Generator | None = None
    ) -> Episode:
        """Draw tasks. An arm is a row of k numbers, 1 for itself and 0 for the others.

        Args:
            shots: pulls in the past.   queries: k, for every arm is asked about.

        Returns:
            An episode with support_x (tasks, shots, k) the arms pulled, support_y (tasks, shots, 1)
            what they paid, query_x (tasks, k, k) the arms and query_y (tasks, k, 1) their chances;
            ``hidden`` has "chances", (tasks, k).

        Raises:
            ValueError: a count is below 1, or the queries are not the arms.
        """
        room_for(tasks * (shots + self.arms) * (self.arms + 1), tasks=tasks, shots=shots)
        if queries != self.arms:
            raise ValueError(
                f"queries={queries}: a bandit asks about each of its arms: queries={self.arms}"
            )
        chances = torch.rand(tasks, self.arms, generator=generator, device=self.device)
        pulled = torch.randint(
            self.arms, (tasks, shots), generator=generator, device=self.device
        )
        luck = torch.rand(tasks, shots, generator=generator, device=self.device)
        paid = (luck < chances.gather(1, pulled)).float()
        arms = torch.eye(self.arms, device=self.device).expand(tasks, -1, -1)
        return Episode(
            F.one_hot(pulled, self.arms).float(), paid[:, :, None], arms, chances[:, :, None],
            hidden={"chances": chances},
        )  # fmt: skip
