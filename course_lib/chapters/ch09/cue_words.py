"""Cue words: which words of a few sentences speak for an intent, and how often they come back, here
and in other domains.

found = cues("travel", "idf", shots=5)
found.words[0]  # the cue words of the first intent, the strongest first
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from course_lib.chapters.ch09.sentence_typist import vocabulary
from course_lib.chapters.ch09.study import RUN_OF, bag_of_words
from course_lib.families import Intents
from course_lib.learners.prototypical import cosine, prototypes
from course_lib.networks.sentences import CountEncoder
from course_lib.training.runs import once

DOMAINS = (
    "travel",
    "banking",
    "phone",
    "health",
    "transport",
    "shopping",
)  # two of test, one of validation, three of training
COUNTS, IDF, LEARNED = "counts", "idf", "trained"
TOP = 4  # cue words shown for an intent


@dataclass(frozen=True)
class Cues:
    """The cue words of a domain's N intents, and what becomes of them.

    Args:
        names: of the intents.
        words: (N, TOP) the words that lead from the mean of all intents to the mean of this one
            furthest.
        own, wrong: (N, TOP) the share of new sentences that hold the word: of its intent, and of
            the domain's other intents.
        elsewhere: (N, TOP) the share of the sentences of all other domains that hold it.
        accuracy: of the nearest mean by cosine, on the new sentences.
    """

    domain: str
    weights: str
    shots: int
    names: list[str]
    words: list[list[str]]
    own: Tensor
    wrong: Tensor
    elsewhere: Tensor
    accuracy: float


@lru_cache
def weights_of(name: str) -> Tensor:
    """How much each word counts: (words,)."""
    idf = bag_of_words().idf
    return {
        COUNTS: lambda: torch.ones_like(idf),
        IDF: lambda: idf,
        LEARNED: lambda: once(RUN_OF["prototypical"]).encoder.gate.detach().exp(),
    }[name]()


@lru_cache
def everything() -> tuple[Intents, Tensor]:
    """All domains, and for each of their sentences the number of its domain: (n,)."""
    family = Intents(part="all")
    return family, torch.tensor(
        [family.domains.index(domain) for domain in family.domain_of]
    ).repeat_interleave(20)


@lru_cache
def shuffled(domain: str) -> tuple[list[str], Tensor]:
    """The names of a domain's intents and its rows in an order of their own: (6, 20, L)."""
    family, owner = everything()
    names = [
        name for name, own in zip(family.names, family.domain_of, strict=True) if own == domain
    ]
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0))
    return names, family.rows[owner == family.domains.index(domain)].view(6, 20, -1)[:, order]


@lru_cache
def others(domain: str) -> Tensor:
    """The sentences of all domains but one: (n, L)."""
    family, owner = everything()
    return family.rows[owner != family.domains.index(domain)]


@lru_cache(maxsize=512)
def cues(domain: str, weights: str, shots: int) -> Cues:
    """Take ``shots`` sentences of each intent of a domain, find the cue words, and look for them in
    all other sentences."""
    names, rows = shuffled(domain)
    chosen = weights_of(weights)
    encoder = CountEncoder(len(chosen), chosen)
    with torch.no_grad():
        y = torch.arange(6).repeat_interleave(shots)
        means = prototypes(encoder(rows[:, :shots].flatten(0, 1))[None], y[None])
        new = rows[:, shots:]
        right = cosine(encoder(new.flatten(0, 1))[None], means)[0].argmax(-1) == torch.arange(
            6
        ).repeat_interleave(20 - shots)
        top = (means[0] - means[0].mean(0)).topk(TOP).indices  # (6, TOP)
    held = (
        (new[:, :, None, None, :] == top[..., None]).any(-1).double().mean(1)
    )  # of intent i, the cue words of intent j: (6, 6, TOP)
    own = held[torch.arange(6), torch.arange(6)]
    elsewhere = torch.stack(
        [(others(domain) == word).any(-1).double().mean() for word in top.flatten()]
    ).view_as(own)
    words = [[vocabulary().words[i - 1] for i in row] for row in top.tolist()]
    return Cues(
        domain,
        weights,
        shots,
        names,
        words,
        own,
        (held.sum(0) - own) / 5,
        elsewhere,
        right.double().mean().item(),
    )
