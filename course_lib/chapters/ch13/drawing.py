"""The pictures of chapter 13's explorers."""

from course_lib.classroom.figures import COLOURS
from course_lib.families.points import BOX

ARMS, PULLS = 5, 10


def draw_game(result: dict, axes: dict) -> None:
    """Each pull as a mark: full where it paid. After the tenth, the chances, and what the others
    earned."""
    pulls, totals = axes["pulls"], axes["totals"]
    for t, (arm, paid) in enumerate(zip(result["arms"], result["paid"], strict=True), start=1):
        colour = COLOURS["after"] if paid else "white"
        pulls.plot(t, arm + 1, "o", ms=13, mfc=colour, mec=COLOURS["truth"])
    if result["done"]:
        for arm, chance in enumerate(result["chances"], start=1):
            pulls.text(10.7, arm, f"{chance:.2f}", va="center", fontsize=10)
    title = f"Game {result['game']}. Full: it paid" + "; right: chances" * result["done"]
    if result["foreign"]:
        title = f"No arm: {result['foreign'][:12]!r}. Arms are 1 to 5"
    pulls.set(
        xlim=(0.3, 12), ylim=(ARMS + 0.6, 0.4), xticks=range(1, PULLS + 1),
        yticks=range(1, ARMS + 1), xlabel="pull", ylabel="arm", title=title,
    )  # fmt: skip
    names = ["you", *result["others"]]
    earned = [sum(result["paid"]), *(result["others"].values() if result["done"] else ())]
    colours = [COLOURS["support"], *[COLOURS["query"]] * len(result["others"])]
    totals.barh(range(len(earned)), earned, color=colours[: len(earned)])
    for place, value in enumerate(earned):
        totals.text(value + 0.15, place, str(value), va="center", fontsize=10)
    told = "Same game, same luck" if result["done"] else "The others: after your tenth pull"
    totals.set(
        xlim=(0, PULLS), ylim=(len(names) - 0.4, -0.6), yticks=range(len(names)),
        yticklabels=names, xlabel="earned", title=told,
    )  # fmt: skip


def draw_head(result: dict, axes) -> None:
    """For each arm the chance that it is pulled next, and the mean of its posterior."""
    places = range(1, ARMS + 1)
    axes.bar([p - 0.18 for p in places], result["chances"], 0.34, color=COLOURS["after"],
             label="chance by RL²")  # fmt: skip
    axes.bar([p + 0.18 for p in places], result["means"], 0.34, color=COLOURS["before"],
             label="posterior mean")  # fmt: skip
    best = [place for place, good in zip(places, result["best"], strict=True) if good]
    axes.plot(best, [1.04] * len(best), "*", ms=13, color=COLOURS["truth"], label="best pull")
    past = " ".join(f"{arm + 1}{'+' if won else '−'}" for arm, won in result["events"])
    axes.set(
        ylim=(0, 1.45), xticks=places, yticks=[0, 0.25, 0.5, 0.75, 1], xlabel="arm",
        title=f"After the past: {past or 'nothing'}"
        + (f" (passed over: {result['foreign'][:12]!r})" if result["foreign"] else ""),
    )  # fmt: skip
    axes.legend(loc="upper right", ncols=3, fontsize=9)


def draw_walks(result: dict, axes: dict) -> None:
    """Twenty walks in the plane, and the mean return after each inner step."""
    plane, returns = axes["plane"], axes["returns"]
    for places in result["walks"]:
        plane.plot(places[:, 0], places[:, 1], color=COLOURS["after"], lw=0.7, alpha=0.7)
    side = 1.6 * BOX
    box = [[-BOX, BOX, BOX, -BOX, -BOX], [-BOX, -BOX, BOX, BOX, -BOX]]
    plane.plot(*box, color=COLOURS["before"], lw=1, ls=":")
    plane.plot(0, 0, "o", ms=9, color=COLOURS["theta"])
    plane.plot(*result["goal"], "*", ms=18, color=COLOURS["truth"])
    plane.set(
        xlim=(-side, side), ylim=(-side, side), xlabel="x", ylabel="y",
        title="Drag the star: the goal", aspect="equal",
    )  # fmt: skip
    shown = [max(value, -60) for value in result["returns"]]
    returns.plot(range(len(shown)), shown, "o-", color=COLOURS["after"], ms=8)
    returns.set(
        xlim=(-0.3, 3.3), ylim=(-62, 2), xticks=range(4), xlabel="inner steps",
        ylabel="return", title="Mean of 20 walks",
    )  # fmt: skip
