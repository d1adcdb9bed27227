"""The reader's progress file: it survives two notebooks, a truncated file and a folder that cannot
be written."""

import json
import os
import stat
import subprocess
import sys
import threading
import time

import pytest

from course_lib import ROOT
from course_lib.classroom import progress_file as progress


def put(kind, identity, **entry):
    with progress.change() as stored:
        stored[kind][identity] = entry


def test_place_is_the_variable_or_the_project_folder(own_progress, monkeypatch, tmp_path):
    assert progress.path() == own_progress
    monkeypatch.setenv("COURSE_PROGRESS", str(tmp_path))
    assert progress.path() == tmp_path / "progress.json"
    monkeypatch.delenv("COURSE_PROGRESS")
    assert progress.path() == progress.project() / "progress.json"
    monkeypatch.setattr(
        progress,
        "__file__",
        str(tmp_path / "site" / "course_lib" / "classroom" / "progress_file.py"),
    )
    monkeypatch.chdir(tmp_path)
    assert progress.path() == tmp_path / "progress.json"


def test_reading_nothing_writes_nothing(own_progress):
    assert progress.read() == {"version": 1, "predictions": {}, "exercises": {}}
    assert not own_progress.exists()


def test_an_entry_is_kept_and_no_lock_or_half_file_is_left(own_progress):
    put("predictions", "02.more_steps", answer="fällt", right=None)
    assert progress.read()["predictions"]["02.more_steps"]["answer"] == "fällt"
    assert [p.name for p in own_progress.parent.iterdir()] == ["progress.json"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"predictions": {"02.a',
        "[1, 2]",
        "null",
        '{"predictions": 3}',
        '{"exercises": {"02.a": 1}}',
        "\0\0",
        "[" * 100_000,
    ],
)
def test_an_unreadable_file_is_put_aside_with_one_sentence(own_progress, capsys, text):
    own_progress.write_text(text)
    put("predictions", "02.a", answer="b")
    said = capsys.readouterr().out
    aside = [p for p in own_progress.parent.iterdir() if p != own_progress]
    assert len(aside) == 1 and aside[0].read_text() == text
    assert said.count("\n") == 1 and aside[0].name in said and "Traceback" not in said
    assert json.loads(own_progress.read_text())["predictions"] == {"02.a": {"answer": "b"}}


def test_bytes_that_are_no_text_are_put_aside(own_progress, capsys):
    own_progress.write_bytes(b"\xff\xfe\x80")
    assert progress.read()["predictions"] == {}
    assert "is kept as" in capsys.readouterr().out


def test_unknown_fields_survive(own_progress):
    own_progress.write_text(
        json.dumps(
            {"version": 1, "note": "mine", "predictions": {"01.a": {"answer": 1, "why": "so"}}}
        )
    )
    put("exercises", "01.b", passed=True)
    stored = json.loads(own_progress.read_text())
    assert (
        stored["note"] == "mine"
        and stored["predictions"]["01.a"]["why"] == "so"
        and stored["exercises"]["01.b"]["passed"]
    )


WRITER = """
import sys
from course_lib.classroom import progress_file as progress
for i in range(25):
    with progress.change() as stored:
        stored["exercises"][f"02.{sys.argv[1]}_{i}"] = {"tries": 1}
"""


