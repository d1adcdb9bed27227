"""One thing, one name, in three languages; one symbol, one meaning."""

import json
import re
from collections import Counter

import pytest

from course_lib import ROOT
from tools import words

TABLE = {row.term: row for row in words.read(words.WORDS, words.Word)}
SYMBOLS = words.read(words.SYMBOLS, words.Symbol)
each_chapter = pytest.mark.parametrize("path", words.chapters(), ids=lambda path: path.stem)


def bare(text: str) -> str:
    """Without what stands in brackets."""
    return re.sub(r"\s*\([^)]*\)", "", text)


@each_chapter
def test_a_chapters_words_are_those_of_the_course(path):
    found = words.terms_of(path)
    assert len(found) >= 5
    for term, korean, chinese in found:
        assert term in TABLE, f"{term}: not in data/words.tsv"
        said = bare(korean), bare(chinese)
        assert said == (bare(TABLE[term].korean), bare(TABLE[term].chinese)), term


def test_every_word_of_the_table_is_explained_in_a_chapter():
    assert set(TABLE) == set(words.where())
    assert all(row.meaning and row.korean and row.chinese for row in TABLE.values())


@pytest.mark.parametrize("language", ["korean", "chinese"])
def test_no_word_stands_for_two_terms(language):
    counts = Counter(getattr(row, language) for row in TABLE.values())
    assert [word for word, count in counts.items() if count > 1] == []


def test_a_symbol_has_one_meaning_and_is_a_name_in_the_code():
    for column in ("symbol", "code"):
        assert len({getattr(row, column) for row in SYMBOLS}) == len(SYMBOLS)
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "course_lib").rglob("*.py"))
    assert [row.code for row in SYMBOLS if not re.search(rf"\b{row.code}\b", code)] == []


@each_chapter
def test_nothing_goes_by_another_name(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    prose = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    for row in TABLE.values():
        for pattern in filter(None, row.never.split("; ")):
            found = re.search(pattern, prose, flags=re.I)
            assert not found, f"{found.group()!r}: the course says {row.term!r}"


def test_the_page_is_made_from_the_tables():
    made = "python -m tools.words --write"
    assert words.PAGE.read_text(encoding="utf-8") == words.page(), made
