"""Explorers of chapter 00: a quiz on one example each, a copy slid over its original, and how often
pixels are right."""

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.colors import to_rgb
from matplotlib.ticker import FixedLocator
from torch import Tensor

from course_lib.chapters.ch00.study import (
    SHOTS,
    SLOPPINESS,
    WAYS,
    family_of,
    measured,
    pixel_distances,
)
from course_lib.classroom.explorer import Choice, Explorer, Slider
from course_lib.classroom.figures import COLOURS, Picture, new_figure, picture
from course_lib.families.strokes import SIZE
from course_lib.training.evaluation import Score

LETTERS = "ABCDE"
UNANSWERED = "not yet"
ROUNDS = 20


def episode_picture(
    support_x: Tensor, support_y: Tensor, query_x: Tensor, query_y: Tensor
) -> Picture:
    """One task as two rows of drawings with their class numbers: the support set, and the first
    query drawings."""
    figure, axes = new_figure(9, 3.1)
    for row, (x, y, word) in enumerate(
        ((support_x, support_y, "support"), (query_x, query_y, "query"))
    ):
        axes.text(
            -0.2,
            1.6 * row + 0.5,
            word,
            ha="right",
            va="center",
            color=COLOURS[word],
            fontweight="bold",
            fontsize=12,
        )
        for place in range(min(len(x), 7)):
            show_drawing(axes, x[place, 0], 1.12 * place, top=1.6 * row)
            frame(axes, 1.12 * place, COLOURS[word], 2, top=1.6 * row)
            axes.text(
                1.12 * place + 0.5,
                1.6 * row + 1.06,
                f"{y[place]}",
                ha="center",
                va="top",
                fontsize=11,
            )
    axes.set(xlim=(-1.2, 7.8), ylim=(3.05, -0.1))
    axes.set_axis_off()
    axes.set_aspect("equal")
    classes = ", ".join(str(int(number)) for number in support_y)
    return picture(
        figure,
        (
            f"One episode. Above: {len(support_x)} support drawings, of the classes {classes}. "
            "Below: seven query drawings with their classes."
        ),
    )


def intervals_picture(scores: list[Score], truth: float, chance: float) -> Picture:
    """One 95 % interval a score; those that miss ``truth`` are black squares."""
    figure, axes = new_figure(8, 2.6)
    for place, score in enumerate(scores, 1):
        good = abs(score.mean - truth) < score.half_width
        axes.errorbar(
            place,
            score.mean,
            score.half_width,
            fmt="o" if good else "s",
            color=COLOURS["query" if good else "truth"],
            capsize=3,
        )
    axes.axhline(truth, color=COLOURS["truth"], lw=1, label="mean of all")
    axes.axhline(chance, color=COLOURS["truth"], ls="--", lw=1.2, label="chance")
    axes.set(
        xlabel=f"group of {len(scores[0])} episodes",
        ylabel="accuracy",
        ylim=(0.1, 0.65),
        xticks=[1, 5, 10, 15, 20],
    )
    axes.legend(ncols=2, loc="lower left")
    return picture(
        figure,
        (
            f"{len(scores)} intervals, one for each group of {len(scores[0])} episodes; nearly "
            "all contain the mean of all of them."
        ),
    )


def colour_key() -> Picture:
    """The colours of this chapter; they mean the same thing in every other."""
    figure, axes = new_figure(9, 1.1)
    meanings = {
        "support": "support set",
        "query": "query set, and what is measured on it",
        "truth": "what is true, and chance",
    }
    for place, (name, meaning) in enumerate(meanings.items()):
        axes.plot(place, 0.5, "s", ms=26, color=COLOURS[name])
        axes.text(place, 0.05, meaning, ha="center", va="top", fontsize=11)
    axes.set(xlim=(-0.6, len(meanings) - 0.4), ylim=(-0.4, 0.9))
    axes.set_axis_off()
    return picture(
        figure,
        "Three coloured squares and what each colour stands for: "
        + ", ".join(meanings.values())
        + ".",
    )


# The quiz


@lru_cache(maxsize=256)
def question(round: int, sloppiness: float) -> dict:
    """Five characters in one hand, and one of them once more in another: what is asked in a round
    of the quiz."""
    family = family_of(sloppiness)
    chance = family.generator(
        2960 + round
    )  # twenty rounds in which pixels score about as often as in the long run
    classes = torch.randperm(family.classes, generator=chance)[:5]
    answer = int(torch.randint(5, (1,), generator=chance))
    hands = family.hands(2, chance)[[0] * 5 + [1]]
    drawings = family.draw(torch.cat([classes, classes[answer : answer + 1]]), hands, chance)[:, 0]
    distances = pixel_distances(drawings[:5], drawings[5:])[0]
    return {
        "five": drawings[:5],
        "sixth": drawings[5],
        "answer": answer,
        "distances": distances,
        "pixels": int(distances.argmin()),
    }


