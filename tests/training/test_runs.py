"""Named runs: a file is used for exactly the settings it was made with, says which run made it, and
is still what the code makes."""

import dataclasses
import re

import pytest
import torch
import torch.nn.functional as F

from course_lib import DATA
from course_lib.chapters import load_or_train, named_run, named_runs
from course_lib.families import Sinusoids
from course_lib.learners import MAML, Joint
from course_lib.networks.checkpoints import CheckpointError
from course_lib.networks.small import mlp
from course_lib.training.outer_loop import Plan, Training, meta_train, run_settings
from course_lib.training.runs import Run, once

# --- a small run ----------------------------------------------------------------------------------


class DoubleSinusoids(Sinusoids):
    """The same tasks in float64."""

    def sample(self, *tasks, **counts):
        return super().sample(*tasks, **counts).map(lambda tensor: tensor.double())


def prepare(o):
    """Learner, family and plan of a run of two short steps, with whatever should differ."""
    network = mlp(hidden=(o.width,), seed=o.network_seed)
    kind = {"maml": MAML, "joint": Joint}[o.learner]
    learner = kind(
        network.double() if o.double else network, **{"alpha": 0.02, "steps": 1} | o.inner
    )
    family = (DoubleSinusoids if o.double else Sinusoids)(**o.ranges)
    plan = {"outer_steps": 2, "tasks": 2, "shots": 3, "queries": 3} | o.plan
    return learner, family, Plan(**plan, seed=o.seed)


SMALL = Run(
    "small",
    "a run for tests",
    {
        "learner": "maml", "width": 5, "network_seed": 0, "double": False, "inner": {},
        "ranges": {},
        "plan": {}, "episodes": 20,
    },
    prepare,
    lambda learner, o: {},
)  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """A folder that ships one small run."""
    SMALL.train(tmp_path / "small.safetensors")
    return tmp_path


@pytest.mark.parametrize("way", ["higher", "autograd", "vmap"])
def test_the_same_settings_are_loaded_whichever_the_way(folder, way):
    learner, sentence = SMALL.ready(folder=folder, inner={"way": way})
    assert sentence.startswith("loaded small.safetensors: 2 outer steps")
    by_hand, *rest = SMALL.prepared()
    meta_train(by_hand, *rest, progress=False)
    for one, other in zip(learner.parameters(), by_hand.parameters(), strict=True):
        assert one.equal(other)


