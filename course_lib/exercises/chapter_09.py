"""Exercises of chapter 09: words as ids, a mean that ignores padding, the weight of a word, and an inner step on a linear head."""

import math
import zlib

import torch
import torch.nn.functional as F

from course_lib.exercises.base import Exercise, Mistake

NAMESPACE = {"zlib": zlib}


# 09.encode: words -> ids. ids is a dictionary from known word to 1, ..., n; all other words share ``buckets`` ids behind them


def encode(words, ids, buckets, length):
    row = [ids.get(word) or 1 + len(ids) + zlib.crc32(word.encode()) % buckets for word in words]
    return (row + [0] * length)[:length]


def encode_by_loop(words, ids, buckets, length):
    row = torch.zeros(length, dtype=torch.int64)
    for place, word in enumerate(words[:length]):
        row[place] = ids[word] if word in ids else len(ids) + 1 + zlib.crc32(bytes(word, "utf-8")) % buckets
    return row.tolist()


def unknown_is_padding(words, ids, buckets, length):
    return ([ids.get(word, 0) for word in words] + [0] * length)[:length]


def unknown_left_out(words, ids, buckets, length):
    return ([ids[word] for word in words if word in ids] + [0] * length)[:length]


def one_bucket(words, ids, buckets, length):
    return ([ids.get(word, len(ids) + 1) for word in words] + [0] * length)[:length]


def bucket_among_known(words, ids, buckets, length):
    return ([ids.get(word) or zlib.crc32(word.encode()) % buckets for word in words] + [0] * length)[:length]


def bucket_from_n(words, ids, buckets, length):
    return ([ids.get(word) or len(ids) + zlib.crc32(word.encode()) % buckets for word in words] + [0] * length)[:length]


def padded_in_front(words, ids, buckets, length):
    row = encode(words, ids, buckets, len(words))
    return ([0] * length + row)[-length:]


def not_cut(words, ids, buckets, length):
    row = encode(words, ids, buckets, len(words))
    return row + [0] * (length - len(row))


def vocabularies(generator: torch.Generator) -> list[tuple]:
    """(words, ids, buckets, length): known and unknown words, sentences that are too short and too long."""
    known = ["a", "block", "book", "card", "fly", "my", "please", "to"]
    ids = {word: number for number, word in enumerate(known, start=1)}
    sentences = ("please block my card", "my zebra lost a card", "fly my gnu to timbuktu please please", "quagga", "book a yurt")
    lengths = torch.randint(6, 9, (len(sentences),), generator=generator).tolist()
    return [(sentence.split(), ids, 4 + i, 4 if i == 2 else length) for i, (sentence, length) in enumerate(zip(sentences, lengths))]


# 09.masked_mean: word vectors (n, L, d) and ids (n, L) -> (n, d)


def masked_mean(vectors, ids):
    real = (ids != 0).to(vectors.dtype)
    return (vectors * real[..., None]).sum(1) / real.sum(1, keepdim=True)


def masked_mean_by_loop(vectors, ids):
    return torch.stack([own[row > 0].mean(0) for own, row in zip(vectors, ids)])


def mean_of_all(vectors, ids):
    return vectors.mean(1)


def divided_by_length(vectors, ids):
    return (vectors * (ids != 0)[..., None]).mean(1)


def padding_added(vectors, ids):
    return vectors.sum(1) / (ids != 0).sum(1, keepdim=True)


def sum_alone(vectors, ids):
    return (vectors * (ids != 0)[..., None]).sum(1)


def divided_by_all_words(vectors, ids):
    return (vectors * (ids != 0)[..., None]).sum(1) / (ids != 0).sum()


def padding_only(vectors, ids):
    return (vectors * (ids == 0)[..., None]).sum(1) / (ids == 0).sum(1, keepdim=True).clamp(min=1)


