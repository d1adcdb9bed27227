"""A summary in three sentences, asked of a language model with 0, 1 or 2 examples, and what can be
checked about it without reading it: its sentences, and the names and numbers in it.

The articles were written for this course, and none of them is about real people.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from course_lib import DATA

FOLDER = DATA / "articles"
ASKED = "Summary in three sentences:"
WORDS = 100  # tokens that a summary may have
END = re.compile(r"[.!?][\"')]*(?=\s|$)")
WORD = re.compile(r"\d[\d,.:]*\d|\d|[^\W\d_]+")
SMALL = (
    "one two three four five six seven eight nine ten eleven twelve half third fifth".split()
)  # numbers in words are checked like numbers in digits


@dataclass(frozen=True)
class Article:
    """A short text with six facts, each a name or a number as it stands in it; ``summary`` is there
    for the two articles that serve as examples."""

    name: str
    text: str
    facts: tuple[str, ...] = ()
    summary: str = ""


def articles() -> list[Article]:
    """The twelve articles that are summarised."""
    rows = (FOLDER / "articles.tsv").read_text(encoding="utf-8").splitlines()
    return [
        Article(name, text, tuple(facts.split("|")))
        for name, text, facts in (row.split("\t") for row in rows)
    ]


def examples() -> list[Article]:
    """Two more, with a summary in three sentences each."""
    rows = (FOLDER / "examples.tsv").read_text(encoding="utf-8").splitlines()
    return [
        Article(name, text, (), summary)
        for name, text, summary in (row.split("\t") for row in rows)
    ]


def written(model, text: str, shown: Sequence[Article], chat: bool) -> str:
    """The prompt: the examples and their summaries, then the article. As one text, or as turns of a
    chat."""
    if chat:
        turns = [(f"{one.text}\n\n{ASKED}", one.summary) for one in shown]
        return model.conversation(turns, f"{text}\n\n{ASKED}")[0]
    before = "".join(f"{one.text}\n\n{ASKED} {one.summary}\n\n\n" for one in shown)
    return f"{before}{text}\n\n{ASKED}"


def conditions() -> list[tuple[bool, int]]:
    """(as a chat, examples) of each way to ask."""
    return [(chat, shots) for chat in (False, True) for shots in (0, 1, 2)]


@torch.no_grad()
def summarised(model) -> list[str]:
    """A summary of every article for every condition, the most probable token each time: all
    articles of one condition side by side, filled up on the left."""
    found, tokenizer = [], model.tokenizer
    for chat, shots in conditions():
        shown = examples()[:shots]
        rows = [model.tokens(written(model, one.text, shown, chat)) for one in articles()]
        longest = max(map(len, rows))
        fill = tokenizer.pad_token_id or 0
        ids = torch.tensor([[fill] * (longest - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
        said = model.network.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            max_new_tokens=WORDS,
            do_sample=False,
            pad_token_id=fill,
        )
        for row in said[:, longest:].tolist():
            text = tokenizer.decode(row, skip_special_tokens=True).strip()
            found.append(text if chat else text.partition("\n")[0].strip())
    return found


def sentences(summary: str) -> int:
    """How many sentences a text has: ends of sentences, and a rest without one counts as well."""
    ends = [match.end() for match in END.finditer(summary)]
    rest = summary[ends[-1] :] if ends else summary
    return len(ends) + bool(rest.strip())


def kept(article: Article, summary: str) -> int:
    """How many of the article's facts stand in the summary."""
    return sum(fact.lower() in summary.lower() for fact in article.facts)


def names_and_numbers(text: str) -> set[str]:
    """Numbers, and words with a capital that do not begin a sentence."""
    found = set()
    for match in WORD.finditer(text):
        word, before = match.group(), text[: match.start()].rstrip("\"'( \n")
        begins = not before or before[-1] in ".!?:"
        if word[0].isdigit() or word.lower() in SMALL:
            found.add(word.lower())
        elif word[0].isupper() and not begins:
            found.add(word.lower())
    return found


def invented(article: Article, summary: str) -> set[str]:
    """Names and numbers of the summary that the article does not have: a summary with any is not
    faithful. One without may still be wrong."""
    known = {match.group().lower() for match in WORD.finditer(article.text)}
    return names_and_numbers(summary) - known
