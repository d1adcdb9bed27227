"""Answers that readers may give to the exercises of chapter 09, in their own words, and the
diagnosis that each must meet."""

import math
import zlib

import pytest
import torch
from torch.nn import functional as F

from course_lib.classroom.exercises import check

# --- words as ids ---------------------------------------------------------------------------------


def bucket(word, ids, buckets):
    return ids[word] if word in ids else len(ids) + 1 + zlib.crc32(word.encode()) % buckets


def row_of(words, ids, buckets):
    return [bucket(word, ids, buckets) for word in words]


def fill(row, length):
    return (row + [0] * length)[:length]


def hashed(words, ids, buckets, length):
    return fill([ids.get(w, 1 + len(ids) + hash(w) % buckets) for w in words], length)


def one_more(words, ids, buckets, length):
    return fill(
        [ids.get(w, 1 + len(ids) + zlib.crc32(w.encode()) % (buckets + 1)) for w in words], length
    )


def from_buckets(words, ids, buckets, length):
    return fill([ids.get(w, 1 + buckets + zlib.crc32(w.encode()) % buckets) for w in words], length)


def dictionary_grows(words, ids, buckets, length):
    return fill([ids.setdefault(w, len(ids) + 1) for w in words], length)


def places(words, ids, buckets, length):
    return fill([ids[w] if w in ids else 1 + len(ids) + i for i, w in enumerate(words)], length)


def last_ones(words, ids, buckets, length):
    r = row_of(words, ids, buckets)
    while len(r) < length:
        r.append(0)
    return r[-length:]


def last_of_the_zeros(words, ids, buckets, length):
    r = row_of(words, ids, buckets) + [0] * length
    return r[-length:]


def in_front(words, ids, buckets, length):
    r = row_of(words, ids, buckets)[:length]
    return [0] * (length - len(r)) + r


ENCODED = {
    "numbered(words, ids, buckets, length, lambda word, place, unknown: 1 + len(ids) + hash(word) % buckets)": [  # noqa: E501
        hashed
    ],
    "numbered(words, ids, buckets, length, lambda word, place, unknown: 1 + len(ids) + zlib.crc32(word.encode()) % (buckets + 1))": [  # noqa: E501
        one_more
    ],
    "numbered(words, ids, buckets, length, lambda word, place, unknown: 1 + buckets + zlib.crc32(word.encode()) % buckets)": [  # noqa: E501
        from_buckets
    ],
    "numbered(words, ids, buckets, length, lambda word, place, unknown: 1 + len(ids) + len(unknown))": [  # noqa: E501
        dictionary_grows,
        places,
    ],
    "encode(words[-length:], ids, buckets, length)": [
        last_ones,
        lambda words, ids, buckets, length: fill(row_of(words[-length:], ids, buckets), length),
    ],
    "(encode(words, ids, buckets, len(words)) + [0] * length)[-length:]": [last_of_the_zeros],
    "encode(words, ids, buckets, len(words)) + [0] * length": [
        lambda words, ids, buckets, length: row_of(words, ids, buckets) + [0] * length
    ],
    "encode(words, ids, buckets, len(words))[:length]": [
        lambda words, ids, buckets, length: row_of(words, ids, buckets)[:length],
        lambda words, ids, buckets, length: row_of(words, ids, buckets),
    ],
    "([0] * length + encode(words, ids, buckets, len(words)))[-length:]": [in_front],
}


# --- means ----------------------------------------------------------------------------------------

MEANS = {
    "(vectors * ids[..., None]).sum(1) / (ids != 0).sum(1, keepdim=True)": [
        lambda vectors, ids: (
            torch.einsum("nld,nl->nd", vectors, ids.float()) / (ids > 0).sum(1)[:, None]
        ),
        lambda vectors, ids: (vectors * ids.unsqueeze(-1)).sum(1) / ids.sum(1, keepdim=True),
    ],
    "sum_alone(vectors, ids) / len(vectors)": [
        lambda vectors, ids: (vectors * (ids != 0).unsqueeze(-1)).sum(1) / vectors.shape[0]
    ],
    "sum_alone(vectors, ids) / (1 + (ids != 0).sum(1, keepdim=True))": [
        lambda vectors, ids: torch.stack(
            [v[i > 0].sum(0) / (len(i[i > 0]) + 1) for v, i in zip(vectors, ids, strict=False)]
        )
    ],
}


