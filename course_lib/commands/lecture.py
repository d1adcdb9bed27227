"""`python -m course_lib lecture 03`: a chapter's slides in the browser, with live explorers and a
kernel behind them. On this machine only, and with a token."""

import tempfile
from pathlib import Path

from course_lib.commands.slides import find, lecture

HOW = (
    "Space goes on, B makes the screen black, F fills it, S opens the notes and the clock, Esc "
    "shows all slides. Esc also leaves a control. Ctrl-C here ends the lecture."
)


def give(options) -> int:
    """Serve one chapter until Ctrl-C."""
    # here, because `python -m course_lib` imports every command's module to list them
    from course_lib.classroom.lecture.live import serve

    notebook = find(options.chapter)
    if not 1 <= options.port <= 65_535:
        raise ValueError(f"--port {options.port}: choose a number from 1 to 65535")
    page = lecture(notebook, positions=0)
    print(HOW)
    with tempfile.TemporaryDirectory(prefix="course_lecture_") as folder:
        progress = Path(folder) / "progress.json"
        serve(page, notebook, options.port, not options.no_browser, progress, options.votes)
    return 0


def add_parser(subparsers) -> None:
    """Add lecture to ``python -m course_lib``."""
    parser = subparsers.add_parser("lecture", help="give a chapter as slides with live explorers")
    parser.add_argument("chapter", help="03, or the path of a notebook")
    parser.add_argument("--port", type=int, default=8890, help="8890 unless told")
    parser.add_argument(
        "--no-browser", action="store_true", help="print the address and open no browser"
    )
    parser.add_argument(
        "--votes",
        action="store_true",
        help="open a page to this machine's networks, where phones answer the predictions",
    )
    parser.set_defaults(run=give)
