"""Explorers of chapter 10: what examples in a prompt tell the small language model, and when in its
training it began to read them.

The prompt editor has a file of its own.
"""

from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

import torch
from matplotlib.ticker import FixedFormatter, FixedLocator

from course_lib.chapters.ch10.prompt_editor import MODELS, model, prompt_editor
from course_lib.classroom.explorer import Choice, Explorer, Slider
from course_lib.classroom.figures import COLOURS
from course_lib.episodes import Episode
from course_lib.families.prompt_tokens import KINDS
from course_lib.families.prompt_worlds import ID, TOKENS, Worlds
from course_lib.learners.in_context import InContext
from course_lib.learners.token_prompts import as_prompts
from course_lib.training.evaluation import Score, evaluate

LABELS = ("made-up", "natural names", "names exchanged")
MOST, MEASURED_SHOTS, TASKS = 16, (0, 1, 2, 4, 8, 16), 100


# What do examples tell the model?


@lru_cache
def tasks() -> tuple[Episode, torch.Tensor]:
    """101 held-out tasks of 16 examples and a query, the first for the picture; and (101, 16)
    random numbers: the lowest get wrong labels first."""
    family = Worlds()
    episode = family.sample(TASKS + 1, shots=MOST, queries=1, generator=family.generator(10))
    return episode, torch.rand(TASKS + 1, MOST, generator=torch.Generator().manual_seed(10))


def relabelled(episode: Episode, labels: str) -> Episode:
    """The same tasks with other words as labels: made-up ones, the names of the kinds, or these
    names exchanged."""
    names = episode.hidden["kinds"] + ID[next(iter(KINDS))]
    words = {
        "made-up": episode.names["labels"],
        "natural names": names,
        "names exchanged": names.flip(1),
    }[labels]
    return replace(episode, names=episode.names | {"labels": words})


def spoiled(episode: Episode, order: torch.Tensor, shots: int, percent: int) -> Episode:
    """The tasks with the other label at ``percent`` of the first ``shots`` examples, rounded to
    whole examples (half upwards)."""
    wrong = order[:, :shots].argsort(1).argsort(1) < int(shots * percent / 100 + 0.5)
    y = episode.support_y.clone()
    y[:, :shots] = torch.where(wrong, 1 - y[:, :shots], y[:, :shots])
    return replace(episode, support_y=y)


@lru_cache
def measured(percent: int, name: str, labels: str) -> list[Score]:
    """Accuracy on 100 tasks, one query each, for each number of examples in `MEASURED_SHOTS`. Made
    once for each setting."""
    episode, order = tasks()
    episode, order, scores = relabelled(episode[1:], labels), order[1:], []
    for shots in MEASURED_SHOTS:
        reader = InContext(model(name), shots)
        scores.append(evaluate(reader, spoiled(episode, order, shots, percent)))
    return scores


def read_examples(shots: int, percent: int, name: str, labels: str) -> dict:
    """One task, ``shots`` of its examples with ``percent`` of the labels wrong: what the model
    expects after the query, and accuracy on others."""
    episode, order = tasks()
    one = relabelled(episode[:1], labels)
    changed = spoiled(one, order[:1], shots, percent)
    with torch.no_grad():
        expected = model(name)(as_prompts(changed, shots)[0])[0, -1].softmax(-1)  # (V,)
    words = one.names["labels"][0]
    truth = int(one.query_y[0, 0])
    lines = [
        (f"{TOKENS[x]} : {TOKENS[words[y]]}", bool(y != right))
        for x, y, right in zip(
            changed.support_x[0, :shots, 0],
            changed.support_y[0, :shots],
            one.support_y[0, :shots],
            strict=True,
        )
    ]
    right, other = expected[words[truth]].item(), expected[words[1 - truth]].item()
    return {
        "lines": lines, "query": (
            f"{TOKENS[one.query_x[0, 0, 0]]} :"
        ), "words": (TOKENS[words[truth]], TOKENS[words[1 - truth]]),
        "probabilities": (right, other, max(0.0, 1 - right - other)), "scores": measured(percent,
        name, labels), "shots": shots,
        "percent": percent, "name": name, "labels": labels,
    }  # fmt: skip


