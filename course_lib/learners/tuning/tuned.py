"""Tuning, what all its methods share: a trained language model, the examples of one task, and
numbers to train.

All train on the support set, as pairs of a prompt ``word :`` and its label word, and answer the
queries with prompts of the same form. The loss is the cross-entropy of the answer over the full
vocabulary, so the model also has to learn which words are labels. The model that they start from
never changes: the trained numbers are kept beside it.
"""

import math
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import vmap

from course_lib.episodes import Episode, at_least_one
from course_lib.language_models.tiny_gpt import TinyGPT
from course_lib.learners.base import Learner
from course_lib.learners.in_context import one_task
from course_lib.learners.token_prompts import at, fits, label_ids, labels_of, questions

Parts = dict[str, Tensor]  # what a task trains, by name
SIDE_BY_SIDE = 10  # tasks trained at a time


class Tuned(Learner):
    """What the tuning methods share: Adam with a constant rate, every step on the whole support
    set.

    Tasks are trained side by side. Adam works number by number, so each task goes the way that it
    would go alone.

    Args:
        model: the trained model. It is shared and stays as it is.
        steps, lr: of Adam.
        labels: the label word of each class. None: each task brings its own,
            ``episode.names["labels"]`` (T, N) of token ids.
        seed: of what starts at random; every task starts from the same numbers.

    Raises:
        ValueError: a setting is out of range, or the labels are unknown, fewer than 2, or not
            single words.
    """

    loss_fn = staticmethod(F.cross_entropy)

    def __init__(self, model: TinyGPT, *, steps: int, lr: float, labels=None, seed: int = 0):
        super().__init__()
        at_least_one(steps=steps)
        finite_above_0(lr=lr)
        self.model, self.steps, self.lr, self.seed = model, steps, lr, seed
        self.labels = None if labels is None else label_ids(labels, self.device)

    @property
    def device(self) -> torch.device:
        return self.model.embedding.weight.device

    def start(self, labels: Tensor, draw: Callable[..., Tensor]) -> Parts:
        """What a task with the label words ``labels`` (N,) starts to train. ``draw(rows, columns)``
        gives normal numbers."""
        raise NotImplementedError

    def scores(self, parts: Parts, tokens: Tensor) -> Tensor:
        """The model with the parts in place: tokens (B, L) -> scores (B, L, V) of the next
        token."""
        raise NotImplementedError

    def loss(
        self, parts: Parts, tokens: Tensor, place: Tensor, y: Tensor, labels: Tensor
    ) -> Tensor:
        """Of one task: prompts (S, L) with the answer at ``place`` (S,), classes y (S,), label
        words (N,)."""
        return F.cross_entropy(at(self.scores(parts, tokens), place), labels[y])

    def logits(self, parts: Parts, tokens: Tensor, place: Tensor, labels: Tensor) -> Tensor:
        """Of one task: (Q, N), the scores of the label words as the next token."""
        return at(self.scores(parts, tokens), place)[:, labels]

    def adapt(self, support_x: Tensor, support_y: Tensor, labels: Tensor) -> Parts:
        """Train on T support sets side by side: (T, S, l), (T, S), label words (T, N) -> parts,
        each with T in front.

        Raises:
            ValueError: a support set is empty or does not fit the labels, the prompts are too long,
                or the loss is no longer finite.
        """
        *_, (parts, _) = self.walk(support_x, support_y, labels)
        return parts

    def walk(
        self, support_x: Tensor, support_y: Tensor, labels: Tensor
    ) -> Iterator[tuple[Parts, Tensor | None]]:
        """As `adapt`, one step at a time: first the start with None, then after each step the parts
        and the loss (T,) that led there.

        The tensors are those that the next step changes: use them before you go on.
        """
        if support_y.numel() == 0:
            raise ValueError("the support set is empty: tuning needs at least 1 example")
        fits(support_x, support_y, labels)
        tokens, place = questions(support_x)
        starts = [self.start(one, self.drawing()) for one in labels]
        parts = {
            name: torch.stack([one[name] for one in starts]).detach().requires_grad_()
            for name in starts[0]
        }
        optimizer = torch.optim.Adam(parts.values(), lr=self.lr)
        now = {name: part.detach() for name, part in parts.items()}
        yield now, None
        for step in range(self.steps):
            with torch.enable_grad():
                loss = vmap(self.loss)(parts, tokens, place, support_y, labels)
                if not torch.isfinite(loss).all():
                    raise ValueError(
                        f"the loss of a task is no longer finite at step {step}: lower lr={self.lr}"
                    )
                gradients = torch.autograd.grad(loss.sum(), list(parts.values()))
            for part, gradient in zip(parts.values(), gradients, strict=True):
                part.grad = gradient
            optimizer.step()
            yield now, loss.detach()

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor, labels=None) -> Tensor:
        """One task: (S, l) token ids, (S,) classes and (Q, l) token ids -> (Q, N).

        Args:
            labels: the label word of each class, as a word or a token id; None takes the learner's.
        """
        return self(one_task(support_x, support_y, query_x, labels, self.labels))[0]

    def forward(self, episode: Episode) -> Tensor:
        """All tasks of an episode: (T, Q, N)."""
        return torch.cat([self.trained_on(part)(part) for part in episode.parts(SIDE_BY_SIDE)])

    def trained_on(self, episode: Episode) -> "Trained":
        """What is left after tuning on the support sets of these tasks: it answers their queries,
        and cannot be trained further."""
        labels = labels_of(episode, self.labels)
        return Trained(self, self.adapt(episode.support_x, episode.support_y, labels))

    def outer_loss(self, episode: Episode) -> Tensor:
        raise ValueError(
            f"{type(self).__name__} learns each task from the same start, so there is nothing to "
            "meta-train: use it as it is"
        )

    def trainable(self, ways: int = 2) -> int:
        """How many numbers a task with so many labels trains."""
        return sum(
            part.numel()
            for part in self.start(
                torch.arange(1, ways + 1, device=self.device), self.drawing()
            ).values()
        )

    def drawing(self) -> Callable[..., Tensor]:
        """A source of normal numbers on the model's device, the same ones whenever it is asked
        anew."""
        generator = torch.Generator().manual_seed(self.seed)
        return lambda *shape: torch.randn(shape, generator=generator).to(
            self.model.embedding.weight
        )

    def settings(self) -> dict:
        return super().settings() | {"steps": self.steps, "lr": self.lr, "seed": self.seed}


