"""Several processes train what one would train, and end together."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from in_processes import DIVISIBLE, REFUSED, gradient, started, together
from safetensors.torch import load_file
from toys import flat, relative

from course_lib import ROOT
from course_lib import __main__ as program
from course_lib.families import Sinusoids
from course_lib.learners import MAML
from course_lib.networks import checkpoints
from course_lib.networks.small import mlp
from course_lib.training import processes

NAME = "sinusoids_maml_5shot"
COMMAND = ("-m", "course_lib", "train", NAME, "--device", "cpu")


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[str, torch.Tensor]:
    """What two processes found together."""
    path = tmp_path_factory.mktemp("together") / "found.safetensors"
    for code, _, told in together(2, "tests/in_processes.py", str(path)):
        assert code == 0, told
    return load_file(path)


@pytest.mark.parametrize("name", DIVISIBLE)
def test_two_processes_give_the_gradient_of_one_on_the_same_tasks(name, found):
    make, tasks = DIVISIBLE[name]
    alone = {f"{name}.{i}": g for i, g in enumerate(gradient(make(), tasks())) if g is not None}
    assert alone.keys() == {key for key in found if key.startswith(f"{name}.")}
    assert all(wanted.dtype == torch.float64 for wanted in alone.values())
    losses = found[f"{name}.0"], alone[f"{name}.0"]
    assert relative(*losses) < 1e-9
    gradients = [flat(part[key] for key in alone if key != f"{name}.0") for part in (found, alone)]
    assert relative(*gradients) < 1e-9 and gradients[1].abs().max() > 1e-3


@pytest.mark.parametrize("name", REFUSED)
def test_what_pools_over_the_tasks_is_refused(name, found):
    told = bytes(found[f"refused {name}"].tolist()).decode()
    assert REFUSED[name][2] in told and told.endswith("train this learner in one process")
    assert told.count(". ") == 0


def sets(**changed) -> list[str]:
    small = {"outer_steps": 6, "tasks": 5, "episodes": 5} | changed
    return ["--set", *(f"{name}={value}" for name, value in small.items())]


def trained(path: Path) -> tuple[dict, dict]:
    return checkpoints.read(path.with_name(path.name + ".run"))


def same_run(one: Path, other: Path) -> bool:
    """Whether two runs went the same way, up to the rounding of float32."""
    (a, said), (b, also) = trained(one), trained(other)
    assert said["settings"] == also["settings"] and said["step"] == also["step"]
    assert a["random.tasks"].equal(b["random.tasks"])
    return all(torch.allclose(a[name], b[name], rtol=1e-3, atol=1e-5) for name in a)


def test_the_command_trains_the_same_with_two_processes_and_only_the_first_prints_and_writes(
    tmp_path,
):
    (tmp_path / "two").mkdir()
    alone, two = tmp_path / "alone.safetensors", tmp_path / "two" / "two.safetensors"
    assert program.main([*COMMAND[2:], "--out", str(alone), *sets()]) == 0
    first, second = together(2, *COMMAND, "--out", str(two), *sets())
    assert first[0] == 0 and "wrote" in first[1] and "6 of 6" in first[2], first
    assert second == (0, "", "")
    assert same_run(alone, two)
    names = {path.name for path in two.parent.iterdir()}
    assert names == {"two.safetensors", "two.safetensors.run"}


def test_a_run_goes_on_with_another_number_of_processes(tmp_path):
    """Three steps by one process, then the rest by two, against six steps at once. A run is asked
    for as many steps as it was begun with, so it is stopped on the way."""
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    assert program.main([*COMMAND[2:], "--out", str(whole), *sets(outer_steps=600)]) == 0
    words = [*COMMAND, "--out", str(parts), *sets(outer_steps=600), "--save-every", "1"]
    running = parts.with_name(parts.name + ".run")
    with started(1, *words) as (only,):
        patience = time.monotonic() + 60
        while not running.exists() and time.monotonic() < patience:
            time.sleep(0.01)
        only.kill()
    assert 0 < checkpoints.read(running)[1]["step"] < 600
    first, second = together(2, *words)
    assert "resumed at outer step" in first[1] and second == (0, "", ""), first
    (a, _), (b, _) = trained(whole), trained(parts)
    assert a["random.tasks"].equal(b["random.tasks"])
    torch.testing.assert_close(a["losses"], b["losses"], rtol=1e-2, atol=1e-3)


def without_bar(said: str) -> str:
    """What a process said on stderr, without the progress bar and what torch's own C++ logs."""
    said = re.sub(r"[\r\n]meta-training.{66}", "", said)
    return "".join(line for line in said.splitlines(True) if not line.startswith("[W"))


def left(running, seconds: float = 60) -> list[tuple[int, str]]:
    """Exit code and last words of processes that should end by themselves."""
    said = [one.communicate(timeout=seconds) for one in running]
    return [(one.returncode, told) for one, (_, told) in zip(running, said, strict=True)]


