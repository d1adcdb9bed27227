"""The one call and its report: the figures are those of `evaluate`, and what is written is safe."""

import html
import json
import re
from dataclasses import replace

import pytest
import torch
from test_own_data_14 import PIXELS, folder, stacks

from course_lib import __main__ as program
from course_lib.chapters import named_run
from course_lib.chapters.ch14 import study
from course_lib.chapters.ch14.methods import GROUPS, PICTURES, TABLES, MeanOfSupport, WaveFit
from course_lib.chapters.ch14.projects import HELP_DESK, made
from course_lib.chapters.ch14.report import as_html, as_markdown, plain, verdict, write_report
from course_lib.chapters.ch14.sources import of_stacks, own_data
from course_lib.chapters.ch14.table import Row, compare
from course_lib.episodes import Episode
from course_lib.learners import Nearest
from course_lib.training.evaluation import Score, evaluate


@pytest.fixture(scope="module")
def of_symbols():
    return compare(of_stacks(stacks(), ways=3), episodes=6)


def test_every_method_for_pictures_answers_the_same_episodes(of_symbols):
    assert [row.name for row in of_symbols.rows] == [method.name for method in PICTURES]
    assert {len(row.score) for row in of_symbols.rows} == {6}
    assert {row.method.group for row in of_symbols.rows} == set(GROUPS) - {"prompting"}
    assert all(row.seconds > 0 and row.bytes > 0 for row in of_symbols.rows)


def test_a_figure_is_that_of_evaluate_on_the_very_episodes():
    data = of_stacks(stacks(), ways=3)
    found = compare(data, only=PIXELS, episodes=60, shots=2, queries=3, seed=5)
    pieces = list(data.pieces(60, shots=2, queries=3, seed=5))
    assert [len(piece["usual"]) for piece in pieces] == [50, 10]
    by_hand = torch.cat([evaluate(Nearest(), piece["usual"]).per_episode for piece in pieces])
    assert found.rows[0].score.per_episode.equal(by_hand)
    assert found.rows[0].score.chance == pytest.approx(1 / 3)


def test_sentences_are_answered_by_all_but_a_real_model():
    found = compare(own_data(HELP_DESK), episodes=4)
    assert [row.name for row in found.rows] == [method.name for method in TABLES["sentences"]]
    assert not any(row.why for row in found.rows)
    with pytest.raises(ValueError, match="a language model reads sentences, not pictures"):
        compare(of_stacks(stacks()), model="somewhere")


def test_yardsticks_have_trained_nothing_and_maml_moves_all_of_its_numbers(of_symbols):
    rows = {row.name: row for row in of_symbols.rows}
    assert {row.before for row in of_symbols.rows if row.method.group == GROUPS[0]} == {0}
    assert rows["MAML, small"].moved == rows["MAML, small"].before == 6181
    assert rows["ANIL, small"].moved == 256 * 5 + 5 and rows["Prototypical"].moved == 0
    assert rows["pixels, linear classifier"].moved == 3 * (28 * 28 + 1)


def test_a_method_that_cannot_answer_says_why_in_its_row():
    names = ["pixels, nearest example", "MAML"]
    found = compare(of_stacks(stacks(7), ways=7), only=names, episodes=4)
    assert found.rows[1].score is None and "has 5 outputs" in found.rows[1].why
    assert "not possible: its network has 5 outputs" in str(found)
    assert found.best is found.yardstick is found.rows[0]


def test_wrong_settings_are_refused():
    data = of_stacks(stacks())
    for settings, says in (
        ({"episodes": 1}, "an interval needs at least 2"),
        ({"shots": 0}, "shots=0"),
        ({"shots": 6}, "needs 7"),
        ({"only": ["magic"]}, "there is no such method"),
    ):
        with pytest.raises(ValueError, match=says):
            compare(data, **settings)


