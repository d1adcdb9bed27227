"""course_lib/check.py: what is amiss is found, said, and counted; and no path of a machine gets
into a notebook."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from course_lib import ROOT
from course_lib import __main__ as commands
from course_lib.commands import check


def test_the_command_finds_this_environment_in_order():
    done = subprocess.run(
        [sys.executable, "-m", "course_lib", "check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("All is in order.\n")
    for what in (
        "Python",
        *check.pins(),
        "widgets",
        "device cpu",
        "memory",
        "free disk",
        "Omniglot folder",
        "cache folder",
        "progress file",
    ):
        assert f"\n{what}  " in done.stdout


def test_a_wrong_version_is_amiss(monkeypatch, capsys):
    found = {"torch": "2.12.0", "higher": None}
    monkeypatch.setattr(
        check,
        "package_rows",
        lambda rows=check.package_rows: rows(
            version=lambda name: found.get(name, check.pins()[name])
        ),
    )
    assert commands.main(["check"]) == 1
    said = capsys.readouterr().out
    assert "torch, higher: run `python3 start.py`" in said.splitlines()[-1]
    assert [
        line.split()[-1]
        for line in said.splitlines()
        if line.startswith(("torch ", "higher ", "numpy "))
    ] == ["AMISS", "ok", "AMISS"]


def test_pins_and_builds():
    assert list(check.pins()) and check.pins()["torch"].count(".") == 2
    rows = check.package_rows(
        {"torch": "2.13.0", "numpy": "2.4.6", "higher": "0.2.1"},
        {"torch": "2.13.0+cpu", "numpy": "2.4.60"}.get,
    )
    assert [row.ok for row in rows] == [True, False, False] and rows[2].found == "missing"


def test_pins_of_an_installed_course(monkeypatch, tmp_path):
    monkeypatch.setattr(check, "ROOT", tmp_path)
    monkeypatch.setattr(
        check.importlib.metadata,
        "requires",
        lambda name: ["torch==2.13.0", 'ruff==0.17.5; extra == "test"'],
    )
    assert check.pins() == {"torch": "2.13.0"}


@pytest.mark.parametrize(
    "row",
    [
        check.python_row((3, 10, 2)),
        check.widget_row([]),
        check.memory_row(lambda: 2**30),
        check.disk_row(lambda _: type("Usage", (), {"free": 2**28})),
    ],
)
def test_what_is_amiss_has_advice(row):
    assert row.ok is False and row.advice and row.advice in check.sentence([row])


def test_memory_is_a_number_here_and_may_be_unknown_elsewhere():
    assert 2**28 < check.memory_bytes() < 2**50
    row = check.memory_row(lambda: None)
    assert (row.found, row.ok) == ("unknown", None)


def test_a_torch_that_does_not_load_is_a_row(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    (row,) = check.device_rows()
    assert row.ok is False and "does not load" in row.found


def test_a_widget_without_its_half_in_the_page_is_named(tmp_path):
    part = tmp_path / "@jupyter-widgets" / "jupyterlab-manager"
    part.mkdir(parents=True)
    (part / "package.json").touch()
    assert check.widget_row([str(tmp_path)]).found == "no JupyterLab part of anywidget"


def test_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "c"))
    assert (
        check.cache_folder() == tmp_path / "c"
        and check.cache_row().ok
        and not (tmp_path / "c").exists()
    )
    (tmp_path / "file").touch()
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "file" / "c"))
    assert check.cache_row().ok is False
    monkeypatch.delenv("COURSE_CACHE")
    assert check.cache_folder().is_relative_to(Path.home()) or os.environ.get("XDG_CACHE_HOME")
    assert "learning-to-learn" in check.cache_folder().parts


def test_the_omniglot_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("OMNIGLOT_ROOT", raising=False)
    assert check.omniglot_row().ok is None
    monkeypatch.setenv("OMNIGLOT_ROOT", str(tmp_path))
    assert check.omniglot_row().ok is False
    (tmp_path / "images_background").mkdir()
    assert check.omniglot_row().ok is True


def test_the_progress_file(own_progress):
    assert check.progress_row().found == "none yet"
    own_progress.write_text("{}")
    assert check.progress_row().ok is True
    own_progress.write_text("{")
    assert check.progress_row().ok is False


def test_paths_are_shortened(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert check.shorten(tmp_path / ".cache" / "x") == "~/.cache/x"
    assert check.shorten(ROOT / "progress.json") == "./progress.json"
    outside = tmp_path.parent / "elsewhere" / "omniglot"
    assert check.shorten(outside, private=True) == ".../omniglot" and check.shorten(outside) == str(
        outside
    )


def test_a_notebook_shows_no_path_of_this_machine(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home" / "someone")
    monkeypatch.setenv("OMNIGLOT_ROOT", str(tmp_path))
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "secret" / "cache"))
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    check.show()
    page = shown[0].data
    assert ".../cache" in page and page.count("<tr>") == len(check.report()) + 1
    for place in (tmp_path, ROOT, Path.home()):
        assert str(place) not in page


def test_only_the_module_asked_for_is_imported():
    code = (
        "import sys; from course_lib.__main__ import parser; parser(['check']); print('torch' in "
        "sys.modules)"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
        ).stdout.strip()
        == "False"
    )