def under_way(path: Path) -> None:
    running, patience = path.with_name(path.name + ".run"), time.monotonic() + 60
    while not running.exists():
        assert time.monotonic() < patience, "the run has not begun"
        time.sleep(0.05)


@pytest.mark.parametrize("which", [0, 1])
def test_a_killed_process_ends_the_run_with_one_sentence(which, tmp_path):
    out = tmp_path / "out.safetensors"
    words = [*COMMAND, "--out", str(out), *sets(outer_steps=10**6), "--save-every", "5"]
    with started(2, *words) as running:
        under_way(out)
        running[which].kill()
        ((code, told),) = left([running[1 - which]])
    assert (code, without_bar(told)) == (2, processes.LOST + "\n")
    assert checkpoints.read(out.with_name(out.name + ".run"))[1]["step"] >= 5


def test_a_process_that_does_not_answer_ends_the_run_after_the_patience(tmp_path):
    out = tmp_path / "out.safetensors"
    words = [*COMMAND, "--out", str(out), *sets(outer_steps=10**6), "--save-every", "5"]
    with started(2, *words, "--patience", "4") as running:
        under_way(out)
        running[1].send_signal(signal.SIGSTOP)
        ((code, told),) = left(running[:1])
    assert (code, without_bar(told)) == (2, processes.LOST + "\n")


def test_a_process_that_never_comes_ends_the_run_after_the_patience():
    with started(1, *COMMAND, *sets(), "--patience", "3", WORLD_SIZE="2") as running:
        ((code, told),) = left(running)
    assert (code, without_bar(told)) == (2, processes.LOST + "\n")


def test_with_torchrun_a_killed_process_ends_the_run(tmp_path):
    """As a reader starts it. torchrun adds a report of its own."""
    out = tmp_path / "out.safetensors"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    words = [*torchrun, *COMMAND, "--out", str(out), *sets(outer_steps=10**6), "--save-every", "5"]
    with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True) as run:
        try:
            under_way(out)
            listing = subprocess.run(
                ["ps", "-o", "pid=", "--ppid", str(run.pid)], capture_output=True, text=True
            )
            workers = [int(pid) for pid in listing.stdout.split()]
            subprocess.run(["kill", "-9", str(workers[-1])], check=True)
            told = run.communicate(timeout=90)[1]
        finally:
            run.kill()
    assert run.returncode != 0 and told.count(processes.LOST) == 1


@pytest.mark.parametrize(
    "words, sentence",
    [
        ([*COMMAND, *sets(tasks=1)], "2 processes for tasks=1 in an outer step: each needs a task"),
        ([*COMMAND[:3], "nobody"], "nobody"),
        ([*COMMAND[:3], "tiny_gpt"], "tiny_gpt has no outer loop to divide: start it with"),
        ([*COMMAND[:4], "--device", "cuda:1"], "--device cuda:1: with several processes write"),
        ([*COMMAND[:4], *sets(), "--device", "cuda"], "this machine has 0 GPUs and each process"),
        ([*COMMAND, *sets(alpha=1e30, inner_steps=3)], "the outer loss is "),
    ],
)
def test_a_mistake_is_told_once(words, sentence, tmp_path):
    if "cuda" in words and torch.cuda.is_available():
        pytest.skip("NOT TRIED: this machine has a GPU")
    ends = together(2, *words, *(["--out", str(tmp_path / "out")] if "--set" in words else []))
    assert [code for code, _, _ in ends] == [2, 2]
    told = [words for _, _, said in ends if (words := without_bar(said))]
    assert len(told) == 1 and sentence in told[0] and told[0].count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon", "86401"])
def test_a_patience_that_is_none_is_refused(text, capsys):
    with pytest.raises(SystemExit):
        program.main(["train", NAME, "--patience", text])
    assert f"{text}: choose seconds above 0" in capsys.readouterr().err


@pytest.mark.parametrize("tasks", [1, 2, 7, 25])
@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shares_are_the_whole_and_differ_by_one_at_most(tasks, count, monkeypatch):
    monkeypatch.setattr(processes, "count", lambda: count)
    if 1 < count > tasks:
        with pytest.raises(ValueError, match=f"{count} processes for tasks={tasks} "):
            processes.share(tasks)
        return
    shares = []
    for rank in range(count):
        monkeypatch.setattr(processes.dist, "get_rank", lambda rank=rank: rank)
        shares.append(list(range(tasks))[processes.share(tasks)])
    assert sum(shares, []) == list(range(tasks))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_one_process_asks_nobody():
    learner, family = MAML(mlp(seed=0)), Sinusoids()
    loss = learner.outer_loss(family.sample(2, shots=2, queries=2))
    assert processes.average(learner, loss, 2, 2) is loss
    with processes.joined("cuda:3") as device:
        assert device == "cuda:3" and processes.count() == 1 and processes.first()
