"""What readers of chapter 10 predict before they see it, and what is said to each answer."""

from course_lib import paired
from course_lib.chapters.ch10 import readings, tables
from course_lib.chapters.ch10.cells import Cell
from course_lib.classroom.figures import COLOURS, new_figure
from course_lib.classroom.predictions import Outcome, Prediction
from course_lib.training.evaluation import Score

SHOTS = (0, 1, 2, 4, 8, 16)


def effect(one, other):
    """ "better", "worse" or "same": at least 5 points, and beyond the paired interval."""
    difference = paired(one, other)
    large = abs(difference.mean) > max(0.05, difference.half_width)
    return ("better" if difference.mean > 0 else "worse") if large else "same"


def one_shot(curves):
    """Args: curves[reader][ways][shots], a `Score` each."""
    one = curves["model"][2][1]
    half = abs(one.mean - 0.5) < one.half_width + 0.02
    figure, axes = new_figure(8.5, 3.2, mosaic=[["2", "4"]])
    styles = {
        "model": ("-o", "after"), "nearest example": ("--s", "query"),
        "nearest or excluded": (":^", "truth"),
    }  # fmt: skip
    lines = ["accuracy (%), 400 tasks" + "".join(f"{f'k = {k}':>8}" for k in SHOTS)]
    for ways in (2, 4):
        for reader, (form, colour) in styles.items():
            means = [100 * curves[reader][ways][k].mean for k in SHOTS]
            axes[str(ways)].plot(range(6), means, form, color=COLOURS[colour], label=reader)
            lines.append(f"{ways} labels, {reader:20}" + "".join(f"{m:8.1f}" for m in means))
        axes[str(ways)].axhline(100 / ways, color=COLOURS["chance"], ls="--", lw=1, label="chance")
        axes[str(ways)].set(
            xticks=range(6), ylim=(0, 103), title=f"{ways} labels", xlabel="examples",
            ylabel="accuracy (%)",
        )  # fmt: skip
        axes[str(ways)].set_xticklabels(SHOTS)
    axes["4"].legend(loc="lower right", fontsize=8)
    lines.append(f"one example, 2 labels: {one}")
    return Outcome(
        "half" if half else "more" if one.mean > 0.5 else "fewer",
        lines=lines,
        show=figure,
        alt=(
            "Accuracy against examples for two and four labels. The model and the nearest example "
            "lie on each other and rise from chance; a reader that also excludes is far above both "
            "from one example on."
        ),
    )


def short_table(name: str) -> list[str]:
    """Without what divides a preference out, and with the nearest example by last vectors alone."""
    hidden = ("divided out", "input vectors")
    return [line for line in tables.by_shots(name) if not any(word in line for word in hidden)]


def real_shots():
    """Zero against four examples, sentiment, the real model."""
    figure, axes = new_figure(8.5, 2.4, mosaic=[["sentiment", "question"]])
    for name in ("sentiment", "question"):
        one = axes[name]
        found = [readings.score(Cell(name, shots=k)) for k in SHOTS]
        one.errorbar(
            range(6), [s.mean for s in found], [s.half for s in found], fmt="-o", capsize=3,
            color=COLOURS["after"], label="mean over sets, 95 %",
        )  # fmt: skip
        for place, k in enumerate(SHOTS[1:], start=1):
            each = 100 * readings.right(readings.by_sets(Cell(name, shots=k))).mean(1)
            one.plot([place + 0.12] * len(each), each, ".", color=COLOURS["before"],
                     label="one example set" if k == 1 else None)  # fmt: skip
        nearest = [tables.looked_up(name, "last", k).mean for k in SHOTS[1:]]
        one.plot(range(1, 6), nearest, "--s", ms=4, color=COLOURS["query"], label="nearest example")
        one.axhline(50, color=COLOURS["chance"], ls=":", label="chance")
        one.set(xticks=range(6), ylim=(30, 125), xlabel="examples", title=name)
        one.set_yticks(range(40, 101, 20))
        one.set_xticklabels(SHOTS)
    axes["sentiment"].set_ylabel("accuracy (%)")
    axes["sentiment"].legend(loc="upper right", fontsize=8, ncols=2)
    gap = readings.difference(Cell("sentiment", shots=4), Cell("sentiment"))
    return Outcome(
        "up" if gap.mean > gap.half else "down" if gap.mean < -gap.half else "level",
        lines=[
            *short_table("sentiment")[:-1],
            *short_table("question"),
            f"sentiment, 4 examples minus none: {gap.mean:+.1f} ± {gap.half:.1f}",
        ],
        show=figure,
        alt=(
            "Accuracy of the real model against the number of examples, for sentiment and for "
            "question or statement: highest without examples, lower with them, and the example "
            "sets far apart; the nearest example lies below or near."
        ),
    )


