"""A folder of submissions, each run in a process of its own with limits of time and memory."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from course_lib.classroom import exercises
from course_lib.classroom.progress_file import project
from course_lib.classroom.teacher import slices
from course_lib.classroom.teacher.handed_in import MEGABYTE, Refused, clean, folder, text

SUFFIXES = (".ipynb", ".py")
LARGEST = 30 * MEGABYTE  # of a submission: a notebook with many pictures in it
STARTING = 120.0  # seconds that torch and the course may take to load on a busy machine
KEPT = ("PATH", "SYSTEMROOT", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH")


@dataclass(frozen=True)
class Limits:
    """What a submission may use.

    Args:
        seconds: for each exercise.   megabytes: beyond what the course itself takes.

    Raises:
        ValueError: a limit is not above zero.
    """

    seconds: float = 60.0
    megabytes: int = 2000

    def __post_init__(self):
        for name in ("seconds", "megabytes"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)}: choose a number above 0")


@dataclass
class Marked:
    """A submission with its verdicts: {id: (name, words)}; ``note`` is for the teacher's eyes."""

    student: str
    file: str
    verdicts: dict[str, tuple[str, str]] = field(default_factory=dict)
    note: str = ""

    def passed(self, identity: str) -> bool:
        return self.verdicts.get(identity, ("", ""))[0] == "passed"


def handed_in(place) -> dict[Path, str]:
    """The submissions in a folder, and whose they are.

    A file of the folder itself belongs to the student that it is named after. In folders inside,
    as nbgrader's submitted/STUDENT/ASSIGNMENT/NOTEBOOK, the first folder names the student.

    Raises:
        ValueError: there is no such folder, or there is nothing in it.
    """
    place, found = folder(place), {}
    for where, folders, files in os.walk(place):  # it follows no link to a folder
        depth = len(Path(where).relative_to(place).parts)
        folders[:] = sorted(f for f in folders if f[0] != "." and depth < 3)
        for name in sorted(files):
            path = Path(where) / name
            if path.suffix in SUFFIXES and name[0] != ".":
                parts = path.relative_to(place).parts
                found[path] = clean(parts[0] if len(parts) > 1 else path.stem)
    if not found:
        raise ValueError(f"{place}: there is no notebook and no .py file in it")
    return found


def names_in_the_chapter(chapter: str) -> dict[str, str]:
    """{id: the name of the function in the chapter's notebook}; the solution's name where the
    notebook says none."""
    found = {e.id: getattr(e.solution, "__name__", "") for e in exercises.chapter(chapter)}
    for notebook in sorted((project() / "notebooks").glob(f"{chapter}_*.ipynb")):
        code = "\n".join(slices.cells(notebook.read_text(encoding="utf-8")))
        found |= dict(re.findall(r'^check\("(\d\d\.\w+)", (\w+)\)', code, re.M))
    return found


def mark(place, chapter: str, limits: Limits) -> Iterator[Marked]:
    """Every submission of a folder with its verdicts, one after the other.

    Raises:
        ValueError: see `handed_in`; or the chapter has no exercises.
    """
    names = names_in_the_chapter(chapter)
    if not names:
        raise ValueError(f"chapter {chapter} has no exercises")
    for path, student in handed_in(place).items():
        marked = Marked(student, str(path.relative_to(place)))
        try:
            judge_file(text(path, LARGEST), path.suffix, chapter, names, limits, marked)
        except Refused as error:
            marked.verdicts = dict.fromkeys(names, ("refused", f"Not read: {error}."))
        yield marked


def judge_file(
    words: str, suffix: str, chapter: str, names: dict, limits: Limits, marked: Marked
) -> None:
    """Fill in the verdicts. A process that had to be stopped is followed by one for the rest."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        file = Path(scratch) / f"submission{suffix}"
        while todo := [identity for identity in names if identity not in marked.verdicts]:
            file.write_text(words, encoding="utf-8")
            request = {
                "file": str(file), "chapter": chapter, "todo": todo, "names": names,
                "megabytes": limits.megabytes, "token": secrets.token_hex(16),
            }  # fmt: skip
            why = run_once(request, Path(scratch), limits, marked)
            left = [identity for identity in todo if identity not in marked.verdicts]
            if why and left:  # the exercise at which it was stopped
                marked.verdicts[left[0]] = why


def run_once(request: dict, scratch: Path, limits: Limits, marked: Marked) -> tuple | None:
    """One process. Its verdicts go into ``marked``; what ended it before its end is returned."""
    environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {
        "HOME": str(scratch), "USERPROFILE": str(scratch), "TMPDIR": str(scratch),
        "TEMP": str(scratch), "COURSE_PROGRESS": str(scratch / "progress.json"),
        "COURSE_CACHE": str(scratch), "MPLBACKEND": "Agg", "MPLCONFIGDIR": str(scratch),
        "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    paths = [str(Path(__file__).resolve().parents[3]), os.environ.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    command = [sys.executable, "-m", "course_lib.classroom.teacher.one_submission"]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, cwd=scratch, env=environment, stdin=subprocess.PIPE, stdout=said,
            stderr=subprocess.DEVNULL, start_new_session=os.name != "nt",
        )  # fmt: skip
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.close()
            why = watch(process, said, request, limits, marked)
        finally:
            stop(process)
        take(said, request, marked)
    return why


def watch(process, said, request: dict, limits: Limits, marked: Marked) -> tuple | None:
    """Wait for the end, and stop what takes too long or too much."""
    most = (limits.megabytes + COURSE_MEGABYTES) * MEGABYTE
    heard, since, allowed = 0, time.monotonic(), STARTING
    while process.poll() is None:
        lines = take(said, request, marked)
        if lines != heard:
            heard, since, allowed = lines, time.monotonic(), limits.seconds
        if time.monotonic() - since > allowed:
            return "time", f"It had not finished after {allowed:g} seconds and was stopped."
        if memory(process.pid) > most:
            return "memory", f"It took more than {limits.megabytes} MB and was stopped."
        time.sleep(0.05)
    take(said, request, marked)
    if process.returncode:
        return "died", f"Its process ended by itself ({process.returncode})."
    todo = [i for i in request["todo"] if i not in marked.verdicts]
    late = any(marked.verdicts.get(i, ("",))[0] == "time" for i in request["todo"])
    return None if late or not todo else ("died", "Its process ended before its verdict.")


COURSE_MEGABYTES = 1000  # resident memory that torch and the course may take themselves


def memory(number: int) -> int:
    """Resident bytes of a process and all that it has started."""
    try:
        process = psutil.Process(number)
        family = [process, *process.children(recursive=True)]
        return sum(each.memory_info().rss for each in family)
    except psutil.Error:  # it has just ended
        return 0


def take(said, request: dict, marked: Marked) -> int:
    """The verdicts that have been said until now go into ``marked``; returns how many lines. A
    line without the token of this run is none of ours."""
    said.seek(0)
    lines = said.read(MEGABYTE).decode("utf-8", "replace").split("\n")[:-1]
    for line in lines:
        try:
            answer = json.loads(line)
        except ValueError:
            continue
        if not isinstance(answer, dict) or answer.get("token") != request["token"]:
            continue
        if answer["id"] in request["todo"]:
            marked.verdicts.setdefault(answer["id"], (answer["name"], answer["text"]))
        elif answer["name"] == "own":
            marked.note = answer["text"]
    return len(lines)


def stop(process) -> None:
    """End a process and all that it has started."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        family = []
    try:
        if os.name == "nt":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    for each in family:
        try:
            each.kill()
        except psutil.Error:
            pass
    process.wait()
