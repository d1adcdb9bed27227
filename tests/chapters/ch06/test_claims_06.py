"""What chapter 06 says about Siamese networks, each sentence as a test."""

import copy
import inspect
import math
import re

import pytest
import torch
from torch import nn

from course_lib.chapters import named_run
from course_lib.chapters.ch06 import drawing
from course_lib.chapters.ch06.explorers import (
    DIFFERENT,
    FREE,
    SHARED,
    contrastive_margin,
    embedding_scrubber,
    few_classes,
    margin_walk,
    running_mean,
    watch,
)
from course_lib.chapters.ch06.study import by_margin, on_omniglot
from course_lib.episodes import Episode
from course_lib.families import Strokes
from course_lib.families.hand_drawn import SHAPES, another_hand, render
from course_lib.learners import Koch, Siamese
from course_lib.learners.siamese import contrastive, distance, pairs_of
from course_lib.networks.small import conv4
from course_lib.training.evaluation import Score, evaluate, paired, test_episodes
from course_lib.training.outer_loop import Plan

TRAINING, HELD_OUT = Strokes().split(20)
PLAN = Plan(outer_steps=2000, tasks=4, shots=1, queries=3, beta=0.003, decay=True)
MAKE = {
    "siamese": lambda: Siamese(conv4(32, seed=0), margin=4.0),
    "koch": lambda: Koch(conv4(32, seed=0), features=32, seed=0),
}
START = contrastive_margin().defaults["points"]


@pytest.fixture(scope="module")
def shipped():
    return {name: named_run(f"strokes_{name}").load() for name in MAKE}


@pytest.fixture(scope="module")
def tasks():
    return test_episodes(HELD_OUT, 200, shots=1, queries=3, seed=21)


@pytest.fixture(scope="module")
def results(shipped, tasks):
    return {
        name: evaluate(learner, tasks)
        for name, learner in (shipped | {"pixels": Siamese(nn.Flatten())}).items()
    }


@pytest.fixture(scope="module")
def seen():
    made = {}
    for pairs in ("all", "similar"):
        learner = Siamese(conv4(16, 2, seed=0), pairs=pairs)
        made[pairs] = watch(learner, few_classes(), 100), learner
    return made


def push(D, hinge="squared", y=1, margin=1.0):
    """How hard a pair at distance D is pushed apart."""
    at = torch.tensor(D, dtype=torch.float64, requires_grad=True)
    contrastive(at, torch.tensor(y), margin, hinge).backward()
    return -at.grad.item()


def test_a_similar_pair_pays_more_the_farther_it_is_apart_and_a_dissimilar_pair_less_until_m():
    D = torch.linspace(0, 3, 50)
    similar, dissimilar = (contrastive(D, torch.full((50,), y), 1.5) for y in (0, 1))
    assert (similar.diff() > 0).all() and (dissimilar.diff() <= 0).all()
    assert (dissimilar[D >= 1.5] == 0).all() and (dissimilar[D < 1.49] > 0).all()


def test_the_halves_of_the_paper_change_nothing_about_where_the_loss_is_smallest():
    D, y = torch.rand(20, requires_grad=True), torch.arange(20) % 2
    (one,) = torch.autograd.grad(contrastive(D, y).sum(), D)
    (half,) = torch.autograd.grad(((1 - y) * D**2 / 2 + y * (1 - D).clamp(min=0) ** 2 / 2).sum(), D)
    torch.testing.assert_close(one, 2 * half)


def test_the_slope_of_a_root_grows_without_end_towards_zero_and_epsilon_mends_it():
    near = torch.tensor([1e-2, 1e-4, 1e-8], requires_grad=True)
    near.sqrt().sum().backward()
    assert (near.grad.diff() > 0).all() and near.grad[-1] > 1000
    point = torch.zeros(2, requires_grad=True)
    point.square().sum().sqrt().backward()
    assert point.grad.isnan().all()
    point.grad = None
    distance(point, torch.zeros(2)).backward()
    assert point.grad.tolist() == [0.0, 0.0]


def test_beyond_the_margin_a_dissimilar_pair_is_pulled_nowhere():
    assert push(1.5) == 0 and push(1.0001) == 0 and push(0.5) == pytest.approx(1.0)


def test_without_the_max_it_would_be_pulled_back_to_the_margin():
    at = torch.tensor(1.5, requires_grad=True)
    ((1.0 - at) ** 2).backward()
    assert -at.grad < 0


