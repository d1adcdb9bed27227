"""Explorers of chapter 09: which words carry an intent."""

import textwrap

from matplotlib.collections import PolyCollection
from matplotlib.ticker import FixedLocator

from course_lib.explorers.sentence_typist import BAG, LEARNERS, QUERIES, SUPPORTS, Verdict, classify
from course_lib.show.explorer import Choice, Explorer, Text
from course_lib.show.figures import COLOURS
from course_lib.show.quick import write
from course_lib.show.tokens import Token, draw_tokens, drawable

# Which words carry your intents?

UNKNOWN = "unknown"


def short(name: str, most: int = 14) -> str:
    """A name as the picture has room for it."""
    return drawable(name if len(name) <= most else name[: most - 1] + "…")


def heights(verdict: Verdict) -> list[float]:
    """What the bars show: cosines for the bag of words, probabilities for the others."""
    return (verdict.scores if verdict.learner == BAG else verdict.probabilities).tolist()


def words_that_count(verdict: Verdict) -> tuple[list[list[Token]], list[str]]:
    """A line for each word of the query, shaded by its effect, and the effects as text. A word that the vocabulary lacks has a frame."""
    largest = max(verdict.effects.abs().max().item(), 1e-6)
    lines, notes = [], []
    for (word, known), effect in zip(verdict.words, verdict.effects.tolist(), strict=True):
        lines.append([Token(word, effect / largest if abs(effect) > 1e-6 else 0.0, "" if known else COLOURS["before"])] + [Token(UNKNOWN)] * (not known))
        notes.append(f"{effect:+.2f}".replace("-", "−"))
    return lines, notes


def draw_verdict(verdict: Verdict, axes: dict) -> None:
    scores, words = axes["scores"], axes["words"]
    if verdict.problem:
        scores.text(0, 0.9, textwrap.fill(drawable(verdict.problem), 38), va="top", size=12, color=COLOURS["support"], parse_math=False)
        scores.set(xlim=(0, 1), ylim=(0, 1))
        scores.set_axis_off()
        words.set_axis_off()
        return
    values, winner = heights(verdict), verdict.order[0]
    shapes, colours = [], []
    for row, (name, value) in enumerate(zip(verdict.names, values, strict=True)):
        shapes.append([(0, row - 0.3), (value, row - 0.3), (value, row + 0.3), (0, row + 0.3)])
        colours.append(COLOURS["after" if row == winner and not verdict.tied else "before"])
        write(scores, -0.03, row, short(name), ha="right", va="center", size=10)
        write(scores, max(value, 0) + 0.02, row, f"{value:.2f}".replace("-", "−") if verdict.learner == BAG else f"{value:.0%}", va="center", size=10)
    scores.add_collection(PolyCollection(shapes, facecolors=colours), autolim=False)
    scores.set(xlim=(-0.62, 1.2), ylim=(4.6, -0.6), title="The new sentence is about")
    scores.set_xlabel("cosine" if verdict.learner == BAG else "probability")
    scores.xaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
    scores.yaxis.set_visible(False)
    scores.spines["left"].set_visible(False)
    draw_tokens(words, *words_that_count(verdict))
    words.set_title("Each word's part of the cosine" if verdict.learner == BAG else "What each word adds to the lead (logit)")


def your_own_intents() -> Explorer:
    """Type sentences for two to five intents and a new one; see what a learner makes of it, and which of its words count."""

    def number(verdict):
        if verdict.problem:
            return verdict.problem
        first, second, *_ = verdict.order
        values, strongest = heights(verdict), int(verdict.effects.argmax())
        if verdict.tied:
            return f"A tie: {verdict.learner} puts no intent ahead. No word of the new sentence tells them apart."
        unit = "{:.2f}" if verdict.learner == BAG else "{:.0%}"
        told = f"{verdict.learner}: {verdict.names[first]} {unit.format(values[first])}, {verdict.names[second]} {unit.format(values[second])}."
        word, effect = verdict.words[strongest][0], verdict.effects[strongest]
        return told + (f" {word!r} brings {effect:.2f} of the cosine." if verdict.learner == BAG else f" Without {word!r} its lead is {effect:.2f} smaller.")

    def alt(verdict):
        if verdict.problem:
            return f"No bars, but a sentence. {verdict.problem}"
        bars = ", ".join(f"{name} {value:.2f}" for name, value in zip(verdict.names, heights(verdict), strict=True))
        effects = ", ".join(f"{word}{'' if known else ' (unknown)'} {effect:+.2f}" for (word, known), effect in zip(verdict.words, verdict.effects.tolist()))
        return f"Bars of {verdict.learner} for {len(verdict.names)} intents: {bars}. The words of the new sentence with their effects: {effects}."

    return Explorer(
        question="Which words carry your intents?",
        compute=classify,
        draw=draw_verdict,
        controls=[
            Text("support", "your examples, one a line", next(iter(SUPPORTS.values())), rows=7, most=1500, samples=tuple(SUPPORTS.items())),
            Text("query", "a new sentence", next(iter(QUERIES.values())), most=200, samples=tuple(QUERIES.items())),
            Choice("name", "learner", tuple(LEARNERS), BAG),
        ],
        number=number,
        alt=alt,
        size=(9.0, 2.8),
        mosaic=[["scores", "words"]],
    )


EXPLORERS = (your_own_intents,)
