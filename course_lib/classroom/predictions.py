"""Locked predictions: the reader commits to an answer, then a later cell shows what happens and
speaks to that answer.

    predict("02.more_steps")
    reveal("02.more_steps", errors)

The words stand in the table PREDICTIONS of the chapter's predictions.py, with the rule that tells
the right answer from what was measured. Both calls are the last line of their cell. Without a
locked answer (Run All, GitHub, tests) the result is there, folded.
"""

from __future__ import annotations

import html
import importlib
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import traitlets

from course_lib.classroom import progress_file as progress
from course_lib.classroom.listening import Listening
from course_lib.classroom.panel import Shown, inline, panel, paragraph

log = logging.getLogger(__name__)

__all__ = ["Outcome", "Prediction", "predict", "prediction", "reveal"]

HERE = Path(__file__).parent
FOLDED = (
    "Predict first: lock an answer above and run this cell again. Or open this to see what happens."
)
OTHERS = "<p>If you expected</p>"  # what is said to the other answers follows it
BACK = 'To take it back: `forget("{}")` in a new cell, then run this one again.'
NEARLY, FAR = "That is nearly it. ", "That is far off. "  # of a number
NEAR = ("low", "high", "close")  # what a number may be, beside the one measured


@dataclass(frozen=True)
class Outcome:
    """What happened.

    Args:
        right: the key of the answer that came true, or the number measured.
        lines: the measured numbers as plain text: printed in a cell of their own they would give
            the answer away.
        show: a figure of matplotlib, anything with _repr_html_, or HTML.   alt: what it shows, for
            those who cannot see it.
    """

    right: Any
    lines: Any = ()
    show: Any = None
    alt: str = ""


@dataclass(frozen=True)
class Prediction:
    """A question, what is said to each answer, and the rule that tells the right one.

    Args:
        question: what is asked.
        answers: {key: (the answer offered, what is said to whoever chose it)}, at least two. Where
            a number is asked for, {"low": reply, "high": reply, "close": reply}, to an answer
                below, above, or within ``tolerance`` of the number measured.
        outcome: a function of what was measured that returns an `Outcome`.
        number: (lowest, highest, step) of the answers, if a number is asked for.   unit: of that
            number.

    Raises:
        ValueError: an answer has no reply, there are fewer than two, or the number's range is
            empty.
    """

    question: str
    answers: dict
    outcome: Callable[..., Outcome]
    number: tuple[float, float, float] | None = None
    unit: str = ""
    tolerance: float | None = None

    def __post_init__(self):
        if self.number is None:
            if len(self.answers) < 2 or not all(len(pair) == 2 for pair in self.answers.values()):
                raise ValueError(
                    f"{self.question!r}: give at least two answers, each with what is said to it"
                )
            return
        low, high, step = self.number
        if not (low < high and step > 0):
            raise ValueError(f"number={self.number}: give (low, high, step), low < high, step > 0")
        if set(self.answers) != set(NEAR) or not self.tolerance:
            raise ValueError(f"{self.question!r}: a number needs {', '.join(NEAR)} and tolerance=")

    @property
    def options(self) -> dict[str, str]:
        """The answers offered, by key; none where a number is asked for."""
        return {} if self.number else {key: offered for key, (offered, _) in self.answers.items()}

    @property
    def says(self) -> dict[str, str]:
        """What is said to each answer, by key."""
        if self.number:
            return self.answers
        return {key: reply for key, (_, reply) in self.answers.items()}


def find(identity: str) -> Prediction:
    """The prediction of an id such as "02.more_steps".

    Raises:
        ValueError: the chapter's table has no such row.
    """
    chapter, _, name = identity.partition(".")
    table = importlib.import_module(f"course_lib.chapters.ch{chapter}.predictions").PREDICTIONS
    if name not in table:
        raise ValueError(f"{identity}: chapter {chapter} predicts {', '.join(table)}")
    return table[name]


class Question(Listening):
    """The widget behind `predict`. Its state is the question; the browser only sends {"lock":
    answer}."""

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

    def __init__(self, identity: str, asked: Prediction):
        self.texts = asked.options
        super().__init__(
            identity=identity,
            question=f"Predict: {inline(asked.question)}",
            number=[*map(float, asked.number), asked.unit] if asked.number else None,
            options=[[key, inline(text)] for key, text in self.texts.items()],
        )
        self.on_msg(self._received)
        self.refresh()

    def _received(self, _, content, __):
        if not (isinstance(content, dict) and self.accepts(content.get("lock"))):
            log.warning("question %s: the message %.80r is ignored", self.identity, content)
            return
        self.lock(content["lock"])

    def words(self, answer) -> str:
        if self.number is None:
            return self.texts[answer]
        return f"{answer:g} {self.number[3]}".strip()

    def accepts(self, answer) -> bool:
        if self.number is None:
            return isinstance(answer, str) and answer in self.texts
        number = isinstance(answer, int | float) and not isinstance(answer, bool)
        return number and self.number[0] <= answer <= self.number[1]

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
        if waiting := Revealed.folded.pop(self.identity, None):
            waiting.open()

    def refresh(self) -> None:
        entry = progress.read()["predictions"].get(self.identity)
        if entry is None or not self.accepts(entry.get("answer")):
            return
        self.answer, self.said = entry["answer"], self.words(entry["answer"])
        day = str(entry.get("locked_at", ""))[:16].replace("T", " at ")
        self.locked = (
            f"Locked on {inline(day)}. Now run the next cells to see what happens; where they have "
            f"run, the answer has opened. {inline(BACK.format(self.identity))}"
        )

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


