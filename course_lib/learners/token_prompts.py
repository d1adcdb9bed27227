"""Prompts of the small language model, as rows of token ids: the one place where they are written.

With examples a prompt is ``word : label \\n word : label \\n word :``, without it is ``word :``;
the answer is the token after it. An item x is a row of token ids, one word or several, filled up
with 0 on the right.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from course_lib.episodes import Episode
from course_lib.families import prompt_worlds as worlds

SEPARATOR, END = ":", "\n"
COLON = worlds.ID[SEPARATOR]


def packed(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens (..., L) with their zeros moved to the right and columns of zeros cut off, and the
    place of each row's last token (...)."""
    order = (tokens == 0).long().argsort(dim=-1, stable=True)
    lengths = (tokens != 0).sum(-1)
    return tokens.gather(-1, order)[..., : int(lengths.max())], lengths - 1


def questions(x: Tensor) -> tuple[Tensor, Tensor]:
    """Items (T, n, l) -> prompts without examples, such as ``dog :``, (T, n, L), and the place of
    the answer (T, n)."""
    return packed(torch.cat([x, torch.full_like(x[..., :1], COLON)], -1))


def prompts(
    episode: Episode,
    labels: Tensor,
    shots: int | None = None,
    *,
    separators: Sequence[str] = (SEPARATOR,),
    end: str = END,
    before: str = "",
) -> tuple[Tensor, Tensor]:
    """The prompts of all queries of an episode: token ids (T, Q, L), and the place of each one's
    last token (T, Q).

    What an episode says in ``names["instruction"]``, (T, n) token ids, stands before the examples.

    Args:
        episode: support_x (T, S, l) and query_x (T, Q, l) are token ids.   labels: (T, N), the
            label word of each class.
        shots: how many of the support examples to show, the first ones; None shows all.
        separators: taken in turn by the examples; the query has the first.   end: after each
            example.
        before: text in front of everything.

    Raises:
        ValueError: there are not so many examples, or one is of a class without a label word.
    """
    support_x, support_y, query_x = episode.support_x, episode.support_y, episode.query_x
    S = support_y.shape[1]
    if shots is not None and not 0 <= shots <= S:
        raise ValueError(f"shots={shots}: choose from 0 to the {S} examples that these tasks have")
    fits(support_x, support_y, labels)
    said = labels.gather(1, support_y)[..., None]  # (T, S, 1)
    between = torch.tensor([worlds.ID[separators[i % len(separators)]] for i in range(S)])
    between = between.to(said)[:, None].expand_as(said)
    line_end = torch.full_like(said, worlds.ID[end])
    examples = torch.cat([support_x, between, said, line_end], -1)[:, :shots].flatten(1)
    first = torch.tensor(worlds.encode(before), dtype=torch.long, device=said.device)
    told = episode.names.get("instruction", said[:, :0, 0]).to(said)
    shown = torch.cat([first.expand(len(said), -1), told, examples], 1)
    asked = torch.cat([query_x, torch.full_like(query_x[..., :1], worlds.ID[separators[0]])], -1)
    return packed(torch.cat([shown[:, None].expand(-1, query_x.shape[1], -1), asked], -1))


def as_prompts(episode: Episode, shots: int | None = None, **form) -> Tensor:
    """The token ids of the prompts alone, with the label words that the episode brings: see
    `prompts`."""
    return prompts(episode, labels_of(episode), shots, **form)[0]


def label_ids(labels: Sequence[str] | Sequence[int] | Tensor | None, device) -> Tensor:
    """The label words of one task as token ids (N,).

    Raises:
        ValueError: there are none, fewer than two, or two are the same; a word is unknown or
            several.
    """
    if labels is None:
        raise ValueError("the classes have no words: give labels=[...], one word a class")
    ids = [worlds.encode(label) if isinstance(label, str) else [int(label)] for label in labels]
    if long := [label for label, one in zip(labels, ids, strict=True) if len(one) != 1]:
        raise ValueError(f"label {long[0]!r} is not one token: choose one word for each class")
    if len(ids) < 2 or len({one[0] for one in ids}) < len(ids):
        raise ValueError(f"labels={list(labels)}: a task needs at least 2, each another word")
    return torch.tensor(ids, device=device)[:, 0]


def labels_of(episode: Episode, labels: Tensor | None = None) -> Tensor:
    """The label words of every task of an episode, token ids (T, N): the learner's own, or those
    that the episode brings.

    Raises:
        ValueError: neither has any.
    """
    if labels is not None:
        return labels.expand(episode.tasks, -1)
    if "labels" not in episode.names:
        raise ValueError(
            'the classes have no words: give labels=[...], or an episode with names["labels"]'
        )
    return episode.names["labels"].to(episode.query_y.device)


def fits(support_x: Tensor, support_y: Tensor, labels: Tensor) -> None:
    """Refuse a support set that cannot be written as examples.

    Raises:
        ValueError: it holds a class without a label word, or x is not one row of tokens an example.
    """
    if support_x.shape[:-1] != support_y.shape:
        raise ValueError(
            f"support_x {tuple(support_x.shape)} and support_y {tuple(support_y.shape)}: x needs "
            "one row of token ids a class number"
        )
    if (
        support_y.numel()
        and not 0 <= int(support_y.min()) <= int(support_y.max()) < labels.shape[-1]
    ):
        raise ValueError(
            f"support_y reaches from {int(support_y.min())} to {int(support_y.max())}, and there "
            f"are {labels.shape[-1]} labels: give one a class"
        )


def at(x: Tensor, place: Tensor) -> Tensor:
    """x (B, L, ...) at one place of each row, place (B,) -> (B, ...)."""
    return x.gather(1, place[:, None, None].expand(-1, 1, x.shape[-1])).squeeze(1)
