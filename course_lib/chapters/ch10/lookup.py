"""Looking up instead of reading: sentences as vectors, and the nearest examples by cosine."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.families.vocabulary import Vocabulary, tokens


def count_vectors(sentences: Sequence[str], known: Sequence[str]) -> Tensor:
    """Counts of words, weighted by how rare each is in ``known``: (n, V), of length one."""
    vocabulary = Vocabulary(known, buckets=1)
    among = torch.stack([counts(one, vocabulary) for one in known]) > 0
    rare = (len(known) / among.sum(0).clamp(min=1)).log()
    return F.normalize(torch.stack([counts(one, vocabulary) for one in sentences]) * rare, dim=-1)


def counts(sentence: str, vocabulary: Vocabulary) -> Tensor:
    ids = torch.tensor([vocabulary.id(word) for word in tokens(sentence)], dtype=torch.long)
    return torch.bincount(ids, minlength=len(vocabulary)).float()


def most_like(queries: Tensor, examples: Tensor, count: int = 1) -> Tensor:
    """The numbers of the ``count`` examples (S, d) most like each query (Q, d), by cosine, the most
    alike first: (Q, count)."""
    alike = F.normalize(queries, dim=-1) @ F.normalize(examples, dim=-1).T
    return alike.topk(count, dim=-1).indices


def alike_or_spread(sentences: Sequence[str], count: int, which: str) -> list[str]:
    """``count`` of the sentences that share most words with one another ("alike") or fewest
    ("spread"), found one at a time from the most extreme pair on."""
    vectors = count_vectors(sentences, sentences)
    sign = 1 if which == "alike" else -1
    likeness = sign * (vectors @ vectors.T)
    likeness.fill_diagonal_(-torch.inf)
    chosen = list(divmod(int(likeness.argmax()), len(sentences)))[:count]
    while len(chosen) < count:
        rest = likeness[:, chosen].sum(1)
        rest[chosen] = -torch.inf
        chosen.append(int(rest.argmax()))
    return [sentences[i] for i in chosen]


def prototypes_answer(queries: Tensor, examples: Tensor, labels: Tensor) -> Tensor:
    """The class whose mean example is most like each query, by cosine: (Q,)."""
    classes = labels.unique()
    means = torch.stack([examples[labels == n].mean(0) for n in classes])
    return classes[most_like(queries, means)[:, 0]]
