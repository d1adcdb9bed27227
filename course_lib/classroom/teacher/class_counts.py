"""What a class has done, counted: who did what, which predictions split the room, which
misconceptions were met, where it takes long."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from statistics import median

from course_lib.classroom import exercises, predictions
from course_lib.classroom.exercises.judging import judge
from course_lib.classroom.teacher.class_files import Student

KIND = re.compile(r"[A-Za-z0-9_ .:%]{1,40}")
UNNAMED = {  # verdicts that name no misconception, in a teacher's words
    "raised": "stopped with an error",
    "time": "did not end in time",
    "none": "returned nothing",
    "type": "returned another kind of thing",
    "shape": "another shape",
    "not_finite": "NaN or infinity",
    "sign": "the right size, the wrong sign",
    "factor": "off by one factor",
    "factor_by_case": "off by a factor that changes with the case",
    "detached": "right numbers, no gradient",
    "mutated": "changes its input",
    "not_updated": "does not change what it should",
    "gradient": "right numbers, wrong gradient",
    "signature": "takes other arguments",
    "not_function": "not a function",
    "different": "other numbers, nobody knows why",
}


@dataclass(frozen=True)
class Split:
    """How a room answered one prediction.

    Args:
        answers: (the answer, how many gave it, whether it came true: True, False or None where
            nobody has seen it), the most frequent first, numbers in their order.
        apart: of all pairs of students, the share who disagree. Two numbers agree when they are
            within the tolerance of the question.
        right: how many of those who have seen the outcome were right.   seen: how many have.
    """

    identity: str
    question: str
    answers: list[tuple[str, int, bool | None]]
    apart: float
    right: int
    seen: int


@dataclass(frozen=True)
class Met:
    """How often one misconception was met. `said` is what its reader was told; `named` is False
    for verdicts that know the symptom only."""

    identity: str
    said: str
    students: int
    times: int
    named: bool


@dataclass(frozen=True)
class Stuck:
    """How long one exercise takes.

    Args:
        minutes, tries: medians; None where nobody has passed, or where the files are too old
            to tell.
        waiting: names of those who tried and have not passed, the longest at work first.
    """

    identity: str
    title: str
    tried: int
    passed: int
    minutes: float | None
    tries: float | None
    waiting: list[str]


def chapters(students: list[Student]) -> list[str]:
    """The chapters that anybody has begun."""
    return sorted({i[:2] for s in students for i in (*s.predictions, *s.exercises)})


def splits(students: list[Student]) -> list[Split]:
    """Every prediction that at least two have locked, the most divided first."""
    by_id: dict = {}
    for student in students:
        for identity, entry in student.predictions.items():
            by_id.setdefault(identity, []).append(entry)
    made = [split(i, entries) for i, entries in by_id.items() if len(entries) > 1]
    return sorted(made, key=lambda one: (-one.apart, one.identity))


def split(identity: str, entries: list[dict]) -> Split:
    asked = predictions.find(identity)
    near = asked.tolerance if asked.number else 0
    given = [entry["answer"] for entry in entries]
    agree = (lambda a, b: abs(a - b) <= near) if asked.number else (lambda a, b: a == b)
    pairs = [(a, b) for place, a in enumerate(given) for b in given[place + 1 :]]
    truth = {}
    for entry in entries:
        if entry.get("right") is not None:
            truth.setdefault(entry["answer"], []).append(entry["right"])
    answers = [
        (
            f"{answer:g} {asked.unit}".strip() if asked.number else asked.options[answer],
            times,
            2 * sum(truth[answer]) > len(truth[answer]) if answer in truth else None,
        )
        for answer, times in (
            sorted(Counter(given).items()) if asked.number else Counter(given).most_common()
        )
    ]
    seen = [entry["right"] for entry in entries if entry.get("right") is not None]
    apart = sum(not agree(a, b) for a, b in pairs) / len(pairs)
    return Split(identity, asked.question, answers, apart, sum(seen), len(seen))


def misconceptions(students: list[Student]) -> list[Met]:
    """Every verdict that somebody met, those that name a mistake first, by students."""
    found: dict = {}
    for student in students:
        for identity, entry in student.exercises.items():
            for verdict, times in verdicts(entry).items():
                key = identity, *words(identity, verdict)
                found.setdefault(key, []).append(times)
    rows = [Met(i, said, len(t), sum(t), named) for (i, said, named), t in found.items()]
    return sorted(rows, key=lambda m: (not m.named, -m.students, -m.times, m.identity, m.said))


def verdicts(entry: dict) -> dict[str, int]:
    """{verdict: how often}. A file from before `met` was kept knows only the last one."""
    if "met" in entry:
        return entry["met"]
    last = entry.get("last", "passed")
    return {} if last == "passed" else {last: 1}


@cache
def words(identity: str, verdict: str) -> tuple[str, bool]:
    """What the reader was told, and whether it names a mistake. A name that this course does not
    know is not repeated: anyone could have written it into a file."""
    kind, _, name = verdict.partition(":")
    exercise = exercises.find(identity)
    if kind == "mistake":
        row = next((row for row in exercise.rows if row.name == name), None)
        return (judge(exercise, row.wrong).text if row else "a mistake of another version"), True
    if kind == "property":
        return f"lacks what was asked for: {name}" if name in dict(exercise.properties) else (
            "lacks what was asked for"
        ), True
    if kind == "kind" and KIND.fullmatch(name):
        return f"a kind of mistake: {name}", True
    return UNNAMED.get(kind, "another verdict"), False


def stuck(students: list[Student]) -> list[Stuck]:
    """Every exercise that somebody tried, where it takes longest first."""
    by_id: dict = {}
    for student in students:
        for identity, entry in student.exercises.items():
            if entry.get("tries"):
                by_id.setdefault(identity, []).append((student.name, entry))
    rows = [one_exercise(identity, entries) for identity, entries in by_id.items()]
    return sorted(
        rows, key=lambda r: (-(r.minutes or 0), -(r.tries or 0), r.passed / r.tried, r.identity)
    )


def one_exercise(identity: str, entries: list[tuple[str, dict]]) -> Stuck:
    passed = [entry for _, entry in entries if entry.get("passed")]
    late = [(entry.get("seconds", 0), name) for name, entry in entries if not entry.get("passed")]
    minutes = [entry["seconds"] / 60 for _, entry in entries if "seconds" in entry]
    tries = [entry.get("passed_after", entry["tries"]) for entry in passed]
    return Stuck(
        identity,
        exercises.find(identity).statement.title,
        len(entries),
        len(passed),
        median(minutes) if minutes else None,
        median(tries) if tries else None,
        [name for _, name in sorted(late, key=lambda pair: -pair[0])],
    )
