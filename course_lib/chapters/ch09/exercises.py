"""Exercises of chapter 09: words as ids, a mean that ignores padding, the weight of a word, and an inner step on a linear head."""

import math
import re
import zlib
from collections.abc import Callable

import torch
import torch.nn.functional as F

from course_lib.classroom.exercises.compare import any_of
from course_lib.classroom.exercises.judging import Exercise, Mistake, Numbers

NAMESPACE = {"zlib": zlib}


# 09.encode: words -> ids. ids is a dictionary from known word to 1, ..., n; all other words share ``buckets`` ids behind them


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


def unknown_is_padding(words, ids, buckets, length):
    return ([ids.get(word, 0) for word in words] + [0] * length)[:length]


def unknown_left_out(words, ids, buckets, length):
    return ([ids[word] for word in words if word in ids] + [0] * length)[:length]


def one_bucket(words, ids, buckets, length):
    return ([ids.get(word, len(ids) + 1) for word in words] + [0] * length)[:length]


def bucket_among_known(words, ids, buckets, length):
    return (
        [ids.get(word) or zlib.crc32(word.encode()) % buckets for word in words] + [0] * length
    )[:length]


def bucket_from_n(words, ids, buckets, length):
    return (
        [ids.get(word) or len(ids) + zlib.crc32(word.encode()) % buckets for word in words]
        + [0] * length
    )[:length]


def padded_in_front(words, ids, buckets, length):
    row = encode(words, ids, buckets, len(words))
    return ([0] * length + row)[-length:]


def padded_in_front_and_cut_behind(words, ids, buckets, length):
    row = encode(words, ids, buckets, len(words))
    return [0] * (length - len(row)) + row[:length]


def not_cut(words, ids, buckets, length):
    row = encode(words, ids, buckets, len(words))
    return row + [0] * (length - len(row))


def filled_and_not_cut(words, ids, buckets, length):
    return encode(words, ids, buckets, len(words)) + [0] * length


def not_filled(words, ids, buckets, length):
    return encode(words, ids, buckets, len(words))[:length]


def neither_filled_nor_cut(words, ids, buckets, length):
    return encode(words, ids, buckets, len(words))


def end_kept(words, ids, buckets, length):
    return encode(words[-length:], ids, buckets, length)


def end_of_the_zeros(words, ids, buckets, length):
    return (encode(words, ids, buckets, len(words)) + [0] * length)[-length:]


def numbered(words, ids, buckets, length, number: Callable):
    """A row in which `number(word, place, unknown words before it)` gives the id of an unknown word."""
    row, unknown = [], []
    for place, word in enumerate(words):
        row.append(ids.get(word) or number(word, place, unknown))
        unknown += [word] * (word not in ids)
    return (row + [0] * length)[:length]


def hash_of_python(words, ids, buckets, length):
    return numbered(
        words,
        ids,
        buckets,
        length,
        lambda word, place, unknown: 1 + len(ids) + hash(word) % buckets,
    )


def size_of_the_hash(words, ids, buckets, length):
    return numbered(
        words,
        ids,
        buckets,
        length,
        lambda word, place, unknown: 1 + len(ids) + abs(hash(word)) % buckets,
    )


def one_bucket_more(words, ids, buckets, length):
    return numbered(
        words,
        ids,
        buckets,
        length,
        lambda word, place, unknown: 1 + len(ids) + zlib.crc32(word.encode()) % (buckets + 1),
    )


def behind_the_buckets(words, ids, buckets, length):
    return numbered(
        words,
        ids,
        buckets,
        length,
        lambda word, place, unknown: 1 + buckets + zlib.crc32(word.encode()) % buckets,
    )


def an_id_each(words, ids, buckets, length):
    return numbered(
        words, ids, buckets, length, lambda word, place, unknown: 1 + len(ids) + len(unknown)
    )


def an_id_each_from_n(words, ids, buckets, length):
    return numbered(
        words, ids, buckets, length, lambda word, place, unknown: len(ids) + len(unknown)
    )


def an_id_for_the_place(words, ids, buckets, length):
    return numbered(words, ids, buckets, length, lambda word, place, unknown: 1 + len(ids) + place)


def vocabularies(generator: torch.Generator) -> list[tuple]:
    """(words, ids, buckets, length): known and unknown words, sentences that are too short and too long."""
    known = ["a", "block", "book", "card", "fly", "my", "please", "to"]
    ids = {word: number for number, word in enumerate(known, start=1)}
    sentences = (
        "please block my card",
        "my zebra lost a card",
        "fly my gnu to timbuktu please please",
        "quagga",
        "book a yurt",
        "kiwi mango papaya to nairobi tonight",
    )
    lengths = torch.randint(6, 9, (len(sentences),), generator=generator).tolist()
    return [
        (sentence.split(), dict(ids), 4 + i, 4 if i == 2 else length)
        for i, (sentence, length) in enumerate(zip(sentences, lengths))
    ]


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


