"""Whole batches of prompts of the small language model at once, and how often it then chooses the right label."""

import torch
from torch import Tensor

from course_lib.episodes import Episode
from course_lib.families.pretraining_prompts import instruction
from course_lib.families.prompt_tokens import KINDS
from course_lib.families.prompt_worlds import ID, TOKENS, encode
from course_lib.language_models.tiny_gpt import TinyGPT
from course_lib.training.evaluation import Score


def as_prompts(
    episode: Episode,
    shots: int,
    separators: tuple[str, ...] = (":",),
    end: str = "\n",
    wording: str | None = None,
    before: str = "",
) -> Tensor:
    """Token ids of the prompts of a `Worlds` episode: (T, Q, 4 * shots + 2), such as ``dog : blip \\n saw : zug \\n cow :``.

    Args:
        shots: how many of the support examples to show.
        separators: taken in turn by the examples; the query has the first.   end: after each example.
        wording: put an instruction first, made from this pattern, such as "{kind} means {label}".
        before: text in front of everything.
    """
    tasks, queries = episode.query_y.shape
    labels = episode.hidden["labels"].gather(1, episode.support_y)
    between = (
        torch.tensor([ID[separators[i % len(separators)]] for i in range(labels.shape[1])])
        .to(labels)
        .expand_as(labels)
    )
    columns = [episode.support_x[..., 0], between, labels, torch.full_like(labels, ID[end])]
    examples = torch.stack(columns, 2)[:, :shots].flatten(1)  # (T, 4 * shots)
    asked = torch.stack(
        [episode.query_x[..., 0], torch.full_like(episode.query_y, ID[separators[0]])], 2
    )  # (T, Q, 2)
    said = torch.tensor(
        [
            encode(before) + rule(*task, wording)
            for task in zip(episode.hidden["kinds"].tolist(), episode.hidden["labels"].tolist())
        ]
    )
    before = torch.cat([said.to(examples), examples], 1)
    return torch.cat([before[:, None].expand(tasks, queries, -1), asked], 2)


def rule(kinds: list[int], labels: list[int], wording: str | None) -> list[int]:
    """The ids of an instruction that tells the label of every kind, in the order of the kinds; none without a wording."""
    names = list(KINDS)
    told = [(names[kind], TOKENS[labels[i % len(labels)]]) for i, kind in enumerate(kinds)]
    return [ID[token] for token in instruction(told, wording)] if wording else []


@torch.no_grad()
def choose(model: TinyGPT, episode: Episode, shots: int, **form) -> Tensor:
    """Scores of the labels of each task as the next token after the prompt: (T, Q, ways). ``form``: see `as_prompts`."""
    prompts = as_prompts(episode, shots, **form)
    scores = torch.cat([model(part)[:, -1] for part in prompts.flatten(0, 1).split(256)]).unflatten(
        0, prompts.shape[:2]
    )
    return scores.gather(2, episode.hidden["labels"][:, None].expand(-1, prompts.shape[1], -1))


def shots_curve(
    model: TinyGPT, episode: Episode, shots=(0, 1, 2, 4, 8, 16), **form
) -> dict[int, Score]:
    """Accuracy among the labels of a task, with the first 0, 1, 2, ... examples of the same episodes in the prompt."""
    right = {
        k: (choose(model, episode, k, **form).argmax(-1) == episode.query_y).float().mean(1)
        for k in shots
    }
    return {
        k: Score(each, "accuracy", chance=1 / episode.hidden["labels"].shape[1])
        for k, each in right.items()
    }
