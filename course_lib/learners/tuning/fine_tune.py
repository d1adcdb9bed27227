"""Fine-tuning: a task trains all weights of a copy of the model."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from course_lib.language_models.tiny_gpt import TinyGPT
from course_lib.learners.token_prompts import at
from course_lib.learners.tuning.tuned import Parts, Tuned


class FineTune(Tuned):
    """Trains all weights of a copy of the model.

    Args:
        head: "prompt": the answer is the label word as the next token, as in pretraining (Schick
            and Schuetze 2021; Gao et al. 2021). "new": a linear layer from the last hidden vector
            to the classes, from small random numbers, with the cross-entropy over the classes. The
            label words then play no part, only their number does.

    Raises:
        ValueError: there is no such head.
    """

    def __init__(
        self,
        model: TinyGPT,
        head: str = "prompt",
        *,
        steps: int = 50,
        lr: float = 1e-3,
        labels=None,
        seed: int = 0,
    ):
        super().__init__(model, steps=steps, lr=lr, labels=labels, seed=seed)
        if head not in ("prompt", "new"):
            raise ValueError(f"head={head!r}: choose 'prompt' or 'new'")
        self.head = head

    def start(self, labels, draw):
        weights = {f"model.{name}": part for name, part in self.model.named_parameters()}
        if self.head == "new":
            weights["head.weight"] = (
                draw(len(labels), self.model.size.width) / self.model.size.width**0.5
            )
            weights["head.bias"] = torch.zeros_like(weights["head.weight"][:, 0])
        return weights

    def run(self, parts: Parts, tokens: Tensor, scores: bool = True) -> Tensor:
        """The model with the trained weights: scores (B, L, V), or the last hidden vectors (B, L,
        W)."""
        own = {
            name.removeprefix("model."): part
            for name, part in parts.items()
            if name.startswith("model.")
        }
        return functional_call(self.model, own, (tokens,), {"scores": scores})

    def scores(self, parts, tokens):
        return self.run(parts, tokens)

    def loss(self, parts, tokens, place, y, labels):
        if self.head == "prompt":
            return super().loss(parts, tokens, place, y, labels)
        return F.cross_entropy(self.logits(parts, tokens, place, labels), y)

    def logits(self, parts, tokens, place, labels):
        if self.head == "prompt":
            return super().logits(parts, tokens, place, labels)
        return F.linear(
            at(self.run(parts, tokens, scores=False), place),
            parts["head.weight"],
            parts["head.bias"],
        )

    def settings(self) -> dict:
        return super().settings() | {"head": self.head}
