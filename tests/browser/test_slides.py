"""Every chapter as a lecture: walked through with the keyboard, at 1280 x 720 and without a
network."""

import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest

from course_lib import __main__ as commands
from course_lib.commands import slides
from tools.lab import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

# What is wrong with the slide in view, in sentences.
COMPLAINTS = r"""() => {
    const slide = Reveal.getCurrentSlide(), found = [];
    const seen = [...slide.querySelectorAll("*")].filter((one) => !one.closest(".katex-mathml, aside, svg") && one.checkVisibility(
        { contentVisibilityAuto: true, visibilityProperty: true, opacityProperty: true }));
    const words = (one) => (one.innerText || one.getAttribute("alt") || one.tagName).trim().replace(/\s+/g, " ").slice(0, 50);
    const own = (one) => [...one.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data).join("").trim();
    const ends = seen.filter((one) => !one.children.length || own(one));
    const over = (one) => {
        const box = one.getBoundingClientRect();
        return box.width && box.height ? Math.round(Math.max(box.bottom - 720, box.right - 1280, -box.top, -box.left)) : 0;
    };
    const farthest = ends.sort((one, other) => over(other) - over(one))[0];
    if (farthest && over(farthest) > 0) found.push(`${over(farthest)} pixels of '${words(farthest)}' leave the slide`);
    for (const one of ends) {
        if (own(one) && !one.closest(".katex") && parseFloat(getComputedStyle(one).fontSize) < 14) found.push(`'${words(one)}' is too small to read`);
        if (!one.closest("pre, code, .katex") && /\$[^$]+\$|\\[a-zA-Z]{2,}/.test(own(one))) found.push(`TeX that was not set: '${words(one)}'`);
    }
    for (const one of seen.filter((one) => !one.closest(".katex"))) {
        const { overflowX, overflowY } = getComputedStyle(one);
        if (overflowY !== "visible" && one.scrollHeight > one.clientHeight + 1) found.push(`'${words(one)}' scrolls inside the slide`);
        if (overflowX !== "visible" && one.scrollWidth > one.clientWidth + 1) found.push(`'${words(one)}' scrolls sideways inside the slide`);
    }
    for (const image of seen.filter((one) => one.matches("img"))) {
        if (image.alt.split(" ").length < 5 || image.alt.startsWith("No description")) found.push(`no alt text for a picture: '${image.alt}'`);
        if (!image.naturalWidth) found.push(`a picture is broken: '${image.alt}'`);
    }
    for (const details of slide.querySelectorAll("details.fragment")) {
        if (details.open !== details.matches(".visible")) found.push("what is folded does not open with the key that goes on, or too early");
    }
    const alone = [...slide.children].filter((one) => !one.matches(".running, aside"));
    if (alone.length === 1 && alone[0].querySelector(".course-reveal > details") && !slide.querySelector("img")) found.push("what happens stands without its question");
    if (slide.querySelector(".course-question") && slide.querySelector(".course-reveal")) found.push("the question and its answer share a slide");
    if (!slide.innerText.trim() && !slide.querySelector("img")) found.push("the slide is empty");
    return found;
}"""
PLACE = """() => {
    const slide = Reveal.getCurrentSlide(), first = slide.querySelector(":scope > :not(.running)");
    const { h, v, f } = Reveal.getIndices();
    return { place: `${h}.${v}`, step: `${h}.${v}.${f}`, words: (first?.innerText || "").trim().replace(/\\s+/g, " ").slice(0, 60) };
}"""


class Walk:
    """One lecture from its first slide to its last, by keyboard."""

    def __init__(self, chromium, page_file, name):
        self.complaints, self.texts = [], []
        context = chromium.new_context(viewport={"width": 1280, "height": 720}, offline=True)
        try:
            page = context.new_page()
            page.on(
                "request",
                lambda one: (
                    None
                    if re.match("file:|data:|blob:", one.url)
                    else self.complaints.append(f"{name} asks for {one.url}")
                ),
            )
            page.on(
                "console",
                lambda one: (
                    self.complaints.append(f"{name}: {one.text}")
                    if one.type in ("error", "warning")
                    else None
                ),
            )
            page.on("pageerror", lambda error: self.complaints.append(f"{name}: {error}"))
            page.goto(page_file.resolve().as_uri())
            page.wait_for_selector("html[data-lecture=ready]", state="attached", timeout=60_000)
            self.walk(page, name)
            self.total = page.evaluate("Reveal.getTotalSlides()")
            self.sections = page.evaluate("document.querySelectorAll('.slides h2').length")
        finally:
            context.close()

    def walk(self, page, name):
        before = {"place": None, "step": None}
        while (at := page.evaluate(PLACE))["step"] != before["step"]:
            if at["place"] != before["place"]:
                self.texts.append(at["words"])
            for complaint in dict.fromkeys(page.evaluate(COMPLAINTS)):
                self.complaints.append(
                    f"{name}, slide {len(self.texts)} ('{at['words']}'): {complaint}"
                )
            before = at
            page.keyboard.press("Space")


