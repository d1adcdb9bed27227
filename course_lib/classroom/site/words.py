"""The words of all chapters on one page, in three languages."""

from __future__ import annotations

from course_lib.classroom.site.page import Page, parsed, words

TITLE = "Words"
INTRODUCTION = (
    "The words of the course in English, Korean and Chinese, with what they mean here. A word that "
    "several chapters use has a line for each; the number leads to the chapter."
)


def rows(chapters: list[Page]) -> list[tuple[str, str, str, str, Page]]:
    """(English, 한국어, 中文, meaning, chapter) of each line in the chapters' tables, by alphabet.
    The four are HTML."""
    found = []
    for page in chapters:
        for table in page.body.find_all("table"):
            head = [words(cell) for cell in table.find_all("th")]
            if head[:3] == ["English", "한국어", "中文"]:
                for row in table.find_all("tr")[1:]:
                    cells = [cell.decode_contents() for cell in row.find_all("td")]
                    found.append((*cells, page))
    return sorted(found, key=lambda row: (words(parsed(row[0])).lower(), row[-1].name))


def page(chapters: list[Page]) -> Page:
    """The page of words."""
    lines = "".join(
        f"<tr><td>{english}</td><td lang='ko'>{korean}</td><td lang='zh'>{chinese}</td>"
        f"<td>{meaning}</td><td><a href='{chapter.address}'>{chapter.name[:2]}</a></td></tr>"
        for english, korean, chinese, meaning, chapter in rows(chapters)
    )
    body = parsed(
        f"<h1 id='words'>{TITLE}</h1><p>{INTRODUCTION}</p><table class='words'><thead><tr>"
        "<th>English</th><th lang='ko'>한국어</th><th lang='zh'>中文</th><th>here</th>"
        f"<th>chapter</th></tr></thead><tbody>{lines}</tbody></table>"
    )
    return Page(name="words", title=TITLE, body=body)
