"""Few-shot prompting: the support set is written as text, and a language model goes on from there. No weight changes.

The signature is that of every learner of the course, predict(support_x, support_y, query_x) -> logits. What other learners do with
gradients or distances happens here inside one forward pass (Brown et al. 2020).
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.episodes import Episode
from course_lib.families import worlds
from course_lib.learners.base import Learner


class LanguageModel(Protocol):
    """What a model must be able to do to be prompted."""

    context: int  # how many tokens it can read

    def tokens(self, text: str) -> list[int]:
        """The ids of the tokens of a text."""

    def log_probs(self, prompts: list[str], labels: list[list[str]]) -> Tensor:
        """log P(label | prompt), summed over the label's tokens: n prompts with N labels each -> (n, N)."""


@dataclass(frozen=True)
class Template:
    """How a support set and a query become a prompt.

    Args:
        example: one support example, with {x} and {y}.   query: the query, with {x}; the model goes on from its end.
        instruction: stands before all examples.
        label: how a label is scored, with {y}. With an end mark, such as " {y}\\n", a label cannot win as the beginning of a longer one.

    Raises:
        ValueError: a placeholder is missing, or one too many.
    """

    example: str = "{x} : {y}\n"
    query: str = "{x} :"
    instruction: str = ""
    label: str = " {y}"

    def __post_init__(self):
        for name, needs in (("example", ("{x}", "{y}")), ("query", ("{x}",)), ("label", ("{y}",))):
            if missing := [place for place in needs if place not in getattr(self, name)]:
                raise ValueError(f"{name}={getattr(self, name)!r}: it needs {' and '.join(missing)}")
        if "{y}" in self.query:
            raise ValueError(f"query={self.query!r}: {{y}} would tell the answer, take it out")

    def write(self, xs: Sequence[str], ys: Sequence[str], x: str) -> str:
        """The prompt of the query ``x`` after the examples ``xs`` with the label words ``ys``."""
        examples = "".join(fill(self.example, x=one, y=label) for one, label in zip(xs, ys, strict=True))
        return self.instruction + examples + fill(self.query, x=x)


def fill(pattern: str, **texts: str) -> str:
    """The pattern with its placeholders replaced; braces inside the texts stay as they are."""
    parts = [(pattern, False)]
    for name, text in texts.items():
        split = []
        for part, done in parts:
            pieces = [part] if done else part.split(f"{{{name}}}")
            for i, piece in enumerate(pieces):
                split += ([(text, True)] if i else []) + [(piece, done)]
        parts = split
    return "".join(part for part, _ in parts)


