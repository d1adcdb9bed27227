"""Scores and their intervals."""

import math
import statistics

import pytest
import torch
from toys import DEVICES, WAYS, episode, smooth

from course_lib.episodes import Episode
from course_lib.families import Sinusoids
from course_lib.learners import MAML, Learner
from course_lib.training.evaluation import (
    Score,
    accuracy,
    evaluate,
    evaluate_each_step,
    paired,
    squared_error,
    usual_batch,
)
from course_lib.training.evaluation import test_episodes as fresh_episodes


class Echo(Learner):
    """Predicts the query inputs themselves, so that a test can write the predictions it wants."""

    def predict(self, support_x, support_y, query_x):
        return query_x


def test_mean_and_interval_follow_the_textbook():
    numbers = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.5]
    score = Score(torch.tensor(numbers))
    assert score.mean == pytest.approx(statistics.mean(numbers))
    assert score.half_width == pytest.approx(1.96 * statistics.stdev(numbers) / math.sqrt(7))
    assert str(score) == "MSE 3.643 ± 2.059 (7 episodes)"
    assert (
        str(Score(torch.tensor([0.5, 1.0]), "accuracy", chance=0.2))
        == "accuracy 0.750 ± 0.490 (2 episodes, chance 0.2)"
    )


@pytest.mark.parametrize(
    "draw", [torch.randn, lambda *shape, generator: -torch.rand(*shape, generator=generator).log()]
)
def test_the_interval_holds_the_truth_95_times_in_100(draw):
    repeats, generator = 3000, torch.Generator().manual_seed(0)
    scores = [Score(numbers) for numbers in draw(repeats, 300, generator=generator)]
    truth = 0.0 if draw is torch.randn else 1.0
    held = sum(abs(score.mean - truth) < score.half_width for score in scores) / repeats
    assert held == pytest.approx(0.95, abs=0.013)  # three standard errors of 3000 repeats


def test_mse_and_accuracy_are_counted_per_episode():
    predictions, targets = (
        torch.tensor([[[1.0], [2.0]], [[0.0], [4.0]]]),
        torch.tensor([[[1.0], [0.0]], [[3.0], [4.0]]]),
    )
    assert squared_error(predictions, targets).tolist() == [2.0, 4.5]
    logits = torch.tensor([[[2.0, 1.0, 0.0], [0.0, 1.0, 2.0]], [[0.0, 5.0, 1.0], [9.0, 0.0, 1.0]]])
    assert accuracy(logits, torch.tensor([[0, 2], [1, 1]])).tolist() == [1.0, 0.5]


def test_classes_are_scored_by_accuracy_beside_chance():
    logits = torch.eye(4)[torch.tensor([[0, 1, 2, 3], [0, 0, 0, 0]])]
    labels = torch.arange(4).expand(2, 4)
    score = evaluate(Echo(), Episode(torch.zeros(2, 4, 4), labels, logits, labels))
    assert (score.metric, score.chance, score.per_episode.tolist()) == (
        "accuracy",
        0.25,
        [1.0, 0.25],
    )


def test_regression_is_scored_by_mse_without_chance():
    score = evaluate(MAML(smooth(), alpha=0.1, steps=2), episode(tasks=6))
    by_hand = [
        (MAML(smooth(), alpha=0.1, steps=2).predict(sx, sy, qx) - qy).square().mean().item()
        for sx, sy, qx, qy in episode(tasks=6)
    ]
    assert (score.metric, score.chance) == ("MSE", None)
    assert score.per_episode.tolist() == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_the_batch_size_changes_no_number(way):
    learner, tasks = MAML(smooth(), alpha=0.1, steps=2, way=way), episode(tasks=7)
    at_once = evaluate(learner, tasks).per_episode
    for batch in (1, 3, 7):
        torch.testing.assert_close(
            evaluate(learner, tasks, batch=batch).per_episode, at_once, rtol=1e-12, atol=1e-12
        )
    steps = [
        torch.stack([s.per_episode for s in evaluate_each_step(learner, tasks, 2, batch=batch)])
        for batch in (3, 100)
    ]
    torch.testing.assert_close(steps[0], steps[1], rtol=1e-12, atol=1e-12)


