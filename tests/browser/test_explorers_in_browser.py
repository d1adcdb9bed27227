"""The machinery of explorers in JupyterLab, on four explorers with every kind of control."""

import nbformat
import pytest

from tests.browser.test_notebooks_in_browser import move_everything
from tools.lab import Lab

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = [
    "from tests.browser import gallery\nimport time",
    "waves = gallery.waves()\nwaves",
    "gallery.prototypes()",
    "display(gallery.descent())",
    "waves  # the same explorer a second time",
    "writing = gallery.writing()\nwriting",
    "writing  # the same once more",
]


TYPING = [
    "from course_lib.chapters.ch10.explorers import prompt_editor\nprompt_editor()",
    "from course_lib.chapters.ch09.explorers import your_own_intents\nyour_own_intents()",
]


def write_notebook(path, cells):
    notebook = nbformat.v4.new_notebook(
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        }
    )
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in cells]
    nbformat.write(notebook, path)


@pytest.fixture(scope="module")
def lab(chromium, tmp_path_factory):
    path = tmp_path_factory.mktemp("gallery") / "gallery.ipynb"
    write_notebook(path, CELLS)
    with Lab(path) as started:
        yield started


@pytest.fixture
def reader(lab, chromium):
    with lab.open(chromium, "gallery.ipynb") as someone:
        someone.run_all()
        yield someone
        someone.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
        )


def values(face):
    return face.root.evaluate(
        "(root) => [...root.querySelectorAll('input, select')].map((one) => one.type === "
        "'checkbox' ? one.checked : one.value)"
    )


def test_everything_moves_and_nothing_complains(reader):
    waves, prototypes, descent, _, writing, _ = reader.explorers()
    for explorer in (waves, prototypes, descent, writing):
        move_everything(explorer)
    assert not reader.complaints


def test_two_views_of_one_explorer_agree(reader):
    waves, _, _, again, *_ = reader.explorers()
    waves.controls("input[type=range]")[0].press("End")
    waves.settle()
    again.settle()
    assert values(again) == values(waves)
    assert again.pixels() == waves.pixels()


def test_a_storm_of_changes_ends_in_the_last_one(reader):
    """Forty changes at once: few pictures, none stale, and the last shows where the slider
    stands."""
    waves = reader.explorers()[0]
    frame = waves.frame()
    waves.controls("input[type=range]")[0].evaluate("""(slider) => {
        for (let place = 0; place < 40; place++) { slider.value = place; slider.dispatchEvent(new Event('input')); } }""")
    waves.settle()
    assert waves.frame() == frame + 2  # the first of them and the last
    assert "4.0" in waves.root.locator(".course-slider").first.inner_text()
    assert waves.root.locator(".course-number").inner_text().endswith("to 4.00.")


def test_a_failing_setting_is_told_and_left_again(reader):
    descent = reader.explorers()[2]
    first, told = descent.pixels(), descent.root.locator(".course-error")
    alpha = descent.root.locator("input[data-name=alpha]")
    alpha.press("End")
    descent.settle()
    assert "OverflowError: this toy leaves its valley" in told.inner_text()
    assert descent.pixels() == first
    alpha.press("Home")
    descent.settle()
    assert not told.is_visible()
    assert descent.pixels() != first


def test_points_by_keyboard(reader):
    prototypes = reader.explorers()[1]
    stage, hint = prototypes.root.locator(".course-stage"), prototypes.root.locator(".course-hint")
    first = prototypes.pixels()
    stage.focus()
    stage.press("ArrowUp")
    prototypes.settle()
    assert prototypes.pixels() != first
    assert "support point, 1 of 6: (−1.5, 0.595)" in hint.inner_text()
    stage.press("n")
    assert "support point, 2 of 6" in hint.inner_text()
    for _ in range(5):
        stage.press("n")
    assert "outlier, 1 of 1" in hint.inner_text()
    stage.press("ArrowUp")  # it moves along x only
    prototypes.settle()
    assert "(−2.5, 1.5)" in hint.inner_text()


