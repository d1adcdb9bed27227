"""What chapter 11 says about the inside of a model that learns in context, each sentence as a
test."""

import random
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from course_lib.chapters.ch11 import phase
from course_lib.chapters.ch11.heads import accuracy_without_each, head_scores, votes, without_head
from course_lib.chapters.ch11.pairs import RULES, everyone, practised
from course_lib.chapters.ch11.regressions import (
    Descent,
    FirstExamples,
    best_descent,
    episodes,
    error_after,
    trained,
)
from course_lib.families import LinearRegressions
from course_lib.families.pretraining_prompts import MIXTURE, PromptMixture
from course_lib.families.prompt_worlds import Worlds
from course_lib.language_models.tiny_gpt import shipped_model
from course_lib.learners import linear_attention
from course_lib.learners.in_context import InContext
from course_lib.learners.least_squares import LeastSquares, Ridge
from course_lib.learners.look_up import LookUp
from course_lib.learners.token_prompts import as_prompts
from course_lib.training.evaluation import evaluate, paired

SEED = 31


@pytest.fixture(scope="module")
def model():
    return shipped_model()


def held_out(ways=2, tasks=300, shots=16, seed=SEED, kinds_per_label=1):
    family = Worlds(ways, kinds_per_label)
    return family.sample(tasks, shots=shots, queries=1, generator=family.generator(seed))


# --- training -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MIXTURE)
def test_there_is_a_prompt_of_each_sort_and_the_mixture_is_as_before(kind):
    prompt = PromptMixture().prompt(random.Random(0), kind)
    assert len(prompt) == 72 and sum(MIXTURE.values()) == pytest.approx(1)
    one, other = (PromptMixture().batch(4, "as before") for _ in range(2))
    assert torch.equal(one[0], other[0])


def test_reading_appears_within_200_steps_in_both_seeds_and_form_comes_first():
    looks, history = phase.stored()
    assert set(history) == {"0", "1"}
    for seed, rows in history.items():
        flat, done = phase.border(rows)
        assert flat >= 400 and done - flat <= 200
        step, mean = rows[:, 0], looks[f"{seed}/mean"]
        form = mean[:, :3].sum(1)  # for any label
        assert form[step == 300] > 0.9 and mean[step == 300, 0] < 0.6
        assert torch.equal(looks[f"{seed}/shown"].sum(-1).round(), torch.ones(len(step), 4))


def test_the_head_that_notes_words_is_there_before_reading_is():
    looks, history = phase.stored()
    for seed, rows in history.items():
        flat, _ = phase.border(rows)
        at = int((rows[:, 0] == flat).nonzero())
        assert looks[f"{seed}/notes"][at].max() > 0.5


# --- heads ----------------------------------------------------------------------------------------


def test_the_votes_of_head_3_4_are_the_answers_of_the_model_and_others_are_not(model):
    tasks = held_out(tasks=200)
    said = InContext(model, 8)(tasks).argmax(-1)
    agree = {(i, h): (votes(model, tasks, 8, i, h).argmax(-1) == said).float().mean()
             for i, h in ((2, 3), (1, 0), (2, 0))}  # fmt: skip
    assert agree[2, 3] > 0.98 and agree[1, 0] < 0.65 and agree[2, 0] < 0.65
    with pytest.raises(ValueError, match="has 16 examples"):
        votes(model, tasks, 17, 2, 3)


def test_the_nearest_example_in_the_frozen_embedding_is_as_good_as_reading(model):
    tasks = held_out()
    for k in (1, 2, 4, 8, 16):
        d = paired(
            evaluate(InContext(model, k), tasks),
            evaluate(LookUp(model.embedding.weight, shots=k), tasks),
        )
        assert abs(d.mean) < 0.02


def test_looking_up_is_misled_by_no_and_reading_it_is_learned_for_practised_kinds_alone():
    found = {rule: everyone(rule, practised(), count=100) for rule in RULES}
    for rule in ("not, practised kinds", "not, held-out kinds"):
        assert max(found[rule][who].mean for who in ("nearest example", "read, before")) < 0.2
    assert found["not, practised kinds"]["read, after"].mean > 0.85
    assert abs(found["not, held-out kinds"]["read, after"].mean - 0.5) < 0.15
    new = found["either-or, other kinds"]
    assert abs(new["nearest example"].mean - 0.5) < 0.15 and new["by likeness"].mean > 0.9


def test_a_few_heads_do_the_reading_and_the_others_can_go_without_a_trace(model):
    tasks = held_out(tasks=150, shots=8)
    whole = evaluate(InContext(model, 8), tasks)
    costs = {
        place: paired(whole, score).mean
        for place, score in accuracy_without_each(model, tasks, 8).items()
    }
    assert {place for place, cost in costs.items() if cost > 0.15} == {(0, 0), (1, 0), (2, 3)}
    assert all(
        cost < 0.03 for place, cost in costs.items() if place not in {(0, 0), (1, 0), (2, 3)}
    )


