"""Tuning methods: they start from the frozen model, leave it alone, train what they say, and learn
a task."""

import pytest
import torch

from course_lib.chapters.ch12.forgetting import forgetting
from course_lib.families.prompt_worlds import ID, Worlds
from course_lib.language_models.tiny_gpt import shipped_model
from course_lib.learners.tuning import Adapter, FineTune, InContextTuning, LoRA, SoftPrompt
from course_lib.training.evaluation import evaluate

METHODS = [SoftPrompt, LoRA, Adapter, FineTune]


@pytest.fixture(scope="module")
def model():
    return shipped_model()


def tasks(count=4, shots=12, seed=6, kinds_per_label=1):
    family = Worlds(2, kinds_per_label)
    return family.sample(count, shots=shots, queries=4, generator=family.generator(seed))


@pytest.mark.parametrize("method", METHODS)
def test_the_model_itself_never_changes(model, method):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    method(model, steps=3)(tasks(2))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("method", [LoRA, Adapter, FineTune])
def test_the_start_is_the_frozen_model(model, method):
    learner, tokens = (
        method(model),
        torch.randint(1, 400, (3, 9), generator=torch.Generator().manual_seed(0)),
    )
    parts = learner.start(torch.tensor([ID["zug"], ID["blip"]]), learner.drawing())
    with torch.no_grad():
        torch.testing.assert_close(
            learner.scores(parts, tokens), model(tokens), rtol=1e-5, atol=1e-5
        )


def test_the_numbers_trained_are_those_of_the_formulas(model):
    assert SoftPrompt(model, length=20).trainable() == 20 * 96
    assert LoRA(model, rank=4).trainable() == 3 * 2 * 2 * 4 * 96
    assert Adapter(model, size=8).trainable() == 3 * 2 * (2 * 8 * 96 + 8 + 96)
    everything = sum(p.numel() for p in model.parameters())
    assert (
        FineTune(model).trainable() == everything
        and FineTune(model, head="new").trainable(2) == everything + 2 * 97
    )


def test_lora_changes_only_queries_and_values(model):
    learner = LoRA(model, rank=2, steps=2)
    episode = tasks(1)
    parts = {
        name: part[0]
        for name, part in learner.adapt(
            episode.support_x, episode.support_y, episode.names["labels"]
        ).items()
    }
    merged = learner.merged(parts)
    assert sorted(merged) == sorted(
        f"blocks.{i}.attention.{name}.weight" for i in range(3) for name in "qv"
    )
    for name, weight in merged.items():
        assert torch.linalg.matrix_rank(weight.detach() - model.get_parameter(name)) <= 2


@pytest.mark.parametrize("method", METHODS)
def test_side_by_side_is_one_by_one(model, method):
    episode, learner = tasks(2, shots=4), method(model, steps=3)
    both = learner(episode)
    for i, (sx, sy, qx, _) in enumerate(episode):
        torch.testing.assert_close(
            learner.predict(sx, sy, qx, labels=episode.names["labels"][i].tolist()),
            both[i],
            rtol=1e-2,
            atol=1e-2,
        )


@pytest.mark.parametrize("method", METHODS)
def test_a_task_is_learned(model, method):
    """12 examples of two kinds, 4 tasks with 4 queries: a chance result would be near 0.5."""
    assert evaluate(method(model), tasks(6)).mean >= 0.75


def test_in_context_tuning_has_a_copy_and_gradients(model):
    learner = InContextTuning(model)
    learner.outer_loss(tasks(2)).backward()
    assert all(p.grad is None for p in model.parameters())
    assert learner.model.blocks[0].attention.q.weight.grad.abs().sum() > 0
    with torch.no_grad():
        assert evaluate(learner, tasks(30)).mean > 0.9


def test_forgetting_is_measured_against_the_untuned_model(model):
    episode = tasks(2)
    untuned = forgetting(model, episode, others=20)
    harsh = forgetting(FineTune(model, lr=0.03, steps=20), episode, others=20)
    assert untuned.mean > 0.9 > harsh.mean


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda m: SoftPrompt(m, length=0), "length=0"),
        (lambda m: LoRA(m, rank=0), "rank=0"),
        (lambda m: Adapter(m, size=-1), "size=-1"),
        (lambda m: FineTune(m, head="old"), "choose 'prompt' or 'new'"),
        (lambda m: LoRA(m, lr=0.0), "lr=0"),
        (lambda m: SoftPrompt(m, steps=0), "steps=0"),
    ],
)
def test_impossible_settings_are_refused(model, make, says):
    with pytest.raises(ValueError, match=says):
        make(model)
