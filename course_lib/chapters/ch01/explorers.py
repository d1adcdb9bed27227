"""Explorers of chapter 01: a box of tasks and the one curve that should fit them, and what K points
leave open."""

import math
from functools import lru_cache

import torch
from matplotlib.collections import LineCollection

from course_lib.classroom.explorer import Choice, Explorer, Points, Slider
from course_lib.classroom.figures import COLOURS, new_figure, picture
from course_lib.episodes import Episode
from course_lib.families import Sinusoids
from course_lib.families.sinusoids import sine

X = torch.linspace(-5, 5, 161)
MOST_TASKS, MOST_SHOTS, GUESSES = 100, 20, 100_000
KNOWLEDGE = (
    "one frequency",
    "any frequency",
)  # A sin(x - p), and A sin(w x - p) with w from 0.5 to 2.5


def floor_of(family: Sinusoids) -> tuple[float, float]:
    """MSE over the whole family: of always zero, and of the best single function. No sampling, only
    means."""
    (low, high), (first, last) = family.amplitude, family.phase
    x = torch.linspace(*family.x, 2001, dtype=torch.float64)
    x = (x[1:] + x[:-1]) / 2  # the middles of 2000 equal pieces
    # the mean over p of sin(x - p)^2 = (1 - cos(2x - 2p)) / 2
    cosines = (
        torch.cos(2 * (x - first))
        if first == last
        else (torch.sin(2 * (x - first)) - torch.sin(2 * (x - last))) / (2 * (last - first))
    )
    zero = (low**2 + low * high + high**2) / 3 * (1 - cosines).mean().item() / 2
    return zero, max(0.0, zero - family.best_single_function(x).square().mean().item())


def box_of_tasks(corners: tuple, tasks: int, shots: int) -> dict:
    """The first ``tasks`` of 100 tasks from the box between two corners (phase, amplitude), and
    what one curve can do for them."""
    (p0, a0), (p1, a1) = corners
    family = Sinusoids(amplitude=tuple(sorted((a0, a1))), phase=tuple(sorted((p0, p1))))
    episode = family.sample(
        MOST_TASKS, shots=MOST_SHOTS, queries=1, generator=family.generator(356)
    )
    amplitude, phase = episode.hidden["amplitude"][:tasks], episode.hidden["phase"][:tasks]
    curves = sine(X, amplitude[:, None], phase[:, None])
    return {
        "family": family,
        "amplitude": amplitude,
        "phase": phase,
        "curves": curves,
        "shots": shots,
        "support": (episode.support_x[0, :shots, 0], episode.support_y[0, :shots, 0]),
        "mse": curves.var(0, correction=0).mean().item(),
        "zero": curves.square().mean().item(),
    }


def draw_box(result: dict, axes: dict) -> None:
    curve, plane, family = axes["curve"], axes["map"], result["family"]
    curve.add_collection(
        LineCollection(
            [torch.stack([X, y], 1).numpy() for y in result["curves"]],
            colors=COLOURS["chance"],
            linewidths=0.8,
        )
    )
    curve.plot(X, result["curves"][0], color=COLOURS["truth"], lw=1.4, ls="--", label="one task")
    curve.plot(*result["support"], "o", ms=7, color=COLOURS["support"], label="its support set")
    curve.plot(X, result["curves"].mean(0), color=COLOURS["joint"], lw=3, label="best single curve")
    curve.set(
        xlim=(-5, 5),
        ylim=(-5.5, 8.5),
        yticks=(-5, 0, 5),
        xlabel="x",
        ylabel="y",
        title="Each task is a curve",
    )
    curve.legend(ncols=2, loc="upper left", fontsize=9)
    (low, high), (first, last) = family.amplitude, family.phase
    plane.fill([first, last, last, first], [low, low, high, high], fc="#EEEEEE", ec="#777777", lw=1)
    plane.plot(result["phase"], result["amplitude"], "o", ms=5, color=COLOURS["chance"])
    plane.plot(result["phase"][0], result["amplitude"][0], "o", ms=8, color=COLOURS["truth"])
    plane.plot([first, last], [low, high], "s", ms=9, color=COLOURS["theta"], mec="black")
    plane.set(
        xlim=(-0.3, 6.6),
        ylim=(-0.3, 5.4),
        xticks=[0, math.pi, 2 * math.pi],
        xticklabels=["0", "π", "2π"],
    )
    plane.set(
        xlabel="phase p (radians)",
        ylabel="amplitude A",
        title="Each task is a dot: drag a corner of the box",
    )


