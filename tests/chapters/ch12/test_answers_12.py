"""Answers that readers gave to the exercises of chapter 12, in their own words, and the diagnosis
that each must meet."""

import math

import pytest
import torch
from torch.nn import functional as F

from course_lib.classroom.exercises import check


def rows(tokens):
    return torch.arange(len(tokens))


def pays(whole, guard=lambda tuned, prompted: tuned >= prompted):
    return lambda training, tuned, prompted: (
        None if guard(tuned, prompted) else whole(training, tuned, prompted)
    )


def falls_of_groups(before, after, group, mine):
    return torch.stack(
        [(before[group == g] - after[group == g]).mean() for g in group.unique() if g != mine]
    ).mean()


WRONG = {
    "12.answer_loss": {
        "F.cross_entropy(scores[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=0)": [
            lambda s, t, p: F.cross_entropy(s[:, :-1].transpose(1, 2), t[:, 1:], ignore_index=0)
        ],
        "F.cross_entropy(scores.flatten(0, 1), tokens.flatten())": [
            lambda s, t, p: F.cross_entropy(s.transpose(1, 2), t),
            lambda s, t, p: F.cross_entropy(s.flatten(0, 1), t.flatten(), ignore_index=0),
        ],
        "F.cross_entropy(scores[:, -1], tokens[torch.arange(len(tokens)), place])": [
            lambda s, t, p: F.cross_entropy(s[:, -1], t[rows(t), p]),
            lambda s, t, p: F.cross_entropy(s[:, -1], t[:, -1]),
        ],
        "F.cross_entropy(scores[:, -2], tokens[torch.arange(len(tokens)), place])": [
            lambda s, t, p: F.cross_entropy(s[:, -2], t[rows(t), p])
        ],
        "answer_loss(scores.softmax(-1), tokens, place)": [
            lambda s, t, p: F.cross_entropy(F.softmax(s[rows(t), p - 1], dim=-1), t[rows(t), p])
        ],
        "- 1 -> - 2": [lambda s, t, p: F.cross_entropy(s[rows(t), p - 2], t[rows(t), p])],
        "place - 1], tokens[rows, place -> place], tokens[rows, place + 1": [
            lambda s, t, p: F.cross_entropy(s[rows(t), p], t[rows(t), p + 1]),
            lambda s, t, p: F.cross_entropy(s[rows(t), p - 1], t[rows(t), p + 1]),
        ],
    },
    "12.forgotten": {
        "torch.stack([(before[group == g] - after[group == g]).mean() for g in group.unique() if g != mine]).mean()": [  # noqa: E501
            falls_of_groups
        ],
        "forgotten(before, after, group, mine).clamp(min=0)": [
            lambda b, a, g, mine: max(0, (b - a)[g != mine].mean()),
            lambda b, a, g, mine: F.relu((b - a)[g != mine].mean()),
        ],
        "forgotten(before, after, group, mine).abs()": [
            lambda b, a, g, mine: abs((b - a)[g != mine].mean())
        ],
        "(before - after)[group != mine].abs().mean()": [
            lambda b, a, g, mine: (a - b)[g != mine].abs().mean()
        ],
        "((before - after) / before)[group != mine].mean()": [
            lambda b, a, g, mine: ((b - a) / b)[g != mine].mean()
        ],
        "(before - after)[group != mine].median()": [
            lambda b, a, g, mine: (b - a)[g != mine].median()
        ],
        "(before - after)[torch.arange(len(before)) != mine].mean()": [
            lambda b, a, g, mine: (b - a)[torch.arange(len(b)) != mine].mean()
        ],
    },
    "12.break_even": {
        "None if tuned >= prompted else math.ceil(training / (prompted - tuned))": [
            pays(lambda c, t, p: math.ceil(c / (p - t))),
            pays(lambda c, t, p: -int(-c // (p - t))),
        ],
        "enough_to_be_equal(training, tuned, prompted) + 1 if tuned < prompted else None": [
            pays(lambda c, t, p: math.ceil(c / (p - t)) + 1)
        ],
        "None if tuned >= prompted else round(training / (prompted - tuned))": [
            pays(lambda c, t, p: round(c / (p - t)))
        ],
        "None if tuned >= prompted else round(training / (prompted - tuned)) + 1": [
            pays(lambda c, t, p: round(c / (p - t)) + 1)
        ],
        "None if tuned >= prompted else math.floor((training + tuned) / (prompted - tuned)) + 1": [
            pays(lambda c, t, p: math.floor((c + t) / (p - t)) + 1)
        ],
        "None if tuned >= prompted else math.floor(training / tuned) + 1": [
            lambda c, t, p: c / t,
            pays(lambda c, t, p: c / t),
            pays(lambda c, t, p: int(c / t) + 1),
        ],
        "None if tuned > prompted else math.floor(training / (prompted - tuned)) + 1": [
            pays(lambda c, t, p: int(c / (p - t)) + 1, lambda t, p: t > p),
            pays(lambda c, t, p: math.ceil(c / (p - t)), lambda t, p: t > p),
            pays(lambda c, t, p: c / (p - t), lambda t, p: t > p),
        ],
        "math.floor(training / (prompted - tuned)) + 1": [
            lambda c, t, p: math.floor(c / (p - t)) + 1
        ],
    },
}

RIGHT = {
    "12.answer_loss": [lambda s, t, p: -s.log_softmax(-1)[rows(t), p - 1, t[rows(t), p]].mean()],
    "12.forgotten": [
        lambda b, a, g, mine: b[g != mine].mean() - a[g != mine].mean(),
        lambda b, a, g, mine: float((b - a)[g != mine].mean()),
    ],
    "12.break_even": [
        pays(lambda c, t, p: int(c // (p - t)) + 1),
        pays(lambda c, t, p: c // (p - t) + 1),
    ],
}


@pytest.mark.parametrize(
    "identity, name", [(identity, name) for identity, names in WRONG.items() for name in names]
)
def test_a_wrong_answer_meets_its_own_diagnosis(identity, name):
    assert [check(identity, answer).name for answer in WRONG[identity][name]] == [
        f"mistake:{name}"
    ] * len(WRONG[identity][name])


@pytest.mark.parametrize("identity", RIGHT)
def test_a_right_answer_in_other_words_passes(identity):
    assert all(check(identity, answer).passed for answer in RIGHT[identity])
