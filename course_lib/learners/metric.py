"""What the metric learners share: an embedding f, and a comparison in its space instead of
adaptation."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.episodes import Episode
from course_lib.learners.base import Learner


class MetricLearner(Learner):
    """Embed support and query items with the same network, then compare. A method overrides
    `compare`.

    While training, batch norm normalises with the whole batch of the episode; in eval mode with its
    running averages, so that each query is answered by itself. `evaluate` switches to eval mode.

    Args:
        encoder: f, (n, ...) -> (n, d).
    """

    loss_fn = staticmethod(F.cross_entropy)
    half = False

    def __init__(self, encoder: nn.Module):
        super().__init__()
        if not isinstance(encoder, nn.Module):
            raise ValueError(f"encoder {encoder!r}: give a network, such as conv4()")
        self.encoder = encoder

    def in_half(self) -> "MetricLearner":
        """Let f compute in bfloat16 while training: two to three times faster where the processor
        can, a little less exact.

        The weights stay as they are, and in eval mode nothing changes.
        """
        self.half = True
        self.encoder.to(
            memory_format=torch.channels_last
        )  # another order in memory, which this arithmetic likes better
        return self

    def compare(self, support: Tensor, support_y: Tensor, query: Tensor) -> Tensor:
        """Logits of the queries: embeddings (T, S, d), classes (T, S), embeddings (T, Q, d) -> (T,
        Q, N) for N classes."""
        raise NotImplementedError

    def forward(self, episode: Episode) -> Tensor:
        """All tasks of an episode, embedded in one batch: (T, Q, N)."""
        support, query = self.embed(episode)
        return self.compare(support, episode.support_y, query)

    def embed(self, episode: Episode) -> tuple[Tensor, Tensor]:
        """f of all support items (T, S, d) and of all query items (T, Q, d)."""
        x = torch.cat([episode.support_x, episode.query_x], dim=1)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.half and self.training):
            f = self.encoder(x.flatten(0, 1))
        # word ids are whole numbers; an encoder without weights of its own answers as it likes
        weights = next(self.encoder.parameters(), f)
        f = f.to((x if x.is_floating_point() else weights).dtype).view(*x.shape[:2], -1)
        return f.split([episode.support_x.shape[1], episode.query_x.shape[1]], dim=1)

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor) -> Tensor:
        """One task: see `Learner.predict`."""
        query_y = support_y.new_zeros(len(query_x))  # nobody looks at it
        return self(Episode(support_x[None], support_y[None], query_x[None], query_y[None]))[0]

    def settings(self) -> dict:
        return (
            super().settings()
            | {"network": str(self.encoder)}
            | ({"half": True} if self.half else {})
        )


def one_hot(support_y: Tensor) -> Tensor:
    """Classes (T, S) -> (T, S, N) zeros and ones, with N one more than the largest class.

    Raises:
        ValueError: a task has no support example of one of the classes.
    """
    ones = F.one_hot(support_y).to(torch.get_default_dtype())
    if not ones.any(dim=1).all():
        raise ValueError(
            "a class has no support example in one of the tasks: number the classes 0, 1, ..., N "
            "- 1 in every task"
        )
    return ones
