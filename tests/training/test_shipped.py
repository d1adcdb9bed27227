"""What ships is used for exactly the settings it was made with, and its command still makes it."""

import dataclasses
import re
import shlex

import pytest
import torch
import torch.nn.functional as F

from course_lib import __main__ as program
from course_lib.commands.train import train as commands
from course_lib.families import Sinusoids
from course_lib.learners import MAML, Joint
from course_lib.networks.checkpoints import CheckpointError
from course_lib.networks.small import mlp
from course_lib.training import builders, checkpoints, shipped
from course_lib.training.outer_loop import Plan, meta_train, run_settings

FILES = sorted(shipped.DATA.glob("sinusoids_*.safetensors"))
NONE_YET = pytest.param(
    None, marks=pytest.mark.skip(reason="NOTHING SHIPS: data/ holds no sinusoids_*.safetensors")
)
each_file = pytest.mark.parametrize(
    "path", FILES or [NONE_YET], ids=lambda path: getattr(path, "name", "none")
)


def small(learner=MAML, width=5, network_seed=0, double=False, ranges=None, plan=None, **settings):
    """Learner, family and plan of a run of two short steps, with whatever should differ."""
    network = mlp(hidden=(width,), seed=network_seed)
    made = learner(
        network.double() if double else network, **{"alpha": 0.02, "steps": 1} | settings
    )
    family = DoubleSinusoids(**ranges or {}) if double else Sinusoids(**ranges or {})
    return (
        made,
        family,
        Plan(**{"outer_steps": 2, "tasks": 2, "shots": 3, "queries": 3} | (plan or {})),
    )


class DoubleSinusoids(Sinusoids):
    """The same tasks in float64."""

    def sample(self, *tasks, **counts):
        return super().sample(*tasks, **counts).map(lambda tensor: tensor.double())


@pytest.fixture
def folder(tmp_path):
    """A folder that ships one small run."""
    learner, family, plan = small()
    settings = run_settings(learner, family, plan)
    shipped.ship(
        tmp_path / "small.safetensors",
        learner,
        settings,
        meta_train(learner, family, plan, progress=False),
    )
    return tmp_path


@pytest.mark.parametrize("way", ["higher", "autograd", "vmap"])
def test_the_same_settings_are_loaded_whichever_the_way(folder, way):
    learner, family, plan = small(way=way)
    assert shipped.load_or_train("small", learner, family, plan, folder).startswith(
        "loaded small.safetensors: 2 outer steps"
    )
    by_hand, *rest = small()
    meta_train(by_hand, *rest, progress=False)
    assert all(
        one.equal(other)
        for one, other in zip(learner.parameters(), by_hand.parameters(), strict=True)
    )


@pytest.mark.parametrize(
    "change, names",
    [
        ({"plan": {"outer_steps": 3}}, "outer_steps is 3 here and 2 there"),
        ({"plan": {"tasks": 3}}, "tasks is 3 here and 2 there"),
        ({"plan": {"shots": 4}}, "shots is 4 here and 3 there"),
        ({"plan": {"queries": 4}}, "queries is 4 here and 3 there"),
        ({"plan": {"beta": 0.002}}, "beta is 0.002 here and 0.001 there"),
        ({"plan": {"seed": 1}}, "seed is 1 here and 0 there"),
        ({"alpha": 0.03}, "alpha is 0.03 here and 0.02 there"),
        ({"steps": 2}, "inner_steps is 2 here and 1 there"),
        ({"first_order": True}, "first_order is True here and False there"),
        ({"adapt": "head"}, "adapt is 'head' here and 'all' there"),
        ({"loss_fn": F.l1_loss}, "loss is 'l1_loss' here and 'mse_loss' there"),
        ({"inner_optimizer": torch.optim.Adam}, "inner_optimizer is 'Adam' here and 'SGD' there"),
        ({"override": {"lr": [0.02]}}, r"override is \{'lr': .* here and None there"),
        ({"learner": Joint}, "learner is 'joint' here and 'maml' there"),
        ({"width": 6}, "network is .*out_features=6.* here and .*out_features=5.* there"),
        ({"network_seed": 1}, "start is .* here and .* there"),
        ({"double": True}, "dtype is 'torch.float64' here and 'torch.float32' there"),
        (
            {"ranges": {"amplitude": (0.1, 4.0)}},
            r"amplitude is \[0.1, 4.0\] here and \[0.1, 5.0\] there",
        ),
        ({"ranges": {"phase": (0.0, 1.0)}}, r"phase is \[0.0, 1.0\] here"),
        ({"ranges": {"x": (-4.0, 5.0)}}, r"x is \[-4.0, 5.0\] here"),
    ],
)
def test_any_other_setting_is_trained_and_named(folder, change, names):
    learner, family, plan = small(**change)
    before = [parameter.detach().clone() for parameter in learner.parameters()]
    sentence = shipped.load_or_train("small", learner, family, plan, folder)
    assert sentence.startswith("trained for ")
    assert re.search(rf"because (.*, )?{names}", sentence, re.DOTALL), sentence
    assert any(not old.equal(new) for old, new in zip(before, learner.parameters(), strict=True))


def test_every_field_of_a_plan_is_part_of_the_key():
    learner, family, plan = small()
    others = {"decay": True, "beta": 0.5}
    for field in dataclasses.fields(Plan):
        other = dataclasses.replace(plan, **{field.name: others.get(field.name, 7)})
        assert run_settings(learner, family, other) != run_settings(learner, family, plan), (
            field.name
        )


