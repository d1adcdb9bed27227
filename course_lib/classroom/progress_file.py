"""What the reader has predicted and solved, kept in one small JSON file on the reader's own
machine.

    {"version": 1,
     "predictions": {"02.more_steps": {"answer": "falls", "said": "It keeps falling",
                                       "locked_at": "...", "right": false}},
     "exercises":   {"03.meta_gradient": {"tries": 3, "passed": true, "last": "passed",
                                          "met": {"mistake:2 * q * (theta - A)": 1, "sign": 1},
                                          "began_at": "...", "last_at": "...", "seconds": 310,
                                          "passed_at": "...", "passed_after": 3}}}

`met` counts the verdicts before the first pass, and `seconds` the time between these tries: what a
class needs to see where it is stuck. Files from before these parts are read all the same.

The file is COURSE_PROGRESS where that is set, else `progress.json` in the project folder. Two
notebooks may write at once: every change takes a lock file, reads the file again, changes it and
replaces it in one step. Nothing is sent anywhere.
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from course_lib import files
from course_lib.classroom.panel import Shown, inline

KINDS = ("predictions", "exercises")
NO_PROOF = "what a reader has done by their own account; anyone can write into such a file"
STALE = 10.0  # seconds after which a lock file left by a killed kernel no longer counts
_unsaved: dict[
    str, dict
] = {}  # by path: what could not be written (a read-only folder) is kept for this session


def project() -> Path:
    """The folder that holds notebooks/ and course_lib/; for an installed package the current
    folder."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "notebooks").is_dir() else Path.cwd()


def path() -> Path:
    chosen = os.environ.get("COURSE_PROGRESS")
    place = Path(chosen).expanduser() if chosen else project() / "progress.json"
    return place / "progress.json" if place.is_dir() else place


def now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def read() -> dict:
    """Everything stored. A file that cannot be understood is put aside under another name, and one
    sentence says so."""
    place = path()
    try:
        return _unsaved.get(str(place)) or _load(place)
    except (OSError, files.PlaceError) as error:
        print(f"{place.name} cannot be read ({why(error)}), so your progress is not shown.")
        return _nothing()


def why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _nothing() -> dict:
    return {"version": 1, **{kind: {} for kind in KINDS}}


def _load(place: Path) -> dict:
    files.regular(place)  # a device is neither read without end nor put aside
    try:
        stored = json.loads(_text(place))
        for kind in KINDS:  # AttributeError where a kind is no table
            stored[kind] = {key: mended(entry) for key, entry in stored.get(kind, {}).items()}
        return {**_nothing(), **stored}
    except (FileNotFoundError, NotADirectoryError):
        return _nothing()
    except (ValueError, AttributeError, TypeError, RecursionError):
        _put_aside(place)
        return _nothing()


