"""MAML with policy gradients: its derivatives, and what happens when a part is held fixed."""

import copy

import pytest
import torch

from course_lib.families.points import Points
from course_lib.learners.policy_maml import (
    SPREAD,
    PolicyMAML,
    Walks,
    gains,
    log_chance,
    surrogate,
)
from course_lib.networks import mlp


def small(**how) -> PolicyMAML:
    inputs = 4 if how.get("told") else 2
    return PolicyMAML(mlp(inputs, 2, (8,), seed=0), horizon=12, **how)


def goals(count=3):
    return Points(12).goals(count, torch.Generator().manual_seed(0))


def test_the_log_chance_is_that_of_the_normal_distribution_up_to_a_constant():
    means, actions = torch.randn(2, 50, 2).unbind(0)
    wanted = torch.distributions.Normal(means, SPREAD).log_prob(actions).sum(-1)
    difference = log_chance(means, actions) - wanted
    torch.testing.assert_close(difference, difference[:1].expand(50))


def test_the_surrogate_has_the_first_derivative_of_log_chance_and_one_term_more_in_the_second():
    dice = torch.Generator().manual_seed(1)
    actions = torch.randn(40, 2, generator=dice).double()
    gain = torch.randn(40, generator=dice).double()
    mean = torch.tensor([0.2, -0.1], dtype=torch.float64, requires_grad=True)

    def derivatives(loss):
        (first,) = torch.autograd.grad(loss, mean, create_graph=True)
        return first, torch.autograd.grad(first[0], mean)[0][0]

    plain = -(log_chance(mean.expand(40, 2), actions) * gain).mean()
    first, second = derivatives(surrogate(mean.expand(40, 2), actions, gain))
    other_first, other_second = derivatives(plain)
    torch.testing.assert_close(first, other_first)
    score = (actions[:, 0] - mean[0].detach()) / SPREAD**2
    torch.testing.assert_close(second - other_second, -(score.square() * gain).mean())


def test_a_surrogate_of_actions_whose_chances_were_kept_without_a_graph_teaches_nothing():
    with torch.no_grad():
        means = mlp(2, 2, (8,), seed=0)(torch.zeros(5, 2))
    assert not surrogate(means, torch.ones(5, 2), torch.ones(5)).requires_grad


def test_gains_are_centred_scaled_and_higher_where_later_rewards_are():
    places = torch.zeros(1, 2, 6, 2)
    rewards = torch.stack([torch.zeros(6), -torch.ones(6)])[None]
    found = gains(Walks(places, torch.zeros_like(places), rewards))
    assert abs(found.mean()) < 0.05 and found.std() == pytest.approx(1, abs=0.1)
    assert (found[0, 0] > found[0, 1]).all()


def test_an_inner_step_is_the_one_that_autograd_takes_task_by_task():
    learner, targets = small(), goals()
    torch.manual_seed(0)
    past = learner.walk(learner.start(3), targets, 4)
    phi = learner.inner_step(learner.start(3), past, targets, 0.1)
    for task in range(3):
        means = learner.network(past.places[task])
        loss = surrogate(means, past.actions[task], gains(past)[task])
        slopes = torch.autograd.grad(loss, list(learner.network.parameters()))
        for (name, p), slope in zip(learner.network.named_parameters(), slopes, strict=True):
            torch.testing.assert_close(phi[name][task], p - 0.1 * slope)


def test_predict_takes_the_same_step_as_the_walker_on_the_same_past():
    learner, targets = small(), goals(1)
    torch.manual_seed(0)
    past = learner.walk(learner.start(1), targets, 4)
    phi = learner.inner_step(learner.start(1), past, targets, learner.alpha)
    support_y = torch.cat([past.actions, gains(past)[..., None]], -1)
    query = torch.randn(5, 2)
    answers = learner.predict(past.places.flatten(0, 2), support_y.flatten(0, 2), query)
    torch.testing.assert_close(
        answers, torch.func.functional_call(learner.network, {n: p[0] for n, p in phi.items()},
                                            (query,)))  # fmt: skip


