"""What chapter 04 says about the price of the second derivative, each sentence as a test.

Operations and bytes are counted; seconds are printed in the notebook and asserted nowhere."""

import math
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, grad, hessian, jvp, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from course_lib.chapters import named_run
from course_lib.chapters.ch04 import calculator, study
from course_lib.chapters.ch04.exercises import diet, held, whole_graph
from course_lib.chapters.ch04.explorers import two_gradients
from course_lib.chapters.ch04.graphs import placed, reachable, unrolled
from course_lib.chapters.ch04.study import (
    LEARNERS,
    Pool,
    learner_for,
    operations,
    outer_gradient,
    problem,
)
from course_lib.families import Sinusoids
from course_lib.learners import MAML
from course_lib.networks.small import mlp
from course_lib.training.evaluation import evaluate_each_step, test_episodes
from course_lib.training.peak_memory import peak_memory

BEST_SINGLE, ZERO = 3.01, 4.25


def nodes(k, loose=(), cut_phi=None):
    theta = torch.tensor(2.5, requires_grad=True)
    loss = unrolled(theta, 0.1, k, loose, cut_phi)[2]
    return len(reachable(loss.grad_fn)), loss.item()


# --- the graph ------------------------------------------------------------------------------------


def test_each_further_step_adds_14_nodes_at_second_order_and_1_at_first():
    for few, many in pairwise(range(1, 6)):
        assert nodes(many)[0] - nodes(few)[0] == 14
        assert nodes(many, range(many))[0] - nodes(few, range(few))[0] == 1


@pytest.mark.parametrize("k", [1, 2, 5])
def test_the_picture_shows_what_autograd_really_visits_after_a_cut(k):
    for loose, cut_phi in (((), None), (tuple(range(k)), None), ((0,), None), ((k - 1,), None)):
        drawn = placed(k, loose, cut_phi)
        assert sum(drawn.alive) == nodes(k, loose, cut_phi)[0] and drawn.alive[0]
        assert len(drawn.places) == nodes(k)[0]
    cut = placed(k, (), 0)
    # the leaf that the detached phi has become is a node too, and stands for phi in the picture
    assert sum(cut.alive) == nodes(k, (), 0)[0] and not cut.alive[0]


def test_whatever_the_cut_the_query_loss_is_the_same_number():
    values = [nodes(3)[1], nodes(3, range(3))[1], nodes(3, (1,))[1], nodes(3, (), 0)[1]]
    assert max(values) - min(values) < 1e-6


# --- operations and bytes -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def conv():
    return problem("Conv-4", channels=16)


def further_step(conv, way) -> float:
    """Operations of the third inner step, in gradients on the support set."""
    network, episode, settings = conv
    x, y = episode.support_x[0], episode.support_y[0]
    one = operations(lambda: F.cross_entropy(network(x), y).backward())
    two, three = (
        operations(lambda k=k: outer_gradient(learner_for(way, network, k, settings), episode))
        for k in (2, 3)
    )
    return (three - two) / one


def test_a_step_costs_one_gradient_at_first_order_and_about_three_at_second(conv):
    assert further_step(conv, "first order") == pytest.approx(1, abs=1e-3)
    assert further_step(conv, "second order") == pytest.approx(3, abs=0.1)


def test_the_ways_that_walk_back_cost_about_five_gradients_a_step(conv):
    for way in ("checkpointed", "forward over reverse"):
        assert further_step(conv, way) == pytest.approx(5, abs=0.1)


def test_head_only_costs_what_first_order_costs(conv):
    assert further_step(conv, "head only") == pytest.approx(1, abs=1e-3)


def test_first_order_keeps_the_same_for_8_and_16_steps_and_second_order_twice_as_much():
    class Box:
        def __init__(self, tensor):
            self.tensor = tensor
            boxes.add(self)

    import weakref

    boxes = weakref.WeakSet()

    def kept(way, k):
        network, episode, settings = problem("sinusoid MLP")
        boxes.clear()
        with torch.autograd.graph.saved_tensors_hooks(Box, lambda box: box.tensor):
            loss = learner_for(way, network, k, settings).outer_loss(episode)
            storages = [box.tensor.untyped_storage() for box in boxes]
            found = sum({s.data_ptr(): s.nbytes() for s in storages}.values())
        del loss
        return found

    assert kept("first order", 16) == kept("first order", 8)
    assert 1.8 < kept("second order", 16) / kept("second order", 8) < 2.05


