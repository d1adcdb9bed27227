"""Every explorer of every chapter, at its defaults and at each combination of the ends of its
controls."""

import re
from importlib import import_module

import nbformat
import pytest

from course_lib import ROOT

MODULES = [
    import_module(f"course_lib.chapters.{path.parent.name}.explorers")
    for path in sorted((ROOT / "course_lib/chapters").glob("ch*/explorers.py"))
]
EXPLORERS = [make for module in MODULES for make in module.EXPLORERS]
each_explorer = pytest.mark.parametrize(
    "make", EXPLORERS, ids=lambda make: f"{make.__module__.split('.')[2]}.{make.__name__}"
)


@each_explorer
def test_an_explorer_computes_and_draws_at_every_combination_of_extremes(make):
    explorer = make()
    for state in [explorer.defaults, *explorer.extremes()]:
        assert explorer.examine(**state) == [], state


@each_explorer
def test_an_explorer_asks_a_question_and_every_control_changes_something(make):
    explorer = make()
    assert explorer.question.endswith("?")
    first = explorer.picture()
    for control in explorer.controls:
        others = [value for value in control.extremes() if value != control.value]
        assert any(explorer.picture(**{control.name: value}) != first for value in others), (
            f"{control.name} changes nothing"
        )


@pytest.mark.parametrize(
    "path", sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")), ids=lambda path: path.stem
)
def test_a_chapter_shows_at_least_two_explorers_and_all_of_its_own(path):
    module = import_module(f"course_lib.chapters.ch{path.name[:2]}.explorers")
    code = "\n".join(
        cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"
    )
    own = [make.__name__ for make in module.EXPLORERS]
    assert len(own) >= 2
    for name in own:
        assert re.search(rf"\b{name}\(", code), f"{name} is shown nowhere in {path.name}"
