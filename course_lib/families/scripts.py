"""Inventing alphabets: a character is a program of pen strokes, and the characters of a script
share some of theirs.

A stroke is a kind and 8 control points. The kind's basis (points x 8) turns the control points into
a line: straight pieces, or a smooth curve through them. So all strokes of all characters are drawn
by one product of matrices.
"""

import math

import torch
from torch import Tensor

POINTS = 64  # on each stroke
CONTROL = 8  # control points of a stroke; most kinds use fewer
MOST = 4  # strokes of a character; it has at least 2
STROKE_COUNTS = (0.0, 0.32, 0.42, 0.26)  # how often a character has 1, 2, 3, 4 strokes
LIBRARY = 8  # strokes that give a script its look; half of all strokes come from it


def pieces(k: int) -> Tensor:
    """Straight from control point to control point, k of them: (points, 8)."""
    t = torch.linspace(0, k - 1, POINTS)[:, None]
    return (1 - (t - torch.arange(CONTROL)).abs()).clamp(min=0) * (torch.arange(CONTROL) < k)


def curve(k: int, closed: bool = False, turn: float = 1.0) -> Tensor:
    """Smoothly through k control points (Catmull-Rom), drawn for ``turn`` of the way; ``closed``
    comes back: (points, 8)."""
    spans = k if closed else k - 1
    t = torch.linspace(0, spans * turn, POINTS)
    first = t.floor().clamp(max=spans - 1).long()
    u = t - first
    shares = (
        (2 * u**2 - u - u**3) / 2,
        (2 - 5 * u**2 + 3 * u**3) / 2,
        (u + 4 * u**2 - 3 * u**3) / 2,
        (u**3 - u**2) / 2,
    )
    rows = torch.arange(POINTS)
    basis = torch.zeros(POINTS, k + 2)  # column i + 1 stands for control point i
    for offset, share in enumerate(shares):
        basis[rows, (first + offset - 1) % k + 1 if closed else first + offset] += share
    if not closed:  # beyond its ends the curve goes on as it came
        basis[:, 1:3] += basis[:, :1] * torch.tensor([2.0, -1.0])
        basis[:, -3:-1] += basis[:, -1:] * torch.tensor([-1.0, 2.0])
    return torch.nn.functional.pad(basis[:, 1:-1], (0, CONTROL - k))


def ring(k: int) -> list:
    return [
        (0.4 * math.cos(2 * math.pi * i / k), 0.4 * math.sin(2 * math.pi * i / k)) for i in range(k)
    ]


