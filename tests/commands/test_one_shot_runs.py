"""The official one-shot runs: read as they are published, and the script's own figure reproduced to
the last trial."""

import re

import numpy as np
import pytest
import torch
from pretend_omniglot import runs as pretend
from pretend_omniglot import zipped

from course_lib import ROOT
from course_lib.__main__ import main
from course_lib.chapters import named_run
from course_lib.commands import one_shot_runs as runs
from course_lib.families import Omniglot
from course_lib.families.picture_files import PictureError
from course_lib.learners import Learner
from course_lib.training.evaluation import evaluate, test_episodes


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    (folder / "all_runs.zip").write_bytes(zipped(pretend()))
    return folder


class Knows(Learner):
    """Answers right for the first ``right`` queries of a task, wrong for the rest."""

    def __init__(self, answers, right):
        super().__init__()
        self.answers, self.right, self.task = answers, right, 0

    def predict(self, support_x, support_y, query_x):
        answers = self.answers[self.task].clone()
        answers[self.right :] = (answers[self.right :] + 1) % 20
        self.task += 1
        return torch.nn.functional.one_hot(answers, 20).float()


def test_runs_are_one_episode(root):
    twenty = runs.official_runs(root)
    assert len(twenty) == 20 and all(
        sorted(run.answers.tolist()) == list(range(20)) for run in twenty
    )
    for size in (28, 105):
        one = runs.runs_episode(twenty, size)
        assert one.support_x.shape == one.query_x.shape == (
            20,
            20,
            1,
            size,
            size,
        ) and one.support_y.shape == one.query_y.shape == (20, 20)
        assert one.support_x.min() == 0 and one.support_x.max() == 1 and one.support_x.mean() < 0.3
    assert set(one.query_x.unique().tolist()) == {0, 1}
    with pytest.raises(ValueError, match="size=64: choose 28"):
        runs.runs_episode(twenty, 64)


def test_answers_follow_the_labels_and_not_the_order_of_files(root):
    for run in runs.official_runs(root):
        bars = run.training[:, 0, 60:86, 30:70].mean(
            -1
        )  # the lower bar of a pretended character says which it is
        shown = (bars > 0.9).float().argmax(1)
        assert torch.equal(
            (run.test[:, 0, 60:86, 30:70].mean(-1) > 0.9).float().argmax(1), shown[run.answers]
        )


def test_error_is_in_percent_with_both_intervals(root):
    answers = runs.runs_episode(runs.official_runs(root)).query_y
    score = runs.one_shot_error(Knows(answers, 15), root)
    assert (
        score.mean == pytest.approx(25)
        and len(score) == 20
        and score.half_width == pytest.approx(0, abs=1e-4)
        and score.chance == 95
    )
    trials = runs.over_trials(score)
    assert (
        trials.mean == pytest.approx(25)
        and len(trials) == 400
        and trials.half_width == pytest.approx(196 * (0.25 * 0.75 / 399) ** 0.5, rel=1e-4)
    )
    assert (
        runs.one_shot_error(Knows(answers, 20), root).mean == 0
        and runs.one_shot_error(Knows(answers, 0), root).mean == 100
    )


def test_the_table_takes_learners_of_yours(root):
    answers = runs.runs_episode(runs.official_runs(root)).query_y
    first = runs.table(root, {"knows half": Knows(answers, 10)}).splitlines()[1]
    assert first.split() == [
        "knows",
        "half",
        "50.0",
        "±",
        "0.0",
        "over",
        "20",
        "runs,",
        "±",
        "4.9",
        "over",
        "400",
        "trials",
    ]


def by_hand(one, other):
    """The distance with loops, in the order of the published script."""
    clouds = []
    for drawing in (one, other):
        points = np.argwhere(drawing.numpy() > 0.5).astype(float)
        clouds.append(points - points.mean(0))
    there = np.mean([min(np.hypot(*(a - b)) for b in clouds[1]) for a in clouds[0]])
    back = np.mean([min(np.hypot(*(a - b)) for a in clouds[0]) for b in clouds[1]])
    return max(there, back)


def test_modified_hausdorff_agrees_with_loops():
    random = torch.Generator().manual_seed(0)
    one, other = (torch.rand(3, 1, 9, 9, generator=random) < 0.3 for _ in range(2))
    distances = runs.modified_hausdorff(one.float(), other.float())
    assert distances.shape == (3, 3)
    for i in range(3):
        for j in range(3):
            assert distances[i, j].item() == pytest.approx(
                by_hand(one[i, 0].float(), other[j, 0].float()), abs=1e-4
            )
    moved = torch.zeros(1, 1, 20, 20)
    moved[0, :, 7:16, 5:14] = one[0]
    assert runs.modified_hausdorff(one[:1].double(), moved.double()).item() == pytest.approx(
        0, abs=1e-6
    )  # where a drawing stands does not matter
    with pytest.raises(ValueError, match="no ink"):
        runs.modified_hausdorff(one.float(), torch.zeros(1, 1, 9, 9))


def test_nearest_takes_the_best_example_of_each_class():
    logits = runs.nearest(torch.tensor([[3.0, 1.0, 2.0, 5.0]]), torch.tensor([0, 1, 0, 2]))
    assert logits.tolist() == [[-2, -1, -5]]


