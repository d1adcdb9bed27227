"""Players of bandits, made by hand and learned."""

import pytest
import torch

from course_lib.families.bandits import Bandits
from course_lib.learners.bandit_players import UCB, Greedy, Random, Thompson, play
from course_lib.learners.best_player import Best, value
from course_lib.learners.rl2 import RL2, advantages, sampled

CHANCES = torch.rand(4000, 5, generator=torch.Generator().manual_seed(3))
MAKERS = {
    "random": Random, "greedy": Greedy, "UCB": UCB, "UCB1": lambda: UCB(1.0, prior=False),
    "Thompson": Thompson, "best": lambda: Best(10), "RL2": lambda: RL2(seed=0),
}  # fmt: skip
each_player = pytest.mark.parametrize("name", MAKERS)


def mean(player, pulls=10, **how):
    return play(player, CHANCES, pulls, **how).totals.mean().item()


@each_player
def test_a_player_plays_and_with_one_seed_repeats_itself(name):
    one, other = (play(MAKERS[name](), CHANCES[:50], 6, seed=4) for _ in range(2))
    assert one.pulled.equal(other.pulled) and one.paid.equal(other.paid)
    assert one.pulled.shape == one.paid.shape == (50, 6) and one.totals.equal(one.paid.sum(1))
    assert set(one.paid.unique().tolist()) <= {0.0, 1.0} and one.pulled.max() <= 4


@each_player
def test_a_player_is_a_learner_that_reads_a_past_and_answers_about_arms(name):
    family = Bandits(5)
    episode = family.sample(3, shots=4, queries=5, generator=family.generator(0))
    torch.manual_seed(0)
    assert MAKERS[name]()(episode).shape == episode.query_y.shape


@each_player
def test_playing_leaves_the_seed_of_torch_alone(name):
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    play(MAKERS[name](), CHANCES[:3], 2, seed=0)
    assert torch.rand(1).equal(wanted)


def test_everyone_meets_the_same_luck():
    """An arm that pays at a pull pays whoever pulls it then."""
    games = [play(make(), CHANCES[:300], 8, seed=1) for make in (Random, Greedy, Thompson)]
    for one in games[1:]:
        same = one.pulled == games[0].pulled
        assert same.sum() > 100 and one.paid[same].equal(games[0].paid[same])


def test_the_hand_made_players_prefer_what_their_formulas_say():
    memory = torch.tensor([[[3.0, 0.0, 0.0], [1.0, 0.0, 1.0]]])  # wins, then losses, of three arms
    greedy = torch.tensor([[4 / 6, 1 / 2, 1 / 3]])
    torch.testing.assert_close(Greedy().preferences(memory), greedy)
    log = torch.tensor(6.0).log()  # five pulls were made, this is the sixth
    bonus = (2 * log / torch.tensor([[6.0, 2.0, 3.0]])).sqrt()
    torch.testing.assert_close(UCB(0.3).preferences(memory), greedy + 0.3 * bonus)
    textbook = UCB(1.0, prior=False).preferences(memory)
    assert textbook[0, 1] == torch.inf
    torch.testing.assert_close(textbook[0, 0], 3 / 4 + (2 * log / 4).sqrt())
    torch.manual_seed(0)
    draws = Thompson().preferences(memory.expand(20_000, -1, -1))
    torch.testing.assert_close(draws.mean(0), greedy[0], atol=0.01, rtol=0)


def test_ties_are_decided_by_chance():
    first = play(Greedy(), CHANCES, 1).pulled.flatten().bincount() / len(CHANCES)
    assert (first - 0.2).abs().max() < 0.03


def test_the_best_player_is_best_and_as_good_as_its_table_says():
    assert value(((0, 0),), 7) == pytest.approx(3.5)  # one arm: nothing to choose
    assert value(((0, 0), (0, 0)), 2) == pytest.approx(13 / 12)  # by hand: stay after a win only
    wanted = value(((0, 0),) * 5, 10)
    assert wanted == pytest.approx(6.66, abs=0.005)
    games = play(Best(10), CHANCES, 10).totals
    assert abs(games.mean() - wanted) < 2 * 1.96 * games.std() / len(games) ** 0.5
    with pytest.raises(ValueError, match="pulls=31: the table would not fit"):
        Best(31)


