"""The facts that the tests of easyfsl (sicara/easy-few-shot-learning, easyfsl/tests) assert of its
classifiers, samplers and folders, on those of the course.

The peer's golden numbers hang on its photographs and random weights; here the same shapes are
filled with seeded numbers, and the yardsticks are formulas in NumPy.
"""

import math

import numpy as np
import pytest
import torch
from ledger import Ledger, row
from torch import nn
from yardsticks import FOLDERS, as_folder, generator

from course_lib.episodes import Episode, TaskFamily
from course_lib.families import PictureClasses, own_pictures
from course_lib.learners import (
    MAML,
    Baseline,
    BaselinePlusPlus,
    Learner,
    Matching,
    Prototypical,
    Relation,
    prototypes,
)
from course_lib.learners.matching import FullContext
from course_lib.networks.small import conv4, seeded
from course_lib.training import accuracy, evaluate

PEER = Ledger(
    "easyfsl",
    [
        (4, "methods/feat_test", "no attention between prototypes"),
        (33, "methods/finetuning_methods_test, TIM, TransductiveFinetuning and PTMAP",
         "no learner looks at all queries together"),
        (9, "methods/abstract_meta_learner_test, TestAMLValidate", "no choice of a best state"),
        (1, "datasets/support_set_folder_test, transform", "no transforms of torchvision"),
        (22, "datasets/[few_shot_dataset_]wrap*_test, positions", "no data sets are wrapped"),
        (7, "datasets/easy_set_test, specifications", "no JSON files that describe a data set"),
        (4, "datasets/easy_set_test, TieredImagenet", "their data set"),
        (12, "datasets/features_dataset_test, from_dataframe", "no tables of pandas"),
        (15, "modules/*_test, ResNets", "conv4 is the only network for pictures"),
        (2, "utils_test, plot_images", "figures are tested with the classroom"),
        (8, "utils_test, sliding_average", "no such helper"),
        (3, "utils_test, entropy", "no such helper"),
    ],
)  # fmt: skip


def birds(draw: int = 0, size: int = 8) -> tuple:
    """As in the peer's example: three support pictures of two classes, and two queries."""
    pictures = torch.rand(5, 3, size, size, generator=generator(draw), dtype=torch.float64)
    return pictures[:3], torch.tensor([0, 0, 1]), pictures[3:]


def flat(pictures) -> np.ndarray:
    return pictures.flatten(1).numpy()


def task_of(family: PictureClasses, queries: int = 4) -> tuple:
    """All pictures of a folder as one support set, and some random queries."""
    support = torch.cat([family.drawings(n) for n in range(family.classes)])
    y = torch.arange(family.classes).repeat_interleave(family.counts)
    return support, y, torch.rand(queries, *support.shape[1:], generator=generator())


# --- prototypes and heads on given pictures -------------------------------------------------------


@PEER.cases("utils_test: test_compute_prototypes_returns_correct_prototypes", "y, expected", [
    row("one class", [0, 0], [[0.5, 0.5]]),
    row("two classes", [0, 1], [[0.0, 0.0], [1.0, 1.0]]),
    row("the other way round", [1, 0], [[1.0, 1.0], [0.0, 0.0]]),
])  # fmt: skip
def test_prototypes_of_two_points(y, expected):
    points = torch.tensor([[[0.0, 0.0], [1.0, 1.0]]])
    assert prototypes(points, torch.tensor([y])).tolist() == [expected]


@PEER.case(
    "methods/prototypical_networks_test: test_prototypical_networks_returns_expected_output",
    draws=10,
)
def test_logits_are_distances_to_the_means():
    for draw in range(10):
        support, y, query = birds(draw)
        centres = [flat(support[:2]).mean(0), flat(support[2:])[0]]
        gaps = np.array([[q - c for c in centres] for q in flat(query)])
        for distance, expected in (
            ("plain", -np.linalg.norm(gaps, axis=-1)), ("squared", -(gaps**2).sum(-1))
        ):  # fmt: skip
            told = Prototypical(nn.Flatten(), distance).predict(support, y, query)
            np.testing.assert_allclose(told.numpy(), expected, rtol=1e-9)


