"""Explorers of chapter 12: what tuning stores, who wins under which conditions, and what rate, size
and steps do to two accuracies."""

from functools import lru_cache

import torch

from course_lib import DATA
from course_lib.chapters.ch12.line_up import (
    FAMILIES,
    GRID,
    METHODS,
    OTHERS,
    QUERIES,
    SEEN,
    SHOTS,
    points,
    stored,
    stored_score,
)
from course_lib.classroom.explorer import Choice, Explorer, Slider
from course_lib.classroom.figures import COLOURS
from course_lib.families.prompt_worlds import TOKENS
from course_lib.networks import checkpoints
from course_lib.training.evaluation import paired

MODELS = {"ours: 3 layers, width 96": (3, 96, len(TOKENS)), "12 layers, width 768": (12, 768,
50_000), "24 layers, width 1024": (24, 1024, 50_000),
          "96 layers, width 12,288": (96, 12_288, 50_000)}  # fmt: skip


def bill(model: str, served: int, length: int, rank: int, size: int) -> dict:
    """How many numbers a task trains, by method, and how many the model itself has: a transformer
    built like `TinyGPT`."""
    (layers, width, words), served = MODELS[model], round(served)
    whole = layers * (12 * width**2 + 2 * width) + width + words * width
    each = {
        "few-shot prompt": 0,
        "soft prompt": length * width,
        "LoRA": layers * 2 * 2 * rank * width,
        "adapters": layers * 2 * (2 * size * width + size + width),
        "fine-tuning": whole,
    }
    return {"model": model, "whole": whole, "each": each, "served": served}


def draw_bill(result: dict, axes) -> None:
    names, whole = list(result["each"]), result["whole"]
    colours = [COLOURS[name] for name in ("query", "support", "after", "prototype", "joint")]
    for row, (each, colour) in enumerate(zip(result["each"].values(), colours, strict=True)):
        stored_numbers = each * result["served"]
        axes.barh(len(names) - 1 - row, max(stored_numbers - 1, 0), left=1, color=colour)
        where = {
            "transform": axes.get_yaxis_transform(),
            "ha": "right",
            "va": "center",
            "fontsize": 10,
        }
        axes.text(1.0, len(names) - 1 - row, f"{stored_numbers:,}", **where)
    axes.axvline(whole, color=COLOURS["truth"], ls=":", lw=2)
    axes.set(
        xscale="log",
        xlim=(1, 1e18),
        ylim=(-0.6, len(names) - 0.4),
        yticks=list(range(len(names))),
        xticks=[10**k for k in (0, 3, 6, 9, 12)],
    )
    axes.set(
        xlabel=f"numbers to keep for {result['served']} task{'s' if result['served'] > 1 else ''}",
        title="Dotted: the model itself",
    )
    axes.set_yticklabels(reversed(names))
    axes.set_xticklabels(["1", "thousand", "million", "billion", "trillion"])


def bill_words(result: dict) -> str:
    """Each method's share of the model."""
    whole, served = result["whole"], result["served"]
    shares = [
        f"{name} {each * served:,} ({100 * each / whole:.3g} % of the model a task)"
        for name, each in result["each"].items()
        if each
    ]
    return (
        f"Beside the model of {whole:,} parameters, {served} task{'s' if served > 1 else ''} keep: "
        f"{', '.join(shares)}."
    )


def what_is_stored() -> Explorer:
    """Numbers to keep beside the model, for one task or a thousand."""
    return Explorer(
        question="One model, many tasks: what must be kept for each?",
        compute=bill,
        draw=draw_bill,
        controls=[
            Choice("model", "model", tuple(MODELS), next(iter(MODELS))),
            Slider("served", "tasks to serve", 1, 1000, 1, value=100, log=True),
            Slider("length", "soft prompt, vectors", 1, 100, 1, value=20),
            Slider("rank", "LoRA, rank", 1, 64, 1, value=4),
            Slider("size", "adapters, size", 1, 64, 1, value=8),
        ],
        number=bill_words,
        alt=lambda r: (
            f"Bars: the numbers to keep for {r['served']} tasks, by method, on a logarithmic "
            f"scale. {bill_words(r)}"
        ),
        size=(9.0, 3.2),
    )


