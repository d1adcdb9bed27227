"""Reptile, Meta-SGD with its kin, and implicit MAML: each against a closed form or finite
differences, in float64."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from toys import WAYS, episode, flat, smooth

from course_lib.episodes import Episode
from course_lib.families import Sinusoids
from course_lib.learners import IMAML, MAML, Joint, MetaSGD, Reptile
from course_lib.learners.imaml import conjugate_gradients
from course_lib.networks import BatchNorm, conv4
from course_lib.training.evaluation import evaluate, evaluate_each_step
from course_lib.training.outer_loop import Plan, meta_train
from course_lib.training.peak_memory import peak_memory


def gradient(learner, tasks):
    learner.zero_grad()
    learner.outer_loss(tasks).backward()
    return flat(p.grad for p in learner.parameters())


def line(seed=0, inputs=3):
    torch.manual_seed(seed)
    return nn.Linear(inputs, 1).double()


def lines(tasks=4, shots=6, queries=5, inputs=3, seed=3) -> Episode:
    dice = torch.Generator().manual_seed(seed)
    x = torch.randn(tasks, shots + queries, inputs, generator=dice, dtype=torch.float64)
    w = torch.randn(tasks, inputs, 1, generator=dice, dtype=torch.float64)
    y = x @ w + 0.1 * torch.randn(tasks, shots + queries, 1, generator=dice, dtype=torch.float64)
    return Episode(x[:, :shots], y[:, :shots], x[:, shots:], y[:, shots:])


# --- Reptile --------------------------------------------------------------------------------------


def test_with_one_step_reptile_is_joint_training_times_alpha():
    tasks = episode()
    one = gradient(Reptile(smooth(), alpha=0.1, steps=1), tasks)
    joint = gradient(Joint(smooth()), tasks)
    torch.testing.assert_close(one, 0.1 * joint, rtol=1e-10, atol=1e-12)


def test_reptile_moves_toward_the_mean_of_the_ends():
    tasks, learner = episode(), Reptile(smooth(), alpha=0.05, steps=4, batch=3)
    x = torch.cat([tasks.support_x, tasks.query_x], 1)
    y = torch.cat([tasks.support_y, tasks.query_y], 1)
    ends = []
    for i in range(len(x)):
        network = smooth()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
        for step in range(4):
            items = [(3 * step + j) % 9 for j in range(3)]
            optimizer.zero_grad()
            F.mse_loss(network(x[i, items]), y[i, items]).backward()
            optimizer.step()
        ends.append(flat(network.parameters()))
    theta = flat(smooth().parameters())
    torch.testing.assert_close(gradient(learner, tasks), theta - torch.stack(ends).mean(0))
    half = (theta - torch.stack(ends).mean(0)).square().sum() / 2
    torch.testing.assert_close(learner.outer_loss(tasks).detach(), half)


def test_from_the_second_step_on_reptile_holds_the_product_of_hessian_and_gradient():
    """Nichol et al., equation 21 for k = 2: theta - phi = alpha (g1 + g2) - alpha^2 H2 g1."""
    tasks, alpha = lines(tasks=1, shots=4, queries=4), 0.05
    x = torch.cat([tasks.support_x, tasks.query_x], 1)[0]
    y = torch.cat([tasks.support_y, tasks.query_y], 1)[0]
    network = line()
    w = flat(network.parameters())
    ones = torch.ones(4, 1, dtype=torch.float64)
    A = [torch.cat([part, ones], 1) for part in (x[:4], x[4:])]
    H = [2 * a.mT @ a / 4 for a in A]
    g = [2 * a.mT @ (a @ w[:, None] - part) / 4 for a, part in zip(A, (y[:4], y[4:]), strict=True)]
    wanted = alpha * (g[0] + g[1]) - alpha**2 * H[1] @ g[0]
    got = gradient(Reptile(network, alpha=alpha, steps=2, batch=4), tasks)
    torch.testing.assert_close(got, wanted.flatten())


def test_reptile_learns_a_start_and_needs_more_than_one_step():
    family, errors = Sinusoids(), {}
    tasks = family.sample(200, shots=10, queries=50, generator=family.generator(9))
    for steps in (1, 8):
        learner = Reptile(smooth().float(), alpha=0.03, steps=steps, batch=10)
        plan = Plan(outer_steps=500, tasks=10, shots=10, queries=10, beta=3e-3, seed=1)
        meta_train(learner, family, plan, progress=False)
        errors[steps] = evaluate(MAML(learner.network, alpha=0.03, steps=8, way="vmap"), tasks)
    assert errors[8].mean < errors[1].mean


@pytest.mark.parametrize(
    "steps, batch, says",
    [(2, 0, "batch=0"), (-1, None, "steps=-1"), (0, None, "Reptile learns")],
)
def test_reptile_refuses(steps, batch, says):
    with pytest.raises(ValueError, match=says):
        Reptile(smooth(), steps=steps, batch=batch)


# --- Meta-SGD and other learned rates -------------------------------------------------------------

RATES = [(kind, per_step) for kind in ("element", "layer", "one") for per_step in (False, True)]


def meta_sgd(kind="element", per_step=False, way="vmap", **settings):
    learner = MetaSGD(smooth(), alpha=0.05, steps=3, rates=kind, per_step=per_step, way=way,
                      **settings)  # fmt: skip
    dice = torch.Generator().manual_seed(5)
    with torch.no_grad():  # rates that differ, some of them negative
        for p in learner.learned_rates:
            p += 0.05 * torch.randn(p.shape, generator=dice, dtype=p.dtype)
    return learner


@pytest.mark.parametrize("kind, per_step", RATES)
@pytest.mark.parametrize("first_order", [False, True])
def test_start_and_rates_get_the_same_gradients_in_all_ways(kind, per_step, first_order):
    setting = (kind, per_step)
    found = [gradient(meta_sgd(*setting, w, first_order=first_order), episode()) for w in WAYS]
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind, per_step", RATES)
def test_the_gradient_of_the_rates_equals_finite_differences(kind, per_step):
    learner, tasks = meta_sgd(kind, per_step), episode()
    found = gradient(learner, tasks)[-sum(p.numel() for p in learner.learned_rates) :]
    wanted = []
    with torch.no_grad():
        for p in learner.learned_rates:
            for entry in p.view(-1).split(1):
                ends = []
                for side in (1e-5, -1e-5):
                    entry += side
                    ends.append(learner.outer_loss(tasks).item())
                    entry -= side
                wanted.append((ends[0] - ends[1]) / 2e-5)
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=found.dtype), rtol=1e-5, atol=1e-8)


def test_equal_rates_are_maml():
    tasks, plain = episode(), MAML(smooth(), alpha=0.05, steps=3, way="vmap")
    learner = MetaSGD(smooth(), alpha=0.05, steps=3, way="vmap")
    torch.testing.assert_close(learner(tasks), plain(tasks))
    wanted = gradient(plain, tasks)
    torch.testing.assert_close(gradient(learner, tasks)[: len(wanted)], wanted)


def test_one_step_is_the_formula_of_the_paper():
    """y = w x, w = .5, x = y = 1: phi = w - a g, and d loss / d a = -2 (phi - 1) g."""
    network = nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(network.weight, 0.5)
    one = torch.ones(1, 1, 1, dtype=torch.float64)
    learner = MetaSGD(network, alpha=0.1)
    got = gradient(learner, Episode(one, one, one, one))
    torch.testing.assert_close(got, torch.tensor([-0.64, -0.8], dtype=torch.float64))


def test_rates_are_trained_saved_and_go_on_after_the_steps_of_training(tmp_path):
    family = Sinusoids()
    plan = Plan(outer_steps=30, tasks=4, shots=5, queries=5, beta=0.01, seed=0)
    learner = MetaSGD(smooth().float(), alpha=0.01, steps=2, per_step=True, way="vmap")
    meta_train(learner, family, plan, progress=False, checkpoint=tmp_path / "run", save_every=10)
    assert all((p != 0.01).any() for p in learner.learned_rates)
    again = MetaSGD(smooth().float(), alpha=0.01, steps=2, per_step=True, way="vmap")
    run = meta_train(again, family, plan, progress=False, checkpoint=tmp_path / "run")
    assert run.resumed_at == 30
    torch.testing.assert_close(flat(again.parameters()), flat(learner.parameters()))
    tasks = family.sample(5, shots=5, queries=5, generator=family.generator(1))
    assert len(evaluate_each_step(learner, tasks, steps=6)) == 7  # more steps than it has rates for
    assert learner.sizes()["0.weight"].shape == (2, 4, 1)


@pytest.mark.parametrize(
    "settings, says",
    [
        ({"rates": "some"}, "rates='some': choose one of element, layer, one"),
        ({"way": "mixed"}, "way='mixed' knows one rate for all: for MetaSGD choose one of higher"),
        ({"way": "compiled"}, "way='compiled' knows one rate for all"),
        ({"override": {"lr": [0.1]}}, "leave inner_optimizer and override out"),
        ({"alpha": -1.0}, "alpha=-1.0"),
    ],
)
def test_meta_sgd_refuses(settings, says):
    with pytest.raises(ValueError, match=says):
        MetaSGD(smooth(), **settings)


def test_parameters_frozen_later_are_noticed():
    learner = MetaSGD(smooth(), way="vmap")
    learner.network[0].weight.requires_grad_(False)
    with pytest.raises(ValueError, match="other parameters are frozen than when MetaSGD was built"):
        learner(episode())


def test_on_pictures_with_batch_norm_and_the_fast_way():
    network = conv4(4, outputs=3, norm=lambda n: BatchNorm(n, "support"), seed=0)
    dice = torch.Generator().manual_seed(0)
    x, y = torch.rand(2, 6, 1, 28, 28, generator=dice), torch.arange(6).remainder(3).expand(2, 6)
    tasks = Episode(x[:, :3], y[:, :3], x[:, 3:], y[:, 3:])
    for kind in (MetaSGD, IMAML, Reptile):
        learner = kind(network, F.cross_entropy, alpha=0.1, steps=2, way="fast")
        assert gradient(learner, tasks).isfinite().all()
        together = learner.eval()(tasks)
        alone = torch.cat([learner.predict(*task[:2], q[None]) for task in tasks[:1]
                           for q in task[2]])  # fmt: skip
        torch.testing.assert_close(alone, together[0].detach(), rtol=1e-3, atol=1e-4)


# --- implicit MAML --------------------------------------------------------------------------------


def implicit_in_closed_form(network, tasks, strength):
    """The gradient for linear regression: phi solves (H + strength) phi = b + strength theta."""
    w = flat(network.parameters())
    found = []
    for support_x, support_y, query_x, query_y in tasks:
        A, Q = (torch.cat([x, torch.ones_like(x[:, :1])], 1) for x in (support_x, query_x))
        H, b = 2 * A.mT @ A / len(A), (2 * A.mT @ support_y / len(A)).flatten()
        eye = torch.eye(len(w), dtype=w.dtype)
        phi = torch.linalg.solve(H + strength * eye, b + strength * w)
        g = (2 * Q.mT @ (Q @ phi[:, None] - query_y) / len(Q)).flatten()
        found.append(torch.linalg.solve(eye + H / strength, g))
    return torch.stack(found).mean(0)


@pytest.mark.parametrize("strength", [0.5, 2.0])
def test_at_convergence_it_is_the_implicit_gradient(strength):
    tasks, network = lines(), line()
    learner = IMAML(network, alpha=0.05, steps=2000, strength=strength, solver_steps=8)
    wanted = implicit_in_closed_form(network, tasks, strength)
    torch.testing.assert_close(gradient(learner, tasks), wanted, rtol=1e-7, atol=1e-9)


def test_more_inner_steps_and_more_solver_steps_come_nearer():
    tasks, network = lines(), line()
    wanted = implicit_in_closed_form(network, tasks, 1.0)

    def off(steps, solver_steps):
        learner = IMAML(network, alpha=0.05, steps=steps, strength=1.0, solver_steps=solver_steps)
        return (gradient(learner, tasks) - wanted).norm().item()

    by_steps = [off(steps, 8) for steps in (2, 8, 32, 128)]
    by_solver = [off(500, solver) for solver in (1, 2, 3, 4)]
    assert by_steps == sorted(by_steps, reverse=True) and by_steps[-1] < 1e-2 * by_steps[0]
    assert by_solver == sorted(by_solver, reverse=True) and by_solver[-1] < 1e-6 * by_solver[0]


def test_on_a_network_it_equals_the_inverse_written_out():
    tasks, strength = episode(tasks=2), 3.0
    learner = IMAML(smooth(), alpha=0.05, steps=3000, strength=strength, solver_steps=60)
    phi = learner.path(tasks, 3000)[-1]
    names, found = list(phi), []
    network = smooth()
    for i, (support_x, support_y, query_x, query_y) in enumerate(tasks):
        here = flat(phi[n][i] for n in names)

        def loss(vector, x, y):
            parts = vector.split([phi[n][0].numel() for n in names])
            shaped = {n: v.view_as(phi[n][0]) for n, v in zip(names, parts, strict=True)}
            return F.mse_loss(torch.func.functional_call(network, shaped, (x,)), y)

        H = torch.func.hessian(loss)(here, support_x, support_y)
        g = torch.func.grad(loss)(here, query_x, query_y)
        eye = torch.eye(len(here), dtype=here.dtype)
        found.append(torch.linalg.solve(eye + H / strength, g))
    wanted = torch.stack(found).mean(0)
    torch.testing.assert_close(gradient(learner, tasks), wanted, rtol=1e-5, atol=1e-8)


def test_conjugate_gradients_solve_every_task_in_as_many_steps_as_there_are_unknowns():
    dice = torch.Generator().manual_seed(0)
    B = torch.randn(3, 5, 5, generator=dice, dtype=torch.float64)
    A = B.mT @ B + torch.eye(5, dtype=torch.float64)
    b = torch.randn(3, 5, generator=dice, dtype=torch.float64)
    (x,) = conjugate_gradients(lambda v: [(A @ v[0][..., None])[..., 0]], [b], 5)
    torch.testing.assert_close(x, torch.linalg.solve(A, b))


def test_conjugate_gradients_stop_where_the_ground_curves_downwards():
    A = torch.diag_embed(torch.tensor([[-1.0, -3.0], [1.0, -3.0], [2.0, 4.0]]).double())
    (x,) = conjugate_gradients(
        lambda v: [(A @ v[0][..., None])[..., 0]], [torch.ones(3, 2).double()], 20
    )
    assert x.isfinite().all()
    torch.testing.assert_close(x[0], torch.ones(2).double())  # nothing solved: first order
    torch.testing.assert_close(x[2], torch.tensor([0.5, 0.25]).double())


def test_the_memory_of_its_gradient_does_not_grow_with_the_steps():
    def kept(learner):
        seen = []
        hooks = torch.autograd.graph.saved_tensors_hooks(lambda t: seen.append(t.numel()) or t,
                                                         lambda t: t)  # fmt: skip
        with hooks:
            loss = learner.outer_loss(episode())
        del loss
        return sum(seen)

    # what one pass keeps at a time: the sum over the whole call, per step
    few, many = (kept(IMAML(smooth(), alpha=0.01, steps=k)) for k in (2, 32))
    one = kept(IMAML(smooth(), alpha=0.01, steps=1)) - kept(IMAML(smooth(), alpha=0.01, steps=0))
    assert many - few == 30 * one  # each step is let go before the next one begins


@pytest.mark.parametrize(
    "settings, says",
    [
        ({"strength": 0.0}, "strength=0.0: the leash needs a finite number above 0"),
        ({"strength": float("nan")}, "strength=nan"),
        ({"solver_steps": 0}, "solver_steps=0"),
        ({"adapt": "head"}, "IMAML adapts all layers"),
        ({"override": {"lr": [0.1]}}, "IMAML adapts by plain gradient steps"),
    ],
)
def test_imaml_refuses(settings, says):
    with pytest.raises(ValueError, match=says):
        IMAML(smooth(), **settings)


def test_without_gradients_it_scores_and_every_step_is_there():
    learner, tasks = IMAML(smooth(), alpha=0.05, steps=5), episode()
    with torch.no_grad():
        assert not learner.outer_loss(tasks).requires_grad
    steps = learner.after_each_step(tasks)
    torch.testing.assert_close(steps[-1], learner(tasks))
    torch.testing.assert_close(steps[0], torch.stack([learner.network(x) for x in tasks.query_x]))


def test_two_steps_of_reptile_hold_the_agreement_of_gradients_within_a_task():
    """Averaged over both orders of two batches, (theta - phi) / alpha = g1 + g2 - alpha / 2 times
    the slope of g1 . g2, up to alpha squared (Nichol et al., equations 25 to 27)."""
    tasks, network = episode(tasks=1, shots=4, queries=4), smooth()
    parts = slice(0, 4), slice(4, 8)
    weights = list(network.parameters())
    x = torch.cat([tasks.support_x, tasks.query_x], 1)
    y = torch.cat([tasks.support_y, tasks.query_y], 1)
    g = [
        torch.autograd.grad(F.mse_loss(network(x[0, i]), y[0, i]), weights, create_graph=True)
        for i in parts
    ]
    product = sum((a * b).sum() for a, b in zip(*g, strict=True))
    agreement = flat(torch.autograd.grad(product, weights))
    off = []
    for alpha in (1e-3, 1e-4):
        found = []
        for order in (parts, parts[::-1]):
            one, two = order
            task = Episode(x[:, one], y[:, one], x[:, two], y[:, two])
            learner = Reptile(network, alpha=alpha, steps=2, batch=4)
            found.append(gradient(learner, task) / alpha)
        third = (flat(g[0]) + flat(g[1]) - sum(found) / 2) / alpha
        off.append(((third - agreement / 2).norm() / third.norm()).item())
    assert off[1] < 1e-3 and 8 < off[0] / off[1] < 12


def test_implicit_maml_holds_no_more_after_many_steps_than_after_few():
    """In bytes of all tensors: the walk keeps its end only."""
    few, many = (
        peak_memory(lambda k=k: gradient(IMAML(smooth(), alpha=0.01, steps=k), episode(tasks=20)))
        for k in (4, 64)
    )
    assert many == few
