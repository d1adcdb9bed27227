"""A decoder-only transformer in one file: small enough to train in minutes, large enough to learn
in context.

Attention is written out, so that it can be looked at, patched, and differentiated twice (fused
attention has no second derivative). Position enters only through ALiBi (Press et al. 2022): each
head subtracts slope * distance from its scores.

Shapes: B prompts of L tokens, width W, H heads of D = W / H numbers, V words in the vocabulary.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import DATA
from course_lib.networks import checkpoints
from course_lib.networks.small import seeded


@dataclass(frozen=True)
class Size:
    """How large a model is.

    Args:
        words: V, the vocabulary.   layers, width, heads: of the transformer.
        context: how many tokens it may read.
        slopes: ALiBi's slope of each head, in score units a token. A steep head looks nearby; one
            with slope 0 sees no distance.

    Raises:
        ValueError: the heads do not divide the width, or there is not one slope a head.
    """

    words: int
    layers: int = 3
    width: int = 96
    heads: int = 4
    context: int = 128
    slopes: tuple[float, ...] = (1.0, 0.3, 0.05, 0.0)

    def __post_init__(self):
        if min(self.words, self.layers, self.width, self.heads, self.context) < 1:
            raise ValueError(f"{self}: every count needs to be at least 1")
        if self.width % self.heads:
            raise ValueError(
                f"width={self.width}, heads={self.heads}: the heads must divide the width"
            )
        if len(self.slopes) != self.heads:
            raise ValueError(
                f"{len(self.slopes)} slopes for {self.heads} heads: give one slope a head"
            )


def in_order(length: int, device=None) -> tuple[Tensor, Tensor]:
    """How many tokens token j lies behind token i, (L, L), and whether j is hidden from i because
    it is still to come."""
    place = torch.arange(length, device=device)
    distance = place[:, None] - place
    return distance, distance < 0


class Memory:
    """Keys and values of tokens that were read once, for all rows that go on from them.

    The first pass fills it, with one row of P tokens; every later pass puts them before its own.
    """

    def __init__(self):
        self.kept: dict[nn.Module, tuple[Tensor, Tensor]] = {}
        self.tokens = 0  # P

    def join(self, layer: nn.Module, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (B, H, L, D) with those that were kept before them: (B, H, P + L, D)."""
        if not self.tokens:
            self.kept[layer] = k, v
            return k, v
        old_k, old_v = (kept.expand(len(k), -1, -1, -1) for kept in self.kept[layer])
        return torch.cat([old_k, k], 2), torch.cat([old_v, v], 2)


