"""Word lists say nothing by kind and ask for their own words; practice tasks obey the rules of the
training prompts."""

import pytest
import torch

from course_lib.families.lists_by_heart import Practice, WordLists
from course_lib.families.prompt_worlds import (
    ID,
    KIND_GROUP,
    KINDS,
    LABEL_GROUP,
    LABELS,
    WORDS,
    Worlds,
)

KIND_OF, LABEL_OF = list(KIND_GROUP.values()), list(LABEL_GROUP.values())


def sample(family, shots=16, queries=20, tasks=30, seed=0):
    return family.sample(tasks, shots=shots, queries=queries, generator=family.generator(seed))


def label_groups(episode):
    return [
        {LABEL_OF[label - ID[LABELS[0]]] for label in row}
        for row in episode.names["labels"].tolist()
    ]


def kind_groups(episode):
    return [[KIND_OF[kind] for kind in row] for row in episode.hidden["kinds"].tolist()]


@pytest.mark.parametrize("shots", [8, 16, 32, 48])
def test_in_a_list_no_word_comes_twice_and_the_kind_says_nothing_about_the_label(shots):
    episode = sample(WordLists(), shots)
    for words, y in zip(episode.support_x[..., 0], episode.support_y, strict=True):
        assert len(words.unique()) == shots
        kinds = (words - 1) // WORDS
        assert all(2 * y[kinds == kind].sum() == (kinds == kind).sum() for kind in kinds.unique())


@pytest.mark.parametrize("shots", [4, 16, 32])
def test_the_queries_are_words_of_the_list_with_their_own_labels(shots):
    for support_x, support_y, query_x, query_y in sample(WordLists(), shots):
        known = dict(zip(support_x[:, 0].tolist(), support_y.tolist(), strict=True))
        assert [known[word] for word in query_x[:, 0].tolist()] == query_y.tolist()
        counts = query_x[:, 0].unique(return_counts=True)[1]
        assert counts.max() - counts.min() <= 1


def test_lists_for_testing_are_of_one_group_and_those_for_practice_of_several():
    for kinds, labels in zip(
        kind_groups(sample(WordLists())), label_groups(sample(WordLists())), strict=True
    ):
        assert set(kinds) == labels and len(labels) == 1


@pytest.mark.parametrize("family", [WordLists(practice=True), Practice(2, 2), Practice(3, 1)])
def test_practice_obeys_the_rules_of_the_training_prompts(family):
    episode = sample(family)
    for kinds, labels in zip(kind_groups(episode), label_groups(episode), strict=True):
        assert len(set(kinds)) == len(kinds) and not labels & set(kinds)
    assert all(len(set(row)) == len(row) for row in episode.names["labels"].tolist())


def test_practice_is_otherwise_like_the_worlds():
    episode = sample(Practice(2, 2))
    assert (
        set(vars(sample(Worlds(2, 2)))) == set(vars(episode))
        and Practice(2, 2).settings() != Worlds(2, 2).settings()
    )
    kind = (episode.query_x[..., 0] - 1) // WORDS
    place = (episode.hidden["kinds"][:, None] == kind[..., None]).long().argmax(-1)
    assert torch.equal(place % 2, episode.query_y)


def test_a_list_longer_than_the_words_there_are_is_refused():
    with pytest.raises(ValueError, match="at most 48 words, 12 of each kind"):
        sample(WordLists(), shots=49)
    assert len(KINDS) * WORDS == 288
