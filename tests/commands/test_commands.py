"""``python -m course_lib train``, ``evaluate`` and ``list``: the whole way from the command line,
and one sentence when it cannot work."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pretend_omniglot as pretend
import pytest
import torch

from course_lib import DATA, ROOT
from course_lib import __main__ as program
from course_lib.chapters import named_runs
from course_lib.networks import checkpoints

SINE, REQUESTS = "sinusoids_maml_5shot", "intents_maml"
FEW = ["outer_steps=12", "tasks=2", "episodes=20"]
TINY = ["--device", "cpu", "--set", *FEW]
PICTURES = ["outer_steps=6", "episodes=20", "ways=3", "queries=2", "scripts=2", "channels=8"]


def start(*words, cwd):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "course_lib", *map(str, words)]
    return subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


# --- train and evaluate ---------------------------------------------------------------------------


def test_train_resume_and_evaluate_give_the_same_scores(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    process = start("train", SINE, "--save-every", 5, *TINY, cwd=tmp_path)
    first, errors = process.communicate()
    assert process.returncode == 0 and "Traceback" not in errors
    assert "meta-training: 12 of 12" in errors
    scores = [line for line in first.splitlines() if line.startswith("after")]
    wanted = [f"after {k:2d} inner steps" for k in (0, 1, 5, 10)]
    assert [line.split(":")[0] for line in scores] == wanted
    made = Path(f"runs/{SINE}.safetensors")
    assert sorted(Path("runs").iterdir()) == [made, Path(f"{made}.run")]

    assert program.main(["train", SINE, "--save-every", "5", *TINY]) == 0
    again = capsys.readouterr().out
    assert "resumed at outer step 12" in again and all(line in again for line in scores)

    assert program.main(["evaluate", str(made), "--device", "cpu"]) == 0
    assert capsys.readouterr().out.splitlines() == scores


def test_settings_and_seed_reach_the_run_and_the_stored_command(tmp_path, capsys):
    wanted = {
        "alpha": 0.3, "beta": 0.02, "inner_steps": 2, "adapt": "head", "way": "autograd",
        "queries": 4,
        "first_order": True,
    }  # fmt: skip
    words = [f"{name}={value}" for name, value in wanted.items()]
    file = str(tmp_path / "made")
    given = ["--seed", "7", "--out", file, "--set", *words]
    assert program.main(["train", SINE, *TINY, *given]) == 0
    about = checkpoints.read(file)[1]
    untold = {"way"}  # it changes no weight
    for name, value in wanted.items():
        assert f"--set {name}={value}" in about["command"]
        assert name in untold or about["settings"][name] == value
    assert about["command"].startswith(f"python -m course_lib train {SINE} --set outer_steps=12 ")
    assert about["command"].endswith(" --seed 7") and str(tmp_path) not in about["command"]
    assert about["settings"]["seed"] == 7 and about["test_episodes"] == 20
    assert about["run"]["name"] == SINE and set(wanted) < set(about["run"]["set"])


def test_a_file_is_evaluated_with_other_settings_where_they_are_given(tmp_path, capsys):
    file = str(tmp_path / "made")
    assert program.main(["train", SINE, *TINY, "--out", file]) == 0
    own = capsys.readouterr().out
    assert program.main(["evaluate", file, "--device", "cpu", "--set", "alpha=0.05"]) == 0
    other = capsys.readouterr().out
    assert "after  0 inner steps" in other and other.splitlines()[0] in own  # before any step
    assert other.splitlines()[1] not in own


def test_one_seed_does_not_overwrite_another(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for seed in ("0", "1"):
        assert program.main(["train", SINE, *TINY, "--seed", seed]) == 0
    names = {path.name for path in Path("runs").glob("*.safetensors")}
    assert names == {f"{SINE}.safetensors", f"{SINE}_seed1.safetensors"}


@pytest.mark.skipif(
    os.name == "nt",
    reason="NOT TESTED ON WINDOWS: an interrupt cannot be sent to one process there",
)
def test_an_interrupted_training_says_how_to_go_on_and_does(tmp_path, capsys):
    file = str(tmp_path / "made")
    given = ["--save-every", "10", "--out", file, "--set", "outer_steps=400"]
    many = ["train", SINE, *TINY, *given]
    process = start(*many, cwd=tmp_path)
    while not (tmp_path / "made.run").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    errors = process.communicate()[1]
    assert process.returncode == 130 and "Traceback" not in errors
    assert "interrupted: the same command goes on from the last save" in errors
    step = checkpoints.read(tmp_path / "made.run")[1]["step"]
    assert 10 <= step < 400
    assert program.main(many) == 0
    assert f"resumed at outer step {step}" in capsys.readouterr().out


PICTURE_RUNS = [
    name for name, run in named_runs().items() if {"channels", "scripts"} <= run.usual.keys()
]


@pytest.mark.parametrize("name", PICTURE_RUNS)
def test_every_run_on_pictures_trains_resumes_and_is_scored(name, tmp_path, capsys):
    held_out = ["scripts=3", "held_out=1"] if named_runs()[name].usual["held_out"] else []
    few = ["--device", "cpu", "--set", *PICTURES, *held_out]
    words = ["train", name, "--save-every", "2", "--out", str(tmp_path / "made"), *few]
    if name.startswith("look_"):  # they are scored on the episodes of the chapter, 5-way
        words += ["ways=5"]
    assert program.main(words) == 0
    first = capsys.readouterr().out
    assert "(20 episodes, chance 0." in first
    assert program.main(words) == 0
    assert "resumed at outer step 6" in capsys.readouterr().out
    assert program.main(["evaluate", str(tmp_path / "made"), "--device", "cpu"]) == 0
    again = capsys.readouterr().out.splitlines()
    assert again and all(line in first for line in again)


@pytest.mark.parametrize(
    "name", ["intents_maml", "intents_prototypical", "intents_baselinepp", "regressions_in_context"]
)
def test_runs_on_requests_and_regressions_train_and_their_yardsticks_are_printed(
    name, tmp_path, capsys
):
    file = str(tmp_path / "made")
    few = ["--device", "cpu", "--set", "outer_steps=3", "episodes=20"]
    assert program.main(["train", name, "--out", file, *few]) == 0
    first = capsys.readouterr().out
    assert ("ridge" if name.startswith("regressions") else "5-shot, bag of words: ") in first
    assert program.main(["evaluate", file, "--device", "cpu"]) == 0
    again = capsys.readouterr().out.splitlines()
    assert again and all(line in first for line in again)


def test_a_learner_without_a_head_is_tried_on_other_ways_and_maml_is_not(tmp_path, capsys):
    few, file = ["--device", "cpu", "--set", *PICTURES], str(tmp_path / "made")
    assert program.main(["train", "strokes_prototypical_small", "--out", file, *few]) == 0
    assert program.main(["evaluate", file, "--device", "cpu", "--set", "ways=7"]) == 0
    assert "strokes, 7-way 1-shot: accuracy" in capsys.readouterr().out


def test_train_and_evaluate_on_omniglot(tmp_path, monkeypatch, capsys):
    for part, seed in (("background", 0), ("evaluation", 1)):
        files = pretend.files(f"images_{part}", seed=seed)
        (tmp_path / f"images_{part}.zip").write_bytes(pretend.zipped(files))
    monkeypatch.setenv("OMNIGLOT_ROOT", str(tmp_path))
    few = ["data=omniglot", "ways=3", "queries=1", "episodes=10", "channels=4", "outer_steps=3"]
    file, cpu = str(tmp_path / "made"), ["--device", "cpu", "--set"]
    words = ["train", "strokes_prototypical_small", "--out", file, *cpu, *few, "rotations=true"]
    assert program.main(words) == 0
    first = capsys.readouterr().out
    assert "omniglot, 3-way 1-shot: accuracy" in first and "(10 episodes, chance 0.333)" in first
    assert checkpoints.read(file)[1]["settings"]["rotations"] is True
    assert program.main(["evaluate", file, *cpu, "part=evaluation"]) == 0
    assert capsys.readouterr().out.strip() in first
    assert program.main(["evaluate", file, *cpu, "part=all"]) == 0
    (tmp_path / "images_evaluation.zip").unlink()
    assert program.main(["evaluate", file, *cpu, "part=evaluation"]) == 2
    assert "python -m course_lib fetch omniglot" in capsys.readouterr().err


# --- list -----------------------------------------------------------------------------------------


def test_list_names_every_file_that_ships_with_its_seconds_and_a_figure(capsys):
    assert program.main(["list"]) == 0
    printed = capsys.readouterr().out
    for path in DATA.glob("*.safetensors"):
        assert f"data/{path.name}" in printed
    assert "data/sinusoids_maml_10shot.safetensors, trained for 3 min 44 s, after 10" in printed
    assert "no file ships" not in printed and "--set" not in printed
    assert program.main(["list", "--settings"]) == 0
    assert "--set alpha=0.01 inner_steps=1" in capsys.readouterr().out


# --- one sentence ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words, says",
    [
        (["outer_steps=0"], "outer_steps=0: it must be a whole number of at least 1"),
        (["shots=0"], "shots=0: a support set needs at least 1 example"),
        (["queries=0"], "queries=0: a query set needs at least 1 example"),
        (["tasks=-3"], "tasks=-3: an episode needs at least 1 task"),
        (["alpha=nan"], "alpha=nan: the inner learning rate must be a finite number of at least 0"),
        (["alpha=-1"], "alpha=-1.0"),
        (["alpha=1e30"], "lower alpha or beta"),
        (["beta=0"], "beta=0.0: the outer learning rate must be a finite number above 0"),
        (["inner_steps=-1"], "steps=-1: use 0 for no adaptation"),
        (["ways=5"], f"{SINE} has no setting 'ways': it lets you set alpha, inner_steps"),
        (["alpha"], "--set alpha: write it as NAME=VALUE, such as alpha=0.1"),
        (["shots=many"], "--set shots=many: it needs a whole number, such as 5"),
        (["alpha=much"], "--set alpha=much: it needs a number, such as 0.01"),
        (["first_order=1"], "--set first_order=1: write True or False"),
    ],
)
def test_a_setting_that_cannot_work_is_answered_in_one_sentence(words, says, tmp_path, capsys):
    out = str(tmp_path / "made")
    assert program.main(["train", SINE, "--out", out, *TINY, *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    sentence = captured.err.split("\r")[-1].strip().splitlines()[-1]
    assert says in sentence and "Traceback" not in captured.err


@pytest.mark.parametrize(
    "words, says",
    [
        (["train", SINE, *TINY, "--save-every", "0"], "save_every=0"),
        (["train", SINE, "--device", "abacus"], "--device abacus: this machine has no such device"),
        (["train", SINE, *TINY, "--out", "in_the_way/run"], "cannot write in_the_way/run: "),
        (["train", SINE, *TINY, "--out", "new/"], "--out new/: it names a folder, choose a file"),
        (
            ["train", "look_maml_support", "--set", "half=true"],
            "half=True: MAML computes in float32 only; bfloat16 is for metric learners",
        ),
        (["train", "magic"], "there is no run 'magic': `python -m course_lib list` names them all"),
        (["train", "strokes_koch", "--set", "data=cats"], "data=cats: choose strokes or omniglot"),
        (["train", "look_relation", "--set", "within=2"], "within=2.0: a share of tasks lies"),
        (["evaluate", "nothing"], "no checkpoint at nothing: train first, or check the path"),
        (["evaluate", "in_the_way"], "in_the_way is truncated or no checkpoint"),
        (["evaluate", "foreign"], "foreign names no run that made it: choose a file of"),
        (
            ["evaluate", str(DATA / "look_scores.safetensors")],
            "holds scores, not a learner: `python -m course_lib train look_scores` measures",
        ),
    ],
)
def test_what_cannot_work_is_answered_in_one_sentence(words, says, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("in_the_way").write_text("a file, not a folder")
    checkpoints.write("foreign", {"a": torch.zeros(1)}, {})
    assert program.main(words) == 2
    captured = capsys.readouterr()
    sentence = captured.err.split("\r")[-1].strip().splitlines()[-1]
    assert says in sentence and captured.out == "" and "Traceback" not in captured.err


def test_a_file_of_another_run_or_of_other_sentences_is_refused(tmp_path, capsys):
    tensors, about = checkpoints.read(DATA / "intents_maml.safetensors")
    other = {"run": about["run"] | {"name": "intents_prototypical"}}
    checkpoints.write(tmp_path / "other", tensors, about | other)
    assert program.main(["evaluate", str(tmp_path / "other"), "--device", "cpu"]) == 2
    assert "does not fit this learner: it lacks" in capsys.readouterr().err
    fingerprint = {"settings": about["settings"] | {"fingerprint": "0"}}
    checkpoints.write(tmp_path / "older", tensors, about | fingerprint)
    assert program.main(["evaluate", str(tmp_path / "older"), "--device", "cpu"]) == 2
    assert "fingerprint is" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["-1", str(2**70), "x"])
def test_seeds_that_are_none_are_refused_by_name(word, capsys):
    with pytest.raises(SystemExit) as stopped:
        program.main(["train", SINE, "--seed", word])
    assert stopped.value.code == 2 and "argument --seed: " in capsys.readouterr().err


def test_a_process_with_a_bad_value_exits_with_2_and_no_traceback(tmp_path):
    process = start("train", SINE, *TINY, "shots=0", cwd=tmp_path)
    output, errors = process.communicate()
    assert (process.returncode, output) == (2, "")
    assert errors == "shots=0: a support set needs at least 1 example\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="NOT TRIED: no device that is full")
@pytest.mark.parametrize("full", ["stdout", "stderr", "both"])
def test_a_full_disk_behind_what_is_printed_does_not_cost_the_result(tmp_path, full):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "course_lib", "train", SINE, *TINY]
    with open("/dev/full", "w") as nowhere, open(tmp_path / "said", "w+") as said:
        places = {name: nowhere if full in (name, "both") else said for name in STREAMS}
        done = subprocess.run(command, cwd=tmp_path, env=environment, timeout=120, **places)
        said.seek(0)
        text = said.read()
    assert done.returncode == 0 and (tmp_path / f"runs/{SINE}.safetensors").is_file()
    assert "Traceback" not in text
    if full == "stdout":
        assert "what is printed is lost from here on (No space left on device)" in text


STREAMS = ("stdout", "stderr")
