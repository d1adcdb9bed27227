"""``python -m course_lib train`` and ``evaluate`` with --data regressions and --data intents: the chapters' own settings, and others."""

import pytest
import torch

from course_lib import __main__ as program
from course_lib.chapters.ch09 import study as intent_line_up
from course_lib.chapters.ch10 import regressions as regressions_in_context
from course_lib.networks import checkpoints, prepared_runs, shipped
from course_lib.training.outer_loop import run_settings

FEW = ["--outer-steps", "3", "--episodes", "20", "--device", "cpu"]


@pytest.mark.parametrize(
    ("data", "method", "says"),
    [
        (
            "regressions",
            "in_context",
            ["as in training, 20 episodes: MSE", "x three times as large", "ridge", "in context"],
        ),
        (
            "intents",
            "prototypical",
            [
                "held-out domains, 5-way 1-shot, prototypical: accuracy",
                "5-shot, bag of words: accuracy",
                "(20 episodes, chance 0.2)",
            ],
        ),
        ("intents", "maml", ["5-way 5-shot, maml: accuracy"]),
        ("intents", "baselinepp", ["5-way 5-shot, baselinepp: accuracy"]),
    ],
)
def test_it_trains_resumes_and_is_scored_again(data, method, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["--data", data, "--method", method, *FEW]
    assert program.main(["train", *words, "--save-every", "2"]) == 0
    first, file = capsys.readouterr().out, f"runs/{data}_{method}.safetensors"
    assert f"wrote {file}" in first and all(sentence in first for sentence in says)
    assert program.main(["train", *words]) == 0
    assert "resumed at outer step 3" in capsys.readouterr().out
    assert (
        program.main(["evaluate", file, "--data", data, "--episodes", "20", "--device", "cpu"]) == 0
    )
    again = capsys.readouterr().out.splitlines()
    assert again and all(line in first for line in again)


def test_settings_are_the_chapters_and_spelled_out_in_the_stored_command(tmp_path, capsys):
    for data, method, (learner, family, plan) in (
        ("regressions", "in_context", regressions_in_context.prepare(3)),
        ("intents", "prototypical", intent_line_up.prepare("prototypical", 3)),
    ):
        file = str(tmp_path / data)
        assert (
            program.main(
                ["train", "--data", data, *FEW, "--beta", "0.002", "--seed", "3", "--out", file]
            )
            == 0
        )
        about = checkpoints.read(file)[1]
        assert about["settings"] == run_settings(learner, family, plan) | {
            "outer_steps": 3,
            "beta": 0.002,
        }
        wanted = {
            "data": data,
            "method": method,
            "tasks": plan.tasks,
            "shots": plan.shots,
            "queries": plan.queries,
            "beta": 0.002,
            "seed": 3,
        }
        assert (
            all(f"--{name} {value}" in about["command"] for name, value in wanted.items())
            and "--outer-steps 3" in about["command"]
        )
        assert about["test_episodes"] == 20


def test_unless_told_the_whole_plan_is_the_chapters(monkeypatch):
    from course_lib.commands.train import train as commands
    from course_lib.training import builders

    for data, (learner, family, plan) in (
        ("regressions", regressions_in_context.prepare()),
        ("intents", intent_line_up.prepare("prototypical")),
    ):
        made = commands.build(
            builders.filled(
                commands.training_parser().parse_args(["--data", data, "--device", "cpu"])
            )
        )
        assert run_settings(*made) == run_settings(learner, family, plan)


@pytest.mark.parametrize(
    "file", ["regressions_in_context", "intents_maml", "intents_prototypical", "intents_baselinepp"]
)
def test_the_files_that_ship_are_scored(file, capsys):
    data = file.split("_")[0]
    path = shipped.DATA / f"{file}.safetensors"
    assert (
        program.main(["evaluate", str(path), "--data", data, "--episodes", "20", "--device", "cpu"])
        == 0
    )
    printed = capsys.readouterr().out
    assert ("MSE" if data == "regressions" else file.split("_")[1] + ": accuracy") in printed


def test_another_test_seed_gives_other_episodes(capsys):
    path = str(shipped.DATA / "regressions_in_context.safetensors")
    printed = []
    for seed in ("12345", "1"):
        assert (
            program.main(
                [
                    "evaluate",
                    path,
                    "--data",
                    "regressions",
                    "--episodes",
                    "20",
                    "--device",
                    "cpu",
                    "--test-seed",
                    seed,
                ]
            )
            == 0
        )
        printed.append(capsys.readouterr().out)
    assert printed[0] != printed[1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["train", "--data", "intents", "--ways", "3"],
            "--ways 3: intents take none, leave it out",
        ),
        (
            ["train", "--data", "regressions", "--alpha", "0.1"],
            "--alpha 0.1: regressions take none, leave it out",
        ),
        (
            ["train", "--data", "intents", "--method", "joint"],
            "--method joint does not go with --data intents: choose one of prototypical, maml, baselinepp",
        ),
        (
            ["train", "--data", "regressions", "--method", "maml"],
            "--method maml does not go with --data regressions: choose one of in_context",
        ),
        (
            ["train", "--data", "regressions", "--half"],
            "--half does not go with --data regressions: leave it out",
        ),
        (
            ["train", "--data", "intents", "--first-order"],
            "--first-order does not go with --data intents",
        ),
        (
            ["train", "--data", "worlds", "--adapt", "head"],
            "--adapt does not go with --data worlds",
        ),
        (["train", "--data", "intents", "--shots", "0"], "shots=0"),
        (["train", "--data", "intents", "--shots", "18"], "shots=18 and queries=5"),
        (["train", "--data", "regressions", "--outer-steps", "0"], "outer_steps=0"),
        (
            ["train", "--data", "regressions", "--episodes", "1"],
            "--episodes 1: an interval needs at least 2",
        ),
        (
            ["train", "--data", "regressions", "--device", "abacus"],
            "--device abacus: this machine has no such device",
        ),
        (["train", "--data", "intents", "--beta", "-1"], "beta=-1.0"),
        (["evaluate", "nothing", "--data", "intents"], "no checkpoint at nothing"),
        (
            ["evaluate", str(shipped.DATA / "tiny_gpt.safetensors"), "--data", "intents"],
            "was not trained on intents: evaluate it with --data worlds",
        ),
        (
            ["evaluate", str(shipped.DATA / "intents_maml.safetensors"), "--data", "regressions"],
            "evaluate it with --data intents",
        ),
        (
            ["evaluate", str(shipped.DATA / "intents_maml.safetensors")],
            "was not trained on sinusoids: evaluate it with --data intents",
        ),
        (
            [
                "evaluate",
                str(shipped.DATA / "sinusoids_maml_5shot.safetensors"),
                "--data",
                "worlds",
            ],
            "evaluate it with --data sinusoids",
        ),
        (
            [
                "evaluate",
                str(shipped.DATA / "strokes_relation_small.safetensors"),
                "--data",
                "worlds",
            ],
            "choose another file, or --data strokes",
        ),
    ],
)
def test_what_cannot_work_is_answered_in_one_sentence(words, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert program.main(words) == 2
    captured = capsys.readouterr()
    assert says in captured.err and captured.out == "" and "Traceback" not in captured.err


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "intents_maml.safetensors"
    assert (
        program.main(
            [
                "train",
                "--data",
                "intents",
                "--method",
                "maml",
                "--seed",
                "5",
                *FEW,
                "--out",
                str(path),
            ]
        )
        == 0
    )
    return path


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"learner": "siamese"}, "holds none of prototypical, maml, baselinepp"),
        ({"fingerprint": "0"}, "was trained on other sentences than data/intents holds now"),
    ],
)
def test_a_file_of_another_learner_or_of_other_sentences_is_refused(
    change, says, made, tmp_path, capsys
):
    tensors, about = checkpoints.read(made)
    checkpoints.write(tmp_path / "other", tensors, about | {"settings": about["settings"] | change})
    assert (
        program.main(["evaluate", str(tmp_path / "other"), "--data", "intents", "--device", "cpu"])
        == 2
    )
    assert says in capsys.readouterr().err


def test_the_weights_are_those_of_the_file_and_it_names_the_method(made):
    options = program.parser(["evaluate"]).parse_args(
        ["evaluate", str(made), "--data", "intents", "--device", "cpu"]
    )
    learner, told = prepared_runs.loaded(made, options)
    tensors = checkpoints.weights(checkpoints.read(made)[0])
    assert told.method == "maml" and all(
        torch.equal(learner.state_dict()[name], tensor) for name, tensor in tensors.items()
    )
