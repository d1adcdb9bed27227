"""Small pieces of HTML that predictions, exercises and the progress table share.

Everything is styled inline with JupyterLab's own theme variables (and a plain colour where there
are none), so a panel reads well in light and dark themes, in an exported page and, stripped of its
style, on GitHub.
"""

from __future__ import annotations

import html
import re

COLOURS = {
    "good": "var(--jp-success-color1, #388e3c)",
    "other": "var(--jp-warn-color1, #d9822b)",
    "quiet": "var(--jp-border-color1, #9e9e9e)",
    "ask": "var(--jp-brand-color1, #1976d2)",
}
_CODE = (
    "background: var(--jp-layout-color2, rgba(128, 128, 128, .15)); padding: 0 .2em; "
    "border-radius: 2px;"
)


def inline(text: str) -> str:
    """Escape `text` and honour three marks: `code`, **strong**, *stressed*. A blank line starts a
    paragraph (as <br><br>)."""
    pieces = re.split(r"(`[^`\n]+`)", str(text))
    return "".join(_code(piece) if _is_code(piece) else _marks(piece) for piece in pieces)


def _is_code(piece: str) -> bool:
    return len(piece) > 2 and piece.startswith("`") and piece.endswith("`")


def _code(piece: str) -> str:
    return f'<code style="{_CODE}">{html.escape(piece[1:-1])}</code>'


def _marks(piece: str) -> str:
    piece = html.escape(piece)
    piece = re.sub(r"\*\*(\S(?:[^*\n]*\S)?)\*\*", r"<strong>\1</strong>", piece)
    piece = re.sub(r"(?<![\w*])\*(\S(?:[^*\n]*\S)?)\*(?![\w*])", r"<em>\1</em>", piece)
    return re.sub(r"\n\s*\n", "<br><br>", piece.strip("\n"))


def paragraph(text: str) -> str:
    return f'<p style="margin: .35em 0; max-width: 46em;">{inline(text)}</p>'


def panel(kind: str, body: str, attributes: str = "") -> str:
    """`body` (HTML) beside a coloured bar. The words inside must carry the meaning: the colour only
    repeats it."""
    style = (
        f"border-left: 4px solid {COLOURS[kind]}; padding: .1em 0 .1em .9em; margin: .4em 0; "
        "line-height: 1.5;"
    )
    return f'<div {attributes + " " if attributes else ""}style="{style}">{body}</div>'


class Shown:
    """A piece of HTML for a notebook, with words for a terminal."""

    def __init__(self, page: str, words: str = ""):
        self.page = page
        self.words = (
            words or html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))).strip()
        )

    def _repr_html_(self) -> str:
        return self.page

    def __repr__(self) -> str:
        return self.words