class Trained(Learner):
    """A tuning method after its training on some tasks. It answers these tasks, in their order,
    without a look at their examples.

    Args:
        tuned: the method.   parts: what each task trained, with tasks in front.
    """

    def __init__(self, tuned: Tuned, parts: Parts):
        super().__init__()
        self.tuned, self.parts = tuned, parts

    @torch.no_grad()
    def forward(self, episode: Episode) -> Tensor:
        """The tasks that it was trained on: (T, Q, N).

        Raises:
            ValueError: the episode has more or fewer tasks.
        """
        if any(len(part) != len(episode) for part in self.parts.values()):
            raise ValueError(
                f"an episode of {len(episode)} tasks, and others were trained on: ask with the "
                "same ones, in one batch"
            )
        labels = labels_of(episode, self.tuned.labels)
        return vmap(self.tuned.logits)(self.parts, *questions(episode.query_x), labels)

    def model_of(self, task: int) -> Callable[[Tensor], Tensor]:
        """The language model that one task has left behind: tokens (B, L) -> scores (B, L, V)."""
        own = {name: part[task] for name, part in self.parts.items()}
        return lambda tokens: self.tuned.scores(own, tokens)


def finite_above_0(**numbers: float) -> None:
    """Refuse settings that are not finite numbers above 0.

    Raises:
        ValueError: names the setting.
    """
    for name, number in numbers.items():
        if not (math.isfinite(number) and number > 0):
            raise ValueError(f"{name}={number}: it must be a finite number above 0")
