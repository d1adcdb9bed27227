"""The one call: every method of the course on the same episodes of one's own data.

    found = compare(own_data("my_pictures"))
    print(found)                            # the table
    found.best, found.rows[0].score
"""

import statistics
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from course_lib.chapters.ch14.methods import GROUPS, Method, methods_for, trained_before
from course_lib.chapters.ch14.sources import OwnData
from course_lib.episodes import Episode, at_least_one
from course_lib.learners.base import Learner
from course_lib.training.evaluation import Score, evaluate, paired
from course_lib.training.peak_memory import peak_memory

EPISODES, FEW, SEED = 200, 40, 14  # of fast and of slow methods; the seed of the tasks
WIDE = 96  # letters in a line of the table
TIMED = 5  # times that a task is answered for the clock


@dataclass(frozen=True)
class Row:
    """What was measured of one method.

    Args:
        score: None where it could not answer; ``why`` then says so.
        seconds: to adapt to one task and answer its queries, the median of a few tries.
        bytes: of tensors held at the worst moment of that.
        before: numbers trained before the task.   moved: numbers that change in it.
    """

    method: Method
    score: Score | None = None
    why: str = ""
    seconds: float = 0.0
    bytes: int = 0
    before: int = 0
    moved: int = 0

    @property
    def name(self) -> str:
        return self.method.name


@dataclass(frozen=True)
class Comparison:
    """The table and what it was made of. Rows are in the order of the methods."""

    data: OwnData
    rows: list[Row]
    shots: int
    queries: int
    episodes: int
    seed: int
    seconds: float
    notes: list[str] = field(default_factory=list)

    @property
    def answered(self) -> list[Row]:
        """The rows with a score, the best first: highest accuracy, or lowest error."""
        sign = -1 if self.data.kind == "curves" else 1
        rows = [row for row in self.rows if row.score is not None]
        return sorted(rows, key=lambda row: -sign * row.score.mean)

    @property
    def best(self) -> Row:
        return self.answered[0]

    @property
    def yardstick(self) -> Row:
        """The best of those that have learned nothing before."""
        return next(row for row in self.answered if row.method.group == GROUPS[0])

    def ahead(self, one: Row, other: Row) -> Score:
        """one minus other, on the episodes that both have met."""
        n = min(len(one.score), len(other.score))
        first, second = (
            Score(row.score.per_episode[:n], row.score.metric, row.score.chance)
            for row in (one, other)
        )
        return paired(first, second)

    def tied(self) -> list[Row]:
        """The rows that the best one is not clearly ahead of: the paired interval reaches 0."""
        best, found = self.best, []
        for row in self.answered[1:]:
            gap = self.ahead(best, row)
            if abs(gap.mean) <= gap.half_width:
                found.append(row)
        return found

    @property
    def nothing_learned(self) -> str:
        """A sentence where no row lies above chance with its whole interval; else nothing."""
        if self.data.ways is None or any(
            row.score.mean - row.score.half_width > 1 / self.data.ways for row in self.answered
        ):
            return ""
        return (
            "no row lies above chance: on these items the table shows no method that has learned "
            "anything; collect more of each label"
        )

    @property
    def setting(self) -> str:
        """One line: whose data, which tasks, how many, chance."""
        kind = "points shown" if self.data.kind == "curves" else "-shot"
        if self.data.ways is None:
            task = f"{self.shots} {kind}, {self.queries} asked; error as a share of the variance"
        else:
            chance = 1 / self.data.ways
            task = (
                f"{self.data.ways}-way {self.shots}{kind}, {self.queries} queries a class; "
                f"chance {chance:.3f}"
            )
        return f"{self.data.name}: {self.data.says}; {task}; {self.episodes} episodes"

    def __str__(self) -> str:
        title = "error" if self.data.kind == "curves" else "accuracy"
        lines = [
            *textwrap.wrap(self.setting, WIDE),
            f"{'':34}{title:>16}{'episodes':>9}{'ms a task':>10}{'MB':>8}"
            f"{'trained':>9}{'moved':>7}",
        ]
        group = None
        for row in self.rows:
            if row.method.group != group:
                group = row.method.group
                lines.append(group)
            lines.append(line_of(row))
        best, others = self.best, self.tied()
        told = f"best: {best.name}"
        if others:
            names = ", ".join(row.name for row in others)
            told += f"; not told apart from it, by paired intervals: {names}"
        notes = filter(None, (told, self.nothing_learned, *self.notes))
        rest = [row for note in notes for row in textwrap.wrap(note, WIDE)]
        return "\n".join([*lines, *rest])


def line_of(row: Row) -> str:
    """One row as text, at most 100 characters wide."""
    if row.score is None:
        return f"  {row.name:32} not possible: {textwrap.shorten(row.why, 50, placeholder=' ...')}"
    said = f"{row.score.mean:.3f} ± {row.score.half_width:.3f}"
    return (
        f"  {row.name:32}{said:>16}{len(row.score):>9}{1000 * row.seconds:>10.1f}"
        f"{row.bytes / 1e6:>8.2f}{short(row.before):>9}{short(row.moved):>7}"
    )


