"""Explorers of chapter 11: training step by step, a head as a matching network, and how many
gradient steps the reader of regressions is worth."""

from functools import lru_cache

import torch

from course_lib.chapters.ch11 import phase, regressions
from course_lib.chapters.ch11.heads import votes
from course_lib.classroom.explorer import Choice, Explorer, Slider
from course_lib.classroom.figures import COLOURS
from course_lib.episodes import Episode
from course_lib.families import LinearRegressions
from course_lib.families.prompt_worlds import TOKENS, Worlds
from course_lib.language_models.tiny_gpt import TinyGPT, shipped_model
from course_lib.learners import Ridge
from course_lib.learners.token_prompts import as_prompts

# When does it begin to read?

HELD_OUT = 200  # tasks, one query each, behind each accuracy of a history
BAR_COLOURS = [COLOURS[name] for name in ("after", "support", "theta", "before")]


def training_at(step: int, seed: str, prompt: int) -> dict:
    """Seed and step of the stored training: the history, and the answer to one prompt."""
    looks, history = phase.stored()
    rows = history[seed]
    at = int((rows[:, 0] - step).abs().argmin())
    tasks, one = phase.watched(), prompt - 1
    labels = [TOKENS[i] for i in tasks.names["labels"][one]]
    right = labels[tasks.query_y[one, 0]]
    return {
        "rows": rows, "step": int(rows[at, 0]), "accuracy": 100 * rows[at, 2].item(),
        "bars": looks[f"{seed}/shown"][at, one].tolist(), "seed": seed,
        "query": TOKENS[tasks.query_x[one, 0, 0]], "right": right,
        "other": next(label for label in labels if label != right),
        "notes": looks[f"{seed}/notes"][at].amax().item(),
        "finds": looks[f"{seed}/finds"][at].amax().item(),
    }  # fmt: skip


def draw_training(result: dict, axes: dict) -> None:
    curve, bars = axes["curve"], axes["bars"]
    steps, _, accuracy = result["rows"].T
    curve.plot(steps, 100 * accuracy, color=COLOURS["after"])
    curve.plot(result["step"], result["accuracy"], "o", ms=9, color=COLOURS["query"], mec="black")
    curve.axhline(50, color=COLOURS["chance"], ls=":")
    curve.set(xlim=(-15, phase.UNTIL + 15), ylim=(0, 105), xlabel="training step")
    curve.set(ylabel="accuracy (%)", title="8 examples, 200 held-out tasks")
    names = (f"{result['right']} (right)", result["other"], "any other label", "all other words")
    bars.barh(range(4), result["bars"], height=0.45, color=BAR_COLOURS)
    for row, (name, p) in enumerate(zip(names, result["bars"], strict=True)):
        bars.text(0.01, row - 0.36, f"{name}: {p:.2f}", va="center", fontsize=10)
    bars.set(xlim=(0, 1), ylim=(3.5, -0.7), xlabel="probability")
    bars.set_title(f"after ... {result['query']} :")
    bars.yaxis.set_visible(False)


def training_words(result: dict) -> str:
    """The sentence under the picture."""
    right, other, _, rest = result["bars"]
    return (
        f"Step {result['step']}, seed {result['seed']}: {rest:.0%} for words that are no label, "
        f"{right:.0%} for the right one, {other:.0%} for the other. The best head that notes words "
        f"pays {result['notes']:.0%} of its attention to them; the best finder looks at fitting "
        f"labels {100 * result['finds']:+.0f} points more than at others."
    )


def when_it_begins_to_read() -> Explorer:
    """Scrub through the training of the small language model, and watch its answer to a prompt."""
    return Explorer(
        question="When does it begin to read?",
        compute=training_at,
        draw=draw_training,
        controls=[
            Slider("step", "training step", 25, phase.UNTIL, 25, value=25, play=True),
            Choice("seed", "seed", tuple(map(str, phase.SEEDS)), "0"),
            Slider("prompt", "prompt", 1, phase.PROMPTS, 1, value=1),
        ],
        number=training_words,
        alt=lambda r: (
            "Left: accuracy with 8 examples along 750 training steps, with a marker at step "
            f"{r['step']}, where it is {r['accuracy']:.0f} percent; chance is 50. Right: four "
            f"bars for the next word of one prompt. {training_words(r)}"
        ),
        size=(9.0, 3.4),
        mosaic=[["curve", "bars"]],
    )


