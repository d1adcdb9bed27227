"""`python -m course_lib slides 03`: a chapter as a lecture, one HTML file that asks no network for
anything.

This is what `jupyter nbconvert --to slides notebooks/03_outer_loop.ipynb` writes when it is started
in the project's folder: the template is in lecture/, and nbconvert finds it through the small
folder reveal/. Where a slide begins is said in the notebook, as slideshow metadata.
"""

from pathlib import Path

from course_lib import ROOT
from course_lib.files import check_place, write

HOW = (
    "Open it in any browser; no network is needed. Space goes on, Esc shows all slides, F fills "
    "the screen, S opens the notes."
)


def chapters() -> dict[str, Path]:
    """The notebook of each chapter, by its number."""
    return {
        path.name.split("_")[0]: path
        for path in sorted((ROOT / "notebooks").glob("[0-9]*_*.ipynb"))
    }


def find(chapter: str) -> Path:
    """The notebook of "03" (or "3"), or of a path.

    Raises:
        ValueError: there is none.
    """
    if chapter.endswith(".ipynb") and Path(chapter).is_file():
        return Path(chapter)
    if chapter.zfill(2) not in chapters():
        raise ValueError(
            f"there is no chapter {chapter}: name one of {', '.join(chapters())}, or the path of "
            "a notebook"
        )
    return chapters()[chapter.zfill(2)]


def lecture(notebook: Path, positions: int | None = None) -> str:
    """The lecture as one HTML page.

    Args:
        positions: of each control of an explorer, drawn beforehand; 0 leaves still pictures. None
            for as many as plain nbconvert draws.
    """
    # here, because `python -m course_lib` imports every command's module to list them
    from nbconvert.exporters import SlidesExporter
    from traitlets.config import Config

    chosen = Config() if positions is None else Config(LectureCells={"positions": positions})
    exporter = SlidesExporter(extra_template_basedirs=[str(ROOT)], config=chosen)
    return exporter.from_filename(str(notebook))[0]


def slides(options) -> int:
    """Write the lectures, and say how to give them."""
    if options.positions is not None and not 0 <= options.positions <= 100:
        raise ValueError(
            f"--positions {options.positions}: choose from 0 (still pictures) to 100 of a control"
        )
    notebooks = [find(chapter) for chapter in options.chapters or chapters()]
    folder = Path(options.output)
    pages = [check_place(folder / f"{notebook.stem}.slides.html") for notebook in notebooks]
    for notebook, page in zip(notebooks, pages, strict=True):
        written = lecture(notebook, options.positions).encode()
        write(page, written)
        print(f"wrote {page} ({len(written) / 1e6:.1f} MB)")
    print(HOW)
    return 0


def add_parser(subparsers) -> None:
    """Add slides to ``python -m course_lib``."""
    parser = subparsers.add_parser("slides", help="write chapters as lectures, one HTML file each")
    parser.add_argument(
        "chapters",
        nargs="*",
        metavar="chapter",
        help="03, or the path of a notebook; all chapters unless told",
    )
    parser.add_argument(
        "--output",
        default="runs/slides",
        metavar="DIR",
        help="folder to write to; runs/slides unless told",
    )
    parser.add_argument(
        "--positions",
        type=int,
        metavar="N",
        help="draw N positions of each control of an explorer; 12 unless told, 0 for still "
        "pictures and a smaller file",
    )
    parser.set_defaults(run=slides)
