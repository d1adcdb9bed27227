"""Explorers of chapter 08: what a reported accuracy is worth, and how many episodes it takes to see
a difference."""

import math
from functools import lru_cache

import torch

from course_lib.chapters import named_run
from course_lib.chapters.ch08.study import LINE_UP, QUERIES, WAYS
from course_lib.classroom.explorer import Choice, Explorer, Slider, Toggle
from course_lib.classroom.figures import COLOURS
from course_lib.training.evaluation import wilson

IMAGES = 4  # of each coin, in the newsletter's claim
PAIRS = {  # who is compared: some pairs differ much, some hardly
    f"{one} and {other}": (one, other)
    for one, other in (
        ("Siamese", "Prototypical"), ("Prototypical", "Baseline"), ("Matching", "Baseline"),
        ("Baseline", "Meta-Baseline"),
        ("Relation", "MAML"), ("Baseline", "Baseline++"),
    )
}  # fmt: skip


def binomial(n: int, p: float) -> torch.Tensor:
    """The probability of 0, 1, ..., n right answers out of n, each right with probability p: (n +
    1,)."""
    k, p = torch.arange(n + 1, dtype=torch.float64), min(max(p, 1e-9), 1 - 1e-9)
    ways = (
        torch.lgamma(torch.tensor(n + 1.0, dtype=torch.float64))
        - torch.lgamma(k + 1)
        - torch.lgamma(n - k + 1)
    )
    return (ways + k * math.log(p) + (n - k) * math.log(1 - p)).exp()


def read_claim(coins: int, shots: int, claimed: int) -> dict:
    """What is known after ``claimed`` percent of the test images were right: coins kinds, 4 images
    each, ``shots`` of them to learn from."""
    n = coins * (IMAGES - shots)
    right = round(claimed / 100 * n)
    low, high = wilson(right / n, n)
    guesses = binomial(n, 1 / coins)
    return {
        "n": n,
        "right": right,
        "share": right / n,
        "low": low,
        "high": high,
        "chance": 1 / coins,
        "again": binomial(n, right / n),
        "guesses": guesses,
        "as_good": guesses[right:].sum().item(),
        "coins": coins,
        "shots": shots,
    }


def draw_claim(result: dict, axes: dict) -> None:
    line, luck, n = axes["line"], axes["luck"], result["n"]
    line.plot(
        [100 * result["low"], 100 * result["high"]],
        [0, 0],
        color=COLOURS["query"],
        lw=10,
        solid_capstyle="butt",
        alpha=0.45,
        label="95 % interval",
    )
    line.plot(100 * result["share"], 0, "o", ms=11, color=COLOURS["query"], label="reported")
    line.axvline(
        100 * result["chance"], ymax=0.75, color=COLOURS["chance"], ls="--", label="chance"
    )
    line.set(
        xlim=(-3, 103),
        ylim=(-1, 1.6),
        yticks=[],
        xlabel="accuracy (%)",
        title=f"{result['right']} of {n} test images right",
    )
    line.legend(loc="upper left", ncols=3, fontsize=9, handlelength=1.2, columnspacing=1.0)
    places, width = [100 * k / n for k in range(n + 1)], 100 / n
    for chances, colour, label in (
        (result["again"], "query", "if that is the truth"),
        (result["guesses"], "before", "if it guesses"),
    ):
        luck.bar(
            places,
            (chances / chances.max()).tolist(),
            width=0.9 * width,
            color=COLOURS[colour],
            alpha=0.7,
            label=label,
        )
    luck.set(
        xlim=(-3, 103),
        ylim=(0, 1.5),
        yticks=(0, 1),
        xlabel="accuracy in a test of this size (%)",
        ylabel="how likely (peak = 1)",
    )
    luck.set_title("The same test, repeated")
    luck.legend(loc="upper right", fontsize=9)


def claim_verdict(result: dict) -> str:
    """What may be said, in one sentence."""
    if result["low"] > result["chance"]:
        return (
            f"Above chance, and anything from {result['low']:.0%} to {result['high']:.0%} may be "
            "the truth."
        )
    return f"Not told apart from guessing: {result['as_good']:.1%} of all guessers do as well."


def claim_reader() -> Explorer:
    """A reported accuracy with what the report leaves out: interval and chance."""
    return Explorer(
        question="70 % with four images each: how much do you know?",
        compute=read_claim,
        draw=draw_claim,
        controls=[
            Slider("coins", "kinds of coins", 2, 40, 1, value=10),
            Slider("shots", "images of each to learn from", 1, 3, 1, value=1),
            Slider("claimed", "reported accuracy (%)", 0, 100, 5, value=70),
        ],
        number=lambda r: (
            f"{r['right']} of {r['n']} test images: {r['share']:.0%}, 95 % interval "
            f"{r['low']:.0%} to {r['high']:.0%}, chance {r['chance']:.1%}. {claim_verdict(r)}"
        ),
        alt=lambda r: (
            f"Left: a reported accuracy of {r['share']:.0%} on {r['n']} test images with its "
            f"interval from {r['low']:.0%} to {r['high']:.0%}, and chance at "
            f"{r['chance']:.1%}. Right: how repeated tests of this size would spread, for that "
            "accuracy and for guessing."
        ),
        size=(9.0, 3.2),
        mosaic=[["line", "luck"]],
    )


@lru_cache
def stored() -> dict[str, torch.Tensor]:
    """Accuracy of each learner in each of the stored episodes on held-out scripts, by the name in
    figures: (episodes,)."""
    tensors = named_run("look_scores").tensors()
    return {
        label: tensors[f"held out/{name}"].double() / (WAYS * QUERIES)
        for name, label in LINE_UP.items()
    }


SIZES = torch.arange(10, 501, 10)  # episodes; 500 are stored


