"""More mistakes that readers of chapter 09 make: rows for the tables of exercises.py."""

import torch
from torch.nn import functional as F


def filled_with_the_last(words, ids, buckets, length):
    row = [ids.get(w) or 1 + len(ids) + crc(w) % buckets for w in words]
    return (row + row[-1:] * length)[:length]


def crc(word: str) -> int:
    import zlib

    return zlib.crc32(word.encode())


def modulo_of_all(words, ids, buckets, length):
    row = [ids.get(w) or (1 + len(ids) + crc(w)) % buckets for w in words]
    return (row + [0] * length)[:length]


def over_sentences(vectors, ids):
    mask = (ids != 0)[..., None]
    return (vectors * mask).sum(0) / mask.sum(0)


def medians(vectors, ids):
    rows = zip(vectors, ids, strict=True)
    return torch.stack([v[i != 0].median(0).values for v, i in rows])


def divided_by_different_words(vectors, ids):
    counts = [[len(set(row.tolist()) - {0})] for row in ids]
    return (vectors * (ids != 0)[..., None]).sum(1) / torch.tensor(counts)


def held_by(rows, words):
    held = torch.stack([(rows == w).any(1).sum() for w in range(words)]).float()
    held[0] = 0
    return held


def share_of_sentences(rows, words):
    return held_by(rows, words) / len(rows)


def held_or_not(rows, words):
    return torch.log((1 + len(rows)) / (1 + held_by(rows, words).clamp(max=1)))


def mean_over_everything(f, y, W, b, alpha):
    error = (f @ W.T + b).softmax(1) - F.one_hot(y, len(b))
    return W - alpha * error.T @ f / error.numel(), b - alpha * error.mean()


def loss_subtracted(f, y, W, b, alpha):
    loss = F.cross_entropy(f @ W.T + b, y)
    return W - alpha * loss, b - alpha * loss


MORE = {
    "encode": {
        filled_with_the_last: (
            "You filled up with the last id. The padding is 0, so that a mean can leave it out."
        ),
        modulo_of_all: (
            "`%` holds for everything before it in your brackets. Only the checksum is divided: "
            "1 + n + (checksum % buckets)."
        ),
    },
    "masked_mean": {
        over_sentences: (
            "You added up over the sentences. The mean runs over the words of one sentence, the "
            "second axis."
        ),
        medians: "You took medians. Asked for is the mean of the word vectors.",
        "vectors[:, 0]": (
            "You return the vector of the first word. Every word of the sentence counts in the "
            "mean."
        ),
        divided_by_different_words: (
            "You divided by the number of *different* words. A word that stands twice counts "
            "twice, above and below."
        ),
    },
    "idf": {
        share_of_sentences: (
            "This is the share of sentences that hold the word. Asked for is how rare it is: "
            "ln((1 + n) / (1 + n_w))."
        ),
        held_or_not: (
            "You only ask *whether* any sentence holds the word. n_w counts how many do: `any` "
            "along one sentence, then a sum over sentences."
        ),
    },
    "inner_step": {
        mean_over_everything: (
            "You divided by items times classes. The loss is a mean over the items; the classes "
            "of one item are not averaged, and each keeps its own bias."
        ),
        loss_subtracted: (
            "You subtract alpha times the loss from every weight. A step goes along the gradient, "
            "which differs from weight to weight."
        ),
    },
}
