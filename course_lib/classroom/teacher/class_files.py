"""The progress files of a class: read what is whole, name what is not.

A file proves nothing (`progress_file.NO_PROOF`): it is plain text. What is left out here is what
cannot be, such as more passes than tries, or counts that do not belong to their entries.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from course_lib.classroom import exercises, predictions, progress_file
from course_lib.classroom.teacher.handed_in import MEGABYTE, Refused, clean, folder, text

IDENTITY = re.compile(r"[0-9]{2}\.[a-z0-9_]{1,60}")
MOST_ENTRIES, MOST_TRIES = 1000, 100_000
TIMES = ("locked_at", "began_at", "last_at", "passed_at")


@dataclass(frozen=True)
class Student:
    """What one file says.

    Args:
        name: as its owner wrote it, on one line; not escaped.   file: its name in the folder.
        predictions, exercises: entries by id, as in the progress file; only ids that this course
            knows, and answers that it offers.
        unknown: how many entries it does not know.
    """

    name: str
    file: str
    exported_at: str
    predictions: dict
    exercises: dict
    unknown: int = 0


@dataclass(frozen=True)
class Class:
    """A folder of progress files: those that count, {file: why it does not}, and files that are
    suspiciously alike."""

    students: list[Student]
    left_out: dict[str, str]
    alike: list[tuple[str, ...]]


def read_class(place) -> Class:
    """Everything in a folder that could be a progress file.

    Raises:
        ValueError: there is no such folder.
    """
    found, left_out = [], {}
    for path in sorted(folder(place).iterdir(), key=lambda path: path.name):
        try:
            found.append(student_of(path))
        except Refused as error:
            left_out[path.name] = str(error)
    students = []
    for student in sorted(found, key=lambda s: when(s.exported_at), reverse=True):
        newer = [other for other in students if continues(other, student)]
        if newer:
            left_out[student.file] = f"it is an earlier export of {newer[0].file}"
        else:
            students.append(student)
    students.sort(key=lambda s: (s.name.casefold(), s.file))
    return Class(students, dict(sorted(left_out.items())), alike(students))


def student_of(path: Path) -> Student:
    """One progress file.

    Raises:
        Refused: it is none, or says what cannot be.
    """
    if path.suffix.lower() != ".json":
        raise Refused("its name does not end in .json")
    stored = table_of(text(path, MEGABYTE))
    for kind in progress_file.KINDS:
        if not isinstance(stored.get(kind), dict) or len(stored[kind]) > MOST_ENTRIES:
            raise Refused(f"it has no table of {kind} of at most {MOST_ENTRIES} entries")
        for identity, entry in stored[kind].items():
            look_at(identity, entry)
    if "chapters" in stored and stored["chapters"] != progress_file.counts(stored):
        raise Refused("its counts do not belong to its entries: somebody has edited it")
    look_at_times(stored)
    made = {i: e for i, e in stored["predictions"].items() if answered(i, e)}
    solved = {i: e for i, e in stored["exercises"].items() if exists(i)}
    unknown = len(stored["predictions"]) + len(stored["exercises"]) - len(made) - len(solved)
    name = stored.get("name")
    return Student(
        name=(clean(name) if isinstance(name, str) else "") or clean(path.stem) or "(no name)",
        file=path.name,
        exported_at=str(stored.get("exported_at", "")),
        predictions=made,
        exercises=solved,
        unknown=unknown,
    )


def table_of(words: str) -> dict:
    """The JSON table of a file.

    Raises:
        Refused: it is none.
    """

    def no_number(constant):
        raise ValueError(constant)

    try:
        stored = json.loads(words, parse_constant=no_number)  # NaN is no JSON
    except (ValueError, RecursionError):
        raise Refused("it is not JSON") from None
    if not isinstance(stored, dict):
        raise Refused("it is JSON, but no progress file")
    if stored.get("version") != 1:
        raise Refused("it names no version of a progress file that is known here")
    return stored


def look_at(identity: str, entry) -> None:
    """Refuse an entry that `check` and `predict` cannot have written.

    Raises:
        Refused: says what is impossible.
    """
    if not IDENTITY.fullmatch(identity):
        raise Refused("it has an entry whose name is no chapter and exercise")
    if not isinstance(entry, dict) or progress_file.mended(entry) != entry:
        raise Refused(f"{identity} is damaged")
    tries, met = entry.get("tries", 0), entry.get("met", {})
    if tries > MOST_TRIES or sum(met.values()) > tries:
        raise Refused(f"{identity} counts more than was tried")
    if entry.get("passed") and not tries or entry.get("passed_after", 0) > tries:
        raise Refused(f"{identity} is passed without a try")
    if entry.get("last") == "passed" and not entry.get("passed"):
        raise Refused(f"{identity} is passed, and is not")


def look_at_times(stored: dict) -> None:
    """Refuse times that are none, or that lie after the export.

    Raises:
        Refused: says which.
    """
    now = datetime.now(UTC)
    latest = when(stored["exported_at"]) if "exported_at" in stored else now
    if latest is None or latest > now + timedelta(days=1):
        raise Refused("the time of its export cannot be")
    for kind in progress_file.KINDS:
        for identity, entry in stored[kind].items():
            for part in TIMES:
                if part in entry and not (EARLIEST < (when(entry[part]) or EARLIEST) <= latest):
                    raise Refused(f"{part} of {identity} cannot be")


EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)


def when(words) -> datetime | None:
    """The time that a progress file writes; `EARLIEST` where none is given, None where it means
    nothing."""
    if words == "":
        return EARLIEST
    try:
        time = datetime.fromisoformat(words)
    except (ValueError, TypeError):
        return None
    return time if time.tzinfo else time.astimezone()


def answered(identity: str, entry: dict) -> bool:
    """Does this course ask the question, and offer the answer?"""
    try:
        return predictions.Question(identity, predictions.find(identity)).accepts(entry["answer"])
    except (ValueError, KeyError, ModuleNotFoundError):
        return False


def exists(identity: str) -> bool:
    return isinstance(exercises.find(identity), exercises.Exercise)


def locks(student: Student) -> set:
    return {(i, str(e["answer"]), e.get("locked_at")) for i, e in student.predictions.items()}


def continues(newer: Student, older: Student) -> bool:
    """Are these two exports of one person: one name, and all that the older holds is in the
    newer? (Two people may have one name.)"""
    if newer.name.casefold() != older.name.casefold() or not locks(older) <= locks(newer):
        return False
    return all(
        newer.exercises.get(i, {}).get("tries", 0) >= e.get("tries", 0)
        for i, e in older.exercises.items()
    )


def alike(students: list[Student]) -> list[tuple[str, ...]]:
    """Files with at least three predictions that were all locked at the same seconds: one of them
    is a copy. Both are counted; a teacher asks."""
    groups: dict = {}
    for student in students:
        if len(student.predictions) >= 3:
            groups.setdefault(frozenset(locks(student)), []).append(student.file)
    return [tuple(files) for files in groups.values() if len(files) > 1]
