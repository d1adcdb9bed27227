"""The facts that pytorch-meta (tristandeleu/pytorch-meta, torchmeta/tests) asserts in
utils/test_gradient_based.py and modules/, on the inner loops of the course.

The numbers of the first part are the peer's own, from closed forms.
"""

import copy

import pytest
import torch
from ledger import Ledger, answer, row
from torch import nn
from yardsticks import generator

from course_lib.episodes import Episode
from course_lib.learners import MAML, predict_with
from course_lib.learners.inner_loop import predict_all_with
from course_lib.learners.maml import WAYS
from course_lib.networks.small import seeded

PEER = Ledger(
    "pytorch-meta, networks",
    [
        (4, "modules/test_linear, bilinear", "a network of the course takes one input"),
        (8, "modules/test_activation, meta_named_parameters", "names of their own modules"),
    ],
)


SLOW = pytest.mark.filterwarnings("ignore:There is a performance drop")  # a loop inside of vmap
TWICE = "new D, as situation 13: EmbeddingBag has no second derivative"


# --- utils/test_gradient_based: one weight vector, everything by hand -----------------------------


def half_square(predictions, targets):
    return 0.5 * (predictions - targets).square().sum()


def mean_square(predictions, targets):
    return (predictions - targets).square().mean()


def vector() -> nn.Linear:
    network = nn.Linear(3, 1, bias=False).double()
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[2.0, 3.0, 5.0]]))
    return network


def one_item(support: list, query: list) -> Episode:
    support, query = (torch.tensor([[x]], dtype=torch.float64) for x in (support, query))
    zero = torch.zeros(1, 1, 1, dtype=torch.float64)
    return Episode(support, zero, query, zero)


A, B = [1.0, 2.0, 3.0], [4.0, 5.0, 6.0]
GOLDEN = {  # support, query, alpha, first order, steps, weights after each step, query, gradient
    "test_update_parameters": (
        A, B, 0.5, False, [[-9.5, -20.0, -29.5]], -315.0, [3780.0, 8505.0, 13230.0]),
    "test_update_parameters_first_order": (
        B, A, 0.5, True, [[-104.0, -129.5, -154.0]], -825.0, [-825.0, -1650.0, -2475.0]),
    "test_multiple_update_parameters": (
        A, B, 1.0, False,
        [[-21.0, -43.0, -64.0], [278.0, 555.0, 833.0], [-3609.0, -7219.0, -10828.0]],
        -115499.0, [-5020.0, -10043.0, -15066.0]),
}  # fmt: skip


@PEER.cases("utils/test_gradient_based: closed form", "name, way",
            [row(name, name, way) for name in GOLDEN for way in WAYS])  # fmt: skip
def test_an_inner_loop_done_by_hand(name, way):
    support, query, alpha, first_order, weights, answer, gradient = GOLDEN[name]
    network, episode = vector(), one_item(support, query)
    steps = len(weights)
    maml = MAML(network, half_square, alpha=alpha, steps=steps, first_order=first_order, way=way)
    walked = maml.after_each_step(one_item(support, [1.0, 0.0, 0.0])).flatten()
    torch.testing.assert_close(walked[1:], torch.tensor([w[0] for w in weights]).double())
    told = maml(episode)
    assert told.item() == answer
    # the third case differentiates the answer itself, the others half its square
    outer = told.sum() if steps == 3 else maml.outer_loss(episode)
    assert outer.item() == (answer if steps == 3 else 0.5 * answer**2)
    (slope,) = torch.autograd.grad(outer, network.weight)
    assert slope.tolist() == [gradient]
    assert network.weight.tolist() == [[2.0, 3.0, 5.0]]


# --- modules: a network with other weights than its own ------------------------------------------


class Attention(nn.Module):
    """The peer's attention, with its three inputs in one: keys and values may be narrower."""

    def __init__(self, **settings):
        super().__init__()
        self.kdim, self.vdim = settings["kdim"] or 15, settings["vdim"] or 15
        self.attend = nn.MultiheadAttention(15, 3, **settings)

    def forward(self, x):
        return self.attend(x, x[..., : self.kdim], x[..., : self.vdim])[0]


LAYERS = {f"test_linear bias={b}": (lambda b=b: nn.Linear(2, 3, bias=b), (5, 2))
          for b in (True, False)}  # fmt: skip
for dims, size, shape in (
    (1, 5, (7, 2, 11)), (2, (5, 7), (11, 2, 13, 17)), (3, (5, 7, 11), (3, 2, 7, 11, 13))
):  # fmt: skip
    for bias in (True, False):
        kind = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dims - 1]
        LAYERS[f"test_conv {dims}d bias={bias}"] = (
            lambda kind=kind, size=size, bias=bias: kind(2, 3, size, bias=bias), shape,
        )  # fmt: skip
