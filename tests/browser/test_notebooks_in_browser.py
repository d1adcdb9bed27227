"""Every notebook, as a reader meets it: opened in JupyterLab, and everything that moves is moved.

The first is run from top to bottom. Of the others those cells are run that show what moves, with
the cells that they build on; all of them run in `tests/house/test_notebooks.py`.
"""

import ast
import json
from functools import partial
from pathlib import Path

import pytest

from course_lib.classroom.explorer import STATIC
from tools.lab import ROOT, Lab

pytestmark = pytest.mark.browser
QUESTION = "course-question"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def lab(chromium):
    with Lab(ROOT / "notebooks") as started:
        yield started


@pytest.mark.notebook
@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_everything_that_moves_in_a_notebook(lab, chromium, notebook):
    with lab.open(chromium, notebook.name) as reader:
        reader.run(None if notebook == NOTEBOOKS[0] else what_moves(notebook), seconds=900)
        explorers = reader.explorers()
        assert len(explorers) >= stored_explorers(notebook), (
            "fewer explorers than the stored notebook has"
        )
        for explorer in explorers:
            move_everything(explorer)
        assert not reader.complaints, "\n".join(reader.complaints)


def stored_explorers(notebook: Path) -> int:
    """How many explorers the stored notebook shows, counted by their static pictures."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    outputs = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    return sum(STATIC in "".join(data.get("text/html", "")) for data in outputs)


def what_moves(notebook: Path) -> list[int]:
    """The places of the cells with an explorer or a question, and of those that define what these
    use."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = {i: cell for i, cell in enumerate(cells) if cell["cell_type"] == "code"}
    names = {i: names_of("".join(cell["source"])) for i, cell in code.items()}
    wanted = [i for i, cell in code.items() if shows(cell, STATIC) or shows(cell, QUESTION)]
    needed: set[int] = set()
    while wanted:
        if (place := wanted.pop()) in needed:
            continue
        needed.add(place)
        for name in names[place][0]:
            makers = [i for i in code if i < place and name in names[i][1]]
            wanted += makers  # a name may be filled in several cells
    return sorted(needed)


def names_of(source: str) -> tuple[set[str], set[str]]:
    """The names that a cell uses, and those that it makes."""
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    used, made = set(), set()
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else made).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            made.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            made |= {(one.asname or one.name).partition(".")[0] for one in node.names}
    return used, made


def shows(cell: dict, mark: str) -> bool:
    outputs = [output.get("data", {}) for output in cell["outputs"]]
    return any(mark in "".join(data.get("text/html", "")) for data in outputs)


def test_what_moves_is_found_with_what_it_uses(tmp_path):
    """An explorer in the fourth cell uses `f`, which uses `a`; the third cell is left out."""
    page = {"output_type": "execute_result", "data": {"text/html": f"<div {STATIC}>"}}
    sources = ["a = 1", "def f():\n    return a", "slow = 3", "show(f)"]
    cells = [
        {"cell_type": "code", "source": source, "outputs": [page] if "show" in source else []}
        for source in sources
    ]
    (tmp_path / "x.ipynb").write_text(json.dumps({"cells": cells}))
    assert what_moves(tmp_path / "x.ipynb") == [0, 1, 3]


def move_everything(explorer):
    """Each control by keyboard and by mouse: a new picture each time; and reset brings the first
    one back."""
    explorer.root.scroll_into_view_if_needed()
    explorer.settle()
    first = explorer.pixels()
    assert explorer.picture.get_attribute("alt"), f"{explorer.question}: no alt text"
    for slider in explorer.controls("input[type=range]"):
        by_keys(explorer, slider)
        by_mouse(explorer, slider)
        put_back(explorer, first)
    for choice in explorer.controls("select:not(.course-samples)"):
        start = int(choice.input_value())
        for place in range(choice.locator("option").count()):
            if place != start:
                changes(
                    explorer,
                    partial(choice.select_option, index=place),
                    f"{name_of(choice)} at its option {place}",
                )
        put_back(explorer, first)
    for toggle in explorer.controls("input[type=checkbox]"):
        changes(explorer, partial(toggle.press, "Space"), name_of(toggle))
        changes(explorer, toggle.click, name_of(toggle))
        put_back(explorer, first)
    for field in explorer.controls(".course-text input, .course-text textarea"):
        changes(explorer, partial(write, explorer, field), f"writing into {name_of(field)}")
        put_back(explorer, first)
    for samples in explorer.controls("select.course-samples"):
        start = samples.input_value()
        for place in range(samples.locator("option").count() - 1):
            if str(place) != start:
                changes(explorer, partial(samples.select_option, str(place)), f"sample {place}")
        put_back(explorer, first)
    for index in range(explorer.root.locator(".course-handles circle").count()):
        changes(explorer, partial(drag_point, explorer, index), f"point {index}")
        put_back(explorer, first)
    for button in explorer.controls("button.course-play"):
        start = explorer.frame()
        button.click()
        wait_for_frame(explorer, start + 1)
        button.click()
        put_back(explorer, first)


