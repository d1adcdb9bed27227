"""Locked predictions: the reader commits to an answer, then a later cell shows what happens and speaks to that answer.

    predict("02.more_steps", "What does the query error do?", {"falls": "It keeps falling", "rises": "It falls, then rises"})
    reveal("02.more_steps", right="rises", says={"falls": "...", "rises": "..."}, show=figure, alt="...")

Both are the last line of their cell. Without a locked answer (Run All, GitHub, tests) the result is there, but folded.
"""

from __future__ import annotations

import html
import math
from pathlib import Path

import anywidget
import traitlets

from course_lib.classroom import progress
from course_lib.classroom.panel import Shown, inline, panel, paragraph

__all__ = ["predict", "prediction", "reveal"]

HERE = Path(__file__).parent
FOLDED = (
    "Predict first: lock an answer above and run this cell again. Or open this to see what happens."
)
_questions: dict[
    str, Question
] = {}  # the questions this kernel has asked, so that reveal can check its keys


class Question(anywidget.AnyWidget):
    """The widget behind `predict`. Its state is the question; the browser only sends {"lock": answer}."""

    _esm = HERE / "predict.js"
    _css = HERE / "predict.css"
    identity = traitlets.Unicode().tag(sync=True)
    question = traitlets.Unicode().tag(sync=True)  # these three are escaped HTML
    options = traitlets.List().tag(sync=True)  # [key, text] pairs
    number = traitlets.List(allow_none=True, default_value=None).tag(
        sync=True
    )  # [low, high, step, unit]
    answer = traitlets.Any(allow_none=True, default_value=None).tag(sync=True)
    said = traitlets.Unicode().tag(sync=True)
    locked = traitlets.Unicode().tag(
        sync=True
    )  # the sentence below a locked question; empty while it is open

    def __init__(self, identity, question, options, number):
        self.texts = options
        super().__init__(
            identity=identity,
            question=f"Predict: {inline(question)}",
            number=number,
            options=[[key, inline(text)] for key, text in options.items()],
        )
        self.on_msg(self._received)
        self.refresh()

    def _received(self, _, content, __):
        if "lock" in content:
            self.lock(content["lock"])

    def words(self, answer) -> str:
        if self.number is None:
            return self.texts[answer]
        return f"{answer:g} {self.number[3]}".strip()

    def accepts(self, answer) -> bool:
        if self.number is None:
            return isinstance(answer, str) and answer in self.texts
        return isinstance(answer, (int, float)) and self.number[0] <= answer <= self.number[1]

    def lock(self, answer) -> None:
        """Store `answer` with the time, unless one is stored already: the first answer stays."""
        if not self.accepts(answer):
            raise ValueError(f"{self.identity}: {answer!r} is not one of the answers.")
        with progress.change() as stored:
            before = stored["predictions"].get(self.identity)
            if before is None or not self.accepts(before.get("answer")):
                stored["predictions"][self.identity] = {
                    "answer": answer,
                    "said": self.words(answer),
                    "locked_at": progress.now(),
                    "right": None,
                }
        self.refresh()

    def refresh(self) -> None:
        entry = progress.read()["predictions"].get(self.identity)
        if entry is None or not self.accepts(entry.get("answer")):
            return
        self.answer, self.said = entry["answer"], self.words(entry["answer"])
        day = str(entry.get("locked_at", ""))[:16].replace("T", " at ")
        self.locked = f"Locked on {inline(day)}. Now run the next cells to see what happens."

    def static(self) -> str:
        """The question for readers without a kernel: GitHub, an exported page, paper."""
        if self.number is None:
            items = "".join(f"<li>{text}</li>" for _, text in self.options)
            answer = f'<ol type="A" style="margin: .3em 0;">{items}</ol>'
        else:
            low, high, step, unit = self.number
            answer = (
                f"<p>A number from {low:g} to {high:g}{' ' + inline(unit) if unit else ''}.</p>"
            )
        return panel(
            "ask",
            f"<p><strong>{self.question}</strong></p>{answer}",
            f'class="course-question" data-id="{self.identity}"',
        )

    def _repr_mimebundle_(self, **kwargs):
        shown = super()._repr_mimebundle_(**kwargs)
        data, metadata = shown if isinstance(shown, tuple) else (shown or {}, {})
        page = self.static()
        return {**data, "text/html": page, "text/plain": repr(Shown(page))}, metadata


def predict(
    identity: str,
    question: str,
    options: dict[str, str] | None = None,
    *,
    number: tuple | None = None,
    unit: str = "",
) -> Question:
    """Ask, and lock the answer. Give `options` {key: text}, or `number=(low, high, step)` with its `unit`."""
    if (options is None) == (number is None):
        raise ValueError(
            f"{identity}: give either options (at least two) or number=(low, high, step)."
        )
    if options is not None and len(options) < 2:
        raise ValueError(
            f"{identity}: {len(options)} option leaves nothing to predict; give at least two."
        )
    if number is not None and not (len(number) == 3 and number[0] < number[1] and number[2] > 0):
        raise ValueError(
            f"{identity}: number={number}: give (low, high, step) with low < high and step > 0."
        )
    asked = Question(
        identity,
        question,
        dict(options or {}),
        None if number is None else [*map(float, number), unit],
    )
    _questions[identity] = asked
    return asked


def prediction(identity: str):
    """The locked answer (a key, or a number), or None."""
    return progress.read()["predictions"].get(identity, {}).get("answer")


