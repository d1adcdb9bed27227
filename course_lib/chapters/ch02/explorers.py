"""Explorers of chapter 02: gradient steps on a map of two parameters, and a network bent through
five points."""

import math
from functools import lru_cache
from itertools import pairwise

import torch
import torch.nn.functional as F

from course_lib.chapters import named_run
from course_lib.classroom.explorer import Choice, Explorer, Points, Slider
from course_lib.classroom.figures import COLOURS, new_figure, picture
from course_lib.families import Sinusoids
from course_lib.families.sinusoids import sine
from course_lib.learners import inner_loop
from course_lib.networks.small import SineModel, mlp

X = torch.linspace(-5, 5, 161)[:, None]
PHASES, AMPLITUDES = torch.linspace(-1, 5, 121), torch.linspace(-4, 6, 121)
STARTS = {
    "untrained": None,
    "joint training": "sinusoids_joint_10shot",
    "MAML": "sinusoids_maml_10shot",
}
WALK = 300  # inner steps of the long walk


@lru_cache
def one_task(shots: int):
    """The task of the map, A = 3 and p = 1, with its first ``shots`` support points and 200 query
    points."""
    family = Sinusoids(amplitude=(3, 3), phase=(1, 1))
    episode = family.sample(1, shots=20, queries=200, generator=family.generator(3))
    ((support_x, support_y, query_x, query_y),) = episode
    return support_x[:shots], support_y[:shots], query_x, query_y


@lru_cache
def support_loss_map(shots: int) -> torch.Tensor:
    """The support loss at every (amplitude, phase) of the map: (amplitudes, phases)."""
    support_x, support_y, _, _ = one_task(shots)
    predictions = sine(
        support_x[None, None, :, 0], AMPLITUDES[:, None, None], PHASES[None, :, None]
    )
    return (predictions - support_y[:, 0]).square().mean(-1)


def walk_on_map(start, steps: int, alpha: float, shots: int) -> dict:
    """``steps`` inner steps of a `SineModel` from start = (phase, amplitude), with the losses along
    the way."""
    support_x, support_y, query_x, query_y = one_task(shots)
    model = SineModel(amplitude=start[0][1], phase=start[0][0])
    path = inner_loop.written_out(
        model, F.mse_loss, support_x, support_y, alpha=alpha, steps=steps, first_order=True
    )
    with torch.no_grad():
        stations = [(phi["phase"].item(), phi["amplitude"].item()) for phi in path]
        losses = [
            F.mse_loss(inner_loop.predict_with(model, phi, support_x), support_y).item()
            for phi in path
        ]
        query = F.mse_loss(inner_loop.predict_with(model, path[-1], query_x), query_y).item()
    rises = sum(after > before + 1e-9 for before, after in pairwise(losses))
    return {
        "stations": stations,
        "losses": losses,
        "query": query,
        "rises": rises,
        "shots": shots,
        "steps": steps,
    }


def draw_walk(result: dict, axes: dict) -> None:
    support_x, support_y, _, _ = one_task(result["shots"])
    (p0, a0), (p, a) = result["stations"][0], result["stations"][-1]
    curve, plane = axes["curve"], axes["map"]
    curve.plot(X, sine(X, 3.0, 1.0), color=COLOURS["truth"], lw=1.2, ls="--", label="the task")
    curve.plot(X, sine(X, a0, p0), color=COLOURS["before"], label="start")
    curve.plot(X, sine(X, a, p), color=COLOURS["after"], label="after the steps")
    curve.plot(support_x, support_y, "o", ms=8, color=COLOURS["support"], label="support")
    curve.set(xlim=(-5, 5), ylim=(-6.5, 6.5), xlabel="x", ylabel="y", title="The curve")
    curve.legend(ncols=2, loc="upper left", fontsize=9)
    draw_map(plane, result["shots"])
    draw_path(plane, result["stations"], label="start: drag it")
    plane.legend(loc="lower left", fontsize=9, frameon=True)


