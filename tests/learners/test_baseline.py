"""Baseline, Baseline++ and Meta-Baseline: heads trained task by task with PyTorch's own layers, and
what any learner must keep."""

import copy
import dataclasses
import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from toys import DEVICES

from course_lib.episodes import Episode
from course_lib.families import Sinusoids, Strokes
from course_lib.learners import Baseline, BaselinePlusPlus, MetaBaseline
from course_lib.networks.small import conv4, seeded
from course_lib.training.evaluation import evaluate
from course_lib.training.outer_loop import Plan, meta_train, run_settings

D, BASE = 6, 7  # length of an embedding and number of base classes here


def encoder() -> nn.Sequential:
    """From 4 numbers to D, with batch norm, as in conv4."""
    with seeded(0):
        return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, D))


MAKE = {
    "baseline": lambda: Baseline(encoder(), BASE, D, seed=1),
    "baseline++": lambda: BaselinePlusPlus(encoder(), BASE, D, seed=1),
    "meta-baseline": lambda: MetaBaseline(encoder()),
}
each = pytest.mark.parametrize("name", MAKE)
each_baseline = pytest.mark.parametrize("name", ["baseline", "baseline++"])


def made(name):
    """In float64 and eval mode, with running averages that are not the ones it was born with."""
    learner = MAKE[name]().double()
    learner.encoder[1].running_mean += 0.1 * torch.arange(8) - 0.2
    learner.encoder[1].running_var *= 1.7
    return learner.eval()


def episode(tasks=3, ways=3, shots=2, queries=4, seed=0) -> Episode:
    """Classes are clouds in four dimensions, in float64, drawn from BASE base classes; the order
    within a set is random."""
    g = torch.Generator().manual_seed(seed)
    classes = torch.rand(tasks, BASE, generator=g).argsort(1)[:, :ways]
    centres, sets = torch.randn(BASE, 4, generator=g, dtype=torch.float64)[classes], []
    for each_class in (shots, queries):
        y = torch.arange(ways).repeat_interleave(each_class)
        y = y[torch.rand(tasks, len(y), generator=g).argsort(dim=1)]
        x = centres.gather(1, y[..., None].expand(-1, -1, 4)) + 0.7 * torch.randn(
            tasks, y.shape[1], 4, generator=g, dtype=torch.float64
        )
        sets += [x, y]
    return Episode(*sets, names={"classes": classes})


# --- formulas written out -------------------------------------------------------------------------


def head_by_hand(name, learner, support, support_y, query):
    """One task: PyTorch's own layer or a loop of cosines, and SGD written out."""
    ways, n = int(support_y.max()) + 1, len(support)
    if name == "meta-baseline":
        points = [
            torch.stack([s for s, y in zip(support, support_y, strict=True) if y == c]).mean(0)
            for c in range(ways)
        ]
        return torch.stack(
            [
                torch.stack([learner.tau * q @ c / math.sqrt(q @ q * (c @ c)) for c in points])
                for q in query
            ]
        )
    if name == "baseline":
        layer = nn.Linear(D, ways).double()
        nn.init.zeros_(layer.weight), nn.init.zeros_(layer.bias)
        weights, scores = list(layer.parameters()), layer
    else:
        directions = torch.stack([s / s.norm() for s in support])
        start = directions.mean(0) / directions.mean(0).norm()
        weights = [start.clone().requires_grad_() for _ in range(ways)]
        scores = lambda x: torch.stack(
            [2 * (x @ w) / (x.norm(dim=-1) * w.norm()) for w in weights], dim=-1
        )  # noqa: E731
    speed = None
    for _ in range(100):
        p = scores(support).softmax(-1)
        loss = -sum(p[i, support_y[i]].log() for i in range(n)) / n
        slopes = [
            g + 1e-3 * w.detach()
            for g, w in zip(torch.autograd.grad(loss, weights), weights, strict=True)
        ]
        speed = (
            slopes
            if speed is None
            else [0.9 * v + 0.1 * g for v, g in zip(speed, slopes, strict=True)]
        )
        with torch.no_grad():
            for w, v in zip(weights, speed, strict=True):
                w -= 0.01 * v
    return scores(query).detach()


