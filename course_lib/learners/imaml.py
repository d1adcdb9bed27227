"""Implicit MAML: the meta-gradient from the end of the inner loop alone (Rajeswaran, Finn, Kakade,
Levine 2019)."""

import math
from collections import deque

import torch
from torch import Tensor

from course_lib.episodes import Episode, at_least_one
from course_lib.learners.base import right_shape
from course_lib.learners.inner_loop import (
    Parameters,
    for_all_tasks,
    predict_all_with,
    predict_with,
    ready,
    slopes,
)
from course_lib.learners.maml import MAML
from course_lib.networks.normalisation import update_averages


class IMAML(MAML):
    """Adapt under a leash, and differentiate through the condition that holds at its end.

    The inner problem is phi = argmin L(phi; S) + strength / 2 * |phi - theta|^2 (equation 3). At
    the minimum d phi / d theta = (I + H / strength)^-1, with H the Hessian of the support loss at
    phi (lemma 1): the way that led there does not matter and is not kept. The product of this
    inverse with the query gradient comes from conjugate gradients, which ask for Hessian-vector
    products only (algorithm 2). The memory of the gradient does not grow with the steps.

    Args:
        network, loss_fn, alpha, steps: as for `MAML`. Too few steps leave phi short of the minimum,
            and the gradient is then off.
        strength: lambda of the paper, how tight the leash is; above 0.
        solver_steps: of conjugate gradients.

    Raises:
        ValueError: as for `MAML`; or strength or solver_steps are out of range.
    """

    def __init__(self, network, loss_fn=torch.nn.functional.mse_loss, *, steps=10, strength=1.0,
                 solver_steps=5, **settings):  # fmt: skip
        super().__init__(network, loss_fn, steps=steps, **settings)
        if self.special.get("override") or self.special.get("inner_optimizer") not in (
            None, torch.optim.SGD
        ):  # fmt: skip
            raise ValueError("IMAML adapts by plain gradient steps: leave inner_optimizer out")
        if self.adapt != "all":
            raise ValueError(f"adapt={self.adapt!r}: IMAML adapts all layers, write adapt='all'")
        if not (isinstance(strength, int | float) and math.isfinite(strength) and strength > 0):
            raise ValueError(f"strength={strength!r}: the leash needs a finite number above 0")
        at_least_one(solver_steps=solver_steps)
        self.strength, self.solver_steps = strength, solver_steps

    def outer_loss(self, episode: Episode) -> Tensor:
        """The query loss at phi; its gradient with respect to theta is the implicit one."""
        if self.training:
            update_averages(self.network, episode.support_x)
        differentiable = torch.is_grad_enabled()
        with torch.enable_grad():
            phi = self.path(episode, self.steps, last=True)[-1]
            phi |= {name: phi[name].detach().requires_grad_() for name in self.adapted}
            predictions = right_shape(
                self, self.answers(episode, phi), episode.query_y, episode.ways
            )
            loss = self.loss_fn(predictions.flatten(0, 1), episode.query_y.flatten(0, 1))
            if not differentiable:
                return loss.detach()
            at_query = slopes(loss, [phi[name] for name in self.adapted], graph=False)
            implicit = self.solved(episode, phi, at_query)
        theta = dict(self.network.named_parameters())
        # worth 0, with the implicit gradient as its slope
        lines = [
            (g.sum(0) * (theta[name] - theta[name].detach())).sum()
            for name, g in zip(self.adapted, implicit, strict=True)
        ]
        return loss.detach() + torch.stack(lines).sum()

    def solved(self, episode: Episode, phi: Parameters, b: list[Tensor]) -> list[Tensor]:
        """x with (I + H / strength) x = b for every task, by conjugate gradients: lists of (T,
        ...)."""
        values = [phi[name] for name in self.adapted]
        with ready(self.network, episode.support_x.device, episode.support_x.shape[1]):
            total = self.support_losses(phi, episode).sum()
            gradients = torch.autograd.grad(total, values, create_graph=True, allow_unused=True)

        def times(v: list[Tensor]) -> list[Tensor]:
            inner = sum((g * u).sum() for g, u in zip(gradients, v, strict=True) if g is not None)
            Hv = torch.autograd.grad(inner, values, retain_graph=True, allow_unused=True)
            pairs = zip(v, Hv, strict=True)
            return [u if h is None else u + h / self.strength for u, h in pairs]

        return conjugate_gradients(times, b, self.solver_steps)

    def path(self, episode: Episode, steps: int, last: bool = False) -> deque[Parameters]:
        """phi of every task after 0, 1, ..., k steps on the leashed support loss, without a graph;
        with ``last`` only the end is kept."""
        theta = {
            name: p.detach().expand(episode.tasks, *p.shape)
            for name, p in self.network.named_parameters()
        }
        phi, names = dict(theta), self.adapted
        path = deque([dict(theta)], maxlen=1 if last else None)
        device, items = episode.support_x.device, episode.support_x.shape[1]
        with torch.enable_grad(), ready(self.network, device, items):
            for _ in range(steps):
                phi |= {name: phi[name].detach().requires_grad_() for name in names}
                total = self.support_losses(phi, episode).sum()
                gradients = slopes(total, [phi[name] for name in names], graph=False)
                for name, g in zip(names, gradients, strict=True):
                    here = phi[name].detach()
                    phi[name] = here - self.alpha * (g + self.strength * (here - theta[name]))
                path.append(dict(phi))
        return path

    def support_losses(self, phi: Parameters, episode: Episode) -> Tensor:
        """The support loss of every task: (T,)."""

        def loss(p, x, y):
            return self.support_loss(predict_with(self.network, p, x), y, episode.ways)

        return for_all_tasks(self.network, loss)(phi, episode.support_x, episode.support_y)

    def answers(self, episode: Episode, phi: Parameters) -> Tensor:
        """Query predictions at phi: (T, Q, outputs)."""
        with ready(self.network, episode.query_x.device, episode.support_x.shape[1]) as first:
            asked = torch.cat([episode.support_x[:, :first], episode.query_x], dim=1)
            return predict_all_with(self.network, phi, asked)[:, first:]

    def _walk(self, episode: Episode, steps: int, every_step: bool, graph: bool) -> Tensor:
        stations = self.path(episode, steps, last=not every_step)
        found = torch.stack([self.answers(episode, phi).detach() for phi in stations])
        return found if every_step else found[0]

    def settings(self) -> dict:
        more = {"strength": self.strength, "solver_steps": self.solver_steps}
        return super().settings() | more


