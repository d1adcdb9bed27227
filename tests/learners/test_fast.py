"""The fast way for conv4: the same gradients as the way written out, bit for bit the same on any
number of threads."""

import copy
import time
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from toys import TIMED, episode, flat, relative, smooth

from course_lib.commands.benchmark import peak_memory
from course_lib.episodes import Episode
from course_lib.families import Strokes
from course_lib.learners import MAML
from course_lib.learners.conv4_by_hand import gradient as fast
from course_lib.networks.normalisation import BatchNorm
from course_lib.networks.small import conv4

NORMS = {s: partial(BatchNorm, statistics=s) for s in ("query", "support", "running")} | {
    "torch's": partial(nn.BatchNorm2d, track_running_stats=False)
}
FAMILY = Strokes(5, scripts=2)


def drawings(tasks: int = 3, shots: int = 1, queries: int = 2) -> Episode:
    drawn = FAMILY.sample(tasks, shots=shots, queries=queries, generator=FAMILY.generator(0))
    return drawn.map(lambda t: t.double() if t.is_floating_point() else t)


def network(norm="query", channels: int = 4, **settings) -> nn.Sequential:
    """conv4 in float64 after some training, as it were: scales of both signs, shifts that are not
    0."""
    made = conv4(channels, outputs=5, norm=NORMS[norm], seed=0, **settings).double()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for layer in made:
            if hasattr(layer, "eps"):
                nn.init.normal_(layer.weight)
                nn.init.normal_(layer.bias, std=0.5)
    return made


def gradient(of: nn.Module, tasks: Episode, way: str = "fast", **settings) -> torch.Tensor:
    maml = MAML(of, F.cross_entropy, way=way, **{"alpha": 0.1, "steps": 3} | settings)
    return flat(torch.autograd.grad(maml.outer_loss(tasks), list(of.parameters())))