def quiz_state(round: int, answer: str, sloppiness: float) -> dict:
    picked = None if answer == UNANSWERED else LETTERS.index(answer)
    return question(round, sloppiness) | {
        "round": round,
        "sloppiness": sloppiness,
        "picked": picked,
    }


def draw_quiz(result: dict, axes) -> None:
    picked = result["picked"]
    for place, drawing in enumerate(result["five"]):
        left, marks, right = 1.12 * place, [], picked is not None and place == result["answer"]
        if picked is not None:
            marks = (
                ["the same"] * right
                + ["you"] * (place == picked)
                + ["pixels"] * (place == result["pixels"])
            )
        show_drawing(axes, drawing, left)
        frame(axes, left, COLOURS["truth"] if right else "#C8C8C8", 3.5 if right else 1)
        axes.text(
            left + 0.5,
            -0.06,
            LETTERS[place],
            ha="center",
            va="bottom",
            fontsize=13,
            fontweight="bold",
        )
        axes.text(left + 0.5, 1.06, "\n".join(marks), ha="center", va="top", fontsize=10.5)
    show_drawing(axes, result["sixth"], 5.9)
    frame(axes, 5.9, COLOURS["query"], 3)
    axes.text(6.4, -0.06, "another hand", ha="center", va="bottom", fontsize=11.5)
    axes.set(xlim=(-0.06, 7.05), ylim=(1.5, -0.28))
    axes.set_axis_off()
    axes.set_aspect("equal", adjustable="box")


def show_drawing(axes, drawing: Tensor, left: float, top: float = 0) -> None:
    """A drawing as a square of side 1, black on white."""
    axes.imshow(
        1 - drawing.numpy(),
        cmap="gray",
        vmin=0,
        vmax=1,
        extent=(left, left + 1, top + 1, top),
        interpolation="bilinear",
    )


def frame(axes, left: float, colour: str, width: float, top: float = 0) -> None:
    across, down = [left, left + 1, left + 1, left, left], [top, top, top + 1, top + 1, top]
    axes.plot(across, down, color=colour, lw=width, solid_joinstyle="miter", clip_on=False)


def quiz_alt(result: dict) -> str:
    start = (
        f"Round {result['round']}: five invented hand-drawn characters A to E in one hand, and a "
        "sixth drawing in another hand. "
    )
    if result["picked"] is None:
        return start + "The sixth shows one of the five again; no answer is marked yet."
    return start + (
        f"The sixth is {LETTERS[result['answer']]}; nearest pixel by pixel is "
        f"{LETTERS[result['pixels']]}."
    )


class Quiz(Explorer):
    """An explorer that asks: a new round takes the old answer away, and the first answer of each
    round counts.

    A slider that is drawn quickly sends the old answer along. So the browser numbers the moves of
    the controls, and an answer that was chosen before the last move of a slider is none, however
    late it comes.
    """

    def __init__(self, **declared):
        self.tally = {}
        super().__init__(number=self._sentence, **declared)

    def _answer(self, request):
        values, old = dict(request.get("values", {})), self.state
        new = old | {c.name: c.unpack(values[c.name]) for c in self.controls if c.name in values}
        moves, sliders = request.get("touched"), ("round", "sloppiness")
        if moves is None:  # moved from code, not in a browser
            older = new["answer"] == old["answer"] and any(new[n] != old[n] for n in sliders)
        else:
            older = moves.get("answer", 0) < max(moves.get(name, 0) for name in sliders)
        if older:
            values["answer"] = 0
        elif new["answer"] != UNANSWERED:
            asked = quiz_state(**new)
            first = asked["picked"] == asked["answer"], asked["pixels"] == asked["answer"]
            self.tally.setdefault((asked["round"], asked["sloppiness"]), first)
        super()._answer({**request, "values": values})

    def _sentence(self, result: dict) -> str:
        count, (you, pixels) = (
            len(self.tally),
            [sum(column) for column in zip(*self.tally.values(), strict=True)] or (0, 0),
        )
        score = f" Of {count} so far: you {you}, pixels {pixels}." if count else ""
        if result["picked"] is None:
            return "Which of the five is the last drawing? Choose your answer." + score
        said = {True: "right", False: "not this time"}
        return (
            f"It is {LETTERS[result['answer']]}. You said {LETTERS[result['picked']]}: "
            f"{said[result['picked'] == result['answer']]}. Pixel comparison says "
            f"{LETTERS[result['pixels']]}: {said[result['pixels'] == result['answer']]}.{score}"
        )


