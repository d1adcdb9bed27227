"""Explorers of chapter 03: where the outer loop moves the start, and which paths its gradient
takes."""

import math
from functools import lru_cache
from itertools import pairwise

import torch

from course_lib.chapters.ch02.explorers import STARTS, bend_network
from course_lib.classroom.explorer import Choice, Explorer, Points, Slider
from course_lib.classroom.figures import COLOURS
from course_lib.families import Sinusoids
from course_lib.families.sinusoids import sine

PHASES, AMPLITUDES = torch.linspace(-0.6, 3.8, 45), torch.linspace(0, 6, 49)
BETA = 0.15  # outer rate of the path on the map
OUTER_STEPS = 40


@lru_cache
def forty_tasks():
    """(episode, amplitudes, phases): forty sine waves with 5 support and 20 query points each."""
    family = Sinusoids()
    episode = family.sample(40, shots=5, queries=20, generator=family.generator(5))
    return episode, episode.hidden["amplitude"], episode.hidden["phase"]


def adapt_all(amplitude, phase, steps: int, alpha: float, x, y):
    """``steps`` inner steps of y = A sin(x - p) with both gradients written out; shapes broadcast,
    points come last."""
    for _ in range(steps):
        e = sine(x, amplitude[..., None], phase[..., None]) - y
        inside = x - phase[..., None]
        gradient_A = (2 * e * torch.sin(inside)).mean(-1)
        gradient_p = (-2 * e * amplitude[..., None] * torch.cos(inside)).mean(-1)
        amplitude, phase = amplitude - alpha * gradient_A, phase - alpha * gradient_p
    return amplitude, phase


def errors_after(amplitude, phase, steps: int, alpha: float) -> torch.Tensor:
    """Query MSE of every task after ``steps`` inner steps from starts of any shape: starts x
    tasks."""
    episode, _, _ = forty_tasks()
    a, p = adapt_all(
        amplitude[..., None].expand(*amplitude.shape, 40),
        phase[..., None].expand(*phase.shape, 40),
        steps,
        alpha,
        episode.support_x[..., 0],
        episode.support_y[..., 0],
    )
    return (
        (sine(episode.query_x[..., 0], a[..., None], p[..., None]) - episode.query_y[..., 0])
        .square()
        .mean(-1)
    )


@lru_cache(maxsize=32)
def objective_map(k: int, alpha: float) -> torch.Tensor:
    """Mean query MSE after k steps for every start on the map: (amplitudes, phases). At k = 0, the
    joint loss."""
    return errors_after(*torch.meshgrid(AMPLITUDES, PHASES, indexing="ij"), k, alpha).mean(-1)


@lru_cache(maxsize=64)
def path_of_theta(k: int, alpha: float, start: tuple) -> list:
    """Gradient descent on the map from start = (phase, amplitude): the outer loop, with the slope
    read off the map."""
    levels = objective_map(k, alpha)
    slope_A, slope_p = torch.gradient(levels, spacing=(AMPLITUDES, PHASES))
    (p, a), path = start, [start]
    for _ in range(OUTER_STEPS):
        row = min(max((a - AMPLITUDES[0].item()) / 0.125, 0), 47.999)
        column = min(max((p - PHASES[0].item()) / 0.1, 0), 43.999)
        i, j, u, v = int(row), int(column), row % 1, column % 1
        weights = torch.tensor([[(1 - u) * (1 - v), (1 - u) * v], [u * (1 - v), u * v]])
        a -= BETA * (slope_A[i : i + 2, j : j + 2] * weights).sum().clamp(-3, 3).item()
        p -= BETA * (slope_p[i : i + 2, j : j + 2] * weights).sum().clamp(-3, 3).item()
        a, p = min(max(a, 0.0), 6.0), min(max(p, PHASES[0].item()), PHASES[-1].item())
        path.append((p, a))
    return path


