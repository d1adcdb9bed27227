"""Prompt tuning: vectors that stand before the tokens are all that a task trains."""

import torch
from torch import Tensor

from course_lib.episodes import at_least_one
from course_lib.language_models.tiny_gpt import TinyGPT
from course_lib.learners.tuning.tuned import Tuned

SHORT = 4  # tokens: the questions of tuning, such as "dog :", are as short as this


class SoftPrompt(Tuned):
    """Trains ``length`` vectors that stand before the tokens, as if they were embedded words
    (Lester et al. 2021).

    They start as the embeddings of the label words, and after those of words drawn at random from
    the vocabulary: their "class label" initialisation, section 3.2. Unlike there, the optimiser is
    Adam. The starting model is the frozen one behind a prompt of a few words.
    """

    def __init__(
        self,
        model: TinyGPT,
        length: int = 20,
        *,
        steps: int = 100,
        lr: float = 0.03,
        labels=None,
        seed: int = 0,
    ):
        super().__init__(model, steps=steps, lr=lr, labels=labels, seed=seed)
        at_least_one(length=length)
        self.length = length

    def start(self, labels, draw):
        words = (
            draw(self.model.size.words - 1).argsort() + 1
        )  # all but 0, the filling, in random order
        ids = torch.cat([labels, words[~torch.isin(words, labels)]])
        while len(ids) < self.length:
            ids = torch.cat([ids, words])
        return {"vectors": self.model.embedding.weight[ids[: self.length]]}

    def scores(self, parts, tokens):
        if tokens.shape[1] <= SHORT:
            return behind(self.model, parts["vectors"], tokens)
        return self.model(tokens, soft_prompt=parts["vectors"])

    def settings(self) -> dict:
        return super().settings() | {"length": self.length}


def behind(model: TinyGPT, vectors: Tensor, tokens: Tensor) -> Tensor:
    """The same scores as ``model(tokens, soft_prompt=vectors)``, for many short prompts: the
    vectors pass through the model once for all.

    No vector sees a token, so what the vectors become is the same in front of every prompt. Vectors
    and prompts run as one row here, in which each token sees the vectors, and of the tokens those
    of its own prompt up to itself.

    Args:
        vectors: (P, W).   tokens: (B, L).
    """
    (B, L), P, device = tokens.shape, len(vectors), tokens.device
    x = torch.cat([vectors, model.embedding(tokens).flatten(0, 1)])  # (P + B L, W)
    after = torch.arange(P, P + L, device=device).repeat(B)
    place = torch.cat([torch.arange(P, device=device), after])
    prompt = torch.arange(B, device=device).repeat_interleave(L)
    prompt = torch.cat([torch.full((P,), -1, device=device), prompt])
    distance = place[:, None] - place
    unseen = (distance < 0) | ((prompt[:, None] != prompt) & (prompt >= 0))
    hidden = model.through(x[None], distance, unseen)[0][0, P:]
    return model.next_token(hidden).unflatten(0, (B, L))
