"""What a teacher sees of a class: whole files are counted, damaged and forged ones are named, and
nothing of a stranger's file reaches the page as anything but text."""

import csv
import io
import json
import os
import re
import socket
import stat
from datetime import timedelta

import pytest
from made_class import START, a_class, exported, write

from course_lib.__main__ import main
from course_lib.classroom import exercises, progress_file
from course_lib.classroom.teacher import class_counts, class_files, class_page
from course_lib.classroom.teacher.handed_in import cell, clean

STEP = "02.inner_step"


def entry(*verdicts, seconds=100) -> dict:
    """An exercise after these verdicts; two tries are so many seconds apart."""
    made: dict = {}
    for place, verdict in enumerate(verdicts):
        at = (START + timedelta(seconds=place * seconds)).isoformat()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(progress_file, "now", lambda at=at: at)
            made = progress_file.tried(made, verdict, verdict == "passed")
    return made


def student(name: str, made=None, solved=None, **more) -> dict:
    table = {"version": 1, "predictions": made or {}, "exercises": solved or {}}
    said = {"name": name, "exported_at": "2026-06-01T12:00:00+00:00"}
    return table | said | {"chapters": progress_file.counts(table)} | more


def locked(answer, right=None, at="2026-03-02T10:00:00+00:00") -> dict:
    return {"answer": answer, "said": "?", "locked_at": at, "right": right}


# --- what is recorded -----------------------------------------------------------------------------


def test_a_check_keeps_what_was_met_and_how_long_it_took(monkeypatch):
    times = iter(f"2026-03-02T10:{minute:02}:00+00:00" for minute in (0, 3, 40, 41, 50))
    monkeypatch.setattr(progress_file, "now", lambda: next(times))
    exercise = exercises.find(STEP)
    row, short = exercise.rows[0], lambda theta, loss_of, alpha: theta[:0]
    for function in (row.wrong, row.wrong, short, exercise.solution):
        exercises.check(STEP, function)
    kept = progress_file.read()["exercises"][STEP]
    assert kept["met"] == {f"mistake:{row.name}": 2, "shape": 1}
    assert kept["passed_after"] == kept["tries"] == 4 and kept["passed"]
    # 3 minutes, a pause that counts as 10, and 1 minute
    assert kept["seconds"] == 3 * 60 + progress_file.PAUSE + 60
    exercises.check(STEP, row.wrong)  # for fun, after the pass
    after = progress_file.read()["exercises"][STEP]
    assert (after["met"], after["seconds"]) == (kept["met"], kept["seconds"])
    assert after["passed"] and after["tries"] == 5 and after["passed_after"] == 4


def test_a_file_from_before_these_parts_goes_on(own_progress):
    old = {"tries": 3, "last": "shape", "passed": False}
    write(own_progress, {"version": 1, "predictions": {}, "exercises": {STEP: old}})
    exercises.check(STEP, exercises.find(STEP).solution)
    kept = progress_file.read()["exercises"][STEP]
    assert kept["tries"] == kept["passed_after"] == 4 and kept["seconds"] == 0


@pytest.mark.parametrize("damaged", [{"met": 3}, {"met": {"a": -1}}, {"seconds": "x"}])
def test_a_damaged_part_is_dropped_and_the_rest_stays(own_progress, damaged):
    stored = {"version": 1, "predictions": {}, "exercises": {STEP: {"tries": 2} | damaged}}
    write(own_progress, stored)
    assert progress_file.read()["exercises"] == {STEP: {"tries": 2}}


# --- reading --------------------------------------------------------------------------------------


def test_a_class_is_read_whole_with_old_files(tmp_path):
    room = class_files.read_class(a_class(tmp_path / "room"))
    assert len(room.students) == 5 and room.left_out == {} and room.alike == []
    names = [s.name for s in room.students]
    assert names == sorted(names, key=str.casefold)


def forged() -> dict[str, dict]:
    """Files that say what cannot be."""
    good = student("Eve", {"01.points": locked("1")}, {STEP: entry("sign", "passed")})
    changed = lambda **parts: json.loads(json.dumps(good)) | parts  # noqa: E731
    inside = lambda kind, i, **parts: student(  # noqa: E731
        "Eve", *({k: ({i: parts} if k == kind else {}) for k in progress_file.KINDS}).values()
    )
    return {
        "counts": changed(chapters={"02": good["chapters"]["02"] | {"passed": 3}}),
        "passed without a try": inside("exercises", STEP, passed=True),
        "more met than tried": inside("exercises", STEP, tries=1, met={"sign": 40}),
        "two truths": inside("exercises", STEP, tries=2, last="passed", passed=False),
        "a negative count": inside("exercises", STEP, tries=-1),
        "a huge count": inside("exercises", STEP, tries=10**9),
        "a time that is none": inside("predictions", "01.points", answer="1", locked_at="soon"),
        "after the export": changed(exported_at="2026-03-01T00:00:00+00:00"),
        "from the future": changed(exported_at="9999-03-01T00:00:00+00:00"),
        "another version": changed(version=7),
        "no tables": changed(predictions=[1]),
        "a strange id": inside("exercises", "<b>", tries=1),
        "a list": [1, 2],
    }


