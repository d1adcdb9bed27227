"""The comparison of chapter 12: who is scored on what, and that the shipped numbers come from these
functions."""

import pytest
import torch

from course_lib.chapters.ch12 import line_up as tuning_line_up
from course_lib.chapters.ch12.forgetting import elsewhere, forgetting, of_group
from course_lib.chapters.ch12.line_up import (
    CHOICE_GROUPS,
    FAMILIES,
    GRID,
    METHODS,
    OTHER_SHOTS,
    OTHERS,
    QUERIES,
    SEEN,
    SHOTS,
    TASKS,
    TEST_GROUPS,
    made,
    points,
    practise,
    reads_more,
    stored,
    stored_score,
    tasks_of,
    tuned_scores,
)  # fmt: skip
from course_lib.language_models.tiny_gpt import shipped_model
from course_lib.learners.in_context import InContext
from course_lib.learners.token_prompts import as_prompts
from course_lib.learners.tuning import FineTune, InContextTuning, LoRA, SoftPrompt
from course_lib.learners.tuning.soft_prompt import behind
from course_lib.training.evaluation import evaluate
from course_lib.training.outer_loop import Plan


@pytest.fixture(scope="module")
def model():
    return shipped_model()


@pytest.mark.parametrize("family", FAMILIES)
def test_settings_are_chosen_on_other_groups_of_kinds_than_the_table_tests(family):
    assert not set(CHOICE_GROUPS) & set(TEST_GROUPS)
    assert set(of_group(tasks_of(family, 8)).tolist()) == set(TEST_GROUPS)
    assert set(of_group(tasks_of(family, 8, 20, CHOICE_GROUPS)).tolist()) == set(CHOICE_GROUPS)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shots", SHOTS)
def test_there_are_as_many_tasks_and_queries_as_the_table_says(family, shots):
    tasks = tasks_of(family, shots)
    assert tasks.query_y.shape == (TASKS, QUERIES) and tasks.support_y.shape == (TASKS, shots)


def test_other_tasks_have_nothing_of_the_tuned_one():
    tasks = tasks_of("kinds", 4, 5)
    for mine, other in zip(of_group(tasks), elsewhere(tasks, others=OTHERS), strict=True):
        assert len(other) == OTHERS and mine not in of_group(other)


def test_a_longer_context_changes_no_answer_and_lets_in_32_examples(model):
    tokens = torch.randint(1, 400, (2, 60), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(reads_more(model)(tokens), model(tokens))
    prompts = as_prompts(tasks_of("kinds", 32, 1), 32)
    assert prompts.shape[-1] == 130 > model.size.context
    with pytest.raises(ValueError, match="130 tokens and the model reads 128"):
        model(prompts[0, :1])


@pytest.mark.parametrize("length", [1, 5, 20])
def test_vectors_that_run_once_for_all_prompts_give_the_same_scores_and_gradients(model, length):
    g = torch.Generator().manual_seed(0)
    vectors, tokens = (
        torch.randn(length, 96, generator=g).requires_grad_(),
        torch.randint(1, 400, (7, 3), generator=g),
    )
    fast, slow = behind(model, vectors, tokens), model(tokens, soft_prompt=vectors)
    torch.testing.assert_close(fast, slow, rtol=1e-4, atol=1e-4)
    by_fast, by_slow = (
        torch.autograd.grad(scores.log_softmax(-1)[:, -1, 0].sum(), vectors)[0]
        for scores in (fast, slow)
    )
    torch.testing.assert_close(by_fast, by_slow, rtol=1e-3, atol=1e-4)


def test_counts_are_what_evaluate_and_forgetting_find(model):
    tasks = tasks_of("kinds", 8, 3)
    for learner in (
        SoftPrompt(model, 5, steps=5),
        LoRA(model, steps=5),
        FineTune(model, "new", steps=3),
    ):
        others = elsewhere(tasks, shots=OTHER_SHOTS, others=10, seed=1)
        score, there, seconds = tuned_scores(learner, tasks, others)
        torch.testing.assert_close(score.per_episode, evaluate(learner, tasks).per_episode)
        torch.testing.assert_close(
            there.per_episode,
            forgetting(learner, tasks, shots=OTHER_SHOTS, others=10, seed=1).per_episode,
            atol=0.11,
            rtol=0,
        )
        assert seconds > 0


def test_from_scratch_means_fresh_weights(model):
    scratch = made("scratch", model).model
    assert scratch.size == model.size and not torch.equal(
        scratch.embedding.weight, model.embedding.weight
    )


def test_in_context_tuning_leaves_its_start_alone_and_learns():
    start = shipped_model("tiny_gpt_early")
    before = {name: weight.clone() for name, weight in start.state_dict().items()}
    after, seconds = practise(
        start,
        tuning_line_up.Practice(2, 2),
        Plan(3, tasks=2, shots=4, queries=2, beta=1e-3),
        progress=False,
    )
    assert (
        all(torch.equal(before[name], weight) for name, weight in start.state_dict().items())
        and seconds > 0
    )
    assert not torch.equal(after.embedding.weight, start.embedding.weight)
    assert InContextTuning(start).trainable() == 0


# --- the files that ship --------------------------------------------------------------------------


def test_every_score_of_the_table_is_there():
    tensors, about = stored()
    for family in FAMILIES:
        for shots in SHOTS:
            for who in ("zero-shot", "prompt", *METHODS):
                key = f"{family}/{shots}/{who}"
                assert (
                    tensors[key].shape == tensors[f"{key}/others"].shape == (TASKS,)
                    and key in about["seconds"]
                ), key
    assert about["trainable"] == {name: made(name, shipped_model()).trainable() for name in METHODS}
    assert about["settings"] == {name: method.settings for name, method in METHODS.items()}


def test_the_stored_prompts_are_repeated_exactly(model):
    for family in FAMILIES:
        for shots in (4, 32):
            score = evaluate(InContext(reads_more(model)), tasks_of(family, shots))
            kept = stored_score(f"{family}/{shots}/prompt").per_episode
            torch.testing.assert_close(score.per_episode.double(), kept)


@pytest.mark.parametrize("who", ["lora", "soft 5", "full"])
def test_a_stored_row_is_repeated_on_its_first_tasks(model, who):
    again = evaluate(made(who, model), tasks_of("lists", 8)[:5]).per_episode
    torch.testing.assert_close(
        again, stored_score(f"lists/8/{who}").per_episode[:5].float(), atol=0.16, rtol=0
    )


def test_every_point_of_the_grid_is_there():
    tensors, about = stored("grid")
    assert len(points()) == sum(
        len(sizes) * len(rates) for _, _, sizes, rates in GRID.values()
    ) and about["seen"] == list(SEEN)
    for family in FAMILIES:
        for name, size, lr in points():
            assert (
                tensors[f"{family}/{name}/{size}/{lr}"].shape
                == tensors[f"{family}/{name}/{size}/{lr}/others"].shape
                == (len(SEEN), about["tasks"])
            )
