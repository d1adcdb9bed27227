"""Exercises of chapter 09: words as ids, a mean that ignores padding, the weight of a word, and an
inner step on a linear head."""

import math
import re
import zlib
from collections.abc import Callable

import torch
import torch.nn.functional as F

from course_lib.chapters.ch09.mistakes import MORE
from course_lib.classroom.exercises import Exercise, Numbers, told

NAMESPACE = {"zlib": zlib}


# 09.encode: words -> ids. ids is a dictionary from known word to 1, ..., n; all other words share
# ``buckets`` ids behind them


def encode(words, ids, buckets, length):
    row = [ids.get(word) or 1 + len(ids) + zlib.crc32(word.encode()) % buckets for word in words]
    return (row + [0] * length)[:length]


def encode_by_loop(words, ids, buckets, length):
    row = torch.zeros(length, dtype=torch.int64)
    for place, word in enumerate(words[:length]):
        row[place] = (
            ids[word] if word in ids else len(ids) + 1 + zlib.crc32(bytes(word, "utf-8")) % buckets
        )
    return row.tolist()


def padded_in_front_and_cut_behind(words, ids, buckets, length):
    row = encode(words, ids, buckets, len(words))
    return [0] * (length - len(row)) + row[:length]


def not_cut(words, ids, buckets, length):
    row = encode(words, ids, buckets, len(words))
    return row + [0] * (length - len(row))


def numbered(words, ids, buckets, length, number: Callable):
    """A row in which `number(word, place, unknown words before it)` gives the id of an unknown
    word."""
    row, unknown = [], []
    for place, word in enumerate(words):
        row.append(ids.get(word) or number(word, place, unknown))
        unknown += [word] * (word not in ids)
    return (row + [0] * length)[:length]


def vocabularies(generator: torch.Generator) -> list[tuple]:
    """(words, ids, buckets, length): known and unknown words, sentences that are too short and too
    long."""
    known = ["a", "block", "book", "card", "fly", "my", "please", "to"]
    ids = {word: number for number, word in enumerate(known, start=1)}
    sentences = (
        "please block my card",
        "my zebra lost a card",
        "fly my gnu to timbuktu please please",
        "quagga",
        "book a yurt",
        "kiwi mango papaya to nairobi tonight",
        "Book a yurt",  # the vocabulary knows book, and not Book
    )
    lengths = torch.randint(6, 9, (len(sentences),), generator=generator).tolist()
    return [
        (sentence.split(), dict(ids), 4 + i, 4 if i == 2 else length)
        for i, (sentence, length) in enumerate(zip(sentences, lengths, strict=False))
    ]


# 09.masked_mean: word vectors (n, L, d) and ids (n, L) -> (n, d)


def masked_mean(vectors, ids):
    real = (ids != 0).to(vectors.dtype)
    return (vectors * real[..., None]).sum(1) / real.sum(1, keepdim=True)


def masked_mean_by_loop(vectors, ids):
    return torch.stack([own[row > 0].mean(0) for own, row in zip(vectors, ids, strict=False)])


def sum_alone(vectors, ids):
    return (vectors * (ids != 0)[..., None]).sum(1)


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
    return torch.tensor(
        [
            math.log(1 + len(sets)) - math.log(1 + sum(word in own for own in sets))
            for word in range(words)
        ]
    )


def counts_tokens(rows, words):
    counts = torch.bincount(rows.flatten(), minlength=words)
    counts[0] = 0
    return torch.log((1 + len(rows)) / (1 + counts))


def counts_tokens_seen(rows, words):
    counts = torch.bincount(rows.flatten())
    counts[0] = 0
    return torch.log((1 + len(rows)) / (1 + counts))


def held_by(rows, words):
    held = torch.stack([(rows == word).any(1).sum() for word in range(words)])
    held[0] = 0
    return held


def not_smoothed(rows, words):
    return torch.log(len(rows) / held_by(rows, words))


def padding_set_to_zero(rows, words):
    weight = idf(rows, words)
    weight[0] = 0
    return weight