def taste() -> Quiz:
    """One example each of five characters: which of them is the sixth drawing?"""
    return Quiz(
        question="One example of each: which of the five is the last drawing?",
        compute=quiz_state,
        draw=draw_quiz,
        controls=[
            Choice("answer", "your answer", (UNANSWERED, *LETTERS), UNANSWERED),
            Slider("round", "round", 1, ROUNDS, 1, value=1),
            Slider("sloppiness", "sloppiness of the hands", 0.0, 2.0, 0.5, value=1.0),
        ],
        alt=quiz_alt,
        size=(9.0, 2.35),
    )


# A copy over its original


def blurred(drawings: Tensor, width: int) -> Tensor:
    """Each pixel becomes the mean of the width x width pixels around it: (..., 28, 28) -> the
    same."""
    return F.avg_pool2d(drawings, width, stride=1, padding=width // 2)


def moved(drawings: Tensor, right: int, down: int) -> Tensor:
    """The drawings moved by whole pixels, with empty paper coming in: (..., 28, 28) -> the same."""
    return F.pad(drawings, (right, -right, down, -down))


def copy_over_original(right: int, down: int, blur: int) -> dict:
    """How far a moved copy of character A is from A and from four other characters, pixel by
    pixel."""
    five = question(6, 1.0)["five"][:, None]
    copy = moved(five[:1], right, down)
    five, copy = blurred(five, blur), blurred(copy, blur)
    distances = pixel_distances(five, copy)[0]
    return {
        "five": five[:, 0],
        "copy": copy[0, 0],
        "distances": distances,
        "right": right,
        "down": down,
        "blur": blur,
    }


def draw_copy(result: dict, axes: dict) -> None:
    overlay, bars = axes["overlay"], axes["bars"]
    layers = [(result["five"][0], COLOURS["support"]), (result["copy"], COLOURS["query"])]
    paper = torch.ones(SIZE, SIZE, 3)
    for layer, colour in layers:
        layer = layer / layer.max().clamp(
            min=1e-6
        )  # a blurred drawing is faint: show it as dark as the other
        paper = paper * (1 - layer[..., None] * (1 - torch.tensor(to_rgb(colour))))
    overlay.imshow(paper.numpy(), extent=(0, SIZE, SIZE, 0))
    overlay.set(
        xlim=(0, SIZE), ylim=(SIZE, 0), xticks=[], yticks=[], title="A (orange) and its copy (blue)"
    )
    overlay.grid(False)
    for side in ("top", "right"):
        overlay.spines[side].set_visible(True)
    nearest = int(result["distances"].argmin())
    colours = [COLOURS["query"] if place == nearest else "#C8C8C8" for place in range(5)]
    bars.barh(range(5), result["distances"].tolist(), color=colours, height=0.7)
    for place, (drawing, distance) in enumerate(
        zip(result["five"], result["distances"].tolist(), strict=True)
    ):
        bars.imshow(
            1 - drawing.numpy() / float(drawing.max()),
            cmap="gray",
            vmin=0,
            vmax=1,
            extent=(-1.9, -0.3, place + 0.43, place - 0.43),
        )
        bars.text(
            distance + 0.15,
            place,
            f"{distance:.1f}" + ("  nearest" if place == nearest else ""),
            va="center",
            fontsize=11,
        )
    bars.set(xlim=(-2.1, 16), ylim=(4.6, -0.6), aspect="auto")
    bars.xaxis.set_major_locator(
        FixedLocator(range(0, 17, 2))
    )  # ticks set as xticks would be drawn anew in each frame
    bars.yaxis.set_major_locator(FixedLocator(range(5)))
    bars.yaxis.set_major_formatter(lambda place, _: LETTERS[int(place)])
    bars.set_xlabel("distance of the copy, pixel by pixel")
    bars.tick_params(axis="y", length=0)
    bars.spines["left"].set_visible(False)
    bars.grid(axis="y", visible=False)


def copy_sentence(result: dict) -> str:
    distances = result["distances"].tolist()
    nearest = min(range(5), key=distances.__getitem__)
    other = min(distances[1:])
    end = "It is still taken for A." if nearest == 0 else f"It is taken for {LETTERS[nearest]}."
    return (
        f"The copy is {distances[0]:.1f} from its own original, and {other:.1f} from the nearest "
        f"other character. {end}"
    )


def slide_copy() -> Explorer:
    """A perfect copy of a drawing is moved away from it: when is it taken for another character?"""
    return Explorer(
        question="How far may a perfect copy move before pixels take it for something else?",
        compute=copy_over_original,
        draw=draw_copy,
        controls=[
            Slider("right", "moved to the right", -8, 8, 1, value=1, unit="px"),
            Slider("down", "moved down", -8, 8, 1, value=0, unit="px"),
            Slider("blur", "blur both drawings, width", 1, 7, 2, value=1, unit="px"),
        ],
        number=copy_sentence,
        alt=lambda r: (
            f"Left: a drawn character in orange and its copy in blue, moved {r['right']} pixels "
            f"to the right and {r['down']} down. Right: bars with the copy's distance to five "
            f"characters; its original is at {r['distances'][0]:.1f}."
        ),
        size=(9.0, 3.1),
        mosaic=[["overlay", "bars"]],
    )


# How often pixels are right


def accuracy_at(ways: int, shots: int, sloppiness: float) -> dict:
    lines = measured()[SLOPPINESS.index(sloppiness)]  # (ways, shots, 2)
    mean, half = lines[WAYS.index(ways), shots - 1].tolist()
    return {
        "lines": dict(zip(WAYS, lines.tolist(), strict=True)),
        "ways": ways,
        "shots": shots,
        "sloppiness": sloppiness,
        "mean": mean,
        "half": half,
    }


def draw_accuracy(result: dict, axes) -> None:
    for ways, line in result["lines"].items():
        mean, half = np.array(line).T
        chosen = ways == result["ways"]
        colour = COLOURS["query"] if chosen else "#BBBBBB"
        axes.plot(SHOTS, mean, color=colour, lw=2.5 if chosen else 1.2, zorder=3 if chosen else 2)
        axes.fill_between(SHOTS, mean - half, mean + half, color=colour, alpha=0.25, lw=0)
        axes.text(
            10.15,
            mean[-1],
            f"{ways}-way",
            va="center",
            color="#222222" if chosen else "#777777",
            fontsize=11,
        )
    axes.errorbar(
        result["shots"],
        result["mean"],
        result["half"],
        fmt="o",
        ms=9,
        capsize=5,
        color=COLOURS["query"],
        zorder=4,
    )
    axes.axhline(1 / result["ways"], color=COLOURS["truth"], ls="--", lw=1.2)
    axes.text(
        1,
        1 / result["ways"] - 0.015,
        f"chance in {result['ways']}-way: {1 / result['ways']:.0%}",
        va="top",
        fontsize=10.5,
    )
    axes.set(
        xlim=(0.8, 11),
        ylim=(-0.05, 1.06),
        xticks=SHOTS,
        xlabel="shots: examples of each character",
        ylabel="accuracy of pixel comparison",
    )


def pixel_accuracy() -> Explorer:
    """How often pixel comparison is right, by ways, shots and sloppiness."""
    return Explorer(
        question="What helps pixel comparison: fewer classes, more examples, or steadier hands?",
        compute=accuracy_at,
        draw=draw_accuracy,
        controls=[
            Choice("ways", "ways: characters to choose from", WAYS, 5),
            Slider("shots", "shots: examples of each", SHOTS[0], SHOTS[-1], 1, value=1),
            Slider(
                "sloppiness",
                "sloppiness of the hands",
                SLOPPINESS[0],
                SLOPPINESS[-1],
                0.5,
                value=1.0,
            ),
        ],
        number=lambda r: (
            f"{r['ways']}-way {r['shots']}-shot: right in {r['mean']:.1%} ± {r['half']:.1%} of "
            "the drawings (600 episodes, 95 % interval). "
            f"Chance is {1 / r['ways']:.0%}; this is {r['mean'] * r['ways']:.1f} times chance."
        ),
        alt=lambda r: (
            "Accuracy of pixel comparison against the number of shots, for 2, 5, 10 and 20 ways, "
            f"at sloppiness {r['sloppiness']}. "
            f"The {r['ways']}-way line goes from {r['lines'][r['ways']][0][0]:.0%} at 1 shot to "
            f"{r['lines'][r['ways']][-1][0]:.0%} at 10."
        ),
        size=(9.0, 3.5),
    )


EXPLORERS = (taste, slide_copy, pixel_accuracy)