class Prompting(Learner):
    """The logit of a class is log P(its label word | the support set and the query, written as a prompt).

    Args:
        model: a `LanguageModel`.
        template: how the prompt is written.
        labels: one word, or several, for each class. None: each task brings its own, ``episode.hidden["labels"]`` (T, N) of token ids.
        read: turns a row of ids of x into text: `worlds.text`, or ``vocabulary.text`` of a family of sentences.
        shots: show the first so many support items only; None shows all. With 0 the prompt holds the query alone.
        neutral: queries without content for contextual calibration (Zhao et al. 2021), such as ("N/A", "[MASK]", ""): what the model
            answers to those, on average, is divided out of its probabilities. Without them there is no calibration.

    Raises:
        ValueError: there are no labels, two are the same, or one is empty.
    """

    loss_fn = staticmethod(F.cross_entropy)

    def __init__(
        self,
        model: LanguageModel,
        template: Template = Template(),  # noqa: B008, frozen
        labels: Sequence[str] | None = None,
        *,
        read: Callable[[Sequence[int]], str] = worlds.text,
        shots: int | None = None,
        neutral: Sequence[str] = (),
    ):
        super().__init__()
        if shots is not None and shots < 0:
            raise ValueError(f"shots={shots}: show 0 examples or more")
        self.model, self.template, self.read, self.shots, self.neutral = model, template, read, shots, tuple(neutral)
        self.labels = None if labels is None else checked(list(labels))

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor) -> Tensor:
        """One task: (S, ...) ids, (S,) classes and (Q, ...) ids -> (Q, N) log probabilities. The support set may be empty.

        Raises:
            ValueError: the learner has no labels of its own, a class has none, or a prompt is longer than the model reads.
        """
        if self.labels is None:
            raise ValueError("the classes have no words: give labels=[...], or an episode that brings them")
        return self.answers([(support_x, support_y, query_x, self.labels)])[0]

    def forward(self, episode: Episode) -> Tensor:
        """All tasks of an episode, all prompts in one batch: (T, Q, N)."""
        if self.labels is None and "labels" not in episode.hidden:
            raise ValueError('the classes have no words: give labels=[...], or an episode with hidden["labels"]')
        named = [self.labels] * len(episode) if self.labels else [[self.read([i]) for i in row] for row in episode.hidden["labels"].tolist()]
        return torch.stack(self.answers([(sx, sy, qx, labels) for (sx, sy, qx, _), labels in zip(episode, named)]))

    def answers(self, tasks: list[tuple[Tensor, Tensor, Tensor, list[str]]]) -> list[Tensor]:
        """Scores of several tasks, each (support_x, support_y, query_x, labels) -> (Q, N)."""
        prompts, labels, blank, blank_labels = [], [], [], []
        for support_x, support_y, query_x, words in tasks:
            shown = len(support_y) if self.shots is None else self.shots
            xs = [self.read(row) for row in support_x[:shown].tolist()]
            ys = [word(words, number) for number in support_y[:shown].tolist()]
            mine = [self.template.write(xs, ys, self.read(row)) for row in query_x.tolist()]
            prompts += mine
            labels += [[fill(self.template.label, y=label) for label in words]] * len(mine)
            blank += [self.template.write(xs, ys, text) for text in self.neutral]
            blank_labels += [labels[-1]] * len(self.neutral)
        scores = self.model.log_probs(prompts, labels).split([len(query_x) for _, _, query_x, _ in tasks])
        if not self.neutral:
            return list(scores)
        empty = self.model.log_probs(blank, blank_labels).split(len(self.neutral))
        return [calibrated(score, without) for score, without in zip(scores, empty)]

    def settings(self) -> dict:
        """The template, the labels, how many examples are shown, and what calibrates."""
        return super().settings() | asdict(self.template) | {"labels": self.labels, "shown": self.shots, "neutral": list(self.neutral)}


def calibrated(log_probs: Tensor, without_content: Tensor) -> Tensor:
    """Contextual calibration: log softmax of log(p / p_cf), with p_cf the mean over the queries without content.

    Zhao et al. 2021, section 5, take softmax(W p) with W = diag(p_cf)^-1 and b = 0. Here W p is divided by its sum instead: the same
    answers, and probabilities of 1 and 0 stay what they are. Like their code, p_cf is averaged first and normalised over the labels then.

    Args:
        log_probs: (Q, N).   without_content: (C, N).
    """
    return (log_probs - without_content.logsumexp(0)).log_softmax(-1)  # the factors that normalise p and p_cf cancel


def checked(labels: list[str]) -> list[str]:
    """The labels themselves, once they are known to be usable."""
    if len(labels) < 2:
        raise ValueError(f"labels={labels}: a task needs at least 2")
    if empty := [i for i, label in enumerate(labels) if not label.strip()]:
        raise ValueError(f"label {empty[0]} is empty: give every class a word")
    if len(set(labels)) < len(labels):
        raise ValueError(f"labels={labels}: two classes have the same word")
    return labels


def word(labels: list[str], number: int) -> str:
    if not 0 <= number < len(labels):
        raise ValueError(f"an example is of class {number}, and there are labels for {len(labels)} classes: give one a class")
    return labels[number]