def test_each_step_is_scored_like_a_learner_with_that_many_steps():
    scores = evaluate_each_step(MAML(smooth(), alpha=0.1, steps=1), episode(), steps=3)
    for steps, score in enumerate(scores):
        alone = evaluate(MAML(smooth(), alpha=0.1, steps=steps), episode())
        torch.testing.assert_close(score.per_episode, alone.per_episode, rtol=1e-12, atol=1e-12)
    assert len(scores) == 4


def test_a_paired_interval_is_narrower_for_learners_that_err_on_the_same_episodes():
    tasks = episode(tasks=200)
    one, other = (evaluate(MAML(smooth(), alpha=alpha, steps=1), tasks) for alpha in (0.05, 0.06))
    difference = paired(one, other)
    each = [
        a - b for a, b in zip(one.per_episode.tolist(), other.per_episode.tolist(), strict=True)
    ]
    assert difference.mean == pytest.approx(statistics.mean(each), rel=1e-9)
    assert difference.half_width == pytest.approx(
        1.96 * statistics.stdev(each) / math.sqrt(200), rel=1e-9
    )
    assert difference.half_width < 0.2 * min(one.half_width, other.half_width)
    assert str(difference).startswith("difference in MSE")


@pytest.mark.parametrize("device", DEVICES)
def test_everyone_who_asks_with_a_seed_meets_the_same_episodes(device):
    family = Sinusoids(device=device)
    one, again, other = (
        fresh_episodes(family, 5, shots=2, queries=3, seed=seed) for seed in (1, 1, 2)
    )
    assert one.query_y.equal(again.query_y) and not one.query_y.equal(other.query_y)
    score = evaluate(MAML(smooth().float().to(device)), one)
    assert len(score) == 5 and score.per_episode.device.type == device


@pytest.mark.parametrize(
    "use, says",
    [
        (lambda: Score(torch.ones(1)).half_width, "an interval needs at least 2 episodes"),
        (
            lambda: paired(Score(torch.ones(3)), Score(torch.ones(4))),
            "3 and 4 episodes: score both learners on the same",
        ),
        (lambda: evaluate(Echo(), episode(), batch=0), "batch=0"),
        (lambda: fresh_episodes(Sinusoids(), 0, shots=1, queries=1, seed=0), "episodes=0"),
        (lambda: fresh_episodes(Sinusoids(), 2, shots=0, queries=1, seed=0), "shots=0"),
    ],
)
def test_what_gives_no_score_is_refused(use, says):
    with pytest.raises(ValueError, match=says):
        use()


def test_a_family_that_gives_nan_is_refused():
    class Broken(Sinusoids):
        def sample(self, tasks, **counts):
            return super().sample(tasks, **counts).map(lambda tensor: tensor / 0)

    with pytest.raises(ValueError, match="support_x holds NaN or infinity"):
        fresh_episodes(Broken(), 2, shots=1, queries=1, seed=0)


def test_a_perfect_score_still_has_an_interval():
    """Of n right answers in n trials Wilson's lower end is n / (n + 1.96^2)."""
    for share in (1.0, 0.0):
        score = Score(torch.full((50,), share), "accuracy", chance=0.5)
        assert score.half_width == pytest.approx(1.96**2 / (50 + 1.96**2))
    assert str(Score(torch.ones(600), "accuracy", 0.2)) == (
        "accuracy 1.000 ± 0.006 (600 episodes, chance 0.2)"
    )
    assert Score(torch.zeros(50)).half_width == 0.0  # an error of 0 everywhere is no share
    level = Score(torch.full((50,), 0.8), "accuracy", 0.2)
    assert level.half_width == pytest.approx(0.131, abs=2e-3)


def test_the_usual_batch_is_smaller_for_larger_items():
    curves = Episode(*(torch.zeros(300, 10, 1) for _ in range(4)))
    x, y = torch.zeros(40, 15, 1, 28, 28), torch.arange(15).remainder(5).expand(40, 15)
    assert usual_batch(curves) == 100 and usual_batch(Episode(x, y, x, y)) == 21
    huge = torch.zeros(1, 5, 1, 600, 600)
    assert usual_batch(Episode(huge, y[:1, :5], huge, y[:1, :5])) == 1
