"""The static site, piece by piece. tests/browser/test_site_in_browser.py opens it as a reader."""

import base64
import dataclasses
import json

import nbformat
import pytest

from course_lib.classroom.predictions import Outcome, Question, find, reveal
from course_lib.classroom.site import notebook, predictions, search
from course_lib.classroom.site.builder import Home, course
from course_lib.classroom.site.notebook import chapter as chapter_page
from course_lib.classroom.site.page import Page, anchor, name_headings, parsed, take_pictures_out
from tools import colab

CHOICE, NUMBER = "02.alpha", "00.one_shot"


def code(source, page="", **metadata):
    outputs = [nbformat.v4.new_output("execute_result", {"text/html": page})] if page else []
    return nbformat.v4.new_code_cell(source, outputs=outputs, metadata=metadata)


def chapter(tmp_path, *cells, name="99_toy"):
    first = nbformat.v4.new_markdown_cell("# 99 · Toy\n\n**What is a *toy*?** About 5 minutes.")
    path = tmp_path / f"{name}.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[first, *cells]), path)
    return notebook.chapter(path)


@pytest.fixture
def stored(monkeypatch):
    """What `reveal` leaves in a notebook, for an outcome that is given."""

    def stored(identity, right) -> str:
        outcome = Outcome(right, lines="0.5")
        asked = dataclasses.replace(find(identity), outcome=lambda: outcome)
        monkeypatch.setattr("course_lib.classroom.predictions.find", lambda _: asked)
        return reveal(identity).page

    return stored


def first_key(identity):
    return next(iter(find(identity).answers))


def test_a_chapter_becomes_a_page(tmp_path):
    begin = "**Begin now:** press Shift and Enter together."
    cells = map(nbformat.v4.new_markdown_cell, [begin, "## A part\n\nSome words."])
    page = chapter(tmp_path, *cells)
    assert (page.title, page.question, page.minutes) == ("99 · Toy", "What is a toy?", 5)
    assert page.sections == [("a-part", "A part")] and page.address == "99_toy.html"
    assert "Shift" not in page.body.text  # nothing runs here


def test_a_question_becomes_a_form_and_its_answer_says_something_to_each(tmp_path, stored):
    right = first_key(CHOICE)
    page = chapter(
        tmp_path,
        code("predict()", Question(CHOICE, find(CHOICE)).static()),
        code("reveal()", stored(CHOICE, right)),
    )
    assert page.predictions == [CHOICE]
    form, told = page.body.find("form"), page.body.find(class_="course-reveal")
    assert {one["value"] for one in form.find_all("input")} == set(find(CHOICE).answers)
    replies = {one["data-key"]: one for one in told.find_all(class_="reply")}
    assert set(replies) == set(find(CHOICE).answers)
    assert [key for key, one in replies.items() if "good" in one["class"]] == [right]
    assert told.find("details").find("pre").text == "0.5"
    assert told.find(class_="happened").text.startswith("What happened: ")
    assert len(told.find(class_="others").find_all("li")) == len(find(CHOICE).answers) - 1
    assert all(one.find(class_="said") is not None for one in replies.values())


def test_a_number_is_asked_for_with_a_slider_and_judged_within_its_tolerance(stored):
    form = parsed(predictions.form(NUMBER))
    low, high, step = find(NUMBER).number
    range_ = form.find("input", type="range")
    assert [float(range_[name]) for name in ("min", "max", "step")] == [low, high, step]
    told = parsed(predictions.answer(NUMBER, stored(NUMBER, 39.9))).div
    assert float(told["data-right"]) == 39.9
    assert float(told["data-tolerance"]) == find(NUMBER).tolerance
    assert [one["data-key"] for one in told.select(".reply.good")] == ["close"]


def test_words_that_have_changed_since_the_notebook_ran_are_found(stored):
    page = stored(CHOICE, first_key(CHOICE)).replace("What happened: <strong>", "It was <strong>")
    with pytest.raises(ValueError, match=rf"{CHOICE}: the stored answer is not in the words"):
        predictions.answer(CHOICE, page)


def test_what_a_reader_who_had_predicted_saw_is_refused(stored):
    Question(NUMBER, find(NUMBER)).lock(39.0)
    with pytest.raises(ValueError, match=f"{NUMBER}: .* a reader who had predicted"):
        predictions.answer(NUMBER, stored(NUMBER, 70.0))


def test_code_of_a_picture_is_folded_below_it_and_hidden_source_stays_out(tmp_path):
    picture = '<figure><img alt="a line that rises from left" src="data:,"></figure>'
    page = chapter(
        tmp_path,
        code("draw()", picture),
        code("secret()", "<p>open</p>", jupyter={"source_hidden": True}),
        code("plain()"),
    )
    drawn = page.body.find("img").find_parent(class_="cell")
    assert drawn.find("details", class_="source").text.strip().endswith("draw()")
    assert drawn.find("details").find_previous("img")
    assert "secret" not in page.body.text and "plain()" in page.body.text


