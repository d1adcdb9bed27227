"""The facts that learn2learn (learnables/learn2learn) asserts of its clones of networks, in
tests/unit/utils_test.py, on the inner loop of the course."""

import copy

import pytest
import torch
import torch.nn.functional as F
from ledger import Ledger, answer, row
from torch import nn
from yardsticks import RATE, generator, norm, seven, soft_network, trained

from course_lib.episodes import Episode
from course_lib.learners import MAML
from course_lib.learners.maml import WAYS
from course_lib.networks.small import conv4, seeded

PEER = Ledger(
    "learn2learn, clones",
    [(4, "unit/utils_test test_distribution_*", "empty in the peer as well")],
)


class TwoNames(nn.Module):
    """The peer's module: its parts are registered a second time, as one network."""

    def __init__(self):
        super().__init__()
        self.seq = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, 2, 1))
        self.head = nn.Sequential(nn.ReLU(), nn.Conv2d(4, 5, 3, 2, 1), nn.Flatten())
        self.net = nn.Sequential(self.seq, self.head)

    def forward(self, x):
        return self.net(x)


@PEER.cases(
    "unit: test_module_shared_params, test_module_clone_shared_params, "
    "test_module_update_shared_params", "way",
    [row("two names", way) for way in WAYS],
)  # fmt: skip
def test_a_layer_with_two_names_adapts_once_or_is_refused(way):
    with seeded(0):
        net = TwoNames().double()
    x = torch.randn(2, 3, 3, 8, 8, generator=generator(), dtype=torch.float64)
    y = torch.zeros(2, 3, 5, dtype=torch.float64)
    episode = Episode(x, y, x, y)
    compute = lambda w: MAML(net, norm, alpha=0.1, steps=2, way=w)(episode)
    told = answer(lambda: compute(way))
    if isinstance(told, str):
        assert {told} == {answer(lambda w=w: compute(w)) for w in WAYS}
        return
    for one, (sx, sy, qx, _) in zip(told, episode, strict=True):
        own = trained(net, norm, sx, sy, 2)
        torch.testing.assert_close(one, own(qx), atol=1e-12, rtol=1e-9)


class WithAGap(nn.Module):
    """A list of modules with a None in the middle."""

    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleList([nn.Linear(10, 1), None, nn.Linear(1, 20)])

    def forward(self, x):
        return self.parts[2](self.parts[0](x))


@PEER.cases(
    "unit/utils_test: test_clone_module_nomodule", "way",
    [row("None", way) for way in WAYS],
)  # fmt: skip
def test_a_none_among_the_modules(way):
    with seeded(0):
        net = WithAGap().double()
    episode = seven(1)
    told = answer(lambda: MAML(net, norm, alpha=RATE, steps=2, way=way)(episode))
    if isinstance(told, str):
        assert way == "higher" and "autograd" in told
        return
    own = trained(net, norm, episode.support_x[0], episode.support_y[0], 2, lr=RATE)
    torch.testing.assert_close(told[0], own(episode.query_x[0]), atol=1e-12, rtol=1e-9)


@PEER.cases(
    "unit/utils_test: test_clone_module_basics", "way", [row("basics", way) for way in WAYS]
)
def test_one_step_is_a_step_of_sgd(way):
    with seeded(0):
        net = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 2)).double()
    x, y = torch.arange(4.0).view(1, 1, 4).double(), torch.zeros(1, 1, 2).double()
    told = MAML(net, F.mse_loss, alpha=0.01, way=way)(Episode(x, y, x, y))[0]
    own = trained(net, F.mse_loss, x[0], y[0], 1, lr=0.01)
    torch.testing.assert_close(told, own(x[0]), atol=1e-12, rtol=0)


@PEER.cases(
    "unit/utils_test: test_clone_module_models", "size, inputs, way",
    [row(name, size, inputs, way, draws=10)
     for name, size, inputs in (("OmniglotCNN", 28, 1), ("MiniImagenetCNN", 84, 3))
     for way in WAYS],
)  # fmt: skip
def test_ten_outer_steps_without_an_inner_one_are_those_of_sgd(size, inputs, way):
    norm2d = lambda n: nn.BatchNorm2d(n, track_running_stats=False)
    mine = conv4(3, 10, inputs=inputs, size=size, norm=norm2d, seed=0).double()
    own = copy.deepcopy(mine)
    x = torch.randn(1, 5, inputs, size, size, generator=generator(), dtype=torch.float64)
    y = torch.zeros(1, 5, 10, dtype=torch.float64)
    maml = MAML(mine, norm, steps=0, way=way)
    losses = lambda: ((mine, maml.outer_loss(Episode(x, y, x, y))), (own, norm(own(x[0]), y[0])))
    for _ in range(10):
        for net, loss in losses():
            net.zero_grad()
            loss.backward()
            with torch.no_grad():
                for p in net.parameters():
                    p -= 0.01 * p.grad
    for one, other in zip(mine.parameters(), own.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-9, rtol=1e-9)


@PEER.cases(
    "unit/utils_test: test_module_detach, test_module_detach_keep_requires_grad", "way",
    [row("cut", way) for way in WAYS],
)  # fmt: skip
def test_what_is_cut_from_the_start_has_no_graph_and_the_start_keeps_its_own(way):
    net, episode = soft_network(), seven()
    maml = MAML(net, norm, alpha=RATE, steps=1, way=way)
    with torch.no_grad():
        told = maml(episode)
    for cut in (told, maml.after_each_step(episode)):
        with pytest.raises(RuntimeError, match="does not require grad"):
            cut.sum().backward()
    assert all(p.requires_grad and p.is_leaf for p in net.parameters())


class Rolled(nn.Module):
    """A recurrent network of two numbers in and one out, over the items of a sequence."""

    def __init__(self, kind):
        super().__init__()
        self.layer = kind(2, 1)

    def forward(self, x):
        return self.layer(x)[0]


@PEER.cases(
    "unit/utils_test: test_rnn_clone", "kind, way",
    [row(kind.__name__, kind, way)
     for kind in (nn.RNN, nn.LSTM, nn.GRU) for way in WAYS],
)  # fmt: skip
def test_an_outer_step_on_a_recurrent_network_helps(kind, way):
    with seeded(1234):
        net = Rolled(kind).double()
    x = torch.randn(1, 30, 50, 2, generator=generator(), dtype=torch.float64)
    y = torch.zeros(1, 30, 50, 1, dtype=torch.float64)
    episode = Episode(x, y, x, y)
    maml = answer(lambda: MAML(net, norm, alpha=1e-3, steps=3, way=way))
    first = maml if isinstance(maml, str) else answer(lambda: maml.outer_loss(episode))
    if isinstance(first, str):
        assert way in ("vmap", "fast") and ("autograd" in first or "higher" in first)
        return
    outer = torch.optim.SGD(net.parameters(), lr=0.001)
    first.backward()
    outer.step()
    assert maml.outer_loss(episode) < first


def test_how_many_cases_there_are(capsys):
    with capsys.disabled():
        print("\n" + PEER.line())
    assert (PEER.count(), PEER.left_out) == (12, 4)
