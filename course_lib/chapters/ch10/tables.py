"""The tables of chapter 10 about the real model, as lines of text, computed from the stored
answers. Accuracies in percent, ± half of a 95 % interval."""

import torch

from course_lib.chapters.ch10 import readings, summaries
from course_lib.chapters.ch10 import study_smollm as study
from course_lib.chapters.ch10.cells import Cell, examples, task
from course_lib.chapters.ch10.design import SHOTS, many_queries
from course_lib.chapters.ch10.readings import difference, score
from course_lib.chapters.ch10.study_smollm import CHOOSING, LAYERS, LOOKED
from course_lib.training.evaluation import paired

REPAIRED = {
    "as it is": "as it is",
    "contextual": "N/A divided out",
    "batch": "mean answer divided out",
}
CHANCE = {"sentiment": 50, "question": 50, "subject": 20, "intents": 20}


def row(first: str, cells, width: int = 14, wide: int = 30) -> str:
    """A line: what it is about, then right-aligned cells."""
    return f"{first:{wide}}" + "".join(f"{cell!s:>{width}}" for cell in cells)


def by_shots(name: str) -> list[str]:
    """Accuracy against the number of examples: as it is, with both calibrations, and without any
    reading, by the nearest example."""
    shots = (0, *SHOTS)
    sets = len(readings.by_sets(Cell(name, shots=1)))
    queries = len(readings.truth(Cell(name)))
    size = {"width": 12, "wide": 26}
    lines = [row(f"{name}, examples", shots, **size)]
    for repair, called in REPAIRED.items():
        lines.append(row(called, [score(Cell(name, shots=k), repair) for k in shots], **size))
    for layer in LAYERS:
        found = [str(looked_up(name, layer, k)) for k in LOOKED]
        lines.append(row(f"nearest, {layer} vectors", ["-", *found], **size))
    spans = [score(Cell(name, shots=k)).span for k in SHOTS]
    lines.append(row("worst to best set", ["", *spans], **size))
    return [*lines, f"{sets} example sets, {queries} queries each, chance {CHANCE[name]}"]


def looked_up(name: str, layer: str, shots: int, how: str = "nearest"):
    """Accuracy of whoever answers with the label of the nearest example (or "prototypes", of the
    nearest mean), on frozen vectors."""
    answers = readings.stored()[f"{how}/{name}/{layer}"][:, LOOKED.index(shots)]
    return readings.share(answers == readings.truth(Cell(name))[: answers.shape[1]])


def why() -> list[str]:
    """What falls when examples are shown, and what does not."""
    lines = [
        row("", ("right", "one answer", "ranks", "divided out"), 13),
        row("", ("%", "% of answers", "rightly, %", "right, %"), 13),
    ]
    asked = {f"{name}, {k} examples": Cell(name, shots=k) for name in ("sentiment", "question")
             for k in (0, 4, 8)}  # fmt: skip
    asked |= {
        "sentiment, lower case, 0": Cell("sentiment", form="lower"),
        "sentiment, instruction, 0": Cell("sentiment", "instruction"),
        "sentiment, chat, 0": Cell("sentiment", chat=True),
        "sentiment, chat, 4": Cell("sentiment", chat=True, shots=4),
        "foreign sentences, 4": Cell("sentiment", shots=4, form="other sentences"),
    }
    for called, cell in asked.items():
        cells = (
            score(cell),
            f"{readings.one_sided(cell):.0f}",
            f"{readings.ranks_rightly(cell):.0f}",
            score(cell, "batch"),
        )
        lines.append(row(called, cells, 13))
    return lines


def labels(name: str, shots: int) -> dict[str, tuple]:
    """Accuracy with right, random and flipped labels: as it is, and with the preference divided
    out."""
    cells = {kind: Cell(name, shots=shots, labels=kind) for kind in ("right", "random", "flipped")}
    return {kind: (score(cell), score(cell, "batch")) for kind, cell in cells.items()}


def about_labels() -> list[str]:
    lines = [row("labels of the examples", ("as it is", "divided out"), 16)]
    for name, shots in (("sentiment", 4), ("sentiment", 8), ("question", 8)):
        for kind, both in labels(name, shots).items():
            lines.append(row(f"{name}, {shots}, {kind}", both, 16))
        if shots == 8:
            none = Cell(name)
            lines.append(row(f"{name}, none", (score(none), score(none, "batch")), 16))
    for name, shots in (("sentiment", 8), ("question", 8)):
        right, drawn = Cell(name, shots=shots), Cell(name, shots=shots, labels="random")
        gaps = [difference(right, drawn, repair) for repair in ("as it is", "batch")]
        lines.append(row(f"{name}, {shots}: right - random", gaps, 16))
    return lines


# --- preferences ----------------------------------------------------------------------------------


def leaning(cells) -> float:
    """How often label 0 is answered, in percent; the queries are half and half."""
    return 100 * torch.stack([readings.answers(c) == 0 for c in cells]).float().mean().item()