@each
@pytest.mark.parametrize("shots", [1, 3])
def test_the_logits_are_those_of_a_head_trained_task_by_task(name, shots):
    learner, tasks = made(name), episode(shots=shots)
    with torch.no_grad():
        logits = learner(tasks)
    for got, (support_x, support_y, query_x, _) in zip(logits, tasks, strict=True):
        with torch.no_grad():
            support, query = learner.encoder(support_x), learner.encoder(query_x)
        torch.testing.assert_close(
            got,
            head_by_hand(name, learner, support, support_y, query).detach(),
            rtol=1e-9,
            atol=1e-9,
        )


@each_baseline
def test_pretraining_is_cross_entropy_of_every_item_over_the_base_classes(name):
    learner, tasks = made(name), episode()
    losses = []
    for t, (support_x, support_y, query_x, query_y) in enumerate(tasks):
        for x, y in [*zip(support_x, support_y, strict=True), *zip(query_x, query_y, strict=False)]:
            f, base = learner.encoder(x[None])[0], int(tasks.names["classes"][t, y])
            w = learner.classifier.weight
            logits = (
                w @ f + learner.classifier.bias
                if name == "baseline"
                else torch.stack([10 * (row @ f) / (row.norm() * f.norm()) for row in w])
            )
            losses.append(logits.exp().sum().log() - logits[base])
    assert len(losses) == 3 * 3 * (2 + 4)
    torch.testing.assert_close(
        learner.outer_loss(tasks), torch.stack(losses).mean(), rtol=1e-9, atol=1e-9
    )


def test_meta_baseline_trains_on_episodes_with_a_scale_that_learns_too():
    learner, tasks = made("meta-baseline"), episode()
    loss = learner.outer_loss(tasks)
    torch.testing.assert_close(
        loss, F.cross_entropy(learner(tasks).flatten(0, 1), tasks.query_y.flatten())
    )
    loss.backward()
    assert learner.tau.grad.abs() > 1e-6 and all(p.grad is not None for p in learner.parameters())


# --- what any few-shot learner must keep ----------------------------------------------------------


@each
def test_renaming_the_classes_renames_the_logits_and_nothing_else(name):
    learner, tasks, new = made(name), episode(), torch.tensor([2, 0, 1])
    renamed = learner(
        Episode(tasks.support_x, new[tasks.support_y], tasks.query_x, new[tasks.query_y])
    )
    torch.testing.assert_close(renamed[..., new], learner(tasks), rtol=1e-9, atol=1e-9)


@each
def test_the_order_of_the_support_set_does_not_matter(name):
    learner, tasks, order = made(name), episode(), torch.tensor([3, 1, 5, 0, 2, 4])
    shuffled = learner(
        Episode(tasks.support_x[:, order], tasks.support_y[:, order], tasks.query_x, tasks.query_y)
    )
    torch.testing.assert_close(shuffled, learner(tasks), rtol=1e-9, atol=1e-9)


@each
def test_one_query_at_a_time_and_one_task_at_a_time_give_what_all_give_at_once(name):
    learner, tasks = made(name), episode()
    together = learner(tasks)
    for logits, (support_x, support_y, query_x, _) in zip(together, tasks, strict=True):
        alone = torch.cat([learner.predict(support_x, support_y, q[None]) for q in query_x])
        torch.testing.assert_close(alone, logits, rtol=1e-9, atol=1e-9)