def task_map() -> Explorer:
    """A box of tasks: the curves, the dots, and the best single curve for all of them."""
    return Explorer(
        question="When can one curve serve every task?",
        compute=box_of_tasks,
        draw=draw_box,
        controls=[
            Slider("tasks", "tasks drawn", 1, MOST_TASKS, 1, value=5),
            Slider("shots", "shots K (support points)", 1, MOST_SHOTS, 1, value=5),
            Points(
                "corners",
                "corner of the box",
                value=((0.0, 0.1), (math.pi, 5.0)),
                axes="map",
                bounds=((0, 2 * math.pi), (0.1, 5)),
            ),
        ],
        number=lambda r: (
            f"Mean squared error on the drawn tasks ({len(r['phase'])}): best single curve "
            f"{r['mse']:.2f}, always zero {r['zero']:.2f}."
        ),
        alt=lambda r: (
            f"Left: {len(r['phase'])} sine waves, the best single curve for them, and "
            f"{r['shots']} support points of one. Right: the same tasks as dots in a box, phase "
            f"{r['family'].phase[0]:.2f} to {r['family'].phase[1]:.2f}, amplitude "
            f"{r['family'].amplitude[0]:.1f} to {r['family'].amplitude[1]:.1f}."
        ),
        size=(9.0, 3.4),
        mosaic=[["curve", "map"]],
    )


@lru_cache
def guesses(know: str) -> tuple:
    """100,000 tasks: amplitude, phase and frequency of each. The wide family holds the narrow one
    inside it."""
    wide = know == KNOWLEDGE[1]
    u = torch.rand(3, GUESSES, generator=torch.Generator().manual_seed(1))
    return (
        0.1 + 4.9 * u[0],
        math.pi * (1 + wide) * u[1],
        0.5 + 2 * u[2] if wide else torch.ones(GUESSES),
    )


@lru_cache
def ten_points() -> tuple:
    """Ten support points of the task to be found, A = 3 and p = 1."""
    x = torch.tensor([-3.2, 0.6, 3.4, -1.6, 4.6, 2.1, -4.7, -0.5, 1.4, -2.4])
    return x, sine(x, 3.0, 1.0)


@lru_cache
def worst_miss(know: str) -> torch.Tensor:
    """How far each guess is, at most, from the first 1, 2, ..., 10 points: (guesses, 10)."""
    (A, p, w), (x, y) = guesses(know), ten_points()
    return ((A * torch.sin(w * x[:, None] - p)).T - y).abs().cummax(1).values


def what_is_left(know: str, shots: int, tolerance: float, query_x: float) -> dict:
    """The guesses within ``tolerance`` of the first ``shots`` points, and what they say at
    ``query_x``."""
    A, p, w = guesses(know)
    kept = (
        torch.arange(GUESSES)
        if shots == 0
        else (worst_miss(know)[:, shots - 1] < tolerance).nonzero()[:, 0]
    )
    some, few = kept[:20_000], kept[:40, None]  # the guesses lie in random order
    says = A[some] * torch.sin(w[some] * query_x - p[some])
    return {
        "shots": shots,
        "kept": len(kept),
        "says": says,
        "query_x": query_x,
        "tolerance": tolerance,
        "curves": A[few] * torch.sin(w[few] * X - p[few]),
        "spread": says.std().item() if len(kept) > 9 else None,
    }


def left_open(know: str, episode: Episode, shots: int, tolerance: float = 0.3) -> float:
    """How far apart the tasks are that pass through the first ``shots`` support points: the
    variance of what they say, averaged over the query places and the tasks of ``episode``."""
    (A, p, w), left = guesses(know), []
    for support_x, support_y, query_x, _ in episode:
        # (shots, guesses): what each guess says there
        says = A * torch.sin(w * support_x[:shots] - p)
        # near enough at every support point; their places in the list, 4,000 at most
        kept = ((says - support_y[:shots]).abs() < tolerance).all(0).nonzero()[:4000, 0]
        says = A[kept] * torch.sin(w[kept] * query_x - p[kept])
        left.append(says.var(1, correction=0).mean().item() if len(kept) else 0.0)
    return sum(left) / len(left)


def draw_left(result: dict, axes: dict) -> None:
    curve, votes, (x, y) = axes["curve"], axes["votes"], ten_points()
    curve.add_collection(
        LineCollection(
            [torch.stack([X, c], 1).numpy() for c in result["curves"]],
            colors=COLOURS["chance"],
            linewidths=0.8,
        )
    )
    curve.plot(X, sine(X, 3.0, 1.0), color=COLOURS["truth"], lw=1.6, ls="--", label="the task")
    if result["shots"]:
        shown = slice(0, result["shots"])
        curve.vlines(
            x[shown],
            y[shown] - result["tolerance"],
            y[shown] + result["tolerance"],
            color=COLOURS["support"],
            lw=2,
        )
        curve.plot(x[shown], y[shown], "o", ms=7, color=COLOURS["support"], label="support set")
    curve.axvline(result["query_x"], color=COLOURS["query"], lw=1.5, label="query x")
    curve.set(
        xlim=(-5, 5),
        ylim=(-5.5, 8.5),
        yticks=(-5, 0, 5),
        xlabel="x",
        ylabel="y",
        title="Up to 40 of the tasks that are left",
    )
    curve.legend(ncols=2, loc="upper left", fontsize=9)
    counts = torch.histc(result["says"], bins=44, min=-5.5, max=5.5)
    votes.stairs(
        counts / max(1, counts.max()),
        torch.linspace(-5.5, 5.5, 45),
        orientation="horizontal",
        fill=True,
        color=COLOURS["query"],
    )
    votes.axhline(
        sine(torch.tensor(result["query_x"]), 3.0, 1.0), color=COLOURS["truth"], lw=1.6, ls="--"
    )
    votes.set(
        ylim=(-5.5, 8.5),
        yticks=(-5, 0, 5),
        xlim=(0, 1.1),
        xticks=(),
        xlabel="how many say so",
        title="What they say at x",
    )