# --- weights --------------------------------------------------------------------------------------


def held_by(rows, words):
    held = torch.zeros(words)
    for row in rows.tolist():
        for word in set(row) - {0}:
            held[word] += 1
    return held


def bincount(rows, words, least=0, padding=False):
    c = torch.bincount(rows.flatten(), minlength=least)
    if not padding:
        c[0] = 0
    return torch.log((len(rows) + 1) / (c + 1))


def first_zero(rows, words):
    out = ((1 + len(rows)) / (1 + held_by(rows, words))).log()
    out[0] = 0
    return out


WEIGHTS = {
    "counts_tokens": [lambda rows, words: bincount(rows, words, words)],
    "torch.log((1 + len(rows)) / (1 + torch.bincount(rows.flatten(), minlength=words)))": [
        lambda rows, words: bincount(rows, words, words, True)
    ],
    "counts_tokens_seen": [lambda rows, words: bincount(rows, words)],
    "torch.log((1 + len(rows)) / (1 + torch.bincount(rows.flatten())))": [
        lambda rows, words: bincount(rows, words, padding=True)
    ],
    "torch.log(len(rows) / (1 + held_by(rows, words)))": [
        lambda rows, words: torch.log(len(rows) / (1 + held_by(rows, words)))
    ],
    "torch.log((1 + len(rows)) / held_by(rows, words))": [
        lambda rows, words: torch.log((1 + len(rows)) / held_by(rows, words))
    ],
    "torch.log(len(rows) / held_by(rows, words))": [
        lambda rows, words: torch.log(len(rows) / held_by(rows, words))
    ],
    "idf(rows, words) + 1": [
        lambda rows, words: torch.log((1 + len(rows)) / (1 + held_by(rows, words))) + 1
    ],
    "padding_set_to_zero": [first_zero],
    "torch.log(len(rows) / (held_by(rows, words) + 1e-8))": [
        lambda rows, words: torch.log(len(rows) / (held_by(rows, words) + 1e-8)),
        lambda rows, words: torch.log(len(rows) / held_by(rows, words).clamp(min=1e-6)),
        lambda rows, words: torch.log((1 + len(rows)) / (held_by(rows, words) + 1e-12)),
    ],
    "torch.log10(idf(rows, words).exp())": [
        lambda rows, words: torch.log10((1 + len(rows)) / (1 + held_by(rows, words))),
        lambda rows, words: torch.tensor(
            [math.log2((1 + len(rows)) / (1 + h)) for h in held_by(rows, words).tolist()]
        ),
    ],
    "len(rows) -> (rows != 0).sum()": [
        lambda rows, words: torch.log((1 + rows.numel()) / (1 + held_by(rows, words)))
    ],
}


# --- one step -------------------------------------------------------------------------------------


def error(f, y, W, b):
    return torch.softmax(f @ W.T + b, dim=1) - F.one_hot(y, W.shape[0]).float()


def stepped(weights, biases):
    """A function of the exercise from two: what is subtracted from W and from b, from (f, error,
    alpha)."""
    return lambda f, y, W, b, alpha: (
        W - weights(f, error(f, y, W, b), alpha),
        b - biases(f, error(f, y, W, b), alpha),
    )


def right_W(f, e, alpha):
    return alpha * (e.T @ f) / len(f)


def right_b(f, e, alpha):
    return alpha * e.mean(0)


def by_autograd(loss):
    def step(f, y, W, b, alpha):
        W, b = W.clone().requires_grad_(), b.clone().requires_grad_()
        loss(f, y, W, b).backward()
        return W.detach() - alpha * W.grad, b.detach() - alpha * b.grad

    return step


def one_after_the_other(f, y, W, b, alpha):
    W = W - right_W(f, error(f, y, W, b), alpha)
    return W, b - right_b(f, error(f, y, W, b), alpha)


