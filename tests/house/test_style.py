"""One style for code and notebook cells."""

import subprocess
import sys

from course_lib import ROOT


def test_ruff_has_nothing_to_say_about_code_and_notebook_cells():
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]