def test_one_head_notes_the_word_at_its_label_and_two_look_for_labels_like_the_querys_of_which_one_is_needed(  # noqa: E501
    model,
):
    looks = head_scores(model, held_out(tasks=100, shots=8), 8)
    assert looks["label to its word"][1, 0] > 0.9
    for head in (2, 3):
        assert looks["to labels like its own"][2, head] > 5 * looks["to other labels"][2, head]


def test_head_1_1_looks_almost_only_at_its_own_token(model):
    with torch.no_grad():
        looks = model.look(as_prompts(held_out(tasks=50, shots=8), 8)[:, 0])[1][0][
            :, 0
        ]  # (50, L, L)
    assert looks.diagonal(dim1=1, dim2=2).mean() > 0.8


def test_head_3_3_is_a_stand_in_for_3_4(model):
    tasks = held_out(tasks=200, shots=8)
    both = evaluate(InContext(without_head(without_head(model, 2, 3), 2, 2), 8), tasks)
    one = evaluate(InContext(without_head(model, 2, 3), 8), tasks)
    other = evaluate(InContext(without_head(model, 2, 2), 8), tasks)
    assert other.mean > 0.95 and paired(one, both).mean > 0.1 and abs(both.mean - 0.5) < 0.12


def test_at_four_examples_the_transformer_is_near_ridge_and_better_than_one_step_and_at_sixteen_least_squares_beats_it():  # noqa: E501
    reader, family = trained(), LinearRegressions()
    tasks = episodes(family, 400, seed=SEED)
    part = tasks.support_x[:, :4], tasks.support_y[:, :4], tasks.query_x
    step = min(
        F.mse_loss(linear_attention(*part, eta / 4), tasks.query_y)
        for eta in (0.1, 0.2, 0.3, 0.5, 0.7, 1)
    )
    in_context, ridge = (
        error_after(reader, tasks, 4).mean,
        error_after(Ridge(family.best_penalty), tasks, 4).mean,
    )
    assert (
        in_context - ridge < 0.06
        and step - in_context > 0.2
        and error_after(LeastSquares(), tasks, 4).mean > 2 * in_context
    )
    late = paired(error_after(reader, tasks, 16), error_after(LeastSquares(), tasks, 16))
    assert late.mean > late.half_width


def test_with_x_three_times_as_large_it_no_longer_follows_ridge():
    reader, family = trained(), LinearRegressions(scale=3.0)
    tasks = episodes(family, 300, seed=SEED)
    assert (
        error_after(reader, tasks, 8).mean
        > 5 * error_after(Ridge(family.best_penalty), tasks, 8).mean
    )
    assert FirstExamples(reader, 0)(tasks).shape == tasks.query_y.shape


def test_sixteen_steps_describe_the_transformer_about_as_well_as_ridge_and_one_or_four_do_not():
    reader, family = trained(), LinearRegressions()
    tasks = episodes(family, 400, seed=SEED)
    own = error_after(reader, tasks, 4).mean
    gap = {n: abs(error_after(best_descent(n, 4), tasks, 4).mean - own) for n in (1, 4, 16)}
    ridge = abs(error_after(Ridge(family.best_penalty), tasks, 4).mean - own)
    assert gap[16] < 0.06 and ridge < 0.06 < gap[4] < gap[1]


def test_descent_of_one_step_is_linear_attention():
    tasks = episodes(LinearRegressions(), 5, seed=SEED)
    x, y = tasks.support_x[:, :8], tasks.support_y[:, :8]
    answers = Descent(1, 0.4).predict(x, y, tasks.query_x)
    torch.testing.assert_close(answers, linear_attention(x, y, tasks.query_x, 0.4 / 8))


def test_on_spoiled_labels_the_votes_still_say_what_the_model_says_and_the_nearest_does_not(model):
    """Model, votes and look-up are all right on clean labels; here they can disagree."""
    clean = held_out(tasks=400)
    where = torch.rand(clean.support_y.shape, generator=torch.Generator().manual_seed(SEED)) < 0.25
    odd = replace(clean, support_y=torch.where(where, 1 - clean.support_y, clean.support_y))
    with torch.no_grad():
        said = InContext(model, 8)(odd).argmax(-1)
        voted = votes(model, odd, 8, 2, 3).argmax(-1)
        near = LookUp(model.embedding.weight, shots=8)(odd).argmax(-1)
        control = votes(model, odd, 8, 2, 0).argmax(-1)
    same = {
        name: (answers == said).float().mean().item()
        for name, answers in {"votes": voted, "near": near, "3.1": control}.items()
    }
    assert same["votes"] > 0.92 and same["near"] < 0.84 and same["3.1"] < 0.65
    assert (voted == odd.query_y).float().mean() > (near == odd.query_y).float().mean() + 0.03
