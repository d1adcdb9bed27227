"""The RL2 players of chapter 13: how they are trained, from ten pulls to a hundred."""

from functools import partial

import torch
from torch import Tensor

from course_lib.families.bandits import Bandits
from course_lib.learners.bandit_players import UCB, Player, play
from course_lib.learners.rl2 import RL2
from course_lib.networks import checkpoints
from course_lib.training.evaluation import Score
from course_lib.training.outer_loop import Plan
from course_lib.training.runs import TEST_SEED, Run, once, plan_of, printed

ARMS = 5
OTHERS = 777  # the seed of bandits on which settings are chosen; those reported have TEST_SEED
BONUSES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
USUAL = {
    "outer_steps": 2500, "tasks": 256, "shots": 10, "queries": ARMS, "beta": 1e-2, "decay": True,
    "discount": 1.0, "trace": 1.0, "entropy": 0.02, "episodes": 20_000, "test_seed": TEST_SEED,
}  # fmt: skip


def bandits(count: int, seed: int = TEST_SEED) -> Tensor:
    """The chances of bandits that everyone plays: (count, 5)."""
    family = Bandits(ARMS)
    drawn = family.sample(count, shots=1, queries=ARMS, generator=family.generator(seed))
    return drawn.query_y[..., 0]


def totals(player: Player, pulls: int, count: int = 20_000, seed: int = TEST_SEED, **how) -> Score:
    """The sum of rewards in each of many bandits, with the same bandits and luck for everyone who
    asks with the same seed."""
    found = play(player, bandits(count, seed), pulls, seed=seed, **how).totals
    return Score(found, f"reward of {pulls} pulls", chance=pulls / 2)


def chosen_bonus(pulls: int) -> float:
    """The c of UCB that earns most on 4,000 other bandits."""
    return max(BONUSES, key=lambda c: totals(UCB(c), pulls, 4000, OTHERS).mean)


def prepare(before: Run | None, o) -> tuple[RL2, Bandits, Plan]:
    """RL2 before a stage of its training, its family and its plan. The first stage begins with
    random weights, a later one with those of the stage before, of the same seed."""
    settings = {name: getattr(o, name) for name in ("discount", "trace", "entropy")}
    learner = RL2(ARMS, seed=o.seed, **settings)
    if before is not None:
        checkpoints.load_weights(learner, once(before, o.seed).state_dict())
    return learner.to(o.device), Bandits(ARMS, device=o.device), plan_of(o)


def report(learner: RL2, o) -> dict[str, Score]:
    """What it earns with a pull, on fresh bandits."""
    drawn = bandits(o.episodes, o.test_seed).to(learner.actor.weight.device)
    found = play(learner, drawn, o.shots, seed=o.test_seed).totals.cpu() / o.shots
    return printed({f"{o.shots} pulls": Score(found, "reward a pull", chance=0.5)})


def stage(pulls: int, before: Run | None = None, **usual) -> Run:
    """A named run: RL2 on bandits of so many pulls."""
    says = f"RL2, a GRU that plays bandits of {pulls} pulls"
    after = f", from the weights of {before.name}" if before else ""
    settings = USUAL | {"shots": pulls} | usual
    return Run(f"bandits_rl2_{pulls}", says + after, settings, partial(prepare, before), report)


TEN = stage(10)
HUNDRED = stage(100, TEN, outer_steps=3000, beta=5e-3, discount=0.99, trace=0.95, entropy=0.01)
STAGES = {10: TEN, 100: HUNDRED}


def measure_seeds(o) -> tuple[dict[str, Tensor], dict]:
    """Rewards of RL2 after three trainings, 10 and 100 pulls, on the bandits that are reported."""
    found = {}
    for seed in (1, 2, 0):
        for pulls in (10, 100):
            learner = once(STAGES[pulls], seed)
            score = totals(learner, pulls, o.episodes)
            found[f"{pulls}/{seed}"] = score.per_episode.to(torch.uint8)
            print(f"seed {seed}: {score}", flush=True)
    return found, {"test_seed": TEST_SEED, "episodes": o.episodes}
