"""For every test: its own progress file, one thread, no window."""
import os

import pytest

os.environ["MPLBACKEND"] = "Agg"


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
