"""The inner loop, three ways: written out, with ``higher``, and for all tasks at once.

Each way walks phi^0 = theta, phi^(j+1) = phi^j - alpha * gradient of the support loss at phi^j
(Finn et al. 2017, equation 1) and returns the path [phi^0, ..., phi^k]. Every phi^j hangs on theta
by a graph, so the gradient of any loss at phi^k with respect to theta is the meta-gradient. All
three give the same numbers.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import higher
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from course_lib import interrupts
from course_lib.episodes import Episode
from course_lib.networks.normalisation import support_first

Parameters = dict[str, Tensor]
Rates = dict[str, list[Tensor]]  # for each parameter its step size: one, or one for each step


def rate(alpha: float | Rates, name: str, step: int) -> float | Tensor:
    """The step size of a parameter in inner step 0, 1, ...; the last one from there on."""
    if not isinstance(alpha, dict):
        return alpha
    return alpha[name][min(step, len(alpha[name]) - 1)]


def written_out(
    network: nn.Module,
    loss_fn,
    support_x: Tensor,
    support_y: Tensor,
    *,
    alpha: float | Rates,
    steps: int,
    first_order: bool = False,
    adapted: list[str] | None = None,
    last_only: bool = False,
) -> list[Parameters]:
    """One task, nothing hidden: ``torch.autograd.grad`` with ``create_graph=True``.

    Args:
        support_x, support_y: (S, ...) and (S, outputs) or (S,).
        alpha: inner learning rate, or one for each parameter.   steps: k, how many inner steps.
        first_order: treat each inner gradient as a constant (FOMAML). phi still hangs on theta.
        adapted: names of the parameters that move; all that are not frozen when None.
        last_only: keep phi^k alone, cut from theta: where nothing is learned from it, a thousand
            steps then take the memory of one.

    Returns:
        k + 1 dictionaries from parameter name to value, or one.

    Raises:
        ValueError: the support loss does not depend on any of the parameters that move.
    """
    phi = dict(network.named_parameters())
    names, path = adapted or not_frozen(network), [phi]
    for step in range(steps):
        loss = loss_fn(predict_with(network, phi, support_x), support_y)
        gradients = slopes(loss, [phi[n] for n in names], graph=not first_order)
        moves = zip(names, gradients, strict=True)
        phi = phi | {n: phi[n] - rate(alpha, n, step) * g for n, g in moves}
        if last_only:
            phi = phi | {n: phi[n].detach().requires_grad_() for n in names}
            path.clear()
        path.append(phi)
    return path


def with_higher(
    network: nn.Module,
    loss_fn,
    support_x: Tensor,
    support_y: Tensor,
    *,
    alpha: float | Rates,
    steps: int,
    first_order: bool = False,
    adapted: list[str] | None = None,
    inner_optimizer=torch.optim.SGD,
    override: dict | None = None,
) -> list[Parameters]:
    """One task with ``higher`` (Grefenstette et al. 2019): the same walk, with any optimiser it can
    differentiate.

    ``copy_initial_weights=False`` keeps phi^0 the network's own parameters; with the default, a
    copy, no gradient would ever reach them. First order detaches the *gradients*; detaching phi
    would cut theta off.

    Args:
        inner_optimizer: a class such as ``torch.optim.SGD`` or ``torch.optim.Adam``.
        override: optimiser settings as tensors, so that they too receive gradients, such as
            ``{"lr": [alpha]}``.
        The rest, and the result, as in `written_out`.
    """
    everything = dict(network.named_parameters())
    names, learned = adapted or list(everything), isinstance(alpha, dict)
    # a learned rate is put in at every step, for a group of parameters each
    groups = [{"params": [everything[n]]} for n in names] if learned else None
    moved = groups or [everything[n] for n in names]
    optimizer = inner_optimizer(moved, lr=1.0 if learned else alpha)

    def look(gradients):
        """No gradient at all is an error; for first order each is cut from its graph."""
        used(gradients)
        cut = first_order and (lambda g: None if g is None else g.detach())
        return [cut(g) for g in gradients] if cut else gradients

    with higher.innerloop_ctx(
        network, optimizer, copy_initial_weights=False, override=override
    ) as (fnet, inner):
        for step in range(steps):
            loss = loss_fn(fnet(support_x), support_y)
            used([loss] if loss.requires_grad else [])
            now = {"lr": [rate(alpha, n, step) for n in names]} if learned else None
            inner.step(loss, grad_callback=look, override=now)
        return [
            dict(zip(everything, fnet.parameters(time=j), strict=True)) for j in range(steps + 1)
        ]


def all_tasks_at_once(
    network: nn.Module,
    loss_fn,
    support_x: Tensor,
    support_y: Tensor,
    *,
    alpha: float | Rates,
    steps: int,
    first_order: bool = False,
    adapted: list[str] | None = None,
    last_only: bool = False,
) -> list[Parameters]:
    """Every task in one go with ``torch.func.vmap``: support_x is (T, S, ...), and each phi^j has a
    leading T.

    Only the forward pass is vectorised. The T support losses are summed, and since task i's
    parameters appear in loss i alone, one ``autograd.grad`` gives every task its own gradient.
    Wrapping ``torch.func.grad`` in ``vmap`` instead is slower, and wrong at second order where
    scales and shifts of a layer or batch norm are adapted.
    """
    theta, tasks = dict(network.named_parameters()), support_x.shape[0]
    losses = for_all_tasks(network, lambda p, x, y: loss_fn(predict_with(network, p, x), y))
    names = adapted or not_frozen(network)
    phi = {n: p.expand(tasks, *p.shape) for n, p in theta.items()}
    path = [phi]
    for step in range(steps):
        total = losses(phi, support_x, support_y).sum()
        gradients = slopes(total, [phi[n] for n in names], graph=not first_order)
        moves = zip(names, gradients, strict=True)
        phi = phi | {n: phi[n] - rate(alpha, n, step) * g for n, g in moves}
        if last_only:
            phi = phi | {n: phi[n].detach().requires_grad_() for n in names}
            path.clear()
        path.append(phi)
    return path


def predict_with(network: nn.Module, phi: Parameters, x: Tensor) -> Tensor:
    """The network's output for x with phi in the place of its own parameters; what phi does not
    name stays its own. One task.

    A parameter may stand in several places: tied weights, or one layer used twice. Each place is
    named once; ``functional_call`` names a layer that is used twice twice, and puts the wrong
    numbers back afterwards.
    """
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    places = {
        f"{layer}.{leaf}" if layer else leaf: phi[names[id(parameter)]]
        for layer, module in network.named_modules()
        for leaf, parameter in module.named_parameters(recurse=False)
        if names[id(parameter)] in phi
    }
    return functional_call(network, places, (x,), tie_weights=False)


def predict_all_with(network: nn.Module, phi: Parameters, x: Tensor) -> Tensor:
    """The same for T tasks: phi with a leading T, x (T, Q, ...) -> (T, Q, outputs)."""
    return for_all_tasks(network, lambda p, inputs: predict_with(network, p, inputs))(phi, x)


def for_all_tasks(network: nn.Module, function: Callable) -> Callable:
    """``function`` of phi and tensors of one task, as a function of those of T tasks: side by side
    with ``vmap``, or one after the other where it has no rule for a layer (RNN, GRU, LSTM)."""
    if not recurrent(network):
        return vmap(function, randomness="different")

    def in_turn(phi: Parameters, *given: Tensor) -> Tensor:
        tasks = range(len(given[0]))
        return torch.stack(
            [function({n: p[i] for n, p in phi.items()}, *(g[i] for g in given)) for i in tasks]
        )

    return in_turn


def recurrent(network: nn.Module) -> bool:
    """Does it hold a layer of torch's that reads sequences step by step?"""
    return any(isinstance(layer, (nn.RNNBase, nn.RNNCellBase)) for layer in network.modules())


