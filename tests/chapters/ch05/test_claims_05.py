"""What chapter 05 says about outer loops, each sentence as a test."""

import math

import pytest
import torch
import torch.nn.functional as F

from course_lib.chapters import named_run
from course_lib.chapters.ch05.bench import (
    METHODS,
    SEEDS,
    Mixed,
    curves,
    learner_of,
    small_conv,
    strokes,
)
from course_lib.chapters.ch05.explorers import (
    LOOPS,
    best_rates,
    bowl,
    curvature,
    direction,
    gradients_needed,
    left_over,
    loss_after,
    race,
    slope,
)
from course_lib.chapters.ch05.kept import bytes_kept
from course_lib.chapters.ch05.map_of_loops import ROWS
from course_lib.chapters.ch05.study import exploded, named, over_seeds
from course_lib.episodes import Episode
from course_lib.families import Sinusoids
from course_lib.learners import IMAML, MAML, Joint, Reptile
from course_lib.networks import mlp
from course_lib.training.evaluation import evaluate_each_step, paired, test_episodes

TASKS = ((0.0, 3.0), (2.0, 1.0), (2.4, 1.0))
ENDS = {
    k: {loop: steps[-1] for loop, steps in race(TASKS, 1.0, 0.1, k)["paths"].items()}
    for k in (1, 3, 10)
}


def gap(run, one, other):
    return paired(over_seeds(run, one)[0], over_seeds(run, other)[0])


def ahead(run, one, other) -> bool:
    """Is the error of ``one`` lower, or its accuracy higher, beyond the interval over tasks?"""
    difference = gap(run, one, other)
    sign = 1 if difference.metric.endswith("accuracy") else -1
    return sign * difference.mean > difference.half_width


# --- one knob -------------------------------------------------------------------------------------


def test_the_loss_bends_with_the_square_of_the_amplitude():
    theta = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    for amplitude in (1.0, 3.0):
        task = (0.2, amplitude)
        loss = amplitude**2 * (1 - torch.cos(theta - 0.2))
        (first,) = torch.autograd.grad(loss, theta, create_graph=True)
        (second,) = torch.autograd.grad(first, theta)
        assert slope(0.7, task) == pytest.approx(first.item())
        assert curvature(0.7, task) == pytest.approx(second.item())
    assert curvature(0.7, (0.2, 3.0)) == pytest.approx(9 * curvature(0.7, (0.2, 1.0)))


def test_joint_training_ends_near_the_tall_wave_and_maml_at_the_flat_ones():
    assert abs(ENDS[3]["joint"] - 0.2) < 0.02 and 1.9 < ENDS[3]["MAML"] < 2.4


def test_with_one_step_reptile_falls_on_joint_training_and_with_ten_it_moves_to_the_flat_waves():
    assert ENDS[1]["Reptile"] == pytest.approx(ENDS[1]["joint"])
    assert ENDS[1]["Reptile"] < ENDS[3]["Reptile"] < ENDS[10]["Reptile"] < 2.0


def test_the_direction_of_maml_is_the_slope_of_the_loss_after_k_steps():
    for theta in (-0.5, 0.4, 2.9):
        t = torch.tensor([theta], dtype=torch.float64, requires_grad=True)
        (wanted,) = torch.autograd.grad(loss_after(t, TASKS, 0.1, 3).sum(), t)
        got = sum(direction("MAML", theta, task, 0.1, 3) for task in TASKS) / 3
        assert got == pytest.approx(wanted.item(), rel=1e-5)


def test_the_direction_of_implicit_maml_is_the_slope_of_the_loss_at_the_balanced_end():
    task, size = (0.4, 1.0), 1e-5

    def end(theta):
        phi = theta
        for _ in range(2000):
            phi -= 0.1 * (slope(phi, task) + phi - theta)
        return phi

    loss = [1 - math.cos(end(1.1 + s) - 0.4) for s in (size, -size)]
    wanted = (loss[0] - loss[1]) / (2 * size)
    assert direction("implicit", 1.1, task, 0.1, 2000) == pytest.approx(wanted, rel=1e-4)


def test_only_maml_and_implicit_maml_need_products_with_the_hessian():
    products = {loop for loop in LOOPS if gradients_needed(loop, 4)[1]}
    assert products == {"MAML", "implicit"}


# --- the map --------------------------------------------------------------------------------------


def test_what_the_map_calls_kept_is_what_grows_with_the_steps():
    family = Sinusoids()
    episode = family.sample(5, shots=5, queries=5, generator=family.generator(0))
    makers = {
        "MAML": lambda k: MAML(mlp(seed=0), steps=k, way="vmap"),
        "first order": lambda k: MAML(mlp(seed=0), steps=k, way="vmap", first_order=True),
        "Reptile": lambda k: Reptile(mlp(seed=0), steps=k, way="vmap"),
        "implicit MAML": lambda k: IMAML(mlp(seed=0), steps=k, way="vmap"),
    }
    kept = {name: places for name, places, *_ in ROWS}
    for name, make in makers.items():
        grows = bytes_kept(make(40), episode) / bytes_kept(make(5), episode)
        assert (grows > 4) == (kept[name] == 4) and (grows < 1.3) == (kept[name] < 4), name


