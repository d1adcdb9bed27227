"""The benchmark measures the same gradient four times, and the fast way is fast."""

import pytest
import torch
from toys import TIMED

from course_lib import __main__ as program
from course_lib.commands import benchmark, prompt_speed
from course_lib.commands.benchmark import BASELINE, gradients, images, peak_memory
from course_lib.language_models.opening import open_model


def test_vmap_gives_the_gradient_of_the_plain_loop_in_at_most_0_15_of_its_time():
    rows = {row.way: row for row in gradients(rounds=9)}
    assert rows.keys() == {BASELINE, "way='higher'", "way='autograd'", "way='vmap'"}
    assert all(row.difference < 1e-9 for row in rows.values())
    assert rows[BASELINE].ratio == 1
    assert rows["way='vmap'"].ratio <= 0.15


def test_a_wrong_gradient_would_be_seen(monkeypatch):
    first_order = lambda network, episode, steps: benchmark.plain_higher_loop(network, episode, 0)  # noqa: E731
    monkeypatch.setitem(benchmark.WAYS, "wrong", first_order)
    assert gradients(steps=1, tasks=2, rounds=1)[-1].difference > 0.001


def test_peak_memory_counts_what_is_held_at_once():
    def one_after_the_other():
        for _ in range(10):
            torch.ones(1000).sum()

    def all_together():
        return [torch.ones(1000) for _ in range(10)]

    before = torch.ones(1000)
    assert 4000 <= peak_memory(one_after_the_other) < 8200
    assert peak_memory(all_together) == 40_000
    assert peak_memory(lambda: before.view(10, 100).add_(1)) == 0


def test_the_door_is_measured():
    step, at_the_door = benchmark.door(rounds=3)
    assert 0 < at_the_door < step


@TIMED
def test_the_door_costs_less_than_2_percent_of_the_smallest_outer_step():
    shares = [door / step for step, door in (benchmark.door() for _ in range(3))]
    assert min(shares) < 0.02


def test_the_number_of_threads_is_put_back():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        gradients(steps=1, tasks=1, rounds=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_the_command_prints_one_row_a_way(capsys):
    assert (
        program.main(["benchmark", "gradients", "--steps", "2", "--tasks", "3", "--rounds", "2"])
        == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert "3 tasks, K=10, 2 inner steps" in lines[0]
    assert lines[1].split() == ["way", "ms", "ratio", "difference", "peak", "kB"]
    assert [line[:20].strip() for line in lines[2:6]] == list(benchmark.WAYS)
    assert all(len(line[20:].split()) == 4 for line in lines[2:6])


@pytest.mark.parametrize("option", ["steps", "tasks", "rounds"])
def test_counts_below_one_are_refused(option, capsys):
    assert program.main(["benchmark", "gradients", f"--{option}", "0"]) == 2
    assert capsys.readouterr().err.startswith(f"{option}=0: ")


def test_on_pictures_every_way_gives_the_gradient_of_the_plain_loop_and_the_fast_one_is_fast_and_small():  # noqa: E501
    rows = {row.way: row for row in images(tasks=2, channels=32, rounds=2, threads=1)}
    assert rows.keys() == {BASELINE, "way='higher'", "way='autograd'", "way='vmap'", "way='fast'"}
    assert all(row.difference < 1e-9 for row in rows.values())
    assert rows["way='fast'"].work < 0.85
    assert rows["way='fast'"].kilobytes < 0.95 * rows[BASELINE].kilobytes


def test_the_command_for_pictures_prints_one_row_a_way(capsys):
    assert (
        program.main(
            "benchmark images --steps 1 --tasks 1 --channels 4 --rounds 1 --threads 2".split()
        )
        == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[0].startswith("one meta-gradient, second order: Conv-4 with 4 channels, 1 tasks")
        and lines[1] == "1 inner steps, 2 threads"
    )
    assert lines[2].split() == ["way", "ms", "ratio", "work", "difference", "peak", "MB"]
    assert [line[:20].strip() for line in lines[3:8]] == list(benchmark.IMAGE_WAYS)
    assert all(len(line[20:].split()) == 5 for line in lines[3:8])


@pytest.mark.parametrize("option", ["steps", "tasks", "channels", "rounds", "threads"])
def test_counts_below_one_are_refused_for_pictures_too(option, capsys):
    assert program.main(["benchmark", "images", f"--{option}", "0"]) == 2
    assert capsys.readouterr().err.startswith(f"{option}=0: ")


@pytest.mark.slow
def test_the_compiled_way_gives_the_same_gradient_and_its_compilation_is_timed(capsys):
    words = "benchmark gradients --steps 1 --tasks 2 --rounds 2 --all".split()
    assert program.main(words) == 0
    *_, row, seconds, _, _ = capsys.readouterr().out.splitlines()
    assert row.startswith(benchmark.COMPILED) and row.split()[-1] == "-"
    assert float(row.split()[3]) < 1e-9
    assert seconds.startswith("  compiled in ")


@TIMED
def test_the_compiled_way_takes_at_most_0_05_of_the_plain_loop():
    rows = {row.way: row for row in gradients(rounds=9, everything=True)}
    assert rows[benchmark.COMPILED].difference < 1e-9
    assert rows[benchmark.COMPILED].ratio <= 0.05
    assert rows[benchmark.COMPILED].first > 10 * rows[benchmark.COMPILED].milliseconds


def test_torchopt_gives_the_same_gradient_where_it_is_installed(monkeypatch):
    pytest.importorskip("torchopt", reason="NOT COMPARED WITH TORCHOPT: it is not installed")
    monkeypatch.setattr(benchmark, "compiled", lambda: benchmark.library("vmap"))
    rows = {row.way: row for row in gradients(2, tasks=2, rounds=1, everything=True)}
    assert rows["TorchOpt"].difference < 1e-9


def test_reading_the_examples_once_gives_the_same_scores_in_less_time(capsys):
    model = open_model(device="cpu")
    learner, episode = prompt_speed.task_for(model, shots=8, queries=16)
    rows = prompt_speed.prompt_speed(model, learner, episode, rounds=3)
    assert [row.difference < 1e-4 for row in rows] == [True] * 3 and rows[0].ratio == 1
    assert rows[2].ratio < 0.5
    words = ["benchmark", "prompts", "--model", "tiny", "--rounds", "1"]
    assert program.main(words) == 0
    assert "8 examples, 16 queries, 2 labels" in capsys.readouterr().out


def test_a_wrong_score_would_be_seen(monkeypatch):
    model = open_model(device="cpu")
    learner, episode = prompt_speed.task_for(model, shots=4, queries=4)
    keep = type(model).remember
    monkeypatch.setattr(type(model), "remember", lambda self, ids: keep(self, ids[::-1]))
    assert prompt_speed.prompt_speed(model, learner, episode, rounds=1)[1].difference > 0.01
