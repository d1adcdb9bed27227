"""The facts that `higher` (facebookresearch/higher) asserts of its patched networks in
tests/test_patch.py, tests/test_higher.py and testFrozenParameters, on every way of the inner loop.

A frozen, unused or shared layer, or one that a way cannot run, may be refused instead of answered,
with one sentence in all ways alike; a way that cannot run a layer names one that can.
"""

import pytest
import torch
import torch.nn.functional as F
from ledger import Ledger, answer, row
from torch import nn
from yardsticks import ALPHA, NETWORKS, made, right_slope, tasks, trained

from course_lib.episodes import Episode
from course_lib.learners import MAML, predict_with
from course_lib.learners.maml import WAYS
from course_lib.networks.small import seeded

PEER = Ledger(
    "higher, networks",
    [
        (1, "test_patch testMakeFunctional", "no functional network is handed out"),
        (1, "test_patch testSubModuleDirectCall", "the same"),
        (2, "test_higher testSameInitialWeights", "it tests its own reference"),
        (1, "test_higher testRandomForwards", "no functional network is handed out"),
    ],
)


VECTORISED = ("vmap", "fast")


def mean_square(predictions, targets):
    return (predictions - targets).square().mean()


def flat(tensors) -> torch.Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


# --- five networks, four ways ---------------------------------------------------------------------


def sweep(draws=1) -> list:
    """The peer's _test_sweep in every way."""
    rows = []
    for name in NETWORKS:
        for way in WAYS:
            # the course's own kinds of batch norm stand beside the peer's
            case = name.partition(",")[0]
            rows.append(row(case, name, way, draws=draws))
    return rows


def check_alike(name: str, way: str, compute) -> bool:
    """Whether it is refused: only a shared or unused layer may be, in all ways alike."""
    said = answer(lambda: compute(way))
    if not isinstance(said, str):
        return False
    assert "share" in name or "partially" in name, said
    assert {said} == {answer(lambda w=w: compute(w)) for w in WAYS}
    return True


@PEER.cases("test_patch: testGet, testForward", "name, way", sweep(10))
def test_with_its_own_parameters_a_network_answers_as_it_does(name, way):
    network = made(name)
    episode = tasks(network, draws=10, items=8)
    for x in episode.query_x:
        own = predict_with(network, dict(network.named_parameters()), x)
        torch.testing.assert_close(own, network(x), atol=0, rtol=0)
    compute = lambda w: MAML(made(name), mean_square, way=w, steps=0)(episode)
    if not check_alike(name, way, compute):
        alone = torch.stack([network(x) for x in episode.query_x])
        torch.testing.assert_close(compute(way), alone, atol=1e-12, rtol=0)


@PEER.cases("test_patch: testBackward", "name, way", sweep(10))
def test_without_a_step_the_gradient_is_the_networks_own(name, way):
    network = made(name)
    episode = tasks(network, draws=10, items=8)

    def compute(w):
        mine = made(name)
        MAML(mine, mean_square, way=w, steps=0).outer_loss(episode).backward()
        return mine

    if check_alike(name, way, compute):
        return
    torch.stack([mean_square(network(x), 0) for x in episode.query_x]).mean().backward()
    for own, mine in zip(network.parameters(), compute(way).parameters(), strict=True):
        assert (own.grad is None) == (mine.grad is None or not mine.grad.any())
        if own.grad is not None:
            torch.testing.assert_close(mine.grad, own.grad, atol=1e-12, rtol=1e-9)


@PEER.cases("test_patch: testUnrollSGD, testCtxManager, testMiniMAML", "name, way", sweep())
def test_ten_steps_and_the_gradient_through_them(name, way):
    network = made(name)
    episode = tasks(network, draws=2, items=8)
    before, steps = flat(network.parameters()), 3 if "share" in name else 10

    def compute(w):
        maml = MAML(network, mean_square, alpha=ALPHA, steps=steps, way=w)
        return maml, [maml(episode), maml(episode)]

    if check_alike(name, way, compute):
        return
    maml, (first, second) = compute(way)
    torch.testing.assert_close(first, second, atol=0, rtol=0)
    assert flat(network.parameters()).equal(before)
    for one, (sx, sy, qx, _) in zip(first, episode, strict=True):
        own = trained(network, mean_square, sx, sy, steps)
        torch.testing.assert_close(one, own(qx), atol=1e-12, rtol=1e-9)

    def value(moved):
        copies = [trained(moved, mean_square, sx, sy, steps) for sx, sy, _, _ in episode]
        pairs = zip(copies, episode.query_x, strict=True)
        each = [mean_square(own(qx), 0).item() for own, qx in pairs]
        return sum(each) / 2

    assert right_slope(network, lambda: maml.outer_loss(episode), value)


