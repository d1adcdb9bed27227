"""Two pads of ten papers: each symbol is drawn twice, once to learn from and once to be asked."""

from course_lib.classroom.drawpad import DrawPad
from course_lib.families import hand_drawn

SYMBOLS = dict(hand_drawn.SHAPES) | {
    "bowl": hand_drawn.turned(hand_drawn.SHAPES["gate"], 2),
    "drop": hand_drawn.turned(hand_drawn.SHAPES["arrow"], 1),
}


def two_pads() -> tuple[DrawPad, DrawPad]:
    """Two pads with the same ten names. Ready-made symbols stand on them, by two hands, until the
    reader draws over them."""
    pads = []
    for turn, what in enumerate(("Draw ten symbols", "Draw the same ten once more")):
        start = {
            name: hand_drawn.another_hand(strokes, seed=20 * turn + i)
            for i, (name, strokes) in enumerate(SYMBOLS.items())
        }
        pads.append(DrawPad(SYMBOLS, hand_drawn, question=what, start=start))
    return tuple(pads)
