"""The two ways that walk the inner loop again backwards: how much they keep, what they refuse. That
they give the numbers of the others is in test_ways_are_one.py."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.commands.benchmark import library, peak_memory, plain_higher_loop
from course_lib.episodes import Episode
from course_lib.families import Strokes
from course_lib.learners import MAML
from course_lib.networks import BatchNorm
from course_lib.networks.small import conv4

TWO = ("checkpointed", "mixed")


def tasks() -> Episode:
    x = torch.randn(2, 6, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return Episode(x, x.sin(), x + 1, x.cos())


def small(*layers: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 8), *layers, nn.Linear(8, 2)).double()


def meta_gradient(network, way, **settings) -> torch.Tensor:
    maml = MAML(network, alpha=0.1, steps=3, way=way, **settings)
    gradients = torch.autograd.grad(maml.outer_loss(tasks()), list(network.parameters()))
    return torch.cat([gradient.flatten() for gradient in gradients])


def held(loop, steps: int, tasks: int = 1, channels: int = 64, queries: int = 1) -> int:
    """Bytes at the worst moment of one meta-gradient on Conv-4, 5-way 1-shot."""
    family = Strokes(5)
    episode = family.sample(tasks, shots=1, queries=queries, generator=family.generator(0))
    network = conv4(channels, outputs=5, norm=BatchNorm, seed=0)
    return peak_memory(partial(loop, network, episode, steps, F.cross_entropy))


def test_ten_steps_on_conv4_hold_a_quarter_of_the_plain_higher_loop():
    plain = held(plain_higher_loop, 10)
    assert held(library("checkpointed"), 10) <= plain / 4
    assert held(library("mixed"), 10) <= plain / 3.5  # it holds each activation and its tangent


@pytest.mark.parametrize("way", TWO)
def test_with_many_queries_their_own_pass_is_what_is_left(way):
    many = held(library(way), 10, queries=15)
    assert many <= held(plain_higher_loop, 10, queries=15) / 2
    assert many <= 1.1 * held(library(way), 0, queries=15)


@pytest.mark.parametrize("way", TWO)
def test_each_further_step_holds_one_more_phi_and_nothing_else(way):
    parameters = conv4(16, outputs=5, norm=BatchNorm).parameters()
    phi = 4 * sum(parameter.numel() for parameter in parameters)
    few, many = (held(library(way), steps, channels=16) for steps in (4, 12))
    assert many - few <= 1.01 * 8 * phi


@pytest.mark.parametrize("way", TWO)
def test_further_tasks_hold_next_to_nothing(way):
    one, four = (held(library(way), 5, tasks, channels=16) for tasks in (1, 4))
    assert four <= 1.1 * one
    assert held(library("autograd"), 5, 4, channels=16) > 3 * held(
        library("autograd"), 5, channels=16
    )


@pytest.mark.parametrize("way", TWO)
def test_dropout_throws_the_same_dice_on_the_way_back(way):
    network = small(nn.Dropout(0.5), nn.Tanh()).train()
    found = []
    for one in ("autograd", way):
        torch.manual_seed(5)
        found.append((meta_gradient(network, one), torch.rand(1)))
    torch.testing.assert_close(found[1][0], found[0][0], rtol=1e-9, atol=1e-12)
    assert torch.equal(found[0][1], found[1][1])  # and leaves the generator where it was


@pytest.mark.parametrize("way", TWO)
def test_a_learned_tensor_outside_of_the_network_is_refused(way):
    weight = torch.ones(2, dtype=torch.float64, requires_grad=True)
    with pytest.raises(ValueError, match="would leave it without one; use way='autograd'"):
        meta_gradient(small(), way, loss_fn=lambda p, y: ((p - y).square() * weight).mean())
    maml, episode = MAML(small(), way=way), tasks()
    with pytest.raises(ValueError, match="would leave it without one"):
        maml.outer_loss(Episode(episode.support_x.requires_grad_(), *episode.four[1:]))


class Exponential(torch.autograd.Function):
    """No ``jvp`` of its own, as in most layers that people write for themselves."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.exp()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.saved_tensors[0].exp()


class Own(nn.Module):
    def forward(self, x):
        return Exponential.apply(-x.square())


def test_a_layer_without_a_forward_mode_rule_is_refused_by_mixed_alone():
    network = small(Own())
    torch.testing.assert_close(
        meta_gradient(network, "checkpointed"), meta_gradient(network, "autograd")
    )
    with pytest.raises(ValueError, match="use way='checkpointed'"):
        meta_gradient(network, "mixed")


@pytest.mark.parametrize("way", TWO)
def test_another_inner_optimiser_is_refused(way):
    with pytest.raises(ValueError, match="takes plain gradient steps"):
        MAML(small(), way=way, inner_optimizer=torch.optim.Adam)


@pytest.mark.parametrize("way", TWO)
def test_a_third_derivative_is_refused_by_torch(way):
    network = small(nn.Tanh())
    loss = MAML(network, alpha=0.1, steps=1, way=way).outer_loss(tasks())
    gradient = torch.autograd.grad(loss, network[0].weight, create_graph=True)[0]
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
