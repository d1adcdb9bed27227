"""MAML with rewards: the inner step is a policy gradient (Finn et al. 2017, section 4.2).

A policy walks, looks at what was paid, and takes one gradient step towards what paid more. The
outer loop learns where to start. The goal of a task is never told, and no gradient runs through
the world: only rewards come back.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from course_lib.episodes import Episode, at_least_one
from course_lib.families.points import moved, reward
from course_lib.learners.base import Learner

SPREAD = 0.5  # standard deviation of an action around its mean, in units of a step
DISCOUNT = 0.95  # of later rewards, in a gain


@dataclass(frozen=True)
class Walks:
    """W walks of n steps in each of T tasks: places (T, W, n, 2) before each step, actions (T, W,
    n, 2), rewards (T, W, n) after it."""

    places: Tensor
    actions: Tensor
    rewards: Tensor

    @property
    def returns(self) -> Tensor:
        """The sum of the rewards of a walk, averaged over the walks of a task: (T,)."""
        return self.rewards.sum(-1).mean(-1)


def log_chance(means: Tensor, actions: Tensor) -> Tensor:
    """The logarithm of the density of an action, up to a constant: (..., 2), (..., 2) -> (...)."""
    return -((actions - means) / SPREAD).square().sum(-1) / 2


def surrogate(means: Tensor, actions: Tensor, gains: Tensor) -> Tensor:
    """A loss whose gradient is minus the policy gradient: means (..., 2), actions (..., 2), gains
    (...) -> a scalar.

    The ratio of the chance of an action to itself is 1. Its first derivative is that of the
    logarithm, and its second one is right too, while that of log_chance * gain lacks a term
    (Foerster et al. 2018). The second factor is held fixed, the first must not be.
    """
    logs = log_chance(means, actions)
    return -((logs - logs.detach()).exp() * gains).mean()


def gains(walks: Walks) -> Tensor:
    """How much more than usual came after each step, (T, W, n): the discounted sum of the rewards
    from it on, minus a least-squares fit of that sum on place and time; scaled to a standard
    deviation of 1 in each task.

    The fit is a constant for the gradient. It makes it steadier and, apart from the fit having seen
    the same walks, does not change where it points.
    """
    later, found = torch.zeros_like(walks.rewards[..., 0]), []
    for paid in reversed(walks.rewards.unbind(-1)):
        later = paid + DISCOUNT * later
        found.append(later)
    sums = torch.stack(found[::-1], -1)  # (T, W, n)
    tasks, count, n = sums.shape
    time = torch.linspace(0, 1, n, device=sums.device).expand(tasks, count, n)[..., None]
    square = walks.places.square().sum(-1, keepdim=True)
    basis = [walks.places, square, time, time**2, time**3, torch.ones_like(time)]
    features = torch.cat(basis, -1).flatten(1, 2)  # (T, W n, 7)
    gram = features.mT @ features + 1e-3 * torch.eye(features.shape[-1], device=sums.device)
    fit = features @ torch.linalg.solve(gram, features.mT @ sums.flatten(1)[..., None])
    rest = sums - fit[..., 0].view_as(sums)
    return rest / (rest.flatten(1).std(1)[:, None, None] + 1e-6)


class PolicyMAML(Learner):
    """A policy that adapts by policy-gradient steps on walks of its own.

    Args:
        network: place (..., 2) -> mean action (..., 2), in units of a step. With ``told`` it reads
            place and goal, (..., 4).
        alpha: inner rate.   steps: inner steps of training.   horizon: steps of a walk.
        adapts: False trains one policy for all tasks: the outer loss is then taken at theta.
        told: the policy is told the goal: the yardstick that nobody can be.
        first_order: leave the derivative of the inner gradient out.

    Raises:
        ValueError: a count is below 1.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        alpha: float = 0.1,
        steps: int = 1,
        horizon: int = 100,
        adapts: bool = True,
        told: bool = False,
        first_order: bool = False,
    ):
        super().__init__()
        at_least_one(steps=steps, horizon=horizon)
        self.network, self.alpha, self.steps, self.horizon = network, alpha, steps, horizon
        self.adapts, self.told, self.first_order = adapts, told, first_order

    def means(self, theta: dict, places: Tensor, goal: Tensor) -> Tensor:
        """Mean actions of one task: places (..., 2), goal (2,) -> (..., 2)."""
        seen = torch.cat([places, goal.expand_as(places)], -1) if self.told else places
        return functional_call(self.network, theta, (seen,))

    def start(self, tasks: int) -> dict[str, Tensor]:
        """theta, once for each task: every tensor with T in front."""
        named = self.network.named_parameters()
        return {name: p.expand(tasks, *p.shape) for name, p in named}

    @torch.no_grad()
    def walk(self, phi: dict[str, Tensor], goals: Tensor, walks: int) -> Walks:
        """Let the policies phi, (T, ...) each, walk towards goals (T, 2), with noise in their
        actions."""
        place, kept = goals.new_zeros(len(goals), walks, 2), []
        for _ in range(self.horizon):
            mean = vmap(self.means)(phi, place, goals)
            action = mean + SPREAD * torch.randn_like(mean)
            after = moved(place, action)
            kept.append((place, action, reward(after, goals[:, None])))
            place = after
        return Walks(*(torch.stack(part, 2) for part in zip(*kept, strict=True)))

    def rate(self, step: int) -> float:
        """alpha for the first inner step, and half of it after that: the first goes most of the
        way."""
        return self.alpha / 2 if step else self.alpha

    def inner_step(
        self, phi: dict[str, Tensor], past: Walks, goals: Tensor, alpha: float
    ) -> dict[str, Tensor]:
        """phi - alpha * gradient of the surrogate on walks of phi, for each task by itself."""

        def loss(own, places, actions, gain, goal):
            return surrogate(self.means(own, places, goal), actions, gain)

        slopes = vmap(grad(loss))(phi, past.places, past.actions, gains(past), goals)
        if self.first_order:
            slopes = {name: slope.detach() for name, slope in slopes.items()}
        return {name: phi[name] - alpha * slopes[name] for name in phi}

    def adapted(self, goals: Tensor, walks: int, steps: int) -> tuple[dict, list[Walks]]:
        """phi after the steps, and the walks before each of them."""
        phi, pasts = self.start(len(goals)), []
        for step in range(steps):
            pasts.append(self.walk(phi, goals, walks))
            phi = self.inner_step(phi, pasts[-1], goals, self.rate(step))
        return phi, pasts

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor) -> Tensor:
        """One task: support_x (S, 2) the places where theta was, support_y (S, 3) its actions and
        their gains, query_x (Q, 2) places -> (Q, 2), mean actions after the inner steps. All steps
        use this one past."""
        phi = dict(self.network.named_parameters())
        for _ in range(self.steps):
            with torch.enable_grad():
                means = functional_call(self.network, phi, (support_x,))
                loss = surrogate(means, support_y[:, :2], support_y[:, 2])
                slopes = torch.autograd.grad(loss, list(phi.values()), create_graph=True)
            phi = {n: p - self.alpha * g for (n, p), g in zip(phi.items(), slopes, strict=True)}
        return functional_call(self.network, phi, (query_x,))

    def outer_loss(self, episode: Episode) -> Tensor:
        """The surrogate on walks after adaptation, averaged over tasks: as many walks a task as the
        episode has support items, towards its query."""
        goals, walks = episode.query_x[:, 0], episode.support_x.shape[1]
        phi, _ = self.adapted(goals, walks, self.steps if self.adapts else 0)
        now = self.walk(phi, goals, walks)
        means = vmap(self.means)(phi, now.places, goals)
        return surrogate(means, now.actions, gains(now))

    def after_steps(self, goals: Tensor, walks: int, steps: int) -> list[Walks]:
        """New walks after 0, 1, ..., ``steps`` inner steps. Each step learns from the walks of the
        policy before it."""
        phi, pasts = self.adapted(goals, walks, steps)
        return [*pasts, self.walk(phi, goals, walks)]

    def settings(self) -> dict:
        own = {"network": str(self.network), "alpha": self.alpha, "inner_steps": self.steps}
        more = {"horizon": self.horizon, "adapts": self.adapts, "told": self.told}
        return super().settings() | own | more | {"first_order": self.first_order}
