"""Few-shot regression from your own curves: a file with a name, an x and a y in each line.

A task is one curve. A few of its points are the support set, others are asked about.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from course_lib import expanded
from course_lib.episodes import Episode, TaskFamily, at_least_one, room_for

FEWEST = 2  # points of a curve: one to learn from, one to ask about
FORM = "write the curve's name, a tab, x, a tab and y"


class CurveError(ValueError):
    """Curves that cannot be used as they are: the message names the file and the line, and what to
    do."""


class Curves(TaskFamily):
    """Tasks of one curve each, from measured points.

    y is shifted and scaled, once for all curves, to mean 0 and standard deviation 1. So an error of
    1 is what the mean of all points would leave.

    Args:
        curves: for each name its points (n, 2), x and y. n may differ.
        device: where episodes are made.

    Attributes:
        names: of the curves.   mean, scale: y of the file is mean + scale * y of a task.

    Raises:
        ValueError: there are fewer than 2 curves, or all y are the same.
    """

    def __init__(self, curves: Mapping[str, Tensor], device="cpu"):
        if len(curves) < 2:
            raise ValueError(f"{len(curves)} curves: give at least 2, each is a task")
        self.device, self.names = torch.device(device), list(curves)
        every = torch.cat([torch.as_tensor(points) for points in curves.values()])
        self.mean, self.scale = every[:, 1].mean().item(), every[:, 1].std().item()
        if not self.scale > 0:
            raise ValueError("all y are the same: there is nothing to predict")
        self.counts = torch.tensor([len(points) for points in curves.values()], device=self.device)
        self.starts = self.counts.cumsum(0) - self.counts
        self.x = every[:, :1].float().to(self.device)
        self.y = ((every[:, 1:] - self.mean) / self.scale).float().to(self.device)

    def sample(
        self, tasks: int, *, shots: int, queries: int, generator: torch.Generator | None = None
    ) -> Episode:
        """Draw curves, with replacement, and different points of each: x and y are (tasks, points,
        1). ``hidden["curve"]`` (tasks,) is the curve's number.

        Raises:
            ValueError: a count is below 1, or a curve has fewer than shots + queries points.
        """
        at_least_one(tasks=tasks, shots=shots, queries=queries)
        if small := (self.counts < shots + queries).nonzero().flatten().tolist():
            raise ValueError(
                f"shots={shots} and queries={queries}: {self.names[small[0]]} has "
                f"{self.counts[small[0]]} points and needs {shots + queries}; ask for fewer, add "
                "points or leave the curve out"
            )
        most = int(self.counts.max())
        room_for(tasks * most, tasks=tasks, shots=shots, queries=queries)
        given = {"generator": generator, "device": self.device}
        curve = torch.randint(len(self.names), (tasks,), **given)
        chance = torch.rand(tasks, most, **given)
        absent = torch.arange(most, device=self.device) >= self.counts[curve][:, None]
        places = chance.masked_fill(absent, -1).topk(shots + queries).indices
        rows = places + self.starts[curve][:, None]
        x, y = self.x[rows], self.y[rows]
        sets = x[:, :shots], y[:, :shots], x[:, shots:], y[:, shots:]
        return Episode(*sets, hidden={"curve": curve})

    def settings(self) -> dict:
        return {"family": "curves", "curves": len(self.names), "points": int(self.counts.sum())}


def own_curves(path, device="cpu") -> Curves:
    """Few-shot regression from a file with a name, a tab, x, a tab and y in each line.

    Raises:
        CurveError: the file cannot be read or used; the message names the line.
    """
    return Curves(read_curves(path), device)


def read_curves(path) -> dict[str, Tensor]:
    """The points of each curve, (n, 2) in double precision. Empty lines are left out.

    Raises:
        CurveError: no such file, not UTF-8, a line without two tabs or numbers, a point that is
            there twice, fewer than 2 curves, a curve of one point, or equal y everywhere.
    """
    path = expanded(path)
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CurveError(f"{path}: the file cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise CurveError(f"{path}: the file is not UTF-8 text; save it again as UTF-8") from error
    found: dict[str, list[tuple[float, float]]] = {}
    seen: dict[tuple, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        fields = [field.strip() for field in line.split("\t")]
        if len(fields) != 3 or not fields[0]:
            raise CurveError(f"{path}, line {number}: {FORM}")
        point = numbers(fields[1:])
        if point is None:
            other = " (the name may stand last: it goes first)" if numbers(fields[:2]) else ""
            raise CurveError(
                f"{path}, line {number}: {fields[1]!r} and {fields[2]!r} should be two finite "
                f"numbers{other}; {FORM}"
            )
        if (first := seen.setdefault((fields[0], *point), number)) != number:
            raise CurveError(
                f"{path}, line {number}: the point of line {first} once more; keep one, or a task "
                "could ask what it has shown"
            )
        found.setdefault(fields[0], []).append(point)
    if len(found) < 2:
        raise CurveError(f"{path}: curves in it: {len(found)}, and at least 2 are needed; {FORM}")
    for name, points in found.items():
        if len(points) < FEWEST:
            raise CurveError(
                f"{path}: the curve {name!r} has 1 point and needs at least {FEWEST}, one to learn "
                "from and one to ask about"
            )
    if len({y for points in found.values() for _, y in points}) < 2:
        raise CurveError(f"{path}: every y is the same, so there is nothing to predict")
    return {name: torch.tensor(points, dtype=torch.double) for name, points in found.items()}


def numbers(fields: list[str]) -> tuple[float, ...] | None:
    """The fields as finite numbers; None where one is none."""
    try:
        found = tuple(map(float, fields))
    except ValueError:
        return None
    return found if all(map(math.isfinite, found)) else None
