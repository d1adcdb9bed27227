"""A page of the site on its way to a file, and what is done to all of them alike."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field

from bs4 import BeautifulSoup, Tag

PICTURE = re.compile(r"data:image/(png|jpeg|gif|svg\+xml);base64,(.*)", re.DOTALL)


@dataclass
class Page:
    """One page.

    Args:
        name: the file without its ending, also what other pages call it.
        title: as it stands in the list of contents and in the window.
        body: HTML of the main part.
        kind: "chapter" or "more".
        question: what a chapter answers.   minutes: how long it takes; 0 where that is not said.
        predictions: ids of the predictions that can be locked on it.
        source: the notebook or text that it was made from, from the root of the project.
    """

    name: str
    title: str
    body: BeautifulSoup
    kind: str = "more"
    question: str = ""
    minutes: int = 0
    predictions: list[str] = field(default_factory=list)
    source: str = ""

    @property
    def address(self) -> str:
        return f"{self.name}.html"

    @property
    def sections(self) -> list[tuple[str, str]]:
        """(id, words) of each second heading, in order."""
        return [(one["id"], words(one)) for one in self.body.find_all("h2")]


def parsed(text: str) -> BeautifulSoup:
    return BeautifulSoup(text, "html.parser")


def words(element: Tag) -> str:
    """The words of an element on one line."""
    return " ".join(element.get_text().split())


def anchor(heading: str) -> str:
    """The address that GitHub makes of a heading, so that links work there and here."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def name_headings(body: BeautifulSoup) -> None:
    """Give each heading an id, as GitHub does; the second of two equal ones gets a number."""
    seen: dict[str, int] = {}
    for heading in body.find_all(["h1", "h2", "h3", "h4"]):
        name = anchor(heading.get_text()) or "section"
        seen[name] = seen.get(name, -1) + 1
        heading["id"] = f"{name}-{seen[name]}" if seen[name] else name


def address(picture: bytes, ending: str) -> str:
    """Where a picture lies, from the root of the site: equal pictures share a file."""
    return f"pictures/{hashlib.sha256(picture).hexdigest()[:16]}.{ending}"


def take_pictures_out(body: BeautifulSoup) -> dict[str, bytes]:
    """Put each picture that lies in the page into a file of its own; the page names it.

    Returns: {path from the root of the site: its bytes}.
    """
    files = {}
    for image in body.find_all("img"):
        image["loading"] = "lazy"
        if match := PICTURE.match(image.get("src", "")):
            data = base64.b64decode(match[2])
            image["src"] = place = address(data, match[1].removesuffix("+xml"))
            files[place] = data
    return files


def let_wide_things_scroll(body: BeautifulSoup) -> None:
    """A table or a line of code wider than a phone scrolls in a box of its own, not the page."""
    for element in body.find_all(["table", "pre"]):
        if element.find_parent(class_="wide") is None:
            element.wrap(body.new_tag("div", attrs={"class": "wide"}))
