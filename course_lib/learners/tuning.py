"""Five ways to fit a trained language model to tasks: what they train, from which start. What they share stands in tuned.py.

`SoftPrompt`, `LoRA`, `Adapter` and `FineTune` learn one task each from its examples. `InContextTuning` is trained over many tasks, and
then reads the examples of a new one in its prompt.
"""

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from course_lib.episodes import Episode, at_least_one
from course_lib.language_models.tiny_gpt import TinyGPT
from course_lib.learners.base import Learner
from course_lib.learners.tuned import Parts, Tuned
from course_lib.learners.tuned_parts import (
    at,
    behind,
    finite_above_0,
    fitting,
    label_ids,
    labels_of,
    next_token,
    prompts,
)

SHORT = 4  # tokens: the questions of tuning, such as "dog :", are as short as this


class SoftPrompt(Tuned):
    """Trains ``length`` vectors that stand before the tokens, as if they were embedded words (Lester et al. 2021).

    They start as the embeddings of the label words, and after those of words drawn at random from the vocabulary: their "class label"
    initialisation, section 3.2. Unlike there, the optimiser is Adam. The starting model is the frozen one behind a prompt of a few words.
    """

    def __init__(
        self,
        model: TinyGPT,
        length: int = 20,
        *,
        steps: int = 100,
        lr: float = 0.03,
        labels=None,
        seed: int = 0,
    ):
        super().__init__(model, steps=steps, lr=lr, labels=labels, seed=seed)
        at_least_one(length=length)
        self.length = length

    def start(self, labels, draw):
        words = (
            draw(self.model.size.words - 1).argsort() + 1
        )  # all but 0, the filling, in random order
        ids = torch.cat([labels, words[~torch.isin(words, labels)]])
        while len(ids) < self.length:
            ids = torch.cat([ids, words])
        return {"vectors": self.model.embedding.weight[ids[: self.length]]}

    def scores(self, parts, tokens):
        if tokens.shape[1] <= SHORT:
            return behind(self.model, parts["vectors"], tokens)
        return self.model(tokens, soft_prompt=parts["vectors"])

    def settings(self) -> dict:
        return super().settings() | {"length": self.length}


class LoRA(Tuned):
    """Trains a product of two thin matrices for each query and value projection: W = W0 + (a / r) B A (Hu et al. 2022, equation 3).

    A (r, width) starts from normal numbers, B (width, r) from 0, so that the start is the frozen model. Here B A is added to W0 and the
    model runs with the sum: in use it costs no more than before.

    Args:
        rank: r.   a: the constant in front, which they call alpha; None sets it to the rank, so that the factor is 1.
    """

    def __init__(
        self,
        model: TinyGPT,
        rank: int = 4,
        *,
        a: float | None = None,
        steps: int = 100,
        lr: float = 0.01,
        labels=None,
        seed: int = 0,
    ):
        super().__init__(model, steps=steps, lr=lr, labels=labels, seed=seed)
        at_least_one(rank=rank)
        self.rank, self.a = rank, float(rank) if a is None else a
        finite_above_0(a=self.a)
        self.changed = [
            f"blocks.{i}.attention.{name}" for i in range(model.size.layers) for name in ("q", "v")
        ]

    def start(self, labels, draw):
        width, parts = self.model.size.width, {}
        for name in self.changed:
            parts[f"{name}.A"] = draw(self.rank, width) / width**0.5
            parts[f"{name}.B"] = torch.zeros_like(parts[f"{name}.A"]).T
        return parts

    def merged(self, parts: Parts) -> Parts:
        """The changed weights of the model, by name: W0 + (a / r) B A."""
        return {
            f"{n}.weight": self.model.get_parameter(f"{n}.weight")
            + self.a / self.rank * parts[f"{n}.B"] @ parts[f"{n}.A"]
            for n in self.changed
        }

    def scores(self, parts, tokens):
        return functional_call(self.model, self.merged(parts), (tokens,))

    def settings(self) -> dict:
        return super().settings() | {"rank": self.rank, "a": self.a}


class Adapter(Tuned):
    """Trains small networks with a bottleneck, h + up(gelu(down(h))), behind attention and feed-forward part of each block.

    Houlsby et al. 2019, section 2.1: what goes into h is what the part is about to add. They start both matrices near 0; here ``up``
    starts at 0, so that the start is the frozen model. They train the norms of the model too, which here stay.

    Args:
        size: how many numbers the bottleneck lets through.
    """

    def __init__(
        self,
        model: TinyGPT,
        size: int = 8,
        *,
        steps: int = 100,
        lr: float = 0.01,
        labels=None,
        seed: int = 0,
    ):
        super().__init__(model, steps=steps, lr=lr, labels=labels, seed=seed)
        at_least_one(size=size)
        self.size = size

    def start(self, labels, draw):
        width, parts = self.model.size.width, {}
        for place in (
            f"{i}.{part}"
            for i in range(self.model.size.layers)
            for part in ("attention", "feed_forward")
        ):
            down = draw(self.size, width) / width**0.5
            parts |= {f"{place}.down": down, f"{place}.down_bias": torch.zeros_like(down[:, 0])}
            parts |= {
                f"{place}.up": torch.zeros_like(down).T,
                f"{place}.up_bias": torch.zeros_like(down[0]),
            }
        return parts

    def scores(self, parts, tokens):
        def change(place: str, h: Tensor) -> Tensor:
            inside = F.gelu(F.linear(h, parts[f"{place}.down"], parts[f"{place}.down_bias"]))
            return h + F.linear(inside, parts[f"{place}.up"], parts[f"{place}.up_bias"])

        return next_token(self.body(tokens, change), self.model.embedding.weight)

    def settings(self) -> dict:
        return super().settings() | {"size": self.size}


