"""Rules over two words: what an episode holds, and what no training prompt shows."""

import random

import pytest
import torch

from course_lib.families.prompt_tokens import KINDS, LABELS
from course_lib.families.prompt_worlds import ID, KIND_GROUP, LABEL_GROUP, TOKENS
from course_lib.families.two_words import HELD_OUT, NO, YES, NotMixture, TwoWords

KIND_OF = {word: kind for kind, words in KINDS.items() for word in words}


def sampled(rule, shared=False, tasks=60):
    family = TwoWords(rule, shared)
    return family.sample(tasks, shots=8, queries=3, generator=family.generator(0))


def words(row):
    return [TOKENS[i] for i in row.tolist()]


@pytest.mark.parametrize("rule, shared", [("not", False), ("either-or", False),
                                          ("either-or", True)])  # fmt: skip
def test_only_kinds_and_labels_that_were_held_out_occur(rule, shared):
    tasks = sampled(rule, shared)
    for x in (tasks.support_x, tasks.query_x):
        said = {word for row in x.flatten(0, 1) for word in words(row)} - {YES, NO}
        assert {KIND_GROUP[KIND_OF[word]] for word in said} <= set(HELD_OUT)
    labels = {LABELS[i - ID[LABELS[0]]] for i in tasks.names["labels"].flatten().tolist()}
    assert {LABEL_GROUP[label] for label in labels} == set(HELD_OUT)
    assert 0.3 < tasks.query_y.float().mean() < 0.7  # no class number is the answer


def test_no_gives_the_other_label_and_is_asked_of_the_kind_that_never_had_it():
    tasks = sampled("not")
    for t in range(len(tasks)):
        label = {}
        for row, y in zip(tasks.support_x[t], tasks.support_y[t].tolist(), strict=True):
            said, word = words(row)
            label.setdefault((said, KIND_OF[word]), set()).add(y)
        assert all(len(ys) == 1 for ys in label.values())
        for row, y in zip(tasks.query_x[t], tasks.query_y[t].tolist(), strict=True):
            said, word = words(row)
            assert said == NO and (NO, KIND_OF[word]) not in label
            assert label.get((YES, KIND_OF[word]), {1 - y}) == {1 - y}


@pytest.mark.parametrize("shared", [False, True])
def test_either_or_is_decided_by_whether_the_kinds_are_equal(shared):
    tasks = sampled("either-or", shared)
    for t in range(len(tasks)):
        both = [(row, y) for part in ("support", "query") for row, y in
                zip(getattr(tasks, f"{part}_x")[t], getattr(tasks, f"{part}_y")[t], strict=True)]
        same = {(KIND_OF[words(row)[0]] == KIND_OF[words(row)[1]], int(y)) for row, y in both}
        assert len(same) == 2 and len({y for _, y in same}) == 2  # one class each, in all 11 items
        assert all(len(set(words(row))) == 2 for row, _ in both)
        shown = {KIND_OF[w] for row in tasks.support_x[t] for w in words(row)}
        asked = {KIND_OF[w] for row in tasks.query_x[t] for w in words(row)}
        assert (asked <= shown) if shared and len(shown) == 2 else not (asked & shown) or shared


def test_no_training_prompt_of_two_words_holds_a_kind_or_label_that_was_held_out():
    mixture = NotMixture()
    for n in range(60):
        prompt = [token for token, _ in mixture.prompt(random.Random(n), "no")]
        assert len(prompt) == 72
        assert not {KIND_GROUP[KIND_OF[t]] for t in prompt if t in KIND_OF} & set(HELD_OUT)
        assert not {LABEL_GROUP[t] for t in prompt if t in LABEL_GROUP} & set(HELD_OUT)


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="choose one of 'not', 'either-or'"):
        TwoWords("nor")


def test_seeds_repeat():
    assert torch.equal(sampled("not").support_x, sampled("not").support_x)


def test_practised_means_the_kinds_that_training_prompts_show():
    family = TwoWords("not", practised=True)
    tasks = family.sample(30, shots=4, queries=1, generator=family.generator(0))
    said = {word for row in tasks.support_x.flatten(0, 1) for word in words(row)} - {YES, NO}
    assert not {KIND_GROUP[KIND_OF[word]] for word in said} & set(HELD_OUT)
