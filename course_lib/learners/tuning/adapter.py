"""Adapters: a task trains small networks inside the blocks of the model."""

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.episodes import at_least_one
from course_lib.language_models.tiny_gpt import TinyGPT
from course_lib.learners.tuning.tuned import Tuned


class Adapter(Tuned):
    """Trains small networks with a bottleneck, h + up(gelu(down(h))), behind attention and
    feed-forward part of each block.

    Houlsby et al. 2019, section 2.1: what goes into h is what the part is about to add. They start
    both matrices near 0; here ``up`` starts at 0, so that the start is the frozen model. They train
    the norms of the model too, which here stay.

    Args:
        size: how many numbers the bottleneck lets through.
    """

    def __init__(
        self,
        model: TinyGPT,
        size: int = 8,
        *,
        steps: int = 100,
        lr: float = 0.01,
        labels=None,
        seed: int = 0,
    ):
        super().__init__(model, steps=steps, lr=lr, labels=labels, seed=seed)
        at_least_one(size=size)
        self.size = size

    def start(self, labels, draw):
        width, parts = self.model.size.width, {}
        for place in (
            f"{i}.{part}"
            for i in range(self.model.size.layers)
            for part in ("attention", "feed_forward")
        ):
            down = draw(self.size, width) / width**0.5
            parts |= {f"{place}.down": down, f"{place}.down_bias": torch.zeros_like(down[:, 0])}
            parts |= {
                f"{place}.up": torch.zeros_like(down).T,
                f"{place}.up_bias": torch.zeros_like(down[0]),
            }
        return parts

    def scores(self, parts, tokens):
        def change(place: str, h: Tensor) -> Tensor:
            inside = F.gelu(F.linear(h, parts[f"{place}.down"], parts[f"{place}.down_bias"]))
            return h + F.linear(inside, parts[f"{place}.up"], parts[f"{place}.up_bias"])

        return self.model(tokens, change=change)

    def settings(self) -> dict:
        return super().settings() | {"size": self.size}
