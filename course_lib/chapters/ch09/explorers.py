"""Explorers of chapter 09: which words carry an intent, and whether the words of one domain are of
use in another."""

import textwrap

from matplotlib.collections import PolyCollection
from matplotlib.ticker import FixedLocator

from course_lib.chapters.ch09.cue_words import COUNTS, DOMAINS, IDF, LEARNED, Cues, cues
from course_lib.chapters.ch09.sentence_typist import (
    BAG,
    LEARNERS,
    QUERIES,
    SUPPORTS,
    Answered,
    classify,
)
from course_lib.classroom.explorer import Choice, Explorer, Slider, Text
from course_lib.classroom.figures import COLOURS
from course_lib.classroom.quick import write
from course_lib.classroom.tokens import Token, draw_tokens, drawable

# Which words carry your intents?

UNKNOWN = "unknown"


def short(name: str, most: int = 14) -> str:
    """A name as the picture has room for it."""
    return drawable(name if len(name) <= most else name[: most - 1] + "…")


def heights(verdict: Answered) -> list[float]:
    """What the bars show: cosines for the bag of words, probabilities for the others."""
    return (verdict.scores if verdict.learner == BAG else verdict.probabilities).tolist()


def words_that_count(verdict: Answered) -> tuple[list[list[Token]], list[str]]:
    """A line for each word of the query, shaded by its effect, and the effects as text. A word that
    the vocabulary lacks has a frame."""
    largest = max(verdict.effects.abs().max().item(), 1e-6)
    lines, notes = [], []
    for (word, known), effect in zip(verdict.words, verdict.effects.tolist(), strict=True):
        lines.append(
            [
                Token(
                    word,
                    effect / largest if abs(effect) > 1e-6 else 0.0,
                    "" if known else COLOURS["before"],
                )
            ]
            + [Token(UNKNOWN)] * (not known)
        )
        notes.append(f"{effect:+.2f}".replace("-", "−"))
    return lines, notes


def draw_verdict(verdict: Answered, axes: dict) -> None:
    scores, words = axes["scores"], axes["words"]
    if verdict.problem:
        scores.text(
            0,
            0.9,
            textwrap.fill(drawable(verdict.problem), 38),
            va="top",
            size=12,
            color=COLOURS["support"],
            parse_math=False,
        )
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
        write(
            scores,
            max(value, 0) + 0.02,
            row,
            f"{value:.2f}".replace("-", "−") if verdict.learner == BAG else f"{value:.0%}",
            va="center",
            size=10,
        )
    scores.add_collection(PolyCollection(shapes, facecolors=colours), autolim=False)
    scores.set(xlim=(-0.62, 1.2), ylim=(4.6, -0.6), title="The new sentence is about")
    scores.set_xlabel("cosine" if verdict.learner == BAG else "probability")
    scores.xaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
    scores.yaxis.set_visible(False)
    scores.spines["left"].set_visible(False)
    draw_tokens(words, *words_that_count(verdict))
    words.set_title(
        "Each word's part of the cosine"
        if verdict.learner == BAG
        else "What each word adds to the lead (logit)"
    )


