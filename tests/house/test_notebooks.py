"""Every notebook runs, alone and in order, and is committed as a reader should first see it."""

import os
import re
import statistics
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

import nbformat
import pytest
from memory_of_kernels import PEAK, kernels_watched

from course_lib import ROOT
from course_lib.classroom import progress_file as progress

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
CELL_TIMEOUT, START_TIMEOUT = 300, 90
MOST_MEMORY = 1800  # MB of a kernel: Binder gives 2048, and JupyterLab itself takes its part
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def run_under_nbval(paths, progress_file: Path) -> dict[str, int]:
    """Run notebooks with nbval in a process of its own; the output of a failure is shown whole.

    Returns: the peak memory of each one's kernel in MB, by the notebook's name; empty where the
    system has no /proc."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "--rootdir",
        str(ROOT),
    ]
    command += ["--nbval-lax", "--nbval-current-env", f"--nbval-cell-timeout={CELL_TIMEOUT}"]
    command += [f"--nbval-kernel-startup-timeout={START_TIMEOUT}", *map(str, paths)]
    environment = os.environ | {
        "COURSE_PROGRESS": str(progress_file),
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
    }
    environment["OMP_NUM_THREADS"] = "1"  # two notebooks share two cores
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=said, stderr=subprocess.STDOUT
        )
        with kernels_watched(process.pid) as peaks:
            failed = process.wait(timeout=600 * len(paths))
        said.seek(0)
        assert not failed, said.read()[-8000:]
    if not Path("/proc/self/status").exists():
        return {}
    assert len(peaks) == len(paths), f"{len(peaks)} kernels were seen for {len(paths)} notebooks"
    return dict(zip([path.stem for path in paths], peaks.values(), strict=True))


@pytest.fixture
def within_memory(record_property):
    """Takes what `run_under_nbval` returns. The summary of the tests prints it (conftest.py)."""

    def within_memory(peaks: dict[str, int]) -> None:
        for name, peak in peaks.items():
            record_property(PEAK, (name, peak))
        over = {name: peak for name, peak in peaks.items() if peak >= MOST_MEMORY}
        assert not over, f"more than {MOST_MEMORY} MB: {over}"

    return within_memory


def predictions(path: Path) -> dict[str, object]:
    """Each prediction of a chapter with one answer that a reader could lock: the first option, or
    the lowest number."""
    number = path.stem[:2]
    table = import_module(f"course_lib.chapters.ch{number}.predictions").PREDICTIONS
    return {
        f"{number}.{name}": asked.number[0] if asked.number else next(iter(asked.options))
        for name, asked in table.items()
    }


def test_there_are_notebooks():
    numbers = [path.name[:2] for path in NOTEBOOKS]
    assert numbers and numbers[0] == "00" and len(set(numbers)) == len(numbers)


@pytest.mark.notebook
@each_notebook
def test_a_notebook_runs_alone_for_a_reader_who_has_predicted_nothing(
    path, tmp_path, within_memory
):
    """All run in order below and once more in the browser; alone, those whose room has changed
    (conftest.py leaves out the others)."""
    within_memory(run_under_nbval([path], tmp_path / "progress.json"))


@pytest.mark.notebook
def test_the_notebooks_run_in_order_for_a_reader_who_locked_an_answer_to_everything(
    own_progress, within_memory
):
    with progress.change() as stored:
        for path in NOTEBOOKS:
            for identity, answer in predictions(path).items():
                stored["predictions"][identity] = {
                    "answer": answer,
                    "said": str(answer),
                    "locked_at": progress.now(),
                    "right": None,
                }
    asked = len(progress.read()["predictions"])
    assert asked >= 3 * len(NOTEBOOKS)
    within_memory(run_under_nbval(NOTEBOOKS, own_progress))
    judged = [entry["right"] for entry in progress.read()["predictions"].values()]
    assert len(judged) == asked and None not in judged, "a reveal did not speak to a locked answer"


@each_notebook
def test_a_notebook_is_committed_executed_and_clean(path):
    from tools.notebooks import complaints

    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert complaints(notebook) == []
    assert "widgets" not in notebook.metadata
    assert "vnd.jupyter.widget" not in path.read_text(encoding="utf-8"), (
        "a widget view would show an error before it is run"
    )
    assert path.stat().st_size < 1_500_000


@each_notebook
def test_a_notebook_survives_the_way_to_text_and_back(path):
    from tools.notebooks import FORM, jupytext, to_text

    notebook = nbformat.read(path, as_version=4)
    again = jupytext.reads(to_text(notebook), fmt=FORM)
    for cell, other in zip(notebook.cells, again.cells, strict=True):
        assert (cell.cell_type, cell.source) == (other.cell_type, other.source)
        assert cell.metadata.slideshow == other.metadata.slideshow


@each_notebook
def test_every_cell_has_its_place_in_the_lecture(path):
    for cell in nbformat.read(path, as_version=4).cells:
        assert cell.metadata.slideshow.slide_type in (
            "slide",
            "subslide",
            "fragment",
            "skip",
            "notes",
            "-",
        )


@each_notebook
def test_code_cells_are_short(path):
    lengths = [
        len(cell.source.splitlines())
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code"
    ]
    assert statistics.median(lengths) <= 8 and max(lengths) <= 40, lengths


@each_notebook
def test_visible_code_fits_the_width_of_the_page(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and not cell.metadata.get("jupyter", {}).get("source_hidden"):
            for line in cell.source.splitlines():
                assert len(line) <= 100, f"{len(line)} characters: {line}"
            for output in cell.outputs:
                assert max(map(len, output.get("text", "").splitlines()), default=0) <= 100, (
                    output.text
                )


@each_notebook
def test_every_picture_in_a_notebook_has_alt_text(path):
    notebook = nbformat.read(path, as_version=4)
    outputs = [
        output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs
    ]
    assert not [o for o in outputs if "image/png" in o.get("data", {})], (
        "show figures through picture(figure, alt)"
    )
    images = re.findall(
        r"<img [^>]*>", " ".join(str(o.get("data", {}).get("text/html", "")) for o in outputs)
    )
    assert images and all(
        len(re.search(r'alt="([^"]*)"', image).group(1).split()) >= 5 for image in images
    )


@each_notebook
def test_a_chapter_has_the_parts_of_every_chapter(path):
    notebook = nbformat.read(path, as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for part in (
        "# " + path.name[:2],
        "After this chapter you can",
        "minutes",
        "## Exercises",
        "## Recap",
        "한국어",
        "中文",
        "### References",
        "Next",
    ):
        assert part in text, f"{part!r} is missing"
    recap = text.split("## Recap")[1].split("\n#")[0]
    assert len(re.findall(r"^\d\. ", recap, flags=re.M)) == 5, "the recap has five lines"


FORBIDDEN = re.compile(
    (
        r"\b(simply|obviously|powerful|dive "
        r"in|unlock(?:s|ing)?|delve|leverage)\b|[\U0001F300-\U0001FAFF]"
    ),
    re.I,
)


@each_notebook
def test_the_prose_keeps_the_voice_of_the_course(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "markdown":
            continue
        prose = re.sub(r"```.*?```|`[^`]*`|\$\$?.*?\$\$?", " ", cell.source, flags=re.S)
        assert not FORBIDDEN.search(prose), f"{FORBIDDEN.search(prose).group()!r} in: {prose[:120]}"
        assert "!" not in prose.replace("![", ""), f"an exclamation mark in: {prose[:120]}"
        for sentence in re.split(r"(?<=[.?:;])\s+|\n\s*\n|\n[-|#0-9]", prose):
            words = len(re.findall(r"[\w'’]+", sentence))
            assert words <= 28, f"{words} words in one sentence: {sentence.strip()[:160]}"