def preferences() -> list[str]:
    """Three preferences for a label that the query has nothing to do with (Zhao et al. 2021)."""
    lines = ["'positive' in % of answers, where 50 are right (4 examples, 8 sets):"]
    for first in (4, 3, -1, 1, 0):
        cells = readings.by_sets(Cell("sentiment", shots=4, first=first))
        called = 2 if first < 0 else first
        lines.append(row(f"majority: {called} of 4 positive", [f"{leaning(cells):.0f}"], 6))
    last = {0: [], 1: []}
    for cell in readings.all_orders():
        last[examples(cell)[-1][1]].append(cell)
    for n, called in ((0, "positive"), (1, "negative")):
        lines.append(row(f"recency: the last is {called}", [f"{leaning(last[n]):.0f}"], 6))
    for name in ("sentiment", "question"):
        word = task(name).wordings["base"].labels[0]
        for k in (0, 4):
            neutral = [readings.said(c)[1].softmax(-1).mean(0)[0].item()
                       for c in readings.by_sets(Cell(name, shots=k))]  # fmt: skip
            share = 100 * sum(neutral) / len(neutral)
            lines.append(row(f"no content, {k} examples: {word}", [f"{share:.0f}"], 6))
    return lines


# --- advice ---------------------------------------------------------------------------------------


def base(shots: int = 4, **what) -> Cell:
    return Cell("sentiment", shots=shots, **what)


ADVICE = {
    "write an instruction, 0 ex.": (Cell("sentiment", "instruction"), Cell("sentiment")),
    "write an instruction, 4 ex.": (base(wording="instruction"), base()),
    "keep one format": (base(), base(form="mixed formats")),
    "be concise": (base(), base(form="chatter")),
    "choose diverse examples": (base(form="spread"), base(form="alike")),
    "use the chat template": (base(chat=True), base()),
    "give right labels": (base(), base(labels="random")),
    "balance the labels": (base(), base(first=4)),
    "show 4 examples": (base(), Cell("sentiment")),
}


def advice() -> dict[str, list]:
    """For every piece of advice, what following it gains on sentiment: as it is, and with the
    preference divided out."""
    return {
        name: [difference(one, other, repair) for repair in ("as it is", "batch")]
        for name, (one, other) in ADVICE.items()
    }


def relevance() -> list[str]:
    """Four demonstrations chosen for each query, against four at random."""
    lines = [row("four demonstrations", ("sentiment", "question", "subject"), 15)]
    rights = {}
    for how in CHOOSING:
        cells = []
        for name in ("sentiment", "question", "subject"):
            said = readings.stored()[f"chosen/{name}/{how}"]
            rights[how, name] = (said.argmax(-1) == readings.truth(Cell(name))[: len(said)]).float()
            cells.append(readings.share(rights[how, name][None]))
        lines.append(row(how, cells, 15))
    gaps = []
    for name in ("sentiment", "question", "subject"):
        gap = rights["nearest", name] - rights["random", name]
        gaps.append(f"{100 * gap.mean():+.1f} ± {196 * gap.std() / len(gap) ** 0.5:.1f}")
    lines.append(row("nearest minus random", gaps, 15))
    for layer in LAYERS:
        found = [looked_up(name, layer, 16) for name in ("sentiment", "question", "subject")]
        lines.append(row(f"no model: nearest of 16, {layer}", found, 15))
    return lines


# --- spread, and choosing -------------------------------------------------------------------------


def spread() -> list[str]:
    """How far apart accuracies lie that differ in one thing only: standard deviations in points."""
    grid = readings.in_all_orders()[0].mean(-1)  # (sets, orders)
    sets = readings.right(readings.by_sets(base())).mean(1)
    words = torch.stack([readings.right(readings.by_sets(base(wording=w))).mean()
                         for w in ("base", "cloze", "instruction")])  # fmt: skip
    return [
        "sentiment, 4 examples: standard deviation of accuracy, points",
        row(f"over {len(sets)} example sets", [f"{100 * sets.std():.1f}"], 6),
        row(f"over {grid.shape[1]} orders of one set", [f"{100 * grid.std(1).mean():.1f}"], 6),
        row("over 3 wordings, sets meaned", [f"{100 * words.std():.1f}"], 6),
        row("of 48 queries, by luck alone", [f"{100 * (0.25 / 48) ** 0.5:.1f}"], 6),
    ]


def candidates(repair: str = "as it is") -> torch.Tensor:
    """Right answers of the 6 prompts for the subject of a request: (6, 280)."""
    return readings.right(many_queries(), repair)


def choosing() -> list[str]:
    """The best of 6 prompts, chosen on 8, 32 or 200 labelled queries, over 1000 draws."""
    right = candidates()
    columns = ("on those", "on fresh", "95 % of draws", "any", "best")
    lines = [row("labelled queries", columns, 14)]
    for labelled in (8, 32, 200):
        found = readings.choose_prompt(right, labelled)
        lines.append(row(str(labelled), (
            f"{found['on the labelled']:.1f}", f"{found['on fresh ones']:.1f}",
            f"{found['lowest']:.0f} to {found['highest']:.0f}", f"{found['any prompt']:.1f}",
            f"{found['the best there is']:.1f}"), 14))  # fmt: skip
    return [*lines, "6 prompts: 3 wordings x 2 example sets; 280 queries, chance 20"]