BAD = {
    "a lost drawing": (
        lambda c: {n: d for n, d in c.items() if n != "run07/test/item03.png"},
        "run07/test/item03.png is missing",
    ),
    "lost labels": (
        lambda c: {n: d for n, d in c.items() if n != "run07/class_labels.txt"},
        "run07/class_labels.txt should name 20 pairs",
    ),
    "foreign labels": (
        lambda c: c | {"run07/class_labels.txt": b"\xff\n" * 20},
        "run07/class_labels.txt should name 20 pairs",
    ),
    "a class twice": (
        lambda c: (
            c
            | {
                "run07/class_labels.txt": c["run07/class_labels.txt"].replace(
                    b"class01", b"class02"
                )
            }
        ),
        "run07 has 19 classes",
    ),
    "no picture": (
        lambda c: c | {"run07/test/item03.png": b"x"},
        "run07/test/item03.png is no PNG",
    ),
    "a way out": (lambda c: c | {"run07/../../x.png": b"x"}, "leads out of it"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_foreign_archive_gets_one_sentence(tmp_path, case):
    change, says = BAD[case]
    (tmp_path / "all_runs.zip").write_bytes(zipped(change(pretend())))
    with pytest.raises(PictureError, match=says):
        runs.official_runs(tmp_path)


def test_without_the_archive_the_message_says_what_to_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OMNIGLOT_ROOT", str(tmp_path))
    assert main(["runs"]) == 2
    assert (
        "no all_runs.zip here; run `python -m course_lib fetch omniglot`" in capsys.readouterr().err
    )


def test_an_unpacked_folder_serves_too(root, tmp_path):
    for name, data in pretend().items():
        (tmp_path / "all_runs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "all_runs" / name).write_bytes(data)
    for one, other in zip(runs.official_runs(root), runs.official_runs(tmp_path), strict=True):
        assert torch.equal(one.test, other.test) and torch.equal(one.answers, other.answers)


def test_the_command_reproduces_the_published_figure(omniglot_root, monkeypatch, capsys):
    """155 wrong of 400: exactly the 38.8 % that the script which comes with the runs announces."""
    scores = []
    original = runs.one_shot_error
    monkeypatch.setattr(
        runs,
        "one_shot_error",
        lambda *args, **kwargs: scores.append(original(*args, **kwargs)) or scores[-1],
    )
    monkeypatch.setenv("OMNIGLOT_ROOT", str(omniglot_root))
    assert main(["runs"]) == 0
    pixels, hausdorff = scores
    assert hausdorff.mean == 38.75 and runs.over_trials(hausdorff).per_episode.sum() == 15500
    assert (hausdorff.per_episode / 5).round().tolist() == [
        9,
        7,
        8,
        5,
        6,
        3,
        12,
        7,
        8,
        11,
        3,
        14,
        13,
        7,
        3,
        5,
        6,
        8,
        14,
        6,
    ]
    assert pixels.mean == pytest.approx(77.25, abs=1)
    printed = capsys.readouterr().out
    assert (
        "modified Hausdorff distance, 105 x 105    38.8 ± 7.6 over 20 runs, ± 4.8 over 400 trials"
        in printed
    )
    assert (
        "people                                     4.5   published" in printed
        and "chance 95.0" in printed
    )


def test_the_command_puts_trained_files_into_the_table(tmp_path, monkeypatch, capsys):
    (tmp_path / "all_runs.zip").write_bytes(zipped(pretend()))
    monkeypatch.setenv("OMNIGLOT_ROOT", str(tmp_path))
    file = tmp_path / "mine.safetensors"
    few = ["outer_steps=2", "episodes=2", "ways=3", "queries=2", "scripts=2", "channels=4"]
    words = ["strokes_prototypical_small", "--device", "cpu", "--out", str(file), "--set", *few]
    assert main(["train", *words]) == 0
    assert main(["runs", str(file)]) == 0
    assert any(
        line.startswith("mine  ") and "over 400 trials" in line
        for line in capsys.readouterr().out.splitlines()
    )
    assert (
        main(["runs", "sinusoids"]) == 2 and "no checkpoint at sinusoids" in capsys.readouterr().err
    )


def test_the_shipped_run_has_the_error_that_the_readme_prints(omniglot_root):
    learner = named_run("strokes_prototypical").load()
    error = runs.over_trials(runs.one_shot_error(learner, omniglot_root))
    readme = (ROOT / "README.md").read_text()
    printed = float(re.search(r"\*\*error\*\* \| ([\d.]+) ±", readme)[1])
    assert error.mean < 15 and error.mean == pytest.approx(
        printed, abs=0.6
    )  # two of 400 trials may fall otherwise elsewhere


@pytest.mark.parametrize("ways, least", [(5, 0.95), (20, 0.85)])
def test_from_generated_characters_only_real_ones_are_told_apart(omniglot_root, ways, least):
    learner = named_run("strokes_prototypical").load()
    family = Omniglot(ways=ways, part="all", root=omniglot_root)
    assert family.classes == 242
    score = evaluate(learner, test_episodes(family, 200, shots=1, queries=5, seed=1), batch=20)
    assert score.mean - score.half_width > least, str(score)
