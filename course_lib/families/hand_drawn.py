"""Drawings by a reader's hand, rendered as the generated characters are: the same pen, the same
box, the same 28 x 28 pixels.

A drawing is a list of strokes; a stroke is a list of points (x, y) between 0 and 1, x to the right
and y down.
"""

import math

import torch
from torch import Tensor

from course_lib.families.strokes import SIZE, ink, rotation

# the longer side of a drawing, as a share of the picture: usual among the generated characters
FILLS = 0.72
PEN = 0.5  # pixels: their mean pen
SPACING = 0.3  # pixels between the points that ink is made of
MOST_INK = 3000  # points of ink in a picture: a long scribble gets wider spacing
SMALLEST = 0.1  # a drawing shorter than this share of the paper is not blown up to fill the picture
MOST_POINTS = 20_000


def circle(turns: float = 1.0, start: float = 0.0, inner: float = 1.0) -> list:
    """A circle, part of one, or with ``inner`` below 1 a spiral."""
    steps = max(2, round(40 * abs(turns)))
    at = [i / steps for i in range(steps + 1)]
    return [
        (
            0.5 + 0.35 * (1 - (1 - inner) * t) * math.cos(2 * math.pi * (start + turns * t)),
            0.5 + 0.35 * (1 - (1 - inner) * t) * math.sin(2 * math.pi * (start + turns * t)),
        )
        for t in at
    ]


SHAPES = {
    "circle": [circle(start=-0.25)],
    "cross": [[(0.2, 0.2), (0.8, 0.8)], [(0.8, 0.2), (0.2, 0.8)]],
    "zigzag": [[(0.12, 0.68), (0.32, 0.32), (0.5, 0.68), (0.68, 0.32), (0.88, 0.68)]],
    "triangle": [[(0.5, 0.18), (0.84, 0.78), (0.16, 0.78), (0.5, 0.18)]],
    "spiral": [circle(turns=2.2, inner=0.12)],
    "gate": [[(0.22, 0.84), (0.22, 0.2), (0.78, 0.2), (0.78, 0.84)]],
    "arrow": [[(0.14, 0.5), (0.86, 0.5)], [(0.6, 0.24), (0.86, 0.5), (0.6, 0.76)]],
    "plus": [[(0.5, 0.15), (0.5, 0.85)], [(0.15, 0.5), (0.85, 0.5)]],
}


def clean(strokes) -> list[list[tuple[float, float]]]:
    """The strokes as lists of pairs inside the paper.

    Raises:
        ValueError: this is no list of lists of finite (x, y), or there are too many points.
    """
    try:
        found = [[(float(x), float(y)) for x, y in stroke] for stroke in strokes]
    except (TypeError, ValueError) as error:
        raise ValueError(
            "strokes: give a list of strokes, each a list of (x, y) between 0 and 1, such as "
            "[[(0, 0), (1, 1)]]"
        ) from error
    if not all(math.isfinite(number) for stroke in found for point in stroke for number in point):
        raise ValueError("strokes: a point holds NaN or infinity: use numbers between 0 and 1")
    if (count := sum(map(len, found))) > MOST_POINTS:
        raise ValueError(
            f"strokes: {count} points are too many: clear the paper, or draw with fewer than "
            f"{MOST_POINTS}"
        )
    return [
        [(min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)) for x, y in stroke]
        for stroke in found
        if stroke
    ]


def render(strokes, fills: float = FILLS, pen: float = PEN) -> Tensor:
    """What a network sees of a drawing: ink 1 on paper 0, cropped, scaled to ``fills`` of the
    picture and centred: (28, 28).

    No strokes make an empty picture. See `clean` for the ValueError.
    """
    lines = [torch.tensor(stroke) for stroke in clean(strokes)]
    if not lines:
        return torch.zeros(SIZE, SIZE)
    everything = torch.cat(lines)
    low, high = everything.amin(0), everything.amax(0)
    scale = SIZE * fills / max((high - low).max().item(), SMALLEST)
    lines = [scale * (line - (low + high) / 2) + (SIZE - 1) / 2 for line in lines]
    spacing = max(SPACING, sum(length(line) for line in lines) / MOST_INK)
    lines = [
        even(line if len(line) > 1 else line + torch.tensor([[-1.0, 0.0], [1.0, 0.0]]), spacing)
        for line in lines
    ]  # a tap is a dot
    longest = max(map(len, lines))
    points = torch.stack(
        [torch.cat([line, line[-1:].expand(longest - len(line), 2)]) for line in lines]
    )
    return ink(points[None], torch.ones(1, len(lines), dtype=torch.bool), torch.tensor([pen]))[0]


def length(line: Tensor) -> float:
    """How long a line (n, 2) is."""
    return (line[1:] - line[:-1]).norm(dim=1).sum().item()


def even(line: Tensor, spacing: float) -> Tensor:
    """The same line (n, 2) with points at most ``spacing`` apart."""
    along = torch.cat([torch.zeros(1), (line[1:] - line[:-1]).norm(dim=1).cumsum(0)])
    count = max(2, math.ceil(along[-1].item() / spacing) + 1)
    at = torch.linspace(0, along[-1].item(), count)
    after = torch.searchsorted(along, at).clamp(1, len(line) - 1)
    share = ((at - along[after - 1]) / (along[after] - along[after - 1]).clamp(min=1e-9)).clamp(
        0, 1
    )
    return line[after - 1] + share[:, None] * (line[after] - line[after - 1])


def another_hand(strokes, seed: int, sloppiness: float = 1.0) -> list:
    """The same drawing by another hand: turned, slanted, stretched and a little wavy, as far as
    generated hands differ."""
    n = torch.randn(9, generator=torch.Generator().manual_seed(seed)).clamp(-2, 2) * sloppiness
    matrix = rotation(0.16 * n[:1])[0] * torch.tensor([0.1 * n[1], 0.1 * n[2]]).exp()[:, None]
    matrix[0, 1] += 0.2 * n[3]

    def moved(stroke):
        points = fine(torch.tensor(stroke)) - 0.5
        points = points + 0.02 * torch.stack(
            [n[4] * (7 * points[:, 1] + n[5]).sin(), n[6] * (7 * points[:, 0] + n[7]).sin()], dim=1
        )
        return [tuple(point) for point in (0.5 + 0.85 * points @ matrix.mT).clamp(0, 1).tolist()]

    return [moved(stroke) for stroke in clean(strokes)]


def fine(line: Tensor) -> Tensor:
    """A line in units of the paper, with points close enough to be bent."""
    return line if len(line) < 2 else even(line * SIZE, SPACING) / SIZE


def turned(strokes, quarters: int = 1) -> list:
    """The same drawing turned clockwise by quarters of a circle."""
    for _ in range(quarters % 4):
        strokes = [[(1 - y, x) for x, y in stroke] for stroke in strokes]
    return strokes
