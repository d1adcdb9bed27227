"""The facts that pytorch-meta (tristandeleu/pytorch-meta, torchmeta/tests) asserts of its heads and
tasks, on those of the course. The yardsticks are loops over NumPy arrays."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from ledger import Ledger, row
from torch import nn
from yardsticks import generator

from course_lib.families import LinearRegressions, PictureClasses, Sinusoids
from course_lib.learners import Matching, Prototypical, Ridge, prototypes
from course_lib.learners.metric import one_hot
from course_lib.learners.prototypical import cosine

PEER = Ledger(
    "pytorch-meta",
    [
        (36, "utils/test_dataloaders, datasets helpers", "six of their data sets"),
        (36, "datasets/test_datasets_helpers", "the same"),
        (24, "datasets/test_datasets_helpers_tabular", "their data sets"),
        (21, "utils/test_wrappers", "their data sets, as one stream of pictures"),
        (3, "toy/test_toy, Harmonic", "no such family"),
        (1, "toy/test_toy, helpers of Harmonic", "no such family"),
        (1, "utils/test_dataloaders test_meta_dataloader_task_loader", "no loader within a task"),
    ],
)


# --- utils/test_matching and utils/test_prototype ------------------------------------------------


def arrays(seed: int, *shapes) -> list:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def similarities(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(B, n, d) and (B, m, d) -> (B, n, m), one number at a time."""
    result = np.zeros((len(one), one.shape[1], other.shape[1]))
    for b, i, j in np.ndindex(result.shape):
        length = math.sqrt((one[b, i] ** 2).sum() * (other[b, j] ** 2).sum())
        result[b, i, j] = (one[b, i] * other[b, j]).sum() / max(length, 1e-8)
    return result


@PEER.cases("utils/test_matching: similarity", "zero", [
    row("test_pairwise_similarity", False, draws=10),
    row("test_pairwise_similarity_zero", True, draws=10),
])  # fmt: skip
def test_cosines(zero):
    for draw in range(10):
        one, other = arrays(draw, (2, 3, 7), (2, 5, 7))
        if zero:
            one[0, 1] = 0
        told = cosine(torch.tensor(one), torch.tensor(other))
        np.testing.assert_allclose(told.numpy(), similarities(one, other), atol=1e-5)


CLASSES = [[0, 1, 2], [1, 1, 0, 2, 0], [2, 0, 1, 1, 1, 0], [0, 1]]


@PEER.cases(
    "utils/test_matching: test_matching_probas, test_matching_log_probas", "y",
    [row(str(y), y, draws=5) for y in CLASSES],
)  # fmt: skip
def test_attention_votes_for_the_classes(y):
    for draw in range(5):
        support, query = arrays(draw, (2, len(y), 7), (2, 5, 7))
        y_of_both = torch.tensor([y, y[::-1]])
        told = Matching(nn.Identity(), scale=1.0).compare(
            torch.tensor(support), y_of_both, torch.tensor(query)
        )
        weights = np.exp(similarities(query, support))
        weights /= weights.sum(-1, keepdims=True)
        true = np.zeros((2, 5, max(y) + 1))
        for b, q, s in np.ndindex(weights.shape):
            true[b, q, y_of_both[b, s]] += weights[b, q, s]
        assert told.shape == true.shape and (told < 0).all()
        np.testing.assert_allclose(told.exp().sum(-1).numpy(), 1, atol=1e-5)
        np.testing.assert_allclose(told.exp().numpy(), true, atol=1e-5)
        # matching_loss: cross-entropy takes log-probabilities as they are
        target = torch.tensor([[0, 1, 0, 1, 1]] * 2)
        loss = F.cross_entropy(told.flatten(0, 1), target.flatten())
        chosen = np.take_along_axis(true, target.numpy()[..., None], 2)
        assert loss.item() == pytest.approx(-np.log(chosen).mean(), abs=1e-5)


@PEER.cases("utils/test_prototype: test_get_num_samples, test_get_prototypes", "y",
            [row(str(y), y, draws=5) for y in CLASSES])  # fmt: skip
