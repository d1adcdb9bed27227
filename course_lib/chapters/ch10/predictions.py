"""What readers of chapter 10 predict before they see it, and what is said to each answer."""


from course_lib import paired
from course_lib.classroom.figures import COLOURS, new_figure
from course_lib.classroom.predictions import Outcome, Prediction


def told(found):
    """One line a way to write the prompts, one column a model."""
    lines = [" " * 42 + "".join(f"{when:>20}" for when in found)]
    for way in found["early"]:
        cells = [
            f"{100 * s[way].mean:13.1f} ± {100 * s[way].half_width:4.1f}" for s in found.values()
        ]
        lines.append(f"{way:42}" + "".join(cells))
    return lines


def effect(one, other):
    """ "better", "worse" or "same": at least 5 points, and beyond the paired interval."""
    difference = paired(one, other)
    large = abs(difference.mean) > max(0.05, difference.half_width)
    return ("better" if difference.mean > 0 else "worse") if large else "same"


def one_shot(curves, echoes):
    one = curves[2][1]
    return Outcome(
        "half"
        if abs(one.mean - 0.5) < one.half_width + 0.02
        else "more"
        if one.mean > 0.5
        else "fewer",
        lines=[
            f"no example:  {curves[2][0]}",
            f"one example: {one}",
            (
                f"with one example, the label shown in it was chosen in {100 * echoes:.0f} % of "
                "the tasks"
            ),
        ],
    )


def four(curves, ceilings, SHOTS):
    figure, axes = new_figure(8.5, 3.0)
    for ways, colour in ((2, "query"), (4, "support")):
        mean, half = zip(
            *((100 * s.mean, 100 * s.half_width) for s in curves[ways].values()), strict=True
        )
        axes.errorbar(
            range(6), mean, half, fmt="-o", capsize=3, color=COLOURS[colour], label=f"{ways} labels"
        )
        axes.plot(
            range(6),
            [100 * c for c in ceilings[ways]],
            ":",
            color=COLOURS[colour],
            label="right label is shown" if ways == 4 else None,
        )
        axes.axhline(100 / ways, color=COLOURS["chance"], ls="--", lw=1)
    axes.set(
        xticks=range(6),
        ylim=(0, 103),
        xlabel="examples in the prompt (dashed: chance)",
        ylabel="accuracy (%)",
    )
    axes.set_xticklabels(SHOTS)
    axes.legend(loc="lower right")
    lines = [
        f"4 labels, {k:2} examples: {s}   label shown: {c:.3f}"
        for (k, s), c in zip(curves[4].items(), ceilings[4], strict=True)
    ]
    return Outcome(
        100 * curves[4][4].mean,
        lines=lines,
        show=figure,
        alt=(
            "Accuracy against the number of examples for two and for four labels, with intervals; "
            "from one example on each curve coincides with the share of queries whose label is "
            "shown."
        ),
    )


def wrong(found):
    mean = found["end of training"]["8 of 8 labels wrong"].mean
    return Outcome(
        "high" if mean > 0.9 else "zero" if mean < 0.1 else "half",
        lines=["accuracy (%), chance 50"] + told(found),
    )


def exchanged(found):
    follows = {
        when: scores["names of the kinds, exchanged"].mean > 0.5 for when, scores in found.items()
    }
    end_follows, early_follows = follows.values()
    return Outcome(
        "both"
        if end_follows and early_follows
        else "end"
        if end_follows
        else "early"
        if early_follows
        else "none",
        lines=["accuracy (%), chance 50"] + told(found),
    )


def form(RESULTS):
    one_form, mixed = RESULTS["consistency"]["end of training"].values()
    alone, _, ramble = RESULTS["conciseness"]["end of training"].values()
    costs_form, costs_words = effect(one_form, mixed) == "better", effect(alone, ramble) == "better"
    return Outcome(
        {(1, 1): "both", (1, 0): "separators", (0, 1): "chatter", (0, 0): "neither"}[
            costs_form, costs_words
        ],
        lines=["accuracy (%), chance 50"]
        + told(RESULTS["consistency"])
        + told(RESULTS["conciseness"]),
    )


def diversity(found):
    both_kinds, one_kind = found["end of training"].values()
    at_chance = abs(one_kind.mean - 0.5) <= one_kind.half_width
    return Outcome(
        "same" if effect(both_kinds, one_kind) != "better" else "chance" if at_chance else "some",
        lines=["accuracy (%), chance 50"] + told(found),
    )