@PEER.cases("test_patch: testMiniMAMLTestTime", "name, way", sweep())
def test_at_test_time_nothing_hangs_on_the_start(name, way):
    network = made(name)
    episode = tasks(network, draws=2, items=8)
    maml = answer(lambda: MAML(network, mean_square, alpha=ALPHA, steps=2, way=way))
    if check_alike(name, way, lambda w: MAML(network, mean_square, alpha=ALPHA, way=w)(episode)):
        return
    with torch.no_grad():
        assert not maml(episode).requires_grad
    assert not maml.after_each_step(episode).requires_grad
    assert all(p.is_leaf and p.grad is None for p in network.parameters())


@PEER.cases(
    "test_patch: batchnorm_mlp as it stands", "test",
    [
        row(test, test, refused=True)
        for test in ("testGet", "testForward", "testBackward", "testUnrollSGD", "testCtxManager",
                     "testMiniMAML", "testMiniMAMLTestTime")
    ],
)  # fmt: skip
def test_running_averages_are_refused(test):
    network = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.BatchNorm1d(3), nn.Linear(3, 2))
    with pytest.raises(ValueError, match="'2'.*running averages.*track_running_stats=False"):
        MAML(network)


# --- networks that read a sequence ----------------------------------------------------------------


class Reader(nn.Module):
    """The last output of two recurrent layers over a sequence of ten numbers a step."""

    def __init__(self, kind):
        super().__init__()
        self.layers = kind(10, 4, 2, batch_first=True)

    def forward(self, x):
        return self.layers(x)[0][:, -1]


class Stepper(nn.Module):
    """The state of a cell after a sequence."""

    def __init__(self, kind):
        super().__init__()
        self.cell = kind(10, 4)

    def forward(self, x):
        state = None
        for step in x.unbind(1):
            state = self.cell(step, state)
        return state[0] if isinstance(state, tuple) else state


KINDS = {
    "simple_rnn": (Reader, nn.RNN), "lstm": (Reader, nn.LSTM), "gru": (Reader, nn.GRU),
    "simple_rnn cell": (Stepper, nn.RNNCell), "lstm cell": (Stepper, nn.LSTMCell),
    "gru cell": (Stepper, nn.GRUCell),
}  # fmt: skip
RUNS = ("simple_rnn cell", "gru cell")  # slowly, by a loop that vmap falls back to


