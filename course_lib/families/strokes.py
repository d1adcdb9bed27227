"""Characters that nobody has drawn before: a class is a program of pen strokes, a drawing is that program in one hand.

Everything is a few tensor products. A stroke is a fixed basis (points x 4) times 4 control points; ink is a sum of small
Gaussians along the strokes, which separate into x and y, so that one batched product of matrices renders a batch of drawings.
"""

import math

import torch
from torch import Tensor

from course_lib.episodes import Episode, TaskFamily, at_least_one

SIZE = 28  # pixels, height and width
POINTS = 64  # on each stroke
MOST = 4  # strokes of a character; it has at least 2
STROKE_COUNTS = (0.0, 0.32, 0.42, 0.26)  # how often a character has 1, 2, 3, 4 strokes
HAND = 7  # numbers that describe a hand: turn, slant, width, height, pen, and where it puts the drawing (x, y)
CHUNK = 250  # drawings rendered at a time: more need more memory


def polyline() -> Tensor:
    """Straight from control point to control point."""
    t = torch.linspace(0, 3, POINTS)[:, None]
    return (1 - (t - torch.arange(4)).abs()).clamp(min=0)


def corner() -> Tensor:
    """Two straight pieces, which meet half-way between the inner control points."""
    t = torch.linspace(0, 1, POINTS)
    return torch.stack([(1 - 2 * t).clamp(min=0), *[0.5 - (t - 0.5).abs()] * 2, (2 * t - 1).clamp(min=0)], dim=1)


def bezier() -> Tensor:
    """A cubic Bezier curve: pulled by its two inner control points."""
    t = torch.linspace(0, 1, POINTS)
    return torch.stack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], dim=1)


def round_trip(turn: float) -> Tensor:
    """A closed curve through the four control points (trigonometric interpolation), drawn for ``turn`` of its length."""
    angle = 2 * math.pi * (torch.linspace(0, turn, POINTS)[:, None] - torch.arange(4) / 4)
    return (1 + 2 * angle.cos() + (2 * angle).cos()) / 4


COMPASS = (-0.4, 0), (0, 0.4), (0.4, 0), (0, -0.4)
KINDS = {  # how often, basis, control points of the plainest stroke of its kind
    "line": (0.42, bezier(), ((-0.5, 0), (-0.17, 0), (0.17, 0), (0.5, 0))),
    "corner": (0.16, corner(), ((-0.5, -0.4), (-0.5, 0.4), (-0.5, 0.4), (0.5, 0.4))),
    "gate": (0.05, polyline(), ((-0.5, -0.4), (-0.5, 0.4), (0.5, 0.4), (0.5, -0.4))),
    "zigzag": (0.03, polyline(), ((-0.5, -0.4), (-0.5, 0.4), (0.5, -0.4), (0.5, 0.4))),
    "bow": (0.14, bezier(), ((-0.5, 0), (-0.4, 0.7), (0.4, 0.7), (0.5, 0))),
    "wave": (0.06, bezier(), ((-0.5, 0), (-0.1, 0.9), (0.1, -0.9), (0.5, 0))),
    "loop": (0.07, round_trip(1.0), COMPASS),
    "arc": (0.07, round_trip(0.65), COMPASS),
}
SHARES, BASES, TEMPLATES = (torch.stack([torch.as_tensor(row[i]) for row in KINDS.values()]) for i in range(3))