def relevance(found):
    other_kind = found["end of training"]["of the other kind with its label"]
    return Outcome(100 * other_kind.mean, lines=["accuracy (%), chance 50"] + told(found))


def order(RESULTS, decided):
    spread = {
        when: scores["best order"].mean - scores["worst order"].mean
        for when, scores in RESULTS["order"].items()
    }
    end_wide, early_wide = (gap > 0.1 for gap in spread.values())
    return Outcome(
        "both"
        if end_wide and early_wide
        else "end"
        if end_wide
        else "early"
        if early_wide
        else "neither",
        lines=["accuracy (%), chance 50"]
        + told(RESULTS["order"])
        + ["queries that some orders answer rightly and others wrongly:"]
        + [
            f"   {when:16} {100 * s.mean:.1f} ± {100 * s.half_width:.1f} %"
            for when, s in decided.items()
        ],
    )


def balance(found):
    majority = found["early"]["3 of 4 examples"].mean
    return Outcome(
        "more" if majority > 0.6 else "less" if majority < 0.4 else "half",
        lines=["share of answers with the first label (%), 50 would be even"] + told(found),
    )


def instruction(found, asked_again):
    follow = asked_again["end of training"]["of the contradicted kind"]
    clear = abs(follow.mean - 0.5) > max(0.1, follow.half_width)
    return Outcome(
        "half" if not clear else "instruction" if follow.mean > 0.5 else "example",
        lines=["one contradicting example: answers that follow the instruction (%)"]
        + told(asked_again)
        + [
            (
                "right answers (%), chance 50; by the examples, or by the instruction where they "
                "contradict it"
            )
        ]
        + told(found),
    )


