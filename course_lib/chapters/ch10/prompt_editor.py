"""A prompt that readers edit: what the small language model expects next, and where one head looks
for it.

reading = compute("dog : blip\\nsaw : zug\\ncow :")
reading.best[0]  # the most probable next word and its probability
prompt_editor()  # the same to type into
"""

import textwrap
from dataclasses import dataclass
from functools import lru_cache

import torch
from matplotlib.collections import PolyCollection
from matplotlib.ticker import FixedLocator, PercentFormatter
from torch import Tensor

from course_lib.classroom.explorer import Choice, Explorer, Text
from course_lib.classroom.figures import COLOURS
from course_lib.classroom.quick import write
from course_lib.classroom.tokens import Token, draw_tokens, drawable
from course_lib.families.prompt_worlds import ID, TOKENS, encode
from course_lib.language_models.tiny_gpt import TinyGPT

# Silencing head 4 of layer 3 costs most among the heads that see every distance alike: accuracy
# with 8 examples of 2 labels falls from
# 0.997 to 0.723 +- 0.051 (300 held-out tasks, chance 0.5). Heads 1 of layers 1 and 2 cost more (to
# 0.647 +- 0.054 and 0.547 +- 0.056) but look nearby only.
LAYER, HEAD = 3, 4
MOST = 72  # tokens: the length of the training prompts
LETTERS = 2000  # characters: far more than 72 tokens need
SHOWN = 8
LONGEST = 30  # letters in a word; the longest known one has 13
HEADS = {
    f"layer {layer}, head {head}": (layer, head) for layer, head in ((3, 4), (3, 3), (2, 1), (1, 1))
}
MODELS = {"final": "tiny_gpt", "early": "tiny_gpt_early"}
NAMES = {"\n": "(end of line)", "": "(nothing)"}

EXAMPLES = {
    "2 labels, 4 examples": "dog : blip\nhammer : zug\nhorse : blip\nsaw : zug\ncow :",
    "flipped labels": "dog : zug\nhammer : blip\nhorse : zug\nsaw : blip\ncow :",
    "1 example": "dog : blip\ncow :",
    "instruction, no examples": "animal means blip , tool means zug .\ncow :",
    "instruction against examples": (
        "animal means blip , tool means zug .\ndog : zug\nhammer : blip\nhorse : zug\nsaw : "
        "blip\ncow :"
    ),
}


@dataclass(frozen=True)
class Reading:
    """What the model makes of a prompt of L tokens, or why it cannot read it.

    Args:
        tokens: L token texts.
        attention: (L,) how much the last token looks at each token, in one head; sums to 1.
        probabilities: (V,) of the next token, by token id.
        lines: for each line of the prompt, its text and the summed attention on it. The end of a
            line belongs to that line.
        problem: a sentence for the reader; empty when the prompt could be read. With a problem, all
            else is empty.
    """

    tokens: tuple[str, ...] = ()
    attention: Tensor = torch.empty(0)
    probabilities: Tensor = torch.empty(0)
    lines: tuple[tuple[str, float], ...] = ()
    problem: str = ""

    @property
    def best(self) -> list[tuple[str, float]]:
        """The most probable next words with their probabilities, at most 8; end of line has a name
        in brackets."""
        top = self.probabilities.topk(min(SHOWN, len(self.probabilities)))
        return [
            (NAMES.get(TOKENS[i], TOKENS[i]), p)
            for p, i in zip(top.values.tolist(), top.indices.tolist(), strict=True)
        ]


@lru_cache
def model(name: str = "final") -> TinyGPT:
    """The shipped model at the end of training, "final", or in the middle of the phase change,
    "early": loaded once, when first asked for."""
    from course_lib.language_models.tiny_gpt import shipped_model

    return shipped_model(MODELS[name])


@torch.no_grad()
def compute(prompt: str, layer: int = LAYER, head: int = HEAD, name: str = "final") -> Reading:
    """Read a prompt.

    Args:
        prompt: words with spaces between them, on any number of lines.
        layer, head: whose attention to report, counted from 1.
        name: of the model, as in `MODELS`.

    Raises:
        ValueError: there is no such layer or head. What is wrong with the prompt is said in
            `Reading.problem` instead.
    """
    size = model(name).size
    if not (1 <= layer <= size.layers and 1 <= head <= size.heads):
        raise ValueError(
            f"layer={layer}, head={head}: choose layer 1 to {size.layers} and head 1 to "
            f"{size.heads}"
        )
    if not prompt.strip():
        return Reading(problem="The prompt is empty: write a word.")
    if len(prompt) > LETTERS:
        return Reading(
            problem=(
                f"The prompt has {len(prompt)} letters, and at most {LETTERS} fit: delete some "
                "lines."
            )
        )
    prompt = prompt.replace("\r\n", "\n").replace("\t", " ")
    if long := next((word for word in prompt.split() if len(word) > LONGEST), None):
        return Reading(
            problem=(
                f"The small model has never seen {long[:LONGEST]!r}... with its {len(long)} "
                "letters."
            )
        )
    try:
        ids = encode(prompt)
    except ValueError as error:
        told = str(error)
        return Reading(problem=told[0].upper() + told[1:] + ("" if told.endswith("?") else "."))
    if len(ids) > MOST:
        return Reading(
            problem=(
                f"The prompt has {len(ids)} tokens, and the model was trained on {MOST}: delete "
                "some examples."
            )
        )
    scores, looks = model(name).look(torch.tensor([ids]))
    attention = looks[layer - 1][0, head - 1, -1]
    return Reading(
        tuple(TOKENS[i] for i in ids), attention, scores[0, -1].softmax(-1), by_line(ids, attention)
    )


