"""What an error of torch means: its cause, where it can be told by looking at what was given.

Nothing here runs unless something failed, so it costs nothing; and each cause is established before
it is named: the network is tried on the items, dtypes and devices are compared.
"""

import copy

import torch
from torch import Tensor, nn

from course_lib.episodes import Episode

NO_INFERENCE = (
    "torch.inference_mode() forbids gradients for good, and this learner needs them to adapt: use "
    "torch.no_grad()"
)
NO_RULE = ("Batching rule not implemented", "vmap: ", "data-dependent control flow")
NO_SECOND = ("derivative for", "not implemented")


def explained(learner: nn.Module, given: tuple, error: Exception) -> str | None:
    """The cause of an error inside a learner, as a sentence; None where it is not known.

    Args:
        given: an episode, or the tensors of one task.
    """
    whole = bool(given) and isinstance(given[0], Episode)
    parts = given[0].four if whole else given
    tensors = [tensor for tensor in parts if isinstance(tensor, Tensor)]
    if not tensors:
        return None
    said = first_line(error)
    if torch.is_inference_mode_enabled() or any(tensor.is_inference() for tensor in tensors):
        if "nference" in said or "does not require grad" in said:
            return NO_INFERENCE
    return (
        other_place(learner, tensors, said)
        or no_derivative(said)
        or none_among_layers(learner, error)
        or wrong_items(learner, tensors[0].flatten(0, 1) if whole else tensors[0])
    )


def other_place(learner: nn.Module, tensors: list[Tensor], said: str) -> str | None:
    """The network is on another device, or computes with other numbers, than the items."""
    weights = [w for w in learner.parameters() if w.is_floating_point()]
    for weight in weights:
        for tensor in tensors:
            if weight.device != tensor.device:
                return (
                    f"the learner is on {weight.device} and the episode on {tensor.device}: move "
                    f"one of them, such as learner.to({str(tensor.device)!r})"
                )
    floats = [tensor for tensor in tensors if tensor.is_floating_point()]
    kinds = {weight.dtype for weight in weights}
    if floats and kinds and floats[0].dtype not in kinds:
        return (
            f"the learner computes in {weights[0].dtype} and the episode is {floats[0].dtype}: "
            "make them equal, such as learner.to(episode.support_x.dtype)"
        )
    if len(kinds) > 1 and "dtype" in said:
        return (
            f"the learner mixes {' and '.join(sorted(map(str, kinds)))}: make them equal, such as "
            "learner.float()"
        )
    return None


def no_derivative(said: str) -> str | None:
    """A layer has no second derivative, or no rule for many tasks at once."""
    if any(words in said for words in NO_RULE):
        return (
            f"way='vmap' cannot run a layer of this network for all tasks at once ({said}): use "
            "way='autograd', which gives the same numbers"
        )
    if all(words in said for words in NO_SECOND):
        return (
            f"a layer of the network has no second derivative here ({said}): write its formula "
            "out, or take first_order=True"
        )
    return None


def none_among_layers(learner: nn.Module, error: Exception) -> str | None:
    """higher asks every layer for its parameters, and None has none."""
    if not isinstance(error, AttributeError) or getattr(learner, "way", "") != "higher":
        return None
    for name, layer in learner.named_modules():
        for leaf, child in layer._modules.items():
            if child is None:
                where = f"{name}.{leaf}".removeprefix("network.")
                return (
                    f"{where} is None among the layers, which higher cannot take: put "
                    "nn.Identity() there, or use way='autograd'"
                )
    return None


def wrong_items(learner: nn.Module, x: Tensor) -> str | None:
    """The network of the learner, asked alone, cannot take the items x (n, ...) either."""
    network = getattr(learner, "network", None) or getattr(learner, "encoder", None)
    if not isinstance(network, nn.Module):
        return None
    try:
        with torch.no_grad():
            copy.deepcopy(network).eval()(x)
    except (RuntimeError, IndexError, TypeError, AttributeError) as error:
        return (
            f"the network {type(network).__name__} cannot take items of shape "
            f"{tuple(x.shape[1:])} and {x.dtype}: build it for them, or make the items fit it "
            f"({first_line(error)})"
        )
    return None


def first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
