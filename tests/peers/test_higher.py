"""Cases of higher's own suite (facebookresearch/higher, tests/test_optim.py and test_patch.py), put
to this course: `MAML` with each inner optimiser against torch's own, on a copy.

Not here: groups of parameters, state dicts of optimisers and deep copies of them, which an inner
loop of the course does not have. AdamW, Adadelta, Adamax, ASGD and Rprop are refused. higher takes
batch norm with running averages; the course refuses it, with advice.
"""

import copy

import pytest
import torch
from torch import nn

from course_lib.episodes import Episode
from course_lib.learners import MAML

EVERY_WAY = ("higher", "autograd", "vmap", "fast")
OPTIMIZERS = {
    "sgd": (torch.optim.SGD, {}),
    "sgd, momentum": (torch.optim.SGD, {"momentum": 0.1}),
    "sgd, nesterov": (torch.optim.SGD, {"momentum": 0.1, "nesterov": True}),
    "sgd, weight decay": (torch.optim.SGD, {"weight_decay": 0.1}),
    "adam": (torch.optim.Adam, {}),
    "adam, weight decay": (torch.optim.Adam, {"weight_decay": 0.1}),
    "adam, amsgrad": (torch.optim.Adam, {"amsgrad": True}),
    "adagrad": (torch.optim.Adagrad, {}),
    "adagrad, weight decay": (torch.optim.Adagrad, {"weight_decay": 0.1}),
    "adagrad, lr decay": (torch.optim.Adagrad, {"lr_decay": 0.1}),
    "rmsprop": (torch.optim.RMSprop, {"eps": 1e-2}),
    "rmsprop, momentum": (torch.optim.RMSprop, {"eps": 1e-2, "momentum": 0.1}),
    "rmsprop, centered": (torch.optim.RMSprop, {"eps": 1e-2, "centered": True}),
}
# higher adds eps of Adam before the bias correction, so its steps differ from torch's by about that
TOLERANCE = {torch.optim.Adam: 1e-4, torch.optim.Adagrad: 1e-6}


class Shared(nn.Module):
    """One layer under two names, in two wrappers."""

    def __init__(self):
        super().__init__()
        self.one = nn.Sequential(nn.Linear(4, 2))
        self.other = nn.Sequential(self.one[0])

    def forward(self, x):
        return self.one(x) + self.other(x)


class PartlyUsed(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.rand(4, 3)), nn.Parameter(torch.rand(4, 3))

    def forward(self, x):
        return x @ self.a


def again() -> nn.Sequential:
    projection = nn.Linear(4, 3)
    return nn.Sequential(
        projection, nn.Tanh(), nn.Linear(3, 4), nn.Sigmoid(), projection, nn.Tanh(), nn.Linear(3, 2)
    )


NETWORKS = {
    "simple": lambda: nn.Sequential(
        nn.Linear(4, 3), nn.Softplus(), nn.Linear(3, 4, bias=False), nn.Sigmoid(), nn.Linear(4, 2)
    ),
    "shared": Shared,
    "again in a row": again,
    "partly used": PartlyUsed,
}


def made(name: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return NETWORKS[name]().double()


def squares(predictions, targets):
    return predictions.square().sum()


def tasks(outputs: int) -> Episode:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 20, 4, generator=generator, dtype=torch.float64)
    y = torch.zeros(1, 20, outputs, dtype=torch.float64)
    return Episode(x[:, :10], y[:, :10], x[:, 10:], y[:, 10:])


def by_torch(net: nn.Module, optimizer, settings: dict, e: Episode, steps: int) -> torch.Tensor:
    """The query loss after steps of torch's own optimiser on a copy."""
    own = copy.deepcopy(net)
    stepping = optimizer(own.parameters(), lr=0.1, **settings)
    for _ in range(steps):
        stepping.zero_grad()
        squares(own(e.support_x[0]), None).backward()
        stepping.step()
    return squares(own(e.query_x[0]), None).detach()


