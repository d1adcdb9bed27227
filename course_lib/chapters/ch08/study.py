"""The comparison of chapter 08: learners on one backbone that have all seen the same number of drawings.

python -m course_lib.chapters.ch08.study prototypical     trains one learner and writes data/look_prototypical.safetensors
python -m course_lib.chapters.ch08.study scores           scores all of them on the same episodes: data/look_scores.safetensors
python -m course_lib.chapters.ch08.study more             other seeds, and a longer pretraining: only their scores, data/look_more.safetensors
"""

import argparse
import copy
import dataclasses
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib import learners
from course_lib.episodes import Episode, TaskFamily
from course_lib.families import Omniglot, Strokes
from course_lib.learners import MAML, Learner
from course_lib.learners.inner_loop import predict_with, written_out
from course_lib.networks.normalisation import BatchNorm
from course_lib.networks.small import conv4
from course_lib.training import checkpoints, shipped
from course_lib.training.evaluation import Score, evaluate, test_episodes
from course_lib.training.outer_loop import Plan, meta_train, run_settings

CHANNELS = 32  # of the backbone, conv4
STEPS = 1000  # outer steps
DRAWINGS = 120  # that each learner sees in an outer step
SCRIPTS, HELD_OUT = 70, 20  # the last 20 scripts are for testing
BASE_CLASSES = (SCRIPTS - HELD_OUT) * 25
WAYS, QUERIES = 5, 5  # of the episodes that everyone is scored on; 5 queries a class
TEST_SEED = 8
STORED = {"held out": 500, "shifted": 300, "omniglot": 300}  # episodes whose scores ship


@dataclass(frozen=True)
class Run:
    """How one learner is trained: from an encoder and a seed to a learner, and what an outer step is made of.

    Args:
        ways, tasks, queries: of a training episode, 1-shot: tasks * ways * (1 + queries) = DRAWINGS.
        beta: outer learning rate at the start; it sinks to 0.   share: of STEPS.
    """

    make: Callable
    ways: int = 20
    tasks: int = 1
    queries: int = 5
    beta: float = 5e-3
    share: float = 1.0


def maml(statistics: str, seed: int) -> MAML:
    """MAML on conv4 with a head of five outputs, and batch norm in one of its modes."""
    network = conv4(
        CHANNELS, outputs=WAYS, norm=partial(BatchNorm, statistics=statistics), seed=seed
    )
    return MAML(network, F.cross_entropy, alpha=0.1, steps=5, way="fast")


PRETRAIN = {"ways": 60, "queries": 1}  # many classes in each step: better for a classifier of 1250
RUNS = {
    "baseline": Run(lambda f, seed: learners.Baseline(f, BASE_CLASSES, CHANNELS, seed=seed), **PRETRAIN),
    "baseline++": Run(lambda f, seed: learners.BaselinePlusPlus(f, BASE_CLASSES, CHANNELS, seed=seed), **PRETRAIN),
    "classifier": Run(lambda f, seed: learners.Baseline(f, BASE_CLASSES, CHANNELS, seed=seed), **PRETRAIN, share=0.5),
    "meta-baseline": Run(lambda f, seed: learners.MetaBaseline(f), beta=2e-3, share=0.5),
    "prototypical": Run(lambda f, seed: learners.Prototypical(f)),
    "matching": Run(lambda f, seed: learners.Matching(f)),
    "relation": Run(lambda f, seed: learners.Relation(f, CHANNELS, seed=seed)),
    "siamese": Run(lambda f, seed: learners.Siamese(f, margin=4.0)),
    "maml, support": Run(lambda f, seed: maml("support", seed), ways=5, tasks=4, beta=2e-3),
    "maml, running": Run(lambda f, seed: maml("running", seed), ways=5, tasks=4, beta=2e-3),
}  # fmt: skip
LINE_UP = {  # who is compared, by the name in figures
    "baseline": "Baseline", "baseline++": "Baseline++", "meta-baseline": "Meta-Baseline", "prototypical": "Prototypical",
    "matching": "Matching", "relation": "Relation", "siamese": "Siamese", "maml, support": "MAML",
}  # fmt: skip


