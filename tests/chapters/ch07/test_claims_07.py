"""What chapter 07 says about metric learners, each sentence as a test."""

import pytest
import torch
from torch import nn

from course_lib.chapters import named_run
from course_lib.chapters.ch07 import explorers, own_folder
from course_lib.chapters.ch07.exercises import border, left_out, one_more
from course_lib.chapters.ch07.explorers import (
    FRESH,
    attend,
    bank,
    boundaries,
    embed,
    five_drawings,
    measured,
    shipped_learner,
    sketch_and_curve,
)
from course_lib.chapters.ch07.study import BESIDE, digit_score, digit_tasks
from course_lib.episodes import Episode
from course_lib.families import Strokes, own_pictures
from course_lib.learners import Matching, Prototypical
from course_lib.learners.none_of_these import best_scores, threshold, with_foreign_queries
from course_lib.learners.prototypical import prototypes
from course_lib.networks.small import conv4
from course_lib.training.evaluation import evaluate, paired, test_episodes
from course_lib.training.outer_loop import Plan, meta_train

DEFAULTS = explorers.prototypes_and_boundaries().defaults


@pytest.fixture(scope="module")
def f():
    return shipped_learner("prototypical").encoder


@pytest.fixture(scope="module")
def drawn():
    return {
        shots: test_episodes(FRESH, 150, shots=shots, queries=3, seed=12 + shots)
        for shots in (1, 5)
    }


@pytest.fixture(scope="module")
def one_shot(drawn, f):
    return embed(f, drawn[1])


@pytest.fixture(scope="module")
def five_shot(drawn, f):
    return embed(f, drawn[5])


