"""The family of linear regressions: what is drawn, and the two yardsticks that were never
trained."""

import math

import pytest
import torch
from toys import DEVICES

from course_lib.families import LinearRegressions
from course_lib.learners import LeastSquares, Ridge
from course_lib.training.evaluation import evaluate, paired, test_episodes


def draw(tasks=4000, shots=8, queries=5, seed=0, **settings):
    family = LinearRegressions(**settings)
    return family.sample(tasks, shots=shots, queries=queries, generator=family.generator(seed))


@pytest.mark.parametrize(
    "settings", [{}, {"dims": 7, "noise": 1.0, "scale": 3.0}, {"dims": 1, "noise": 0.0}]
)
def test_weights_points_and_noise_have_the_spread_that_is_said(settings):
    episode = draw(**settings)
    family = LinearRegressions(**settings)
    w = episode.hidden["w"]
    noise = episode.support_y - episode.support_x @ w[:, :, None]
    x = torch.cat([episode.support_x, episode.query_x], dim=1)
    for values, deviation in ((w, family.dims**-0.5), (x, family.scale), (noise, family.noise)):
        values = values.double().flatten()
        five_errors = 5 / math.sqrt(len(values))
        assert abs(values.mean()) <= five_errors * deviation + 1e-6
        assert abs(values.std() - deviation) <= five_errors * deviation + 1e-6


def test_the_y_of_queries_carry_no_noise_and_shapes_are_as_said():
    episode = draw(tasks=7, shots=3, queries=4, dims=5)
    assert episode.hidden["w"].shape == (7, 5)
    for w, (support_x, support_y, query_x, query_y) in zip(
        episode.hidden["w"], episode, strict=True
    ):
        assert (support_x.shape, support_y.shape, query_x.shape, query_y.shape) == (
            (3, 5),
            (3, 1),
            (4, 5),
            (4, 1),
        )
        torch.testing.assert_close(query_y[:, 0], query_x @ w)
        assert not torch.isclose(support_y[:, 0], support_x @ w).any()


@pytest.mark.parametrize("dims", [1, 4, 20])
def test_to_answer_0_everywhere_costs_1_whatever_the_dimension(dims):
    each = draw(tasks=20_000, dims=dims).query_y.square().mean(dim=(1, 2)).double()
    assert abs(each.mean() - 1) < 4 * each.std() / math.sqrt(len(each))


def test_the_same_seed_gives_the_same_tasks_and_another_seed_others():
    one, again, other = draw(seed=5), draw(seed=5), draw(seed=6)
    assert all(
        getattr(one, name).equal(getattr(again, name))
        for name in ("support_x", "support_y", "query_x", "query_y")
    )
    assert not one.support_x.equal(other.support_x)


def test_the_same_seed_with_other_noise_or_scale_gives_the_same_tasks_otherwise():
    one, other = draw(), draw(noise=0.0, scale=2.0)
    assert one.hidden["w"].equal(other.hidden["w"]) and (2 * one.query_x).equal(other.query_x)


@pytest.mark.parametrize("device", DEVICES)
def test_everything_is_made_and_answered_on_the_device_of_the_family(device):
    family = LinearRegressions(device=device)
    episode = family.sample(2, shots=3, queries=4, generator=family.generator(0))
    tensors = [
        episode.support_x,
        episode.support_y,
        episode.query_x,
        episode.query_y,
        *episode.hidden.values(),
    ]
    answers = [learner(episode) for learner in (LeastSquares(), Ridge(0.3))]
    assert {tensor.device.type for tensor in [*tensors, *answers]} == {device}


@pytest.mark.parametrize(
    "settings, says",
    [
        ({"dims": 0}, "dims=0: "),
        ({"noise": -0.1}, "noise=-0.1: it must be"),
        ({"noise": math.inf}, "noise=inf: it must be"),
        ({"scale": 0.0}, "scale=0.0: it must be"),
        ({"scale": math.nan}, "scale=nan: it must be"),
    ],
)
def test_settings_out_of_range_are_refused(settings, says):
    with pytest.raises(ValueError, match=f"^{says}"):
        LinearRegressions(**settings)


@pytest.mark.parametrize("name", ["tasks", "shots", "queries"])
def test_counts_below_one_are_refused(name):
    with pytest.raises(ValueError, match=f"^{name}=0: "):
        draw(**{name: 0})


def test_settings_name_everything_that_decides_the_numbers():
    assert LinearRegressions(dims=3, noise=0.1, scale=2.0).settings() == {
        "family": "linear regressions", "dims": 3, "noise": 0.1, "scale": 2.0,
    }  # fmt: skip
    assert (
        Ridge(0.5).settings() == {"learner": "ridge", "penalty": 0.5}
        and LeastSquares().settings()["learner"] == "leastsquares"
    )


