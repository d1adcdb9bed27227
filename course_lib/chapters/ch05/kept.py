"""How much autograd keeps for an outer gradient."""

import weakref

import torch
from torch import Tensor

from course_lib.episodes import Episode
from course_lib.learners import Learner


class Kept:
    """Bytes that autograd keeps for a backward pass, at the worst moment inside a ``with``."""

    def __init__(self):
        self.now = self.peak = 0

    def pack(self, tensor: Tensor):
        box, size = [tensor], tensor.numel() * tensor.element_size()
        holder = Holder(box)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(holder, self.let_go, size)
        return holder

    def let_go(self, size: int) -> None:
        self.now -= size

    def __enter__(self):
        self.hooks = torch.autograd.graph.saved_tensors_hooks(self.pack, lambda h: h.box[0])
        self.hooks.__enter__()
        return self

    def __exit__(self, *what):
        return self.hooks.__exit__(*what)


class Holder:
    """Holds a tensor, and can be watched."""

    def __init__(self, box: list):
        self.box = box


def bytes_kept(learner: Learner, episode: Episode) -> int:
    """Bytes kept at the worst moment of one outer gradient."""
    with Kept() as kept:
        learner.outer_loss(episode).backward()
    learner.zero_grad()
    return kept.peak