def pairs_of_characters(f, episodes, shots):
    """Five classes of two characters each, with ``shots`` drawings of either character."""
    ten = embed(
        f, test_episodes(Strokes(ways=10, seed=1), episodes, shots=shots, queries=1, seed=16)
    )
    return Episode(ten.support_x, ten.support_y // 2, ten.query_x, ten.query_y // 2)


class NearestExample(Prototypical):
    """The classifier of the section on one wrong label, written differently."""

    def compare(self, support, support_y, query):
        distance, ways = torch.cdist(query, support), int(support_y.max()) + 1
        return torch.stack(
            [
                torch.where((support_y == n)[:, None], -distance, -torch.inf).amax(-1)
                for n in range(ways)
            ],
            dim=-1,
        )


def test_the_characters_of_the_test_are_no_characters_of_training():
    ink = [Strokes(seed=seed, sloppiness=0).draw(torch.arange(2000)).flatten(1) for seed in (0, 1)]
    assert torch.cdist(*ink).min() > 0.5


def test_a_query_drawing_shows_whom_it_looks_at():
    support_x, support_y, query_x, query_y = five_drawings()
    learner = shipped_learner("matching")
    with torch.no_grad():
        support, queries = learner.encoder(support_x), learner.encoder(query_x)
        attention = learner.attention(support[None], queries[None])[0]
    for query in range(len(query_y)):
        shown = attend(query, 5, 10)
        assert shown["truth"] == query_y[query]
        torch.testing.assert_close(
            shown["attention"].flatten(), attention[query], rtol=1e-4, atol=1e-6
        )


def test_attention_is_nearly_even_with_a_bare_cosine_and_gathers_on_one_drawing_as_the_factor_grows():  # noqa: E501
    most = [attend(0, 5, scale)["attention"].max().item() for scale in (1, 3, 10, 30)]
    assert most == sorted(most) and most[0] < 2 / 25 and most[-1] > 4 * most[0]


def test_squared_and_plain_distance_colour_the_ground_alike_and_are_not_equally_sure():
    squared, plain, cosine = (
        boundaries(**{**DEFAULTS, "distance": d}) for d in ("squared", "plain", "cosine")
    )
    assert squared["ground"].argmax(-1).equal(plain["ground"].argmax(-1)) and not squared[
        "ground"
    ].argmax(-1).equal(cosine["ground"].argmax(-1))
    assert squared["confidence"] > plain["confidence"] + 0.1


def test_the_borders_of_the_cosine_are_rays_from_zero():
    y = torch.arange(3).repeat_interleave(4)
    points = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    near, far = (
        explorers.classify(size * points, torch.tensor(DEFAULTS["support"]), y, "cosine")[1].argmax(
            1
        )
        for size in (0.3, 30)
    )
    assert near.equal(far)


def test_dragging_the_outlier_away_pulls_the_prototype_however_far_and_unticking_it_stops_that():
    near, far = (boundaries(**{**DEFAULTS, "outlier": ((x, 0.6),)}) for x in (3.0, 7.0))
    assert (far["prototypes"][0] - near["prototypes"][0])[0].item() == pytest.approx(
        4 / 5, rel=1e-5
    )
    without = [
        boundaries(**{**DEFAULTS, "outlier": ((x, 0.6),), "counts": False})["prototypes"]
        for x in (3.0, 7.0)
    ]
    assert without[0].equal(without[1])


def test_training_helps_on_characters_never_seen_and_pixels_and_random_networks_are_above_chance(
    drawn, f
):
    scores = [
        evaluate(Prototypical(encoder), drawn[1], batch=20)
        for encoder in (conv4(32, seed=0), nn.Flatten(), f)
    ]
    assert all(score.mean - score.half_width > 0.2 for score in scores)
    for worse in scores[:2]:
        assert paired(scores[2], worse).mean > 0.3


def test_squared_and_plain_distance_answer_alike_with_other_confidences(five_shot, f):
    with torch.no_grad():
        squared, plain = (
            Prototypical(nn.Identity(), distance)(five_shot) for distance in ("squared", "plain")
        )
    assert squared.argmax(-1).equal(plain.argmax(-1))
    assert squared.softmax(-1).amax(-1).mean() > plain.softmax(-1).amax(-1).mean() + 0.1


def test_at_one_shot_matching_and_prototypes_with_the_same_distance_are_the_same_function(
    one_shot, f
):
    with torch.no_grad():
        matching, by_prototypes = (
            Matching(nn.Identity())(one_shot),
            Prototypical(nn.Identity(), "cosine")(one_shot),
        )
    torch.testing.assert_close(matching.exp(), by_prototypes.softmax(-1), rtol=1e-4, atol=1e-5)


def test_accuracy_falls_more_slowly_than_chance_as_ways_grow_and_rises_with_shots(f):
    means = {ways: measured(ways).mean(1) for ways in (5, 20)}
    assert all((m.diff() > 0).all() for m in means.values())
    fall = means[5][0] / means[20][0]
    assert 1.05 < fall < 2  # chance falls by a factor of 4


def test_the_measured_curve_is_that_of_real_episodes(one_shot, f):
    score, curve = evaluate(Prototypical(nn.Identity()), one_shot), measured(5)[0]
    half = 1.96 * curve.std().item() / len(curve) ** 0.5
    assert abs(100 * score.mean - curve.mean().item()) < 1.5 * (half + 100 * score.half_width)
    assert len(bank()) == 200


def test_a_sketch_that_is_the_curve_is_off_by_nothing():
    sketch = tuple(enumerate(measured(10).mean(1).tolist()))
    assert sketch_and_curve(sketch, 10, True)["off"] < 1e-4


def test_one_wrong_label_costs_nearest_example_more_than_prototypes(five_shot, f):
    wrong = five_shot.support_y.clone()
    for row in wrong:
        row[(row == 0).nonzero()[0]] = 1
    mislabelled = Episode(five_shot.support_x, wrong, five_shot.query_x, five_shot.query_y)
    lost = [
        paired(evaluate(learner, five_shot), evaluate(learner, mislabelled))
        for learner in (Prototypical(nn.Identity()), NearestExample(nn.Identity()))
    ]
    more = paired(lost[1], lost[0])
    assert lost[0].mean >= 0 and more.mean > more.half_width


def test_the_wrong_label_harms_above_all_the_class_that_the_drawing_belongs_to(five_shot, f):
    wrong = five_shot.support_y.clone()
    wrong.scatter_(1, (wrong == 0).float().argmax(1, keepdim=True), 1)
    mislabelled = Episode(five_shot.support_x, wrong, five_shot.query_x, five_shot.query_y)
    with torch.no_grad():
        right = [
            NearestExample(nn.Identity())(e).argmax(-1) == e.query_y
            for e in (five_shot, mislabelled)
        ]
    lost = [(right[0] & ~right[1])[five_shot.query_y == n].float().mean().item() for n in range(5)]
    assert lost[0] > 3 * max(lost[1:])


def test_a_class_of_two_characters_is_no_point(f):
    two_faced = pairs_of_characters(f, 80, shots=5)
    by_mean, nearest = (
        evaluate(Prototypical(nn.Identity()), two_faced),
        evaluate(NearestExample(nn.Identity()), two_faced),
    )
    gain = paired(nearest, by_mean)
    assert gain.mean - gain.half_width > 0.1


def test_matching_survives_two_faces_on_its_own_encoder_and_not_on_the_one_of_prototypes(f):
    own = named_run("strokes_matching_small").load().encoder
    scores = {}
    for name, encoder in (("foreign", f), ("own", own)):
        two_faced = pairs_of_characters(encoder, 150, shots=5)
        scores[name] = [
            evaluate(learner(nn.Identity()), two_faced)
            for learner in (Matching, NearestExample, Prototypical)
        ]
    matching, nearest, by_mean = scores["own"]
    assert abs(paired(matching, nearest).mean) < 0.03
    gain = paired(matching, by_mean)
    assert gain.mean - gain.half_width > 0.1
    matching, nearest, by_mean = scores["foreign"]
    assert paired(nearest, matching).mean > 0.1 > paired(matching, by_mean).mean > 0


def test_more_drawings_do_not_mend_a_class_of_two_characters(f):
    found = {}
    for shots in (5, 20):
        two_faced = pairs_of_characters(f, 40, shots)
        found[shots] = (
            evaluate(Prototypical(nn.Identity()), two_faced),
            evaluate(NearestExample(nn.Identity()), two_faced),
        )
    assert found[20][0].mean < found[5][1].mean


def test_an_embedding_does_not_depend_on_the_task_and_prototypes_do(f):
    tasks = test_episodes(FRESH, 2, shots=5, queries=1, seed=5)
    drawing = five_drawings()[0][:1]
    both = torch.cat([tasks.support_x, drawing[None].expand(2, -1, -1, -1, -1)], dim=1)
    y = torch.cat([tasks.support_y, torch.zeros(2, 1, dtype=torch.int64)], dim=1)
    with torch.no_grad():
        points, _ = Prototypical(f).eval().embed(Episode(both, y, tasks.query_x, tasks.query_y))
    torch.testing.assert_close(points[0, -1], points[1, -1])
    assert (prototypes(points, y)[0, 0] - prototypes(points, y)[1, 0]).norm() > 0.5


def test_relation_trained_at_one_shot_falls_to_near_chance_at_five_and_means_in_place_of_sums_mend_it(  # noqa: E501
    drawn,
):
    relation = shipped_learner("relation")
    five, found = embed(relation.encoder, drawn[5]), {}
    means = prototypes(five.support_x, five.support_y)
    with torch.no_grad():
        for name, support, y in (
            ("sums", five.support_x, five.support_y),
            ("means", means, torch.arange(5).expand(len(means), -1)),
        ):
            found[name] = (
                (relation.compare(support, y, five.query_x).argmax(-1) == five.query_y)
                .float()
                .mean()
                .item()
            )
    one = evaluate(relation, drawn[1], batch=20)
    assert found["sums"] < 0.35 and one.mean > 0.75 and found["means"] > one.mean


def test_matching_and_prototypes_come_out_alike_at_one_shot_and_relation_lies_behind(drawn):
    scores = {
        name: evaluate(shipped_learner(name), drawn[1], batch=20)
        for name in ("matching", "prototypical", "relation")
    }
    for name, least in (("matching", -0.04), ("relation", -0.09)):
        gap = paired(scores[name], scores["prototypical"])
        assert least < gap.mean < (0.04 if name == "matching" else -gap.half_width)


def test_the_network_trained_with_20_ways_is_better_at_5_ways(drawn):
    wide = named_run("strokes_prototypical_20way_small").load()
    narrow = shipped_learner("prototypical")
    gain = paired(evaluate(wide, drawn[1], batch=20), evaluate(narrow, drawn[1], batch=20))
    assert gain.mean > gain.half_width


def test_order_matters_to_a_full_context_network_whatever_its_weights_and_not_to_plain_matching():
    support_x, support_y, query_x, _ = five_drawings()
    full = [
        Matching(conv4(32, seed=s), full_context=True, features=32, seed=s).eval() for s in (1, 2)
    ]
    for learner, changes in (
        (shipped_learner("matching"), False),
        *((learner, True) for learner in full),
    ):
        with torch.no_grad():
            there, back = (
                learner.predict(x, y, query_x).exp()
                for x, y in ((support_x, support_y), (support_x.flip(0), support_y.flip(0)))
            )
        assert ((there - back).abs().max() > 1e-3) == changes


def test_a_drawing_more_is_as_if_it_had_been_there_from_the_start():
    points = torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(0))
    c = points[:, :5].mean(1)
    c[[0, 2]] = points[[0, 2]].mean(1)
    torch.testing.assert_close(one_more(c, 5, points[1, 5], 1), points.mean(1))