def predict(identity: str) -> Question:
    """Ask the question of this id, and lock the answer."""
    return Question(identity, find(identity))


def prediction(identity: str):
    """The locked answer (a key, or a number), or None."""
    return progress.read()["predictions"].get(identity, {}).get("answer")


class Revealed(Shown):
    """What `reveal` shows. While it is folded, the lock of its question opens it, without another
    run of its cell."""

    folded: ClassVar[dict[str, Revealed]] = {}  # the last of each id that is on show

    def __init__(self, identity: str, page: str, again: Callable[[], Shown] | None = None):
        super().__init__(page)
        self.identity, self.again, self.place = identity, again, None

    def _ipython_display_(self) -> None:
        from IPython.display import display

        self.place = display(Shown(self.page), display_id=True)
        if self.again is None:
            self.folded.pop(self.identity, None)
        else:
            self.folded[self.identity] = self

    def open(self) -> None:
        if self.place is not None:
            self.place.update(Shown(self.again().page))


def reveal(identity: str, *measured, **named) -> Revealed:
    """Show what happens, beginning with what the reader predicted. What was measured goes to the
    rule of the table."""
    asked = find(identity)
    outcome = asked.outcome(*measured, **named)
    right = _right(identity, asked, outcome.right)
    picture = _table(outcome.lines) + _picture(identity, outcome.show, outcome.alt)
    return _revealed(identity, asked, right, picture)


def _revealed(identity: str, asked: Prediction, right, picture: str) -> Revealed:
    entry = progress.read()["predictions"].get(identity)
    key = _judge(entry.get("answer"), right, asked) if entry else None
    attributes = f'class="course-reveal" data-id="{identity}"'
    if key is None:
        unasked = _unasked(asked, right, picture)
        folded = f"<details><summary>{FOLDED}</summary>{unasked}</details>"
        again = partial(_revealed, identity, asked, right, picture)
        return Revealed(identity, f"<div {attributes}>{folded}</div>", again)
    correct = key == ("close" if asked.number else right)
    if entry.get("right") is not correct:
        with progress.change() as stored:
            stored["predictions"].setdefault(identity, entry)["right"] = correct
    said = entry.get("said", entry["answer"])
    body = replied(asked, key, right, said, _near(entry["answer"], right, asked)) + picture
    if not correct:
        body += happened(asked, right)
    return Revealed(identity, panel("good" if correct else "other", body, attributes))


def replied(asked: Prediction, key, right, said, near="") -> str:
    """What is said to whoever locked an answer, in the words `said`, before the picture. `near`
    says how far off a number is."""
    first = paragraph(f"You predicted: **{said}**. {near}{_turn(key, right, asked)}")
    return first + paragraph(asked.says[key])


def _right(identity: str, asked: Prediction, right):
    """The key of an answer, or a finite number."""
    if asked.number:
        if not math.isfinite(value := float(right)):
            raise ValueError(f"{identity}: right={value}: the measured number must be finite.")
        return value
    if right not in asked.answers:
        options = ", ".join(map(repr, asked.answers))
        raise ValueError(f"{identity}: right={right!r} is not one of the options {options}.")
    return right


def _judge(answer, right, asked: Prediction) -> str | None:
    """Which text speaks to this answer; None if the question has changed since it was locked."""
    if not asked.number:
        return answer if isinstance(answer, str) and answer in asked.answers else None
    if not isinstance(answer, (int, float)):
        return None
    return (
        "close" if abs(answer - right) <= asked.tolerance else "low" if answer < right else "high"
    )


def _turn(key, right, asked: Prediction) -> str:
    if asked.number:
        return {
            "low": "The number measured is larger.",
            "high": "The number measured is smaller.",
            "close": f"Measured: {right:.3g}.",
        }[key]
    return "That is what happened." if key == right else "It went another way."


def _near(answer, right, asked: Prediction) -> str:
    """How far off a number is: nearly right and far off are not the same mistake."""
    if not asked.number or (off := abs(answer - right)) <= asked.tolerance:
        return ""
    low, high, _ = asked.number
    if off <= 2 * asked.tolerance:
        return NEARLY
    return FAR if off > (high - low) / 2 else ""


def happened(asked: Prediction, right) -> str:
    """The outcome in a sentence, and what is said to whoever foresaw it."""
    if asked.number:
        unit = f" {asked.unit}" if asked.unit else ""
        return paragraph(f"What happened: **{right:.3g}{unit}**. {asked.says['close']}")
    return paragraph(f"What happened: **{asked.options[right]}**. {asked.says[right]}")


def _unasked(asked: Prediction, right, picture) -> str:
    """For a reader who has not predicted: the outcome, the picture, and what is said to each other
    answer."""
    words = (
        {"low": "a smaller number", "high": "a larger number"} if asked.number else asked.options
    )
    skipped = "close" if asked.number else right
    lines = "".join(
        f"<li>{inline(f'*{words[key]}*: {text}')}</li>"
        for key, text in asked.says.items()
        if key != skipped
    )
    return happened(asked, right) + picture + f"{OTHERS}<ul>{lines}</ul>"


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
            f"{identity}: show must be a figure, HTML, or an object with _repr_html_, not "
            f"{type(show).__name__}."
        )
    return show._repr_html_()
