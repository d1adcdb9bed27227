"""The facts that the tests of learn2learn (learnables/learn2learn, tests/) assert of its
algorithms, on the learners of the course.

The peer hands out a clone that takes any loss at any moment. Here the loss is one function of
predictions and targets, on the support set and on the queries: its "norm of the output" is the norm
of the distance to a target of zeros. Yardsticks: torch's own optimiser on copies, and differences.
"""

import copy

import pytest
import torch
import torch.nn.functional as F
from ledger import Ledger, answer, row
from torch import nn
from yardsticks import NO_RULE, TIED, UNUSED, generator, right_slope, trained

from course_lib.episodes import Episode
from course_lib.learners import MAML
from course_lib.learners.maml import WAYS
from course_lib.networks.small import conv4, seeded

PEER = Ledger(
    "learn2learn, algorithms",
    [
        (1, "algorithms/metasgd_test, a rate for every weight", "one inner rate for all layers"),
        (2, "algorithms/gbml_test, adapt_transform=True", "no update rule that adapts too"),
        (1, "algorithms/maml_test test_memory_consumption", "asks for a GPU"),
        (4, "unit/utils_test test_distribution_*", "empty in the peer as well"),
    ],
)
RATE = 0.01


def network(seed: int = 0, last=nn.Softmax) -> nn.Module:
    """The peer's network, with its buffer that nobody uses."""
    with seeded(seed):
        layers = nn.Sequential(
            nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 20), nn.Sigmoid(), nn.Linear(20, 20),
            last(-1),
        ).double()  # fmt: skip
    layers.register_buffer("nobody_uses", torch.zeros(1, 2, 3, 4))
    return layers


def norm(predictions, targets):
    return (predictions - targets).norm()


def seven(tasks: int = 2, seed: int = 1) -> Episode:
    """Seven items of ten numbers; the queries are the support set, as in the peer."""
    x = torch.randn(tasks, 7, 10, generator=generator(seed), dtype=torch.float64)
    y = torch.zeros(tasks, 7, 20, dtype=torch.float64)
    return Episode(x, y, x, y)


def every(names, **about):
    return [row(name, way, draws=2, **about) for name in names for way in WAYS]


# --- MAML, and what MetaSGD and GBML share with it ------------------------------------------------


@PEER.cases(
    "algorithms/[maml, metasgd, gbml]_test: test_clone_module", "first_order, way",
    [row(f"first_order={o}", o, way, draws=2) for o in (False, True) for way in WAYS],
)  # fmt: skip
def test_before_a_step_it_answers_as_the_network(first_order, way):
    net, episode = network(), seven()
    maml = MAML(net, norm, alpha=RATE, first_order=first_order, way=way, steps=1)
    for told in (maml.after_each_step(episode)[0], maml.after_each_step(episode)[0]):
        torch.testing.assert_close(told, net(episode.query_x), atol=1e-12, rtol=0)


@PEER.cases("algorithms/maml_test: test_first_order_adaptation", "way", every(["3 steps"]))
def test_the_first_order_gradient_is_that_at_the_adapted_weights(way):
    net, episode = network(), seven()
    for i, (sx, sy, qx, qy) in enumerate(episode):
        own = trained(net, norm, sx, sy, 3, lr=RATE)
        own.zero_grad()
        norm(own(qx), qy).backward()
        net.zero_grad()
        maml = MAML(net, norm, alpha=RATE, steps=3, first_order=True, way=way)
        maml.outer_loss(episode[i : i + 1]).backward()
        for mine, other in zip(net.parameters(), own.parameters(), strict=True):
            torch.testing.assert_close(mine.grad, other.grad, atol=1e-10, rtol=1e-9)


@PEER.cases("algorithms/[maml, metasgd, gbml]_test: test_graph_connection", "steps, way", [
    row(f"{steps} steps", steps, way) for steps in (0, 1, 3) for way in WAYS
])  # fmt: skip
def test_a_gradient_reaches_every_parameter(steps, way):
    net = network()
    MAML(net, norm, alpha=RATE, steps=steps, way=way).outer_loss(seven()).backward()
    assert all(p.grad.norm() > 0 for p in net.parameters())


