"""Matching, Prototypical and Relation against formulas written out with loops, and what any metric
learner must keep."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from toys import DEVICES

from course_lib.episodes import Episode
from course_lib.families import Strokes
from course_lib.learners import Matching, Prototypical, Relation
from course_lib.learners.matching import FullContext
from course_lib.learners.metric import MetricLearner, one_hot
from course_lib.learners.prototypical import prototypes
from course_lib.networks.small import conv4, seeded
from course_lib.training.evaluation import evaluate
from course_lib.training.outer_loop import Plan, meta_train, run_settings

D = 6  # length of an embedding here


def encoder() -> nn.Sequential:
    """From 4 numbers to D, with batch norm, as in conv4."""
    with seeded(0):
        return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, D))


MAKE = {
    "squared": lambda: Prototypical(encoder()),
    "plain": lambda: Prototypical(encoder(), "plain"),
    "cosine": lambda: Prototypical(encoder(), "cosine"),
    "matching": lambda: Matching(encoder()),
    "full context": lambda: Matching(encoder(), full_context=True, features=D, seed=1),
    "relation": lambda: Relation(encoder(), features=D, hidden=7, seed=1),
}
WITHOUT_ORDER = [name for name in MAKE if name != "full context"]
each = pytest.mark.parametrize("name", MAKE)


def made(name) -> MetricLearner:
    """In float64 and eval mode, with running averages that are not the ones it was born with."""
    learner = MAKE[name]().double()
    for module in learner.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean += 0.1 * torch.arange(module.num_features) - 0.2
            module.running_var *= 1.7
    return learner.eval()


def episode(tasks=3, ways=3, shots=2, queries=4, seed=0) -> Episode:
    """Classes are clouds in four dimensions, in float64; the order of support and query items is
    random."""
    g = torch.Generator().manual_seed(seed)
    centres, sets = torch.randn(tasks, ways, 4, generator=g, dtype=torch.float64), []
    for each_class in (shots, queries):
        y = torch.arange(ways).repeat_interleave(each_class)
        y = y[torch.rand(tasks, len(y), generator=g).argsort(dim=1)]
        x = centres.gather(1, y[..., None].expand(-1, -1, 4)) + 0.7 * torch.randn(
            tasks, y.shape[1], 4, generator=g, dtype=torch.float64
        )
        sets += [x, y]
    return Episode(*sets)


def cos(a, b):
    return sum(a * b) / math.sqrt(sum(a * a) * sum(b * b))


def mean_of(rows):
    return sum(rows[1:], rows[0]) / len(rows)


def by_hand(name, learner, support, support_y, query):
    """One task of embeddings, with loops: a list of lists of logits."""
    ways, answer = int(max(support_y)) + 1, []
    of_class = [[s for s, y in zip(support, support_y, strict=True) if y == n] for n in range(ways)]
    if name == "full context":
        support, query = context_by_hand(learner.context, support, query)
    for q in query:
        if name == "squared":
            row = [-sum((q - mean_of(of_class[n])) ** 2) for n in range(ways)]
        elif name == "plain":
            row = [-math.sqrt(sum((q - mean_of(of_class[n])) ** 2)) for n in range(ways)]
        elif name == "cosine":
            row = [10 * cos(q, mean_of(of_class[n])) for n in range(ways)]
        elif name in ("matching", "full context"):
            weights = [math.exp(10 * cos(q, s)) for s in support]
            row = [
                math.log(
                    sum(w for w, y in zip(weights, support_y, strict=True) if y == n) / sum(weights)
                )
                for n in range(ways)
            ]
        else:
            row = [learner.g(torch.cat([sum(of_class[n]), q])[None])[0, 0] for n in range(ways)]
        answer.append([float(value) for value in row])
    return torch.tensor(answer, dtype=torch.float64)


def lstm_by_hand(weights, x, h, c):
    """One step of an LSTM, gate by gate (Hochreiter and Schmidhuber 1997, in PyTorch's order)."""
    w_x, w_h, b_x, b_h = weights
    take, keep, new, show = (w_x @ x + b_x + w_h @ h + b_h).chunk(4)
    c = keep.sigmoid() * c + take.sigmoid() * new.tanh()
    return show.sigmoid() * c.tanh(), c


def context_by_hand(context, support, query):
    """Appendix A of Vinyals et al. 2016: g from both directions; f reads what it looks at, h_k from
    r_{k-1}, so it looks as often as it steps."""
    zero = torch.zeros(D, dtype=torch.float64)
    g = list(support)
    for end, order in (("", range(len(g))), ("_reverse", reversed(range(len(g))))):
        weights = [
            getattr(context.both_ways, f"{kind}_l0{end}")
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ]
        h, c = zero, zero
        for i in order:
            h, c = lstm_by_hand(weights, support[i], h, c)
            g[i] = g[i] + h
    weights, f = (
        [
            getattr(context.reader, kind)
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ],
        [],
    )
    for q in query:
        h, c = q, zero
        for _ in range(context.steps):
            looks_at = torch.tensor([math.exp(h @ row) for row in g])
            r = sum(weight / looks_at.sum() * row for weight, row in zip(looks_at, g, strict=True))
            h, c = lstm_by_hand(weights, torch.cat([q, r]), h, c)
            h = h + q
        f.append(h)
    return g, f


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_f_looks_at_the_support_set_as_often_as_it_steps(steps):
    """With another support example every look counts, the only look of one step too."""
    context = FullContext(D, steps, seed=0).double()
    looks = []
    softmax = torch.Tensor.softmax
    try:
        torch.Tensor.softmax = lambda *given: looks.append(given) or softmax(*given)
        support = torch.randn(1, 3, D, dtype=torch.float64)
        f = context(support, torch.ones(1, 1, D, dtype=torch.float64))[1]
    finally:
        torch.Tensor.softmax = softmax
    assert len(looks) == steps
    other = context(support + 1, torch.ones(1, 1, D, dtype=torch.float64))[1]
    assert (f - other).abs().max() > 1e-3


@each
@pytest.mark.parametrize("shots", [1, 3])
def test_the_logits_are_those_of_a_formula_written_out_with_loops(name, shots):
    learner, tasks = made(name), episode(shots=shots)
    with torch.no_grad():
        logits = learner(tasks)
        for got, (support_x, support_y, query_x, _) in zip(logits, tasks, strict=True):
            wanted = by_hand(
                name, learner, learner.encoder(support_x), support_y, learner.encoder(query_x)
            )
            torch.testing.assert_close(
                got,
                wanted,
                rtol=1e-6 if name == "full context" else 1e-9,
                atol=1e-6 if name == "full context" else 1e-9,
            )


@each
def test_renaming_the_classes_renames_the_logits_and_nothing_else(name):
    learner, tasks, new = made(name), episode(), torch.tensor([2, 0, 1])
    renamed = learner(
        Episode(tasks.support_x, new[tasks.support_y], tasks.query_x, new[tasks.query_y])
    )
    torch.testing.assert_close(renamed[..., new], learner(tasks), rtol=1e-9, atol=1e-9)


@each
def test_the_order_of_the_support_set_matters_with_full_context_only(name):
    learner, tasks, order = made(name), episode(), torch.tensor([3, 1, 5, 0, 2, 4])
    shuffled = learner(
        Episode(tasks.support_x[:, order], tasks.support_y[:, order], tasks.query_x, tasks.query_y)
    )
    difference = (shuffled - learner(tasks)).abs().max()
    assert difference > 1e-3 if name == "full context" else difference < 1e-9


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
    learner, tasks = made(name), episode(ways=4, queries=2)
    right = []
    for new in itertools.permutations(range(4)):
        answer = learner(
            Episode(
                tasks.support_x, torch.tensor(new)[tasks.support_y], tasks.query_x, tasks.query_y
            )
        ).argmax(-1)
        right.append((answer == tasks.query_y).double().mean())
    assert torch.stack(right).mean().item() == pytest.approx(1 / 4, abs=1e-12)


@each
def test_the_gradient_reaches_every_parameter_and_is_that_of_finite_differences(name):
    learner, tasks = made(name), episode()
    learner.outer_loss(tasks).backward()
    generator = torch.Generator().manual_seed(1)
    for key, parameter in learner.named_parameters():
        assert parameter.grad is not None and (
            parameter.grad.abs().max() > 0 or key == "encoder.3.bias"
        ), key  # differences ignore a shift
        direction = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        sides = []
        for size in (1e-6, -1e-6):
            with torch.no_grad():
                parameter += size * direction
                sides.append(learner.outer_loss(tasks).item())
                parameter -= size * direction
        slope = (sides[0] - sides[1]) / 2e-6
        assert slope == pytest.approx(
            (parameter.grad * direction).sum().item(), rel=1e-4, abs=1e-7
        ), key


@each
def test_a_class_without_a_support_example_is_refused(name):
    x, query = torch.randn(3, 4, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    with pytest.raises(ValueError, match="class 1 has no support example"):
        made(name).predict(x, torch.tensor([0, 2, 2]), query)


@each
@pytest.mark.parametrize("device", DEVICES)
def test_it_is_the_same_on_every_device_and_in_both_precisions(name, device):
    learner, tasks = made(name), episode()
    wanted = learner(tasks)
    there = learner.to(device)(tasks.map(lambda t: t.to(device)))
    assert there.device.type == device and there.dtype == torch.float64
    torch.testing.assert_close(there.cpu(), wanted, rtol=1e-7, atol=1e-9)
    single = learner.float()(
        tasks.map(lambda t: t.to(device).float() if t.is_floating_point() else t.to(device))
    )
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.cpu().double(), wanted, rtol=1e-3, atol=1e-4)


@each
def test_a_short_training_lowers_the_loss_and_settings_make_a_key(name):
    family = Strokes(ways=3)
    learner = {
        "squared": lambda: Prototypical(conv4(8, seed=0)),
        "plain": lambda: Prototypical(conv4(8, seed=0), "plain"),
        "cosine": lambda: Prototypical(conv4(8, seed=0), "cosine"),
        "matching": lambda: Matching(conv4(8, seed=0)),
        "full context": lambda: Matching(conv4(8, seed=0), full_context=True, features=8, seed=0),
        "relation": lambda: Relation(conv4(8, seed=0), features=8, seed=0),
    }[name]()
    plan = Plan(outer_steps=40, tasks=3, shots=1, queries=3, beta=5e-3)
    key = run_settings(learner, family, plan)
    assert {"learner", "network", "start", "ways"} <= key.keys()
    losses = meta_train(learner, family, plan, progress=False).losses
    assert sum(losses[-10:]) < 0.95 * sum(losses[:10])
    score = evaluate(learner, family.sample(50, shots=1, queries=2, generator=family.generator(1)))
    assert score.mean - score.half_width > 1 / 3 == score.chance


def test_every_setting_is_in_the_key():
    keys = [MAKE[name]().settings() for name in MAKE] + [
        Prototypical(encoder(), "cosine", scale=3).settings(), Matching(encoder(),
        scale=1).settings(),
        Matching(encoder(), full_context=True, features=D, steps=5, seed=1).settings(),
        Relation(encoder(), features=D, hidden=8, seed=1).settings()]  # fmt: skip
    assert len({str(key) for key in keys}) == len(keys)


# --- what the papers say --------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_at_one_shot_matching_and_prototypes_with_the_same_distance_coincide(scale):
    """Snell et al. 2017, section 2.6: with one example a class, the prototype is the example."""
    tasks = episode(shots=1, ways=4)
    matching, prototypical = (
        Matching(encoder(), scale=scale).double().eval(),
        Prototypical(encoder(), "cosine", scale).double().eval(),
    )
    torch.testing.assert_close(
        matching(tasks), prototypical(tasks).log_softmax(-1), rtol=1e-9, atol=1e-9
    )
    several = episode(shots=5, ways=4)
    assert (matching(several).softmax(-1) - prototypical(several).softmax(-1)).abs().max() > 1e-3


def test_squared_and_plain_distance_give_the_same_answers_with_other_confidences():
    tasks, squared, plain = episode(tasks=20), made("squared"), made("plain")
    assert squared(tasks).argmax(-1).equal(plain(tasks).argmax(-1))
    assert (squared(tasks).softmax(-1) - plain(tasks).softmax(-1)).abs().max() > 0.05


def test_prototypes_are_a_linear_classifier():
    """Snell et al. 2017, equation 8: w_n = 2 c_n, b_n = -||c_n||^2, up to a term that all classes
    share."""
    tasks, learner = episode(), made("squared")
    support, query = learner.embed(tasks)
    c = prototypes(support, tasks.support_y)
    linear = query @ (2 * c).mT - c.square().sum(-1)[:, None]
    torch.testing.assert_close(
        learner(tasks).log_softmax(-1), linear.log_softmax(-1), rtol=1e-9, atol=1e-9
    )


def test_attention_is_spread_over_the_support_set_and_its_votes_are_the_answer():
    for name in ("matching", "full context"):
        tasks, learner = episode(), made(name)
        attention = learner.attention(*learner.embed(tasks))
        assert attention.shape == (3, 12, 6) and attention.min() > 0
        torch.testing.assert_close(attention.sum(-1), torch.ones(3, 12, dtype=torch.float64))
        torch.testing.assert_close(
            learner(tasks).exp(), attention @ one_hot(tasks.support_y).double()
        )


def test_no_attention_at_all_on_a_class_is_no_infinite_loss():
    learner = Matching(nn.Identity(), scale=1e4)
    x = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], requires_grad=True)
    logits = learner.predict(x, torch.tensor([0, 1]), x.detach()[:1])
    F.cross_entropy(logits, torch.tensor([1])).backward()
    assert torch.isfinite(logits).all() and torch.isfinite(x.grad).all()


