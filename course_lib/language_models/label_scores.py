"""What both language models share: scores of labels after a prompt, one forward pass for all labels
that it can serve, and where a text ends."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from course_lib.episodes import at_least_one

Cut = tuple[
    list[int], int
]  # the tokens of a prompt with a label, and the place of the first token that is scored


WORTH = 8  # tokens: below that, reading them again costs less than keeping them


class ModelError(ValueError):
    """A language model that cannot be loaded, or not be asked this. The message says what to
    change."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the sentence, without the lines of the library that led to it."""
        return [f"ModelError: {self}"]


def cut_together(
    tokens: Callable[[str], list[int]], front: list[int], prompt: str, labels: Sequence[str]
) -> list[Cut]:
    """Prompt and label cut as one text, because tokenizers join what stands side by side: "was" and
    " great", or "the d" and "og".

    Scoring begins where the first label departs from the tokens of the prompt alone, at the same
    place for all labels of the prompt. Usually that is the end of the prompt. Where a label joins
    with it, the end of the prompt is scored with every label: each score then is log P(end of the
    prompt and label | what stands before), and the labels still compare as they should.

    Args:
        front: tokens that the tokenizer puts before every text, such as a mark of its beginning.
    """
    before, whole = tokens(prompt), [tokens(prompt + label) for label in labels]
    same = min(common(before, ids) for ids in whole)
    return [(front + ids, len(front) + (len(ids) if ids == before else same)) for ids in whole]


def common(one: list[int], other: list[int]) -> int:
    """How many tokens both begin with."""
    return next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )


def check_cuts(cuts: list[Cut], prompt: str, labels: Sequence[str], context: int) -> None:
    """Refuse what has no score.

    Raises:
        ModelError: a label adds no token, two are the same to the model, nothing stands before
            them, or the text is too long.
    """
    for (ids, first), label in zip(cuts, labels, strict=True):
        if first == len(ids):
            raise ModelError(
                f"label {label!r} has no tokens: choose a word that the model can read"
            )
        if first == 0:
            raise ModelError(
                f"the prompt is empty: {prompt!r} leaves no token in front of label {label!r}, "
                "write something before it"
            )
        if len(ids) > context:
            raise ModelError(
                f"a prompt with its label has {len(ids)} tokens and the model reads {context}: "
                "use fewer or shorter examples"
            )
    seen: dict[tuple[int, ...], str] = {}
    for (ids, _), label in zip(cuts, labels, strict=True):
        if (other := seen.setdefault(tuple(ids), label)) != label:
            raise ModelError(
                f"labels {other!r} and {label!r} are the same tokens to this model: choose words "
                "that it can tell apart"
            )


