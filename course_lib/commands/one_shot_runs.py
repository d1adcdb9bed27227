"""The 20 official one-shot runs of Omniglot: 20 characters of one alphabet, one example of each, 20
drawings to name.

`python -m course_lib runs` prints what is known about them. Within one alphabet characters look
alike, and it is the alphabets of the evaluation set: error here and accuracy on characters from
anywhere are two different tasks under one name.
"""

import argparse
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from course_lib.chapters import named_run
from course_lib.episodes import Episode
from course_lib.families.omniglot import (
    FETCH,
    SIZE,
    archive,
    decode,
    members,
    omniglot_root,
    shrink_ink,
)
from course_lib.families.picture_files import PictureError
from course_lib.learners.base import Learner
from course_lib.learners.nearest import Nearest, nearest
from course_lib.networks import checkpoints
from course_lib.training.evaluation import Score, evaluate

COUNT = 20  # runs; and the characters, and the test drawings of each
# error in percent (Lake et al. 2015, 2019; Koch et al. 2015; the script that comes with the runs)
PUBLISHED = {
    "people": 4.5,
    "Siamese network trained on Omniglot": 8.0,
    "modified Hausdorff distance": 38.8,
}


@dataclass(frozen=True)
class OneShotRun:
    """One run: training (20, 1, 105, 105), a drawing of each class; test (20, 1, 105, 105); answers
    (20,), the class of each test drawing.

    Ink is 1, paper 0.
    """

    training: Tensor
    test: Tensor
    answers: Tensor


def official_runs(root=None) -> list[OneShotRun]:
    """The 20 runs, from all_runs.zip or its unpacked folder.

    Args:
        root: the folder that holds it; the one named by OMNIGLOT_ROOT, or the course's cache,
            unless told.

    Raises:
        PictureError: it is not there, or damaged.
    """
    folder = omniglot_root(root)
    place = archive(folder, "all_runs")
    if place is None:
        raise PictureError(f"{folder}: there is no all_runs.zip here; {FETCH}")
    return read_runs(place, place.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def read_runs(place: Path, _changed: int) -> list[OneShotRun]:
    contents = {
        name[match.start() :]: data
        for name, data in members(place)
        if (match := re.search(r"run\d\d/", name))
    }

    def drawings(names: list[str]) -> Tensor:
        if missing := [name for name in names if name not in contents]:
            raise PictureError(f"{place}: {missing[0]} is missing; {FETCH}")
        return torch.stack([decode(contents[name], f"{place}: {name}") for name in names])

    runs = []
    for number in range(1, COUNT + 1):
        labels = contents.get(f"run{number:02}/class_labels.txt", b"").decode("ascii", "replace")
        pairs = [line.split() for line in labels.splitlines()]
        if len(pairs) != COUNT or any(len(pair) != 2 for pair in pairs):
            raise PictureError(
                f"{place}: run{number:02}/class_labels.txt should name {COUNT} pairs of files; "
                f"{FETCH}"
            )
        tests, classes = zip(*pairs, strict=True)
        training = sorted(set(classes))
        if len(training) != COUNT:
            raise PictureError(
                f"{place}: run{number:02} has {len(training)} classes and should have {COUNT}; "
                f"{FETCH}"
            )
        runs.append(
            OneShotRun(
                drawings(training),
                drawings(list(tests)),
                torch.tensor([training.index(name) for name in classes]),
            )
        )
    return runs


def runs_episode(runs: list[OneShotRun], size: int = SIZE, device="cpu") -> Episode:
    """The runs as one episode of 20 tasks, 20-way 1-shot with 20 queries, in the course's 28 x 28
    pixels or the published 105 x 105."""
    if size not in (SIZE, runs[0].test.shape[-1]):
        raise ValueError(
            f"size={size}: choose {SIZE}, as in the course, or {runs[0].test.shape[-1]}, as "
            "published"
        )
    change = shrink_ink if size == SIZE else lambda ink: ink
    training, test, answers = (
        torch.stack([getattr(run, part) for run in runs])
        for part in ("training", "test", "answers")
    )
    numbers = torch.arange(training.shape[1]).repeat(len(runs), 1)
    return Episode(change(training), numbers, change(test), answers).map(lambda t: t.to(device))


def one_shot_error(learner: Learner, root=None, size: int = SIZE) -> Score:
    """Error of a learner in each of the 20 runs, in percent: the interval is over the runs.
    `over_trials` has the narrower one.

    Raises:
        PictureError: the runs are not there, or damaged.
    """
    device = next((tensor.device for tensor in [*learner.parameters(), *learner.buffers()]), "cpu")
    right = evaluate(learner, runs_episode(official_runs(root), size, device))
    return Score(100 * (1 - right.per_episode), "error %", chance=100 * (1 - 1 / COUNT))


def over_trials(score: Score) -> Score:
    """The same error with each of the 400 trials by itself: the interval then takes the alphabets
    as given."""
    wrong = (score.per_episode * COUNT / 100).round().long()
    return Score(
        100.0 * (torch.arange(COUNT, device=wrong.device) < wrong[:, None]).flatten().float(),
        score.metric,
        score.chance,
    )


# ------------------------------------------------------------------ a learner that learns nothing


class NearestHausdorff(Learner):
    """The support drawing with the least modified Hausdorff distance, on 105 x 105 pixels."""

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor) -> Tensor:
        return nearest(modified_hausdorff(query_x, support_x), support_y)


