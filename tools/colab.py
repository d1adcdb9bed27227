"""The cell below the title of each notebook that makes it run on Colab, and does nothing elsewhere.

    python -m tools.colab                              put it into all notebooks that lack it
    python -m tools.colab --repository OWNER/NAME      and say where the course lies on GitHub

Where that is not known, the cell asks. What it installs is decided by course_lib/commands/colab.py.
It is hidden in JupyterLab and stays out of lectures, of the site and of the chapter's minutes.
"""

import argparse
import re
from pathlib import Path

import nbformat

from course_lib import ROOT

FIRST = "# @title On Colab, run this first. Elsewhere it does nothing."
ASK = 'input("The course on GitHub, as owner/name: ")'
CELL = (
    FIRST
    + """
if "google.colab" in str(get_ipython()):
    course = {course}
    get_ipython().system(f"git clone -q --depth 1 https://github.com/{{course}} /content/course")
    get_ipython().run_line_magic("cd", "-q /content/course/notebooks")
    get_ipython().run_line_magic("run", "../course_lib/commands/colab.py")"""
)
NAME = re.compile(r"[\w.-]+/[\w.-]+")


def source(repository: str = "") -> str:
    """The text of the cell.

    Raises:
        ValueError: the repository is no owner and name.
    """
    if repository and not NAME.fullmatch(repository):
        raise ValueError(f"repository {repository!r}: name it as owner/name")
    return CELL.format(course=f'"{repository}"' if repository else ASK)


def is_for_colab(text: str) -> bool:
    """Whether this is the text of such a cell."""
    return text.startswith(FIRST)


def known(folder: Path = ROOT / "notebooks") -> str:
    """The repository that the first notebook names; empty where it asks or has no such cell."""
    cells = nbformat.read(min(folder.glob("[0-9]*.ipynb")), 4).cells
    found = (re.search(r'course = "(.*)"', c.source) for c in cells if is_for_colab(c.source))
    return next((match[1] for match in found if match), "")


def put(notebook: nbformat.NotebookNode, repository: str) -> None:
    """Put the cell below the title, in the place of an older one. It counts as not executed, so
    that it changes the numbers of no other cell."""
    cell = nbformat.v4.new_code_cell(source(repository), id="for-colab")
    cell.metadata = nbformat.NotebookNode(
        slideshow={"slide_type": "skip"}, jupyter={"source_hidden": True}, cellView="form"
    )
    others = [one for one in notebook.cells if not is_for_colab(one.source)]
    notebook.cells = [*others[:1], cell, *others[1:]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebooks", nargs="*", type=Path)
    parser.add_argument("--repository", help="owner/name on GitHub; as it is unless told")
    options = parser.parse_args()
    repository = known() if options.repository is None else options.repository
    for path in options.notebooks or sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        put(notebook, repository)
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
