"""What readers of chapter 12 predict before they see it, and what is said to each answer."""

from course_lib import paired
from course_lib.chapters.ch12.explorers import COLOUR, WHO, path
from course_lib.chapters.ch12.line_up import (
    FAMILIES,
    GRID,
    METHODS,
    SHOTS,
    from_counts,
    percent,
    stored_score,
)
from course_lib.chapters.ch12.lora_start import SEEDS, STEPS
from course_lib.chapters.ch12.lora_start import SHOTS as EXAMPLES
from course_lib.classroom import COLOURS, new_figure
from course_lib.classroom.predictions import Outcome, Prediction


def curves(family, title):
    """Accuracy of all methods on a family against the number of examples."""
    figure, axes = new_figure(8, 3.4)
    for i, who in enumerate(WHO):
        s = [stored_score(f"{family}/{shots}/{who}") for shots in SHOTS]
        x = [place + 0.05 * (i - 3) for place in range(4)]
        axes.errorbar(
            x,
            [100 * one.mean for one in s],
            yerr=[100 * one.half_width for one in s],
            fmt="-o",
            ms=4,
            lw=1.5,
            color=COLOURS[COLOUR[who]],
            label=WHO[who],
        )
    axes.axhline(50, color=COLOURS["chance"], ls="--", label="chance")
    axes.set(xticks=range(4), ylim=(40, 103), xlabel="examples", ylabel="accuracy (%)", title=title)
    axes.set_xticklabels(SHOTS)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9)
    return figure


def before_and_after(name, family, shots):
    """The stored scores of a model before and after practice."""
    return [
        stored_score(f"practice/{name}/{when}/{family}/{shots}") for when in ("before", "after")
    ]


def match(seeds, gaps, gap):
    lines = []
    for s, (found, key) in seeds.items():
        a, b = (from_counts(found[f"{key}kinds/32/{who}"]) for who in ("prompt", "soft 20"))
        lines.append(
            f"language model {s}: prompt {100 * a.mean:5.1f} ± {100 * a.half_width:.1f}   soft "
            f"prompt {100 * b.mean:5.1f} ± {100 * b.half_width:.1f}   "
            f"paired {100 * gaps[s].mean:+.1f} ± {100 * gaps[s].half_width:.1f}"
        )
    lines.append(
        f"soft minus prompt, mean of the three: {round(100 * gap.mean, 1) + 0.0:+.1f} ± "
        f"{100 * gap.half_width:.1f} points (40 tasks, chance 50 %)"
    )
    level = abs(gap.mean) + gap.half_width <= 0.02  # the whole interval
    lines.append(f"the whole interval lies within two points: {'yes' if level else 'no'}")
    return Outcome(
        "level" if level else "ahead" if gap.mean > 0 else "behind",
        lines=lines,
    )


def lists():
    first, last = stored_score("lists/4/prompt"), stored_score("lists/32/prompt")
    figure = curves("lists", "Word lists, 40 held-out tasks")
    lines = [
        f"{WHO[who]:26}"
        + "".join(
            f"{shots:4}: {100 * s.mean:5.1f} ± {100 * s.half_width:4.1f}"
            for shots in SHOTS
            for s in [stored_score(f"lists/{shots}/{who}")]
        )
        for who in WHO
    ]
    scratch = [stored_score(f"lists/{shots}/scratch") for shots in SHOTS]
    lines.append(
        f"{'from scratch':26}"
        + "".join(
            f"{shots:4}: {100 * s.mean:5.1f} ± {100 * s.half_width:4.1f}"
            for shots, s in zip(SHOTS, scratch, strict=True)
        )
    )
    return Outcome(
        "falls"
        if last.mean < first.mean - 0.1
        else "rises"
        if last.mean > first.mean + 0.1
        else "steady",
        lines=lines,
        show=figure,
        alt=(
            "Accuracy on word lists against the number of words: the prompt falls towards chance, "
            "most tuning methods stay high."
        ),
    )