@PEER.cases("algorithms/[maml, metasgd, gbml]_test: test_adaptation", "way", every(["1 step"]))
def test_a_step_lowers_the_loss_and_has_the_right_gradient(way):
    net, episode = network(), seven()
    maml = MAML(net, norm, alpha=RATE, steps=1, way=way)
    before, after = maml.after_each_step(episode)
    for one, other, y in zip(before, after, episode.query_y, strict=True):
        assert norm(one, y) >= norm(other, y)

    def value(moved):
        copies = [trained(moved, norm, sx, sy, 1, lr=RATE) for sx, sy, _, _ in episode]
        pairs = zip(copies, episode.query_x, episode.query_y, strict=True)
        return sum(norm(own(qx), qy).item() for own, qx, qy in pairs) / 2

    # the outer loss takes the norm of both tasks together, so each task by itself
    outer = lambda: (maml.outer_loss(episode[:1]) + maml.outer_loss(episode[1:])) / 2
    assert right_slope(net, outer, value)


class Half(nn.Module):
    """Five linear layers, of which only every second takes part."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(10, 10) for _ in range(4)] + [nn.Linear(10, 20)])

    def forward(self, x):
        return self.layers[4](self.layers[2](self.layers[0](x)))


@PEER.cases(
    "algorithms/[maml, gbml]_test: test_allow_unused", "way",
    [row("unused", way, open=None if way == "higher" else UNUSED) for way in WAYS],
)  # fmt: skip
def test_unused_layers_are_left_alone_or_refused(way):
    with seeded(0):
        net = Half().double()
    check_apart(net, way, apart=lambda name: name.startswith(("layers.1", "layers.3")))


@PEER.cases(
    "algorithms/[maml, gbml]_test: test_allow_nograd", "way",
    [row("frozen", way, open=None if way == "higher" else UNUSED) for way in WAYS],
)  # fmt: skip
def test_a_frozen_layer_is_left_alone_or_refused(way):
    net = network()
    net[2].weight.requires_grad_(False)
    check_apart(net, way, apart=lambda name: name == "2.weight")


def check_apart(net, way: str, apart) -> None:
    """The parameters that stand apart stay and get no gradient; the others adapt. Or all ways
    refuse the network with one sentence."""
    episode = seven()
    before = copy.deepcopy(net.state_dict())
    outer = lambda w: MAML(net, norm, alpha=RATE, steps=2, way=w).outer_loss(episode[:1])
    told = answer(lambda: outer(way))
    if isinstance(told, str):
        assert {told} == {answer(lambda w=w: outer(w)) for w in WAYS}
        return
    sx, sy, qx, qy = next(iter(episode))
    own = trained(net, norm, sx, sy, 2, lr=RATE)
    torch.testing.assert_close(told, norm(own(qx), qy).detach(), atol=1e-12, rtol=1e-9)
    told.backward()
    for name, parameter in net.named_parameters():
        moved = parameter.grad is not None and bool(parameter.grad.any())
        assert moved != apart(name), name
    assert all(t.equal(before[name]) for name, t in net.state_dict().items())


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
    [row("two names", way, open=TIED) for way in WAYS],
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
    [row("None", way, open="new F: a None among modules is an AttributeError in higher"
         if way == "higher" else None) for way in WAYS],
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


@PEER.cases("unit/utils_test: test_clone_module_basics", "way", every(["basics"]))
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
    net, episode = network(), seven()
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
    [row(kind.__name__, kind, way, open=NO_RULE if way in ("vmap", "fast") else None)
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


# --- the last layer alone: ANIL ------------------------------------------------------------------


@PEER.cases(
    "algorithms/lightning_anil_test: features stay, head adapts", "first_order, way",
    [row(f"first_order={o}", o, way, draws=2) for o in (False, True) for way in WAYS],
)  # fmt: skip
def test_the_head_alone_adapts(first_order, way):
    with seeded(0):
        features = nn.Sequential(nn.Linear(10, 6), nn.Tanh()).double()
        net = nn.Sequential(features, nn.Linear(6, 20).double())
    episode = seven()

    def adapted(moved, x, y):
        own = copy.deepcopy(moved)
        with torch.no_grad():
            f = own[0](x)
        own[1] = trained(own[1], norm, f, y, 3, lr=RATE)
        own.zero_grad()
        return own

    maml = MAML(net, norm, alpha=RATE, steps=3, first_order=first_order, adapt="head", way=way)
    for i, (sx, sy, qx, qy) in enumerate(episode):
        outer = lambda i=i: maml.outer_loss(episode[i : i + 1])
        own = adapted(net, sx, sy)
        torch.testing.assert_close(outer(), norm(own(qx), qy), atol=1e-12, rtol=1e-9)
        if not first_order:
            value = lambda moved, x=sx, y=sy, q=qx, t=qy: norm(adapted(moved, x, y)(q), t).item()
            assert right_slope(net, outer, value, seed=i)
            continue
        norm(own(qx), qy).backward()
        slopes = torch.autograd.grad(outer(), list(net.parameters()))
        for slope, other in zip(slopes, own.parameters(), strict=True):
            torch.testing.assert_close(slope, other.grad, atol=1e-10, rtol=1e-9)


# --- a rate that is learned too: MetaSGD and GBML -------------------------------------------------


@PEER.cases("algorithms/[metasgd, gbml]_test: test_adaptation, test_graph_connection", "rate", [
    row("lr=0.1", 0.1, draws=2), row("lr=0.01", 0.01, draws=2),
])  # fmt: skip
def test_a_learned_rate_gets_the_gradient_of_differences(rate):
    net, episode = network(), seven()
    learned = nn.Parameter(torch.tensor(rate, dtype=torch.float64))
    maml = MAML(net, norm, steps=2, override={"lr": [learned]})
    plain = MAML(net, norm, steps=2, alpha=rate)
    torch.testing.assert_close(maml(episode), plain(episode), atol=1e-12, rtol=0)
    (slope,) = torch.autograd.grad(maml.outer_loss(episode), learned)
    losses = [MAML(net, norm, steps=2, alpha=a).outer_loss(episode).item()
              for a in (rate + 1e-6, rate - 1e-6)]  # fmt: skip
    assert slope.item() == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-4)


@PEER.cases(
    "algorithms/metasgd_test: test_meta_lr of alpha", "way",
    [row("alpha", way, open="new G: alpha as a Parameter is learned in three ways of four"
         if way == "higher" else None) for way in WAYS],
)  # fmt: skip
def test_alpha_as_a_parameter_is_learned_or_refused_in_every_way(way):
    def compute(w):
        alpha = nn.Parameter(torch.tensor(0.1, dtype=torch.float64))
        maml = MAML(network(), norm, alpha=alpha, steps=2, way=w)
        assert any(p is alpha for p in maml.parameters())
        (slope,) = torch.autograd.grad(maml.outer_loss(seven()), alpha)
        return slope.item()

    told = answer(lambda: compute(way))
    if isinstance(told, str):
        assert {told} == {answer(lambda w=w: compute(w)) for w in WAYS}
        return
    losses = [MAML(network(), norm, steps=2, alpha=a).outer_loss(seven()).item()
              for a in (0.1 + 1e-6, 0.1 - 1e-6)]  # fmt: skip
    assert told == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-4)


@PEER.case(
    "algorithms/metasgd_test: test_meta_lr",
    open="situation 4: a learned inner rate is no parameter of the learner",
)
def test_a_learned_rate_is_a_parameter_of_the_learner_or_refused():
    learned = nn.Parameter(torch.tensor(RATE))
    maml = answer(lambda: MAML(network(), norm, override={"lr": [learned]}))
    if not isinstance(maml, str):
        assert any(p is learned for p in maml.parameters())


def test_how_many_cases_there_are(capsys):
    with capsys.disabled():
        print("\n" + PEER.line())
    assert (PEER.count(), PEER.left_out) == (31, 8)