def weighted_by_ids(vectors, ids):
    return (vectors * ids[..., None]).sum(1) / (ids != 0).sum(1, keepdim=True)


def weighted_mean_by_ids(vectors, ids):
    return (vectors * ids[..., None]).sum(1) / ids.sum(1, keepdim=True)


def divided_by_batch(vectors, ids):
    return sum_alone(vectors, ids) / len(vectors)


def one_word_more(vectors, ids):
    return sum_alone(vectors, ids) / (1 + (ids != 0).sum(1, keepdim=True))


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


def counts_tokens_and_padding(rows, words):
    return torch.log((1 + len(rows)) / (1 + torch.bincount(rows.flatten(), minlength=words)))


def counts_tokens_seen(rows, words):
    counts = torch.bincount(rows.flatten())
    counts[0] = 0
    return torch.log((1 + len(rows)) / (1 + counts))


def counts_tokens_seen_and_padding(rows, words):
    return torch.log((1 + len(rows)) / (1 + torch.bincount(rows.flatten())))


def held_by(rows, words):
    held = torch.stack([(rows == word).any(1).sum() for word in range(words)])
    held[0] = 0
    return held


def not_smoothed(rows, words):
    return torch.log(len(rows) / held_by(rows, words))


def one_missing_above(rows, words):
    return torch.log(len(rows) / (1 + held_by(rows, words)))


def one_missing_below(rows, words):
    return torch.log((1 + len(rows)) / held_by(rows, words))


def one_added_behind(rows, words):
    return idf(rows, words) + 1


def padding_set_to_zero(rows, words):
    weight = idf(rows, words)
    weight[0] = 0
    return weight


def tiny_number_below(rows, words):
    return torch.log(len(rows) / (held_by(rows, words) + 1e-8))


def tiny(runs: list) -> bool:
    """ln(n / n_w) or ln((1 + n) / n_w), and for unseen words a huge weight: n_w plus a small number, or at least that."""

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


def logarithm_to_10(rows, words):
    return torch.log10(idf(rows, words).exp())


def logarithm_to_2(rows, words):
    return torch.log2(idf(rows, words).exp())


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


def places_above(rows, words):
    return torch.log((1 + rows.numel()) / (1 + held_by(rows, words)))


def too_short(n: Numbers) -> str:
    sentence = f"`torch.bincount` stopped at the largest id that occurs: {len(n.result)} weights where {n.inputs[1]} are wanted; `minlength=words` mends "
    sentence += "that. It also counts every occurrence, and a sentence that says a word twice holds it once."
    padding = torch.isclose(n.result[0], torch.tensor(math.log(1 + len(n.inputs[0]))), atol=1e-4)
    return sentence + ("" if padding else " And id 0 is counted, the padding.")


def rows_of_ids(generator: torch.Generator) -> list[tuple]:
    """(rows, words): words that stand twice in a sentence, words that no sentence holds, and padding."""
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


def errors(f, y, W, b):
    return (f @ W.T + b).softmax(1) - F.one_hot(y, len(W))


def mean_over_everything(f, y, W, b, alpha):
    """Each row of the error adds up to 0, so its mean is 0 and b stays, as in bias_forgotten."""
    return inner_step(f, y, W, b, alpha)[0], b - alpha * errors(f, y, W, b).mean()


def bias_summed(f, y, W, b, alpha):
    return inner_step(f, y, W, b, alpha)[0], b - alpha * errors(f, y, W, b).sum(0)


def weights_summed(f, y, W, b, alpha):
    return W - alpha * errors(f, y, W, b).T @ f, inner_step(f, y, W, b, alpha)[1]


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


def bias_over_classes(f, y, W, b, alpha):
    return inner_step(f, y, W, b, alpha)[0], b - alpha * errors(f, y, W, b).mean(1)


def labels_as_numbers(f, y, W, b, alpha):
    error = (f @ W.T + b).softmax(1) - y
    return W - alpha * error.T @ f / len(f), b - alpha * error.mean(0)


def without_alpha(f, y, W, b, alpha):
    return inner_step(f, y, W, b, 1)


def weights_without_alpha(f, y, W, b, alpha):
    return inner_step(f, y, W, b, 1)[0], inner_step(f, y, W, b, alpha)[1]


