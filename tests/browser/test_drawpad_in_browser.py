"""The draw pad in JupyterLab: drawn on with a real mouse, its pixels arrive, and clear shapes are
recognised from one example each."""

import nbformat
import pytest
import torch

from course_lib.families.hand_drawn import SHAPES, another_hand, render
from tools.lab import Lab

pytestmark = [pytest.mark.browser, pytest.mark.slow]
FIVE = ("circle", "cross", "zigzag", "triangle", "spiral")
CELLS = [
    "from course_lib.chapters.ch06.drawing import symbols, two_drawings",
    "two = two_drawings()\ntwo",
    "symbols()",
    "two  # the same pad a second time",
]


@pytest.fixture(scope="module")
def lab(chromium, tmp_path_factory):
    path = tmp_path_factory.mktemp("pads") / "pads.ipynb"
    notebook = nbformat.v4.new_notebook(
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        }
    )
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    nbformat.write(notebook, path)
    with Lab(path) as started:
        yield started


@pytest.fixture(scope="module")
def reader(lab, chromium):
    with lab.open(chromium, "pads.ipynb", density=2.0) as someone:
        someone.run_all()
        yield someone


class Pad:
    """One draw pad in the page."""

    def __init__(self, reader, place):
        self.page, self.root = reader.page, reader.page.locator(".course-drawpad").nth(place)
        self.root.wait_for(state="visible")
        self.root.scroll_into_view_if_needed()
        self.settle()

    def paper(self, name):
        return self.root.locator(f".course-paper[data-name='{name}']")

    def settle(self):
        self.root.evaluate("""(root) => new Promise((done, fail) => {
            const end = performance.now() + 20000;
            const look = () => {
                if (root.ariaBusy === 'false') done();
                else if (performance.now() > end) fail(new Error('no answer'));
                else setTimeout(look, 10);
            };
            look(); })""")

    def draw(self, name, strokes):
        sheet, mouse = self.paper(name).locator(".course-sheet"), self.page.mouse
        sheet.scroll_into_view_if_needed()
        box = sheet.bounding_box()
        for stroke in strokes:
            places = [
                (box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke
            ]
            mouse.move(*places[0])
            mouse.down()
            for place in places[1:]:
                mouse.move(*place, steps=3)
            mouse.up()
        self.settle()

    def clear(self, name):
        self.paper(name).locator(".course-clear").click()
        self.settle()

    def seen(self, name):
        """The 28 x 28 pixels beside a paper, ink 1 on paper 0."""
        data = (
            self.paper(name)
            .locator(".course-seen")
            .evaluate("(c) => Array.from(c.getContext('2d').getImageData(0, 0, 28, 28).data)")
        )
        return torch.tensor(data[3::4]).view(28, 28) / 255

    def drawn(self, name):
        """How many device pixels of the paper carry ink, and how many it has."""
        count = (
            "(c) => [c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter((v, i) "
            "=> i % 4 === 3 && v > 100).length, c.width]"
        )
        return self.paper(name).locator(".course-sheet").evaluate(count)

    @property
    def said(self):
        return self.root.locator(".course-said").inner_text()

    @property
    def best(self):
        return self.root.locator(".course-paper.best").get_attribute("data-name")


def test_what_the_mouse_draws_arrives_as_the_pixels_that_networks_know(reader):
    pad = Pad(reader, 0)
    pad.clear("one")
    before = pad.said
    pad.draw("one", SHAPES["triangle"])
    assert (pad.seen("one") - render(SHAPES["triangle"])).abs().mean() < 0.02
    assert pad.said != before and "Distance" in pad.said
    pad.draw(
        "one", [[(0.1, 0.1), (0.9, 0.1)]]
    )  # a second stroke joins the first; only a ready-made drawing is replaced
    assert pad.seen("one")[:8].sum() > 2 * render(SHAPES["triangle"])[:8].sum()
    assert not reader.complaints


def test_two_like_drawings_are_nearer_than_two_unlike_ones(reader):
    pad, distances = Pad(reader, 0), []
    for shape in ("circle", "cross"):
        for name, hand in (("one", 4), ("other", 5)):
            pad.clear(name)
            pad.draw(name, another_hand(SHAPES["circle" if name == "one" else shape], hand))
        distances.append(float(pad.said.split(":")[0].split()[-1]))
    assert distances[0] < distances[1]
    assert pad.said.endswith("different.")


def test_clear_empties_the_paper_and_says_so(reader):
    pad = Pad(reader, 0)
    pad.draw("other", SHAPES["cross"])
    pad.draw("one", SHAPES["circle"])
    assert pad.drawn("one")[0] > 0 and pad.seen("one").sum() > 0
    clear = pad.paper("one").locator(".course-clear")
    assert clear.get_attribute("aria-label") == "Clear one"
    clear.press("Enter")
    pad.settle()
    assert pad.drawn("one")[0] == 0 and pad.seen("one").sum() == 0
    assert pad.said == "Still empty: one."


def test_clear_shapes_are_recognised_from_one_example_each(reader):
    pad = Pad(reader, 1)
    for letter, shape in zip("ABCDE", FIVE, strict=True):
        pad.draw(letter, SHAPES[shape])  # replaces the ready-made one
        assert (pad.seen(letter) - render(SHAPES[shape])).abs().mean() < 0.02
    for hand, (letter, shape) in enumerate(zip("ABCDE", FIVE, strict=True)):
        pad.clear("new")
        pad.draw("new", another_hand(SHAPES[shape], 10 + hand))
        assert pad.best == letter, f"{shape}: {pad.said}"
        assert f"is {letter}." in pad.said
    assert not reader.complaints


def test_papers_by_keyboard(reader):
    pad = Pad(reader, 0)
    pad.draw("one", SHAPES["circle"])
    sheet = pad.paper("other").locator(".course-sheet")
    sheet.focus()
    sheet.press("2")
    pad.settle()
    assert (pad.seen("other") - render(SHAPES["cross"])).abs().max() < 0.01
    assert sheet.get_attribute("aria-label") == "Paper other: 2 strokes"
    sheet.press("Delete")
    pad.settle()
    assert pad.said == "Still empty: other."
    cells = "window.jupyterapp.shell.currentWidget.content.widgets.length"
    count = reader.page.evaluate(cells)
    sheet.press("b")  # in command mode this would add a cell
    assert reader.page.evaluate(cells) == count


@pytest.mark.parametrize("kind", ["touch", "pen"])
def test_finger_and_pen_draw_like_the_mouse(reader, kind):
    pad = Pad(reader, 0)
    pad.clear("one")
    pad.paper("one").locator(".course-sheet").evaluate(
        """(sheet, [kind, points]) => {
        sheet.setPointerCapture = () => {};
        const area = sheet.getBoundingClientRect();
        const fire = (name, [x, y], pointerId) => sheet.dispatchEvent(new PointerEvent(name, { pointerId, pointerType: kind, button: 0, bubbles: true,
            cancelable: true, clientX: area.left + x * area.width, clientY: area.top + y * area.height }));
        fire('pointerdown', points[0], 7);
        fire('pointerdown', [0.1, 0.9], 8); // the palm of the hand
        for (const point of points.slice(1)) fire('pointermove', point, 7);
        fire('pointermove', [0.9, 0.9], 8);
        fire('pointerup', points.at(-1), 7);
    }""",
        [kind, [list(point) for point in SHAPES["gate"][0]]],
    )
    pad.settle()
    assert (pad.seen("one") - render(SHAPES["gate"])).abs().max() < 0.05


def test_papers_are_sharp_and_two_views_agree(reader):
    pad, again = Pad(reader, 0), Pad(reader, 2)
    for name in ("one", "other"):
        pad.draw(name, SHAPES["circle"])
    ink, width = pad.drawn("one")
    assert (
        width == 2 * pad.paper("one").locator(".course-sheet").evaluate("(c) => c.clientWidth")
        and ink > 500
    )
    pad.draw("one", SHAPES["arrow"])
    again.settle()
    assert (
        torch.equal(again.seen("one"), pad.seen("one"))
        and again.drawn("one") == pad.drawn("one")
        and again.said == pad.said
    )


def test_drawing_from_code_reaches_the_page(reader):
    pad = Pad(reader, 0)
    reader.page.evaluate(
        """(code) => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({ code }).done""",
        "from course_lib.families.hand_drawn import SHAPES\ntwo.draw('one', SHAPES['plus'])",
    )
    reader.page.wait_for_function(
        "(sheet) => sheet.getAttribute('aria-label') === 'Paper one: 2 strokes'",
        arg=pad.paper("one").locator(".course-sheet").element_handle(),
    )
    assert (pad.seen("one") - render(SHAPES["plus"])).abs().max() < 0.01