@pytest.fixture
def threads():
    """Sets the number of threads for one test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("adapt", ["all", "head"])
@pytest.mark.parametrize("first_order", [False, True])
@pytest.mark.parametrize("norm", NORMS)
def test_gradients_are_those_of_the_way_written_out(norm, first_order, adapt):
    settings = {"first_order": first_order, "adapt": adapt}
    fast_one, written = (
        gradient(network(norm), drawings(), way, **settings) for way in ("fast", "autograd")
    )
    assert relative(fast_one, written) < 1e-9


def test_a_scale_of_zero_is_no_exception():
    """It makes the four numbers of a window equal, and the first of them counts as the largest."""
    net = network()
    net[1].weight.data[:2] = 0
    assert relative(gradient(net, drawings()), gradient(net, drawings(), "autograd")) < 1e-9


@pytest.mark.parametrize("shape", [{"inputs": 3, "size": 20}, {"size": 32}, {"size": 37}])
def test_they_are_in_other_sizes_and_in_colour(shape):
    generator = torch.Generator().manual_seed(0)
    x = [
        torch.rand(
            2, items, shape.get("inputs", 1), shape["size"], shape["size"], generator=generator
        ).double()
        for items in (5, 10)
    ]
    tasks = Episode(
        x[0], torch.arange(5).expand(2, 5), x[1], torch.arange(5).repeat(2).expand(2, 10)
    )
    fast_one, written = (
        gradient(network("support", **shape), tasks, way, steps=2) for way in ("fast", "autograd")
    )
    assert relative(fast_one, written) < 1e-9


def test_they_are_with_a_squared_loss_and_without_steps():
    tasks = drawings()
    tasks = Episode(
        tasks.support_x,
        F.one_hot(tasks.support_y).double(),
        tasks.query_x,
        F.one_hot(tasks.query_y).double(),
    )
    for steps in (0, 2):
        one, other = (flat(torch.autograd.grad(MAML(net, alpha=0.1, steps=steps,
        way=way).outer_loss(tasks), list(net.parameters())))
                      for way, net in (("fast", network()), ("autograd", network())))  # fmt: skip
        assert relative(one, other) < 1e-9


def loss_after(of: nn.Module, tasks: Episode) -> float:
    """The query loss after three steps of torch's own optimiser on a copy: nothing of the
    library."""
    total = 0.0
    for support_x, support_y, query_x, query_y in tasks:
        own = copy.deepcopy(of)
        stepping = torch.optim.SGD(own.parameters(), lr=0.1)
        for _ in range(3):
            stepping.zero_grad()
            F.cross_entropy(own(support_x), support_y).backward()
            stepping.step()
        total += F.cross_entropy(own(query_x), query_y).item() / len(tasks)
    return total


def test_they_are_the_slopes_of_finite_differences():
    theta, tasks, width = network("torch's"), drawings(tasks=2), 1e-7
    ours, generator = gradient(theta, tasks), torch.Generator().manual_seed(0)
    for _ in range(4):
        direction = torch.randn(len(ours), generator=generator, dtype=torch.float64)
        moved = []
        for sign in (1, -1):
            there, at = copy.deepcopy(theta), 0
            for parameter in there.parameters():
                parameter.data += (
                    sign * width * direction[at : at + parameter.numel()].view_as(parameter)
                )
                at += parameter.numel()
            moved.append(loss_after(there, tasks))
        assert (moved[0] - moved[1]) / (2 * width) == pytest.approx(
            (ours @ direction).item(), rel=1e-4
        )


@pytest.mark.parametrize("norm", NORMS)
def test_predictions_after_every_step_are_those_of_the_way_written_out(norm):
    quick, written = (
        MAML(network(norm), F.cross_entropy, alpha=0.1, way=way) for way in ("fast", "autograd")
    )
    tasks = drawings()
    torch.testing.assert_close(
        quick.after_each_step(tasks, 3), written.after_each_step(tasks, 3), rtol=0, atol=1e-9
    )
    with torch.no_grad():
        torch.testing.assert_close(quick(tasks), written(tasks), rtol=0, atol=1e-9)
        support_x, support_y, query_x, _ = next(iter(tasks))
        torch.testing.assert_close(
            quick.predict(support_x, support_y, query_x), written(tasks)[0], rtol=0, atol=1e-9
        )


def test_the_loss_and_a_multiple_of_it_behave_like_any_other():
    net, tasks = network(), drawings()
    maml, written = (
        MAML(net, F.cross_entropy, alpha=0.1, steps=3, way=way) for way in ("fast", "autograd")
    )
    loss = maml.outer_loss(tasks)
    assert loss.item() == pytest.approx(written.outer_loss(tasks).item(), rel=1e-12)
    (2 * loss).backward()
    assert flat(p.grad for p in net.parameters()).equal(2 * gradient(net, tasks))
    with torch.no_grad():
        assert maml.outer_loss(tasks).item() == pytest.approx(loss.item(), rel=1e-12)


def test_any_number_of_threads_gives_the_same_bits_and_is_put_back(threads):
    net, tasks = (
        network(channels=8).float(),
        drawings(tasks=5).map(lambda t: t.float() if t.is_floating_point() else t),
    )
    gradients = []
    for count in (1, 2, 3, 2):
        threads(count)
        gradients.append(gradient(net, tasks))
        assert torch.get_num_threads() == count
    assert all(other.equal(gradients[0]) for other in gradients[1:])


@pytest.mark.parametrize("count", [1, 2])
def test_an_error_in_a_thread_reaches_the_caller(threads, count):
    threads(count)
    def broken(predictions, targets):
        raise LookupError("this loss is broken")

    maml = MAML(network(), broken, way="fast")
    for use in (maml.outer_loss, maml.after_each_step):
        with pytest.raises(LookupError, match="this loss is broken"):
            use(drawings())
    assert torch.get_num_threads() == count


def test_adapting_leaves_the_network_and_the_tasks_as_they_were():
    maml, tasks = MAML(network("support"), F.cross_entropy, way="fast"), drawings()
    before, pictures = copy.deepcopy(maml.state_dict()), tasks.query_x.clone()
    maml.outer_loss(tasks)
    maml.after_each_step(tasks)
    assert all(
        tensor.equal(before[name]) for name, tensor in maml.state_dict().items()
    ) and tasks.query_x.equal(pictures)
    assert all(parameter.grad is None for parameter in maml.parameters())


def test_a_loss_that_sums_goes_the_way_of_vmap():
    summed = partial(F.cross_entropy, reduction="sum")
    by_hand, vmapped = (
        MAML(network(), summed, way=way).outer_loss(drawings()) for way in ("fast", "vmap")
    )
    assert by_hand.equal(vmapped)


@pytest.mark.parametrize("norm", ["query", "support"])
def test_smooth_pictures_are_as_exact_in_single_precision_as_by_autograd(norm):
    """Their 3 x 3 neighbourhoods are nearly alike, so a variance is a small difference of large
    numbers: a gram matrix in single precision was off by as much as the gradient itself."""
    errors = {"fast": [], "autograd": []}
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        small = torch.rand(20, 1, 8, 8, generator=generator, dtype=torch.float64)
        x = F.interpolate(small.gt(0.6).double(), 28, mode="bilinear").view(2, 10, 1, 28, 28)
        y = torch.arange(5).expand(2, 5)
        tasks = Episode(x[:, :5], y, x[:, 5:], y)
        single = tasks.map(lambda t: t.float() if t.is_floating_point() else t)
        net = conv4(8, outputs=5, norm=NORMS[norm], seed=seed)
        exact = gradient(copy.deepcopy(net).double(), tasks, "autograd", steps=4)
        for way, found in errors.items():
            found.append(relative(gradient(copy.deepcopy(net), single, way, steps=4), exact))
    one, other = (sorted(found)[2] for found in errors.values())  # the medians
    assert one < 3 * other + 1e-5


@pytest.mark.parametrize("change", [
    lambda tensor: tensor.bfloat16() if tensor.is_floating_point() else tensor,
    lambda tensor: tensor.clone().requires_grad_() if tensor.is_floating_point() else tensor,
])  # fmt: skip
def test_numbers_of_another_kind_and_items_that_want_a_gradient_go_the_way_of_vmap(change):
    tasks, made = drawings().map(change), {}
    for way in ("fast", "vmap"):
        net = network().to(tasks.support_x.dtype)
        made[way] = MAML(net, F.cross_entropy, way=way).outer_loss(tasks)
    assert made["fast"].equal(made["vmap"])
    if tasks.support_x.requires_grad:
        (of_items,) = torch.autograd.grad(made["fast"], tasks.support_x)
        assert of_items.abs().max() > 0


def test_predictions_of_a_wrong_shape_are_refused():
    ten = MAML(network(), alpha=0.1, way="fast")
    tasks = drawings()
    y = torch.zeros(3, 10, 1).double()
    targets = Episode(tasks.support_x, y[:, :5], tasks.query_x, y)
    with pytest.raises(ValueError, match=r"\(5, 5\); .* of the support set ask for \(5, 1\)"):
        ten.outer_loss(targets)


def test_other_networks_go_the_way_of_vmap():
    assert fast.plan_for(smooth()) is None
    quick, side_by_side = (MAML(smooth(), alpha=0.1, steps=2, way=way) for way in ("fast", "vmap"))
    assert quick(episode()).equal(side_by_side(episode()))
    assert quick.outer_loss(episode()).equal(side_by_side.outer_loss(episode()))


def changed(index: int, layer: nn.Module) -> nn.Sequential:
    net = network()
    net[index] = layer
    return net


def hooked() -> nn.Sequential:
    net = network()
    net[0].register_forward_hook(lambda module, inputs, output: None)
    return net


@pytest.mark.parametrize(
    "different",
    [
        changed(0, nn.Conv2d(1, 4, 3, padding=1, stride=2)),
        changed(0, nn.Conv2d(1, 4, 3, padding=1, padding_mode="reflect")),
        changed(4, nn.Conv2d(4, 4, 3, padding=1, groups=2)),
        changed(2, nn.ELU()),
        changed(3, nn.AvgPool2d(2)),
        changed(3, nn.MaxPool2d(2, ceil_mode=True)),
        changed(5, nn.BatchNorm2d(4)),
        changed(5, nn.GroupNorm(2, 4)),
        changed(5, BatchNorm(4, "support")),
        changed(17, nn.Identity()),
        network("running").eval(),
        nn.Sequential(*network()[:-1]),
        hooked(),
        nn.ModuleList(network()),
    ],
)
def test_what_is_not_conv4_with_one_batch_norm_is_not_taken_for_it(different):
    assert fast.plan_for(different) is None


@pytest.mark.parametrize(
    "net",
    [network(name) for name in NORMS]
    + [changed(0, nn.Conv2d(1, 4, 3, padding=1, bias=False)), network("support").eval()],
)
def test_conv4_is_recognised(net):
    assert fast.plan_for(net) is not None


@TIMED
def test_it_needs_less_time_than_the_way_written_out():
    net = conv4(32, outputs=5, norm=NORMS["query"], seed=0)
    tasks, seconds = FAMILY.sample(2, shots=1, queries=15, generator=FAMILY.generator(0)), {}
    for _ in range(3):
        for way in ("autograd", "fast"):
            began = time.process_time()
            gradient(net, tasks, way, steps=5)
            seconds[way] = min(seconds.get(way, 60), time.process_time() - began)
    assert seconds["fast"] < 0.85 * seconds["autograd"]


def test_it_needs_less_memory_than_the_way_written_out():
    net = conv4(32, outputs=5, norm=NORMS["query"], seed=0)
    tasks = FAMILY.sample(2, shots=1, queries=15, generator=FAMILY.generator(0))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # memory is counted on the thread of the caller
    try:
        memory = {
            way: peak_memory(lambda way=way: gradient(net, tasks, way, steps=5))
            for way in ("autograd", "fast")
        }
    finally:
        torch.set_num_threads(threads)
    assert memory["fast"] < 0.5 * memory["autograd"]