def modified_hausdorff(one: Tensor, other: Tensor) -> Tensor:
    """Distances between drawings (n, 1, H, W) and (m, 1, H, W), in pixels: (n, m).

    For each inked pixel the distance to the other drawing's nearest one, after both drawings are
    centred on their mean; averaged, and of the two directions the larger (Dubuisson and Jain 1994,
    as in the script that comes with the runs).

    Raises:
        ValueError: a drawing has no ink.
    """
    # |a - b|^2 = (-2a, |a|^2, 1) . (b, 1, |b|^2): one product of matrices for all pairs of points
    # of two drawings
    left = [
        torch.cat([-2 * p, p.square().sum(1, keepdim=True), torch.ones_like(p[:, :1])], dim=1)
        for p in map(ink_points, one)
    ]
    right = [
        torch.cat([p, torch.ones_like(p[:, :1]), p.square().sum(1, keepdim=True)], dim=1)
        for p in map(ink_points, other)
    ]
    rows = []
    for a in left:
        squared = [a @ b.T for b in right]
        there = torch.stack([s.amin(1).clamp(min=0).sqrt().mean() for s in squared])
        back = torch.stack([s.amin(0).clamp(min=0).sqrt().mean() for s in squared])
        rows.append(torch.maximum(there, back))
    return torch.stack(rows)


def ink_points(drawing: Tensor) -> Tensor:
    """Row and column of the inked pixels of a drawing (1, H, W), centred on their mean: (points,
    2)."""
    points = (drawing[0] > 0.5).nonzero().to(drawing.dtype)
    if not len(points):
        raise ValueError("a drawing has no ink: leave it out")
    return points - points.mean(0)


# ------------------------------------------------------------------ command


def row(name: str, score: Score) -> str:
    """One learner's line in the table."""
    return (
        f"{name:<40} {score.mean:5.1f} ± {score.half_width:.1f} over 20 runs, ± "
        f"{over_trials(score).half_width:.1f} over 400 trials"
    )


def table(root=None, learners: dict[str, Learner] | None = None) -> str:
    """What is known without training, and the error of each of the named learners, as lines of
    text."""
    rows = {name: one_shot_error(learner, root) for name, learner in (learners or {}).items()} | {
        "raw 28 x 28 pixels, nearest example": one_shot_error(Nearest(), root),
        "modified Hausdorff distance, 105 x 105": one_shot_error(
            NearestHausdorff(), root, size=105
        ),
    }
    lines = [row(name, score) for name, score in rows.items()]
    lines += [f"{name:<40} {error:5.1f}   published" for name, error in PUBLISHED.items()]
    return "\n".join(["error in %, 20-way 1-shot within one alphabet; chance 95.0", *lines])


def add_parser(subparsers) -> None:
    parser = subparsers.add_parser("runs", help="the 20 official one-shot runs of Omniglot")
    parser.add_argument("files", nargs="*", help="trained files to put into the table")
    parser.set_defaults(run=main)


def main(options: argparse.Namespace) -> int:
    print(table(learners={Path(file).stem: learner_of(file) for file in options.files}))
    return 0


def learner_of(file: str) -> Learner:
    """The learner of a file of a training run; the file says which.

    Raises:
        ValueError: it names no run.
    """
    made = checkpoints.read(file)[1].get("run", {})
    return named_run(made.get("name")).load(Path(file))
