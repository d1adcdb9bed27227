"""Few-shot prompting: the support set is written as text, and a language model goes on from there.
No weight changes.

The signature is that of every learner of the course, predict(support_x, support_y, query_x) ->
logits. What other learners do with gradients or distances happens here inside one forward pass
(Brown et al. 2020).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.episodes import Episode
from course_lib.language_models.protocol import LanguageModel
from course_lib.learners.base import Learner


@dataclass(frozen=True)
class Template:
    """How a support set and a query become a prompt.

    Braces that hold no name, such as those of JSON, stay as they are.

    Args:
        example: one support example, with {x} and {y}.   query: the query, with {x}; the model goes
            on from its end.
        instruction: stands before all examples.
        label: how a label is scored after the query, with {y}. None: as the examples write it
            behind what they share with the query, and where they share nothing, after one space.
            Spaces matter: to most models " great" is a token and "great" another. With an end mark,
                such as " {y}\\n", a label cannot win as the beginning of a longer one.

    Raises:
        ValueError: a placeholder is missing, unknown or one too many, or a space stands at the end
            of the query and before the label too.
    """

    example: str = "{x} : {y}\n"
    query: str = "{x} :"
    instruction: str = ""
    label: str | None = None

    def __post_init__(self):
        if self.label is None:
            object.__setattr__(self, "label", as_in(self.example, self.query))
        for name, needs in (
            ("example", ("{x}", "{y}")),
            ("query", ("{x}",)),
            ("label", ("{y}",)),
            ("instruction", ()),
        ):
            pattern = getattr(self, name)
            if missing := [place for place in needs if place not in pattern]:
                raise ValueError(f"{name}={pattern!r}: it needs {' and '.join(missing)}")
            if name == "query" and "{y}" in pattern:
                raise ValueError(f"query={pattern!r}: {{y}} would tell the answer, take it out")
            if foreign := [
                place for place in re.findall(r"\{[A-Za-z_]\w*\}", pattern) if place not in needs
            ]:
                raise ValueError(
                    f"{name}={pattern!r}: {foreign[0]} is not filled in there"
                    + (f", only {' and '.join(needs)}" if needs else "")
                )
        if self.query[-1:] in (" ", "\t") and self.label[:1] in (" ", "\t"):
            raise ValueError(
                f"query={self.query!r} ends with a space and label={self.label!r} begins with "
                "one: take one of them out"
            )

    def write(self, xs: Sequence[str], ys: Sequence[str], x: str) -> str:
        """The prompt of the query ``x`` after the examples ``xs`` with the label words ``ys``."""
        examples = "".join(
            fill(self.example, x=one, y=label) for one, label in zip(xs, ys, strict=True)
        )
        return self.instruction + examples + fill(self.query, x=x)


def as_in(example: str, query: str) -> str:
    """The pattern of a label as it follows the query in an example: "{x} It was {y}.", "{x} It was"
    -> " {y}"."""
    if example.startswith(query) and "{y}" in example:
        return example[len(query) :].partition("{y}")[0] + "{y}"
    return "{y}" if query[-1:].isspace() else " {y}"


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
    """The logit of a class is log P(its label word | the support set and the query, written as a
    prompt).

    Args:
        model: a `LanguageModel`.
        template: how the prompt is written.
        labels: one word, or several, for each class; the spaces around it are part of the template.
            An episode may say which classes of its family are behind the numbers of a task,
            ``episode.names["classes"]`` (T, N): then for each class of the family.
            None: each task brings its own, ``episode.names["labels"]`` (T, N) of token ids.
        read: turns a row of ids of x into text, such as ``text`` of a family `AsWritten`. None: as
            the model itself reads its words, ``model.text``, if it has any.
        shots: show the first so many support items only; None shows all. With 0 the prompt holds
            the query alone.
        neutral: queries without content for contextual calibration (Zhao et al. 2021), such as
            ("N/A", "[MASK]", ""): what the model answers to those, on average, is divided out of
                its probabilities. Without them there is no calibration.
        batch: calibrate with the queries of the task instead (Zhou et al. 2024, Batch Calibration):
            their mean answer is divided out. The answer to a query then depends on the others.
        chat: examples as turns of a conversation, in the words of the model's own chat template.
            "auto": where it has one. A label is then scored with the mark that ends a turn.
        per_token: score a label by the mean over its tokens instead of their sum.

    Raises:
        ValueError: a label cannot be used (see `checked`), neutral is one text and no list, both
            calibrations are asked for, there is no chat template, or nothing says how ids are read.
    """

    loss_fn = staticmethod(F.cross_entropy)

    def __init__(
        self,
        model: LanguageModel,
        template: Template = Template(),  # noqa: B008, frozen
        labels: Sequence[str] | None = None,
        *,
        read: Callable[[Sequence[int]], str] | None = None,
        shots: int | None = None,
        neutral: Sequence[str] = (),
        batch: bool = False,
        chat: bool | str = "auto",
        per_token: bool = False,
    ):
        super().__init__()
        if chat not in (True, False, "auto"):
            raise ValueError(f'chat={chat!r}: choose True, False or "auto"')
        if chat is True and not getattr(model, "chats", False):
            raise ValueError('chat=True: this model has no chat template, use chat="auto" or False')
        if batch and neutral:
            raise ValueError("batch=True and neutral=...: calibrate in one way, not in both")
        if shots is not None and shots < 0:
            raise ValueError(f"shots={shots}: show 0 examples or more")
        if isinstance(neutral, str):
            raise ValueError(f"neutral={neutral!r} is one text: put it into a list, [{neutral!r}]")
        read = read or getattr(model, "text", None)
        if read is None:
            raise ValueError(
                f"{type(model).__name__} has no words of its own: give read=..., what turns a row "
                "of ids into text, such as AsWritten(family).text"
            )
        self.model, self.template, self.read, self.shots, self.neutral = (
            model,
            template,
            read,
            shots,
            tuple(neutral),
        )
        self.batch, self.per_token = batch, per_token
        self.chat = bool(getattr(model, "chats", False)) if chat == "auto" else bool(chat)
        self.labels = None if labels is None else checked(labels, template)

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor) -> Tensor:
        """One task: (S, ...) ids, (S,) classes and (Q, ...) ids -> (Q, N) log probabilities. The
        support set may be empty.

        Raises:
            ValueError: the learner has no labels of its own, a class has none, or a prompt is
                longer than the model reads.
        """
        if self.labels is None:
            raise ValueError(
                "the classes have no words: give labels=[...], or an episode that brings them"
            )
        return self.answers([(support_x, support_y, query_x, self.labels)])[0]

    def forward(self, episode: Episode) -> Tensor:
        """All tasks of an episode, all prompts in one batch: (T, Q, N)."""
        return torch.stack(
            self.answers(
                [
                    (sx, sy, qx, labels)
                    for (sx, sy, qx, _), labels in zip(episode, self.words_of(episode), strict=True)
                ]
            )
        )

    def words_of(self, episode: Episode) -> list[list[str]]:
        """The label words of each task, in the order of its class numbers."""
        if self.labels is None:
            if "labels" not in episode.names:
                raise ValueError(
                    "the classes have no words: give labels=[...], or an episode with "
                    'names["labels"]'
                )
            return [[self.read([i]) for i in row] for row in episode.names["labels"].tolist()]
        # a family that draws classes and numbers them anew in each task
        if "classes" in episode.names:
            return [
                [word(self.labels, number) for number in row]
                for row in episode.names["classes"].tolist()
            ]
        return [self.labels] * len(episode)

    def answers(self, tasks: list[tuple[Tensor, Tensor, Tensor, list[str]]]) -> list[Tensor]:
        """Scores of several tasks, each (support_x, support_y, query_x, labels) -> (Q, N)."""
        prompts, labels, blank, blank_labels = [], [], [], []
        for support_x, support_y, query_x, words in tasks:
            xs, ys = self.shown(support_x, support_y, words)
            asked = [self.read(row) for row in query_x.tolist()]
            written = [self.write(xs, ys, text) for text in (*asked, *self.neutral)]
            mine = [prompt for prompt, _ in written]
            own = [fill(written[0][1], y=label) for label in words]
            prompts += mine[: len(asked)]
            blank += mine[len(asked) :]
            labels += [own] * len(asked)
            blank_labels += [own] * len(self.neutral)
        device = tasks[0][2].device  # the model may be elsewhere
        mean = {"per_token": True} if self.per_token else {}
        every = self.model.log_probs(prompts, labels, **mean).to(device)
        scores = every.split([len(query_x) for _, _, query_x, _ in tasks])
        if self.batch:
            shares = [score.log_softmax(-1) for score in scores]  # of the labels alone
            return [calibrated(share, share) for share in shares]
        if not self.neutral:
            return list(scores)
        empty = self.model.log_probs(blank, blank_labels, **mean).to(device)
        pairs = zip(scores, empty.split(len(self.neutral)), strict=True)
        return [calibrated(score, without) for score, without in pairs]

    def shown(self, support_x: Tensor, support_y: Tensor, words: list[str]):
        """The texts and the label words of the examples that the prompt shows."""
        shown = len(support_y) if self.shots is None else self.shots
        xs = [self.read(row) for row in support_x[:shown].tolist()]
        return xs, [word(words, number) for number in support_y[:shown].tolist()]

    def write(self, xs: Sequence[str], ys: Sequence[str], x: str) -> tuple[str, str]:
        """The prompt of a query, and the pattern of a label behind it."""
        form = self.template
        if not self.chat:
            return form.write(xs, ys, x), form.label
        turns = [
            (fill(form.query, x=one), fill(form.label, y=label).strip())
            for one, label in zip(xs, ys, strict=True)
        ]
        text, end = self.model.conversation(turns, fill(form.query, x=x), form.instruction)
        return text, form.label.strip() + end

    def settings(self) -> dict:
        """The template, the labels, how many examples are shown, and what calibrates."""
        return (
            super().settings()
            | asdict(self.template)
            | {"labels": self.labels, "shown": self.shots, "neutral": list(self.neutral)}
            | {"batch": self.batch, "chat": self.chat, "per_token": self.per_token}
        )


def calibrated(log_probs: Tensor, without_content: Tensor) -> Tensor:
    """Contextual calibration: log softmax of log(p / p_cf), with p_cf the mean over the queries
    without content.

    Zhao et al. 2021, section 5, take softmax(W p) with W = diag(p_cf)^-1 and b = 0. Here W p is
    divided by its sum instead: the same answers, and probabilities of 1 and 0 stay what they are.
    Like their code, p_cf is averaged first and normalised over the labels then.

    Args:
        log_probs: (Q, N).   without_content: (C, N).
    """
    return (log_probs - without_content.logsumexp(0)).log_softmax(
        -1
    )  # the factors that normalise p and p_cf cancel


def checked(labels: Sequence[str], template: Template) -> list[str]:
    """The labels as a list, once they are known to be usable.

    Raises:
        ValueError: they are one text, fewer than two, empty, two are the same, or one has a space
            where the template has one or where none belongs.
    """
    if isinstance(labels, str):
        raise ValueError(f"labels={labels!r} is one text: give a list with a word for each class")
    labels = list(labels)
    if len(labels) < 2:
        raise ValueError(f"labels={labels}: a task needs at least 2")
    if empty := [i for i, label in enumerate(labels) if not label.strip()]:
        raise ValueError(f"label {empty[0]} is empty: give every class a word")
    if len(set(labels)) < len(labels):
        raise ValueError(f"labels={labels}: two classes have the same word")
    for label in labels:
        if label[-1].isspace() or (
            label[0].isspace() and " {y}" in template.example + template.label
        ):
            raise ValueError(
                f"label {label!r}: write {label.strip()!r}, the space before it is part of the "
                "template"
            )
    return labels


def word(labels: list[str], number: int) -> str:
    if not 0 <= number < len(labels):
        raise ValueError(
            f"an example is of class {number}, and there are labels for {len(labels)} classes: "
            "give one a class"
        )
    return labels[number]
