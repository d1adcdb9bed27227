"""The facts that the tests of easyfsl (sicara/easy-few-shot-learning, easyfsl/tests) assert of its
samplers and data sets, on the families and episodes of the course."""

import numpy as np
import pytest
import torch
from ledger import Ledger, answer, row
from torch import nn
from yardsticks import FOLDERS, as_folder, generator

from course_lib.episodes import Episode
from course_lib.families import PictureClasses, PictureError, own_pictures
from course_lib.learners import Prototypical
from course_lib.training import evaluate

PEER = Ledger("easyfsl, tasks", [])
ONE_CLASS = "situation 6: a task of one class"
LABELS = "situation 16: the type and range of labels"
ARRAYS = "new E: a NumPy array in the place of a tensor"


def store(labels: list, ways: int) -> PictureClasses:
    """A family with a picture of its own grey for every label of the peer's list."""
    kinds = list(dict.fromkeys(labels))
    values = torch.arange(len(labels)).double() / len(labels)
    numbers = [[i for i, label in enumerate(labels) if label == kind] for kind in kinds]
    stacks = [values[own].view(-1, 1, 1, 1) for own in numbers]
    return PictureClasses(stacks, ways=ways, names=kinds)


THREE = [0, 0, 0, 1, 1, 1, 2, 2, 2]
GRID = {
    "2 ways": (THREE, 2, 1, 1),
    "a label of another type": (["label0"] * 3 + THREE[3:], 2, 1, 1),
    "3 ways, 2 shots": (THREE, 3, 2, 1),
}


@PEER.cases(
    "samplers/task_sampler_test: yields_list_of_int, yields_list_of_correct_len, "
    "yields_items_smaller_than_dataset_len", "labels, ways, shots, queries",
    [row(name, *values, draws=5) for name, values in GRID.items()],
)  # fmt: skip
def test_a_task_takes_its_items_from_the_store(labels, ways, shots, queries):
    family = store(labels, ways)
    assert family.names == [str(label) for label in dict.fromkeys(labels)]
    episode = family.sample(5, shots=shots, queries=queries, generator=generator())
    for (sx, sy, qx, qy), classes in zip(episode, episode.names["classes"], strict=True):
        assert len(sx) + len(qx) == ways * (shots + queries)
        assert sy.bincount().tolist() == [shots] * ways
        assert qy.bincount().tolist() == [queries] * ways
        at = (torch.cat([sx, qx]).flatten() * len(labels)).round().long()
        assert len(set(at.tolist())) == len(at) and at.max() < len(labels)
        for place, y in zip(at, torch.cat([sy, qy]), strict=True):
            assert str(labels[place]) == family.names[classes[y]]


@PEER.cases("samplers/task_sampler_test: test_init_raises_error_when_number_of_classes_is_smaller",
            "labels, ways", [
    row("4 of 3", [0, 0, 1, 1, 2, 2], 4, refused=True), row("2 of 1", [0, 0], 2, refused=True),
])  # fmt: skip
def test_more_ways_than_classes_are_refused(labels, ways):
    with pytest.raises(ValueError, match=f"ways={ways}: there are {len(set(labels))} classes"):
        store(labels, ways)


@PEER.cases("samplers/task_sampler_test: test_init_raises_no_error_when_number_of_classes",
            "labels, ways", [
    row("2 of 3", [0, 0, 1, 1, 2, 2], 2), row("3 of 3", [0, 0, 1, 1, 2, 2], 3),
])  # fmt: skip
def test_as_many_ways_as_classes_are_fine(labels, ways):
    assert store(labels, ways).sample(1, shots=1, queries=1).query_y.shape == (1, ways)


@PEER.case(
    "samplers/task_sampler_test: test_init_raises_no_error_when_number_of_classes, 1 of 1",
)
def test_a_task_of_one_class_is_refused():
    """The peer allows it; here a task needs two classes."""
    with pytest.raises(ValueError, match="(2|two) classes|ways=1"):
        store([0, 0], 1)


EIGHT = [0, 0, 0, 1, 1, 1, 2, 2]


