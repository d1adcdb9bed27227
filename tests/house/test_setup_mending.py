"""environment.py: .venv is whole only if its marker says so, and a start mends or
rebuilds it where it is not."""

import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest
from pretend_setup import ROOT, Pretend, awkward_folder, set_up, whole

import environment


@pytest.fixture
def folder(tmp_path, monkeypatch):
    return awkward_folder(tmp_path, monkeypatch)


def test_first_and_second_start(folder):
    assert set_up(folder) == ["venv", "pip", "imports"] and whole(folder)
    assert set_up(folder) == []
    paths = list((folder / ".venv").rglob("learning_to_learn.pth"))
    assert (paths[0].parent / paths[0].read_text().strip()).resolve() == folder.resolve()


@pytest.mark.parametrize("trouble", [KeyboardInterrupt(), "ERROR: NewConnectionError"])
def test_an_install_cut_short_is_mended(folder, trouble, capsys):
    with pytest.raises((KeyboardInterrupt, environment.Stop)):
        set_up(folder, pip=trouble)
    site = environment.site_packages(folder / ".venv", "3.12")
    (site / "torch-2.13.0.dist-info").mkdir()
    assert not whole(folder)
    assert set_up(folder) == ["pip", "imports"] and whole(folder)
    assert (
        not (site / "torch-2.13.0.dist-info").exists()
        and "did not finish" in capsys.readouterr().out
    )


@pytest.mark.parametrize("name", environment.PACKAGES)
def test_a_package_that_somebody_has_removed_is_installed_again(folder, name, capsys):
    set_up(folder)
    site = environment.site_packages(folder / ".venv", "3.12")
    note = {"PIL": "pillow"}.get(name, name)
    (site / f"{note}-1.0.dist-info").mkdir()  # pip would believe it
    (site / f"{note}-1.0.dist-info" / "RECORD").touch()
    (site / name / "__init__.py").unlink()
    assert whole(folder)
    assert set_up(folder) == ["pip", "imports"] and whole(folder)
    assert f"{name} is missing in .venv; it is mended now." in capsys.readouterr().out
    assert not (site / f"{note}-1.0.dist-info").exists()
    assert set_up(folder) == []


def test_an_environment_without_its_configuration_is_built_anew(folder):
    set_up(folder)
    (folder / ".venv" / "pyvenv.cfg").unlink()
    assert set_up(folder) == ["venv", "pip", "imports"] and set_up(folder) == []


def test_a_complete_environment_in_a_folder_that_cannot_be_written_starts(folder, monkeypatch):
    set_up(folder)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    for name in ("write_marker", "locked", "build", "install"):
        monkeypatch.setattr(environment, name, refuse)
    assert set_up(folder) == []


def test_looking_for_what_is_missing_takes_no_time(folder):
    set_up(folder)
    began = time.perf_counter()
    assert environment.gone(folder / ".venv", "3.12") == []
    assert time.perf_counter() - began < 0.1


def test_the_kill_of_the_venv_maker_is_mended(folder):
    with pytest.raises(KeyboardInterrupt):
        set_up(folder, venv=KeyboardInterrupt())
    Path(environment.venv_python(folder / ".venv")).unlink()
    assert set_up(folder) == ["venv", "pip", "imports"] and whole(folder)


def test_an_environment_that_installs_but_does_not_work_is_built_anew_once(folder):
    set_up(folder)
    (folder / "requirements.txt").write_text("torch==9.9\n")
    assert set_up(folder, imports="ImportError: half a file") == [
        "pip",
        "imports",
        "venv",
        "pip",
        "imports",
    ] and whole(folder)
    (folder / ".venv" / "course.json").unlink()
    Path(environment.venv_python(folder / ".venv")).unlink()
    with pytest.raises(environment.Stop, match="half a file.*delete the folder .venv"):
        set_up(folder, imports="ImportError: half a file")
    assert not whole(folder)


def test_a_python_that_no_longer_runs_is_replaced(folder):
    set_up(folder)
    Path(environment.venv_python(folder / ".venv")).unlink()
    assert set_up(folder) == ["venv", "pip", "imports"]