def your_own_intents() -> Explorer:
    """Type sentences for two to five intents and a new one; see what a learner makes of it, and
    which of its words count."""

    def number(verdict):
        if verdict.problem:
            return verdict.problem
        first, second, *_ = verdict.order
        values, strongest = heights(verdict), int(verdict.effects.argmax())
        if verdict.tied:
            return (
                f"A tie: {verdict.learner} puts no intent ahead. No word of the new sentence "
                "tells them apart."
            )
        unit = "{:.2f}" if verdict.learner == BAG else "{:.0%}"
        told = (
            f"{verdict.learner}: {verdict.names[first]} {unit.format(values[first])}, "
            f"{verdict.names[second]} {unit.format(values[second])}."
        )
        word, effect = verdict.words[strongest][0], verdict.effects[strongest]
        return told + (
            f" {word!r} brings {effect:.2f} of the cosine."
            if verdict.learner == BAG
            else f" Without {word!r} its lead is {effect:.2f} smaller."
        )

    def alt(verdict):
        if verdict.problem:
            return f"No bars, but a sentence. {verdict.problem}"
        bars = ", ".join(
            f"{name} {value:.2f}"
            for name, value in zip(verdict.names, heights(verdict), strict=True)
        )
        effects = ", ".join(
            f"{word}{'' if known else ' (unknown)'} {effect:+.2f}"
            for (word, known), effect in zip(verdict.words, verdict.effects.tolist(), strict=True)
        )
        return (
            f"Bars of {verdict.learner} for {len(verdict.names)} intents: {bars}. The words of "
            f"the new sentence with their effects: {effects}."
        )

    return Explorer(
        question="Which words carry your intents?",
        compute=classify,
        draw=draw_verdict,
        controls=[
            Text(
                "support",
                "your examples, one a line",
                next(iter(SUPPORTS.values())),
                rows=7,
                most=1500,
                samples=tuple(SUPPORTS.items()),
            ),
            Text(
                "query",
                "a new sentence",
                next(iter(QUERIES.values())),
                most=200,
                samples=tuple(QUERIES.items()),
            ),
            Choice("name", "learner", tuple(LEARNERS), BAG),
        ],
        number=number,
        alt=alt,
        size=(9.0, 2.8),
        mosaic=[["scores", "words"]],
    )


# Which words tell these intents apart, and do they in another domain?


def shares(found: Cues) -> dict[str, float]:
    """How often a cue word comes back, in percent, by where one looks."""
    return {
        "its own intent": 100 * found.own.mean().item(),
        "other intents here": 100 * found.wrong.mean().item(),
        "other domains": 100 * found.elsewhere.mean().item(),
    }


def draw_cues(found: Cues, axes: dict) -> None:
    table, bars = axes["table"], axes["bars"]
    lines = [
        [Token(f"{short(name, 16):16}")]
        + [
            Token(word, share)
            for word, share in zip(words, own.div(0.5).clamp(max=1).tolist(), strict=True)
        ]
        for name, words, own in zip(found.names, found.words, found.own, strict=True)
    ]
    draw_tokens(table, lines, [])
    table.set_title("Strongest words of each intent")
    for row, (where, share) in enumerate(shares(found).items()):
        bars.add_collection(
            PolyCollection(
                [[(0, row - 0.3), (share, row - 0.3), (share, row + 0.3), (0, row + 0.3)]],
                facecolors=[COLOURS["query"]],
            )
        )
        write(bars, share + 1, row, f"{share:.1f} %", va="center", size=10)
        write(bars, 0, row - 0.36, where, va="bottom", size=10)
    bars.set(
        xlim=(0, 50),
        ylim=(2.5, -0.8),
        xlabel="new sentences that hold it (%)",
        title="How often such a word returns",
    )
    bars.yaxis.set_visible(False)
    bars.spines["left"].set_visible(False)


def cue_words() -> Explorer:
    """The words that tell the intents of a domain apart, and how rare they are elsewhere."""
    return Explorer(
        question="Which words tell these intents apart, and do they in another domain?",
        compute=cues,
        draw=draw_cues,
        controls=[
            Choice("domain", "domain", DOMAINS, DOMAINS[0]),
            Choice("weights", "how much a word counts", (COUNTS, IDF, LEARNED), IDF),
            Slider("shots", "examples of each intent", 1, 10, 1, value=5),
        ],
        number=lambda r: (
            f"{r.domain}, {r.shots} of 20 sentences an intent, words by {r.weights}: the nearest "
            f"mean names {r.accuracy:.0%} of the others rightly "
            f"(chance 17%). A cue word is in {r.own.mean():.1%} of the new sentences of its "
            f"intent and in {r.elsewhere.mean():.1%} of other domains'."
        ),
        alt=lambda r: (
            f"Left: the strongest words of six intents of {r.domain}: "
            + "; ".join(
                f"{name}: {', '.join(words)}" for name, words in zip(r.names, r.words, strict=True)
            )
            + ". Right: how often such a word returns: "
            + ", ".join(f"in {where} {share:.1f} %" for where, share in shares(r).items())
            + "."
        ),
        size=(9.0, 3.0),
        mosaic=[["table", "table", "bars"]],
    )


EXPLORERS = (your_own_intents, cue_words)