def draw_map(plane, shots: int) -> None:
    """The support loss over phase and amplitude, with the task as a star."""
    levels = support_loss_map(shots)
    plane.imshow(
        levels.sqrt(),
        extent=(PHASES[0], PHASES[-1], AMPLITUDES[0], AMPLITUDES[-1]),
        origin="lower",
        aspect="auto",
        cmap="Greys",
        vmin=0,
        vmax=5,
        interpolation="bilinear",
    )
    plane.contour(
        PHASES[::3],
        AMPLITUDES[::3],
        levels[::3, ::3],
        levels=[0.1, 0.5, 1.5, 3, 6, 10],
        colors="#777777",
        linewidths=0.7,
    )
    plane.plot(1, 3, "*", ms=14, color=COLOURS["truth"], mec="white", label="the task")
    plane.plot(1 + math.pi, -3, "*", ms=13, mfc="none", mec=COLOURS["truth"], label="the same wave")
    plane.set(
        xlim=(-1, 5),
        ylim=(-4, 6),
        xlabel="phase p (radians)",
        ylabel="amplitude A",
        title="The support loss, dark is high",
    )
    plane.grid(False)


def draw_path(plane, stations: list, label: str) -> None:
    """A walk over the map: a large dot where it starts, small ones where each step lands."""
    plane.plot(*zip(*stations, strict=True), "-o", ms=4, lw=1.4, color=COLOURS["after"])
    plane.plot(*stations[0], "o", ms=12, color=COLOURS["theta"], mec="black", label=label)


def map_picture(starts: list, alpha: float, steps: int):
    """The map of five shots with one walk for each start (amplitude, phase)."""
    figure, plane = new_figure(7, 3.6)
    draw_map(plane, 5)
    for number, start in enumerate((tuple(reversed(pair)) for pair in starts), 1):
        walk = walk_on_map((start,), steps, alpha, 5)
        draw_path(plane, walk["stations"], label="starts" if number == 1 else None)
        plane.annotate(
            str(number), start, textcoords="offset points", xytext=(9, 5), fontweight="bold"
        )
    plane.legend(loc="lower left", fontsize=9, frameon=True)
    return picture(
        figure,
        (
            f"A map of the support loss over phase and amplitude with {len(starts)} walks of "
            f"{steps} steps from numbered starts."
        ),
    )


def descent_on_map() -> Explorer:
    """Five points, two parameters: the curve and the dot on the loss map move together."""

    def number(result):
        flag = (
            (
                f" The support loss rose in {result['rises']} of {result['steps']} steps: they "
                "overshoot."
            )
            if result["rises"]
            else ""
        )
        return f"Support MSE {result['losses'][-1]:.2f}, query MSE {result['query']:.2f}.{flag}"

    return Explorer(
        question="Where do gradient steps take the curve, and what stops them?",
        compute=walk_on_map,
        draw=draw_walk,
        controls=[
            Slider("steps", "inner steps k", 0, 20, 1, value=3, play=True),
            Slider("alpha", "inner rate alpha", 0.01, 1.0, 0.1, value=0.1, log=True),
            Slider("shots", "shots K", 1, 20, 1, value=5),
            Points(
                "start", "start", value=((2.2, 1.0),), axes="map", bounds=((-1, 4.6), (-4, 5.5))
            ),
        ],
        number=number,
        alt=lambda r: (
            f"Left: a sine wave fitted to {r['shots']} support points. Right: a map of the "
            f"support loss over phase and amplitude with the path of {r['steps']} gradient steps; "
            f"it ends at phase {r['stations'][-1][0]:.2f}, amplitude {r['stations'][-1][1]:.2f}."
        ),
        size=(9.0, 3.5),
        mosaic=[["curve", "map"]],
    )


@lru_cache
def start_network(name: str) -> torch.nn.Sequential:
    """A fresh random network, or the one that was trained on all tasks at once."""
    return mlp(seed=0) if STARTS[name] is None else named_run(STARTS[name]).load().network


@lru_cache(maxsize=64)
def long_walk(start: str, alpha: float, points: tuple) -> dict:
    """300 inner steps of a network on the points: its curve and both losses after every step."""
    network = start_network(start)
    support_x, support_y = torch.tensor(points).split(1, dim=1)
    path = inner_loop.written_out(
        network, F.mse_loss, support_x, support_y, alpha=alpha, steps=WALK, first_order=True
    )
    with torch.no_grad():
        stacked = {name: torch.stack([phi[name] for phi in path]) for name in path[0]}
        curves = inner_loop.predict_all_with(network, stacked, X.expand(WALK + 1, -1, -1))
        at_support = inner_loop.predict_all_with(
            network, stacked, support_x.expand(WALK + 1, -1, -1)
        )
    support = (at_support - support_y).square().mean((1, 2))
    query = (curves - sine(X, 3.0, 1.0)).square().mean((1, 2))
    return {
        "curves": curves.nan_to_num(99, 99, -99).clamp(-99, 99),
        "support": support,
        "query": query,
    }