def test_an_environment_without_pip_is_replaced(folder, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        set_up(folder, pip=KeyboardInterrupt())
    monkeypatch.setattr(environment, "answer", lambda *_: "")
    assert set_up(folder) == ["venv", "pip", "imports"]


def test_new_pins_are_installed_over_the_old_and_comments_do_not_count(folder):
    set_up(folder)
    text = (folder / "requirements.txt").read_text()
    (folder / "requirements.txt").write_text("# another comment\n" + text)
    assert set_up(folder) == []
    (folder / "requirements.txt").write_text(text.replace("higher==0.2.1", "higher==0.2.2"))
    assert set_up(folder) == ["pip", "imports"]


def test_tests_need_more_and_the_course_does_not(folder):
    set_up(folder)
    assert set_up(folder, test=True) == ["pip", "imports"]
    assert set_up(folder, test=True) == set_up(folder) == []


def test_the_choice_of_the_cpu_build_outlives_an_interrupted_install(folder):
    with pytest.raises(KeyboardInterrupt):
        set_up(folder, cpu=True, pip=KeyboardInterrupt())
    assert set_up(folder) == ["pip", "pip", "imports"]  # the CPU build, then the rest


@pytest.mark.parametrize(
    "marker, version, cpu, linux, todo",
    [
        ({}, "", False, True, "build"),
        ({}, "3.10", False, True, "build"),
        ({}, "3.12", False, True, "mend"),
        ({"python": "3.11", "complete": True, "course": "a"}, "3.12", False, True, "build"),
        ({"python": "3.12", "complete": True, "course": "a"}, "3.12", False, True, "ready"),
        ({"python": "3.12", "complete": True, "course": "b"}, "3.12", False, True, "mend"),
        ({"python": "3.12", "complete": False, "course": "a"}, "3.12", False, True, "mend"),
        (
            {"python": "3.12", "complete": True, "course": "a", "cpu": False},
            "3.12",
            True,
            True,
            "build",
        ),
        (
            {"python": "3.12", "complete": True, "course": "a", "cpu": False},
            "3.12",
            True,
            False,
            "ready",
        ),
        (
            {"python": "3.12", "complete": True, "course": "a", "cpu": True},
            "3.12",
            False,
            True,
            "ready",
        ),
    ],
)
def test_plan(marker, version, cpu, linux, todo):
    assert (
        environment.plan(marker, version, {"course": "a", "test": False, "cpu": cpu}, linux) == todo
    )


@pytest.mark.parametrize("text", ["", "{", "[1]", "null"])
def test_a_damaged_marker_counts_as_none(tmp_path, text):
    (tmp_path / "course.json").write_text(text)
    assert environment.read_marker(tmp_path) == {}


def test_half_packages_are_found(tmp_path):
    for name in ("whole-1.dist-info", "half-1.dist-info", "~orch"):
        (tmp_path / name).mkdir()
    (tmp_path / "whole-1.dist-info" / "RECORD").touch()
    assert sorted(environment.drop_halves(tmp_path)) == ["half-1.dist-info", "~orch"]
    assert [path.name for path in tmp_path.iterdir()] == ["whole-1.dist-info"]


def test_a_second_start_waits_for_the_first_and_installs_nothing(folder, capsys):
    run = Pretend(folder)
    second = Thread(
        target=environment.set_up, kwargs=dict(root=folder, test=False, cpu=False, run=run)
    )
    with environment.locked(folder) as lock:
        second.start()
        end = time.monotonic() + 20
        while "Another start" not in capsys.readouterr().out and time.monotonic() < end:
            time.sleep(0.02)
        assert second.is_alive() and time.monotonic() < end
        first = Pretend(folder)
        environment.build(folder / ".venv", lock, first)
        environment.install(folder, environment.wanted(folder, False, False), lock, first)
    second.join(20)
    assert not second.is_alive() and run.done == []


def test_a_killed_start_leaves_no_lock(folder, capsys):
    code = (
        f"import sys, time; sys.path.insert(0, {str(ROOT)!r})\nfrom environment import Path, "
        f"locked\nwith locked(Path({str(folder)!r})): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ, "PYTHONUTF8": "1"}
    )
    assert holder.stdout.readline().strip() == b"held"
    holder.kill()
    holder.wait()
    with environment.locked(folder):
        assert "Another start" not in capsys.readouterr().out  # nobody was waited for


def test_what_a_child_says_is_shown_and_kept(tmp_path, capfd):
    with environment.locked(tmp_path) as lock:
        code = (
            "import sys; print('progress'); print('trouble\\n' * 20_000, end='', "
            "file=sys.stderr); sys.exit(3)"
        )
        code, errors = environment.run_in_sight(
            [sys.executable, "-c", code], dict(os.environ), lock
        )
        assert code == 3 and errors.split() == ["trouble"] * 20_000
    shown = capfd.readouterr()
    assert "progress" in shown.out and "trouble" in shown.err
