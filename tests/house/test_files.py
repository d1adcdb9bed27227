"""What is written takes the place of a regular file, whole, or of nothing at all."""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from course_lib import files
from course_lib.__main__ import main
from course_lib.files import PlaceError, check_place, write
from course_lib.networks import checkpoints

TINY = ["--set", "outer_steps=1", "tasks=1", "episodes=2"]
RUN = "sinusoids_maml_5shot"


def contents(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_and_replaced_and_nothing_else_is_left(tmp_path):
    place = tmp_path / "new folder" / "Maß.txt"
    for data in (b"one", b"", b"two" * 10**6):
        write(place, data)
        assert place.read_bytes() == data and contents(place.parent) == ["Maß.txt"]


def in_the_way(folder: Path) -> dict[str, tuple[Path, str]]:
    """Places that are none, and what is said of them."""
    (folder / "folder").mkdir()
    (folder / "file").write_text("kept")
    (folder / "outside").write_text("kept")
    (folder / "link").symlink_to(folder / "outside")
    (folder / "broken").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(folder / "socket"))
    listening.close()
    return {
        "folder": (folder / "folder", "it is a folder, choose the name of a file"),
        "root": (Path("/"), "it is a folder"),
        "up": (folder / "folder" / "..", "it is a folder"),
        "null": (Path("/dev/null"), "it is a device or a pipe"),
        "full": (Path("/dev/full"), "it is a device or a pipe"),
        "pipe": (folder / "pipe", "it is a device or a pipe"),
        "socket": (folder / "socket", "it is a device or a pipe"),
        "link": (folder / "link", "it is a link to .*outside"),
        "broken link": (folder / "broken", "it is a link to .*nowhere"),
        "below a file": (folder / "file" / "run", "make room or choose another place"),
        "null byte": (folder / "a\0b", "null byte"),
        "long": (folder / ("x" * 300), "name too long"),
    }


NAMES = [
    "folder", "root", "up", "null", "full", "pipe", "socket", "link", "broken link", "below a file",
    "null byte", "long",
]  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="NOT TESTED on Windows: it has no such devices")
@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_place_for_a_file_is_refused_and_left_alone(tmp_path, name):
    place, says = in_the_way(tmp_path)[name]
    before, kind = contents(tmp_path), os.path.lexists(place) and place.lstat().st_mode
    for use in (check_place, lambda at: write(at, b"new"),
                lambda at: checkpoints.write(at, {}, {})):  # fmt: skip
        with pytest.raises(ValueError, match=f"(?i)cannot write .*{says}") as caught:
            use(place)
        assert "\n" not in str(caught.value)
    assert contents(tmp_path) == before
    assert (os.path.lexists(place) and place.lstat().st_mode) == kind
    assert (tmp_path / "outside").read_text() == (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("place", ["folder", "/dev/null", "link", "file/run"])
def test_a_command_says_so_before_it_works(tmp_path, monkeypatch, capsys, place):
    monkeypatch.chdir(tmp_path)
    in_the_way(tmp_path)
    began = time.monotonic()
    assert main(["train", RUN, "--set", "outer_steps=100000", "--out", place]) == 2
    assert time.monotonic() - began < 20
    assert "cannot write" in capsys.readouterr().err
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("moment", ["fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_disk_that_takes_nothing_is_one_sentence(tmp_path, monkeypatch, moment, code):
    def fail(*_):
        raise OSError(code, os.strerror(code))

    write(tmp_path / "file", b"old")
    with monkeypatch.context() as broken:
        broken.setattr(files.os, moment, fail)
        with pytest.raises(PlaceError, match=os.strerror(code)):
            write(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old" and contents(tmp_path) == ["file"]


WRITER = """
import sys
from course_lib import files
while True:
    files.write(sys.argv[1], b"x" * 20_000_000)
"""


def test_what_a_killed_process_left_is_gone_after_the_next_write(tmp_path):
    place, left = tmp_path / "run", 0
    for i in range(12):
        writing = subprocess.Popen([sys.executable, "-c", WRITER, str(place)])
        while not place.exists():
            time.sleep(0.01)
        time.sleep(0.01 + 0.004 * i)
        writing.send_signal(signal.SIGKILL)
        writing.wait()
        assert place.read_bytes() == b"x" * 20_000_000
        left += len(contents(tmp_path)) > 1
        write(place, b"whole")
        assert contents(tmp_path) == ["run"] and place.read_bytes() == b"whole"
        place.unlink()
    assert left > 0


def test_a_partial_file_of_a_living_process_and_of_another_file_stay(tmp_path):
    mine = [f"run.{os.getpid()}-abc123.partial", "run2.999999999.partial", "run.x.partial"]
    for name in [*mine, "run.999999999-abcdef.partial", "run.999999999.partial"]:
        (tmp_path / name).write_text("half")
    write(tmp_path / "run", b"whole")
    assert contents(tmp_path) == sorted(["run", *mine])


def test_the_result_is_written_although_nobody_listens_or_understands(tmp_path):
    """A closed pipe, and a terminal that knows no bar and no plus-minus."""
    words = [sys.executable, "-m", "course_lib", "train", RUN, *TINY, "--out"]
    one = subprocess.Popen([*words, str(tmp_path / "one")], stdout=subprocess.PIPE)
    one.stdout.close()
    one.wait(timeout=120)
    plain = os.environ | {"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    other = subprocess.run([*words, str(tmp_path / "other")], env=plain, capture_output=True)
    assert b"Traceback" not in other.stderr and other.returncode == 0, other.stderr[-600:]
    for name in ("one", "other"):
        assert checkpoints.read(tmp_path / name)[1]["run"]["name"] == RUN