def test_one_encoder_collapses_on_similar_pairs_and_points_for_themselves_do_not():
    end = {moves: margin_walk(START, 1.5, 200, True, moves) for moves in (SHARED, FREE)}
    assert end[SHARED]["loss"][~DIFFERENT].max() < 0.01 and end[SHARED]["spread"] < 0.1
    assert end[FREE]["loss"].sum() < 0.01 and end[FREE]["spread"] > 1


def test_with_all_pairs_one_encoder_does_not_collapse():
    assert margin_walk(START, 1.5, 200, False, SHARED)["spread"] > 0.7


def test_the_arrows_are_the_slope_of_the_librarys_loss():
    result = margin_walk(START, 1.5, 0, False, SHARED)
    f = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    i, j, different = pairs_of(torch.tensor([[0, 0, 1, 1, 2, 2]]))
    loss = contrastive(distance(f[i], f[j]), different[0], 1.5).mean()
    loss.backward()
    torch.testing.assert_close(torch.tensor(result["force"]), -f.grad)
    assert result["loss"].mean() == pytest.approx(loss.item())


def test_trained_with_similar_pairs_only_the_loss_goes_to_0_and_the_nearest_example_hardly_beats_guessing(  # noqa: E501
    seen,
):
    fresh = test_episodes(few_classes(), 100, shots=1, queries=3, seed=9)
    run, learner = seen["similar"]
    assert sum(run.loss[-10:]) / 10 < 0.02 * run.loss[0]
    assert run.places[-1].norm(dim=1).max() < 0.1 * run.places[0].norm(dim=1).max()
    collapsed, good = evaluate(learner, fresh), evaluate(seen["all"][1], fresh)
    assert collapsed.mean - 1 / 6 < 0.2 * (good.mean - 1 / 6)


def test_in_the_scrubber_the_share_of_active_pairs_falls_in_ten_steps_and_then_stays_near_one_in_five(  # noqa: E501
    seen,
):
    active = seen["all"][0].active
    assert active[0] > 0.85 and sum(active[8:13]) / 5 < 0.3
    assert all(0.1 < sum(active[i : i + 20]) / 20 < 0.35 for i in range(10, 80, 10))


def test_the_curves_of_the_scrubber_begin_at_their_first_value():
    smooth = running_mean([1.0, 0.6, 0.5, 0.4, 0.3, 0.2])
    assert (
        smooth[0] == 1
        and smooth[-1] == 0.2
        and smooth[1] == pytest.approx(0.7)
        and smooth[2] == pytest.approx(0.56)
    )


def test_the_scrubber_opens_at_the_end_of_the_run_asked_for_and_leaves_out_drawings_that_overlap():
    explorer = embedding_scrubber(start="similar only")
    assert explorer.defaults == {"step": 20, "run": "similar only"}
    with pytest.raises(ValueError, match="choose one of all pairs, similar only"):
        embedding_scrubber(start="neither")


def test_the_explorers_sentence_adds_up():
    words = contrastive_margin().number(margin_walk(START, 1.5, 0, False, SHARED))
    total, similar, other = (float(n) for n in re.findall(r"\d+\.\d+", words))
    assert (
        total == pytest.approx((similar + other) / 15, abs=0.002)
        and "3 similar" in words
        and "12 dissimilar" in words
    )


def test_just_inside_the_margin_the_square_inside_pushes_hardest_and_not_at_all_where_drawings_lie_on_each_other():  # noqa: E501
    assert (
        push(0.99, "of square") == pytest.approx(1.98)
        and push(0.99, "plain") == 1
        and push(0.99) == pytest.approx(0.02)
    )
    assert push(0.001, "of square") == pytest.approx(0.002) and push(0.001) == pytest.approx(1.998)


def test_the_square_inside_stops_at_the_root_of_m():
    assert (
        push(1.9, "of square", margin=4.0) > 0
        and push(2.1, "of square", margin=4.0) == 0
        and push(2.1, margin=4.0) > 0
    )


def test_the_answer_to_koch_does_not_depend_on_which_picture_comes_first():
    koch, one, other = Koch(nn.Identity(), 4, seed=0), torch.randn(5, 4), torch.randn(5, 4)
    torch.testing.assert_close(koch.alike(one, other), koch.alike(other, one))