def bias_without_alpha(f, y, W, b, alpha):
    return inner_step(f, y, W, b, alpha)[0], inner_step(f, y, W, b, 1)[1]


def which(n: Numbers) -> str:
    """W, b or both: what differs from the right result."""
    wrong = [
        name
        for name, got, right in zip("Wb", n.result, n.right)
        if not torch.allclose(got, right, atol=1e-4)
    ]
    return " and ".join(wrong)


def softmax_twice(f, y, W, b, alpha):
    W, b = W.detach().requires_grad_(), b.detach().requires_grad_()
    g_W, g_b = torch.autograd.grad(F.cross_entropy((f @ W.T + b).softmax(1), y), [W, b])
    return (W - alpha * g_W).detach(), (b - alpha * g_b).detach()


def softmax_twice_by_hand(f, y, W, b, alpha):
    error = (f @ W.T + b).softmax(1).softmax(1) - F.one_hot(y, len(W))
    return W - alpha * error.T @ f / len(f), b - alpha * error.mean(0)


def logits_without_b(f, y, W, b, alpha):
    error = errors(f, y, W, torch.zeros_like(b))
    return W - alpha * error.T @ f / len(f), b - alpha * error.mean(0)


def bias_after_weights(f, y, W, b, alpha):
    W = inner_step(f, y, W, b, alpha)[0]
    return W, inner_step(f, y, W, b, alpha)[1]


def weights_after_bias(f, y, W, b, alpha):
    b = inner_step(f, y, W, b, alpha)[1]
    return inner_step(f, y, W, b, alpha)[0], b