@pytest.mark.parametrize("way", LEARNERS)
def test_the_calculator_counts_operations_exactly_and_bytes_within_a_tenth(way):
    for channels, tasks, k, queries in ((24, 3, 3, 2), (16, 1, 6, 5), (40, 2, 2, 8)):
        network, episode, settings = problem("Conv-4", channels, tasks, queries)
        gradient = lambda: outer_gradient(  # noqa: E731
            learner_for(way, network, k, settings),  # noqa: B023
            episode,  # noqa: B023
        )
        asked = calculator.price_of(way, k, tasks, channels, queries)
        assert asked.operations == pytest.approx(operations(gradient), rel=1e-4)
        assert 1e6 * asked.megabytes == pytest.approx(peak_memory(gradient), rel=0.1)


def test_conv_4_has_112261_parameters_and_its_hessian_would_take_50_gb():
    network, _, _ = problem("Conv-4")
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == calculator.parameters_of(64) == 112_261
    assert round(4 * count**2 / 1e9) == 50


# --- the shipped lines ----------------------------------------------------------------------------


def slope(what, network, way):
    run = named_run("price_curves")
    numbers, steps = run.tensors()[f"{what}/{network}/{way}"], run.about()["steps"]
    return ((numbers[-1] - numbers[0]) / (steps[-1] - steps[0])).item()


def test_in_memory_second_order_and_head_only_climb_and_the_others_hardly_do():
    for network in study.NETWORKS:
        steep = slope("bytes", network, "second order")
        assert slope("bytes", network, "head only") > 0.25 * steep
        for flat in ("first order", "checkpointed", "forward over reverse"):
            assert slope("bytes", network, flat) < 0.06 * steep


def test_the_shipped_lines_are_those_of_today():
    shipped = named_run("price_curves").tensors()
    at = study.STEPS.index(4)
    for name in study.NETWORKS:
        network, episode, settings = problem(name)
        for way in LEARNERS:
            gradient = lambda: outer_gradient(  # noqa: E731
                learner_for(way, network, 4, settings),  # noqa: B023
                episode,  # noqa: B023
            )
            assert shipped[f"operations/{name}/{way}"][at] == operations(gradient)
            assert peak_memory(gradient) == pytest.approx(
                shipped[f"bytes/{name}/{way}"][at].item(), rel=0.1
            )


def test_the_ways_that_walk_back_give_second_order_at_first_order_memory():
    shipped = named_run("price_curves").tensors()
    for way in ("checkpointed", "forward over reverse"):
        assert (shipped[f"bytes/Conv-4/{way}"] < 1.05 * shipped["bytes/Conv-4/first order"]).all()


def test_time_grows_with_k_in_every_way():
    shipped = named_run("price_curves").tensors()
    for name in study.NETWORKS:
        for way in LEARNERS:
            assert (shipped[f"operations/{name}/{way}"].diff() > 0).all()


# --- Hessian-vector products ----------------------------------------------------------------------


def small_loss(t):
    x = torch.linspace(-2, 2, 10, dtype=torch.float64)
    return (torch.tanh(x[:, None] * t[:4] + t[4:8]) @ t[8:] - x.sin()).square().mean()


