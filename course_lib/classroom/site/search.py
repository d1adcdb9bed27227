"""The index behind the search box: for each section of each page its heading and its words.

It is a script, not data, because a page that was opened as a file may load scripts and nothing
else. search.js reads it when the box is first used.
"""

from __future__ import annotations

import json
import re

from bs4 import Tag

from course_lib.classroom.site.page import Page, words

HEADINGS = ["h1", "h2", "h3", "h4"]
TEX = re.compile(r"\$\$.*?\$\$ ?|\$[^$]+\$", re.DOTALL)
LEAVE_OUT = ("script", "style", "noscript", ".replies", "details.source", ".reply")


def sections(page: Page) -> list[dict[str, str]]:
    """Each section of a page: address, heading, words."""
    found: list[dict] = []
    skipped = {id(one) for one in page.body.select(", ".join(LEAVE_OUT))}

    def walk(element: Tag) -> None:
        for child in element.children:
            if not isinstance(child, Tag):
                if found and child.strip():
                    found[-1]["text"].append(" ".join(child.split()))
            elif id(child) in skipped:
                continue
            elif child.name in HEADINGS:
                at = "" if child.name == "h1" else f"#{child['id']}"
                found.append({"at": page.address + at, "heading": words(child), "text": []})
            else:
                walk(child)

    walk(page.body)
    for one in found:
        one |= {"text": TEX.sub("", " ".join(one["text"])), "page": page.title}
    return found


def index(pages: list[Page]) -> str:
    """The index of all pages, as a script that leaves it in ``window.courseIndex``."""
    entries = [[s["at"], s["page"], s["heading"], s["text"]] for p in pages for s in sections(p)]
    return "window.courseIndex = " + json.dumps(entries, ensure_ascii=False) + ";\n"