def sentences_of_vectors(generator: torch.Generator) -> list[tuple]:
    """(vectors, ids): sentences of several lengths; the vectors under the padding are no zeros."""
    cases = []
    for n, length, d in ((3, 5, 2), (2, 4, 3), (4, 6, 4)):
        ids = torch.randint(1, 9, (n, length), generator=generator)
        ends = torch.randperm(length - 1, generator=generator)[:n] + 1  # all different
        ids[torch.arange(length) >= ends[:, None]] = 0
        cases.append((torch.randn(n, length, d, generator=generator) + 1, ids))
    return cases


# 09.idf: rows of ids (n, L) -> (words,)


def idf(rows, words):
    held = torch.stack([(rows == word).any(1).sum() for word in range(words)])
    held[0] = 0
    return torch.log((1 + len(rows)) / (1 + held))


def idf_by_sets(rows, words):
    sets = [set(row) - {0} for row in rows.tolist()]
    return torch.tensor([math.log(1 + len(sets)) - math.log(1 + sum(word in own for own in sets)) for word in range(words)])


def counts_tokens(rows, words):
    counts = torch.bincount(rows.flatten(), minlength=words)
    counts[0] = 0
    return torch.log((1 + len(rows)) / (1 + counts))


def not_smoothed(rows, words):
    held = torch.stack([(rows == word).any(1).sum() for word in range(words)])
    held[0] = 0
    return torch.log(len(rows) / held)


def log_of_the_share(rows, words):
    return -idf(rows, words)


def without_log(rows, words):
    return idf(rows, words).exp()


def padding_is_a_word(rows, words):
    held = torch.stack([(rows == word).any(1).sum() for word in range(words)])
    return torch.log((1 + len(rows)) / (1 + held))


def tokens_above(rows, words):
    held = torch.stack([(rows == word).any(1).sum() for word in range(words)])
    held[0] = 0
    return torch.log((1 + (rows != 0).sum()) / (1 + held))


def rows_of_ids(generator: torch.Generator) -> list[tuple]:
    """(rows, words): words that stand twice in a sentence, words that no sentence holds, and padding."""
    cases = []
    for n, length, words in ((4, 5, 7), (6, 4, 6), (5, 6, 9)):
        rows = torch.randint(1, words - 1, (n, length), generator=generator)  # the last id stays unseen
        rows[:, 1] = rows[:, 0]
        rows[0, -1] = rows[1, -2:] = 0
        cases.append((rows, words))
    return cases


# 09.inner_step: features (S, d), classes (S,), W (N, d), b (N,), alpha -> the new W and b


def inner_step(f, y, W, b, alpha):
    error = (f @ W.T + b).softmax(1) - F.one_hot(y, len(W))
    return W - alpha * error.T @ f / len(f), b - alpha * error.mean(0)


def inner_step_by_autograd(f, y, W, b, alpha):
    W, b = W.detach().requires_grad_(), b.detach().requires_grad_()
    g_W, g_b = torch.autograd.grad(F.cross_entropy(f @ W.T + b, y), [W, b])
    return (W - alpha * g_W).detach(), (b - alpha * g_b).detach()


def uphill(f, y, W, b, alpha):
    return inner_step(f, y, W, b, -alpha)


def summed(f, y, W, b, alpha):
    return inner_step(f, y, W, b, alpha * len(f))


def bias_forgotten(f, y, W, b, alpha):
    return inner_step(f, y, W, b, alpha)[0], b


def over_sentences(f, y, W, b, alpha):
    error = (f @ W.T + b).softmax(0) - F.one_hot(y, len(W))
    return W - alpha * error.T @ f / len(f), b - alpha * error.mean(0)


def no_softmax(f, y, W, b, alpha):
    error = f @ W.T + b - F.one_hot(y, len(W))
    return W - alpha * error.T @ f / len(f), b - alpha * error.mean(0)


def no_labels(f, y, W, b, alpha):
    p = (f @ W.T + b).softmax(1)
    return W - alpha * p.T @ f / len(f), b - alpha * p.mean(0)


def gradient_returned(f, y, W, b, alpha):
    new_W, new_b = inner_step(f, y, W, b, alpha)
    return (W - new_W) / alpha, (b - new_b) / alpha