# --- the yardsticks -------------------------------------------------------------------------------

YARDSTICKS = {"least squares": LeastSquares(), "ridge": Ridge(0.36)}
each_yardstick = pytest.mark.parametrize("learner", YARDSTICKS.values(), ids=YARDSTICKS)


def double(**settings):
    return draw(**settings).map(lambda tensor: tensor.double())


@pytest.mark.parametrize("shots", [4, 9])
def test_least_squares_leaves_a_residual_at_right_angles_to_every_column(shots):
    episode = double(tasks=50, shots=shots)
    residual = episode.support_y - episode.support_x @ LeastSquares().solve(
        episode.support_x, episode.support_y
    )
    assert (episode.support_x.mT @ residual).abs().max() < 1e-9


def test_with_few_examples_least_squares_is_the_limit_of_ridge():
    episode = double(tasks=50, shots=2)
    torch.testing.assert_close(Ridge(1e-9)(episode), LeastSquares()(episode), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shots", [1, 4, 9])
def test_ridge_is_where_the_gradient_of_its_loss_is_zero(shots):
    episode = double(tasks=20, shots=shots)
    w = Ridge(0.7).solve(episode.support_x, episode.support_y).requires_grad_()
    loss = (episode.support_x @ w - episode.support_y).square().sum() + 0.7 * w.square().sum()
    assert torch.autograd.grad(loss, w)[0].abs().max() < 1e-9


@each_yardstick
def test_the_order_of_the_support_set_does_not_matter(learner):
    episode = double(tasks=20)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(0))
    for support_x, support_y, query_x, _ in episode:
        torch.testing.assert_close(
            learner.predict(support_x[order], support_y[order], query_x),
            learner.predict(support_x, support_y, query_x),
        )


@each_yardstick
def test_one_query_of_one_task_at_a_time_equals_all_at_once(learner):
    episode = double(tasks=5)
    alone = [torch.cat([learner.predict(sx, sy, x[None]) for x in qx]) for sx, sy, qx, _ in episode]
    torch.testing.assert_close(torch.stack(alone), learner(episode))


@each_yardstick
def test_without_examples_the_answer_is_0(learner):
    assert (
        learner.predict(torch.empty(0, 4), torch.empty(0, 1), torch.ones(3, 4)).tolist()
        == [[0.0]] * 3
    )


def test_without_noise_d_examples_are_enough_for_least_squares():
    assert (
        evaluate(LeastSquares(), double(tasks=200, shots=4, noise=0.0)).per_episode.median() < 1e-12
    )  # the data are drawn in float32


@pytest.mark.parametrize("settings", [{}, {"noise": 1.0}, {"dims": 8, "noise": 0.5}])
@pytest.mark.parametrize("shots", [1, 4, 8])
def test_no_other_penalty_is_better_than_the_best_one(settings, shots):
    family = LinearRegressions(**settings)
    episode = test_episodes(family, 4000, shots=shots, queries=5, seed=1)
    best = evaluate(Ridge(family.best_penalty), episode)
    for other in (family.best_penalty / 4, family.best_penalty * 4):
        difference = paired(evaluate(Ridge(other), episode), best)
        assert difference.mean > difference.half_width


def test_with_d_examples_ridge_is_far_better_than_least_squares_whose_mean_says_little():
    family = LinearRegressions()
    episode = test_episodes(family, 2000, shots=4, queries=10, seed=1)
    ridge, plain = (
        evaluate(learner, episode).per_episode
        for learner in (Ridge(family.best_penalty), LeastSquares())
    )
    assert plain.median() > 1.2 * ridge.median() and (ridge < plain).float().mean() > 0.6
    assert plain.mean() > 3 * ridge.mean() and plain.mean() > 5 * plain.median()


def test_with_many_examples_least_squares_has_the_error_of_the_textbook():
    # x is Gaussian: the mean of (X'X)^-1 is I / (k - d - 1), so the squared error of w . x is
    # noise^2 d / (k - d - 1)
    score = evaluate(LeastSquares(), double(tasks=4000, shots=16))
    assert abs(score.mean - 0.09 * 4 / 11) < 1.5 * score.half_width


@pytest.mark.parametrize("penalty", [-1.0, math.nan, math.inf])
def test_a_penalty_below_0_is_refused(penalty):
    with pytest.raises(ValueError, match="^penalty="):
        Ridge(penalty)
