"""The page of a class, and its CSV: one file each that asks no network for anything."""

from __future__ import annotations

import csv
import io
from html import escape
from pathlib import Path

from course_lib.classroom import exercises, progress_file
from course_lib.classroom.panel import inline
from course_lib.classroom.teacher import class_counts as counts
from course_lib.classroom.teacher.class_files import Class, Student
from course_lib.classroom.teacher.handed_in import cell

HERE = Path(__file__).parent
NOTHING_OUT = "default-src 'none'; style-src 'unsafe-inline'"
COLUMNS = (
    "student", "file", "chapter", "kind", "id", "answer", "right", "locked_at", "tries", "passed",
    "passed_after", "minutes", "last", "met",
)  # fmt: skip
MOST_WAITING = 8  # names in one cell
IN_SIGHT = 8  # rows of a section that are not folded


def page(room: Class) -> str:
    """The whole page."""
    n = len(room.students)
    body = [
        f"<h1>A class of {n} student{'s' * (n != 1)}</h1>",
        "<p>Made from the progress files that students exported. They tell what somebody has "
        "done, and prove nothing: anyone can write into such a file.</p>",
        left_out(room),
        section("Who has done what", who(room.students)),
        section("Predictions that split the room", split_rooms(room.students)),
        section("Misconceptions that were met", met(room.students)),
        section("Where it takes long", long(room.students)),
    ]
    style = (HERE / "class.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{NOTHING_OUT}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>A class</title><style>{style}</style></head><body><main>"
        + "\n".join(body)
        + "</main></body></html>\n"
    )


def section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>{body}</section>"


def left_out(room: Class) -> str:
    """The files that do not count, and those that are too much alike."""
    said = [f"<li><code>{named(f)}</code>: {escape(why)}</li>" for f, why in room.left_out.items()]
    alike = [
        f"<li>{' and '.join(f'<code>{named(file)}</code>' for file in files)} hold the same "
        "answers, locked at the same seconds. Both are counted: ask.</li>"
        for files in room.alike
    ]
    strange = sum(student.unknown for student in room.students)
    body = ""
    if said:
        body += f"<p><strong>Left out, {len(said)}:</strong></p><ul>{''.join(said)}</ul>"
    if alike:
        body += f"<p><strong>Too much alike:</strong></p><ul>{''.join(alike)}</ul>"
    if strange:
        body += (
            f"<p>{strange} entries are of another version of the course and are not counted.</p>"
        )
    return f'<div class="out">{body}</div>' if body else ""


def named(file: str) -> str:
    """A file's name, escaped; bytes that are no letters are shown as such."""
    return escape(file.encode("utf-8", "backslashreplace").decode()[:120])


