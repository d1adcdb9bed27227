"""What readers of chapter 01 predict before they see it, and what is said to each answer."""

import torch

from course_lib.classroom.figures import COLOURS, new_figure
from course_lib.classroom.predictions import Outcome, Prediction
from course_lib.families.sinusoids import sine
from course_lib.training.evaluation import paired


def floor(test, family, joint, by_network, by_one_curve):
    x = torch.linspace(-5, 5, 201)
    A, p = test.hidden["amplitude"], test.hidden["phase"]
    six = p.argsort()[len(p) // 30 :: len(p) // 6]
    figure, axes = new_figure(7.5, 2.8)
    axes.plot(x, sine(x[:, None], A[six], p[six]), color=COLOURS["chance"], lw=0.8)
    axes.plot(
        x,
        family.best_single_function(x),
        ":",
        color=COLOURS["truth"],
        lw=3,
        label="mean of all waves",
    )
    axes.plot(
        x, joint(x[:, None]).detach(), color=COLOURS["joint"], label="network trained on everything"
    )
    axes.set(xlabel="x", ylabel="y", xlim=(-5, 5), ylim=(-4.5, 6.5))
    axes.legend(ncols=2, loc="upper left")
    return Outcome(
        by_network.mean,
        lines=[
            f"network:            {by_network}",
            f"mean of all waves:  {by_one_curve}",
            f"network minus mean: {paired(by_network, by_one_curve)}",
        ],
        show=figure,
        alt=(
            "The network's curve lies on the mean of all waves, a cosine. Six grey waves run "
            "around it."
        ),
    )


def points(opened):
    family_known, family_unknown = opened.values()
    figure, axes = new_figure(8, 3)
    for (know, values), style, colour in zip(
        opened.items(), ("-o", "--s"), (COLOURS["after"], COLOURS["before"]), strict=True
    ):
        axes.semilogy(values, style, color=colour, label=know)
    axes.axhline(family_known[0] / 10, color=COLOURS["truth"], ls=":", lw=1)
    axes.text(6.2, family_known[0] / 9, "a tenth of K = 0", ha="right")
    axes.set(xlabel="support points K", ylabel="variance left open")
    axes.legend(loc="lower left")
    enough = next((K for K in (1, 2, 4) if family_known[K] < family_known[0] / 10), "more")
    rows = [
        f"{know:13}  " + "  ".join(f"K={K}: {value:.2f}" for K, value in enumerate(values))
        for know, values in opened.items()
    ]
    return Outcome(
        str(enough),
        lines=rows,
        show=figure,
        alt=(
            "Variance left open against K, on a log scale. With one frequency it collapses at two "
            "points, with any frequency only at five."
        ),
    )


def training(transfer_steps, meta_steps, scored, by_one_curve, table):
    figure, axes = new_figure(8, 2.8)
    for name, steps, colour in (
        ("transfer", transfer_steps, COLOURS["joint"]),
        ("meta-learned", meta_steps, COLOURS["after"]),
    ):
        mean, half = torch.tensor([[s.mean, s.half_width] for s in steps]).T
        axes.plot(mean, "-o", color=colour, label=name)
        axes.fill_between(range(11), mean - half, mean + half, color=colour, alpha=0.25, lw=0)
    axes.axhline(
        scored["always zero"].mean, color=COLOURS["chance"], ls="--", lw=1, label="always zero"
    )
    axes.axhline(
        by_one_curve.mean, color=COLOURS["truth"], ls=":", lw=1, label="best single function"
    )
    axes.set(xlabel="steps of adaptation", ylabel="query MSE (95% interval)", ylim=(0, 6))
    axes.legend(ncols=2)
    ratio = meta_steps[10].mean / transfer_steps[10].mean
    right = "far" if ratio < 1 / 3 else "some" if ratio < 0.8 else "same"
    return Outcome(
        right,
        lines=table,
        show=figure,
        alt=(
            "Query error over ten steps. Both networks begin near 3. The meta-learned one falls "
            "below a half in one step; transfer is above 1 after ten."
        ),
    )


def outside(shares, lines):
    figure, axes = new_figure(8, 2.8)
    for i, label, colour in (
        (1, "transfer", COLOURS["joint"]),
        (2, "meta-learned", COLOURS["after"]),
    ):
        share, half = zip(*(three[i] for three in shares.values()), strict=True)
        axes.bar(
            [n + 0.4 * i - 0.6 for n in range(4)],
            share,
            0.38,
            yerr=half,
            color=colour,
            label=label,
            capsize=3,
        )
    axes.axhline(1, color=COLOURS["truth"], ls="--", lw=1, label="always zero")
    axes.set(xticks=range(4), xticklabels=list(shares), ylabel="MSE / MSE of zero", ylim=(0, 1.9))
    axes.legend(ncols=3, loc="upper left")
    share = shares["twice as fast"][2][0]
    return Outcome(
        "well" if share < 0.5 else "bit" if share < 1 else "harm",
        lines=lines,
        show=figure,
        alt=(
            "Error after one step as a share of the error of always zero. The meta-learned "
            "network is far below 1 inside the family and rises above 1 for fast waves."
        ),
    )


PREDICTIONS = {
    "floor": Prediction(
        "The network trained on everything meets 2,000 new waves, without any support set. What is "
        "its MSE? (Always answering zero costs about 4.)",
        {
            "low": (
                "You trusted the network's size, or its long training. Neither helps: at each x "
                "it must give one answer to tasks that disagree."
            ),
            "high": (
                "It is not that bad. It has found the mean of the tasks, and the mean beats zero."
            ),
            "close": (
                "At each x it must give one answer to tasks that disagree. With more weights or "
                "more training it would still have to."
            ),
        },
        floor,
        number=(0, 6, 0.1),
        unit="MSE",
        tolerance=0.5,
    ),
    "points": Prediction(
        "Draw 100,000 tasks and keep those that pass within 0.3 of all K support points. How far "
        "apart are their answers elsewhere? Measure that by their variance. From which K on is "
        "it below a tenth of what it was with no point?",
        {
            "1": (
                "One point",
                "One point leaves a whole line of tasks: many amplitudes have a phase that "
                "passes through it. A second point picks one of them.",
            ),
            "2": ("Two points", "A task has two unknowns, A and p. Two points are two equations."),
            "4": (
                "Four points",
                "You were careful. But a task has two unknowns, and two points are two "
                "equations. Somebody who does not know the frequency would need about that many.",
            ),
            "more": (
                "More than four",
                "That would be right for somebody who does not know the frequency. Where only A "
                "and p are open, two equations are enough.",
            ),
        },
        points,
    ),
    "training": Prediction(
        "Both networks adapt to ten points of a new wave, with ten steps. Compare their errors "
        "on the query points.",
        {
            "same": (
                "About the same: both have met the same waves",
                "They have met the same waves, and before adapting they are equally good. But "
                "they were asked for different things, and it shows in one step.",
            ),
            "some": (
                "The meta-learned one is ahead, but not by a factor of three",
                "A careful guess. The gap is wider: nobody asked the first network to be easy to "
                "change, and the second was asked for nothing else.",
            ),
            "far": (
                "The error of the meta-learned one is less than a third",
                "Before adapting they are equally good. The second was trained for what comes "
                "after a step, and there it wins.",
            ),
        },
        training,
    ),
    "outside": Prediction(
        "The waves swing twice as fast. The meta-learned network takes one step, as it did while "
        "it was trained. Compare its error with that of always answering zero.",
        {
            "well": (
                "Less than half: it still adapts",
                "It adapts quickly because it expects one frequency. Shown another, it bends the "
                "wave it knows, and that wave is the wrong one.",
            ),
            "bit": (
                "Between half and the same: it helps a little",
                "Ten points carry the news that the wave is faster. But the step was trained to "
                "read them as amplitude and phase, and nothing else.",
            ),
            "harm": (
                "More than answering zero: what it knows does harm",
                "It reads the ten points as news about amplitude and phase, because nothing else "
                "ever varied. Saying nothing would have been better.",
            ),
        },
        outside,
    ),
}
