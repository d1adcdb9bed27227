"""A locked answer, as a reader sees it: the result that has already run opens at the lock."""

import nbformat
import pytest

from tools.lab import Lab

pytestmark = pytest.mark.browser
ASK = """
import sys, types
from course_lib.classroom.predictions import Outcome, Prediction, predict, reveal
room = types.ModuleType("course_lib.chapters.ch98.predictions")
answers = {"low": "Too little.", "high": "Too much.", "close": "Yes."}
room.PREDICTIONS = {"points": Prediction(
    "How many points?", answers, Outcome, number=(0, 100, 1), tolerance=5
)}
sys.modules[room.__name__] = room
"""


def test_the_lock_opens_what_has_run_and_says_how_to_take_it_back(chromium, tmp_path):
    notebook = nbformat.v4.new_notebook()
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    sources = [ASK, 'predict("98.points")', 'reveal("98.points", 60)']
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(notebook, tmp_path / "98.ipynb")
    with Lab(tmp_path / "98.ipynb") as lab, lab.open(chromium, "98.ipynb") as reader:
        reader.run_all()
        told = reader.page.locator(".jp-OutputArea .course-reveal")
        assert told.locator("details").count() == 1 and "Predict first" in told.inner_text()
        question = reader.page.locator("form.course-predict")
        question.locator("input[type=range]").press("ArrowRight")  # 51 of 0 to 100
        question.locator("button.course-lock").click()
        opened = told.filter(has_text="You predicted: 51")
        opened.wait_for(timeout=20_000)
        assert told.count() == 1 and told.locator("details").count() == 0
        assert "That is nearly it. The number measured is larger." in opened.inner_text()
        note = question.locator(".course-note").inner_text()
        assert 'forget("98.points")' in note
        assert not reader.complaints, "\n".join(reader.complaints)
