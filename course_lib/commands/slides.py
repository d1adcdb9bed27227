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


def lecture(notebook: Path) -> str:
    """The lecture as one HTML page."""
    from nbconvert.exporters import (
        # here, because `python -m course_lib` imports every command's module to list them
        SlidesExporter,
    )

    return SlidesExporter(extra_template_basedirs=[str(ROOT)]).from_filename(str(notebook))[0]


def slides(options) -> int:
    """Write the lectures, and say how to give them."""
    notebooks = [find(chapter) for chapter in options.chapters or chapters()]
    folder = Path(options.output)
    pages = [check_place(folder / f"{notebook.stem}.slides.html") for notebook in notebooks]
    for notebook, page in zip(notebooks, pages, strict=True):
        write(page, lecture(notebook).encode())
        print(f"wrote {page}")
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
    parser.set_defaults(run=slides)
