"""The fast way on a CPU: MAML's exact meta-gradient for conv4, with the derivatives written out.

Nothing here is needed to understand MAML: the walks of inner_loop.py give the same numbers. The
work is arranged differently:

- No graph of the inner loop is kept. With v = dL(phi^k; query)/dphi, the meta-gradient is what
  remains of v after v <- v - alpha H v for the steps j = k-1, ..., 0, with H the Hessian of the
  support loss at phi^j (Finn et al. 2017, section 2.2). blocks.py computes H v from what the inner
  loop left behind.
- Tasks run side by side, each on one thread, and their gradients are summed in the order of the
  tasks: on any number of threads the numbers are the same, bit for bit.
"""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from course_lib.episodes import Episode
from course_lib.learners.base import Learner
from course_lib.learners.conv4_by_hand.blocks import ConvBlock, FirstConvBlock, patches
from course_lib.networks.normalisation import BatchNorm

Parameters = dict[str, Tensor]


@dataclass(frozen=True)
class ByHand:
    """Which parameters do what: (weight, scale, shift) and eps of each block, (weight, bias) of the
    head."""

    blocks: list[tuple[tuple[str, str, str], float]]
    head: tuple[str, str]
    support: bool  # are the queries normalised with the statistics of the support set?


LAYERS = re.compile(
    r"(Conv2d\(\d+, \d+, kernel_size=\(3, 3\), stride=\(1, 1\), padding=\(1, 1\)(, bias=False)?\) "
    r"(batch norm) ReLU\(\) "
    r"MaxPool2d\(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False\) )+"
    r"Flatten\(start_dim=1, end_dim=-1\) Linear\(in_features=\d+, out_features=\d+, bias=True\)"
)


def takes(network: nn.Module, episode: Episode) -> bool:
    """Whether these items can be taken: they are on a CPU, want no gradient themselves, and are
    numbers of 32 or 64 bits like all weights."""
    x = episode.support_x
    if x.device.type != "cpu" or x.requires_grad or episode.query_x.requires_grad:
        return False
    kinds = {x.dtype} | {parameter.dtype for parameter in network.parameters()}
    return kinds in ({torch.float32}, {torch.float64})


def plan_for(network: nn.Module) -> ByHand | None:
    """How to run this network fast. None for all that is not built like ``conv4(outputs=...)`` with
    batch norm of one mode."""
    if not isinstance(network, nn.Sequential) or any(
        layer._forward_hooks or layer._forward_pre_hooks for layer in network.modules()
    ):
        return None
    modes = {i: mode_of(layer) for i, layer in enumerate(network)}
    norms = [i for i, mode in modes.items() if mode]
    if len({modes[i] for i in norms}) != 1 or not LAYERS.fullmatch(
        " ".join("batch norm" if modes[i] else repr(layer) for i, layer in enumerate(network))
    ):
        return None
    blocks = [((f"{i - 1}.weight", f"{i}.weight", f"{i}.bias"), network[i].eps) for i in norms]
    last = len(network) - 1
    return ByHand(blocks, (f"{last}.weight", f"{last}.bias"), modes[norms[0]] == "support")


def mode_of(layer: nn.Module) -> str | None:
    """Whose statistics normalise the queries: "query" or "support". None: this is no batch norm, or
    uses averages."""
    if type(layer) is BatchNorm and not (layer.statistics == "running" and not layer.training):
        return "support" if layer.statistics == "support" else "query"
    if type(layer) is nn.BatchNorm2d and layer.affine and not layer.track_running_stats:
        return "query"
    return None


