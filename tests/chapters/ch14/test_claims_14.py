"""What chapter 14 says about its tables, each sentence as a test."""

from itertools import product

import pytest
import torch

from course_lib.chapters.ch09.study import trained
from course_lib.chapters.ch14.advice import (
    CHANGE,
    KINDS,
    LABELS,
    LEAVE,
    RELATED,
    YARDSTICK,
    advise,
)
from course_lib.chapters.ch14.explorers import luck
from course_lib.chapters.ch14.methods import known_words
from course_lib.chapters.ch14.projects import HELP_DESK, PROJECTS, made
from course_lib.chapters.ch14.sources import own_data
from course_lib.chapters.ch14.table import compare

BAG, MEANS = "bag of words", "Prototypical"


@pytest.fixture(scope="module")
def desk():
    data = own_data(HELP_DESK)
    return {shots: compare(data, shots=shots, only=[BAG, MEANS]) for shots in (1, 5)}


def gap(found, one, other):
    rows = {row.name: row for row in found.rows}
    return found.ahead(rows[one], rows[other])


# --- the help desk --------------------------------------------------------------------------------


def test_at_one_shot_two_cannot_be_told_apart_and_counting_leads_at_five(desk):
    one, five = gap(desk[1], MEANS, BAG), gap(desk[5], BAG, MEANS)
    assert abs(one.mean) < one.half_width and five.mean > five.half_width


def test_the_help_desk_does_not_reach_its_bar(desk):
    best = desk[5].best.score
    assert best.mean + best.half_width < PROJECTS["help_desk"].needs


def test_most_words_of_a_request_are_unknown_to_the_small_model():
    text = own_data(HELP_DESK).others["text"]
    read = known_words(text.text)
    kept = sum(len(read([i]).split()) for i in range(len(text.texts)))
    assert kept < 0.4 * sum(len(sentence.split()) for sentence in text.texts)


def test_always_answering_costs_most_and_answering_when_sure_a_little_less_than_asking():
    family, wrong, ask = own_data(HELP_DESK).family, 10.0, 2.0
    tasks = family.sample(200, shots=5, queries=5, generator=family.generator(99))
    with torch.no_grad():
        p = trained("prototypical")(tasks).softmax(-1).flatten(0, 1)
    missed = (p.argmax(1) != tasks.query_y.flatten()).float() * wrong
    sure = (1 - p.max(1).values) * wrong < ask
    mixed = torch.where(sure, missed, torch.tensor(ask)).mean()
    assert missed.mean() > ask > mixed > 0.8 * ask and 0.05 < sure.float().mean() < 0.15


# --- the alphabet ---------------------------------------------------------------------------------


def test_with_a_clean_pen_the_long_trained_encoder_gains_forty_points_and_the_two_are_close():
    both = ["Prototypical, altered pictures", "Prototypical, long training"]
    scans, even = (
        compare(own_data(made(name)), episodes=30, only=both)
        for name in ("alphabet", "even_alphabet")
    )
    assert gap(scans, *both).mean > 0.3
    assert abs(gap(even, *both).mean) < 0.06
    assert even.rows[1].score.mean - scans.rows[1].score.mean > 0.4


# --- luck -----------------------------------------------------------------------------------------


def test_the_highest_of_twenty_equal_methods_is_too_high_by_about_half_of_its_interval():
    found = luck(methods=20, episodes=200, spread=0.2, gap=0.0)
    assert found["bonus"] / found["error"] == pytest.approx(1.87, abs=0.01)
    many = luck(methods=1000, episodes=200, spread=0.2, gap=0.0)
    assert many["bonus"] / many["error"] == pytest.approx(3.24, abs=0.02)


@pytest.mark.parametrize("advantage", [0.0, 0.02])
def test_luck_is_what_many_drawn_tables_show(advantage):
    found = luck(methods=8, episodes=100, spread=0.2, gap=advantage)
    dice = torch.Generator().manual_seed(0)
    worth = torch.zeros(8, dtype=torch.double)
    worth[0] = advantage
    noise = torch.randn(40_000, 8, generator=dice, dtype=torch.double)
    figures = worth + 0.02 * noise
    high, which = figures.max(1)
    assert found["bonus"] == pytest.approx((high - worth[which]).mean().item(), abs=5e-4)
    assert found["first"] == pytest.approx((which == 0).double().mean().item(), abs=0.01)


# --- the sensors ----------------------------------------------------------------------------------


def test_at_five_readings_both_pass_the_bar_and_the_formula_has_about_half_of_the_error():
    data, fit, maml = own_data(made("sensors")), "least squares, 1, sin x, cos x", "MAML, 10 steps"
    names = [fit, maml, "joint training, 10 steps", "nearest point"]
    tables = {n: compare(data, shots=n, episodes=600, only=names) for n in (3, 5, 10)}
    for readings in (5, 10):
        ahead = gap(tables[readings], maml, fit)
        assert ahead.mean > ahead.half_width, readings
        for behind in names[2:]:
            far = gap(tables[readings], behind, maml)
            assert far.mean > far.half_width
    means = {n: {row.name: row.score.mean for row in t.rows} for n, t in tables.items()}
    bar = PROJECTS["sensors"].needs
    assert min(means[3].values()) > bar > max(means[5][fit], means[5][maml])
    assert 0.35 < means[5][fit] / means[5][maml] < 0.65


# --- the page that decides ------------------------------------------------------------------------


def test_every_problem_gets_its_yardstick_first_and_three_pieces_of_advice():
    for answers in product(KINDS, LABELS, CHANGE, LEAVE, RELATED):
        found = advise(*answers)
        assert len(found) == 3 and YARDSTICK[answers[0]] in found[0].what
        assert all(len(one.why) < 100 and one.what for one in found)


def test_two_answers_decide_whether_there_is_anything_to_meta_learn():
    alone = advise("pictures", "1 to 5", "every day", "may leave", "none")
    steady = advise("pictures", "1 to 5", "never", "may leave", RELATED[1])
    assert "meta-training" in alone[2].what and "inner loop" in steady[2].what
