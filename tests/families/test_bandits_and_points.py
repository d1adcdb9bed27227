"""Bandits and points: where rewards take the place of answers."""

import pytest
import torch

from course_lib.families.bandits import Bandits
from course_lib.families.points import BOX, STEP, Points, moved, reward


def test_a_past_at_random_pays_as_often_as_the_chances_say():
    family = Bandits(3)
    episode = family.sample(2000, shots=30, queries=3, generator=family.generator(0))
    chances = episode.hidden["chances"]
    assert episode.query_y[..., 0].equal(chances) and chances.min() >= 0 and chances.max() <= 1
    assert episode.support_x.sum(-1).eq(1).all()
    assert episode.query_x.equal(torch.eye(3).expand(2000, 3, 3))
    expected = (episode.support_x * chances[:, None]).sum(-1)
    assert abs((episode.support_y[..., 0] - expected).mean()) < 0.005
    assert abs(episode.support_x.mean(dim=(0, 1)) - 1 / 3).max() < 0.01


def test_a_bandit_is_asked_about_all_of_its_arms():
    with pytest.raises(ValueError, match="queries=4: a bandit asks about each of its arms: queri"):
        Bandits(5).sample(2, shots=3, queries=4)
    with pytest.raises(ValueError, match="a task needs at least 2 classes"):
        Bandits(1)


def test_the_same_generator_draws_the_same_tasks():
    for family, queries in ((Bandits(4), 4), (Points(5), 1)):
        one, other = (
            family.sample(3, shots=2, queries=queries, generator=family.generator(9))
            for _ in range(2)
        )
        assert all(a.equal(b) for a, b in zip(one.four, other.four, strict=True))


def test_an_action_is_clipped_and_the_reward_is_minus_the_squared_distance():
    places = moved(torch.zeros(2, 2), torch.tensor([[0.5, -3.0], [9.0, 0.0]]))
    torch.testing.assert_close(places, STEP * torch.tensor([[0.5, -1.0], [1.0, 0.0]]))
    goal = torch.tensor([0.1, 0.2])
    torch.testing.assert_close(reward(torch.zeros(2), goal), torch.tensor(-0.05))


def test_goals_lie_in_the_square_and_the_query_is_the_goal():
    family = Points(20)
    episode = family.sample(500, shots=3, queries=1, generator=family.generator(1))
    goals = episode.hidden["goals"]
    assert goals.abs().max() <= BOX and goals.abs().max() > 0.95 * BOX
    assert episode.query_x[:, 0].equal(goals) and not episode.query_y.any()
    paid = reward(episode.support_x, goals[:, None])
    torch.testing.assert_close(episode.support_y[..., 0], paid)
    with pytest.raises(ValueError, match="queries=2: a task has one goal: queries=1"):
        family.sample(2, shots=1, queries=2)
    with pytest.raises(ValueError, match="horizon=0"):
        Points(0)
