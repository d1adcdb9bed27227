"""Batch norm in three modes: the layer against formulas written out, and MAML on small pictures in
each mode.

Everything in float64 unless a test says otherwise. "One query at a time" is the question that tells
the modes apart.
"""

from functools import partial

import higher
import pytest
import torch
import torch.nn.functional as F
from test_inner_loop import central_differences
from torch import nn
from toys import DEVICES, WAYS, flat, relative

from course_lib.episodes import Episode
from course_lib.families import Strokes
from course_lib.learners import MAML
from course_lib.learners.inner_loop import written_out
from course_lib.networks.normalisation import STATISTICS, BatchNorm, support_first, update_averages
from course_lib.networks.small import conv4
from course_lib.training.evaluation import evaluate, evaluate_each_step

ALPHA, STEPS, WAY = 0.1, 2, 3


def small(statistics: str, seed: int = 0) -> nn.Sequential:
    """Two blocks for 6 x 6 pictures, smooth everywhere, so that finite differences are exact.
    Scales and shifts have moved."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = []
        for before in (1, 3):
            layers += [
                nn.Conv2d(before, 3, 3, padding=1),
                BatchNorm(3, statistics),
                nn.Tanh(),
                nn.AvgPool2d(2),
            ]
        network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(3, WAY)).double()
        for layer in network.modules():
            if isinstance(layer, BatchNorm):
                nn.init.uniform_(layer.weight, 0.5, 1.5)
                nn.init.uniform_(layer.bias, -0.5, 0.5)
                if statistics == "running":
                    layer.running_mean.uniform_(-0.2, 0.2)
                    layer.running_var.uniform_(0.5, 2)
    return network


def pictures(tasks: int = 2, shots: int = 2, queries: int = 2) -> Episode:
    generator = torch.Generator().manual_seed(3)
    labels = [torch.arange(WAY).repeat(each).expand(tasks, -1) for each in (shots, queries)]
    x = [
        torch.rand(*y.shape, 1, 6, 6, generator=generator, dtype=torch.float64)
        + 0.3 * y[..., None, None, None]
        for y in labels
    ]
    return Episode(x[0], labels[0], x[1], labels[1])


def learner(statistics: str, **settings) -> MAML:
    return MAML(small(statistics), F.cross_entropy, **{"alpha": ALPHA, "steps": STEPS} | settings)


def normalised(x, like, weight, bias, eps=1e-5):
    """x (n, C, h, w), each channel by the mean and variance of ``like``: the textbook's formula, a
    loop over channels."""
    channels = []
    for c in range(x.shape[1]):
        mean, variance = like[:, c].mean(), like[:, c].var(correction=0)
        channels.append(weight[c] * (x[:, c] - mean) / (variance + eps) ** 0.5 + bias[c])
    return torch.stack(channels, dim=1)


def run_by_hand(phi, x, like=None, averages=None):
    """The small network's logits for x. ``like``: pictures that carry the statistics; ``averages``:
    (mean, variance) of each layer instead."""
    like = x if like is None else like
    for layer in (0, 4):
        x, like = (
            F.conv2d(each, phi[f"{layer}.weight"], phi[f"{layer}.bias"], padding=1)
            for each in (x, like)
        )
        scale = phi[f"{layer + 1}.weight"], phi[f"{layer + 1}.bias"]
        if averages:
            mean, variance = (number.view(1, -1, 1, 1) for number in averages[layer])
            x, like = (
                (each - mean) / (variance + 1e-5).sqrt() * scale[0].view(1, -1, 1, 1)
                + scale[1].view(1, -1, 1, 1)
                for each in (x, like)
            )
        else:
            x, like = normalised(x, like, *scale), normalised(like, like, *scale)
        x, like = (F.avg_pool2d(each.tanh(), 2) for each in (x, like))
    return x.flatten(1) @ phi["9.weight"].T + phi["9.bias"]


def maml_by_hand(network, statistics, training, support_x, support_y, query_x, steps=STEPS):
    """Logits of the queries after some steps of gradient descent, with nothing of the library but
    the weights."""
    phi = {name: p.detach().clone().requires_grad_() for name, p in network.named_parameters()}
    averages = None
    if statistics == "running" and not training:
        averages = {
            layer: (network[layer + 1].running_mean, network[layer + 1].running_var)
            for layer in (0, 4)
        }
    for _ in range(steps):
        loss = F.cross_entropy(run_by_hand(phi, support_x, averages=averages), support_y)
        slopes = torch.autograd.grad(loss, list(phi.values()))
        phi = {
            name: (p - ALPHA * slope).detach().requires_grad_()
            for (name, p), slope in zip(phi.items(), slopes, strict=True)
        }
    return run_by_hand(
        phi, query_x, support_x if statistics == "support" else None, averages
    ).detach()


@pytest.mark.parametrize("shape", [(5, 3, 4, 6), (7, 3)])
def test_the_layer_is_torch_batch_norm_while_training_and_in_eval_mode_with_averages(shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)).double()
    of_torch = (nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d)(3).double()
    ours = BatchNorm(3, "running").double()
    for batch in (x, 2 * x + 1, x.square()):
        torch.testing.assert_close(ours(batch), of_torch(batch), rtol=0, atol=1e-12)
        update_averages(ours, batch[None])
    torch.testing.assert_close(ours.running_mean, of_torch.running_mean, rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.running_var, of_torch.running_var, rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.eval()(x), of_torch.eval()(x), rtol=0, atol=1e-12)


def test_with_the_support_first_only_its_statistics_count():
    layer, x = (
        BatchNorm(3, "support").double(),
        torch.randn(9, 3, 4, 4, generator=torch.Generator().manual_seed(0)).double(),
    )
    with support_first(layer, 4) as first:
        assert first == 4
        torch.testing.assert_close(
            layer(x), normalised(x, x[:4], layer.weight, layer.bias), rtol=0, atol=1e-12
        )
    with support_first(BatchNorm(3, "query"), 4) as first:
        assert first == 0


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("statistics", STATISTICS)
def test_predictions_follow_the_formula_of_the_mode(statistics, way, training):
    maml = learner(statistics, way=way).train(training)
    for (support_x, support_y, query_x, _), ours in zip(pictures(), maml(pictures()), strict=True):
        by_hand = maml_by_hand(maml.network, statistics, training, support_x, support_y, query_x)
        torch.testing.assert_close(ours, by_hand, rtol=0, atol=1e-9)
        torch.testing.assert_close(
            maml.predict(support_x, support_y, query_x), by_hand, rtol=0, atol=1e-9
        )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("statistics", STATISTICS)
def test_one_query_at_a_time_equals_all_at_once_except_where_the_mode_is_transductive(
    statistics, way
):
    maml, (support_x, support_y, query_x, _) = (
        learner(statistics, way=way).eval(),
        next(iter(pictures())),
    )
    together = maml.predict(support_x, support_y, query_x)
    alone = torch.cat([maml.predict(support_x, support_y, item[None]) for item in query_x])
    if statistics == "query":
        assert (alone - together).abs().max() > 0.1
    else:
        torch.testing.assert_close(alone, together, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "statistics, training",
    [("query", True), ("support", True), ("running", True), ("running", False)],
)
def test_second_order_gradients_agree_between_the_ways_and_with_finite_differences(
    statistics, training
):
    network, tasks = small(statistics), pictures()
    ours = []
    for way in WAYS:
        maml = MAML(network, F.cross_entropy, alpha=ALPHA, steps=STEPS, way=way).train(training)
        ours.append(
            flat(
                torch.autograd.grad(
                    F.cross_entropy(maml(tasks).flatten(0, 1), tasks.query_y.flatten()),
                    list(network.parameters()),
                )
            )
        )

    def loss() -> float:
        logits = [
            maml_by_hand(network, statistics, training, sx, sy, qx) for sx, sy, qx, _ in tasks
        ]
        return F.cross_entropy(torch.cat(logits), tasks.query_y.flatten()).item()

    truth = central_differences(loss, list(network.parameters()))
    assert relative(ours[0], truth) < 1e-5
    for other in ours[1:]:
        assert relative(other, ours[0]) < 1e-9


@pytest.mark.parametrize("statistics", STATISTICS)
def test_the_three_ways_agree_on_conv4(statistics):
    family = Strokes(5, scripts=2)
    tasks = family.sample(2, shots=1, queries=2, generator=family.generator(0))
    tasks = tasks.map(lambda t: t.double() if t.is_floating_point() else t)
    network = conv4(4, outputs=5, norm=partial(BatchNorm, statistics=statistics), seed=0).double()
    learners = [MAML(network, F.cross_entropy, alpha=ALPHA, steps=3, way=way) for way in WAYS]
    gradients = [
        flat(torch.autograd.grad(maml.outer_loss(tasks), list(network.parameters())))
        for maml in learners
    ]
    assert relative(gradients[1], gradients[0]) < 1e-9
    assert relative(gradients[2], gradients[0]) < 1e-9


@pytest.mark.parametrize("statistics", STATISTICS)
def test_other_numbers_for_the_classes_give_the_same_answers(statistics):
    """Renumber the classes and the head's outputs alike: the logits are renumbered, and nothing
    else."""
    maml, (support_x, support_y, query_x, _) = learner(statistics), next(iter(pictures()))
    before = maml.predict(support_x, support_y, query_x)
    new = torch.tensor([2, 0, 1])  # class c becomes new[c]
    with torch.no_grad():
        for parameter in maml.network[-1].parameters():
            parameter.copy_(parameter[new.argsort()])
    torch.testing.assert_close(
        maml.predict(support_x, new[support_y], query_x)[:, new], before, rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("statistics", STATISTICS)
def test_the_order_of_the_support_items_does_not_matter(statistics):
    maml, (support_x, support_y, query_x, _) = learner(statistics), next(iter(pictures()))
    order = torch.tensor([2, 0, 3, 1, 5, 4])
    shuffled = maml.predict(support_x[order], support_y[order], query_x)
    torch.testing.assert_close(
        shuffled, maml.predict(support_x, support_y, query_x), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("statistics", ["query", "support"])
def test_it_adapts_to_true_labels_and_is_at_chance_with_shuffled_ones(statistics):
    """Untrained weights, float32: five steps on ten drawings beat chance by far; with labels drawn
    at random they do not."""
    family = Strokes(5)
    true = family.sample(60, shots=2, queries=3, generator=family.generator(0))
    order = torch.rand(60, 10, generator=torch.Generator().manual_seed(0)).argsort(1)
    shuffled = Episode(true.support_x, true.support_y.gather(1, order), true.query_x, true.query_y)
    maml = MAML(
        conv4(8, outputs=5, norm=partial(BatchNorm, statistics=statistics), seed=0),
        F.cross_entropy,
        alpha=0.1,
        steps=5,
        way="vmap",
    )
    learned, fooled = evaluate(maml, true), evaluate(maml, shuffled)
    assert learned.chance == 0.2 and learned.mean > 0.3
    assert fooled.mean == pytest.approx(0.2, abs=2 * fooled.half_width)


def test_each_step_of_classes_is_scored_by_accuracy_in_eval_mode():
    maml, tasks = learner("running"), pictures()
    scores = evaluate_each_step(maml, tasks, STEPS)
    assert [(s.metric, s.chance, len(s)) for s in scores] == [
        ("accuracy", pytest.approx(1 / 3), 2)
    ] * (STEPS + 1)
    assert scores[-1].per_episode.equal(evaluate(maml, tasks).per_episode)
    expected = [
        (maml.eval().predict(sx, sy, qx).argmax(-1) == qy).float().mean().item()
        for sx, sy, qx, qy in tasks
    ]
    assert scores[-1].per_episode.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("way", WAYS)
def test_running_averages_move_only_in_the_outer_loss_while_training(way):
    maml, tasks = learner("running", way=way), pictures()
    before = {name: buffer.clone() for name, buffer in maml.named_buffers()}
    still = lambda: all(buffer.equal(before[name]) for name, buffer in maml.named_buffers())  # noqa: E731
    maml(tasks)
    maml.after_each_step(tasks)
    maml.eval().outer_loss(tasks)
    assert len(before) == 4 and still()
    maml.train().outer_loss(tasks)
    expected = before["network.1.running_mean"]
    for support_x, _, _, _ in tasks:  # at theta, task after task
        seen = F.conv2d(support_x, maml.network[0].weight, maml.network[0].bias, padding=1).mean(
            (0, 2, 3)
        )
        expected = 0.9 * expected + 0.1 * seen.detach()
    torch.testing.assert_close(maml.network[1].running_mean, expected, rtol=0, atol=1e-12)


def test_the_mode_is_part_of_the_settings_and_only_running_averages_are_saved():
    keys = [learner(statistics).settings()["network"] for statistics in STATISTICS]
    assert len(set(keys)) == 3 and all(
        f"statistics='{s}'" in key for s, key in zip(STATISTICS, keys, strict=True)
    )
    saved = [name for name in learner("running").state_dict() if "running" in name]
    assert len(saved) == 4 and not any(
        "running" in name for name in learner("support").state_dict()
    )


def test_the_layer_remembers_no_support_set_after_an_error():
    maml, tasks = learner("support"), pictures()
    maml.loss_fn = lambda predictions, targets: {}[0]
    with pytest.raises(KeyError):
        maml(tasks)
    assert maml.network[1].support_items is None


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("statistics", STATISTICS)
def test_the_modes_are_the_same_on_every_device(statistics, device):
    here = learner(statistics, way="vmap").eval()(pictures())
    there = (
        learner(statistics, way="vmap").to(device).eval()(pictures().map(lambda t: t.to(device)))
    )
    assert there.device.type == device
    torch.testing.assert_close(there.cpu(), here, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "use, says",
    [
        (
            lambda: BatchNorm(3, "batch"),
            "statistics='batch': choose one of query, support, running",
        ),
        (lambda: BatchNorm(0), "channels=0"),
        (lambda: BatchNorm(3)(torch.ones(1, 3)), "one number a channel.*statistics='support'"),
        (lambda: BatchNorm(3, "support")(torch.ones(4, 3)), "does not know the support set"),
        (
            lambda: written_out(
                small("support"), F.cross_entropy, *pictures().support_x, alpha=0.1, steps=1
            ),
            "call the network through MAML",
        ),
        (
            lambda: MAML(conv4(4, norm=nn.BatchNorm2d)),
            "track_running_stats=False, or use course_lib.networks.normalisation.BatchNorm",
        ),
    ],
)
def test_what_would_leak_in_silence_is_refused(use, says):
    with pytest.raises(ValueError, match=says):
        use()


def test_higher_on_its_own_sees_no_support_set_either():
    """A layer that guessed would normalise queries with each other."""
    network = small("support")
    with (
        higher.innerloop_ctx(network, torch.optim.SGD(network.parameters(), lr=ALPHA)) as (fnet, _),
        pytest.raises(ValueError, match="does not know"),
    ):
        fnet(pictures().query_x[0])