@pytest.mark.parametrize(
    "change, names",
    [
        ({"plan": {"outer_steps": 3}}, "outer_steps is 3 here and 2 there"),
        ({"plan": {"tasks": 3}}, "tasks is 3 here and 2 there"),
        ({"plan": {"shots": 4}}, "shots is 4 here and 3 there"),
        ({"plan": {"queries": 4}}, "queries is 4 here and 3 there"),
        ({"plan": {"beta": 0.002}}, "beta is 0.002 here and 0.001 there"),
        ({"seed": 1}, "seed is 1 here and 0 there"),
        ({"inner": {"alpha": 0.03}}, "alpha is 0.03 here and 0.02 there"),
        ({"inner": {"steps": 2}}, "inner_steps is 2 here and 1 there"),
        ({"inner": {"first_order": True}}, "first_order is True here and False there"),
        ({"inner": {"adapt": "head"}}, "adapt is 'head' here and 'all' there"),
        ({"inner": {"loss_fn": F.l1_loss}}, "loss is 'l1_loss' here and 'mse_loss' there"),
        (
            {"inner": {"inner_optimizer": torch.optim.Adam}},
            "inner_optimizer is 'Adam' here and 'SGD' there",
        ),
        ({"inner": {"override": {"lr": [0.02]}}}, r"override is \{'lr': .* here and None there"),
        ({"learner": "joint"}, "learner is 'joint' here and 'maml' there"),
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
    learner, sentence = SMALL.ready(folder=folder, **change)
    assert sentence.startswith("trained for ")
    assert re.search(rf"because (.*, )?{names}", sentence, re.DOTALL), sentence
    before = SMALL.prepared(**change)[0].parameters()
    pairs = zip(before, learner.parameters(), strict=True)
    assert any(not old.equal(new) for old, new in pairs)


def test_every_field_of_a_plan_is_part_of_the_key():
    learner, family, plan = SMALL.prepared()
    others = {"decay": True, "beta": 0.5}
    for field in dataclasses.fields(Plan):
        other = dataclasses.replace(plan, **{field.name: others.get(field.name, 7)})
        here, there = run_settings(learner, family, other), run_settings(learner, family, plan)
        assert here != there, field.name


def test_a_changed_code_version_is_trained_and_named(folder, monkeypatch):
    monkeypatch.setattr("course_lib.training.outer_loop.CODE_VERSION", 10**6)
    assert "because code is 1000000 here" in SMALL.ready(folder=folder)[1]


def test_a_run_that_does_not_ship_is_trained_and_said(tmp_path):
    assert "because the course ships no small.safetensors" in SMALL.ready(folder=tmp_path)[1]


def test_a_damaged_file_is_refused_rather_than_trained_over(folder):
    path = folder / "small.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="small.safetensors is truncated"):
        SMALL.ready(folder=folder)


def test_the_file_of_another_run_is_refused(folder):
    other = dataclasses.replace(SMALL, name="other")
    with pytest.raises(CheckpointError, match="was made by 'small', not by 'other'"):
        other.load(folder / "small.safetensors")


def test_a_setting_that_a_run_does_not_have_is_refused_by_name():
    with pytest.raises(ValueError, match="small has no setting 'gamma': it lets you set learner"):
        SMALL.prepared(gamma=1)


def test_losses_are_kept_as_means_over_a_hundred_steps(tmp_path):
    losses = [float(i) for i in range(250)]
    SMALL.write(tmp_path / "run", SMALL.prepared()[0], {}, Training(losses))
    kept = SMALL.tensors(tmp_path / "run")["losses"].tolist()
    assert kept == pytest.approx([sum(losses[:100]) / 100, sum(losses[100:200]) / 100])


def test_once_gives_the_same_learner_and_load_or_train_a_copy_that_may_be_changed(capsys):
    run = named_run("intents_prototypical")
    assert once(run) is once(run) and not once(run).training
    mine = load_or_train(run.name)
    assert capsys.readouterr().out.startswith("loaded intents_prototypical.safetensors: 200 outer")
    with torch.no_grad():
        mine.encoder.gate.zero_()
    assert once(run).encoder.gate.abs().sum() > 0


# --- the runs of the chapters ---------------------------------------------------------------------

TRAINED = [run for run in named_runs().values() if isinstance(run, Run)]
each_run = pytest.mark.parametrize("run", TRAINED, ids=lambda run: run.name)
each_name = pytest.mark.parametrize("run", named_runs().values(), ids=lambda run: run.name)


def test_every_file_that_ships_is_a_named_run_and_every_run_ships():
    shipped = {path.stem for path in DATA.glob("*.safetensors")}
    assert shipped == set(named_runs()) and len(shipped) > 30


def test_an_unknown_run_is_refused_by_name():
    with pytest.raises(ValueError, match="there is no run 'magic': `python -m course_lib list`"):
        named_run("magic")


@each_name
def test_a_file_says_its_run_and_the_command_that_repeats_it_and_is_short(run):
    about = run.about()
    assert about["run"] == {"name": run.name, "set": {}, "seed": 0}
    assert about["command"] == f"python -m course_lib train {run.name}"
    assert run.file.stat().st_size < 2**21
    for words in about.get("figures", {}).values():
        mean, half_width = words
        assert 0 <= half_width < 0.2 and mean >= 0


@each_run
def test_the_stored_settings_are_those_of_the_code(run):
    assert run.ready()[1].startswith(f"loaded {run.file.name}: ") and run.about()["seconds"] > 0


@each_run
def test_training_still_begins_as_it_did_for_the_shipped_run(run):
    """Only the first step of MAML on pictures: five inner steps and two of Adam enlarge the last
    bits of a convolution.

    What trains in bfloat16 rounds otherwise on other processors: hence the tolerance.
    """
    learner, family, plan = run.prepared()
    half, curves = getattr(learner, "half", False), isinstance(family, Sinusoids)
    steps = 20 if curves else 2 if isinstance(learner, MAML) else 3
    first = run.tensors()["first_losses"][:steps].tolist()
    plan = dataclasses.replace(plan, outer_steps=steps, decay=False)
    losses = meta_train(learner, family, plan, progress=False).losses
    near = 1e-4 if curves else 0.03 if half or isinstance(learner, MAML) else 0.01
    assert losses == pytest.approx(first, rel=near), "raise CODE_VERSION and train again"
    assert losses[0] == pytest.approx(first[0], rel=0.02 if half else 1e-3)


@each_run
def test_a_shipped_learner_still_scores_as_it_did(run, capsys):
    about, o = run.about(), run.settings()
    twenty = any("20-way" in what for what in about["figures"])
    o.episodes = (
        40 if twenty else about["test_episodes"] if run.name.startswith("sinusoids") else 150
    )
    figures = run.evaluate(run.load(), o)
    for what, (mean, half_width) in about["figures"].items():
        assert abs(figures[what][0] - mean) < figures[what][1] + half_width, what