# Which head knows the answer?

HEADS = tuple(f"{layer}.{head}" for layer in range(1, 4) for head in range(1, 5))
MOST = 8  # examples of a prompt that is drawn


@lru_cache
def drawn_tasks() -> Episode:
    """Six held-out tasks to look at."""
    family = Worlds()
    return family.sample(6, shots=MOST, queries=1, generator=family.generator(77))


@lru_cache
def final_model() -> TinyGPT:
    return shipped_model()


@torch.no_grad()
def look_at_head(head: str, shots: int, task: int) -> dict:
    """One prompt: the attention of a head from its end to each label, its votes, and the model's
    answer."""
    tasks, model = drawn_tasks()[task - 1 : task], final_model()
    layer, which = (int(part) - 1 for part in head.split("."))
    prompt = as_prompts(tasks, shots)[0]  # (1, L)
    scores, attention = model.look(prompt)
    labels = 4 * torch.arange(1, shots + 1) - 2
    names = [TOKENS[i] for i in tasks.names["labels"][0]]
    p = scores[0, -1].softmax(-1)[tasks.names["labels"][0]]
    return {
        "head": head,
        "lines": [f"{TOKENS[x]} : {names[y]}" for x, y in
                  zip(tasks.support_x[0, :shots, 0], tasks.support_y[0, :shots], strict=True)],
        "classes": tasks.support_y[0, :shots].tolist(), "names": names,
        "query": TOKENS[tasks.query_x[0, 0, 0]],
        "looks": attention[layer][0, which, -1, labels].tolist(),
        "votes": votes(model, tasks, shots, layer, which)[0, 0].tolist(), "model": p.tolist(),
        "truth": int(tasks.query_y[0, 0]),
    }  # fmt: skip


def draw_head(result: dict, axes: dict) -> None:
    prompt, bars = axes["prompt"], axes["bars"]
    colours = [COLOURS["query"], COLOURS["support"]]
    for row, (line, look, n) in enumerate(
        zip(result["lines"], result["looks"], result["classes"], strict=True)
    ):
        prompt.barh(row, look, height=0.75, color=colours[n], alpha=0.45)
        prompt.text(0.02, row, line, va="center", fontsize=10, family="monospace")
    prompt.text(0.02, len(result["lines"]), f"{result['query']} : ?", va="center", fontsize=10,
                family="monospace", weight="bold")  # fmt: skip
    prompt.set(xlim=(0, 1), ylim=(MOST + 0.7, -0.7), xlabel="attention from the end of the prompt")
    prompt.set_title(f"Head {result['head']} looks at the labels")
    prompt.yaxis.set_visible(False)
    for row, (name, values) in enumerate((("votes", "votes"), ("the model", "model"))):
        for n in range(2):
            place = 2.6 * row + n
            bars.barh(place, result[values][n], height=0.6, color=colours[n], alpha=0.75)
            said = f"{name}, {result['names'][n]}: {result[values][n]:.2f}"
            bars.text(0.02, place - 0.42, said, va="center", fontsize=10)
    bars.set(xlim=(0, 1), ylim=(4.2, -0.9), xlabel="sum of attention; probability")
    bars.set_title("Its votes, and the answer of the model")
    bars.yaxis.set_visible(False)


def head_words(result: dict) -> str:
    """The sentence under the picture."""
    names, cast, says = result["names"], result["votes"], result["model"]
    won = max(range(2), key=lambda n: cast[n])
    said = max(range(2), key=lambda n: says[n])
    same = "the same label" if won == said else "the other label"
    if max(cast) < 0.1:
        same = "and the head has hardly a vote"
    return (
        f"Head {result['head']} gives {names[0]} {cast[0]:.2f} and {names[1]} {cast[1]:.2f} votes. "
        f"The model chooses {names[said]}, {same}; right is {names[result['truth']]}."
    )


