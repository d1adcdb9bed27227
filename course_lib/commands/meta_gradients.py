"""The meta-gradient of MAML in the ways that the benchmark compares, each a function of a network
and an episode."""

from collections.abc import Callable

import higher
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.episodes import Episode
from course_lib.learners import MAML

ALPHA = 0.01


def plain_higher_loop(
    network, episode: Episode, steps: int, loss_fn=F.mse_loss, alpha: float = ALPHA
) -> list[Tensor]:
    """The yardstick: one task after the other, as in the example that comes with ``higher``."""
    network.zero_grad()
    optimizer = torch.optim.SGD(network.parameters(), lr=alpha)
    for support_x, support_y, query_x, query_y in episode:
        with higher.innerloop_ctx(network, optimizer, copy_initial_weights=False) as (fnet, inner):
            for _ in range(steps):
                inner.step(loss_fn(fnet(support_x), support_y))
            (loss_fn(fnet(query_x), query_y) / episode.tasks).backward()
    return [parameter.grad for parameter in network.parameters()]


def library(way: str) -> Callable:
    """The same gradient from `MAML` with one of its ways."""

    def gradient(
        network, episode: Episode, steps: int, loss_fn=F.mse_loss, alpha: float = ALPHA
    ) -> list[Tensor]:
        learner = MAML(network, loss_fn, alpha=alpha, steps=steps, way=way)
        return list(torch.autograd.grad(learner.outer_loss(episode), list(network.parameters())))

    return gradient


def compiled() -> Callable:
    """The same gradient from `MAML` with way="compiled", with one learner a network: what it has
    compiled is kept."""
    learners = {}

    def gradient(
        network, episode: Episode, steps: int, loss_fn=F.mse_loss, alpha: float = ALPHA
    ) -> list[Tensor]:
        if network not in learners:
            learners[network] = MAML(network, loss_fn, alpha=alpha, steps=steps, way="compiled")
        loss = learners[network].outer_loss(episode)
        return list(torch.autograd.grad(loss, list(network.parameters())))

    return gradient


def torchopt_loop(
    network, episode: Episode, steps: int, loss_fn=F.mse_loss, alpha: float = ALPHA
) -> list[Tensor]:
    """One task after the other with the differentiable optimiser of TorchOpt (Ren et al. 2023), as
    in its example of MAML."""
    import torchopt

    network.zero_grad()
    theta, inner = list(network.parameters()), torchopt.MetaSGD(network, lr=alpha)
    starts = [torchopt.extract_state_dict(one, by="reference") for one in (network, inner)]
    for support_x, support_y, query_x, query_y in episode:
        for _ in range(steps):
            inner.step(loss_fn(network(support_x), support_y))
        (loss_fn(network(query_x), query_y) / episode.tasks).backward()
        for one, start in zip((network, inner), starts, strict=True):
            torchopt.recover_state_dict(one, start)
    return [parameter.grad for parameter in theta]
