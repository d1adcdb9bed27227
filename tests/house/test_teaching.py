"""docs/teaching.md, exam.md and tutor.md: the minutes are those of tools/minutes.py, what is named
exists, and every chapter has its exam questions."""

import re

import pytest

from course_lib import ROOT
from course_lib import __main__ as program
from course_lib.classroom import predictions
from tools import minutes as clock

DOCS = {name: (ROOT / "docs" / name).read_text(encoding="utf-8")
        for name in ("teaching.md", "exam.md", "tutor.md")}  # fmt: skip
CHAPTERS = {place.stem[3:]: place for place in clock.chapters()}
COMING = {"inside_in_context", "meta_rl", "capstone"}  # they may stand here before they are there
ROWS = list(clock.ROW.finditer(DOCS["teaching.md"]))
COURSES = re.split(r"^## ", DOCS["teaching.md"], flags=re.M)[1:4]


def test_the_minutes_are_those_of_the_chapters():
    """`python -m tools.minutes --write` puts them there."""
    assert clock.teaching(DOCS["teaching.md"]) == DOCS["teaching.md"]


def test_there_are_three_courses_that_fit_their_time():
    names = [course.partition(":")[0].partition("\n")[0] for course in COURSES]
    assert names == ["90 minutes", "One day", "Six weeks"]
    together = [int(re.search(r"^Together: (\d+) minutes", c, re.M)[1]) for c in COURSES]
    assert together[0] <= 75 and together[1] <= 330 and all("**Skip**" in c for c in COURSES)


def test_six_weeks_are_the_whole_course_but_what_is_coming():
    named = {row[2] for row in clock.ROW.finditer(COURSES[2])}
    assert CHAPTERS.keys() - COMING <= named <= CHAPTERS.keys() | COMING
    assert {row[3] for row in clock.ROW.finditer(COURSES[2])} == {"whole"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[1]} {row[2]}")
def test_a_prediction_to_ask_aloud_is_asked_in_its_chapter(row):
    if row[2] not in CHAPTERS:
        assert row[2] in COMING
        return
    text = CHAPTERS[row[2]].read_text(encoding="utf-8")
    number = CHAPTERS[row[2]].stem[:2]
    for name in row[5].split(", "):
        assert f'predict(\\"{number}.{name}\\")' in text, name
        assert predictions.find(f"{number}.{name}").question


def test_a_section_that_is_gone_is_named():
    with pytest.raises(ValueError, match="no section 'Nothing'"):
        clock.part(CHAPTERS["outer_loop"], "The outer loss · Nothing")


def test_every_chapter_has_three_exam_questions_with_answers():
    parts = re.split(r"^## (\w+)$", DOCS["exam.md"], flags=re.M)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert CHAPTERS.keys() <= found.keys() <= CHAPTERS.keys() | COMING
    for chapter, text in found.items():
        asked = re.findall(r"^\*\*(\d)\.\*\*", text, re.M)
        answers = re.findall(r"<summary>Answer</summary>\n(.+?)\n</details>", text, re.S)
        assert len(asked) == len(answers) >= 3, chapter
        assert asked == [str(n + 1) for n in range(len(asked))], chapter


@pytest.mark.parametrize("name", DOCS)
def test_links_lead_somewhere_and_commands_exist(name):
    text = DOCS[name]
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert (ROOT / "docs" / target).is_file(), target
    for command in re.findall(r"python -m course_lib (\w+)", text):
        assert command in program.COMMANDS
    for line in text.splitlines():
        assert len(line) <= 150 or line.startswith("|"), line


def test_the_readme_leads_here():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"docs/{name}" in readme for name in DOCS)
