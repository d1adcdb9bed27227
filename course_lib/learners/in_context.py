"""In-context learning of the small language model: the support set stands in the prompt, and no
weight changes.

`InContext` takes the model as it is. `InContextTuning` trains it before, over many tasks, to read
examples.
"""

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.episodes import Episode, at_least_one
from course_lib.language_models.tiny_gpt import TinyGPT
from course_lib.learners.base import Learner
from course_lib.learners.token_prompts import at, label_ids, labels_of, prompts

AT_ONCE = 256  # prompts that run through the model together


class InContext(Learner):
    """The logit of a class is the score of its label word as the next token after the prompt (Brown
    et al. 2020).

    Args:
        model: a `TinyGPT`, or any function of token ids (B, L) -> scores (B, L, V) of the next
            token. It is shared and stays as it is.
        shots: show the first so many support examples; None shows all, with 0 the prompt holds the
            query alone.
        labels: the label word of each class. None: each task brings its own,
            ``episode.names["labels"]`` (T, N) of token ids.
        form: how the prompts are written, see `token_prompts.prompts`.

    Raises:
        ValueError: the labels are unknown, fewer than 2, or not single words; a task has fewer
            examples than ``shots``.
    """

    loss_fn = staticmethod(F.cross_entropy)

    def __init__(
        self, model: Callable[[Tensor], Tensor], shots: int | None = None, *, labels=None, **form
    ):
        super().__init__()
        self.model, self.shots, self.form = model, shots, form
        self.labels = None if labels is None else label_ids(labels, self.device)

    @property
    def device(self) -> torch.device:
        weights = next(self.parameters(), None)
        return torch.device("cpu") if weights is None else weights.device

    def next_scores(self, episode: Episode, labels: Tensor) -> Tensor:
        """Scores of the token after each prompt: (T, Q, V)."""
        tokens, place = prompts(episode, labels, self.shots, **self.form)
        rows, places = tokens.flatten(0, 1).split(AT_ONCE), place.flatten().split(AT_ONCE)
        found = [at(self.model(row), spot) for row, spot in zip(rows, places, strict=True)]
        return torch.cat(found).unflatten(0, place.shape)

    def forward(self, episode: Episode) -> Tensor:
        """All tasks of an episode: (T, Q, N)."""
        labels = labels_of(episode, self.labels)
        scores = self.next_scores(episode, labels)
        return scores.gather(2, labels[:, None].expand(-1, scores.shape[1], -1))

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor, labels=None) -> Tensor:
        """One task: (S, l) token ids, (S,) classes and (Q, l) token ids -> (Q, N).

        Args:
            labels: the label word of each class, as a word or a token id; None takes the learner's.
        """
        return self(one_task(support_x, support_y, query_x, labels, self.labels))[0]

    def settings(self) -> dict:
        about = {"model": str(getattr(self.model, "size", "")), "shots": self.shots}
        return super().settings() | about | self.form


def one_task(support_x: Tensor, support_y: Tensor, query_x: Tensor, labels, own) -> Episode:
    """An episode of one task, with its label words: those given, or else the learner's own."""
    words = own if labels is None and own is not None else label_ids(labels, query_x.device)
    unknown = query_x.new_zeros(1, len(query_x))  # the answers, which no learner looks at
    four = support_x[None], support_y[None], query_x[None], unknown
    return Episode(*four, names={"labels": words[None]})


class InContextTuning(InContext):
    """Trains the model, over many tasks, to read examples: the loss is that of the answer to a
    prompt with the support set in it.

    Chen et al. 2022, and MetaICL (Min et al. 2022), equation in section 3.1: log p(y_q | x_1, y_1,
    ..., x_k, y_k, x_q). `meta_train` trains it. A new task then costs no gradient step. The learner
    has a copy of the model, and the one given stays as it is.

    Raises:
        ValueError: ``shots`` is below 1, or see `InContext`.
    """

    def __init__(self, model: TinyGPT, shots: int | None = None, *, labels=None):
        if shots is not None:
            at_least_one(shots=shots)
        super().__init__(copy.deepcopy(model), shots, labels=labels)

    def outer_loss(self, episode: Episode) -> Tensor:
        """The cross-entropy of the queries' label words, over the full vocabulary."""
        labels = labels_of(episode, self.labels)
        scores = self.next_scores(episode, labels)
        return self.loss_fn(scores.flatten(0, 1), labels.gather(1, episode.query_y).flatten())

    def trainable(self, ways: int = 2) -> int:
        """How many numbers a task trains: none. All weights were trained before, over many
        tasks."""
        return 0
