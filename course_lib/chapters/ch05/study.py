"""The comparison of chapter 05: outer loops on the same tasks from the same three seeds.

The inner rate and the number of inner steps at test time of each were chosen on other tasks of the
training side, with another training seed (`chosen`). outer_curves and outer_strokes hold the
scores.
"""

import copy
import time
import weakref
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.episodes import Episode, TaskFamily
from course_lib.families import Sinusoids, Strokes
from course_lib.learners import IMAML, MAML, Joint, Learner, MetaSGD, Nearest, Prototypical, Reptile
from course_lib.networks import mlp
from course_lib.networks.small import seeded
from course_lib.training.evaluation import Score, evaluate, evaluate_each_step, test_episodes
from course_lib.training.outer_loop import Plan, meta_train
from course_lib.training.runs import Measurement

SEEDS = (0, 1, 2)
CHOOSING_SEED, CHOOSING_TASKS, TEST_TASKS = 100, 101, 5  # seeds: of training, of the tasks
STEPS_TO_TRY = (1, 3, 5, 10)
METHODS = {  # in the files and in figures
    "untrained": "nothing learned", "joint": "joint training", "maml": "MAML",
    "first order": "first order", "anil": "ANIL", "reptile": "Reptile", "meta-sgd": "Meta-SGD",
    "imaml": "implicit MAML",
}  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """Where all of them are compared.

    Args:
        network: from a seed to a network.   loss_fn: of both loops.   plan: from a seed.
        k: inner steps in training of those that keep the path; Reptile and implicit MAML, which
            need more than one, take ``walk``.
        rates: the inner rates to choose from.   strength: of implicit MAML.
        training, testing: families.   episodes, shots, queries: of the reported tasks.
    """

    network: object
    loss_fn: object
    plan: object
    k: int
    walk: int
    rates: tuple
    strength: float
    training: TaskFamily
    testing: TaskFamily
    episodes: int
    shots: int
    queries: int

    def tasks(self) -> Episode:
        """The reported tasks, the same for everyone."""
        return test_episodes(
            self.testing, self.episodes, shots=self.shots, queries=self.queries, seed=TEST_TASKS
        )

    def tasks_to_choose_on(self) -> Episode:
        return test_episodes(
            self.training, 150, shots=self.shots, queries=self.queries, seed=CHOOSING_TASKS
        )


def small_conv(seed: int) -> nn.Sequential:
    """Three strided convolutions of 16 channels and a head of five outputs, 6,181 numbers. Group
    norm looks at one drawing at a time, so no answer depends on other drawings."""
    with seeded(seed):
        layers = []
        for before in (1, 16, 16):
            layers += [nn.Conv2d(before, 16, 3, 2, 1), nn.GroupNorm(4, 16), nn.ReLU()]
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(256, 5))


def curves(outer_steps: int) -> Bench:
    """Sine waves, five points a task."""
    plan = partial(
        Plan, outer_steps=outer_steps, tasks=25, shots=5, queries=5, beta=2e-3, decay=True
    )
    return Bench(
        lambda seed: mlp(seed=seed), F.mse_loss, plan, 1, 8, (0.01, 0.03), 0.5,
        Sinusoids(), Sinusoids(), 600, 5, 50,
    )  # fmt: skip


def strokes(outer_steps: int) -> Bench:
    """Drawn characters, five classes, one drawing of each; tested on 20 scripts held out."""
    plan = partial(
        Plan, outer_steps=outer_steps, tasks=4, shots=1, queries=5, beta=3e-3, decay=True
    )
    return Bench(
        small_conv, F.cross_entropy, plan, 3, 5, (0.1, 0.3), 0.5,
        *Strokes(ways=5, scripts=70).split(20), 400, 1, 5,
    )  # fmt: skip


def learner_of(name: str, bench: Bench, alpha: float, seed: int) -> Learner:
    """A learner before its training.

    Raises:
        ValueError: there is no such method.
    """
    given = bench.network(seed), bench.loss_fn
    kept, longer = ({"alpha": alpha, "steps": k, "way": "vmap"} for k in (bench.k, bench.walk))
    makers = {
        "untrained": lambda: MAML(*given, **kept),
        "joint": lambda: Joint(*given, **kept),
        "maml": lambda: MAML(*given, **kept),
        "first order": lambda: MAML(*given, **kept, first_order=True),
        "anil": lambda: MAML(*given, **kept, adapt="head"),
        "reptile": lambda: Reptile(*given, **longer),
        "reptile, mixed": lambda: Reptile(*given, **longer),
        "meta-sgd": lambda: MetaSGD(*given, **kept),
        "imaml": lambda: IMAML(*given, **longer, strength=bench.strength, solver_steps=4),
    }
    if name not in makers:
        raise ValueError(f"{name!r}: choose one of {', '.join(makers)}")
    return makers[name]()


