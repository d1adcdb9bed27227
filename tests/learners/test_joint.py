"""Joint training: one fit for all tasks, adapted only when tested."""

import pytest
import torch
import torch.nn.functional as F
from toys import DEVICES, WAYS, episode, flat, smooth

from course_lib.learners import MAML, Joint
from course_lib.networks.small import mlp


def test_the_outer_loss_is_the_plain_loss_at_theta_on_every_point():
    network, tasks = smooth(), episode()
    every_x = torch.cat([tasks.support_x.flatten(), tasks.query_x.flatten()])[:, None]
    every_y = torch.cat([tasks.support_y.flatten(), tasks.query_y.flatten()])[:, None]
    plain = F.mse_loss(network(every_x), every_y)
    ours = Joint(network, alpha=0.3, steps=7).outer_loss(tasks)
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-12)
    gradients = [
        flat(torch.autograd.grad(loss, list(network.parameters()))) for loss in (ours, plain)
    ]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_it_adapts_like_maml_when_tested(way):
    settings = {"alpha": 0.1, "steps": 3, "way": way}
    assert Joint(smooth(), **settings)(episode()).equal(MAML(smooth(), **settings)(episode()))


def test_its_key_differs_from_that_of_maml():
    joint, maml = Joint(smooth()).settings(), MAML(smooth()).settings()
    assert joint.pop("learner") == "joint" and maml.pop("learner") == "maml" and joint == maml


def test_a_wrong_number_of_outputs_is_refused():
    with pytest.raises(
        ValueError,
        match=r"Joint returned predictions of shape \(27, 2\); the targets ask for \(27, 1\)",
    ):
        Joint(mlp(outputs=2).double()).outer_loss(episode())


def test_settings_are_checked_as_for_maml():
    with pytest.raises(ValueError, match="alpha=-1"):
        Joint(smooth(), alpha=-1)


@pytest.mark.parametrize("device", DEVICES)
def test_loss_is_the_same_on_every_device(device):
    losses = [
        Joint(smooth()).to(place).outer_loss(episode().map(lambda t, place=place: t.to(place)))
        for place in ("cpu", device)
    ]
    assert losses[1].device.type == device
    torch.testing.assert_close(losses[1].cpu(), losses[0], rtol=1e-9, atol=1e-12)