def test_for_curves_less_is_better_and_the_physics_beats_the_mean():
    found = compare(own_data(made("sensors")), shots=5, episodes=60)
    means = [row.score.mean for row in found.answered]
    assert means == sorted(means) and found.best.name.startswith("least squares")
    x = torch.linspace(-3, 3, 6)[:, None]
    fit = WaveFit().predict(x, 0.5 + 2 * (x - 0.3).sin(), x)
    assert (fit - (0.5 + 2 * (x - 0.3).sin())).abs().max() < 0.05
    assert MeanOfSupport().predict(x, x + 1, x).mean() == pytest.approx(1.0, abs=1e-6)


def test_rates_and_steps_of_the_small_family_are_those_that_chapter_05_chose():
    chosen = named_run("outer_strokes").about()["chosen"]
    assert {name: tuple(chosen[name]) for name in study.CHOSEN} == study.CHOSEN


def test_a_kept_learner_of_the_small_family_scores_as_in_chapter_05():
    run = study.run_of("anil")
    (mean, half), = run.about()["figures"].values()
    per_task = named_run("outer_strokes").tensors()["anil/0"].double()
    assert abs(mean - per_task.mean()) < 0.002 and half < 0.03


# --- the report -----------------------------------------------------------------------------------

EVIL = '<script>alert("1")</script> | `x` [a](b) *'


@pytest.fixture(scope="module")
def evil():
    data = of_stacks({f"{EVIL}{i}": stack for i, stack in enumerate(stacks(3).values())}, 3, EVIL)
    found = compare(data, only=PIXELS, episodes=4)
    found.rows.append(Row(PICTURES[5], why=EVIL))
    return found


def test_names_are_escaped_in_both_reports(evil, tmp_path):
    files = write_report(evil, tmp_path / "out" / "report.html", decision=EVIL)
    assert [file.name for file in files] == ["report.html", "report.md", "report.png"]
    page, text = files[0].read_text("utf-8"), files[1].read_text("utf-8")
    assert "<script" not in page and html.escape(EVIL) in page
    assert "<script" not in text and plain(EVIL) in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1, "columns fit"


def test_the_report_has_intervals_chance_and_limits(of_symbols):
    class Shown:
        png, alt = b"", "a picture"

    page = as_html(of_symbols, "t", "", Shown)
    for said in ("95 % interval", "chance 0.333", "6 episodes", "good enough"):
        assert said in page and said in as_markdown(of_symbols, "t", "", Shown, "x.png")


def test_the_command_prints_the_table_and_writes_the_report(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = folder(tmp_path, classes=2, each=3)
    words = ["capstone", str(place), "--episodes", "4"]
    assert program.main([*words, "--out", "report"]) == 0
    printed = capsys.readouterr().out
    assert "pixels, nearest example" in printed and "wrote report.html" in printed
    assert (tmp_path / "report.md").is_file() and (tmp_path / "report.png").is_file()
    for wrong in (["--out", "mine/"], ["--ways", "9"], ["--shots", "9"]):
        assert program.main([*words, *wrong]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_task_of_curves_and_its_settings_are_plain_values():
    data = own_data(made("sensors"))
    assert json.dumps(data.family.settings())
    piece = next(data.pieces(3, shots=2, queries=4, seed=0))["usual"]
    assert isinstance(piece, Episode) and piece.ways is None and piece.query_x.shape == (3, 4, 1)


def test_a_table_in_which_nothing_was_learned_says_so(of_symbols):
    """The same rows with answers at chance; a row that learned takes the sentence away."""
    assert of_symbols.nothing_learned == ""
    guesses = torch.tensor([0.2, 0.5, 0.3, 0.4, 0.1, 0.5])
    at_chance = [
        replace(row, score=Score(guesses, "accuracy", 1 / 3)) for row in of_symbols.rows[:3]
    ]
    guessed = replace(of_symbols, rows=at_chance)
    assert "no row lies above chance" in str(guessed)
    assert any(said.startswith("No row lies above chance") for said in verdict(guessed))
    sure = replace(at_chance[0], score=Score(guesses + 0.5, "accuracy", 1 / 3))
    assert "chance:" not in replace(guessed, rows=[sure, *at_chance[1:]]).nothing_learned
