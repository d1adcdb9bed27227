"""Explorers of chapter 04: edges cut in the real graph, first order against second, and a price
before it is paid."""

import math
from functools import lru_cache

import torch

from course_lib.chapters.ch04.calculator import WAYS, Price, price_of
from course_lib.chapters.ch04.graphs import placed, unrolled
from course_lib.classroom.explorer import Choice, Explorer, Slider
from course_lib.classroom.figures import COLOURS

# --- which edges of the graph survive -------------------------------------------------------------

CUTS = {
    "nothing (second order)": "none",
    "every gradient (first order)": "all",
    "the first gradient only": "first",
    "the last gradient only": "last",
    "phi after the first step": "phi",
}


def slope_after_cut(k: int, loose: tuple, cut_phi: int | None) -> float:
    """d query loss / d theta of the graph that is left, at theta = 2.5."""
    theta = torch.tensor(2.5, requires_grad=True)
    loss = unrolled(theta, 0.1, k, loose, cut_phi)[2]
    (found,) = torch.autograd.grad(loss, theta, allow_unused=True)
    return 0.0 if found is None else found.item()


@lru_cache(maxsize=64)
def graph_after(k: int, cut: str) -> dict:
    """The graph of k steps, what a cut leaves, and the two slopes."""
    loose = {"all": tuple(range(k)), "first": (0,), "last": (k - 1,)}.get(CUTS[cut], ())
    cut_phi = 0 if CUTS[cut] == "phi" else None
    drawn = placed(k, loose, cut_phi)
    return {
        "drawn": drawn,
        "k": k,
        "cut": cut,
        "true": slope_after_cut(k, (), None),
        "given": slope_after_cut(k, loose, cut_phi),
        "nodes": len(drawn.places),
        "left": sum(drawn.alive),
        "reaches": drawn.alive[0],
    }


def draw_graph(result: dict, axes) -> None:
    drawn, k = result["drawn"], result["k"]
    colours = {
        "theta": COLOURS["theta"],
        "phi": COLOURS["after"],
        "gradient": COLOURS["support"],
        "query": COLOURS["query"],
    }
    for (a, b), alive in zip(drawn.edges, drawn.alive_edges, strict=True):
        (x, y), (left, low) = drawn.places[a], drawn.places[b]
        style = (
            {"color": "#666666", "lw": 1.1} if alive else {"color": "#CCCCCC", "lw": 1, "ls": ":"}
        )
        axes.plot([left, x], [low, y], zorder=1, **style)
    size = 130 if k <= 2 else 60
    for kind, colour in colours.items():
        for alive in (True, False):
            found = [
                place
                for place, of, lives in zip(drawn.places, drawn.kinds, drawn.alive, strict=True)
                if of == kind and lives == alive
            ]
            big = size * (2.4 if kind in ("theta", "phi") else 1)
            axes.scatter(
                *zip(*found, strict=True) if found else ([], []),
                s=big,
                zorder=2,
                color=colour if alive else "white",
                edgecolors=colour if alive else "#BBBBBB",
                linewidths=1.2,
            )
    for place, name, of in zip(drawn.places, drawn.names, drawn.kinds, strict=True):
        if of in ("theta", "phi"):
            label = "θ" if of == "theta" else f"φ{'¹²³⁴⁵'[round(place[0]) - 1]}"
            axes.text(place[0], -0.3, label, ha="center", va="center", fontsize=12)
        elif k <= 2:
            axes.text(place[0], place[1] + 0.13, name, ha="center", fontsize=8, color="#444444")
    axes.set_axis_off()
    axes.set(xlim=(-0.15, k + 1.05), ylim=(-0.5, max(y for _, y in drawn.places) + 0.4))
    axes.text(k + 1.05, -0.3, "query loss", ha="right", va="center", fontsize=10)
    axes.set_title("Orange: inside the inner gradients")