def b_first(f, y, W, b, alpha):
    b = b - right_b(f, error(f, y, W, b), alpha)
    return W - right_W(f, error(f, y, W, b), alpha), b


def transposed_and_turned(f, y, W, b, alpha):
    e = error(f, y, W, b)
    return -alpha * (f.T @ e) / len(f) + W, b - alpha * e.mean(0)


STEPS = {
    "inner_step(f, y, W, b, alpha)[0], b": [
        stepped(right_W, lambda f, e, alpha: alpha * e.mean()),
        stepped(right_W, lambda f, e, alpha: 0),
    ],
    "inner_step(f, y, W, b, alpha)[0], b - alpha * errors(f, y, W, b).sum(0)": [
        stepped(right_W, lambda f, e, alpha: alpha * e.sum(0))
    ],
    "W - alpha * errors(f, y, W, b).T @ f, inner_step(f, y, W, b, alpha)[1]": [
        stepped(lambda f, e, alpha: alpha * e.T @ f, right_b)
    ],
    "inner_step(f, y, W, b, alpha * len(f))": [
        by_autograd(lambda f, y, W, b: F.cross_entropy(f @ W.T + b, y, reduction="sum"))
    ],
    "inner_step(f, y, W, b, alpha)[0], b - alpha * errors(f, y, W, b).mean(1)": [
        stepped(right_W, lambda f, e, alpha: alpha * e.mean(1))
    ],
    "W - alpha * f.T @ errors(f, y, W, b) / len(f), inner_step(f, y, W, b, alpha)[1]": [
        stepped(lambda f, e, alpha: alpha * f.T @ e / len(f), right_b),
        transposed_and_turned,
    ],
    "inner_step(f, y, W, b, 1)": [
        stepped(lambda f, e, alpha: e.T @ f / len(f), lambda f, e, alpha: e.mean(0)),
        stepped(lambda f, e, alpha: e.T @ f / len(f), right_b),
        stepped(right_W, lambda f, e, alpha: e.mean(0)),
    ],
    "softmax_twice": [
        by_autograd(lambda f, y, W, b: F.cross_entropy((f @ W.T + b).softmax(-1), y))
    ],
    "(f @ W.T + b).softmax(1) - F.one_hot(y, len(W)) -> errors(f, y, W, torch.zeros_like(b))": [
        lambda f, y, W, b, alpha: (
            stepped(right_W, right_b)(f, y, W, 0 * b, alpha)[:1]
            + (b - right_b(f, error(f, y, W, 0 * b), alpha),)
        )
    ],
    "bias_after_weights": [one_after_the_other, b_first],
}

GIVEN = {"09.encode": ENCODED, "09.masked_mean": MEANS, "09.idf": WEIGHTS, "09.inner_step": STEPS}
FORMS = [
    (identity, name, form)
    for identity, given in GIVEN.items()
    for name, forms in given.items()
    for form in forms
]


@pytest.mark.parametrize(
    ("identity", "name", "form"), FORMS, ids=lambda part: part if isinstance(part, str) else ""
)
def test_an_answer_meets_its_diagnosis(identity, name, form):
    verdict = check(identity, form)
    assert verdict.name == f"mistake:{name}", verdict
    assert "nan" not in verdict.text and "known mistake" not in verdict.text


@pytest.mark.parametrize(
    ("form", "said"),
    list(zip(STEPS["inner_step(f, y, W, b, 1)"], ("of W and b:", "of W:", "of b:"), strict=False)),
)
def test_the_step_without_alpha_is_named(form, said):
    assert said in check("09.inner_step", form).text


def test_the_base_of_the_logarithm_is_named():
    assert [
        check("09.idf", form).text.split(":")[0].split()[-1]
        for form in WEIGHTS["torch.log10(idf(rows, words).exp())"]
    ] == ["10", "2"]


def test_padding_is_named_only_where_it_was_counted():
    told = [
        "the padding" in check("09.idf", WEIGHTS[name][0]).text
        for name in (
            "counts_tokens_seen",
            "torch.log((1 + len(rows)) / (1 + torch.bincount(rows.flatten())))",
        )
    ]
    assert told == [False, True]
