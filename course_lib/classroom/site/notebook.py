"""A chapter, or a text in Markdown, as a page. nbconvert makes the HTML; the template is cells/."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urldefrag

import nbformat
from bs4 import BeautifulSoup

from course_lib.classroom import frames
from course_lib.classroom.explorer import STATIC
from course_lib.classroom.site import predictions
from course_lib.classroom.site.page import Page, name_headings, parsed, words

HERE = Path(__file__).parent
MINUTES = re.compile(r"About (\d+) minutes")
MOST = 700_000  # bytes of an explorer's frames; a page loads them as they are asked for
TO_BEGIN = "Begin now: press Shift and Enter"  # for those who run the notebook
TO_RUN = 'To move it, <a href="#run">run this chapter</a>.'
TO_CHECK = (
    '<p class="to-run">Your lines are checked where Python runs: <a href="#run">run this '
    "chapter</a>.</p>"
)


def chapter(path: Path, put: Callable[[bytes], str] | None = None) -> Page:
    """The page of a notebook, with its stored outputs.

    Args:
        put: keeps a picture (WebP) and returns its address, for explorers that move. Without it
            they stay as the notebook shows them.

    Raises:
        ValueError: a stored answer does not fit its prediction any more.
    """
    notebook = nbformat.read(path, as_version=4)
    asked: list[str] = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "text/html" in output.get("data", {}):
                data = output.data
                data["text/html"] = shown(data["text/html"], path.stem[:2], asked, put)
    body = to_html(notebook)
    for sentence in body.find_all("p"):
        if words(sentence).startswith(TO_BEGIN):
            sentence.decompose()
    heading = body.h1
    paragraph = heading.find_next("p")
    first = paragraph.strong or paragraph
    return Page(
        name=path.stem,
        title=words(heading),
        body=body,
        kind="chapter",
        question=words(first),
        minutes=int(found[1]) if (found := MINUTES.search(words(body))) else 0,
        predictions=asked,
        source=f"notebooks/{path.name}",
    )


def text(path: Path, source: str) -> Page:
    """The page of a Markdown file; `source` is its path from the root of the project.

    Raises:
        ValueError: it has no title.
    """
    cell = nbformat.v4.new_markdown_cell(path.read_text(encoding="utf-8"))
    body = to_html(nbformat.v4.new_notebook(cells=[cell]))
    if body.h1 is None:
        raise ValueError(f"{source} has no title: begin it with a line `# Title`")
    parts = body.find_all("h1")[1:]
    if parts:  # of a long text; a page has one title
        for heading in body.find_all(["h1", "h2", "h3"])[1:]:
            heading.name = f"h{int(heading.name[1]) + 1}"
    return Page(name=path.stem, title=words(body.h1), body=body, source=source)


def shown(stored: str, number: str, asked: list[str], put=None) -> str:
    """What the page of chapter ``number`` shows in the place of a stored output; ids of
    predictions join `asked`. See `chapter` for ``put``."""
    if identity := predictions.question_in(stored):
        asked.append(identity)
        return predictions.form(identity)
    if identity := predictions.answer_in(stored):
        return predictions.answer(identity, stored)
    if 'data-name="not_tried"' in stored:
        return TO_CHECK
    if put and STATIC in stored and (explorer := frames.explorer_of(stored, number)):
        return frames.moving(explorer, most=MOST, put=put)
    return stored.replace(STATIC, TO_RUN)


def to_html(notebook: nbformat.NotebookNode) -> BeautifulSoup:
    """The cells of a notebook as HTML, its headings with ids."""
    from nbconvert.exporters import HTMLExporter  # here: it is slow to import

    exporter = HTMLExporter(
        extra_template_basedirs=[str(HERE)], template_name="cells", exclude_anchor_links=True
    )
    body = parsed(exporter.from_notebook_node(notebook)[0])
    name_headings(body)
    for code in body.select("pre > code[class^=language-]"):
        # nbconvert puts the name of a language that it does not know in front of the code
        language = code["class"][0].removeprefix("language-")
        code.string = code.get_text().removeprefix(f"{language}\n")
    for source in body.select(".cell > details.source"):
        source.parent.append(source.extract())  # below its picture
    return body


def redirect(page: Page, pages: dict[str, Page], online: str) -> list[str]:
    """Lead the links of a page to pages of the site, and those to other files of the project to
    `online`, their place on the web. Where there is none, a link becomes its words.

    Args:
        pages: by the path of their source, from the root of the project.

    Returns: the links that lead nowhere, in sentences.
    """
    lost: list[str] = []
    if not page.source:  # made here, with links of the site
        return lost
    for link in page.body.find_all("a", href=True):
        address, at = urldefrag(link["href"])
        if re.match(r"[a-z]+:", address):
            link["rel"] = "noopener"
            continue
        if not address:
            if at and at != "run" and page.body.find(id=at) is None:
                lost.append(f"{page.source}: no heading #{at}")
            continue
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page.source), address))
        if path in pages:
            if at and pages[path].body.find(id=at) is None:
                lost.append(f"{page.source}: {path} has no heading #{at}")
            link["href"] = pages[path].address + (f"#{at}" if at else "")
        elif online:
            link["href"] = f"{online}/{path}" + (f"#{at}" if at else "")
        else:
            link.unwrap()
    return lost
