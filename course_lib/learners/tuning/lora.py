"""LoRA: a task trains the change of some matrices, as a product of two thin ones."""

import torch
from torch.func import functional_call

from course_lib.episodes import at_least_one
from course_lib.language_models.tiny_gpt import TinyGPT
from course_lib.learners.tuning.tuned import Parts, Tuned, finite_above_0


class LoRA(Tuned):
    """Trains a product of two thin matrices for each query and value projection: W = W0 + (a / r) B
    A (Hu et al. 2022, equation 3).

    A (r, width) starts from normal numbers, B (width, r) from 0, so that the start is the frozen
    model. Here B A is added to W0 and the model runs with the sum: in use it costs no more than
    before.

    Args:
        rank: r.   a: the constant in front, which they call alpha; None sets it to the rank, so
            that the factor is 1.
    """

    def __init__(
        self,
        model: TinyGPT,
        rank: int = 4,
        *,
        a: float | None = None,
        steps: int = 100,
        lr: float = 0.01,
        labels=None,
        seed: int = 0,
    ):
        super().__init__(model, steps=steps, lr=lr, labels=labels, seed=seed)
        at_least_one(rank=rank)
        self.rank, self.a = rank, float(rank) if a is None else a
        finite_above_0(a=self.a)
        self.changed = [
            f"blocks.{i}.attention.{name}" for i in range(model.size.layers) for name in ("q", "v")
        ]

    def start(self, labels, draw):
        width, parts = self.model.size.width, {}
        for name in self.changed:
            parts[f"{name}.A"] = draw(self.rank, width) / width**0.5
            parts[f"{name}.B"] = torch.zeros_like(parts[f"{name}.A"]).T
        return parts

    def merged(self, parts: Parts) -> Parts:
        """The changed weights of the model, by name: W0 + (a / r) B A."""
        return {
            f"{n}.weight": self.model.get_parameter(f"{n}.weight")
            + self.a / self.rank * parts[f"{n}.B"] @ parts[f"{n}.A"]
            for n in self.changed
        }

    def scores(self, parts, tokens):
        return functional_call(self.model, self.merged(parts), (tokens,))

    def settings(self) -> dict:
        return super().settings() | {"rank": self.rank, "a": self.a}