@each
def test_support_labels_that_say_nothing_leave_chance_exactly(name):
    """Over all ways of naming the classes, each query is answered right by one in N: the answer
    follows the labels, not the pictures."""
    learner, tasks, right = made(name), episode(ways=4, queries=2), []
    for new in itertools.permutations(range(4)):
        answer = learner(
            Episode(
                tasks.support_x, torch.tensor(new)[tasks.support_y], tasks.query_x, tasks.query_y
            )
        ).argmax(-1)
        right.append((answer == tasks.query_y).double().mean())
    assert torch.stack(right).mean().item() == pytest.approx(1 / 4, abs=1e-12)


@each
def test_answers_repeat_and_leave_weights_and_randomness_alone(name):
    learner, tasks = made(name), episode()
    before, state = copy.deepcopy(learner.state_dict()), torch.get_rng_state()
    with torch.no_grad():
        first, second = learner(tasks), learner(tasks)
    assert first.equal(second) and not first.requires_grad
    assert all(
        value.equal(before[key]) for key, value in learner.state_dict().items()
    ) and torch.get_rng_state().equal(state)


@each_baseline
def test_the_head_fits_its_support_set_and_more_steps_fit_it_better(name):
    tasks, losses = episode(), []
    for steps in (1, 100, 1000):
        learner = made(name)
        learner.steps = steps
        logits = learner(
            Episode(tasks.support_x, tasks.support_y, tasks.support_x, tasks.support_y)
        )
        losses.append(F.cross_entropy(logits.flatten(0, 1), tasks.support_y.flatten()).item())
    assert losses[0] > losses[1] > losses[2] and losses[0] < math.log(3)


@each
@pytest.mark.parametrize("device", DEVICES)
def test_it_is_the_same_on_every_device_and_in_both_precisions(name, device):
    learner, tasks = made(name), episode()
    wanted = learner(tasks).detach()
    there = learner.to(device)(tasks.map(lambda t: t.to(device)))
    assert there.device.type == device and there.dtype == torch.float64
    torch.testing.assert_close(there.detach().cpu(), wanted, rtol=1e-7, atol=1e-9)
    single = learner.float()(
        tasks.map(lambda t: t.to(device).float() if t.is_floating_point() else t.to(device))
    )
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.detach().cpu().double(), wanted, rtol=1e-3, atol=1e-4)


# --- training -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pretrained():
    """Each baseline after a short pretraining on few scripts, with the score before and after on
    scripts it has not seen."""
    kept, held_out = Strokes(ways=5, scripts=12, characters=10).split(4)
    fresh = held_out.sample(60, shots=1, queries=3, generator=held_out.generator(1))
    found = {}
    for kind in (Baseline, BaselinePlusPlus):
        learner = kind(conv4(8, seed=0), kept.classes, 8, seed=0)
        before = evaluate(learner, fresh)
        run = meta_train(
            learner,
            kept,
            Plan(outer_steps=80, tasks=4, shots=1, queries=2, beta=1e-2, decay=True),
            progress=False,
        )
        found[kind] = learner, run.losses, before, evaluate(learner, fresh)
    return kept, fresh, found


@pytest.mark.parametrize("kind", [Baseline, BaselinePlusPlus])
def test_a_short_pretraining_lowers_the_loss_and_the_head_is_above_chance_on_new_scripts(
    pretrained, kind
):
    _, _, found = pretrained
    _, losses, _, after = found[kind]
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])
    assert after.mean - after.half_width > 0.3 and after.chance == 0.2


def test_meta_baseline_starts_from_a_copy_of_the_pretrained_encoder(pretrained):
    kept, fresh, found = pretrained
    baseline = found[Baseline][0]
    before, learner = copy.deepcopy(baseline.state_dict()), MetaBaseline.after(baseline)
    embedded = learner.eval().embed(fresh)
    assert all(
        one.equal(other) for one, other in zip(embedded, baseline.eval().embed(fresh), strict=True)
    )
    score = evaluate(learner, fresh)
    assert score.mean - score.half_width > 0.3
    plan = Plan(outer_steps=3, tasks=2, shots=1, queries=2)
    one, other = (
        run_settings(made, kept, plan) for made in (learner, MetaBaseline(conv4(8, seed=0)))
    )
    assert one.keys() == other.keys() and one != other  # the start is in the key
    meta_train(learner.train(), kept, plan, progress=False)
    assert learner.tau.item() != 10 and all(
        value.equal(before[key]) for key, value in baseline.state_dict().items()
    )