def draw_examples(result: dict, axes: dict) -> None:
    prompt, bars, curve = axes["prompt"], axes["bars"], axes["curve"]
    columns = (
        2 if prompt.bbox.width > 1.6 * prompt.bbox.height else 1
    )  # the narrow page stacks low, wide axes
    rows = -(-(MOST + 1) // columns)
    size = min(
        9.0 if columns == 1 else 8.0, 0.8 * 72 * prompt.bbox.height / prompt.figure.dpi / rows
    )  # points, so that all lines fit
    lines = [
        (f"{text}  (wrong)" if wrong else text, COLOURS["support" if wrong else "truth"], "normal")
        for text, wrong in result["lines"]
    ]
    for i, (text, colour, weight) in enumerate(
        [*lines, (f"{result['query']} ?", COLOURS["query"], "bold")]
    ):
        prompt.text(
            0.02 + i // rows / columns,
            i % rows,
            text,
            color=colour,
            weight=weight,
            fontsize=size,
            family="monospace",
            va="center",
        )
    prompt.set(xlim=(0, 1), ylim=(rows - 0.3, -0.7), title="The prompt")
    prompt.xaxis.set_visible(False)
    prompt.yaxis.set_visible(False)
    prompt.spines[:].set_visible(False)
    prompt.grid(False)
    names = (f"{result['words'][0]} (right)", result["words"][1], "all other words")
    bars.barh(
        range(3),
        result["probabilities"],
        height=0.5,
        color=[COLOURS["after"], COLOURS["support"], COLOURS["chance"]],
    )
    for row, (name, p) in enumerate(zip(names, result["probabilities"], strict=True)):
        bars.text(0.01, row - 0.38, f"{name}: {p:.2f}", va="center", fontsize=10)
    bars.set(xlim=(0, 1), ylim=(2.5, -0.65), xlabel="probability", title="The next word")
    bars.yaxis.set_visible(False)
    mean = [100 * score.mean for score in result["scores"]]
    half = [100 * score.half_width for score in result["scores"]]
    curve.axhline(50, color=COLOURS["chance"], ls=":", label="chance, 50 %")
    curve.axvline(place(result["shots"]), color=COLOURS["query"], lw=1.2, label="your prompt")
    curve.errorbar(
        range(len(mean)),
        mean,
        half,
        fmt="-s",
        ms=5,
        capsize=4,
        color=COLOURS["after"],
        label="measured, 95 %",
    )
    curve.set(xlim=(-0.3, 5.3), ylim=(-4, 160))
    curve.xaxis.set_major_locator(
        FixedLocator(range(6))
    )  # set(xticks=...) would make ticks anew in each frame
    curve.xaxis.set_major_formatter(FixedFormatter(list(map(str, MEASURED_SHOTS))))
    curve.yaxis.set_major_locator(FixedLocator(range(0, 101, 25)))
    curve.set(xlabel="examples in the prompt", ylabel="accuracy (%)", title=f"{TASKS} other tasks")
    curve.legend(loc="upper left", fontsize=8, borderaxespad=0.1, labelspacing=0.2)


def place(shots: int) -> float:
    """Where a number of examples lies on an axis with equal steps between 0, 1, 2, 4, 8 and 16."""
    for i, (low, high) in enumerate(pairwise(MEASURED_SHOTS)):
        if shots <= high:
            return i + (shots - low) / (high - low)
    raise ValueError(f"shots={shots}: the axis ends at {MOST}")


def what_examples_tell() -> Explorer:
    """Number of examples, wrong labels, model and label words: the next word in one task, and
    accuracy in a hundred others."""

    def number(result):
        right, other, _ = result["probabilities"]
        wrong = sum(wrong for _, wrong in result["lines"])
        nearest = min(
            range(len(MEASURED_SHOTS)), key=lambda i: abs(MEASURED_SHOTS[i] - result["shots"])
        )
        score = result["scores"][nearest]
        return (
            f"{result['shots']} examples, {wrong} with a wrong label: the model gives "
            f"{result['words'][0]!r} {right:.0%} and {result['words'][1]!r} {other:.0%}. With "
            f"{MEASURED_SHOTS[nearest]} examples and {result['percent']} % wrong, it chooses "
            f"right in {100 * score.mean:.0f} ± {100 * score.half_width:.0f} % of {TASKS} other "
            "tasks (chance 50 %)."
        )

    def alt(result):
        right, other, rest = result["probabilities"]
        curve = ", ".join(f"{100 * score.mean:.0f}" for score in result["scores"])
        return (
            f"A prompt of {result['shots']} examples and the query {result['query']!r}. Three "
            f"bars: {result['words'][0]}, which is right, {right:.2f}; "
            f"{result['words'][1]}, {other:.2f}; all other words, {rest:.2f}. A curve of accuracy "
            f"with 0, 1, 2, 4, 8 and 16 examples: {curve} percent."
        )

    return Explorer(
        question="What do examples tell the model?",
        compute=read_examples,
        draw=draw_examples,
        controls=[
            Slider("shots", "examples", 0, MOST, 1, value=8),
            Slider("percent", "wrong labels (%)", 0, 100, 25, value=0),
            Choice("name", "model", tuple(MODELS), "final"),
            Choice("labels", "labels", LABELS, "made-up"),
        ],
        number=number,
        alt=alt,
        size=(9.0, 3.8),
        mosaic=[["prompt", "bars", "curve"]],
    )


EXPLORERS = (prompt_editor, what_examples_tell)
