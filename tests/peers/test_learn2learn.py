"""Cases of learn2learn's suite (learnables/learn2learn, tests/unit), put to this course.

Not here: its data sets, Lightning, MetaOptNet and Kronecker layers, and Meta-SGD (to come, chapter
05). learn2learn asks for `allow_unused` and `allow_nograd`; here both simply hold.
"""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.commands.benchmark import peak_memory
from course_lib.episodes import Episode
from course_lib.families import PictureClasses
from course_lib.learners import MAML, Prototypical

EVERY_WAY = ("higher", "autograd", "vmap", "fast")
each_way = pytest.mark.parametrize("way", EVERY_WAY)


# algorithms/maml_test.py
def network() -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 20), nn.Sigmoid(), nn.Linear(20, 20),
        nn.Softmax(-1),
    ).double()  # fmt: skip
    net.register_buffer("nobody_uses_it", torch.zeros(1, 2, 3, 4))
    return net


def norm_loss(predictions, targets):
    return predictions.norm()


def tasks(count: int = 1) -> Episode:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(count, 7, 10, generator=generator, dtype=torch.float64)
    y = torch.zeros(count, 7, 20, dtype=torch.float64)
    return Episode(x, y, x, y)


@each_way
@pytest.mark.parametrize("first_order", [False, True])
def test_without_a_step_the_answers_are_the_networks(way, first_order):
    net, e = network(), tasks()
    learner = MAML(net, norm_loss, steps=0, first_order=first_order, way=way)
    for _ in range(2):
        torch.testing.assert_close(learner(e)[0], net(e.query_x[0]))


@each_way
def test_the_first_order_gradient_is_the_plain_gradient_at_phi(way):
    net, e = network(), tasks()
    learner = MAML(net, norm_loss, alpha=0.01, steps=3, first_order=True, way=way)
    learner.outer_loss(e).backward()
    there = copy.deepcopy(net)
    stepping = torch.optim.SGD(there.parameters(), lr=0.01)
    for _ in range(3):
        stepping.zero_grad()
        there(e.support_x[0]).norm().backward()
        stepping.step()
    stepping.zero_grad()
    there(e.query_x[0]).norm().backward()
    for one, other in zip(net.parameters(), there.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-9, atol=1e-12)


@each_way
@pytest.mark.parametrize("steps", [0, 1])
def test_every_parameter_hears_of_the_query_loss_and_a_step_lowers_it(way, steps):
    net, e = network(), tasks()
    learner = MAML(net, norm_loss, alpha=0.01, steps=steps, way=way)
    after = learner.outer_loss(e)
    after.backward()
    assert all(p.grad.norm() > 0 for p in net.parameters())
    assert after <= norm_loss(net(e.query_x[0]), None) + 1e-12


class Half(nn.Module):
    """Uses every second of its layers."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(10, 20).double() for _ in range(4))

    def forward(self, x):
        return self.layers[0](x) + self.layers[2](x)


@each_way
def test_unused_parameters_stay_where_they_are(way):
    torch.manual_seed(0)
    net = Half()
    MAML(net, norm_loss, alpha=0.1, steps=2, way=way).outer_loss(tasks()).backward()
    for i, layer in enumerate(net.layers):
        gradient = layer.weight.grad
        assert (gradient is None or not gradient.any()) == bool(i % 2)


@each_way
def test_a_frozen_weight_stays_frozen_and_the_rest_is_adapted(way):
    net = network()
    net[2].weight.requires_grad_(False)
    before = net[2].weight.clone()
    learner = MAML(net, norm_loss, alpha=0.1, steps=2, way=way)
    learner.outer_loss(tasks()).backward()
    assert "2.weight" not in learner.adapted and net[2].weight.grad is None
    assert net[2].weight.equal(before)
    assert all(p.grad is not None for p in net.parameters() if p.requires_grad)


class TwoNames(nn.Module):
    """Its layers are reached by two names each."""

    def __init__(self):
        super().__init__()
        convolution = lambda into, out: nn.Conv2d(into, out, 3, 2, 1)
        self.body = nn.Sequential(convolution(3, 4), nn.Tanh(), convolution(4, 4), nn.Tanh())
        self.head = nn.Sequential(convolution(4, 4), nn.Tanh(), convolution(4, 5), nn.Flatten())
        self.whole = nn.Sequential(self.body, self.head)

    def forward(self, x):
        return self.whole(x)


def test_layers_with_two_names_are_adapted_once_in_every_way():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 5, 3, 16, 16, generator=generator, dtype=torch.float64)
    y = torch.arange(5).expand(2, 5)
    found = []
    for way in EVERY_WAY:
        torch.manual_seed(0)
        net = TwoNames().double()
        loss = MAML(net, F.cross_entropy, alpha=0.1, steps=2, way=way).outer_loss(
            Episode(x, y, x, y)
        )
        found.append([loss, *torch.autograd.grad(loss, list(net.parameters()))])
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-12)


@each_way
def test_memory_does_not_grow_from_call_to_call(way):
    learner, e = MAML(network(), norm_loss, steps=5, way=way), tasks(2)
    used = [peak_memory(lambda: learner.outer_loss(e).backward()) for _ in range(4)]
    assert used[1] == used[2] == used[3]


# nn/protonet_test.py
@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("distance", ["squared", "plain", "cosine"])
def test_the_same_pictures_are_recognised(distance, normalise):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(5, 1, 28, 28, generator=generator).repeat_interleave(5, 0)[None]
    y = torch.arange(5).repeat_interleave(5)[None]
    whole = nn.LayerNorm(784, elementwise_affine=False) if normalise else nn.Identity()
    encoder = nn.Sequential(nn.Flatten(), whole)
    answers = Prototypical(encoder, distance)(Episode(x, y, x, y)).argmax(-1)
    assert answers.equal(y)


# data/transforms_test.py
def ten_classes(ways: int) -> PictureClasses:
    counts = torch.randint(20, 60, (10,), generator=torch.Generator().manual_seed(0)).tolist()
    return PictureClasses([torch.rand(n, 1, 4, 4) for n in counts], ways)


@pytest.mark.parametrize("ways", range(2, 10))
def test_a_task_has_so_many_classes_numbered_from_0(ways):
    tasks = ten_classes(ways).sample(128, shots=1, queries=2)
    for y in (tasks.support_y, tasks.query_y):
        assert all(row.unique().equal(torch.arange(ways)) for row in y)
    assert all(len(row.unique()) == ways for row in tasks.names["classes"])


@pytest.mark.parametrize("shots", range(1, 10))
def test_a_class_has_so_many_examples(shots):
    tasks = ten_classes(5).sample(128, shots=shots, queries=1)
    assert all((row.bincount() == shots).all() for row in tasks.support_y)