def forget(untuned, left, lost, seeds, worst):
    lines = [
        f"untuned                   {100 * untuned.mean:5.1f} ± {100 * untuned.half_width:.1f}"
    ]
    lines += [
        f"{WHO[who]:26}{100 * s.mean:5.1f} ± {100 * s.half_width:.1f}   lost "
        f"{100 * lost[who].mean:5.1f} ± {100 * lost[who].half_width:.1f}, paired"
        f"   rate {METHODS[who].settings['lr']}"
        for who, s in left.items()
    ]
    by_model = [
        100 * from_counts(found[f"{key}kinds/32/lora/others"], 25).mean
        for found, key in seeds.values()
    ]
    lines.append(
        "LoRA, with three language models: " + ", ".join(f"{mean:.1f}" for mean in by_model)
    )
    return Outcome(
        worst,
        lines=lines
        + ["accuracy (%) on 25 prompts of other tasks after each of 40 tasks, chance 50"],
    )


def practice(lines, about):
    unpractised, practised = before_and_after("final, lists", "lists", 32)
    return Outcome(
        "full"
        if practised.mean > 0.95
        else "some"
        if practised.mean > unpractised.mean + 0.05
        else "no",
        lines=lines
        + [
            "40 held-out tasks, chance 50; seconds of practice: "
            + ", ".join(
                f"{name.removeprefix('practice/')} {s:.0f}"
                for name, s in about["seconds"].items()
                if name.startswith("practice")
            )
        ],
    )


def start(table):
    lines = [f"{'steps':24}" + "".join(f"{f'seed {seed}':>16}" for seed in SEEDS) + "  elsewhere"]
    for steps in STEPS:
        for name, found in table.items():
            cells = [f"{100 * s.mean:.1f} ± {100 * s.half_width:.1f}" for s, _ in found[steps]]
            left = sum(100 * there.mean for _, there in found[steps]) / len(SEEDS)
            lines.append(
                f"{steps:3} from {name:15}" + "".join(f"{c:>16}" for c in cells) + f"{left:10.1f}"
            )
    gains = [
        paired(mine, zero)
        for (mine, _), (zero, _) in zip(table["meta-trained"][5], table["zero"][5], strict=True)
    ]
    lines += [
        "after 5 steps, meta-trained minus zero, paired: "
        + ", ".join(f"{100 * d.mean:+.1f} ± {100 * d.half_width:.1f}" for d in gains),
        f"accuracy (%), 40 held-out tasks, {EXAMPLES} examples, chance 50; the prompt has "
        + percent(f"kinds/{EXAMPLES}/prompt"),
    ]
    mean = sum(d.mean for d in gains) / len(gains)
    clear = sum(d.mean > d.half_width for d in gains) >= 2
    return Outcome("more" if clear and mean > 0.05 else "less" if mean < -0.05 else "same",
                   lines=lines)  # fmt: skip


def keep_or_forget():
    """Each method as a curve over its rates: accuracy on the task against accuracy elsewhere, after
    100 steps; the figure, and its alt text."""
    figure, axes = new_figure(9.0, 3.6, mosaic=[list(FAMILIES)])
    shown = {"soft": (20, "support"), "lora": (4, "after"), "adapter": (8, "prototype"),
             "full": ("prompt", "joint")}  # fmt: skip
    for family, one in axes.items():
        for name, (size, colour) in shown.items():
            ends = [path(family, name, size, lr)[:, -1, 0].tolist() for lr in GRID[name][3]]
            own, other = zip(*ends, strict=True)
            label = {"soft": "soft prompt", "full": "all weights"}.get(name, name)
            one.plot(other, own, "-o", ms=5, lw=1.5, color=COLOURS[colour], label=label)
        title = "kinds of words, 8 examples" if family == "kinds" else "word lists, 16 examples"
        one.set(xlim=(38, 104), ylim=(45, 104), title=title)
        one.set_xlabel("other tasks (%); left: higher rates")
    axes["kinds"].set_ylabel("this task (%)")
    axes["kinds"].legend(fontsize=9, loc="lower left")
    return figure, (
        "Two panels, accuracy on the task against accuracy on other tasks after 100 steps, one "
        "curve a method over its four rates, the highest on the left. Soft "
        "prompts stay near 100 percent elsewhere; the others lose much at their higher rates."
    )