def test_characters_of_unseen_scripts_are_told_apart_far_better_than_by_pixels(results):
    for name in ("siamese", "koch"):
        ahead = paired(results[name], results["pixels"])
        assert ahead.mean - ahead.half_width > 0.3
    assert 0.35 < results["pixels"].mean < 0.47


def test_margins_of_4_and_10_are_level_on_training_scripts_and_far_above_1_and_2():
    mean = {margin: sum(s.mean for s in seeds) / 3 for margin, seeds in by_margin().items()}
    assert abs(mean[4.0] - mean[10.0]) < 0.01 and mean[4.0] - 0.04 > mean[2.0] > mean[1.0]
    low, high = named_run("siamese_margins").about()["scripts"]
    assert TRAINING.only[0] <= low < high <= TRAINING.only[1] <= HELD_OUT.only[0]


def test_at_equal_drawings_the_learner_that_does_not_adapt_is_ahead_of_maml():
    stored = named_run("look_scores").tensors()
    one, other = (Score(stored[f"held out/{n}"] / 25) for n in ("siamese", "maml, support"))
    ahead = paired(one, other)
    assert ahead.mean - ahead.half_width > 0.05


def test_one_network_has_three_accuracies_on_omniglot_by_classes_and_alphabets():
    five, twenty, within = (found for found in on_omniglot().values())
    for name in ("contrastive", "Koch"):
        assert five[name].mean - 0.1 > twenty[name].mean
        assert twenty[name].mean - within[name].mean > 0.1
        assert within[name].mean > within["pixels"].mean + 0.2


def turned(x, quarters):
    return sum(x.rot90(k, (-2, -1)) * (quarters == k)[..., None, None, None] for k in range(4))


def test_turned_together_classes_are_as_good_as_upright_and_turned_one_by_one_they_are_not(
    shipped, tasks, results
):
    g = torch.Generator().manual_seed(0)
    own = torch.randint(4, tasks.support_y.shape, generator=g)
    support = turned(tasks.support_x, own.gather(1, tasks.support_y))
    found = [
        evaluate(
            shipped["siamese"],
            Episode(support, tasks.support_y, turned(tasks.query_x, turns), tasks.query_y),
        )
        for turns in (
            own.gather(1, tasks.query_y),
            torch.randint(4, tasks.query_y.shape, generator=g),
        )
    ]
    assert abs(found[0].mean - results["siamese"].mean) < 0.03
    assert found[0].mean - found[1].mean > 0.2


def test_four_turns_of_one_character_are_harder_than_four_characters(shipped, tasks):
    four = torch.arange(4).expand(200, 4)
    asked = torch.arange(4).repeat_interleave(3).expand(200, 12)
    one = tasks.support_x[tasks.support_y == 0][:, None].expand(-1, 4, -1, -1, -1)
    its = tasks.query_x[tasks.query_y == 0].view(200, 3, 1, 28, 28).repeat(1, 4, 1, 1, 1)
    turns = evaluate(
        shipped["siamese"], Episode(turned(one, four), four, turned(its, asked), asked)
    )
    few, kept = tasks.support_y < 4, tasks.query_y < 4
    others = Episode(
        tasks.support_x[few].view(200, 4, 1, 28, 28),
        tasks.support_y[few].view(200, 4),
        tasks.query_x[kept].view(200, 12, 1, 28, 28),
        tasks.query_y[kept].view(200, 12),
    )
    harder = paired(evaluate(shipped["siamese"], others), turns)
    assert harder.mean - harder.half_width > 0


def test_in_32_numbers_training_brings_similar_pairs_nearer_and_hardly_moves_dissimilar_ones(
    shipped,
):
    D = {}
    for name, learner in {
        "before": MAKE["siamese"](),
        "after": copy.deepcopy(shipped["siamese"]),
    }.items():
        few = HELD_OUT.sample(
            1, shots=4, queries=4, generator=HELD_OUT.generator(6)
        )  # the notebook's task
        one, other, different = learner.train().all_pairs(
            few
        )  # both as in a training step: batch norm uses the batch
        apart = distance(one, other)
        D[name] = (
            apart[~different].mean(),
            apart[different].mean(),
            (apart < 4.0)[different].float().mean(),
        )
    assert D["before"][2] < D["after"][2] < 0.5, (
        "more active pairs than before, and still the smaller part"
    )
    assert D["after"][0] < 0.65 * D["before"][0] and 0.85 < D["after"][1] / D["before"][1] < 1.0


