"""A class that never was: progress files as students would export them."""

import json
import random
from datetime import datetime, timedelta
from pathlib import Path

from course_lib.classroom import exercises, predictions, progress_file

NAMES = (
    "Ada", "Björn", "Chi-won Kim", "Dominique", "Esi", "Farid", "Grace", "Haruto", "Inés", "Jelena",
    "Kwame", "Lin Yue", "Mustafa", "Nadia", "Olu", "Priya", "Quentin", "Rosa", "Søren", "Tam",
)  # fmt: skip
START = datetime.fromisoformat("2026-03-02T10:00:00+01:00")


def stored(seed: int, chapters=("01", "02", "03"), old: bool = False) -> dict:
    """What one student has done; ``old``: as written before verdicts and times were kept."""
    draw, now = random.Random(seed), START + timedelta(seconds=37 * seed)
    made, solved = {}, {}
    asked = sorted(i for i in progress_file.asked()[0] if i[:2] in chapters)
    for identity in asked[: draw.randint(4, len(asked))]:
        question = predictions.find(identity)
        now += timedelta(seconds=draw.randint(60, 900))
        if question.number:
            low, high, step = question.number
            answer = low + step * draw.randint(0, int((high - low) / step))
        else:
            answer = draw.choice(list(question.options))
        right = None if draw.random() < 0.2 else not question.number and answer == truth(question)
        made[identity] = {"answer": answer, "said": "?", "locked_at": now.isoformat(),
                          "right": right}  # fmt: skip
    for exercise in exercises.all_exercises():
        if exercise.id[:2] not in chapters or draw.random() < 0.25:
            continue
        entry: dict = {}
        names = [f"mistake:{row.name}" for row in exercise.rows][:3] + ["shape", "different"]
        for verdict in [draw.choice(names) for _ in range(draw.randint(0, 4))] + ["passed"]:
            if verdict == "passed" and draw.random() < 0.3:
                break
            now += timedelta(seconds=draw.randint(40, 400))
            progress_file.now = lambda at=now: at.isoformat(timespec="seconds")
            entry = progress_file.tried(entry, verdict, verdict == "passed")
        if entry:
            solved[exercise.id] = {k: v for k, v in entry.items() if not old or k in OLD}
    return {"version": 1, "predictions": made, "exercises": solved}


OLD = ("tries", "passed", "last", "passed_at")


def truth(question) -> str:
    return sorted(question.options)[0]


def exported(seed: int, name: str = "", **how) -> dict:
    """What `export_progress` writes of it."""
    now = progress_file.now
    try:
        table = stored(seed, **how)
    finally:
        progress_file.now = now
    return table | {
        "name": name or NAMES[seed % len(NAMES)],
        "exported_at": "2026-06-01T12:00:00+02:00",
        "note": progress_file.NO_PROOF,
        "chapters": progress_file.counts(table),
    }


def write(place: Path, table: dict) -> Path:
    place.write_text(json.dumps(table, ensure_ascii=False), encoding="utf-8")
    return place


def a_class(folder: Path, students: int = 5) -> Path:
    """A folder with a file for each student; the last one is an old file."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(students):
        write(folder / f"student_{seed}.json", exported(seed, old=seed == students - 1))
    return folder
