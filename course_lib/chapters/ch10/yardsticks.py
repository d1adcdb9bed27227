"""Yardsticks for the course's own small model: looking up the nearest example on its frozen input
embedding, excluding labels, and the order of examples within a task."""

import itertools
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.chapters.ch10.advice import pick, with_examples
from course_lib.episodes import Episode
from course_lib.families.prompt_worlds import WORDS, Worlds
from course_lib.language_models.tiny_gpt import TinyGPT
from course_lib.learners.in_context import InContext
from course_lib.training.evaluation import Score, as_score, score_tasks


@torch.no_grad()
def likeness(model: TinyGPT, episode: Episode, shots: int) -> Tensor:
    """The cosine of every query with each of the first ``shots`` examples, on the input embedding,
    which no layer has touched: (T, Q, shots)."""
    rows = F.normalize(model.embedding.weight, dim=-1)
    return rows[episode.query_x[..., 0]] @ rows[episode.support_x[:, :shots, 0]].mT


def look_up(model: TinyGPT, episode: Episode, shots: int, exclude: float | None = None) -> Score:
    """Accuracy of whoever answers with the label of the nearest example and reads nothing.

    Args:
        exclude: a query less like every example than this gets a label that no example shows, if
            there is one. None: never.
    """
    scores = torch.zeros(*episode.query_y.shape, episode.ways)
    if shots:
        alike = likeness(model, episode, shots)
        best, place = alike.max(-1)
        shown = F.one_hot(episode.support_y[:, :shots], episode.ways).amax(1)  # (T, N)
        answer = episode.support_y.gather(1, place)
        scores = F.one_hot(answer, episode.ways).float()
        if exclude is not None:
            unseen = (1.0 - shown)[:, None].expand_as(scores)
            strange = (best < exclude)[..., None] & (unseen.sum(-1, keepdim=True) > 0)
            scores = torch.where(strange, unseen, scores)
    # among equal scores one is drawn: a guess
    dice = torch.Generator().manual_seed(0)
    scores = scores + 0.01 * torch.rand(scores.shape, generator=dice)
    return as_score(score_tasks(scores, episode.query_y), episode)


def threshold(model: TinyGPT) -> float:
    """The cosine that best tells "of one kind" from "of two kinds", found on other tasks than those
    that are reported."""
    family = Worlds()
    tasks = family.sample(400, shots=1, queries=1, generator=family.generator(99))
    alike = likeness(model, tasks, 1).flatten()
    same = (tasks.query_y == tasks.support_y).flatten()
    tried = torch.linspace(-0.2, 0.8, 51)
    hits = torch.stack([((alike >= t) == same).float().mean() for t in tried])
    return tried[hits.argmax()].item()


@torch.no_grad()
def orders_within_tasks(model: TinyGPT, tasks: int = 40, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two kinds a label, one example of each kind, in all 24 orders. Six other words of each kind
    are asked: three belong to one half of the queries, three to the other.

    Returns:
        Right answers (T, 24, 24), and the half of each query (T, 24): no word is in both.
    """
    family = Worlds(2, 2)
    episode = family.sample(tasks, shots=96, queries=1, generator=family.generator(seed))
    episode = with_examples(episode, torch.arange(4).expand(tasks, -1))
    every = 1 + episode.hidden["kinds"][..., None] * WORDS + torch.arange(WORDS)  # (T, 4, 12)
    free = every != episode.support_x  # all but the word that is shown
    picked = (free.float() + 0.01 * torch.arange(WORDS, 0, -1)).topk(6).indices  # (T, 4, 6)
    words = every.gather(2, picked).flatten(1)
    labels = (torch.arange(4) % 2).repeat_interleave(6).expand(tasks, -1)
    episode = replace(episode, query_x=words[..., None], query_y=labels)
    found = []
    for order in itertools.permutations(range(4)):
        one = pick(episode, torch.tensor(order).expand(tasks, -1))
        found.append((InContext(model, 4)(one).argmax(-1) == one.query_y).float())
    return torch.stack(found, 1), (torch.arange(24) % 2).expand(tasks, -1)