def test_two_processes_and_two_threads_lose_nothing(own_progress):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, name], env=environment)
        for name in ("a", "b")
    ]
    threads = [
        threading.Thread(
            target=lambda n=n: [put("exercises", f"02.{n}_{i}", tries=1) for i in range(25)]
        )
        for n in "cd"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [w.wait(60) for w in writers] == [0, 0]
    assert len(progress.read()["exercises"]) == 100


def test_a_lock_left_by_a_killed_kernel_is_broken(own_progress):
    lock = own_progress.with_name("progress.json.lock")
    lock.touch()
    past = time.time() - 60
    os.utime(lock, (past, past))
    put("exercises", "02.a", tries=1)
    assert progress.read()["exercises"] == {"02.a": {"tries": 1}} and not lock.exists()


def test_an_error_inside_a_change_frees_the_lock_and_changes_nothing(own_progress):
    put("exercises", "02.a", tries=1)
    with pytest.raises(KeyError), progress.change() as stored:
        stored["exercises"]["02.a"]["tries"] = 2
        raise KeyError
    put("exercises", "02.b", tries=1)
    assert progress.read()["exercises"] == {"02.a": {"tries": 1}, "02.b": {"tries": 1}}


def test_a_place_that_cannot_be_written_is_said_once_and_kept_in_memory(
    tmp_path, monkeypatch, capsys
):
    blocker = tmp_path / "a_file"
    blocker.touch()
    monkeypatch.setenv("COURSE_PROGRESS", str(blocker / "progress.json"))
    put("exercises", "02.a", tries=1)
    put("exercises", "02.b", tries=1)
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "cannot be written" in said
    assert set(progress.read()["exercises"]) == {"02.a", "02.b"}


def test_a_full_disk_is_said_once_and_kept_in_memory(monkeypatch, capsys, own_progress):
    def full(place, text):
        raise OSError(28, "No space left on device")

    put("exercises", "02.a", tries=1)
    monkeypatch.setattr(progress, "write", full)
    put("exercises", "02.b", tries=1)
    put("exercises", "02.c", tries=1)
    assert capsys.readouterr().out.count("No space left") == 1
    assert (
        set(progress.read()["exercises"]) == {"02.a", "02.b", "02.c"}
        and not own_progress.with_name("progress.json.lock").exists()
    )


def test_a_file_that_may_not_be_read_is_never_overwritten(monkeypatch, capsys, own_progress):
    put("exercises", "02.a", tries=1)
    before = own_progress.read_text()

    def refuse(place):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(progress, "_text", refuse)
    assert progress.read()["exercises"] == {} and "cannot be read" in capsys.readouterr().out
    put("exercises", "02.b", tries=1)
    assert own_progress.read_text() == before


def test_forget_starts_one_again(capsys):
    put("predictions", "02.a", answer="x")
    put("predictions", "02.b", answer="y")
    progress.forget("02.a")
    progress.forget("02.nothing")
    assert set(progress.read()["predictions"]) == {"02.b"}
    said = capsys.readouterr().out.splitlines()
    assert "02.a is forgotten" in said[0] and "nothing to forget" in said[1]


def test_export_for_a_class(own_progress, tmp_path):
    put("predictions", "02.a", answer="x", right=True)
    put("exercises", "02.b", tries=2, passed=False)
    written = json.loads(progress.export_progress(tmp_path / "out" / "ada.json").read_text())
    assert written["name"] == "ada" and written["chapters"]["02"] == {
        "predictions": 1,
        "made": 1,
        "right": 1,
        "exercises": 1,
        "passed": 0,
        "tried": 1,
    }
    assert written["predictions"]["02.a"]["answer"] == "x"
    for place in (own_progress, tmp_path):
        with pytest.raises(ValueError, match="name of a new file"):
            progress.export_progress(place)


def test_the_table_counts_each_chapter(monkeypatch, tmp_path):
    (tmp_path / "notebooks").mkdir()
    cell = {
        "cell_type": "code",
        "source": ["predict(\n", '    "02.a", "Q?", {})\n', "predict('02.z', 'Q?', {})"],
    }
    (tmp_path / "notebooks" / "02_inner_loop.ipynb").write_text(
        json.dumps({"cells": [cell]}, indent=1)
    )
    monkeypatch.setattr(progress, "project", lambda: tmp_path)
    assert progress.asked() == ({"02.a", "02.z"}, {"02": "inner loop"})
    put("predictions", "02.a", answer="x", right=True)
    put("exercises", "02.b", tries=1, passed=True)
    put("exercises", "02.c", tries=1, passed=False)
    shown = progress.table(["02.b", "02.c", "02.d", "03.e"])
    rows = shown._repr_html_().split("<tr>")[2:]
    words = [[cell.split(">")[1].split("<")[0] for cell in row.split("style=")[1:]] for row in rows]
    assert words == [
        ["02 inner loop", "1 of 2", "1", "1 of 3", "1", "1"],
        ["03", "-", "-", "0 of 1", "0", "1"],
    ]


def test_an_empty_table_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(progress, "project", lambda: tmp_path)
    assert "Nothing is stored yet" in repr(progress.table())


@pytest.mark.parametrize("what", ["pipe", "device", "link"])
def test_what_is_no_file_of_the_readers_is_left_alone(tmp_path, monkeypatch, capsys, what):
    place, kept = tmp_path / "progress", tmp_path / "elsewhere.json"
    kept.write_text("{}")
    try:
        if what == "pipe":
            os.mkfifo(place)
        elif what == "device":
            os.mknod(place, 0o666 | stat.S_IFCHR, os.makedev(1, 5))  # as /dev/zero: has no end
        else:
            place.symlink_to(kept)
    except (PermissionError, AttributeError):
        pytest.skip(f"NOT TRIED: a {what} cannot be made here")
    before = place.lstat()
    monkeypatch.setenv("COURSE_PROGRESS", str(place))
    put("predictions", "02.a", answer="b")
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "until this kernel stops" in said and "it is a" in said
    assert progress.read()["predictions"] == {"02.a": {"answer": "b"}}  # from memory
    assert (place.lstat().st_mode, place.lstat().st_ino) == (before.st_mode, before.st_ino)
    assert kept.read_text() == "{}" and {p.name for p in tmp_path.iterdir()} == {
        "progress",
        "elsewhere.json",
    }
    progress._unsaved.clear()
    assert progress.read() == progress._nothing()
    assert "cannot be read" in capsys.readouterr().out


def test_an_export_counts_for_itself(own_progress, tmp_path):
    forged = {"chapters": {"02": {"passed": 99}}, "note": "all true", "name": "somebody else"}
    own_progress.write_text(json.dumps(forged | {"exercises": {"02.a": {"passed": True}}}))
    copy = json.loads(progress.export_progress(tmp_path / "mine.json").read_text())
    assert copy["chapters"]["02"]["passed"] == 1 and copy["name"] == "mine"
    assert copy["note"] == progress.NO_PROOF


def test_letters_that_are_half_a_letter_come_back(own_progress):
    put("predictions", "02.a", answer="\udc80 \\ ü")
    assert progress.read()["predictions"]["02.a"]["answer"] == "\udc80 \\ ü"
