"""What readers of chapter 00 predict before they see it, and what is said to each answer."""

import torch

from course_lib.classroom.figures import COLOURS, new_figure
from course_lib.classroom.predictions import Outcome, Prediction


def one_shot(one_shot):
    figure, axes = new_figure(8, 3)
    axes.hist(
        one_shot.per_episode,
        bins=torch.arange(17) / 15 - 1 / 30,
        color=COLOURS["query"],
        alpha=0.5,
        rwidth=0.85,
    )
    axes.axvline(1 / 5, color=COLOURS["truth"], ls="--", lw=1.2, label="chance")
    axes.axvline(one_shot.mean, color=COLOURS["query"], lw=2.5, label="mean of 600 episodes")
    axes.set(xlabel="accuracy in one episode (15 query drawings)", ylabel="episodes")
    axes.legend()
    return Outcome(
        100 * one_shot.mean,
        lines=[str(one_shot)],
        show=figure,
        alt=(
            "Histogram of the accuracy of pixel comparison in 600 episodes. It is wide, from 0 "
            f"to 0.8; its mean is at about {one_shot.mean:.2f}, and chance is at 0.2."
        ),
    )


def five_shot(five_shot, one_shot):
    gain = 100 * (five_shot.mean - one_shot.mean)
    figure, axes = new_figure(6, 2.8)
    axes.bar(
        ["1 example", "5 examples"],
        [one_shot.mean, five_shot.mean],
        yerr=[one_shot.half_width, five_shot.half_width],
        color=COLOURS["query"],
        width=0.5,
        capsize=6,
    )
    axes.axhline(1 / 5, color=COLOURS["truth"], ls="--", lw=1.2)
    axes.text(1.45, 0.21, "chance", ha="right")
    axes.set(ylabel="accuracy, 5-way", ylim=(0, 1), xlim=(-0.5, 1.5))
    return Outcome(
        "solved" if five_shot.mean > 0.9 else "clearly" if gain > 10 else "little",
        lines=[f"1 example:  {one_shot}", f"5 examples: {five_shot}"],
        show=figure,
        alt=(
            "Bars with 95 % intervals: accuracy of pixel comparison with 1 and with 5 examples of "
            "each character. The second is higher, and both are far from 1."
        ),
    )


def copy(by_distance, one_shot):
    figure, axes = new_figure(8, 2.9)
    axes.errorbar(
        range(8),
        [s.mean for s in by_distance],
        [s.half_width for s in by_distance],
        fmt="-o",
        color=COLOURS["query"],
        capsize=4,
        label="a moved copy",
    )
    axes.axhline(one_shot.mean, color="#777777", lw=1.5, label="a new drawing by another hand")
    axes.axhline(1 / 5, color=COLOURS["truth"], ls="--", lw=1.2, label="chance")
    axes.set(
        xlabel="moved to the right by (pixels)", ylabel="accuracy, 5-way 1-shot", ylim=(0, 1.05)
    )
    axes.legend()
    four = by_distance[4].mean
    return Outcome(
        "nearly_always" if four > 0.9 else "often" if four > one_shot.mean else "less_than_hands",
        lines=[f"moved by {d} px: {by_distance[d]}" for d in (1, 2, 3, 4)],
        show=figure,
        alt=(
            "Accuracy for a copy moved by 0 to 7 pixels. It is 1 up to one pixel, falls steeply "
            "from two on, and at four pixels lies below the line for new drawings."
        ),
    )


def blur(one_shot, with_blur, five_shot, difference):
    names, scores = (
        ["1 example", "1 example, blurred", "5 examples"],
        [one_shot, with_blur, five_shot],
    )
    figure, axes = new_figure(7, 2.8)
    bars = axes.bar(
        names,
        [s.mean for s in scores],
        yerr=[s.half_width for s in scores],
        color=COLOURS["query"],
        alpha=0.55,
        width=0.55,
        capsize=6,
    )
    bars[1].set_alpha(1)
    axes.axhline(1 / 5, color=COLOURS["truth"], ls="--", lw=1.2)
    axes.text(2.85, 0.21, "chance", ha="right")
    axes.set(ylabel="accuracy, 5-way", ylim=(0, 1), xlim=(-0.5, 2.9))
    change = "better" if difference.mean > 0.1 else "little" if difference.mean > 0 else "worse"
    lines = [
        f"plain:      {one_shot}",
        f"blurred:    {with_blur}",
        f"5 examples: {five_shot}",
        f"{difference}, blurred - plain",
    ]
    return Outcome(
        change,
        lines=lines,
        show=figure,
        alt=(
            "Bars with 95 % intervals: one example, one example with blur, and five examples. "
            "Blurring lifts one example about as high as five examples."
        ),
    )


PREDICTIONS = {
    "one_shot": Prediction(
        "600 episodes, 5-way 1-shot. How many of the query drawings does pixel comparison get "
        "right? Guessing would give 20 %.",
        {
            "low": (
                "You expected less. Some characters are so unlike the rest that pixels are "
                "enough to tell them."
            ),
            "high": (
                "You expected more. To you the drawings look alike; to a comparison of pixels, a "
                "stroke two pixels away is another stroke."
            ),
            "close": ("About twice as often as a guess, and wrong more often than right."),
        },
        one_shot,
        number=(0, 100, 1),
        unit="%",
        tolerance=5,
    ),
    "five_shot": Prediction(
        "Now five examples of each character in place of one. What happens to the accuracy of "
        "pixel comparison?",
        {
            "little": (
                "It rises by less than 10 points: five bad comparisons are hardly better than one",
                "Each of the five is another chance to lie close to the query. That helps more "
                "than you expected.",
            ),
            "clearly": (
                "It rises by 10 points or more, but not to 90 of 100",
                "Each example is another chance to lie close to the query. But five times as "
                "many drawings buy less than 20 points.",
            ),
            "solved": (
                "It rises above 90 of 100: one of five examples will fit",
                "A hand can put a stroke in very many places. Five drawings cover only a few of "
                "them.",
            ),
        },
        five_shot,
    ),
    "copy": Prediction(
        "Pixel comparison gets such moved copies as queries. How often does it find the original?",
        {
            "nearly_always": (
                "Nearly always: it is the same drawing",
                "To you it is the same drawing. To a comparison of pixels most of its ink lies "
                "where the original has none, and that is all it sees.",
            ),
            "often": (
                "Not always, but more often than for a new drawing by another hand",
                "Strokes are one to two pixels wide. After four pixels only about a quarter of "
                "the ink still overlaps.",
            ),
            "less_than_hands": (
                "Less often than for a new drawing by another hand",
                "Strokes are one to two pixels wide. After four pixels only about a quarter of "
                "the ink still overlaps with the original.",
            ),
        },
        copy,
    ),
    "blur": Prediction(
        "Both drawings are blurred: each pixel becomes the mean of the 5 by 5 pixels around it. "
        "What happens to the accuracy, 5-way 1-shot?",
        {
            "worse": (
                "It falls: detail is lost",
                "Detail is lost, and it was the wrong detail: where exactly a stroke lies is "
                "what hands do not keep.",
            ),
            "little": (
                "It rises by less than 10 points: the gain hardly outweighs the loss",
                "The loss is smaller than you expected. Where exactly a stroke lies is what "
                "hands do not keep, and the blur forgets just that.",
            ),
            "better": (
                "It rises by more than 10 points",
                "A blur forgets where exactly a stroke lies. That is what hands do not keep, so "
                "forgetting it helps.",
            ),
        },
        blur,
    ),
}
