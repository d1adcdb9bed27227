"""Predictions without Python: the question becomes a form that locks in the page, and the stored
answer stays folded until then. predict.js keeps what was locked in the browser."""

from __future__ import annotations

import html
import re

from course_lib.classroom.panel import inline
from course_lib.classroom.predictions import (
    FAR,
    FOLDED,
    NEARLY,
    OTHERS,
    Prediction,
    find,
    happened,
    replied,
)

QUESTION = re.compile(r'<div class="course-question" data-id="([^"]+)"')
ANSWER = re.compile(r'<div class="course-reveal" data-id="([^"]+)"')
MEASURED = re.compile(r"What happened: <strong>(-?[\d.e+-]+)")
PREDICT_FIRST = "Predict first: lock an answer above. Or open this to see what happens."
PLACES = {  # where predict.js puts the reader's answer, and how far off it is
    "\N{OBJECT REPLACEMENT CHARACTER}": '<span class="said"></span>',
    "\N{REPLACEMENT CHARACTER}": '<span class="near"></span>',
}


def question_in(stored: str) -> str | None:
    """The id of the prediction whose question this output is."""
    return (match := QUESTION.match(stored)) and match[1]


def answer_in(stored: str) -> str | None:
    """The id of the prediction whose answer this output is."""
    return (match := ANSWER.match(stored)) and match[1]


def form(identity: str) -> str:
    """The question with its answers, to be locked in the page."""
    asked = find(identity)
    legend = f"<legend>Predict: {inline(asked.question)}</legend>"
    if asked.number:
        low, high, step = asked.number
        unit = html.escape(asked.unit)
        about = html.escape(f"A number from {low:g} to {high:g} {asked.unit}".strip(), quote=True)
        fields = (
            f'<div class="course-range"><span>{low:g}</span><input type="range" min="{low:g}" '
            f'max="{high:g}" step="{step:g}" aria-label="{about}"><span>{high:g} {unit}</span>'
            f'<output data-unit="{unit}">move the slider</output></div>'
        )
    else:
        fields = "".join(
            f'<label><input type="radio" name="{identity}" value="{html.escape(key, quote=True)}">'
            f"<span>{inline(words)}</span></label>"
            for key, words in asked.options.items()
        )
    return (
        f'<form class="course-predict" id="predict-{slug(identity)}" data-id="{identity}">'
        f'<fieldset>{legend}{fields}</fieldset><button class="lock" type="submit" disabled>Lock my '
        'answer</button><p class="note" role="status"></p><noscript>Locking an answer needs '
        "JavaScript.</noscript></form>"
    )


def answer(identity: str, stored: str) -> str:
    """What happened, folded, with what is said to each locked answer.

    Raises:
        ValueError: the stored output does not say what came true in the words of the prediction.
    """
    asked = find(identity)
    right, told = outcome(identity, asked, stored)
    picture, found, others = stored.split(told, 1)[1].partition(OTHERS)
    if not found or FOLDED not in stored:
        raise ValueError(f"{identity}: the stored answer is that of a reader who had predicted")
    others = others.split("</details>")[0]
    keys = asked.answers
    replies = "".join(
        f'<div class="reply {"good" if key == correct(asked, right) else "other"}" '
        f'data-key="{html.escape(key, quote=True)}" hidden>'
        + with_places(replied(asked, key, right, *PLACES))
        + "</div>"
        for key in keys
    )
    near = ""
    if asked.number:
        near = (
            f' data-right="{right}" data-tolerance="{asked.tolerance}" data-nearly="{NEARLY}" '
            f'data-far="{FAR}"'
        )
    return (
        f'<div class="course-reveal" id="reveal-{slug(identity)}" data-id="{identity}"{near}>'
        f'<div role="status">{replies}</div><details><summary>{PREDICT_FIRST}</summary>'
        f'<div class="happened">{told}</div>{picture}'
        f'<div class="others">{OTHERS}{others}</div></details></div>'
    )


def with_places(text: str) -> str:
    """A reply with an element at each place that the page fills in."""
    for mark, element in PLACES.items():
        text = text.replace(mark, element)
    return text


def correct(asked: Prediction, right) -> str:
    """The key of the answer that is right."""
    return "close" if asked.number else right


def outcome(identity: str, asked: Prediction, stored: str):
    """What came true according to a stored output, a key or a number, and the HTML that says so."""
    if asked.number:
        match = MEASURED.search(stored)
        candidates = [float(match[1])] if match else []
    else:
        candidates = list(asked.answers)
    for right in candidates:
        if (told := happened(asked, right)) in stored:
            return right, told
    raise ValueError(
        f"{identity}: the stored answer is not in the words of its prediction; run the notebook "
        f"again: python -m tools.notebooks run notebooks/{identity[:2]}_*.ipynb"
    )


def slug(identity: str) -> str:
    return identity.replace(".", "-")