def intervals(
    one: torch.Tensor, other: torch.Tensor, paired: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean difference and half-width of its interval over the first 10, 20, ..., 500 episodes:
    (50,) both."""

    def moments(x):
        mean = x.cumsum(0)[SIZES - 1] / SIZES
        return mean, (x.square().cumsum(0)[SIZES - 1] - SIZES * mean.square()).clamp(min=0) / (
            SIZES - 1
        )

    if paired:
        mean, variance = moments(one - other)
    else:
        (mean, variance), (m, v) = moments(one), moments(other)
        mean, variance = mean - m, variance + v
    return mean, 1.96 * (variance / SIZES).sqrt()


def compare(pair: str, episodes: int, paired: bool) -> dict:
    """Two learners on the first ``episodes`` of the stored episodes."""
    one, other = PAIRS[pair]
    a, b = stored()[one], stored()[other]
    mean, half = intervals(a, b, paired)
    at = int(torch.searchsorted(SIZES, episodes))
    return {
        "one": one,
        "other": other,
        "n": episodes,
        "paired": paired,
        "mean": mean,
        "half": half,
        "at": at,
        "visible": visible_from(mean, half),
        "low": 10 * int(10 * min(a.min().item(), b.min().item())),
        "high": reach_of(a, b),
        "a": a[:episodes],
        "b": b[:episodes],
    }


def visible_from(mean: torch.Tensor, half: torch.Tensor) -> int | None:
    """The number of episodes from which on the interval stays clear of 0; None, if it never
    does."""
    hidden = (half >= mean.abs()).nonzero()
    if len(hidden) and int(hidden[-1]) == len(SIZES) - 1:
        return None
    return int(SIZES[int(hidden[-1]) + 1]) if len(hidden) else int(SIZES[0])


def reach_of(one: torch.Tensor, other: torch.Tensor) -> int:
    """How far the axis of differences reaches, in points: the same for both ways of comparing, so
    that they can be compared. From 20 episodes on everything is inside."""
    both = [intervals(one, other, paired) for paired in (True, False)]
    most = max((mean.abs() + half)[1:].max().item() for mean, half in both)
    return 5 * math.ceil(100 * most / 5)


def draw_comparison(result: dict, axes: dict) -> None:
    scatter, grows, n = axes["episodes"], axes["grows"], result["n"]
    jitter = torch.rand(2, n, generator=torch.Generator().manual_seed(0)).double() * 3 - 1.5
    scatter.plot([0, 100], [0, 100], color=COLOURS["chance"], lw=1, ls="--")
    scatter.plot(
        100 * result["b"] + jitter[0],
        100 * result["a"] + jitter[1],
        ".",
        ms=5,
        alpha=0.5,
        color=COLOURS["query"],
    )
    scatter.set(
        xlim=(result["low"] - 3, 103),
        ylim=(result["low"] - 3, 103),
        xlabel=f"{result['other']}, accuracy (%)",
        ylabel=f"{result['one']} (%)",
        title=f"{n} episodes, one dot each",
    )
    mean, half = 100 * result["mean"], 100 * result["half"]
    grows.fill_between(
        SIZES,
        mean - half,
        mean + half,
        color=COLOURS["query"],
        alpha=0.25,
        lw=0,
        label="95 % interval",
    )
    grows.plot(SIZES, mean, color=COLOURS["query"], lw=1.5)
    at = result["at"]
    grows.plot([n, n], [mean[at] - half[at], mean[at] + half[at]], color=COLOURS["support"], lw=3)
    grows.plot(n, mean[at], "o", ms=8, color=COLOURS["support"], label=f"after {n} episodes")
    grows.axhline(0, color=COLOURS["truth"], lw=1)
    if result["visible"]:
        clear = f"clear of 0 from {result['visible']} on"
        grows.axvline(result["visible"], color=COLOURS["truth"], lw=1, ls=":", label=clear)
    grows.set(
        xscale="log",
        xlim=(9, 550),
        ylim=(-result["high"], result["high"]),
        xticks=(10, 30, 100, 300),
        xlabel="episodes",
        ylabel="difference (points)",
        title="Paired: episode by episode"
        if result["paired"]
        else "As if they had met different episodes",
    )
    grows.set_xticklabels(["10", "30", "100", "300"])
    grows.legend(loc="lower right", fontsize=9)


def comparison_words(result: dict) -> str:
    """The difference with its interval, and from how many episodes on it stays visible."""
    mean, half, at = 100 * result["mean"], 100 * result["half"], result["at"]
    words = (
        f"{result['one']} minus {result['other']}: {mean[at]:+.1f} ± {half[at]:.1f} points after "
        f"{result['n']} episodes."
    )
    if result["visible"] is None:
        return words + " Not visible with 500 episodes."
    if result["visible"] == SIZES[0]:
        return words + " Visible from the start."
    return words + f" Visible for good from {result['visible']} episodes on."


def when_visible() -> Explorer:
    """Two learners and a number of episodes: the interval of their difference, paired or not."""
    return Explorer(
        question="After how many episodes does a difference show?",
        compute=compare,
        draw=draw_comparison,
        controls=[
            Choice("pair", "learners", tuple(PAIRS), "Siamese and Prototypical"),
            Slider("episodes", "episodes", 10, 500, 10, value=50),
            Toggle("paired", "paired", False),
        ],
        number=comparison_words,
        alt=lambda r: (
            f"Left: accuracy of {r['one']} against {r['other']} in {r['n']} episodes. Right: the "
            "difference of their means with its interval, "
            f"over 10 to 500 episodes; {comparison_words(r)}"
        ),
        size=(9.0, 3.6),
        mosaic=[["episodes", "grows"]],
    )


EXPLORERS = (claim_reader, when_visible)
