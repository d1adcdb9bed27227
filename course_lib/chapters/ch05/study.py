"""The comparison of chapter 05: outer loops on the same tasks from the same three seeds.

The inner rate and the number of inner steps at test time of each were chosen on other tasks of the
training side, with another training seed (`bench.chosen`). outer_curves and outer_strokes hold the
scores.
"""

import copy
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.chapters.ch05.bench import (
    METHODS,
    SEEDS,
    STEPS_TO_TRY,
    TEST_TASKS,
    Bench,
    chosen,
    curves,
    strokes,
    trained,
)
from course_lib.chapters.ch05.kept import bytes_kept
from course_lib.episodes import Episode
from course_lib.learners import MAML, Learner, Nearest, Prototypical
from course_lib.training.evaluation import Score, evaluate, evaluate_each_step
from course_lib.training.runs import Measurement

CAP = 25.0  # the square of the largest amplitude: always answering 0 cannot be so wrong


def kept_for(learner: Learner, bench: Bench) -> int:
    """The same for an outer step as in training."""
    plan, family = bench.plan(seed=0), bench.training
    dice = family.generator(0)
    drawn = family.sample(plan.tasks, shots=plan.shots, queries=plan.queries, generator=dice)
    return bytes_kept(learner, drawn)


def agreement(network: nn.Module, loss_fn, tasks: Episode) -> Tensor:
    """For each task, the cosine of the angle between the gradients of its support and query loss at
    the network's own weights: (T,)."""
    found, parameters = [], list(network.parameters())
    for sx, sy, qx, qy in tasks:
        both = []
        for x, y in ((sx, sy), (qx, qy)):
            gradients = torch.autograd.grad(loss_fn(network(x), y), parameters)
            both.append(torch.cat([g.flatten() for g in gradients]))
        found.append(torch.cosine_similarity(*both, dim=0))
    return torch.stack(found)


def with_frozen_head(learner: MAML) -> MAML:
    """A copy that adapts everything but the last layer."""
    other = copy.deepcopy(learner)
    for parameter in other.network[-1].parameters():
        parameter.requires_grad_(False)
    return other


def parts_that_adapt(learner: MAML, tasks: Episode, steps: int) -> dict[str, Score]:
    """A trained learner on new tasks: all layers adapt, the head alone, the body alone, or nothing:
    then the nearest mean of the body's features answers."""
    settings = {"alpha": learner.alpha, "steps": steps, "way": "vmap"}
    make = partial(MAML, learner.network, learner.loss_fn, **settings)
    body = copy.deepcopy(learner.network[:-1])
    return {
        "all": evaluate(make(), tasks),
        "head": evaluate(make(adapt="head"), tasks),
        "body": evaluate(with_frozen_head(make()), tasks),
        "nothing": evaluate(Prototypical(body), tasks),
    }


# --- what is measured -----------------------------------------------------------------------------


def small(score: Score) -> Tensor:
    """The scores as they are stored; a share of right answers needs few digits."""
    return score.per_episode.half() if score.metric == "accuracy" else score.per_episode


def compare(bench: Bench, short: Bench, names) -> tuple[dict[str, Tensor], dict, dict]:
    """Scores of every method and seed on the reported tasks, what the files say besides, and the
    learners by (name, seed)."""
    found, about, learners = {}, {"seconds": {}, "chosen": {}, "kept": {}}, {}
    tasks = bench.tasks()
    for name in names:
        like = name.removesuffix(", mixed")
        if name == like:
            about["chosen"][name] = list(chosen(name, short))
        alpha, steps = about["chosen"][like]
        for seed in SEEDS:
            learner, seconds = trained(name, bench, alpha, seed)
            by_step = evaluate_each_step(learner, tasks, max(STEPS_TO_TRY))
            found[f"{name}/{seed}"] = small(by_step[steps])
            found[f"{name}/{seed}/by step"] = torch.tensor([s.mean for s in by_step])
            about["seconds"][f"{name}/{seed}"] = round(seconds, 1)
            learners[name, seed] = learner
            print(f"{name}/{seed}, alpha {alpha}, {steps} steps: {by_step[steps]}, {seconds:.0f} s",
                  flush=True)  # fmt: skip
        about["kept"][name] = kept_for(copy.deepcopy(learner).train(), bench)
    return found, about, learners


