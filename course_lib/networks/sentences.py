"""Networks for sentences: word ids in, one vector a sentence out."""

import zlib
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.episodes import at_least_one
from course_lib.networks.small import seeded

PAD = 0


def document_frequencies(rows: Tensor, words: int) -> Tensor:
    """How many of the sentences hold each word at least once: ids (n, L) -> (words,). Padding
    counts 0."""
    held = F.one_hot(rows, words).amax(-2).sum(0)
    held[PAD] = 0
    return held


def idf(rows: Tensor, words: int) -> Tensor:
    """Inverse document frequency, ln((1 + n) / (1 + n_w)): a word in every sentence has 0, an
    unseen one the most. (n, L) -> (words,).

    Sparck Jones 1972; the ones are the usual smoothing, so that unseen words have a finite weight.

    Raises:
        ValueError: rows are no whole numbers (n, L), or an id is beyond ``words``.
    """
    check_ids(rows, words)
    if rows.ndim != 2:
        raise ValueError(f"rows of shape {tuple(rows.shape)}: give the ids of sentences, (n, L)")
    return torch.log((1 + len(rows)) / (1 + document_frequencies(rows, words)))


def check_ids(ids: Tensor, words: int) -> None:
    """Refuse what is no word id.

    Raises:
        ValueError: says what was found and what is expected.
    """
    if ids.is_floating_point() or ids.dtype == torch.bool:
        raise ValueError(
            f"word ids of {ids.dtype}: give whole numbers, such as Vocabulary.encode makes"
        )


def ngram_table(words: Sequence[str], rows: int, buckets: int = 512, n: int = 3) -> Tensor:
    """For each id the hashed character n-grams of its word, with its ends marked: (rows, most)
    bucket numbers from 1, filled up with 0.

    "card" has <ca, car, ard, rd>: "cards" shares three of them. Ids without a word, such as padding
    and shared buckets, have none.

    Args:
        words: of ids 1, 2, ...: ``vocabulary.words``.   rows: how many ids there are:
            ``len(vocabulary)``.
        buckets: how many numbers the n-grams share.   n: letters in a piece.

    Raises:
        ValueError: a count is below 1, or there are more words than rows.
    """
    at_least_one(rows=rows, buckets=buckets, n=n)
    if len(words) >= rows:
        raise ValueError(
            f"rows={rows} and {len(words)} words: there must be a row for the padding and each "
            "word; use len(vocabulary)"
        )
    pieces = [[] for _ in range(rows)]
    for i, word in enumerate(words, start=1):
        marked = f"<{word}>"
        pieces[i] = [
            1 + zlib.crc32(marked[j : j + n].encode("utf-8", "replace")) % buckets
            for j in range(max(1, len(marked) - n + 1))
        ]
    most = max(1, max(map(len, pieces)))
    return torch.tensor([(own + [0] * most)[:most] for own in pieces])