def test_the_border_lies_half_way_at_a_right_angle_and_is_positive_where_a_wins():
    c_a, c_b = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    w, b = border(c_a, c_b)
    assert (w @ (c_a + c_b) / 2 + b).abs() < 1e-5 and w @ c_a + b > 0 > w @ c_b + b
    torch.testing.assert_close(w / w.norm(), (c_a - c_b) / (c_a - c_b).norm())


def test_votes_of_the_others_find_a_wrong_label_and_at_one_shot_find_nothing():
    support_x, support_y, _, _ = five_drawings()
    with torch.no_grad():
        points = shipped_learner("matching").encoder(support_x)
    ranks = []
    for i, right in enumerate(support_y.tolist()):
        wrong = support_y.clone()
        wrong[i] = (right + 1) % 5
        ranks.append(
            int((left_out(points, wrong, 5).gather(1, wrong[:, None])[:, 0]).argmin()) == i
        )
    assert sum(ranks) > len(ranks) / 2
    alone = left_out(points[::5], support_y[::5], 5)
    assert alone.diagonal().eq(0).all()


def test_a_bare_cosine_learns_more_slowly():
    tasks, found = test_episodes(FRESH, 100, shots=1, queries=5, seed=2), {}
    for scale in (1.0, 10.0):
        learner = Matching(conv4(16, seed=0), scale=scale)
        meta_train(
            learner,
            Strokes(),
            Plan(outer_steps=150, tasks=2, shots=1, queries=5, beta=2e-3),
            progress=False,
        )
        found[scale] = evaluate(learner, tasks, batch=20)
    gain = paired(found[10.0], found[1.0])
    assert gain.mean > gain.half_width


