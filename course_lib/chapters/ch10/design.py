"""Which prompts chapter 10 measures on a real language model: lists of `Cell`."""

from course_lib.chapters.ch10.cells import Cell

SETS, SHOTS, ORDERS = range(8), (1, 2, 4, 8, 16), range(8)
FEWER = range(4)
FORMS = ("mixed formats", "chatter", "alike", "spread", "other sentences")


def curve(task: str, shots=SHOTS, sets=SETS, **what) -> list[Cell]:
    """One cell for each number of examples and each example set."""
    return [Cell(task, shots=k, seed=s, **what) for k in shots for s in sets]


def all_cells() -> list[Cell]:
    """Every cell of the study, each once, those that matter most first."""
    cells = []
    for task, sets in (("sentiment", SETS), ("question", SETS), ("subject", range(4))):
        cells += [Cell(task), Cell(task, "instruction"), Cell(task, chat=True)]
        cells += curve(task, sets=sets)
    cells += [Cell("sentiment", "cloze"), Cell("sentiment", form="lower")]
    cells += [Cell("sentiment", form="chatter"), Cell("sentiment", "instruction", chat=True)]
    # labels
    for labels in ("random", "flipped"):
        cells += curve("sentiment", (4, 8), labels=labels)
        cells += curve("question", (8,), labels=labels)
    # the order of the same four examples
    cells += [Cell("sentiment", shots=4, seed=s, order=o) for s in SETS for o in ORDERS]
    # how many examples have which label
    cells += [
        Cell("sentiment", shots=4, seed=s, first=first) for first in (4, 3, 1, 0) for s in SETS
    ]
    # wordings, chats, and other changes of form
    for wording in ("cloze", "instruction"):
        cells += curve("sentiment", (4,), FEWER, wording=wording)
    for form in FORMS:
        cells += curve("sentiment", (4,), FEWER, form=form)
    cells += curve("sentiment", (4,), FEWER, chat=True)
    cells += [Cell("intents"), *curve("intents", (5,), range(1))]
    cells += many_queries()
    return list(dict.fromkeys(cells))


def many_queries() -> list[Cell]:
    """The 6 prompts among which the best is chosen: three wordings, two example sets each."""
    return [
        Cell("subject", wording, shots=5, seed=s, queries=280)
        for wording in ("base", "short", "cloze")
        for s in range(2)
    ]