def not_frozen(network: nn.Module) -> list[str]:
    """Names of the parameters that ask for a gradient."""
    return [name for name, parameter in network.named_parameters() if parameter.requires_grad]


def slopes(loss: Tensor, values: list[Tensor], graph: bool) -> list[Tensor]:
    """d loss / d value for each of the values; 0 for one that the loss does not use."""
    gradients = (
        torch.autograd.grad(loss, values, create_graph=graph, allow_unused=True)
        if loss.requires_grad
        else [None]
    )
    used(gradients)
    return [
        torch.zeros_like(value) if gradient is None else gradient
        for value, gradient in zip(values, gradients, strict=True)
    ]


def used(gradients) -> None:
    """Refuse an inner loop that could not move anything.

    Raises:
        ValueError: there is no gradient at all.
    """
    if all(gradient is None for gradient in gradients):
        raise ValueError(
            "the support loss does not depend on any parameter that the inner loop adapts: "
            "look for detach(), no_grad() or argmax in the network or the loss, or for a last "
            "layer that the forward pass does not use"
        )


@contextmanager
def twice_differentiable(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Inside, layers take the road that has a second derivative: fused attention has none, nor
    have the fast transformer layers, nor cuDNN's recurrent layers."""
    fast = torch.backends.mha.get_fastpath_enabled()
    without_cudnn = device.type == "cuda" and recurrent(network)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with (
            sdpa_kernel(SDPBackend.MATH),
            torch.backends.cudnn.flags(enabled=False) if without_cudnn else nullcontext(),
        ):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


@contextmanager
def ready(network: nn.Module, device: torch.device, items: int) -> Iterator[int]:
    """`twice_differentiable`, and layers that need it know the ``items`` of the support set. Yields
    what `support_first` does."""
    with twice_differentiable(network, device), support_first(network, items) as first:
        yield first


def query_predictions(
    network: nn.Module,
    loss_fn,
    episode: Episode,
    way: str,
    every_step: bool = False,
    graph: bool = True,
    **walk,
) -> Tensor:
    """Predictions for the query sets after the inner loop.

    Args:
        way: "autograd", "higher" or "vmap": which of the three walks.
        every_step: also the predictions after 0, 1, ..., k - 1 steps.
        graph: let the predictions hang on theta; without, they keep nothing of the network.
        walk: alpha, steps, first_order, adapted, and what else the way takes.

    Returns:
        (T, Q, outputs), or (k + 1, T, Q, outputs) with every_step.
    """
    if way != "higher":
        walk["last_only"] = not (graph or every_step)
    # first is 0, unless the queries are normalised with the support set
    with ready(network, episode.query_x.device, episode.support_x.shape[1]) as first:
        asked = torch.cat([episode.support_x[:, :first], episode.query_x], dim=1)
        if way == "vmap":
            path = all_tasks_at_once(network, loss_fn, episode.support_x, episode.support_y, **walk)
            stations = path if every_step else path[-1:]
            with torch.set_grad_enabled(graph):
                columns = [predict_all_with(network, phi, asked) for phi in stations]
            predictions = torch.stack(columns)
        else:
            one_task = {"autograd": written_out, "higher": with_higher}[way]
            columns = []
            for x, (support_x, support_y, _, _) in zip(asked, episode, strict=True):
                interrupts.now()
                path = one_task(network, loss_fn, support_x, support_y, **walk)
                stations = path if every_step else path[-1:]
                with torch.set_grad_enabled(graph):
                    answers = [predict_with(network, phi, x) for phi in stations]
                columns.append(torch.stack(answers))
            predictions = torch.stack(columns, dim=1)
    predictions = predictions[:, :, first:]
    return predictions if every_step else predictions[0]
