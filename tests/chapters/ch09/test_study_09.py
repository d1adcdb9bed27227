"""The shipped learners of short requests are those of the code and score as they did, above
chance."""

import pytest
import torch

from course_lib.chapters.ch09 import study as intent_line_up
from course_lib.chapters.ch09.study import (
    NAMES,
    RUN_OF,
    bag_of_words,
    episodes,
    prepare,
    trained,
    with_learned_vectors,
)
from course_lib.episodes import Episode
from course_lib.families.intents import PARTS
from course_lib.learners import BaselinePlusPlus
from course_lib.training.evaluation import evaluate
from course_lib.training.outer_loop import meta_train

each_learner = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def tasks():
    return episodes(5, count=60)


@each_learner
def test_training_sees_training_domains_only(name):
    _, family, plan = prepare(name)
    assert family.settings()["domains"] == list(PARTS["train"]) and not set(PARTS["train"]) & set(
        PARTS["test"]
    )
    assert plan.shots == 5 and plan.decay


@each_learner
def test_the_shipped_weights_score_as_they_did_and_above_chance(name, tasks):
    score = evaluate(trained(name), tasks, batch=20)
    mean, half_width = RUN_OF[name].about()["figures"]["5-way 5-shot"]
    assert abs(score.mean - mean) < score.half_width + half_width
    assert score.mean - score.half_width > 0.2


@each_learner
def test_with_shuffled_labels_it_is_at_chance(name, tasks):
    order = torch.randperm(25, generator=torch.Generator().manual_seed(1))
    nonsense = Episode(
        tasks.support_x,
        torch.arange(25).remainder(5)[order].expand(60, -1),
        tasks.query_x,
        tasks.query_y,
    )
    score = evaluate(trained(name), nonsense, batch=20)
    assert abs(score.mean - 0.2) < 3 * score.half_width


def test_the_fast_head_of_baselinepp_gives_the_answers_of_the_slow_one(tasks):
    wide, few = prepare("baselinepp")[0], tasks[:3]
    plain = BaselinePlusPlus(wide.encoder, wide.classes, wide.features, seed=0)
    for learner in (wide, plain):
        learner.eval()
    with torch.no_grad():
        torch.testing.assert_close(wide(few), plain(few), rtol=1e-3, atol=1e-4)


def test_learned_word_vectors_learn_the_training_domains_by_heart_and_not_the_others(tasks):
    learner, family, plan = with_learned_vectors()
    familiar = episodes(5, "train", 60)
    before = evaluate(learner, familiar), evaluate(learner, tasks)
    meta_train(learner, family, plan, progress=False)
    after = evaluate(learner, familiar), evaluate(learner, tasks)
    assert after[0].mean > before[0].mean + 0.3 and after[1].mean < before[1].mean


def test_the_bag_counts_in_training_domains_only():
    bag, testing = bag_of_words(), intent_line_up.Intents(part="test")
    word = testing.vocabulary.ids["luggage"]  # of travel
    assert bag.idf[word] == bag.idf.max()


def test_an_unknown_learner_is_refused_by_name():
    with pytest.raises(ValueError, match="'siamese': choose one of maml"):
        prepare("siamese")
