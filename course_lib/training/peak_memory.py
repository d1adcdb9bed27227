"""How many bytes of tensors a call holds at its worst moment."""

import weakref
from collections.abc import Callable

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Held(TorchDispatchMode):
    """Counts the bytes of the tensors made while it is active: those held now, and at the worst
    moment."""

    def __init__(self):
        super().__init__()
        self.sizes, self.now, self.peak = {}, 0, 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        given = {storage._cdata for storage in storages((args, kwargs))}
        for storage in storages(result):
            place = storage._cdata
            # neither a view nor changed in place
            if place not in given and place not in self.sizes:
                self.sizes[place] = storage.nbytes()
                self.now += storage.nbytes()
                self.peak = max(self.peak, self.now)
                weakref.finalize(storage, self.freed, place)
        return result

    def freed(self, place: int) -> None:
        self.now -= self.sizes.pop(place)


def storages(nested) -> list:
    """The memory behind every tensor in nested lists, tuples and dictionaries."""
    return [leaf.untyped_storage() for leaf in tree_leaves(nested) if isinstance(leaf, Tensor)]


def peak_memory(function: Callable) -> int:
    """Bytes of tensors that a call held at its worst moment, beyond those that existed before."""
    with Held() as held:
        function()
    return held.peak
