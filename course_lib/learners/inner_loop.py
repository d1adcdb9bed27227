"""The inner loop, three ways: written out, with ``higher``, and for all tasks at once.

Each way walks phi^0 = theta, phi^(j+1) = phi^j - alpha * gradient of the support loss at phi^j
(Finn et al. 2017, equation 1) and returns the path [phi^0, ..., phi^k]. Every phi^j hangs on theta
by a graph, so the gradient of any loss at phi^k with respect to theta is the meta-gradient. All
three give the same numbers.
"""

import higher
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from course_lib.episodes import Episode
from course_lib.networks.normalisation import support_first

Parameters = dict[str, Tensor]


def written_out(
    network: nn.Module,
    loss_fn,
    support_x: Tensor,
    support_y: Tensor,
    *,
    alpha: float,
    steps: int,
    first_order: bool = False,
    adapted: list[str] | None = None,
) -> list[Parameters]:
    """One task, nothing hidden: ``torch.autograd.grad`` with ``create_graph=True``.

    Args:
        support_x, support_y: (S, ...) and (S, outputs) or (S,).
        alpha: inner learning rate.   steps: k, the number of inner steps.
        first_order: treat each inner gradient as a constant (FOMAML). phi still hangs on theta.
        adapted: names of the parameters that move; all of them when None.

    Returns:
        k + 1 dictionaries from parameter name to value.
    """
    phi = dict(network.named_parameters())
    names, path = adapted or list(phi), [phi]
    for _ in range(steps):
        loss = loss_fn(functional_call(network, phi, (support_x,)), support_y)
        gradients = torch.autograd.grad(loss, [phi[n] for n in names], create_graph=not first_order)
        phi = phi | {n: phi[n] - alpha * g for n, g in zip(names, gradients, strict=True)}
        path.append(phi)
    return path


def with_higher(
    network: nn.Module,
    loss_fn,
    support_x: Tensor,
    support_y: Tensor,
    *,
    alpha: float,
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
    optimizer = inner_optimizer([everything[n] for n in adapted or everything], lr=alpha)
    detach = (
        (lambda gradients: [None if g is None else g.detach() for g in gradients])
        if first_order
        else None
    )
    with higher.innerloop_ctx(
        network, optimizer, copy_initial_weights=False, override=override
    ) as (fnet, inner):
        for _ in range(steps):
            inner.step(loss_fn(fnet(support_x), support_y), grad_callback=detach)
        return [
            dict(zip(everything, fnet.parameters(time=j), strict=True)) for j in range(steps + 1)
        ]


def all_tasks_at_once(
    network: nn.Module,
    loss_fn,
    support_x: Tensor,
    support_y: Tensor,
    *,
    alpha: float,
    steps: int,
    first_order: bool = False,
    adapted: list[str] | None = None,
) -> list[Parameters]:
    """Every task in one go with ``torch.func.vmap``: support_x is (T, S, ...), and each phi^j has a
    leading T.

    Only the forward pass is vectorised. The T support losses are summed, and since task i's
    parameters appear in loss i alone, one ``autograd.grad`` gives every task its own gradient.
    Wrapping ``torch.func.grad`` in ``vmap`` instead is slower, and wrong at second order where
    scales and shifts of a layer or batch norm are adapted.
    """
    theta, tasks = dict(network.named_parameters()), support_x.shape[0]
    losses = vmap(
        lambda phi, x, y: loss_fn(functional_call(network, phi, (x,)), y), randomness="different"
    )
    names = adapted or list(theta)
    phi = {n: p.expand(tasks, *p.shape) for n, p in theta.items()}
    path = [phi]
    for _ in range(steps):
        total = losses(phi, support_x, support_y).sum()
        gradients = torch.autograd.grad(
            total, [phi[n] for n in names], create_graph=not first_order
        )
        phi = phi | {n: phi[n] - alpha * g for n, g in zip(names, gradients, strict=True)}
        path.append(phi)
    return path


def predict_with(network: nn.Module, phi: Parameters, x: Tensor) -> Tensor:
    """The network's output for x with phi in the place of its own parameters. One task."""
    return functional_call(network, phi, (x,))


def predict_all_with(network: nn.Module, phi: Parameters, x: Tensor) -> Tensor:
    """The same for T tasks: phi with a leading T, x (T, Q, ...) -> (T, Q, outputs)."""
    return vmap(lambda p, inputs: functional_call(network, p, (inputs,)), randomness="different")(
        phi, x
    )


def query_predictions(
    network: nn.Module, loss_fn, episode: Episode, way: str, every_step: bool = False, **walk
) -> Tensor:
    """Predictions for the query sets after the inner loop.

    Args:
        way: "autograd", "higher" or "vmap": which of the three walks.
        every_step: also the predictions after 0, 1, ..., k - 1 steps.
        walk: alpha, steps, first_order, adapted, and what else the way takes.

    Returns:
        (T, Q, outputs), or (k + 1, T, Q, outputs) with every_step.
    """
    with support_first(
        network, episode.support_x.shape[1]
    ) as first:  # 0, unless the queries are normalised with the support set
        asked = torch.cat([episode.support_x[:, :first], episode.query_x], dim=1)
        if way == "vmap":
            path = all_tasks_at_once(network, loss_fn, episode.support_x, episode.support_y, **walk)
            stations = path if every_step else path[-1:]
            predictions = torch.stack([predict_all_with(network, phi, asked) for phi in stations])
        else:
            one_task = {"autograd": written_out, "higher": with_higher}[way]
            columns = []
            for x, (support_x, support_y, _, _) in zip(asked, episode, strict=True):
                path = one_task(network, loss_fn, support_x, support_y, **walk)
                stations = path if every_step else path[-1:]
                columns.append(torch.stack([predict_with(network, phi, x) for phi in stations]))
            predictions = torch.stack(columns, dim=1)
    predictions = predictions[:, :, first:]
    return predictions if every_step else predictions[0]