class Pass:
    """One batch through the whole network with the parameters phi: blocks, then a linear head, then
    the loss."""

    def __init__(self, plan: ByHand, phi: Parameters):
        self.plan, self.phi = plan, phi
        kinds = [FirstConvBlock] + [ConvBlock] * (len(plan.blocks) - 1)
        self.blocks = [
            kind(*(phi[name] for name in names), eps)
            for kind, (names, eps) in zip(kinds, plan.blocks, strict=True)
        ]

    def forward(self, x: Tensor, first: int) -> Tensor:
        for block in self.blocks:
            x = block.forward(x, first)
        self.last = x.shape
        self.f = x.permute(0, 3, 1, 2).flatten(1)
        weight, bias = self.plan.head
        self.logits = F.linear(self.f, self.phi[weight], self.phi[bias])
        return self.logits

    def backward(self, loss_fn, targets: Tensor, first: int = 0) -> tuple[Tensor, Parameters]:
        """The loss of the logits after the ``first``, and its gradient with respect to phi."""
        with torch.enable_grad():
            self.outputs = self.logits.detach().requires_grad_()
            loss = loss_fn(self.outputs[first:], targets)
            (self.slopes,) = torch.autograd.grad(loss, self.outputs, create_graph=True)
        self.g = self.slopes.detach()
        weight, bias = self.plan.head
        gradients = {weight: self.g.T @ self.f, bias: self.g.sum(0)}
        return loss.detach(), gradients | self._down(self.g @ self.phi[weight], ConvBlock.backward)

    def hessian_times(self, v: Parameters) -> Parameters:
        """H v, with H the Hessian of the loss of `backward` with respect to phi. After `forward`
        and `backward`."""
        weight, bias = self.plan.head
        x_dot = None
        for block, ((w, scale, shift), _) in zip(self.blocks, self.plan.blocks, strict=True):
            x_dot = block.forward_dot(x_dot, v[w], v[scale], v[shift])
        f_dot = x_dot.permute(0, 3, 1, 2).flatten(1)
        logits_dot = F.linear(f_dot, self.phi[weight], v[bias]) + self.f @ v[weight].T
        (g_dot,) = torch.autograd.grad(self.slopes, self.outputs, logits_dot)
        products = {weight: g_dot.T @ self.f + self.g.T @ f_dot, bias: g_dot.sum(0)}
        return products | self._down(
            g_dot @ self.phi[weight] + self.g @ v[weight],
            lambda block, g, of_x: block.backward_dot(g),
        )

    def _down(self, g: Tensor, step) -> Parameters:
        """From the gradient of the features back through the blocks."""
        n, h, w, channels = self.last
        g, found = g.view(n, channels, h, w).permute(0, 2, 3, 1), {}
        for i in reversed(range(len(self.blocks))):
            g, of_block = step(self.blocks[i], g, i > 0)
            found |= zip(self.plan.blocks[i][0], of_block, strict=True)
        return found


def walk(
    plan: ByHand, theta: Parameters, loss_fn, x, y, *, alpha, steps, adapted
) -> Iterator[tuple[Parameters, Pass | None]]:
    """The inner loop of one task: phi^0, ..., phi^k, each with its forward and backward pass (phi^k
    has none)."""
    phi, seen = theta, patches(x, len(x))
    for _ in range(steps):
        station = Pass(plan, phi)
        station.forward(seen, len(x))
        _, gradients = station.backward(loss_fn, y)
        yield phi, station
        phi = phi | {
            name: torch.add(phi[name], g, alpha=-alpha)
            for name, g in gradients.items()
            if name in adapted
        }
    yield phi, None


def ask(plan: ByHand, phi: Parameters, support_x: Tensor, query_x: Tensor) -> tuple[Pass, int]:
    """The pass of the queries with phi, and how many support items stand before them in it."""
    query, first = Pass(plan, phi), len(support_x) if plan.support else 0
    asked = torch.cat([support_x[:first], query_x])
    query.forward(patches(asked, first or len(asked)), first or len(asked))
    return query, first


