"""The compiled way gives the numbers of the other ways, or says why it cannot."""

import copy
import time

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from toys import DEVICES, episode, flat, relative, smooth

from course_lib.families import Sinusoids
from course_lib.learners import MAML, compiled
from course_lib.networks import BatchNorm, conv4
from course_lib.networks.small import mlp
from course_lib.training.outer_loop import Plan, meta_train


def gradients(learner: MAML, tasks) -> torch.Tensor:
    learner.zero_grad()
    learner.outer_loss(tasks).backward()
    return flat(p.grad for p in learner.parameters() if p.grad is not None)


def frozen() -> nn.Module:
    network = smooth()
    network[0].bias.requires_grad_(False)
    return network


VARIANTS = {
    "one step": (smooth, {}),
    "three steps": (smooth, {"steps": 3}),
    "no step": (smooth, {"steps": 0}),
    "first order": (smooth, {"steps": 2, "first_order": True}),
    "head": (smooth, {"steps": 2, "adapt": "head"}),
    "frozen": (frozen, {"steps": 2}),
    "sum": (smooth, {"loss_fn": lambda p, t: F.mse_loss(p, t, reduction="sum"), "alpha": 1e-3}),
    "wide": (lambda: mlp(hidden=(9,), activation=nn.GELU, seed=2).double(), {"steps": 2}),
}


@pytest.fixture
def not_compiled(monkeypatch):
    """The function itself, which the compiler then only makes faster."""
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_function_gives_the_gradient_of_the_other_ways(name, not_compiled):
    make, settings = VARIANTS[name]
    found = [
        gradients(MAML(make(), way=way, **{"alpha": 0.05} | settings), episode())
        for way in ("compiled", "autograd", "higher", "vmap")
    ]
    assert all(one.shape == found[0].shape and relative(found[0], one) < 1e-9 for one in found[1:])


def test_compiled_it_gives_the_same_and_classes_too():
    """Two inner steps of second order; the second episode needs no compiler."""
    network = mlp(inputs=2, outputs=2, hidden=(4,), activation=nn.Tanh, seed=0).double()
    torch.manual_seed(0)
    x, y = torch.randn(3, 6, 2).double(), torch.tensor([0, 1, 0, 1, 0, 1]).expand(3, 6)
    tasks = [type(episode())(x * scale, y, x.flip(1) + scale, y) for scale in (1, 2)]
    settings = {"alpha": 0.1, "steps": 2}
    one = MAML(network, F.cross_entropy, way="compiled", **settings)
    other = MAML(copy.deepcopy(network), F.cross_entropy, way="autograd", **settings)
    times = []
    for each in tasks:
        began = time.monotonic()
        assert relative(gradients(one, each), gradients(other, each)) < 1e-9
        times.append(time.monotonic() - began)
    assert times[1] < times[0] / 10
    with torch.no_grad():
        torch.testing.assert_close(one(tasks[0]), other(tasks[0]))
    assert one.settings() == other.settings()


def test_training_is_that_of_the_other_ways(not_compiled):
    plan = Plan(outer_steps=5, tasks=4, shots=4, queries=4, beta=0.01)
    runs = []
    for way in ("compiled", "vmap"):
        learner = MAML(mlp(seed=0), alpha=0.05, steps=2, way=way)
        runs.append(meta_train(learner, Sinusoids(), plan, progress=False).losses)
    assert runs[0] == pytest.approx(runs[1], rel=1e-4)


@pytest.mark.parametrize("device", DEVICES[1:])
def test_on_a_gpu_it_gives_the_gradient_of_vmap(device):
    tasks = episode().map(lambda t: t.to(device))
    found = [
        gradients(MAML(smooth().to(device), steps=2, way=way), tasks)
        for way in ("compiled", "vmap")
    ]
    assert relative(*found) < 1e-9


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: conv4(4, outputs=2, norm=BatchNorm), "and no Conv2d or hook"),
        (lambda: nn.Sequential(nn.Linear(1, 4), nn.LayerNorm(4)), "and no LayerNorm or hook"),
        (lambda: nn.Sequential(nn.Linear(1, 4), nn.Dropout()), "and no Dropout or hook"),
        (lambda: nn.Sequential(layer := nn.Linear(1, 1), nn.Tanh(), layer), "no layer twice"),
    ],
)
def test_what_is_no_plain_mlp_is_refused(make, said):
    with pytest.raises(ValueError, match=said) as error:
        MAML(make(), way="compiled")
    assert str(error.value).endswith(compiled.INSTEAD)


def test_a_network_that_was_changed_afterwards_is_looked_at_again(not_compiled):
    learner = MAML(smooth(), way="compiled")
    learner.network.append(nn.LayerNorm(1).double())
    with pytest.raises(ValueError, match="no LayerNorm or hook"):
        learner.outer_loss(episode())


def test_without_a_compiler_one_sentence(monkeypatch):
    from torch._inductor import config, cpp_builder

    cpp_builder.cpp_compiler_search.cache_clear()
    try:
        with (
            config.patch({"cpp.cxx": ("no-such-compiler",)}),
            pytest.raises(ValueError, match="needs a C.. compiler, and there is none .install"),
        ):
            MAML(smooth(), way="compiled").outer_loss(episode())
    finally:
        cpp_builder.cpp_compiler_search.cache_clear()


def test_a_loss_that_cannot_be_compiled_is_told():
    def loss(predictions, targets):
        torch._dynamo.graph_break()
        return F.mse_loss(predictions, targets)

    with pytest.raises(ValueError, match="torch.compile cannot take this loss or network") as error:
        MAML(smooth(), loss, way="compiled").outer_loss(episode())
    assert str(error.value).endswith(compiled.INSTEAD) and "\n" not in str(error.value)


def test_it_refuses_what_the_other_ways_refuse():
    said = set()
    for way in ("compiled", "autograd"):
        learner = MAML(mlp(outputs=2, seed=0).double(), way=way)
        with pytest.raises(ValueError) as error:
            learner.outer_loss(episode())
        said.add(str(error.value))
    assert len(said) == 1


def test_a_copy_compiles_for_its_own_network(not_compiled):
    one = MAML(smooth(), alpha=0.05, way="compiled")
    gradients(one, episode())
    other = copy.deepcopy(one)
    with torch.no_grad():
        for p in other.network.parameters():
            p.mul_(2)
    wanted = MAML(copy.deepcopy(other.network), alpha=0.05, way="autograd")
    assert relative(gradients(other, episode()), gradients(wanted, episode())) < 1e-9