def head_cases(generator: torch.Generator) -> list[tuple]:
    """(f, y, W, b, alpha): several heads, none of them 0."""
    cases = []
    for s, d, n, alpha in ((6, 3, 3, 0.5), (4, 2, 2, 1.0), (10, 5, 5, 2.0)):
        y = torch.arange(n).repeat(s // n)[torch.randperm(s, generator=generator)]
        cases.append((torch.randn(s, d, generator=generator), y, torch.randn(n, d, generator=generator), torch.randn(n, generator=generator), alpha))
    return cases


IDS, MEAN, WEIGHT, LOOP = "A sentence becomes a row of numbers", "A vector for a sentence", "Count words", "The inner loop does not notice"

EXERCISES = (
    Exercise(
        id="09.encode",
        title="words become ids",
        minutes=8,
        difficulty=1,
        cases=vocabularies,
        solution=encode,
        others=(encode_by_loop,),
        mistakes=(
            Mistake(
                "unknown_is_padding",
                unknown_is_padding,
                "An unknown word became 0 where {wanted:.0f} is right. 0 is the padding, so the network cannot even tell that a word stood there.",
                IDS,
            ),
            Mistake(
                "unknown_left_out",
                unknown_left_out,
                "You left unknown words out: an id is {got:.0f} where {wanted:.0f} is right. They take a place in the row, with the id of their bucket.",
                IDS,
            ),
            Mistake(
                "one_bucket",
                one_bucket,
                "All unknown words share one id, {got:.0f} where {wanted:.0f} is right. With several buckets, two of them mostly stay different words.",
                IDS,
            ),
            Mistake(
                "bucket_among_known",
                bucket_among_known,
                "A bucket has the number {got:.0f}, which belongs to a known word or the padding. The buckets come behind the known words: {wanted:.0f}.",
                IDS,
            ),
            Mistake(
                "bucket_from_n",
                bucket_from_n,
                "Your first bucket is the id of the last known word ({got:.0f} where {wanted:.0f} is right): ids of known words run from 1 to n.",
                IDS,
            ),
            Mistake("padded_in_front", padded_in_front, "The zeros stand in front, or the beginning was cut: fill up and cut at the end.", IDS),
            Mistake("not_cut", not_cut, "A sentence that is longer than `length` has to lose its end, or rows of a batch do not fit together.", IDS),
        ),
        hints=(
            "`ids.get(word)` is None for an unknown word; its bucket is `zlib.crc32(word.encode()) % buckets`.",
            "The first bucket has id 1 + len(ids). Add `length` zeros, then take the first `length` numbers.",
        ),
    ),
    Exercise(
        id="09.masked_mean",
        title="a mean without the padding",
        minutes=6,
        difficulty=1,
        cases=sentences_of_vectors,
        solution=masked_mean,
        others=(masked_mean_by_loop,),
        mistakes=(
            Mistake(
                "mean_of_all",
                mean_of_all,
                "You averaged the padding too: {got:.2f} where {wanted:.2f} is right. The same sentence in a longer batch would get another vector.",
                MEAN,
            ),
            Mistake(
                "divided_by_length",
                divided_by_length,
                "The sum is right, and divided by L, the length of the row ({got:.2f}, not {wanted:.2f}). Divide by the number of real words.",
                MEAN,
            ),
            Mistake(
                "padding_added",
                padding_added,
                "The divisor is right, but the vector of the padding is in the sum ({got:.2f}, not {wanted:.2f}). Padding has a vector too, and it is not 0.",
                MEAN,
            ),
            Mistake("sum_alone", sum_alone, "This is the sum, {got:.2f}; divided by the number of real words it is {wanted:.2f}.", MEAN),
            Mistake(
                "divided_by_all_words",
                divided_by_all_words,
                "You divided by the number of words in the whole batch ({got:.2f}, not {wanted:.2f}). Each sentence has its own number.",
                MEAN,
            ),
            Mistake("padding_only", padding_only, "The mask is turned round: this is the mean of the padding, {got:.2f} where {wanted:.2f} is right.", MEAN),
        ),
        hints=(
            "`real = (ids != 0)` is 1 under words and 0 under padding; `real[..., None]` fits the vectors.",
            "Multiply by the mask, sum over dimension 1, divide by `real.sum(1, keepdim=True)`.",
        ),
    ),
    Exercise(
        id="09.idf",
        title="how much a word counts",
        minutes=8,
        difficulty=2,
        cases=rows_of_ids,
        solution=idf,
        others=(idf_by_sets,),
        mistakes=(
            Mistake(
                "counts_tokens",
                counts_tokens,
                "You counted every occurrence: {got:.2f} where {wanted:.2f} is right. A sentence that says a word twice holds it once.",
                WEIGHT,
            ),
            Mistake(
                "not_smoothed",
                not_smoothed,
                "Without the ones, a word that no sentence holds has infinite weight. A new domain is full of such words.",
                WEIGHT,
                seen=lambda runs: all(
                    isinstance(got, torch.Tensor) and got.shape == (words,) and torch.isinf(got[-1]) and torch.allclose(got, not_smoothed(rows, words))
                    for (rows, words), got in runs
                ),
            ),
            Mistake(
                "log_of_the_share",
                log_of_the_share,
                "The fraction is upside down: a rare word gets {got:.2f} where {wanted:.2f} is right, the least instead of the most.",
                WEIGHT,
            ),
            Mistake(
                "without_log", without_log, "The logarithm is missing: {got:.2f} instead of {wanted:.2f}. The rarest word would drown all others.", WEIGHT
            ),
            Mistake(
                "padding_is_a_word",
                padding_is_a_word,
                "You counted the padding as a word ({got:.2f}, not {wanted:.2f}). Id 0 stands in no sentence: its count is 0.",
                WEIGHT,
            ),
            Mistake(
                "tokens_above",
                tokens_above,
                "Above the line stands the number of words; it should be the number of sentences, n ({got:.2f}, not {wanted:.2f}).",
                WEIGHT,
            ),
        ),
        hints=(
            "For each word: in how many rows does it occur at least once? `(rows == word).any(1).sum()`.",
            "ln((1 + n) / (1 + n_w)), with n rows. Set the count of id 0, the padding, to 0.",
        ),
    ),
    Exercise(
        id="09.inner_step",
        title="one inner step by hand",
        minutes=10,
        difficulty=3,
        cases=head_cases,
        solution=inner_step,
        others=(inner_step_by_autograd,),
        mistakes=(
            Mistake("uphill", uphill, "You walked uphill: {got:.2f} where {wanted:.2f} is right. The step goes against the gradient.", LOOP),
            Mistake(
                "summed",
                summed,
                "You added the sentences up instead of averaging: {got:.2f} where {wanted:.2f} is right. A step would then grow with the support set.",
                LOOP,
            ),
            Mistake("bias_forgotten", bias_forgotten, "W is right and b stayed where it was ({got:.2f}, not {wanted:.2f}). The inner loop moves both.", LOOP),
            Mistake(
                "over_sentences",
                over_sentences,
                "The softmax runs over the sentences; it belongs over the classes, dimension 1 ({got:.2f}, not {wanted:.2f}).",
                LOOP,
            ),
            Mistake(
                "no_softmax",
                no_softmax,
                "You took logits minus labels, the gradient of a squared error ({got:.2f}, not {wanted:.2f}). Cross-entropy has the probabilities there.",
                LOOP,
            ),
            Mistake(
                "no_labels",
                no_labels,
                "The labels do not occur: {got:.2f} where {wanted:.2f} is right. The error is the probabilities minus the one-hot labels.",
                LOOP,
            ),
            Mistake("gradient_returned", gradient_returned, "This is the gradient, {got:.2f}. Wanted is where the step ends: {wanted:.2f}.", LOOP),
        ),
        hints=(
            "The gradient of the mean cross-entropy with respect to the logits is (p − one-hot) / S, with p the softmax over the classes.",
            "The gradient for W is error.T @ f / S, the one for b the mean of the error. Or let `torch.autograd.grad` do it.",
        ),
    ),
)
