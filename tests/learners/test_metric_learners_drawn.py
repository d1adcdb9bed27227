"""What holds for every metric learner and every episode: episodes are drawn at random."""

import copy
import dataclasses
import os

import hypothesis.strategies as st
import torch
from hypothesis import HealthCheck, given, seed, settings
from torch import nn

from course_lib.episodes import Episode
from course_lib.learners import (
    Baseline,
    BaselinePlusPlus,
    Koch,
    Matching,
    MetaBaseline,
    Nearest,
    Prototypical,
    Relation,
    Siamese,
)
from course_lib.training.evaluation import evaluate

SEED = int(os.environ.get("COURSE_SEED", 0))
CASES, D = 240, 4


def encoder() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, D), nn.BatchNorm1d(D), nn.Tanh(), nn.Linear(D, D))


LEARNERS = {
    "prototypical": lambda: Prototypical(encoder()),
    "prototypical, plain": lambda: Prototypical(encoder(), "plain"),
    "prototypical, cosine": lambda: Prototypical(encoder(), "cosine"),
    "matching": lambda: Matching(encoder()),
    "full context": lambda: Matching(encoder(), full_context=True, features=D, seed=0),
    "relation": lambda: Relation(encoder(), features=D, hidden=3, seed=0),
    "siamese": lambda: Siamese(encoder()),
    "koch": lambda: Koch(encoder(), D, seed=0),
    "nearest": lambda: Nearest(encoder()),
    "baseline": lambda: Baseline(encoder(), 9, D, steps=5, seed=0),
    "baseline++": lambda: BaselinePlusPlus(encoder(), 9, D, steps=5, seed=0),
    "meta-baseline": lambda: MetaBaseline(encoder()),
}


@st.composite
def cases(draw):
    ways = draw(st.integers(2, 5))
    each = st.lists(st.integers(1, 3), min_size=ways, max_size=ways)  # shots may differ by class
    return {
        "learner": draw(st.sampled_from(list(LEARNERS))),
        "shots": draw(each),
        "queries": draw(st.lists(st.integers(0, ways - 1), min_size=1, max_size=6)),
        "tasks": draw(st.integers(1, 25)),
        "seed": draw(st.integers(0, 10**6)),
        "half": draw(st.booleans()),
    }


def episode(case: dict) -> Episode:
    generator = torch.Generator().manual_seed(case["seed"])
    random = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)
    T, ways = case["tasks"], len(case["shots"])
    y = torch.arange(ways).repeat_interleave(torch.tensor(case["shots"])).expand(T, -1)
    order = torch.rand(T, y.shape[1], generator=generator).argsort()
    asked = torch.tensor(case["queries"]).expand(T, -1)
    names = {"classes": torch.arange(ways).expand(T, -1)}
    support_y = y.gather(1, order)
    return Episode(
        random(T, y.shape[1], 3), support_y, random(T, asked.shape[1], 3), asked, names=names
    )


def made(case: dict):
    return LEARNERS[case["learner"]]().double().eval()


def close(one, other):
    torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-9)


@seed(SEED)
@settings(
    max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
@given(cases())
def test_what_a_metric_learner_promises(case):
    learner, tasks = made(case), episode(case)
    T, ways = len(tasks), tasks.ways
    with torch.no_grad():
        logits = learner(tasks)
        assert logits.shape == (T, len(case["queries"]), ways)

        # other numbers for the classes: the same answers under their new numbers
        number = torch.randperm(ways, generator=torch.Generator().manual_seed(1))
        renamed = Episode(
            tasks.support_x, number[tasks.support_y], tasks.query_x, number[tasks.query_y]
        )
        close(learner(renamed)[..., number], logits)

        # another order of the support set; full context reads it in order, and says so
        if case["learner"] != "full context":
            turned = dataclasses.replace(
                tasks, support_x=tasks.support_x.flip(1), support_y=tasks.support_y.flip(1)
            )
            close(learner(turned), logits)

        # each query by itself, each cut, one task at a time
        for i in range(len(case["queries"])):
            alone = dataclasses.replace(
                tasks, query_x=tasks.query_x[:, i : i + 1], query_y=tasks.query_y[:, i : i + 1]
            )
            close(learner(alone)[:, 0], logits[:, i])
        close(learner(tasks[T // 2 :]), logits[T // 2 :])
        close(learner.predict(*(part[0] for part in tasks.four[:3])), logits[0])
    scores = [evaluate(learner, tasks, batch=batch) for batch in (1, 20, 100, T)]
    assert all(score.per_episode.equal(scores[0].per_episode) for score in scores)
    assert scores[0].chance == 1 / ways


@seed(SEED + 1)
@settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(cases().filter(lambda case: case["learner"] != "nearest" and max(case["shots"]) > 1))
def test_what_is_frozen_or_of_another_precision_stays_so(case):
    learner, tasks = made(case).float().train(), episode(case).map(
        lambda t: t.float() if t.is_floating_point() else t
    )  # fmt: skip
    if case["half"]:
        learner.in_half()
    first = learner.encoder[0].requires_grad_(False)
    before, kinds = copy.deepcopy(learner.state_dict()), {p.dtype for p in learner.parameters()}
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.1)
    learner.outer_loss(tasks).backward()
    optimizer.step()
    assert first.weight.grad is None and not first.weight.requires_grad
    assert first.weight.equal(before["encoder.0.weight"])
    assert {p.dtype for p in learner.parameters()} == kinds
    assert not learner.encoder[3].weight.equal(before["encoder.3.weight"])
    learner.eval()
    once = learner(tasks).detach()
    assert once.dtype == torch.float32 and learner(tasks).equal(once)


def test_the_seed_is_printed():
    print(f"COURSE_SEED={SEED}: {CASES} + 60 cases")