def test_prototypes_are_the_means(y):
    for draw in range(5):
        (support,) = arrays(draw, (2, len(y), 7))
        y_of_both = torch.tensor([y, y[::-1]])
        counts, sums = np.zeros((2, max(y) + 1)), np.zeros((2, max(y) + 1, 7))
        for b, s in np.ndindex(2, len(y)):
            counts[b, y_of_both[b, s]] += 1
            sums[b, y_of_both[b, s]] += support[b, s]
        told = prototypes(torch.tensor(support), y_of_both)
        assert told.dtype == torch.float32
        np.testing.assert_equal(one_hot(y_of_both).sum(1).numpy(), counts)
        np.testing.assert_allclose(told.numpy(), sums / counts[..., None], rtol=1e-5, atol=1e-6)


@PEER.cases(
    "utils: test_matching_probas, test_matching_log_probas, test_get_prototypes", "y, others",
    [row("a class of eleven without an example", [0, 10, 3], None, refused=True),
     row("a class that one task lacks", [0, 1, 2], [0, 1, 1], refused=True)],
)  # fmt: skip
def test_a_class_without_an_example_is_refused(y, others):
    support, query = (torch.tensor(a) for a in arrays(0, (2, 3, 7), (2, 5, 7)))
    y_of_both = torch.tensor([y, others or y])
    for learner in (Matching(nn.Identity()), Prototypical(nn.Identity())):
        with pytest.raises(ValueError, match="a class has no support example .*number the classes"):
            learner.compare(support, y_of_both, query)


# --- utils/test_r2d2: ridge regression ------------------------------------------------------------

GRID = [
    (penalty, form, scale, bias)
    for penalty in (0.1, 1.0)
    for form in ("any", "woodbury", "plain")
    for scale in (True, False)
    for bias in (True, False)
]


def solved(penalty, form, scale, bias, y, seed=0):
    """Ridge's weights for five embeddings; the mean instead of the sum of squares is a penalty five
    times as large, and a bias a column of ones."""
    (x,) = arrays(seed, (5, 7))
    x = np.concatenate([x, np.ones((5, 1))], 1) if bias else x
    support = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    return support, Ridge(penalty * (5 if scale else 1)).solve(support, y)


def check_ridge(penalty, form, scale, bias, y) -> None:
    support, w = solved(penalty, form, scale, bias, y)
    x, w = support.detach().numpy(), w.detach().numpy()
    assert w.shape == (8 if bias else 7, 3)
    slope = x.T @ (x @ w - y.numpy()) / (5 if scale else 1) + penalty * w
    np.testing.assert_allclose(slope, 0, atol=1e-9)
    strength = penalty * (5 if scale else 1)
    if form == "woodbury":  # the same through the examples instead of the features
        own = x.T @ np.linalg.solve(x @ x.T + strength * np.eye(5), y.numpy())
    else:
        own = np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T @ y.numpy())
    np.testing.assert_allclose(w, own, atol=1e-9)


@PEER.cases("utils/test_r2d2: test_ridge_regression", "case",
            [row(str(case), case) for case in GRID])  # fmt: skip
def test_ridge_on_classes_is_where_the_slope_is_zero(case):
    check_ridge(*case, F.one_hot(torch.tensor([0, 2, 1, 1, 2]), 3).double())


@PEER.cases("utils/test_r2d2: test_ridge_regression_regression_task", "case",
            [row(str(case), case) for case in GRID if case[0] == 1.0])  # fmt: skip
def test_ridge_on_numbers_is_where_the_slope_is_zero(case):
    check_ridge(*case, torch.randn(5, 3, generator=generator(), dtype=torch.float64))


@PEER.cases("utils/test_r2d2: test_ridge_regression_requires_grad", "case",
            [row(str(case), case) for case in GRID])  # fmt: skip
def test_a_gradient_goes_through_ridge_to_the_embeddings(case):
    y = F.one_hot(torch.tensor([0, 2, 1, 1, 2]), 3).double()
    support, w = solved(*case, y)
    query = torch.randn(11, w.shape[0], generator=generator(), dtype=torch.float64)
    F.cross_entropy(query @ w, torch.arange(11) % 3).backward()
    assert support.grad.abs().sum() > 0 and torch.isfinite(support.grad).all()


# --- toy, transforms, dataloaders -----------------------------------------------------------------

CURVES = {"Sinusoid": Sinusoids(), "SinusoidAndLine": LinearRegressions(1, noise=0.0)}


