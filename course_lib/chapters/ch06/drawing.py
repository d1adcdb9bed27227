"""Draw pads for readers: two drawings and their distance, and symbols recognised from one example
each.

`ENCODER` names the shipped run that judges drawings; another run of a conv4 learner with an
``encoder`` may stand in its place.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.chapters import named_run
from course_lib.classroom.drawpad import DrawPad, Said
from course_lib.classroom.figures import Picture, new_figure, picture
from course_lib.families import Strokes, hand_drawn
from course_lib.families.hand_drawn import SHAPES, another_hand
from course_lib.learners.siamese import distance, pairs_of

ENCODER = "strokes_siamese"
FIVE = ("circle", "cross", "zigzag", "triangle", "gate")


@lru_cache
def encoder(name: str = ENCODER) -> nn.Sequential:
    """The network of a shipped run, in eval mode: (n, 1, 28, 28) -> (n, d)."""
    return named_run(name).load().encoder


@torch.no_grad()
def embed(pictures: Tensor, name: str = ENCODER) -> Tensor:
    """Where the shipped network puts pictures: (n, 1, 28, 28) -> (n, d)."""
    return encoder(name)(pictures)


@lru_cache
def threshold(name: str = ENCODER) -> float:
    """A distance that tells pairs of training characters apart: as many similar pairs lie above it
    as dissimilar ones below, in shares."""
    family, _ = Strokes().split(20)
    episode = family.sample(60, shots=1, queries=2, generator=family.generator(7))
    x = torch.cat([episode.support_x, episode.query_x], dim=1)
    i, j, different = pairs_of(torch.cat([episode.support_y, episode.query_y], dim=1))
    f = embed(x.flatten(0, 1), name).view(*x.shape[:2], -1)
    D = distance(f[:, i], f[:, j])
    steps = torch.linspace(D.min().item(), D.max().item(), 400)
    wrong = (D[~different] > steps[:, None]).float().mean(1) - (
        D[different] < steps[:, None]
    ).float().mean(1)
    return steps[wrong.abs().argmin()].item()


def two_drawings(
    question="Same or different? Draw on both papers and watch the distance", name: str = ENCODER
) -> DrawPad:
    """Two papers and the distance between them."""
    limit = threshold(name)

    def answer(pad):
        D = distance(*embed(pad.pictures, name)).item()
        verdict = "nearer than" if D < limit else "farther apart than"
        return Said(
            f"Distance {D:.2f}: {verdict} the threshold {limit:.2f}, so the network says "
            f"{'same' if D < limit else 'different'}."
        )

    start = {"one": SHAPES["zigzag"], "other": another_hand(SHAPES["zigzag"], 1)}
    return DrawPad(
        ["one", "other"],
        hand_drawn,
        answer,
        question=question,
        start=start,
        colours={"one": "support", "other": "query"},
        size=170,
    )


def symbols(
    question="One example each: which of your five symbols is the new one?",
    name: str = ENCODER,
    start=None,
) -> DrawPad:
    """Five papers with one example each, and a sixth with a new drawing: the nearest example
    answers."""
    five, limit = list("ABCDE"), threshold(name)

    def answer(pad):
        f = embed(pad.pictures, name)
        D = distance(f[:5], f[5]).tolist()
        best = five[min(range(5), key=D.__getitem__)]
        bars = {
            letter: (1 - d / (2 * limit), f"distance {d:.2f}")
            for letter, d in zip(five, D, strict=True)
        }
        far = "" if min(D) < limit else " All are farther than it calls the same."
        return Said(f"The nearest example is {best}.{far}", bars, best)

    ready = {letter: SHAPES[shape] for letter, shape in zip(five, FIVE, strict=True)} | {
        "new": another_hand(SHAPES["gate"], 4)
    }
    return DrawPad(
        [*five, "new"],
        hand_drawn,
        answer,
        question=question,
        start=start or ready,
        colours=dict.fromkeys(five, "support") | {"new": "query"},
    )


def middle_of_ink(drawing: Tensor) -> tuple[Tensor, Tensor]:
    """The middle (row, column) of the smallest box around the ink of a drawing, and half of the
    box's two sides, in pixels."""
    inked = (drawing > 0.1).nonzero()
    low, high = inked.amin(0), inked.amax(0) + 1
    return (low + high) // 2, (high - low + 1) // 2


def half_side(drawings: list[Tensor]) -> int:
    """Half the side of the square that holds the ink of each drawing, in pixels, with one pixel of
    paper around it."""
    return 1 + max(int(middle_of_ink(drawing)[1].max()) for drawing in drawings)


def cut(drawing: Tensor, half: int) -> Tensor:
    """A square of 2 ``half`` pixels around the middle of the ink: (28, 28) -> (2 half, 2 half)."""
    row, column = middle_of_ink(drawing)[0].tolist()
    return F.pad(drawing, (half, half, half, half))[
        row : row + 2 * half, column : column + 2 * half
    ]


def pairs_picture(rows: dict[str, list[tuple[Tensor, Tensor, float]]]) -> Picture:
    """Rows of pairs of drawings with their distances: by name, (28 x 28, 28 x 28, D) each. All are
    cut to one size that holds their ink."""
    most, half = (
        max(map(len, rows.values())),
        half_side([drawing for pairs in rows.values() for pair in pairs for drawing in pair[:2]]),
    )
    figure, axes = new_figure(9, 1.5 * len(rows) + 0.1)
    for place, (name, pairs) in enumerate(rows.items()):
        top = 1.55 * place
        axes.text(0, top - 0.08, name, fontweight="bold", va="bottom")
        for column, (one, other, D) in enumerate(pairs):
            for side, drawing in enumerate((one, other)):
                left = 2.4 * column + 1.02 * side
                axes.imshow(
                    1 - cut(drawing, half).numpy(),
                    cmap="gray",
                    vmin=0,
                    vmax=1,
                    extent=(left, left + 1, top + 1, top),
                    interpolation="bilinear",
                )
            axes.text(
                2.4 * column + 1.01,
                top + 1.03,
                f"distance {D:.2f}",
                ha="center",
                va="top",
                fontsize=10,
            )
    axes.set(xlim=(-0.05, 2.4 * most - 0.3), ylim=(1.55 * len(rows) - 0.1, -0.4))
    axes.set_axis_off()
    axes.set_aspect("equal")
    return picture(
        figure,
        "Pairs of drawings with their distances. "
        + ". ".join(
            f"{name}: {', '.join(f'{D:.2f}' for *_, D in pairs)}" for name, pairs in rows.items()
        )
        + ".",
    )
