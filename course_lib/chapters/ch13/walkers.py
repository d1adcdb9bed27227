"""The walkers of chapter 13: MAML with policy gradients on points in the plane, what it is held
against, and what was measured."""

import time

import torch
from torch import Tensor

from course_lib.families.points import STEP, Points, moved, reward
from course_lib.learners.policy_maml import PolicyMAML
from course_lib.networks import mlp
from course_lib.training.evaluation import Score
from course_lib.training.outer_loop import Plan, meta_train
from course_lib.training.runs import TEST_SEED

HORIZON, WALKS, STEPS = 100, 20, 3
SEEDS = (0, 1, 2)
OTHERS = 777  # the seed of goals on which settings are chosen
RATES = (0.0125, 0.025, 0.05, 0.1, 0.2, 0.4)  # for walkers that were trained with none
WALKERS = {  # name: title, what differs from MAML
    "untrained": ("untrained", {"adapts": False}),
    "joint": ("trained on all goals", {"adapts": False}),
    "first order": ("MAML, first order", {"first_order": True}),
    "maml": ("MAML", {}),
    "told": ("told the goal", {"adapts": False, "told": True}),
}


def walker(name: str, seed: int, alpha: float = 0.1) -> PolicyMAML:
    """One of the walkers before its training."""
    settings = WALKERS[name][1]
    inputs = 4 if settings.get("told") else 2
    network = mlp(inputs, 2, (32, 32), seed=seed)
    return PolicyMAML(network, alpha=alpha, horizon=HORIZON, **settings)


def goals(count: int, seed: int = TEST_SEED) -> Tensor:
    """The goals that everyone walks to: (count, 2)."""
    return Points(HORIZON).goals(count, torch.Generator().manual_seed(seed))


@torch.no_grad()
def returns(learner: PolicyMAML, targets: Tensor, steps: int = STEPS) -> list[Score]:
    """The return after 0, 1, ..., ``steps`` inner steps, averaged over the walks to a goal."""
    with torch.random.fork_rng():
        torch.manual_seed(TEST_SEED)
        walks = learner.after_steps(targets, WALKS, steps)
    return [Score(one.returns, "return") for one in walks]


def standing(targets: Tensor) -> Score:
    """The return of who never moves."""
    return Score(HORIZON * reward(torch.zeros_like(targets), targets), "return")


def straight(targets: Tensor) -> Score:
    """The return of who knows the goal and goes there without noise: no walker has a higher one."""
    place, total = torch.zeros_like(targets), torch.zeros(len(targets))
    for _ in range(HORIZON):
        place = moved(place, (targets - place) / STEP)
        total += reward(place, targets)
    return Score(total, "return")


def trained(name: str, seed: int, outer_steps: int, tasks: int = 20) -> tuple[PolicyMAML, float]:
    """A walker after its training, and the processor seconds that took. The outer rate is the same
    for all."""
    learner, began = walker(name, seed), time.process_time()
    if name != "untrained":
        plan = Plan(outer_steps=outer_steps, tasks=tasks, shots=WALKS, queries=1, beta=1e-2,
                    seed=seed, decay=True)  # fmt: skip
        meta_train(learner, Points(HORIZON), plan, progress=False)
    return learner, time.process_time() - began


def with_best_rate(learner: PolicyMAML) -> PolicyMAML:
    """The walker with the inner rate that helps it most within `STEPS` steps, on 100 other
    goals."""
    others, after = goals(100, OTHERS), {}
    for alpha in RATES:
        learner.alpha = alpha
        after[alpha] = returns(learner, others)[-1].mean
    learner.alpha = max(after, key=after.get)
    return learner


def measure_points(o) -> tuple[dict[str, Tensor], dict]:
    """Returns after 0 to 3 inner steps of all walkers and seeds on the same goals, the inner rates
    chosen on others, and the weights."""
    targets = goals(o.episodes)
    found, about = {}, {"seconds": {}, "chosen": {}, "episodes": o.episodes}
    for name in WALKERS:
        for seed in SEEDS:
            learner, seconds = trained(name, seed, o.outer_steps)
            if name in ("untrained", "joint"):
                with_best_rate(learner)
            scores = returns(learner, targets, 0 if name == "told" else STEPS)
            found[f"{name}/{seed}"] = torch.stack([score.per_episode for score in scores])
            about["seconds"][f"{name}/{seed}"] = round(seconds, 1)
            about["chosen"][f"{name}/{seed}"] = learner.alpha
            weights = learner.network.state_dict()
            found |= {f"weights/{name}/{seed}/{key}": tensor for key, tensor in weights.items()}
            print(f"{name}/{seed}, alpha {learner.alpha}, {seconds:.0f} s: "
                  + ", ".join(f"{s.mean:.2f} ± {s.half_width:.2f}" for s in scores),
                  flush=True)  # fmt: skip
    return found, about | {"test_seed": TEST_SEED}