PREDICTIONS = {
    "one_shot": Prediction(
        "Two labels, one example, over many held-out tasks. How often does the model choose "
        "rightly?",
        {
            "more": (
                "In far more than half: a word of another kind must have the other label",
                "A person could reason like that, and would nearly always be right. This model "
                "does not exclude: it answers with the label that it has seen, whatever is asked.",
            ),
            "half": (
                "In about half of the cases, like guessing",
                "It answers with the only label that it has seen, whatever is asked. One example "
                "shows the form of an answer, and says nothing of the other label.",
            ),
            "fewer": (
                "In clearly fewer than half",
                "It is led by the example, but the query has that label in half of the tasks, so "
                "it comes out even.",
            ),
        },
        one_shot,
    ),
    "four": Prediction(
        "Four labels, four examples drawn at random. How often does it choose the right one of "
        "the four?",
        {
            "low": (
                "It reads better than that. What limits it is the luck of the draw: in a good "
                "part of the prompts the right label is not among the examples."
            ),
            "high": (
                "Four examples need not show all four labels. Often one is missing, and this "
                "model answers only with labels that it has seen."
            ),
            "close": (
                "Close to the share of prompts in which the right label is shown at all: the "
                "dotted line, which the curve all but covers."
            ),
        },
        four,
        number=(0, 100, 1),
        unit="%",
        tolerance=6,
    ),
    "wrong": Prediction(
        "Eight examples, and in all of them the two made-up labels are exchanged. How often does "
        "the model give the label that is right in the task?",
        {
            "high": (
                "Still above 90 %: the format of the examples is what counts",
                "That is what Min et al. (2022) measured in twelve large models with natural "
                "labels: random labels cost them few points. With made-up labels there is "
                "nothing to fall back on.",
            ),
            "half": (
                "About half: it no longer knows what to believe",
                "Half is what it gets when half of the labels are wrong. When all are wrong, the "
                "examples agree with each other, and it follows them.",
            ),
            "zero": (
                "Hardly ever: it follows the examples",
                "The examples are its only source, so it does what they say. With half of the "
                "labels wrong it is at chance.",
            ),
        },
        wrong,
    ),
    "exchanged": Prediction(
        "Which of the two models follows the examples against what it believes, in most cases?",
        {
            "both": (
                "Both: examples beat beliefs",
                "One of them does not: it has learned what a dog is before it has learned to "
                "read examples.",
            ),
            "end": (
                "Only the model at the end of training",
                "Beliefs come first in training, reading later. The early model answers with "
                "what it believes; the final one reads.",
            ),
            "early": (
                "Only the early model: its beliefs are weaker",
                "It is the other way round: naming kinds is learned before reading examples. The "
                "early model has the beliefs, and reads only in part.",
            ),
            "none": (
                "Neither: dog stays an animal",
                "True of the early model, in most tasks. The final one has had time to learn "
                "from prompts in which names of kinds stand for something else.",
            ),
        },
        exchanged,
    ),
    "form": Prediction(
        "What costs the model at least five points?",
        {
            "both": (
                "Both: mixed separators and chatter",
                "A sensible habit, without effect here. In training, separators changed from "
                "prompt to prompt, and half of the prompts began with random words.",
            ),
            "separators": (
                "Only mixed separators",
                "In training a prompt had one separator, and the next prompt another. The model "
                "seems to take any of them as a separator: a mixture, which it never saw, does "
                "no harm.",
            ),
            "chatter": (
                "Only chatter",
                "In training half of the prompts began with random words, so the model learned "
                "to pass over them.",
            ),
            "neither": (
                "Neither",
                "In training, separators changed from prompt to prompt, and half of the prompts "
                "began with random words. The model learned not to rely on either.",
            ),
        },
        form,
    ),
    "diversity": Prediction(
        "How accurate is the model when the examples show only one kind of each label?",
        {
            "same": (
                "As accurate: eight examples are eight examples",
                "They do not show the other kind, and it does not follow from the first: that a "
                "dog is *blip* says nothing about a pear.",
            ),
            "some": (
                "Clearly less accurate, and still clearly above chance",
                "Queries of a kind that was shown are read well. For the others nothing in the "
                "prompt helps, and half of the guesses are right.",
            ),
            "chance": (
                "At chance",
                "Half of the queries are of a kind that was shown, and those are still answered "
                "rightly.",
            ),
        },
        diversity,
    ),
    "relevance": Prediction(
        "How accurate is the model with examples of the other kind only?",
        {
            "low": (
                "It has no reason to be wrong either. The query is like neither label's "
                "examples, so it guesses."
            ),
            "high": (
                "The label is shown, but only beside words of another kind. Nothing connects "
                "them with the query."
            ),
            "close": (
                "Chance. A support set helps with what it shows, and here it shows another kind."
            ),
        },
        relevance,
        number=(0, 100, 1),
        unit="%",
        tolerance=8,
    ),
    "order": Prediction(
        "Best order minus worst order, chosen on 100 tasks and scored on 100 others. For which "
        "model is that more than ten points?",
        {
            "both": (
                "For both",
                "Averaged over tasks, no order is much better than another. That hides the early "
                "model's single answers: read the last lines.",
            ),
            "early": (
                "Only for the early model",
                "Averaged over tasks it is not. But the early model's single answers do hang on "
                "the order: read the last lines.",
            ),
            "end": (
                "Only for the model at the end",
                "It is the one that reads best, and hardly any answer of it hangs on the order.",
            ),
            "neither": (
                "For neither",
                "On average no order stands out. Single answers of the early model still hang on "
                "the order, and one task with one order is all that a user sees.",
            ),
        },
        order,
    ),
    "balance": Prediction(
        "How often does the early model answer with the first label?",
        {
            "half": (
                "In about half of the cases",
                "The model at the end manages that. The early one counts labels more than it "
                "compares words.",
            ),
            "more": (
                "In more than 60 %: it goes with the majority",
                "A **majority bias**: Zhao et al. (2021) describe it for GPT-3, beside a bias "
                "towards recent examples and one towards common words.",
            ),
            "less": (
                "In less than 40 %: it evens things out",
                "It goes with the majority. Nothing in its training asks for evened-out answers.",
            ),
        },
        balance,
    ),
    "instruction": Prediction(
        "Whom does the model at the end follow, when it is asked for another animal?",
        {
            "instruction": (
                "The instruction, in most tasks: it is said in so many words",
                "It follows it about tools, of which nothing contradicts. About animals, one "
                "line against one line is a toss-up.",
            ),
            "half": (
                "Neither clearly: about half and half",
                "One line against one line is a toss-up. About tools, which nothing contradicts, "
                "it follows the instruction throughout.",
            ),
            "example": (
                "The example, in most tasks: it is the last word on animals",
                "One example is not enough for that. With four contradicting examples it is: see "
                "the last line.",
            ),
        },
        instruction,
    ),
}
