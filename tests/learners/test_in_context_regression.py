"""The transformer that reads examples: what it may see, what its loss is, and how far the shipped
one follows ridge."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from toys import DEVICES

from course_lib.chapters.ch11 import regressions as runs
from course_lib.episodes import Episode
from course_lib.families import LinearRegressions
from course_lib.learners import MAML, InContextRegression, LeastSquares, Ridge, linear_attention
from course_lib.learners.inner_loop import predict_with, written_out
from course_lib.training.evaluation import evaluate, paired
from course_lib.training.outer_loop import Plan, meta_train


def small(seed=0, **settings):
    return InContextRegression(
        **{"width": 16, "layers": 2, "heads": 2, "seed": seed} | settings
    ).double()


def draw(tasks=3, shots=5, queries=4, seed=1, **settings):
    family = LinearRegressions(**settings)
    return family.sample(tasks, shots=shots, queries=queries, generator=family.generator(seed)).map(
        lambda t: t.double()
    )


def four(episode):
    return episode.support_x.clone(), episode.support_y.clone(), episode.query_x.clone()


# --- what may be seen -----------------------------------------------------------------------------


def test_shapes_are_those_of_every_learner():
    learner, episode = small(), draw()
    assert learner(episode).shape == (3, 4, 1) and learner.outer_loss(episode).shape == ()
    before, after = learner.read(*four(episode))
    assert before.shape == (3, 5, 1) and after.equal(learner(episode))


@pytest.mark.parametrize("place", range(5))
def test_an_example_changes_no_answer_before_it_and_every_answer_after_it(place):
    learner, episode = small(), draw()
    was = torch.cat(learner.read(*four(episode)), dim=1)
    for what in (0, 1):  # its x, its y
        changed = four(episode)
        changed[what][:, place] += 1.0
        now = torch.cat(learner.read(*changed), dim=1)
        differs = (now != was).squeeze(-1)
        first = (
            place if what == 0 else place + 1
        )  # the answer at its own place sees its x and not its y
        assert not differs[:, :first].any() and differs[:, first:].all()


def test_the_answer_before_each_example_is_the_prediction_from_those_before_it():
    learner, episode = small(), draw()
    before, _ = learner.read(*four(episode))
    for (sx, sy, _, _), answers in zip(episode, before, strict=True):
        one_by_one = torch.cat([learner.predict(sx[:k], sy[:k], sx[k : k + 1]) for k in range(5)])
        torch.testing.assert_close(one_by_one, answers)


def test_one_query_of_one_task_at_a_time_equals_all_at_once():
    learner, episode = small(), draw()
    alone = [torch.cat([learner.predict(sx, sy, x[None]) for x in qx]) for sx, sy, qx, _ in episode]
    torch.testing.assert_close(torch.stack(alone), learner(episode))


def test_another_query_changes_nothing_at_all():
    learner, episode = small(), draw()
    changed = four(episode)
    changed[2][:, 1] += 10.0
    same = learner(episode) == learner.read(*changed)[1]
    assert same.squeeze(-1).tolist() == [[True, False, True, True]] * 3


def test_attention_is_the_formula_written_out_with_loops():
    learner = small()
    block, tokens = (
        learner.blocks[0],
        torch.randn(1, 7, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0)),
    )
    q, k, v = (tokens[0] @ block.query_key_value.weight.T).split(16, dim=1)
    places, slopes = [0, 1, 2, 3, 4, 4, 4], learner.slopes.tolist()  # two examples, three queries
    wanted = torch.zeros(7, 16, dtype=torch.float64)
    for head, columns in enumerate((slice(0, 8), slice(8, 16))):
        for i in range(7):
            seen = [j for j in range(7) if places[j] < places[i] or j == i]
            scores = torch.stack(
                [
                    q[i, columns] @ k[j, columns] / 8**0.5 - slopes[head] * (places[i] - places[j])
                    for j in seen
                ]
            )
            wanted[i, columns] = sum(
                p * v[j, columns] for p, j in zip(torch.softmax(scores, 0), seen, strict=True)
            )
    torch.testing.assert_close(block.attend(tokens, learner.bias(2, 3).double())[0], wanted)


# --- training -------------------------------------------------------------------------------------


def test_the_outer_loss_is_the_mean_over_every_place_of_the_sequence():
    learner, episode = small(), draw(tasks=2, shots=3, queries=1)
    errors = []
    for sx, sy, qx, qy in episode:
        x, y = torch.cat([sx, qx]), torch.cat([sy, qy])
        errors += [(learner.predict(x[:k], y[:k], x[k : k + 1]) - y[k]).square() for k in range(4)]
    torch.testing.assert_close(learner.outer_loss(episode), torch.stack(errors).mean())


@pytest.mark.parametrize("device", DEVICES)
def test_every_parameter_gets_a_gradient_on_every_device(device):
    family = LinearRegressions(device=device)
    learner = InContextRegression(width=16, layers=2, heads=2, seed=0).to(device)
    learner.outer_loss(
        family.sample(2, shots=3, queries=2, generator=family.generator(0))
    ).backward()
    assert all(
        p.grad is not None and torch.isfinite(p.grad).all() and p.grad.abs().sum() > 0
        for p in learner.parameters()
    )


@pytest.mark.parametrize("device", DEVICES)
def test_answers_and_loss_are_the_same_on_every_device(device):
    there, episode = small().to(device), draw()
    moved = episode.map(lambda t: t.to(device))
    assert there(moved).device.type == device
    torch.testing.assert_close(there(moved).cpu(), small()(episode), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(
        there.outer_loss(moved).cpu(), small().outer_loss(episode), rtol=1e-9, atol=1e-12
    )


def test_no_weight_changes_when_it_predicts():
    learner, episode = small(), draw()
    before = {name: tensor.clone() for name, tensor in learner.state_dict().items()}
    evaluate(learner, episode)
    assert all(tensor.equal(before[name]) for name, tensor in learner.state_dict().items())


def test_a_short_training_helps_and_shuffled_answers_undo_it():
    family, learner = (
        LinearRegressions(dims=1, noise=0.1),
        InContextRegression(dims=1, width=32, layers=2, seed=0),
    )
    meta_train(
        learner,
        family,
        Plan(outer_steps=250, tasks=32, shots=8, queries=1, beta=3e-3, decay=True),
        progress=False,
    )
    episode = family.sample(300, shots=8, queries=5, generator=family.generator(7))
    order = torch.randperm(8, generator=torch.Generator().manual_seed(0))
    shuffled = dataclasses.replace(episode, support_y=episode.support_y[:, order])
    real, mixed = evaluate(learner, episode), evaluate(learner, shuffled)
    assert real.mean + real.half_width < 0.5  # to answer 0 costs 1
    worse = paired(mixed, real)
    assert worse.mean - worse.half_width > 0.2


def test_seeds_repeat_and_leave_torch_alone():
    state = torch.get_rng_state()
    one, again, other = small(seed=3), small(seed=3), small(seed=4)
    assert torch.get_rng_state().equal(state)
    assert one.read_x.weight.equal(again.read_x.weight) and not one.read_x.weight.equal(
        other.read_x.weight
    )


@pytest.mark.parametrize("change", [{"width": 24}, {"layers": 3}, {"heads": 4}])
def test_settings_name_everything_that_decides_the_numbers(change):
    assert small(**change).settings() != small().settings() == small(seed=9).settings()


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda: small(width=10, heads=4), "width=10, heads=4: .* multiple of 4"),
        (lambda: small(layers=0), "layers=0: "),
        (lambda: small(dims=0), "dims=0: "),
        (lambda: small(dims=3)(draw()), "x has 4 numbers and dims=3: make them equal"),
        (lambda: runs.FirstExamples(small(), 6)(draw()), "examples=6: choose from 0 to the 5"),
        (lambda: runs.FirstExamples(small(), -1)(draw()), "examples=-1: choose from 0 to the 5"),
    ],
)
def test_bad_input_is_refused_in_words(make, says):
    with pytest.raises(ValueError, match=says):
        make()


# --- one gradient step is linear attention --------------------------------------------------------


@pytest.mark.parametrize("shots", [1, 4, 9])
def test_linear_attention_is_one_gradient_step_from_zero(shots):
    network, alpha = torch.nn.Linear(4, 1, bias=False).double(), 0.1
    torch.nn.init.zeros_(network.weight)
    episode = draw(shots=shots)
    half_of_squares = lambda prediction, target: (prediction - target).square().sum() / 2  # noqa: E731
    for loss_fn, eta in ((half_of_squares, alpha), (F.mse_loss, 2 * alpha / shots)):
        ours = linear_attention(episode.support_x, episode.support_y, episode.query_x, eta)
        for (sx, sy, qx, _), answers in zip(episode, ours, strict=True):
            phi = written_out(network, loss_fn, sx, sy, alpha=alpha, steps=1)[-1]
            torch.testing.assert_close(predict_with(network, phi, qx), answers, rtol=0, atol=1e-12)
        torch.testing.assert_close(
            MAML(network, loss_fn, alpha=alpha, steps=1, way="autograd")(episode),
            ours,
            rtol=0,
            atol=1e-12,
        )


def test_from_another_start_than_zero_it_is_not():
    network = torch.nn.Linear(4, 1, bias=False).double()
    torch.nn.init.ones_(network.weight)
    episode = draw()
    step = MAML(network, alpha=0.1, steps=1, way="autograd")(episode)
    assert (
        step - linear_attention(episode.support_x, episode.support_y, episode.query_x, 0.2 / 5)
    ).abs().max() > 0.1


# --- the one that ships ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scores():
    """The errors of all three on the same 1000 episodes, by name and number of examples."""
    learner = runs.RUN.load()
    family = LinearRegressions()
    tasks = runs.episodes(family, 1000, seed=7)
    everyone = {"in context": learner, **runs.yardsticks(family)}
    return {
        name: {k: runs.error_after(who, tasks, k) for k in range(17)}
        for name, who in everyone.items()
    }


def test_the_shipped_weights_still_score_as_they_did():
    about, learner = runs.RUN.about(), runs.RUN.load()
    tasks = runs.episodes(LinearRegressions(), about["test_episodes"])
    for k in runs.COUNTS:
        score = runs.error_after(learner, tasks, k)
        mean, half_width = about["figures"][f"as in training, in context, {k} examples"]
        assert score.mean == pytest.approx(mean, rel=1e-3)
        assert score.half_width == pytest.approx(half_width, rel=1e-2)


def test_every_example_helps_up_to_eight(scores):
    ours = scores["in context"]
    for k in range(1, 9):
        gain = paired(ours[k - 1], ours[k])
        assert gain.mean > gain.half_width


def test_no_one_beats_ridge_with_the_right_penalty(scores):
    for k in range(1, 17):
        for name in ("in context", "least squares"):
            difference = paired(scores[name][k], scores["ridge"][k])
            assert difference.mean > -difference.half_width


def test_near_d_examples_it_stays_near_ridge_where_least_squares_explodes(scores):
    for k in (3, 4, 5):
        ridge, ours, plain = (scores[name][k] for name in ("ridge", "in context", "least squares"))
        assert ours.mean < 1.25 * ridge.mean and plain.mean > 1.5 * ours.mean
        assert plain.per_episode.median() > ours.per_episode.median()


def test_with_sixteen_examples_least_squares_is_better_again(scores):
    difference = paired(scores["in context"][16], scores["least squares"][16])
    assert difference.mean > difference.half_width


@pytest.mark.parametrize("scale, times", [(2.0, 2), (3.0, 8)])
def test_with_larger_x_than_in_training_it_no_longer_follows_ridge(scale, times):
    family = LinearRegressions(scale=scale)
    tasks = runs.episodes(family, 500)
    ours, ridge = (
        runs.error_after(who, tasks, 8) for who in (runs.RUN.load(), Ridge(family.best_penalty))
    )
    assert ours.mean - ours.half_width > times * ridge.mean


def test_without_noise_it_gains_but_does_not_find_the_exact_answer_that_least_squares_has():
    tasks = runs.episodes(LinearRegressions(noise=0.0), 500)
    ours, plain = (runs.error_after(who, tasks, 8) for who in (runs.RUN.load(), LeastSquares()))
    assert (
        ours.mean
        < runs.error_after(runs.RUN.load(), runs.episodes(LinearRegressions(), 500), 8).mean
    )
    assert ours.mean - ours.half_width > 0.02 and plain.mean < 1e-9


def test_it_beats_the_best_single_gradient_step(scores):
    # w = eta X'y with the best eta, 1 / (k + d + 1 + d noise^2), has error 1 - k eta; worked out
    # from the moments of Gaussian x
    tasks = runs.episodes(LinearRegressions(), 1000, seed=7)
    for k in (2, 4, 8, 16):
        eta = 1 / (k + 5 + 4 * 0.09)
        step = (
            (
                linear_attention(tasks.support_x[:, :k], tasks.support_y[:, :k], tasks.query_x, eta)
                - tasks.query_y
            )
            .square()
            .mean((1, 2))
        )
        assert abs(step.mean() - (1 - k * eta)) < 3 * step.std() / 1000**0.5
        assert (step - scores["in context"][k].per_episode).mean() > 4 * (
            step - scores["in context"][k].per_episode
        ).std() / 1000**0.5


def test_without_examples_it_answers_about_0():
    learner, tasks = runs.RUN.load(), runs.episodes(LinearRegressions(), 200)
    assert runs.FirstExamples(learner, 0)(tasks).abs().mean() < 0.1


def test_error_after_all_examples_is_what_evaluate_says():
    learner, tasks = runs.RUN.load(), runs.episodes(LinearRegressions(), 100)
    for who in (learner, Ridge(0.36), LeastSquares()):
        torch.testing.assert_close(
            runs.error_after(who, tasks, 16).per_episode,
            evaluate(who, tasks).per_episode,
            rtol=1e-3,
            atol=1e-6,
        )


def test_episodes_are_the_same_for_everyone():
    one, other = (runs.episodes(LinearRegressions(), 5) for _ in range(2))
    assert isinstance(one, Episode) and one.support_x.equal(other.support_x)