def file_of(name: str) -> str:
    """The name of a learner's file, without its ending."""
    return "look_" + name.replace("++", "_plus_plus").replace(", ", "_").replace("-", "_")


def scripts(ways: int = WAYS) -> tuple[Strokes, Strokes]:
    """The characters to learn from, and those of the scripts held out."""
    return Strokes(ways=ways, scripts=SCRIPTS).split(HELD_OUT)


def prepare(name: str, steps: int = STEPS, seed: int = 0) -> tuple[Learner, TaskFamily, Plan]:
    """One learner before its training, its family and its plan. Meta-Baseline starts from the classifier of half the steps.

    Raises:
        ValueError: there is no such learner.
    """
    if name not in RUNS:
        raise ValueError(f"{name!r}: choose one of {', '.join(RUNS)}")
    run, encoder = RUNS[name], conv4(CHANNELS, seed=seed)
    if name == "meta-baseline":
        encoder = copy.deepcopy(trained("classifier", steps, seed)[0].encoder)
    learner = run.make(encoder, seed)
    if isinstance(learner, learners.metric.MetricLearner):
        learner.in_half()
    plan = Plan(
        max(1, round(run.share * steps)), run.tasks, 1, run.queries, run.beta, seed, decay=True
    )
    return learner, scripts(run.ways)[0], plan


@lru_cache(maxsize=32)
def trained(name: str, steps: int = STEPS, seed: int = 0) -> tuple[Learner, str]:
    """The learner after its training, and a sentence that says whether it was loaded or trained: once a process, so copy it to change it."""
    learner, family, plan = prepare(name, steps, seed)
    return learner, shipped.load_or_train(file_of(name), learner, family, plan)


# --- what they are scored on ----------------------------------------------------------------------------------------------------


def thick(x: Tensor) -> Tensor:
    """Pictures (..., 1, 28, 28) as a broad marker would have drawn them: each pixel as dark as the darkest next to it."""
    flat = x.flatten(0, -4)
    return torch.maximum(
        F.max_pool2d(flat, (1, 3), 1, (0, 1)), F.max_pool2d(flat, (3, 1), 1, (1, 0))
    ).view_as(x)


def episodes(domain: str, count: int, shots: int = 1, seed: int = TEST_SEED) -> Episode:
    """5-way episodes with 5 queries a class that nobody was trained on, the same for everyone.

    Args:
        domain: "held out", new scripts in the hands of training; "shifted", the very same drawings with a broad marker in place of the
            pen; "omniglot", real characters of its background part.

    Raises:
        PictureError: there is no Omniglot.
    """
    if domain == "omniglot":
        return test_episodes(Omniglot(WAYS), count, shots=shots, queries=QUERIES, seed=seed)
    drawn = test_episodes(scripts()[1], count, shots=shots, queries=QUERIES, seed=seed)
    if domain == "shifted":
        drawn = dataclasses.replace(
            drawn, support_x=thick(drawn.support_x), query_x=thick(drawn.query_x)
        )
    return drawn


def with_statistics(learner: MAML, statistics: str) -> MAML:
    """A copy of a MAML, with the same weights, that normalises in another mode."""
    other = copy.deepcopy(learner)
    for layer in other.network.modules():
        if isinstance(layer, BatchNorm):
            layer.statistics = statistics
    return other


def asked_in_groups(learner: MAML, tasks: Episode, size: int) -> Score:
    """Accuracy when the queries of a task, in their random order, come ``size`` at a time. The learner adapts once a task.

    Raises:
        ValueError: batch norm takes its statistics from the support set: use `evaluate`, groups then change nothing.
    """
    if any(
        isinstance(layer, BatchNorm) and layer.statistics == "support"
        for layer in learner.network.modules()
    ):
        raise ValueError(
            "statistics='support': no answer depends on the other queries; use evaluate"
        )
    right = []
    learner.eval()
    for support_x, support_y, query_x, query_y in tasks:
        walk = {
            "alpha": learner.alpha,
            "steps": learner.steps,
            "first_order": True,
            "adapted": learner.adapted,
        }
        phi = {
            n: p.detach()
            for n, p in written_out(learner.network, learner.loss_fn, support_x, support_y, **walk)[
                -1
            ].items()
        }
        with torch.no_grad():
            logits = torch.cat(
                [predict_with(learner.network, phi, group) for group in query_x.split(size)]
            )
        right.append((logits.argmax(-1) == query_y).float().mean())
    return Score(torch.stack(right), "accuracy", chance=1 / WAYS)