class Attention(nn.Module):
    """Each token gathers from itself and the tokens before it (Vaswani et al. 2017, equation 1,
    with ALiBi)."""

    def __init__(self, size: Size):
        super().__init__()
        self.heads = size.heads
        self.q, self.k, self.v, self.out = (
            nn.Linear(size.width, size.width, bias=False) for _ in range(4)
        )
        self.register_buffer("slopes", torch.tensor(size.slopes), persistent=False)

    def forward(
        self, x: Tensor, distance: Tensor, unseen: Tensor, memory: Memory | None = None
    ) -> tuple[Tensor, Tensor]:
        """Gather for every token from those that it sees.

        Args:
            x: (B, L, W).   distance: (L, L), how many tokens j lies behind i.   unseen: (L, L),
                whether j is hidden from i.

        Returns:
            What was gathered (B, L, W), and who looked at whom (B, H, L, L): row i is where token i
            looks.
        """
        q, k, v = (
            project(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for project in (self.q, self.k, self.v)
        )  # (B, H, L, D)
        if memory is not None:
            k, v = memory.join(self, k, v)
        scores = q @ k.mT / q.shape[-1] ** 0.5 - self.slopes[:, None, None] * distance
        looks = scores.masked_fill(unseen, -torch.inf).softmax(-1)
        return self.out((looks @ v).transpose(1, 2).flatten(2)), looks


def as_is(place: str, added: Tensor) -> Tensor:
    """The hook that changes nothing: see `TinyGPT.forward`."""
    return added


class Block(nn.Module):
    """Gather from other tokens, then think about what was gathered; both are added to what was
    there."""

    def __init__(self, size: Size):
        super().__init__()
        self.norm1, self.attention = nn.RMSNorm(size.width), Attention(size)
        self.norm2 = nn.RMSNorm(size.width)
        self.up, self.down = (
            nn.Linear(size.width, 4 * size.width, bias=False),
            nn.Linear(4 * size.width, size.width, bias=False),
        )

    def forward(
        self, x: Tensor, distance: Tensor, unseen: Tensor, change, memory: Memory | None = None
    ) -> tuple[Tensor, Tensor]:
        """(B, L, W) -> (B, L, W) and the attention (B, H, L, L). ``change(part, added)``: see
        `TinyGPT.forward`."""
        gathered, looks = self.attention(self.norm1(x), distance, unseen, memory)
        x = x + change("attention", gathered)
        return x + change("feed_forward", self.down(F.gelu(self.up(self.norm2(x))))), looks


class TinyGPT(nn.Module):
    """Tokens in, scores of the next token out, at every place at once.

    Args:
        size: see `Size`.
        seed: makes the starting weights repeatable without touching torch's global seed.
    """

    def __init__(self, size: Size, seed: int | None = None):
        super().__init__()
        self.size = size
        with seeded(seed):
            self.embedding = nn.Embedding(size.words, size.width)
            nn.init.normal_(
                self.embedding.weight, std=0.03
            )  # also the output layer: at the default scale the loss would start at 10
            self.blocks = nn.ModuleList(Block(size) for _ in range(size.layers))
            self.norm = nn.RMSNorm(size.width)

    def forward(
        self,
        tokens: Tensor,
        soft_prompt: Tensor | None = None,
        change=as_is,
        scores: bool = True,
        memory: Memory | None = None,
    ) -> Tensor:
        """tokens (B, L) -> scores (B, L, V) of the token that follows each place.

        Args:
            soft_prompt: (P, W) or (B, P, W) vectors put before the tokens (Lester et al. 2021); the
                scores stay those of the L tokens.
            change: a hook, ``change(place, added)``: it gets what each part of each block is about
                to add, (B, P + L, W), with a name such as "0.attention" or "2.feed_forward", and
                returns what is added instead.
            scores: False returns the last hidden vectors (B, L, W) instead.
            memory: of tokens that were read before and that these tokens follow, see `remember`.

        Raises:
            ValueError: prompt and tokens together are longer than the context.
        """
        hidden = self.hidden(tokens, soft_prompt, change, memory)[0]
        return self.next_token(hidden) if scores else hidden

    def remember(self, tokens: Tensor, soft_prompt: Tensor | None = None) -> Memory:
        """Read what many rows begin with, (1, P) tokens, once: ``model(rest, memory=...)`` then
        takes the rest of each row alone."""
        memory = Memory()
        self.hidden(tokens, soft_prompt, memory=memory)
        memory.tokens = tokens.shape[1] + (0 if soft_prompt is None else soft_prompt.shape[-2])
        return memory

    def look(
        self, tokens: Tensor, soft_prompt: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """As `forward`, with the attention of every layer besides: a list of (B, H, P + L, P +
        L)."""
        hidden, attention = self.hidden(tokens, soft_prompt)
        return self.next_token(hidden), attention

    def hidden(
        self,
        tokens: Tensor,
        soft_prompt: Tensor | None = None,
        change=as_is,
        memory: Memory | None = None,
    ):
        """The last hidden vectors of the tokens (B, L, W), and the attention of every layer."""
        x = self.embedding(tokens)
        if soft_prompt is not None:
            x = torch.cat([soft_prompt.expand(len(x), -1, -1), x], dim=1)
        before = 0 if memory is None else memory.tokens
        if (length := before + x.shape[1]) > self.size.context:
            raise ValueError(
                f"the prompt has {length} tokens and the model reads {self.size.context}: use "
                "fewer or shorter examples"
            )
        distance, unseen = (place[before:] for place in in_order(length, x.device))
        x, attention = self.through(x, distance, unseen, change, memory)
        return x[:, -tokens.shape[1] :], attention

    def through(self, x: Tensor, distance: Tensor, unseen: Tensor, change=as_is, memory=None):
        """Embedded tokens (B, L, W) through all blocks: the last hidden vectors, and the attention
        of every layer."""
        attention = []
        for i, block in enumerate(self.blocks):
            named = lambda part, added, i=i: change(f"{i}.{part}", added)  # noqa: E731
            x, looks = block(x, distance, unseen, named, memory)
            attention.append(looks)
        return self.norm(x), attention

    def next_token(self, hidden: Tensor) -> Tensor:
        """Scores (..., V) of the next token, from last hidden vectors (..., W): the output layer is
        the embedding."""
        return hidden @ self.embedding.weight.T

    def settings(self) -> dict:
        """What defines the model, as plain values."""
        return asdict(self.size)


def shipped_model(name: str = "tiny_gpt", folder: Path = DATA) -> TinyGPT:
    """A model that comes with the course: "tiny_gpt", trained to the end, or "tiny_gpt_early", in
    the middle of the phase change."""
    tensors, about = checkpoints.read(folder / f"{name}.safetensors", "size")
    try:
        model = TinyGPT(Size(**about["size"]))
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        raise checkpoints.CheckpointError(
            f"{name} is damaged, what it says of 'size' cannot be: train again"
        ) from error
    checkpoints.load_weights(model, tensors, source=name)
    return model.eval()