class FineTune(Tuned):
    """Trains all weights of a copy of the model.

    Args:
        head: "prompt": the answer is the label word as the next token, as in pretraining (Schick and Schuetze 2021; Gao et al. 2021).
            "new": a linear layer from the last hidden vector to the classes, from small random numbers, with the cross-entropy over
            the classes. The label words then play no part, only their number does.

    Raises:
        ValueError: there is no such head.
    """

    def __init__(
        self,
        model: TinyGPT,
        head: str = "prompt",
        *,
        steps: int = 50,
        lr: float = 1e-3,
        labels=None,
        seed: int = 0,
    ):
        super().__init__(model, steps=steps, lr=lr, labels=labels, seed=seed)
        if head not in ("prompt", "new"):
            raise ValueError(f"head={head!r}: choose 'prompt' or 'new'")
        self.head = head

    def start(self, labels, draw):
        weights = dict(self.body.named_parameters())
        if self.head == "new":
            weights["head.weight"] = (
                draw(len(labels), self.model.size.width) / self.model.size.width**0.5
            )
            weights["head.bias"] = torch.zeros_like(weights["head.weight"][:, 0])
        return weights

    def hidden(self, parts: Parts, tokens: Tensor) -> Tensor:
        """The last hidden vectors with the trained weights: (B, L) -> (B, L, W)."""
        return functional_call(
            self.body,
            {name: part for name, part in parts.items() if name.startswith("model.")},
            (tokens,),
        )

    def scores(self, parts, tokens):
        return next_token(self.hidden(parts, tokens), parts["model.embedding.weight"])

    def loss(self, parts, tokens, place, y, labels):
        if self.head == "prompt":
            return super().loss(parts, tokens, place, y, labels)
        return F.cross_entropy(self.logits(parts, tokens, place, labels), y)

    def logits(self, parts, tokens, place, labels):
        if self.head == "prompt":
            return super().logits(parts, tokens, place, labels)
        return F.linear(
            at(self.hidden(parts, tokens), place), parts["head.weight"], parts["head.bias"]
        )

    def settings(self) -> dict:
        return super().settings() | {"head": self.head}


class InContextTuning(Learner):
    """Trains the model, over many tasks, to read examples: the loss is that of the answer to a prompt with the support set in it.

    Chen et al. 2022, and MetaICL (Min et al. 2022), equation in section 3.1: log p(y_q | x_1, y_1, ..., x_k, y_k, x_q). `meta_train` trains it.
    A new task then costs no gradient step. The learner has a copy of the model, and the one given stays as it is.

    Args:
        labels: the label word of each class. None: each task brings its own, ``episode.hidden["labels"]`` (T, N) of token ids.
        shots: show the first so many support items only; None shows all.

    Raises:
        ValueError: ``shots`` is below 1, or the labels are unknown, fewer than 2, or not single words.
    """

    loss_fn = staticmethod(F.cross_entropy)

    def __init__(self, model: TinyGPT, *, labels=None, shots: int | None = None):
        super().__init__()
        if shots is not None:
            at_least_one(shots=shots)
        self.model, self.shots = copy.deepcopy(model), shots
        self.labels = None if labels is None else label_ids(labels, self.device)

    @property
    def device(self) -> torch.device:
        return self.model.embedding.weight.device

    def next_scores(
        self, support_x: Tensor, support_y: Tensor, query_x: Tensor, labels: Tensor
    ) -> Tensor:
        """T tasks -> scores (T, Q, V) of the token after each prompt."""
        fitting(support_x, support_y, labels)
        tokens, place = prompts(
            support_x[:, : self.shots], support_y[:, : self.shots], query_x, labels
        )
        return at(self.model(tokens.flatten(0, 1)), place.flatten()).unflatten(0, place.shape)

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor, labels=None) -> Tensor:
        """One task: see `Tuned.predict`."""
        labels = (
            self.labels
            if labels is None and self.labels is not None
            else label_ids(labels, self.device)
        )
        return self.next_scores(support_x[None], support_y[None], query_x[None], labels[None])[0][
            :, labels
        ]

    def forward(self, episode: Episode) -> Tensor:
        labels = labels_of(episode, self.labels, self.device)
        scores = self.next_scores(episode.support_x, episode.support_y, episode.query_x, labels)
        return scores.gather(2, labels[:, None].expand(-1, scores.shape[1], -1))

    def outer_loss(self, episode: Episode) -> Tensor:
        """The cross-entropy of the queries' label words, over the full vocabulary."""
        labels = labels_of(episode, self.labels, self.device)
        scores = self.next_scores(episode.support_x, episode.support_y, episode.query_x, labels)
        return self.loss_fn(scores.flatten(0, 1), labels.gather(1, episode.query_y).flatten())

    def after(
        self, support_x: Tensor, support_y: Tensor, labels: Tensor
    ) -> Callable[[Tensor], Tensor]:
        """The language model that answers: the same for every task."""
        return self.model

    def trainable(self, ways: int = 2) -> int:
        """How many numbers a task trains: none. All weights were trained before, over many tasks."""
        return 0

    def settings(self) -> dict:
        return super().settings() | {"model": str(self.model.size), "shots": self.shots}