@pytest.mark.filterwarnings("ignore:Differentiable RMSprop")
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_and_gradients_are_those_of_torchs_own_optimiser(name, network):
    """testDiffOptCorrectness and testGradientCorrectness."""
    optimizer, settings = OPTIMIZERS[name]
    net = made(network)
    e = tasks(3 if network == "partly used" else 2)
    override = {key: [value] for key, value in settings.items()} or None
    learner = MAML(net, squares, alpha=0.1, steps=3, inner_optimizer=optimizer, override=override)
    loss = learner.outer_loss(e)
    wanted = by_torch(net, optimizer, settings, e, 3)
    tolerance = TOLERANCE.get(optimizer, 1e-9)
    torch.testing.assert_close(loss.detach(), wanted, rtol=tolerance, atol=1e-9)
    gradients = torch.autograd.grad(loss, list(net.parameters()), allow_unused=True)
    for seed in range(2):
        generator = torch.Generator().manual_seed(seed)
        along = [
            torch.randn(p.shape, generator=generator, dtype=torch.float64) for p in net.parameters()
        ]
        there = []
        for sign in (1, -1):
            moved = copy.deepcopy(net)
            for parameter, step in zip(moved.parameters(), along, strict=True):
                parameter.data += sign * 1e-6 * step
            # the same optimiser of higher, so that its eps is in both
            there.append(
                MAML(moved, squares, alpha=0.1, steps=3, inner_optimizer=optimizer,
                     override=override).outer_loss(e).detach()
            )  # fmt: skip
        slope = sum(
            (g * a).sum() for g, a in zip(gradients, along, strict=True) if g is not None
        )
        torch.testing.assert_close(
            slope, (there[0] - there[1]) / 2e-6, rtol=2e-4, atol=1e-5
        )


@pytest.mark.parametrize(
    "optimizer", ["AdamW", "Adadelta", "Adamax", "ASGD", "Rprop", "NAdam", "RAdam", "LBFGS"]
)
def test_other_optimisers_are_refused(optimizer):
    with pytest.raises(ValueError, match=f"higher cannot differentiate through {optimizer}"):
        MAML(made("simple"), inner_optimizer=getattr(torch.optim, optimizer))


# tests/test_patch.py
class Reader(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.reader, self.out = kind(2, 6, 2, batch_first=True), nn.Linear(6, 2)

    def forward(self, x):
        return self.out(self.reader(x.unflatten(-1, (2, 2)))[0][:, -1])


class ByCell(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.cell, self.out = kind(2, 6), nn.Linear(6, 2)

    def forward(self, x):
        state = None
        for part in x.unflatten(-1, (2, 2)).unbind(1):
            state = self.cell(part, state)
        return self.out(state[0] if isinstance(state, tuple) else state)


RECURRENT = [(Reader, kind) for kind in (nn.RNN, nn.LSTM, nn.GRU)] + [
    (ByCell, kind) for kind in (nn.RNNCell, nn.LSTMCell, nn.GRUCell)
]


@pytest.mark.parametrize("wrap, kind", RECURRENT)
def test_recurrent_layers_answer_and_unroll_alike_in_every_way(wrap, kind):
    found, e = [], tasks(2)
    for way in EVERY_WAY:
        torch.manual_seed(0)
        net = wrap(kind).double()
        torch.testing.assert_close(
            MAML(net, squares, steps=0, way=way)(e)[0], net(e.query_x[0]), rtol=1e-9, atol=1e-12
        )
        loss = MAML(net, squares, alpha=0.1, steps=3, way=way).outer_loss(e)
        found.append([loss, *torch.autograd.grad(loss, list(net.parameters()))])
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            torch.testing.assert_close(one, two, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("way", EVERY_WAY)
@pytest.mark.parametrize("network", NETWORKS)
def test_the_start_gets_gradients_after_ten_steps_and_none_at_test_time(network, way):
    """testMiniMAML and testMiniMAMLTestTime."""
    net = made(network)
    e = tasks(3 if network == "partly used" else 2)
    learner = MAML(net, squares, alpha=0.01, steps=10, way=way)
    before = copy.deepcopy(net.state_dict())
    with torch.no_grad():
        assert not learner(e).requires_grad
    assert all(p.grad is None for p in net.parameters())
    learner.outer_loss(e).backward()
    heard = [name for name, p in net.named_parameters() if p.grad is not None and p.grad.any()]
    assert heard == [name for name, _ in net.named_parameters() if name != "b"]
    assert all(tensor.equal(before[name]) for name, tensor in net.state_dict().items())


def test_batch_norm_with_running_averages_is_refused_with_advice():
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.BatchNorm1d(3), nn.Linear(3, 2))
    with pytest.raises(ValueError, match="layer '2' .* keeps running averages.*networks.normalis"):
        MAML(net)