SPIRAL = [
    ((0.12 + 0.09 * i) * math.cos(1.15 * i), (0.12 + 0.09 * i) * math.sin(1.15 * i))
    for i in range(6)
]
SQUARE = [(-0.4, -0.4), (-0.4, 0.4), (0.4, 0.4), (0.4, -0.4), (-0.4, -0.4)]
KINDS = {  # how often, basis, control points of the plainest stroke of its kind
    "line": (0.30, curve(3), [(-0.5, 0), (0, 0), (0.5, 0)]),
    "dash": (0.06, curve(3), [(-0.18, 0), (0, 0), (0.18, 0)]),
    "corner": (0.10, pieces(3), [(-0.5, -0.4), (-0.5, 0.4), (0.5, 0.4)]),
    "gate": (0.04, pieces(4), [(-0.5, -0.4), (-0.5, 0.4), (0.5, 0.4), (0.5, -0.4)]),
    "zigzag": (0.04, pieces(4), [(-0.5, -0.4), (-0.5, 0.4), (0.5, -0.4), (0.5, 0.4)]),
    "double zigzag": (
        0.02,
        pieces(5),
        [(-0.6, 0.4), (-0.3, -0.4), (0, 0.3), (0.3, -0.4), (0.6, 0.4)],
    ),
    "triangle": (0.02, pieces(4), [(-0.5, -0.4), (0, 0.4), (0.5, -0.4), (-0.5, -0.4)]),
    "square": (0.02, pieces(5), SQUARE),
    "bow": (0.09, curve(5), [(-0.5, 0), (-0.35, 0.35), (0, 0.48), (0.35, 0.35), (0.5, 0)]),
    "wave": (0.05, curve(5), [(-0.55, 0), (-0.3, 0.25), (0, 0), (0.3, -0.25), (0.55, 0)]),
    "hook": (0.06, curve(5), [(0, 0.55), (0, 0.1), (0, -0.3), (-0.15, -0.5), (-0.35, -0.4)]),
    "hairpin": (
        0.04,
        curve(6),
        [(-0.25, -0.5), (-0.25, 0.1), (-0.15, 0.45), (0.15, 0.45), (0.25, 0.1), (0.25, -0.5)],
    ),
    "curl": (0.03, curve(6), SPIRAL),
    "loop with a tail": (0.03, curve(8), ring(6) + [(0.42, 0.1), (0.45, 0.75)]),
    "scribble": (0.05, curve(8), [(0, 0)] * 8),  # takes a walk of its own each time
    "loop": (0.05, curve(6, closed=True), ring(6)),
    "arc": (0.04, curve(6, closed=True, turn=0.65), ring(6)),
}
SHARES = torch.tensor([share for share, _, _ in KINDS.values()])
BASES = torch.stack([basis for _, basis, _ in KINDS.values()])
TEMPLATES = torch.stack(
    [
        torch.tensor(points + [(0, 0)] * (CONTROL - len(points)), dtype=torch.float)
        for _, _, points in KINDS.values()
    ]
)
SCRIBBLE = list(KINDS).index("scribble")
CLOSED = torch.tensor(
    [name in ("triangle", "square", "loop", "loop with a tail") for name in KINDS]
)