# --- one's own pictures, and none of these --------------------------------------------------------


def test_two_of_the_three_new_pictures_are_recognised_and_the_third_answer_is_not_sure(capsys):
    folder, files = own_folder.example_folder()
    mine = own_pictures(folder, ways=3)
    answers = mine.recognise(shipped_learner("prototypical"), *files)
    best = [next(iter(answer.items())) for answer in answers]
    assert [name for name, _ in best][:2] == mine.names[:2] and best[2][0] != mine.names[2]
    assert best[2][1] < 0.6 < min(p for _, p in best[:2])
    assert capsys.readouterr().out == ""  # nothing of the folder was left out


@pytest.fixture(scope="module")
def prices():
    """By learner and share asked for: the share kept, and the share of foreign queries caught."""
    chosen_on, asked = (
        with_foreign_queries(test_episodes(family, 100, shots=1, queries=2, seed=14), ways=5)
        for family in (Strokes(ways=10), Strokes(ways=10, seed=1))
    )
    both = {"pixels": Prototypical(nn.Flatten()), "f": shipped_learner("prototypical").eval()}
    found = {}
    for name, learner in both.items():
        before, _, _ = best_scores(learner, *chosen_on)
        belong, foreign, _ = best_scores(learner, *asked)
        for keep in (0.99, 0.95, 0.8):
            limit = threshold(before, keep)
            found[name, keep] = [
                share.float().mean().item() for share in (belong > limit, foreign <= limit)
            ]
    return found


def test_the_share_kept_is_near_the_one_asked_for(prices):
    assert all(abs(kept - keep) < 0.06 for (_, keep), (kept, _) in prices.items())


def test_pixels_decline_no_better_than_a_coin_and_f_does(prices):
    for keep in (0.99, 0.95, 0.8):
        (_, of_pixels), (_, of_f) = prices["pixels", keep], prices["f", keep]
        assert abs(of_pixels - (1 - keep)) < 0.05
        assert of_f > of_pixels + 0.08 and of_f < 0.85  # and many still pass


# --- where the generated characters end -----------------------------------------------------------


def test_on_digits_the_first_encoder_is_below_pixels_and_the_sturdy_one_above():
    """Stored scores: `python -m course_lib train digits_scores`."""
    for shots in (1, 5):
        score = {name: digit_score(f"digits, {shots}-shot: {name}") for name in BESIDE}
        pixels = max(
            (score["pixels, nearest example"], score["pixels, prototypes"]), key=lambda s: s.mean
        )
        worse = paired(pixels, score["strokes_prototypical"])
        better = paired(score["strokes_sturdy"], pixels)
        assert worse.mean > worse.half_width and better.mean > better.half_width
    there = {name: digit_score(f"Omniglot, 1-shot: {name}").mean for name in BESIDE}
    assert there["strokes_prototypical"] > there["strokes_sturdy"] > 0.9


@pytest.mark.parametrize("name", ["pixels, nearest example", "strokes_sturdy"])
def test_the_stored_scores_of_digits_are_those_of_today(name):
    tasks = digit_tasks(1, 1000, 26)[:60]
    today, stored = evaluate(BESIDE[name](), tasks).per_episode, digit_score(
        f"digits, 1-shot: {name}"
    ).per_episode[:60]  # fmt: skip
    assert (today - stored).abs().mean() < 0.01
