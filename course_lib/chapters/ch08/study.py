"""The comparison of chapter 08: learners on one backbone that have all seen the same number of
drawings.

An outer step shows each learner 120 drawings: tasks * ways * (shots + queries). The runs are named
look_...; look_scores scores all of them on the same episodes, and look_more holds the scores of
other seeds and of a longer pretraining.
"""

import copy
import dataclasses
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.episodes import Episode
from course_lib.families import Omniglot, Strokes
from course_lib.learners import (
    MAML,
    Baseline,
    BaselinePlusPlus,
    Learner,
    Matching,
    MetaBaseline,
    Prototypical,
    Relation,
    Siamese,
)
from course_lib.learners.inner_loop import predict_with, written_out
from course_lib.networks import BatchNorm
from course_lib.training.evaluation import Score, evaluate, test_episodes
from course_lib.training.outer_loop import meta_train
from course_lib.training.recipes import INNER, PICTURES, encoder, maml_on_pictures, prepare_pictures
from course_lib.training.runs import Measurement, Run, load_or_train, once, printed

CHANNELS = 32  # of the backbone, conv4
STEPS = 1000  # outer steps
SCRIPTS, CHARACTERS, HELD_OUT = 70, 25, 20  # the last 20 scripts are for testing
WAYS, QUERIES = 5, 5  # of the episodes that everyone is scored on; 5 queries a class
TEST_SEED = 8
STORED = {"held out": 500, "shifted": 300, "omniglot": 300}  # episodes whose scores ship


# --- how they are trained -------------------------------------------------------------------------


def base_classes(o) -> int:
    """The characters of the scripts that are not held out: 1250 as shipped."""
    return (o.scripts - o.held_out) * CHARACTERS


def baseline(o, classes):
    return Baseline(encoder(o), base_classes(o), o.channels, seed=o.seed)


def baseline_plus_plus(o, classes):
    return BaselinePlusPlus(encoder(o), base_classes(o), o.channels, seed=o.seed)


def meta_baseline(o, classes):
    """It starts from the encoder of a classifier that was trained for as many outer steps."""
    start = once(run_of("classifier"), o.seed, outer_steps=o.outer_steps)
    return MetaBaseline(copy.deepcopy(start.encoder)).train()


def report(learner: Learner, o) -> dict[str, Score]:
    """On characters of the scripts held out, whatever the learner was trained on."""
    return printed(
        {"held-out scripts, 5-way 1-shot": evaluate(learner, episodes("held out", o.episodes))}
    )


def look(name: str, says: str, make, **usual) -> Run:
    """A run of the comparison, of 1-shot tasks on one backbone."""
    seen = dict(
        scripts=SCRIPTS, held_out=HELD_OUT, ways=20, outer_steps=STEPS, beta=5e-3, half=True
    )
    same = dict(channels=CHANNELS, episodes=300)
    return Run(
        f"look_{name}",
        says,
        PICTURES | seen | same | usual,
        partial(prepare_pictures, make),
        report,
    )


PRETRAIN = dict(ways=60, queries=1)  # many classes in each step: better for a classifier of 1250
ADAPT = dict(ways=5, tasks=4, beta=2e-3, half=False) | INNER
RUNS = [
    look("baseline", "Baseline", baseline, **PRETRAIN),
    look("baseline_plus_plus", "Baseline++", baseline_plus_plus, **PRETRAIN),
    look(
        "classifier",
        "the classifier that Meta-Baseline starts from",
        baseline,
        **PRETRAIN | dict(outer_steps=500),
    ),
    look("meta_baseline", "Meta-Baseline", meta_baseline, outer_steps=500, beta=2e-3),
    look("prototypical", "a prototypical network", lambda o, classes: Prototypical(encoder(o))),
    look("matching", "a matching network", lambda o, classes: Matching(encoder(o))),
    look(
        "relation",
        "a relation network",
        lambda o, classes: Relation(encoder(o), o.channels, seed=o.seed),
    ),
    look("siamese", "a Siamese network", lambda o, classes: Siamese(encoder(o), margin=4.0)),
    look(
        "maml_support",
        "MAML, batch norm by the support set",
        maml_on_pictures,
        statistics="support",
        **ADAPT,
    ),
    look(
        "maml_running",
        "MAML, batch norm by averages collected in training",
        maml_on_pictures,
        statistics="running",
        **ADAPT,
    ),
]
LINE_UP = {  # who is compared: in the files, and in figures
    "baseline": "Baseline", "baseline++": "Baseline++", "meta-baseline": "Meta-Baseline",
    "prototypical": "Prototypical",
    "matching": "Matching", "relation": "Relation", "siamese": "Siamese", "maml, support": "MAML",
}  # fmt: skip


def run_of(name: str) -> Run:
    """The run of a learner, by its name in the files of scores.

    Raises:
        ValueError: there is none.
    """
    wanted = "look_" + name.replace("++", "_plus_plus").replace(", ", "_").replace("-", "_")
    found = [run for run in RUNS if isinstance(run, Run) and run.name == wanted]
    if not found:
        raise ValueError(f"{name!r}: choose one of {', '.join(LINE_UP)}")
    return found[0]


