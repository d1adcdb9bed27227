"""Prompt worlds: what a task is, and that nothing held out stands in a training prompt."""

import itertools

import pytest
import torch

from course_lib.families import pretraining_prompts as prompts
from course_lib.families.pretraining_prompts import (
    MIXTURE,
    UNSEEN_WORDINGS,
    WORDINGS,
    PromptMixture,
    instruction,
)
from course_lib.families.prompt_tokens import KINDS, LABELS, LETTERS
from course_lib.families.prompt_worlds import (
    FOR_QUERIES,
    ID,
    KIND_GROUP,
    LABEL_GROUP,
    TOKENS,
    Worlds,
    covered,
    encode,
    text,
)

NAMES = list(KINDS)
KIND_OF = {word: kind for kind, words in KINDS.items() for word in words}


def sampled(ways=2, per_label=1, tasks=200, shots=8, queries=3, seed=0):
    family = Worlds(ways, per_label)
    return family.sample(tasks, shots=shots, queries=queries, generator=family.generator(seed))


def test_every_token_has_one_id():
    assert len(set(TOKENS)) == len(TOKENS) and len(KINDS) == 24 and len(LABELS) == 60
    assert all(len(words) == 12 for words in KINDS.values())


@pytest.mark.parametrize(("ways", "per_label"), [(2, 1), (3, 1), (4, 1), (2, 2)])
def test_words_kinds_and_labels_fit(ways, per_label):
    episode = sampled(ways, per_label)
    assert episode.support_x.shape == (200, 8, 1) and episode.query_x.shape == (200, 3, 1)
    assert episode.names["labels"].shape == (200, ways) and episode.hidden["kinds"].shape == (
        200,
        ways * per_label,
    )
    for task in range(200):
        kinds = [NAMES[kind] for kind in episode.hidden["kinds"][task]]
        labels = [TOKENS[i] for i in episode.names["labels"][task]]
        assert len(set(kinds)) == len(kinds) and len(set(labels)) == len(labels)
        assert (
            len({KIND_GROUP[kind] for kind in kinds} | {LABEL_GROUP[label] for label in labels})
            == 1
        )
        for x, y in ((episode.support_x, episode.support_y), (episode.query_x, episode.query_y)):
            for word, number in zip(x[task, :, 0].tolist(), y[task].tolist(), strict=True):
                assert kinds.index(KIND_OF[TOKENS[word]]) % ways == number


def test_no_query_word_is_among_the_examples():
    episode = sampled(shots=30, queries=FOR_QUERIES)
    assert not (episode.query_x == episode.support_x.mT).any()


def test_the_generator_decides_all():
    one, same, other = sampled(seed=1), sampled(seed=1), sampled(seed=2)
    assert torch.equal(one.support_x, same.support_x) and torch.equal(one.query_y, same.query_y)
    assert not torch.equal(one.support_x, other.support_x)


def test_coverage_follows_its_formula():
    for ways in (2, 4):
        episode = sampled(ways, tasks=4000, shots=8, queries=1)
        for k in (0, 1, 4, 8):
            assert covered(episode, k).float().mean().item() == pytest.approx(
                1 - (1 - 1 / ways) ** k, abs=0.03
            )


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"ways": 1}, "at least 2 labels"), ({"ways": 5}, "at most 4 kinds"), ({"ways": 0}, "ways=0")],
)
def test_impossible_worlds_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        Worlds(**wrong)


def test_text_and_ids():
    prompt = "dog : blip\nsaw : zug\ncow :"
    assert text(encode(prompt)).split() == prompt.split()
    assert encode(text(encode(prompt))) == encode(prompt)
    assert encode("") == []
    with pytest.raises(ValueError, match="never seen 'dgo': did you mean"):
        encode("dgo :")


def together(prompt, names):
    return {token for token, _ in prompt if token in names}


def training_prompts(kind, count=400):
    mixture, made = PromptMixture(), []
    draw = prompts.random.Random(0)
    while len(made) < count:
        mixture.separator, mixture.end = ":", "\n"
        asked, example = getattr(mixture, kind)(draw)
        made.append((asked, [example() for _ in range(16)]))
    return made


@pytest.mark.parametrize("kind", ["map", "instructed"])
def test_held_out_kinds_and_labels_never_meet_in_training(kind):
    for _, examples in training_prompts(kind):
        kinds = {KIND_OF[word] for word, _, _ in examples}
        for one, other in itertools.combinations(kinds, 2):
            assert KIND_GROUP[one] != KIND_GROUP[other]
        for label in {label for _, label, _ in examples if label in LABEL_GROUP}:
            assert LABEL_GROUP[label] not in {KIND_GROUP[kind] for kind in kinds}


def test_the_other_prompts_are_true():
    for _, examples in training_prompts("kind", 50):
        assert all(KIND_OF[word] == answer for word, answer, _ in examples)
    for asked, examples in training_prompts("yes_no", 50):
        assert all((KIND_OF[word] == asked[2]) == (answer == "yes") for word, answer, _ in examples)
    for _, examples in training_prompts("copy", 50):
        assert all(word == answer for word, answer, _ in examples)


def test_an_instruction_says_what_the_examples_follow():
    for asked, examples in training_prompts("instructed", 100):
        said = " ".join(asked)
        for word, label, weight in examples:
            assert weight == 1 and any(
                wording.format(kind=KIND_OF[word], label=label) in said for wording in WORDINGS
            )


def test_noisy_answers_are_not_learned():
    """Where an answer may be wrong, its weight is 0; every wrong answer is one of those."""
    wrong = 0
    for _, examples in training_prompts("map", 300):
        rule = {}
        for word, label, weight in examples:
            if weight:
                assert rule.setdefault(KIND_OF[word], label) == label
        wrong += sum(
            weight == 0 and rule.get(KIND_OF[word], label) != label
            for word, label, weight in examples
        )
    assert wrong > 30


def test_unseen_wordings_are_not_seen():
    assert not set(WORDINGS) & set(UNSEEN_WORDINGS)
    assert all(
        token in ID
        for wording in WORDINGS + UNSEEN_WORDINGS
        for token in instruction([("fruit", "zug")], wording)
    )


def test_a_batch_is_repeatable_and_weighted():
    tokens, weights = PromptMixture(40).batch(16, seed="a")
    again, _ = PromptMixture(40).batch(16, seed="a")
    assert tokens.shape == weights.shape == (16, 40) and torch.equal(tokens, again)
    assert (
        torch.isin(weights, torch.tensor([0.0, prompts.OTHER, 1.0])).all() and (weights == 1).any()
    )
    assert sum(MIXTURE.values()) == pytest.approx(1)
    assert (tokens > 0).all() and any(TOKENS[i] in LETTERS for i in tokens[:, 0])