def table(caption: str, head: list[str], rows: list[str], numbers: int) -> str:
    """A table whose last ``numbers`` columns are right-aligned; the first cell heads its row."""
    first = len(head) - numbers
    heads = "".join(
        f'<th scope="col"{" class=n" * (place >= first)}>{word}</th>'
        for place, word in enumerate(head)
    )
    said = f'<p class="quiet">{caption}</p>' if caption else ""
    return (
        f'{said}<div class="wide"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def who(students: list[Student]) -> str:
    if not students:
        return "<p>No file could be read.</p>"
    asked, titles = progress_file.asked()
    ids = [exercise.id for exercise in exercises.all_exercises()]
    chapters = counts.chapters(students)
    rows = []
    for student in students:
        done = progress_file.counts(
            {"predictions": student.predictions, "exercises": student.exercises}, ids, asked
        )
        cells = "".join(progress_cell(done[chapter]) for chapter in chapters)
        day = escape(student.exported_at[:10]) or "-"
        rows.append(
            f'<tr><th scope="row">{escape(student.name)}<br><small class="quiet">'
            f"{named(student.file)}</small></th><td>{day}</td>{cells}</tr>"
        )
    heads = [f'<abbr title="{escape(titles.get(c, ""))}">{c}</abbr>' for c in chapters]
    caption = (
        "A cell: predictions locked, then exercises passed. Green is a chapter that is done; "
        "a + stands for exercises that were tried and not passed yet."
    )
    return table(caption, ["student", "exported", *heads], rows, len(chapters))


def progress_cell(done: dict[str, int]) -> str:
    whole = done["made"] == done["predictions"] and done["passed"] == done["exercises"]
    tried = f" +{done['tried']}" if done["tried"] else ""
    return (
        f'<td class="n{" done" if whole else ""}">{done["made"]}/{done["predictions"]}<br>'
        f"{done['passed']}/{done['exercises']}{tried}</td>"
    )


def split_rooms(students: list[Student]) -> str:
    found = counts.splits(students)
    if not found:
        return "<p>No prediction was locked by two students.</p>"
    body = (
        '<p class="quiet">Most divided first. The number is the share of pairs of students who '
        "disagree: let two of them convince each other before you go on.</p>"
    )
    parts = list(map(one_split, found))
    return body + "".join(parts[:IN_SIGHT]) + folded("".join(parts[IN_SIGHT:]), len(parts))


def folded(body: str, rows: int) -> str:
    """What comes after the first IN_SIGHT of so many rows."""
    more = rows - IN_SIGHT
    return f"<details><summary>{more} more</summary>{body}</details>" if more > 0 else ""


def one_split(one: counts.Split) -> str:
    said = f"{one.right} of {one.seen} who saw it were right" if one.seen else "nobody has seen it"
    return (
        f"<h3><code>{one.identity}</code> · {one.apart:.0%} of pairs disagree · {said}</h3>"
        f"<p>{inline(one.question)}</p><ul class=answers>{answers(one)}</ul>"
    )


def answers(one: counts.Split) -> str:
    total = sum(times for _, times, _ in one.answers)
    lines = []
    for words, times, right in one.answers[:12]:
        mark = " <strong>(what happened)</strong>" if right else ""
        lines.append(
            f'<li{" class=true" if right else ""}>{times} · {inline(words)}{mark}'
            f'<div class="bar" style="width: {100 * times / total:.0f}%"></div></li>'
        )
    if len(one.answers) > 12:
        lines.append(f"<li>and {len(one.answers) - 12} other answers</li>")
    return "".join(lines)


def met(students: list[Student]) -> str:
    found = counts.misconceptions(students)
    if not found:
        return "<p>No wrong answer is on record.</p>"
    rows = [
        f'<tr><th scope="row"><code>{one.identity}</code></th><td class="said">{inline(one.said)}'
        f'</td><td class="n">{one.students}</td><td class="n">{one.times}</td></tr>'
        for one in found
        if one.named
    ]
    others = [one for one in found if not one.named]
    head = ["exercise", "what the check said", "students", "times"]
    caption = "The numbers are those of the check's own cases. Tries after a pass do not count."
    body = table(caption, head, rows[:IN_SIGHT], 2)
    body += folded(table("", head, rows[IN_SIGHT:], 2), len(rows))
    if others:
        rows = [
            f'<tr><th scope="row"><code>{one.identity}</code></th><td>{escape(one.said)}</td>'
            f'<td class="n">{one.students}</td><td class="n">{one.times}</td></tr>'
            for one in others
        ]
        caption = "The check saw that something is wrong and not why: look at these answers."
        body += "<h3>No mistake by name</h3>" + table(caption, head, rows[:IN_SIGHT], 2)
        body += folded(table("", head, rows[IN_SIGHT:], 2), len(rows))
    return body


def long(students: list[Student]) -> str:
    found = counts.stuck(students)
    if not found:
        return "<p>No exercise was tried.</p>"
    rows = []
    for one in found:
        waiting = ", ".join(map(escape, one.waiting[:MOST_WAITING]))
        more = len(one.waiting) - MOST_WAITING
        waiting += f" and {more} more" if more > 0 else ""
        rows.append(
            f'<tr><th scope="row"><code>{one.identity}</code><br>{inline(one.title)}</th>'
            f"<td>{waiting or '-'}</td>"
            + "".join(
                f'<td class="n">{value}</td>'
                for value in (
                    f"{one.passed} of {one.tried}",
                    "-" if one.tries is None else f"{one.tries:g}",
                    "-" if one.minutes is None else f"{one.minutes:.0f}",
                )
            )
            + "</tr>"
        )
    caption = (
        "Medians. Minutes lie between the first and the last try before the pass, and a longer "
        f"pause counts as {progress_file.PAUSE // 60}; the time before the first try is not known."
    )
    head = ["exercise", "tried, not passed yet", "passed", "tries", "minutes"]
    return table(caption, head, rows, 3)


def rows_of(room: Class) -> str:
    """The CSV: one row a student and id."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for student in room.students:
        for kind in progress_file.KINDS:
            for identity, entry in sorted(getattr(student, kind).items()):
                writer.writerow(map(cell, one_row(student, kind, identity, entry)))
    return out.getvalue()


def one_row(student: Student, kind: str, identity: str, entry: dict) -> list:
    file = student.file.encode("utf-8", "backslashreplace").decode()
    head = [student.name, file, f"ch{identity[:2]}", kind.rstrip("s"), identity]
    if kind == "predictions":
        return [*head, entry["answer"], entry.get("right"), entry.get("locked_at")] + [None] * 6
    seconds = entry.get("seconds")
    said = (
        f"{counts.words(identity, verdict)[0]} ({times})"
        for verdict, times in sorted(counts.verdicts(entry).items())
    )
    minutes = None if seconds is None else round(seconds / 60, 1)
    last = str(entry.get("last", "")).partition(":")[0]
    return [*head, None, None, None, entry.get("tries"), entry.get("passed"),
            entry.get("passed_after"), minutes, last, "; ".join(said)]  # fmt: skip
