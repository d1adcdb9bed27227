"""Marks as CSV, one point an exercise, in the columns that other tools write.

- ``grades.csv``: the columns of nbgrader's exporter (``nbgrader export``: class CsvExportPlugin in
  nbgrader/plugins/export.py, github.com/jupyter/nbgrader). What is unknown here stays empty.
- ``final_grades.csv``: as Otter-Grader writes it when it grades locally (``otter grade``: the file
  first, then one column a question; otter/grade/__init__.py, github.com/ucbds-infra/otter-grader).
- ``verdicts.csv``: what the check said to each answer, for the talk afterwards.
"""

from __future__ import annotations

import csv
import io

from course_lib.classroom.teacher.handed_in import cell
from course_lib.classroom.teacher.submissions import Marked

NBGRADER = (
    "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
    "raw_score", "late_submission_penalty", "score", "max_score",
)  # fmt: skip


def tables(marked: list[Marked], chapter: str, ids: list[str]) -> dict[str, str]:
    """{name of a file: its text}.

    Args:
        ids: the exercises of the chapter.
    """
    best = {}
    for one in marked:  # who handed in twice gets the better of the two
        if one.student not in best or points(one, ids) > points(best[one.student], ids):
            best[one.student] = one
    return {
        "grades.csv": text(NBGRADER, [nbgrader(best[s], chapter, ids) for s in best]),
        "final_grades.csv": text(
            ["file", *ids, "percent_correct"],
            [
                [one.file, *(float(one.passed(i)) for i in ids), points(one, ids) / len(ids)]
                for one in marked
            ],
        ),
        "verdicts.csv": text(
            ["student_id", "file", "exercise", "score", "verdict", "said", "note"],
            [
                [one.student, one.file, i, float(one.passed(i)), verdict.partition(":")[0], said,
                 one.note]
                for one in marked
                for i in ids
                for verdict, said in [one.verdicts[i]]
            ],
        ),
    }  # fmt: skip


def points(one: Marked, ids: list[str]) -> int:
    return sum(one.passed(i) for i in ids)


def nbgrader(one: Marked, chapter: str, ids: list[str]) -> list:
    score = float(points(one, ids))
    return [f"ch{chapter}", "", "", one.student, "", "", "", score, 0.0, score, float(len(ids))]


def text(head, rows: list[list]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([map(cell, row) for row in rows])
    return out.getvalue()
