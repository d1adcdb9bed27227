"""The door of a learner: a wrong network, setting or item gets one sentence, the same in all
ways; and what looks odd but is right gives the right number."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from toys import episode, smooth

from course_lib.episodes import Episode
from course_lib.families import Sinusoids, Strokes
from course_lib.learners import MAML, Baseline, Joint, Learner, Matching, Nearest, Prototypical
from course_lib.learners.inner_optimizers import FIXED, NUMBERS
from course_lib.networks import BatchNorm, conv4, mlp
from course_lib.training.evaluation import Score, evaluate, evaluate_each_step
from course_lib.training.outer_loop import Plan, meta_train

EVERY_WAY = ("higher", "autograd", "vmap", "fast")
each_way = pytest.mark.parametrize("way", EVERY_WAY)
THREE_WAY = Strokes(ways=3, scripts=2).sample(2, shots=1, queries=2)
WAVES = Sinusoids().sample(2, shots=3, queries=3)
LAYERS = [nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1)]


class Cut(nn.Module):
    def forward(self, x):
        return x.detach()


class Argmax(nn.Linear):
    def forward(self, x):
        return super().forward(x).argmax(-1, keepdim=True).to(x.dtype)


def lazy() -> nn.Module:
    return nn.Sequential(nn.LazyLinear(4), nn.Linear(4, 1))


def all_frozen() -> nn.Module:
    return smooth().requires_grad_(False)


# --- networks -------------------------------------------------------------------------------------

BAD_NETWORKS = [
    (lambda: nn.DataParallel(smooth()), {}, "wrapped in DataParallel, .* give the network itself"),
    (lambda: torch.compile(smooth()), {}, "wrapped in OptimizedModule, .* give the network itself"),
    (lambda: torch.jit.script(smooth()), {}, "wrapped in Recursive"),
    (lambda: nn.Sequential(nn.DataParallel(nn.Linear(1, 1))), {}, "layer '0' is wrapped in DataPa"),
    (lazy, {}, r"layer '0' \(LazyLinear\) does not know its size yet: call the network once"),
    (nn.Tanh, {}, "network Tanh has no parameters"),
    (lambda: smooth, {}, "give a torch.nn.Module, such as mlp"),
    (all_frozen, {}, "no parameters that are not frozen"),
    (all_frozen, {"adapt": "head"}, "the last layer, '4', is frozen"),
    (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(1, 1)), {}, "weight_norm, whose sec"),
    (lambda: nn.Sequential(*LAYERS, Cut()), {}, "does not depend on any parameter"),
    (lambda: Argmax(1, 1), {}, "does not depend on any parameter"),
]


@each_way
@pytest.mark.parametrize("make, settings, says", BAD_NETWORKS)
def test_a_network_that_cannot_be_adapted_is_refused_alike_in_all_ways(make, settings, says, way):
    with pytest.raises(ValueError, match=says):
        MAML(make(), way=way, **settings).outer_loss(WAVES)


@each_way
def test_a_network_that_is_wrapped_later_is_refused_too(way):
    learner = MAML(smooth(), way=way)
    learner.network = nn.DataParallel(learner.network)
    for use in (learner, learner.outer_loss, learner.after_each_step):
        with pytest.raises(ValueError, match="wrapped in DataParallel"):
            use(episode())


def test_a_head_that_shares_its_weights_is_refused():
    tied = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2))
    tied[2].weight = tied[0].weight
    with pytest.raises(ValueError, match="'2.weight' of the last layer belongs to another layer"):
        MAML(tied, adapt="head").adapted  # noqa: B018


def test_weight_norm_is_still_wrong_twice_in_torch():
    """Should this fail, a newer torch has mended it, and the refusal may go."""
    direction = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    length = torch.rand(3, 1, dtype=torch.float64, requires_grad=True)
    weight = lambda v, g: torch._weight_norm(v, g, 0)
    assert torch.autograd.gradcheck(weight, (direction, length))
    assert not torch.autograd.gradgradcheck(weight, (direction, length), raise_exception=False)


def test_a_metric_learner_may_have_a_wrapped_encoder():
    """No inner loop reaches into it."""
    assert Prototypical(nn.DataParallel(nn.Flatten()))(THREE_WAY).shape == (2, 6, 3)


# --- settings -------------------------------------------------------------------------------------


@each_way
@pytest.mark.parametrize(
    "settings, says",
    [
        ({"alpha": math.nan}, "alpha=nan"),
        ({"alpha": nn.Parameter(torch.tensor(0.1))}, r'write override=\{"lr": \[alpha\]\}'),
        ({"steps": True}, "steps=True"),
        ({"steps": 1.5}, "steps=1.5"),
        ({"steps": -1}, "steps=-1"),
        ({"adapt": "body"}, "adapt='body'"),
        ({"loss_fn": "mse"}, "loss_fn='mse': give a function"),
    ],
)
def test_settings_out_of_range_are_refused(settings, says, way):
    with pytest.raises(ValueError, match=says):
        MAML(smooth(), way=way, **settings)


@pytest.mark.parametrize(
    "optimizer, override, says",
    [
        (torch.optim.SGD, {"maximize": [True]}, "'maximize' has no effect on SGD in higher"),
        (torch.optim.SGD, {"foreach": [True]}, "'foreach' has no effect on SGD"),
        (torch.optim.Adam, {"decoupled_weight_decay": [True]}, "has no effect on Adam"),
        (torch.optim.Adagrad, {"initial_accumulator_value": [1.0]}, "has no effect on Adagrad"),
        (torch.optim.SGD, {"rate": [0.1]}, "'rate' is no setting of SGD"),
        (torch.optim.SGD, {"lr": 0.1}, r"give a list of one value, \[lr\]"),
        (torch.optim.SGD, {"lr": [0.1, 0.2]}, r"give a list of one value, \[lr\]"),
        (torch.optim.SGD, {"lr": [torch.tensor(math.nan)]}, "holds NaN or infinity"),
        (
            torch.optim.Adam,
            {"betas": [(torch.tensor(0.9), nn.Parameter(torch.tensor(0.99)))]},
            "higher gives a wrong gradient for it",
        ),
        (
            torch.optim.SGD,
            {"momentum": [nn.Parameter(torch.tensor(0.0))]},
            "starts at 0, where higher does not look at it",
        ),
    ],
)
def test_an_override_without_effect_or_with_a_wrong_gradient_is_refused(optimizer, override, says):
    with pytest.raises(ValueError, match=says):
        MAML(smooth(), inner_optimizer=optimizer, override=override)


def learned_settings():
    for optimizer, keys in NUMBERS.items():
        for key in keys:
            yield pytest.param(optimizer, key, id=f"{optimizer.__name__} {key}")


@pytest.mark.filterwarnings("ignore:Differentiable RMSprop")
@pytest.mark.parametrize("optimizer, key", learned_settings())
def test_every_setting_that_may_be_learned_has_the_slope_of_finite_differences(optimizer, key):
    start = {"lr": 0.05, "eps": 0.3, "alpha": 0.7, "lr_decay": 0.4, "dampening": 0.3}.get(key, 0.2)
    fixed = {"momentum": [0.5]} if key == "dampening" else {}

    def loss(value: torch.Tensor) -> torch.Tensor:
        maml = MAML(smooth(), alpha=0.05, steps=3, inner_optimizer=optimizer,
                    override=fixed | {key: [value]})  # fmt: skip
        return maml.outer_loss(episode())

    value = nn.Parameter(torch.tensor(start, dtype=torch.float64))
    (slope,) = torch.autograd.grad(loss(value), value)
    with torch.no_grad():
        ahead, behind = (loss(value.detach() + step) for step in (1e-6, -1e-6))
    assert slope.item() == pytest.approx((ahead - behind).item() / 2e-6, rel=1e-4, abs=1e-8)
    assert abs(slope.item()) > 1e-8 and key not in FIXED[optimizer]


def test_a_learned_inner_rate_is_trained_and_saved():
    rate = nn.Parameter(torch.tensor(0.01))
    learner = MAML(mlp(seed=0), steps=2, override={"lr": [rate]})
    assert any(parameter is rate for parameter in learner.parameters())
    meta_train(learner, Sinusoids(), Plan(outer_steps=3, tasks=2, beta=1e-2), progress=False)
    assert abs(rate.item() - 0.01) > 1e-3
    assert learner.state_dict()["learned.0"].equal(rate.detach())


# --- items ----------------------------------------------------------------------------------------


def images(size: int = 28, channels: int = 1, dtype=torch.float32) -> Episode:
    y = torch.arange(3).expand(2, 3)
    x = torch.rand(2, 3, channels, size, size, dtype=dtype)
    return Episode(x, y, x, y)


def on_pictures(way: str) -> MAML:
    return MAML(conv4(4, outputs=3, norm=BatchNorm, seed=0), F.cross_entropy, way=way)


@each_way
@pytest.mark.parametrize(
    "tasks, says",
    [
        (images(size=40), r"cannot take items of shape \(1, 40, 40\)"),
        (images(channels=3), r"cannot take items of shape \(3, 28, 28\)"),
        (images(dtype=torch.float64), "computes in torch.float32 and the episode is torch.float64"),
        (Strokes(5, scripts=1).sample(1, shots=1, queries=1), "has 3 outputs and the labels go up"),
    ],
)
def test_items_that_the_network_was_not_built_for_are_refused_alike(tasks, says, way):
    learner = on_pictures(way)
    for use in (learner, learner.outer_loss, lambda e: evaluate(learner, e)):
        with pytest.raises(ValueError, match=says):
            use(tasks)
    with pytest.raises(ValueError, match=says):
        learner.predict(tasks.support_x[0], tasks.support_y[0], tasks.query_x[0])


METRIC = {
    "prototypical": lambda: Prototypical(conv4(4, seed=0)),
    "matching": lambda: Matching(conv4(4, seed=0)),
    "baseline": lambda: Baseline(conv4(4, seed=0), 50, 4),
    "nearest": lambda: Nearest(conv4(4, seed=0)),
}


@pytest.mark.parametrize("name", METRIC)
@pytest.mark.parametrize(
    "tasks, says",
    [
        (images(channels=3), r"cannot take items of shape \(3, 28, 28\)"),
        (images(dtype=torch.float64), "computes in torch.float32 and the episode is torch.float64"),
    ],
)
def test_metric_learners_say_it_too(name, tasks, says):
    with pytest.raises(ValueError, match=says):
        METRIC[name]()(tasks)


def test_what_is_no_episode_is_refused():
    with pytest.raises(ValueError, match="MAML was given a tuple: give an Episode, or ca"):
        MAML(smooth()).outer_loss(episode().four)


@each_way
def test_inference_mode_is_refused_and_no_grad_is_not(way):
    learner = MAML(smooth(), way=way)
    with torch.inference_mode(), pytest.raises(ValueError, match="use torch.no_grad"):
        learner(episode())
    with torch.inference_mode():
        tasks = episode()
    with pytest.raises(ValueError, match="use torch.no_grad"):
        learner.outer_loss(tasks)
    with torch.no_grad():
        assert learner(episode()).isfinite().all()


def test_an_error_of_another_cause_stays_what_it_is():
    def broken(predictions, targets):
        raise RuntimeError("this loss is broken")

    with pytest.raises(RuntimeError, match="this loss is broken"):
        MAML(smooth(), broken).outer_loss(episode())


class Fixed(Learner):
    """Answers with what it was given."""

    def __init__(self, answers):
        super().__init__()
        self.answers = answers

    def forward(self, episode):
        return self.answers


def test_answers_that_are_none_are_counted_as_wrong_and_named():
    """argmax takes NaN for the first class."""
    tasks = images()
    answers = F.one_hot(tasks.query_y).float()
    answers[0, 0] = math.nan
    score = evaluate(Fixed(answers), tasks)
    assert score.per_episode.tolist() == pytest.approx([2 / 3, 1]) and score.lost == 1
    assert "(2 episodes, 1 of them with the answer NaN, chance 0.333)" in str(score)
    with pytest.raises(ValueError, match="Fixed answered NaN in every task: lower alpha"):
        evaluate(Fixed(answers * math.nan), tasks)


def test_too_few_outputs_are_no_chance_to_be_right():
    with pytest.raises(ValueError, match="Fixed has 2 outputs and the labels go up to 2"):
        evaluate(Fixed(torch.zeros(2, 3, 2)), images())


def test_steps_that_lead_to_nan_are_shown_as_such():
    scores = evaluate_each_step(MAML(mlp(seed=0), alpha=1e6), Sinusoids().sample(3, shots=5,
                                queries=5), 10)  # fmt: skip
    assert not scores[0].lost and scores[-1].lost == 3 and math.isnan(scores[-1].mean)
    assert isinstance(scores[-1], Score)


@each_way
def test_joint_training_refuses_the_same_networks(way):
    with pytest.raises(ValueError, match="wrapped in DataParallel"):
        Joint(nn.DataParallel(smooth()), way=way)
