"""What chapter 01 says about tasks, families and learners, each sentence as a test."""

import math
from functools import lru_cache

import pytest
import torch

from course_lib.chapters import named_run
from course_lib.chapters.ch01.explorers import (
    KNOWLEDGE,
    box_of_tasks,
    floor_of,
    guesses,
    worst_miss,
)
from course_lib.episodes import Episode
from course_lib.families import Sinusoids
from course_lib.families.sinusoids import sine
from course_lib.learners import MAML, Joint, Learner
from course_lib.networks.small import mlp
from course_lib.training.evaluation import (
    Score,
    evaluate,
    evaluate_each_step,
    paired,
    squared_error,
    test_episodes,
)

FAMILY = Sinusoids()
WHOLE = ((0.0, 0.1), (math.pi, 5.0))  # the corners of the family's box


class Nearest(Learner):
    def predict(self, support_x, support_y, query_x):
        return support_y[(query_x - support_x.T).abs().argmin(1)]


class Zero(Learner):
    def predict(self, support_x, support_y, query_x):
        return torch.zeros_like(query_x)


class KnowsSines(Learner):
    def predict(self, support_x, support_y, query_x):
        def waves(x):
            return torch.cat([x.sin(), x.cos()], dim=1)

        return waves(query_x) @ torch.linalg.lstsq(waves(support_x), support_y).solution


class Remembers(Learner):
    def __init__(self, tasks):
        super().__init__()
        known = FAMILY.sample(tasks, shots=1, queries=1, generator=FAMILY.generator(7)).hidden
        self.A, self.p = known["amplitude"], known["phase"]

    def predict(self, support_x, support_y, query_x):
        best = (sine(support_x, self.A, self.p) - support_y).square().mean(0).argmin()
        return sine(query_x, self.A[best], self.p[best])


@lru_cache
def tasks_of(name: str, tasks: int = 300) -> Episode:
    """Test tasks with ten shots, from the family itself or from outside."""
    families = {
        "own": FAMILY,
        "taller": Sinusoids(amplitude=(5, 10)),
        "phases": Sinusoids(phase=(math.pi, 2 * math.pi)),
    }
    if name == "fast":  # x over twice the range, written as half of it
        wide = test_episodes(Sinusoids(x=(-10, 10)), tasks, shots=10, queries=100, seed=2)
        return Episode(
            wide.support_x / 2, wide.support_y, wide.query_x / 2, wide.query_y, hidden=wide.hidden
        )
    return test_episodes(families[name], tasks, shots=10, queries=100, seed=2)


@lru_cache
def adapted(run: str, alpha: float, name: str = "own", steps: int = 10) -> list[Score]:
    learner = MAML(named_run(f"sinusoids_{run}_10shot").load().network, alpha=alpha, way="vmap")
    return evaluate_each_step(learner, tasks_of(name), steps)


def best_single(episode: Episode) -> Score:
    return Score(squared_error(FAMILY.best_single_function(episode.query_x), episode.query_y))


def within(one: Score, value: float) -> bool:
    return abs(one.mean - value) < 1.5 * one.half_width


# The box of tasks


def test_of_one_task_the_best_single_curve_is_the_task_and_its_error_is_zero():
    result = box_of_tasks(WHOLE, tasks=1, shots=5)
    assert result["mse"] == 0 < box_of_tasks(WHOLE, tasks=2, shots=5)["mse"]


def test_in_a_box_squeezed_to_a_small_spot_one_curve_serves_all_tasks():
    result = box_of_tasks(((1.0, 3.0), (1.05, 3.1)), tasks=50, shots=5)
    assert max(result["mse"], floor_of(result["family"])[1]) < 0.01 < 1 < result["zero"]


def test_with_100_tasks_and_phases_from_0_to_2_pi_the_best_single_curve_does_hardly_better_than_zero():  # noqa: E501
    result = box_of_tasks(((0.0, 0.1), (2 * math.pi, 5.0)), tasks=100, shots=5)
    assert 0.97 * result["zero"] < result["mse"] <= result["zero"]
    zero, floor = floor_of(result["family"])
    assert math.isclose(floor, zero, abs_tol=1e-6)


