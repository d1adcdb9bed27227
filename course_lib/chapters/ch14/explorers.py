"""Explorers of chapter 14: five questions that choose a method, and how lucky the best of a table
is."""

import math
import textwrap

import torch

from course_lib.chapters.ch14.advice import CHANGE, KINDS, LABELS, LEAVE, RELATED, advise
from course_lib.classroom.explorer import Choice, Explorer, Slider
from course_lib.classroom.figures import COLOURS
from course_lib.classroom.quick import write

POINTS = 801  # of the densities
WIDE = 124  # letters in a line of advice

# Which methods first?


def with_words(**answers: str) -> dict:
    """The advice, and the answers that led to it."""
    return {"found": advise(**answers), "for": "; ".join(answers.values())}


def draw_advice(result: dict, axes) -> None:
    found = result["found"]
    axes.set(xlim=(0, 1), ylim=(3.1, -0.1))
    axes.set_title(textwrap.fill(f"For: {result['for']}", 52), loc="left", fontsize=9)
    axes.set_axis_off()
    colours = [COLOURS["before"], COLOURS["after"], COLOURS["support"]]
    for place, (one, colour) in enumerate(zip(found, colours, strict=True)):
        axes.plot([0.005, 0.005], [place + 0.08, place + 0.85], color=colour, lw=5)
        write(axes, 0.025, place + 0.28, one.what, va="center", size=13, weight="bold")
        said = f"{one.why} (chapter {one.chapter})"
        why = textwrap.shorten(said, WIDE, placeholder=" ...")
        write(axes, 0.025, place + 0.66, why, va="center", size=10.5)


def which_methods() -> Explorer:
    """Five questions about a problem, and three pieces of advice."""
    return Explorer(
        question="What do you have? What would this course try first, and what not?",
        compute=with_words,
        draw=draw_advice,
        controls=[
            Choice("kind", "your data", KINDS, value="sentences"),
            Choice("labels", "labels of a class, or readings of a curve", LABELS, value="1 to 5"),
            Choice("change", "classes change", CHANGE, value="now and then"),
            Choice("leave", "the data", LEAVE, value="must stay here"),
            Choice("related", "related tasks with labels", RELATED, value="none"),
        ],
        number=lambda r: "In this order: " + "; ".join(one.what for one in r["found"]) + ".",
        alt=lambda r: (
            f"Three pieces of advice with a reason each, for {r['for']}: "
            + " ".join(f"{one.what}: {one.why}" for one in r["found"])
        ),
        size=(9.0, 2.9),
    )


# How lucky is the best of a table?


def luck(methods: int, episodes: int, spread: float, gap: float) -> dict:
    """What the first place of a table is worth.

    All methods but one are equally good; that one is better by ``gap``. Their figures are means of
    ``episodes`` numbers with standard deviation ``spread``, and independent: the worst case, since
    the same episodes usually move all figures together.

    Returns:
        error: of one figure, its standard error.   bonus: by how much the highest figure exceeds
        what that method is worth, on average.   first: how often the better method comes first.
        x, one, top: densities of a figure, and of the highest one.
    """
    error = spread / math.sqrt(episodes)
    x = torch.linspace(-5 * error, gap + 7 * error, POINTS, dtype=torch.double)
    step = (x[1] - x[0]).item()

    def below(centre):
        return 0.5 * (1 + torch.erf((x - centre) / (error * math.sqrt(2))))

    def density(centre):
        return torch.exp(-(((x - centre) / error) ** 2) / 2) / (error * math.sqrt(2 * math.pi))

    others, better = below(0.0), density(gap)
    wins = better * others ** (methods - 1)  # the better method is the highest, at x
    rest = (methods - 1) * density(0.0) * others ** max(methods - 2, 0) * below(gap)
    first = (wins.sum() * step).item()
    bonus = ((wins * (x - gap) + rest * x).sum() * step).item()
    return {
        "error": error, "bonus": bonus, "first": first, "gap": gap, "methods": methods,
        "x": x, "one": density(0.0), "top": wins + rest,
    }  # fmt: skip


def draw_luck(found: dict, axes) -> None:
    x = 100 * found["x"]
    axes.fill_between(x, found["one"] / 100, color=COLOURS["before"], alpha=0.35,
                      label="figure of one method")  # fmt: skip
    axes.plot(x, found["top"] / 100, color=COLOURS["query"], label="highest figure of the table")
    axes.axvline(0, color=COLOURS["truth"], lw=1.2, label="what the methods are worth")
    if found["gap"]:
        axes.axvline(100 * found["gap"], color=COLOURS["after"], ls="--", label="the better one")
    reach = 100 * (found["gap"] + 5 * found["error"])
    axes.set(
        xlim=(-300 * found["error"] - 0.5, reach), ylim=(0, None), yticks=[],
        xlabel="points above what the methods are worth", title="Chance picks the winner too",
    )  # fmt: skip
    axes.legend(fontsize=9, loc="upper right")


def said_of_luck(found: dict) -> str:
    half, bonus = 196 * found["error"], 100 * found["bonus"]
    told = (
        f"{found['methods']} methods, interval ± {half:.1f} points. The highest figure is "
        f"{bonus:.1f} points too high on average."
    )
    if found["gap"]:
        told += f" The better method comes first in {found['first']:.0%} of such tables."
    return told


def best_of_many() -> Explorer:
    """How far the best of a table stands above what it is worth."""
    return Explorer(
        question="All methods but one are equally good. How lucky is the best of the table?",
        compute=luck,
        draw=draw_luck,
        controls=[
            Slider("methods", "methods in the table", 2, 40, 1, value=20),
            Slider("episodes", "episodes", 20, 2000, 20, value=200),
            Slider("spread", "spread of accuracy between episodes", 0.05, 0.4, 0.05, value=0.2),
            Slider("gap", "advantage of the better one", 0.0, 0.1, 0.01, value=0.0),
        ],
        number=said_of_luck,
        alt=lambda found: (
            "Two curves over accuracy: the figure of one method, centred on its worth, and the "
            f"highest figure of the table, which lies to the right. {said_of_luck(found)}"
        ),
    )


EXPLORERS = (which_methods, best_of_many)