# --- Reptile --------------------------------------------------------------------------------------


def test_with_one_step_reptile_walks_along_joint_training_and_not_along_maml():
    family = Sinusoids()
    episode = family.sample(25, shots=5, queries=5, generator=family.generator(0))
    found = {}
    for name, learner in {
        "reptile": Reptile(mlp(seed=0), alpha=0.02, steps=1, way="vmap"),
        "joint": Joint(mlp(seed=0)),
        "maml": MAML(mlp(seed=0), alpha=0.02, way="vmap"),
    }.items():
        loss = learner.outer_loss(episode)
        grads = torch.autograd.grad(loss, list(learner.network.parameters()))
        found[name] = torch.cat([g.flatten() for g in grads])
    cosine = {n: torch.cosine_similarity(found["reptile"], found[n], dim=0) for n in found}
    assert cosine["joint"] > 0.9999 and cosine["maml"] < 0.95


def test_the_control_has_the_same_points_and_other_neighbours():
    family, mixed = Sinusoids(), Mixed(Sinusoids())
    one = family.sample(4, shots=3, queries=2, generator=family.generator(3))
    other = mixed.sample(4, shots=3, queries=2, generator=mixed.generator(3))
    points = [
        sorted(torch.cat([e.support_y, e.query_y], 1).flatten().tolist()) for e in (one, other)
    ]
    assert points[0] == points[1]
    assert not torch.equal(one.support_y, other.support_y)


# --- rates ----------------------------------------------------------------------------------------


def test_two_rates_solve_a_straight_bowl_in_one_step_and_are_one_rate_when_it_is_turned_by_45():
    straight, turned = bowl(10.0, 0), bowl(10.0, 45)
    one, own = best_rates(straight, 1)
    assert left_over(straight, one, 1) > 0.35 and left_over(straight, own, 1) < 0.01
    one, own = best_rates(turned, 1)
    assert left_over(turned, own, 1) > 0.97 * left_over(turned, one, 1)


# --- the comparison -------------------------------------------------------------------------------


@pytest.mark.parametrize("run", ["outer_curves", "outer_strokes"])
def test_the_file_holds_every_method_and_seed_with_its_price(run):
    about, tensors = named(run).about(), named(run).tensors()
    count = 600 if run == "outer_curves" else 400
    for name in METHODS:
        assert len(about["chosen"][name]) == 2 and about["kept"][name] > 0
        for seed in SEEDS:
            assert tensors[f"{name}/{seed}"].shape == (count,)
            assert about["seconds"][f"{name}/{seed}"] >= 0


def test_settings_were_chosen_on_other_tasks_than_those_reported():
    for bench in (curves(10), strokes(10)):
        reported, others = (
            tasks.support_x.flatten(1).double().sum(1)
            for tasks in (bench.tasks(), bench.tasks_to_choose_on())
        )
        assert not torch.isin(reported, others).any()
    bench = strokes(10)
    assert bench.training.only[1] <= bench.testing.only[0]


def test_before_training_all_methods_of_a_seed_have_the_same_start():
    for bench in (curves(10), strokes(10)):
        starts = [
            torch.cat([p.flatten() for p in learner_of(n, bench, 0.1, 1).network.parameters()])
            for n in METHODS
        ]
        assert all(start.equal(starts[0]) for start in starts)
    assert sum(p.numel() for p in small_conv(0).parameters()) == 6181
    assert F.cross_entropy is strokes(1).loss_fn


STROKES = "outer_strokes"


def part(name, which):
    return f"parts/{name}/{{}}/{which}"


def test_on_characters_anil_leads_then_meta_sgd_then_maml_then_first_order():
    order = ("anil", "meta-sgd", "maml", "first order", "imaml")
    assert all(ahead(STROKES, *pair) for pair in zip(order, order[1:], strict=False))


def test_on_characters_implicit_maml_is_ahead_of_nothing_learned_and_reptile_and_joint_are_not():
    assert ahead(STROKES, "imaml", "untrained")
    assert not ahead(STROKES, "reptile", "untrained")
    assert not ahead(STROKES, "joint", "untrained")


def test_reptile_and_joint_training_are_below_the_nearest_example_by_pixels():
    pixels = named(STROKES).tensors()["nearest"].double().mean()
    for name in ("reptile", "joint"):
        assert over_seeds(STROKES, name)[0].mean < pixels
    for name in ("maml", "anil", "meta-sgd", "first order", "imaml"):
        assert over_seeds(STROKES, name)[0].mean > pixels + 0.03


def test_for_maml_the_head_alone_or_no_step_at_all_does_as_well_as_all_layers():
    for which in ("head", "nothing"):
        difference = gap(STROKES, part("maml", which), part("maml", "all"))
        assert -0.01 < difference.mean < 0.03