# --- the commands -----------------------------------------------------------------------------------------------------------------


def train(name: str) -> None:
    """Train one learner and ship it."""
    learner, family, plan = prepare(name)
    settings = run_settings(learner, family, plan)
    run = meta_train(learner, family, plan)
    score = evaluate(learner, episodes("held out", 300))
    call = f"python -m course_lib.chapters.ch08.study {name!r}"
    shipped.ship(
        shipped.DATA / f"{file_of(name)}.safetensors",
        learner,
        settings,
        run,
        command=call,
        held_out=[score.mean, score.half_width],
    )
    print(f"{name}: {run.seconds:.0f} s, held-out scripts {score}", flush=True)


def count_right(score: Score) -> Tensor:
    """The number of right answers in each episode."""
    return (score.per_episode * WAYS * QUERIES).round().to(torch.uint8)


MORE = {  # name, outer steps, seed
    "seed 1/prototypical": ("prototypical", STEPS, 1),
    "seed 2/prototypical": ("prototypical", STEPS, 2),
    "longer/baseline": ("baseline", 4 * STEPS, 0),
    "longer/siamese": ("siamese", 4 * STEPS, 0),
    "longer/prototypical": ("prototypical", 4 * STEPS, 0),
}


def score_more() -> None:
    """Another seed or four times the outer steps, scored on the 300 episodes of the chapter."""
    tasks, found = episodes("held out", 300), {}
    for key, what in MORE.items():
        learner, family, plan = prepare(*what)
        run = meta_train(learner, family, plan)
        score = evaluate(learner, tasks)
        found[key] = count_right(score)
        print(f"{key}: {run.seconds:.0f} s, {score}", flush=True)
    checkpoints.write(
        shipped.DATA / "look_more.safetensors",
        found,
        {"test_seed": TEST_SEED, "command": "python -m course_lib.chapters.ch08.study more"},
    )


def score_all() -> None:
    """The number of right answers of every learner in every episode, and of MAML by mode and number of queries asked at once."""
    found: dict[str, Tensor] = {}
    drawn = {domain: episodes(domain, count) for domain, count in STORED.items()}
    for name in LINE_UP:
        learner, _ = trained(name)
        for domain, tasks in drawn.items():
            found[f"{domain}/{name}"] = count_right(evaluate(learner, tasks))
            print(
                name,
                domain,
                f"{found[f'{domain}/{name}'].float().mean() / (WAYS * QUERIES):.3f}",
                flush=True,
            )
    running = trained("maml, running")[0]
    few = drawn["held out"].map(lambda t: t[:100])
    for mode, sizes in (("query", (1, 2, 3, 5, 10, 25)), ("running", (1, 25))):
        learner = with_statistics(running, mode)
        for size in sizes:
            found[f"{mode}/{size}"] = count_right(asked_in_groups(learner, few, size))
            print(
                mode,
                size,
                f"{found[f'{mode}/{size}'].float().mean() / (WAYS * QUERIES):.3f}",
                flush=True,
            )
    about = {
        "ways": WAYS,
        "queries": QUERIES,
        "shots": 1,
        "test_seed": TEST_SEED,
        "omniglot_classes": Omniglot(WAYS).classes,
    }
    about["command"] = "python -m course_lib.chapters.ch08.study scores"
    checkpoints.write(shipped.DATA / "look_scores.safetensors", found, about)


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m course_lib.chapters.ch08.study", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "what", choices=[*RUNS, "scores", "more"], help="a learner to train, scores, or more"
    )
    what = parser.parse_args(words).what
    torch.set_num_threads(1)
    {"scores": score_all, "more": score_more}.get(what, partial(train, what))()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