def look_at_start(outer: int, k: int, alpha: float, start: tuple) -> dict:
    """The start after ``outer`` outer steps, where each task takes it, and its error after 0 to 10
    inner steps."""
    path = path_of_theta(k, alpha, start[0])[: outer + 1]
    theta_p, theta_a = torch.tensor(path[-1])
    episode, _, _ = forty_tasks()
    levels = objective_map(k, alpha)
    row, column = divmod(levels.argmin().item(), len(PHASES))
    a, p = adapt_all(
        theta_a.expand(40),
        theta_p.expand(40),
        k,
        alpha,
        episode.support_x[..., 0],
        episode.support_y[..., 0],
    )
    by_step = [errors_after(theta_a, theta_p, j, alpha).mean().item() for j in range(11)]
    return {
        "path": path,
        "phi": list(zip(p.tolist(), a.tolist(), strict=True)),
        "by_step": by_step,
        "best": (PHASES[column].item(), AMPLITUDES[row].item(), levels.min().item()),
        "caught": outer == OUTER_STEPS and by_step[k] > 1.3 * levels.min().item(),
        "k": k,
        "alpha": alpha,
        "outer": outer,
    }


def draw_start(result: dict, axes: dict) -> None:
    k, plane, errors = result["k"], axes["map"], axes["errors"]
    _, amplitudes, phases = forty_tasks()
    levels = objective_map(k, result["alpha"])
    plane.imshow(
        levels,
        extent=(-0.6, 3.8, 0, 6),
        origin="lower",
        aspect="auto",
        cmap="Greys",
        vmin=0,
        vmax=20,
        interpolation="bilinear",
    )
    low = levels.min().item()
    plane.contour(
        PHASES,
        AMPLITUDES,
        levels,
        levels=[low + d for d in (0.1, 0.4, 1, 2, 4)],
        colors="#777777",
        linewidths=0.6,
    )
    tasks = {"ms": 5.5, "mec": "white", "mew": 0.9, "color": COLOURS["truth"]}
    plane.plot(phases, amplitudes, "o", label="tasks", **tasks)
    theta = result["path"][-1]
    if k:  # without inner steps there is no phi
        for phi in result["phi"][:12]:
            plane.plot(*zip(theta, phi, strict=True), color=COLOURS["after"], lw=1)
        spots = zip(*result["phi"][:12], strict=True)
        plane.plot(*spots, "o", ms=4, color=COLOURS["after"], label="phi of 12 tasks")
    plane.plot(*zip(*result["path"], strict=True), color=COLOURS["theta"], lw=2.5)
    plane.plot(
        *result["path"][0],
        "o",
        ms=10,
        mfc="white",
        mec=COLOURS["theta"],
        mew=2,
        label="first start: drag it",
    )
    plane.plot(*result["best"][:2], "*", ms=14, mfc="white", mec="black", label="best on this map")
    plane.plot(*theta, "o", ms=11, color=COLOURS["theta"], mec="black", label="theta")
    plane.set(
        xlim=(-0.6, 3.8),
        ylim=(0, 6),
        xlabel="phase p (radians)",
        ylabel="amplitude A",
        title=f"Error after {k} inner steps, by start"
        if k
        else "Error without adaptation, by start",
    )
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.2), "ncols": 3, "frameon": False}
    plane.legend(fontsize=8.5, handletextpad=0.3, columnspacing=0.8, **below)
    plane.grid(False)
    errors.plot(result["by_step"], "-o", ms=4, color=COLOURS["query"])
    errors.plot(
        k,
        result["by_step"][k],
        "o",
        ms=11,
        mfc="none",
        mew=2,
        color=COLOURS["theta"],
        label="the outer loop looks here",
    )
    errors.set(
        xlim=(-0.4, 10.4),
        ylim=(0, 8),
        xlabel="inner steps taken from theta",
        ylabel="query MSE, mean of 40 tasks",
        title="Where those steps lead",
    )
    errors.legend(loc="upper right", fontsize=9)


def theta_path() -> Explorer:
    """The outer loop on a map: joint training is k = 0, MAML is k = 1 and more."""
    return Explorer(
        question="Where should you start, if you will be given k steps?",
        compute=look_at_start,
        draw=draw_start,
        controls=[
            Slider("outer", "outer step", 0, OUTER_STEPS, 1, value=OUTER_STEPS, play=True),
            Slider("k", "inner steps k in training", 0, 5, 1, value=0),
            Slider("alpha", "inner rate alpha", 0.02, 0.2, 0.02, value=0.1),
            Points(
                "start",
                "first start",
                value=((0.3, 1.5),),
                axes="map",
                bounds=((-0.6, 3.8), (0, 6)),
            ),
        ],
        number=lambda r: (
            f"theta = (A {r['path'][-1][1]:.2f}, p {r['path'][-1][0]:.2f}): query MSE "
            f"{r['by_step'][0]:.2f} before adaptation, "
            f"{r['by_step'][1]:.2f} after 1 step, {r['by_step'][5]:.2f} after 5. " + reached(r)
        ),
        alt=lambda r: (
            f"Left: a map of the query error after {r['k']} inner steps for every start, with the "
            f"path of theta over {r['outer']} outer steps, the best start of the map as a star"
            + (" and lines to the adapted parameters of twelve tasks" if r["k"] else "")
            + ". Right: query error after 0 to 10 inner steps from theta."
        ),
        size=(9.0, 4.1),
        mosaic=[["map", "errors"]],
    )


