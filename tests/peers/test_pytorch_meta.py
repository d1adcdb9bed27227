"""Cases of pytorch-meta's suite (tristandeleu/pytorch-meta, torchmeta/tests), put to this course.

Not here: its data sets and their downloads, its layers that take `params` (functional_call does
that), and tabular data. Where a class has no example pytorch-meta takes a prototype of zeros; the
course refuses.
"""

import numpy as np
import pytest
import torch
from torch import nn

from course_lib.episodes import Episode
from course_lib.families import Sinusoids, Strokes
from course_lib.learners import MAML, Matching
from course_lib.learners.prototypical import cosine, prototypes

EVERY_WAY = ("higher", "autograd", "vmap", "fast")
each_way = pytest.mark.parametrize("way", EVERY_WAY)


# utils/test_gradient_based.py: w = (2, 3, 5) and the loss (w . x)^2 / 2
def half_square(predictions, targets):
    return predictions.square().sum() / 2


def linear() -> nn.Linear:
    layer = nn.Linear(3, 1, bias=False)
    layer.weight.data = torch.tensor([[2.0, 3.0, 5.0]])
    return layer


def one_example(support: list, query: list) -> Episode:
    y = torch.zeros(1, 1, 1)
    return Episode(torch.tensor([[support]]), y, torch.tensor([[query]]), y)


@each_way
@pytest.mark.parametrize(
    "support, query, alpha, first_order, loss, gradient",
    [
        ([1.0, 2, 3], [4.0, 5, 6], 0.5, False, 49612.5, [3780.0, 8505, 13230]),
        ([4.0, 5, 6], [1.0, 2, 3], 0.5, True, 340312.5, [-825.0, -1650, -2475]),
    ],
)
def test_one_update_by_hand(way, support, query, alpha, first_order, loss, gradient):
    net = linear()
    maml = MAML(net, half_square, alpha=alpha, first_order=first_order, way=way)
    got = maml.outer_loss(one_example(support, query))
    assert got.item() == loss
    assert torch.autograd.grad(got, net.weight)[0].tolist() == [gradient]


@each_way
def test_three_updates_by_hand(way):
    net = linear()
    maml = MAML(net, half_square, alpha=1.0, steps=3, way=way)
    tasks = one_example([1.0, 2, 3], [4.0, 5, 6])
    answer = maml(tasks)
    assert answer.item() == -115499
    (gradient,) = torch.autograd.grad(answer.sum(), net.weight)
    assert gradient.tolist() == [[-5020.0, -10043, -15066]]
    phi = [-21.0, -43, -64], [278.0, 555, 833], [-3609.0, -7219, -10828]
    wanted = [2 * 4 + 3 * 5 + 5 * 6, *(4 * a + 5 * b + 6 * c for a, b, c in phi)]
    assert maml.after_each_step(tasks).flatten().tolist() == wanted


# utils/test_prototype.py
@pytest.mark.parametrize("seed", range(3))
def test_prototypes_are_means_counted_with_loops(seed):
    numbers = np.random.default_rng(seed)
    f = numbers.random((2, 7, 5))
    y = np.stack([numbers.permutation([0, 0, 0, 1, 1, 2, 2]) for _ in range(2)])
    wanted = np.zeros((2, 3, 5))
    for task in range(2):
        for item in range(7):
            wanted[task, y[task, item]] += f[task, item] / (y[task] == y[task, item]).sum()
    got = prototypes(torch.from_numpy(f), torch.from_numpy(y))
    assert got.dtype == torch.float64
    np.testing.assert_allclose(got.numpy(), wanted)


def test_a_class_without_an_example_has_no_prototype():
    with pytest.raises(ValueError, match="no support example"):
        prototypes(torch.rand(1, 2, 3), torch.tensor([[0, 2]]))


# utils/test_matching.py
@pytest.mark.parametrize("zero", [False, True])
def test_cosines_are_those_of_loops_and_finite_at_the_origin(zero):
    numbers = np.random.default_rng(0)
    one, other = numbers.standard_normal((2, 3, 7)), numbers.standard_normal((2, 5, 7))
    if zero:
        one[0, 1] = 0
    wanted = np.zeros((2, 3, 5))
    for task, i, k in np.ndindex(2, 3, 5):
        lengths = np.linalg.norm(one[task, i]) * np.linalg.norm(other[task, k])
        wanted[task, i, k] = one[task, i] @ other[task, k] / max(lengths, 1e-8)
    got = cosine(torch.from_numpy(one), torch.from_numpy(other))
    np.testing.assert_allclose(got.numpy(), wanted, atol=1e-12)


def test_matching_probabilities_are_attention_added_up_by_class():
    torch.manual_seed(0)
    support, query = torch.randn(2, 6, 7), torch.randn(2, 5, 7)
    y = torch.tensor([[0, 1, 2, 2, 1, 0], [2, 2, 1, 0, 0, 1]])
    logits = Matching(nn.Identity(), scale=1.0).compare(support, y, query)
    p = logits.exp()
    assert (logits <= 0).all() and ((0 <= p) & (p <= 1)).all()
    torch.testing.assert_close(p.sum(-1), torch.ones(2, 5))
    weights = cosine(query, support).exp()
    wanted = torch.zeros(2, 5, 3)
    for task in range(2):
        for item in range(6):
            wanted[task, :, y[task, item]] += weights[task, :, item] / weights[task].sum(-1)
    torch.testing.assert_close(p, wanted)


# toy/test_toy.py
@pytest.mark.parametrize("shots, queries", [(10, 10), (5, 15)])
def test_sinusoids_have_points_of_one_number(shots, queries):
    tasks = Sinusoids().sample(20, shots=shots, queries=queries)
    assert len(tasks) == 20
    assert tasks.support_x.shape == tasks.support_y.shape == (20, shots, 1)
    assert tasks.query_x.shape == tasks.query_y.shape == (20, queries, 1)


# transforms/test_splitters.py
@pytest.mark.parametrize("family", [Sinusoids, lambda: Strokes(3, scripts=1)])
def test_support_and_query_items_have_nothing_in_common_and_a_seed_repeats_them(family):
    source = family()
    tasks, again = (
        source.sample(10, shots=5, queries=5, generator=source.generator(1)) for _ in range(2)
    )
    for support_x, _, query_x, _ in tasks:
        apart = torch.cdist(support_x.flatten(1), query_x.flatten(1))
        assert apart.min() > 0
    assert all(one.equal(other) for one, other in zip(tasks.four, again.four, strict=True))
