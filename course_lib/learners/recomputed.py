"""The inner loop walked again in the backward pass: two ways whose memory does not grow with k
times the activations, nor with the number of tasks.

Going forward, nothing but theta is kept. The backward pass walks to phi^k once more, keeps the
parameters phi^0, ..., phi^k of this one task, and walks back. With v the gradient of the query loss
at phi^k,

    v <- v - alpha * H_j v        for j = k - 1, ..., 0

ends at the meta-gradient, because d phi^(j+1) / d phi^j = I - alpha * H_j. The two ways differ in
how H_j v comes about:

- "checkpointed": the step is recomputed with its graph, and differentiated (reverse over reverse;
  checkpointing as in Chen et al. 2016, arXiv 1604.06174, with one segment an inner step);
- "mixed": the derivative of the gradient along v, ``torch.func.jvp`` of ``torch.func.grad``
  (forward over reverse, as in MixFlow-MG, Kemaev et al. 2025, arXiv 2505.00793).
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from course_lib import interrupts
from course_lib.episodes import Episode
from course_lib.learners import inner_loop

Parameters = dict[str, Tensor]
Product = Callable[[Callable, Parameters, Parameters, Tensor], Parameters]


def by_double_backward(loss_of, phi: Parameters, v: Parameters, y: Tensor) -> Parameters:
    """H v: the gradient once more, of (gradient . v).

    Args:
        loss_of: the support loss, of parameters and targets.   y: the targets.
        phi: where.   v: has the names of the parameters that move.

    Returns:
        A direction with every name of phi.
    """
    leaves = copies(phi)
    gradients = inner_loop.slopes(loss_of(leaves, y), [leaves[name] for name in v], graph=True)
    curved = [(g, one) for g, one in zip(gradients, v.values(), strict=True) if g.requires_grad]
    found = [None] * len(leaves)
    if curved:  # else the loss is linear in phi
        outputs, weights = zip(*curved, strict=True)
        found = torch.autograd.grad(outputs, list(leaves.values()), weights, allow_unused=True)
    return with_zeros(leaves, found)


def by_forward_over_reverse(loss_of, phi: Parameters, v: Parameters, y: Tensor) -> Parameters:
    """H v: how the gradient changes when phi moves along v. Nothing is stored for a backward pass
    of the gradient. Arguments and result as in `by_double_backward`.

    Targets that are real numbers get a tangent of zeros: without one, torch 2.13 stops inside
    ``mse_loss`` ("ZeroTensors are immutable").

    Raises:
        ValueError: a layer or the loss has no rule for forward-mode differentiation.
    """
    along = {name: v.get(name, torch.zeros_like(value)) for name, value in phi.items()}
    gradient = torch.func.grad(loss_of)
    try:
        with torch.no_grad():
            if y.is_floating_point():
                return torch.func.jvp(gradient, (phi, y), (along, torch.zeros_like(y)))[1]
            return torch.func.jvp(lambda p: gradient(p, y), (phi,), (along,))[1]
    except (RuntimeError, NotImplementedError) as error:
        said = str(error).lower()
        if "forward ad" not in said and "forward-mode" not in said and "jvp" not in said:
            raise
        raise ValueError(
            "way='mixed' needs a forward-mode derivative of every layer and of the loss, and torch "
            "has none for one of them: use way='checkpointed', which keeps as little"
        ) from error


PRODUCTS: dict[str, Product] = {
    "checkpointed": by_double_backward,
    "mixed": by_forward_over_reverse,
}


@dataclass
class Walk:
    """The inner loop of one task, and what is needed to walk it again.

    Args:
        support_x, support_y: (S, ...).   asked: the inputs to predict, (Q, ...).
        product: how H v is computed.   The rest as in `inner_loop.written_out`.
    """

    network: nn.Module
    loss_fn: Callable[[Tensor, Tensor], Tensor]
    support_x: Tensor
    support_y: Tensor
    asked: Tensor
    product: Product
    adapted: list[str]
    alpha: float
    steps: int
    first_order: bool = False

    def __post_init__(self):
        self.dice = Dice(self.asked.device)

    def loss_of(self, phi: Parameters, y: Tensor) -> Tensor:
        return self.loss_fn(inner_loop.predict_with(self.network, phi, self.support_x), y)

    def predictions(self, phi: Parameters) -> Tensor:
        return inner_loop.predict_with(self.network, phi, self.asked)

    def forth(self, theta: Parameters) -> Iterator[Parameters]:
        """phi^0, ..., phi^k, one after the other, without graphs."""
        phi = theta
        for j in range(self.steps):
            yield phi
            leaves = copies(phi)
            with torch.enable_grad(), self.dice(j):
                loss = self.loss_of(leaves, self.support_y)
            nothing_else(loss, leaves)
            moving = [leaves[name] for name in self.adapted]
            gradients = inner_loop.slopes(loss, moving, graph=False)
            steps = zip(self.adapted, gradients, strict=True)
            phi = phi | {name: phi[name] - self.alpha * g for name, g in steps}
        yield phi

    def query_slope(self, phi: Parameters, slope: Tensor) -> Parameters:
        """From d loss / d predictions to d loss / d phi."""
        leaves = copies(phi)
        with torch.enable_grad(), self.dice(self.steps):
            predictions = self.predictions(leaves)
        nothing_else(predictions, leaves)
        if not predictions.requires_grad:
            return with_zeros(leaves, [None] * len(leaves))
        values = list(leaves.values())
        return with_zeros(
            leaves, torch.autograd.grad(predictions, values, slope, allow_unused=True)
        )

    def back(self, theta: Parameters, slope: Tensor) -> Parameters:
        """From d loss / d predictions to d loss / d theta."""
        path = list(self.forth(theta))
        v = self.query_slope(path.pop(), slope)
        if self.first_order:
            return v
        for j in reversed(range(self.steps)):
            with self.dice(j), torch.enable_grad():
                moving = {name: v[name] for name in self.adapted}
                Hv = self.product(self.loss_of, path.pop(), moving, self.support_y)
            v = {name: v[name] - self.alpha * Hv[name] for name in v}
        return v


class Recomputed(torch.autograd.Function):
    """(walk, names, theta's values) -> predictions after the inner loop. Nothing but theta is kept;
    the backward pass walks there once more, and back."""

    @staticmethod
    def forward(ctx, walk: Walk, names: list[str], *values: Tensor) -> Tensor:
        ctx.save_for_backward(*values)
        ctx.walk, ctx.names = walk, names
        phi = deque(walk.forth(dict(zip(names, values, strict=True))), maxlen=1).pop()
        with walk.dice(walk.steps):
            return walk.predictions(phi)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, slope: Tensor):
        walk, theta = ctx.walk, dict(zip(ctx.names, ctx.saved_tensors, strict=True))
        with inner_loop.ready(walk.network, walk.asked.device, len(walk.support_x)):
            v = walk.back(theta, slope)
        return None, None, *(v[name] for name in ctx.names)


def query_predictions(
    network: nn.Module, loss_fn, episode: Episode, way: str, *, adapted: list[str], **walk
) -> Tensor:
    """Predictions for the query sets after the inner loop: (T, Q, outputs).

    Args:
        way: "checkpointed" or "mixed".
        adapted, walk: as in `inner_loop.written_out`: alpha, steps, first_order.

    Raises:
        ValueError: a gradient would have to reach something besides the network's parameters; or,
            in the backward pass of "mixed", a layer has no forward-mode derivative.
    """
    theta, names = dict(network.named_parameters()), inner_loop.not_frozen(network)
    items, found = episode.support_x.shape[1], []
    with inner_loop.ready(network, episode.query_x.device, items) as first:
        asked = torch.cat([episode.support_x[:, :first], episode.query_x], dim=1)
        for x, (support_x, support_y, _, _) in zip(asked, episode, strict=True):
            interrupts.now()
            task = Walk(network, loss_fn, support_x, support_y, x, PRODUCTS[way], adapted, **walk)
            found.append(Recomputed.apply(task, names, *(theta[name] for name in names))[first:])
    return torch.stack(found)


def copies(phi: Parameters) -> Parameters:
    """The same values as the leaves of a new graph."""
    return {name: value.detach().requires_grad_() for name, value in phi.items()}


def with_zeros(leaves: Parameters, found) -> Parameters:
    """Gradients by name; 0 for a parameter that was not used."""
    return {
        name: torch.zeros_like(leaf) if gradient is None else gradient
        for (name, leaf), gradient in zip(leaves.items(), found, strict=True)
    }


def nothing_else(value: Tensor, leaves: Parameters) -> None:
    """Refuse a graph that leads to anything but these leaves: a walk that is computed again hands
    gradients to the network's parameters alone.

    Raises:
        ValueError: the loss or the data hold another tensor that requires a gradient.
    """
    known = {id(leaf) for leaf in leaves.values()} | {id(None)}
    seen, ahead = set(), [value.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if id(getattr(node, "variable", None)) not in known:
            raise ValueError(
                "the loss or the data depend on a tensor that requires a gradient and is no "
                "parameter of the network: way='checkpointed' and way='mixed' would leave it "
                "without one; use way='autograd'"
            )
        ahead += [after for after, _ in node.next_functions]


class Dice:
    """The random numbers of dropout: the same each time that the same step is walked.

    The first visit of a step draws on, as everywhere; later visits start from the generators'
    states of the first, and leave them where they were.
    """

    def __init__(self, device: torch.device):
        self.states = {}
        self.devices = [device] if device.type == "cuda" else []

    @contextmanager
    def __call__(self, step: int) -> Iterator[None]:
        if step not in self.states:
            cuda = [torch.cuda.get_rng_state(device) for device in self.devices]
            self.states[step] = torch.get_rng_state(), cuda
            yield
            return
        with torch.random.fork_rng(self.devices):
            torch.set_rng_state(self.states[step][0])
            for device, state in zip(self.devices, self.states[step][1], strict=True):
                torch.cuda.set_rng_state(state, device)
            yield