def test_both_products_equal_the_explicit_hessian_and_cost_about_three_gradients():
    theta, v = torch.randn(2, 12, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    forward = lambda: jvp(grad(small_loss), (theta,), (v,))[1]  # noqa: E731

    def backward():
        point = theta.clone().requires_grad_()
        (g,) = torch.autograd.grad(small_loss(point), point, create_graph=True)
        return torch.autograd.grad(g @ v, point)[0]

    truth = hessian(small_loss)(theta) @ v
    torch.testing.assert_close(forward(), truth)
    torch.testing.assert_close(backward(), truth)
    gradient = operations(lambda: grad(small_loss)(theta))
    for product in (forward, backward):
        assert operations(product) <= 4 * gradient


def test_walking_back_takes_at_most_a_third_of_the_memory_of_the_whole_graph():
    assert held(diet) <= held(whole_graph) / 3


# --- first order ----------------------------------------------------------------------------------


def test_equal_curvature_changes_the_length_and_not_the_direction():
    two = two_gradients(h=5.0, spread=0.0, alpha=0.1, k=1)
    assert two["cosine"] == pytest.approx(1) and two["ratio"] == pytest.approx(0.5)


def test_where_curvature_alone_grows_the_angle_grows():
    cosines = [two_gradients(h, 1.0, 0.1, 1)["cosine"] for h in (0.0, 4.0, 8.0, 16.0)]
    assert cosines == sorted(cosines, reverse=True) and cosines[0] == pytest.approx(1)


def test_first_order_can_walk_uphill_where_the_inner_loop_still_converges():
    two = two_gradients(h=15.0, spread=0.2, alpha=0.1, k=1)
    assert two["stable"] and two["cosine"] < 0


def test_with_a_flat_loss_the_two_agree_and_with_a_squared_one_the_ratio_is_1_minus_alpha_2_x_x():
    for error, expected in (
        (torch.square, lambda x: 1 - 0.1 * 2 * x * x),
        (torch.abs, lambda x: 1.0),
    ):
        for x in (1.0, 2.0):
            w = torch.tensor(0.5, requires_grad=True)
            (g,) = torch.autograd.grad(error(w * x - x), w, create_graph=True)
            full, short = (
                torch.autograd.grad(error((w - 0.1 * s) * x - x), w, retain_graph=True)[0]
                for s in (g, g.detach())
            )
            assert (full / short).item() == pytest.approx(expected(x), abs=1e-5)


def cosine(network, alpha, k):
    tasks = test_episodes(Sinusoids(), 100, shots=5, queries=20, seed=9)
    vectors = []
    for first_order in (True, False):
        maml = MAML(network, alpha=alpha, steps=k, first_order=first_order, way="vmap")
        vectors.append(torch.cat([g.flatten() for g in outer_gradient(maml, tasks)]))
    return F.cosine_similarity(*vectors, dim=0).item()


def test_the_two_nearly_agree_at_the_untrained_start_and_not_at_mamls_own():
    untrained, maml = mlp(seed=0), named_run("sinusoids_maml_5shot").load().network
    joint = named_run("sinusoids_joint_5shot").load().network
    assert min(cosine(n, 0.001, k) for n in (untrained, maml, joint) for k in (1, 5)) > 0.95
    assert min(cosine(untrained, 0.01, k) for k in (1, 5)) > 0.9
    assert cosine(maml, 0.01, 1) < 0.8 and cosine(maml, 0.01, 5) < 0


# --- no second derivative, and a wrong one --------------------------------------------------------


def attend(q):
    return F.scaled_dot_product_attention(q, q, q).square().mean()


def test_fused_attention_and_a_compiled_network_have_no_second_derivative():
    compiled = torch.compile(mlp(seed=0), backend="aot_eager")
    for function, shape in (
        (attend, (2, 4, 8, 8)),
        (lambda x: compiled(x).square().mean(), (5, 1)),
    ):
        x = torch.ones(shape, requires_grad=True)
        with pytest.raises(RuntimeError, match="not implemented|double backward"):
            (g,) = torch.autograd.grad(function(x), x, create_graph=True)
            torch.autograd.grad(g.square().sum(), x)


def test_differences_of_fused_gradients_give_the_product_that_attention_written_out_gives():
    generator = torch.Generator().manual_seed(0)
    x, v = torch.randn(2, 2, 4, 8, 8, generator=generator, dtype=torch.float64)

    def slope_at(point):
        point = point.requires_grad_()
        return torch.autograd.grad(attend(point), point)[0]

    with sdpa_kernel(SDPBackend.MATH):
        written = jvp(grad(attend), (x,), (v,))[1]
    differenced = (slope_at(x + 1e-5 * v) - slope_at(x - 1e-5 * v)) / 2e-5
    torch.testing.assert_close(differenced, written, rtol=1e-4, atol=1e-8)


def test_the_library_refuses_a_compiled_network_with_a_sentence():
    with pytest.raises(ValueError, match="is wrapped in OptimizedModule"):
        MAML(torch.compile(mlp(seed=0), backend="aot_eager"))


def test_vmap_of_grad_is_silently_wrong_where_a_layer_norm_adapts_and_the_librarys_vmap_is_right():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(1, 6), nn.LayerNorm(6), nn.Tanh(), nn.Linear(6, 1)).double()
    family = Sinusoids()
    tasks = family.sample(8, shots=10, queries=10, generator=family.generator(0))
    tasks = tasks.map(torch.Tensor.double)

    def loss_of(p, x, y):
        return F.mse_loss(functional_call(network, p, (x,)), y)

    def textbook(theta):
        def after_a_step(support_x, support_y, query_x, query_y):
            g = grad(loss_of)(theta, support_x, support_y)
            return loss_of({n: theta[n] - 0.05 * g[n] for n in theta}, query_x, query_y)

        return vmap(after_a_step)(*tasks.four).mean()

    theta = {n: p.detach().requires_grad_() for n, p in network.named_parameters()}
    along = {n: torch.randn_like(p) for n, p in theta.items()}
    with torch.no_grad():
        ahead, behind = (
            textbook({n: p + s * along[n] for n, p in theta.items()}) for s in (1e-5, -1e-5)
        )
    nudged = ((ahead - behind) / 2e-5).item()
    learner = MAML(network, alpha=0.05, steps=1, way="vmap")
    wrong, right = (
        sum((g * d).sum() for g, d in zip(gradients, along.values(), strict=True)).item()
        for gradients in (
            torch.autograd.grad(textbook(theta), list(theta.values())),
            outer_gradient(learner, tasks),
        )
    )
    assert textbook(theta).item() == pytest.approx(learner.outer_loss(tasks).item())
    assert abs(right - nudged) < 1e-7 < abs(wrong - nudged) / 10


