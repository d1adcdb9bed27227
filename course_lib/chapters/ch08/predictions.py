"""What readers of chapter 08 predict before they see it, and what is said to each answer."""

import torch

from course_lib.chapters.ch08.study import LINE_UP
from course_lib.classroom.figures import COLOURS, new_figure
from course_lib.classroom.predictions import Outcome, Prediction

KIND = dict(
    zip(LINE_UP.values(), ("transfer", "transfer", "both", *["metric"] * 4, "maml"), strict=True)
)
COLOUR = {"transfer": "joint", "both": "prototype", "metric": "query", "maml": "theta"}


def bars(order, scores, title):
    """Accuracy with interval, one row a learner, from the worst to the best."""
    figure, axes = new_figure(8, 3.2)
    for row, label in enumerate(order):
        s, colour = scores[label], COLOURS[COLOUR[KIND[label]]]
        axes.errorbar(100 * s.mean, row, xerr=100 * s.half_width, fmt="o", color=colour)
    axes.set(yticks=range(8), xlim=(18, 100), xlabel="accuracy (%), 95 % interval", title=title)
    axes.set_yticklabels(order)
    axes.axvline(20, color=COLOURS["chance"], ls="--")
    return figure


def winner(order, scores):
    return Outcome(
        KIND[order[-1]],
        lines=[f"{label:14} {scores[label]}" for label in reversed(order)],
        show=bars(order, scores, "Held-out scripts, the same 300 episodes"),
        alt="Accuracy of eight learners on held-out scripts with intervals; chance is 20 %.",
    )


def longer(longer, scores, best, lead, gap):
    lines = [
        f"{label:12} 1000 steps: {100 * scores[label].mean:.1f} ± "
        f"{100 * scores[label].half_width:.1f}   "
        f"4000 steps: {100 * s.mean:.1f} ± {100 * s.half_width:.1f}"
        for label, s in longer.items()
    ]
    lines.append(
        f"Baseline at 4000 minus {best} at 1000, paired: {100 * lead.mean:+.1f} ± "
        f"{100 * lead.half_width:.1f} points"
    )
    lines += [
        (
            f"Siamese minus Baseline, both at {steps}, paired: {100 * d.mean:+.1f} ± "
            f"{100 * d.half_width:.1f} points"
        )
        for steps, d in gap.items()
    ]
    return Outcome(
        "level" if abs(lead.mean) <= lead.half_width else "ahead" if lead.mean > 0 else "behind",
        lines=lines,
    )


def shift(order, falls, before, after, steadiest):
    lines = [
        (
            f"{label:14} {100 * before[label].mean:.1f} to {100 * after[label].mean:.1f}: down by "
            f"{100 * falls[label].mean:.1f} ± {100 * falls[label].half_width:.1f} points"
        )
        for label in sorted(falls, key=lambda label: falls[label].mean)
    ]
    return Outcome(
        KIND[steadiest],
        lines=lines,
        show=bars(order, after, "The same drawings with a broad marker"),
        alt="Accuracy of eight learners on held-out scripts drawn with a marker.",
    )


def alone(by_size, loss):
    figure, axes = new_figure(8, 3.2)
    mean, half = torch.tensor([[100 * s.mean, 100 * s.half_width] for s in by_size.values()]).T
    axes.errorbar(range(6), mean, yerr=half, fmt="-o", color=COLOURS["theta"])
    axes.axhline(20, color=COLOURS["chance"], ls="--")
    axes.set(
        xticks=range(6), ylim=(0, 100), xlabel="queries asked at a time", ylabel="accuracy (%)"
    )
    axes.set_xticklabels(by_size)
    return Outcome(
        "much" if loss.mean > 0.1 else "little" if loss.mean > loss.half_width else "same",
        lines=[f"{size:2} at a time: {score}" for size, score in by_size.items()]
        + [f"all at once minus one by one, paired: {loss}"],
        show=figure,
        alt=(
            "Accuracy of one MAML on the same queries, asked 1, 2, 3, 5, 10 or 25 at a time; "
            "chance is 20 %."
        ),
    )


PREDICTIONS = {
    "winner": Prediction(
        "Same backbone, same drawings, new scripts, one example a class. Who comes first?",
        {
            "transfer": (
                "Plain transfer: Baseline or Baseline++",
                "It comes closer than one might think, without ever having been asked to "
                "compare. At this budget those who practised are still ahead.",
            ),
            "both": (
                "Meta-Baseline: pretraining, then practice",
                "Practice lifts it far above the classifier that it started from. But it had "
                "only half of the steps for practice, and that was not enough to catch up.",
            ),
            "metric": (
                "A metric learner: Prototypical, Matching, Relation or Siamese",
                "They practise on new classes with one example each, which is what they are judged "
                "on; the Siamese network practises on pairs, and is judged on five at once.",
            ),
            "maml": (
                "MAML",
                "It adapts in every task, but a task gives it five drawings and five steps. The "
                "others only compare, which is easier to learn in 1000 steps.",
            ),
        },
        winner,
    ),
    "longer": Prediction(
        "Baseline gets four times the steps. Where does it end, next to the best learner of our "
        "table, which stays at 1000 steps?",
        {
            "behind": (
                "Still behind it",
                "A fair guess from one table. But a classifier of 1250 classes learns slowly, "
                "and a table at 1000 steps had caught it on the way up.",
            ),
            "level": (
                "Level: they cannot be told apart on 300 episodes",
                "It closes the gap and more. A classifier of 1250 classes learns slowly, and at "
                "1000 steps it was on its way up.",
            ),
            "ahead": (
                "Ahead of it",
                "A classifier of 1250 classes learns slowly, and at 1000 steps it was on its way "
                "up. Who stops the race decides who wins it.",
            ),
        },
        longer,
    ),
    "shift": Prediction(
        "Who loses least, in points, when the marker replaces the pen?",
        {
            "transfer": (
                "A plain-transfer learner: its features come from 1250 classes",
                "It trains a new last layer in each task, but f stays as it was, and f is what "
                "no longer fits. More classes of thin lines do not teach thick ones.",
            ),
            "both": (
                "Meta-Baseline: pretraining and practice",
                "Neither pretraining nor practice has shown it a thick line, and in the task "
                "nothing moves.",
            ),
            "metric": (
                "A metric learner: it has nothing to overfit in the task",
                "That holds for some more than for others: compare those that use distances with "
                "those that use angles. But in the task nothing moves.",
            ),
            "maml": (
                "MAML: it can adapt all of its layers to the marker",
                "It adapts, and that may be part of it. Another part: its batch norm takes mean "
                "and variance from the support set, which the same marker has drawn. The others "
                "use averages that were collected with the pen. This experiment does not "
                "separate the two.",
            ),
        },
        shift,
    ),
    "alone": Prediction(
        "Same weights, same support sets, same queries. They come one at a time instead of 25 at "
        "once. What happens to the accuracy?",
        {
            "same": (
                "Nothing: the answer to a query is the answer to a query",
                "It would be, if a query were answered by itself. Batch norm centres each "
                "channel over the batch, and a batch of one picture is centred on that picture.",
            ),
            "little": (
                "It falls by a few points",
                "The direction is right. But the network was trained with 25 queries, five of "
                "each class, and never saw a batch that is one picture.",
            ),
            "much": (
                "It falls by more than ten points",
                "Alone, a picture is normalised with its own pixels: what told it apart from the "
                "average of the batch is subtracted.",
            ),
        },
        alone,
    ),
}