def reason():
    """What falls from 0 to 4 examples: the ranking of queries, or the place of the threshold."""
    none, four = Cell("question"), Cell("question", shots=4)
    ranks = readings.ranks_rightly(four) - readings.ranks_rightly(none)
    repaired = readings.score(four, "batch").mean - readings.score(four).mean
    right = "forgets" if ranks < -10 else "one" if repaired > 10 else "copies"
    return Outcome(right, lines=tables.why())


def random_labels():
    """Right against random labels, 8 examples of sentiment, in points."""
    gap = readings.difference(
        Cell("sentiment", shots=8), Cell("sentiment", shots=8, labels="random")
    )
    key = "little" if abs(gap.mean) < 10 else "much" if gap.mean > 0 else "helps"
    return Outcome(key, lines=tables.about_labels())


def order(early):
    """Args: early, `orders_within_tasks` of the early model."""
    lines = [f"{'best and worst order of each task or set':44}{'best':>8}{'worst':>8}{'mean':>8}"]
    found = {}
    for called, pair in {
        "early small model, 40 tasks, 24 orders": early,
        "real model, sentiment, 8 sets, 8 orders": readings.in_all_orders(),
        "the same, preference divided out": readings.in_all_orders("batch"),
    }.items():
        ways = readings.best_and_worst_order(*pair)
        found[called] = Score(ways["best"] - ways["worst"]), Score(ways["best"] - ways["mean"])
        cells = "".join(f"{100 * ways[key].mean():8.1f}" for key in ("best", "worst", "mean"))
        lines.append(f"{called:44}{cells}")
    lines.append("chosen on one half of the query words, scored on the other, in points:")
    for called, (gap, gain) in found.items():
        lines.append(f"{called:44}best - worst {points(gap)}, best - mean {points(gain)}")
    right = early[0].mean(-1)  # (tasks, 24)
    half = len(right) // 2
    place = right[:half].mean(0).argmax()
    across = Score(right[half:, place] - right[half:].mean(1))
    lines.append(f"early model, one order for all tasks, minus mean: {points(across)}")
    gap = next(iter(found.values()))[0]
    large = gap.mean > max(0.05, gap.half_width)
    return Outcome("within" if large else "none", lines=lines)


def points(score: Score) -> str:
    return f"{100 * score.mean:+.1f} ± {100 * score.half_width:.1f}"


def choose():
    """The chosen prompt on the eight queries that chose it, minus on fresh ones, in points."""
    found = readings.choose_prompt(tables.candidates(), 8)
    flattered = round(found["on the labelled"] - found["on fresh ones"], 1)
    return Outcome(flattered, lines=tables.choosing())