def write_alphabet(
    scripts: int, characters: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Invent n = scripts times characters programs, each within a square of side 1.

    Returns:
        kinds (n, 4), control points (n, 4, 8, 2), which strokes are used (n, 4), and how large the
        character is written (n,).
    """
    drafts = scripts * 2 * characters
    library_kinds, library = invent_strokes(LIBRARY * scripts, generator)
    kinds, control = invent_strokes(drafts * MOST, generator)
    script = torch.arange(scripts).repeat_interleave(2 * characters * MOST)
    taken = LIBRARY * script + torch.randint(LIBRARY, (drafts * MOST,), generator=generator)
    reuse = torch.rand(drafts * MOST, generator=generator) < 0.5
    kinds = torch.where(reuse, library_kinds[taken], kinds).view(drafts, MOST)
    control = torch.where(reuse[:, None, None], library[taken], control).view(
        drafts, MOST, CONTROL, 2
    )
    kinds, control = join(*repeat_strokes(kinds, control, generator), generator)
    used = (
        torch.arange(MOST)
        <= torch.multinomial(
            torch.tensor(STROKE_COUNTS), drafts, replacement=True, generator=generator
        )[:, None]
    )
    kinds, control, used = relatives(kinds, control, used, generator)
    mess = untidiness(kinds, control, used).view(scripts, 2 * characters)
    tidier = (
        mess.argsort(dim=1)[:, :characters].sort(dim=1).values
    )  # the better half of each script's drafts
    kept = (tidier + 2 * characters * torch.arange(scripts)[:, None]).flatten()
    kinds, control, used = kinds[kept], control[kept], used[kept]
    low, high = outline(kinds, control, used)
    control = (control - ((low + high) / 2)[:, None, None]) / (high - low).amax(1)[
        :, None, None, None
    ]
    size = (0.66 + 0.05 * torch.randn(scripts, generator=generator)).repeat_interleave(characters)
    return kinds, control, used, size + 0.07 * torch.randn(len(kinds), generator=generator)


def invent_strokes(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Kinds (n,) and control points (n, 8, 2) of single strokes: the plainest of its kind, bent,
    stretched, mirrored and turned."""
    kinds = torch.multinomial(SHARES, n, replacement=True, generator=generator)
    stretch = 0.5 + 0.6 * torch.rand(n, 1, 2, generator=generator)
    mirror = torch.tensor([1.0, -1.0])[torch.randint(2, (n, 1, 2), generator=generator)]
    turns = 0.9 * torch.randn(n, CONTROL, generator=generator) + 0.5 * torch.randn(
        n, 1, generator=generator
    )
    walk = 0.33 * torch.stack([turns.cumsum(1).cos(), turns.cumsum(1).sin()], dim=-1).cumsum(1)
    plain = torch.where(
        (kinds == SCRIBBLE)[:, None, None], walk - walk.mean(1, keepdim=True), TEMPLATES[kinds]
    )
    bent = plain + 0.05 * torch.randn(n, CONTROL, 2, generator=generator)
    eighths = torch.multinomial(
        torch.tensor([3.0, 1.0] * 4), n, replacement=True, generator=generator
    )  # level and upright, or diagonal
    tilt = 0.1 * torch.randn(n, generator=generator)
    return kinds, (stretch * mirror * bent) @ rotation(eighths * math.pi / 4 + tilt).mT


def repeat_strokes(
    kinds: Tensor, control: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Some strokes are the one before once more, perhaps mirrored: parallel bars, two arms."""
    kinds, control, n = kinds.clone(), control.clone(), len(kinds)
    mirrors = torch.tensor([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0]])
    for stroke in range(1, MOST):
        again = torch.rand(n, generator=generator) < 0.15
        mirrored = (
            control[:, stroke - 1] * mirrors[torch.randint(3, (n,), generator=generator)][:, None]
        )
        kinds[:, stroke] = torch.where(again, kinds[:, stroke - 1], kinds[:, stroke])
        control[:, stroke] = torch.where(again[:, None, None], mirrored, control[:, stroke])
    return kinds, control


def join(kinds: Tensor, control: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Put the strokes together: most touch an earlier stroke, some run from one point of earlier
    strokes to another, a few stand free."""
    control, n = control.clone(), len(kinds)
    spots = torch.tensor(
        [0, POINTS // 2, POINTS - 1]
    )  # strokes meet at their ends or in the middle
    for stroke in range(1, MOST):
        mine = control[:, stroke]
        meet, there, far = spots[torch.randint(3, (3, n), generator=generator)]
        one, two = torch.randint(stroke, (2, n), generator=generator)
        target, second = point(kinds, control, one, there), point(kinds, control, two, far)
        free = (4 * torch.rand(n, 2, generator=generator) - 2).round() / 4
        touching = torch.rand(n, 1, generator=generator) < 0.78
        moved = (
            mine
            + torch.where(touching, target - point(kinds, control, stroke, meet), free)[:, None]
        )
        start, end = (point(kinds, control, stroke, spot) for spot in (spots[0], spots[-1]))
        wanted, now = ((b - a).norm(dim=1) for a, b in ((target, second), (start, end)))
        spans = (now > 0.3) & (wanted > 0.3) & (wanted < 1.3) & ~CLOSED[kinds[:, stroke]]
        bridge = spans & (torch.rand(n, generator=generator) < 0.2)
        control[:, stroke] = torch.where(
            bridge[:, None, None], from_to(mine, start, end, target, second, bridge), moved
        )
    return kinds, control


def point(kinds: Tensor, control: Tensor, stroke, spot) -> Tensor:
    """Where stroke number ``stroke`` of each program is at its ``spot``-th point: (n, 2)."""
    each = torch.arange(len(kinds))
    return torch.einsum("nc,ncd->nd", BASES[kinds[each, stroke], spot], control[each, stroke])


def from_to(
    control: Tensor, start: Tensor, end: Tensor, target: Tensor, second: Tensor, where: Tensor
) -> Tensor:
    """Turn and scale strokes (n, 8, 2) so that they no longer run from start to end, but from
    target to second, (n, 2) each."""
    old, new = (
        torch.view_as_complex((b - a).contiguous()) for a, b in ((start, end), (target, second))
    )
    turn = new / torch.where(where, old, torch.ones_like(old))
    turned = torch.view_as_complex((control - start[:, None]).contiguous()) * turn[:, None]
    return torch.view_as_real(turned) + target[:, None]


def relatives(
    kinds: Tensor, control: Tensor, used: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Some characters become the one before with a stroke exchanged, added or left out:
    look-alikes, which every script has."""
    n, each = len(kinds), torch.arange(len(kinds))
    chosen = (torch.rand(n, generator=generator) < 0.35) & (each % 2 == 1)
    before_kinds, before, before_used = kinds.roll(1, 0), control.roll(1, 0), used.roll(1, 0)
    strokes = before_used.sum(1)
    which = (torch.rand(n, generator=generator) * strokes).long()
    exchange = torch.rand(n, generator=generator) < 0.6
    middle = lambda kinds, control: (
        torch.einsum("npc,ncd->nd", BASES[kinds, ::8], control) / (POINTS // 8)
    )  # noqa: E731
    own_kind, own = kinds[each, which], control[each, which]
    old_kind, old = before_kinds[each, which], before[each, which]
    placed = own + (middle(old_kind, old) - middle(own_kind, own))[:, None]
    before_kinds[each, which] = torch.where(exchange, own_kind, old_kind)
    before[each, which] = torch.where(exchange[:, None, None], placed, old)
    more = (torch.rand(n, generator=generator) < 0.5) & (strokes < MOST) | (strokes == 2)
    strokes = torch.where(exchange, strokes, torch.where(more, strokes + 1, strokes - 1))
    before_used = torch.arange(MOST) < strokes[:, None]
    return (
        torch.where(chosen[:, None], before_kinds, kinds),
        torch.where(chosen[:, None, None, None], before, control),
        torch.where(chosen[:, None], before_used, used),
    )


def untidiness(kinds: Tensor, control: Tensor, used: Tensor, chunk: int = 2000) -> Tensor:
    """How much the strokes of each program lie on top of each other, and how far its shape is from
    a square: (n,)."""
    stroke = torch.arange(MOST).repeat_interleave(POINTS // 5 + 1)
    crowding = []
    for some_kinds, some, some_used in zip(
        kinds.split(chunk), control.split(chunk), used.split(chunk), strict=True
    ):
        points = (BASES[some_kinds, ::5] @ some).flatten(1, 2)
        both = some_used[:, stroke, None] & some_used[:, None, stroke] & (stroke[:, None] != stroke)
        crowding.append(
            ((torch.cdist(points, points) < 0.15) & both).sum((1, 2)) / some_used.sum(1)
        )
    low, high = outline(kinds, control, used)
    return torch.cat(crowding) + 4 * ((high - low).amax(1) / (high - low).amin(1)).log()


def outline(kinds: Tensor, control: Tensor, used: Tensor) -> tuple[Tensor, Tensor]:
    """The corners of the box around each program's strokes: two (n, 2)."""
    points = BASES[kinds, ::3] @ control
    return box(points.flatten(1, 2), used.repeat_interleave(points.shape[2], dim=1))


def box(points: Tensor, used: Tensor) -> tuple[Tensor, Tensor]:
    """The lower and the upper corner, (n, 2) each, around those of the points (n, points, 2) that
    are used."""
    return points.masked_fill(~used[..., None], math.inf).amin(1), points.masked_fill(
        ~used[..., None], -math.inf
    ).amax(1)


def rotation(angle: Tensor) -> Tensor:
    """Matrices that turn by ``angle`` (n,), in radians: (n, 2, 2)."""
    return torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], dim=-1).view(-1, 2, 2)
