"""MAML as a learner: one signature, nothing hidden left behind, and a clear word at the door."""

import copy
import json

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from toys import DEVICES, WAYS, episode, flat, smooth

from course_lib.commands.benchmark import peak_memory
from course_lib.learners import MAML, Learner
from course_lib.networks.small import mlp
from course_lib.training.evaluation import evaluate


def learner(**settings) -> MAML:
    return MAML(smooth(), **{"alpha": 0.1, "steps": 2} | settings)


@pytest.mark.parametrize("way", WAYS)
def test_predict_on_one_task_is_forward_on_the_batch(way):
    maml, tasks = learner(way=way), episode()
    together = maml(tasks)
    assert together.shape == (3, 5, 1)
    for one, (support_x, support_y, query_x, _) in zip(together, tasks, strict=True):
        torch.testing.assert_close(
            maml.predict(support_x, support_y, query_x), one, rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("way", WAYS)
def test_it_adapts_under_no_grad_and_gives_the_same_numbers(way):
    maml, tasks = learner(way=way), episode()
    with torch.no_grad():
        predictions = maml(tasks)
    assert predictions.equal(maml(tasks)) and not predictions.requires_grad
    assert not torch.allclose(predictions, learner(steps=0)(tasks), atol=0.01)


@pytest.mark.parametrize("way", WAYS)
def test_under_no_grad_it_keeps_no_second_derivatives_in_memory(way):
    maml, tasks = learner(way=way, steps=8), episode(shots=100)
    with torch.no_grad():
        frugal = peak_memory(lambda: maml(tasks))
    assert frugal < 0.5 * peak_memory(lambda: maml(tasks))


@pytest.mark.parametrize(
    "way, inner_optimizer",
    [*((way, torch.optim.SGD) for way in WAYS), ("higher", torch.optim.Adam)],
)
def test_adapting_leaves_the_network_and_the_tasks_as_they_were(way, inner_optimizer):
    maml, tasks = learner(way=way, inner_optimizer=inner_optimizer), episode()
    before, inputs = (
        copy.deepcopy(maml.state_dict()),
        flat([tasks.support_x, tasks.support_y, tasks.query_x, tasks.query_y]),
    )
    maml(tasks)
    maml.after_each_step(tasks)
    maml.outer_loss(tasks)
    assert all(parameter.grad is None for parameter in maml.parameters())
    assert all(parameter.requires_grad for parameter in maml.parameters())
    assert all(tensor.equal(before[name]) for name, tensor in maml.state_dict().items())
    assert flat([tasks.support_x, tasks.support_y, tasks.query_x, tasks.query_y]).equal(inputs)


@pytest.mark.parametrize("way", WAYS)
def test_the_order_of_the_support_items_does_not_matter(way):
    maml, (support_x, support_y, query_x, _) = learner(way=way), next(iter(episode()))
    order = torch.tensor([2, 0, 3, 1])
    shuffled = maml.predict(support_x[order], support_y[order], query_x)
    torch.testing.assert_close(
        shuffled, maml.predict(support_x, support_y, query_x), rtol=0, atol=1e-12
    )


def test_the_labels_do_matter():
    maml, (support_x, support_y, query_x, _) = learner(), next(iter(episode()))
    difference = maml.predict(support_x, support_y.flip(0), query_x) - maml.predict(
        support_x, support_y, query_x
    )
    assert difference.abs().max() > 0.01


def test_query_items_do_not_see_each_other():
    maml, (support_x, support_y, query_x, _) = learner(), next(iter(episode()))
    together = maml.predict(support_x, support_y, query_x)
    alone = torch.cat([maml.predict(support_x, support_y, item[None]) for item in query_x])
    torch.testing.assert_close(alone, together, rtol=0, atol=1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_the_outer_loss_is_the_mean_query_loss_over_tasks(way):
    maml, tasks = learner(way=way), episode()
    each = [F.mse_loss(maml.predict(sx, sy, qx), qy) for sx, sy, qx, qy in tasks]
    torch.testing.assert_close(maml.outer_loss(tasks), torch.stack(each).mean(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_adapting_on_a_support_set_lowers_its_loss(way):
    tasks = episode()
    on_support = type(tasks)(tasks.support_x, tasks.support_y, tasks.support_x, tasks.support_y)
    losses = [
        F.mse_loss(p, tasks.support_y).item()
        for p in learner(way=way).after_each_step(on_support, steps=5)
    ]
    assert losses == sorted(losses, reverse=True) and losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("device", DEVICES)
def test_loss_and_gradient_are_the_same_on_every_device(device, way):
    results = []
    for place in ("cpu", device):
        maml, tasks = learner(way=way).to(place), episode().map(lambda t, place=place: t.to(place))
        loss = maml.outer_loss(tasks)
        loss.backward()
        assert loss.device.type == place
        results.append(flat([loss, *(parameter.grad for parameter in maml.parameters())]).cpu())
    torch.testing.assert_close(results[1], results[0], rtol=1e-9, atol=1e-12)


def test_head_is_the_last_layer_with_parameters():
    maml = MAML(
        nn.Sequential(nn.Linear(1, 3), nn.Linear(3, 2), nn.Softplus(), nn.Flatten()), adapt="head"
    )
    assert maml.adapted == ["1.weight", "1.bias"]
    assert MAML(smooth()).adapted == [name for name, _ in smooth().named_parameters()]


@pytest.mark.parametrize(
    "settings, says",
    [
        ({"alpha": -0.1}, "alpha=-0.1: .* finite number of at least 0"),
        ({"alpha": float("nan")}, "alpha=nan"),
        ({"alpha": float("inf")}, "alpha=inf"),
        ({"steps": -1}, "steps=-1: use 0 for no adaptation"),
        ({"steps": 1.5}, "steps=1.5: use 0 for no adaptation"),
        ({"adapt": "tail"}, "adapt='tail': choose 'all' or 'head'"),
        ({"way": "jax"}, "way='jax': choose one of higher, autograd, vmap"),
        ({"inner_optimizer": torch.optim.AdamW}, "AdamW: use torch.optim.SGD or torch.optim.Adam"),
        ({"inner_optimizer": torch.optim.NAdam}, "NAdam: use torch.optim.SGD"),
        ({"inner_optimizer": torch.optim.Adam, "way": "vmap"}, "use way='higher'"),
        ({"override": {"lr": [0.1]}, "way": "autograd"}, "use way='higher'"),
        (
            {"override": {"learning_rate": [0.1]}},
            "'learning_rate' is no setting of SGD: choose from .*'lr'",
        ),
        ({"override": {"betas": [(0.9, 0.9)]}}, "'betas' is no setting of SGD"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_what_to_change(settings, says):
    with pytest.raises(ValueError, match=says):
        MAML(smooth(), **settings)


@pytest.mark.parametrize(
    "layer", [nn.BatchNorm1d(4), nn.InstanceNorm1d(4, track_running_stats=True)]
)
def test_running_averages_are_refused_by_layer_name(layer):
    with pytest.raises(ValueError, match=r"layer '1' \(\w+\) .* track_running_stats=False"):
        MAML(nn.Sequential(nn.Linear(1, 4), layer, nn.Linear(4, 1)))


def test_a_network_without_parameters_is_refused():
    with pytest.raises(ValueError, match="Tanh has no parameters"):
        MAML(nn.Tanh())


class Flattening(Learner):
    """Forgets the last dimension of its predictions."""

    def predict(self, support_x, support_y, query_x):
        return query_x[:, 0]


def test_predictions_of_a_wrong_shape_are_refused_wherever_they_would_broadcast():
    two_outputs = MAML(mlp(outputs=2, seed=0).double(), steps=0)
    for wrong, shape in ((Flattening(), r"\(3, 5\)"), (two_outputs, r"\(3, 5, 2\)")):
        for use in (wrong.outer_loss, lambda tasks, wrong=wrong: evaluate(wrong, tasks)):
            with pytest.raises(
                ValueError, match=rf"predictions of shape {shape}; the targets ask for \(3, 5, 1\)"
            ):
                use(episode())


def test_every_setting_that_changes_the_numbers_is_in_the_key_and_the_way_is_not():
    plain = learner().settings()
    assert plain == json.loads(json.dumps(plain))
    assert all(learner(way=way).settings() == plain for way in WAYS)
    changes = [
        {"alpha": 0.2},
        {"steps": 3},
        {"first_order": True},
        {"adapt": "head"},
        {"loss_fn": F.l1_loss},
        {"inner_optimizer": torch.optim.Adam},
        {"override": {"lr": [torch.tensor(0.2)]}},
        {"override": {"lr": [torch.tensor(0.3)]}},
    ]
    keys = [
        json.dumps(settings)
        for settings in (plain, *(learner(**change).settings() for change in changes))
    ]
    keys.append(json.dumps(MAML(mlp(hidden=(5, 4)), alpha=0.1, steps=2).settings()))
    assert len(set(keys)) == len(changes) + 2


@pytest.mark.parametrize("way", ["autograd", "vmap"])
def test_without_a_graph_many_steps_take_the_memory_of_few(way):
    """And the predictions are those of the last place of the whole walk."""
    short, long = learner(way=way, steps=5), learner(way=way, steps=60)
    tasks = episode()
    with torch.no_grad():
        assert peak_memory(lambda: long(tasks)) < 1.2 * peak_memory(lambda: short(tasks))
        assert torch.equal(long(tasks), long.after_each_step(tasks)[-1])