def short(count: int) -> str:
    """5, 6.2k, 134.5M."""
    if count >= 1e6:
        return f"{count / 1e6:.1f}M"
    return f"{count / 1e3:.1f}k" if count >= 1e4 else str(count)


def compare(
    data: OwnData,
    *,
    shots: int = 1,
    queries: int | None = None,
    episodes: int = EPISODES,
    seed: int = SEED,
    only: Sequence[str] | None = None,
    model: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> Comparison:
    """Every method of the course on the same episodes of this data.

    The tasks are drawn a few at a time, answered by all methods, and let go: memory does not grow
    with their number. Nothing is trained and no setting chosen here, so every task is a test task.

    Args:
        shots: examples of a class, or points of a curve, that are shown.
        queries: a class, or points, that are asked about; as many as the smallest class allows, up
            to 5 (20 points), unless told.
        episodes: how many tasks; slow methods meet the first 40 at most.
        seed: of the tasks.
        only: names of methods, instead of all.
        model: folder or hub name of a real language model, for sentences.
        progress: told now and then how far it is.

    Raises:
        ValueError: the data have too few items for these counts, there is no such method, or no
            method could answer.
    """
    at_least_one(shots=shots, episodes=episodes)
    if episodes < 2:
        raise ValueError(f"episodes={episodes}: an interval needs at least 2")
    queries = data.queries(shots) if queries is None else queries
    began = time.perf_counter()
    methods = chosen(methods_for(data, model), only)
    # data that cannot be used say so before anything is loaded; the clock runs on this task
    first = next(data.pieces(1, shots=shots, queries=queries, seed=seed))
    learners, why = ready(methods, data)
    found: dict[str, list[torch.Tensor]] = {name: [] for name in learners}
    lost, done = dict.fromkeys(learners, 0), 0
    slow = {method.name for method in methods if method.slow}
    for piece in data.pieces(episodes, shots=shots, queries=queries, seed=seed):
        for method in methods:
            name = method.name
            room = (FEW if name in slow else episodes) - done
            if name not in learners or room <= 0:
                continue
            tasks = piece[method.form][:room]
            try:
                score = evaluate(learners[name], tasks)
            except ValueError as error:  # the door's sentence: it goes into the table
                why[name] = str(error)
                del learners[name]
                continue
            found[name].append(score.per_episode)
            lost[name] += score.lost
        done += len(piece["usual"])
        if progress:
            progress(f"{done} of {episodes} episodes")
    rows = [
        Row(method, why=why[method.name])
        if method.name in why
        else measured(
            method, learners[method.name], data, first, torch.cat(found[method.name]),
            lost[method.name],
        )
        for method in methods
    ]  # fmt: skip
    if not any(row.score for row in rows):
        raise ValueError(f"no method could answer: {rows[0].name}: {rows[0].why}")
    seconds = time.perf_counter() - began
    return Comparison(data, rows, shots, queries, episodes, seed, seconds, notes(data, rows))


def chosen(methods: list[Method], only: Sequence[str] | None) -> list[Method]:
    """The methods of these names.

    Raises:
        ValueError: there is no such method.
    """
    if only is None:
        return methods
    known = [method.name for method in methods]
    if unknown := sorted(set(only) - set(known)):
        raise ValueError(f"only={unknown}: there is no such method; there are {', '.join(known)}")
    return [method for method in methods if method.name in only]


def ready(methods: list[Method], data: OwnData) -> tuple[dict[str, Learner], dict[str, str]]:
    """The learners of the methods that fit, by name, and for the others why they do not."""
    learners, why = {}, {}
    for method in methods:
        if reason := method.why_not(data):
            why[method.name] = reason
        else:
            learners[method.name] = method.make(data).to(data.family.device)
    return learners, why


def measured(
    method: Method,
    learner: Learner,
    data: OwnData,
    first: dict[str, Episode],
    per_episode: torch.Tensor,
    lost: int,
) -> Row:
    """The row of a method: its score, and what one task costs it."""
    ways, task = data.ways, first[method.form]
    metric, chance = ("MSE", None) if ways is None else ("accuracy", 1 / ways)
    learner.eval()
    with torch.no_grad():
        times = []
        for _ in range(1 if method.slow else TIMED):
            began = time.perf_counter()
            learner(task).sum().item()  # a GPU is waited for
            times.append(time.perf_counter() - began)
        held = peak_memory(lambda: learner(task))
    free = method.group == GROUPS[0]
    return Row(
        method,
        Score(per_episode, metric, chance, lost),
        seconds=statistics.median(times),
        bytes=held,
        before=0 if free else trained_before(learner),
        moved=method.moves(learner, ways),
    )


def notes(data: OwnData, rows: list[Row]) -> list[str]:
    """What the reader of the table must know."""
    found = []
    met = {len(row.score) for row in rows if row.score is not None}
    if len(met) > 1:
        found.append(f"slow methods met the first {min(met)} episodes")
    items = int(data.family.counts.sum())
    if data.kind != "curves" and items < 200:
        found.append(
            f"all episodes come from the same {items} items: the interval covers which were drawn, "
            "not which you collected"
        )
    return found
