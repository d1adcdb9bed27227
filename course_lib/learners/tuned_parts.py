"""What the tuning methods share: prompts of token ids, the last hidden vectors of the model, and checks at the door.

A prompt is ``word :`` and the answer is the token after it; with examples it is ``word : label \\n word : label \\n word :``. An item x is a
row of token ids, one word or several, filled up with 0 on the right.
"""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.families import prompt_worlds as worlds
from course_lib.language_models.tiny_gpt import TinyGPT

COLON, LINE_END = worlds.ID[":"], worlds.ID["\n"]


def as_is(place: str, x: Tensor) -> Tensor:
    return x


class Body(nn.Module):
    """A `TinyGPT` without its output layer: tokens (B, L) -> what stands at each place in the end, (B, L, W).

    It holds the model itself and no copy. The output layer of the model is its embedding, so `next_token` gives the model's scores.
    """

    def __init__(self, model: TinyGPT):
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor, change: Callable[[str, Tensor], Tensor] = as_is) -> Tensor:
        """``change`` gets what each part of each block is about to add, (B, L, W), with its name, and returns what is added instead."""
        x = self.model.embedding(tokens)
        for i, block in enumerate(self.model.blocks):
            x = x + change(f"{i}.attention", block.attention(block.norm1(x))[0])
            x = x + change(f"{i}.feed_forward", block.down(F.gelu(block.up(block.norm2(x)))))
        return self.model.norm(x)


def next_token(hidden: Tensor, embedding: Tensor) -> Tensor:
    """Scores (B, L, V) of the next token, from hidden vectors (B, L, W) and the embedding (V, W)."""
    return hidden @ embedding.mT


def at(x: Tensor, place: Tensor) -> Tensor:
    """x (B, L, ...) at one place of each row, place (B,) -> (B, ...)."""
    return x.gather(1, place[:, None, None].expand(-1, 1, x.shape[-1])).squeeze(1)


def behind(model: TinyGPT, vectors: Tensor, tokens: Tensor) -> Tensor:
    """The same scores as ``model(tokens, soft_prompt=vectors)``, for many short prompts: the vectors pass through the model once for all.

    No vector sees a token, so what the vectors become is the same in front of every prompt. Vectors and prompts run as one row here, in
    which each token sees the vectors, and of the tokens those of its own prompt up to itself.

    Args:
        vectors: (P, W).   tokens: (B, L).
    """
    (B, L), P, (x, device) = (
        tokens.shape,
        len(vectors),
        (model.embedding(tokens).flatten(0, 1), tokens.device),
    )
    x = torch.cat([vectors, x])  # (P + B L, W)
    place = torch.cat(
        [torch.arange(P, device=device), torch.arange(P, P + L, device=device).repeat(B)]
    )
    prompt = torch.cat(
        [torch.full((P,), -1, device=device), torch.arange(B, device=device).repeat_interleave(L)]
    )
    distance = place[:, None] - place
    unseen = (distance < 0) | ((prompt[:, None] != prompt) & (prompt >= 0))
    for block in model.blocks:
        part = block.attention
        q, k, v = (
            project(block.norm1(x)).unflatten(1, (part.heads, -1)).transpose(0, 1)
            for project in (part.q, part.k, part.v)
        )  # (H, P + B L, D)
        scores = q @ k.mT / q.shape[-1] ** 0.5 - part.slopes[:, None, None] * distance
        x = x + part.out(
            (scores.masked_fill(unseen, -torch.inf).softmax(-1) @ v).transpose(0, 1).flatten(1)
        )
        x = x + block.down(F.gelu(block.up(block.norm2(x))))
    return next_token(model.norm(x[P:]), model.embedding.weight).unflatten(0, (B, L))


def packed(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens (..., L) with their zeros moved to the right and columns of zeros cut off, and the place of each row's last token (...)."""
    order = (tokens == 0).long().argsort(dim=-1, stable=True)
    lengths = (tokens != 0).sum(-1)
    return tokens.gather(-1, order)[..., : int(lengths.max())], lengths - 1


def questions(x: Tensor) -> tuple[Tensor, Tensor]:
    """Items (T, n, l) -> prompts without examples, such as ``dog :``, (T, n, L), and the place of the answer (T, n)."""
    return packed(torch.cat([x, torch.full_like(x[..., :1], COLON)], -1))


def prompts(
    support_x: Tensor, support_y: Tensor, query_x: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Prompts with all support examples: (T, Q, L), and the place of the answer (T, Q).

    Args:
        support_x: (T, S, l).   support_y: (T, S) classes.   query_x: (T, Q, l).   labels: (T, N) token ids.
    """
    said = labels.gather(1, support_y)[..., None]
    examples = torch.cat(
        [support_x, torch.full_like(said, COLON), said, torch.full_like(said, LINE_END)], -1
    ).flatten(1)
    asked = torch.cat([query_x, torch.full_like(query_x[..., :1], COLON)], -1)
    return packed(torch.cat([examples[:, None].expand(-1, query_x.shape[1], -1), asked], -1))


def label_ids(labels: Sequence[str] | Sequence[int] | Tensor | None, device) -> Tensor:
    """The label words of one task as token ids (N,).

    Raises:
        ValueError: there are none, fewer than two, or two are the same; a word is unknown or several.
    """
    if labels is None:
        raise ValueError("the classes have no words: give labels=[...], one word a class")
    ids = [worlds.encode(label) if isinstance(label, str) else [int(label)] for label in labels]
    if long := [label for label, one in zip(labels, ids) if len(one) != 1]:
        raise ValueError(f"label {long[0]!r} is not one token: choose one word for each class")
    if len(ids) < 2 or len({one[0] for one in ids}) < len(ids):
        raise ValueError(f"labels={list(labels)}: a task needs at least 2, each another word")
    return torch.tensor(ids, device=device)[:, 0]


def labels_of(episode, labels: Tensor | None, device) -> Tensor:
    """The label words of every task of an episode: (T, N).

    Raises:
        ValueError: neither the learner nor the episode has any, or the episode has not one row a task.
    """
    if labels is not None:
        return labels.expand(episode.tasks, -1)
    if "labels" not in episode.hidden:
        raise ValueError(
            'the classes have no words: give labels=[...], or an episode with hidden["labels"]'
        )
    if len(episode.hidden["labels"]) != episode.tasks:
        raise ValueError(
            f"{episode.tasks} tasks and label words for {len(episode.hidden['labels'])}: cut the episode and hidden['labels'] alike"
        )
    return episode.hidden["labels"].to(device)


def fitting(support_x: Tensor, support_y: Tensor, labels: Tensor) -> None:
    """Refuse a support set that cannot be learned from.

    Raises:
        ValueError: it is empty, or holds a class without a label word.
    """
    if support_y.numel() == 0:
        raise ValueError("the support set is empty: tuning needs at least 1 example")
    if not 0 <= int(support_y.min()) <= int(support_y.max()) < labels.shape[-1]:
        raise ValueError(
            f"support_y reaches from {int(support_y.min())} to {int(support_y.max())}, and there are {labels.shape[-1]} labels: give one a class"
        )
    if support_x.shape[:-1] != support_y.shape:
        raise ValueError(
            f"support_x {tuple(support_x.shape)} and support_y {tuple(support_y.shape)}: x needs one row of token ids a class number"
        )


def finite_above_0(**numbers: float) -> None:
    """Refuse settings that are not finite numbers above 0.

    Raises:
        ValueError: names the setting.
    """
    for name, number in numbers.items():
        if not (math.isfinite(number) and number > 0):
            raise ValueError(f"{name}={number}: it must be a finite number above 0")