class Strokes(TaskFamily):
    """Few-shot classification of invented hand-drawn characters, 28 x 28, ink 1 on paper 0.

    Args:
        ways: classes in an episode.
        sloppiness: how much two drawings of a character differ; 0 makes them equal, 1 is about as hard as real handwriting.
        scripts, characters: there are ``scripts`` times ``characters`` classes; those of one script share strokes.
        only: a range of scripts, such as (0, 60): tasks are made of no others. `split` makes two such families.
        within: the share of tasks whose classes all come from one script, which makes them look alike.
        seed: of the alphabet. Episodes have a generator of their own.
        device: where drawings are made. The alphabet is the same on every device.

    Raises:
        ValueError: a count is below 1, there are fewer classes than ways, the sloppiness is negative, or a range is empty.
    """

    def __init__(self, ways=5, sloppiness=1.0, scripts=80, characters=25, seed=0, device="cpu", only=None, within=0.0):
        at_least_one(ways=ways, scripts=scripts, characters=characters)
        first, end = only = tuple(only or (0, scripts))
        if not 0 <= first < end <= scripts:
            raise ValueError(f"only={only}: a range of scripts lies between 0 and scripts={scripts}, and its end is above its start")
        if not 0 <= within <= 1:
            raise ValueError(f"within={within}: a share of tasks lies between 0 and 1")
        if ways > (most := characters if within else (end - first) * characters):
            raise ValueError(f"ways={ways}: there are {most} characters to choose from; ask for fewer ways or more characters")
        self.only, self.within = only, float(within)
        if not 0 <= sloppiness < math.inf:
            raise ValueError(f"sloppiness={sloppiness}: it must be 0 or more")
        self.ways, self.sloppiness, self.scripts, self.characters, self.seed = ways, float(sloppiness), scripts, characters, seed
        self.device = torch.device(device)
        alphabet = write_alphabet(scripts, characters, torch.Generator().manual_seed(seed))
        self.kinds, self.control, self.used = (part.to(self.device) for part in alphabet)
        self.bases = BASES.to(self.device)

    @property
    def classes(self) -> int:
        """How many characters the alphabet has."""
        return len(self.kinds)

    def settings(self) -> dict:
        names = ("ways", "sloppiness", "scripts", "characters", "seed", "only", "within")
        return {"family": "strokes"} | {name: getattr(self, name) for name in names}

    def split(self, held_out: int) -> tuple["Strokes", "Strokes"]:
        """Two families with no script in common: the last ``held_out`` scripts are the second one's.

        Raises:
            ValueError: one of the two would have no script.
        """
        first, end = self.only
        if not 0 < held_out < end - first:
            raise ValueError(f"held_out={held_out}: of {end - first} scripts, hold out at least 1 and keep at least 1")
        names = ("ways", "sloppiness", "scripts", "characters", "seed", "device", "within")
        same = {name: getattr(self, name) for name in names}
        return Strokes(**same, only=(first, end - held_out)), Strokes(**same, only=(end - held_out, end))

    def sample(self, tasks: int, *, shots: int, queries: int, generator: torch.Generator | None = None) -> Episode:
        """Draw tasks of ``ways`` classes, with ``shots`` support and ``queries`` query drawings of each class.

        x is (tasks, ways * shots or queries, 1, 28, 28) and y numbers the classes 0, 1, ... anew in each task. Every drawing is by
        another hand, and the order within a set is random. ``hidden["classes"]`` is (tasks, ways): the characters behind the numbers.
        """
        at_least_one(tasks=tasks, shots=shots, queries=queries)
        classes = self._choose(tasks, generator)
        sets = []
        for each in (shots, queries):
            y = torch.arange(self.ways, device=self.device).repeat_interleave(each)
            y = y[torch.rand(tasks, len(y), generator=generator, device=self.device).argsort()]
            drawings = self.draw(classes.gather(1, y).flatten(), generator=generator)
            sets += [drawings.view(tasks, -1, 1, SIZE, SIZE), y]
        return Episode(*sets, hidden={"classes": classes})

    def _choose(self, tasks: int, generator: torch.Generator | None) -> Tensor:
        """Distinct characters for each task, in random order: (tasks, ways)."""
        first, end = (script * self.characters for script in self.only)
        chance = torch.rand(tasks, end - first, generator=generator, device=self.device)
        if self.within:
            alike = torch.rand(tasks, 1, generator=generator, device=self.device) < self.within
            script = torch.randint(*self.only, (tasks, 1), generator=generator, device=self.device)
            chance -= 1.0 * (alike & (torch.arange(first, end, device=self.device) // self.characters != script))
        return first + chance.topk(self.ways).indices

    def hands(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """``count`` hands: (count, 7) numbers, standard normal but never beyond 2."""
        return torch.randn(count, HAND, generator=generator, device=self.device).clamp(-2, 2)

    def draw(self, classes: Tensor, hands: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """One drawing of each class of ``classes`` (n,), each in the hand of its row or in a new one: (n, 1, 28, 28)."""
        hands = self.hands(len(classes), generator) if hands is None else hands
        shakes = torch.randn(len(classes), MOST, 5, 2, generator=generator, device=self.device)
        parts = zip(classes.split(CHUNK), hands.split(CHUNK), shakes.split(CHUNK), strict=True)
        return torch.cat([self._draw(*part) for part in parts])[:, None]

    def _draw(self, classes: Tensor, hands: Tensor, shake: Tensor) -> Tensor:
        used, n, noise = self.used[classes], len(classes), self.sloppiness
        control = self.control[classes] + noise * (0.07 * shake[:, :, :4] + 0.075 * shake[:, :, 4:])  # each point, and the stroke as a whole
        turn, slant, wide, high, pen, x, y = (noise * hands).T
        matrix = rotation(0.16 * turn) * torch.stack([0.1 * wide, 0.1 * high], dim=1).exp()[:, :, None]
        matrix[:, 0, 1] += 0.2 * slant
        points = (self.bases[self.kinds[classes]] @ control).flatten(1, 2) @ matrix.mT
        points = fit(points, used.repeat_interleave(POINTS, dim=1), size=0.72 + 0.1 * (wide + high), place=torch.stack([x, y], dim=1))
        return ink(points.view(n, MOST, POINTS, 2), used, pen=0.55 + 0.065 * pen)


def box(points: Tensor, used: Tensor) -> tuple[Tensor, Tensor]:
    """The lower and the upper corner, (n, 2) each, around those of the points (n, points, 2) that are used."""
    return points.masked_fill(~used[..., None], math.inf).amin(1), points.masked_fill(~used[..., None], -math.inf).amax(1)


def fit(points: Tensor, used: Tensor, size: Tensor, place: Tensor) -> Tensor:
    """Scale and move each drawing (n, points, 2) into the image: its longer side is ``size`` of it, kept between 0.55 and 0.85."""
    low, high = box(points, used)
    scale = SIZE * size.clamp(0.55, 0.85) / (high - low).amax(1)
    room = (SIZE - 4 - scale[:, None] * (high - low)) / 2  # on each side, with two pixels of border
    centre = (SIZE - 1) / 2 + room * (0.3 * place).clamp(-1, 1)
    return scale[:, None, None] * (points - (low + high)[:, None] / 2) + centre[:, None]


def ink(points: Tensor, used: Tensor, pen: Tensor) -> Tensor:
    """Render strokes (n, strokes, points, 2), in pixels, with a pen of width ``pen`` (n,): (n, 28, 28)."""
    middles = ((points[:, :, 1:] + points[:, :, :-1]) / 2).flatten(1, 2)
    lengths = ((points[:, :, 1:] - points[:, :, :-1]).norm(dim=-1) * used[..., None]).flatten(1)
    pen = pen.clamp(0.42, 0.68)[:, None, None]
    pixels = torch.arange(SIZE, device=points.device)
    across, down = ((-((pixels - middles[..., i, None]) / pen).square() / 2).clamp(min=-16).exp() for i in (0, 1))
    weights = 1.25 * lengths[..., None] / (pen * math.sqrt(2 * math.pi))  # a long straight stroke is 1.25 dark, cut off at 1
    return ((down * weights).mT @ across).clamp(max=1)


def rotation(angle: Tensor) -> Tensor:
    """Matrices that turn by ``angle`` (n,), in radians: (n, 2, 2)."""
    return torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], dim=-1).view(-1, 2, 2)


def write_alphabet(scripts: int, characters: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Invent scripts times characters programs: kinds (n, 4), control points (n, 4, 4, 2), and which strokes are used (n, 4)."""
    drafts = scripts * 2 * characters
    library_kinds, library = invent_strokes(8 * scripts, generator)
    kinds, control = invent_strokes(drafts * MOST, generator)
    script = torch.arange(scripts).repeat_interleave(2 * characters * MOST)
    taken = 8 * script + torch.randint(8, (drafts * MOST,), generator=generator)
    reuse = torch.rand(drafts * MOST, generator=generator) < 0.5  # the strokes that give a script its look
    kinds = torch.where(reuse, library_kinds[taken], kinds).view(drafts, MOST)
    control = torch.where(reuse[:, None, None], library[taken], control).view(drafts, MOST, 4, 2)
    control = join(kinds, control, generator)
    used = torch.arange(MOST) <= torch.multinomial(torch.tensor(STROKE_COUNTS), drafts, replacement=True, generator=generator)[:, None]
    mess = untidiness(kinds, control, used).view(scripts, 2 * characters)
    tidier = mess.argsort(dim=1)[:, :characters].sort(dim=1).values  # the better half of each script's drafts
    kept = (tidier + 2 * characters * torch.arange(scripts)[:, None]).flatten()
    return kinds[kept], control[kept], used[kept]


def untidiness(kinds: Tensor, control: Tensor, used: Tensor) -> Tensor:
    """How much the strokes of each program lie on top of each other, and how far its shape is from a square: (n,)."""
    points = (BASES[kinds, :: POINTS // 12] @ control).flatten(1, 2)
    stroke = torch.arange(MOST).repeat_interleave(points.shape[1] // MOST)
    both = used[:, stroke, None] & used[:, None, stroke] & (stroke[:, None] != stroke)
    crowding = ((torch.cdist(points, points) < 0.15) & both).sum((1, 2)) / used.sum(1)
    low, high = box(points, used[:, stroke])
    return crowding + 4 * ((high - low).amax(1) / (high - low).amin(1)).log()


def invent_strokes(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Kinds (n,) and control points (n, 4, 2) of single strokes: the plainest of its kind, bent, stretched, mirrored and turned."""
    kinds = torch.multinomial(SHARES, n, replacement=True, generator=generator)
    stretch = 0.5 + 0.6 * torch.rand(n, 1, 2, generator=generator)
    mirror = torch.tensor([1.0, -1.0])[torch.randint(2, (n, 1, 2), generator=generator)]
    bent = TEMPLATES[kinds] + 0.05 * torch.randn(n, 4, 2, generator=generator)
    eighths = torch.multinomial(torch.tensor([3.0, 1.0] * 4), n, replacement=True, generator=generator)  # level and upright, or diagonal
    tilt = 0.1 * torch.randn(n, generator=generator)
    return kinds, (stretch * mirror * bent) @ rotation(eighths * math.pi / 4 + tilt).mT


def join(kinds: Tensor, control: Tensor, generator: torch.Generator) -> Tensor:
    """Move each stroke after the first: three in four touch an earlier stroke, the others stand free."""
    n = len(kinds)
    spots = torch.tensor([0, POINTS // 2, POINTS - 1])  # strokes meet at their ends or in the middle
    control, each = control.clone(), torch.arange(n)
    for stroke in range(1, MOST):
        earlier = torch.randint(stroke, (n,), generator=generator)
        here, there = (spots[torch.randint(3, (n,), generator=generator)] for _ in range(2))
        mine = torch.einsum("nc,ncd->nd", BASES[kinds[:, stroke], here], control[:, stroke])
        other = torch.einsum("nc,ncd->nd", BASES[kinds[each, earlier], there], control[each, earlier])
        free = (4 * torch.rand(n, 2, generator=generator) - 2).round() / 4
        touching = torch.rand(n, 1, generator=generator) < 0.75
        control[:, stroke] += torch.where(touching, other - mine, free)[:, None]
    return control
