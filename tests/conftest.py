"""For every test: its own progress file, one thread, no window."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from memory_of_kernels import PEAK

os.environ["MPLBACKEND"] = "Agg"
if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # a shell that starts us in the background says so; tests press Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_progress(tmp_path, monkeypatch):
    """Tests must never touch the reader's progress; notebooks run by a test inherit this too."""
    place = tmp_path / "progress.json"
    monkeypatch.setenv("COURSE_PROGRESS", str(place))
    return place


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def omniglot_root(tmp_path_factory):
    """A folder with copies of the small Omniglot archives and the one-shot runs, and nothing
    else."""
    names = ["images_background_small1.zip", "images_background_small2.zip", "all_runs.zip"]
    named = os.environ.get("OMNIGLOT_ROOT")
    if not named or not all((Path(named).expanduser() / name).is_file() for name in names):
        pytest.skip(
            f"REAL DATA NOT TESTED: OMNIGLOT_ROOT={named!r} names no folder with {', '.join(names)}"
        )
    root = tmp_path_factory.mktemp("omniglot")
    for name in names:
        shutil.copy(Path(named).expanduser() / name, root / name)
    return root


@pytest.fixture(scope="session")
def real_model():
    """SmolLM2-135M-Instruct in single precision. CI fetches it; elsewhere it is used where it is
    there."""
    from course_lib.commands import fetch_smollm
    from course_lib.commands.fetch import FetchError
    from course_lib.language_models import smollm
    from course_lib.language_models.opening import open_model

    began = time.monotonic()
    while not smollm.fetched():
        if not os.environ.get("CI"):
            pytest.skip(f"REAL LANGUAGE MODEL NOT TESTED: {smollm.ADVICE}")
        try:
            fetch_smollm.main()
        except FetchError as error:  # another worker is at it
            if "another process" not in str(error) or time.monotonic() - began > 300:
                raise
            time.sleep(1)
    return open_model("smollm", "cpu")


# --- notebooks that run alone ---------------------------------------------------------------------

ALONE = "test_a_notebook_runs_alone_for_a_reader_who_has_predicted_nothing"


def changed_chapters() -> set[str] | None:
    """The chapters whose room the last commit, or what is not committed, has changed. None means
    all of them, by the switch or because git cannot tell."""
    if os.environ.get("COURSE_ALL_NOTEBOOKS"):
        return None
    command = ["git", "diff", "--name-only", "HEAD~1"]  # with paths from the root of the project
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    place = re.compile(r"^(?:notebooks/|course_lib/chapters/ch|tests/chapters/ch)(\d\d)", re.M)
    return None if done.returncode else set(place.findall(done.stdout))


def pytest_collection_modifyitems(config, items):
    chapters = changed_chapters()
    left_out = [
        item
        for item in items
        if item.originalname == ALONE
        and chapters is not None
        and item.callspec.params["path"].name[:2] not in chapters
    ]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_report_header() -> str:
    chapters = changed_chapters()
    which = "all" if chapters is None else ", ".join(sorted(chapters)) or "none has changed"
    return f"notebooks that run alone: {which} (COURSE_ALL_NOTEBOOKS=1 for all; all run in order)"


# --- their memory ---------------------------------------------------------------------------------

def pytest_terminal_summary(terminalreporter):
    """One line for each notebook that ran: the most that its kernel ever held."""
    reports = [one for kind in ("passed", "failed") for one in terminalreporter.stats.get(kind, [])]
    peaks: dict[str, int] = {}
    for report in reports:
        for kind, value in getattr(report, "user_properties", []):
            if kind == PEAK:
                peaks[value[0]] = max(value[1], peaks.get(value[0], 0))
    if peaks:
        terminalreporter.write_sep("-", "peak memory of the notebooks' kernels, MB")
        for name, peak in sorted(peaks.items()):
            terminalreporter.write_line(f"{peak:6} {name}")