def conjugate_gradients(times, b: list[Tensor], steps: int) -> list[Tensor]:
    """x with A x = b, for every task side by side (Hestenes and Stiefel 1952).

    Args:
        times: v -> A v, for lists of (T, ...).   b: the right side.
        steps: at most so many; a task that has arrived stays where it is, and so does one where A
            curves downwards, which they cannot follow. In the first step that leaves x = b.
    """

    def dot(u, v):  # (T,)
        return sum((a * c).flatten(1).sum(1) for a, c in zip(u, v, strict=True))

    def along(u, step, v):
        wide = [step.view(-1, *(1,) * (a.ndim - 1)) for a in v]
        return [a + s * c for a, s, c in zip(u, wide, v, strict=True)]

    x, r = [torch.zeros_like(a) for a in b], [a.clone() for a in b]
    p, rr = [a.clone() for a in b], dot(r, r)
    tiny = torch.finfo(rr.dtype).tiny
    for turn in range(steps):
        Ap = times(p)
        curve = dot(p, Ap)
        upward = curve > tiny
        step = torch.where(upward, rr / curve.clamp(min=tiny), 1.0 if turn == 0 else 0.0)
        x, r, last = along(x, step, p), along(r, -step, Ap), p
        new = dot(r, r)
        more = torch.where(upward, new / rr.clamp(min=tiny), 0.0)
        p, rr = along([torch.zeros_like(a) for a in r], upward.to(rr.dtype), r), new
        p = along(p, more, last)
    return x