class Mixed(TaskFamily):
    """The control of Reptile: the same points as in another family, dealt out so that each "task"
    holds points of many tasks. The gradients within a task then share nothing of their own."""

    def __init__(self, family: TaskFamily):
        self.family, self.device = family, family.device

    def sample(self, tasks, *, shots, queries, generator=None) -> Episode:
        drawn = self.family.sample(tasks, shots=shots, queries=queries, generator=generator)
        x, y = (
            torch.cat([getattr(drawn, f"support_{z}"), getattr(drawn, f"query_{z}")], 1)
            for z in "xy"
        )
        order = torch.rand(tasks * x.shape[1], generator=generator, device=self.device).argsort()
        x, y = (part.flatten(0, 1)[order].view_as(part) for part in (x, y))
        return Episode(x[:, :shots], y[:, :shots], x[:, shots:], y[:, shots:])

    def settings(self) -> dict:
        return self.family.settings() | {"mixed": True}


def trained(name: str, bench: Bench, alpha: float, seed: int) -> tuple[Learner, float]:
    """The learner after its training, and the seconds of one core that this took."""
    learner, began = learner_of(name, bench, alpha, seed), time.process_time()
    if name != "untrained":
        family = Mixed(bench.training) if "mixed" in name else bench.training
        meta_train(learner, family, bench.plan(seed=seed), progress=False)
    return learner.eval(), time.process_time() - began


def better(score: Score) -> float:
    """The larger the better, for accuracy and for error."""
    return score.mean if score.metric == "accuracy" else -score.mean


def chosen(name: str, short: Bench) -> tuple[float, int]:
    """Inner rate and number of inner steps at test time: the best of one short run for each rate,
    on tasks of the training side, with a seed that nobody reports."""
    tasks, found = short.tasks_to_choose_on(), {}
    for alpha in short.rates:
        learner, _ = trained(name, short, alpha, CHOOSING_SEED)
        by_step = evaluate_each_step(learner, tasks, max(STEPS_TO_TRY))
        found |= {
            (alpha, steps): better(by_step[steps])
            for steps in STEPS_TO_TRY
            if by_step[steps].mean == by_step[steps].mean  # not NaN
        }
    return max(found, key=found.get)


class Kept:
    """Bytes that autograd keeps for a backward pass, at the worst moment inside a ``with``."""

    def __init__(self):
        self.now = self.peak = 0

    def pack(self, tensor: Tensor):
        box, size = [tensor], tensor.numel() * tensor.element_size()
        holder = Holder(box)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(holder, self.let_go, size)
        return holder

    def let_go(self, size: int) -> None:
        self.now -= size

    def __enter__(self):
        self.hooks = torch.autograd.graph.saved_tensors_hooks(self.pack, lambda h: h.box[0])
        self.hooks.__enter__()
        return self

    def __exit__(self, *what):
        return self.hooks.__exit__(*what)


class Holder:
    """Holds a tensor, and can be watched."""

    def __init__(self, box: list):
        self.box = box


def bytes_kept(learner: Learner, episode: Episode) -> int:
    """Bytes kept at the worst moment of one outer gradient."""
    with Kept() as kept:
        learner.outer_loss(episode).backward()
    learner.zero_grad()
    return kept.peak


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
            found[f"{name}/{seed}"] = by_step[steps].per_episode.half()
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
    found["nearest"] = evaluate(Nearest(), tasks).per_episode.half()
    for name in ("untrained", "maml", "anil"):
        for seed in SEEDS:
            scores = parts_that_adapt(learners[name, seed], tasks, about["chosen"][name][1])
            for part, score in scores.items():
                found[f"parts/{name}/{seed}/{part}"] = score.per_episode.half()
                print(f"{name}/{seed}, {part} adapts: {score}", flush=True)
    return found, about | {"test_seed": TEST_TASKS, "episodes": bench.episodes}


RUNS = [
    Measurement(
        "outer_curves", "outer loops compared on sine waves", {"outer_steps": 1200},
        measure=measure_curves,
    ),
    Measurement(
        "outer_strokes", "outer loops compared on drawn characters", {"outer_steps": 300},
        measure=measure_strokes,
    ),
]  # fmt: skip


# --- what the chapter reads -----------------------------------------------------------------------


def per_seed(run: str, key: str) -> list[Score]:
    """The stored scores of a method, one for each training seed.

    Args:
        run: "outer_curves" or "outer_strokes".   key: with "{}" in the place of the seed, or a
            method's name.
    """
    tensors, key = named(run).tensors(), key if "{}" in key else key + "/{}"
    about = {} if run == "outer_curves" else {"metric": "accuracy", "chance": 0.2}
    return [Score(tensors[key.format(seed)].double(), **about) for seed in SEEDS]


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
