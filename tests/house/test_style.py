"""One style for code and notebook cells."""

import os
import subprocess
import sys
from pathlib import Path

from course_lib import ROOT


def test_ruff_has_nothing_to_say_about_code_and_notebook_cells():
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]


def test_imports_run_downwards_through_the_rooms():
    """The contracts stand in pyproject.toml."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-cache"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0 and "3 kept, 0 broken" in done.stdout, done.stdout[-4000:]


def test_nothing_but_rooms_stands_at_the_root_of_the_library():
    found = {path.name for path in (ROOT / "course_lib").iterdir() if path.name != "__pycache__"}
    rooms = {
        "chapters", "classroom", "commands", "door.py", "episodes.py", "families", "files.py",
        "interrupts.py", "language_models", "learners", "networks", "training",
    }  # fmt: skip
    assert found == rooms | {"__init__.py", "__main__.py"}
