"""Reptile: move the start toward where each task's own training ends (Nichol, Achiam, Schulman
2018)."""

import torch
from torch import Tensor

from course_lib.episodes import Episode, at_least_one
from course_lib.learners.base import right_shape
from course_lib.learners.inner_loop import for_all_tasks, predict_with, ready, slopes
from course_lib.learners.maml import MAML
from course_lib.networks.normalisation import update_averages


class Reptile(MAML):
    """Train on a task by plain gradient descent, and move theta a little toward phi.

    The outer update is theta <- theta + epsilon * mean over tasks of (phi - theta) (Nichol et al.,
    algorithm 2). `outer_loss` is half the squared distance from theta to the mean phi, so that its
    gradient is theta - mean phi: any outer optimiser can walk along it. phi is a constant in it,
    and no second derivative is ever taken. With one inner step the difference is alpha times the
    gradient of joint training; what Reptile knows more comes from the second step on.

    There is no support and query set in training: a task's items are all trained on, and step j
    takes the next ``batch`` of them (round and round, in the order in which they were drawn).

    Args:
        network, loss_fn, alpha: as for `MAML`, and so are way and adapt, which count when it adapts
            to new tasks.
        steps: inner steps k, in training and, unless told otherwise, in `predict`.
        batch: items in an inner step of training; all of the task's when None.

    Raises:
        ValueError: as for `MAML`; batch is below 1, or the inner loop would not move.
    """

    def __init__(self, network, loss_fn=torch.nn.functional.mse_loss, *, steps=5, batch=None,
                 **settings):  # fmt: skip
        super().__init__(network, loss_fn, steps=steps, **settings)
        if self.steps == 0 or self.alpha == 0:
            raise ValueError(
                f"steps={self.steps}, alpha={self.alpha}: Reptile learns from where its inner loop "
                "ends, so it needs at least 1 step of a length above 0"
            )
        if batch is not None:
            at_least_one(batch=batch)
        self.batch = batch

    def outer_loss(self, episode: Episode) -> Tensor:
        """Half the squared distance between theta and the mean phi: a scalar to differentiate."""
        if self.training:
            update_averages(self.network, episode.support_x)
        ends = self.trained_on(episode)
        theta = dict(self.network.named_parameters())
        parts = [(theta[name] - phi.mean(0)).square().sum() for name, phi in ends.items()]
        return torch.stack(parts).sum() / 2

    def trained_on(self, episode: Episode) -> dict[str, Tensor]:
        """phi after the inner steps on each task's items: name -> (T, ...), without a graph."""
        x = torch.cat([episode.support_x, episode.query_x], dim=1)
        y = torch.cat([episode.support_y, episode.query_y], dim=1)

        def loss(phi, items, targets):
            predictions = predict_with(self.network, phi, items)
            right_shape(self, predictions, targets, episode.ways, " of a training batch")
            return self.loss_fn(predictions, targets)

        losses, names = for_all_tasks(self.network, loss), self.adapted
        phi = {
            name: p.detach().expand(episode.tasks, *p.shape)
            for name, p in self.network.named_parameters()
        }
        with (
            torch.enable_grad(),
            ready(self.network, x.device, x.shape[1]),  # every batch is its own support set here
        ):
            for step in range(self.steps):
                phi |= {name: phi[name].detach().requires_grad_() for name in names}
                items = self.items_of(step, x.shape[1], x.device)
                total = losses(phi, x[:, items], y[:, items]).sum()
                gradients = slopes(total, [phi[name] for name in names], graph=False)
                phi |= {
                    name: phi[name].detach() - self.alpha * g
                    for name, g in zip(names, gradients, strict=True)
                }
        return {name: phi[name] for name in names}

    def items_of(self, step: int, count: int, device) -> Tensor:
        """Which of a task's items inner step 0, 1, ... takes."""
        size = min(self.batch or count, count)
        return torch.arange(step * size, (step + 1) * size, device=device) % count

    def settings(self) -> dict:
        return super().settings() | {"batch": self.batch}
