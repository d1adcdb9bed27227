"""Matching networks (Vinyals et al. 2016): attention over the support set votes for the classes."""

import torch
from torch import Tensor, nn

from course_lib.episodes import at_least_one
from course_lib.learners.metric import MetricLearner, one_hot
from course_lib.learners.prototypical import cosine, positive
from course_lib.networks.small import seeded


class Matching(MetricLearner):
    """P(class | query) = the attention that falls on its support examples; attention is a softmax
    of cosines (equations 1 and 2).

    The logits are log P. With ``full_context`` the embeddings see the whole support set
    (`FullContext`); the answer then depends on the order of the support set, because an LSTM reads
    it.

    Args:
        encoder: f, (n, ...) -> (n, d).
        full_context: let every embedding depend on the whole support set.
        scale: factor in front of the cosine. The paper has none, that is 1, which keeps the
            attention nearly even and learns slowly.
        features, steps, seed: of `FullContext`; not used without it. features is d.

    Raises:
        ValueError: a count is below 1, the scale is not above 0, or ``features`` does not fit the
            encoder.
    """

    def __init__(
        self,
        encoder,
        full_context: bool = False,
        scale: float = 10.0,
        features: int = 64,
        steps: int = 3,
        seed: int | None = None,
    ):
        super().__init__(encoder)
        self.scale = positive(scale)
        self.context = FullContext(features, steps, seed) if full_context else None

    def attention(self, support: Tensor, query: Tensor) -> Tensor:
        """How each query spreads its attention over the support set: (T, S, d) and (T, Q, d) -> (T,
        Q, S), each row sums to 1."""
        if self.context is not None:
            support, query = self.context(support, query)
        return (self.scale * cosine(query, support)).softmax(-1)

    def compare(self, support: Tensor, support_y: Tensor, query: Tensor) -> Tensor:
        attention = self.attention(support, query)
        votes = attention @ one_hot(support_y).to(attention.dtype)
        return votes.clamp(min=torch.finfo(votes.dtype).tiny).log()

    def settings(self) -> dict:
        steps = self.context.steps if self.context is not None else None
        return super().settings() | {
            "full_context": self.context is not None,
            "scale": self.scale,
            "steps": steps,
        }


class FullContext(nn.Module):
    """Full-context embeddings (Vinyals et al. 2016, appendix A): support and query embeddings that
    have seen the support set.

    g: a bidirectional LSTM reads the support embeddings in their order, and what it says is added
        to each of them.
    f: an LSTM looks at the support set ``steps`` times; each time attention gives it r, the mean of
        g that it looks at, to read (equations 3 to 6, which leave open what it starts from: here
        the query's own embedding).

    Args:
        features: d, length of an embedding.   steps: how many times f looks.
        seed: makes the starting weights repeatable without touching torch's global seed.
    """

    def __init__(self, features: int, steps: int = 3, seed: int | None = None):
        super().__init__()
        at_least_one(features=features, steps=steps)
        self.features, self.steps = features, steps
        with seeded(seed):
            self.both_ways = nn.LSTM(features, features, bidirectional=True, batch_first=True)
            self.reader = nn.LSTMCell(2 * features, features)

    def forward(self, support: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
        """(T, S, d) and (T, Q, d) -> the same shapes."""
        if support.shape[-1] != self.features:
            raise ValueError(
                f"features={self.features}, but the encoder gives {support.shape[-1]} numbers: "
                f"set features={support.shape[-1]}"
            )
        there, back = self.both_ways(support)[0].chunk(2, dim=-1)
        g = support + there + back
        x = query.flatten(0, 1)
        h, c = x, torch.zeros_like(x)
        for _ in range(self.steps):
            looks_at = (h.view_as(query) @ g.mT).softmax(-1)
            r = (looks_at @ g).flatten(0, 1)
            h, c = self.reader(torch.cat([x, r], dim=-1), (h, c))
            h = h + x
        return g, h.view_as(query)