def points_leave_open() -> Explorer:
    """Draw tasks, keep those that pass through the points: what is left is what the learner cannot
    know yet."""

    def number(r):
        share = f"{r['kept']:,} of {GUESSES:,} tasks pass."
        if r["spread"] is None:
            return f"{share} Too few to measure a spread: allow a larger tolerance."
        said = f"they say {r['says'].mean():.2f}, with a spread (SD) of {r['spread']:.2f}."
        return f"{share} At x = {r['query_x']:.1f} {said}".replace("-", "−")

    for know in KNOWLEDGE:
        worst_miss(know)  # a moment now, so that no slider waits for it
    return Explorer(
        question="What do K points leave open?",
        compute=what_is_left,
        draw=draw_left,
        controls=[
            Slider("shots", "shots K", 0, 10, 1, value=1, play=True),
            Choice("know", "you know", KNOWLEDGE, KNOWLEDGE[0]),
            Slider("query_x", "query x", -5.0, 5.0, 0.5, value=2.0),
            Slider("tolerance", "tolerance", 0.1, 1.0, 0.1, value=0.3),
        ],
        number=number,
        alt=lambda r: (
            f"Left: curves of the tasks that pass within {r['tolerance']:.1f} of {r['shots']} "
            f"support points, of which {r['kept']} are left. "
            f"Right: what they say at x = {r['query_x']:.1f}, as a histogram."
        ),
        size=(9.0, 3.4),
        mosaic=[["curve", "curve", "votes"]],
    )


def one_task_picture(episode, task: int = 0):
    """One task of an episode: its curve, its support set and its query set."""
    figure, axes = new_figure(7.5, 2.7)
    A, p = episode.hidden["amplitude"][task], episode.hidden["phase"][task]
    axes.plot(
        X,
        sine(X, A, p),
        color=COLOURS["truth"],
        lw=1.2,
        ls="--",
        label="the task: no learner sees it",
    )
    for part, marker in (("query", "."), ("support", "o")):
        axes.plot(
            getattr(episode, f"{part}_x")[task],
            getattr(episode, f"{part}_y")[task],
            marker,
            ms=9,
            color=COLOURS[part],
            label=f"{part} set",
        )
    axes.set(xlim=(-5, 5), xlabel="x", ylabel="y", ylim=(-1.15 * A, 1.75 * A))
    axes.legend(ncols=3, loc="upper left")
    shots, queries = episode.support_x.shape[1], episode.query_x.shape[1]
    return picture(
        figure,
        f"One sine wave with {shots} support points and {queries} query points at other places.",
    )


def class_numbers_picture(episode, names: list, items: list):
    """Two or more classification episodes side by side: each row is a class, with its name and the
    number it has here.

    Args:
        episode: items (T, S, readings) with class numbers (T, S).   names: for each task the class
            names in the order of their numbers.
        items: the positions of the readings.
    """
    way = len(names[0])
    figure, axes = new_figure(
        7.5, 2.3, [[f"{task}.{n}" for task in range(len(names)) for n in range(way)]]
    )
    for task, row in enumerate(names):
        for n, name in enumerate(row):
            plot = axes[f"{task}.{n}"]
            for part in ("support", "query"):
                x, y = getattr(episode, f"{part}_x")[task], getattr(episode, f"{part}_y")[task]
                for item in x[y == n]:
                    plot.plot(
                        items, item, "-" if part == "support" else "--", lw=1.4, color=COLOURS[part]
                    )
            plot.set(
                ylim=(-6, 6),
                xticks=[],
                yticks=[-5, 0, 5] if n == 0 else [],
                title=f"wave {name}\nnumber {n}",
            )
        axes[f"{task}.0"].set_xlabel(f"episode {task + 1}")
    return picture(
        figure,
        (
            f"{len(names)} episodes of {way} waves each; the same wave has another class number "
            "in each episode."
        ),
    )


EXPLORERS = (task_map, points_leave_open)
