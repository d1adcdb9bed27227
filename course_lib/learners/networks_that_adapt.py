"""Which networks an inner loop can adapt, and which layer of them is the head."""

from torch import jit, nn
from torch.nn.parameter import is_lazy

WRAPPERS = {
    "DataParallel",
    "DistributedDataParallel",
    "FullyShardedDataParallel",
    "OptimizedModule",
}


def check_network(network: nn.Module, first_order: bool = False) -> None:
    """Refuse a network whose adapted parameters would not be used, that would carry something from
    one task into the next, or whose second derivative is wrong.

    Raises:
        ValueError: names the layer and what to change.
    """
    if not isinstance(network, nn.Module):
        raise ValueError(f"network {network!r}: give a torch.nn.Module, such as mlp()")
    empty = True
    for layer in network.modules():
        if fault := fault_of(layer, type(layer).__name__, first_order):
            name = next(name for name, one in network.named_modules() if one is layer)
            raise ValueError(f"{f'layer {name!r}' if name else 'the network'} {fault}")
        empty = empty and not layer._parameters
    if empty:
        raise ValueError(
            f"network {type(network).__name__} has no parameters: there is nothing that an "
            "inner loop could adapt"
        )


NO_SECOND = {"EmbeddingBag", "Hardsigmoid"}  # layers of torch without a second derivative


def fault_of(layer: nn.Module, kind: str, first_order: bool) -> str | None:
    """What is wrong with a layer, and what to change; None where nothing is."""
    if kind in WRAPPERS or isinstance(layer, jit.ScriptModule):
        return (
            f"is wrapped in {kind}, which an inner loop cannot reach through: give the network "
            "itself (way='vmap' runs tasks side by side, and `torchrun --nproc-per-node 2 -m "
            "course_lib train NAME` divides them between processes)"
        )
    if getattr(layer, "track_running_stats", False):
        return (
            f"({kind}) keeps running averages, which leak between tasks in an inner loop: build it "
            "with track_running_stats=False, or use course_lib.networks.normalisation.BatchNorm"
        )
    if not first_order and wrong_twice(layer, kind):
        return (
            "uses weight_norm, whose second derivative is wrong in torch: take it off, or use "
            "first_order=True"
        )
    if not first_order and kind in NO_SECOND:
        return f"({kind}) has no second derivative in torch: take another, or use first_order=True"
    if kind.startswith("Lazy") and any(map(is_lazy, layer._parameters.values())):
        return f"({kind}) does not know its size yet: call the network once on a batch before"
    return None


def wrong_twice(layer: nn.Module, kind: str) -> bool:
    """Of all layers of torch 2.13 that have a second derivative, weight_norm, new or old, is the
    one where it fails ``torch.autograd.gradgradcheck`` (a test repeats this)."""
    if kind == "_WeightNorm":
        return True
    return any(type(hook).__name__ == "WeightNorm" for hook in layer._forward_pre_hooks.values())


def head_of(network: nn.Module) -> tuple[str, list[str]]:
    """The last layer that has parameters: its name, and the names of its parameters.

    Raises:
        ValueError: it shares a parameter with another layer, which would be adapted with it.
    """
    names = [name for name, _ in network.named_parameters(remove_duplicate=False)]
    layer = names[-1].rpartition(".")[0]
    own = [name for name in names if name.rpartition(".")[0] == layer]
    if shared := set(own) - {name for name, _ in network.named_parameters()}:
        raise ValueError(
            f"adapt='head': {sorted(shared)[0]!r} of the last layer belongs to another layer too, "
            "which would be adapted with it: use adapt='all', or untie them"
        )
    return layer, own