def score_labels(
    model,
    prompts: Sequence[str],
    labels: Sequence[Sequence[str]],
    device,
    batch: int,
    per_token: bool = False,
) -> Tensor:
    """log P(label | prompt) of n prompts with N labels each, in single precision at least: (n, N).
    It is the sum over the label's tokens, or with ``per_token`` their mean.

    A causal model never looks ahead. So one row of tokens serves all labels whose text before the
    last token it begins with: labels of one token cost one row a prompt, whatever their number.
    Rows can be filled up on the right without changing anything. And what many prompts begin with,
    the examples of a task, is read once: see `together`.

    Args:
        model: has ``context``, ``cut(prompt, labels)`` -> a `Cut` for each label, and ``scores(rows
            (B, L), lengths (B,), places (P,))`` -> (B, P, V), the scores of the next token at these
            places. One that also has ``remember(ids)`` gets what that returned as ``memory=`` with
            rows that go on from these ids.

    Raises:
        ModelError: a prompt has more labels than another, or `check_cuts` refuses one.
    """
    if len(prompts) != len(labels) or len({len(row) for row in labels}) != 1 or not labels[0]:
        raise ModelError(
            f"{len(prompts)} prompts, labels a prompt: {[len(row) for row in labels]}: give at "
            "least one, and every prompt equally many labels"
        )
    rows: list[list[int]] = []  # what is shown to the model
    asked: list[
        list[tuple[int, int, int]]
    ] = []  # for each row: (number of the score, place, token that follows there)
    for n, (prompt, own) in enumerate(zip(prompts, labels, strict=True)):
        cuts = model.cut(prompt, own)
        check_cuts(cuts, prompt, own, model.context)
        mine = len(rows)
        for i in sorted(range(len(own)), key=lambda i: -len(cuts[i][0])):
            ids, first = cuts[i]
            home = next(
                (r for r in range(mine, len(rows)) if rows[r][: len(ids) - 1] == ids[:-1]),
                len(rows),
            )
            if home == len(rows):
                rows.append(ids[:-1])
                asked.append([])
            asked[home] += [
                (n * len(own) + i, place - 1, ids[place]) for place in range(first, len(ids))
            ]  # foretold one place earlier
    jobs, values = [], []
    for numbers, shared in together(rows, asked):
        begin = rows[numbers[0]][:shared]
        memory = remember(model, begin)
        read = 0 if memory is None else shared  # what need not be read again
        order = sorted(numbers, key=lambda r: len(rows[r]))  # rows of like length together
        for start in range(0, len(order), batch):
            part = order[start : start + batch]
            tokens = torch.nn.utils.rnn.pad_sequence(
                [torch.tensor(rows[r][read:], device=device) for r in part], batch_first=True
            )
            lengths = torch.tensor([len(rows[r]) - read for r in part], device=device)
            places = sorted({place for r in part for _, place, _ in asked[r]})
            behind = torch.tensor(places, device=device) - read
            past = {} if memory is None else {"memory": memory}
            scores = model.scores(tokens, lengths, behind, **past)
            spots = sorted({(b, place) for b, r in enumerate(part) for _, place, _ in asked[r]})
            number = {spot: i for i, spot in enumerate(spots)}
            across = [bisect_left(places, place) for _, place in spots]
            chosen = scores[[b for b, _ in spots], across]  # (spots, V)
            log_p = (chosen.float() if chosen.dtype.itemsize < 4 else chosen).log_softmax(-1)
            found = [
                (job, number[b, place], token)
                for b, r in enumerate(part)
                for job, place, token in asked[r]
            ]
            job, spot, token = torch.tensor(found, device=device).T
            jobs.append(job)
            values.append(log_p[spot, token])
    each, job = torch.cat(values), torch.cat(jobs)
    total = each.new_zeros(len(prompts) * len(labels[0])).index_add(0, job, each)
    if per_token:
        total = total / job.bincount(minlength=len(total))
    return total.view(len(prompts), -1)


def together(rows: list[list[int]], asked: list[list]) -> Iterator[tuple[list[int], int]]:
    """Neighbouring rows that begin alike, as the queries of a task do behind its examples: their
    numbers, and how many tokens they share.

    The place that is asked about first is never among the shared ones. A row joins as long as at
    least half of what was shared so far, and `WORTH` tokens, stay shared; otherwise it begins
    anew.
    """
    group: list[int] = []
    shared = 0
    for r, row in enumerate(rows):
        most = min(place for _, place, _ in asked[r])
        if group:
            both = min(common(rows[group[0]][:shared], row), most)
            if both >= WORTH and 2 * both >= shared:
                group.append(r)
                shared = both
                continue
            yield group, shared if len(group) > 1 else 0
        group, shared = [r], most
    if group:
        yield group, shared if len(group) > 1 else 0


def remember(model, ids: list[int]):
    """What a model keeps of tokens that it has read (keys and values), or None where there is
    nothing to keep, the model keeps nothing, or gradients are wanted."""
    keeps = getattr(model, "remember", None)
    if not ids or keeps is None:
        return None
    if torch.is_grad_enabled() and any(weight.requires_grad for weight in model.parameters()):
        return None
    return keeps(ids)


def room(model, ids: list[int], words: int) -> tuple[list[int], int]:
    """The tokens of a prompt, once it is known that there is one and that a word fits behind it,
    and their number.

    Raises:
        ModelError: says what to change.
    """
    at_least_one(words=words)
    if not ids:
        raise ModelError("the prompt is empty: write at least one word")
    if len(ids) >= model.context:
        raise ModelError(
            f"the prompt has {len(ids)} tokens and the model reads {model.context}, with its "
            "answer: use fewer or shorter examples"
        )
    return ids, len(ids)


def ended(text: str, stop: str | None) -> bool:
    return stop is not None and stop in text.lstrip()


def upto(text: str, stop: str | None) -> str:
    return (text.lstrip().partition(stop)[0] if stop is not None else text).strip()
