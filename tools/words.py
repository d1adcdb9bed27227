"""The course's words and symbols: data/words.tsv and data/symbols.tsv, and the page made of them.

    python -m tools.words            the page docs/words.md, printed
    python -m tools.words --write    and written

A term has one name, one Korean and one Chinese word in all chapters, and a symbol one meaning.
`tests/house/test_words.py` holds the chapters to it.
"""

import argparse
import csv
import json
import re
from pathlib import Path
from typing import NamedTuple

from course_lib import DATA, ROOT

WORDS, SYMBOLS, PAGE = DATA / "words.tsv", DATA / "symbols.tsv", ROOT / "docs" / "words.md"
COMMA = re.compile(r"\s*[,，、;；]\s*")


class Word(NamedTuple):
    """A row: the term, its words in Korean and Chinese, what it means, and names that it must not
    go by (regular expressions, separated by "; ")."""

    term: str
    korean: str
    chinese: str
    meaning: str
    never: str


class Symbol(NamedTuple):
    """A row: the symbol, how code writes it, and its one meaning."""

    symbol: str
    code: str
    meaning: str


def read(path: Path, kind: type) -> list:
    """The rows of a table, whose first line names its columns.

    Raises:
        ValueError: a row has another number of columns.
    """
    with open(path, encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    width = len(kind._fields)
    if wrong := [line for line in lines if len(line) != width]:
        raise ValueError(f"{path.name}: {wrong[0]} needs {width} columns")
    return [kind(*line) for line in lines]


def parts(cell: str) -> list[str]:
    """A cell such as "zero-shot, one-shot" as its terms; what stands in brackets belongs to one."""
    held = re.sub(r"\([^)]*\)", lambda found: COMMA.sub("\x00", found.group()), cell)
    return [part.replace("\x00", ", ").strip() for part in COMMA.split(held)]


def in_notebook(path: Path) -> list[tuple[str, str, str, str]]:
    """The rows of a chapter's table of words: English, Korean, Chinese, meaning here."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", text, flags=re.M)
    begin = next((i for i, row in enumerate(rows) if "한국어" in row), len(rows))
    return [row for row in rows[begin + 1 :] if re.search("[가-힣]", row[1])]


def terms_of(path: Path) -> list[tuple[str, str, str]]:
    """Each term of a chapter with its Korean and Chinese words. A symbol behind a term is left out:
    "way, N" is the term "way"."""
    symbols = {row.symbol for row in read(SYMBOLS, Symbol)}
    found = []
    for english, korean, chinese, _ in in_notebook(path):
        names = [name for name in parts(english) if name not in symbols]
        own = [parts(korean), parts(chinese)]
        if len(names) > 1 and {len(words) for words in own} == {len(names)}:
            found += list(zip(names, *own, strict=True))
        else:
            found.append((", ".join(names), korean, chinese))
    return found


def chapters() -> list[Path]:
    return sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def where() -> dict[str, list[Path]]:
    """The chapters whose tables have a term."""
    found: dict[str, list[Path]] = {}
    for path in chapters():
        for term, _, _ in terms_of(path):
            found.setdefault(term, []).append(path)
    return found


def page() -> str:
    """The page of words, in Markdown."""
    lines = [
        "# Words and symbols",
        "",
        "Made by `python -m tools.words --write` from data/words.tsv and data/symbols.tsv.",
        "",
        "| symbol | in code | meaning |",
        "|---|---|---|",
        *(f"| {row.symbol} | `{row.code}` | {row.meaning} |" for row in read(SYMBOLS, Symbol)),
        "",
        "| English | 한국어 | 中文 | meaning | chapters |",
        "|---|---|---|---|---|",
    ]
    used = where()
    for word in sorted(read(WORDS, Word), key=lambda word: word.term.lower()):
        links = [f"[{p.name[:2]}](../notebooks/{p.name})" for p in used.get(word.term, [])]
        cells = [word.term, word.korean, word.chinese, word.meaning, " ".join(links)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="The page of words and symbols.")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    text = page()
    if parser.parse_args().write:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
