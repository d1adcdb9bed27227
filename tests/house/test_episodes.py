"""The unit of few-shot learning."""

import pytest
import torch

from course_lib.episodes import Episode, TaskFamily, at_least_one, one_task

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
    changed = episode.map(lambda tensor: 2 - tensor)
    for name in ("support_x", "support_y", "query_x", "query_y"):
        assert getattr(changed, name).equal(2 - getattr(episode, name))
    assert changed.hidden == episode.hidden and changed.names == episode.names


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["support_x", "support_y", "query_x", "query_y"])
def test_nan_and_infinity_are_refused_by_name(name, value):
    four = {"support_x": SUPPORT, "support_y": SUPPORT, "query_x": QUERY, "query_y": QUERY}
    four[name] = four[name].clone()
    four[name][1, 2, 0] = value
    with pytest.raises(ValueError, match=f"{name} holds NaN or infinity"):
        Episode(**four)


# --- class numbers --------------------------------------------------------------------------------

LABELS = torch.tensor([[0, 1, 2], [2, 1, 0]])
ASKED = torch.zeros(2, 5, dtype=torch.long)


def numbered(support_y=LABELS, query_y=ASKED, support_x=SUPPORT, query_x=QUERY, **names) -> Episode:
    return Episode(support_x, support_y, query_x, query_y, names=names)


@pytest.mark.parametrize(
    "changed, says",
    [
        ({"support_y": LABELS.int()}, r"support_y is torch.int32: .* write y.long\(\)"),
        ({"support_y": LABELS > 0}, r"support_y is torch.bool: .* write y.long\(\)"),
        ({"query_y": ASKED[..., None]}, r"query_y of shape \(2, 5, 1\): .* a dimension too many"),
        ({"support_y": LABELS - 1}, "support_y holds the class number -1: number the classes 0"),
        ({"query_y": ASKED - 1}, "query_y holds the class number -1: number the classes 0"),
        (
            {"query_y": ASKED + 3},
            "query_y reaches up to class 3, and the support sets show classes up to 2.*none_of_",
        ),
        ({"support_y": LABELS * 0}, "all items are of one class: a task needs at least 2 classes"),
        (
            {"support_y": torch.tensor([[0, 1, 2], [2, 2, 0]])},
            "class 1 has no support example in task 1, and others have: number the classes",
        ),
        (
            {"support_y": LABELS + 10**12},
            "support_y reaches up to class 1000000000002, and a task has 3 examples",
        ),
        ({"query_x": QUERY.double()}, "support_x and query_x differ in the dtype: torch.float32"),
        ({"query_x": QUERY.expand(2, 5, 7)}, r"shape of an item: \(1,\) and \(7,\), make them eq"),
        ({"query_y": QUERY}, r"support_y and query_y differ in the shape of an item: \(\) and"),
        ({"support_x": SUPPORT.tolist()}, r"support_x is a list: write torch.as_tensor\(...\)"),
        (
            {
                "support_x": SUPPORT[:0],
                "support_y": LABELS[:0],
                "query_x": QUERY[:0],
                "query_y": ASKED[:0],
            },
            "support: there are no tasks: an episode needs at least 1",
        ),
        ({"labels": LABELS[:, :2]}, r"support_y reaches up to class 2, and names\['labels'\] has"),
    ],
)
def test_class_numbers_that_are_none_are_refused(changed, says):
    with pytest.raises(ValueError, match=says):
        numbered(**changed)


def test_the_support_set_says_how_many_ways_there_are():
    assert numbered().ways == 3 and Episode(SUPPORT, SUPPORT, QUERY, QUERY).ways is None


def test_a_prompt_may_leave_out_examples_of_a_class_that_has_a_word():
    episode = numbered(LABELS * 0, ASKED + 1, labels=torch.tensor([[7, 8], [8, 7]]))
    assert episode.ways == 2 and episode[:1].ways == 2


def test_one_task_has_answers_that_nobody_knows():
    for y in (LABELS[0], SUPPORT[0]):
        episode = one_task(SUPPORT[0], y, QUERY[0])
        assert episode.support_x.equal(SUPPORT[:1]) and episode.query_x.equal(QUERY[:1])
        assert episode.query_y.shape == (1, 5, *y.shape[1:]) and not episode.query_y.any()


@pytest.mark.parametrize("count", [0, -1, 1.5, "3", True, None])
@pytest.mark.parametrize("name", ["shots", "queries", "tasks", "save_every"])
def test_counts_below_one_are_refused_by_name(name, count):
    with pytest.raises(ValueError, match=f"^{name}={count!r}: .* at least 1"):
        at_least_one(**{name: count})


def test_a_family_makes_repeatable_generators():
    family = TaskFamily()
    numbers = [torch.rand(5, generator=family.generator(seed)) for seed in (3, 3, 4)]
    assert numbers[0].equal(numbers[1]) and not numbers[0].equal(numbers[2])