def survival(r: dict) -> str:
    words = f"The graph has {r['nodes']} nodes; {r['left']} are left. Slope: true {r['true']:+.2f}"
    if not r["reaches"]:
        return words + ", from this graph none: θ is not reached."
    return words + f", from this graph {r['given']:+.2f}."


def cut_edges() -> Explorer:
    """The real autograd graph of the unrolled inner loop; cut an edge and see what survives."""
    return Explorer(
        question="What does the second derivative add to the graph, and what survives a cut?",
        compute=graph_after,
        draw=draw_graph,
        controls=[
            Slider("k", "inner steps k", 1, 5, 1, value=2),
            Choice("cut", "cut", tuple(CUTS), "nothing (second order)"),
        ],
        number=survival,
        alt=lambda r: (
            f"The autograd graph of {r['k']} inner steps, {r['nodes']} nodes from theta on the "
            f"left to the query loss on the right. With {r['cut']} cut, {r['left']} nodes are left."
        ),
        size=(9.0, 3.4),
    )


# --- first order against second -------------------------------------------------------------------


def two_gradients(h: float, spread: float, alpha: float, k: int) -> dict:
    """The first-order gradient c = (1, 1)/sqrt(2), and the true one, (I - alpha H)^k c, where the
    support loss has curvature h in one direction and h (1 - spread) in the other. Slopes stay as
    they are; curvature alone changes."""
    c = torch.tensor([1.0, 1.0]) / math.sqrt(2)
    curvatures = torch.tensor([h, h * (1 - spread)])
    grid = torch.linspace(0, 40, 161)
    both = torch.stack([grid, grid * (1 - spread)], dim=1)
    return {
        "first": c,
        "second": (1 - alpha * curvatures) ** k * c,
        "cosine": cosine_to((1 - alpha * curvatures) ** k * c, c).item(),
        "ratio": ((1 - alpha * curvatures) ** k * c).norm().item(),
        "grid": grid,
        "cosines": cosine_to((1 - alpha * both) ** k * c, c),
        "h": h,
        "alpha": alpha,
        "k": k,
        "stable": alpha * h < 2,
    }


