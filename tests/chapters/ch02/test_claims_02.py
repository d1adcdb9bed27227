"""What chapter 02 says about gradient descent on one task, each sentence as a test."""

import math

import pytest
import torch
import torch.nn.functional as F

from course_lib.chapters import named_run
from course_lib.chapters.ch02.explorers import one_task, walk_on_map
from course_lib.families import Sinusoids
from course_lib.families.sinusoids import sine
from course_lib.learners import MAML, inner_loop
from course_lib.networks.small import SineModel, mlp
from course_lib.training.evaluation import evaluate, evaluate_each_step, test_episodes


def end_of_walk(phase, amplitude, alpha=0.1, steps=200):
    return walk_on_map(((phase, amplitude),), steps, alpha, 5)["stations"][-1]


def test_from_most_places_the_dot_walks_downhill_to_the_star():
    starts = [
        (p, a)
        for p in torch.linspace(-0.5, 3.5, 6).tolist()
        for a in torch.linspace(0.5, 5, 5).tolist()
    ]
    arrived = [math.dist(end_of_walk(*start), (1, 3)) < 0.05 for start in starts]
    assert sum(arrived) > 0.6 * len(arrived)


def test_from_the_right_part_of_the_map_it_walks_to_the_hollow_star_instead():
    for phase in (3.6, 4.0, 4.6):
        assert math.dist(end_of_walk(phase, 1.0), (1 + math.pi, -3)) < 0.05


def test_the_hollow_star_is_the_same_wave_written_upside_down():
    x = torch.linspace(-5, 5, 50)
    torch.testing.assert_close(sine(x, 3.0, 1.0), sine(x, -3.0, 1 + math.pi), atol=1e-5, rtol=0)


def test_a_step_multiplies_the_distance_to_the_bottom_by_one_minus_alpha_h():
    for h in (0.5, 3.0, 8.0):
        for alpha in (0.05, 0.2, 0.4):
            theta = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
            (gradient,) = torch.autograd.grad(0.5 * h * theta**2, theta)
            assert math.isclose(
                (theta - alpha * gradient).item(), (1 - alpha * h) * 2.0, abs_tol=1e-12
            )


def test_a_step_longer_than_2_over_the_largest_curvature_moves_away_from_the_bottom():
    support_x, support_y, _, _ = one_task(5)
    bottom = torch.tensor([3.0, 1.0], dtype=torch.float64)
    loss = lambda t: (
        (t[0] * torch.sin(support_x.double() - t[1]) - support_y.double()).square().mean()
    )  # noqa: E731
    longest = 2 / torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, bottom)).max()
    distance = {}
    for factor in (0.9, 1.1):
        point = bottom + 1e-4
        for _ in range(40):
            point = point - factor * longest * torch.autograd.functional.jacobian(loss, point)
        distance[factor] = torch.dist(point, bottom).item()
    assert distance[0.9] < 1e-4 < 1e-3 < distance[1.1]


def test_at_alpha_one_over_h_one_step_lands_on_the_bottom():
    bowl, theta = (lambda t: 0.5 * 7.0 * (t - 3.0) ** 2), torch.tensor(2.0, dtype=torch.float64)
    phi = theta - (1 / 7.0) * torch.func.grad(bowl)(theta)
    assert abs(phi - 3.0) < 1e-12


def test_at_alpha_one_half_the_loss_jumps_about_and_never_settles():
    losses = walk_on_map(((2.2, 1.0),), 200, 0.5, 5)["losses"]
    late = losses[100:]
    assert max(late) > losses[0] and min(late) < losses[0] and max(late) < 100


def test_at_amplitude_zero_the_gradient_for_the_phase_is_zero():
    support_x, support_y, _, _ = one_task(5)
    for phase in (0.0, 1.0, 2.5):
        flat = SineModel(0.0, phase)
        _, gradient = torch.autograd.grad(
            F.mse_loss(flat(support_x), support_y), list(flat.parameters())
        )
        assert gradient.item() == 0.0


def test_given_two_hundred_steps_all_three_starts_arrive_and_given_five_only_the_first_is_close():
    starts = [(2.2, 1.0), (3.6, 1.5), (2.5, 0.0)]
    after_5 = [walk_on_map((start,), 5, 0.1, 5)["query"] for start in starts]
    after_200 = [walk_on_map((start,), 200, 0.1, 5)["query"] for start in starts]
    assert max(after_200) < 1e-3
    before = [walk_on_map((start,), 0, 0.1, 5)["query"] for start in starts]
    _, _, _, query_y = one_task(5)
    flat = query_y.square().mean().item()
    assert after_5[0] < 1.2
    # start 2 falls from far above a flat wave to just below it; start 3 is one, and hardly moves
    assert before[1] > 2 * flat and 0.85 * flat < after_5[1] < flat
    assert before[2] == pytest.approx(flat, rel=1e-4) and abs(after_5[2] - flat) < 0.05 * flat


def test_with_five_points_more_steps_do_not_help_and_with_a_hundred_they_solve_the_task():
    family, after = Sinusoids(), {}
    for shots in (5, 100):
        tasks = test_episodes(family, 50, shots=shots, queries=100, seed=4)  # not the notebook's
        for steps in (10, 1000):
            learner = MAML(mlp(seed=0), alpha=0.01, steps=steps, way="vmap")
            after[shots, steps] = evaluate(learner, tasks)
    assert after[5, 1000].mean > after[5, 10].mean
    assert after[100, 1000].mean < 0.2 < 2 < after[100, 10].mean


def test_a_network_with_more_parameters_than_points_fits_the_support_set_and_over_fits_it():
    support_x, support_y, query_x, query_y = one_task(5)
    network = mlp(seed=0)
    phi = inner_loop.written_out(
        network, F.mse_loss, support_x, support_y, alpha=0.02, steps=1000, first_order=True
    )[-1]
    support = F.mse_loss(inner_loop.predict_with(network, phi, support_x), support_y)
    query = F.mse_loss(inner_loop.predict_with(network, phi, query_x), query_y)
    assert support < 0.1 and query > 1


def test_the_pretrained_start_begins_at_the_best_single_curve_and_ten_steps_take_its_error_down_by_a_third():  # noqa: E501
    family = Sinusoids()
    tasks = test_episodes(family, 2000, shots=5, queries=100, seed=11)
    steps = evaluate_each_step(
        MAML(named_run("sinusoids_joint_5shot").load().network, alpha=0.01, way="vmap"),
        tasks,
        steps=10,
    )
    best = (family.best_single_function(tasks.query_x) - tasks.query_y).square().mean().item()
    assert abs(steps[0].mean - best) < 0.05
    assert 0.6 < steps[10].mean / steps[0].mean < 0.75


def test_a_hundred_points_stop_the_over_fitting_and_ten_short_steps_are_still_too_few():
    family, after = Sinusoids(), {}
    for shots in (1, 100):
        tasks = test_episodes(family, 500, shots=shots, queries=100, seed=12)
        after[shots] = evaluate_each_step(
            MAML(mlp(seed=0), alpha=0.01, way="vmap"), tasks, steps=10
        )[10]
    assert after[100].mean + after[100].half_width < after[1].mean - after[1].half_width
    assert after[100].mean > 2.5
