"""A prompt that readers edit: what the small language model expects next, and where one head looks for it.

    reading = compute("dog : blip\\nsaw : zug\\ncow :")
    reading.best[0]  # the most probable next word and its probability
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from course_lib.families.worlds import ID, TOKENS, encode
from course_lib.tiny_gpt import TinyGPT

# Silencing head 4 of layer 3 costs most among the heads that see every distance alike: accuracy with 8 examples of 2 labels falls from
# 0.997 to 0.723 +- 0.051 (300 held-out tasks, chance 0.5). Heads 1 of layers 1 and 2 cost more (to 0.647 +- 0.054 and 0.547 +- 0.056) but look nearby only.
LAYER, HEAD = 3, 4
MOST = 72  # tokens: the length of the training prompts
LETTERS = 2000  # characters: far more than 72 tokens need
SHOWN = 8
NAMES = {"\n": "(end of line)", "": "(nothing)"}

EXAMPLES = {
    "2 labels, 4 examples": "dog : blip\nhammer : zug\nhorse : blip\nsaw : zug\ncow :",
    "flipped labels": "dog : zug\nhammer : blip\nhorse : zug\nsaw : blip\ncow :",
    "1 example": "dog : blip\ncow :",
    "instruction, no examples": "animal means blip , tool means zug .\ncow :",
    "instruction against examples": "animal means blip , tool means zug .\ndog : zug\nhammer : blip\nhorse : zug\nsaw : blip\ncow :",
}


@dataclass(frozen=True)
class Reading:
    """What the model makes of a prompt of L tokens, or why it cannot read it.

    Args:
        tokens: L token texts.
        attention: (L,) how much the last token looks at each token, in one head; sums to 1.
        probabilities: (V,) of the next token, by token id.
        lines: for each line of the prompt, its text and the summed attention on it. The end of a line belongs to that line.
        problem: a sentence for the reader; empty when the prompt could be read. With a problem, all else is empty.
    """

    tokens: tuple[str, ...] = ()
    attention: Tensor = torch.empty(0)
    probabilities: Tensor = torch.empty(0)
    lines: tuple[tuple[str, float], ...] = ()
    problem: str = ""

    @property
    def best(self) -> list[tuple[str, float]]:
        """The most probable next words with their probabilities, at most 8; end of line has a name in brackets."""
        top = self.probabilities.topk(min(SHOWN, len(self.probabilities)))
        return [(NAMES.get(TOKENS[i], TOKENS[i]), p) for p, i in zip(top.values.tolist(), top.indices.tolist(), strict=True)]


@lru_cache
def model() -> TinyGPT:
    """The model of the course, loaded once, when first asked for."""
    from course_lib.language_training import shipped_model

    return shipped_model()


@torch.no_grad()
def compute(prompt: str, layer: int = LAYER, head: int = HEAD) -> Reading:
    """Read a prompt.

    Args:
        prompt: words with spaces between them, on any number of lines.
        layer, head: whose attention to report, counted from 1.

    Raises:
        ValueError: there is no such layer or head. What is wrong with the prompt is said in `Reading.problem` instead.
    """
    size = model().size
    if not (1 <= layer <= size.layers and 1 <= head <= size.heads):
        raise ValueError(f"layer={layer}, head={head}: choose layer 1 to {size.layers} and head 1 to {size.heads}")
    if not prompt.strip():
        return Reading(problem="The prompt is empty: write a word.")
    if len(prompt) > LETTERS:
        return Reading(problem=f"The prompt has {len(prompt)} letters, and at most {LETTERS} fit: delete some lines.")
    try:
        ids = encode(prompt.replace("\r\n", "\n").replace("\t", " "))
    except ValueError as error:
        told = str(error)
        return Reading(problem=told[0].upper() + told[1:] + ("" if told.endswith("?") else "."))
    if len(ids) > MOST:
        return Reading(problem=f"The prompt has {len(ids)} tokens, and the model was trained on {MOST}: delete some examples.")
    scores, looks = model().look(torch.tensor([ids]))
    attention = looks[layer - 1][0, head - 1, -1]
    return Reading(tuple(TOKENS[i] for i in ids), attention, scores[0, -1].softmax(-1), by_line(ids, attention))


def by_line(ids: list[int], attention: Tensor) -> tuple[tuple[str, float], ...]:
    """The text of each line and the attention on its tokens, its end included: the sums add up to all of it."""
    lines, words, total = [], [], 0.0
    for i, share in zip(ids, attention.tolist(), strict=True):
        total += share
        if i == ID["\n"]:
            lines.append((" ".join(words), total))
            words, total = [], 0.0
        else:
            words.append(TOKENS[i])
    return (*lines, (" ".join(words), total)) if words else tuple(lines)