def tiny(runs: list) -> bool:
    """ln(n / n_w) or ln((1 + n) / n_w), and for unseen words a huge weight: n_w plus a small
    number, or at least that."""

    def fits(rows, words, result, one):
        held = held_by(rows, words)
        if (
            not isinstance(result, torch.Tensor)
            or result.shape != (words,)
            or not result.isfinite().all()
        ):
            return False
        seen = held > 0
        right = torch.log((one + len(rows)) / held[seen])
        return torch.allclose(result[seen].to(right), right, atol=1e-2) and bool(
            (result[1:][~seen[1:]] > math.log(1 + len(rows)) + 1).all()
        )

    return any(
        all(fits(rows, words, result, one) for (rows, words), result in runs) for one in (0, 1)
    )


def padding_is_a_word(rows, words):
    held = torch.stack([(rows == word).any(1).sum() for word in range(words)])
    return torch.log((1 + len(rows)) / (1 + held))


def too_short(n: Numbers) -> str:
    sentence = (
        f"`torch.bincount` stopped at the largest id that occurs: {len(n.result)} weights where "
        f"{n.inputs[1]} are wanted; `minlength=words` mends "
    )
    sentence += (
        "that. It also counts every occurrence, and a sentence that says a word twice holds it "
        "once."
    )
    padding = torch.isclose(n.result[0], torch.tensor(math.log(1 + len(n.inputs[0]))), atol=1e-4)
    return sentence + ("" if padding else " And id 0 is counted, the padding.")


def rows_of_ids(generator: torch.Generator) -> list[tuple]:
    """(rows, words): words that stand twice in a sentence, words that no sentence holds, and
    padding."""
    cases = []
    for n, length, words in ((4, 5, 7), (6, 4, 6), (5, 6, 9)):
        rows = torch.randint(
            1, words - 1, (n, length), generator=generator
        )  # the last id stays unseen
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


def no_labels(f, y, W, b, alpha):
    p = (f @ W.T + b).softmax(1)
    return W - alpha * p.T @ f / len(f), b - alpha * p.mean(0)


def gradient_returned(f, y, W, b, alpha):
    new_W, new_b = inner_step(f, y, W, b, alpha)
    return (W - new_W) / alpha, (b - new_b) / alpha


def errors(f, y, W, b):
    return (f @ W.T + b).softmax(1) - F.one_hot(y, len(W))


def transposed(f, y, W, b, alpha):
    return W - alpha * f.T @ errors(f, y, W, b) / len(f), inner_step(f, y, W, b, alpha)[1]


def sizes(error) -> list[int]:
    """The two sizes that torch names when two shapes do not match."""
    found = re.search(
        r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)", str(error)
    )
    return (
        [int(size) for size in found.groups()] if isinstance(error, RuntimeError) and found else []
    )


def transposed_met(runs: list) -> bool:
    return all(sorted(sizes(error)) == sorted(inputs[2].shape) for inputs, error in runs)


def which(n: Numbers) -> str:
    """W, b or both: what differs from the right result."""
    wrong = [
        name
        for name, got, right in zip("Wb", n.result, n.right, strict=False)
        if not torch.allclose(got, right, atol=1e-4)
    ]
    return " and ".join(wrong)


def softmax_twice(f, y, W, b, alpha):
    W, b = W.detach().requires_grad_(), b.detach().requires_grad_()
    g_W, g_b = torch.autograd.grad(F.cross_entropy((f @ W.T + b).softmax(1), y), [W, b])
    return (W - alpha * g_W).detach(), (b - alpha * g_b).detach()


def bias_after_weights(f, y, W, b, alpha):
    W = inner_step(f, y, W, b, alpha)[0]
    return W, inner_step(f, y, W, b, alpha)[1]


def weights_after_bias(f, y, W, b, alpha):
    b = inner_step(f, y, W, b, alpha)[1]
    return inner_step(f, y, W, b, alpha)[0], b