def test_most_of_the_six_grey_waves_are_taller_than_the_mean_and_they_are_shifted_to_both_sides_of_it():  # noqa: E501
    hidden = tasks_of("own", 2000).hidden
    six = hidden["phase"].argsort()[2000 // 30 :: 2000 // 6]
    assert (hidden["amplitude"][six] > 2 * 2.55 / math.pi).sum() > 3
    shift = hidden["phase"][six] - math.pi / 2
    assert (shift < 0).sum() == (shift > 0).sum() == 3 and shift.min() < -1 < 1 < shift.max()


# Support and query, way and shot


def test_the_nearest_neighbour_makes_no_error_on_the_points_it_was_given():
    e = tasks_of("own")
    assert (
        evaluate(Nearest(), Episode(e.support_x, e.support_y, e.support_x, e.support_y)).mean == 0
    )
    assert evaluate(Nearest(), e).mean > 1


def reads_all(reshuffled: bool, tasks: int, seed: int) -> Episode:
    """3-way 1-shot episodes of three prints, always in one order or reshuffled."""
    g, prints = torch.Generator().manual_seed(seed), 5 * torch.eye(3)
    order = torch.arange(3).expand(tasks, 3)
    if reshuffled:
        order = torch.stack([torch.randperm(3, generator=g) for _ in range(tasks)])
    number = torch.arange(3).expand(tasks, 3)
    noisy = [prints[order] + 0.3 * torch.randn(tasks, 3, 3, generator=g) for _ in range(2)]
    return Episode(noisy[0], number, noisy[1], number)


class Reader(Learner):
    """It sees a query item and the whole support set: it could compare, or know by heart."""

    def __init__(self):
        super().__init__()
        self.network = mlp(12, 3, seed=0)

    def predict(self, support_x, support_y, query_x):
        shown = support_x[support_y.argsort()].flatten().expand(len(query_x), -1)
        return self.network(torch.cat([query_x, shown], dim=1))


@pytest.mark.parametrize("reshuffled", [False, True])
def test_trained_with_fixed_numbers_a_network_memorises_and_with_reshuffled_ones_it_compares(
    reshuffled,
):
    reader, g = Reader(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(reader.parameters(), 0.01)
    tasks = reads_all(reshuffled, 2000, seed=1)
    shown = tasks.support_x.flatten(1)[:, None].expand(-1, 3, -1)
    x, y = torch.cat([tasks.query_x, shown], 2).flatten(0, 1), tasks.query_y.flatten()
    for _ in range(300):
        some = torch.randint(len(x), (60,), generator=g)
        loss = torch.nn.functional.cross_entropy(reader.network(x[some]), y[some])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    known, anew = (evaluate(reader, reads_all(kind, 600, seed=2)) for kind in (False, True))
    assert known.mean > 0.97
    assert anew.mean > 0.97 if reshuffled else within(anew, 1 / 3)


# One function cannot fit them all


def test_no_other_number_has_a_smaller_mean_squared_error_than_the_mean_and_the_variance_is_left_over():  # noqa: E501
    y = sine(
        torch.tensor(1.3),
        *FAMILY.sample(500, shots=1, queries=1, generator=FAMILY.generator(0)).hidden.values(),
    )
    errors = [(y - c).square().mean() for c in (y.mean() - 0.1, y.mean(), y.mean() + 0.1)]
    assert errors[1] < min(errors[0], errors[2])
    torch.testing.assert_close(errors[1], y.var(correction=0))


def test_the_mean_of_sin_x_minus_p_over_p_from_0_to_pi_is_minus_2_over_pi_times_cos_x():
    x, p = (
        torch.linspace(-5, 5, 21, dtype=torch.float64),
        (torch.arange(10_000, dtype=torch.float64) + 0.5) * math.pi / 10_000,
    )
    torch.testing.assert_close(
        torch.sin(x[:, None] - p).mean(1), -2 / math.pi * x.cos(), atol=1e-7, rtol=0
    )


def test_always_zero_costs_4_25_and_the_best_single_function_3_01():
    zero, floor = floor_of(FAMILY)
    assert (round(zero, 2), round(floor, 2)) == (4.25, 3.01)
    e = test_episodes(FAMILY, 20_000, shots=1, queries=20, seed=0)
    assert within(evaluate(Zero(), e, batch=20_000), zero) and within(best_single(e), floor)


def test_the_best_single_function_costs_always_zero_minus_the_mean_of_its_own_square():
    for family in (
        FAMILY,
        Sinusoids(amplitude=(1, 2), phase=(0.3, 2.0)),
        Sinusoids(amplitude=(2, 2), phase=(1, 1)),
    ):
        zero, floor = floor_of(family)
        hidden = family.sample(20_000, shots=1, queries=1, generator=family.generator(0)).hidden
        x = torch.linspace(*family.x, 401)
        curves = sine(x[:, None], hidden["amplitude"], hidden["phase"])
        assert math.isclose(curves.square().mean(), zero, rel_tol=0.03)
        assert math.isclose(curves.var(1, correction=0).mean(), floor, rel_tol=0.03, abs_tol=1e-6)


def test_a_network_trained_on_everything_sits_at_the_floor_for_a_single_function():
    difference = paired(adapted("joint", 0.02)[0], best_single(tasks_of("own")))
    assert (
        abs(difference.mean) < 0.03
        and difference.half_width < 0.05 < best_single(tasks_of("own")).half_width / 3
    )


# What K points leave open


@pytest.mark.parametrize("know, enough", [(KNOWLEDGE[0], 2), (KNOWLEDGE[1], 5)])
def test_with_one_frequency_two_points_leave_less_than_a_tenth_open_and_with_any_frequency_about_five(  # noqa: E501
    know, enough
):
    (A, p, w), x = guesses(know), torch.linspace(-5, 5, 41)
    variance = []
    for K in range(6):
        kept = slice(0, 4000) if K == 0 else (worst_miss(know)[:, K - 1] < 0.3).nonzero()[:4000, 0]
        variance.append(
            (A[kept] * torch.sin(w[kept] * x[:, None] - p[kept])).var(1, correction=0).mean().item()
        )
    assert variance[enough] < variance[0] / 10 < variance[enough - 2]


def test_with_any_frequency_three_points_are_not_enough_because_several_frequencies_pass_through_them():  # noqa: E501
    assert left_open(KNOWLEDGE[1], 3) > left_open(KNOWLEDGE[1], 0) / 10
    know = KNOWLEDGE[1]
    frequencies = guesses(know)[2][worst_miss(know)[:, 2] < 0.3]
    assert (frequencies < 1.2).any() and (frequencies > 1.8).any()


def left_open(know: str, shots: int) -> float:
    """Variance among the tasks that pass through the first points, averaged over places and over 50
    hidden tasks."""
    (A, p, w), x, left = guesses(know), torch.linspace(-5, 5, 41)[:, None], []
    for support_x, support_y, _, _ in test_episodes(FAMILY, 50, shots=4, queries=1, seed=5):
        kept = (
            ((A * torch.sin(w * support_x[:shots] - p) - support_y[:shots]).abs() < 0.3)
            .all(0)
            .nonzero()[:4000, 0]
        )
        left.append((A[kept] * torch.sin(w[kept] * x - p[kept])).var(1, correction=0).mean().item())
    return sum(left) / len(left)


def test_two_points_tell_more_with_knowledge_of_the_family_than_four_without_it():
    assert left_open(KNOWLEDGE[0], 2) < left_open(KNOWLEDGE[1], 4) / 1.5


def test_with_no_point_at_all_what_is_left_open_is_the_floor_of_the_single_function():
    A, p, _ = guesses(KNOWLEDGE[0])
    curves = sine(torch.linspace(-5, 5, 81)[:, None], A[:20_000], p[:20_000])
    assert math.isclose(curves.var(1, correction=0).mean(), floor_of(FAMILY)[1], rel_tol=0.03)


def test_two_points_suffice_unless_they_lie_a_multiple_of_pi_apart():
    x = torch.linspace(-5, 5, 50)[:, None]
    for gap, suffices in ((1.0, True), (2.5, True), (math.pi, False), (2 * math.pi, False)):
        support = torch.tensor([[-3.0], [-3.0 + gap]], dtype=torch.float64)
        waves = torch.cat([support.sin(), support.cos()], 1)
        assert (torch.linalg.matrix_rank(waves, rtol=1e-9) == 2).item() is suffices
    one, other = sine(x, 3.0, 1.0), sine(x + math.pi, 3.0, 1.0)
    torch.testing.assert_close(one, -other, atol=1e-5, rtol=0)


def test_by_the_addition_theorem_a_wave_is_a_sin_x_plus_b_cos_x():
    x, A, p = torch.linspace(-5, 5, 50), torch.tensor(3.0), torch.tensor(1.0)
    torch.testing.assert_close(
        sine(x, A, p), A * p.cos() * x.sin() - A * p.sin() * x.cos(), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("shots, solved", [(1, False), (2, True), (10, True)])
def test_the_learner_with_the_formula_makes_no_error_from_two_points_on(shots, solved):
    assert (
        evaluate(KnowsSines(), test_episodes(FAMILY, 200, shots=shots, queries=50, seed=2)).mean
        < 1e-6
    ) is solved


def test_the_more_training_tasks_are_remembered_the_smaller_is_the_error_on_new_tasks():
    errors = [evaluate(Remembers(tasks), tasks_of("own")).mean for tasks in (1, 5, 20, 100, 1000)]
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.02


# Three ways to use old tasks


def test_training_on_everything_asks_that_theta_be_right_and_meta_learning_that_it_be_right_after_adapting():  # noqa: E501
    e, network = tasks_of("own", 20), mlp(seed=0)
    x, y = torch.cat([e.support_x, e.query_x], 1), torch.cat([e.support_y, e.query_y], 1)
    torch.testing.assert_close(Joint(network).outer_loss(e), (network(x) - y).square().mean())
    meta = MAML(network, alpha=0.01, steps=1, way="vmap")
    assert math.isclose(meta.outer_loss(e).item(), evaluate(meta, e).mean, rel_tol=1e-5)


def test_before_adapting_the_two_networks_are_equally_good():
    assert within(paired(adapted("joint", 0.02)[0], adapted("maml", 0.01)[0]), 0)


def test_after_ten_steps_the_error_of_the_meta_learned_network_is_less_than_a_third_of_transfer():
    meta, transfer = adapted("maml", 0.01)[10], adapted("joint", 0.02)[10]
    gap = paired(meta, transfer)
    assert meta.mean < transfer.mean / 3 and gap.mean + gap.half_width < 0


def test_with_longer_steps_than_the_chosen_alpha_the_middle_task_gains_a_little_but_a_few_blow_up():
    tasks = test_episodes(FAMILY, 300, shots=10, queries=100, seed=1)
    network = named_run("sinusoids_joint_10shot").load().network
    errors = {
        a: evaluate_each_step(MAML(network, alpha=a, way="vmap"), tasks, 10)[10].per_episode
        for a in (0.01, 0.02, 0.03, 0.05)
    }
    assert (
        errors[0.02].mean() < errors[0.01].mean() and errors[0.03].median() < errors[0.02].median()
    )
    for a in (0.03, 0.05):
        assert not errors[a].mean() < errors[0.02].mean() and 0 < (~(errors[a] < 30)).sum() < 15


def test_for_a_hundred_steps_transfer_chooses_a_shorter_step_than_for_ten():
    tasks = test_episodes(FAMILY, 300, shots=10, queries=100, seed=1)
    network = named_run("sinusoids_joint_10shot").load().network
    ten, hundred = (
        evaluate_each_step(MAML(network, alpha=a, way="vmap"), tasks, 100) for a in (0.02, 0.01)
    )
    assert ten[10].mean < hundred[10].mean and hundred[100].mean < ten[100].mean
    few = tasks_of("own")
    after = evaluate_each_step(MAML(network, alpha=0.01, way="vmap"), few, 100)[100]
    assert adapted("maml", 0.01)[10].mean < after.mean / 3


def test_transfer_gains_with_patience_and_stays_behind():
    few = tasks_of("own", 100)
    transfer = evaluate_each_step(
        MAML(named_run("sinusoids_joint_10shot").load().network, alpha=0.02, way="vmap"), few, 100
    )
    assert (
        adapted("maml", 0.01)[10].mean
        < transfer[100].mean
        < transfer[30].mean
        < transfer[10].mean
        < transfer[0].mean
    )


def test_on_this_family_remembering_a_thousand_tasks_beats_both_networks():
    memory = evaluate(Remembers(1000), tasks_of("own"))
    for run, alpha in (("joint", 0.02), ("maml", 0.01)):
        gap = paired(memory, adapted(run, alpha)[10])
        assert gap.mean + gap.half_width < 0


# Outside the family


def test_half_of_x_drawn_over_twice_the_range_makes_waves_that_swing_twice_as_fast():
    e = tasks_of("fast")
    A, p = (e.hidden[name][:, None, None] for name in ("amplitude", "phase"))
    torch.testing.assert_close(e.query_y, A * torch.sin(2 * e.query_x - p), atol=1e-4, rtol=0)
    assert e.query_x.abs().max() <= 5


def test_less_and_less_is_gained_over_answering_zero_as_the_tasks_leave_the_family():
    share = {
        name: adapted("maml", 0.01, name, 1)[1].mean / evaluate(Zero(), tasks_of(name)).mean
        for name in ("own", "taller", "phases", "fast")
    }
    assert share["own"] < 0.15 and list(share.values()) == sorted(share.values())


def test_on_fast_waves_the_meta_learned_network_is_worse_than_answering_zero_and_a_little_better_than_transfer():  # noqa: E501
    meta, zero, transfer = (
        adapted("maml", 0.01, "fast", 1)[1],
        evaluate(Zero(), tasks_of("fast")),
        adapted("joint", 0.02, "fast", 1)[1],
    )
    harm, gain = paired(meta, zero), paired(meta, transfer)
    assert harm.mean - harm.half_width > 0 > gain.mean + gain.half_width
    assert meta.mean > 0.7 * transfer.mean


def test_on_taller_waves_ten_steps_blow_up_in_a_few_tasks_and_in_none_of_the_family():
    lost = {
        name: (~(adapted("maml", 0.01, name)[10].per_episode < 1000)).float().mean()
        for name in ("own", "taller")
    }
    assert lost["own"] == 0 < lost["taller"] < 0.1


@pytest.mark.parametrize(
    "name, holds", [("own", True), ("taller", True), ("phases", True), ("fast", False)]
)
def test_the_formula_stays_perfect_on_taller_waves_and_fails_on_fast_ones(name, holds):
    error, zero = evaluate(KnowsSines(), tasks_of(name)).mean, evaluate(Zero(), tasks_of(name)).mean
    assert error < 1e-6 if holds else error > zero


# Traps


def test_support_points_among_the_query_points_flatter_the_learner_that_only_memorises():
    points = FAMILY.sample(300, shots=10, queries=10, generator=FAMILY.generator(3))
    x, y = (
        torch.cat([points.support_x, points.query_x], 1),
        torch.cat([points.support_y, points.query_y], 1),
    )
    errors = [
        evaluate(Nearest(), Episode(x[:, :10], y[:, :10], x[:, i : i + 10], y[:, i : i + 10])).mean
        for i in (10, 5, 0)
    ]
    assert errors[2] == 0 and 0.3 < errors[1] / errors[0] < 0.7


def test_new_points_of_an_old_task_are_not_a_new_task():
    twenty, new = (
        Remembers(20),
        FAMILY.sample(20, shots=10, queries=100, generator=FAMILY.generator(9)),
    )
    A, p = twenty.A[:, None, None], twenty.p[:, None, None]
    own = Episode(new.support_x, sine(new.support_x, A, p), new.query_x, sine(new.query_x, A, p))
    assert evaluate(twenty, own).mean < 1e-9 and evaluate(twenty, tasks_of("own")).mean > 0.2


def test_an_interval_over_points_is_wrong_most_of_the_time_and_one_over_episodes_keeps_its_promise():  # noqa: E501
    truth, hits = floor_of(FAMILY)[1], torch.zeros(2)
    for seed in range(200):
        e = FAMILY.sample(50, shots=1, queries=100, generator=FAMILY.generator(seed))
        errors = (FAMILY.best_single_function(e.query_x) - e.query_y).square()
        for i, values in enumerate((errors.mean((1, 2)), errors.flatten())):
            hits[i] += (values.mean() - truth).abs() < 1.96 * values.std() / len(values) ** 0.5
    assert hits[0] / 200 > 0.9 and hits[1] / 200 < 0.5


def test_exercise_floor_agrees_with_the_floor_of_the_family():
    from course_lib.chapters.ch01.exercises import floor

    hidden = FAMILY.sample(20_000, shots=1, queries=1, generator=FAMILY.generator(0)).hidden
    curves = sine(
        torch.linspace(-5, 5, 201), hidden["amplitude"][:, None], hidden["phase"][:, None]
    )
    assert math.isclose(floor(curves), floor_of(FAMILY)[1], rel_tol=0.03)
