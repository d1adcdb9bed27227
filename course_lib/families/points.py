"""A point in the plane that has to find a goal: rewards instead of answers."""

import torch
from torch import Tensor

from course_lib.episodes import Episode, TaskFamily, at_least_one, room_for

STEP = 0.1  # the farthest that the point moves along each axis in one step
BOX = 0.5  # goals lie in the square from -0.5 to 0.5


def moved(places: Tensor, actions: Tensor) -> Tensor:
    """Where the point is after an action, which is clipped to ±1 and counts in units of 0.1:
    (..., 2) and (..., 2) -> (..., 2)."""
    return places + STEP * actions.clamp(-1, 1)


def reward(places: Tensor, goals: Tensor) -> Tensor:
    """Minus the squared distance to the goal: (..., 2) and (..., 2) -> (...)."""
    return -(places - goals).square().sum(-1)


class Points(TaskFamily):
    """A task is a goal, drawn uniformly from a square around the start (Finn et al. 2017, section
    5.3.1). The point begins at (0, 0), and its reward after each step is minus the squared distance
    to the goal. The goal itself is not told.

    Args:
        horizon: steps of a walk.
        device: where episodes are made.

    Raises:
        ValueError: the horizon is below 1.
    """

    def __init__(self, horizon: int = 100, device="cpu"):
        at_least_one(horizon=horizon)
        self.horizon, self.device = horizon, torch.device(device)

    def settings(self) -> dict:
        return {"family": "points", "box": BOX, "step": STEP, "horizon": self.horizon}

    def goals(self, tasks: int, generator: torch.Generator | None = None) -> Tensor:
        """(tasks, 2)."""
        return (2 * torch.rand(tasks, 2, generator=generator, device=self.device) - 1) * BOX

    def sample(
        self, tasks: int, *, shots: int, queries: int, generator: torch.Generator | None = None
    ) -> Episode:
        """Draw tasks. The support set holds the ends of walks without aim and what was paid there;
        a learner that walks makes its own. The query is the goal, where the reward is 0, so that
        the outer loop can let a learner walk; a learner must not adapt to it.

        Args:
            shots: walks.   queries: 1, the goal.

        Returns:
            An episode with support_x (tasks, shots, 2), support_y (tasks, shots, 1), query_x
            (tasks, 1, 2) and query_y (tasks, 1, 1); ``hidden`` has "goals", (tasks, 2).

        Raises:
            ValueError: a count is below 1, or there are several queries.
        """
        room_for(tasks * shots * (self.horizon + 3), tasks=tasks, shots=shots)
        if queries != 1:
            raise ValueError(f"queries={queries}: a task has one goal: queries=1")
        goals = self.goals(tasks, generator)
        actions = torch.randn(
            self.horizon, tasks, shots, 2, generator=generator, device=self.device
        )
        ends = torch.zeros(tasks, shots, 2, device=self.device)
        for action in actions:
            ends = moved(ends, action)
        paid = reward(ends, goals[:, None])[..., None]
        asked = goals[:, None]
        nothing = asked.new_zeros(tasks, 1, 1)
        return Episode(ends, paid, asked, nothing, hidden={"goals": goals})
