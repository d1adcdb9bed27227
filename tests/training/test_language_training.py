"""The small language model: how it is trained, and what the shipped ones can do."""

import pytest
import torch

from course_lib.__main__ import main
from course_lib.chapters import named_run
from course_lib.families.pretraining_prompts import WORDINGS, PromptMixture, instructed
from course_lib.families.prompt_worlds import TOKENS, Worlds, covered
from course_lib.language_models.tiny_gpt import Size, TinyGPT, shipped_model
from course_lib.learners.in_context import InContext
from course_lib.networks import checkpoints
from course_lib.training import pretraining as language_training
from course_lib.training.evaluation import evaluate
from course_lib.training.pretraining import (
    PretrainingPlan,
    next_token_loss,
    optimizers,
    train_language_model,
)


def held_out(ways=2, tasks=400, seed=77, **options):
    family = Worlds(ways, **options)
    return family.sample(tasks, shots=16, queries=1, generator=family.generator(seed))


@pytest.fixture(scope="module")
def final():
    return shipped_model()


def test_the_loss_is_the_weighted_mean_of_each_tokens_surprise():
    model = TinyGPT(Size(words=len(TOKENS)), seed=0)
    tokens, weights = PromptMixture(12).batch(3, seed="x")
    total = norm = 0.0
    for row in range(3):
        for i in range(11):
            surprise = -model(tokens[row : row + 1, : i + 1])[0, -1].log_softmax(-1)[
                tokens[row, i + 1]
            ]
            total += surprise * weights[row, i + 1]
            norm += weights[row, i + 1]
    torch.testing.assert_close(next_token_loss(model, tokens, weights), total / norm)


def test_every_weight_has_one_optimiser():
    model = TinyGPT(Size(words=50), seed=0)
    held = [
        p
        for optimizer in optimizers(model)
        for group in optimizer.param_groups
        for p in group["params"]
    ]
    assert len(held) == len({id(p) for p in held}) == len(list(model.parameters()))
    assert all(p.ndim == 2 for p in optimizers(model)[0].param_groups[0]["params"])


def test_training_is_repeatable_and_lowers_the_loss():
    plan = PretrainingPlan(steps=12, batch=4, length=24, warm_up=4)
    one, _, history, _ = train_language_model(plan, watch=6, progress=False)
    same, _, again, _ = train_language_model(plan, watch=6, progress=False)
    assert history == again and all(
        torch.equal(p, q) for p, q in zip(one.parameters(), same.parameters(), strict=True)
    )
    assert [step for step, _, _ in history] == [6, 12] and history[1][1] < history[0][1]


def test_the_rate_warms_up_and_sinks():
    plan = PretrainingPlan()
    rates = [plan.rate_at(step) for step in range(plan.steps)]
    assert (
        rates[0] < plan.rate / 50
        and max(rates) <= plan.rate
        and rates[-1] == pytest.approx(0.05 * plan.rate, rel=0.01)
    )


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"batch": -1}, {"rate": 0.0}, {"rate": float("nan")}, {"length": 0}]
)
def test_impossible_plans_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PretrainingPlan(**wrong)


def test_two_labels_reach_their_ceiling(final):
    episode = held_out()
    curve = {k: evaluate(InContext(final, k), episode) for k in (0, 4, 8, 16)}
    assert abs(curve[0].mean - 0.5) < 0.08 and curve[8].mean >= 0.97 and curve[16].mean >= 0.98
    assert curve[4].mean == pytest.approx(covered(episode, 4).float().mean().item(), abs=0.06)


def test_four_labels(final):
    curve = {k: evaluate(InContext(final, k), held_out(4)) for k in (0, 8, 16)}
    assert abs(curve[0].mean - 0.25) < 0.08 and curve[8].mean >= 0.85 and curve[16].mean >= 0.95


@pytest.mark.parametrize("wording", WORDINGS)
def test_a_known_instruction_needs_no_examples(final, wording):
    assert evaluate(InContext(final, 0), instructed(held_out(), wording)).mean >= 0.98


def test_the_early_model_stands_in_the_middle(final):
    episode = held_out()
    early = evaluate(InContext(shipped_model("tiny_gpt_early"), 8), episode)
    assert 0.55 < early.mean < 0.9 < evaluate(InContext(final, 8), episode).mean


def test_the_history_shows_a_sudden_change():
    """Accuracy stays near chance for 500 steps and passes from below 0.6 to above 0.9 within
    100."""
    history = named_run("tiny_gpt").about()["history"]
    assert all(abs(accuracy - 0.5) < 0.1 for step, _, accuracy in history if step <= 500)
    low = max(step for step, _, accuracy in history if accuracy < 0.6)
    high = min(step for step, _, accuracy in history if accuracy > 0.9)
    assert 0 < high - low <= 100


@pytest.fixture
def quick(monkeypatch):
    """Training that takes any accuracy for the phase change, without a bar."""

    def train(plan, device):
        return train_language_model(plan, early=-1.0, progress=False, device=device)

    monkeypatch.setattr(language_training, "train_language_model", train)


@pytest.mark.parametrize("name", ["tiny_gpt", "tiny_gpt_early"])
def test_the_command_trains_writes_and_evaluates(name, quick, tmp_path, capsys):
    out = tmp_path / "mine.safetensors"
    few = ["--set", "steps=25", "episodes=20"]
    assert main(["train", name, *few, "--seed", "3", "--device", "cpu", "--out", str(out)]) == 0
    first, about = capsys.readouterr().out, checkpoints.read(out)[1]
    assert about["settings"]["seed"] == 3 and [row[0] for row in about["history"]] == [25]
    assert about["run"] == {"name": name, "set": {"steps": 25, "episodes": 20}, "seed": 3}
    words = f"train {name} --set steps=25 --set episodes=20 --seed 3"
    assert about["command"] == f"python -m course_lib {words}"
    assert isinstance(shipped_model("mine", tmp_path), TinyGPT)
    assert main(["evaluate", str(out), "--device", "cpu"]) == 0
    again = capsys.readouterr().out.splitlines()
    assert any("4 labels, 1 kinds each, 8 shots: accuracy" in line for line in again)
    assert all(line in first for line in again)


def test_an_early_model_that_never_came_is_said(tmp_path, capsys):
    words = ["train", "tiny_gpt_early", "--set", "steps=3", "--device", "cpu"]
    assert main([*words, "--out", str(tmp_path / "mine")]) == 2
    assert "accuracy with 8 examples never passed 0.75 in 3 steps" in capsys.readouterr().err
