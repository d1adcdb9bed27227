"""What readers of chapter 09 predict before they see it, and what is said to each answer."""

import torch

from course_lib.classroom.figures import COLOURS, new_figure
from course_lib.classroom.predictions import Outcome, Prediction
from course_lib.training.evaluation import paired


def learned(after, before, both, counted):
    change = paired(after["held-out domains"], before["held-out domains"])
    figure, axes = new_figure(8, 3.2)
    for part, colour in zip(both, ("joint", "query"), strict=True):
        mean, half = torch.tensor(
            [[100 * s[part].mean, 100 * s[part].half_width] for s in (before, after)]
        ).T
        axes.errorbar([0, 1], mean, yerr=half, fmt="-o", color=COLOURS[colour], label=part)
        axes.plot([0, 1], [100 * counted[part].mean] * 2, ls=":", color=COLOURS[colour])
    axes.axhline(20, color=COLOURS["chance"], ls="--")
    axes.plot([], [], ls=":", color=COLOURS["truth"], label="bag of words")
    axes.set(xlim=(-0.3, 2.0), xticks=(0, 1), ylim=(0, 100), ylabel="accuracy (%), dashed: chance")
    axes.set_xticklabels(["before training", "after"])
    axes.legend(loc="center right")
    lines = [
        f"{part:17} before {before[part].mean:.3f}, after {after[part].mean:.3f} ± "
        f"{after[part].half_width:.3f}   (bag of words {counted[part].mean:.3f})"
        for part in both
    ]
    return Outcome(
        "same" if abs(change.mean) <= change.half_width else "up" if change.mean > 0 else "down",
        lines=[*lines, f"held-out, after minus before, paired: {change}, chance 0.2"],
        show=figure,
        alt=(
            "Accuracy before and after training, on training domains and on held-out ones, beside "
            "a bag of words; chance is 20 %."
        ),
    )


def start(steps):
    share = (steps[0].mean - 0.2) / (steps[-1].mean - 0.2)
    return Outcome(
        "chance" if share < 0.1 else "most" if share > 0.9 else "some",
        lines=[f"after {k} inner steps: {s}" for k, s in enumerate(steps)],
    )


def domain(mixed, one_domain, fall, half):
    lines = [
        f"three domains mixed: {mixed}",
        *(f"{name} alone: {s}" for name, s in one_domain.items()),
    ]
    return Outcome(
        "much" if fall > 0.1 else "some" if fall > half else "none",
        lines=[
            *lines,
            (
                f"mixed minus single: {100 * fall:+.1f} ± {100 * half:.1f} points (other "
                "episodes, so not paired)"
            ),
        ],
    )


def twins(by_shots, right, shown, many):
    lines = [
        f"{shots:2} of each, {label}: {s}"
        for shots, row in by_shots.items()
        for label, s in row.items()
    ]
    lines.append(
        f"20 of each, bag: with the query's twin among the examples {right[shown].mean():.3f}, "
        f"without it {right[~shown].mean():.3f}"
    )
    return Outcome(
        "falls" if many.mean + many.half_width < 0.5 else "rises" if many.mean > 0.55 else "flat",
        lines=lines,
    )


PREDICTIONS = {
    "learned": Prediction(
        "5-way 5-shot. On the training domains accuracy will rise. What does it do on the "
        "held-out domains?",
        {
            "up": (
                "It rises there too, though less",
                "It would, if what it learned were about requests in general. It learned which "
                "words separate the intents of seven domains, and in an eighth these are other "
                "words.",
            ),
            "same": (
                "It stays where it was before training",
                "The vectors of new words stay as they were drawn, so one might think that "
                "nothing happens to new domains. But the correction behind the mean is the same "
                "for all sentences.",
            ),
            "down": (
                "It falls below where it was before training",
                "It learns by heart what tells the training classes apart. What it learned is "
                "then applied to the sentences of other domains, where other words matter.",
            ),
        },
        learned,
    ),
    "start": Prediction(
        "MAML has practised on the training domains. Ask it about the held-out ones before any "
        "inner step. How many queries are right, 5-way?",
        {
            "chance": (
                "About one in five",
                "Classes are numbered anew in each task. Before it has seen the support set, "
                "nobody can know which number luggage has today.",
            ),
            "some": (
                "Clearly more than chance, clearly less than after the inner loop",
                "It has learned something about requests. But an answer is a class number, "
                "reshuffled in each task, and without the support set nobody knows it.",
            ),
            "most": (
                "Nearly as many as after the inner loop",
                "That would be so if the numbers of the classes meant the same in each task. "
                "They are reshuffled, so without the support set there is nothing to go by.",
            ),
        },
        start,
    ),
    "domain": Prediction(
        "Five classes of a single held-out domain instead of a mix of three. What becomes of the "
        "bag's 5-shot accuracy?",
        {
            "much": (
                "It falls by more than ten points: the classes share their subject",
                "The subject alone does not make a class here. Words such as passport or belt "
                "belong to one intent each, even within travel.",
            ),
            "some": (
                "It falls, by less than ten points",
                "Classes of one domain share their subject, and some words with it. But an intent "
                "has words of its own, and most of the accuracy stays. Travel hardly falls at all.",
            ),
            "none": (
                "It stays, or rises",
                "For travel alone that is nearly so. But classes of one domain share their "
                "subject, and banking and city lose some accuracy.",
            ),
        },
        domain,
    ),
    "twins": Prediction(
        "Positive or negative? The bag of words gets 1, 5 or 20 examples of each. What does its "
        "accuracy do?",
        {
            "rises": (
                "It rises with the examples, as always",
                "With intents it did: more examples bring more of the words that an intent is "
                "known by. Here the words are the subject, and each subject has a twin with the "
                "other label.",
            ),
            "flat": (
                "It stays near 50 %: words cannot tell",
                "For single examples that is about right. But with more of them, the twin of the "
                "query is more likely to be in the support set, under the other label.",
            ),
            "falls": (
                "It falls below 50 % as examples are added",
                "With more examples the query's twin is more often among them, under the other "
                "label. It shares its subject, so the bag follows it. The last line splits the "
                "queries by that: a twin is the nearest remark of the other label.",
            ),
        },
        twins,
    ),
}