def test_the_meta_gradient_is_a_derivative_through_the_inner_step_and_first_order_is_not():
    """With the walks held fixed, the outer loss is a function of theta that can be differenced."""
    learner, targets = small(alpha=0.3), goals(2)
    learner.network.double()
    targets = targets.double()
    torch.manual_seed(0)
    past = learner.walk(learner.start(2), targets, 3)
    phi = learner.inner_step(learner.start(2), past, targets, 0.3)
    now = learner.walk(phi, targets, 3)

    def gradient(first_order):
        learner.first_order = first_order
        after = learner.inner_step(learner.start(2), past, targets, 0.3)
        means = torch.vmap(learner.means)(after, now.places, targets)
        loss = surrogate(means, now.actions, gains(now))
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, learner.parameters())])

    def exact(weights):
        """The expected gain of the later walks, as a ratio of chances to those at theta."""
        other = copy.deepcopy(learner)
        torch.nn.utils.vector_to_parameters(weights, other.parameters())
        theta = {n: p.detach() for n, p in learner.network.named_parameters()}
        start = {n: p.detach().expand(2, *p.shape) for n, p in other.network.named_parameters()}

        def inner(own, places, actions, gain, goal):
            logs = log_chance(other.means(own, places, goal), actions)
            fixed = log_chance(other.means(theta, places, goal), actions)
            return -((logs - fixed).exp() * gain).mean()

        slopes = torch.vmap(torch.func.grad(inner))(
            start, past.places, past.actions, gains(past), targets
        )
        after = {n: start[n] - 0.3 * slopes[n] for n in start}
        means = torch.vmap(other.means)(after, now.places, targets)
        old = torch.vmap(learner.means)(
            {n: p.detach() for n, p in phi.items()}, now.places, targets
        )
        ratio = (log_chance(means, now.actions) - log_chance(old, now.actions)).exp()
        return -(ratio * gains(now)).mean()

    whole, first = gradient(False), gradient(True)
    at = torch.nn.utils.parameters_to_vector(learner.parameters()).detach()
    for place in (0, 7, 20, 30):
        step = torch.zeros_like(at)
        step[place] = 1e-5
        wanted = ((exact(at + step) - exact(at - step)) / 2e-5).item()
        assert whole[place].item() == pytest.approx(wanted, rel=1e-4, abs=1e-8)
    assert (whole - first).norm() > 0.05 * whole.norm()


def test_after_steps_each_step_learns_from_the_walks_of_the_policy_before_it():
    learner, targets = small(alpha=0.2), goals(2)
    torch.manual_seed(0)
    walks = learner.after_steps(targets, 4, 2)
    assert len(walks) == 3 and walks[0].rewards.shape == (2, 4, 12)
    assert walks[0].returns.shape == (2,) and not walks[1].places.equal(walks[0].places)
    assert learner.rate(0) == 0.2 and learner.rate(1) == learner.rate(2) == 0.1


def test_the_policy_that_is_told_reads_the_goal_and_the_others_do_not():
    for told in (True, False):
        learner = small(told=told)
        places = torch.zeros(1, 2)
        theta = dict(learner.network.named_parameters())
        one, other = (learner.means(theta, places, goal) for goal in torch.eye(2))
        assert one.equal(other) is not told


def test_a_few_outer_steps_raise_the_return_after_adaptation():
    from course_lib.training.outer_loop import Plan, meta_train

    learner, family = PolicyMAML(mlp(2, 2, (16,), seed=0), horizon=30), Points(30)
    targets = family.goals(40, torch.Generator().manual_seed(3))

    def score():
        torch.manual_seed(0)
        with torch.no_grad():
            return learner.after_steps(targets, 20, 1)[1].returns.mean().item()

    before = score()
    plan = Plan(outer_steps=25, tasks=10, shots=20, queries=1, beta=1e-2)
    meta_train(learner, family, plan, progress=False)
    assert score() > before + 0.3 * abs(before)


def test_what_cannot_be_is_refused():
    for wrong in ({"steps": 0}, {"horizon": 0}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))}=0"):
            PolicyMAML(mlp(2, 2), **wrong)