@pytest.fixture(scope="module")
def lectures(tmp_path_factory):
    """A folder of notebooks, and beside each what the command makes of it."""
    folder = tmp_path_factory.mktemp("lectures")
    copies = [str(shutil.copy(notebook, folder)) for notebook in NOTEBOOKS]
    few = ["--positions", "2"]  # the room they take is that of twelve
    assert commands.main(["slides", *copies, "--output", str(folder), *few]) == 0
    return folder


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_nothing_overflows(chromium, lectures, notebook):
    walk = Walk(chromium, lectures / f"{notebook.stem}.slides.html", notebook.name)
    assert not walk.complaints, "\n".join(["", *walk.complaints])
    assert len(walk.texts) == walk.total, (
        f"{notebook.name}: the keyboard reaches {len(walk.texts)} of {walk.total} slides"
    )
    assert walk.total > walk.sections, (
        f"{notebook.name}: {walk.total} slides for {walk.sections} sections: say in the cells "
        "where slides begin"
    )


@pytest.mark.slow
@pytest.mark.parametrize("place", [ROOT, ROOT / "notebooks"], ids=["project", "notebooks"])
def test_plain_nbconvert_writes_the_same(lectures, tmp_path, place):
    # half of the chapters from each place: drawing their frames takes most of the time
    chosen = NOTEBOOKS[0::2] if place == ROOT else NOTEBOOKS[1::2]
    copies = [str(lectures / notebook.name) for notebook in chosen]
    command = [
        sys.executable,
        "-m",
        "nbconvert",
        "--to",
        "slides",
        *copies,
        "--output-dir",
        str(tmp_path),
        "--LectureCells.positions=2",
    ]
    # on one thread, as the lectures it is compared with: two add in another order
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=place, env=alone, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for notebook in chosen:
        name = f"{notebook.stem}.slides.html"
        assert (tmp_path / name).read_text("utf-8").strip() == (lectures / name).read_text(
            "utf-8"
        ).strip(), f"{name} differs"


# --- the rules, on a notebook made for them ---

PICTURE = (
    '<img alt="A line that rises from left to right" width="{0}" height="{1}" '
    'src="data:image/svg+xml,'
    '%3Csvg xmlns=%22http://www.w3.org/2000/svg%22 width=%22{0}%22 height=%22{1}%22/%3E">'
)


def cell(source, *pages, kind="-", hidden=False):
    """A code cell with HTML outputs, or, without any, a markdown cell unless its source is code."""
    metadata = {
        "slideshow": {"slide_type": kind},
        **({"jupyter": {"source_hidden": True}} if hidden else {}),
    }
    if not pages:
        return nbformat.v4.new_markdown_cell(source, metadata=metadata)
    outputs = [
        nbformat.v4.new_output("display_data", {"text/html": page}) for page in pages if page
    ]
    return nbformat.v4.new_code_cell(source, metadata=metadata, outputs=outputs)


@pytest.fixture
def walked(chromium, tmp_path):
    def walk(*cells):
        nbformat.write(
            nbformat.v4.new_notebook(cells=[cell("# 99 · Toy", kind="slide"), *cells]),
            tmp_path / "99_toy.ipynb",
        )
        (tmp_path / "99_toy.slides.html").write_text(
            slides.lecture(tmp_path / "99_toy.ipynb"), encoding="utf-8"
        )
        return Walk(chromium, tmp_path / "99_toy.slides.html", "99_toy.ipynb")

    return walk