def bend(start: str, alpha: float, steps: int, points: tuple) -> dict:
    """The walk of `long_walk`, seen after ``steps`` steps."""
    return {"steps": steps, "points": points, "start": start} | long_walk(start, alpha, points)


def draw_bend(result: dict, axes: dict) -> None:
    steps, (x, y) = result["steps"], zip(*result["points"], strict=True)
    curve, losses = axes["curve"], axes["losses"]
    curve.plot(X, sine(X, 3.0, 1.0), color=COLOURS["truth"], lw=1.2, ls="--", label="the task")
    curve.plot(X, result["curves"][0], color=COLOURS["before"], label="start")
    curve.plot(X, result["curves"][steps], color=COLOURS["after"], label="after the steps")
    curve.plot(x, y, "o", ms=9, color=COLOURS["support"], label="support: drag it")
    curve.set(xlim=(-5, 5), ylim=(-7, 7), xlabel="x", ylabel="y", title="The curve")
    curve.legend(ncols=2, loc="upper left", fontsize=9)
    for name in ("support", "query"):
        shown = result[name].nan_to_num(99).clamp(1e-3, 99)
        losses.plot(shown, color=COLOURS[name], label=name)
        losses.plot(steps, shown[steps], "o", ms=8, color=COLOURS[name])
    losses.axhline(3.01, color=COLOURS["joint"], lw=1, ls=":", label="best single curve, 3.01")
    losses.set(
        yscale="log",
        xlim=(0, WALK),
        ylim=(1e-3, 100),
        xlabel="inner step",
        ylabel="MSE",
        title="The error",
    )
    losses.legend(ncols=2, loc="upper right", fontsize=9)


def bend_network(starts=("untrained", "joint training")) -> Explorer:
    """A network pulled through five points: what happens between them?

    Raises:
        ValueError: one of ``starts`` is not a name of STARTS.
    """
    if unknown := set(starts) - STARTS.keys():
        raise ValueError(f"no start is named {sorted(unknown)}: choose from {list(STARTS)}")

    def number(result):
        k, support, query = result["steps"], result["support"], result["query"]
        if not query[k] < 100:
            return (
                f"After {k} steps from the {result['start']} start the error has passed 100: the "
                "steps are too long and the walk diverges."
            )
        return (
            f"After {k} steps from the {result['start']} start: support MSE {support[k]:.2f}, "
            f"query MSE {query[k]:.2f}."
        )

    return Explorer(
        question="The curve is pulled to five points. What does it do between them?",
        compute=bend,
        draw=draw_bend,
        controls=[
            Slider("steps", "inner steps k", 0, WALK, 10, value=100, play=True),
            Slider(
                "alpha",
                "inner rate alpha",
                0.001,
                0.1,
                0.25,
                value=0.01 if "MAML" in starts else 0.0178,
                log=True,
            ),
            Choice("start", "start from", starts, starts[-1] if "MAML" in starts else starts[0]),
            Points(
                "points",
                "support",
                value=tuple(
                    (x, sine(torch.tensor(x), 3.0, 1.0).item())
                    for x in (-4.7, -4.4, -2.1, -0.3, 2.7)
                ),
                axes="curve",
                bounds=((-5, 5), (-6, 6)),
            ),
        ],
        number=number,
        alt=lambda r: (
            f"Left: a network's curve before and after {r['steps']} gradient steps on five "
            "support points, beside the task's sine wave. Right: support and query error over "
            f"{WALK} steps; after {r['steps']} steps they are {r['support'][r['steps']]:.3f} and "
            f"{r['query'][r['steps']]:.2f}."
        ),
        size=(9.0, 3.5),
        mosaic=[["curve", "losses"]],
    )


EXPLORERS = (descent_on_map, bend_network)