@pytest.mark.parametrize("name", forged())
def test_what_cannot_be_is_named_and_left_out(tmp_path, name):
    write(tmp_path / "forged.json", forged()[name])
    write(tmp_path / "good.json", exported(1))
    room = class_files.read_class(tmp_path)
    assert [s.file for s in room.students] == ["good.json"]
    assert list(room.left_out) == ["forged.json"] and room.left_out["forged.json"]


def test_what_is_no_progress_file_is_named_and_left_out(tmp_path):
    write(tmp_path / "good.json", exported(1))
    contents = {
        "not.json": b"{'a'", "empty.json": b"", "nan.json": b'{"version": NaN}',
        "bytes.json": b"\xff\xfe\x80", "deep.json": b"[" * 100_000, "notes.txt": b"{}",
        "huge.json": b" " * 2_000_000, "number.json": b"9" * 5000,
    }  # fmt: skip
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "link.json").symlink_to(tmp_path / "good.json")
    left = [*contents, "folder.json", "link.json"]
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.json")
        left.append("pipe.json")
    try:  # as /dev/zero: it has no end
        os.mknod(tmp_path / "device.json", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
        left.append("device.json")
    except (PermissionError, AttributeError):
        pass
    room = class_files.read_class(tmp_path)
    assert [s.file for s in room.students] == ["good.json"]
    assert sorted(room.left_out) == sorted(left)
    page = class_page.page(room)
    assert all(name in page for name in left)


def test_a_later_export_counts_and_two_people_of_one_name_do_not_merge(tmp_path):
    first = student("Kim", {"01.points": locked("1")})
    later = student("Kim", {"01.points": locked("1"), "02.alpha": locked("falls")})
    later["exported_at"] = "2026-07-01T12:00:00+00:00"
    other = student("Kim", {"01.points": locked("1", at="2026-03-02T11:11:11+00:00")})
    for name, table in {"first": first, "later": later, "other": other}.items():
        write(tmp_path / f"{name}.json", table)
    room = class_files.read_class(tmp_path)
    assert [s.file for s in room.students] == ["later.json", "other.json"]
    assert "earlier export of later.json" in room.left_out["first.json"]


def test_a_copy_is_pointed_at(tmp_path):
    write(tmp_path / "a.json", exported(1, "Ada"))
    write(tmp_path / "b.json", exported(1, "Bo"))
    room = class_files.read_class(tmp_path)
    assert room.alike == [("a.json", "b.json")] and "locked at the same seconds" in (
        class_page.page(room)
    )


def test_entries_of_another_version_are_not_counted(tmp_path):
    made = {"01.points": locked("1"), "01.gone": locked("x"), "02.alpha": locked("no such answer")}
    write(tmp_path / "a.json", student("A", made, {"02.gone": entry("sign")}))
    (one,) = class_files.read_class(tmp_path).students
    assert list(one.predictions) == ["01.points"] and one.unknown == 3


# --- counting -------------------------------------------------------------------------------------


def room_of(tmp_path, *tables) -> class_files.Class:
    for number, table in enumerate(tables):
        write(tmp_path / f"{number}.json", table)
    return class_files.read_class(tmp_path)


def test_a_room_that_is_split(tmp_path):
    given = ["1", "1", "4", "few"]
    tables = [
        student(f"S{n}", {"01.points": locked(answer, right=answer == "1", at=at(n))})
        for n, answer in enumerate(options("01.points", given))
    ]
    (one,) = class_counts.splits(room_of(tmp_path, *tables).students)
    assert [times for _, times, _ in one.answers] == [2, 1, 1]
    assert one.apart == pytest.approx(5 / 6) and one.right == 2 and one.seen == 4
    assert [right for *_, right in one.answers] == [True, False, False]


def at(number: int) -> str:
    return f"2026-03-02T10:00:{number:02}+00:00"


def options(identity: str, wanted: list[str]) -> list[str]:
    """As many answers that the question offers: "1" and two others."""
    offered = list(class_counts.predictions.find(identity).options)
    others = iter(key for key in offered if key != "1")
    found = {"1": "1"}
    return [found.setdefault(key, next(others, "")) if key != "1" else "1" for key in wanted]


def test_numbers_agree_within_the_tolerance(tmp_path):
    asked = class_counts.predictions.find("01.floor")
    low, near = asked.number[0], asked.tolerance
    answers = [low, low + 0.9 * near, low + 5 * near]
    tables = [student(f"S{n}", {"01.floor": locked(a, at=at(n))}) for n, a in enumerate(answers)]
    (one,) = class_counts.splits(room_of(tmp_path, *tables).students)
    assert one.apart == pytest.approx(2 / 3)


def test_misconceptions_are_counted_with_the_sentence_that_was_read(tmp_path):
    exercise = exercises.find(STEP)
    row = exercise.rows[0]
    name = f"mistake:{row.name}"
    met = (entry(name, name, "passed"), entry(name, "shape"), entry("mistake:<b>no such</b>"))
    old = {"tries": 1, "last": name, "passed": False}
    tables = [student(f"S{n}", None, {STEP: e}) for n, e in enumerate([*met, old])]
    room = room_of(tmp_path, *tables)
    first, second, third = class_counts.misconceptions(room.students)
    assert (first.students, first.times, first.named) == (3, 4, True)
    assert first.said == exercises.judge(exercise, row.wrong).text
    assert second.said == "a mistake of another version" and not third.named
    assert "no such" not in class_page.page(room)


def test_where_it_takes_long(tmp_path):
    late = entry("shape", "shape", "shape", "passed", seconds=300)
    stays = entry("shape", "sign", seconds=240)
    tables = [
        student("Quick", None, {"02.adapt": entry("passed"), STEP: entry("sign", "passed")}),
        student("Late", None, {"02.adapt": late}),
        student("Stays", None, {"02.adapt": stays}),
    ]
    first, second = class_counts.stuck(room_of(tmp_path, *tables).students)
    assert first.identity == "02.adapt" and first.waiting == ["Stays"]
    assert (first.tried, first.passed, first.minutes, first.tries) == (3, 2, 4, 2.5)
    assert second.identity == STEP


# --- the page and the CSV -------------------------------------------------------------------------

EVIL = '<script>alert(1)</script>"\'&\u202e\x00=cmd'


def test_names_are_text_and_the_page_asks_for_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", lambda *a: pytest.fail("a connection"))
    made = {"01.points": locked("1")}
    evil = student(EVIL, made, {STEP: entry("sign")})
    write(tmp_path / "<img src=x onerror=alert(1)>.json", evil)
    write(tmp_path / "b.json", student("=1+1", made))
    (tmp_path / "<i>.json").write_text("{")
    room = class_files.read_class(tmp_path)
    page = class_page.page(room)
    assert "<script" not in page and "<img" not in page and "<i>" not in page
    assert "\u202e" not in page and "\x00" not in page and "&lt;script&gt;" in page
    assert not re.search(r"https?:|<(img|script|link|iframe)|@import|url\(", page)
    assert "default-src 'none'" in page
    rows = list(csv.DictReader(io.StringIO(class_page.rows_of(room))))
    assert {row["student"][:4] for row in rows} == {"<scr", "'=1+"}
    assert all(row["id"] for row in rows)


def test_words_of_strangers_are_short_and_run_nothing():
    assert cell("=1+1") == "'=1+1" and cell("@x") == "'@x" and cell(-1.5) == "-1.5"
    assert clean("a\u202eb\nc" + "x" * 100).startswith("ab c") and len(clean("x" * 1000)) == 60


def test_the_command_writes_page_and_csv_and_names_what_it_left_out(tmp_path, capsys):
    folder = a_class(tmp_path / "room", 3)
    (folder / "bad.json").write_text("{")
    out = tmp_path / "out"
    assert main(["class", str(folder), "--output", str(out)]) == 0
    said = capsys.readouterr().out
    assert "left out: bad.json: it is not JSON" in said and "3 students" in said
    assert sorted(p.name for p in out.iterdir()) == ["class.csv", "class.html"]
    page = (out / "class.html").read_text(encoding="utf-8")
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert headings == ["Who has done what", "Predictions that split the room",
                        "Misconceptions that were met", "Where it takes long"]  # fmt: skip
    assert main(["class", str(tmp_path / "nowhere")]) == 2
    assert "there is no such folder" in capsys.readouterr().err


def test_an_empty_class_is_a_page_too(tmp_path):
    assert "A class of 0 students" in class_page.page(class_files.read_class(tmp_path))
