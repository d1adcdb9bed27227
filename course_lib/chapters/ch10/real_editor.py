"""The prompt editor on a real language model: its tokens, how much each surprised it, and what it
expects next."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from matplotlib.collections import PolyCollection
from matplotlib.ticker import FixedLocator, PercentFormatter

from course_lib.classroom.explorer import Explorer, Text
from course_lib.classroom.figures import COLOURS
from course_lib.classroom.quick import write
from course_lib.classroom.tokens import Token, draw_tokens, drawable

LETTERS, MOST, SHOWN = 2000, 400, 8  # letters typed, tokens read, tokens offered
SPACE, END = "\N{OPEN BOX}", "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}"
REVIEWS = (
    "Review: Warm welcome, warm room.\nSentiment: positive\n\n"
    "Review: The handle broke on the first day.\nSentiment: negative\n\n"
)
EXAMPLES = {
    "no example": "Review: My son asked to go again.\nSentiment:",
    "2 examples": REVIEWS + "Review: My son asked to go again.\nSentiment:",
    "the other order": "\n\n".join(REVIEWS.strip().split("\n\n")[::-1])
    + "\n\nReview: My son asked to go again.\nSentiment:",
    "no content": REVIEWS + "Review: N/A\nSentiment:",
    "made-up labels": "dog : blip\nhammer : zug\nhorse : blip\nsaw : zug\ncow :",
    "a fact": "The capital of France is",
}


@dataclass(frozen=True)
class Expected:
    """What a model makes of a prompt, or why it cannot.

    Args:
        tokens: their texts, spaces and all.   surprise: for each, 1 minus the probability that the
            model gave it; the first has none.
        best: the most probable next tokens with their probabilities.
        problem: a sentence for the reader; empty when the prompt could be read.
    """

    tokens: tuple[str, ...] = ()
    surprise: tuple[float, ...] = ()
    best: tuple[tuple[str, float], ...] = ()
    problem: str = ""


@torch.no_grad()
def expect(model, prompt: str) -> Expected:
    """Read a prompt with a model of Hugging Face: see `Expected`."""
    prompt = prompt.replace("\r\n", "\n").rstrip(" ")
    if not prompt.strip():
        return Expected(problem="The prompt is empty: write a word.")
    if len(prompt) > LETTERS:
        return Expected(
            problem=f"The prompt has {len(prompt)} letters, and {LETTERS} fit: delete some lines."
        )
    ids = model.front + model.tokens(prompt)
    if len(ids) > MOST:
        return Expected(
            problem=f"The prompt has {len(ids)} tokens, and {MOST} fit here: delete some lines."
        )
    row = torch.tensor([ids], device=model.device)
    chances = model.network(input_ids=row, use_cache=False).logits[0].float().softmax(-1).cpu()
    seen = chances[:-1].gather(1, torch.tensor(ids[1:])[:, None])[:, 0]
    top = chances[-1].topk(SHOWN)
    named = [model.tokenizer.decode([i]) for i in top.indices.tolist()]
    return Expected(
        tuple(model.tokenizer.decode([i]) for i in ids),
        (0.0, *(1 - seen).tolist()),
        tuple(zip(named, top.values.tolist(), strict=True)),
    )


def visible(text: str) -> str:
    """A token with its spaces and line ends as signs."""
    return text.replace(" ", SPACE).replace("\n", END) or "(nothing)"


def lines_of(read: Expected) -> list[list[Token]]:
    """The tokens of each line, shaded by surprise."""
    lines: list[list[Token]] = [[]]
    for text, surprise in zip(read.tokens, read.surprise, strict=True):
        lines[-1].append(Token(visible(text), 0.7 * surprise))
        if text.endswith("\n"):
            lines.append([])
    return [line for line in lines if line]


def draw(result: dict, axes: dict) -> None:
    read, prompt, bars = result["read"], axes["prompt"], axes["next"]
    if read.problem:
        draw_tokens(prompt, [[Token(w) for w in line.split()] for line in
                             result["prompt"][:LETTERS].split("\n")])  # fmt: skip
        prompt.set_title("The prompt, not read")
        bars.set_axis_off()
        return
    draw_tokens(prompt, lines_of(read), largest=11.0)
    prompt.set_title(f"{len(read.tokens)} tokens; deep colour: unexpected")
    shapes = [
        [(0, row - 0.35), (p, row - 0.35), (p, row + 0.35), (0, row + 0.35)]
        for row, (_, p) in enumerate(read.best)
    ]
    bars.add_collection(PolyCollection(shapes, facecolors=COLOURS["after"]), autolim=False)
    for row, (word, p) in enumerate(read.best):
        write(bars, -0.03, row, drawable(visible(word))[:14], ha="right", va="center", size=10)
        write(bars, p + 0.02, row, f"{p:.1%}", va="center", size=10)
    bars.set(xlim=(-0.6, 1.2), ylim=(SHOWN - 0.4, -0.6), xlabel="probability")
    bars.set_title("The next token")
    bars.xaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
    bars.xaxis.set_major_formatter(PercentFormatter(1.0))
    bars.yaxis.set_visible(False)
    bars.spines["left"].set_visible(False)


def real_prompt_editor(model) -> Explorer:
    """Type a prompt; see the tokens that a real model reads, and what it expects next.

    Args:
        model: a `TransformersModel`.
    """
    once = lru_cache(maxsize=64)(lambda prompt: expect(model, prompt))

    def number(result):
        read = result["read"]
        if read.problem:
            return read.problem
        (first, p), (second, q) = read.best[:2]
        return (
            f"{len(read.tokens)} tokens. Next: {visible(first)} {p:.1%}, {visible(second)} {q:.1%}."
        )

    def alt(result):
        read = result["read"]
        if read.problem:
            return f"The prompt as it was typed, and no bars, but a sentence. {read.problem}"
        bars = ", ".join(f"{word!r} {p:.1%}" for word, p in read.best)
        return (
            f"A prompt of {len(read.tokens)} tokens, shaded by how unexpected each was. Bars of "
            f"the most probable next tokens: {bars}."
        )

    return Explorer(
        question="What does the model expect next?",
        compute=lambda prompt: {"prompt": prompt, "read": once(prompt)},
        draw=draw,
        controls=[
            Text(
                "prompt",
                "prompt",
                EXAMPLES["2 examples"],
                rows=8,
                most=LETTERS,
                samples=tuple(EXAMPLES.items()),
            )
        ],
        number=number,
        alt=alt,
        size=(9.0, 3.2),
        mosaic=[["prompt", "next"]],
    )
