"""The picture of a table: what each method reaches, and what a task costs it."""

from course_lib.chapters.ch14.methods import GROUPS
from course_lib.chapters.ch14.table import Comparison
from course_lib.classroom.figures import COLOURS, Picture, new_figure, picture

LOOKS = dict(
    zip(
        GROUPS,
        (
            (COLOURS["before"], "o"), (COLOURS["prototype"], "D"), (COLOURS["joint"], "s"),
            (COLOURS["theta"], "^"), (COLOURS["query"], "P"),
        ),
        strict=True,
    )
)  # fmt: skip


def picture_of(found: Comparison) -> Picture:
    """Accuracy (or error) with its interval, and milliseconds a task, one row a method."""
    rows = [row for row in found.rows if row.score is not None][::-1]
    figure, axes = new_figure(
        9, 1.3 + 0.27 * len(rows), mosaic=[["score", "cost"]], sharey=True, width_ratios=[2, 1]
    )
    shown = set()
    for place, row in enumerate(rows):
        colour, marker = LOOKS[row.method.group]
        label = None if row.method.group in shown else row.method.group
        shown.add(row.method.group)
        score = row.score
        axes["score"].errorbar(
            score.mean, place, xerr=score.half_width, fmt=marker, color=colour, ms=7, label=label,
        )  # fmt: skip
        axes["cost"].plot(1000 * max(row.seconds, 1e-6), place, marker, color=colour, ms=7)
    if (chance := rows[0].score.chance) is not None:
        axes["score"].axvline(chance, ls=":", color=COLOURS["chance"])
        axes["score"].annotate(" chance", (chance, len(rows) - 0.6), color="#666666", size=9)
    curves = found.data.kind == "curves"
    axes["score"].set(
        yticks=range(len(rows)),
        yticklabels=[row.name for row in rows],
        ylim=(-0.7, len(rows) - 0.3),
        xlabel="error, share of the variance (less is better)" if curves else "accuracy",
    )
    axes["score"].set_xlim(left=0)
    axes["cost"].set(xscale="log", xlabel="milliseconds a task")
    figure.legend(
        loc="outside upper center", ncols=len(GROUPS), fontsize=9, frameon=False, reverse=True
    )
    return picture(figure, alt_of(found))


def alt_of(found: Comparison) -> str:
    """What the picture shows, in words."""
    said = ", ".join(
        f"{row.name} {row.score.mean:.2f} ± {row.score.half_width:.2f}" for row in found.answered
    )
    what = "Error" if found.data.kind == "curves" else "Accuracy"
    return f"{what} with its interval and milliseconds a task, one row a method. Best first: {said}"
