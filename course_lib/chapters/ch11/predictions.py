"""What readers of chapter 11 predict before they see it, and what is said to each answer."""

from course_lib.chapters.ch11 import phase as training
from course_lib.classroom.figures import COLOURS, new_figure
from course_lib.classroom.predictions import Outcome, Prediction

SEED_COLOURS = ("after", "theta")


def phase():
    looks, history = training.stored()
    figure, axes = new_figure(9.0, 3.0, mosaic=[["accuracy", "answers", "heads"]])
    lines, widths = [], []
    for (seed, rows), colour in zip(history.items(), SEED_COLOURS, strict=True):
        step, loss, accuracy = rows.T
        flat, done = training.border(rows)
        axes["accuracy"].plot(step, 100 * accuracy, color=COLOURS[colour], label=f"seed {seed}")
        widths.append(done - flat)
        ends = [loss[step == one].item() for one in (flat, done)]
        lines.append(
            f"seed {seed}: last below 60 % at step {flat}, first above 90 % at step {done}; loss "
            f"{ends[0]:.2f} and {ends[1]:.2f}"
        )
    step = history["0"][:, 0]
    for n, (name, colour) in enumerate(
        zip(training.GROUPS, ("after", "support", "theta", "before"), strict=True)
    ):
        axes["answers"].plot(step, looks["0/mean"][:, n], color=COLOURS[colour], label=name)
    for name, colour, label in (
        ("notes", "query", "notes words"), ("finds", "support", "finds labels"),
    ):  # fmt: skip
        best = looks[f"0/{name}"].flatten(1).max(1).values
        axes["heads"].plot(step, best, color=COLOURS[colour], label=label)
    axes["accuracy"].axhline(50, color=COLOURS["chance"], ls="--")
    for name, label in (("accuracy", "accuracy, 8 examples (%)"), ("answers", "probability"),
                        ("heads", "attention, best head")):  # fmt: skip
        axes[name].set(xlabel="training step", ylabel=label)
        axes[name].legend(fontsize=8)
    early = max(rows[rows[:, 0] <= 100][:, 2].max().item() for rows in history.values()) > 0.9
    return Outcome(
        "early" if early else "sudden" if max(widths) <= 200 else "steady",
        lines=lines,
        show=figure,
        alt=(
            "Left, accuracy of two seeds stays near 50 percent and jumps to almost 100. Middle, "
            "probability moves from other words to label words early, and to the right label "
            "late. Right, the best head that notes words rises first, the best finder with the "
            "jump."
        ),
    )


def heads(without, needed, costs, whole):
    figure, axes = new_figure(8.5, 2.8)
    names = [f"{layer + 1}.{head + 1}" for layer, head in without]
    colours = [COLOURS["support" if place in needed else "before"] for place in without]
    mean, half = zip(*((100 * s.mean, 100 * s.half_width) for s in without.values()), strict=True)
    axes.bar(range(12), mean, yerr=half, color=colours, capsize=3)
    axes.axhline(50, color=COLOURS["chance"], ls="--")
    axes.set(
        xticks=range(12),
        ylim=(0, 105),
        xlabel="ablated head (layer.head); dashed: chance",
        ylabel="accuracy (%)",
    )
    axes.set_xticklabels(names)
    small = all(cost.mean < 0.05 for cost in costs.values())
    return Outcome(
        "few" if needed else "none" if small else "each",
        lines=[f"all heads: {whole}"]
        + [f"without {layer + 1}.{head + 1}: {without[layer, head]}" for layer, head in needed],
        show=figure,
        alt=(
            "Twelve bars, accuracy without each head: most are near 100 percent, a few fall far "
            "below."
        ),
    )


def rule(found):
    first = found["not, held-out kinds"]
    lines = [f"{'8 examples':24}" + "".join(f"{who:>17}" for who in first)]
    for name, scores in found.items():
        cells = [f"{100 * s.mean:.1f} ± {100 * s.half_width:.1f}" for s in scores.values()]
        lines.append(f"{name:24}" + "".join(f"{cell:>17}" for cell in cells))
    lines.append("accuracy (%), 400 tasks with one query each, chance 50; after: after practice")
    looked, before = first["nearest example"].mean, first["read, before"].mean
    return Outcome(
        "below" if max(looked, before) < 0.4 else "reads" if before > 0.6 else "chance",
        lines=lines,
    )