def reached(result: dict) -> str:
    """How near the path has come to the best start of its map."""
    where, best = f"after {result['k']} step{'s' * (result['k'] != 1)}", result["best"][2]
    if result["caught"]:
        return (
            f"The outer loop is caught: {result['by_step'][result['k']]:.2f} {where}, and the star "
            f"has {best:.2f}. Drag the first start."
        )
    return f"The star has {best:.2f} {where}."


WAYS = {
    "nothing (MAML)": "second",
    "the gradient (first order)": "first",
    "phi from theta (detached)": "detached",
}
TASK_PHASE = 1.0


@lru_cache
def phase_task():
    """Support and query points of one wave of amplitude 2; the model knows the amplitude and looks
    for the phase."""
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(25, generator=generator) * 10 - 5
    y = 2 * torch.sin(x - TASK_PHASE)
    return x[:5], y[:5], x[5:], y[5:]


def outer_loss_of_phase(
    theta: torch.Tensor, alpha: float, k: int, way: str = "second"
) -> torch.Tensor:
    """Query loss after k inner steps on the phase, for each start in theta; ``way`` says what the
    graph leaves out."""
    support_x, support_y, query_x, query_y = phase_task()
    phi = theta.detach() if way == "detached" else theta
    for _ in range(k):
        e = 2 * torch.sin(support_x - phi[:, None]) - support_y
        gradient = (-4 * e * torch.cos(support_x - phi[:, None])).mean(1)
        phi = phi - alpha * (gradient.detach() if way == "first" else gradient)
    return (2 * torch.sin(query_x - phi[:, None]) - query_y).square().mean(1)


def slopes(cut: str, theta: float, alpha: float, k: int) -> dict:
    """The outer loss around theta, its true slope, and the slope that the chosen graph gives."""
    grid = torch.linspace(-3, 5, 161)
    here = torch.tensor([theta], requires_grad=True)
    loss = outer_loss_of_phase(here, alpha, k, WAYS[cut])
    given = torch.autograd.grad(loss, here)[0].item() if loss.requires_grad else 0.0
    wide = torch.tensor([theta - 1e-4, theta + 1e-4], dtype=torch.float64)
    low, high = outer_loss_of_phase(wide, alpha, k).tolist()
    return {
        "grid": grid,
        "losses": outer_loss_of_phase(grid, alpha, k),
        "theta": theta,
        "loss": loss.item(),
        "given": given,
        "true": (high - low) / 2e-4,
        "cut": WAYS[cut],
        "k": k,
    }


def draw_slopes(result: dict, axes: dict) -> None:
    draw_graph(axes["graph"], result["cut"], result["k"])
    losses, theta, span = axes["losses"], result["theta"], torch.tensor([-0.7, 0.7])
    losses.plot(
        result["grid"],
        result["losses"],
        color=COLOURS["query"],
        label="query loss after the inner loop",
    )
    losses.plot(
        theta + span,
        result["loss"] + result["true"] * span,
        color=COLOURS["truth"],
        lw=1.5,
        ls="--",
        label="true slope",
    )
    losses.plot(
        theta + span,
        result["loss"] + result["given"] * span,
        color=COLOURS["theta"],
        lw=3,
        label="slope of this graph",
    )
    losses.plot(theta, result["loss"], "o", ms=10, color=COLOURS["theta"], mec="black")
    losses.set(
        xlim=(-3, 5),
        ylim=(-2, 14),
        xlabel="theta: the phase to start from (radians)",
        ylabel="outer loss",
        title="The slope the outer loop follows",
    )
    losses.legend(loc="upper right", fontsize=9)


