"""Explorers of chapter 06: the forces of the contrastive loss on points, and an embedding that
moves while it is trained."""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from course_lib.classroom.explorer import Choice, Explorer, Points, Slider, Toggle
from course_lib.classroom.figures import Picture, new_figure, picture
from course_lib.families import Strokes
from course_lib.learners.siamese import Siamese, contrastive, distance, mean_of_pairs
from course_lib.networks.small import conv4
from course_lib.training.progress_bar import bar

TONES = (
    "#332288",
    "#AA4499",
    "#88663A",
    "#117733",
    "#44AA99",
    "#882255",
)  # classes: none of the colours that mean something
MARKS = "os^DvP"
PULL, PUSH = "#117733", "#882255"
CLASSES = np.array([0, 0, 1, 1, 2, 2])
ONE, OTHER = np.triu_indices(6, 1)  # the 15 pairs of six points
PAIRS = len(ONE)
DIFFERENT = CLASSES[ONE] != CLASSES[OTHER]
FREE, SHARED = "each point for itself", "one encoder for all"
TITLES = {FREE: "Six points, each moved for itself", SHARED: "Six points, moved by one encoder"}
RATES = {FREE: 0.6, SHARED: 0.12}  # per step, on the mean over pairs


def pair_forces(
    f: np.ndarray, margin: float, only_similar: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the 15 pairs of six points (6, 2): distance, loss, and the slope of the loss with respect
    to the first point (15, 2)."""
    gap = f[ONE] - f[OTHER]
    D = np.sqrt((gap**2).sum(1) + 1e-12)
    short = np.maximum(margin - D, 0) * (0 if only_similar else 1)
    loss = np.where(DIFFERENT, short**2, D**2)
    slope = np.where(DIFFERENT, -2 * short / D, 2.0)[:, None] * gap
    return D, loss, slope


def on_points(slope: np.ndarray) -> np.ndarray:
    """Slopes of pairs (15, 2) gathered at the six points, as a mean over pairs: (6, 2)."""
    gradient = np.zeros((6, 2))
    np.add.at(gradient, ONE, slope / PAIRS)
    np.add.at(gradient, OTHER, -slope / PAIRS)
    return gradient


@lru_cache(maxsize=512)
def margin_walk(points: tuple, margin: float, steps: int, only_similar: bool, moves: str) -> dict:
    """``steps`` gradient steps on the contrastive loss: of the points themselves, or of one matrix
    W through which all of them pass."""
    x = np.array(points)
    f, W = x.copy(), np.eye(2)
    for _ in range(steps):
        gradient = on_points(pair_forces(f, margin, only_similar)[2])
        if moves == FREE:
            f = f - RATES[FREE] * gradient
        else:
            W = W - RATES[SHARED] * gradient.T @ x
            f = x @ W.T
    D, loss, slope = pair_forces(f, margin, only_similar)
    spread = np.sqrt(((f - f.mean(0)) ** 2).sum(1)).max()
    same = {
        "start": x,
        "f": f,
        "D": D,
        "loss": loss,
        "force": -on_points(slope),
        "margin": margin,
        "steps": steps,
        "spread": spread,
        "moves": moves,
    }
    return same | {"only_similar": only_similar, "active": DIFFERENT & (D < margin)}


def draw_margin(result: dict, axes: dict) -> None:
    plane, pays, f, margin = axes["plane"], axes["pays"], result["f"], result["margin"]
    for i, j, different, active in zip(ONE, OTHER, DIFFERENT, result["active"], strict=True):
        if different and not (active and not result["only_similar"]):
            continue
        plane.plot(
            *f[[i, j]].T,
            color=PUSH if different else PULL,
            lw=1.3,
            ls="--" if different else "-",
            alpha=0.8,
        )
    plane.scatter(*result["start"].T, s=110, facecolors="none", edgecolors="#BBBBBB", lw=1.2)
    for number, (tone, mark) in enumerate(zip(TONES[:3], MARKS, strict=False)):
        plane.scatter(*f[CLASSES == number].T, color=tone, marker=mark, s=85, zorder=3)
    plane.quiver(
        *f.T,
        *(3 * result["force"]).T,
        angles="xy",
        scale_units="xy",
        scale=1,
        width=0.008,
        color="#222222",
        zorder=4,
    )
    plane.set(
        xlim=(-2.6, 2.6),
        ylim=(-2.1, 2.1),
        xlabel="first coordinate of f",
        ylabel="second coordinate",
        title=TITLES[result["moves"]],
    )
    grid = np.linspace(0, 4.2, 120)
    pays.plot(grid, grid**2, color=PULL, lw=1.5, label="similar: D²")
    if not result["only_similar"]:
        pays.plot(
            grid,
            np.maximum(margin - grid, 0) ** 2,
            color=PUSH,
            lw=1.5,
            ls="--",
            label="dissimilar: max(0, m − D)²",
        )
    kinds = ((~DIFFERENT, PULL, "o"), (DIFFERENT, PUSH, "s"))
    for chosen, colour, mark in kinds[: 1 if result["only_similar"] else 2]:
        pays.scatter(
            result["D"][chosen], result["loss"][chosen], color=colour, marker=mark, s=45, zorder=3
        )
    pays.axvline(margin, color="#222222", lw=1, ls=":")
    pays.set(
        xlim=(-0.1, 4.2),
        ylim=(-0.15, 4.5),
        xlabel="D, distance of a pair",
        ylabel="loss of the pair",
        title="What each pair pays",
    )
    pays.legend(loc="upper right", fontsize=9)


def margin_sentence(result: dict) -> str:
    similar, other = result["loss"][~DIFFERENT].sum(), result["loss"][DIFFERENT].sum()
    words = (
        f"Loss {(similar + other) / PAIRS:.3f}: the {(~DIFFERENT).sum()} similar pairs pay "
        f"{similar:.2f} together"
    )
    if result["only_similar"]:
        return (
            f"{words}, divided by all {PAIRS} pairs; nobody else is asked. The points lie within "
            f"{result['spread']:.2f} of their middle."
        )
    words += (
        f", the {DIFFERENT.sum()} dissimilar ones {other:.2f}, and the sum is divided by {PAIRS}."
    )
    return (
        f"{words} {result['active'].sum()} of {DIFFERENT.sum()} dissimilar pairs are nearer than "
        "the margin."
    )


def contrastive_margin() -> Explorer:
    """Six points of three classes: which pairs act, where each point is drawn, and what gradient
    steps make of it."""
    start = ((-1.6, 0.4), (-0.4, 1.1), (0.2, -0.9), (1.7, -0.4), (0.9, 1.4), (0.5, 0.0))
    return Explorer(
        question="Which pairs pull, which push, and which are left alone?",
        compute=margin_walk,
        draw=draw_margin,
        controls=[
            Slider("margin", "m, margin", 0.2, 4.0, 0.1, value=1.5),
            Slider("steps", "gradient steps", 0, 200, 4, value=0, play=True),
            Choice("moves", "what a step changes", (SHARED, FREE), SHARED),
            Toggle("only_similar", "only similar pairs", False),
            Points("points", "point", value=start, axes="plane", bounds=((-2, 2), (-1.8, 1.8))),
        ],
        number=margin_sentence,
        alt=lambda r: (
            "Left: six points of three classes with arrows where the loss pulls them, after "
            f"{r['steps']} gradient steps; the points lie within "
            f"{r['spread']:.2f} of their middle. Right: the loss of each pair over its distance, "
            f"with the margin at {r['margin']:.1f}."
        ),
        size=(9.0, 3.7),
        mosaic=[["plane", "pays"]],
    )


# An embedding that is seen moving


@dataclass
class Watched:
    """What was seen of a training run: where fixed drawings lay, seen from their middle, at some
    outer steps, and what the pairs did.

    ``places`` holds one (n, 2) for each of ``at``; ``loss`` and ``active`` (the share of dissimilar
    pairs nearer than the margin) are of every outer step. ``drawings`` (n, 28, 28) and ``classes``
    (n,) stay the same.
    """

    drawings: Tensor
    classes: Tensor
    margin: float
    at: list[int] = field(default_factory=list)
    places: list[Tensor] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    active: list[float] = field(default_factory=list)


def few_classes() -> Strokes:
    """Six characters of one script: every task has the same ones."""
    return Strokes(ways=6, scripts=1, characters=6, seed=3)


def watch(
    learner: Siamese,
    family: Strokes,
    outer_steps: int = 150,
    every: int = 5,
    beta: float = 0.002,
    name: str = "",
) -> Watched:
    """Train a Siamese learner with two-dimensional embeddings and note where ten drawings of each
    class lie, every few outer steps.

    As in training, batch norm normalises with the batch. A ``name`` shows a progress bar.
    """
    fixed = family.sample(1, shots=10, queries=1, generator=family.generator(1))
    seen = Watched(fixed.support_x[0, :, 0], fixed.support_y[0], learner.margin)
    optimizer, generator = torch.optim.Adam(learner.parameters(), lr=beta), family.generator(0)
    steps = range(outer_steps + 1)
    for step in bar(steps, outer_steps + 1, name) if name else steps:
        if step % every == 0:
            seen.at.append(step)
            with torch.no_grad():
                f = learner.encoder(fixed.support_x[0])
            seen.places.append(f - f.mean(0))  # only differences matter to the loss
        one, other, different = learner.all_pairs(
            family.sample(1, shots=2, queries=3, generator=generator)
        )
        D = distance(one, other)
        loss = mean_of_pairs(
            contrastive(D, different, learner.margin, learner.hinge), different, learner.pairs
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.loss.append(loss.item())
        seen.active.append((D < learner.margin)[different].float().mean().item())
    return seen


@lru_cache
def short_runs() -> dict[str, Watched]:
    """Small stand-ins for the runs that the chapter trains live, for tests."""
    return {
        name: watch(Siamese(conv4(4, 2, seed=0), pairs=pairs), few_classes(), 20)
        for name, pairs in (("all pairs", "all"), ("similar only", "similar"))
    }


def draw_places(plane, run: Watched, place: int, limit: float, thumbnails: bool = True) -> None:
    """One snapshot: a mark for each drawing, and one drawing of each class above its marks where
    the classes have parted."""
    f = run.places[place]
    middles = torch.stack([f[run.classes == number].mean(0) for number in run.classes.unique()])
    thumbnails = (
        thumbnails and torch.pdist(middles).min() > 0.3 * limit
    )  # drawings on top of each other show nothing
    for number, (tone, mark) in enumerate(zip(TONES, MARKS, strict=True)):
        mine = (run.classes == number).nonzero().flatten()
        plane.scatter(*f[mine].T.numpy(), color=tone, marker=mark, s=26, alpha=0.85)
        if thumbnails:
            (x, y), half = f[mine].mean(0).clamp(-0.8 * limit, 0.8 * limit).tolist(), 0.16 * limit
            box = (x - half, x + half, y + 0.4 * half, y + 2.4 * half)
            plane.imshow(ink_only(run.drawings[mine[0]], tone), extent=box, zorder=4, aspect="auto")
    plane.set(xlim=(-limit, limit), ylim=(-limit, limit))


def ink_only(drawing: Tensor, tone: str) -> np.ndarray:
    """A drawing in one colour on nothing: (28, 28, 4)."""
    rgb = [int(tone[i : i + 2], 16) for i in (1, 3, 5)]
    return np.dstack(
        [np.full(drawing.shape, channel, np.uint8) for channel in rgb]
        + [(255 * drawing.numpy()).astype(np.uint8)]
    )


def limit_of(runs: dict[str, Watched]) -> float:
    """Half the side of a square that holds every snapshot of every run."""
    return 1.05 * max(f.abs().max().item() for run in runs.values() for f in run.places)


def running_mean(values: list[float]) -> np.ndarray:
    """The mean of five neighbours; towards the two ends of fewer, so that the ends keep their
    values."""
    reach = [min(2, i, len(values) - 1 - i) for i in range(len(values))]
    return np.array([np.mean(values[i - r : i + r + 1]) for i, r in enumerate(reach)])


def embedding_scrubber(
    runs: dict[str, Watched] | None = None,
    start: str | None = None,
    question: str = "What does training do to the places of sixty drawings?",
) -> Explorer:
    """Scrub through the training of two-dimensional embeddings; it opens at the last outer step.

    Args:
        runs: by name, what `watch` saw of runs of equal length; short ones are trained when there
            are none.
        start: the name of the run shown first; the first one if none is given.
        question: the heading.

    Raises:
        ValueError: there is no run of the name ``start``.
    """
    runs = runs or short_runs()
    names, start = tuple(runs), start or next(iter(runs))
    if start not in runs:
        raise ValueError(f"start={start!r}: choose one of {', '.join(names)}")
    first, limit = runs[start], limit_of(runs)

    def compute(step, run=start):
        return {"run": runs[run], "name": run, "place": runs[run].at.index(step), "step": step}

    def draw(result, axes):
        run, step = result["run"], result["step"]
        draw_places(axes["plane"], run, result["place"], limit)
        axes["plane"].set(
            xlabel="first coordinate of f, from the middle",
            ylabel="second coordinate",
            title=f"Where drawings lie at outer step {step}",
        )
        ahead = axes["ahead"]
        for values, tone, style, label in (
            (run.loss, "#222222", "-", "loss, at the start 1"),
            (run.active, PUSH, "--", "dissimilar pairs within m"),
        ):
            smooth = running_mean(values) / (run.loss[0] if values is run.loss else 1)
            ahead.plot(smooth.clip(0, 1.25), color=tone, ls=style, label=label)
            ahead.plot(step, smooth[step].clip(0, 1.25), "o", color=tone, ms=8)
        ahead.set(
            xlim=(-3, run.at[-1] + 3),
            ylim=(-0.03, 1.3),
            xlabel="outer step (curves: mean of 5 steps)",
            ylabel="share",
        )
        ahead.set_title("Training with " + result["name"])
        ahead.legend(loc="upper right", fontsize=9)

    def number(result):
        run, step, f = result["run"], result["step"], result["run"].places[result["place"]]
        return (
            f"Outer step {step}: loss {run.loss[step]:.4f}, {run.active[step]:.0%} of the "
            "dissimilar pairs are nearer than the margin, "
            f"and the drawings lie within {f.norm(dim=1).max():.2f} of their middle."
        )

    return Explorer(
        question=question,
        compute=compute,
        draw=draw,
        controls=[
            Slider(
                "step",
                "outer step",
                0,
                first.at[-1],
                first.at[1] - first.at[0],
                value=first.at[-1],
                play=True,
            ),
            *[Choice("run", "trained with", names, start)] * (len(names) > 1),
        ],
        number=number,
        alt=lambda r: (
            f"Left: sixty drawings of six characters as points in the plane, after {r['step']} "
            f"outer steps with {r['name']}. "
            "Right: the loss and the share of dissimilar pairs within the margin over training."
        ),
        size=(9.0, 4.0),
        mosaic=[["plane", "ahead"]],
    )


def snapshots_picture(runs: dict[str, Watched], moments=(0, 2, 6, -1)) -> Picture:
    """Small multiples: one row a run, one column a moment."""
    names, limit = list(runs), limit_of(runs)
    figure, axes = new_figure(
        9, 2.35 * len(names), [[f"{name}{moment}" for moment in moments] for name in names]
    )
    for name in names:
        for moment in moments:
            plane, run = axes[f"{name}{moment}"], runs[name]
            draw_places(plane, run, moment, limit, thumbnails=moment == -1)
            plane.set(title=f"outer step {run.at[moment]}", xticks=[], yticks=[])
        axes[f"{name}{moments[0]}"].set_ylabel(name)
    last = {name: run.places[-1].norm(dim=1).max() for name, run in runs.items()}
    ends = ", ".join(f"{name} {radius:.2f}" for name, radius in last.items())
    words = (
        f"Sixty drawings in the plane at {len(moments)} moments of training. At the end they lie "
        "within this distance of their middle"
    )
    return picture(figure, f"{words}: {ends}.")


EXPLORERS = (contrastive_margin, embedding_scrubber)
