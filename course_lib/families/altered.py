"""The same tasks with every picture altered: another size, place, pen, resolution and strength of
ink.

A family that draws with one pen teaches an encoder that pen. Here each picture of a task is altered
by itself, so that what stays alike within a class is the character alone.
"""

import math

import torch
from torch import Tensor

from course_lib.episodes import Episode, TaskFamily

GRIDS = (7, 8, 10, 14, 20)  # pixels along a side, of pictures in low resolution


class Altered(TaskFamily):
    """The episodes of a family of square pictures (1 channel, ink 1 on paper 0), altered.

    Args:
        family: where the tasks come from.
        size: a picture becomes up to so many times larger, or smaller: at least 1.
        place: it moves by up to this share of the picture, along both axes.
        blur: its ink spreads by a Gaussian of up to so many pixels, and is then made as dark again:
            a thicker, softer pen.
        coarse: the share of pictures that go through a lower resolution, 7 to 20 pixels a side.
        faint: the darkest ink lies between 1 - faint and 1 + faint, cut off at 1.

    Raises:
        ValueError: a setting is out of range.
    """

    def __init__(
        self,
        family: TaskFamily,
        *,
        size: float = 1.0,
        place: float = 0.0,
        blur: float = 0.0,
        coarse: float = 0.0,
        faint: float = 0.0,
    ):
        if not 1 <= size < math.inf:
            raise ValueError(f"size={size}: a factor of at least 1, such as 1.5")
        if not 0 <= blur < math.inf:
            raise ValueError(f"blur={blur}: a width in pixels, 0 or more")
        for name, share in (("place", place), ("coarse", coarse), ("faint", faint)):
            if not 0 <= share <= 1:
                raise ValueError(f"{name}={share}: a share lies between 0 and 1")
        self.family, self.device = family, family.device
        self.size, self.place, self.blur = float(size), float(place), float(blur)
        self.coarse, self.faint = float(coarse), float(faint)

    @property
    def classes(self) -> int:
        return self.family.classes

    def settings(self) -> dict:
        names = ("size", "place", "blur", "coarse", "faint")
        return self.family.settings() | {"altered": {name: getattr(self, name) for name in names}}

    def sample(
        self, tasks: int, *, shots: int, queries: int, generator: torch.Generator | None = None
    ) -> Episode:
        """Tasks of the family, with the same names: see `TaskFamily.sample`."""
        drawn = self.family.sample(tasks, shots=shots, queries=queries, generator=generator)
        x = (self.alter(x.flatten(0, 1), generator).view_as(x) for x in drawn.four[::2])
        support_x, query_x = x
        four = support_x, drawn.support_y, query_x, drawn.query_y
        return Episode(*four, names=drawn.names, hidden=drawn.hidden)

    @property
    def off(self) -> bool:
        """Whether no setting alters anything."""
        return self.size == 1 and not (self.place or self.blur or self.coarse or self.faint)

    def alter(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Each picture (n, 1, side, side) by itself."""
        if self.off:  # nothing is drawn either, so the next tasks are those of the family as well
            return x
        n, side = len(x), x.shape[-1]
        draw = torch.rand(n, 6, generator=generator, device=x.device)
        scale = self.size ** (2 * draw[:, 0] - 1)
        shift = side * self.place * (2 * draw[:, 1:3] - 1)
        spread = self.blur * draw[:, 3]
        rows, columns = (reading(side, scale, move, spread) for move in shift.T)
        if self.coarse:
            steps = torch.stack([through(grid, side) for grid in (side, *GRIDS)]).to(x)
            which = 1 + (draw[:, 4] / self.coarse * len(GRIDS)).long()
            which = torch.where(draw[:, 4] < self.coarse, which, 0)
            rows, columns = steps[which] @ rows, steps[which] @ columns
        altered = rows @ x[:, 0] @ columns.mT
        darkest = 1 + self.faint * (2 * draw[:, 5] - 1)
        if self.faint or self.blur or self.coarse:
            most = altered.flatten(1).amax(1).clamp(min=1e-6)
            altered = altered * (darkest / most)[:, None, None]
        return altered.clamp(0, 1)[:, None]


def reading(side: int, scale: Tensor, shift: Tensor, spread: Tensor) -> Tensor:
    """Which pixels of the old picture a pixel of the new one reads, along one axis: weights (n,
    side, side), each row sums to at most 1. Blur, size and place in one formula; what lies beyond
    the border is paper."""
    pixels, middle = torch.arange(side, device=scale.device), (side - 1) / 2
    at = middle + (pixels - middle - shift[:, None]) / scale[:, None]
    distance = at[:, :, None] - pixels
    linear = (1 - distance.abs()).clamp(min=0)
    width = spread[:, None, None].clamp(min=0.3)
    soft = (-(distance / width).square() / 2).exp() / (width * math.sqrt(2 * math.pi))
    return torch.where(spread[:, None, None] > 0.3, soft, linear)


def through(grid: int, side: int) -> Tensor:
    """The matrix (side, side) that reads ``side`` pixels with ``grid`` and blows them up again."""
    if grid == side:
        return torch.eye(side)
    steps = torch.eye(side)[None]
    down = torch.nn.functional.interpolate(steps.mT, grid, mode="area").mT
    up = torch.nn.functional.interpolate(down.mT, side, mode="linear").mT
    return up[0].contiguous()