PREDICTIONS = {
    "match": Prediction(
        "32 examples, two kinds of words for each label, new words asked. A soft prompt of 20 "
        "vectors, next to the same 32 examples in the prompt?",
        {
            "behind": (
                "Clearly behind: a model this small cannot be steered by vectors",
                "In the paper small models trail by far when they are prompt-tuned. Those face "
                "broad language tasks; here the model only has to bind words that it knows to a "
                "label.",
            ),
            "level": (
                "Level: their difference is within two points",
                "With 32 examples both have seen every kind with its label several times, and "
                "nothing is left to gain.",
            ),
            "ahead": (
                "Clearly ahead: gradients beat reading",
                "Gradients can go on until every example fits. But here the prompt makes hardly "
                "any errors, so there is nothing to be ahead of.",
            ),
        },
        match,
    ),
    "lists": Prediction(
        "The list stands in the prompt, and a word of it is asked. It gets longer, from 4 words "
        "to 32. What does few-shot prompting do?",
        {
            "steady": (
                "It stays near 100 %: the answer stands there to be copied",
                "A person would look the word up. This model looks for words of the same kind as "
                "well, and half of those have the other label.",
            ),
            "falls": (
                "It falls towards chance",
                "The model compares by kind: in its training, words of one kind had one label. "
                "With 4 words, one of each kind, that is enough. The longer the list, the more "
                "words of its kind drown the asked word, and half of them have the other label.",
            ),
            "rises": (
                "It rises: more examples are better",
                "More examples help where they agree. Here each new word of a kind contradicts "
                "half of those before it.",
            ),
        },
        lists,
    ),
    "forget": Prediction(
        "Each method was tuned on 32 examples, with the setting chosen for it. Who loses most on "
        "prompts of other tasks?",
        {
            "soft 20": (
                "Soft prompt: 20 strange vectors stand in front of every prompt",
                "It changes no weight, and the model reads past the vectors to the examples that "
                "stand nearer.",
            ),
            "lora": (
                "LoRA: it changes how the model compares words",
                "It trains few numbers, but at ten times the rate of fine-tuning. At a third of "
                "that rate it keeps nearly everything, and learns lists less well: see below. "
                "Whether its place in the "
                "attention matters too, was not measured.",
            ),
            "adapter": (
                "Adapters: they change what every block says",
                "They stand in every block, but at their rate they move little.",
            ),
            "full": (
                "Fine-tuning: it changes everything",
                "It may change everything, and at its small rate it changes everything by very "
                "little. At another rate it would lose far more: see below.",
            ),
        },
        forget,
    ),
    "start": Prediction(
        "Eight examples, five steps of LoRA at the same rate: from zero, and from a start that was "
        "meta-trained on other tasks. How do they compare on held-out tasks?",
        {
            "same": (
                "About the same: LoRA's zero is already the trained model",
                "Zero is the trained model, and it has no direction prepared. A trained start can "
                "lie where a few steps bind any label to any kind.",
            ),
            "more": (
                "The meta-trained start is ahead",
                "It was trained for exactly this: to be good five steps later. In one of the "
                "three seeds the interval of the lead still holds zero. That is MAML, for "
                "4,608 parameters instead of a whole network.",
            ),
            "less": (
                "The meta-trained start is behind: it has fitted the tasks of its practice",
                "It could have, had it learned what single labels mean. But labels are drawn anew "
                "for each task, so only the way of binding them can be learned.",
            ),
        },
        start,
    ),
    "practice": Prediction(
        "The final model practises on word lists: 300 outer steps on lists with other words and "
        "labels. Then it gets a held-out list of 32 words in its prompt. Before practice it was "
        "at 58 %.",
        {
            "no": (
                "Nothing changes: a list cannot be learned without a gradient step on it",
                "A step on this list is not needed. What has to be learned is how to use a list, "
                "and that is the same for all lists.",
            ),
            "some": (
                "It gets better, and stays clearly below tuning on the list",
                "It goes further than that. To look a word up in the prompt is something that "
                "attention does well, once it has been asked to.",
            ),
            "full": (
                "It gets nearly everything right, by reading",
                "The model had the means to look a word up. It lacked the habit, and practice on "
                "other lists gives it that.",
            ),
        },
        practice,
    ),
}
