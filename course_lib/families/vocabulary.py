"""Sentences as numbers: a word is an id, and a sentence is a row of them."""

import re
import unicodedata
import zlib
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from course_lib.episodes import at_least_one

PAD = 0  # the id behind the end of a sentence
BUCKETS = 256
TOKEN = re.compile(
    r"[^\W\d_]+(?:'[^\W\d_]+)*|\d|[^\w\s]|_"
)  # a word, which may hold apostrophes; one digit; one sign


def tokens(sentence: str) -> list[str]:
    """The words, digits and signs of a sentence, in lower case: "I'm 24." -> i'm, 2, 4, and the
    full stop."""
    plain = unicodedata.normalize("NFC", sentence).replace("\u2019", "'").lower()
    return TOKEN.findall(plain)


class Vocabulary:
    """Ids for words: 0 pads, then the known words in alphabetical order, then ``buckets`` ids that
    all other words share.

    The bucket of an unknown word follows from its letters alone, so it is the same on every machine
    and on every day. Two unknown words of one bucket look the same to a network.

    Args:
        sentences: every token in them becomes a known word.
        buckets: how many ids the unknown words share.

    Raises:
        ValueError: there is no bucket.
    """

    def __init__(self, sentences: Iterable[str], buckets: int = BUCKETS):
        at_least_one(buckets=buckets)
        self.words = sorted({token for sentence in sentences for token in tokens(sentence)})
        self.buckets = buckets
        self.ids = {word: i for i, word in enumerate(self.words, start=PAD + 1)}

    def __len__(self) -> int:
        """How many ids there are: the rows of an embedding table."""
        return 1 + len(self.words) + self.buckets

    def __contains__(self, word: str) -> bool:
        return word in self.ids

    def id(self, word: str) -> int:
        """The id of one token: its own, or that of its bucket."""
        return (
            self.ids.get(word)
            or 1 + len(self.words) + zlib.crc32(word.encode("utf-8", "replace")) % self.buckets
        )

    def encode(self, sentences: Sequence[str], length: int | None = None) -> Tensor:
        """Sentences as rows of ids, filled up with 0: (n, L), where L is ``length`` or the longest
        sentence's number of tokens.

        With a ``length``, longer sentences lose their end.

        Raises:
            ValueError: sentences is one string or empty, one of the sentences has no word in it, or
                length is below 1.
        """
        if isinstance(sentences, str) or not len(sentences):
            raise ValueError(
                f"sentences={sentences!r}: give a list with at least one sentence in it, such as "
                "['is it open?']"
            )
        rows = [[self.id(token) for token in tokens(sentence)] for sentence in sentences]
        for sentence, row in zip(sentences, rows, strict=True):
            if not row:
                raise ValueError(f"the sentence {sentence!r} has no word in it: write at least one")
        length = max(map(len, rows)) if length is None else length
        at_least_one(length=length)
        return torch.tensor([(row + [PAD] * length)[:length] for row in rows])

    def text(self, row) -> str:
        """The tokens of a row of ids, without the padding. A word from a bucket reads "[?]"; digits
        side by side become one number."""
        first_bucket = 1 + len(self.words)
        found = " ".join(
            "[?]" if i >= first_bucket else self.words[i - 1] for i in map(int, row) if i != PAD
        )
        found = re.sub(r"(?<=\d) (?=\d)", "", found)
        return re.sub(r" ([.,?!])", r"\1", found)
