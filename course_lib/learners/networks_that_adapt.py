"""Which networks an inner loop can adapt, and which layer of them is the head."""

from torch import jit, nn
from torch.nn.parameter import is_lazy

WRAPPERS = (
    "DataParallel",
    "DistributedDataParallel",
    "FullyShardedDataParallel",
    "OptimizedModule",
)


def check_network(network: nn.Module) -> None:
    """Refuse a network whose adapted parameters would not be used, or that would carry something
    from one task into the next.

    Raises:
        ValueError: names the layer and what to change.
    """
    if not isinstance(network, nn.Module):
        raise ValueError(f"network {network!r}: give a torch.nn.Module, such as mlp()")
    empty = True
    for name, layer in network.named_modules():
        if type(layer).__name__ in WRAPPERS or isinstance(layer, jit.ScriptModule):
            raise ValueError(
                f"{named(name)} is wrapped in {type(layer).__name__}, which an inner loop cannot "
                "reach through: give the network itself (way='vmap' runs tasks side by side, and "
                "episode[:n] divides them between devices)"
            )
        if getattr(layer, "track_running_stats", False):
            raise ValueError(
                f"{named(name)} ({type(layer).__name__}) keeps running averages, which leak "
                "between tasks in an inner loop: build it with track_running_stats=False, or use "
                "course_lib.networks.normalisation.BatchNorm"
            )
        for parameter in layer._parameters.values():
            if is_lazy(parameter):
                raise ValueError(
                    f"{named(name)} ({type(layer).__name__}) does not know its size yet: call the "
                    "network once on a batch before"
                )
            empty = empty and parameter is None
    if empty:
        raise ValueError(
            f"network {type(network).__name__} has no parameters: there is nothing that an "
            "inner loop could adapt"
        )


def named(layer: str) -> str:
    return f"layer {layer!r}" if layer else "the network"


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
