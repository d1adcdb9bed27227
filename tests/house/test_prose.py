"""Numbers in the prose come from somewhere: an output, an assertion or a setting of the notebook,
or a published figure."""

import re

import nbformat
import pytest
from published import ARXIV, PUBLISHED

from course_lib import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
DECIMAL = re.compile(r"(?<![\w.])\d+\.\d+(?![\w]|\.\d)")


def numbers(text: str) -> set[str]:
    """The decimals of a text, without section numbers and arXiv ids."""
    text = re.sub(ARXIV, " ", text.replace("−", "-"))
    text = re.sub(r"[Ss]ections? \d+(\.\d+)+", " ", text)
    return set(DECIMAL.findall(text))


def evidence(notebook) -> list[float]:
    """Every number that the notebook's code holds or its outputs show."""
    seen = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            seen.append(
                re.sub(r'"(?:[^"\\\n]|\\.)*"', " ", cell.source)
            )  # not its texts: those are prose too
            for output in cell.outputs:
                html = str(output.get("data", {}).get("text/html", ""))
                # what it says is prose; what it measured stands in <pre>
                if "course-reveal" in html:
                    html = " ".join(re.findall(r"<pre[^>]*>(.*?)</pre>", html, flags=re.S))
                seen.append(output.get("text", "") + re.sub(r"<[^>]*>", " ", html))
    return [
        float(n)
        for n in re.findall(r"\d+\.\d+(?:e[+-]?\d+)?|\d+", " ".join(seen).replace("−", "-"))
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_decimal_in_the_prose_agrees_with_an_output_or_a_published_figure(path):
    notebook = nbformat.read(path, as_version=4)
    known = evidence(notebook)
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        for number in numbers(cell.source) - PUBLISHED.keys():
            places = len(number.partition(".")[2])
            assert any(round(k, places) == float(number) for k in known), (
                f"{number} comes from nowhere, in: {cell.source[:150]}"
            )