PREDICTIONS = {
    "one_shot": Prediction(
        "Two labels, one example, over many held-out tasks. How often does the small model choose "
        "rightly?",
        {
            "more": (
                "In far more than half: a word of another kind must have the other label",
                "A person could reason like that, and so can a rule of one line: see the line "
                "'nearest or excluded'. This model does not exclude. It answers with the label "
                "that it has seen, whatever is asked.",
            ),
            "half": (
                "In about half of the cases, like guessing",
                "It answers with the only label that it has seen. A rule that also excludes has "
                "nearly every task right: the examples told enough, and the model did not use it.",
            ),
            "fewer": (
                "In clearly fewer than half",
                "It is led by the example, but the query has that label in half of the tasks, so "
                "it comes out even.",
            ),
        },
        one_shot,
    ),
    "real_shots": Prediction(
        "Positive or negative? Without examples the real model has about five of six reviews "
        "right. Now show it four reviews with their right labels, two of each. What happens to "
        "its accuracy?",
        {
            "up": (
                "It rises: examples help",
                "That is the promise of the word few-shot. On these tasks this model does worse "
                "with examples than without. Why is the next question.",
            ),
            "level": (
                "It stays, within a few points",
                "The mean hides how far example sets lie apart; and the mean itself falls.",
            ),
            "down": (
                "It falls by ten points or more",
                "It falls, on average over the sets. A prompt with four right examples is a worse "
                "classifier here than a prompt with none.",
            ),
        },
        real_shots,
    ),
    "reason": Prediction(
        "Why does accuracy fall when right examples are shown? Take question or statement.",
        {
            "forgets": (
                "The longer prompt confuses it: it no longer tells questions from statements",
                "Look at 'ranks rightly': in nearly all pairs a question still leans more to "
                "'question'.",
            ),
            "one": (
                "It gives one label for almost everything",
                "Its ranking of the queries is nearly as good as before. What has moved is the "
                "point where one label turns into the other, so one label wins nearly always. "
                "Divide "
                "the preference out, and most of the loss is gone.",
            ),
            "copies": (
                "It answers with the label of the most similar example",
                "A rule of likeness would follow which example is near, and change with the "
                "query. The answers hardly change: one label wins nearly always.",
            ),
        },
        reason,
    ),
    "random_labels": Prediction(
        "Eight examples of sentiment, and now each label is drawn by a coin. How much accuracy "
        "does the real model lose against right labels?",
        {
            "much": (
                "More than ten points: wrong labels teach the wrong task",
                "So one would think of a learner. For sentiment no such loss is to be seen, even "
                "with all labels flipped.",
            ),
            "little": (
                "Fewer than ten points",
                "As in Min et al. (2022). As it is, the interval is wide; divided out, it is "
                "narrow and holds zero, and even flipped labels cost nothing. Question or "
                "statement is another matter: there, divided out, right labels are worth points.",
            ),
            "helps": (
                "It gains: random labels mix more",
                "No gain is to be seen beyond the interval.",
            ),
        },
        random_labels,
    ),
    "order": Prediction(
        "The same four examples in every order, for the early small model. The best and the worst "
        "order of a task are found on one half of its query words. How far apart are they on the "
        "other half?",
        {
            "none": (
                "Not at all, beyond luck: the content counts",
                "Luck is what the second half is for, and the difference is still there. In "
                "*this* task an order is good. In the next task another one is.",
            ),
            "within": (
                "By more than five points",
                "As Lu et al. (2022) found: the same examples, and the order decides. In the real "
                "model, on sentiment, all of it goes through the preference: divided out, nothing"
                " is left. The last line, of the small model: an order copied to the next task "
                "gains nothing.",
            ),
        },
        order,
    ),
    "choose": Prediction(
        "Six prompts for one task. You try all on the same 8 labelled queries, take the best, "
        "and report what it had there. By how many points do you flatter it, on average?",
        {
            "low": (
                "More than that. The best of six noisy numbers is far too good: with eight "
                "queries one lucky answer is 12.5 points."
            ),
            "high": (
                "Less than that: some of the six are truly better, so part of what you saw "
                "was no luck. Luck is the rest."
            ),
            "close": (
                "The largest of several noisy numbers is too large, on average. Fresh queries say"
                " by how much."
            ),
        },
        choose,
        number=(0, 40, 1),
        unit="points",
        tolerance=4,
    ),
}