def which_head_votes() -> Explorer:
    """A head of the model as a matching network: who votes for what."""
    return Explorer(
        question="Which head knows the answer?",
        compute=look_at_head,
        draw=draw_head,
        controls=[
            Choice("head", "head", HEADS, "1.4"),
            Slider("shots", "examples", 1, MOST, 1, value=6),
            Slider("task", "task", 1, 6, 1, value=1),
        ],
        number=head_words,
        alt=lambda r: (
            f"Left: the {len(r['lines'])} examples of a prompt, each with a bar for the attention "
            "that the head pays to its label. Right: the sums for both labels, and the "
            f"probabilities that the model gives them. {head_words(r)}"
        ),
        size=(9.0, 3.6),
        mosaic=[["prompt", "bars"]],
    )


# How many gradient steps is reading worth?

COUNTS, FEW = (2, 4, 8, 16), 120  # examples, and tasks behind each point


@lru_cache
def regression_tasks() -> Episode:
    return regressions.episodes(LinearRegressions(), FEW, seed=99)


@lru_cache
def readers() -> dict[str, list[float]]:
    """Median error of those that do not depend on the controls, for each number of examples."""
    tasks = regression_tasks()
    who = {"transformer": regressions.RUN.load(), "ridge": Ridge(LinearRegressions().best_penalty)}
    return {name: [median(one, tasks, k) for k in COUNTS] for name, one in who.items()}


def median(learner, tasks: Episode, k: int) -> float:
    return regressions.error_after(learner, tasks, k).per_episode.median().item()


@torch.no_grad()
def descend(steps: int, eta: float) -> dict:
    """Median squared error of gradient descent with these settings, beside the others."""
    tasks, found = regression_tasks(), []
    for k in COUNTS:
        descent = regressions.Descent(steps, eta)
        answers = descent.predict(tasks.support_x[:, :k], tasks.support_y[:, :k], tasks.query_x)
        found.append((answers - tasks.query_y).square().mean((1, 2)).median().item())
    return {"descent": found, "steps": steps, "eta": eta} | readers()


def draw_descent(result: dict, axes) -> None:
    for name, form, colour in (
        ("transformer", "-o", "after"), ("ridge", "--s", "truth"), ("descent", "-^", "theta"),
    ):  # fmt: skip
        label = f"descent, steps: {result['steps']}" if name == "descent" else name
        values = [min(max(value, 0.012), 3.0) for value in result[name]]
        axes.plot(range(len(COUNTS)), values, form, color=COLOURS[colour], label=label)
    axes.set(yscale="log", ylim=(0.01, 3.5), xticks=range(len(COUNTS)), xlabel="examples")
    axes.set_xticklabels(COUNTS)
    axes.set_yticks([0.03, 0.1, 0.3, 1, 3])
    axes.set_yticklabels(["0.03", "0.1", "0.3", "1", "3+"])
    axes.minorticks_off()
    axes.set(ylabel=f"error, median of {FEW}")
    axes.legend(loc="lower left")


def descent_words(result: dict) -> str:
    """The sentence under the picture."""
    far = [f"{d / t:.2f} at {k}" for k, d, t in
           zip(COUNTS, result["descent"], result["transformer"], strict=True)]  # fmt: skip
    return (
        f"Steps of gradient descent: {result['steps']}, of size {result['eta']:g}. The error is so "
        f"many times that of the transformer: {', '.join(far)} examples."
    )


def how_many_steps() -> Explorer:
    """Gradient descent beside the transformer that reads regressions."""
    return Explorer(
        question="How many gradient steps is reading worth?",
        compute=descend,
        draw=draw_descent,
        controls=[
            Slider("steps", "steps", 1, 32, 1, value=1),
            Slider("eta", "size of a step", 0.05, 1.0, 0.05, value=0.5),
        ],
        number=descent_words,
        alt=lambda r: (
            "Squared error against 2, 4, 8 and 16 examples on a logarithmic scale, for the "
            f"transformer, ridge and gradient descent. {descent_words(r)}"
        ),
        size=(9.0, 3.4),
    )


EXPLORERS = (when_it_begins_to_read, which_head_votes, how_many_steps)
