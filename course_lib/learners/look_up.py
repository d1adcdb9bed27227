"""The nearest example among words: what a frozen embedding alone is worth, without any reading."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.episodes import Episode
from course_lib.learners.base import Learner
from course_lib.learners.in_context import one_task
from course_lib.learners.nearest import nearest


class LookUp(Learner):
    """A query gets the class of the example whose words lie nearest to its own.

    Each word is its row of the embedding, of length one; an item of several words is all of them
    side by side. For items of one word, nearest means: of the largest cosine.

    Args:
        embedding: (V, W), such as ``model.embedding.weight``; it is not trained.
        features: another way to make one vector of an item's words, (..., l, W) -> (..., D).
        shots: look among the first so many examples; None looks among all.
        ways: how many classes, where the tasks do not bring a label word for each.
    """

    loss_fn = staticmethod(F.cross_entropy)

    def __init__(
        self,
        embedding: Tensor,
        features: Callable[[Tensor], Tensor] | None = None,
        shots: int | None = None,
        ways: int = 2,
    ):
        super().__init__()
        self.register_buffer("words", F.normalize(embedding.detach(), dim=-1), persistent=False)
        self.features = features or (lambda words: words.flatten(-2))
        self.shots, self.ways = shots, ways

    def forward(self, episode: Episode) -> Tensor:
        """All tasks: minus the distance to the nearest example of each class, (T, Q, N). A class
        without an example has -inf."""
        y = episode.support_y[:, : self.shots]
        ways = episode.names["labels"].shape[1] if "labels" in episode.names else self.ways
        queries = self.features(self.words[episode.query_x])
        if not y.shape[1]:
            return queries.new_zeros(*queries.shape[:2], ways)
        examples = self.features(self.words[episode.support_x[:, : self.shots]])
        return nearest(torch.cdist(queries, examples), y, ways)

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor, labels=None) -> Tensor:
        """One task: (S, l) token ids, (S,) classes and (Q, l) token ids -> (Q, N)."""
        labels = range(self.ways) if labels is None else labels
        return self(one_task(support_x, support_y, query_x, labels, None))[0]

    def settings(self) -> dict:
        return super().settings() | {"words": list(self.words.shape), "shots": self.shots}