@PEER.cases("samplers/task_sampler_test: test_init_raises_error_when_a_label_population",
            "labels, shots, queries, says", [
    row("2 shots too few", [0, 0, 1, 1, 2, 2], 1, 2, "0 has 2 pictures and needs 3", refused=True),
    row("3 + 1 of the third class", EIGHT, 3, 1, "0 has 3 pictures and needs 4", refused=True),
    row("3 + 0", EIGHT, 3, 0, "queries=0: a query set needs at least 1", refused=True),
    row("2 + 1", [0, 0, 1, 1], 2, 1, "0 has 2 pictures and needs 3", refused=True),
])  # fmt: skip
def test_more_items_than_a_class_has_are_refused(labels, shots, queries, says):
    with pytest.raises(ValueError, match=says):
        store(labels, 2).sample(1, shots=shots, queries=queries)


@PEER.cases("samplers/task_sampler_test: test_init_raises_no_error_when_a_label_population",
            "labels, shots, queries, says", [
    row("1 + 1", [0, 0, 1, 1, 2, 2], 1, 1, None),
    row("2 + 0", EIGHT, 2, 0, "queries=0: a query set needs at least 1", refused=True),
    row("0 + 1", [0, 0, 1, 1], 0, 1, "shots=0: a support set needs at least 1", refused=True),
])  # fmt: skip
def test_an_empty_support_or_query_set_is_refused(labels, shots, queries, says):
    family = store(labels, 2)
    if says is None:
        assert family.sample(1, shots=shots, queries=queries).tasks == 1
        return
    with pytest.raises(ValueError, match=says):
        family.sample(1, shots=shots, queries=queries)


# --- what a batch may hold ------------------------------------------------------------------------


def labelled(y) -> Episode:
    x = torch.ones(1, 4, 2, 2)
    return Episode(x, y, x, y)


@PEER.cases(
    "samplers/task_sampler_test: test_raises_error_for_inappropriate_input", "y",
    [
        row(name, y)
        for name, y in (
            ("0.5", torch.tensor([[0, 0.5, 1, 1]])),
            ("floats", torch.tensor([[0.0, 0.0, 1.0, 1.0]])),
            ("half precision", torch.tensor([[0, 0, 1, 1]], dtype=torch.float16)),
            ("true", torch.tensor([[True, True, False, False]])),
            ("false", torch.tensor([[False, False, True, True]])),
            ("below 0", torch.tensor([[0, -1, 1, 1]])),
        )
    ],
)  # fmt: skip
def test_labels_that_are_no_class_numbers_are_refused(y):
    with pytest.raises(ValueError, match="label|class|support_y|whole"):
        evaluate(Prototypical(nn.Flatten()), labelled(y))


@PEER.cases("samplers/task_sampler_test: test_raises_error_for_inappropriate_input", "shape", [
    row("labels of shape (2, 2)", (2, 2)),
    row("labels of shape (1, 2)", (1, 2)),
    row("labels of shape (2,)", (2,)),
    row("labels of shape (1,)", (1,)),
])  # fmt: skip
def test_labels_of_another_shape_are_refused(shape):
    y = torch.tensor([0, 0, 1, 1]).view(1, 4, *[1] * len(shape)).expand(1, 4, *shape)
    assert isinstance(answer(lambda: evaluate(Prototypical(nn.Flatten()), labelled(y))), str)


@PEER.cases("samplers/task_sampler_test: test_raises_error_for_inappropriate_input", "make", [
    row("pictures in NumPy", lambda: Episode(*[np.ones((1, 4, 2, 2)), np.zeros((1, 4), int)] * 2)),
    row("some of them", lambda: Episode(*[torch.ones(1, 4, 2), np.zeros((1, 4), int)] * 2)),
    row("words as labels", lambda: Episode(*[torch.ones(1, 4, 2), [["0", "0", "1", "1"]]] * 2)),
])  # fmt: skip
def test_what_is_no_tensor_is_refused_with_a_sentence(make):
    with pytest.raises(ValueError, match="tensor|torch"):
        evaluate(Prototypical(nn.Flatten()), make())


