"""Siamese learners: the loss written out with loops, pairs, prediction by the nearest support
example, and collapse."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from toys import DEVICES

from course_lib.episodes import Episode
from course_lib.families import Strokes
from course_lib.learners import Koch, Siamese
from course_lib.learners.siamese import contrastive, distance, pairs_of
from course_lib.networks.small import conv4, mlp
from course_lib.training.evaluation import evaluate, test_episodes
from course_lib.training.outer_loop import Plan, meta_train

LEARNERS = {
    "siamese": lambda: Siamese(conv4(8, seed=0)),
    "koch": lambda: Koch(conv4(8, seed=0), 8, seed=0),
}
each_learner = pytest.mark.parametrize("make", LEARNERS.values(), ids=LEARNERS)


@pytest.fixture(scope="module")
def episode():
    family = Strokes(ways=3)
    return family.sample(4, shots=2, queries=3, generator=family.generator(0))


def vectors(dtype=torch.float64):
    """Two tasks of four support and two query vectors, which an identity encoder leaves as they
    are."""
    x = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0), dtype=dtype)
    y = torch.tensor([[0, 1, 0, 1, 1, 0], [1, 1, 0, 0, 0, 1]])
    return Episode(x[:, :4], y[:, :4], x[:, 4:], y[:, 4:])


def one_class_in_the_query_set_only():
    x, y = torch.rand(1, 1, 2), torch.ones(1, 1, dtype=torch.long)
    return Episode(x, y, x, 0 * y)


def items(e):
    return torch.cat([e.support_x, e.query_x], dim=1), torch.cat([e.support_y, e.query_y], dim=1)


def pair_by_hand(one, other, y, margin, hinge):
    squared = sum((p - q) ** 2 for p, q in zip(one.tolist(), other.tolist(), strict=True))
    plain = math.sqrt(squared)
    if y == 0:
        return squared
    return {
        "squared": max(0, margin - plain) ** 2,
        "plain": max(0, margin - plain),
        "of square": max(0, margin - squared),
    }[hinge]


@pytest.mark.parametrize("hinge", ["squared", "plain", "of square"])
@pytest.mark.parametrize("pairs", ["balanced", "all", "similar"])
def test_the_outer_loss_is_the_formula_written_out_with_loops(hinge, pairs):
    e, margin = vectors(), 1.7
    losses = {0: [], 1: []}
    for x, y in zip(*items(e), strict=True):
        for i in range(6):
            for j in range(i + 1, 6):
                different = int(y[i] != y[j])
                losses[different].append(pair_by_hand(x[i], x[j], different, margin, hinge))
    mean = lambda numbers: sum(numbers) / len(numbers)  # noqa: E731
    wanted = {
        "balanced": (mean(losses[0]) + mean(losses[1])) / 2,
        "all": mean(losses[0] + losses[1]),
        "similar": mean(losses[0]),
    }[pairs]
    assert Siamese(nn.Identity(), margin, hinge=hinge, pairs=pairs).outer_loss(
        e
    ).item() == pytest.approx(wanted, rel=1e-9)


def test_y_is_0_for_similar_and_1_for_dissimilar():
    D = torch.tensor([0.5, 0.5, 2.0, 2.0])
    assert contrastive(D, torch.tensor([0, 1, 0, 1]), 1.0).tolist() == [0.25, 0.25, 4.0, 0.0]


def test_the_three_hinges_are_three_losses():
    D, y = torch.tensor([0.5, 0.9, 1.2]), torch.ones(3)
    by_hand = {
        "squared": [1.0, 0.36, 0.09],
        "plain": [1.0, 0.6, 0.3],
        "of square": [1.25, 0.69, 0.06],
    }
    for hinge, wanted in by_hand.items():
        assert contrastive(D, y, 1.5, hinge).tolist() == pytest.approx(wanted, abs=1e-6)


def test_koch_is_the_formula_written_out_with_loops_and_y_is_1_for_the_same_class():
    e, losses = vectors(), {0: [], 1: []}
    koch = Koch(nn.Identity(), 3, pairs="balanced", seed=1).double()
    a, b = koch.weigh.weight[0].tolist(), koch.weigh.bias.item()
    for x, y in zip(*items(e), strict=True):
        for i in range(6):
            for j in range(i + 1, 6):
                logit = b + sum(
                    w * abs(p - q) for w, p, q in zip(a, x[i].tolist(), x[j].tolist(), strict=True)
                )
                p, same = 1 / (1 + math.exp(-logit)), int(y[i] == y[j])
                losses[same].append(-same * math.log(p) - (1 - same) * math.log(1 - p))
    wanted = sum(sum(part) / len(part) for part in losses.values()) / 2
    assert koch.outer_loss(e).item() == pytest.approx(wanted, rel=1e-9)


def test_the_nearest_support_example_decides():
    e = vectors()
    logits = Siamese(nn.Identity())(e)
    for task in range(2):
        for query in range(2):
            D = {n: [] for n in (0, 1)}
            for x, y in zip(e.support_x[task], e.support_y[task].tolist(), strict=True):
                D[y].append(math.dist(x.tolist(), e.query_x[task, query].tolist()))
            assert logits[task, query].tolist() == pytest.approx([-min(D[0]), -min(D[1])], rel=1e-9)


def test_koch_answers_with_the_support_example_of_highest_p():
    e, koch = vectors(), Koch(nn.Identity(), 3, seed=1).double()
    for (sx, sy, qx, _), logits in zip(e, koch(e), strict=True):
        p = torch.stack(
            [torch.sigmoid((x - sx).abs() @ koch.weigh.weight[0] + koch.weigh.bias) for x in qx]
        )
        assert torch.equal(sy[p.argmax(1)], logits.argmax(1))


def test_pairs_of_four_items():
    i, j, different = pairs_of(torch.tensor([[0, 1, 0, 1]]))
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == [
        (0, 1),
        (0, 2),
        (0, 3),
        (1, 2),
        (1, 3),
        (2, 3),
    ]
    assert different.tolist() == [[True, False, True, True, False, True]]


@each_learner
@pytest.mark.parametrize("device", DEVICES)
def test_every_parameter_gets_a_gradient_on_every_device(make, device):
    family = Strokes(ways=3, device=device)
    learner = make().to(device)
    learner.outer_loss(
        family.sample(2, shots=1, queries=2, generator=family.generator(0))
    ).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in learner.parameters())
    assert sum(p.grad.abs().sum() for p in learner.parameters()) > 0


@each_learner
def test_other_names_for_the_classes_change_nothing_else(make, episode):
    learner, new = make(), torch.tensor([2, 0, 1])
    renamed = Episode(
        episode.support_x, new[episode.support_y], episode.query_x, new[episode.query_y]
    )
    learner(episode)  # batch norm has seen something
    learner.eval()
    torch.testing.assert_close(learner(renamed)[..., new], learner(episode))
    torch.testing.assert_close(learner.outer_loss(renamed), learner.outer_loss(episode))


@each_learner
def test_one_query_at_a_time_equals_all_at_once(make, episode):
    learner = make()
    learner(episode)
    learner.eval()
    for (sx, sy, qx, _), together in zip(episode, learner(episode), strict=True):
        alone = torch.cat([learner.predict(sx, sy, x[None]) for x in qx])
        torch.testing.assert_close(alone, together, atol=1e-5, rtol=1e-5)


@each_learner
def test_it_learns_held_out_characters_and_falls_to_chance_with_shuffled_support_labels(make):
    training, held_out = Strokes(scripts=20).split(5)
    learner = make()
    meta_train(
        learner,
        training,
        Plan(outer_steps=40, tasks=4, shots=1, queries=3, beta=0.005),
        progress=False,
    )
    episodes = test_episodes(held_out, 100, shots=1, queries=4, seed=1)
    score = evaluate(learner, episodes)
    assert score.mean - score.half_width > 0.35 and score.chance == pytest.approx(0.2)
    mixed = torch.rand(100, 5, generator=torch.Generator().manual_seed(0)).argsort(1)
    shuffled = Episode(episodes.support_x, mixed, episodes.query_x, episodes.query_y)
    score = evaluate(learner, shuffled)
    assert abs(score.mean - 0.2) < 2 * score.half_width


def test_equal_pictures_give_finite_gradients():
    x = torch.rand(1, 1, 1, 28, 28).expand(1, 4, 1, 28, 28)
    e = Episode(x[:, :2], torch.tensor([[0, 1]]), x[:, 2:], torch.tensor([[0, 1]]))
    for make in LEARNERS.values():
        learner = make()
        learner.outer_loss(e).backward()
        assert all(torch.isfinite(p.grad).all() for p in learner.parameters() if p.grad is not None)
    one = torch.zeros(3, requires_grad=True)
    distance(one, torch.zeros(3)).backward()
    assert torch.isfinite(one.grad).all()


def test_with_similar_pairs_only_everything_collapses_into_one_point():
    x = torch.randn(1, 12, 4, generator=torch.Generator().manual_seed(0))
    y = torch.arange(3).repeat(4)[None]
    e = Episode(x[:, :6], y[:, :6], x[:, 6:], y[:, 6:])
    spread = {}
    for pairs in ("similar", "all"):
        learner = Siamese(mlp(4, 2, hidden=(16,), seed=0), pairs=pairs)
        optimizer = torch.optim.Adam(learner.parameters(), lr=0.01)
        for _ in range(600):
            optimizer.zero_grad()
            loss = learner.outer_loss(e)
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            f = torch.cat(learner.embed(e), dim=1)[0]
        spread[pairs] = torch.pdist(f).max().item()
        if pairs == "similar":
            assert loss < 1e-4
    assert spread["similar"] < 0.1 < 1 < spread["all"]


@each_learner
def test_settings_name_everything_that_decides_the_numbers(make):
    assert {"learner", "network", "pairs"} <= make().settings().keys()


def test_margin_and_hinge_are_settings():
    one, other = (
        Siamese(nn.Identity(), 1.0).settings(),
        Siamese(nn.Identity(), 2.0, hinge="plain").settings(),
    )
    assert (one["margin"], one["hinge"]) == (1.0, "squared") and (
        other["margin"],
        other["hinge"],
    ) == (2.0, "plain")


class OnASphere(nn.Module):
    def forward(self, x):
        return F.normalize(x, dim=-1)


@pytest.mark.parametrize(
    "encoder, hinge, largest",
    [
        (OnASphere(), "squared", 2.0),
        (OnASphere(), "plain", 2.0),
        (OnASphere(), "of square", 4.0),
        (nn.Sequential(nn.Linear(3, 4), nn.Sigmoid()), "squared", 2.0),
        (nn.Sequential(nn.Linear(3, 4), nn.Tanh()), "squared", 4.0),
    ],
)
def test_a_margin_that_no_pair_can_reach_is_refused(encoder, hinge, largest):
    tasks = vectors(torch.float32)
    assert Siamese(encoder, largest, hinge=hinge).outer_loss(tasks).isfinite()
    beyond = Siamese(encoder, largest + 0.1, hinge=hinge)
    with pytest.raises(ValueError, match=rf"margin={beyond.margin:g}: .* at most {largest:g}"):
        beyond.outer_loss(tasks)


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda: Siamese(nn.Identity(), 0.0), "margin=0.0"),
        (lambda: Siamese(nn.Identity(), math.inf), "margin=inf"),
        (
            lambda: Siamese(nn.Identity(), hinge="soft"),
            "hinge='soft': choose one of squared, plain, of square",
        ),
        (
            lambda: Siamese(nn.Identity(), pairs="hard"),
            "pairs='hard': choose one of all, balanced, similar",
        ),
        (lambda: Siamese("conv4"), "encoder 'conv4': give a network"),
        (lambda: Koch(nn.Identity(), 0), "features=0"),
        (
            lambda: Koch(nn.Identity(), 5)(vectors(torch.float32)),
            "the encoder gives 3 features and features=5",
        ),
        (lambda: contrastive(torch.ones(3), torch.ones(2)), "one y for each pair"),
        (
            lambda: contrastive(torch.ones(2), torch.tensor([-1, 1])),
            "y must be 0 for a similar pair",
        ),
        (lambda: pairs_of(torch.rand(2, 3)), "whole class numbers"),
        (
            lambda: Siamese(nn.Identity(), pairs="balanced").outer_loss(
                vectors().map(lambda t: t * 0)
            ),
            "2 classes",
        ),
        (lambda: Siamese(nn.Identity())(one_class_in_the_query_set_only()), "no support example"),
    ],
)
def test_bad_input_is_refused_in_words(make, says):
    with pytest.raises(ValueError, match=says):
        make()