@pytest.mark.parametrize("distance", ["squared", "plain", "cosine"])
def test_a_query_on_its_prototype_has_a_finite_slope(distance):
    learner, x = Prototypical(nn.Identity(), distance), torch.eye(2, requires_grad=True)
    F.cross_entropy(learner.predict(x, torch.tensor([0, 1]), x), torch.tensor([0, 1])).backward()
    assert torch.isfinite(x.grad).all()


def test_prototypes_are_class_means_whatever_the_number_of_shots():
    support, y = torch.tensor([[[1.0], [3.0], [10.0]]]), torch.tensor([[0, 0, 1]])
    assert prototypes(support, y).tolist() == [[[2.0], [10.0]]]


def test_the_outer_loss_of_relation_is_the_squared_error_of_its_scores():
    learner, tasks = made("relation"), episode()
    scores, total = learner(tasks).sigmoid(), 0.0
    for row, y in zip(scores.flatten(0, 1), tasks.query_y.flatten(), strict=True):
        total += sum((r - (n == y).double()) ** 2 for n, r in enumerate(row))
    torch.testing.assert_close(
        learner.outer_loss(tasks), total / scores.numel(), rtol=1e-9, atol=1e-12
    )


def test_full_context_leaves_the_global_seed_alone_and_is_repeatable():
    torch.manual_seed(3)
    first = torch.rand(1)
    torch.manual_seed(3)
    one, other = FullContext(D, seed=0), FullContext(D, seed=0)
    assert torch.rand(1).equal(first)
    assert all(a.equal(b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("make, says", [
    (lambda: Prototypical(encoder(), "euclid"), "distance='euclid': choose from"),
    (lambda: Prototypical(encoder(), "cosine", scale=0), "scale=0"),
    (lambda: Matching(encoder(), scale=math.nan), "scale=nan"),
    (lambda: Matching(encoder(), full_context=True, features=D, steps=0), "steps=0"),
    (lambda: Relation(encoder(), hidden=0), "hidden=0"),
    (lambda: Prototypical("conv4"), "give a network"),
    (lambda: Matching(encoder(), full_context=True, features=9).double()(episode()),
    "set features=6"),
    (lambda: Relation(encoder(), features=9).double()(episode()), "set features=6"),
])  # fmt: skip
def test_wrong_settings_are_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()


# --- the base -------------------------------------------------------------------------------------


def test_support_and_query_are_embedded_by_the_same_network():
    learner, tasks = made("squared"), episode()
    support, query = learner.embed(tasks)
    assert support.shape == (3, 6, D) and query.shape == (3, 12, D)
    torch.testing.assert_close(support[1], learner.encoder(tasks.support_x[1]))
    torch.testing.assert_close(query[2], learner.encoder(tasks.query_x[2]))
    flattened = MetricLearner(nn.Unflatten(1, (2, 2))).embed(tasks)[0]
    assert flattened.equal(tasks.support_x)  # feature maps become vectors


def test_batch_norm_sees_the_whole_episode_in_training_and_running_averages_in_eval_mode():
    learner, tasks = made("squared").train(), episode()
    everything = torch.cat([tasks.support_x, tasks.query_x], dim=1).flatten(0, 1)
    inner = learner.encoder[0](everything)
    normalised = (inner - inner.mean(0)) / (inner.var(0, unbiased=False) + 1e-5).sqrt()
    support, _ = learner.embed(tasks)
    wanted = learner.encoder[3](normalised.tanh()).view(3, 18, D)[:, :6]
    torch.testing.assert_close(support, wanted)
    before = learner.encoder[1].running_mean.clone()
    evaluate(learner, tasks)
    assert learner.training and learner.encoder[1].running_mean.equal(before)


def test_one_hot():
    assert one_hot(torch.tensor([[1, 0, 1]])).tolist() == [[[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]]
    with pytest.raises(ValueError, match="in one of the tasks"):
        one_hot(torch.tensor([[0, 1, 2], [0, 0, 2]]))


def test_a_method_must_say_how_it_compares():
    with pytest.raises(NotImplementedError):
        MetricLearner(encoder().double())(episode())