def reveal(
    identity: str,
    *,
    right,
    says,
    show=None,
    alt: str = "",
    lines=(),
    tolerance: float | None = None,
) -> Shown:
    """Show what happens, beginning with what the reader predicted.

    `right` is the key that was measured, and `says` has a text for each option. For a number, `right` is the number measured, an
    answer within `tolerance` counts as close, and `says` has texts for "low", "high", "close" or is a function (answer, right) -> text.
    `show` is a matplotlib figure (with `alt`), anything with _repr_html_, or HTML. `lines` are the measured numbers as plain text,
    shown above it: printed in a cell of their own they would give the answer away.
    """
    numeric = tolerance is not None
    asked = _questions.get(identity)
    right = _measured(identity, right) if numeric else right
    _complain(identity, asked, right, says, numeric)
    picture = _table(lines) + _picture(identity, show, alt)
    entry = progress.read()["predictions"].get(identity)
    key = _judge(entry.get("answer"), right, says, tolerance) if entry else None
    attributes = f'class="course-reveal" data-id="{identity}"'
    if key is None:
        return Shown(
            f"<div {attributes}><details><summary>{FOLDED}</summary>{_unasked(asked, right, says, numeric, picture)}</details></div>"
        )
    correct = key == ("close" if numeric else right)
    if entry.get("right") is not correct:
        with progress.change() as stored:
            stored["predictions"].setdefault(identity, entry)["right"] = correct
    body = paragraph(
        f"You predicted: **{entry.get('said', entry['answer'])}**. {_turn(key, right, numeric)}"
    )
    body += paragraph(says(entry["answer"], right) if callable(says) else says[key]) + picture
    if not correct:
        body += _outcome(asked, right, says, numeric)
    return Shown(panel("good" if correct else "other", body, attributes))


def _measured(identity, right) -> float:
    if not math.isfinite(value := float(right)):
        raise ValueError(f"{identity}: right={value}: the measured number must be finite.")
    return value


def _complain(identity, asked, right, says, numeric) -> None:
    """Say at the door, to whoever writes the chapter, which answer is left without a text."""
    if callable(says) and numeric:
        return
    needed = ["low", "high", "close"] if numeric else [right, *(asked.texts if asked else ())]
    if asked and (asked.number is not None) != numeric:
        raise ValueError(
            f"{identity}: a question with options needs right=key; a question for a number needs right=number and tolerance=."
        )
    for key in needed:
        if key not in says:
            raise ValueError(
                f"{identity}: says has no text for {key!r}; it has {', '.join(map(repr, says))}."
            )
    if asked and not numeric and right not in asked.texts:
        raise ValueError(
            f"{identity}: right={right!r} is not one of the options {', '.join(map(repr, asked.texts))}."
        )


def _judge(answer, right, says, tolerance) -> str | None:
    """Which text speaks to this answer; None if the question has changed since it was locked."""
    if tolerance is None:
        return answer if isinstance(answer, str) and answer in says else None
    if not isinstance(answer, (int, float)):
        return None
    return "close" if abs(answer - right) <= tolerance else "low" if answer < right else "high"


def _turn(key, right, numeric) -> str:
    if numeric:
        return {
            "low": "The number measured is larger.",
            "high": "The number measured is smaller.",
            "close": f"Measured: {right:.3g}.",
        }[key]
    return "That is what happened." if key == right else "It went another way."


def _outcome(asked, right, says, numeric) -> str:
    if numeric:
        unit = f" {asked.number[3]}" if asked and asked.number[3] else ""
        return paragraph(
            f"What happened: **{right:.3g}{unit}**."
            + ("" if callable(says) else f" {says['close']}")
        )
    return paragraph((f"What happened: **{asked.texts[right]}**. " if asked else "") + says[right])


def _unasked(asked, right, says, numeric, picture) -> str:
    """For a reader who has not predicted: the outcome, the picture, and what is said to each other answer."""
    words = (
        {"low": "a smaller number", "high": "a larger number"}
        if numeric
        else asked.texts
        if asked
        else {}
    )
    others = (
        {}
        if callable(says)
        else {
            key: text
            for key, text in says.items()
            if key not in (right, "close" if numeric else right)
        }
    )
    lines = "".join(
        f"<li>{inline(f'*{words.get(key, key)}*: {text}')}</li>" for key, text in others.items()
    )
    return (
        _outcome(asked, right, says, numeric)
        + picture
        + (f"<p>If you expected</p><ul>{lines}</ul>" if lines else "")
    )


def _table(lines) -> str:
    text = lines if isinstance(lines, str) else "\n".join(lines)
    return (
        f'<pre style="line-height: 1.35; margin: .4em 0;">{html.escape(text)}</pre>' if text else ""
    )


def _picture(identity, show, alt) -> str:
    if show is None or isinstance(show, str):
        return show or ""
    if hasattr(show, "savefig"):
        if not alt:
            raise ValueError(
                f"{identity}: a figure needs alt= text, for readers who cannot see it."
            )
        from matplotlib import pyplot

        from course_lib.classroom.figures import picture

        pyplot.close(
            show
        )  # or the inline backend would show it below the cell, and spoil the prediction
        show = picture(show, alt)
    if not hasattr(show, "_repr_html_"):
        raise ValueError(
            f"{identity}: show must be a figure, HTML, or an object with _repr_html_, not {type(show).__name__}."
        )
    return show._repr_html_()
