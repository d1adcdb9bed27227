"""`python -m course_lib benchmark prompts`: how many queries a second a prompted model answers.

The examples of a task stand in front of every one of its queries. They can be read with each query
again, or once. All ways score the same labels after the same text.
"""

import argparse
import statistics
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from course_lib import DATA
from course_lib.episodes import Episode, at_least_one
from course_lib.families import AsWritten, own_sentences
from course_lib.families.prompt_worlds import Worlds
from course_lib.language_models import smollm
from course_lib.language_models.opening import open_model
from course_lib.learners.prompting import Prompting, Template

REVIEW = Template(example="Review: {x}\nSentiment: {y}\n\n", query="Review: {x}\nSentiment:")


@dataclass(frozen=True)
class Speed:
    """One way to score the labels of a task's queries.

    Args:
        way: its name.   rate: queries a second, median over rounds.   ratio: median of its rate
            over that of "the course", round by round.
        difference: the largest between its scores and those of "the course".
    """

    way: str
    rate: float
    ratio: float
    difference: float


def prompt_speed(model, learner: Prompting, episode: Episode, rounds: int) -> list[Speed]:
    """Three ways in turn, in one process: as the course does it, with every prompt read whole, and
    a loop over queries and labels as one would write it first.

    Args:
        learner: prompts ``model``.   episode: one task or several.

    Raises:
        ValueError: rounds is below 1.
    """
    at_least_one(rounds=rounds)
    ways = {
        "the course, examples read once": lambda: learner(episode),
        "every prompt read whole": lambda: whole(model, learner, episode),
        "a plain loop over queries and labels": lambda: plain_loop(model, learner, episode),
    }
    first = next(iter(ways))
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    found = {}
    with torch.no_grad():
        for turn in range(rounds + 1):  # the first round warms up
            for way, answer in ways.items():
                began = time.perf_counter()
                found[way] = answer()
                if turn:
                    seconds[way].append(time.perf_counter() - began)
    queries = episode.query_y.numel()
    return [
        Speed(
            way,
            queries / statistics.median(seconds[way]),
            statistics.median(a / b for a, b in zip(seconds[first], seconds[way], strict=True)),
            (found[way] - found[first]).abs().max().item(),
        )
        for way in ways
    ]


def whole(model, learner: Prompting, episode: Episode) -> Tensor:
    """The learner's scores with nothing kept from one query to the next."""
    model.remember = lambda ids: None  # of this model alone, in front of its class's
    try:
        return learner(episode)
    finally:
        del model.remember


def plain_loop(model, learner: Prompting, episode: Episode) -> Tensor:
    """log P(label | prompt), one prompt with one label at a time: (T, Q, N)."""
    rows = []
    for (sx, sy, qx, _), words in zip(episode, learner.words_of(episode), strict=True):
        xs, ys = learner.shown(sx, sy, words)
        for row in qx.tolist():
            prompt, pattern = learner.write(xs, ys, learner.read(row))
            labels = [pattern.replace("{y}", word) for word in words]
            rows.append([one(model, *cut) for cut in model.cut(prompt, labels)])
    return torch.tensor(rows).view(len(episode), -1, len(rows[0]))


def one(model, ids: list[int], first: int) -> float:
    answer = model.network(torch.tensor([ids[:-1]], device=model.device))
    scores = getattr(answer, "logits", answer)[0].float().log_softmax(-1)
    return sum(scores[place - 1, ids[place]].item() for place in range(first, len(ids)))


def task_for(model, shots: int, queries: int) -> tuple[Prompting, Episode]:
    """One task with two labels, ``shots`` examples and ``queries`` queries in all: reviews, or word
    lists for the small model of the course."""
    counts = {"shots": shots // 2, "queries": queries // 2}
    at_least_one(**counts)
    if hasattr(model, "text"):
        family = Worlds()
        return Prompting(model), family.sample(1, **counts, generator=family.generator(0))
    family = AsWritten(own_sentences(DATA / "sentences" / "positive_negative.tsv"))
    learner = Prompting(model, REVIEW, family.names, read=family.text, chat=False)
    return learner, family.sample(1, **counts, generator=family.generator(0))


def run(options: argparse.Namespace) -> int:
    name = options.model or ("smollm" if smollm.fetched() else None)
    model = open_model(None if name == "tiny" else name, "cpu")
    learner, episode = task_for(model, options.examples, options.queries)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = prompt_speed(model, learner, episode, options.rounds)
    finally:
        torch.set_num_threads(threads)
    count = f"{options.examples} examples, {options.queries} queries"
    print(f"one task, {count}, 2 labels, one thread")
    print(f"{'way':<40}{'queries a second':>18}{'course is':>12}{'difference':>12}")
    for row in rows:
        faster = f"{1 / row.ratio:.1f} times"
        print(f"{row.way:<40}{row.rate:18.2f}{faster:>12}{row.difference:12.1e}")
    print(f"medians of {options.rounds} rounds; difference: of log probabilities")
    return 0


def add_words(what) -> None:
    prompts = what.add_parser("prompts", help="queries a second of a prompted language model")
    prompts.add_argument(
        "--model", help='"smollm", "tiny", a folder or a name on the hub; smollm where it is there'
    )
    prompts.add_argument("--examples", type=int, default=8, help="in the prompt")
    prompts.add_argument("--queries", type=int, default=16)
    prompts.add_argument("--rounds", type=int, default=3, help="how often each way is timed")
    prompts.set_defaults(run=run)