WHO = {"prompt": "few-shot prompt"} | {
    name: method.label for name, method in METHODS.items() if not method.scratch
}
COLOUR = {
    "prompt": "query",
    "soft 20": "support",
    "soft 5": "theta",
    "lora": "after",
    "adapter": "prototype",
    "full": "joint",
    "new head": "truth",
}
TASKS_NAMED = dict(zip(("kinds of words", "word lists"), FAMILIES, strict=True))
EACH = 100  # queries of each task in the first explorer


@lru_cache
def curve(family: str, who: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean accuracy and half of its interval, in percent, for each number of examples."""
    return tuple(
        100
        * torch.tensor(
            [
                [s.mean, s.half_width]
                for s in (stored_score(f"{family}/{shots}/{who}") for shots in SHOTS)
            ]
        ).T
    )


@lru_cache
def stored_seconds() -> dict[str, dict[str, float]]:
    """What queries and tuning cost, by number of examples: see `frozen.seconds_of`."""
    return checkpoints.read(DATA / "prompt_seconds.safetensors", "seconds")[1]["seconds"]


@lru_cache
def cost(shots: int, who: str, again: bool = False) -> tuple[float, float]:
    """CPU seconds of training a task, and of one query: behind examples that were read once (or are
    read ``again`` for each query), behind the vectors of a soft prompt, or of a bare question."""
    seconds = stored_seconds()[str(shots)]
    if who == "prompt":
        return 0.0, seconds["read anew" if again else "read once"]
    query = seconds["behind 20 vectors" if who.startswith("soft") else "no examples"]
    return seconds[who], query


@lru_cache
def compare(tasks: str, shots: int, served: int, seconds: float, elsewhere: int) -> dict:
    """Who may take part under the conditions, and who wins: the best, and among those who cannot be
    told apart from it the cheapest."""
    family, rows, served = TASKS_NAMED[tasks], {}, round(served)
    for who in WHO:
        training, query = cost(shots, who)
        left, took = (
            100
            * stored_score(
                f"{family}/{shots}/{'zero-shot' if who == 'prompt' else who}/others"
            ).mean,
            served * (training + EACH * query),
        )
        rows[who] = {
            "score": stored_score(f"{family}/{shots}/{who}"),
            "seconds": took,
            "elsewhere": left,
            "slow": took > seconds,
            "forgets": left < elsewhere,
        }
    allowed = [who for who, row in rows.items() if not (row["slow"] or row["forgets"])]
    best = max(allowed, key=lambda who: rows[who]["score"].mean, default=None)
    level = [
        who
        for who in allowed
        if who == best
        or (d := paired(rows[best]["score"], rows[who]["score"])).mean <= d.half_width
    ]
    winner = min(level, key=lambda who: rows[who]["seconds"], default=None)
    return {"tasks": tasks, "family": family, "shots": shots, "served": served, "limit": seconds,
    "least": elsewhere, "rows": rows,
            "allowed": allowed, "level": level, "winner": winner}  # fmt: skip


def draw_comparison(result: dict, axes: dict) -> None:
    curves, costs, places = axes["accuracy"], axes["seconds"], range(len(SHOTS))
    for i, who in enumerate(WHO):
        mean, half = curve(result["family"], who)
        fine = who in result["allowed"]
        colour, alpha = COLOURS[COLOUR[who]], 1.0 if fine else 0.15
        x = [place + 0.06 * (i - 3) for place in places]
        curves.plot(
            x,
            mean,
            "-o",
            ms=4,
            lw=3 if who == result["winner"] else 1.5,
            color=colour,
            alpha=alpha,
            label=WHO[who],
        )
        curves.vlines(x, mean - half, mean + half, color=colour, lw=1.5, alpha=alpha)
        row = result["rows"][who]
        costs.barh(len(WHO) - 1 - i, row["seconds"] - 1e-3, left=1e-3, color=colour, alpha=alpha)
        costs.text(
            1.3e-3,
            len(WHO) - 1 - i,
            f"{row['elsewhere']:.0f} %",
            va="center",
            fontsize=8,
            color="white" if fine else COLOURS["truth"],
        )
    curves.axhline(50, color=COLOURS["chance"], ls="--", lw=1.5)
    curves.axvline(SHOTS.index(result["shots"]), color=COLOURS["chance"], lw=14, alpha=0.18)
    curves.set(
        xlim=(-0.35, 3.35),
        ylim=(40, 103),
        xticks=list(places),
        xlabel="examples",
        ylabel="accuracy (%)",
        title=result["tasks"].capitalize(),
    )
    curves.set_xticklabels([str(shots) for shots in SHOTS])
    costs.axvline(result["limit"], color=COLOURS["truth"], ls=":", lw=2)
    costs.set(
        xscale="log",
        xlim=(1e-3, 1e5),
        xticks=(0.01, 1, 100, 1e4),
        ylim=(-0.6, len(WHO) - 0.4),
        yticks=list(range(len(WHO))),
    )
    costs.set(
        xlabel="CPU seconds in all (dotted: your limit)",
        title=f"In the bar: elsewhere, {result['least']} % needed",
    )
    costs.set_xticklabels(["0.01", "1", "100", "10,000"])
    costs.set_yticklabels([WHO[who] for who in reversed(WHO)], fontsize=8.5)


def comparison_words(result: dict) -> str:
    """The winner, and who is out for which reason."""
    rows, winner = result["rows"], result["winner"]
    out = [
        WHO[who] + (" (too slow)" if row["slow"] else " (forgets)")
        for who, row in rows.items()
        if who not in result["allowed"]
    ]
    without = f" Out: {', '.join(out)}." if out else ""
    if winner is None:
        return "Nobody keeps to these conditions: allow more seconds or more forgetting." + without
    s = rows[winner]["score"]
    words = (
        f"{WHO[winner]}: {100 * s.mean:.1f} ± {100 * s.half_width:.1f} % (chance 50 %), "
        f"{rows[winner]['seconds']:.3g} CPU seconds."
    )
    level = len(result["level"]) - 1
    return (
        words
        + (
            f" {level} more cannot be told apart from the best, and take longer."
            if level
            else " Nobody else comes near."
        )
        + without
    )


def find_the_crossover() -> Explorer:
    """Conditions on one side, methods on the other: the winner changes with the tasks, the examples
    and what may be spent."""
    return Explorer(
        question="Prompt or tune: who wins under your conditions?",
        compute=compare,
        draw=draw_comparison,
        controls=[
            Choice("tasks", "tasks", tuple(TASKS_NAMED), "word lists"),
            Choice("shots", "examples", SHOTS, 8),
            Slider("served", "tasks to serve", 1, 1000, 1, value=10, log=True),
            Slider("seconds", "CPU seconds allowed", 0.1, 10000, 0.5, value=10000.0, log=True),
            Slider("elsewhere", "keep elsewhere (%)", 50, 100, 5, value=50),
        ],
        number=comparison_words,
        alt=lambda r: (
            f"Left: accuracy of seven methods on {r['tasks']} against 4, 8, 16 and 32 examples, "
            "with intervals; chance is 50 %. Right: the seconds that each "
            f"takes for {r['served']} tasks. {comparison_words(r)}"
        ),
        size=(9.0, 3.8),
        mosaic=[["accuracy", "seconds"]],
    )


SIZE_WORDS = {
    "length": "soft prompt, {} vector",
    "rank": "LoRA, rank {}",
    "size": "adapter, size {}",
    "head": "all weights, {} head",
}
VARIANTS = {
    SIZE_WORDS[what].format(size) + ("s" if what == "length" and size > 1 else ""): (name, size)
    for name, (_, what, sizes, _) in GRID.items()
    for size in sizes
}


@lru_cache
def path(family: str, name: str, size, lr: float) -> torch.Tensor:
    """Accuracy on the task and elsewhere, in percent: (2, steps seen, 2), mean and half of the
    interval."""
    rows = []
    for ending, of in (("", QUERIES), ("/others", OTHERS)):
        right = 100 * stored("grid")[0][f"{family}/{name}/{size}/{lr}{ending}"].double() / of
        rows.append(torch.stack([right.mean(1), 1.96 * right.std(1) / right.shape[1] ** 0.5], 1))
    return torch.stack(rows)


@lru_cache
def cloud(family: str, step: int) -> torch.Tensor:
    """(task, elsewhere) of every point of the grid after so many steps: (points, 2)."""
    return torch.stack([path(family, *point)[:, SEEN.index(step), 0] for point in points()])


def look_inside(tasks: str, method: str, rate: int, look: int) -> dict:
    """One setting of the grid: its two curves along training, and where it stands among all
    settings at the same look."""
    family, (name, size), steps = TASKS_NAMED[tasks], VARIANTS[method], SEEN[look - 1]
    lr = GRID[name][3][rate - 1]
    prompt = 100 * stored("grid")[0][f"{family}/prompt"].double().mean().item() / QUERIES
    return {
        "tasks": tasks,
        "family": family,
        "method": method,
        "lr": lr,
        "steps": steps,
        "curves": path(family, name, size, lr),
        "prompt": prompt,
    }


def draw_inside(result: dict, axes: dict) -> None:
    along, plane, places = axes["along"], axes["plane"], range(len(SEEN))
    at = SEEN.index(result["steps"])
    for (mean, half), colour, label in zip(
        result["curves"].mT,
        ("after", "query"),
        ("this task", "other tasks, by prompt"),
        strict=True,
    ):
        along.fill_between(places, mean - half, mean + half, color=COLOURS[colour], alpha=0.2, lw=0)
        along.plot(places, mean, "-o", ms=4, color=COLOURS[colour], label=label)
        along.plot(at, mean[at], "o", ms=10, color=COLOURS[colour])
    along.axhline(
        result["prompt"], color=COLOURS["support"], ls=":", lw=2, label="this task, by prompt"
    )
    along.axhline(50, color=COLOURS["chance"], ls="--", lw=1.5, label="chance")
    along.set(
        xlim=(-0.3, len(SEEN) - 0.7),
        ylim=(38, 128),
        yticks=(40, 60, 80, 100),
        xticks=list(places),
        xlabel="steps",
        ylabel="accuracy (%)",
    )
    along.set_xticklabels([str(step) for step in SEEN])
    along.set_title(f"{result['method']}, rate {result['lr']:g}")
    along.legend(loc="upper center", ncols=2, fontsize=8.5, handlelength=1.4)
    own, other = cloud(result["family"], result["steps"]).T
    plane.plot(other, own, "o", ms=5, color=COLOURS["before"], alpha=0.45)
    plane.plot(*result["curves"][[1, 0], : at + 1, 0], "-", lw=1.5, color=COLOURS["after"])
    plane.plot(*result["curves"][[1, 0], at, 0], "o", ms=11, color=COLOURS["after"])
    plane.set(
        xlim=(38, 104),
        ylim=(38, 104),
        xlabel="other tasks (%)",
        ylabel="this task (%)",
        title=f"Grey: all settings, {result['steps']} steps",
    )


def inside_words(result: dict) -> str:
    """The two accuracies at the chosen step."""
    at = SEEN.index(result["steps"])
    (own, own_half), (other, other_half) = result["curves"][:, at].tolist()
    return (
        f"After {result['steps']} steps at rate {result['lr']:g}: {own:.1f} ± {own_half:.1f} % on "
        f"the task, {other:.1f} ± {other_half:.1f} % on others "
        f"(chance 50 %); the prompt has {result['prompt']:.1f} % on the task. 20 tasks."
    )


def inside_tuning() -> Explorer:
    """Rate, size and steps against accuracy on the task and elsewhere, from a grid of runs that
    ships with the course."""
    return Explorer(
        question="Which setting learns the task and forgets nothing?",
        compute=look_inside,
        draw=draw_inside,
        controls=[
            Choice("tasks", "tasks", tuple(TASKS_NAMED), "kinds of words"),
            Choice("method", "method", tuple(VARIANTS), "LoRA, rank 4"),
            Slider("rate", "rate", 1, 4, 1, value=3, words=("lowest", "low", "high", "highest")),
            Slider(
                "look", "steps of training", 1, len(SEEN), 1, value=len(SEEN), play=True,
                words=tuple(map(str, SEEN)),
            ),
        ],
        number=inside_words,
        alt=lambda r: (
            f"Left: accuracy on the task and on other tasks along 100 steps of {r['method']}. "
            "Right: the same two accuracies for every setting of the grid, "
            f"one dot each. {inside_words(r)}"
        ),
        size=(9.0, 3.6),
        mosaic=[["along", "plane"]],
    )


EXPLORERS = (what_is_stored, find_the_crossover, inside_tuning)
