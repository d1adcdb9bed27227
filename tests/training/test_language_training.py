"""The small language model: how it is trained, and what the shipped ones can do."""

import pytest
import torch
from course_lib.chapters.ch10.prompts import shots_curve

from course_lib.__main__ import main
from course_lib.families.pretraining_prompts import WORDINGS, PromptMixture
from course_lib.families.prompt_worlds import TOKENS, Worlds, covered
from course_lib.language_models.tiny_gpt import Size, TinyGPT
from course_lib.networks import checkpoints
from course_lib.training import pretraining as language_training
from course_lib.training.pretraining import (
    LanguagePlan,
    next_token_loss,
    optimizers,
    shipped_history,
    shipped_model,
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
    plan = LanguagePlan(steps=12, batch=4, length=24, warm_up=4)
    one, _, history, _ = train_language_model(plan, watch=6, progress=False)
    same, _, again, _ = train_language_model(plan, watch=6, progress=False)
    assert history == again and all(
        torch.equal(p, q) for p, q in zip(one.parameters(), same.parameters())
    )
    assert [step for step, _, _ in history] == [6, 12] and history[1][1] < history[0][1]


def test_the_rate_warms_up_and_sinks():
    plan = LanguagePlan()
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
        LanguagePlan(**wrong)


def test_two_labels_reach_their_ceiling(final):
    episode = held_out()
    curve = shots_curve(final, episode)
    assert abs(curve[0].mean - 0.5) < 0.08 and curve[8].mean >= 0.97 and curve[16].mean >= 0.98
    assert curve[4].mean == pytest.approx(covered(episode, 4).float().mean().item(), abs=0.06)


def test_four_labels(final):
    curve = shots_curve(final, held_out(4))
    assert abs(curve[0].mean - 0.25) < 0.08 and curve[8].mean >= 0.85 and curve[16].mean >= 0.95


@pytest.mark.parametrize("wording", WORDINGS)
def test_a_known_instruction_needs_no_examples(final, wording):
    assert shots_curve(final, held_out(), (0,), wording=wording)[0].mean >= 0.98


def test_the_early_model_stands_in_the_middle(final):
    episode = held_out()
    early = shots_curve(shipped_model("tiny_gpt_early"), episode, (8,))[8]
    assert 0.55 < early.mean < 0.9 < shots_curve(final, episode, (8,))[8].mean


def test_the_history_shows_a_sudden_change():
    """Accuracy stays near chance for 500 steps and passes from below 0.6 to above 0.9 within 100."""
    history = shipped_history()
    assert all(abs(accuracy - 0.5) < 0.1 for step, _, accuracy in history if step <= 500)
    low = max(step for step, _, accuracy in history if accuracy < 0.6)
    high = min(step for step, _, accuracy in history if accuracy > 0.9)
    assert 0 < high - low <= 100


def test_the_command_trains_writes_and_evaluates(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(language_training, "EARLY", -1.0)
    monkeypatch.setattr(
        language_training,
        "train_language_model",
        lambda plan, device: train_language_model(plan, early=-1.0, progress=False, device=device),
    )
    out = tmp_path / "mine.safetensors"
    assert (
        main(
            [
                "train",
                "--data",
                "worlds",
                "--outer-steps",
                "25",
                "--seed",
                "3",
                "--episodes",
                "20",
                "--device",
                "cpu",
                "--out",
                str(out),
            ]
        )
        == 0
    )
    about = checkpoints.read(out)[1]
    assert (
        about["settings"]["seed"] == 3
        and "--data worlds" in about["command"]
        and "--outer-steps 25" in about["command"]
    )
    assert [row[0] for row in shipped_history("mine", tmp_path)] == [25]
    assert isinstance(shipped_model("mine_early", tmp_path), TinyGPT)
    capsys.readouterr()
    assert main(["evaluate", str(out), "--data", "worlds", "--episodes", "20"]) == 0
    assert "4 labels, 1 kinds each, 8 shots: accuracy" in capsys.readouterr().out


def test_options_of_other_data_are_refused(capsys):
    for words in (["--ways", "5"], ["--shots", "1"], ["--alpha", "0.1"], ["--method", "maml"]):
        assert main(["train", "--data", "worlds", *words]) == 2
        assert words[0] in capsys.readouterr().err


def test_one_seed_does_not_overwrite_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan_seen = []

    def trained(plan, device):
        plan_seen.append(plan.seed)
        model = TinyGPT(
            Size(len(TOKENS), layers=1, width=8, heads=1, slopes=(0.0,)), seed=plan.seed
        )
        return model, {}, {"settings": {}, "size": model.settings(), "seconds": 0.0, "history": []}

    monkeypatch.setattr(language_training, "run", trained)
    monkeypatch.setattr(language_training, "report", lambda model, tasks: {})
    for seed in ("0", "1"):
        assert main(["train", "--data", "worlds", "--seed", seed, "--device", "cpu"]) == 0
    assert plan_seen == [0, 1] and {path.name for path in (tmp_path / "runs").glob("*")} == {
        "tiny_gpt.safetensors",
        "tiny_gpt_seed1.safetensors",
    }
