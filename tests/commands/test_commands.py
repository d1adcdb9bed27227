"""``python -m course_lib train`` and ``evaluate``: the whole way from the command line, and one sentence when it cannot work."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pretend_omniglot as pretend
import pytest

from course_lib import ROOT
from course_lib import __main__ as program
from course_lib.training import builders, checkpoints

TINY = [
    "--outer-steps",
    "12",
    "--tasks",
    "2",
    "--shots",
    "3",
    "--episodes",
    "20",
    "--device",
    "cpu",
]


def start(*words, cwd):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "course_lib", *map(str, words)]
    return subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_train_resume_and_evaluate_give_the_same_scores(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    process = start("train", *TINY, "--save-every", 5, cwd=tmp_path)
    first, errors = process.communicate()
    assert (
        process.returncode == 0
        and "meta-training: 12 of 12" in errors
        and "Traceback" not in errors
    )
    scores = [line for line in first.splitlines() if line.startswith("after")]
    assert [line.split(":")[0] for line in scores] == [
        f"after {k:2d} inner steps" for k in (0, 1, 5, 10)
    ]
    made = Path("runs/sinusoids_maml_3shot.safetensors")
    assert sorted(Path("runs").iterdir()) == [
        made,
        Path("runs/sinusoids_maml_3shot.safetensors.run"),
    ]

    assert program.main(["train", *TINY, "--save-every", "5"]) == 0
    again = capsys.readouterr().out
    assert "resumed at outer step 12" in again and all(line in again for line in scores)

    assert program.main(["evaluate", str(made), *TINY]) == 0
    evaluated = capsys.readouterr().out
    assert all(line in evaluated for line in scores) and "after  1 inner steps: MSE" in evaluated
    assert "trained otherwise" not in evaluated


def test_every_option_reaches_the_run_and_the_stored_command(tmp_path, capsys):
    wanted = {
        "method": "joint",
        "queries": 4,
        "alpha": 0.3,
        "beta": 0.02,
        "inner_steps": 2,
        "adapt": "head",
        "gradient": "autograd",
        "seed": 7,
        "test_seed": 8,
    }
    words = [
        word
        for name, value in wanted.items()
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    assert (
        program.main(["train", *TINY, *words, "--first-order", "--out", str(tmp_path / "made")])
        == 0
    )
    about = checkpoints.read(tmp_path / "made")[1]
    assert (
        f"{' '.join(words[:2])} " in about["command"]
        and "--first-order" in about["command"]
        and str(tmp_path) not in about["command"]
    )
    renamed = {"method": "learner"}
    untold = {"gradient", "test_seed"}  # they change no weight
    for name, value in wanted.items():
        assert f"--{name.replace('_', '-')} {value}" in about["command"]
        assert name in untold or about["settings"][renamed.get(name, name)] == value
    assert (
        about["settings"]["first_order"] is True
        and about["settings"]["tasks"] == 2
        and about["test_episodes"] == 20
    )


def test_evaluating_with_other_settings_says_so(tmp_path, capsys):
    file = str(tmp_path / "made")
    assert program.main(["train", *TINY, "--out", file]) == 0
    assert program.main(["evaluate", file, *TINY, "--alpha", "0.05"]) == 0
    assert (
        "note, it was trained otherwise: alpha is 0.05 here and 0.01 there"
        in capsys.readouterr().out
    )


@pytest.mark.skipif(
    os.name == "nt",
    reason="NOT TESTED ON WINDOWS: an interrupt cannot be sent to one process there",
)
def test_an_interrupted_training_says_how_to_go_on_and_does(tmp_path, capsys):
    many = [*TINY, "--outer-steps", "400", "--save-every", "10", "--out", str(tmp_path / "made")]
    process = start("train", *many, cwd=tmp_path)
    while not (tmp_path / "made.run").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    errors = process.communicate()[1]
    assert process.returncode == 130 and "Traceback" not in errors
    assert (
        "interrupted: the same command goes on from the last save, every 10 outer steps" in errors
    )
    step = checkpoints.read(tmp_path / "made.run")[1]["step"]
    assert 10 <= step < 400
    assert program.main(["train", *many]) == 0
    assert f"resumed at outer step {step}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, says",
    [
        (["train", "--outer-steps", "0"], "outer_steps=0: it must be a whole number of at least 1"),
        (["train", "--shots", "0"], "shots=0: a support set needs at least 1 example"),
        (["train", "--queries", "0"], "queries=0: a query set needs at least 1 example"),
        (["train", "--tasks", "-3"], "tasks=-3: an episode needs at least 1 task"),
        (
            ["train", "--alpha", "nan"],
            "alpha=nan: the inner learning rate must be a finite number of at least 0",
        ),
        (["train", "--alpha", "-1"], "alpha=-1.0"),
        (["train", "--alpha", "1e30"], "lower alpha or beta"),
        (
            ["train", "--beta", "0"],
            "beta=0.0: the outer learning rate must be a finite number above 0",
        ),
        (["train", "--inner-steps", "-1"], "steps=-1: use 0 for no adaptation"),
        (["train", "--save-every", "0"], "save_every=0"),
        (["train", "--episodes", "1"], "--episodes 1: an interval needs at least 2"),
        (
            ["train", "--device", "abacus"],
            "--device abacus: this machine has no such device, use cpu",
        ),
        (["train", "--out", "in_the_way/run"], "cannot write in_the_way/run.run: "),
        (["evaluate", "nothing"], "no checkpoint at nothing: train first, or check the path"),
        (["evaluate", "in_the_way"], "in_the_way is truncated or no checkpoint"),
    ],
)
def test_what_cannot_work_is_answered_in_one_sentence(words, says, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("in_the_way").write_text("a file, not a folder")
    command, *rest = words
    assert program.main([command, *TINY, *rest]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    sentence = captured.err.split("\r")[-1].strip().splitlines()[-1]
    assert says in sentence and "Traceback" not in captured.err


@pytest.mark.parametrize(
    "words",
    [
        ["--seed", "-1"],
        ["--seed", str(2**70)],
        ["--test-seed", "x"],
        ["--method", "magic"],
        ["--shots", "many"],
    ],
)
def test_words_that_are_no_value_are_refused_by_name(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        program.main(["train", *words])
    assert stopped.value.code == 2 and f"argument {words[0]}: " in capsys.readouterr().err


def test_a_process_with_a_bad_value_exits_with_2_and_no_traceback(tmp_path):
    process = start("train", *TINY, "--shots", 0, cwd=tmp_path)
    output, errors = process.communicate()
    assert (process.returncode, output) == (2, "")
    assert errors == "shots=0: a support set needs at least 1 example\n"


PICTURES = [
    "--data",
    "strokes",
    "--ways",
    "3",
    "--queries",
    "2",
    "--scripts",
    "2",
    "--channels",
    "8",
    "--outer-steps",
    "6",
    "--episodes",
    "20",
]


@pytest.mark.parametrize("method", [*builders.METRIC, "maml"])
def test_every_method_for_pictures_trains_resumes_and_is_scored(
    method, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    words = ["--method", method, *PICTURES]
    assert program.main(["train", *words, "--save-every", "2"]) == 0
    first = capsys.readouterr().out
    file = f"runs/strokes_{method}_3way_1shot.safetensors"
    assert f"wrote {file}" in first and "(20 episodes, chance 0.333)" in first
    assert program.main(["train", *words, "--save-every", "2"]) == 0
    assert "resumed at outer step 6" in capsys.readouterr().out
    assert (
        program.main(
            [
                "evaluate",
                file,
                "--data",
                "strokes",
                "--ways",
                "3",
                "--queries",
                "2",
                "--episodes",
                "20",
            ]
        )
        == 0
    )
    again = capsys.readouterr().out.splitlines()
    assert again and all(line in first for line in again)


def test_half_decay_and_a_start_reach_the_run(tmp_path, capsys):
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    assert (
        program.main(["train", *PICTURES, "--half", "--decay", "--within", "0.5", "--out", first])
        == 0
    )
    about = checkpoints.read(first)[1]
    assert (
        about["settings"]["half"] is True
        and about["settings"]["decay"] is True
        and about["settings"]["within"] == 0.5
    )
    assert program.main(["train", *PICTURES, "--start", first, "--out", second]) == 0
    assert checkpoints.read(second)[1]["settings"]["start"] != about["settings"]["start"]


def test_a_learner_without_a_head_is_tried_on_other_ways_and_maml_is_not(tmp_path, capsys):
    file = str(tmp_path / "made")
    assert program.main(["train", *PICTURES, "--out", file]) == 0
    assert (
        program.main(["evaluate", file, "--data", "strokes", "--ways", "7", "--episodes", "10"])
        == 0
    )
    assert "strokes, 7-way 1-shot: accuracy" in capsys.readouterr().out
    file = str(tmp_path / "other")
    assert program.main(["train", *PICTURES, "--method", "maml", "--out", file]) == 0
    assert (
        program.main(["evaluate", file, "--data", "strokes", "--ways", "7", "--episodes", "10"])
        == 2
    )
    assert "--ways 7: this learner has a head of 3 classes, use --ways 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, says",
    [
        (["train", "--ways", "5"], "--ways 5: sinusoids have none"),
        (
            ["train", "--method", "prototypical"],
            "--method prototypical does not go with --data sinusoids",
        ),
        (
            ["train", "--data", "strokes", "--method", "joint"],
            "--method joint does not go with --data strokes",
        ),
        (["train", *PICTURES, "--ways", "0"], "ways=0"),
        (["train", *PICTURES, "--channels", "0"], "channels=0"),
        (
            ["train", *PICTURES, "--within", "2"],
            "within=2.0: a share of tasks lies between 0 and 1",
        ),
        (["train", *PICTURES, "--start", "nothing"], "no checkpoint at nothing"),
    ],
)
def test_what_does_not_go_together_is_answered_in_one_sentence(words, says, capsys):
    assert program.main(words) == 2
    captured = capsys.readouterr()
    assert says in captured.err and captured.out == "" and "Traceback" not in captured.err


def test_train_and_evaluate_on_omniglot(tmp_path, monkeypatch, capsys):
    for part, seed in (("background", 0), ("evaluation", 1)):
        (tmp_path / f"images_{part}.zip").write_bytes(
            pretend.zipped(pretend.files(f"images_{part}", seed=seed))
        )
    monkeypatch.setenv("OMNIGLOT_ROOT", str(tmp_path))
    few = ["--data", "omniglot", "--ways", "3", "--queries", "1", "--episodes", "10"]
    file = str(tmp_path / "made")
    assert (
        program.main(
            ["train", *few, "--rotations", "--channels", "4", "--outer-steps", "3", "--out", file]
        )
        == 0
    )
    first = capsys.readouterr().out
    assert "omniglot, 3-way 1-shot: accuracy" in first and "(10 episodes, chance 0.333)" in first
    assert checkpoints.read(file)[1]["settings"]["rotations"] is True
    assert program.main(["evaluate", file, *few]) == 0
    assert capsys.readouterr().out.strip() in first
    assert program.main(["evaluate", file, *few, "--part", "all"]) == 0
    (tmp_path / "images_evaluation.zip").unlink()
    assert program.main(["evaluate", file, *few]) == 2
    assert "python -m course_lib fetch omniglot" in capsys.readouterr().err
