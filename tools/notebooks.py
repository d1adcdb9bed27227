"""Notebooks as text and back, executed and clean: what CONTRIBUTING.md calls "build".

    python -m tools.notebooks text  notebooks/02_inner_loop.ipynb chapter.py   to text, to edit it
    python -m tools.notebooks build chapter.py notebooks/02_inner_loop.ipynb   from text, and run it
    python -m tools.notebooks run   notebooks/*.ipynb                          run in place, clean

The text is that of jupytext: a line ``# %% slideshow={"slide_type": "slide"}`` opens a cell and
says its place in the lecture: slide, subslide, fragment, notes, skip, or - (goes on with the one
before).
"""

import argparse
import copy
import hashlib
import os
import re
import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

from tools import colab

FORM = "py:percent"  # of jupytext: a line "# %%" opens a cell
MACHINE_PATH = re.compile(r"/(root|home|tmp|work|Users)/")


def to_text(notebook: nbformat.NotebookNode) -> str:
    """The sources of a notebook and their places in the lecture, without outputs."""
    plain = copy.deepcopy(notebook)
    for cell in plain.cells:
        slide = cell.metadata.get("slideshow", {"slide_type": "-"})
        cell.metadata = nbformat.NotebookNode(slideshow=slide)
    plain.metadata = nbformat.NotebookNode(jupytext={"notebook_metadata_filter": "-all"})
    return jupytext.writes(plain, fmt=FORM)


def execute(notebook: nbformat.NotebookNode, folder: Path, cell_timeout: int = 300) -> None:
    """Run all cells in a fresh kernel with an empty progress file, so that outputs are a first-time
    reader's."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["COURSE_PROGRESS"] = str(Path(scratch) / "progress.json")
        client = NotebookClient(
            notebook,
            timeout=cell_timeout,
            startup_timeout=60,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
            store_widget_state=False,
            allow_errors=True,  # complaints() names them, and the notebook shows where
        )
        client.execute()


def clean(notebook: nbformat.NotebookNode) -> None:
    """Keep what a reader needs: drop timings, widget models, and the ids that change from run to
    run."""
    notebook.metadata = nbformat.NotebookNode(
        kernelspec={
            "display_name": "Python 3 (ipykernel)",
            "language": "python",
            "name": "python3",
        },
        language_info={"name": "python"},
    )
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        digest = hashlib.sha256(cell.source.encode()).hexdigest()[:12]
        seen[digest] = seen.get(digest, -1) + 1
        cell.id = f"{digest}-{seen[digest]}"
        cell.metadata = nbformat.NotebookNode(
            slideshow=cell.metadata.get("slideshow", {"slide_type": "-"})
        )
        if cell.cell_type == "code" and re.search(r"^(predict|reveal)\(", cell.source, flags=re.M):
            cell.metadata.jupyter = {
                "source_hidden": True
            }  # its source would tell the answer; a click unfolds it
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            data.pop("application/vnd.jupyter.widget-view+json", None)
            output.get("metadata", {}).clear()
            output.get("transient", {}).clear()
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)
    before = [c for c in notebook.cells if colab.is_for_colab(c.source) and c.execution_count]
    colab.put(notebook, colab.known())
    for cell in notebook.cells:
        if before and cell.get("execution_count"):
            renumber(cell, cell.execution_count - len(before))


def renumber(cell: nbformat.NotebookNode, number: int) -> None:
    """Say that a cell was run as the ``number``-th."""
    cell.execution_count = number
    for output in cell.outputs:
        if output.output_type == "execute_result":
            output.execution_count = number


def joined(outputs: list) -> list:
    """Neighbouring pieces of one stream made one: how they were split depends on timing."""
    whole: list = []
    for output in outputs:
        if (
            whole
            and output.output_type == "stream" == whole[-1].output_type
            and output.name == whole[-1].name
        ):
            whole[-1].text += output.text
        else:
            whole.append(output)
    return whole


def complaints(notebook: nbformat.NotebookNode) -> list[str]:
    """What keeps a notebook from being committed: errors, warnings on stderr, machine paths, wrong
    order."""
    code = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and not colab.is_for_colab(cell.source)
    ]
    found = []
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        found.append("not executed from top to bottom")
    for number, cell in enumerate(code, 1):
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"code cell {number} ends in {output.ename}: {output.evalue}")
            if output.get("name") == "stderr":
                found.append(f"code cell {number} writes to stderr: {output.text[:200]}")
    if match := MACHINE_PATH.search(nbformat.writes(notebook)):
        found.append(f"names a path of a machine: {match.group()}")
    return found


def run(paths: list[str]) -> int:
    """Execute, clean and rewrite each notebook; 1 if any is not fit to commit."""
    bad = 0
    for path in map(Path, paths):
        notebook = nbformat.read(path, as_version=4)
        execute(notebook, path.parent)
        clean(notebook)
        nbformat.validate(notebook)
        nbformat.write(notebook, path)
        for complaint in complaints(notebook):
            bad = 1
            print(f"{path.name}: {complaint}")
        print(f"{path.name}: {len(notebook.cells)} cells, {path.stat().st_size // 1024} KB")
    return bad


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["text", "build", "run"])
    parser.add_argument("paths", nargs="+")
    options = parser.parse_args()
    if options.action == "run":
        return run(options.paths)
    source, target = options.paths
    if options.action == "text":
        Path(target).write_text(to_text(nbformat.read(source, as_version=4)), encoding="utf-8")
        return 0
    nbformat.write(jupytext.reads(Path(source).read_text(encoding="utf-8"), fmt=FORM), target)
    return run([target])


if __name__ == "__main__":
    sys.exit(main())