def test_with_the_body_alone_maml_stays_at_chance():
    assert abs(over_seeds(STROKES, part("maml", "body"))[0].mean - 0.2) < 0.01


def test_in_the_untrained_network_the_head_alone_does_worse_than_all_layers():
    assert ahead(STROKES, part("untrained", "all"), part("untrained", "head"))


def test_on_sine_waves_the_head_alone_hardly_helps_from_the_start_of_maml():
    start = named_run("sinusoids_maml_5shot").load().network
    tasks = test_episodes(Sinusoids(), 200, shots=5, queries=50, seed=7)
    error = {}
    for parts in ("all", "head"):
        learner = MAML(start, alpha=0.01, way="vmap", adapt=parts)
        error[parts] = evaluate_each_step(learner, tasks, 10)
    assert error["all"][10].mean < 0.2 * error["all"][0].mean
    assert error["head"][10].mean > 0.75 * error["head"][0].mean


def test_anil_takes_less_time_and_memory_than_maml_and_first_order_and_imaml_keep_a_third():
    about = named(STROKES).about()
    kept, seconds = about["kept"], about["seconds"]
    spent = {name: sum(seconds[f"{name}/{seed}"] for seed in SEEDS) for name in METHODS}
    assert 0.5 < spent["anil"] / spent["maml"] < 0.8 and spent["imaml"] == max(spent.values())
    assert 0.45 < kept["anil"] / kept["maml"] < 0.6
    for name in ("first order", "imaml"):
        assert 0.25 < kept[name] / kept["maml"] < 0.4


CURVES = "outer_curves"


def test_dealing_the_tasks_apart_takes_away_a_part_of_what_reptile_learns_and_not_all():
    assert ahead(CURVES, "reptile", "reptile, mixed") and ahead(CURVES, "reptile, mixed", "joint")
    agree = [over_seeds(CURVES, f"agreement/{n}/{{}}")[0] for n in ("reptile", "reptile, mixed")]
    assert paired(*agree).mean > paired(*agree).half_width


def test_on_sine_waves_meta_sgd_has_less_than_half_of_the_error_of_maml_and_reptile_comes_next():
    mean = {name: over_seeds(CURVES, name)[0].mean for name in METHODS}
    assert mean["meta-sgd"] < 0.5 * mean["maml"]
    order = ("meta-sgd", "reptile", "maml", "first order", "imaml", "untrained")
    assert all(ahead(CURVES, *pair) for pair in zip(order, order[1:], strict=False))


def test_first_order_and_anil_cannot_be_told_apart_on_sine_waves():
    difference = gap(CURVES, "first order", "anil")
    assert abs(difference.mean) < difference.half_width


def test_anil_and_implicit_maml_depend_on_the_seed_more_than_on_the_tasks():
    for name in ("anil", "imaml"):
        score, luck = over_seeds(CURVES, name)
        assert luck > score.half_width


def test_after_ten_steps_from_the_start_of_reptile_a_few_tasks_explode():
    assert 0 < sum(exploded("reptile")) < 10
    assert sum(exploded("maml")) == sum(exploded("meta-sgd")) == 0
    assert named(CURVES).about()["chosen"]["reptile"][1] == 10


def test_about_three_in_ten_rates_of_the_large_matrices_are_negative_and_the_last_bias_always():
    tensors, chosen = named(CURVES).tensors(), named(CURVES).about()["chosen"]["meta-sgd"]
    medians = []
    for seed in SEEDS:
        for name in ("2.weight", "4.weight"):
            rates = tensors[f"rates/{seed}/{name}"]
            assert 0.2 < (rates < 0).float().mean() < 0.35
            assert abs(rates.median() - chosen[0]) < 0.01
        assert (tensors[f"rates/{seed}/4.bias"] < 0).all()
        medians.append(tensors[f"rates/{seed}/0.weight"].median().item())
    assert min(medians) < 0 < max(medians)


def test_too_few_inner_steps_make_the_implicit_gradient_wrong_by_more_than_its_length():
    """And no error is raised; with many steps it is right. The notebook has the closed form."""
    dice = torch.Generator().manual_seed(1)
    x, xq = (torch.randn(1, n, 3, dtype=torch.float64, generator=dice) for n in (6, 5))
    w = torch.tensor([[1.0], [-2.0], [0.5]], dtype=torch.float64)
    task, line = Episode(x, x @ w, xq, xq @ w), torch.nn.Linear(3, 1, bias=False).double()
    torch.nn.init.constant_(line.weight, 0.3)
    found = {}
    for steps in (2, 500, 1000):
        learner = IMAML(line, alpha=0.05, steps=steps, strength=1.0, solver_steps=3, way="vmap")
        (found[steps],) = torch.autograd.grad(learner.outer_loss(task), line.weight)
    torch.testing.assert_close(found[500], found[1000])
    assert (found[2] - found[500]).norm() > found[500].norm()
