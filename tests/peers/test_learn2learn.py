"""The facts that the tests of learn2learn (learnables/learn2learn, tests/) assert of its
algorithms, on the learners of the course.

The peer hands out a clone that takes any loss at any moment. Here the loss is one function of
predictions and targets, on the support set and on the queries: its "norm of the output" is the norm
of the distance to a target of zeros. Yardsticks: torch's own optimiser on copies, and differences.
"""

import copy

import pytest
import torch
from ledger import Ledger, answer, row
from torch import nn
from yardsticks import RATE, norm, right_slope, seven, soft_network, trained

from course_lib.learners import MAML
from course_lib.learners.maml import WAYS
from course_lib.networks.small import seeded

PEER = Ledger(
    "learn2learn, algorithms",
    [
        (1, "algorithms/metasgd_test, a rate for every weight", "one inner rate for all layers"),
        (2, "algorithms/gbml_test, adapt_transform=True", "no update rule that adapts too"),
        (1, "algorithms/maml_test test_memory_consumption", "asks for a GPU"),
    ],
)


def every(names, **about):
    return [row(name, way, draws=2, **about) for name in names for way in WAYS]


# --- MAML, and what MetaSGD and GBML share with it ------------------------------------------------


@PEER.cases(
    "algorithms/[maml, metasgd, gbml]_test: test_clone_module", "first_order, way",
    [row(f"first_order={o}", o, way, draws=2) for o in (False, True) for way in WAYS],
)  # fmt: skip
def test_before_a_step_it_answers_as_the_network(first_order, way):
    net, episode = soft_network(), seven()
    maml = MAML(net, norm, alpha=RATE, first_order=first_order, way=way, steps=1)
    for told in (maml.after_each_step(episode)[0], maml.after_each_step(episode)[0]):
        torch.testing.assert_close(told, net(episode.query_x), atol=1e-12, rtol=0)


@PEER.cases("algorithms/maml_test: test_first_order_adaptation", "way", every(["3 steps"]))
def test_the_first_order_gradient_is_that_at_the_adapted_weights(way):
    net, episode = soft_network(), seven()
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
    net = soft_network()
    MAML(net, norm, alpha=RATE, steps=steps, way=way).outer_loss(seven()).backward()
    assert all(p.grad.norm() > 0 for p in net.parameters())


@PEER.cases("algorithms/[maml, metasgd, gbml]_test: test_adaptation", "way", every(["1 step"]))
def test_a_step_lowers_the_loss_and_has_the_right_gradient(way):
    net, episode = soft_network(), seven()
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
    [row("unused", way) for way in WAYS],
)  # fmt: skip
def test_unused_layers_are_left_alone_or_refused(way):
    with seeded(0):
        net = Half().double()
    check_apart(net, way, apart=lambda name: name.startswith(("layers.1", "layers.3")))


@PEER.cases(
    "algorithms/[maml, gbml]_test: test_allow_nograd", "way",
    [row("frozen", way) for way in WAYS],
)  # fmt: skip
def test_a_frozen_layer_is_left_alone_or_refused(way):
    net = soft_network()
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
    net, episode = soft_network(), seven()
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
    [row("alpha", way) for way in WAYS],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Converting a tensor")
def test_alpha_as_a_parameter_is_learned_or_refused_in_every_way(way):
    def compute(w):
        alpha = nn.Parameter(torch.tensor(0.1, dtype=torch.float64))
        maml = MAML(soft_network(), norm, alpha=alpha, steps=2, way=w)
        assert any(p is alpha for p in maml.parameters())
        (slope,) = torch.autograd.grad(maml.outer_loss(seven()), alpha)
        return slope.item()

    told = answer(lambda: compute(way))
    if isinstance(told, str):
        assert {told} == {answer(lambda w=w: compute(w)) for w in WAYS}
        return
    losses = [MAML(soft_network(), norm, steps=2, alpha=a).outer_loss(seven()).item()
              for a in (0.1 + 1e-6, 0.1 - 1e-6)]  # fmt: skip
    assert told == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-4)


@PEER.case(
    "algorithms/metasgd_test: test_meta_lr",
)
def test_a_learned_rate_is_a_parameter_of_the_learner_or_refused():
    learned = nn.Parameter(torch.tensor(RATE))
    maml = answer(lambda: MAML(soft_network(), norm, override={"lr": [learned]}))
    if not isinstance(maml, str):
        assert any(p is learned for p in maml.parameters())


def test_how_many_cases_there_are(capsys):
    with capsys.disabled():
        print("\n" + PEER.line())
    assert (PEER.count(), PEER.left_out) == (19, 4)