def test_the_cell_for_colab_stays_out(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# 99\n\nWhy?")])
    colab.put(notebook, "someone/course")
    nbformat.write(notebook, tmp_path / "99_toy.ipynb")
    assert "colab" not in str(chapter_page(tmp_path / "99_toy.ipynb").body).lower()


def test_a_check_that_nobody_tried_and_a_still_explorer_say_how_to_run(tmp_path):
    verdict = '<div class="course-verdict" data-name="not_tried">Not tried yet</div>'
    page = chapter(
        tmp_path,
        code("check()", verdict),
        code("explore()", f"<p><em>{notebook.STATIC}</em></p>"),
    )
    assert "Not tried" not in page.body.text and notebook.STATIC not in page.body.text
    assert [link["href"] for link in page.body.find_all("a")] == ["#run", "#run"]


def test_links_lead_to_pages_to_the_web_or_are_words():
    def page(source, text):
        body = parsed(f"<h1 id='top'>x</h1>{text}")
        return Page(name=source.split("/")[1].split(".")[0], title="x", body=body, source=source)

    here = page(
        "notebooks/01_a.ipynb",
        '<a href="02_b.ipynb#top">1</a><a href="../docs/q.md#no">2</a><a href="../LICENSE">3</a>'
        '<a href="https://example.org">4</a><a href="#top">5</a>',
    )
    other = page("notebooks/02_b.ipynb", "")
    pages = {one.source: one for one in (here, other, page("docs/q.md", ""))}
    lost = notebook.redirect(here, pages, online="")
    assert lost == ["notebooks/01_a.ipynb: docs/q.md has no heading #no"]
    found = [link["href"] for link in here.body.find_all("a")]
    assert found == ["02_b.html#top", "q.html#no", "https://example.org", "#top"]
    here = page("notebooks/01_a.ipynb", '<a href="../LICENSE">3</a>')
    notebook.redirect(here, pages, online="https://example.org/blob")
    assert here.body.a["href"] == "https://example.org/blob/LICENSE"


def test_headings_have_the_addresses_of_github():
    assert anchor("My validation accuracy is 100 %") == "my-validation-accuracy-is-100-"
    body = parsed("<h2>Same</h2><h3>Same</h3><h2>Other, `x`?</h2>")
    name_headings(body)
    ids = [one["id"] for one in body.find_all(["h2", "h3"])]
    assert ids == ["same", "same-1", "other-x"]


def test_equal_pictures_are_one_file():
    data = base64.b64encode(b"picture").decode()
    body = parsed(f'<img src="data:image/png;base64,{data}">' * 2 + '<img src="data:,">')
    files = take_pictures_out(body)
    first, second, third = body.find_all("img")
    assert first["src"] == second["src"] and files == {first["src"]: b"picture"}
    assert third["src"] == "data:,"


def test_the_index_has_sections_without_folded_code_and_can_be_read_by_a_browser(tmp_path):
    page = chapter(
        tmp_path,
        nbformat.v4.new_markdown_cell("## Über **alles** < 3\n\nWörter, 학습."),
        code("hidden_words()", '<img alt="a picture that shows a line" src="data:,">'),
    )
    text = search.index([page])
    entries = json.loads(text.removeprefix("window.courseIndex = ").removesuffix(";\n"))
    assert [entry[2] for entry in entries] == ["99 · Toy", "Über alles < 3"]
    assert entries[1][0] == "99_toy.html#über-alles--3"
    assert "학습" in entries[1][3] and "hidden_words" not in text


def test_links_that_run_a_chapter_need_a_place_on_the_web():
    assert Home().ways_to_run("notebooks/01_tasks.ipynb") == {}
    ways = Home("someone/course", "main").ways_to_run("notebooks/01_tasks.ipynb")
    assert list(ways) == ["Binder", "Colab", "Codespaces"]
    assert ways["Binder"].endswith("someone/course/main?urlpath=lab/tree/notebooks/01_tasks.ipynb")
    with pytest.raises(ValueError, match="name it as owner/name"):
        Home("https://github.com/someone/course")


def test_the_course_has_its_contents_chapters_words_and_texts(tmp_path):
    path = tmp_path / "00_toy.ipynb"
    cell = nbformat.v4.new_markdown_cell("# 00 · Toy\n\n**Why?** About 5 minutes.")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    names = [page.name for page in course([path])]
    assert names[:3] == ["index", "00_toy", "words"] and "questions" in names
    assert len(set(names)) == len(names)
