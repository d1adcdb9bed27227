"""The facts that the tests of learn2learn (learnables/learn2learn, tests/) assert of its tasks,
transforms, heads and short trainings, on the families and learners of the course."""

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from ledger import Ledger, row
from torch import nn
from yardsticks import generator

from course_lib.episodes import Episode
from course_lib.families import PictureClasses, Sinusoids, Strokes
from course_lib.learners import MAML, Baseline, Prototypical
from course_lib.networks.small import mlp, seeded
from course_lib.training import Plan, accuracy, evaluate, meta_train, test_episodes

PEER = Ledger(
    "learn2learn, tasks",
    [
        (9, "data/transforms_test test_k_shots, replacement=True", "items are drawn once a task"),
        (1, "data/task_dataset_test test_dataloader", "an episode is a batch: no loader"),
        (1, "data/utils_test test_infinite_iterator", "sample() never ends"),
        (1, "data/metadataset_test test_union_metadataset", "no union of two families"),
        (3, "task_generator_test, tasks as lists or arrays", "classes are drawn, not told"),
        (2, "nn/protonet_test test_*_distance", "empty in the peer as well"),
        (12, "nn/kroneckers_test and models_test", "no such layer"),
        (24, "nn/misc, Scale", "no such layer"),
        (1, "optim/meta_optimizer_test test_supervised", "a data set, and no episodes"),
        (4, "lightning_*_notravis, metaoptnet on their data", "their data sets"),
        (15, "unit/vision", "their data sets"),
        (3, "integration/*_miniimagenet_*", "their data set"),
    ],
)
ONE_CLASS = "situation 6: a task of one class"


# --- tasks from 512 items of ten classes ----------------------------------------------------------


def store(classes: int = 10, items: int = 512, ways: int = 5) -> tuple:
    """A family of items, each of its own grey, and the class of each item."""
    labels = torch.arange(items) % classes
    values = torch.arange(items).double() / items
    stacks = [values[labels == n].view(-1, 1, 1, 1) for n in range(classes)]
    return PictureClasses(stacks, ways=ways), labels


def drawn(family, tasks=128, shots=1, queries=1, seed=0) -> Episode:
    return family.sample(tasks, shots=shots, queries=queries, generator=generator(seed))


def classes_of(episode: Episode, labels: torch.Tensor) -> torch.Tensor:
    """The true class of every support and query item: (tasks, items)."""
    x = torch.cat([episode.support_x, episode.query_x], dim=1).flatten(1)
    return labels[(x * len(labels)).round().long()]


@PEER.cases("data/transforms_test: test_n_ways, test_remap_labels", "ways", [
    row("1 way", 1, refused=True), *(row(f"{n} ways", n, draws=128) for n in range(2, 10)),
])  # fmt: skip
def test_so_many_classes_in_a_task_numbered_from_zero(ways):
    if ways == 1:
        with pytest.raises(ValueError, match="(2|two) classes|ways=1"):
            drawn(store(ways=1)[0], tasks=1)
        return
    family, labels = store(ways=ways)
    episode = drawn(family)
    y = torch.cat([episode.support_y, episode.query_y], dim=1)
    numbers = episode.names["classes"]
    for own, true, number in zip(y, classes_of(episode, labels), numbers, strict=True):
        assert len(set(true.tolist())) == ways
        assert set(own.tolist()) == set(range(ways))
        assert number[own].equal(true)


@PEER.cases("data/transforms_test: test_k_shots", "shots",
            [row(f"{n} shots", n, draws=128) for n in range(1, 10)])  # fmt: skip
def test_so_many_items_of_each_class(shots):
    family, labels = store(ways=10)
    episode = drawn(family, shots=shots)
    for y, true in zip(episode.support_y, classes_of(episode, labels), strict=True):
        assert y.bincount().tolist() == [shots] * 10
        assert true.bincount().tolist() == [shots + 1] * 10


@PEER.case("data/transforms_test: test_load_data", draws=128)
def test_items_and_labels_are_tensors():
    for four in drawn(store()[0]):
        assert all(isinstance(tensor, torch.Tensor) for tensor in four)


@PEER.case("data/transforms_test: test_filter_labels", draws=128)
def test_a_split_holds_only_its_classes():
    family, labels = store(ways=2)
    kept, chosen = family.split([1, 3, 4, 7, 8])
    assert set(classes_of(drawn(chosen), labels).flatten().tolist()) == {1, 3, 4, 7, 8}
    assert set(classes_of(drawn(kept), labels).flatten().tolist()) == {0, 2, 5, 6, 9}


