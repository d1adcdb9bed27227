"""The prompts that chapter 10 measures on a real language model: a task, a wording, examples in an
order, and what is changed about them.

A `Cell` names one such prompt, and `written` makes its text for every query of the task.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch

from course_lib import DATA
from course_lib.families.intents import read_sentences
from course_lib.learners.prompting import Template, fill

NEUTRAL = ("N/A", "[MASK]", "")  # queries without content (Zhao et al. 2021)
SEPARATE = "\n\n"


@dataclass(frozen=True)
class Wording:
    """One way to write the examples of a task, with its label words.

    Args:
        example: with {x} and {y}.   labels: a word for each class.
        instruction: stands before the examples.
    """

    example: str
    labels: tuple[str, ...]
    instruction: str = ""

    @property
    def template(self) -> Template:
        """The same as a `Template` of the library."""
        query = self.example.split(" {y}")[0]
        return Template(self.example, query, self.instruction)


@dataclass(frozen=True)
class Task:
    """Sentences of some classes, shared out: some are asked, the others may be shown.

    Args:
        shown: for each class the sentences that may stand as examples.
        queries: (sentence, class) of all that is asked.
        wordings: by name; the first is the base.
    """

    shown: tuple[tuple[str, ...], ...]
    queries: tuple[tuple[str, int], ...]
    wordings: dict[str, Wording]


SENTIMENT = {
    "base": Wording("Review: {x}\nSentiment: {y}" + SEPARATE, ("positive", "negative")),
    "cloze": Wording("{x} It was {y}." + SEPARATE, ("great", "terrible")),
    "instruction": Wording(
        "Review: {x}\nSentiment: {y}" + SEPARATE,
        ("positive", "negative"),
        "Is the sentiment of the review positive or negative?" + SEPARATE,
    ),
}
QUESTION = {
    "base": Wording("Sentence: {x}\nThis is a {y}." + SEPARATE, ("question", "statement")),
    "short": Wording("{x}\nType: {y}" + SEPARATE, ("question", "statement")),
    "instruction": Wording(
        "Sentence: {x}\nThis is a {y}." + SEPARATE,
        ("question", "statement"),
        "Is the sentence a question or a statement?" + SEPARATE,
    ),
}
DOMAINS = ("banking", "food", "health", "phone", "travel")
SUBJECT = {
    "base": Wording("Request: {x}\nSubject: {y}" + SEPARATE, DOMAINS),
    "short": Wording("{x}\n=> {y}" + SEPARATE, DOMAINS),
    "cloze": Wording("{x} This is about {y}." + SEPARATE, DOMAINS),
    "instruction": Wording(
        "Request: {x}\nSubject: {y}" + SEPARATE,
        DOMAINS,
        "Which subject: banking, food, health, phone or travel?" + SEPARATE,
    ),
}
INTENT_WORDS = {
    "book_flight": "book a flight",
    "change_flight": "change a flight",
    "missing_luggage": "missing luggage",
    "baggage_allowance": "how much luggage is allowed",
    "entry_documents": "visa",
}
INTENTS = {"base": Wording("Request: {x}\nIntent: {y}" + SEPARATE, tuple(INTENT_WORDS.values()))}


def shared_out(classes: Sequence[Sequence[str]], asked: int, wordings, seed: int) -> Task:
    """Ask ``asked`` sentences of each class, and show the others.

    The files hold twins: sentence i of one class and sentence i of the other use the same words.
    So the same places are asked in every class, and no twin of a query can be shown.
    """
    order = torch.randperm(len(classes[0]), generator=torch.Generator().manual_seed(seed)).tolist()
    queries = tuple((own[i], n) for i in order[:asked] for n, own in enumerate(classes))
    shown = tuple(tuple(own[i] for i in sorted(order[asked:])) for own in classes)
    return Task(shown, queries, wordings)


@cache
def task(name: str) -> Task:
    """ "sentiment", "question", "subject" (5 classes) or "intents" (5 classes of several words)."""
    if name in ("sentiment", "question"):
        file, wordings = (
            ("positive_negative", SENTIMENT)
            if name == "sentiment"
            else ("question_statement", QUESTION)
        )
        own = read_sentences(DATA / "sentences" / f"{file}.tsv")
        return shared_out([own[label] for label in wordings["base"].labels], 24, wordings, 0)
    if name == "subject":
        domains = [read_sentences(DATA / "intents" / f"{domain}.tsv") for domain in DOMAINS]
        return shared_out([sum(own.values(), []) for own in domains], 64, SUBJECT, 0)
    own = read_sentences(DATA / "intents" / "travel.tsv")
    return shared_out([own[intent] for intent in INTENT_WORDS], 10, INTENTS, 0)


@dataclass(frozen=True)
class Cell:
    """One prompt of the study, asked with every query of its task.

    Args:
        task: see `task`.   wording: one of its wordings.   chat: as turns of a chat.
        shots: examples, all classes together.   seed: which examples.
        order: 0 is as drawn, and any other number shuffles the same examples in its own way.
        labels: "right", "random" (each drawn from all labels) or "flipped" (the next class's).
        first: so many examples are of class 0, all others of class 1; -1 shares them out evenly.
        form: "", or what else is changed: "lower", "mixed formats", "chatter", "alike", "spread",
            "other sentences".
        queries: how many of the task's are asked.
    """

    task: str
    wording: str = "base"
    chat: bool = False
    shots: int = 0
    seed: int = 0
    order: int = 0
    labels: str = "right"
    first: int = -1
    form: str = ""
    queries: int = 50


def examples(cell: Cell) -> list[tuple[str, int]]:
    """The examples of a cell in their order, as (sentence, class).

    With fewer shots the same seed shows the first of the same examples.
    """
    this = task(cell.task)
    if cell.form == "other sentences":
        this = task("question" if cell.task == "sentiment" else "sentiment")
    draw = torch.Generator().manual_seed(1000 + cell.seed)
    pools = [[own[i] for i in torch.randperm(len(own), generator=draw)] for own in this.shown]
    ways = len(pools)
    if cell.form in ("alike", "spread"):
        from course_lib.chapters.ch10.lookup import alike_or_spread

        pools = [alike_or_spread(own[:24], cell.shots // ways, cell.form) for own in pools]
    if cell.first >= 0:
        classes = [0] * cell.first + [1] * (cell.shots - cell.first)
    else:
        classes = [(cell.seed + i) % ways for i in range(cell.shots)]
    places = [classes[:i].count(n) for i, n in enumerate(classes)]
    chosen = [(pools[n][place], n) for n, place in zip(classes, places, strict=True)]
    chosen = [chosen[i] for i in arranged(len(chosen), cell.order, cell.seed)]
    if cell.labels == "random":
        drawn = torch.randint(ways, (len(chosen),), generator=draw).tolist()
        chosen = [(x, n) for (x, _), n in zip(chosen, drawn, strict=True)]
    if cell.labels == "flipped":
        chosen = [(x, (n + 1) % ways) for x, n in chosen]
    return chosen


def arranged(count: int, order: int, seed: int) -> list[int]:
    """The numbers 0 to count - 1 in an order of that number. Up to 4 examples no two of the first
    count! orders are the same."""
    if count <= 4:
        every = list(itertools.permutations(range(count)))
        return list(every[(7 * order + 5 * seed) % len(every)])
    return torch.randperm(
        count, generator=torch.Generator().manual_seed(7919 * (order + 1) + seed)
    ).tolist()


CHATTER = (
    "Hello! I hope that you are well. Please have a look at the following lines, take all the "
    "time that you need, and thank you very much in advance for your help." + SEPARATE
)


def written(cell: Cell, model=None) -> tuple[list[str], list[str], list[int]]:
    """The prompts of all queries and then of `NEUTRAL`, the label texts, and the right classes.

    Args:
        model: whose chat template writes a cell that is a chat.
    """
    this = task(cell.task)
    asked = this.queries[: cell.queries]
    xs = [x for x, _ in asked] + list(NEUTRAL)
    return (*with_examples(cell, examples(cell), xs, model), [n for _, n in asked])


def with_examples(cell: Cell, shown, xs: Sequence[str], model=None):
    """The prompts that show ``shown``, (sentence, class) each, and ask ``xs``; the label texts. In
    a chat a label is scored without the mark that ends a turn."""
    wording = task(cell.task).wordings[cell.wording]
    if cell.form == "lower":
        shown, xs = [(x.lower(), n) for x, n in shown], [x.lower() for x in xs]
    pairs = [(x, wording.labels[n]) for x, n in shown]
    if cell.chat:
        ask = wording.template.query
        turns = [(fill(ask, x=x), y) for x, y in pairs]
        said = [model.conversation(turns, fill(ask, x=x), wording.instruction)[0] for x in xs]
        return said, list(wording.labels)
    if cell.form == "mixed formats":
        forms = ("{x} -> {y}\n", "* {y} | {x}\n", wording.example, '"{x}" = {y};\n')
        before = "".join(fill(forms[i % 4], x=x, y=y) for i, (x, y) in enumerate(pairs))
    else:
        before = "".join(fill(wording.example, x=x, y=y) for x, y in pairs)
    before = (CHATTER if cell.form == "chatter" else "") + wording.instruction + before
    form = wording.template
    return (
        [before + fill(form.query, x=x) for x in xs],
        [fill(form.label, y=label) for label in wording.labels],
    )
