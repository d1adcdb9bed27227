"""What chapter 08 says about comparisons, each sentence as a test."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.chapters import named_run
from course_lib.chapters.ch08 import study as closer_look
from course_lib.chapters.ch08.explorers import SIZES, binomial, intervals, read_claim, wilson
from course_lib.chapters.ch08.study import (
    LINE_UP,
    asked_in_groups,
    episodes,
    run_of,
    trained,
    with_statistics,
)
from course_lib.episodes import Episode
from course_lib.learners.baseline import HEAD
from course_lib.training.evaluation import Score, evaluate, paired

METRIC = ("prototypical", "matching", "relation", "siamese")
TRANSFER = ("baseline", "baseline++")


@pytest.fixture(scope="module")
def stored():
    """Accuracies by "domain/name", from the file that ships."""
    return {
        key: Score(right.double() / 25, "accuracy", 0.2)
        for key, right in named_run("look_scores").tensors().items()
    }


@pytest.fixture(scope="module")
def more():
    return {
        key: Score(right.double() / 25, "accuracy", 0.2)
        for key, right in named_run("look_more").tensors().items()
    }


@pytest.fixture(scope="module")
def tasks():
    return episodes("held out", 300)


@pytest.fixture(scope="module")
def transductive():
    return with_statistics(trained("maml, running"), "query")


def clear(difference: Score) -> bool:
    return difference.mean > difference.half_width


# --- the newsletter -------------------------------------------------------------------------------


def test_ten_kinds_of_coins_with_three_test_images_each_make_70_percent_21_of_30():
    shown = read_claim(10, 1, 70)
    assert (shown["right"], shown["n"], shown["chance"]) == (21, 30, 0.1)


def test_with_tests_this_small_the_same_network_would_report_very_different_numbers():
    again = binomial(30, 0.7)
    assert again[:18].sum() + again[25:].sum() > 0.1  # below 60 % or above 80 %


def test_wilsons_interval_stays_between_0_and_1_where_the_simple_one_leaves_and_covers_as_it_says():
    assert wilson(1.0, 5)[1] == 1.0 and wilson(1.0, 5)[0] < 0.6
    assert 0.9 + 1.96 * (0.9 * 0.1 / 10) ** 0.5 > 1 > wilson(0.9, 10)[1]
    covered = sum(
        float(p)
        for k, p in enumerate(binomial(30, 0.7))
        if wilson(k / 30, 30)[0] <= 0.7 <= wilson(k / 30, 30)[1]
    )
    assert 0.92 < covered < 0.98


def test_five_points_to_each_side_need_some_three_hundred_test_images():
    n = round(1.96**2 * 0.7 * 0.3 / 0.05**2)
    assert n == 323 and 1.96 * (0.7 * 0.3 / n) ** 0.5 == pytest.approx(0.05, rel=1e-2)


# --- plain transfer -------------------------------------------------------------------------------


def test_there_are_1250_base_classes_in_fifty_scripts_and_twenty_scripts_held_out():
    kept, held_out = closer_look.scripts()
    assert 1250 == (kept.only[1] - kept.only[0]) * 25
    assert kept.only[1] == held_out.only[0] == 50 and held_out.only[1] == 70
    assert trained("baseline").classifier.weight.shape == (1250, 32)


def test_the_head_is_trained_with_the_settings_that_the_notebook_writes_out():
    assert HEAD == {"lr": 0.01, "momentum": 0.9, "dampening": 0.9, "weight_decay": 1e-3}
    plus = trained("baseline++")
    assert (plus.scale, plus.head_scale) == (10.0, 2.0)


def test_meta_baseline_spends_half_of_its_steps_on_pretraining():
    assert (
        run_of("classifier").prepared()[2].outer_steps
        == run_of("meta-baseline").prepared()[2].outer_steps
        == closer_look.STEPS // 2
    )


def test_every_learner_of_the_table_answers_each_query_by_itself(tasks):
    few = tasks[:2]
    alone = few.map(lambda t: t)
    for name in LINE_UP:
        learner = trained(name).eval()
        with torch.no_grad():
            together = learner(few)
            one = torch.stack([learner.predict(*part[:2], part[2][:1]) for part in alone])[:, 0]
        torch.testing.assert_close(one, together[:, 0], rtol=1e-3, atol=1e-3)


# --- who wins -------------------------------------------------------------------------------------


def test_practice_lifts_meta_baseline_far_above_the_classifier_that_it_started_from(tasks):
    classifier, meta = trained("classifier"), trained("meta-baseline")
    before = evaluate(type(meta).after(classifier), tasks)
    gain = paired(evaluate(meta, tasks), before)
    assert gain.mean - gain.half_width > 0.05


def test_a_paired_interval_is_narrower_because_what_is_hard_for_one_is_hard_for_the_other(stored):
    first, second = sorted(LINE_UP, key=lambda name: -stored[f"held out/{name}"].mean)[:2]
    a, b = stored[f"held out/{first}"].per_episode, stored[f"held out/{second}"].per_episode
    assert torch.corrcoef(torch.stack([a, b]))[0, 1] > 0.1
    (mean, with_pairs), (same, without) = intervals(a, b, True), intervals(a, b, False)
    torch.testing.assert_close(mean, same)
    assert with_pairs[-1] < 0.95 * without[-1]
    assert with_pairs[-1].item() == pytest.approx(paired(Score(a), Score(b)).half_width, rel=1e-6)
    assert (a.var() + b.var() - 2 * torch.cov(torch.stack([a, b]))[0, 1]).item() == pytest.approx(
        (a - b).var().item(), rel=1e-6
    )


def test_four_times_the_episodes_halve_an_interval(stored):
    half = intervals(
        stored["held out/prototypical"].per_episode, stored["held out/baseline"].per_episode, True
    )[1]
    after = SIZES.tolist().index(120)
    assert half[-1] / half[after] == pytest.approx((120 / 500) ** 0.5, rel=0.15)


def test_with_four_times_the_steps_plain_transfer_passes_the_best_of_1000_and_only_a_point_of_the_lead_is_left(  # noqa: E501
    more, tasks
):
    baseline, best = (evaluate(trained(name), tasks) for name in ("baseline", "siamese"))
    assert clear(paired(more["longer/baseline"], best))
    lead = paired(best, baseline), paired(more["longer/siamese"], more["longer/baseline"])
    assert lead[0].mean > 0.05 and 0 < lead[1].mean < 0.015
    assert clear(paired(more["longer/siamese"], best))


def test_in_1000_steps_baseline_sees_each_of_its_classes_about_a_hundred_times():
    run = run_of("baseline")
    o = run.settings()
    drawings = o.tasks * o.ways * (o.shots + o.queries)
    assert 90 < o.outer_steps * drawings / closer_look.base_classes(o) < 110


def test_two_seeds_of_one_method_differ_by_up_to_a_point_and_a_half(more):
    apart = [
        paired(more[f"seed 1/{name}"], more[f"seed 2/{name}"]) for name in closer_look.SEEDED
    ]
    assert 0.01 < max(abs(d.mean) for d in apart) < 0.02
    assert sum(abs(d.mean) > d.half_width for d in apart) >= 2


def test_siamese_is_above_baseline_by_more_than_seeds_do_after_1000_steps(more, tasks):
    means = {
        name: [evaluate(trained(name), tasks).mean]
        + [more[f"seed {seed}/{name}"].mean for seed in (1, 2)]
        for name in ("siamese", "baseline")
    }
    assert min(means["siamese"]) - max(means["baseline"]) > 0.04


def test_at_equal_budgets_the_order_of_the_three_is_the_same_and_half_a_point_apart_in_the_end(
    more, stored
):
    order = ("siamese", "prototypical", "baseline")
    short = [stored[f"held out/{name}"].mean for name in order]
    assert short == sorted(short, reverse=True)
    for kind in ("longer", "longer, seed 1"):
        means = [more[f"{kind}/{name}"].mean for name in order]
        assert means == sorted(means, reverse=True)
        assert all(a - b < 0.01 for a, b in zip(means, means[1:], strict=False))


def with_averages_of(learner, pictures):
    other = copy.deepcopy(learner)
    for layer in other.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None
    other.encoder.train()
    with torch.no_grad():
        other.encoder(pictures.flatten(0, 1))
    return other.eval()


def test_half_of_the_fall_of_four_learners_is_bookkeeping_of_batch_norm_and_nothing_of_the_others():
    pen, marker = episodes("held out", 100), episodes("shifted", 100)
    for name in ("baseline", "baseline++", "meta-baseline", "matching"):
        learner = trained(name)
        old, anew = learner, with_averages_of(learner, marker.support_x)
        fall = paired(evaluate(old, pen), evaluate(old, marker))
        regained = paired(evaluate(anew, marker), evaluate(old, marker))
        assert clear(regained) and regained.mean > 0.45 * fall.mean, name
        same = paired(evaluate(with_averages_of(learner, pen.support_x), pen), evaluate(old, pen))
        assert abs(same.mean) < 0.01, name  # the collecting alone helps nobody
    for name in ("prototypical", "relation", "siamese"):
        learner = trained(name)
        anew = with_averages_of(learner, marker.support_x)
        regained = paired(evaluate(anew, marker), evaluate(learner, marker))
        assert regained.mean < 0.03, name


def test_with_five_examples_everyone_gains_but_relation_and_the_gap_to_plain_transfer_shrinks(
    stored,
):
    five, gains = episodes("held out", 100, shots=5), {}
    for name in ("baseline", "prototypical", "siamese", "relation"):
        gains[name] = evaluate(trained(name), five)
    one = {name: stored[f"held out/{name}"].mean for name in gains}
    assert all(gains[name].mean > one[name] for name in gains if name != "relation")
    assert gains["relation"].mean < 0.4
    best = max(score.mean for score in gains.values())
    assert best - gains["baseline"].mean < max(one.values()) - one["baseline"]


def test_one_maml_falls_by_far_more_than_any_interval_when_its_queries_come_one_at_a_time(
    tasks, transductive
):
    few = tasks[:60]
    together, alone = evaluate(transductive, few), asked_in_groups(transductive, few, 1)
    loss = paired(together, alone)
    assert loss.mean > 0.1 and loss.mean > 5 * loss.half_width


def test_alone_a_picture_is_centred_on_itself(transductive):
    """After batch norm each channel of a batch of one picture has mean 0, but for its adapted
    shift."""
    first = transductive.network[:2]
    x = torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(first(x).mean((0, 2, 3)), first[1].bias, rtol=1e-4, atol=1e-4)


def test_sorted_by_class_the_batch_gives_less_away_and_accuracy_falls(tasks, transductive):
    few = tasks[:60]
    order = few.query_y.argsort(dim=1, stable=True)
    pick = order[..., None, None, None].expand_as(few.query_x)
    by_class = Episode(
        few.support_x, few.support_y, few.query_x.gather(1, pick), few.query_y.gather(1, order)
    )
    assert clear(
        paired(asked_in_groups(transductive, few, 5), asked_in_groups(transductive, by_class, 5))
    )


def test_support_statistics_cost_little_and_leak_nothing(stored, tasks, transductive):
    support = trained("maml, support")
    difference = paired(evaluate(transductive, tasks), evaluate(support, tasks))
    assert (
        abs(difference.mean)
        < 0.1
        < paired(evaluate(transductive, tasks), asked_in_groups(transductive, tasks, 1)).mean
    )


def test_one_line_changed_makes_every_answer_depend_on_all_queries():
    g = torch.Generator().manual_seed(0)
    support, query, other = (torch.randn(5, 3, generator=g) for _ in range(3))
    changed = torch.cat([query[:1], other[1:]])
    by_support = lambda q: (q - support.mean(0)) / (support.var(0, correction=0) + 1e-5).sqrt()  # noqa: E731
    by_query = lambda q: (q - q.mean(0)) / (support.var(0, correction=0) + 1e-5).sqrt()  # noqa: E731
    assert by_support(query)[0].equal(by_support(changed)[0]) and not by_query(query)[0].equal(
        by_query(changed)[0]
    )


def test_replacing_the_cosine_by_minus_the_squared_distance_makes_a_prototypical_network():
    from course_lib.learners import MetaBaseline, Prototypical
    from course_lib.learners.prototypical import prototypes

    g = torch.Generator().manual_seed(0)
    support, query, y = (
        torch.randn(1, 6, 4, generator=g),
        torch.randn(1, 3, 4, generator=g),
        torch.tensor([[0, 1, 2, 0, 1, 2]]),
    )
    c = prototypes(support, y)
    squared = -(query[:, :, None] - c[:, None]).square().sum(-1)
    torch.testing.assert_close(Prototypical(torch.nn.Flatten()).compare(support, y, query), squared)
    cosines = 10 * F.cosine_similarity(query[:, :, None], c[:, None], dim=-1)
    torch.testing.assert_close(
        MetaBaseline(torch.nn.Flatten()).compare(support, y, query).detach(), cosines
    )


def test_on_training_scripts_two_learners_hardly_mind_the_rate_and_baseline_gains_a_little_from_twice_ours():  # noqa: E501
    tensors, about = named_run("look_rates").tensors(), named_run("look_rates").about()
    found = {key: Score(right / 25) for key, right in tensors.items()}
    for name in ("siamese", "prototypical"):
        means = [found[f"{name}, {rate}"].mean for rate in ("0.002", "0.005", "0.01")]
        assert max(means) - min(means) < 0.02
    gain = paired(found["baseline, 0.01"], found["baseline, 0.005"])
    assert 0.005 < gain.mean < 0.025 and about["scripts"] == [40, 50]
