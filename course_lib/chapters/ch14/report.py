"""A report to hand in: the table, its picture and its limits, as HTML and as Markdown.

Whatever comes from the reader's data, such as a file name or a method's sentence, is escaped.
"""

import base64
import html
import re
from pathlib import Path

from course_lib.chapters.ch14.faces import picture_of
from course_lib.chapters.ch14.table import Comparison, Row, short
from course_lib.files import PlaceError, check_place, write

ENDINGS = (".html", ".md", ".png")
HEADS = ("method", "group", "{what}", "episodes", "ms a task", "MB", "trained before", "moved",
         "chapter")  # fmt: skip
QUESTIONS = (
    "Which accuracy would be good enough, and who says so?",
    "What does a wrong answer cost, and what does \"I do not know\" cost?",
    "How many labels can be had, and at what price?",
    "May the data leave this machine?",
    "How often do the classes change?",
    "Which method do you choose, and which one was a close second?",
)  # fmt: skip
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%;font-size:.85rem}"
    "th,td{text-align:left;padding:.25rem .5rem;border-bottom:1px solid #ddd}"
    "img{max-width:100%;height:auto;background:#fff}.wide{overflow-x:auto}"
)


def places(out) -> dict[str, Path]:
    """The three files of a report, by ending. ``out`` may be given with one of the endings.

    Raises:
        PlaceError: it names a folder, or a file cannot be written there.
    """
    text = str(out)
    if text.endswith(("/", "\\")) or Path(text).is_dir() or not Path(text).name:
        raise PlaceError(f"{text}: it names a folder; give the name of a report in it")
    stem = next((text.removesuffix(end) for end in ENDINGS if text.endswith(end)), text)
    return {end: check_place(stem + end) for end in ENDINGS}


def write_report(found: Comparison, out, title: str = "", decision: str = "") -> list[Path]:
    """Write NAME.html, NAME.md and NAME.png.

    Args:
        out: NAME, with its folder.   title: the usual one names the data.
        decision: the reader's own words.

    Raises:
        PlaceError: a file cannot be written there; nothing was written then.
    """
    where = places(out)
    title = title or f"Few-shot learners on {found.data.name}"
    shown = picture_of(found)
    write(where[".png"], shown.png)
    page = as_html(found, title, decision, shown)
    text = as_markdown(found, title, decision, shown, where[".png"].name)
    write(where[".html"], page.encode("utf-8", "replace"))
    write(where[".md"], text.encode("utf-8", "replace"))
    return list(where.values())


def heads(found: Comparison) -> list[str]:
    what = "error" if found.data.kind == "curves" else "accuracy"
    return [head.format(what=what) for head in HEADS]


def cells(row: Row) -> list[str]:
    """A row of the table, as plain text."""
    start = [row.name, row.method.group]
    if row.score is None:
        return [*start, f"not possible: {row.why}", "", "", "", "", "", row.method.chapter]
    lost = f" ({row.score.lost} NaN)" if row.score.lost else ""
    return [
        *start,
        f"{row.score.mean:.3f} ± {row.score.half_width:.3f}{lost}",
        str(len(row.score)),
        f"{1000 * row.seconds:.1f}",
        f"{row.bytes / 1e6:.2f}",
        short(row.before),
        short(row.moved),
        row.method.chapter,
    ]


def verdict(found: Comparison) -> list[str]:
    """What the table says, in sentences."""
    best, yardstick, tied = found.best, found.yardstick, found.tied()
    said = [f"The best figure is that of {best.name}: {best.score}."]
    if found.nothing_learned:
        said.append(f"{found.nothing_learned.capitalize()}.")
    if tied:
        names = ", ".join(row.name for row in tied)
        said.append(f"By paired intervals it cannot be told apart from: {names}.")
    if best is not yardstick:
        gap = found.ahead(best, yardstick)
        said.append(
            f"Against the best that learned nothing before, {yardstick.name}, the paired "
            f"difference is {gap.mean:+.3f} ± {gap.half_width:.3f}."
        )
    else:
        said.append("Nothing that was trained before is ahead of it.")
    return said


def limits(found: Comparison) -> list[str]:
    """What the figures do not say."""
    return [
        "± is a 95 % interval over the episodes drawn. It does not cover which items were "
        "collected, nor the training seed of a method.",
        "The best of many rows is a little lucky. Try it once on items that were kept apart.",
        "The learners were trained on other data: drawn characters, requests or sine waves.",
        "Milliseconds and megabytes are for one task on this machine, with its queries.",
        *found.notes,
    ]


# --- HTML -----------------------------------------------------------------------------------------


def as_html(found: Comparison, title: str, decision: str, shown) -> str:
    """The report as one page that needs no other file."""
    e = html.escape
    head = "".join(f"<th scope=col>{e(cell)}</th>" for cell in heads(found))
    body = "".join(
        "<tr>" + "".join(f"<td>{e(cell)}</td>" for cell in cells(row)) + "</tr>"
        for row in found.rows
    )
    image = base64.b64encode(shown.png).decode()
    items = lambda lines: "".join(f"<li>{e(line)}</li>" for line in lines)  # noqa: E731
    own = f"<p>{e(decision)}</p>" if decision else f"<ul>{items(QUESTIONS)}</ul>"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{e(title)}</title>'
        f"<style>{STYLE}</style><h1>{e(title)}</h1><p>{e(found.setting)}; seed {found.seed}.</p>"
        f"<h2>What was found</h2><p>{e(' '.join(verdict(found)))}</p>"
        f'<p><img alt="{e(shown.alt, quote=True)}" src="data:image/png;base64,{image}"></p>'
        f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'
        f"<h2>What these figures do not say</h2><ul>{items(limits(found))}</ul>"
        f"<h2>Decision</h2>{own}</html>\n"
    )


# --- Markdown -------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    one = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]#|~])", r"\\\1", one)


def as_markdown(found: Comparison, title: str, decision: str, shown, image: str) -> str:
    """The report as Markdown, beside its picture."""
    row = lambda fields: "| " + " | ".join(map(plain, fields)) + " |"  # noqa: E731
    lines = [
        f"# {plain(title)}", "", f"{plain(found.setting)}; seed {found.seed}.", "",
        "## What was found", "", plain(" ".join(verdict(found))), "",
        f"![{plain(shown.alt)}](<{image.replace('>', '%3E').replace('<', '%3C')}>)", "",
        row(heads(found)), "|" + "---|" * len(HEADS), *(row(cells(one)) for one in found.rows), "",
        "## What these figures do not say", "", *(f"- {plain(line)}" for line in limits(found)), "",
        "## Decision", "",
        *([plain(decision)] if decision else [f"- {plain(question)}" for question in QUESTIONS]),
    ]  # fmt: skip
    return "\n".join([*lines, ""])