def test_play_stops_at_the_end_and_starts_again(reader):
    descent = reader.explorers()[2]
    play, step = descent.root.locator(".course-play"), descent.root.locator("input[data-name=step]")
    for _ in range(13):
        step.press("ArrowRight")
    play.click()
    assert play.inner_text() == "Pause"
    descent.page.wait_for_function(
        "(button) => button.textContent === 'Play'", arg=play.element_handle(), timeout=10_000
    )
    assert step.input_value() == "20"
    play.click()
    descent.page.wait_for_function(
        "(slider) => Number(slider.value) < 3", arg=step.element_handle()
    )
    play.click()


def test_every_control_is_named_and_reachable_by_keyboard(reader):
    for explorer in reader.explorers():
        for control in explorer.controls("input, textarea, select"):
            assert control.evaluate("(one) => one.labels.length") >= 1
        for slider in explorer.controls("input[type=range]"):
            assert slider.get_attribute("aria-valuetext") in explorer.root.inner_text()
        for button in explorer.controls("button"):
            assert button.get_attribute("aria-label")
    slider = reader.explorers()[0].controls("input[type=range]")[0]
    slider.focus()
    reader.page.keyboard.press("Tab")
    assert reader.page.evaluate("document.activeElement.dataset.name") == "phase"
    cells = reader.page.evaluate("window.jupyterapp.shell.currentWidget.content.widgets.length")
    reader.page.keyboard.press("b")  # in command mode this would add a cell
    assert (
        reader.page.evaluate("window.jupyterapp.shell.currentWidget.content.widgets.length")
        == cells
    )


def state_of(field):
    return field.evaluate("(field) => [field.value, field.selectionStart, field.selectionEnd]")


def test_the_caret_stays_where_the_reader_types(reader):
    """In the middle of a text, one key at a time and many at once; another view of the same
    explorer follows."""
    writing, again = reader.explorers()[4:]
    field, start = writing.root.locator("textarea"), "a dog\nand a cat"
    field.evaluate("(field) => { field.focus(); field.setSelectionRange(1, 1); }")
    typed = ""
    for letter in " big":
        frame = writing.frame()
        field.press("Space" if letter == " " else letter)
        typed += letter
        reader.page.wait_for_function(
            "([img, last]) => Number(img.dataset.frame) > last",
            arg=[writing.picture.element_handle(), frame],
        )
        writing.settle()
        assert state_of(field) == [start[:1] + typed + start[1:], 1 + len(typed), 1 + len(typed)]
    reader.page.keyboard.type(" and friendly", delay=5)
    typed += " and friendly"
    writing.settle()
    assert state_of(field) == [start[:1] + typed + start[1:], 1 + len(typed), 1 + len(typed)]
    assert (
        "7 words" not in writing.root.locator(".course-number").inner_text()
        and "8 words" in writing.root.locator(".course-number").inner_text()
    )
    again.settle()
    assert (
        again.root.locator("textarea").input_value() == field.input_value()
        and again.pixels() == writing.pixels()
    )


def test_fast_typing_ends_with_the_picture_of_the_last_text(reader):
    writing = reader.explorers()[4]
    field = writing.root.locator("textarea")
    field.press("Control+a")
    execute(
        reader,
        (
            "quick = writing.compute\nwriting.compute = lambda **state: (time.sleep(0.1), "
            "quick(**state))[1]"
        ),
    )
    frame = writing.frame()
    reader.page.keyboard.type("thirty keys, one after another")
    writing.settle()
    assert field.input_value() == "thirty keys, one after another" and state_of(field)[1] == 30
    assert (
        writing.root.locator(".course-number").inner_text() == "5 words, 26 letters, 0 times 'a'."
    )
    assert 2 <= writing.frame() - frame < 25, "pictures that nobody would see are left out"
    shown = writing.pixels()
    field.press("x")
    writing.settle()
    field.press("Backspace")
    writing.settle()
    assert writing.pixels() == shown


