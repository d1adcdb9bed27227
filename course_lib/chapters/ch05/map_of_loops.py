"""One map of the outer loops: what moves, what is differentiated, what is kept."""

from matplotlib.figure import Figure

from course_lib.classroom.figures import COLOURS, new_figure

# name, places of the walk that are kept, where gradients are taken for theta, what is said of it
ROWS = (
    ("joint training", 0, "start", "gradient at theta; no inner loop in training"),
    ("MAML", 4, "path", "back through every step: all Hessians, all of the path kept"),
    ("first order", 1, "end", "query gradient at phi, put to theta as it is"),
    ("ANIL", 4, "head", "as MAML, but the walk moves the last layer only"),
    ("Meta-SGD", 4, "path", "as MAML, and to a learned rate for every weight"),
    ("Reptile", 0, "difference", "no gradient for theta: the difference to phi, no split"),
    ("implicit MAML", 1, "solve", "query gradient at phi, then solve with the Hessian there"),
)
ALT = (
    "Seven rows, one for each outer loop, each with an inner walk from theta over three places to "
    "phi. Filled places are kept for the outer gradient: all of them for MAML, ANIL and Meta-SGD, "
    "only phi for first order and implicit MAML, none for joint training and Reptile. An arrow "
    "shows the way back to theta, and a sentence says what is differentiated."
)


def loops_map() -> tuple[Figure, str]:
    """The figure, and its alt text."""
    figure, axes = new_figure(9.0, 5.0)
    for place, (name, kept, back, words) in enumerate(ROWS):
        y = len(ROWS) - 1 - place
        axes.text(-0.25, y, name, ha="right", va="center", fontsize=11, weight="bold")
        walk = 0 if back == "start" else 3
        for j in range(walk):
            step = {"arrowstyle": "-|>", "color": "#999999", "lw": 1.4, "shrinkA": 6, "shrinkB": 6}
            axes.annotate("", (j + 1, y), (j, y), arrowprops=step)
        axes.plot(0, y, "o", ms=11, color=COLOURS["theta"], mec="black")
        for j in range(1, walk + 1):
            full = kept == 4 or (kept == 1 and j == 3)
            small = {"ms": 7} if back == "head" else {"ms": 11}
            axes.plot(
                j, y, "o", color=COLOURS["after"], mfc=COLOURS["after"] if full else "white",
                mew=1.5, **small,
            )  # fmt: skip
        way_back(axes, y, back)
        axes.text(3.35, y, words, va="center", fontsize=10)
    axes.text(0, len(ROWS) - 0.35, "theta", ha="center", fontsize=10)
    axes.text(3, len(ROWS) - 0.35, "phi", ha="center", fontsize=10)
    axes.text(
        -0.25, -0.85, "filled: kept for the outer gradient · blue: how theta hears of it · "
        "small: only the head moves", fontsize=9.5,
    )  # fmt: skip
    axes.set(xlim=(-1.9, 8.6), ylim=(-1.1, len(ROWS)))
    axes.axis("off")
    return figure, ALT


def way_back(axes, y: float, back: str) -> None:
    """The arrow from where gradients are taken to theta."""
    if back == "start":
        return
    whole = {"color": COLOURS["query"], "lw": 1.6, "shrinkA": 7, "shrinkB": 7}
    if back in ("path", "head"):
        for j in range(3):
            bent = {"arrowstyle": "-|>", "connectionstyle": "arc3,rad=0.45"}
            axes.annotate("", (j, y), (j + 1, y), arrowprops=whole | bent)
        return
    style = {"end": "-", "difference": ":", "solve": "--"}[back]
    bent = {"arrowstyle": "-|>", "connectionstyle": "arc3,rad=0.16", "ls": style}
    axes.annotate("", (0, y), (3, y), arrowprops=whole | bent)
