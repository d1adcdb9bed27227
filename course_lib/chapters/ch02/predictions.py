"""What readers of chapter 02 predict before they see it, and what is said to each answer."""

import torch

from course_lib.chapters.ch01.explorers import floor_of
from course_lib.classroom.figures import COLOURS, new_figure
from course_lib.classroom.predictions import Outcome, Prediction
from course_lib.families import Sinusoids


def alpha(losses):
    figure, axes = new_figure(8, 3.2)
    for alpha, style in zip(losses, (":", "-", "--", "-."), strict=True):
        axes.semilogy(losses[alpha], style, label=f"alpha = {alpha}")
    axes.set(xlabel="inner step", ylabel="support loss", ylim=(1e-4, 300))
    axes.legend(ncols=4, loc="upper center")
    first, late = losses[0.5][0], losses[0.5][-30:]
    measured = (
        "bounces"
        if max(late) > first > min(late)
        else "explodes"
        if min(late) > first
        else "faster"
    )
    return Outcome(
        measured,
        lines=[
            (
                f"alpha {a:4}: first {l[0]:.2f}, lowest {min(l):.3f}, then in the last 30 steps "
                f"{min(l[-30:]):.2f} to {max(l[-30:]):.2f}"
            )
            for a, l in losses.items()  # noqa: E741
        ],
        show=figure,
        alt=(
            "Support loss over 60 steps for four values of alpha. It falls slowly at 0.01 and "
            "fast at 0.1; at 0.3 it falls and then rises again; at 0.5 it jumps up and down."
        ),
    )


ZERO, BEST_CURVE = floor_of(Sinusoids())  # MSE over all tasks, without adapting


def yardsticks(axes) -> None:
    """Two lines that need no learning."""
    label = f"always answer 0: {ZERO:.2f}"
    axes.axhline(ZERO, color=COLOURS["chance"], ls="--", lw=1, label=label)
    label = f"best single curve: {BEST_CURVE:.2f}"
    axes.axhline(BEST_CURVE, color=COLOURS["truth"], ls=":", lw=1, label=label)


def start(scores, best):
    pretrained = scores["joint training"][10].mean
    figure, axes = new_figure(8, 3.2)
    for (name, steps), colour in zip(
        scores.items(), (COLOURS["before"], COLOURS["joint"]), strict=True
    ):
        mean, half = torch.tensor([[s.mean, s.half_width] for s in steps]).T
        axes.plot(mean, "-o", color=colour, label=name)
        axes.fill_between(range(11), mean - half, mean + half, color=colour, alpha=0.25, lw=0)
    yardsticks(axes)
    axes.set(xlabel="inner step", ylabel="query MSE (95% interval)", ylim=(0, 5))
    axes.legend(ncols=2)
    lines = [
        f"{n:14} alpha {best[n]:5}: before {s[0]}\n{'':14}     after 10 steps: {s[10]}"
        for n, s in scores.items()
    ]
    lines.append(f"over all tasks: always 0 {ZERO:.2f}, best single curve {BEST_CURVE:.2f}")
    return Outcome(
        "solved" if pretrained < 1 else "some" if pretrained < 2.5 else "none",
        lines=lines,
        show=figure,
        alt=(
            "Query error over ten inner steps. The untrained start stays near 4; the jointly "
            "trained one begins near 3 and falls to about 2."
        ),
    )


def shots(results):
    figure, axes = new_figure(8, 3)
    mean, half = zip(*((score.mean, score.half_width) for score in results.values()), strict=True)
    axes.errorbar(list(results), mean, half, fmt="-o", color=COLOURS["query"], capsize=3)
    yardsticks(axes)
    axes.set(
        xscale="log",
        xlabel="shots K",
        ylabel="query MSE after 10 steps",
        ylim=(0, 8),
        xticks=list(results),
        xticklabels=list(results),
    )
    axes.minorticks_off()
    axes.legend()
    last = results[100].mean
    return Outcome(
        "solves" if last < 0.5 else "helps" if last < results[5].mean - 0.2 else "nothing",
        lines=[f"{shots:3d} shots: {score}" for shots, score in results.items()],
        show=figure,
        alt=(
            "Query error after ten steps against the number of shots for an untrained network: it "
            "falls from above 5 to between 2 and 4, never near zero."
        ),
    )


PREDICTIONS = {
    "alpha": Prediction(
        "At alpha = 0.1 the support loss falls smoothly. What happens at alpha = 0.5, five times "
        "larger?",
        {
            "faster": (
                "It falls five times faster",
                "You scaled the step and expected the progress to scale with it. That holds "
                "while the ground is straight. Here it curves, and a long step lands on the "
                "other side of the valley.",
            ),
            "bounces": (
                "It falls at first, then jumps about and never settles",
                "The valley is curved. A step that is too long lands on the far slope, and the "
                "next one jumps back.",
            ),
            "explodes": (
                "It grows without bound from the first step",
                "At 0.5 it is the phase that overshoots, and a wrong phase costs no more than "
                "the two heights together. So the loss jumps about. A much longer step blows up "
                "A as well: at alpha = 3 you would be right.",
            ),
        },
        alpha,
    ),
    "start": Prediction(
        "The jointly trained network takes 10 inner steps at its best alpha. Where does its "
        "query error end? (Always answering 0 scores 4.25.)",
        {
            "solved": (
                "Below 1: it already knows what sine waves look like",
                "You expected knowledge of many sine waves to make the next one easy. It was "
                "trained to be right on all of them at once, and the best it can do is their "
                "average. The average of many waves fits none of them.",
            ),
            "some": (
                "Between 1 and 2.5: it helps, but the task is not learned",
                "It starts at the best single curve and improves by about a third. Half of what "
                "the untrained network gets wrong is still wrong.",
            ),
            "none": (
                "Above 2.5: the steps gain next to nothing",
                "It does gain something: its error falls by about a third. But the task is still "
                "far from learned.",
            ),
        },
        start,
    ),
    "shots": Prediction(
        "The untrained network gets 100 points instead of 5, and 10 steps at alpha = 0.01. What "
        "happens to its query error?",
        {
            "solves": (
                "It falls below 0.5: enough points, enough information",
                "The information is there: a hundred points pin the wave down. Ten short steps "
                "from a random start cannot use it.",
            ),
            "helps": (
                "It falls, but stays far from solved",
                "More points stop the over-fitting, but ten short steps from a random start do "
                "not get far enough to use them.",
            ),
            "nothing": (
                "It does not change",
                "More points do help. They stop the curve from swinging wildly between them. Ten "
                "steps are still too few.",
            ),
        },
        shots,
    ),
}
