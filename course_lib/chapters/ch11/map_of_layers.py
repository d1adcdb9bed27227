"""The small transformer in one figure: tokens, three blocks of two parts, scores."""

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from course_lib.classroom.figures import COLOURS, new_figure

WORDS = ("dog", ":", "blip", "end", "cow", ":")
LAYERS = (  # height, colour, what stands in the box
    (0.0, "before", "embedding: each token becomes 96 numbers"),
    (1.5, "query", "attention, 4 heads: gather from earlier tokens, and add"),
    (2.25, "after", "MLP: work on each token alone, and add"),
    (3.4, "before", "times the embedding: a score for each of the 455 tokens"),
)
ALT = (
    "Six tokens at the bottom: dog, colon, blip, end, cow, colon. Each goes up through an "
    "embedding, then three times through attention, which gathers from earlier tokens, and an MLP, "
    "which works on each token alone; both add to what was there. At the top each token has a "
    "score for every word that may follow; those above the last colon are the answer."
)


def transformer_map() -> tuple[Figure, str]:
    """The figure, and its alt text."""
    figure, axes = new_figure(9.0, 4.2)
    for place, word in enumerate(WORDS):
        axes.text(place, -0.62, word, ha="center", fontsize=11, family="monospace")
        up = {"arrowstyle": "-|>", "color": "#999999", "lw": 1.2}
        axes.annotate("", (place, 4.35), (place, -0.45), arrowprops=up, zorder=1)
    for low, colour, words in LAYERS:
        box = FancyBboxPatch(
            (-0.4, low), 5.8, 0.55, boxstyle="round,pad=0.02", fc="white", ec=COLOURS[colour], lw=2
        )
        axes.add_patch(box)
        axes.text(2.5, low + 0.28, words, ha="center", va="center", fontsize=11)
    bent = {"arrowstyle": "-|>", "color": COLOURS["query"], "lw": 1.6}
    for start, end in ((0, 2), (2, 5)):
        path = bent | {"connectionstyle": "arc3,rad=-0.12"}
        axes.annotate("", (end - 0.05, 1.3), (start + 0.05, 0.75), arrowprops=path, zorder=1)
    axes.text(5.75, 2.1, "three blocks,\none after\nthe other", va="center", fontsize=11)
    axes.plot([5.6, 5.6], [1.45, 2.85], color="#555555", lw=1.5)
    axes.text(5.0, 4.45, "blip?", ha="center", fontsize=11, color=COLOURS["query"], weight="bold")
    axes.set(xlim=(-0.7, 7.3), ylim=(-0.85, 4.8))
    axes.axis("off")
    return figure, ALT