@PEER.cases("data/utils_test: test_partition_task", "shots", [
    row("0 of 20", 0, refused=True), *(row(f"{n} of 20", n) for n in range(1, 20)),
])  # fmt: skip
def test_twenty_items_in_two_sets(shots):
    if shots == 0:
        with pytest.raises(ValueError, match="shots=0: a support set needs at least 1"):
            drawn(Sinusoids(), 1, 0, 20)
        return
    ((sx, sy, qx, qy),) = drawn(Sinusoids(), 1, shots, 20 - shots)
    assert len(sx) == len(sy) == shots and len(qx) == len(qy) == 20 - shots


@PEER.case("data/task_dataset_test: test_instanciation, test_task_caching")
def test_ten_tasks_are_the_same_when_asked_for_again():
    one, again = (test_episodes(store()[0], 10, shots=1, queries=2, seed=3) for _ in range(2))
    assert len(one) == 10
    for a, b in zip(one, again, strict=True):
        assert all(left.equal(right) for left, right in zip(a, b, strict=True))
    for i in range(10):
        assert one[i : i + 1].support_x.equal(again.support_x[i : i + 1])


@PEER.case("data/task_dataset_test: test_infinite_tasks", draws=6)
def test_the_next_task_is_another_one():
    source = generator()
    seen = [store()[0].sample(1, shots=1, queries=1, generator=source) for _ in range(6)]
    for one, other in zip(seen, seen[1:], strict=False):
        assert not one.support_x.equal(other.support_x)


@PEER.case("data/task_dataset_test: test_task_transforms", draws=10)
def test_a_part_of_a_task_keeps_items_and_labels_together():
    family, labels = store(ways=10)
    episode = drawn(family, 10, shots=5)
    x, y = episode.support_x[:, :5], episode.support_y[:, :5]
    with pytest.raises(ValueError, match="a class has no support example"):
        Episode(x, y, *episode.four[2:])  # it lacks classes that its queries ask for
    for sx, sy, number in zip(x, y, episode.names["classes"], strict=True):
        assert len(sx) == len(sy) == 5 and 0 <= sy.min() and sy.max() <= 9
        assert number[sy].equal(labels[(sx.flatten() * 512).round().long()])


# --- stores by name -------------------------------------------------------------------------------

LETTERS = [chr(97 + n) for n in range(26)]
STORES = {
    "numbers": (1500, list(range(5))), "words": (1500, list("01234")), "alphabet": (26, LETTERS)
}  # fmt: skip


def named(name: str) -> PictureClasses:
    items, names = STORES[name]
    values = (torch.arange(items).double() / items).view(-1, 1, 1, 1)
    return PictureClasses(
        [values[n :: len(names)] for n in range(len(names))], ways=5, names=names
    )


@PEER.cases(
    "data/metadataset_test: test_data_length, test_data_labels_length, test_data_labels_values",
    "name", [row(name, name) for name in STORES],
)  # fmt: skip
def test_a_store_knows_its_items_and_classes(name):
    family, (items, names) = named(name), STORES[name]
    assert family.counts.sum() == len(family.pictures) == items
    assert family.classes == len(names) and family.names == [str(one) for one in names]


@PEER.case("data/metadataset_test: test_get_item, test_labels_to_indices", draws=26)
def test_the_item_of_a_letter_is_its_own():
    family = named("alphabet")
    for letter in LETTERS:
        number = family.names.index(letter)
        assert number == family.starts[number] == ord(letter) - 97
        assert family.drawings(number).item() == pytest.approx(number / 26)


@PEER.case(
    "data/metadataset_test: test_fails_with_non_torch_dataset",
)
def test_a_store_of_arrays_is_refused():
    with pytest.raises(ValueError, match="tensor|torch"):
        PictureClasses(list(np.random.default_rng(0).random((5, 3, 1, 2, 2))), ways=5)


@PEER.case("task_generator_test: test_tg_with_none_task", draws=20)
def test_every_ordered_pair_of_classes_is_a_task():
    episode = drawn(store(5, 500, ways=2)[0], tasks=500)
    seen = {tuple(pair) for pair in episode.names["classes"].tolist()}
    assert seen == {(a, b) for a in range(5) for b in range(5) if a != b}


@PEER.case("task_generator_test: test_tg_with_int_task, test_next_tg")
def test_twenty_tasks_one_after_the_other():
    episode = drawn(store(5, 500, ways=3)[0], tasks=20)
    assert len(episode) == len(list(episode)) == 20
    assert all(len(set(own)) == 3 for own in episode.names["classes"].tolist())


