"""Explorers of chapter 07: prototypes and their boundaries, attention over a support set, accuracy
by way and shot."""

from functools import lru_cache

import torch
from matplotlib.colors import to_rgb

from course_lib.chapters import named_run
from course_lib.classroom.explorer import Choice, Explorer, Points, Slider, Toggle
from course_lib.classroom.figures import COLOURS, new_figure, picture
from course_lib.episodes import Episode
from course_lib.families import Strokes
from course_lib.learners.metric import MetricLearner
from course_lib.learners.prototypical import CLOSENESS, prototypes
from course_lib.training.evaluation import test_episodes

CHANNELS = 32  # of the shipped encoders
FRESH = Strokes(
    seed=1
)  # other scripts than those of training, which are Strokes(): not one character in common


@lru_cache
def shipped_learner(method: str) -> MetricLearner:
    """One of the small networks that come with the chapter, in eval mode."""
    return named_run(f"strokes_{method}_small").load()


def embed(encoder, episode: Episode, at_once: int = 200) -> Episode:
    """The same episode with embeddings in the place of drawings: (T, items, d). f once, whatever is
    compared afterwards.

    Args:
        encoder: f, used in eval mode.   at_once: drawings embedded at a time; more need more
            memory.
    """

    def points(drawings: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return torch.cat(
                [encoder(part) for part in drawings.flatten(0, 1).split(at_once)]
            ).unflatten(0, drawings.shape[:2])

    encoder.eval()
    return Episode(
        points(episode.support_x), episode.support_y, points(episode.query_x), episode.query_y
    )


# Prototypes and boundaries: a plane of embeddings with three classes

CLASSES = {"A": ("#E69F00", "o"), "B": ("#009E73", "s"), "C": ("#CC79A7", "^")}
CENTRES = torch.tensor([[1.2, 0.9], [4.4, 2.3], [0.4, 3.2]])
OFFSETS = torch.tensor([[-0.45, -0.25], [0.5, -0.3], [0.0, 0.5], [0.15, -0.05]])
SUPPORT = tuple(map(tuple, (CENTRES[:, None] + OFFSETS).flatten(0, 1).tolist()))
OUTLIER, LEFT, RIGHT, LOW, HIGH = (6.2, 0.6), -1.5, 7.5, -0.8, 4.4
NEW = (
    CENTRES[:, None] + 0.65 * torch.randn(3, 20, 2, generator=torch.Generator().manual_seed(4))
).flatten(0, 1)
NEW_Y = torch.arange(3).repeat_interleave(20)
GRID = torch.stack(
    torch.meshgrid(torch.linspace(LEFT, RIGHT, 150), torch.linspace(LOW, HIGH, 87), indexing="xy"),
    dim=-1,
)


def classify(
    points: torch.Tensor, support: torch.Tensor, support_y: torch.Tensor, distance: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Prototypes (3, 2) and the probability of each class at each point (n, 2): (n, 3). The cosine
    is scaled by 10."""
    c = prototypes(support[None], support_y[None])
    scale = 10 if distance == "cosine" else 1
    return c[0], (scale * CLOSENESS[distance](points[None], c)[0]).softmax(-1)


def boundaries(support: tuple, outlier: tuple, distance: str, counts: bool) -> dict:
    """Twelve support points, four a class, and an outlier that counts for class A or not; and what
    becomes of sixty new points."""
    y = torch.arange(3).repeat_interleave(4)
    without, all_points = torch.tensor(support), torch.tensor(support + outlier)
    with_it = (all_points, torch.cat([y, y[:1]]))
    chosen = with_it if counts else (without, y)
    c, ground = classify(GRID.flatten(0, 1), *chosen, distance)
    answers = classify(NEW, *chosen, distance)[1]
    other = classify(NEW, *((without, y) if counts else with_it), distance)[1]
    return {
        "support": without, "outlier": outlier[0], "counts": counts, "distance": distance,
        "prototypes": c,
        "ground": ground.view(*GRID.shape[:2], 3), "answers": answers.argmax(1),
        "right": int((answers.argmax(1) == NEW_Y).sum()),
        "changed": int((answers.argmax(1) != other.argmax(1)).sum()),
        "confidence": answers.amax(1).mean().item(),
    }  # fmt: skip


def draw_boundaries(result: dict, axes) -> None:
    colours = torch.tensor([to_rgb(colour) for colour, _ in CLASSES.values()])
    sure, winner = result["ground"].max(-1)
    strength = (0.08 + 0.44 * (sure - 1 / 3) / (2 / 3))[..., None]
    axes.imshow(
        (1 - strength) + strength * colours[winner],
        extent=(LEFT, RIGHT, LOW, HIGH),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
    )
    for n, (name, (colour, marker)) in enumerate(CLASSES.items()):
        axes.plot(
            *result["support"][4 * n : 4 * n + 4].T,
            marker,
            ms=9,
            color=colour,
            mec="black",
            label=f"support of {name}",
        )
    axes.plot(
        *result["outlier"],
        "o" if result["counts"] else "x",
        ms=9,
        color=CLASSES["A"][0],
        mec="black",
        mew=2,
        label="outlier, labelled A",
    )
    axes.plot(
        *result["prototypes"].T,
        "P",
        ms=14,
        color=COLOURS["prototype"],
        mec="black",
        label="prototypes",
    )
    wrong = result["answers"] != NEW_Y
    axes.plot(*NEW[~wrong].T, ".", ms=5, color=COLOURS["query"], label="query, right")
    axes.plot(*NEW[wrong].T, "x", ms=6, mew=1.6, color=COLOURS["truth"], label="query, wrong")
    axes.plot(0, 0, "+", ms=12, color="#555555", label="zero")
    axes.set(
        xlim=(LEFT, RIGHT),
        ylim=(LOW, HIGH),
        xlabel="first number of the embedding",
        ylabel="second number",
    )
    axes.grid(False)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=9)


def prototypes_and_boundaries() -> Explorer:
    """Drag support points and an outlier in a plane of embeddings; choose the distance."""

    def number(result):
        does = "changes" if result["counts"] else "would change"
        return (f"{result['right']} of {len(NEW)} query points right, "
                f"mean confidence {result['confidence']:.0%}. "
                f"The outlier {does} the answer for {result['changed']}.")  # fmt: skip

    return Explorer(
        question="Whose ground is a point on, and what moves the boundary?",
        compute=boundaries,
        draw=draw_boundaries,
        controls=[
            Choice("distance", "distance", tuple(CLOSENESS), "squared"),
            Toggle("counts", "the outlier counts as A", True),
            Points("support", "support", value=SUPPORT, bounds=((LEFT, RIGHT), (LOW, HIGH))),
            Points("outlier", "outlier", value=(OUTLIER,), bounds=((LEFT, RIGHT), (LOW, HIGH))),
        ],
        number=number,
        alt=lambda r: (
            "A plane with three classes of four support points, an outlier and three prototypes, "
            f"with {r['distance']} distance. The ground is coloured by the nearest prototype; "
            f"{r['right']} of {len(NEW)} query points lie on the ground of their class."
        ),
        size=(9.0, 3.7),
    )


# Attention over a support set

SHOTS, QUERIES = 5, 10


@lru_cache
def five_drawings(shots: int = SHOTS, queries: int = QUERIES):
    """The chapter's task of five characters that no training has met: support_x, support_y,
    query_x, query_y. Sorted by class, for pictures."""
    ((support_x, support_y, query_x, query_y),) = test_episodes(
        FRESH, 1, shots=SHOTS, queries=QUERIES, seed=6
    )
    order, among = (
        support_y.argsort(stable=True).view(5, SHOTS)[:, :shots].flatten(),
        slice(0, queries),
    )
    return support_x[order], support_y[order], query_x[among], query_y[among]


@lru_cache
def embedded() -> tuple[torch.Tensor, torch.Tensor]:
    """The 25 support and 10 query drawings of `five_drawings`, embedded by the shipped matching
    network."""
    support_x, _, query_x, _ = five_drawings()
    with torch.no_grad():
        return shipped_learner("matching").encoder(support_x), shipped_learner("matching").encoder(
            query_x
        )


def attend(query: int, shots: int, scale: float) -> dict:
    """How one query drawing spreads its attention over ``shots`` drawings of each of five classes:
    attention (5, shots)."""
    support, queries = embedded()
    kept = support.view(5, SHOTS, -1)[:, :shots].flatten(0, 1)
    cosines = CLOSENESS["cosine"](queries[None, query : query + 1], kept[None])[0, 0]
    return {
        "attention": (scale * cosines).softmax(-1).view(5, shots),
        "query": query,
        "truth": int(five_drawings()[3][query]),
        "shots": shots,
    }


def draw_attention(result: dict, axes: dict) -> None:
    support_x, _, query_x, _ = five_drawings()
    attention, shots = result["attention"], result["shots"]
    axes["query"].imshow(1 - query_x[result["query"], 0], cmap="gray", vmin=0, vmax=1)
    axes["query"].set(xticks=[], yticks=[], title="The query")
    tiles = support_x.view(5, SHOTS, 28, 28)[:, :shots]
    glow = (attention / attention.max())[..., None, None, None]
    paper = 1 - glow * (1 - torch.tensor(to_rgb(COLOURS["support"])))
    rows = ((1 - tiles[..., None]) * paper).transpose(1, 2).reshape(5 * 28, shots * 28, 3)
    axes["support"].imshow(rows, interpolation="nearest")
    axes["support"].set(xticks=[28 * k + 14 for k in range(shots)],
    xticklabels=[str(k + 1) for k in range(shots)], yticks=[28 * n + 14 for n in range(5)],
                        yticklabels=[str(n) for n in range(5)], xlabel="support drawing",
                        ylabel="class", title="Attention on the support set")  # fmt: skip
    axes["support"].grid(False)
    votes = attention.sum(1)
    axes["votes"].barh(
        range(5),
        votes.tolist(),
        color=[COLOURS["after"] if n == result["truth"] else COLOURS["chance"] for n in range(5)],
    )
    axes["votes"].axvline(0.2, color=COLOURS["truth"], ls=":", lw=1)
    axes["votes"].set(
        xlim=(0, 1),
        ylim=(4.5, -0.5),
        yticks=range(5),
        xlabel="votes (dotted: even spread)",
        ylabel="class",
        title="Votes, right class green",
    )


def attention_over_support() -> Explorer:
    """A query drawing, the support drawings in the colour of its attention, and the votes for each
    class."""

    def number(result):
        votes = result["attention"].sum(1)
        guess, truth = int(votes.argmax()), result["truth"]
        verdict = "which is right" if guess == truth else f"and it is class {truth}"
        return (
            f"Class {guess} gets {votes[guess]:.0%} of the attention, {verdict}. The single "
            f"drawing looked at most gets {result['attention'].max():.0%}."
        )

    return Explorer(
        question="Which of the support drawings does a query look at?",
        compute=attend,
        draw=draw_attention,
        controls=[
            Slider("query", "query drawing", 0, QUERIES - 1, 1, value=0),
            Slider("shots", "shots K", 1, SHOTS, 1, value=SHOTS),
            Choice("scale", "factor s", (1, 3, 10, 30), 10),
        ],
        number=number,
        alt=lambda r: (
            f"A query drawing of class {r['truth']}, a grid of five classes by {r['shots']} "
            "support drawings coloured by attention, and a bar of votes for "
            f"each class: {', '.join(f'{v:.2f}' for v in r['attention'].sum(1))}."
        ),
        size=(9.0, 3.4),
        mosaic=[["query", "support", "votes"]],
    )


# Way and shot

SHOWN_SHOTS, BANK_CLASSES, BANK_DRAWINGS, EPISODES = (1, 2, 5, 10), 200, 12, 300


@lru_cache
def bank() -> torch.Tensor:
    """Embeddings of 12 drawings each of 200 fresh characters by the shipped prototypical network:
    (200, 12, d)."""
    characters = (
        torch.linspace(0, FRESH.classes - 1, BANK_CLASSES).long().repeat_interleave(BANK_DRAWINGS)
    )
    drawings = FRESH.draw(characters, generator=FRESH.generator(8))
    with torch.no_grad():
        embeddings = [shipped_learner("prototypical").encoder(part) for part in drawings.split(200)]
    return torch.cat(embeddings).view(BANK_CLASSES, BANK_DRAWINGS, -1)


@lru_cache
def measured(ways: int) -> torch.Tensor:
    """Accuracy in percent in 300 episodes from the bank, one query a class: (4 shots, 300). All
    shots share classes and queries."""
    g = torch.Generator().manual_seed(ways)
    classes = torch.rand(EPISODES, BANK_CLASSES, generator=g).argsort(1)[:, :ways, None]
    drawings = torch.rand(EPISODES, ways, BANK_DRAWINGS, generator=g).argsort(2)[
        ..., : max(SHOWN_SHOTS) + 1
    ]
    embeddings = bank()[classes, drawings]  # (300, ways, 11, d)
    query = embeddings[:, :, -1]
    rows = []
    for shots in SHOWN_SHOTS:
        answers = torch.cdist(query, embeddings[:, :, :shots].mean(2)).argmin(-1)
        rows.append(100 * (answers == torch.arange(ways)).float().mean(1))
    return torch.stack(rows)


def sketch_and_curve(sketch: tuple, ways: int, shown: bool) -> dict:
    """The reader's four heights, and what was measured: mean and half the 95 % interval, in
    percent."""
    accuracy = measured(ways)
    mean, half = accuracy.mean(1), 1.96 * accuracy.std(1) / EPISODES**0.5
    heights = torch.tensor([y for _, y in sketch])
    return {
        "heights": heights,
        "ways": ways,
        "shown": shown,
        "mean": mean,
        "half": half,
        "off": (heights - mean).abs().mean().item(),
    }


def draw_sketch(result: dict, axes) -> None:
    places = range(len(SHOWN_SHOTS))
    axes.axhline(
        100 / result["ways"],
        color=COLOURS["chance"],
        ls=":",
        label=f"chance, {100 / result['ways']:.0f} %",
    )
    axes.plot(
        places,
        result["heights"],
        "--o",
        ms=10,
        color=COLOURS["theta"],
        mec="black",
        label="your sketch: drag the dots",
    )
    if result["shown"]:
        mean, half = result["mean"].tolist(), result["half"].tolist()
        axes.errorbar(
            places,
            mean,
            half,
            fmt="-s",
            ms=5,
            capsize=4,
            color=COLOURS["after"],
            label=f"measured, {EPISODES} episodes, 95 %",
        )
    axes.set(
        xlim=(-0.3, 3.3),
        ylim=(0, 105),
        xticks=list(places),
        xticklabels=[str(k) for k in SHOWN_SHOTS],
    )
    axes.set(
        xlabel="shots K: support drawings of each class",
        ylabel="accuracy (%)",
        title=f"{result['ways']}-way",
    )
    axes.legend(loc="lower right", fontsize=9)


def ways_and_shots() -> Explorer:
    """Sketch accuracy over shots first, then see it measured on fresh characters."""

    def number(result):
        if not result["shown"]:
            return (
                f"With {result['ways']} ways, guessing is right in {100 / result['ways']:.0f} %. "
                "Drag the four dots, then show the measured curve."
            )
        values = ", ".join(
            f"{m:.1f} ± {h:.1f}" for m, h in zip(result["mean"], result["half"], strict=True)
        )
        return (
            f"Measured: {values} % ({EPISODES} episodes, chance {100 / result['ways']:.0f} %). "
            f"Your sketch is off by {result['off']:.0f} points on average."
        )

    return Explorer(
        question="How does accuracy grow with the shots, and how does it fall with the ways?",
        compute=sketch_and_curve,
        draw=draw_sketch,
        controls=[
            Choice("ways", "ways N", (2, 5, 10, 20), 5),
            Toggle("shown", "show the measured curve", False),
            Points(
                "sketch",
                "sketch",
                value=tuple((place, 50) for place in range(4)),
                bounds=((0, 3), (0, 100)),
                move="y",
            ),
        ],
        number=number,
        alt=lambda r: (
            (
                f"Accuracy over 1, 2, 5 and 10 shots in {r['ways']}-way episodes: four points "
                "that the reader places, a dotted line at chance"
            )
            + (
                f", and the measured curve from {r['mean'][0]:.0f} to {r['mean'][-1]:.0f} percent."
                if r["shown"]
                else "."
            )
        ),
        size=(7.5, 3.6),
    )


def drawings_picture(rows: list, labels: list, alt: str, titles: list):
    """Rows of drawings, (n, 1, 28, 28) each, with a label in front of each row and titles above its
    drawings."""
    longest = max(map(len, rows))
    figure, axes = new_figure(
        min(9.0, 1.3 + 1.1 * longest),
        1.4 * len(rows),
        mosaic=[[f"{r},{k}" for k in range(longest)] for r in range(len(rows))],
    )
    for r, drawings in enumerate(rows):
        for k in range(longest):
            one = axes[f"{r},{k}"]
            one.set(xticks=[], yticks=[])
            one.spines[:].set_visible(False)
            one.grid(False)
            if k < len(drawings):
                one.imshow(1 - drawings[k, 0], cmap="gray", vmin=0, vmax=1)
                one.set_title(titles[r][k], loc="center", fontsize=10)
        axes[f"{r},0"].set_ylabel(labels[r], rotation=0, ha="right", va="center")
    return picture(figure, alt)


EXPLORERS = (prototypes_and_boundaries, attention_over_support, ways_and_shots)