def measure_curves(o) -> tuple[dict[str, Tensor], dict]:
    """The comparison on sine waves, with the control of Reptile, how far gradients agree, and what
    Meta-SGD learned."""
    bench = curves(o.outer_steps)
    names = [*METHODS, "reptile, mixed"]
    found, about, learners = compare(bench, curves(max(1, o.outer_steps // 2)), names)
    some = bench.tasks()[:200]
    for name in ("untrained", "joint", "reptile", "reptile, mixed", "maml"):
        for seed in SEEDS:
            found[f"agreement/{name}/{seed}"] = agreement(
                learners[name, seed].network, F.mse_loss, some
            )
    for seed in SEEDS:
        sizes = learners["meta-sgd", seed].sizes()
        found |= {f"rates/{seed}/{name}": rates[0] for name, rates in sizes.items()}
    for name in METHODS:
        weights = learners[name, 0].network.state_dict()
        found |= {f"weights/{name}/{key}": tensor for key, tensor in weights.items()}
    return found, about | {"test_seed": TEST_TASKS, "episodes": bench.episodes}


def measure_strokes(o) -> tuple[dict[str, Tensor], dict]:
    """The comparison on drawn characters, and which parts of a learner have to adapt."""
    bench = strokes(o.outer_steps)
    found, about, learners = compare(bench, strokes(max(1, o.outer_steps // 2)), METHODS)
    tasks = bench.tasks()
    found["nearest"] = small(evaluate(Nearest(), tasks))
    for name in ("untrained", "maml", "anil"):
        for seed in SEEDS:
            scores = parts_that_adapt(learners[name, seed], tasks, about["chosen"][name][1])
            for part, score in scores.items():
                found[f"parts/{name}/{seed}/{part}"] = small(score)
                print(f"{name}/{seed}, {part} adapts: {score}", flush=True)
    return found, about | {"test_seed": TEST_TASKS, "episodes": bench.episodes}


RUNS = [
    Measurement(
        "outer_curves", "outer loops compared on sine waves", {"outer_steps": 1000},
        measure=measure_curves,
    ),
    Measurement(
        "outer_strokes", "outer loops compared on drawn characters", {"outer_steps": 300},
        measure=measure_strokes,
    ),
]  # fmt: skip


# --- what the chapter reads -----------------------------------------------------------------------


def per_seed(run: str, key: str) -> list[Score]:
    """The stored scores of a method, one for each training seed. An error above `CAP` counts as
    `CAP`, so that one task that explodes does not decide a mean.

    Args:
        run: "outer_curves" or "outer_strokes".   key: with "{}" in the place of the seed, or a
            method's name.
    """
    tensors, key = named(run).tensors(), key if "{}" in key else key + "/{}"
    about = {} if run == "outer_curves" else {"metric": "accuracy", "chance": 0.2}
    scores = [tensors[key.format(seed)].double().nan_to_num(CAP) for seed in SEEDS]
    return [Score(score.clamp(max=CAP), **about) for score in scores]


def exploded(name: str) -> list[int]:
    """On how many of the sine waves a method's error is above `CAP` or not a number, by seed."""
    tensors = named("outer_curves").tensors()
    return [int((~(tensors[f"{name}/{seed}"] <= CAP)).sum()) for seed in SEEDS]


def over_seeds(run: str, key: str) -> tuple[Score, float]:
    """The mean over the seeds, task by task, whose interval covers the draw of tasks; and the
    standard deviation of the seeds' means, which tells the luck of the seed."""
    scores = per_seed(run, key)
    together = torch.stack([score.per_episode for score in scores]).mean(0)
    luck = torch.tensor([score.mean for score in scores]).std().item()
    return Score(together, scores[0].metric, scores[0].chance), luck


def named(run: str) -> Measurement:
    """A run of this chapter, by its name."""
    return next(one for one in RUNS if one.name == run)
