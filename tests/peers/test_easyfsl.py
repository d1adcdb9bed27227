"""Cases of easyfsl's suite (sicara/easy-few-shot-learning, easyfsl/tests), put to this course: its
inputs and what it asserts of them.

Not here: its golden numbers on photographs (they are not ours to ship; `test_metric_learners.py`
compares every head with a formula written out), FEAT, plotting, and the sliding average.
Where the course refuses what easyfsl takes, the refusal is what is tested: one class, no query.
"""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from course_lib.episodes import Episode
from course_lib.families import PictureClasses, PictureError, own_pictures
from course_lib.learners import Learner, Prototypical, Relation


def family(labels: list, ways: int) -> PictureClasses:
    """One picture a label, in which the place of the item in the list can be read."""
    number = torch.arange(len(labels), dtype=torch.uint8)
    names = sorted(set(map(str, labels)))
    stacks = [
        number[[i for i, label in enumerate(labels) if str(label) == name]].view(-1, 1, 1, 1)
        for name in names
    ]
    return PictureClasses(stacks, ways, names)


# samplers/task_sampler_test.py, cases_grid
GRID = [
    ([0, 0, 0, 1, 1, 1, 2, 2, 2], 2, 1, 1),
    (["label0", "label0", "label0", 1, 1, 1, 2, 2, 2], 2, 1, 1),
    ([0, 0, 0, 1, 1, 1, 2, 2, 2], 3, 2, 1),
]


@pytest.mark.parametrize("labels, ways, shots, queries", GRID)
def test_the_sampler_draws_items_of_the_data_set_as_many_as_asked_and_none_twice(
    labels, ways, shots, queries
):
    tasks = family(labels, ways).sample(5, shots=shots, queries=queries)
    assert tasks.support_y.shape == (5, ways * shots) and tasks.query_y.shape == (5, ways * queries)
    assert not tasks.support_x.is_floating_point() or tasks.support_x.max() < len(labels)
    for support_x, _, query_x, _ in tasks:
        drawn = torch.cat([support_x, query_x]).flatten().tolist()
        assert len(drawn) == ways * (shots + queries) == len(set(drawn))


# TestTaskSamplerSizeChecks
@pytest.mark.parametrize("labels, ways", [([0, 0, 1, 1, 2, 2], 4), ([0, 0], 2)])
def test_more_ways_than_classes_are_refused(labels, ways):
    with pytest.raises(ValueError, match=f"ways={ways}: there are"):
        family(labels, ways)


@pytest.mark.parametrize("labels, ways", [([0, 0, 1, 1, 2, 2], 2), ([0, 0, 1, 1, 2, 2], 3)])
def test_as_many_ways_as_classes_are_not(labels, ways):
    assert family(labels, ways).sample(1, shots=1, queries=1).ways == ways


@pytest.mark.parametrize("labels, shots, queries", [
    ([0, 0, 1, 1, 2, 2], 1, 2), ([0, 0, 0, 1, 1, 1, 2, 2], 3, 1), ([0, 0, 1, 1], 2, 1),
])  # fmt: skip
def test_a_class_with_too_few_pictures_is_refused(labels, shots, queries):
    with pytest.raises(ValueError, match="pictures"):
        family(labels, 2).sample(1, shots=shots, queries=queries)


def test_what_easyfsl_takes_and_the_course_refuses():
    with pytest.raises(ValueError, match="class"):
        family([0, 0], 1).sample(1, shots=1, queries=1)
    for shots, queries, says in ((2, 0, "queries=0"), (0, 1, "shots=0")):
        with pytest.raises(ValueError, match=says):
            family([0, 0, 0, 1, 1, 1], 2).sample(1, shots=shots, queries=queries)


# TestCastInputDataToTensorIntTuple: what may stand for a picture and for a label
PICTURES = torch.ones(1, 4, 2, 2)
BAD = {
    "an array for a tensor": (np.ones((1, 4, 2, 2)), torch.tensor([[0, 0, 1, 1]])),
    "half a label": (PICTURES, torch.tensor([[0, 0.5, 1, 1]])),
    "a label in quotes": (PICTURES, [[0, "0", 1, 1]]),
    "a matrix for a label": (PICTURES, torch.ones(1, 4, 2, 2, dtype=torch.int8)),
    "a row for a label": (PICTURES, torch.ones(1, 4, 1, dtype=torch.int8)),
    "eight bits": (PICTURES, torch.tensor([[0, 0, 1, 1]], dtype=torch.int8)),
    "true and false": (PICTURES, torch.tensor([[False, False, True, True]])),
    "half precision": (PICTURES, torch.tensor([[0, 0, 1, 1]], dtype=torch.float16)),
}


@pytest.mark.parametrize("name", BAD)
def test_pictures_and_labels_of_a_wrong_type_are_refused(name):
    x, y = BAD[name]
    good = PICTURES, torch.tensor([[0, 0, 1, 1]])
    with pytest.raises(ValueError, match="support"):
        Episode(x, y, *good)


def test_the_right_types_are_taken():
    y = torch.tensor([[0, 0, 1, 1]])
    assert Episode(PICTURES, y, PICTURES, y).ways == 2


# datasets/support_set_folder_test.py and the balanced and unbalanced folders of the relation tests
@pytest.fixture
def folder(tmp_path):
    def make(**counts):
        generator = np.random.default_rng(0)
        for name, count in counts.items():
            (tmp_path / name).mkdir()
            for i in range(count):
                pixels = generator.integers(0, 255, (9, 9), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
        return tmp_path

    return make


@pytest.mark.parametrize("counts", [{"a": 2, "b": 2, "c": 2}, {"a": 2, "b": 4, "c": 3}])
def test_balanced_and_unbalanced_folders_are_read(folder, counts):
    tasks = own_pictures(folder(**counts), ways=3, size=8).sample(2, shots=1, queries=1)
    relation = Relation(nn.Sequential(nn.Flatten(), nn.Linear(64, 5)), features=5, seed=0).eval()
    assert relation(tasks).shape == (2, 3, 3)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(PictureError):
        own_pictures(tmp_path)


@pytest.mark.parametrize("shots", [(1, 2), (3, 1)])
def test_a_support_set_may_be_unbalanced(shots):
    y = torch.arange(2).repeat_interleave(torch.tensor(shots))[None]
    x = torch.randn(1, len(y[0]), 5)
    logits = Prototypical(nn.Flatten())(Episode(x, y, x[:, :1], y[:, :1]))
    centre = [x[0][y[0] == c].mean(0) for c in (0, 1)]
    wanted = torch.stack([-(x[0, 0] - c).square().sum() for c in centre])
    torch.testing.assert_close(logits[0, 0], wanted)


# methods/few_shot_classifier_test.py and the constructors' checks
def test_a_learner_without_a_method_says_so():
    with pytest.raises(NotImplementedError):
        Learner().predict(*[torch.zeros(1)] * 3)


def test_a_comparison_that_does_not_fit_the_encoder_is_refused():
    tasks = Episode(*(torch.arange(2)[None] if i % 2 else torch.randn(1, 2, 3) for i in range(4)))
    with pytest.raises(ValueError, match="features=4, but the encoder gives 3 numbers"):
        Relation(nn.Flatten(), features=4)(tasks)