def test_without_training_on_episodes_the_scale_does_not_change_an_answer():
    tasks, learner = episode(), made("meta-baseline")
    first = learner(tasks).argmax(-1)
    learner.tau.data *= 0.1
    assert learner(tasks).argmax(-1).equal(first)


def test_pretraining_in_half_leaves_the_exact_answers_of_eval_mode():
    kept = Strokes(ways=3, scripts=3, characters=4)
    tasks = kept.sample(2, shots=1, queries=2, generator=kept.generator(0))
    one, half = (
        Baseline(conv4(8, seed=0), kept.classes, 8, seed=0),
        Baseline(conv4(8, seed=0), kept.classes, 8, seed=0).in_half(),
    )
    assert half.outer_loss(tasks).item() == pytest.approx(one.outer_loss(tasks).item(), rel=0.02)
    one.eval(), half.eval().load_state_dict(one.state_dict())
    torch.testing.assert_close(half(tasks), one(tasks), rtol=1e-4, atol=1e-4)
    assert one.settings() != half.settings()


def test_every_setting_is_in_the_key():
    keys = [MAKE[name]().settings() for name in MAKE] + [
        Baseline(encoder(), BASE + 1, D).settings(), Baseline(encoder(), BASE, D,
        steps=7).settings(),
        BaselinePlusPlus(encoder(), BASE, D, scale=3).settings(), BaselinePlusPlus(encoder(), BASE,
        D, head_scale=3).settings()]  # fmt: skip
    assert len({str(key) for key in keys}) == len(keys)


# --- what is refused ------------------------------------------------------------------------------


@each
def test_a_class_without_a_support_example_is_refused(name):
    x, query = torch.randn(3, 4, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    with pytest.raises(ValueError, match="class 1 has no support example"):
        made(name).predict(x, torch.tensor([0, 2, 2]), query)


@each_baseline
def test_pretraining_refuses_what_it_cannot_learn_from(name):
    learner, tasks = made(name), episode()
    with pytest.raises(ValueError, match=r'no names\["classes"\]'):
        learner.outer_loss(Episode(tasks.support_x, tasks.support_y, tasks.query_x, tasks.query_y))
    with pytest.raises(ValueError, match="classes=7, and an item is of base class 9"):
        learner.outer_loss(
            dataclasses.replace(tasks, names={"classes": tasks.names["classes"] * 0 + 9})
        )
    waves = Sinusoids().sample(2, shots=3, queries=3)
    with pytest.raises(ValueError, match="a family of pictures"):
        learner.outer_loss(waves)


@pytest.mark.parametrize("make, says", [
    (lambda: Baseline(encoder(), 0, D), "classes=0"),
    (lambda: Baseline(encoder(), BASE, 0), "features=0"),
    (lambda: Baseline(encoder(), BASE, D, steps=0), "steps=0"),
    (lambda: BaselinePlusPlus(encoder(), BASE, D, scale=0.0), "scale=0.0"),
    (lambda: BaselinePlusPlus(encoder(), BASE, D, head_scale=-1.0), "scale=-1.0"),
    (lambda: MetaBaseline(encoder(), tau=float("inf")), "scale=inf"),
    (lambda: Baseline("conv4", BASE), "give a network"),
    (lambda: Baseline(encoder(), BASE, D + 1).double().outer_loss(episode()),
    "features=7, but the encoder gives 6 numbers"),
    (lambda: Baseline(encoder(), BASE, D + 1).double().eval()(episode()),
    "features=7, but the encoder gives 6 numbers"),
])  # fmt: skip
def test_settings_out_of_range_are_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()
