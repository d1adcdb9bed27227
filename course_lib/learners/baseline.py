"""Plain transfer: learn to tell many classes apart, keep the embedding, and train a new last layer
for each task.

`Baseline` and `BaselinePlusPlus` are those of Chen et al. 2019, "A Closer Look at Few-shot
Classification"; `MetaBaseline` is that of Chen et al. 2021: the same pretraining, then episodes
with a learned scale.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.episodes import Episode, at_least_one
from course_lib.learners.metric import MetricLearner, one_hot
from course_lib.learners.prototypical import cosine, positive, prototypes
from course_lib.networks.small import seeded

HEAD = {
    "lr": 0.01,
    "momentum": 0.9,
    "dampening": 0.9,
    "weight_decay": 1e-3,
}  # SGD of the new head, as in the authors' code


class Baseline(MetricLearner):
    """Pretrain f as a classifier of all base classes; in a task keep f as it is and train a new
    linear layer on the support embeddings.

    The outer loss is the cross-entropy of support and query items alike over the base classes,
    whose numbers every picture family gives as ``names["classes"]``. So the same outer loop trains
    it, and the make-up of an episode does not matter to it.

    The head of a task: SGD with `HEAD`, as in Chen et al. 2019. They draw batches of 4 for 100
    epochs and start from random weights; here each of the ``steps`` takes the whole support set,
    and the head starts from zero. The answer then depends on neither luck nor the numbering of the
    classes, and the heads of all tasks are trained side by side. No gradient goes through it to f.

    Args:
        encoder: f, (n, ...) -> (n, d).
        classes: how many base classes there are: ``family.classes``.
        features: d.
        steps: how many steps the head of a task is trained for.
        seed: makes the starting weights of the pretraining classifier repeatable without touching
            torch's global seed.

    Raises:
        ValueError: a count is below 1, or ``features`` does not fit the encoder.
    """

    def __init__(
        self,
        encoder: nn.Module,
        classes: int,
        features: int = 64,
        *,
        steps: int = 100,
        seed: int | None = None,
    ):
        super().__init__(encoder)
        at_least_one(classes=classes, features=features, steps=steps)
        self.classes, self.features, self.steps = classes, features, steps
        with seeded(seed):
            self.classifier = self.make_classifier()

    def make_classifier(self) -> nn.Module:
        """The last layer of the pretraining."""
        return nn.Linear(self.features, self.classes)

    def base_logits(self, f: Tensor) -> Tensor:
        """Logits of the base classes: (..., d) -> (..., classes)."""
        return self.classifier(f)

    def outer_loss(self, episode: Episode) -> Tensor:
        """Cross-entropy of all items over the base classes: a scalar.

        Raises:
            ValueError: the episode does not say which base classes it is made of, or there are more
                of them than ``classes``.
        """
        if "classes" not in episode.names:
            raise ValueError(
                'the episode has no names["classes"]: pretraining needs a family of pictures, '
                "which tells each item's base class"
            )
        y = torch.cat([episode.support_y, episode.query_y], dim=1)
        base = episode.names["classes"].gather(1, y).flatten()
        if (largest := int(base.max())) >= self.classes:
            raise ValueError(
                f"classes={self.classes}, and an item is of base class {largest}: set classes to "
                "the family's"
            )
        f = torch.cat(self.embed(episode), dim=1).flatten(0, 1)
        return F.cross_entropy(self.base_logits(self.fitting(f)), base)

    def fitting(self, f: Tensor) -> Tensor:
        """The embeddings themselves, once they have d numbers."""
        if f.shape[-1] != self.features:
            raise ValueError(
                f"features={self.features}, but the encoder gives {f.shape[-1]} numbers: set "
                f"features={f.shape[-1]}"
            )
        return f

    def compare(self, support: Tensor, support_y: Tensor, query: Tensor) -> Tensor:
        head = train_head(
            self.task_logits,
            self.new_head(self.fitting(support).detach(), support_y),
            support.detach(),
            support_y,
            self.steps,
        )
        return self.task_logits(query, *head)

    def new_head(self, support: Tensor, support_y: Tensor) -> tuple[Tensor, ...]:
        """What a head starts from: weights (T, N, d) and biases (T, N), all zero."""
        weight = support.new_zeros(len(support), one_hot(support_y).shape[-1], support.shape[-1])
        return weight, weight[..., 0].clone()

    def task_logits(self, f: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """The head of each task on its own items: (T, n, d) -> (T, n, N)."""
        return f @ weight.mT + bias[:, None]

    def settings(self) -> dict:
        return super().settings() | {
            "base_classes": self.classes,
            "head": HEAD,
            "head_steps": self.steps,
        }


class BaselinePlusPlus(Baseline):
    """As `Baseline`, with cosines in both classifiers: the logit of a class is scale * cos(f(x),
    w_class).

    A class is then a direction, and embeddings of one class have to point one way. The weight
    vectors of a task's head all start as the mean direction of its support set; in the paper they
    are random. The authors' code also learns a length for each w, which is left out here.

    Args:
        scale: factor in front of the cosines of the base classes; 10 in the authors' code where
            there are more than 200 of them.
        head_scale: the same in the head of a task; 2 in their code.
        The rest as in `Baseline`.

    Raises:
        ValueError: a count is below 1, a scale is not above 0, or ``features`` does not fit the
            encoder.
    """

    def __init__(
        self,
        encoder,
        classes: int,
        features: int = 64,
        *,
        scale: float = 10.0,
        head_scale: float = 2.0,
        steps: int = 100,
        seed: int | None = None,
    ):
        super().__init__(encoder, classes, features, steps=steps, seed=seed)
        self.scale, self.head_scale = positive(scale), positive(head_scale)

    def make_classifier(self) -> nn.Module:
        return nn.Linear(self.features, self.classes, bias=False)

    def base_logits(self, f: Tensor) -> Tensor:
        return self.scale * F.linear(
            F.normalize(f, dim=-1), F.normalize(self.classifier.weight, dim=-1)
        )

    def new_head(self, support: Tensor, support_y: Tensor) -> tuple[Tensor, ...]:
        mean = F.normalize(support, dim=-1).mean(1, keepdim=True)
        return (F.normalize(mean, dim=-1).repeat(1, one_hot(support_y).shape[-1], 1),)

    def task_logits(self, f: Tensor, weight: Tensor) -> Tensor:
        return self.head_scale * cosine(f, weight)

    def settings(self) -> dict:
        return super().settings() | {"scale": self.scale, "head_scale": self.head_scale}


class MetaBaseline(MetricLearner):
    """The logit of a class is tau * cos(f(x), c_n), with prototypes c_n and a learned scale tau
    (Chen et al. 2021, section 3.2).

    It is meant to start from the f of a classifier of all base classes: `after`. Without episodes
    afterwards it is what the paper calls Classifier-Baseline, to whose answers tau is nothing.

    Args:
        encoder: f, (n, ...) -> (n, d).
        tau: where the scale starts; 10 in the paper.

    Raises:
        ValueError: tau is not above 0.
    """

    def __init__(self, encoder: nn.Module, tau: float = 10.0):
        super().__init__(encoder)
        self.tau = nn.Parameter(torch.tensor(positive(tau)))

    @classmethod
    def after(cls, pretrained: MetricLearner, tau: float = 10.0) -> "MetaBaseline":
        """One that starts from a copy of the f of a trained learner, such as a `Baseline`, which is
        left as it is."""
        return cls(copy.deepcopy(pretrained.encoder), tau)

    def compare(self, support: Tensor, support_y: Tensor, query: Tensor) -> Tensor:
        return self.tau * cosine(query, prototypes(support, support_y))


def train_head(
    logits_of, start: tuple[Tensor, ...], support: Tensor, support_y: Tensor, steps: int
) -> list[Tensor]:
    """SGD with `HEAD` on the heads of T tasks side by side; works under ``torch.no_grad()`` too.

    The losses of the tasks are added up. A head appears in its own task's loss only, so each gets
    its own gradient.

    Args:
        logits_of: (embeddings (T, S, d), *head) -> (T, S, N).   start: the tensors of the head to
            start from.
        support: (T, S, d), with no graph behind it.   support_y: (T, S).

    Returns:
        The trained tensors of the head, with no graph behind them.
    """
    head = [tensor.clone().requires_grad_() for tensor in start]
    optimizer = torch.optim.SGD(head, **HEAD)
    for _ in range(steps):
        with torch.enable_grad():
            loss = F.cross_entropy(
                logits_of(support, *head).flatten(0, 1), support_y.flatten()
            ) * len(support)
        for tensor, gradient in zip(head, torch.autograd.grad(loss, head), strict=True):
            tensor.grad = gradient
        optimizer.step()
    return [tensor.detach() for tensor in head]