def head_cases(generator: torch.Generator) -> list[tuple]:
    """(f, y, W, b, alpha): several heads, none of them 0; S, d and N differ, so that an exchanged dimension raises an error."""
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
                "hash_of_python",
                hash_of_python,
                "You took Python's own `hash` for the bucket ({got:.0f} where {wanted:.0f} is right). For texts it differs each time Python starts, so "
                "what a network has learned about an id would be lost. `zlib.crc32(word.encode())` stays.",
                IDS,
                seen=any_of(hash_of_python, size_of_the_hash),
            ),
            Mistake(
                "one_bucket_more",
                one_bucket_more,
                "You took the remainder by `buckets + 1`: {got:.0f} where {wanted:.0f} is right. `% buckets` has the values 0 to `buckets - 1` already, "
                "which are `buckets` different ones.",
                IDS,
            ),
            Mistake(
                "behind_the_buckets",
                behind_the_buckets,
                lambda n: (
                    f"You added `buckets`, which is {n.inputs[2]}, where the number of known words belongs, `len(ids)`, which is {len(n.inputs[1])}: "
                    f"{n.got:.0f} where {n.wanted:.0f} is right."
                ),
                IDS,
            ),
            Mistake(
                "an_id_each",
                an_id_each,
                "You gave each unknown word a new id ({got:.0f} where {wanted:.0f} is right). The network has no vectors for ids that come without end, and "
                "a word would get another id in another sentence. The word alone chooses its bucket, by `zlib.crc32`.",
                IDS,
                seen=any_of(an_id_each, an_id_each_from_n, an_id_for_the_place),
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
            Mistake(
                "padded_in_front",
                padded_in_front,
                "Your zeros stand in front of the words. Fill up behind them, and cut there too.",
                IDS,
                seen=any_of(padded_in_front, padded_in_front_and_cut_behind),
            ),
            Mistake(
                "end_kept",
                end_kept,
                lambda n: (
                    f"Of a sentence of {len(n.inputs[0])} words you kept the last {n.inputs[3]}: {n.got:.0f} where {n.wanted:.0f} is right. "
                    "Keep the first ones, `[:length]`."
                ),
                IDS,
            ),
            Mistake(
                "end_of_the_zeros",
                end_of_the_zeros,
                "You added `length` zeros and kept the last `length` ids, which are those zeros. Keep the first ones, `[:length]`.",
                IDS,
            ),
            Mistake(
                "not_cut",
                not_cut,
                "A sentence that is longer than `length` has to lose its end, or rows of a batch do not fit together.",
                IDS,
            ),
            Mistake(
                "filled_and_not_cut",
                filled_and_not_cut,
                lambda n: (
                    f"You added `length` zeros and did not cut: the row has {len(n.result)} ids where `length` is {n.inputs[3]}. "
                    "Take its first ones, `[:length]`."
                ),
                IDS,
            ),
            Mistake(
                "not_filled",
                not_filled,
                lambda n: (
                    f"Your row has {len(n.result)} ids where `length` is {n.inputs[3]}. Fill it up with zeros at the end."
                ),
                IDS,
                seen=any_of(not_filled, neither_filled_nor_cut),
            ),
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
            Mistake(
                "sum_alone",
                sum_alone,
                "This is the sum, {got:.2f}; divided by the number of real words it is {wanted:.2f}.",
                MEAN,
            ),
            Mistake(
                "divided_by_all_words",
                divided_by_all_words,
                "You divided by the number of words in the whole batch ({got:.2f}, not {wanted:.2f}). Each sentence has its own number.",
                MEAN,
            ),
            Mistake(
                "weighted_by_ids",
                weighted_by_ids,
                "You multiplied the vectors by the ids themselves ({got:.2f}, not {wanted:.2f}). An id is a name and no amount: the mask is 1 under every "
                "word, `(ids != 0)`.",
                MEAN,
                seen=any_of(weighted_by_ids, weighted_mean_by_ids),
            ),
            Mistake(
                "divided_by_batch",
                divided_by_batch,
                lambda n: (
                    f"You divided by {len(n.inputs[0])}, the number of sentences in the batch ({n.got:.2f}, not {n.wanted:.2f}). "
                    "Divide each sum by the number of real words in its sentence."
                ),
                MEAN,
            ),
            Mistake(
                "one_word_more",
                one_word_more,
                "You divided by one more than the number of words: {got:.2f} where {wanted:.2f} is right. A mean needs no extra 1; every sentence here has "
                "a word.",
                MEAN,
            ),
            Mistake(
                "padding_only",
                padding_only,
                "The mask is turned round: this is the mean of the padding, {got:.2f} where {wanted:.2f} is right.",
                MEAN,
            ),
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
                "counts_tokens_and_padding",
                counts_tokens_and_padding,
                "Your counts are those of every occurrence, the padding included ({got:.2f} where {wanted:.2f} is right). Count sentences that hold a word, "
                "once each, and set the count of id 0 to 0.",
                WEIGHT,
            ),
            Mistake("counts_tokens_seen", counts_tokens_seen, too_short, WEIGHT),
            Mistake(
                "counts_tokens_seen_and_padding", counts_tokens_seen_and_padding, too_short, WEIGHT
            ),
            Mistake(
                "one_missing_above",
                one_missing_above,
                lambda n: (
                    f"The 1 above the line is missing: {n.got:.2f} where {n.wanted:.2f} is right. It is 1 + n there, {1 + len(n.inputs[0])} in place of "
                    f"{len(n.inputs[0])}; else a word that every sentence holds would weigh less than nothing."
                ),
                WEIGHT,
            ),
            Mistake(
                "one_missing_below",
                one_missing_below,
                "The 1 below the line is missing, so a word that no sentence holds is divided by 0 and weighs infinitely much. Below stands 1 + n_w.",
                WEIGHT,
            ),
            Mistake(
                "one_added_behind",
                one_added_behind,
                "You added 1 to each weight ({got:.2f} where {wanted:.2f} is right), as scikit-learn does. Here a word that every sentence holds has weight 0.",
                WEIGHT,
            ),
            Mistake(
                "padding_set_to_zero",
                padding_set_to_zero,
                "You set the weight of id 0 to 0. It is the *count* n_w that is 0 there, so its weight is as large as that of a "
                "word that no sentence holds, {wanted:.2f}.",
                WEIGHT,
            ),
            Mistake(
                "tiny_number_below",
                tiny_number_below,
                "In place of the ones there is a tiny number: a word that no sentence holds weighs {got:.2f} where {wanted:.2f} is right. That is finite, "
                "and would still drown all others. Take 1 + n and 1 + n_w.",
                WEIGHT,
                seen=tiny,
            ),
            Mistake(
                "another_logarithm",
                logarithm_to_10,
                lambda n: (
                    f"This is a logarithm to base {math.exp(n.wanted / n.got):.0f}: {n.got:.2f} where {n.wanted:.2f} is right. "
                    "`torch.log` is the natural one, ln."
                ),
                WEIGHT,
                seen=any_of(logarithm_to_10, logarithm_to_2),
            ),
            Mistake(
                "not_smoothed",
                not_smoothed,
                "Without the ones, a word that no sentence holds has infinite weight. A new domain is full of such words.",
                WEIGHT,
                seen=lambda runs: all(
                    isinstance(got, torch.Tensor)
                    and got.shape == (words,)
                    and torch.isinf(got[-1])
                    and torch.allclose(got, not_smoothed(rows, words))
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
                "without_log",
                without_log,
                "The logarithm is missing: {got:.2f} instead of {wanted:.2f}. The rarest word would drown all others.",
                WEIGHT,
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
                seen=any_of(tokens_above, places_above),
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
            Mistake(
                "uphill",
                uphill,
                "You walked uphill: {got:.2f} where {wanted:.2f} is right. The step goes against the gradient.",
                LOOP,
            ),
            Mistake(
                "summed",
                summed,
                "You added the sentences up instead of averaging: {got:.2f} where {wanted:.2f} is right. A step would then grow with the support set.",
                LOOP,
            ),
            Mistake(
                "weights_summed",
                weights_summed,
                lambda n: (
                    f"Your b is right, and W moved {len(n.inputs[0])} times too far ({n.got:.2f}, not {n.wanted:.2f}): `error.T @ f` adds the sentences up. "
                    "Divide it by their number, `len(f)`."
                ),
                LOOP,
            ),
            Mistake(
                "bias_summed",
                bias_summed,
                lambda n: (
                    f"W is right, and b moved {len(n.inputs[0])} times too far ({n.got:.2f}, not {n.wanted:.2f}): you added the errors of the sentences "
                    "up. Take their mean, `error.mean(0)`."
                ),
                LOOP,
            ),
            Mistake(
                "bias_forgotten",
                bias_forgotten,
                "W is right and b stayed where it was ({got:.2f}, not {wanted:.2f}). The inner loop moves both. Is your step a mean over everything, "
                "`error.mean()`? Each row of the error adds up to 0, so that mean is 0. Take it over the sentences only, dimension 0.",
                LOOP,
                seen=any_of(bias_forgotten, mean_over_everything),
            ),
            Mistake(
                "bias_over_classes",
                bias_over_classes,
                lambda n: (
                    f"You took the mean of the error over the classes: {len(n.inputs[0])} numbers, one for each sentence, and b has {len(n.inputs[3])}. "
                    "Take it over the sentences, dimension 0."
                ),
                LOOP,
            ),
            Mistake(
                "transposed",
                transposed,
                lambda n: (
                    f"The gradient for W is transposed, ({n.inputs[2].shape[1]}, {n.inputs[2].shape[0]}) where W is ({n.inputs[2].shape[0]}, "
                    f"{n.inputs[2].shape[1]}). Classes come first: `error.T @ f`, not `f.T @ error`."
                ),
                LOOP,
                seen=transposed_met,
            ),
            Mistake(
                "labels_as_numbers",
                labels_as_numbers,
                lambda n: (
                    f"You subtracted the {len(n.inputs[1])} class numbers from rows of {len(n.inputs[2])} probabilities. Each class number has to become "
                    "a row first: `F.one_hot(y, len(W))`."
                ),
                LOOP,
            ),
            Mistake(
                "without_alpha",
                without_alpha,
                lambda n: (
                    f"Multiply by alpha, here {n.inputs[4]}, in the step of {which(n)}: {n.got:.2f} where {n.wanted:.2f} is right."
                ),
                LOOP,
                seen=any_of(without_alpha, weights_without_alpha, bias_without_alpha),
            ),
            Mistake(
                "softmax_twice",
                softmax_twice,
                "There are two softmaxes: {got:.2f} where {wanted:.2f} is right. `F.cross_entropy` takes the logits, and has a softmax inside.",
                LOOP,
            ),
            Mistake(
                "softmax_twice_by_hand",
                softmax_twice_by_hand,
                "You took the softmax of a softmax ({got:.2f}, not {wanted:.2f}). One turns the logits into probabilities; a second flattens them.",
                LOOP,
            ),
            Mistake(
                "logits_without_b",
                logits_without_b,
                "The logits lack b: {got:.2f} where {wanted:.2f} is right. They are `f @ W.T + b`, and b is not 0 here.",
                LOOP,
            ),
            Mistake(
                "bias_after_weights",
                bias_after_weights,
                lambda n: (
                    f"You moved one of the two first and computed the step of {which(n)} from there ({n.got:.4f}, not {n.wanted:.4f}). Both gradients "
                    "belong to the same old W and b: compute the error once."
                ),
                LOOP,
                seen=any_of(bias_after_weights, weights_after_bias),
            ),
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
            Mistake(
                "gradient_returned",
                gradient_returned,
                "This is the gradient, {got:.2f}. Wanted is where the step ends: {wanted:.2f}.",
                LOOP,
            ),
        ),
        hints=(
            "The gradient of the mean cross-entropy with respect to the logits is (p − one-hot) / S, with p the softmax over the classes.",
            "The gradient for W is error.T @ f / S, the one for b the mean of the error. Or let `torch.autograd.grad` do it.",
        ),
    ),
)