# --- tasks ----------------------------------------------------------------------------------------


def one_step(label="new"):
    """Mean errors after one step: (pools, seeds)."""
    return named_run("price_tasks").tensors()[label][:, :, 1, 0]


def test_a_pool_has_as_many_waves_as_it_says_and_fresh_points():
    pool = Pool(5, seed=1)
    one, two = (
        pool.sample(200, shots=5, queries=5, generator=pool.generator(seed)) for seed in (0, 1)
    )
    waves = zip(one.hidden["amplitude"].tolist(), one.hidden["phase"].tolist(), strict=True)
    assert len(set(waves)) == 5 and len(one.support_x.unique()) > 900
    assert not torch.equal(one.support_x, two.support_x)
    expected = one.hidden["amplitude"][:, None, None] * torch.sin(
        one.query_x - one.hidden["phase"][:, None, None]
    )
    torch.testing.assert_close(one.query_y, expected)


def test_with_5_tasks_maml_is_worse_than_with_endless_ones_and_better_than_no_adaptation():
    new = one_step()
    assert (new[0] > 1.5 * new[-1].max()).all() and (new[0] < BEST_SINGLE).all()


def test_on_new_waves_the_error_falls_with_the_number_of_tasks_until_100_are_as_good_as_endless():
    new = one_step().mean(1)
    assert (new[:3].diff() < -0.1).all() and abs(new[2] - new[3]) < 0.1


def test_few_tasks_are_overfitted_and_the_gap_closes():
    gap = (one_step() - one_step("own")).mean(1)
    assert gap[0] > 3 * abs(gap[2]) and gap[0] > 0.5


def test_beyond_the_amplitudes_of_training_the_error_grows_faster_than_the_yardstick():
    maml, shares = named_run("sinusoids_maml_5shot").load(), []
    for low, high in ((0.1, 5.0), (5.0, 7.0), (7.0, 10.0)):
        tasks = test_episodes(Sinusoids(amplitude=(low, high)), 300, shots=5, queries=50, seed=4)
        zero = tasks.query_y.square().mean().item()
        shares.append(evaluate_each_step(maml, tasks, steps=1)[1].mean / zero)
    assert shares == sorted(shares) and shares[2] > 1.5 * shares[0]


def test_small_waves_only_teach_too_little_about_all_waves():
    scores = named_run("price_tasks").tensors()
    small, all_waves = scores["small waves"][:, 1, 0], scores["new"][-1, :, 1, 0]
    assert (small > 1.5 * all_waves.max()).all()
    assert abs(small.mean() - BEST_SINGLE) < 0.2
    assert math.isclose(study.SMALL_WAVES[1], 1.0)