class SentenceEncoder(nn.Module):
    """Word ids (n, L) -> (n, width): a weighted mean of word vectors, and a small perceptron that
    adds a correction.

    f(s) = m + V relu(U m + b), with m = sum_i exp(g_i) e_i / sum_i exp(g_i) over the words i of the
    sentence. V starts at 0, so training starts from the mean. Padding has no weight, and the order
    of the words does not matter.

    With ``learned=False`` the vectors e stay as drawn: nearly orthogonal directions, so that m is a
    bag of words in fewer numbers. What is learned is how much each word counts, and the correction.
    A word that training never shows then stands beside the others as well as a known one does. The
    fixed vectors are made from the seed and are not stored in checkpoints.

    Args:
        words: how many ids there are: ``len(vocabulary)``.   width: numbers in a vector.   hidden:
            width of the perceptron.
        learned: whether the word vectors are parameters.
        weights: (words,) what exp(g) starts from, such as `idf`; all 1 unless told.
        ngrams: a table from `ngram_table`: the mean vector of a word's pieces is added to its own.
        seed: makes the starting weights repeatable without touching torch's global seed.

    Raises:
        ValueError: a count is below 1, or weights or the table do not fit ``words``.
    """

    def __init__(
        self,
        words: int,
        width: int = 64,
        *,
        hidden=64,
        learned=False,
        weights: Tensor | None = None,
        ngrams: Tensor | None = None,
        seed=None,
    ):
        super().__init__()
        at_least_one(words=words, width=width, hidden=hidden)
        gate, ngrams = starting_gate(words, weights), fitting_table(words, ngrams)
        self.words, self.width, self.learned = words, width, learned
        with seeded(seed):
            vectors = torch.randn(words, width)
            pieces = None if ngrams is None else torch.randn(int(ngrams.max()) + 1, width)
            self.first, self.second = nn.Linear(width, hidden), nn.Linear(hidden, width, bias=False)
        nn.init.zeros_(self.second.weight)
        self.gate = nn.Parameter(gate)
        for name, tensor in (("vectors", vectors), ("pieces", pieces)):
            if learned and tensor is not None:
                self.register_parameter(name, nn.Parameter(tensor))
            else:
                self.register_buffer(name, tensor, persistent=False)
        self.register_buffer("ngrams", ngrams, persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """(n, L) -> (n, width).

        Raises:
            ValueError: the ids are no whole numbers.
        """
        check_ids(ids, self.words)
        real = ids != PAD
        weight = F.embedding(ids, self.gate[:, None])[..., 0].exp() * real
        mean = (weight[..., None] * self.word_vectors(ids)).sum(-2) / weight.sum(
            -1, keepdim=True
        ).clamp(min=1e-6)
        return mean + self.second(F.relu(self.first(mean)))

    def word_vectors(self, ids: Tensor) -> Tensor:
        """e of each word, its n-grams included: (...) -> (..., width)."""
        own = F.embedding(ids, self.vectors)
        if self.ngrams is None:
            return own
        pieces = self.ngrams[ids]
        real = (pieces != 0).to(own.dtype)[..., None]
        return (
            own
            + (F.embedding(pieces, self.pieces) * real).sum(-2) / real.sum(-2).clamp(min=1).sqrt()
        )

    def extra_repr(self) -> str:
        table = None if self.ngrams is None else tuple(self.ngrams.shape)
        return f"words={self.words}, width={self.width}, learned={self.learned}, ngrams={table}"


class CountEncoder(nn.Module):
    """Word ids (n, L) -> (n, width): the counts of a bag of words, with a weight for each word that
    training can change.

    v(s) has a number for each word id, exp(g_w) times how often s holds w, and is scaled to length
    1. With weights from `idf` it starts as the counts of `BagOfWords`, exactly. With a table of
    n-grams it also counts the pieces of words, each word's weight shared among its pieces, scales
    these to length 1 too, and puts both behind each other: "refund" and "refunded" then have
    something in common. Nothing here mixes words, so all that training can learn is how much each
    of them counts.

    Args:
        words: how many ids there are: ``len(vocabulary)``.
        weights: (words,) what exp(g) starts from, such as `idf`; all 1 unless told.
        ngrams: a table from `ngram_table`.

    Raises:
        ValueError: a count is below 1, or weights or the table do not fit ``words``.
    """

    def __init__(self, words: int, weights: Tensor | None = None, ngrams: Tensor | None = None):
        super().__init__()
        at_least_one(words=words)
        self.words = words
        self.gate = nn.Parameter(starting_gate(words, weights))
        self.register_buffer("ngrams", fitting_table(words, ngrams), persistent=False)
        self.pieces = 0 if ngrams is None else int(ngrams.max()) + 1
        self.width = words + self.pieces

    def forward(self, ids: Tensor) -> Tensor:
        """(n, L) -> (n, width).

        Raises:
            ValueError: the ids are no whole numbers.
        """
        check_ids(ids, self.words)
        weight = F.embedding(ids, self.gate[:, None])[..., 0].exp() * (ids != PAD)
        counts = unit_counts(ids, weight, self.words)
        if not self.pieces:
            return counts
        pieces = self.ngrams[ids]  # (n, L, most)
        real = (pieces != 0).to(weight.dtype)
        shares = weight[..., None] * real / real.sum(-1, keepdim=True).clamp(min=1).sqrt()
        return (
            torch.cat(
                [counts, unit_counts(pieces.flatten(-2), shares.flatten(-2), self.pieces)], dim=-1
            )
            / 2**0.5
        )

    def extra_repr(self) -> str:
        return f"words={self.words}, pieces={self.pieces}"


def unit_counts(ids: Tensor, weight: Tensor, words: int) -> Tensor:
    """The weights added up for each id, scaled to length 1: ids and weights (n, L) -> (n, words).
    Nothing but zeros stays zeros."""
    return F.normalize(
        torch.zeros(*ids.shape[:-1], words, dtype=weight.dtype, device=ids.device).scatter_add(
            -1, ids, weight
        ),
        dim=-1,
    )


def starting_gate(words: int, weights: Tensor | None) -> Tensor:
    """The logarithms that the weights of words start from: (words,).

    Raises:
        ValueError: the weights do not fit ``words`` or are below 0.
    """
    if weights is not None and (weights.shape != (words,) or not (weights >= 0).all()):
        raise ValueError(
            f"weights of shape {tuple(weights.shape)}: give {words} numbers of at least 0, one "
            "for each id"
        )
    return torch.zeros(words) if weights is None else weights.clamp(min=1e-3).log()


def fitting_table(words: int, ngrams: Tensor | None) -> Tensor | None:
    """The table itself, once it has a row for each id.

    Raises:
        ValueError: it has not.
    """
    if ngrams is not None and (ngrams.ndim != 2 or len(ngrams) != words):
        raise ValueError(
            f"ngrams of shape {tuple(ngrams.shape)}: give ngram_table(vocabulary.words, {words}), "
            "a row for each id"
        )
    return ngrams


def text_classifier(
    encoder: SentenceEncoder | CountEncoder, ways: int = 5, seed: int | None = None
) -> nn.Sequential:
    """The encoder with a linear head, for MAML: (n, L) -> (n, ways). The head starts at 0, so no
    class is preferred.

    Raises:
        ValueError: ways is below 1.
    """
    at_least_one(ways=ways)
    with seeded(seed):
        head = nn.Linear(encoder.width, ways)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return nn.Sequential(encoder, head)