@PEER.cases(
    "test_patch: testRNN[Cell]Forward, testRNN[Cell]UnrollSGD", "kind, way",
    [
        row(kind, kind, way, draws=10)
        for kind in KINDS
        for way in WAYS
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_a_recurrent_network_adapts(kind, way):
    holder, layer = KINDS[kind]
    with seeded(0):
        network = holder(layer).double()
    g = torch.Generator().manual_seed(3)
    support_x, query_x = torch.randn(2, 10, 3, 5, 10, generator=g, dtype=torch.float64)
    y = torch.zeros(10, 3, 4, dtype=torch.float64)
    episode = Episode(support_x, y, query_x, y)
    maml = answer(lambda: MAML(network, mean_square, alpha=ALPHA, steps=1, way=way))
    said = maml if isinstance(maml, str) else answer(lambda: maml(episode))
    if isinstance(said, str):
        assert way in VECTORISED and ("autograd" in said or "higher" in said), said
        return
    for one, (sx, sy, qx, _) in zip(said, episode, strict=True):
        own = trained(network, mean_square, sx, sy, 1)
        torch.testing.assert_close(one, own(qx), atol=1e-12, rtol=1e-9)

    def value(moved):
        own = trained(moved, mean_square, support_x[0], y[0], 1)
        return mean_square(own(query_x[0]), 0).item()

    assert right_slope(network, lambda: maml.outer_loss(episode[:1]), value)


# --- frozen layers, and a convolutional network written out ---------------------------------------


@PEER.cases(
    "test_optim: testFrozenParameters", "way",
    [row("frozen", way) for way in WAYS],
)  # fmt: skip
def test_a_frozen_layer_stays_and_the_rest_adapts(way):
    with seeded(0):
        network = nn.Sequential(nn.Linear(30, 50), nn.Linear(50, 1), nn.Flatten(0)).double()
    network[0].requires_grad_(False)
    x = torch.randn(1, 16, 30, generator=torch.Generator().manual_seed(0)).double()
    y = torch.cat([torch.ones(1, 8), torch.zeros(1, 8)], dim=1).double()
    loss_fn = F.binary_cross_entropy_with_logits
    compute = lambda w: MAML(network, loss_fn, alpha=ALPHA, way=w).outer_loss(Episode(x, y, x, y))
    said = answer(lambda: compute(way))
    if isinstance(said, str):
        assert {said} == {answer(lambda w=w: compute(w)) for w in WAYS}
        return
    own = trained(network, loss_fn, x[0], y[0], 1)
    torch.testing.assert_close(said, loss_fn(own(x[0]), y[0]), atol=1e-12, rtol=0)
    said.backward()
    assert [p.grad is None for p in network.parameters()] == [True, True, False, False]


CHANNELS = 6
SHAPES = [(3, CHANNELS), (CHANNELS, CHANNELS), (CHANNELS, CHANNELS)]


def convolutional() -> nn.Module:
    """The peer's net of three blocks on 28 x 28 pixels, narrower, and without running averages."""
    norm = lambda: nn.BatchNorm2d(CHANNELS, track_running_stats=False)
    with seeded(0):
        blocks = [(nn.Conv2d(i, o, 3), norm(), nn.ReLU(), nn.MaxPool2d(2)) for i, o in SHAPES]
        layers = [layer for block in blocks for layer in block]
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(CHANNELS, 5)).double()


def by_hand(phi: list, x):
    """The same net as a function of the list of its fourteen parameters."""
    for block in range(3):
        w, b, scale, shift = phi[4 * block : 4 * block + 4]
        x = F.conv2d(x, w, b)
        mean = x.mean((0, 2, 3), keepdim=True)
        variance = (x - mean).square().mean((0, 2, 3), keepdim=True)
        x = (x - mean) / (variance + 1e-5).sqrt()
        x = F.relu(x * scale[:, None, None] + shift[:, None, None])
        x = x.unfold(2, 2, 2).unfold(3, 2, 2).amax((-1, -2))
    return x.flatten(1) @ phi[-2].T + phi[-1]


@PEER.cases(
    "test_higher: testUnrollEqualityForward, testUnrollEqualityBackward, "
    "testUnrollEqualityBackwardManualUnroll", "way, steps",
    [row(f"{steps} steps", way, steps, draws=5) for steps in (0, 1, 10) for way in WAYS],
)  # fmt: skip
def test_a_convolutional_net_is_that_written_out(way, steps):
    network, draws = convolutional(), 5 if steps < 10 else 1
    g = torch.Generator().manual_seed(steps)
    x = torch.rand(2, draws, 7, 3, 28, 28, generator=g, dtype=torch.float64)
    y = torch.rand(2, draws, 7, 5, generator=g, dtype=torch.float64)
    episode, losses = Episode(x[0], y[0], x[1], y[1]), []
    maml = MAML(network, F.mse_loss, alpha=0.01, steps=steps, way=way)
    told = maml.outer_loss(episode)
    for sx, sy, qx, qy in episode:
        phi = list(network.parameters())
        for _ in range(steps):
            loss = F.mse_loss(by_hand(phi, sx), sy)
            slopes = torch.autograd.grad(loss, phi, create_graph=True)
            phi = [p - 0.01 * slope for p, slope in zip(phi, slopes, strict=True)]
        losses.append(F.mse_loss(by_hand(phi, qx), qy))
    true = torch.stack(losses).mean()
    torch.testing.assert_close(told, true, atol=0, rtol=1e-10)
    mine, own = (torch.autograd.grad(loss, list(network.parameters())) for loss in (told, true))
    for one, other in zip(mine, own, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-7)


def test_how_many_cases_there_are(capsys):
    with capsys.disabled():
        print("\n" + PEER.line())
    assert (PEER.count(), PEER.left_out) == (64, 5)
