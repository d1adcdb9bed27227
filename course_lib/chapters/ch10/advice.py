"""The advice of prompt guides, put to the test on the small model. Each piece of advice becomes the
same tasks written in two or more ways.

Every function takes (model, tasks, seed) and returns a score for each way, on the same tasks and
queries: read the differences with `paired`. The worlds are held-out ones of two labels.
What holds for this model need not hold for another.
"""

from dataclasses import replace

import torch
from torch import Tensor

from course_lib.episodes import Episode
from course_lib.families.pretraining_prompts import UNSEEN_WORDINGS, WORDINGS, instructed
from course_lib.families.prompt_tokens import KINDS
from course_lib.families.prompt_worlds import ID, WORDS, Worlds
from course_lib.language_models.tiny_gpt import TinyGPT
from course_lib.learners.in_context import InContext
from course_lib.training.evaluation import Score, evaluate

STORE = 96  # examples drawn for each task, of which a prompt shows a few


def asking(model: TinyGPT, episode: Episode, shots: int, **form) -> Score:
    """Accuracy of the model that reads the first ``shots`` examples."""
    return evaluate(InContext(model, shots, **form), episode)


@torch.no_grad()
def answers(model: TinyGPT, episode: Episode, shots: int) -> Tensor:
    """The class that the model answers for each query: (T, Q)."""
    return InContext(model, shots)(episode).argmax(-1)


def worlds(tasks: int, seed: int, kinds_per_label: int = 1) -> Episode:
    """Two-label tasks with `STORE` examples to choose from, and 2 queries."""
    family = Worlds(2, kinds_per_label)
    return family.sample(tasks, shots=STORE, queries=2, generator=family.generator(seed))