def test_enter_makes_a_line_and_runs_no_cell(reader):
    writing = reader.explorers()[4]
    field, counts = (
        writing.root.locator("textarea"),
        (
            "window.jupyterapp.shell.currentWidget.content.widgets.map((cell) => "
            "cell.model.executionCount)"
        ),
    )
    cells = reader.page.evaluate(counts)
    field.press("Control+a")
    for key in (
        "o",
        "n",
        "e",
        "Enter",
        "b",
        "Shift+Enter",
        "d",
        "d",
        "Escape",
        "x",
        "ArrowLeft",
        "ArrowUp",
    ):
        field.press(key)
    writing.settle()
    assert field.input_value() == "one\nb\nddx"
    assert field.evaluate("(field) => document.activeElement === field")
    field.press("Control+z")
    writing.settle()
    assert field.input_value().startswith("one\nb\n") and field.input_value() != "one\nb\nddx", (
        "undo is the field's own"
    )
    line = writing.root.locator(".course-text input")
    line.focus()
    for key in ("End", "Shift+Enter", "Enter", "b"):
        line.press(key)
    writing.settle()
    assert line.input_value() == "ab"
    assert reader.page.evaluate(counts) == cells, "a cell ran, came or went"
    assert not reader.complaints


def test_samples_fill_the_field_and_reset_empties_nothing(reader):
    writing = reader.explorers()[4]
    field, samples, first = (
        writing.root.locator("textarea"),
        writing.root.locator(".course-samples"),
        writing.pixels(),
    )
    assert samples.evaluate("(one) => one.selectedOptions[0].text") == "choose an example"
    samples.select_option(label="long")
    writing.settle()
    assert field.input_value() == "hippopotamus\nand a rhinoceros" and writing.pixels() != first
    field.press("Control+End")
    field.press("s")
    writing.settle()
    assert samples.evaluate("(one) => one.selectedOptions[0].text") == "choose an example"
    field.press("Backspace")
    writing.settle()
    assert samples.evaluate("(one) => one.selectedOptions[0].text") == "long"
    samples.select_option(label="choose an example")
    assert samples.evaluate("(one) => one.selectedOptions[0].text") == "long", (
        "the field still holds this sample"
    )
    writing.root.locator(".course-reset").click()
    reader.page.wait_for_timeout(50)
    writing.settle()
    assert field.input_value() == "a dog\nand a cat" and writing.pixels() == first


def test_a_field_takes_no_more_than_fits_and_keeps_what_is_typed_while_python_is_busy(reader):
    writing = reader.explorers()[4]
    field = writing.root.locator("textarea")
    field.press("Control+a")
    reader.page.keyboard.insert_text("word " * 50)
    writing.settle()
    assert (
        len(field.input_value()) == 200 and not writing.root.locator(".course-error").is_visible()
    )
    execute(
        reader,
        (
            "quick = writing.compute\nwriting.compute = lambda **state: (time.sleep(2), "
            "quick(**state))[1]"
        ),
    )
    field.press("Control+a")
    reader.page.keyboard.type("as it was typed", delay=20)
    assert state_of(field) == ["as it was typed", 15, 15]
    writing.settle()
    assert state_of(field) == ["as it was typed", 15, 15]
    assert writing.root.locator(".course-number").inner_text().startswith("4 words, 12 letters")


def test_prompts_and_intents_that_readers_type_change_the_bars(chromium, lab):
    """The explorers of the chapters, before a reader's keyboard: what the model says follows, and
    what it cannot read is told."""
    write_notebook(lab.folder / "notebooks" / "typing.ipynb", TYPING)
    with lab.open(chromium, "typing.ipynb") as reader:
        reader.run_all()
        prompts, intents = reader.explorers()

        def told(explorer, keys):
            before = explorer.pixels()
            reader.page.keyboard.type(keys)
            explorer.settle()
            assert explorer.pixels() != before
            return explorer.root.locator(".course-number").inner_text()

        prompts.root.locator("textarea").press("Control+End")
        assert prompts.root.locator(".course-number").inner_text().startswith("Next word: blip")
        assert told(prompts, " blip\nhammer :").startswith("Next word: zug")
        assert told(prompts, " zugg").startswith("The small model has never seen 'zugg'")
        prompts.root.locator(".course-samples").select_option(label="flipped labels")
        prompts.settle()
        assert prompts.root.locator(".course-number").inner_text().startswith("Next word: zug")
        intents.root.locator(".course-text input").press("Control+a")
        assert told(intents, "I lost my card").startswith("bag of words: lost card")
        intents.root.locator("textarea").press("Control+End")
        assert told(intents, "\nbus").startswith("Line 7 has no colon")
        assert told(intents, ": I lost my card").startswith("bag of words: bus")
        assert not reader.complaints


