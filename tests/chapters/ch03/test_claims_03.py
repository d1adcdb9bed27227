"""What chapter 03 says about the outer loop, each sentence as a test."""

import statistics

import higher
import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call
from torch.nn.utils import parameters_to_vector

from course_lib.chapters import named_run
from course_lib.chapters.ch03.explorers import (
    AMPLITUDES,
    PHASES,
    errors_after,
    objective_map,
    slopes,
)
from course_lib.episodes import Episode
from course_lib.families import Sinusoids
from course_lib.learners import MAML, Joint, inner_loop
from course_lib.networks.small import SineModel, mlp
from course_lib.training.evaluation import evaluate_each_step, paired, test_episodes
from course_lib.training.outer_loop import Plan, meta_train

FAMILY = Sinusoids()
TASKS = test_episodes(FAMILY, 600, shots=5, queries=100, seed=21)


def best_start(k, alpha):
    levels = objective_map(k, alpha)
    row, column = divmod(levels.argmin().item(), len(PHASES))
    return AMPLITUDES[row], PHASES[column]


@pytest.fixture(scope="module")
def scores():
    return {
        name: evaluate_each_step(
            MAML(named_run(f"sinusoids_{name}_5shot").load().network, alpha=0.01, way="vmap"),
            TASKS,
            steps=10,
        )
        for name in ("maml", "joint")
    }


def test_at_k_1_the_best_start_is_worse_before_adaptation_and_better_after_one_step():
    without, with_one = best_start(0, 0.1), best_start(1, 0.1)
    before = [errors_after(*start, 0, 0.1).mean() for start in (without, with_one)]
    after = [errors_after(*start, 1, 0.1).mean() for start in (without, with_one)]
    assert before[1] > before[0] + 0.1 and after[1] < after[0] - 0.1


def test_the_best_start_moves_again_with_a_longer_and_later_look():
    assert abs(best_start(5, 0.2)[0] - best_start(1, 0.1)[0]) > 0.5