def cosine_to(v: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    """Cosine of each v (..., 2) with c; 0 where v is 0."""
    return torch.nan_to_num((v @ c) / v.norm(dim=-1))


def draw_two(result: dict, axes: dict) -> None:
    plane, curve = axes["plane"], axes["curve"]
    longest = max(1.0, result["second"].norm().item())
    for name, colour in (("first", COLOURS["theta"]), ("second", COLOURS["query"])):
        x, y = (result[name] / longest).tolist()
        plane.annotate(
            "", (x, y), (0, 0), arrowprops={"arrowstyle": "-|>", "lw": 3, "color": colour}
        )
        plane.plot([], [], color=colour, lw=3, label=f"{name} order")
    plane.set(
        xlim=(-1.1, 1.1),
        ylim=(-1.1, 1.1),
        aspect="equal",
        xlabel="the direction with curvature h",
        ylabel="the other direction",
        title="The two outer gradients",
    )
    plane.legend(loc="lower left", fontsize=9)
    curve.plot(result["grid"], result["cosines"], color=COLOURS["query"])
    curve.axvspan(2 / result["alpha"], 60, color="#EEEEEE", label="alpha h > 2: steps diverge")
    curve.axhline(0, color=COLOURS["truth"], lw=1, ls=":", label="below: uphill")
    curve.plot(result["h"], result["cosine"], "o", ms=11, color=COLOURS["theta"], mec="black")
    curve.set(
        xlim=(0, 40),
        ylim=(-1.1, 1.1),
        xlabel="curvature h of the support loss",
        ylabel="cosine of first and second",
        title="Where does first order fail?",
    )
    curve.legend(loc="lower left", fontsize=9)


def angle_words(r: dict) -> str:
    angle = math.degrees(math.acos(max(-1.0, min(1.0, r["cosine"]))))
    words = (
        f"alpha h = {r['alpha'] * r['h']:.2f}: angle {angle:.0f} degrees, length {r['ratio']:.2f}"
    )
    words += " of the first-order one."
    if r["cosine"] < 0:
        words += " First order walks uphill."
    return words + ("" if r["stable"] else " The inner loop itself diverges here.")


def angle_and_ratio() -> Explorer:
    """Curvature alone turns the outer gradient: find where first order fails."""
    return Explorer(
        question="When is first order enough, and where does it walk uphill?",
        compute=two_gradients,
        draw=draw_two,
        controls=[
            Slider("h", "curvature h", 0.0, 40.0, 0.5, value=6.0),
            Slider("spread", "difference between the directions", 0.0, 1.0, 0.1, value=1.0),
            Slider("alpha", "inner rate alpha", 0.01, 0.2, 0.01, value=0.1),
            Slider("k", "inner steps k", 1, 10, 1, value=1),
        ],
        number=angle_words,
        alt=lambda r: (
            "Left: the first-order and the second-order outer gradient as arrows. Right: the "
            f"cosine between them against curvature from 0 to 40; at h = {r['h']:.1f} it is "
            f"{r['cosine']:.2f}."
        ),
        size=(9.0, 3.6),
        mosaic=[["plane", "curve"]],
    )


# --- a price before it is paid --------------------------------------------------------------------


def draw_price(result: dict, axes: dict) -> None:
    prices: dict[str, Price] = result["prices"]
    names = list(prices)
    for room, numbers, label in (
        ("seconds", [p.seconds for p in prices.values()], "seconds an outer step"),
        ("bytes", [p.megabytes for p in prices.values()], "MB at the worst moment"),
    ):
        colours = [COLOURS["theta"] if n == result["way"] else COLOURS["before"] for n in names]
        axes[room].barh(names, numbers, color=colours)
        for row, number in enumerate(numbers):
            said = f"{number:.2f}" if number < 100 else f"{number:.0f}"
            axes[room].text(number, row, f" {said}", va="center", fontsize=9.5)
        axes[room].set(xlabel=label, xlim=(0, 1.4 * max(numbers)))
        axes[room].set_xticks([])  # each bar says its number
        axes[room].grid(visible=False, axis="y")
        axes[room].invert_yaxis()
    axes["bytes"].tick_params(labelleft=False)


def all_prices(way: str, k: int, tasks: int, channels: int, queries: int) -> dict:
    """The price of an outer step on Conv-4, 5-way 1-shot, for every way."""
    settings = {"k": k, "tasks": tasks, "channels": channels, "queries": queries}
    return {"prices": {name: price_of(name, **settings) for name in WAYS}, "way": way} | settings


def price_calculator() -> Explorer:
    """What will an outer step on Conv-4 cost?"""
    return Explorer(
        question="What will an outer step cost before you pay it?",
        compute=all_prices,
        draw=draw_price,
        controls=[
            Choice("way", "way", tuple(WAYS), "second order"),
            Slider("k", "inner steps k", 1, 32, 1, value=5),
            Slider("tasks", "tasks", 1, 32, 1, value=4),
            Slider("channels", "channels", 8, 128, 8, value=64),
            Slider("queries", "queries a class", 1, 15, 1, value=5),
        ],
        number=lambda r: (
            f"{r['way']}: {r['prices'][r['way']].operations / 1e9:.1f} billion operations, about "
            f"{r['prices'][r['way']].seconds:.2g} s and {r['prices'][r['way']].megabytes:.0f} MB."
        ),
        alt=lambda r: (
            "Two bar charts of seconds and megabytes of an outer step for "
            f"{len(r['prices'])} ways, with {r['k']} inner steps, {r['tasks']} tasks and "
            f"{r['channels']} channels."
        ),
        size=(9.0, 3.2),
        mosaic=[["seconds", "bytes"]],
    )


EXPLORERS = (cut_edges, angle_and_ratio, price_calculator)