def label_scoring() -> list[str]:
    """Five intents whose labels have one to six tokens: three ways to score a label."""
    lines = [row("how a label is scored", ("0 examples", "5 examples"), 16)]
    ways = {
        "sum over tokens": "as it is",
        "mean over tokens": "mean",
        "sum, N/A divided out": "contextual",
        "sum, mean answer divided out": "batch",
    }
    for called, how in ways.items():
        cells = []
        for k in (0, 5):
            own = readings.by_sets(Cell("intents", shots=k))
            cells.append(readings.share(readings.right(own, how)))
        lines.append(row(called, cells, 16))
    return lines



# --- beside the small model -----------------------------------------------------------------------

# advice: (test of the small model in `advice.ADVICE`, the way with it, the way without it)
SMALL = {
    "write an instruction, 4 ex.": ("instruction or examples", 2, 3),
    "keep one format": ("consistency", 0, 1),
    "be concise": ("conciseness", 0, 2),
    "choose diverse examples": ("diversity", 0, 1),
    "choose relevant examples": ("relevance", 0, 1),
    "give right labels": ("labels", 0, 1),
    "use natural label words": ("label words", 1, 0),
}


def signed(mean: float, half: float) -> str:
    mark = "*" if abs(mean) > max(5, half) else " "
    return f"{mean:+.1f} ± {half:.1f}{mark}"


def what_held(small) -> list[str]:
    """Gains in points of accuracy with each piece of advice against without it.

    Args:
        small: small[model][test], the scores of a test of `advice.ADVICE` by way.
    """
    columns = (*small, "real", "real, divided")
    lines = [row("advice", columns, 17)]
    real = {name: [signed(s.mean, s.half) for s in both] for name, both in advice().items()}
    real["choose relevant examples"] = nearest_gain("sentiment")
    for name in dict.fromkeys([*SMALL, *real]):
        cells = []
        for scores in small.values():
            if name not in SMALL:
                cells.append("")
                continue
            test, good, bad = SMALL[name]
            ways = list(scores[test].values())
            gap = paired(ways[good], ways[bad])
            level = not gap.per_episode.any()  # task by task
            cells.append("equal " if level else signed(100 * gap.mean, 100 * gap.half_width))
        lines.append(row(name, [*cells, *real.get(name, ("", ""))], 17))
    note = "* at least 5 points, and beyond the 95 % interval; equal: the same in each of 200 tasks"
    return [*lines, note]


def nearest_gain(name: str) -> tuple[str, str]:
    """What nearest demonstrations gain over random ones, paired over the queries: as it is, and
    with the mean answer divided out."""
    found = []
    for repair in ("as it is", "batch"):
        rights = {}
        for how in ("nearest", "random"):
            said = readings.stored()[f"chosen/{name}/{how}"]
            y = readings.truth(Cell(name))[: len(said)]
            rights[how] = (readings.repaired(said, said, repair).argmax(-1) == y).float()
        gap = rights["nearest"] - rights["random"]
        half = 196 * gap.std().item() / len(gap) ** 0.5
        found.append(signed(100 * gap.mean().item(), half))
    return found[0], found[1]


# --- summaries ------------------------------------------------------------------------------------


def stored_summaries() -> dict[tuple[bool, int], list[str]]:
    """The summaries of all articles for each way to ask: (as a chat, examples)."""
    texts = study.as_texts(readings.stored()["summaries"])
    ways, count = summaries.conditions(), len(summaries.articles())
    return {way: texts[i * count : (i + 1) * count] for i, way in enumerate(ways)}


def about_summaries() -> list[str]:
    """How many of twelve summaries have three sentences, how much they keep, and how many hold a
    name or number that the article lacks."""
    every = summaries.articles()
    lines = [row("12 articles", ("3 sentences", "facts kept, of 6", "something new"), 18)]
    for (chat, shots), texts in stored_summaries().items():
        pairs = list(zip(every, texts, strict=True))
        three = sum(summaries.sentences(text) == 3 for _, text in pairs)
        facts = sum(summaries.kept(one, text) for one, text in pairs) / len(pairs)
        new = sum(bool(summaries.invented(one, text)) for one, text in pairs)
        called = f"{'chat' if chat else 'plain'}, {shots} examples"
        lines.append(row(called, (f"{three} of 12", f"{facts:.1f}", f"{new} of 12"), 18))
    return lines


def best_and_worst_summary() -> list[tuple[str, str, list[str]]]:
    """(article, summary, what is new in it): the one that keeps most and adds nothing, and the one
    that adds most."""
    found = [
        (summaries.kept(one, text), sorted(summaries.invented(one, text)), one.name, text)
        for texts in stored_summaries().values()
        for one, text in zip(summaries.articles(), texts, strict=True)
    ]
    good = max((row for row in found if not row[1] and summaries.sentences(row[3]) == 3),
               key=lambda row: row[0])  # fmt: skip
    bad = max(found, key=lambda row: len(row[1]))
    return [(name, text, new) for _, new, name, text in (good, bad)]