def place(episode: Episode, x: Tensor) -> Tensor:
    """Which of its task's kinds a word belongs to, as a place in ``hidden["kinds"]``: (T, n, 1) ->
    (T, n)."""
    return ((x - 1) // WORDS == episode.hidden["kinds"][:, None]).int().argmax(-1)


def with_examples(episode: Episode, places: Tensor) -> Episode:
    """The task with k examples picked from its store: example j is of the kind at ``places[:, j]``;
    none is taken twice.

    Raises:
        ValueError: the store of a task has too few examples of a kind.
    """
    free = (
        place(episode, episode.support_x)[:, None] == places[..., None]
    )  # (T, k, STORE): which example would do
    picked = []
    for j in range(places.shape[1]):
        if not free[:, j].any(-1).all():
            raise ValueError(
                f"a task has too few examples of a kind among its {STORE}: ask for fewer"
            )
        picked.append(free[:, j].int().argmax(-1))
        free[torch.arange(len(free)), :, picked[-1]] = False
    return pick(episode, torch.stack(picked, 1))


def pick(episode: Episode, items: Tensor) -> Episode:
    """The task with the support items whose numbers stand in ``items`` (T, k), in that order."""
    return replace(
        episode,
        support_x=episode.support_x.gather(1, items[..., None]),
        support_y=episode.support_y.gather(1, items),
    )


def asked(episode: Episode, first: int) -> Tensor:
    """Places of kinds, one row a task, that begin with ``first`` and alternate between the labels:
    (T, 8)."""
    return torch.tensor([first, 1 - first] * 4).expand(episode.tasks, -1)


def drawn_labels(model: TinyGPT, tasks: int = 300, seed: int = 0) -> dict[str, Score]:
    """8 examples with right labels, with labels drawn from both (Min et al. 2022), or exchanged."""
    episode = with_examples(some := worlds(tasks, seed), asked(some, 0))
    dice = torch.Generator().manual_seed(seed)
    drawn = torch.randint(episode.ways, episode.support_y.shape, generator=dice)
    return {
        "right labels": asking(model, episode, 8),
        "random labels": asking(model, replace(episode, support_y=drawn), 8),
        "flipped labels": asking(model, replace(episode, support_y=1 - episode.support_y), 8),
    }


def label_words(model: TinyGPT, tasks: int = 300, seed: int = 0) -> dict[str, Score]:
    """8 examples whose labels are made-up words, the names of their kinds, or those names
    exchanged; and no examples."""
    episode = with_examples(some := worlds(tasks, seed), asked(some, 0))
    names = episode.hidden["kinds"] + ID[next(iter(KINDS))]

    def labelled(labels):
        return replace(episode, names=episode.names | {"labels": labels})

    return {
        "made-up labels": asking(model, episode, 8),
        "names of the kinds": asking(model, labelled(names), 8),
        "names of the kinds, exchanged": asking(model, labelled(names.flip(1)), 8),
        "names of the kinds, no examples": asking(model, labelled(names), 0),
    }


def diversity(model: TinyGPT, tasks: int = 300, seed: int = 0) -> dict[str, Score]:
    """Each label stands for two kinds. 8 examples show both kinds of each label, or one only; the
    queries come from all kinds."""
    episode = worlds(tasks, seed, kinds_per_label=2)
    broad = torch.tensor([0, 1, 2, 3, 0, 1, 2, 3]).expand(tasks, -1)
    return {
        "both kinds of each label": asking(model, with_examples(episode, broad), 8),
        "one kind of each label": asking(model, with_examples(episode, asked(episode, 0)), 8),
    }


def relevance(model: TinyGPT, tasks: int = 300, seed: int = 0) -> dict[str, Score]:
    """Two kinds a label, 4 examples: two are of the query's own kind, or of the other kind with the
    same label."""
    episode = worlds(tasks, seed, kinds_per_label=2)
    episode = replace(episode, query_x=episode.query_x[:, :1], query_y=episode.query_y[:, :1])
    own = place(episode, episode.query_x)[:, 0]
    other_label = (own + 1) % 4
    scores = {}
    for name, kind in (
        ("of the query's kind", own),
        ("of the other kind with its label", (own + 2) % 4),
    ):
        scores[name] = asking(
            model, with_examples(episode, torch.stack([kind, other_label, kind, other_label], 1)), 4
        )
    return scores


def format_consistency(model: TinyGPT, tasks: int = 300, seed: int = 0) -> dict[str, Score]:
    """4 examples with one separator, or with another one each."""
    episode = with_examples(some := worlds(tasks, seed), asked(some, 0))
    return {
        "one separator": asking(model, episode, 4),
        "four separators": asking(model, episode, 4, separators=(":", "->", "=", "is")),
    }


def conciseness(model: TinyGPT, tasks: int = 300, seed: int = 0) -> dict[str, Score]:
    """4 examples, alone or after words that say nothing."""
    episode = with_examples(some := worlds(tasks, seed), asked(some, 0))
    polite = "please answer . here are examples :"
    ramble = (
        "here are more words : a b c d e please answer here are more examples : k l m n please "
        "what goes here ? 1 2 3 ."
    )
    return {
        name: asking(model, episode, 4, before=words)
        for name, words in (
            ("nothing before", ""),
            ("a polite line", polite),
            ("a long ramble", ramble),
        )
    }


def instruction_or_examples(model: TinyGPT, tasks: int = 300, seed: int = 0) -> dict[str, Score]:
    """An instruction in words seen in training, in other words, or none; with and without
    examples."""
    episode = with_examples(some := worlds(tasks, seed), asked(some, 0))
    known, unknown = WORDINGS[0], UNSEEN_WORDINGS[-1]
    return {
        "known wording": asking(model, instructed(episode, known), 0),
        "unknown wording": asking(model, instructed(episode, unknown), 0),
        "unknown wording, 4 examples": asking(model, instructed(episode, unknown), 4),
        "4 examples": asking(model, episode, 4),
    }


def balance(model: TinyGPT, tasks: int = 300, seed: int = 0) -> dict[str, Score]:
    """4 examples, 4, 3, 2, 1 or 0 of them of the first label: how often the model answers with the
    first label, whatever is right.

    The queries are half of each label, so 0.5 would be unbiased.
    """
    episode, scores = worlds(tasks, seed), {}
    for first in (4, 3, 2, 1, 0):
        places = torch.tensor([0] * first + [1] * (4 - first)).expand(tasks, -1)
        first_label = answers(model, with_examples(episode, places), 4) == 0
        scores[f"{first} of 4 examples"] = Score(first_label.float().mean(1), "share of answers")
    return scores


ADVICE = {
    "labels": drawn_labels, "label words": label_words, "diversity": diversity,
    "relevance": relevance, "consistency": format_consistency,
    "conciseness": conciseness, "instruction or examples": instruction_or_examples,
    "balance": balance,
}  # fmt: skip
