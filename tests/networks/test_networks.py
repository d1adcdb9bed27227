"""The networks that learners adapt."""

import pytest
import torch
from torch import nn

from course_lib.networks.small import SineModel, conv4, mlp


def weights(network):
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def test_the_default_is_the_network_of_the_sinusoid_experiment():
    network = mlp()
    assert [layer.weight.shape for layer in network if isinstance(layer, nn.Linear)] == [
        (40, 1),
        (40, 40),
        (1, 40),
    ]
    assert [type(layer) for layer in network] == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]


def test_inputs_outputs_widths_and_activation_are_as_asked():
    network = mlp(inputs=3, outputs=2, hidden=(5,), activation=nn.Tanh)
    x = torch.randn(4, 6, 3)
    by_hand = (
        torch.tanh(x @ network[0].weight.T + network[0].bias) @ network[2].weight.T
        + network[2].bias
    )
    torch.testing.assert_close(network(x), by_hand)
    assert by_hand.shape == (4, 6, 2)


def test_a_seed_repeats_the_weights_and_leaves_the_global_seed_alone():
    before = torch.get_rng_state()
    one, again, other = mlp(seed=3), mlp(seed=3), mlp(seed=4)
    assert torch.get_rng_state().equal(before)
    assert weights(one).equal(weights(again)) and not weights(one).equal(weights(other))


def test_without_a_seed_the_global_one_decides():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        one, other = mlp(), mlp()
        torch.manual_seed(1)
        again = mlp()
    assert weights(one).equal(weights(again)) and not weights(one).equal(weights(other))


@pytest.mark.parametrize("widths", [{"inputs": 0}, {"outputs": -1}, {"hidden": (40, 0)}])
def test_a_layer_without_units_is_refused(widths):
    with pytest.raises(ValueError, match="every layer needs at least 1 unit"):
        mlp(**widths)


def test_the_sine_model_is_a_sine_of_its_two_parameters():
    model, x = SineModel(amplitude=2.0, phase=0.5), torch.linspace(-5, 5, 9)[:, None]
    assert dict(model.named_parameters()).keys() == {"amplitude", "phase"}
    torch.testing.assert_close(model(x), 2.0 * torch.sin(x - 0.5))


def test_conv4_gives_one_number_a_channel_or_the_outputs_asked_for():
    pictures = torch.rand(3, 1, 28, 28)
    assert conv4(16)(pictures).shape == (3, 16)
    assert conv4(16, outputs=5)(pictures).shape == (3, 5)
    assert conv4(8, inputs=3, size=84)(torch.rand(2, 3, 84, 84)).shape == (
        2,
        8 * 25,
    )  # 84 -> 42 -> 21 -> 10 -> 5
    assert sum(p.numel() for p in conv4(64).parameters()) == 111_936


def test_conv4_with_a_seed_is_repeatable_and_leaves_the_global_seed_alone():
    before = torch.get_rng_state()
    one, same, other = conv4(4, seed=1), conv4(4, seed=1), conv4(4, seed=2)
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one[0].weight, other[0].weight)


@pytest.mark.parametrize("wrong", [{"channels": 0}, {"outputs": 0}, {"size": 15}])
def test_conv4_refuses_what_cannot_be_built(wrong):
    with pytest.raises(ValueError, match="="):
        conv4(**wrong)
