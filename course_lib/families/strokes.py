"""Characters that nobody has drawn before: a class is a program of pen strokes, a drawing is that
program in one hand.

`alphabet` invents the programs. Here they are drawn: ink is a sum of small Gaussians along the
strokes, which separate into x and y, so that one batched product of matrices renders a batch of
drawings.
"""

import math

import torch
from torch import Tensor

from course_lib.episodes import Episode, TaskFamily, at_least_one, at_least_two, room_for
from course_lib.families.scripts import BASES, CONTROL, MOST, POINTS, box, rotation, write_alphabet

# raised when the same seed draws something else: no run trained on other drawings is taken for one
# on these
VERSION = 2
SIZE = 28  # pixels, height and width
# numbers that describe a hand: turn, slant, width, height, pen, and where it puts the drawing (x,
# y)
HAND = 7
CHUNK = 250  # drawings rendered at a time: more need more memory


class Strokes(TaskFamily):
    """Few-shot classification of invented hand-drawn characters, 28 x 28, ink 1 on paper 0.

    Args:
        ways: classes in an episode.
        sloppiness: how much two drawings of a character differ; 0 makes them equal, 1 is about as
            hard as real handwriting.
        scripts, characters: there are ``scripts`` times ``characters`` classes; those of one script
            share strokes.
        only: a range of scripts, such as (0, 60): tasks are made of no others. `split` makes two
            such families.
        within: the share of tasks whose classes all come from one script, which makes them look
            alike.
        seed: of the alphabet. Episodes have a generator of their own.
        device: where drawings are made. The alphabet is the same on every device.

    Raises:
        ValueError: a count is below 1, there are fewer classes than ways, the sloppiness is
            negative, or a range is empty.
    """

    def __init__(
        self,
        ways=5,
        sloppiness=1.0,
        scripts=80,
        characters=25,
        seed=0,
        device="cpu",
        only=None,
        within=0.0,
    ):
        at_least_two(ways)
        at_least_one(scripts=scripts, characters=characters)
        room_for(100 * scripts * characters, scripts=scripts, characters=characters)
        first, end = only = tuple(only or (0, scripts))
        if not 0 <= first < end <= scripts:
            raise ValueError(
                f"only={only}: a range of scripts lies between 0 and scripts={scripts}, and its "
                "end is above its start"
            )
        if not 0 <= within <= 1:
            raise ValueError(f"within={within}: a share of tasks lies between 0 and 1")
        if ways > (most := characters if within else (end - first) * characters):
            raise ValueError(
                f"ways={ways}: there are {most} characters to choose from; ask for fewer ways or "
                "more characters"
            )
        self.only, self.within = only, float(within)
        if not 0 <= sloppiness < math.inf:
            raise ValueError(f"sloppiness={sloppiness}: it must be 0 or more")
        self.ways, self.sloppiness, self.scripts, self.characters, self.seed = (
            ways,
            float(sloppiness),
            scripts,
            characters,
            seed,
        )
        self.device = torch.device(device)
        alphabet = write_alphabet(scripts, characters, torch.Generator().manual_seed(seed))
        self.kinds, self.control, self.used, self.size = (part.to(self.device) for part in alphabet)
        self.bases = BASES.to(self.device)

    @property
    def classes(self) -> int:
        """How many characters the alphabet has."""
        return len(self.kinds)

    def settings(self) -> dict:
        names = ("ways", "sloppiness", "scripts", "characters", "seed", "only", "within")
        return {"family": "strokes", "drawings": VERSION} | {
            name: getattr(self, name) for name in names
        }

    def split(self, held_out: int) -> tuple["Strokes", "Strokes"]:
        """Two families with no script in common: the last ``held_out`` scripts are the second
        one's.

        Raises:
            ValueError: one of the two would have no script.
        """
        first, end = self.only
        if not 0 < held_out < end - first:
            raise ValueError(
                f"held_out={held_out}: of {end - first} scripts, hold out at least 1 and keep at "
                "least 1"
            )
        names = ("ways", "sloppiness", "scripts", "characters", "seed", "device", "within")
        same = {name: getattr(self, name) for name in names}
        return Strokes(**same, only=(first, end - held_out)), Strokes(
            **same, only=(end - held_out, end)
        )

    def sample(
        self, tasks: int, *, shots: int, queries: int, generator: torch.Generator | None = None
    ) -> Episode:
        """Draw tasks of ``ways`` classes, with ``shots`` support and ``queries`` query drawings of
        each class.

        x is (tasks, ways * shots or queries, 1, 28, 28) and y numbers the classes 0, 1, ... anew in
        each task. Every drawing is by another hand, and the order within a set is random.
        ``names["classes"]`` is (tasks, ways): the characters behind the numbers.
        """
        numbers = tasks * (shots + queries) * self.ways * SIZE**2
        room_for(numbers, tasks=tasks, shots=shots, queries=queries)
        classes = self._choose(tasks, generator)
        sets = []
        for each in (shots, queries):
            y = torch.arange(self.ways, device=self.device).repeat_interleave(each)
            y = y[torch.rand(tasks, len(y), generator=generator, device=self.device).argsort()]
            drawings = self.draw(classes.gather(1, y).flatten(), generator=generator)
            sets += [drawings.view(tasks, -1, 1, SIZE, SIZE), y]
        return Episode(*sets, names={"classes": classes})

    def _choose(self, tasks: int, generator: torch.Generator | None) -> Tensor:
        """Distinct characters for each task, in random order: (tasks, ways)."""
        first, end = (script * self.characters for script in self.only)
        chance = torch.rand(tasks, end - first, generator=generator, device=self.device)
        if self.within:
            alike = torch.rand(tasks, 1, generator=generator, device=self.device) < self.within
            script = torch.randint(*self.only, (tasks, 1), generator=generator, device=self.device)
            chance -= 1.0 * (
                alike & (torch.arange(first, end, device=self.device) // self.characters != script)
            )
        return first + chance.topk(self.ways).indices

    def hands(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """``count`` hands: (count, 7) numbers, standard normal but never beyond 2."""
        return torch.randn(count, HAND, generator=generator, device=self.device).clamp(-2, 2)

    def draw(
        self, classes: Tensor, hands: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """One drawing of each class of ``classes`` (n,), each in the hand of its row or in a new
        one: (n, 1, 28, 28)."""
        hands = self.hands(len(classes), generator) if hands is None else hands
        shakes = torch.randn(
            len(classes), MOST, CONTROL + 1, 2, generator=generator, device=self.device
        )
        bends = torch.randn(len(classes), 2, 7, generator=generator, device=self.device).clamp(
            -2, 2
        )
        parts = zip(
            classes.split(CHUNK),
            hands.split(CHUNK),
            shakes.split(CHUNK),
            bends.split(CHUNK),
            strict=True,
        )
        return torch.cat([self._draw(*part) for part in parts])[:, None]

    def _draw(self, classes: Tensor, hands: Tensor, shakes: Tensor, bends: Tensor) -> Tensor:
        used, n, noise = self.used[classes], len(classes), self.sloppiness
        control = self.control[classes] + noise * 0.035 * (
            shakes[:, :, :-1] + shakes[:, :, -1:]
        )  # each point, and the stroke as a whole
        points = (self.bases[self.kinds[classes]] @ control).flatten(1, 2)
        points = points + noise * 0.07 * (waves(points) @ bends.mT)  # strokes that meet still meet
        turn, slant, wide, high, pen, x, y = (noise * hands).T
        matrix = (
            rotation(0.13 * turn) * torch.stack([0.1 * wide, 0.1 * high], dim=1).exp()[:, :, None]
        )
        matrix[:, 0, 1] += 0.15 * slant
        size = self.size[classes] + 0.07 * (wide + high)
        points = fit(
            points @ matrix.mT,
            used.repeat_interleave(POINTS, dim=1),
            size,
            place=torch.stack([x, y], dim=1),
        )
        return ink(points.view(n, MOST, POINTS, 2), used, pen=0.5 + 0.05 * pen)


def waves(points: Tensor) -> Tensor:
    """The smooth functions of the place, by which a hand bends the whole paper: (n, points, 2) ->
    (n, points, 7)."""
    x, y = (1.8 * points).unbind(-1)
    return torch.stack(
        [
            x * y,
            x * x,
            y * y,
            (3 * x).sin() / 2,
            (3 * y).sin() / 2,
            0.3 * (3 * x).cos(),
            0.3 * (3 * y).cos(),
        ],
        dim=-1,
    )


def fit(points: Tensor, used: Tensor, size: Tensor, place: Tensor) -> Tensor:
    """Scale and move each drawing (n, points, 2) into the image: its longer side is ``size`` of it,
    kept between 0.38 and 0.82."""
    low, high = box(points, used)
    scale = SIZE * size.clamp(0.38, 0.82) / (high - low).amax(1)
    room = (
        SIZE - 5 - scale[:, None] * (high - low)
    ) / 2  # on each side, with at least two and a half pixels of border
    centre = (SIZE - 1) / 2 + room * (0.35 * place).clamp(-1, 1)
    return scale[:, None, None] * (points - (low + high)[:, None] / 2) + centre[:, None]


def ink(points: Tensor, used: Tensor, pen: Tensor) -> Tensor:
    """Render strokes (n, strokes, points, 2), in pixels, with a pen of width ``pen`` (n,): (n, 28,
    28)."""
    middles = ((points[:, :, 1:] + points[:, :, :-1]) / 2).flatten(1, 2)
    lengths = ((points[:, :, 1:] - points[:, :, :-1]).norm(dim=-1) * used[..., None]).flatten(1)
    pen = pen.clamp(0.42, 0.68)[:, None, None]
    pixels = torch.arange(SIZE, device=points.device)
    across, down = (
        (-((pixels - middles[..., i, None]) / pen).square() / 2).clamp(min=-16).exp()
        for i in (0, 1)
    )
    weights = (
        1.25 * lengths[..., None] / (pen * math.sqrt(2 * math.pi))
    )  # a long straight stroke is 1.25 dark, cut off at 1
    return ((down * weights).mT @ across).clamp(max=1)
