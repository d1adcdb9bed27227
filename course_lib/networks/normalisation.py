"""Batch norm for learners that adapt: with which statistics is a query normalised? The answer
changes MAML more than its method does."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

STATISTICS = ("query", "support", "running")


class BatchNorm(nn.Module):
    """Batch norm written out: (n, channels, ...) -> the same shape, (x - mean) / sqrt(variance +
    eps) * weight + bias.

    The inner loop adapts weight and bias like every other parameter, and normalises the support set
    with its own statistics. The queries are another matter (Bronskill et al. 2020, TaskNorm,
    sections 3 and 4):

    - "query": with the statistics of the query batch. Transductive: each answer depends on the
      other queries. The official code of MAML (Finn et al. 2017) works like this, and so does
      ``nn.BatchNorm2d(track_running_stats=False)``.
    - "support": with the statistics of the support set, under the same adapted weights (MetaBN).
      Each query is answered by itself.
    - "running": while training as "query"; in eval mode support and query both with averages
      collected in training. This is ``nn.BatchNorm2d`` as it comes. The averages are those of
      support sets at theta, see `update_averages`.

    Args:
        channels: C, the size of dimension 1.
        statistics: "query", "support" or "running".
        eps: keeps the division finite.   momentum: the share of a new batch in the running
            averages.

    Raises:
        ValueError: a setting is out of range; a batch gives one number a channel; "support" without
            `support_first`.
    """

    def __init__(
        self, channels: int, statistics: str = "query", eps: float = 1e-5, momentum: float = 0.1
    ):
        super().__init__()
        if channels < 1:
            raise ValueError(f"channels={channels}: a layer needs at least 1")
        if statistics not in STATISTICS:
            raise ValueError(f"statistics={statistics!r}: choose one of {', '.join(STATISTICS)}")
        self.statistics, self.eps, self.momentum = statistics, eps, momentum
        # how many items at the start of a batch are the support set
        self.support_items: int | None = None
        self.weight, self.bias = (
            nn.Parameter(torch.ones(channels)),
            nn.Parameter(torch.zeros(channels)),
        )
        if statistics == "running":
            self.register_buffer("running_mean", torch.zeros(channels))
            self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        shape = (1, -1) + (1,) * (x.ndim - 2)
        if self.statistics == "running" and not self.training:
            mean, variance = self.running_mean.view(shape), self.running_var.view(shape)
        else:
            mean, variance = moments(self._batch(x))
        return (x - mean) * (variance + self.eps).rsqrt() * self.weight.view(
            shape
        ) + self.bias.view(shape)

    def _batch(self, x: Tensor) -> Tensor:
        """The items whose statistics count."""
        if self.statistics != "support":
            return x
        if self.support_items is None:
            raise ValueError(
                "statistics='support': the layer does not know the support set; call the network "
                "through MAML or inside support_first(...)"
            )
        return x[: self.support_items]

    def extra_repr(self) -> str:
        return (
            f"{len(self.weight)}, statistics={self.statistics!r}, eps={self.eps}, "
            f"momentum={self.momentum}"
        )


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance (divided by n) of each channel, of the shape (1, channels, 1, ...).

    Raises:
        ValueError: there is one number a channel, which normalises to 0 whatever it was.
    """
    dimensions = [d for d in range(x.ndim) if d != 1]
    if x.numel() == x.shape[1]:
        raise ValueError(
            f"a batch of shape {tuple(x.shape)} has one number a channel, and no variance: give "
            "more items, or choose statistics='support'"
        )
    mean = x.mean(dimensions, keepdim=True)
    return mean, (x - mean).square().mean(dimensions, keepdim=True)


def layers(network: nn.Module, statistics: str) -> list[BatchNorm]:
    """The layers of a network that normalise in this mode."""
    return [
        module
        for module in network.modules()
        if isinstance(module, BatchNorm) and module.statistics == statistics
    ]


@contextmanager
def support_first(network: nn.Module, items: int) -> Iterator[int]:
    """Inside, layers with statistics="support" take the first ``items`` of every batch for the
    support set.

    Yields:
        How many support items to put before the queries: ``items``, or 0 for a network without such
            layers.
    """
    asking = layers(network, "support")
    for layer in asking:
        layer.support_items = items
    try:
        yield items if asking else 0
    finally:
        for layer in asking:
            layer.support_items = None


def update_averages(network: nn.Module, batches: Tensor) -> None:
    """Let layers with statistics="running" see batches (T, n, ...), one after the other, with the
    network's own weights.

    It stands outside of the inner loop, whose walks may be differentiated or vectorised and must
    leave nothing behind. As in ``nn.BatchNorm2d``, the running variance is the unbiased one.
    """

    def look(layer: BatchNorm, inputs: tuple[Tensor]) -> None:
        mean, variance = moments(inputs[0])
        n = inputs[0].numel() // mean.numel()
        layer.running_mean.lerp_(mean.flatten(), layer.momentum)
        layer.running_var.lerp_(variance.flatten() * n / (n - 1), layer.momentum)

    if watching := [layer.register_forward_pre_hook(look) for layer in layers(network, "running")]:
        try:
            with torch.no_grad():
                for x in batches:
                    network(x)
        finally:
            for hook in watching:
                hook.remove()
