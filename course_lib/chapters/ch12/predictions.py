"""What readers of chapter 12 predict before they see it, and what is said to each answer."""

from course_lib.chapters.ch12.explorers import COLOUR, WHO
from course_lib.chapters.ch12.study import METHODS, SHOTS, from_counts, stored_score
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
    return Outcome(
        "ahead"
        if gap.mean - gap.half_width > 0.02
        else "behind"
        if gap.mean + gap.half_width < -0.02
        else "level",
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
                "It trains few numbers, but at ten times the rate of fine-tuning, and in the "
                "queries and values of attention, where this model compares a word with the "
                "examples.",
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
