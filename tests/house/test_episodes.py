"""The unit of few-shot learning."""

import pytest
import torch

from course_lib.episodes import Episode, TaskFamily, at_least_one, finite

SUPPORT, QUERY = torch.zeros(2, 3, 1), torch.zeros(2, 5, 1)


def classes() -> Episode:
    """Two tasks, three support and five query items, four features."""
    return Episode(
        torch.arange(24.0).view(2, 3, 4),
        torch.tensor([[0, 1, 2], [2, 1, 0]]),
        torch.arange(40.0).view(2, 5, 4),
        torch.zeros(2, 5, dtype=torch.long),
        names={"classes": torch.tensor([[4, 5, 6], [6, 5, 4]])},
        hidden={"name": torch.tensor([7, 8])},
    )


@pytest.mark.parametrize(
    "four, says",
    [
        ((torch.zeros(3), SUPPORT, QUERY, QUERY), r"support: x \(3,\).*add \[None\]"),
        ((SUPPORT, SUPPORT, QUERY, torch.zeros(5)), r"query: .* y \(5,\).*add \[None\]"),
        (
            (SUPPORT, torch.zeros(2, 4, 1), QUERY, QUERY),
            r"support: x has .*\(2, 3\) and y \(2, 4\): make them equal",
        ),
        (
            (SUPPORT, SUPPORT, QUERY, torch.zeros(1, 5, 1)),
            r"query: x has .*\(2, 5\) and y \(1, 5\): make them equal",
        ),
        ((torch.zeros(2, 0, 1), torch.zeros(2, 0, 1), QUERY, QUERY), "support: the set is empty"),
        (
            (SUPPORT, SUPPORT, torch.zeros(4, 5, 1), torch.zeros(4, 5, 1)),
            "2 support sets and 4 query sets",
        ),
    ],
)
def test_tensors_that_do_not_belong_together_are_refused(four, says):
    with pytest.raises(ValueError, match=says):
        Episode(*four)


def test_iterating_gives_one_task_at_a_time():
    episode = classes()
    seen = list(episode)
    assert len(seen) == len(episode) == episode.tasks == 2
    for i, (support_x, support_y, query_x, query_y) in enumerate(seen):
        assert support_x.equal(episode.support_x[i]) and support_y.equal(episode.support_y[i])
        assert query_x.equal(episode.query_x[i]) and query_y.equal(episode.query_y[i])


def whole(episode: Episode) -> list[torch.Tensor]:
    return [*episode.four, episode.names["classes"], episode.hidden["name"]]


@pytest.mark.parametrize(
    "which",
    [slice(1, None), slice(0, 1), [1], [1, 0, 1], torch.tensor([1]), torch.tensor([False, True])],
)
def test_an_episode_is_cut_whole(which):
    episode = classes()
    for part, all_of_it in zip(whole(episode[which]), whole(episode), strict=True):
        assert part.equal(all_of_it[which])


def test_one_number_is_no_cut():
    with pytest.raises(TypeError, match=r"an episode of one task is episode\[1:2\]"):
        classes()[1]


@pytest.mark.parametrize("name", ["names", "hidden"])
def test_what_is_known_of_other_tasks_is_refused(name):
    with pytest.raises(ValueError, match=rf"{name}\['a'\] tells of 3 tasks and the episode has 2"):
        Episode(SUPPORT, SUPPORT, QUERY, QUERY, **{name: {"a": torch.zeros(3)}})


def test_a_map_that_cuts_is_refused():
    with pytest.raises(ValueError, match=r"cut both alike, with episode\[first:last\]"):
        classes().map(lambda tensor: tensor[:1])


def test_map_changes_the_four_tensors_and_keeps_what_is_hidden():
    episode = classes()
    changed = episode.map(lambda tensor: tensor + 1)
    for name in ("support_x", "support_y", "query_x", "query_y"):
        assert getattr(changed, name).equal(getattr(episode, name) + 1)
    assert changed.hidden == episode.hidden and changed.names == episode.names


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["support_x", "support_y", "query_x", "query_y"])
def test_finite_names_the_tensor_with_nan_or_infinity(name, value):
    four = {"support_x": SUPPORT, "support_y": SUPPORT, "query_x": QUERY, "query_y": QUERY}
    four[name] = four[name].clone()
    four[name][1, 2, 0] = value
    with pytest.raises(ValueError, match=f"{name} holds NaN or infinity"):
        finite(Episode(**four))


def test_finite_passes_whole_episodes_on():
    episode = classes()
    assert finite(episode) is episode


@pytest.mark.parametrize("count", [0, -1, 1.5, "3", True, None])
@pytest.mark.parametrize("name", ["shots", "queries", "tasks", "save_every"])
def test_counts_below_one_are_refused_by_name(name, count):
    with pytest.raises(ValueError, match=f"^{name}={count!r}: .* at least 1"):
        at_least_one(**{name: count})


def test_a_family_makes_repeatable_generators():
    family = TaskFamily()
    numbers = [torch.rand(5, generator=family.generator(seed)) for seed in (3, 3, 4)]
    assert numbers[0].equal(numbers[1]) and not numbers[0].equal(numbers[2])