@PEER.case("task_generator_test: test_tasks_dont_change")
def test_drawing_changes_nothing_in_the_store():
    family, _ = store()
    before = family.fingerprint, family.settings()
    drawn(family)
    del family.__dict__["fingerprint"]
    assert (family.fingerprint, family.settings()) == before


# --- heads on identical pictures, and small trainings ---------------------------------------------


def copies(classes: int, size: int) -> Episode:
    """Five times the same random picture for each class; the queries are the support set."""
    one = torch.randn(1, classes, 1, size, size, generator=generator())
    x = one.repeat_interleave(5, dim=1)
    y = torch.arange(classes).repeat_interleave(5)[None]
    return Episode(x, y, x, y)


class Unit(nn.Module):
    """Vectors of length 1."""

    def forward(self, x):
        return F.normalize(x.flatten(1), dim=-1)


@PEER.cases("nn/protonet_test: test_simple", "distance, normalize", [
    row(f"{distance}, normalize={n}", distance, n)
    for distance in ("squared", "plain", "cosine") for n in (True, False)
])  # fmt: skip
def test_identical_pictures_are_told_apart(distance, normalize):
    learner = Prototypical(Unit() if normalize else nn.Flatten(), distance)
    assert evaluate(learner, copies(5, 28)).mean == 1


@PEER.cases("nn/metaoptnet_test: test_simple", "normalize",
            [row(f"normalize={n}", n) for n in (True, False)])  # fmt: skip
def test_a_linear_head_tells_identical_pictures_apart(normalize):
    """The peer's head is a support vector machine; here it is logistic regression by SGD."""
    learner = Baseline(Unit() if normalize else nn.Flatten(), 10, 256, seed=0)
    assert evaluate(learner, copies(10, 16)).mean == 1


@PEER.case("optim/meta_optimizer_test: test_maml")
def test_an_outer_step_moves_every_parameter():
    net = mlp(28 * 28, 3, (16,), seed=0)
    x = torch.randn(8, 10, 28 * 28, generator=generator())
    y = torch.randint(3, (8, 10), generator=generator())
    y[:, :3] = torch.arange(3)
    before = copy.deepcopy(list(net.parameters()))
    outer = torch.optim.Adam(net.parameters(), lr=3e-4)
    MAML(net, F.cross_entropy, alpha=0.5, steps=3, way="vmap").outer_loss(
        Episode(x, y, x, y)
    ).backward()
    outer.step()
    for p, old in zip(net.parameters(), before, strict=True):
        assert (p - old).norm() > 0


LEARNERS = {
    "lightning_maml_test": lambda net: MAML(net, F.cross_entropy, alpha=0.4, way="vmap"),
    "lightning_anil_test": lambda net: MAML(
        net, F.cross_entropy, alpha=0.4, way="vmap", adapt="head"
    ),
    "lightning_protonet_test": lambda net: Prototypical(net),
    "meta_mnist_test": lambda net: MAML(net, F.cross_entropy, alpha=0.1, steps=5, way="vmap"),
    "maml_omniglot_test": lambda net: MAML(net, F.cross_entropy, alpha=0.5, way="vmap"),
}
BARS = dict.fromkeys(LEARNERS, 0.25) | {"maml_omniglot_test": 0.4}


@PEER.cases(
    "algorithms and integration: short training", "name", [row(name, name) for name in LEARNERS],
)  # fmt: skip
def test_a_short_training_beats_chance(name):
    """The peer asks for 0.20, which is chance, and for 0.50 after 35 steps on Omniglot; here the
    characters are invented, the network is small, and the bar stands above chance."""
    with seeded(0):
        net = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), mlp(196, 5, (32,), seed=0))
    learner, family = LEARNERS[name](net), Strokes(5, 0.3, scripts=20)
    plan = Plan(outer_steps=35, tasks=16, shots=1, queries=1, beta=0.01)
    run = meta_train(learner, family, plan, progress=False)
    assert len(run.losses) == 35 and all(map(math.isfinite, run.losses))
    score = evaluate(learner, test_episodes(family, 200, shots=1, queries=3, seed=1))
    assert score.mean - score.half_width > BARS[name], str(score)


@PEER.case("nn/protonet_test: accuracy")
def test_accuracy_is_the_share_that_is_right():
    logits = torch.randn(7, 20, generator=generator())
    y = logits.argmax(-1)
    wrong = torch.cat([y[:5], (y[5:] + 1) % 20])
    assert accuracy(logits[None], y[None]).item() == 1
    assert accuracy(logits[None], wrong[None]).item() == pytest.approx(5 / 7)


def test_how_many_cases_there_are(capsys):
    with capsys.disabled():
        print("\n" + PEER.line())
    assert (PEER.count(), PEER.left_out) == (84, 76)
