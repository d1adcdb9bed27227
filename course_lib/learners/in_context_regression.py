"""In-context learning of regressions: the support set is read as a sequence, and no weight changes
(Garg et al. 2022).

A small transformer reads x1, y1, x2, y2, ..., x_q and answers y_q. What the outer loop has put into
its weights is not an answer and not a start for gradient steps, but a way of reading examples.
"""

import torch
from torch import Tensor, nn

from course_lib.episodes import Episode, at_least_one
from course_lib.learners.base import Learner
from course_lib.networks.small import seeded

# how fast the head that forgets fastest loses sight of what is far back; each further head a
# quarter of it, the last not at all
STEEPEST = 3.0


class Layer(nn.Module):
    """One layer: every token gathers from the tokens it may see (attention), then each is worked on
    by itself.

    Args:
        width: numbers a token.   heads: in how many parts they are compared.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_mlp = nn.RMSNorm(width), nn.RMSNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.gather = nn.Linear(width, width, bias=False)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, tokens: Tensor, bias: Tensor) -> Tensor:
        """tokens (T, n, width), bias (heads, n, n) -> (T, n, width)."""
        tokens = tokens + self.gather(self.attend(self.before_attention(tokens), bias))
        return tokens + self.mlp(self.before_mlp(tokens))

    def attend(self, tokens: Tensor, bias: Tensor) -> Tensor:
        """softmax(q k / sqrt(width of a head) + bias) v, for all heads side by side: (T, n, width)
        -> (T, n, width)."""
        split = self.query_key_value(tokens).unflatten(
            -1, (3, self.heads, -1)
        )  # (T, n, 3, heads, width / heads)
        q, k, v = split.permute(2, 0, 3, 1, 4)  # each (T, heads, n, width / heads)
        weights = torch.softmax(q @ k.mT / q.shape[-1] ** 0.5 + bias, dim=-1)
        return (weights @ v).transpose(1, 2).flatten(2)


class InContextRegression(Learner):
    """A decoder-only transformer over x1, y1, x2, y2, ..., x_q (Garg et al. 2022, but much
    smaller).

    Args:
        dims: d, how many numbers x has.
        width: numbers a token, a multiple of ``heads``.   layers, heads: of the transformer.
        seed: makes the starting weights repeatable without touching torch's global seed.

    Raises:
        ValueError: a count is below 1, or the heads do not divide the width.
    """

    def __init__(
        self,
        dims: int = 4,
        *,
        width: int = 48,
        layers: int = 4,
        heads: int = 4,
        seed: int | None = None,
    ):
        super().__init__()
        at_least_one(dims=dims, width=width, layers=layers, heads=heads)
        if width % heads:
            raise ValueError(
                f"width={width}, heads={heads}: each head gets an equal part, so make the width a "
                f"multiple of {heads}"
            )
        self.dims, self.width = dims, width
        with seeded(seed):
            self.read_x, self.read_y = nn.Linear(dims, width), nn.Linear(1, width)
            self.blocks = nn.ModuleList(Layer(width, heads) for _ in range(layers))
            self.norm, self.answer = nn.RMSNorm(width), nn.Linear(width, 1)
        slopes = STEEPEST * 0.25 ** torch.arange(heads)
        slopes[-1] = 0.0
        self.register_buffer("slopes", slopes, persistent=False)

    def bias(self, shots: int, queries: int) -> Tensor:
        """What is added to the attention from token i to token j: (heads, n, n) for n = 2 shots +
        queries.

        Minus infinity where i must not see j: a token sees itself and what stands before it. All
        queries stand at the same place, the next after the support set, so none sees another. Else
        minus slope times distance (ALiBi, Press et al. 2022).
        """
        place = torch.arange(2 * shots + queries, device=self.slopes.device).clamp(max=2 * shots)
        distance = place[:, None] - place
        sees = (distance > 0) | torch.eye(len(place), dtype=torch.bool, device=place.device)
        return (-self.slopes[:, None, None] * distance).masked_fill(~sees, -torch.inf)

    def read(self, support_x: Tensor, support_y: Tensor, query_x: Tensor) -> tuple[Tensor, Tensor]:
        """One pass over the sequences of T tasks; the support set may be empty.

        Args:
            support_x: (T, S, d).   support_y: (T, S, 1).   query_x: (T, Q, d).

        Returns:
            The answer for each support x from the examples before it alone, (T, S, 1), and for the
            queries from all, (T, Q, 1).
        """
        if support_x.shape[-1] != self.dims:
            raise ValueError(
                f"x has {support_x.shape[-1]} numbers and dims={self.dims}: make them equal"
            )
        shots = support_x.shape[1]
        examples = torch.stack([self.read_x(support_x), self.read_y(support_y)], dim=2).flatten(
            1, 2
        )  # x1, y1, x2, y2, ...
        tokens, bias = (
            torch.cat([examples, self.read_x(query_x)], dim=1),
            self.bias(shots, query_x.shape[1]),
        )
        for block in self.blocks:
            tokens = block(tokens, bias)
        answers = self.answer(self.norm(tokens))
        return answers[:, : 2 * shots : 2], answers[:, 2 * shots :]

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor) -> Tensor:
        """One task: see `Learner.predict`."""
        return self.read(support_x[None], support_y[None], query_x[None])[1][0]

    def forward(self, episode: Episode) -> Tensor:
        return self.read(episode.support_x, episode.support_y, episode.query_x)[1]

    def outer_loss(self, episode: Episode) -> Tensor:
        """Mean squared error of the next y at every place of the sequence: after 0, 1, ..., S
        examples at once."""
        targets = torch.cat([episode.support_y, episode.query_y], dim=1)
        answers = torch.cat(self.read(episode.support_x, episode.support_y, episode.query_x), dim=1)
        return self.loss_fn(answers, targets)

    def settings(self) -> dict:
        return super().settings() | {"network": str(self.blocks), "slopes": self.slopes.tolist()}


def linear_attention(support_x: Tensor, support_y: Tensor, query_x: Tensor, eta: float) -> Tensor:
    """eta * sum_i y_i (x_i . x_q): attention without a softmax, with keys x_i, values y_i and query
    x_q.

    It is also one step of gradient descent: from w = 0, on the loss sum_i (w . x_i - y_i)^2 / 2, a
    step of size eta leads to w = eta * sum_i y_i x_i, whose answer is w . x_q (von Oswald et al.
    2023). With the mean of the squares as the loss the same step is eta = 2 alpha / S.

    Args:
        support_x: (..., S, d).   support_y: (..., S, 1).   query_x: (..., Q, d).

    Returns:
        (..., Q, 1).
    """
    return eta * (query_x @ support_x.mT) @ support_y