def test_a_changed_code_version_is_trained_and_named(folder, monkeypatch):
    monkeypatch.setattr("course_lib.training.outer_loop.CODE_VERSION", 10**6)
    assert "because code is 1000000 here" in shipped.load_or_train("small", *small(), folder)


def test_a_name_that_does_not_ship_is_trained_and_said(folder):
    assert "because the course ships no other.safetensors" in shipped.load_or_train(
        "other", *small(), folder
    )


def test_a_damaged_file_is_refused_rather_than_trained_over(folder):
    path = folder / "small.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    learner, family, plan = small()
    before = [parameter.detach().clone() for parameter in learner.parameters()]
    with pytest.raises(CheckpointError, match="small.safetensors is truncated"):
        shipped.load_or_train("small", learner, family, plan, folder)
    assert all(old.equal(new) for old, new in zip(before, learner.parameters(), strict=True))


def test_shipped_losses_are_means_over_a_hundred_steps(tmp_path):
    learner, family, plan = small(learner=Joint, plan={"outer_steps": 250})
    run = meta_train(learner, family, plan, progress=False)
    shipped.ship(tmp_path / "run.safetensors", learner, {}, run)
    means = [sum(run.losses[:100]) / 100, sum(run.losses[100:200]) / 100]
    assert shipped.shipped_losses("run", tmp_path).tolist() == pytest.approx(means, rel=1e-6)


def rebuilt(path):
    """The learner, family and plan that the stored command builds, with its options and what is stored."""
    tensors, about = checkpoints.read(path)
    words = shlex.split(about["command"])
    assert words[:4] == ["python", "-m", "course_lib", "train"]
    options = builders.filled(program.parser(words[3:]).parse_args([*words[3:], "--device", "cpu"]))
    return *commands.build(options), options, tensors, about


@each_file
def test_the_stored_command_rebuilds_the_settings_and_is_short(path):
    learner, family, plan, _, _, about = rebuilt(path)
    assert run_settings(learner, family, plan) == about["settings"]
    assert shipped.load_or_train(path.stem, learner, family, plan).startswith(f"loaded {path.name}")
    assert path.stat().st_size < 2**20
    assert "/" not in about["command"] and "\\" not in about["command"], (
        "the path of a machine ships"
    )


@each_file
def test_training_still_begins_as_it_did_for_the_shipped_run(path):
    learner, family, plan, _, tensors, _ = rebuilt(path)
    run = meta_train(learner, family, dataclasses.replace(plan, outer_steps=20), progress=False)
    assert run.losses == pytest.approx(tensors["first_losses"][:20].tolist(), rel=1e-4), (
        "raise CODE_VERSION and train again"
    )


@each_file
def test_the_shipped_weights_still_score_as_they_did(path):
    learner, family, plan, options, _, about = rebuilt(path)
    shipped.load_or_train(path.stem, learner, family, plan)
    assert options.episodes == about["test_episodes"]
    for what, score in commands.test_scores(learner, options).items():
        stored = (
            about["test_mse"][what.split()[1]]
            if "test_mse" in about
            else about["test_accuracy"][what]
        )
        mean, half_width = stored
        assert abs(score.mean - mean) < half_width
        assert score.half_width == pytest.approx(half_width, rel=0.1)


@each_file
def test_the_shipped_network_can_be_had_without_its_learner(path):
    weights = {
        f"learner.network.{name}": t
        for name, t in shipped.shipped_network(path.stem).state_dict().items()
    }
    tensors, _ = checkpoints.read(path)
    assert (
        all(tensor.equal(tensors[name]) for name, tensor in weights.items()) and len(weights) == 6
    )


def by_command(path) -> bool:
    """Whether the file says that the train command made it; runs of a chapter of its own name a call instead."""
    return checkpoints.read(path)[1].get("command", "").startswith("python -m course_lib train ")


PICTURES = [path for path in sorted(shipped.DATA.glob("strokes_*.safetensors")) if by_command(path)]
each_picture_file = pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)


def test_learners_of_pictures_ship():
    assert {path.stem for path in PICTURES} >= {
        "strokes_prototypical",
        "strokes_prototypical_small",
        "strokes_matching_small",
    }


@each_picture_file
def test_the_stored_command_rebuilds_a_learner_of_pictures_and_training_begins_as_it_did(path):
    learner, family, plan, _, tensors, about = rebuilt(path)
    assert run_settings(learner, family, plan) == about["settings"]
    assert path.stat().st_size < 2**20
    assert "/" not in about["command"] and "\\" not in about["command"], (
        "the path of a machine ships"
    )
    steps = 4
    generator = family.generator(plan.seed)
    optimizer = torch.optim.Adam(learner.parameters())
    losses = []
    for step in range(steps):
        loss = learner.outer_loss(
            family.sample(plan.tasks, shots=plan.shots, queries=plan.queries, generator=generator)
        )
        optimizer.param_groups[0]["lr"] = plan.beta_at(step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    # bfloat16 rounds otherwise on other processors, and the differences grow
    assert losses == pytest.approx(
        tensors["first_losses"][:steps].tolist(), rel=0.1 if learner.half else 1e-3
    )


@each_picture_file
def test_a_shipped_learner_of_pictures_still_scores_as_it_did(path):
    learner, options = commands.trained(path)
    options.episodes = 150
    for what, score in commands.test_scores(learner, options).items():
        mean, half_width = checkpoints.read(path)[1]["test_accuracy"][what]
        assert abs(score.mean - mean) < score.half_width + half_width
