"""For teachers: `class DIR` shows how a class is doing, `handout 03` writes a chapter with or
without its solutions, `mark 03 DIR` marks submissions. Nothing leaves this machine."""

import json
from pathlib import Path

from course_lib.classroom.teacher import class_files, class_page, handout, marks, submissions
from course_lib.commands.slides import find
from course_lib.files import check_place, write


def show_class(options) -> int:
    """Write the page of a class and its CSV."""
    places = [check_place(Path(options.output) / name) for name in ("class.html", "class.csv")]
    room = class_files.read_class(options.folder)
    for file, why in room.left_out.items():
        print(f"left out: {file}: {why}")
    for place, text in zip(places, (class_page.page(room), class_page.rows_of(room)), strict=True):
        write(place, text.encode("utf-8", "backslashreplace"))
        print(f"wrote {place}")
    print(f"{len(room.students)} students; names are in both files: mind who may read them")
    return 0


def write_handout(options) -> int:
    """Write chapters for students or teachers."""
    for chapter in options.chapters:
        source = find(chapter)
        place = Path(options.output) / options.reader / source.name
        check_place(place)
        notebook = json.loads(source.read_text(encoding="utf-8"))
        made = handout.handout(notebook, options.reader)
        write(place, (json.dumps(made, indent=1, ensure_ascii=False) + "\n").encode())
        print(f"wrote {place}")
    return 0


def mark(options) -> int:
    """Mark a folder of submissions."""
    chapter = find(options.chapter).name[:2]
    limits = submissions.Limits(options.seconds, options.megabytes)
    folder = Path(options.output or f"runs/marks/{chapter}")
    ids = list(submissions.names_in_the_chapter(chapter))
    names = marks.tables([], chapter, ids)
    for name in names:
        check_place(folder / name)
    marked = []
    for one in submissions.mark(options.folder, chapter, limits):
        marked.append(one)
        done = f"{marks.points(one, ids)} of {len(ids)}"
        print(f"{one.student}: {done}" + (f" ({one.note})" if one.note else ""), flush=True)
    for name, text in marks.tables(marked, chapter, ids).items():
        write(folder / name, text.encode("utf-8", "backslashreplace"))
        print(f"wrote {folder / name}")
    return 0


def add_parser(subparsers) -> None:
    """Add class, handout and mark to ``python -m course_lib``."""
    room = subparsers.add_parser("class", help="how a class does, from exported progress files")
    room.add_argument("folder", help="the folder with the files that students exported")
    room.add_argument(
        "--output", default="runs/class", metavar="DIR", help="runs/class unless told"
    )
    room.set_defaults(run=show_class)
    paper = subparsers.add_parser("handout", help="a chapter without or with its solutions")
    paper.add_argument("chapters", nargs="+", metavar="chapter", help="03; several may follow")
    paper.add_argument("--for", dest="reader", choices=handout.READERS, required=True)
    paper.add_argument(
        "--output", default="runs/handouts", metavar="DIR", help="runs/handouts unless told"
    )
    paper.set_defaults(run=write_handout)
    marking = subparsers.add_parser("mark", help="run a folder of submissions, and write marks")
    marking.add_argument("chapter", help="03")
    marking.add_argument("folder", help="notebooks or .py files, or a folder for each student")
    marking.add_argument("--seconds", type=float, default=60.0, help="for each exercise; 60")
    marking.add_argument(
        "--megabytes", type=int, default=2000, help="beyond what the course takes itself; 2000"
    )
    marking.add_argument("--output", metavar="DIR", help="runs/marks/CHAPTER unless told")
    marking.set_defaults(run=mark)