def task_predictions(
    plan: ByHand, theta: Parameters, loss_fn, task, every_step: bool, **settings
) -> Tensor:
    """The query predictions of one task, (1, Q, outputs), or (k + 1, Q, outputs) with
    every_step."""
    support_x, support_y, query_x, _ = task
    path = [phi for phi, _ in walk(plan, theta, loss_fn, support_x, support_y, **settings)]
    asked = (ask(plan, phi, support_x, query_x) for phi in (path if every_step else path[-1:]))
    return torch.stack([query.logits[first:] for query, first in asked])


def task_gradient(
    plan: ByHand, theta: Parameters, loss_fn, task, first_order: bool, **settings
) -> tuple[Tensor, Tensor, Parameters]:
    """The query predictions of one task, their loss, and its gradient with respect to theta."""
    support_x, support_y, query_x, query_y = task
    *stations, (phi, _) = walk(plan, theta, loss_fn, support_x, support_y, **settings)
    query, first = ask(plan, phi, support_x, query_x)
    (loss, v), logits = query.backward(loss_fn, query_y, first), query.logits[first:]
    del query
    while stations and not first_order:
        _, station = stations.pop()
        hv = station.hessian_times(
            {
                name: v[name] if name in settings["adapted"] else torch.zeros_like(v[name])
                for name in v
            }
        )
        v = {name: torch.add(v[name], hv[name], alpha=-settings["alpha"]) for name in v}
    return logits, loss, v


def side_by_side(work: Callable, tasks: list) -> list:
    """``[work(task) for task in tasks]`` without gradients, on as many threads as torch has, each
    with one thread of torch's.

    An exception in one of them is raised here.
    """
    threads = torch.get_num_threads()

    def alone(task):
        torch.set_num_threads(1)
        with torch.no_grad():
            return work(task)

    if threads == 1:
        return [alone(task) for task in tasks]
    try:
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(alone, tasks))
    finally:
        torch.set_num_threads(threads)


def start(network: nn.Module) -> Parameters:
    """theta without its graph, the kernels of convolutions stored channels last."""
    return {
        name: p.detach().contiguous(memory_format=torch.channels_last)
        if p.ndim == 4
        else p.detach()
        for name, p in network.named_parameters()
    }


def predictions(
    plan: ByHand,
    network: nn.Module,
    loss_fn,
    episode: Episode,
    every_step: bool = False,
    **settings,
) -> Tensor:
    """As `inner_loop.query_predictions`, without a graph."""
    theta = start(network)
    columns = side_by_side(
        lambda task: task_predictions(plan, theta, loss_fn, task, every_step, **settings),
        list(episode),
    )
    return torch.stack(columns, dim=1) if every_step else torch.cat(columns)


def outer_loss(plan: ByHand, learner: Learner, episode: Episode, **settings) -> Tensor | None:
    """The loss of a learner's ``network`` on the query sets after the inner loop; ``backward``
    finds its gradient ready. None for a loss that does not average over items, so that the mean
    over tasks is not the loss of all together."""
    theta = start(learner.network)

    def loss_fn(predictions: Tensor, targets: Tensor) -> Tensor:
        return learner.support_loss(predictions, targets, episode.ways)

    results = side_by_side(
        lambda task: task_gradient(plan, theta, loss_fn, task, **settings), list(episode)
    )
    answers, losses, gradients = zip(*results, strict=True)
    answers = torch.stack(answers)
    loss, each = (
        learner.loss_fn(answers.flatten(0, 1), episode.query_y.flatten(0, 1)),
        torch.stack(losses).mean(),
    )
    if torch.isfinite(loss) and not torch.isclose(loss, each, rtol=1e-3):
        return None
    zero = {name: torch.zeros_like(p) for name, p in theta.items()}
    total = [sum((zero | one)[name] for one in gradients) / len(gradients) for name in theta]
    return Known.apply(loss, total, *learner.network.parameters())


class Known(torch.autograd.Function):
    """A loss whose gradient is known already."""

    @staticmethod
    def forward(ctx, loss, gradients, *parameters):
        ctx.gradients = gradients
        return loss.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, slope):
        return None, None, *(slope * gradient for gradient in ctx.gradients)