def trained(name: str, steps: int = STEPS, seed: int = 0) -> Learner:
    """A learner of the comparison after its training; with another number of outer steps all are
    trained anew. Prints which."""
    run = run_of(name)
    return load_or_train(run, seed, outer_steps=max(1, run.usual["outer_steps"] * steps // STEPS))


def scripts(ways: int = WAYS) -> tuple[Strokes, Strokes]:
    """The characters to learn from, and those of the scripts held out."""
    return Strokes(ways=ways, scripts=SCRIPTS).split(HELD_OUT)


# --- what they are scored on ----------------------------------------------------------------------


def thick(x: Tensor) -> Tensor:
    """Pictures (..., 1, 28, 28) as a broad marker would have drawn them: each pixel as dark as the
    darkest next to it."""
    flat = x.flatten(0, -4)
    return torch.maximum(
        F.max_pool2d(flat, (1, 3), 1, (0, 1)), F.max_pool2d(flat, (3, 1), 1, (1, 0))
    ).view_as(x)


def episodes(domain: str, count: int, shots: int = 1, seed: int = TEST_SEED) -> Episode:
    """5-way episodes with 5 queries a class that nobody was trained on, the same for everyone.

    Args:
        domain: "held out", new scripts in the hands of training; "shifted", the very same drawings
            with a broad marker in place of the pen; "omniglot", real characters of its background
            part.

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


class InGroups(Learner):
    """A MAML that adapts once a task, and is then asked ``size`` queries at a time, in their random
    order.

    Raises:
        ValueError: batch norm takes its statistics from the support set: use the learner itself,
            groups then change nothing.
    """

    def __init__(self, maml: MAML, size: int):
        super().__init__()
        layers = [layer for layer in maml.network.modules() if isinstance(layer, BatchNorm)]
        if any(layer.statistics == "support" for layer in layers):
            raise ValueError(
                "statistics='support': no answer depends on the other queries; ask the learner"
            )
        self.maml, self.size = maml, size

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor) -> Tensor:
        maml = self.maml
        walk = {"alpha": maml.alpha, "steps": maml.steps, "adapted": maml.adapted}
        with torch.enable_grad():  # the inner loop needs gradients even where the caller wants none
            path = written_out(
                maml.network, maml.loss_fn, support_x, support_y, first_order=True, **walk
            )
        phi = {name: weights.detach() for name, weights in path[-1].items()}
        groups = query_x.split(self.size)
        return torch.cat([predict_with(maml.network, phi, group) for group in groups])


def asked_in_groups(learner: MAML, tasks: Episode, size: int) -> Score:
    """Accuracy when the queries of a task come ``size`` at a time."""
    return evaluate(InGroups(learner, size), tasks)


# --- what is measured -----------------------------------------------------------------------------


def count_right(score: Score) -> Tensor:
    """The number of right answers in each episode."""
    return (score.per_episode * WAYS * QUERIES).round().to(torch.uint8)


SEEDED = ("prototypical", "siamese", "baseline")  # trained with other seeds as well
MORE = {  # who, outer steps, seed
    **{f"seed {seed}/{name}": (name, STEPS, seed) for name in SEEDED for seed in (1, 2)},
    **{f"longer/{name}": (name, 4 * STEPS, 0) for name in ("baseline", "siamese", "prototypical")},
    **{f"longer, seed 1/{name}": (name, 4 * STEPS, 1) for name in SEEDED},
}


def measure_more(o) -> tuple[dict[str, Tensor], dict]:
    """Another seed or four times the outer steps, scored on the 300 episodes of the chapter."""
    tasks, found = episodes("held out", 300), {}
    for key, (name, steps, seed) in MORE.items():
        learner, sentence = run_of(name).ready(seed, outer_steps=steps)
        score = evaluate(learner, tasks)
        found[key] = count_right(score)
        print(f"{key}: {sentence}: {score}", flush=True)
    return found, {"test_seed": TEST_SEED}


RATES, SHORT, CHOOSERS = (2e-3, 5e-3, 1e-2), 300, 10  # CHOOSERS: training scripts set aside


def measure_rates(o) -> tuple[dict[str, Tensor], dict]:
    """Right answers of short runs with three outer rates each, on training scripts set aside: the
    scripts held out have no part in the choice."""
    learn, choose = scripts()[0].split(CHOOSERS)
    tasks, found = test_episodes(choose, 300, shots=1, queries=QUERIES, seed=TEST_SEED), {}
    for name in SEEDED:
        for beta in RATES:
            learner, family, plan = run_of(name).prepared(0, outer_steps=SHORT, beta=beta)
            family = Strokes(ways=family.ways, scripts=SCRIPTS, only=learn.only)
            meta_train(learner, family, plan, progress=False)
            score = evaluate(learner, tasks)
            found[f"{name}, {beta:g}"] = count_right(score)
            print(f"{name}, {beta:g}: {score}", flush=True)
    return found, {"test_seed": TEST_SEED, "outer_steps": SHORT, "scripts": list(choose.only)}


def measure(o) -> tuple[dict[str, Tensor], dict]:
    """Right answers of every learner in every episode, and of MAML by mode and number of queries
    asked at once."""
    found: dict[str, Tensor] = {}

    def keep(key: str, score: Score) -> None:
        found[key] = count_right(score)
        print(f"{key}: {score}", flush=True)

    drawn = {domain: episodes(domain, count) for domain, count in STORED.items()}
    for name in LINE_UP:
        for domain, tasks in drawn.items():
            keep(f"{domain}/{name}", evaluate(once(run_of(name)), tasks))
    few = drawn["held out"][:100]
    for mode, sizes in (("query", (1, 2, 3, 5, 10, 25)), ("running", (1, 25))):
        learner = with_statistics(once(run_of("maml, running")), mode)
        for size in sizes:
            keep(f"{mode}/{size}", asked_in_groups(learner, few, size))
    about = {"ways": WAYS, "queries": QUERIES, "shots": 1, "test_seed": TEST_SEED}
    return found, about | {"omniglot_classes": Omniglot(WAYS).classes}


RUNS += [
    Measurement("look_scores", "the scores of all of them on the same episodes", measure=measure),
    Measurement(
        "look_more", "scores of other seeds and of four times the outer steps", measure=measure_more
    ),
    Measurement(
        "look_rates", "which outer rate, by training scripts set aside", measure=measure_rates
    ),
]
