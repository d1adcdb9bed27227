"""All pages of the site, put into a folder: `build(folder)`."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jinja2

from course_lib import ROOT
from course_lib.classroom.site import notebook, search
from course_lib.classroom.site.page import (
    Page,
    address,
    let_wide_things_scroll,
    parsed,
    take_pictures_out,
)
from course_lib.files import check_place, write

HERE = Path(__file__).parent
KATEX = HERE.parent / "lecture" / "vendor" / "katex"
ASSETS = {  # file of the site: where it comes from
    **{f"assets/{path.name}": path for path in sorted((HERE / "assets").iterdir())},
    "assets/frames.css": HERE.parent / "frames.css",
    "assets/frames.js": HERE.parent / "frames.js",
    "assets/katex.css": KATEX / "katex-with-fonts.css",
    "assets/katex.min.js": KATEX / "katex.min.js",
    "assets/auto-render.min.js": KATEX / "auto-render.min.js",
    "assets/katex-licence.txt": KATEX / "LICENSE",
}
TEXTS = (
    "docs/words.md",
    "docs/questions.md",
    "docs/capstone.md",
    "docs/other_libraries.md",
    "docs/scaling.md",
    "data/README.md",
    "docs/teaching.md",
    "docs/exam.md",
    "docs/tutor.md",
)
NAMES = {"data/README.md": "data"}  # of a page, where it is not that of the file
HEXED = re.compile(r"[0-9a-f]{16}\.\w+")
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
INTRODUCTION = """<h1 id="learning-to-learn">Learning to Learn</h1>
<p class="question">How does a model learn a new task from five examples?</p>
<p>A course on meta-learning and few-shot learning: MAML with its inner and outer loops first, then
learning by comparing, and prompting. You move a picture before you meet a formula, and write down
what you expect before you see what happens. You need Python, and have trained one neural network
before.</p>
<p>Here you read it without installing anything. Predictions lock in the page, and stay in this
browser. To write code and have it checked, run a chapter. The key / leads to the search.</p>"""


@dataclass(frozen=True)
class Home:
    """Where the project lies on GitHub; links to run a chapter lead there.

    Args:
        repository: "owner/name"; empty where it is not known, and no link is offered.
        branch: whose notebooks are opened.

    Raises:
        ValueError: the repository is no owner and name.
    """

    repository: str = ""
    branch: str = "main"

    def __post_init__(self):
        if self.repository and not REPOSITORY.fullmatch(self.repository):
            raise ValueError(f"repository {self.repository!r}: name it as owner/name")

    @property
    def files(self) -> str:
        """The address before the path of a file."""
        return f"https://github.com/{self.repository}/blob/{self.branch}" * bool(self.repository)

    def ways_to_run(self, source: str) -> dict[str, str]:
        """Name of a service -> address at which it opens the notebook ``source``."""
        if not self.repository:
            return {}
        return {
            "Binder": f"https://mybinder.org/v2/gh/{self.repository}/{self.branch}?urlpath="
            f"lab/tree/{source}",
            "Colab": f"https://colab.research.google.com/github/{self.repository}/blob/"
            f"{self.branch}/{source}",
            "Codespaces": f"https://codespaces.new/{self.repository}?quickstart=1",
        }


def build(
    folder,
    home: Home = Home(),
    notebooks: list[Path] | None = None,
    still: bool = False,
    tell: Callable[[str], None] = lambda words: None,
) -> dict:
    """Write the site.

    Args:
        folder: where to; what else lies in it stays.
        home: see `Home`.
        notebooks: the chapters; those of the course unless told.
        still: leave explorers as the notebooks show them. To draw their frames takes minutes.
        tell: hears the name of each chapter when its turn comes.

    Returns: {"pages": how many, "bytes": of all files, "seconds": taken, "first": address of the
    contents}.

    Raises:
        ValueError: a link leads nowhere, or a stored answer does not fit its prediction.
    """
    began, folder = time.perf_counter(), Path(folder)
    check_place(folder / "index.html")
    files: dict[str, bytes] = {}

    def put(picture: bytes) -> str:
        files[place := address(picture, "webp")] = picture
        return place

    notebooks = notebooks or sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    pages = course(notebooks, None if still else put, tell)
    lost = [one for page in pages for one in notebook.redirect(page, by_source(pages), home.files)]
    if lost:
        raise ValueError("links that lead nowhere: " + "; ".join(lost))
    files |= {path: source.read_bytes() for path, source in ASSETS.items()}
    files["assets/search-index.js"] = search.index(pages).encode()
    for page in pages:
        files |= take_pictures_out(page.body)
        let_wide_things_scroll(page.body)
    for place, page in enumerate(pages):
        files[page.address] = framed(page, pages, place, home).encode()
    files[".nojekyll"] = b""  # or GitHub Pages leaves files out whose names begin with _
    for path, data in files.items():
        write(folder / path, data)
    for old in (folder / "pictures").iterdir():
        if HEXED.fullmatch(old.name) and f"pictures/{old.name}" not in files:
            old.unlink()  # a picture of an earlier build
    return {
        "pages": len(pages),
        "bytes": sum(map(len, files.values())),
        "seconds": time.perf_counter() - began,
        "first": folder / "index.html",
    }


def course(notebooks: list[Path], put=None, tell=lambda words: None) -> list[Page]:
    """All pages in the order of the contents: the contents, the chapters, what else there is.
    See `notebook.chapter` for ``put`` and `build` for ``tell``."""
    chapters = []
    for path in notebooks:
        tell(path.stem)
        chapters.append(notebook.chapter(path, put))
    there = [text for text in TEXTS if (ROOT / text).is_file() and (ROOT / text).stat().st_size]
    more = [notebook.text(ROOT / text, text) for text in there]
    for page in more:
        page.name = NAMES.get(page.source, page.name)
    return [contents(chapters, more), *chapters, *more]


def by_source(pages: list[Page]) -> dict[str, Page]:
    return {page.source: page for page in pages if page.source}


def contents(chapters: list[Page], rest: list[Page]) -> Page:
    """The first page."""
    rows = "".join(
        f'<li><a href="{page.address}">{html.escape(page.title)}</a><p>'
        f"{html.escape(page.question)}</p><p class='aside'>{page.minutes} minutes"
        f'<span class="done" data-predictions="{" ".join(page.predictions)}"></span></p></li>'
        for page in chapters
    )
    others = "".join(
        f'<li><a href="{page.address}">{html.escape(page.title)}</a></li>' for page in rest
    )
    own = (
        '<h2 id="your-answers">Your answers</h2><p id="own-answers">Locking an answer needs '
        'JavaScript.</p><p class="buttons"><button id="save-answers" type="button" disabled>Save '
        'them as a file</button> <button id="forget-answers" type="button" disabled>Forget them '
        "all</button></p>"
    )
    body = parsed(
        f'{INTRODUCTION}<h2 id="chapters">Chapters</h2><ul class="chapters">{rows}</ul>'
        f'<h2 id="more">More</h2><ul>{others}</ul>{own}'
    )
    return Page(name="index", title="Contents", body=body)


def framed(page: Page, pages: list[Page], place: int, home: Home) -> str:
    """A page with its frame, as the text of a file."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    text = page.body.decode(formatter="html5")
    around = {
        "previous": pages[place - 1] if place else None,
        "following": pages[place + 1] if place + 1 < len(pages) else None,
    }
    before, heading, after = text.partition("<h2") if page.kind == "chapter" else (text, "", "")
    return environment.get_template("page.html.j2").render(
        page=page,
        chapters=[one for one in pages if one.kind == "chapter"],
        more=[one for one in pages[1:] if one.kind == "more"],
        before=before,
        after=heading + after,
        math="$" in text,
        moves="course-moving" in text,
        ways=home.ways_to_run(page.source),
        home=home,
        **around,
    )
