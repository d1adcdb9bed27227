"""For every test: its own progress file, one thread, no window."""

import os
import shutil
import signal
from pathlib import Path

import pytest

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