def name_of(control) -> str:
    return control.get_attribute("data-name")


def act(explorer, action):
    """Do something that calls for a new picture, and wait for it; True when it differs from the
    last."""
    frame, before = explorer.frame(), explorer.pixels()
    action()
    wait_for_frame(explorer, frame)
    explorer.settle()
    assert not explorer.root.locator(".course-error").is_visible(), explorer.root.locator(
        ".course-error"
    ).inner_text()
    return explorer.pixels() != before


def wait_for_frame(explorer, last):
    """Until a picture after the last one is shown."""
    newer = "([img, last]) => Number(img.dataset.frame) > last"
    explorer.page.wait_for_function(
        newer, arg=[explorer.picture.element_handle(), last], timeout=30_000
    )


def changes(explorer, action, what):
    assert act(explorer, action), f"{explorer.question}: {what} does not change the picture"


def put_back(explorer, first):
    explorer.root.locator(".course-reset").click()
    explorer.page.wait_for_timeout(30)
    explorer.settle()
    assert explorer.pixels() == first, (
        f"{explorer.question}: reset does not bring the first picture back"
    )


def by_keys(explorer, slider):
    """Right (left at the end), twice; a step may be too small to see, three are not."""
    slider.focus()
    key = "ArrowLeft" if slider.input_value() == slider.get_attribute("max") else "ArrowRight"
    for _ in range(2):
        if slider.input_value() == ("0" if key == "ArrowLeft" else slider.get_attribute("max")):
            break
        tries = [act(explorer, lambda: slider.press(key))]
        while (
            not tries[-1]
            and len(tries) < 3
            and slider.input_value() not in ("0", slider.get_attribute("max"))
        ):
            tries.append(act(explorer, lambda: slider.press(key)))
        assert any(tries), (
            f"{explorer.question}: {len(tries)} key presses on {name_of(slider)} do not change "
            "the picture"
        )


def by_mouse(explorer, slider):
    """Drag the thumb to the farther end."""
    slider.scroll_into_view_if_needed()
    box, last = slider.bounding_box(), int(slider.get_attribute("max"))
    start = int(slider.input_value())
    goal = 0 if start > last / 2 else last

    def across(place):
        return box["x"] + 8 + (box["width"] - 16) * place / last

    def drag():
        mouse, height = explorer.page.mouse, box["y"] + box["height"] / 2
        mouse.move(across(start), height)
        mouse.down()
        for part in range(1, 6):
            mouse.move(across(start + (goal - start) * part / 5), height)
        mouse.up()

    changes(explorer, drag, f"dragging {name_of(slider)}")
    assert int(slider.input_value()) == goal, (
        f"{explorer.question}: {name_of(slider)} does not follow the mouse"
    )


def write(explorer, field):
    """A few more words at the end of a text, key by key; the caret stays behind them."""
    field.press("Control+End")
    start = field.input_value()
    explorer.page.keyboard.type(" dog card", delay=30)
    explorer.settle()
    assert field.evaluate("(field) => [field.value, field.selectionStart]") == [
        start + " dog card",
        len(start) + 9,
    ]


def drag_point(explorer, index):
    """Drag a point towards the middle of the picture, in both directions at once."""
    explorer.picture.scroll_into_view_if_needed()
    ring, picture = (
        explorer.root.locator(".course-handles circle").nth(index).bounding_box(),
        explorer.picture.bounding_box(),
    )
    x, y = ring["x"] + ring["width"] / 2, ring["y"] + ring["height"] / 2
    towards = [
        30 if at < picture[side] + picture[length] / 2 else -30
        for at, side, length in ((x, "x", "width"), (y, "y", "height"))
    ]
    mouse = explorer.page.mouse
    mouse.move(x, y)
    mouse.down()
    for part in range(1, 4):
        mouse.move(x + towards[0] * part / 3, y + towards[1] * part / 3)
    mouse.up()