def test_at_ten_pulls_greedy_is_near_the_best_and_thompson_is_not():
    best = mean(Best(10))
    assert best - mean(Greedy()) < 0.15 and best - mean(Thompson()) > 0.6
    assert abs(mean(Random()) - 5) < 0.1


@pytest.mark.parametrize("how", [{"forgets": True}, {"blind": True}])
def test_without_a_memory_or_without_rewards_every_player_is_at_chance(how):
    for name, make in MAKERS.items():
        if name != "RL2":
            assert abs(mean(make(), **how) - 5) < 0.12, name


def test_memories_are_those_from_before_each_pull():
    games = play(Greedy(), CHANCES[:20], 4, remember=True)
    assert games.memories.shape == (20, 4, 2, 5) and not games.memories[:, 0].any()
    assert games.memories[:, 3].sum(dim=(1, 2)).eq(3).all()
    assert games.memories[:, 3, 0].sum(-1).equal(games.paid[:, :3].sum(1))


def test_what_cannot_be_played_is_refused():
    with pytest.raises(ValueError, match="pulls=0"):
        play(Random(), CHANCES, 0)
    with pytest.raises(ValueError, match=r"chances \(5,\): give \(bandits, arms\)"):
        play(Random(), CHANCES[0], 3)
    with pytest.raises(ValueError, match="give .*each between 0 and 1"):
        play(Random(), CHANCES + 1, 3)
    with pytest.raises(ValueError, match=r"have 4 arms and RL2 was built for 5: write RL2\(arms=4"):
        play(RL2(seed=0), CHANCES[:, :4], 3)
    for wrong in ({"arms": 1}, {"width": 0}, {"discount": 2}, {"trace": -1}, {"entropy": -0.1}):
        with pytest.raises(ValueError, match=next(iter(wrong)).replace("arms", "at least 2 cl")):
            RL2(**wrong)
    with pytest.raises(ValueError, match="c=-1"):
        UCB(-1)


# --- RL2 ------------------------------------------------------------------------------------------


def test_an_advantage_is_the_return_minus_what_was_expected_where_nothing_is_discounted():
    rewards, expected = torch.rand(2, 3, 6).unbind(0)
    returns = rewards.flip(1).cumsum(1).flip(1)
    torch.testing.assert_close(advantages(rewards, expected, 1.0, 1.0), returns - expected)


def test_with_no_trace_an_advantage_looks_one_pull_ahead():
    rewards, expected = torch.rand(2, 3, 6).unbind(0)
    following = torch.cat([expected[:, 1:], torch.zeros(3, 1)], 1)
    wanted = rewards + 0.9 * following - expected
    torch.testing.assert_close(advantages(rewards, expected, 0.9, 0.0), wanted)


def test_a_drawn_arm_follows_the_softmax():
    torch.manual_seed(0)
    logits = torch.tensor([0.0, 1.0, -1.0])
    found = sampled(logits.expand(50_000, 3)).bincount() / 50_000
    torch.testing.assert_close(found, logits.softmax(0), atol=0.01, rtol=0)


def test_the_outer_loss_pushes_towards_arms_that_paid():
    """On a bandit whose first arm always pays, one step makes that arm likelier."""
    learner, family = RL2(2, width=8, seed=0), Bandits(2)
    episode = family.sample(256, shots=3, queries=2, generator=family.generator(0))
    episode.query_y[:] = torch.tensor([[1.0], [0.0]])
    before = learner.preferences(learner.begin(1, 2)).softmax(-1)[0, 0].item()
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(learner.parameters(), lr=0.02)
    for _ in range(5):
        optimizer.zero_grad()
        learner.outer_loss(episode).backward()
        optimizer.step()
    assert learner.preferences(learner.begin(1, 2)).softmax(-1)[0, 0].item() > before + 0.03


def test_neither_the_past_of_an_episode_nor_what_is_hidden_reaches_the_loss():
    learner, family = RL2(3, width=8, seed=0), Bandits(3)
    one = family.sample(5, shots=4, queries=3, generator=family.generator(0))
    other = family.sample(5, shots=4, queries=3, generator=family.generator(1))
    mixed = type(one)(other.support_x, other.support_y, one.query_x, one.query_y)
    nonsense = type(one)(*one.four, hidden={"chances": torch.zeros(5, 3) - 9})
    losses = []
    for episode in (one, mixed, nonsense):
        torch.manual_seed(2)
        losses.append(learner.outer_loss(episode))
    assert losses[0].equal(losses[1]) and losses[0].equal(losses[2])