for bias in (True, False):
    for kv in (True, False):
        for k, v in ((None, None), (7, 11)):
            settings = {"bias": bias, "add_bias_kv": kv, "kdim": k, "vdim": v}
            LAYERS[f"test_activation {settings}"] = (
                lambda settings=settings: Attention(**settings), (19, 17, 15),
            )  # fmt: skip
LAYERS["test_sparse embedding"] = (lambda: nn.Embedding(5, 3, padding_idx=0), 5)
for mode in ("sum", "mean", "max"):
    LAYERS[f"test_sparse bag {mode}"] = (lambda mode=mode: nn.EmbeddingBag(5, 3, mode=mode), 5)
LAYERS["test_container"] = (
    lambda: nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 5)), (5, 2),
)  # fmt: skip


def inputs(shape, tasks: int) -> torch.Tensor:
    if isinstance(shape, int):
        return torch.randint(shape, (tasks, 2, 7), generator=generator())
    return torch.randn(tasks, *shape, generator=generator(), dtype=torch.float64)


@SLOW
@PEER.cases("modules: params=None, params", "name", [row(name, name) for name in LAYERS])
def test_a_layer_takes_weights_that_are_not_its_own(name):
    make, shape = LAYERS[name]
    with seeded(0):
        network = make().double()
        phis = [{n: torch.randn_like(p) for n, p in network.named_parameters()} for _ in range(3)]
    x, own = inputs(shape, 3), copy.deepcopy(network)
    assert predict_with(network, dict(network.named_parameters()), x[0]).equal(network(x[0]))
    side_by_side = {n: torch.stack([phi[n] for phi in phis]) for n in phis[0]}
    together = predict_all_with(network, side_by_side, x)
    for phi, inputs_, one in zip(phis, x, together, strict=True):
        network.load_state_dict(phi)
        assert predict_with(own, phi, inputs_).equal(network(inputs_))
        torch.testing.assert_close(one, network(inputs_), atol=1e-9, rtol=1e-9)


@PEER.cases(
    "modules: in an inner loop", "name, way",
    [row(name, name, way)
     for name in LAYERS for way in WAYS],
)  # fmt: skip
@SLOW
def test_a_layer_in_an_inner_loop_is_the_same_in_every_way(name, way):
    make, shape = LAYERS[name]
    with seeded(0):
        network = make().double()
    x = inputs(shape, 4)
    y = torch.zeros(2, *network(x[0]).shape, dtype=torch.float64)
    episode = Episode(x[:2], y, x[2:], y)

    def gradient(way):
        maml = MAML(network, mean_square, alpha=0.1, steps=2, way=way)
        return torch.autograd.grad(maml.outer_loss(episode), list(network.parameters()))

    told = answer(lambda: gradient(way))
    if isinstance(told, str):
        assert {told} == {answer(lambda w=w: gradient(w)) for w in WAYS}
        return
    for one, other in zip(told, gradient("autograd"), strict=True):
        torch.testing.assert_close(one, other, atol=1e-9, rtol=1e-9)


class TwoParts(nn.Module):
    """Two layers of features and a linear classifier."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 5), nn.ReLU())
        self.classifier = nn.Linear(5, 7, bias=False)

    def forward(self, x):
        return self.classifier(self.features(x))


@PEER.cases("modules/test_module: test_get_subdict", "names", [
    row("unknown_key: the features keep their own", ["classifier.weight"]),
    row("extra_key: what is named is used", ["features.0.weight", "classifier.weight"]),
])  # fmt: skip
def test_weights_for_a_part_of_the_network(names):
    with seeded(0):
        network = TwoParts()
    phi = {name: torch.randn_like(network.get_parameter(name)) for name in names}
    x, own = torch.randn(11, 2, generator=generator()), copy.deepcopy(network)
    own.load_state_dict(phi, strict=False)
    assert predict_with(network, phi, x).shape == (11, 7)
    assert predict_with(network, phi, x).equal(own(x))


@PEER.cases(
    "modules/test_parallel: test_dataparallel, params, params_none, params_maml", "network",
    [
        row(name, network)
        for name, network in (
            ("linear", nn.Linear(2, 1)), ("mlp", nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))),
        )
    ],
)  # fmt: skip
def test_a_parallel_network_is_refused(network):
    with pytest.raises(ValueError, match="DataParallel"):
        MAML(nn.DataParallel(network))


def test_how_many_cases_there_are(capsys):
    with capsys.disabled():
        print("\n" + PEER.line())
    assert (PEER.count(), PEER.left_out) == (76, 12)