def count(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def truth(value) -> bool:
    return value is None or isinstance(value, bool)


def words(value) -> bool:
    return isinstance(value, str)


def verdicts(value) -> bool:
    return isinstance(value, dict) and all(map(count, value.values()))


PARTS = {
    "tries": count, "passed": truth, "right": truth, "met": verdicts, "seconds": count,
    "passed_after": count,
    **dict.fromkeys(("said", "locked_at", "last", "began_at", "last_at", "passed_at"), words),
}  # fmt: skip
PAUSE = 600  # seconds between two tries that count at most: more was a break


def tried(before: dict, verdict: str, passed: bool) -> dict:
    """The entry of an exercise after one more try.

    Args:
        before: the entry until now, {} at the first try; one from before `met` was counted will
            do.
        verdict: the name of what `check` answered.
    """
    tries = before.get("tries", 0) + 1
    entry = {**before, "tries": tries, "last": verdict, "last_at": now()}
    if not before.get("passed"):  # what is tried for fun after that does not count
        entry.setdefault("began_at", entry["last_at"])
        gap = elapsed(before.get("last_at"), entry["last_at"])
        entry["seconds"] = before.get("seconds", 0) + min(gap, PAUSE)
        if passed:
            entry |= {"passed_at": entry["last_at"], "passed_after": tries}
        else:
            met = before.get("met", {})
            entry["met"] = {**met, verdict: met.get(verdict, 0) + 1}
    return entry | {"passed": bool(before.get("passed")) or passed}


def elapsed(since: str | None, until: str) -> int:
    """Whole seconds between two times of `now`; 0 where the first is missing or means nothing."""
    try:
        gap = datetime.fromisoformat(until) - datetime.fromisoformat(since or "")
    except (ValueError, TypeError):  # TypeError: one of them names no time zone
        return 0
    return max(0, int(gap.total_seconds()))


def mended(entry: dict) -> dict:
    """An entry without the parts that cannot be, such as ``"tries": null``; the rest stays.

    Raises:
        ValueError: it is no table.
    """
    if not isinstance(entry, dict):
        raise ValueError("an entry is not a table")
    return {part: value for part, value in entry.items() if part not in PARTS or PARTS[part](value)}


def _text(place: Path) -> str:
    for _ in range(20):
        try:
            return place.read_text(encoding="utf-8")
        except PermissionError:  # Windows, at the moment another notebook replaces the file
            time.sleep(0.01)
    return place.read_text(encoding="utf-8")


def _put_aside(place: Path) -> None:
    aside = place.with_name(
        f"{place.stem}.unreadable-{datetime.now():%Y%m%d-%H%M%S-%f}{place.suffix}"
    )
    try:
        os.replace(place, aside)
        print(
            f"{place.name} could not be read; it is kept as {aside.name}, and a new one is begun."
        )
    except OSError:
        pass  # another notebook has just put it aside


@contextmanager
def change():
    """`with change() as stored:` reads what is there now, lets you alter it, and writes it back
    before anyone else can."""
    place, lock = path(), None
    try:
        try:
            files.regular(place)
            place.parent.mkdir(parents=True, exist_ok=True)
            lock = _take_lock(place.with_name(place.name + ".lock"))
            stored = _unsaved.get(str(place)) or _load(place)
        except (OSError, files.PlaceError) as error:
            stored = _keep(place, _nothing(), error)
        yield stored
        if str(place) in _unsaved:
            return
        try:
            write(place, json.dumps(stored, indent=1, ensure_ascii=False, sort_keys=True))
        except (OSError, files.PlaceError) as error:
            _keep(place, stored, error)
    finally:
        if lock:
            with suppress(OSError):
                lock.unlink()


def _keep(place: Path, stored: dict, error: OSError) -> dict:
    """A read-only folder, a full disk: one sentence, and the rest of the session works from
    memory."""
    if str(place) not in _unsaved:
        print(
            f"{place} cannot be written ({why(error)}): what you do now is kept until this "
            "kernel stops."
        )
    return _unsaved.setdefault(str(place), stored)


def _take_lock(lock: Path) -> Path:
    """An exclusive file is the one lock that works alike on Linux, macOS and Windows. One left
    behind is broken after STALE seconds."""
    end = time.monotonic() + 2 * STALE
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            return lock
        except (FileExistsError, PermissionError):
            if not lock.exists() and not os.access(lock.parent, os.W_OK) or time.monotonic() > end:
                raise
        try:
            if time.time() - lock.stat().st_mtime > STALE:
                lock.unlink(missing_ok=True)
        except OSError:
            pass
        time.sleep(0.01)


def write(place: Path, text: str) -> None:
    """Write beside and replace: whoever reads sees the old file or the new one, never half of one.

    Raises:
        PlaceError: a device, a link or a folder stands there, or the disk does not take it.
    """
    files.write(place, (text + "\n").encode("utf-8", "backslashreplace"))  # JSON reads \\udc80


def forget(identity: str) -> None:
    """Forget one prediction or exercise, to start it again: `forget("02.more_steps")`."""
    with change() as stored:
        found = [stored[kind].pop(identity, None) for kind in KINDS]
    word = (
        "is forgotten: run its cell to start again"
        if any(found)
        else "was not stored, so there is nothing to forget"
    )
    print(f"{identity} {word}.")


def export_progress(place: str | os.PathLike, name: str = "") -> Path:
    """Write a copy for a class: `export_progress("my_name.json")`. It holds a count for each
    chapter and every entry.

    It tells what somebody has done, and proves nothing: the file is plain text, and anyone can
    write into it. The copy says so itself.
    """
    place = Path(place).expanduser()
    if place.is_dir() or place.resolve() == path().resolve():
        raise ValueError(
            f"{place}: give the name of a new file, for example export_progress('my_name.json')."
        )
    stored = read()
    said = {"name": name or place.stem, "exported_at": now(), "note": NO_PROOF}
    # what the stored file claims of name, note or counts does not count
    copy = said | {"chapters": {}} | stored | said | {"chapters": counts(stored)}
    write(place, json.dumps(copy, indent=1, ensure_ascii=False))
    return place


def counts(stored: dict, exercises=(), predictions=()) -> dict[str, dict[str, int]]:
    """For each chapter: predictions (of how many) made and right, exercises (of how many) passed
    and tried. Ids begin with the chapter."""
    ids = {
        "predictions": set(predictions) | set(stored["predictions"]),
        "exercises": set(exercises) | set(stored["exercises"]),
    }
    table = {}
    for chapter in sorted({identity.split(".")[0] for kind in KINDS for identity in ids[kind]}):
        made, solved = (
            [stored[kind].get(i) for i in ids[kind] if i.split(".")[0] == chapter] for kind in KINDS
        )
        table[chapter] = {
            "predictions": len(made),
            "made": sum(e is not None for e in made),
            "right": sum(bool(e and e.get("right")) for e in made),
            "exercises": len(solved),
            "passed": sum(bool(e and e.get("passed")) for e in solved),
            "tried": sum(bool(e and not e.get("passed")) for e in solved),
        }
    return table


def asked() -> tuple[set[str], dict[str, str]]:
    """The ids of the predictions in notebooks/, and each chapter's title, taken from the file
    names."""
    ids, titles = set(), {}
    for notebook in sorted((project() / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        titles[notebook.stem[:2]] = notebook.stem[3:].replace("_", " ")
        try:
            ids |= set(
                re.findall(
                    r"""\bpredict\(\s*(?:\\n"\s*,\s*"\s*)?\\?["'](\d\d\.\w+)""",
                    notebook.read_text(encoding="utf-8"),
                )
            )
        except (OSError, ValueError):
            pass
    return ids, titles


def table(exercises=()) -> Shown:
    """The table behind `progress()`: one row a chapter. `exercises` are the ids that exist, tried
    or not."""
    predictions, titles = asked()
    rows = counts(read(), exercises, predictions)
    if not rows:
        return Shown(
            "<p>Nothing is stored yet: lock a prediction or try an exercise, and it will appear "
            "here.</p>"
        )
    head = (
        "chapter",
        "predictions made",
        "of them right",
        "exercises passed",
        "tried, not passed yet",
        "not tried yet",
    )
    cell = '<{0} scope="{1}" style="text-align: {2}; padding: .2em .8em;">{3}</{0}>'
    lines = "".join(
        cell.format("th", "col", "left" if i == 0 else "right", word) for i, word in enumerate(head)
    )
    body = ""
    for chapter, n in rows.items():
        values = (
            [f"{n['made']} of {n['predictions']}", n["right"]] if n["predictions"] else ["-", "-"]
        )
        values += (
            [
                f"{n['passed']} of {n['exercises']}",
                n["tried"],
                n["exercises"] - n["passed"] - n["tried"],
            ]
            if n["exercises"]
            else ["-"] * 3
        )
        body += "<tr>" + cell.format(
            "th", "row", "left", inline(f"{chapter} {titles.get(chapter, '')}".strip())
        )
        body += (
            "".join(
                cell.format("td", "", "right", value).replace(' scope=""', "") for value in values
            )
            + "</tr>"
        )
    return Shown(
        "<table "
        f'class="course-progress"><thead><tr>{lines}</tr></thead><tbody>{body}</tbody></table>'
        f"<p>Stored in <code>{inline(str(path().name))}</code> on this machine, nowhere else.</p>"
    )