@PEER.cases(
    "toy/test_toy: test_toy_meta_dataset, test_toy_task, test_toy_sample, test_toy_helpers", "name",
    [row(name, name) for name in CURVES],
)  # fmt: skip
def test_a_thousand_tasks_of_curves(name):
    episode = CURVES[name].sample(1000, shots=5, queries=15, generator=generator())
    assert len(episode) == 1000
    for x, y, items in ((*episode.four[:2], 5), (*episode.four[2:], 15)):
        assert x.shape == y.shape == (1000, items, 1)
    sx, sy, qx, qy = next(iter(episode))
    assert sx[0].shape == sy[0].shape == (1,) and len(qx) == len(qy) == 15


@PEER.cases(
    "utils/test_dataloaders: test_meta_dataloader, test_batch_meta_dataloader, "
    "test_batch_meta_dataloader_splitter", "shots, queries",
    [row("5 + 5", 5, 5), row("5 + 15", 5, 15)],
)  # fmt: skip
def test_batches_of_four_tasks(shots, queries):
    episode = Sinusoids().sample(1000, shots=shots, queries=queries, generator=generator())
    parts = list(episode.parts(4))
    assert len(parts) == 250 and all(len(part) == 4 for part in parts)
    assert [t.shape for t in parts[0].four] == [(4, shots, 1)] * 2 + [(4, queries, 1)] * 2


def pictures(classes: int, each: int, ways: int) -> PictureClasses:
    """Every picture of its own grey."""
    values = torch.arange(classes * each).view(classes, each, 1, 1, 1) / (classes * each)
    return PictureClasses(list(values.double()), ways=ways, groups=list(range(classes)))


@PEER.cases(
    "utils/test_dataloaders: test_datasets_helpers_dataloader, test_datasets_helpers",
    "shots, split",
    [row(f"omniglot, {shots} shots, {split}", shots, split)
     for shots in (1, 5) for split in ("train", "val", "test")],
)  # fmt: skip
def test_five_ways_and_fifteen_queries_of_a_split(shots, split):
    train, rest = pictures(30, 20, ways=5).split(20)
    family = {"train": train, "val": rest.split(10)[0], "test": rest.split(10)[1]}[split]
    episode = family.sample(4, shots=shots, queries=15, generator=generator())
    assert episode.support_x.shape == (4, 5 * shots, 1, 1, 1)
    assert episode.query_x.shape == (4, 75, 1, 1, 1)
    assert episode.support_y.shape == (4, 5 * shots) and episode.query_y.shape == (4, 75)
    first = {"train": 0, "val": 10, "test": 20}[split]
    at = (episode.query_x.flatten() * 30).floor()
    assert first <= at.min() and at.max() < first + 10


@PEER.case("utils/test_dataloaders: test_overflow_length_dataloader")
def test_more_tasks_than_a_number_can_count():
    assert math.comb(4112, 20) > 2**64
    episode = pictures(4112, 6, ways=20).sample(4, shots=1, queries=5, generator=generator())
    assert episode.query_y.shape == (4, 100)


@PEER.cases("transforms/test_splitters: test_seed_class_splitter", "name",
            [row(name, name, draws=10) for name in CURVES])  # fmt: skip
def test_a_seed_gives_the_same_task(name):
    for seed in range(10):
        one, again, other = (
            CURVES[name].sample(1, shots=5, queries=5, generator=generator(s))
            for s in (seed, seed, seed + 1)
        )
        assert all(a.equal(b) for a, b in zip(one.four, again.four, strict=True))
        assert not one.support_x.equal(other.support_x)


@PEER.case("transforms/test_splitters: test_class_splitter_for_fold_overlaps", draws=10)
def test_support_and_query_share_no_picture():
    family = pictures(2, 10, ways=2)
    for seed in range(10):
        episode = family.sample(3, shots=5, queries=5, generator=generator(seed))
        for sx, _, qx, _ in episode:
            seen = torch.cat([sx, qx]).flatten().tolist()
            assert len(set(seen)) == len(seen) == 20


def test_how_many_cases_there_are(capsys):
    with capsys.disabled():
        print("\n" + PEER.line())
    assert (PEER.count(), PEER.left_out) == (114, 122)