def steps(ERRORS, COUNTS):
    figure, axes = new_figure(8.5, 3.3)
    looks = ("-o", "--s", ":^", "-.^", "-^", "-v", ":d")
    colours = ("after", "truth", "theta", "theta", "theta", "support", "joint")
    for (name, scores), form, colour in zip(ERRORS.items(), looks, colours, strict=True):
        medians = [s.per_episode.median().item() for s in scores]
        axes.plot(COUNTS, medians, form, color=COLOURS[colour], label=name)
    axes.set(xscale="log", xticks=COUNTS, yscale="log", xlabel="examples")
    axes.set(ylabel="squared error, median of 500")
    axes.set_xticklabels(COUNTS)
    axes.set_yticks([0.03, 0.1, 0.3, 1])
    axes.set_yticklabels(["0.03", "0.1", "0.3", "1"])
    axes.minorticks_off()
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
    place = COUNTS.index(4)
    own, *others = (scores[place].mean for scores in ERRORS.values())
    gaps = {name: abs(own - one) for name, one in zip(list(ERRORS)[1:], others, strict=True)}
    near = min(gaps, key=gaps.get)
    lines = ["mean squared error" + "".join(f"{f'k = {k}':>17}" for k in (4, 8, 16))]
    for name, scores in ERRORS.items():
        lines.append(
            f"{name:24}" + "".join(f"{s.mean:8.3f} ± {s.half_width:6.3f}" for s in scores[-3:])
        )
    right = {"1 step": "one", "4 steps": "four", "least squares": "least"}
    return Outcome(
        right.get(near, "many"),
        lines=lines,
        show=figure,
        alt=(
            "Median error against the number of examples: the transformer lies close above ridge "
            "and beside sixteen gradient steps; one step stays far higher, and least squares is "
            "poor at four examples."
        ),
    )


PREDICTIONS = {
    "phase": Prediction(
        "How does the accuracy with 8 examples rise from chance during training?",
        {
            "steady": (
                "Steadily, as the loss falls",
                "The loss falls from the start, because form is easy to learn: after a word comes "
                "a separator, then a label. Reading the examples is a skill of its own, and it "
                "comes late and at once.",
            ),
            "early": (
                "At once, in the first hundred steps, before the loss has fallen far",
                "What comes early is form: after a word a separator, then some label. The loss "
                "falls, and the answers are still guesses.",
            ),
            "sudden": (
                "Hardly at all for a long time, then within two hundred steps",
                "A phase change, in both seeds. Form comes first and lowers the loss; a head "
                "that notes words is there early; then a head finds them, and reading is there.",
            ),
        },
        phase,
    ),
    "heads": Prediction(
        "Ablate one of the twelve heads at a time. What happens to the accuracy with 8 examples, "
        "which is near 100 %?",
        {
            "none": (
                "Nothing: the other eleven make up for any one",
                "For most heads that is so. A few are missed at once.",
            ),
            "each": (
                "Each head costs a few points: reading is spread over all",
                "The reading is not spread. Most heads can go without a trace, and a few cannot.",
            ),
            "few": (
                "Most cost nothing, and a few cost more than twenty points each",
                "The reading is done by a chain of a few heads. Break one link, and much of it "
                "is gone.",
            ),
        },
        heads,
    ),
    "rule": Prediction(
        "`any hat : blip`, `any shark : zug`, `no scarf : zug`. Asked: `no carp`. Eight such "
        "examples. How often is the nearest example right, and how often the model as you know "
        "it, which has never seen `no` used like this?",
        {
            "reads": (
                "The nearest example is wrong, and the model reads the rule from the examples",
                "That takes something it never had to do: to use an example whose label is *not* "
                "the answer. It looks for words like the query, as the look-up does.",
            ),
            "chance": (
                "Both are near chance: nothing like the query was shown",
                "Something like it was shown: other fish, and other lines with `no`. Both have "
                "the wrong label, and both methods take one of them.",
            ),
            "below": (
                "Both are far below chance",
                "What is nearest misleads. `any shark` is a fish and `no scarf` says no: both "
                "have the wrong label for `no carp`. Right is blip, which stands in the line least "
                "like it.",
            ),
        },
        rule,
    ),
    "steps": Prediction(
        "Four examples of a regression in four dimensions. The transformer has 4 layers. Whose "
        "error is nearest to its own?",
        {
            "one": (
                "One gradient step, as in the construction",
                "The construction shows what *one* layer can do. This transformer has four, with "
                "softmax and MLPs, and it does better than one step.",
            ),
            "four": (
                "Four gradient steps, one for each layer",
                "That would be the construction, layer by layer. It does better than that too.",
            ),
            "many": (
                "Sixteen steps or ridge, which are hard to tell apart here",
                "With four examples both describe it about equally well, so this test cannot say "
                "which of them it computes, or whether it computes either. With sixteen it errs "
                "more than both.",
            ),
            "least": (
                "Least squares: it fits its examples",
                "With four noisy examples in four dimensions the best fit is a bad answer. The "
                "transformer was trained on answers, and keeps its weights small as ridge does.",
            ),
        },
        steps,
    ),
}
