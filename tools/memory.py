"""How much memory each notebook takes: the table of docs/questions.md, "Which chapters fit?".

    python -m tools.memory                                 all chapters
    python -m tools.memory notebooks/02_inner_loop.ipynb   some of them

The peaks are written to docs/measured.json, and the table is printed. A kernel runs the notebook
from top to bottom, and is then asked for the most memory that it ever held (peak resident set, MB
of 2**20 bytes). JupyterLab's own process is not in it.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from course_lib import ROOT

FILE = ROOT / "docs" / "measured.json"
LIMIT, SERVER = 2048, 150  # MB: what Binder gives, and what JupyterLab itself takes of it
# VmHWM where there is one: the kernel's own peak. ru_maxrss begins with that of the parent on Linux
ASK = """
try:
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 2**10
except FileNotFoundError:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes
print(round(peak))
"""


def peak_of(path: Path, cell_timeout: int = 300) -> int:
    """Run one notebook in a fresh kernel and return its peak memory in MB.

    Raises: nbclient.exceptions.CellExecutionError if a cell fails."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(ASK))
    with tempfile.TemporaryDirectory() as scratch:
        environment = os.environ | {"COURSE_PROGRESS": str(Path(scratch) / "progress.json")}
        NotebookClient(
            notebook,
            timeout=cell_timeout,
            startup_timeout=90,
            kernel_name="python3",
            resources={"metadata": {"path": str(path.parent)}},
            store_widget_state=False,
        ).execute(env=environment)
    return int(notebook.cells[-1].outputs[0].text)


def table(peaks: dict[str, int]) -> str:
    """The table, from the peak of each notebook by its name."""
    rows = ["| chapter | peak, MB | fits |", "|---|---|---|"]
    for name, peak in sorted(peaks.items()):
        fits = "yes" if peak + SERVER < LIMIT else "no"
        rows.append(f"| {name[:2]} {name[3:]} | {peak} | {fits} |")
    return "\n".join(rows)


def main() -> None:
    """Measure the notebooks that are named, or all."""
    paths = [Path(word).resolve() for word in sys.argv[1:]]
    measured = {
        path.stem: peak_of(path)
        for path in paths or sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    }
    known = json.loads(FILE.read_text(encoding="utf-8"))
    known["memory"] |= measured
    FILE.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    print(table(known["memory"]))


if __name__ == "__main__":
    main()