def head_cases(generator: torch.Generator) -> list[tuple]:
    """(f, y, W, b, alpha): several heads, none of them 0; S, d and N differ, so that an exchanged
    dimension raises an error."""
    cases = []
    for s, d, n, alpha in ((6, 4, 3, 0.5), (4, 3, 2, 1.0), (10, 7, 5, 2.0)):
        y = torch.arange(n).repeat(s // n)[torch.randperm(s, generator=generator)]
        cases.append(
            (
                torch.randn(s, d, generator=generator),
                y,
                torch.randn(n, d, generator=generator),
                torch.randn(n, generator=generator),
                alpha,
            )
        )
    return cases


IDS, MEAN, WEIGHT, LOOP = (
    "A sentence becomes a row of numbers",
    "A vector for a sentence",
    "Count words",
    "The inner loop does not notice",
)


EXERCISES = (
    Exercise(
        "09.encode",
        solution=encode,
        cases=vocabularies,
        others=(encode_by_loop,),
        read=IDS,
        mistakes={
            "([ids.get(word, 0) for word in words] + [0] * length)[:length]": (
                "An unknown word became 0 where {wanted:.0f} is right. 0 is the padding, so the "
                "network cannot even tell that a word stood there."
            ),
            "([ids[word] for word in words if word in ids] + [0] * length)[:length]": (
                "You left unknown words out: an id is {got:.0f} where {wanted:.0f} is right. "
                "They take a place in the row, with the id of their bucket."
            ),
            (
                (
                    "numbered(words, ids, buckets, length, lambda word, place, unknown: 1 + "
                    "len(ids) + hash(word) % buckets)"
                ),
                (
                    "numbered(words, ids, buckets, length, lambda word, place, unknown: 1 + "
                    "len(ids) + abs(hash(word)) % buckets)"
                ),
            ): (
                "You took Python's own `hash` for the bucket ({got:.0f} where {wanted:.0f} is "
                "right). For texts it differs each time Python starts, so what a network has "
                "learned about an id would be lost. `zlib.crc32(word.encode())` stays."
            ),
            (
                "numbered(words, ids, buckets, length, lambda word, place, unknown: 1 + "
                "len(ids) + zlib.crc32(word.encode()) % (buckets + 1))"
            ): (
                "You took the remainder by `buckets + 1`: {got:.0f} where {wanted:.0f} is "
                "right. `% buckets` has the values 0 to `buckets - 1` already, which are "
                "`buckets` different ones."
            ),
            (
                "numbered(words, ids, buckets, length, lambda word, place, unknown: 1 + buckets "
                "+ zlib.crc32(word.encode()) % buckets)"
            ): lambda n: (
                f"You added `buckets`, which is {n.inputs[2]}, where the number of known words "
                f"belongs, `len(ids)`, which is {len(n.inputs[1])}: "
                f"{n.got:.0f} where {n.wanted:.0f} is right."
            ),
            (
                (
                    "numbered(words, ids, buckets, length, lambda word, place, unknown: 1 + "
                    "len(ids) + len(unknown))"
                ),
                (
                    "numbered(words, ids, buckets, length, lambda word, place, unknown: "
                    "len(ids) + len(unknown))"
                ),
                (
                    "numbered(words, ids, buckets, length, lambda word, place, unknown: 1 + "
                    "len(ids) + place)"
                ),
            ): (
                "You gave each unknown word a new id ({got:.0f} where {wanted:.0f} is right). "
                "The network has no vectors for ids that come without end, and a word would get "
                "another id in another sentence. The word alone chooses its bucket, by "
                "`zlib.crc32`."
            ),
            "([ids.get(word, len(ids) + 1) for word in words] + [0] * length)[:length]": (
                "All unknown words share one id, {got:.0f} where {wanted:.0f} is right. With "
                "several buckets, two of them mostly stay different words."
            ),
            (
                "([ids.get(word) or zlib.crc32(word.encode()) % buckets for word in words] + "
                "[0] * length)[:length]"
            ): (
                "A bucket has the number {got:.0f}, which belongs to a known word or the "
                "padding. The buckets come behind the known words: {wanted:.0f}."
            ),
            (
                "([ids.get(word) or len(ids) + zlib.crc32(word.encode()) % buckets for word in "
                "words] + [0] * length)[:length]"
            ): (
                "Your first bucket is the id of the last known word ({got:.0f} where "
                "{wanted:.0f} is right): ids of known words run from 1 to n."
            ),
            (
                "([0] * length + encode(words, ids, buckets, len(words)))[-length:]",
                padded_in_front_and_cut_behind,
            ): "Your zeros stand in front of the words. Fill up behind them, and cut there too.",
            "encode(words[-length:], ids, buckets, length)": lambda n: (
                f"Of a sentence of {len(n.inputs[0])} words you kept the last {n.inputs[3]}: "
                f"{n.got:.0f} where {n.wanted:.0f} is right. Keep the first ones, `[:length]`."
            ),
            "(encode(words, ids, buckets, len(words)) + [0] * length)[-length:]": (
                "You added `length` zeros and kept the last `length` ids, which are those "
                "zeros. Keep the first ones, `[:length]`."
            ),
            not_cut: (
                "A sentence that is longer than `length` has to lose its end, or rows of a "
                "batch do not fit together."
            ),
            "encode(words, ids, buckets, len(words)) + [0] * length": lambda n: (
                f"You added `length` zeros and did not cut: the row has {len(n.result)} ids where "
                f"`length` is {n.inputs[3]}. Take its first ones, `[:length]`."
            ),
            (
                "encode(words, ids, buckets, len(words))[:length]",
                "encode(words, ids, buckets, len(words))",
            ): lambda n: (
                f"Your row has {len(n.result)} ids where `length` is {n.inputs[3]}. Fill it up "
                "with zeros at the end."
            ),
            **MORE["encode"],
        },
    ),
    Exercise(
        "09.masked_mean",
        solution=masked_mean,
        cases=sentences_of_vectors,
        others=(masked_mean_by_loop,),
        read=MEAN,
        mistakes={
            "vectors.mean(1)": (
                "You averaged the padding too: {got:.2f} where {wanted:.2f} is right. The same "
                "sentence in a longer batch would get another vector."
            ),
            "(vectors * (ids != 0)[..., None]).mean(1)": (
                "The sum is right, and divided by L, the length of the row ({got:.2f}, not "
                "{wanted:.2f}). Divide by the number of real words."
            ),
            "vectors.sum(1) / (ids != 0).sum(1, keepdim=True)": (
                "The divisor is right, but the vector of the padding is in the sum ({got:.2f}, "
                "not {wanted:.2f}). Padding has a vector too, and it is not 0."
            ),
            "(vectors * (ids != 0)[..., None]).sum(1)": (
                "This is the sum, {got:.2f}; divided by the number of real words it is "
                "{wanted:.2f}."
            ),
            "(vectors * (ids != 0)[..., None]).sum(1) / (ids != 0).sum()": (
                "You divided by the number of words in the whole batch ({got:.2f}, not "
                "{wanted:.2f}). Each sentence has its own number."
            ),
            (
                "(vectors * ids[..., None]).sum(1) / (ids != 0).sum(1, keepdim=True)",
                "(vectors * ids[..., None]).sum(1) / ids.sum(1, keepdim=True)",
            ): (
                "You multiplied the vectors by the ids themselves ({got:.2f}, not {wanted:.2f}). "
                "An id is a name and no amount: the mask is 1 under every word, `(ids != 0)`."
            ),
            "sum_alone(vectors, ids) / len(vectors)": lambda n: (
                f"You divided by {len(n.inputs[0])}, the number of sentences in the batch "
                f"({n.got:.2f}, not {n.wanted:.2f}). "
                "Divide each sum by the number of real words in its sentence."
            ),
            "sum_alone(vectors, ids) / (1 + (ids != 0).sum(1, keepdim=True))": (
                "You divided by one more than the number of words: {got:.2f} where {wanted:.2f} "
                "is right. A mean needs no extra 1; every sentence here has a word."
            ),
            (
                "(vectors * (ids == 0)[..., None]).sum(1) / (ids == 0).sum(1, "
                "keepdim=True).clamp(min=1)"
            ): (
                "The mask is turned round: this is the mean of the padding, {got:.2f} where "
                "{wanted:.2f} is right."
            ),
            **MORE["masked_mean"],
        },
    ),
    Exercise(
        "09.idf",
        solution=idf,
        cases=rows_of_ids,
        others=(idf_by_sets,),
        read=WEIGHT,
        mistakes={
            counts_tokens: (
                "You counted every occurrence: {got:.2f} where {wanted:.2f} is right. A "
                "sentence that says a word twice holds it once."
            ),
            "torch.log((1 + len(rows)) / (1 + torch.bincount(rows.flatten(), minlength=words)))": (
                "Your counts are those of every occurrence, the padding included ({got:.2f} "
                "where {wanted:.2f} is right). Count sentences that hold a word, once each, and "
                "set the count of id 0 to 0."
            ),
            counts_tokens_seen: too_short,
            "torch.log((1 + len(rows)) / (1 + torch.bincount(rows.flatten())))": too_short,
            "torch.log(len(rows) / (1 + held_by(rows, words)))": lambda n: (
                f"The 1 above the line is missing: {n.got:.2f} where {n.wanted:.2f} is right. It "
                f"is 1 + n there, {1 + len(n.inputs[0])} in place of {len(n.inputs[0])}; else a "
                "word that every sentence holds would weigh less than nothing."
            ),
            "torch.log((1 + len(rows)) / held_by(rows, words))": (
                "The 1 below the line is missing, so a word that no sentence holds is divided "
                "by 0 and weighs infinitely much. Below stands 1 + n_w."
            ),
            "idf(rows, words) + 1": (
                "You added 1 to each weight ({got:.2f} where {wanted:.2f} is right), as "
                "scikit-learn does. Here a word that every sentence holds has weight 0."
            ),
            padding_set_to_zero: (
                "You set the weight of id 0 to 0. It is the *count* n_w that is 0 there, so its "
                "weight is as large as that of a word that no sentence holds, {wanted:.2f}."
            ),
            "torch.log(len(rows) / (held_by(rows, words) + 1e-8))": told(
                "In place of the ones there is a tiny number: a word that no sentence holds "
                "weighs {got:.2f} where {wanted:.2f} is right. That is finite, and would still "
                "drown all others. Take 1 + n and 1 + n_w.",
                seen=tiny,
            ),
            (
                "torch.log10(idf(rows, words).exp())",
                "torch.log2(idf(rows, words).exp())",
            ): lambda n: (
                f"This is a logarithm to base {math.exp(n.wanted / n.got):.0f}: {n.got:.2f} where "
                f"{n.wanted:.2f} is right. `torch.log` is the natural one, ln."
            ),
            "torch.log(len(rows) / held_by(rows, words))": told(
                "Without the ones, a word that no sentence holds has infinite weight. A new "
                "domain is full of such words.",
                seen=lambda runs: all(
                    isinstance(got, torch.Tensor)
                    and got.shape == (words,)
                    and torch.isinf(got[-1])
                    and torch.allclose(got, not_smoothed(rows, words))
                    for (rows, words), got in runs
                ),
            ),
            "-idf(rows, words)": (
                "The fraction is upside down: a rare word gets {got:.2f} where {wanted:.2f} is "
                "right, the least instead of the most."
            ),
            "idf(rows, words).exp()": (
                "The logarithm is missing: {got:.2f} instead of {wanted:.2f}. The rarest word "
                "would drown all others."
            ),
            padding_is_a_word: (
                "You counted the padding as a word ({got:.2f}, not {wanted:.2f}). Id 0 stands "
                "in no sentence: its count is 0."
            ),
            (
                "len(rows) -> (rows != 0).sum()",
                "torch.log((1 + rows.numel()) / (1 + held_by(rows, words)))",
            ): (
                "Above the line stands the number of words; it should be the number of "
                "sentences, n ({got:.2f}, not {wanted:.2f})."
            ),
            **MORE["idf"],
        },
    ),
    Exercise(
        "09.inner_step",
        solution=inner_step,
        cases=head_cases,
        others=(inner_step_by_autograd,),
        read=LOOP,
        mistakes={
            "inner_step(f, y, W, b, -alpha)": (
                "You walked uphill: {got:.2f} where {wanted:.2f} is right. The step goes "
                "against the gradient."
            ),
            "inner_step(f, y, W, b, alpha * len(f))": (
                "You added the sentences up instead of averaging: {got:.2f} where {wanted:.2f} "
                "is right. A step would then grow with the support set."
            ),
            "W - alpha * errors(f, y, W, b).T @ f, inner_step(f, y, W, b, alpha)[1]": lambda n: (
                f"Your b is right, and W moved {len(n.inputs[0])} times too far ({n.got:.2f}, not "
                f"{n.wanted:.2f}): `error.T @ f` adds the sentences up. "
                "Divide it by their number, `len(f)`."
            ),
            "inner_step(f, y, W, b, alpha)[0], b - alpha * errors(f, y, W, b).sum(0)": lambda n: (
                f"W is right, and b moved {len(n.inputs[0])} times too far ({n.got:.2f}, not "
                f"{n.wanted:.2f}): you added the errors of the sentences "
                "up. Take their mean, `error.mean(0)`."
            ),
            (
                "inner_step(f, y, W, b, alpha)[0], b",
                "inner_step(f, y, W, b, alpha)[0], b - alpha * errors(f, y, W, b).mean()",
            ): (
                "W is right and b stayed where it was ({got:.2f}, not {wanted:.2f}). The inner "
                "loop moves both. Is your step a mean over everything, `error.mean()`? Each row "
                "of the error adds up to 0, so that mean is 0. Take it over the sentences only, "
                "dimension 0."
            ),
            "inner_step(f, y, W, b, alpha)[0], b - alpha * errors(f, y, W, b).mean(1)": lambda n: (
                f"You took the mean of the error over the classes: {len(n.inputs[0])} numbers, "
                f"one for each sentence, and b has {len(n.inputs[3])}. "
                "Take it over the sentences, dimension 0."
            ),
            "W - alpha * f.T @ errors(f, y, W, b) / len(f), inner_step(f, y, W, b, alpha)[1]": told(
                lambda n: (
                    f"The gradient for W is transposed, ({n.inputs[2].shape[1]}, "
                    f"{n.inputs[2].shape[0]}) where W is ({n.inputs[2].shape[0]}, "
                    f"{n.inputs[2].shape[1]}). Classes come first: `error.T @ f`, not `f.T @ "
                    "error`."
                ),
                seen=transposed_met,
            ),
            "F.one_hot(y, len(W)) -> y": lambda n: (
                f"You subtracted the {len(n.inputs[1])} class numbers from rows of "
                f"{len(n.inputs[2])} probabilities. Each class number has to become "
                "a row first: `F.one_hot(y, len(W))`."
            ),
            (
                "inner_step(f, y, W, b, 1)",
                "inner_step(f, y, W, b, 1)[0], inner_step(f, y, W, b, alpha)[1]",
                "inner_step(f, y, W, b, alpha)[0], inner_step(f, y, W, b, 1)[1]",
            ): lambda n: (
                f"Multiply by alpha, here {n.inputs[4]}, in the step of {which(n)}: {n.got:.2f} "
                f"where {n.wanted:.2f} is right."
            ),
            softmax_twice: (
                "There are two softmaxes: {got:.2f} where {wanted:.2f} is right. "
                "`F.cross_entropy` takes the logits, and has a softmax inside."
            ),
            "(1) -> (1).softmax(1)": (
                "You took the softmax of a softmax ({got:.2f}, not {wanted:.2f}). One turns the "
                "logits into probabilities; a second flattens them."
            ),
            (
                "(f @ W.T + b).softmax(1) - F.one_hot(y, len(W)) -> errors(f, y, W, "
                "torch.zeros_like(b))"
            ): (
                "The logits lack b: {got:.2f} where {wanted:.2f} is right. They are `f @ W.T + "
                "b`, and b is not 0 here."
            ),
            (bias_after_weights, weights_after_bias): lambda n: (
                f"You moved one of the two first and computed the step of {which(n)} from there "
                f"({n.got:.4f}, not {n.wanted:.4f}). Both gradients "
                "belong to the same old W and b: compute the error once."
            ),
            "(1) -> (0)": (
                "The softmax runs over the sentences; it belongs over the classes, dimension 1 "
                "({got:.2f}, not {wanted:.2f})."
            ),
            "(f @ W.T + b).softmax(1) -> f @ W.T + b": (
                "You took logits minus labels, the gradient of a squared error ({got:.2f}, not "
                "{wanted:.2f}). Cross-entropy has the probabilities there."
            ),
            no_labels: (
                "The labels do not occur: {got:.2f} where {wanted:.2f} is right. The error is "
                "the probabilities minus the one-hot labels."
            ),
            gradient_returned: (
                "This is the gradient, {got:.2f}. Wanted is where the step ends: {wanted:.2f}."
            ),
            **MORE["inner_step"],
        },
    ),
)