def by_line(ids: list[int], attention: Tensor) -> tuple[tuple[str, float], ...]:
    """The text of each line and the attention on its tokens, its end included: the sums add up to
    all of it."""
    lines, words, total = [], [], 0.0
    for i, share in zip(ids, attention.tolist(), strict=True):
        total += share
        if i == ID["\n"]:
            lines.append((" ".join(words), total))
            words, total = [], 0.0
        else:
            words.append(TOKENS[i])
    return (*lines, (" ".join(words), total)) if words else tuple(lines)


# The explorer


def read(prompt: str, head: str, name: str) -> dict:
    """The reading of a prompt, with what it was asked for: a head by its name in `HEADS`, a model
    by its name in `MODELS`."""
    return {
        "prompt": prompt,
        "reading": compute(prompt, *HEADS[head], name),
        "head": head,
        "name": name,
    }


def shaded(reading: Reading) -> list[list[Token]]:
    """The tokens of each line; the deeper the shade, the more attention. The last token, which
    looks, has a frame; the end of a line is an arrow."""
    lines, last = [[]], len(reading.tokens) - 1
    for place, (text, share) in enumerate(
        zip(reading.tokens, reading.attention.tolist(), strict=True)
    ):
        lines[-1].append(
            Token(
                "↵" if text == "\n" else text, share**0.5, COLOURS["query"] if place == last else ""
            )
        )
        if text == "\n" and place < last:
            lines.append([])
    return lines


def unread(prompt: str) -> list[list[Token]]:
    """A prompt that cannot be read, with frames around the words that the model does not know."""
    lines = prompt.replace("\r\n", "\n").replace("\t", " ").split("\n")
    return [
        [
            Token(word, mark="" if word in ID else COLOURS["support"])
            for word in line.split(" ")
            if word
        ]
        for line in lines
    ]


def draw(result: dict, axes: dict) -> None:
    reading, prompt, bars = result["reading"], axes["prompt"], axes["next"]
    if reading.problem:
        draw_tokens(prompt, unread(result["prompt"]))
        prompt.set_title("The prompt, which the model cannot read")
        bars.text(
            0,
            0.9,
            textwrap.fill(drawable(reading.problem), 36),
            va="top",
            size=12,
            color=COLOURS["support"],
            parse_math=False,
        )
        bars.set(xlim=(0, 1), ylim=(0, 1))
        bars.set_axis_off()
        return
    draw_tokens(prompt, shaded(reading), [f"{share:.0%}" for _, share in reading.lines])
    prompt.set_title("Where the last token (framed) looks")
    best = reading.best
    shapes = [
        [(0, row - 0.35), (p, row - 0.35), (p, row + 0.35), (0, row + 0.35)]
        for row, (_, p) in enumerate(best)
    ]
    bars.add_collection(
        PolyCollection(shapes, facecolors=COLOURS["after"]), autolim=False
    )  # far quicker than barh
    for row, (word, p) in enumerate(best):
        write(bars, -0.03, row, word, ha="right", va="center", size=10)
        write(bars, p + 0.02, row, f"{p:.1%}", va="center", size=10)
    bars.set(
        xlim=(-0.55, 1.2),
        ylim=(SHOWN - 0.4, -0.6),
        xlabel="probability",
        title=f"The next word ({result['name']} model)",
    )
    bars.xaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
    bars.xaxis.set_major_formatter(PercentFormatter(1.0))
    bars.yaxis.set_visible(False)
    bars.spines["left"].set_visible(False)


def most_seen(reading: Reading) -> tuple[int, str, float]:
    """The line that gets most attention: its number from 1, its text and its share."""
    place = max(range(len(reading.lines)), key=lambda i: reading.lines[i][1])
    return place + 1, *reading.lines[place]


def prompt_editor() -> Explorer:
    """Type a prompt; see the next-word probabilities of the small model, and which tokens one head
    looks at."""

    def number(result):
        reading = result["reading"]
        if reading.problem:
            return reading.problem
        (first, p), (second, q) = reading.best[:2]
        line, text, share = most_seen(reading)
        return (
            f"Next word: {first} {p:.1%}, {second} {q:.1%}. {result['head'].capitalize()} looks "
            f"most at line {line}, {text!r}: {share:.0%}."
        )

    def alt(result):
        reading = result["reading"]
        if reading.problem:
            return f"The prompt as it was typed, and no bars, but a sentence. {reading.problem}"
        bars = ", ".join(f"{word} {p:.1%}" for word, p in reading.best)
        shares = ", ".join(f"{share:.0%}" for _, share in reading.lines)
        return (
            f"A prompt of {len(reading.lines)} lines; attention of {result['head']} on each: "
            f"{shares}. Bars of the most probable next words: {bars}."
        )

    first = next(iter(EXAMPLES.values()))
    return Explorer(
        question="What does the model expect next, and where does it look?",
        compute=read,
        draw=draw,
        controls=[
            Text("prompt", "prompt", first, rows=7, most=LETTERS, samples=tuple(EXAMPLES.items())),
            Choice(
                "head",
                "attention head (counted from 1)",
                tuple(HEADS),
                f"layer {LAYER}, head {HEAD}",
            ),
            Choice("name", "model", tuple(MODELS), "final"),
        ],
        number=number,
        alt=alt,
        size=(9.0, 3.2),
        mosaic=[["prompt", "next"]],
    )
