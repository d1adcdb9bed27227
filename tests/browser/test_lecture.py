"""A lecture with Python behind it: a presenter at 1280 x 720, and phones that vote."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import nbformat
import pytest

from tests.browser import gallery
from tools.lab import ROOT, free_port

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAD = """from course_lib.classroom.drawpad import DrawPad
from course_lib.families import hand_drawn
DrawPad(["one"], hand_drawn, on_change=lambda pad: f"Ink on {int(pad.pictures.sum())} pixels.")"""
SHOWN = """from course_lib.classroom import predict, reveal
cosines = {"joint training": 1.0, "MAML": 0.5, "first order": 0.4}
predict("05.one_step")"""


def toy(path):
    """A notebook with every kind of widget, and the pictures that stand in their place."""
    still = {
        "gallery.waves()": gallery.waves(),
        "gallery.prototypes()": gallery.prototypes(),
        "gallery.writing()": gallery.writing(),
    }
    pages = {source: one._repr_mimebundle_()[0]["text/html"] for source, one in still.items()}
    question = '<div class="course-question" data-id="05.one_step"><p><strong>Predict: which?</strong></p></div>'
    answer = '<div class="course-reveal" data-id="05.one_step"><details><summary>Predict first</summary><p>What happened: joint.</p></details></div>'
    pages |= {PAD: "<p>Run this cell to draw.</p>", SHOWN: question}
    pages['reveal("05.one_step", cosines)'] = answer
    words = nbformat.v4.new_markdown_cell
    cells = [words("# 99 · Toy\n\nAbout 10 minutes.", metadata={"slideshow": {"slide_type": "slide"}})]
    cells.append(nbformat.v4.new_code_cell("from tests.browser import gallery", metadata={"slideshow": {"slide_type": "skip"}}))
    for source, page in pages.items():
        metadata = {"slideshow": {"slide_type": "slide"}, "jupyter": {"source_hidden": True}}
        output = nbformat.v4.new_output("execute_result", {"text/html": page}, execution_count=1)
        cells.append(nbformat.v4.new_code_cell(source, metadata=metadata, outputs=[output]))
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


class Lecture:
    """The command, in a process of its own, with settings in a temporary folder."""

    def __init__(self, folder, *options):
        self.folder, self.log = folder, folder / "lecture.log"
        env = dict(os.environ) | {"PYTHONPATH": str(ROOT), "COURSE_PROGRESS": str(folder / "own.json")}
        env |= {f"JUPYTER_{name}_DIR": str(folder / name) for name in ("CONFIG", "DATA", "RUNTIME")}
        env |= {"IPYTHONDIR": str(folder / "ipython")}
        command = [sys.executable, "-m", "course_lib", "lecture", str(toy(folder / "99_toy.ipynb"))]
        command += ["--no-browser", "--port", str(free_port()), *options]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)

    def find(self, pattern):
        end = time.monotonic() + 120
        while time.monotonic() < end and self.process.poll() is None:
            if found := re.search(pattern, self.log.read_text("utf-8", "replace")):
                return found[0]
            time.sleep(0.1)
        raise RuntimeError(self.log.read_text("utf-8", "replace")[-3000:])

    @contextmanager
    def open(self, chromium):
        context = chromium.new_context(viewport={"width": 1280, "height": 720})
        page, complaints = context.new_page(), []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda one: complaints.append(one.text) if one.type == "error" else None)
        page.goto(self.find(r"http://127\.0\.0\.1:\d+/lecture\?token=\w+"))
        wait(page, "html:is([data-live=ready], [data-live=failed], [data-live=gone])")
        assert page.evaluate("document.documentElement.dataset.live") == "ready", (
            page.locator(".course-state").inner_text()
        )
        yield page
        assert not complaints, complaints
        context.close()


def wait(page, selector):
    page.wait_for_selector(selector, state="attached", timeout=120_000)


@pytest.fixture(scope="module")
def lecture(tmp_path_factory):
    started = Lecture(tmp_path_factory.mktemp("lecture"), "--votes")
    yield started
    started.process.terminate()
    started.process.wait(30)


@pytest.fixture
def page(lecture, chromium):
    with lecture.open(chromium) as page:
        yield page


def go(page, selector):
    """With the space bar to the slide that has it."""
    for _ in range(12):
        if page.evaluate("(one) => !!Reveal.getCurrentSlide().querySelector(one)", selector):
            return page.locator(f"section.present section.present {selector}").first
        page.keyboard.press("Space")
    raise AssertionError(f"no slide has {selector}")


def says(page, text):
    page.wait_for_function(
        "(text) => Reveal.getCurrentSlide().innerText.includes(text)", arg=text, timeout=30_000
    )


def place(page):
    return page.evaluate("JSON.stringify(Reveal.getIndices())")


def test_without_the_token_there_is_no_lecture_and_no_kernel(lecture):
    address = lecture.find(r"http://127\.0\.0\.1:\d+/lecture\?token=\w+").split("lecture")[0]
    with urllib.request.urlopen(f"{address}lecture") as answer:
        assert "/login" in answer.url and b"99 \xc2\xb7 Toy" not in answer.read()
    request = urllib.request.Request(f"{address}api/kernels", method="POST", data=b"{}")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request)


def test_sliders_points_texts_and_drawings_are_live_and_keys_are_the_lectures(page):
    slider = go(page, "[data-name=amplitude]")
    slider.focus()
    page.keyboard.press("End")
    says(page, "Outputs reach from -5.00 to 5.00.")
    assert page.evaluate("Reveal.getCurrentSlide().querySelector('.course-live').dataset.zoom") >= "1"
    before = place(page)
    page.keyboard.press("b")
    assert page.locator(".reveal.paused").count() == 1
    page.keyboard.press("b")
    page.keyboard.press("Space")
    assert place(page) != before, "the space bar goes on, though a slider had the focus"

    stage = go(page, ".course-stage.has-points")
    page.wait_for_function("(one) => one.clientHeight > 100", arg=stage.element_handle())
    spot = page.evaluate(
        """() => { const slide = Reveal.getCurrentSlide(), ring = slide.querySelector('.course-handles circle');
            const box = ring.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }"""
    )
    said = page.locator("section.present section.present .course-number").inner_text()
    page.mouse.move(*spot)
    page.mouse.down()
    page.mouse.move(spot[0] + 60, spot[1] - 30, steps=4)
    page.mouse.up()
    page.wait_for_function(
        "(said) => Reveal.getCurrentSlide().querySelector('.course-number').innerText !== said", arg=said
    )
    before = place(page)
    page.keyboard.press("n")  # the next point, not the next slide
    assert place(page) == before
    page.keyboard.press("PageDown")
    assert place(page) != before

    field = go(page, "textarea")
    field.click()
    page.keyboard.press("Control+a")
    page.keyboard.type("two words")
    says(page, "2 words, 8 letters")
    page.keyboard.press("Escape")
    before = place(page)
    page.keyboard.press("Space")
    assert place(page) != before

    sheet = go(page, "canvas.course-sheet")
    box = sheet.bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 120, steps=6)
    page.mouse.up()
    says(page, "Ink on")


def test_nothing_live_leaves_its_slide(page):
    seen = set()
    while (at := place(page)) not in seen:
        seen.add(at)
        page.wait_for_timeout(300)
        low = page.evaluate(
            "Math.max(0, ...[...Reveal.getCurrentSlide().querySelectorAll('.course-live')].map((one) => one.getBoundingClientRect().bottom))"
        )
        assert low <= 720, at
        page.keyboard.press("Space")


def test_the_room_votes_and_the_answer_that_is_locked_is_spoken_to(page, lecture, chromium):
    go(page, "form.course-predict")
    address = page.locator(".course-room-address").inner_text()
    assert lecture.find(r"can open \S+") == f"can open http://{address}"
    address = re.sub(r"//[\d.]+", "//127.0.0.1", f"http://{address}")
    phones = [chromium.new_context(viewport={"width": 390, "height": 800}).new_page() for _ in range(3)]
    for number, phone in enumerate(phones):
        phone.goto(address)
        phone.locator("button").nth(min(number, 1)).click()
        phone.get_by_text("Counted: ").wait_for()
    says(page, "3 answers")
    assert page.locator(".course-bars").count() == 0, "no bars before the reveal"
    page.locator("form.course-predict input").first.check()
    page.locator(".course-lock").click()
    page.wait_for_function("document.querySelector('.course-reveal').textContent.includes('You predicted')")
    page.keyboard.press("Space")
    says(page, "You predicted")
    page.wait_for_selector(".course-bars")
    assert page.locator(".course-bars b").all_inner_texts()[:2] == ["1", "2"]
    for phone in phones:
        phone.get_by_text("Voting is over").wait_for()
        phone.context.close()
    assert not (lecture.folder / "own.json").exists(), "the teacher's own progress is untouched"


def test_the_speakers_view_is_still_and_has_the_clock_and_the_notes(page):
    go(page, "form.course-predict")
    page.keyboard.press("Shift")
    with page.expect_popup() as opened:
        page.keyboard.press("s")
    view = opened.value
    view.wait_for_selector(".speaker-controls-notes:not(.hidden)", timeout=60_000)
    assert "What goes wrong" in view.locator(".speaker-controls-notes").inner_text()
    assert view.locator(".speaker-controls-time .clock").inner_text()
    frames = [frame for frame in view.frames if "receiver" in frame.url]
    assert len(frames) == 2 and all("course-live" not in frame.content() for frame in frames)
    assert page.evaluate("Reveal.getConfig().totalTime") == 600
    view.close()


def test_when_python_dies_the_slide_says_so_and_keeps_its_picture(page):
    slider = go(page, "[data-name=amplitude]")
    slider.focus()
    page.keyboard.press("End")
    says(page, "Outputs reach from -5.00 to 5.00.")
    picture = page.locator("section.present section.present .course-picture")
    shown = picture.get_attribute("src")
    page.evaluate("courseKernel().execute('import os; os._exit(1)').catch(() => {})")
    wait(page, "html[data-live=gone]")
    assert "Python does not answer" in page.locator(".course-state").inner_text()
    assert picture.get_attribute("src") == shown and picture.evaluate("(one) => one.naturalWidth") > 0
    page.locator(".course-state button").click()
    wait(page, "html[data-live=ready]")
    says(page, "Outputs reach from -1.00 to 1.00.")
    page.locator("section.present section.present [data-name=amplitude]").press("End")
    says(page, "Outputs reach from -5.00 to 5.00.")


def test_a_slow_kernel_is_announced(page):
    slider = go(page, "[data-name=amplitude]")
    slow = "import time, gc\nfor one in gc.get_objects():\n    if type(one).__name__ == 'Explorer':\n        one.compute = (lambda quick: lambda **state: (time.sleep(3), quick(**state))[1])(one.compute)"
    page.evaluate("(code) => courseKernel().execute(code)", slow)
    slider.press("End")
    page.wait_for_selector("section.present section.present .course-wait:not([hidden])", timeout=10_000)
    says(page, "Outputs reach from -5.00 to 5.00.")


def test_kernels_end_with_their_page(lecture, chromium):
    with lecture.open(chromium):
        pass
    address = lecture.find(r"http://127\.0\.0\.1:\d+/lecture\?token=\w+").replace("lecture", "api/kernels")
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with urllib.request.urlopen(address) as answer:
            if not (left := json.load(answer)):
                return
        time.sleep(0.3)
    raise AssertionError(left)
