"""The compiled way: loss and meta-gradient of MAML on a plain MLP as one function of theta.

`outer` is MAML in a dozen lines: a gradient inside, a gradient outside, all tasks side by side.
torch.compile has no double backward for a network, so the whole outer function is compiled, with
both gradients in it. The first outer step waits for the compiler, a minute on a laptop; a later
process finds most of its work on the disk.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, grad_and_value, vmap

from course_lib.episodes import Episode
from course_lib.learners.conv4_by_hand.gradient import Known
from course_lib.learners.mismatch import first_line

Parameters = dict[str, Tensor]
ACTIVATIONS = (nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.ELU, nn.LeakyReLU, nn.Softplus)
PLAIN = (nn.Linear, nn.Flatten, nn.Identity, *ACTIVATIONS)
INSTEAD = "use way='vmap', which gives the same numbers"


def check_plain(network: nn.Module) -> None:
    """Refuse what is not a plain MLP: vmap around a gradient is wrong at second order where the
    scales of a normalisation layer are adapted.

    Raises:
        ValueError: names what is in the way.
    """
    layers = list(network) if type(network) is nn.Sequential else [network]
    for layer in layers:
        if type(layer) not in PLAIN or layer._forward_hooks or layer._forward_pre_hooks:
            raise ValueError(
                f"way='compiled' takes an nn.Sequential of nn.Linear and activations, such as "
                f"mlp(), and no {type(layer).__name__} or hook: {INSTEAD}"
            )
    weights = [p for layer in layers for p in layer.parameters()]
    if len(weights) != len({id(p) for p in weights}):
        raise ValueError(f"way='compiled' takes no layer twice and no tied weights: {INSTEAD}")


def check_compiler(device: torch.device) -> None:
    """Refuse where nothing can be compiled.

    Raises:
        ValueError: says what is missing.
    """
    from torch._inductor.cpp_builder import get_cpp_compiler  # slow to import

    try:
        get_cpp_compiler()
    except (RuntimeError, OSError) as error:
        raise ValueError(
            f"way='compiled' needs a C++ compiler, and there is none (install g++): {INSTEAD}"
        ) from error
    if device.type == "cuda" and not torch.utils._triton.has_triton():
        raise ValueError(f"way='compiled' needs triton on a GPU, and it is missing: {INSTEAD}")


def outer(
    network: nn.Module, loss_fn, *, alpha: float, steps: int, first_order: bool, adapted: list[str]
) -> Callable:
    """The outer loss as a function of theta and an episode's four tensors (T, ...)."""

    def support_loss(moving: Parameters, still: Parameters, x: Tensor, y: Tensor) -> Tensor:
        return loss_fn(functional_call(network, still | moving, (x,)), y)

    def predictions(theta: Parameters, support_x: Tensor, support_y: Tensor, query_x: Tensor):
        """One task: (S, ...), (S, ...), (Q, ...) -> (Q, outputs)."""
        still = {n: p for n, p in theta.items() if n not in adapted}
        phi = {n: theta[n] for n in adapted}
        for _ in range(steps):
            slopes = grad(support_loss)(phi, still, support_x, support_y)
            if first_order:
                slopes = {n: g.detach() for n, g in slopes.items()}
            phi = {n: phi[n] - alpha * g for n, g in slopes.items()}
        return functional_call(network, still | phi, (query_x,))

    def loss(theta, support_x, support_y, query_x, query_y) -> Tensor:
        answers = vmap(predictions, in_dims=(None, 0, 0, 0))(theta, support_x, support_y, query_x)
        return loss_fn(answers.flatten(0, 1), query_y.flatten(0, 1))

    return loss


def gradient_of(network: nn.Module, loss_fn, **settings) -> Callable:
    """The compiled function of theta and an episode's four tensors: (gradient by name, loss)."""
    function = grad_and_value(outer(network, loss_fn, **settings))
    return torch.compile(function, fullgraph=True, dynamic=False, isolate_recompiles=True)


class Compiled:
    """The functions compiled for one learner, by the settings that they were compiled for."""

    def __init__(self):
        self.ready: dict[tuple, Callable] = {}

    def __deepcopy__(self, memo) -> "Compiled":
        return Compiled()  # a copy of a learner has another network

    def loss(
        self, network: nn.Module, loss_fn, episode: Episode, checked: Callable[[], Tensor],
        **settings
    ) -> Tensor:  # fmt: skip
        """The outer loss; ``backward`` finds its gradient ready.

        Args:
            checked: the same loss in another way, asked before the first use: it looks at
                everything.

        Raises:
            ValueError: there is no compiler, or what ``checked`` raises.
        """
        from torch._dynamo.exc import TorchDynamoException  # takes a second, which others need not

        theta = {n: p.detach() for n, p in network.named_parameters()}
        key = (
            id(network), loss_fn, *map(str, settings.values()),
            *((t.shape, t.dtype, t.device) for t in (*theta.values(), *episode.four)),
        )  # fmt: skip
        if key not in self.ready:
            check_plain(network)
            check_compiler(episode.support_x.device)
            checked()
            self.ready[key] = gradient_of(network, loss_fn, **settings)
        try:
            gradients, loss = self.ready[key](theta, *episode.four)
        except TorchDynamoException as error:
            raise ValueError(
                f"torch.compile cannot take this loss or network ({first_line(error)}): {INSTEAD}"
            ) from error
        return Known.apply(loss, [gradients[n] for n in theta], *network.parameters())