@PEER.cases(
    "methods: test_constructor_raises_error_when_arg_is_not_a_feature_extractor", "kind",
    [row(kind.__name__, kind) for kind in (Prototypical, Matching)],
)  # fmt: skip
def test_feature_maps_are_taken_as_vectors(kind):
    """The peer refuses an encoder that ends in maps; here they are flattened, as by Flatten."""
    support, y, query = birds()
    with seeded(0):
        maps = nn.Conv2d(3, 4, 4).double()
    told = kind(maps).predict(support, y, query)
    assert told.shape == (2, 2)
    assert told.equal(kind(nn.Sequential(maps, nn.Flatten())).predict(support, y, query))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def cell(x, h, c, weights: dict, suffix: str = ""):
    """One step of an LSTM with the weights of torch's, whose gates are i, f, g, o."""
    names = ("weight_ih", "bias_ih", "weight_hh", "bias_hh")
    w, b, u, d = (weights[f"{name}{suffix}"] for name in names)
    gates = x @ w.T + b + h @ u.T + d
    i, f, g, o = np.split(gates, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def full_context(context: FullContext, support: np.ndarray, query: np.ndarray, steps: int):
    """Vinyals et al., appendix A: look at the support set, then step; (S, d) and (Q, d)."""
    reads = {n: p.detach().numpy() for n, p in context.both_ways.named_parameters()}
    steps_with = {n: p.detach().numpy() for n, p in context.reader.named_parameters()}
    g = support.copy()
    for suffix, order in (("_l0", range(len(support))), ("_l0_reverse", range(len(support))[::-1])):
        h = c = np.zeros(support.shape[1])
        for i in order:
            h, c = cell(support[i], h, c, reads, suffix)
            g[i] += h
    h, c = query, np.zeros_like(query)
    for _ in range(steps):
        r = softmax(h @ g.T) @ g
        h, c = cell(np.concatenate([query, r], -1), h, c, steps_with)
        h = h + query
    return g, h


@PEER.cases(
    "methods/matching_networks_test: test_matching_networks_returns_expected_output", "steps",
    [row(f"{steps} looks", steps, draws=3) for steps in (1, 3)],
)  # fmt: skip
def test_full_context_is_that_of_the_paper(steps):
    for draw in range(3):
        support, y, query = birds(draw, size=2)
        learner = Matching(nn.Flatten(), True, 1.0, features=12, steps=steps, seed=draw).double()
        told = learner.predict(support, y, query).detach()
        g, h = full_context(learner.context, flat(support), flat(query), steps)
        unit = lambda a: a / np.linalg.norm(a, axis=-1, keepdims=True)
        votes = softmax(unit(h) @ unit(g).T) @ np.array([[1, 0], [1, 0], [0, 1]])
        np.testing.assert_allclose(told.numpy(), np.log(votes), atol=1e-9)


@PEER.case(
    "methods/matching_networks_test: log-probabilities, as in its golden numbers", draws=10
)
def test_matching_gives_log_probabilities():
    assert math.exp(-1.3137) + math.exp(-0.3131) == pytest.approx(1, abs=1e-3)
    for draw in range(10):
        for context in (False, True):
            learner = Matching(nn.Flatten(), context, features=12, seed=draw).double()
            told = learner.predict(*birds(draw, size=2))
            assert told.shape == (2, 2)
            torch.testing.assert_close(told.exp().sum(-1), torch.ones(2).double())


class Mean(nn.Module):
    """A relation module without weights: the mean of all numbers of a pair."""

    def forward(self, pairs):
        return pairs.mean(-1, keepdim=True)


@PEER.case(
    "methods/relation_networks_test: test_prototypical_networks_returns_expected_output", draws=10
)
def test_relation_scores_of_a_mean():
    """Class features are sums here, as in the paper; means in the peer."""
    for draw in range(10):
        support, y, query = birds(draw)
        learner = Relation(nn.Flatten(), features=192)
        learner.g = Mean()
        classes = np.stack([flat(support[:2]).sum(0), flat(support[2:])[0]])
        expected = (classes.mean(-1)[None] + flat(query).mean(-1)[:, None]) / 2
        told = learner.predict(support, y, query).numpy()
        np.testing.assert_allclose(told, expected, rtol=1e-9)
        assert np.ptp(told[0] - told[1]) < 1e-9  # as in the peer's four golden numbers:
    assert 0.4866 - 0.4148 == pytest.approx(0.7073 - 0.6354, abs=2e-4)


@PEER.case(
    "methods/relation_networks_test: test_constructor_raises_error_when_arg_doesnt_output_3d",
    refused=True,
)
def test_relation_takes_vectors_of_the_length_it_was_told():
    with pytest.raises(ValueError, match="features=64, but the encoder gives 192.*features=192"):
        Relation(nn.Flatten()).predict(*birds())


@PEER.cases(
    "methods/relation_networks_test: test_relation_nets_can_process_support_set", "folder",
    [row(folder, folder) for folder in FOLDERS],
)  # fmt: skip
def test_relation_networks_on_a_folder(folder, tmp_path):
    family = own_pictures(as_folder(tmp_path, FOLDERS[folder]), ways=3, size=8)
    support, y, query = task_of(family)
    told = Relation(nn.Flatten(), features=64, seed=0).eval().predict(support, y, query)
    assert told.shape == (4, 3) and torch.isfinite(told).all()


# --- a new head for each task: Finetune -----------------------------------------------------------


def frozen_encoder() -> nn.Module:
    with seeded(0):
        return nn.Sequential(nn.Flatten(), nn.AdaptiveAvgPool1d(10), nn.Linear(10, 5))


HEADS = {
    "Baseline": lambda: Baseline(frozen_encoder(), 2, 5, steps=2, seed=0),
    "BaselinePlusPlus": lambda: BaselinePlusPlus(frozen_encoder(), 2, 5, steps=2, seed=0),
    "MAML, head": lambda: MAML(
        nn.Sequential(frozen_encoder(), nn.Linear(5, 3)), nn.functional.cross_entropy,
        steps=2, alpha=1.0, adapt="head", way="autograd",
    ),
}  # fmt: skip


@PEER.cases(
    "methods/finetuning_methods_test: run in ordinary context, run in no_grad context, update in "
    "ordinary context, update in no_grad context", "name", [row(name, name) for name in HEADS],
)  # fmt: skip
def test_a_head_is_trained_with_and_without_gradients(name):
    learner, (support, y, query) = HEADS[name](), (t.float() for t in birds())
    y = y.long()
    before = {n: t.clone() for n, t in learner.state_dict().items()}
    told = learner.predict(support, y, query)
    with torch.no_grad():
        assert learner.predict(support, y, query).equal(told)
    learner.steps = 8  # a head that learns answers otherwise after more steps
    assert not torch.allclose(learner.predict(support, y, query), told, atol=1e-3)
    assert all(t.equal(before[n]) for n, t in learner.state_dict().items())


@PEER.cases(
    "methods/finetuning_methods_test: process_support_set_folder, store_correct_support_labels",
    "name, folder",
    [row(f"{name}, {folder}", name, folder) for name in HEADS for folder in FOLDERS],
)  # fmt: skip
def test_a_head_on_a_folder(name, folder, tmp_path):
    support, y, query = task_of(own_pictures(as_folder(tmp_path, FOLDERS[folder]), ways=3, size=8))
    assert y.bincount().tolist() == list(FOLDERS[folder])
    told = HEADS[name]().predict(support, y, query)
    assert told.shape == (4, 3) and torch.isfinite(told).all()


@PEER.cases("methods/finetuning_methods_test: test_store_correct_prototypes", "folder",
            [row(folder, folder) for folder in FOLDERS])  # fmt: skip
def test_prototypes_of_a_folder(folder, tmp_path):
    support, y, _ = task_of(own_pictures(as_folder(tmp_path, FOLDERS[folder]), ways=3, size=8))
    f = frozen_encoder()(support).detach()
    expected = np.stack([f.numpy()[y.numpy() == n].mean(0) for n in range(3)])
    np.testing.assert_allclose(prototypes(f[None], y[None])[0].numpy(), expected, atol=1e-6)


@PEER.cases(
    "methods/finetuning_methods_test: test_raise_value_error_for_not_1_dim_features", "kind",
    [row(kind.__name__, kind, refused=True) for kind in (Baseline, BaselinePlusPlus)],
)  # fmt: skip
def test_a_head_for_another_number_of_features_is_refused(kind):
    with pytest.raises(ValueError, match="features=5, but the encoder gives 192.*set features=192"):
        kind(nn.Identity(), 2, 5).predict(*birds())


# --- what has to be overridden, and one score -----------------------------------------------------


@PEER.cases(
    "methods/[few_shot_classifier, abstract_meta_learner]_test: not_implemented", "call",
    [
        row("forward", lambda: Learner().predict(None, None, None)),
        row("of an episode", lambda: Learner()(Episode(*[torch.zeros(1, 2, 1)] * 4))),
        row("process_support_set", lambda: TaskFamily().sample(1, shots=1, queries=1)),
    ],
)  # fmt: skip
def test_an_abstract_method_says_so(call):
    with pytest.raises(NotImplementedError):
        call()


class Constant(Learner):
    def predict(self, support_x, support_y, query_x):
        return torch.tensor([[0.25, 0.75]]).repeat(len(query_x), 1)


@PEER.case("methods/abstract_meta_learner_test: test_evaluate_on_one_task_gives_correct_output")
def test_one_of_five_is_right():
    x, y = torch.ones(1, 5, 3, 28, 28), torch.tensor([[0, 0, 0, 0, 1]])
    assert evaluate(Constant(), Episode(x, y, x, y)).mean == pytest.approx(1 / 5)
    assert accuracy(torch.tensor([[[0.25, 0.75]] * 5]), y).tolist() == pytest.approx([1 / 5])


@PEER.cases("modules/predesigned_modules_test: size of the output", "outputs, size", [
    row("with use_fc", 10, 10), row("without", None, 25 * 8),
])  # fmt: skip
def test_a_network_for_pictures_of_84_pixels(outputs, size):
    network = conv4(8, outputs, inputs=3, size=84, seed=0)
    assert network(torch.ones(5, 3, 84, 84)).shape == (5, size)


def test_how_many_cases_there_are(capsys):
    with capsys.disabled():
        print("\n" + PEER.line())
    assert (PEER.count(), PEER.left_out) == (47, 120)
