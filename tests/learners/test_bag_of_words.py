"""Bag of words: a count by hand, no word order, no training, chance where labels say nothing."""

import math

import pytest
import torch

from course_lib.episodes import Episode
from course_lib.families import Intents
from course_lib.learners.bag_of_words import BagOfWords
from course_lib.training.evaluation import evaluate
from course_lib.training.evaluation import test_episodes as same_episodes

TRAINING = torch.tensor([[1, 2, 0], [1, 3, 3], [1, 0, 0]])


@pytest.fixture(scope="module")
def yardstick():
    training = Intents(part="train")
    return BagOfWords(training.rows, len(training.vocabulary))


@pytest.fixture(scope="module")
def tasks():
    return same_episodes(Intents(part="validation"), 60, shots=5, queries=5, seed=3)


def test_the_weights_are_those_counted_by_hand():
    bag = BagOfWords(TRAINING, 5)
    wanted = [
        math.log(4),
        0.0,
        math.log(4 / 2),
        math.log(4 / 2),
        math.log(4),
    ]  # 3 sentences; word 3 stands twice in one of them
    assert bag.idf.tolist() == pytest.approx(wanted) and not list(bag.parameters())


def test_a_sentence_is_its_weighted_counts_scaled_to_length_one():
    v = BagOfWords(TRAINING, 5).count(torch.tensor([2, 4, 4, 1, 0]))
    raw = torch.tensor([0.0, 0.0, math.log(2), 0.0, 2 * math.log(4)])
    torch.testing.assert_close(v, raw / raw.norm())


def test_word_order_and_padding_change_nothing(yardstick, tasks):
    shuffled = tasks.query_x[
        ..., torch.randperm(tasks.query_x.shape[-1], generator=torch.Generator().manual_seed(0))
    ]
    longer = torch.nn.functional.pad(shuffled, (0, 3))
    torch.testing.assert_close(yardstick.count(longer), yardstick.count(tasks.query_x))


def test_predict_is_forward_on_one_task(yardstick, tasks):
    support_x, support_y, query_x, _ = next(iter(tasks))
    torch.testing.assert_close(
        yardstick.predict(support_x, support_y, query_x), yardstick(tasks[:1])[0]
    )


def test_it_is_far_above_chance_and_at_chance_with_shuffled_labels(yardstick, tasks):
    assert evaluate(yardstick, tasks).mean > 0.4
    order = torch.randperm(25, generator=torch.Generator().manual_seed(1))
    nonsense = Episode(
        tasks.support_x,
        torch.arange(25).remainder(5)[order].expand(60, -1),
        tasks.query_x,
        tasks.query_y,
    )
    score = evaluate(yardstick, nonsense)
    assert abs(score.mean - 0.2) < 3 * score.half_width


def test_what_are_no_word_ids_is_refused(yardstick):
    with pytest.raises(ValueError, match="whole numbers"):
        yardstick.count(torch.rand(2, 3))
    with pytest.raises(ValueError, match="words=3, and an id is 3"):
        BagOfWords(TRAINING, 3)
    with pytest.raises(ValueError, match=r"give the ids of sentences, \(n, L\)"):
        BagOfWords(TRAINING[None], 5)