def execute(reader, code, wait=True):
    """Run code in the kernel as a cell would; with ``wait`` until it has ended."""
    reader.page.evaluate(
        """([code, wait]) => {
            const shell = window.jupyterapp.shell.currentWidget;
            const future = shell.sessionContext.session.kernel.requestExecute({ code });
            return wait ? future.done.then(() => true) : true;
        }""",
        [code, wait],
    )


def test_a_picture_that_takes_long_is_announced(reader):
    waves = reader.explorers()[0]
    execute(
        reader,
        "quick = waves.compute\nwaves.compute = lambda **state: (time.sleep(4), quick(**state))[1]",
    )
    waves.controls("input[type=range]")[0].press("End")
    waves.root.locator(".course-wait").wait_for(state="visible", timeout=4000)
    waves.settle()
    assert not waves.root.locator(".course-wait").is_visible()
    assert waves.root.locator(".course-number").inner_text().endswith("to 5.00.")


def test_sliders_move_while_a_cell_runs(reader):
    """JupyterLab answers widgets in a thread of their own; a cell that draws at the same time must
    not disturb it, nor be disturbed."""
    waves = reader.explorers()[0]
    first, frame, slider = waves.pixels(), waves.frame(), waves.controls("input[type=range]")[0]
    execute(
        reader,
        """
import matplotlib
from course_lib.classroom.figures import _STYLING, new_figure, picture

def settings():
    with _STYLING:  # not in the middle of a picture that the other thread draws: its style is no leak
        return dict(matplotlib.rcParams)

other, before, end = gallery.descent(), settings(), time.time() + 5
while time.time() < end:
    other.picture(step=3)
    picture(new_figure()[0], "a figure that a cell draws")
other = "undisturbed" if settings() == before else "the style leaked"
""",
        wait=False,
    )
    for _ in range(10):
        slider.press("ArrowRight")
        waves.page.wait_for_timeout(100)
    waves.settle(5)
    assert waves.frame() > frame
    execute(reader, "waves.show(phase=1.0 if other == 'undisturbed' else 2.0)")
    reader.page.wait_for_function(
        "(slider) => slider.value > 0",
        arg=waves.root.locator("input[data-name=phase]").element_handle(),
        timeout=20_000,
    )
    assert waves.root.locator("input[data-name=phase]").input_value() == "10", (
        "the style of the figures leaked"
    )
    waves.root.locator(".course-reset").click()
    waves.page.wait_for_timeout(100)
    waves.settle()
    assert waves.pixels() == first
    assert not reader.complaints


def test_a_narrow_page_gets_a_picture_of_its_own(reader):
    prototypes = reader.explorers()[1]
    wide = prototypes.picture.evaluate("(img) => [img.naturalWidth, img.naturalHeight]")
    reader.page.evaluate("window.jupyterapp.shell.collapseLeft()")
    reader.page.set_viewport_size({"width": 640, "height": 720})
    reader.page.wait_for_function(
        "([img, wide]) => img.naturalWidth < wide",
        arg=[prototypes.picture.element_handle(), wide[0]],
    )
    prototypes.settle()
    narrow = prototypes.picture.evaluate("(img) => [img.naturalWidth, img.naturalHeight]")
    assert narrow[0] >= 420 and narrow[1] > wide[1], (
        "two axes side by side become two above each other"
    )


def test_explorers_survive_scrolling_out_of_sight(chromium, lab):
    """Readers' JupyterLab takes cells out of the page that are far away, and brings them back."""
    with (
        Lab(lab.folder / "notebooks" / "gallery.ipynb", whole=False) as other,
        other.open(chromium, "gallery.ipynb") as reader,
    ):
        reader.run_all()
        for _ in range(2):
            for _ in reader.screens():
                reader.settle()
        reader.page.locator(".jp-WindowedPanel-outer").first.evaluate(
            "(box) => { box.scrollTop = 0; }"
        )
        reader.page.wait_for_timeout(500)
        waves = reader.explorers()[0]
        first = waves.pixels()
        waves.controls("input[type=range]")[0].press("End")
        waves.settle()
        assert waves.pixels() != first
        assert not reader.complaints