def test_scripts_held_out_share_no_character_with_training():
    assert TRAINING.only[1] == HELD_OUT.only[0] and HELD_OUT.only == (60, 80)


def test_on_characters_turned_by_a_quarter_far_less_is_right_though_more_than_guessing(
    shipped, tasks, results
):
    turned = Episode(
        tasks.support_x, tasks.support_y, tasks.query_x.rot90(1, (-2, -1)), tasks.query_y
    )
    score = evaluate(shipped["siamese"], turned)
    lost = paired(results["siamese"], score)
    assert lost.mean - lost.half_width > 0.25 and score.mean - score.half_width > 0.2


def test_no_weight_moves_while_the_reader_draws():
    pad, encoder = drawing.symbols(), drawing.encoder()
    before = [p.clone() for p in encoder.state_dict().values()]
    pad.draw("new", SHAPES["cross"])
    assert all(
        torch.equal(a, b) for a, b in zip(before, encoder.state_dict().values(), strict=True)
    )


def test_the_threshold_of_the_pads_comes_from_pairs_of_training_characters():
    few = TRAINING.sample(40, shots=1, queries=2, generator=TRAINING.generator(8))
    i, j, different = pairs_of(torch.cat([few.support_y, few.query_y], dim=1))
    x = torch.cat([few.support_x, few.query_x], dim=1)
    f = drawing.embed(x.flatten(0, 1)).view(40, x.shape[1], -1)
    D = distance(f[:, i], f[:, j])
    above, below = (
        (D[~different] > drawing.threshold()).float().mean(),
        (D[different] < drawing.threshold()).float().mean(),
    )
    assert drawing.threshold() == pytest.approx(2.79, abs=0.01) and abs(above - below) < 0.02


def test_pairs_are_shown_cut_to_their_ink_and_lose_none_of_it():
    x = torch.zeros(28, 28)
    x[3:9, 20:28] = 1
    half = drawing.half_side([x])
    assert (
        half == 5
        and drawing.cut(x, half).shape == (10, 10)
        and drawing.cut(x, half).sum() == x.sum()
    )


def test_clear_symbols_are_recognised_from_one_example_each():
    pad, right = drawing.symbols(), 0
    for hand in range(6):
        for letter, shape in zip("ABCDE", drawing.FIVE, strict=True):
            pad.draw("new", another_hand(SHAPES[shape], 100 + hand))
            right += pad.said.best == letter
    assert right >= 27, f"{right} of 30"


def test_the_pad_says_same_to_like_drawings_and_different_to_unlike_ones():
    pad = drawing.two_drawings()
    verdicts = {}
    for name, shape in (("same", "circle"), ("different", "cross")):
        pad.draw("one", another_hand(SHAPES["circle"], 4))
        pad.draw("other", another_hand(SHAPES[shape], 5))
        verdicts[name] = pad.said.text
    assert all(text.endswith(f"{name}.") for name, text in verdicts.items()), verdicts


def test_larger_drawings_are_the_same_to_the_network_and_an_asymmetric_symbol_on_its_side_is_not():
    small = [[(0.3 * x, 0.3 * y) for x, y in stroke] for stroke in SHAPES["gate"]]
    assert (render(small) - render(SHAPES["gate"])).abs().max() < 0.02
    gate = render(SHAPES["gate"])
    gate, on_side, other = drawing.embed(
        torch.stack([gate, gate.rot90(1), render(another_hand(SHAPES["gate"], 3))])[:, None]
    )
    assert math.dist(gate, on_side) > 2 * math.dist(gate, other)


@torch.no_grad()
def test_the_network_behind_the_pads_is_the_shipped_siamese_run(shipped):
    x = torch.rand(3, 1, 28, 28)
    torch.testing.assert_close(drawing.embed(x), shipped["siamese"].eval().encoder(x))


def test_the_pads_encoder_is_swapped_by_one_name():
    pad = drawing.symbols(name="strokes_koch")
    assert pad.said.text and drawing.threshold("strokes_koch") != drawing.threshold()
    assert all(
        "name" in inspect.signature(make).parameters
        for make in (drawing.two_drawings, drawing.symbols, drawing.threshold, drawing.encoder)
    )