def draw_graph(axes, cut: str, k: int) -> None:
    """The unrolled inner loop: a straight path from phi to phi, and one through each gradient."""
    axes.set_axis_off()
    axes.set(xlim=(-0.5, 4.6), ylim=(-1.3, 1.7), title="Which path does the outer gradient take?")
    shown, right = min(k, 3), 4.1
    places = [right * j / (shown + 1) for j in range(shown + 2)]
    names = ["θ", *[f"φ{'¹²³'[j]}" for j in range(shown)], "query\nloss"]
    if k > 3:
        names[shown] = "φᵏ"
    for j, (left, after) in enumerate(pairwise(places)):
        last = j == shown
        dead = cut == "detached" and j == 0
        line(axes, (left, 0), (after, 0), dead, COLOURS["query"], far=28 if last else 15)
        if last:
            continue
        middle = (left + after) / 2
        line(axes, (left, 0), (middle, 0.95), dead or cut == "first", COLOURS["support"])
        line(axes, (middle, 0.95), (after, 0), dead or cut == "first", COLOURS["support"])
        axes.text(
            middle,
            0.95,
            "−α∇L",
            ha="center",
            va="center",
            fontsize=9.5,
            bbox={"boxstyle": "round,pad=0.3", "fc": "#FBE9DD", "ec": COLOURS["support"]},
        )
    for place, name in zip(places, names, strict=True):
        axes.text(
            place,
            0,
            name,
            ha="center",
            va="center",
            fontsize=11,
            bbox={
                "boxstyle": "circle,pad=0.35",
                "fc": "white",
                "ec": COLOURS["theta"] if name == "θ" else "#555555",
                "lw": 1.8,
            },
        )
    words = {
        "second": (
            "Blue: through φ itself. Orange: through the gradient;\nthat is where the second "
            "derivative lives."
        ),
        "first": (
            "The orange paths are cut: gradients count as constants.\nThe blue path still reaches "
            "θ."
        ),
        "detached": "φ is cut from θ. No path is left, and the slope is zero.",
    }
    axes.text(-0.45, -0.95, words[cut], fontsize=9.5, va="center")


def line(axes, start, end, dead: bool, colour: str, far: int = 15) -> None:
    axes.annotate(
        "",
        end,
        start,
        arrowprops={
            "arrowstyle": "-" if dead else "-|>",
            "color": "#BBBBBB" if dead else colour,
            "ls": ":" if dead else "-",
            "lw": 1.5 if dead else 2.2,
            "shrinkA": 14,
            "shrinkB": far,
        },
    )


def gradient_paths() -> Explorer:
    """Cut an edge of the unrolled graph and compare the slope that is left with the true one."""
    return Explorer(
        question="Which edge of the graph may you cut, and what does it cost?",
        compute=slopes,
        draw=draw_slopes,
        controls=[
            Choice("cut", "cut", tuple(WAYS), "the gradient (first order)"),
            Slider("theta", "theta, the start", -2.5, 4.5, 0.1, value=2.5),
            Slider("alpha", "inner rate alpha", 0.0, 0.5, 0.01, value=0.1),
            Slider("k", "inner steps k", 1, 5, 1, value=2),
        ],
        number=lambda r: (
            f"True slope {r['true']:+.2f}; this graph gives {r['given']:+.2f}." + verdict(r)
        ),
        alt=lambda r: (
            f"Left: the inner loop unrolled over {r['k']} steps as a graph, with what is cut "
            "drawn as dotted lines. Right: the outer loss against the start, its true slope "
            f"{r['true']:.2f} and the slope of this graph {r['given']:.2f}."
        ),
        size=(9.0, 3.5),
        mosaic=[["graph", "losses"]],
    )


def verdict(result: dict) -> str:
    """What the difference between the two slopes means for the outer loop."""
    true, given = result["true"], result["given"]
    if math.isclose(true, given, rel_tol=1e-2, abs_tol=1e-2):
        return " They agree."
    if given == 0:
        return " The outer loop would stand still."
    if true * given < 0:
        return " The sign is wrong: the outer loop would walk uphill."
    return (
        f" The direction is right, the length {given / true:.1f} times the true one."
        if abs(true) > 0.01
        else " The true slope is flat here."
    )


def three_starts() -> Explorer:
    """The network of chapter 02, pulled through five points, now from MAML's start as well."""
    return bend_network(tuple(STARTS))


EXPLORERS = (theta_path, gradient_paths, three_starts)