@PEER.cases("samplers/task_sampler_test: test_correctly_casts_input_data", "y", [
    row("whole numbers", [0, 0, 1, 1]),
    row("tensors among them", [torch.tensor(0), 0, torch.tensor(1), 1]),
    row("tensors", [torch.tensor(0), torch.tensor(0), torch.tensor(1), torch.tensor(1)]),
])  # fmt: skip
def test_whole_numbers_are_labels(y):
    episode = labelled(torch.tensor([[int(one) for one in y]]))
    assert episode.support_y.tolist() == [[0, 0, 1, 1]]
    assert Prototypical(nn.Flatten())(episode).shape == (1, 4, 2)


# --- folders and stacks of pictures ---------------------------------------------------------------


@PEER.cases(
    "datasets: support_set_folder init, wrap default_init, few_shot_dataset_wrapper default_init, "
    "list_data_instances returns_expected_values", "folder", [row(name, name) for name in FOLDERS],
)  # fmt: skip
def test_a_folder_has_its_classes_in_order(folder, tmp_path):
    family = own_pictures(as_folder(tmp_path, FOLDERS[folder]), ways=3, size=8)
    assert family.names == ["class_0", "class_1", "class_2"]
    assert family.counts.tolist() == list(FOLDERS[folder])


@PEER.cases("datasets: empty folder, lists_only_images", "what, says", [
    row("empty_support_set", "nothing", "there is no class folder in it", refused=True),
    row("a class without pictures", "class", "this class has no pictures", refused=True),
    row("a.txt among the pictures", "text", "a.txt: this is no picture", refused=True),
])  # fmt: skip
def test_a_folder_without_pictures_is_refused(what, says, tmp_path):
    if what != "nothing":
        as_folder(tmp_path, (2, 2))
    if what == "class":
        (tmp_path / "empty").mkdir()
    if what == "text":
        (tmp_path / "class_0" / "a.txt").write_text("no picture")
    with pytest.raises(PictureError, match=says):
        own_pictures(tmp_path, ways=2)


def vectors(counts, kind) -> list:
    """The peer's features 0, 1, 2 of three classes, as pictures of one line from 0 to 1."""
    return [kind(np.full((n, 1, 1, 3), i / 2)) for i, n in enumerate(counts)]


@PEER.cases("datasets/features_dataset_test: test_init_from_dict", "counts, kind", [
    row("float32", (2, 2, 2), lambda a: torch.tensor(a).float()),
    row("float64, unbalanced", (2, 2, 1), torch.tensor),
    row("NumPy, float64", (2, 2, 2), np.float64),
    row("NumPy, float32", (2, 2, 2), np.float32),
])  # fmt: skip
def test_stacks_of_features(counts, kind):
    stacks = vectors(counts, kind)
    if isinstance(stacks[0], np.ndarray):
        with pytest.raises(ValueError, match="tensor|torch"):
            PictureClasses(stacks, ways=3)
        return
    family = PictureClasses(stacks, ways=3, names=["class_0", "class_1", "class_2"])
    assert family.counts.tolist() == list(counts)
    assert family.pictures.dtype == stacks[0].dtype
    for number, stack in enumerate(stacks):
        assert family.drawings(number).equal(stack)


@PEER.cases("datasets/features_dataset_test: test_init_from_dict", "second", [
    row("NumPy among tensors", np.ones((2, 1, 1, 3), np.float32), refused=True),
    row("a tensor among NumPy", np.zeros((2, 1, 1, 3), np.float32), refused=True),
])  # fmt: skip
def test_stacks_of_two_kinds_are_refused(second):
    with pytest.raises(ValueError, match="tensor|torch"):
        PictureClasses([torch.zeros(2, 1, 1, 3), second], ways=2)


def test_how_many_cases_there_are(capsys):
    with capsys.disabled():
        print("\n" + PEER.line())
    assert (PEER.count(), PEER.left_out) == (58, 0)