def test_d_phi_d_theta_is_the_identity_minus_alpha_times_the_hessian():
    torch.manual_seed(0)
    theta, target = torch.randn(3, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    loss = lambda t: ((t.sin() - target) ** 2).sum() + t.prod()  # noqa: E731
    inner_step = lambda t: t - 0.1 * torch.func.grad(loss)(t)  # noqa: E731
    jacobian = torch.func.jacrev(inner_step)(theta)
    torch.testing.assert_close(
        jacobian, torch.eye(3, dtype=torch.float64) - 0.1 * torch.func.hessian(loss)(theta)
    )


def test_where_the_curvature_is_the_same_for_every_task_maml_and_joint_training_find_the_same_start():  # noqa: E501
    for alpha in (0.1, 0.4):
        theta = torch.tensor(0.5, dtype=torch.float64)
        for _ in range(2000):
            slope = sum(2 * 0.5 * (1 - 2 * alpha * 0.5) ** 2 * (theta - A) for A in (1.0, 5.0)) / 2
            theta = theta - 0.2 * slope
        assert abs(theta - 3) < 1e-6


def test_maml_starts_the_two_knob_wave_at_a_larger_amplitude_than_joint_training():
    plan, found = Plan(outer_steps=600, shots=5, queries=10, beta=0.02), {}
    for learner in (
        Joint(SineModel(0.5, 0.5), alpha=0.1, way="vmap"),
        MAML(SineModel(0.5, 0.5), alpha=0.1, way="vmap"),
    ):
        meta_train(learner, FAMILY, plan, progress=False)
        found[type(learner)] = (
            learner.network.amplitude.item(),
            evaluate_each_step(learner, TASKS, steps=1),
        )
    (joint_A, joint), (maml_A, maml) = found[Joint], found[MAML]
    assert maml_A > joint_A + 0.5
    assert paired(maml[0], joint[0]).mean > paired(maml[0], joint[0]).half_width
    assert paired(joint[1], maml[1]).mean > paired(joint[1], maml[1]).half_width


def test_the_slope_for_the_phase_is_proportional_to_the_amplitude():
    x, error = torch.linspace(-4, 4, 7), torch.linspace(-1, 2, 7)
    slopes_of = []
    for A in (1.0, 2.0, 4.0):
        wave = SineModel(A, 0.4)
        target = (wave(x) - error).detach()  # the same error at every point, whatever the amplitude
        slopes_of.append(torch.autograd.grad(F.mse_loss(wave(x), target), wave.phase)[0].item())
    assert slopes_of[1] == pytest.approx(2 * slopes_of[0], rel=1e-4) and slopes_of[
        2
    ] == pytest.approx(4 * slopes_of[0], rel=1e-4)


def test_with_the_default_of_higher_not_one_gradient_reaches_the_network():
    network = mlp(seed=0)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    with higher.innerloop_ctx(network, optimizer) as (fnet, inner):
        inner.step(fnet(torch.ones(5, 1)).square().mean())
        fnet(torch.ones(5, 1)).square().mean().backward()
    assert all(p.grad is None for p in network.parameters())


def test_detaching_phi_leaves_theta_without_a_gradient_and_detaching_the_gradient_does_not():
    for cut, stands_still in (
        ("phi from theta (detached)", True),
        ("the gradient (first order)", False),
    ):
        assert (slopes(cut, theta=2.5, alpha=0.1, k=2)["given"] == 0) is stands_still


def test_with_nothing_cut_the_slope_of_the_graph_is_the_true_one():
    for theta in (-2.0, 0.3, 2.5, 4.0):
        for k in (1, 3, 5):
            found = slopes("nothing (MAML)", theta=theta, alpha=0.1, k=k)
            assert found["given"] == pytest.approx(found["true"], rel=1e-3, abs=1e-3)


def test_before_adaptation_the_two_starts_cannot_be_told_apart(scores):
    difference = paired(scores["joint"][0], scores["maml"][0])
    assert abs(difference.mean) < 0.02


def test_one_step_divides_the_error_of_maml_by_about_five(scores):
    assert 4.5 < scores["maml"][0].mean / scores["maml"][1].mean < 6


def test_after_one_step_the_start_of_maml_is_about_four_times_better(scores):
    assert 3.7 < scores["joint"][1].mean / scores["maml"][1].mean < 5.2


def test_our_maml_reaches_the_published_figures(scores):
    for k, published in ((1, 0.67), (5, 0.38), (10, 0.35)):
        assert scores["maml"][k].mean - scores["maml"][k].half_width < published


def test_at_three_times_alpha_the_error_grows_without_bound_on_a_good_part_of_the_tasks():
    maml = MAML(named_run("sinusoids_maml_5shot").load().network, alpha=0.03, way="vmap")
    errors = evaluate_each_step(maml, TASKS, steps=10)[10].per_episode
    exploded = ~(errors < 100)
    assert 0.2 < exploded.float().mean() < 0.5
    assert errors[~exploded].median() < 3


def largest_curvature(network, phi, x, y):
    parameters = list(phi.values())
    loss = F.mse_loss(functional_call(network, phi, (x,)), y)
    gradient = parameters_to_vector(torch.autograd.grad(loss, parameters, create_graph=True))
    v = torch.ones_like(gradient)
    for _ in range(30):
        v = v / v.norm()
        Hv = parameters_to_vector(torch.autograd.grad(gradient @ v, parameters, retain_graph=True))
        h, v = (v @ Hv).item(), Hv
    return h


def test_the_start_of_maml_is_about_five_times_as_curved_as_the_joint_start_and_flatter_after_a_step():  # noqa: E501
    some = test_episodes(FAMILY, 60, shots=5, queries=1, seed=9)
    curvatures = {("joint", 0): [], ("maml", 0): [], ("maml", 1): []}
    for (name, k), found in curvatures.items():
        network = named_run(f"sinusoids_{name}_5shot").load().network
        for x, y, _, _ in some:
            phi = inner_loop.written_out(
                network, F.mse_loss, x, y, alpha=0.01, steps=k, first_order=True
            )[k]
            found.append(
                largest_curvature(
                    network, {n: p.detach().requires_grad_() for n, p in phi.items()}, x, y
                )
            )
    h = {key: statistics.median(found) for key, found in curvatures.items()}
    assert 4 < h["maml", 0] / h["joint", 0] < 7
    assert 2 / h["maml", 0] < 0.01 < 2 / h["maml", 1] < 0.03


@pytest.mark.slow
def test_judged_on_the_support_set_the_result_is_worse_than_judged_on_the_query_set():
    class JudgedOnSupport(MAML):
        def outer_loss(self, e):
            return super().outer_loss(Episode(e.support_x, e.support_y, e.support_x, e.support_y))

    plan, after = Plan(outer_steps=4000, shots=5, queries=5), {}
    for kind in (JudgedOnSupport, MAML):
        learner = kind(mlp(seed=0), alpha=0.01, way="vmap")
        meta_train(learner, FAMILY, plan, progress=False)
        after[kind] = evaluate_each_step(learner, TASKS, steps=1)[1]
    difference = paired(after[JudgedOnSupport], after[MAML])
    assert difference.mean > difference.half_width