@pytest.mark.browser
def test_what_is_wrong_is_named(walked):
    long = cell("## Too long\n\n" + "One more paragraph of words.\n\n" * 30, kind="slide")
    wide = cell(
        "## Too wide\n\n|" + " a_column_without_spaces |" * 9 + "\n|" + "---|" * 9 + "\n",
        kind="slide",
    )
    scrolls = cell(
        '<div style="height: 50px; overflow: auto">' + "line<br>" * 9 + "</div>", kind="slide"
    )
    picture = cell("show()", '<img src="data:image/png;base64,AAAA">', kind="slide")
    equation = cell(r"Look at $\nosuchcommand$ here", kind="slide")
    raw = cell("<p>\\frac{a}{b}</p>", kind="slide")
    network = cell(
        '<img alt="a picture from far far away" src="https://example.org/a.png">', kind="slide"
    )
    told = "\n".join(walked(long, wide, scrolls, picture, equation, raw, network).complaints)
    for number, words in {
        2: "pixels of 'One more paragraph of words.' leave the slide",
        3: "leave the slide",
        4: "scrolls inside the slide",
        5: "no alt text",
        6: "TeX that was not set",
        7: "TeX that was not set",
    }.items():
        assert re.search(rf"99_toy.ipynb, slide {number} \('.*'\): .*{re.escape(words)}", told), (
            f"{words}\n{told}"
        )
    assert "asks for https://example.org/a.png" in told
    assert "slide 1 " not in told


@pytest.mark.browser
def test_cells_that_do_not_fit_together_get_slides_of_their_own(walked):
    words = (
        "A paragraph of some words that fill a line or two of the slide, so that there is "
        "less room for the picture below. "
    ) * 7
    walk = walked(
        cell("## Much", kind="slide"),
        cell(words),
        cell("draw()", PICTURE.format(900, 360)),
        cell(words),
    )
    assert not walk.complaints, walk.complaints
    assert [text[:11] for text in walk.texts] == ["99 · Toy", "Much", "", "A paragraph"]


@pytest.mark.browser
def test_a_question_its_answer_and_what_is_said_to_the_others(walked):
    question = (
        '<div class="course-question" data-id="99.up"><p><strong>Predict: up or down?</strong></p><ol '
        'type="A"><li>up</li><li>down</li></ol></div>'
    )
    answer = (
        f"<p>It went up.</p>{PICTURE.format(800, 320)}<p>If you "
        "expected</p><ul><li><em>down</em>: no.</li></ul>"
    )
    reveal = (
        '<div class="course-reveal" data-id="99.up"><details><summary>Predict '
        f"first</summary>{answer}</details></div>"
    )
    asked, told = cell("predict()", question, hidden=True), cell("reveal()", reveal, hidden=True)
    walk = walked(cell("## Up or down?", kind="slide"), asked, cell("measure()", ""), told)
    assert not walk.complaints, walk.complaints
    assert walk.texts == [
        "99 · Toy",
        "Up or down?",
        "Predict: up or down?",  # with the code that measures
        "What happens It went up.",  # unfolded; a picture needs the room of the question
        "If you expected down: no.",
    ]


def test_source_that_an_audience_does_not_need_is_left_out(tmp_path):
    folded, drawn = (
        cell("folded_source()", "<p>its output</p>", hidden=True),
        cell("drawing_lines()", PICTURE.format(9, 9)),
    )
    skipped, idea = (
        cell("skipped_source()", "<p>nor this</p>", kind="skip"),
        cell("idea_of_the_chapter()", "<p>its result</p>"),
    )
    cells = [cell("# 99 · Toy", kind="slide"), folded, drawn, skipped, idea]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "99_toy.ipynb")
    page = slides.lecture(tmp_path / "99_toy.ipynb")
    assert all(
        word in page
        for word in (
            "its output",
            "A line that rises",
            "idea_of_the_chapter",
            "its result",
            "<title>99 · Toy</title>",
        )
    )
    assert not any(
        word in page for word in ("folded_source", "drawing_lines", "skipped_source", "nor this")
    )


def test_a_chapter_is_named_by_its_number_or_its_path(capsys):
    assert slides.find(NOTEBOOKS[0].name[:2]) == slides.find(str(NOTEBOOKS[0])) == NOTEBOOKS[0]
    assert commands.main(["slides", "77"]) == 2
    assert "there is no chapter 77: name one of 0" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("chapter", ["03", "08"])
def test_explorers_that_move_add_less_than_three_megabytes(chapter):
    notebook = slides.find(chapter)
    moving, still = slides.lecture(notebook), slides.lecture(notebook, positions=0)
    assert 100_000 < len(moving) - len(still) < 3_000_000
    assert "course-moving" in moving and "course-moving" not in still.split("</style>")[-1]
