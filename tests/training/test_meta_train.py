"""The outer loop: the same numbers whatever happens to it, and a clear word when there are none."""

import json
import os
import random
import subprocess
import sys

import pytest
import torch
from a_run import tiny_learner, tiny_plan, tiny_run
from torch import nn
from toys import DEVICES, flat

from course_lib import ROOT
from course_lib.families import Sinusoids
from course_lib.learners import MAML, Joint, Learner
from course_lib.networks import checkpoints
from course_lib.networks.small import mlp
from course_lib.training.outer_loop import Plan, differences, meta_train, run_settings


def weights(learner) -> torch.Tensor:
    return flat(learner.parameters())


def same(one, other) -> bool:
    """Whether two runs ended with the same weights and losses, bit for bit."""
    return weights(one[0]).equal(weights(other[0])) and one[1].losses == other[1].losses


class Failing(Sinusoids):
    """Good tasks at first, then something else happens."""

    def __init__(self, good: int, then):
        super().__init__()
        self.left, self.then = good, then

    def sample(self, *tasks, **counts):
        self.left -= 1
        episode = super().sample(*tasks, **counts)
        return episode if self.left >= 0 else self.then(episode)


def interrupt(episode):
    raise KeyboardInterrupt


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others():
    assert same(tiny_run(), tiny_run())
    other = tiny_learner()
    run = meta_train(other, Sinusoids(), tiny_plan(seed=1), progress=False)
    assert run.losses[0] != tiny_run()[1].losses[0] and not weights(other).equal(
        weights(tiny_run()[0])
    )


def test_the_global_random_state_does_not_change_and_does_not_matter():
    results = []
    for seed in (1, 2):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            before = torch.get_rng_state()
            results.append(tiny_run())
            assert torch.get_rng_state().equal(before)
    assert same(*results)


def test_training_is_adam_on_the_outer_loss():
    """Three steps by hand, on the tasks that the seed decides."""
    learner, by_hand, plan, family = (
        Joint(mlp(seed=0)),
        Joint(mlp(seed=0)),
        tiny_plan(3, seed=5),
        Sinusoids(),
    )
    run = meta_train(learner, family, plan, progress=False)
    optimizer, generator, losses = (
        torch.optim.Adam(by_hand.parameters(), lr=0.01),
        torch.Generator().manual_seed(5),
        [],
    )
    for _ in range(3):
        loss = by_hand.outer_loss(family.sample(3, shots=4, queries=4, generator=generator))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert run.losses == losses and weights(learner).equal(weights(by_hand))


@pytest.mark.parametrize("device", DEVICES)
def test_training_makes_the_outer_loss_smaller_on_every_device(device):
    learner = MAML(mlp(seed=0), alpha=0.01, steps=1, way="vmap").to(device)
    run = meta_train(
        learner, Sinusoids(device=device), Plan(outer_steps=200, beta=0.005), progress=False
    )
    assert sum(run.losses[-50:]) < 0.85 * sum(run.losses[:50])


def test_a_bar_changes_no_number(capsys):
    learner = tiny_learner()
    run = meta_train(learner, Sinusoids(), tiny_plan())
    assert same((learner, run), tiny_run())
    assert "meta-training: 12 of 12, outer loss" in capsys.readouterr().err


def test_killed_at_any_moment_and_resumed_it_gives_the_numbers_of_an_uninterrupted_run(tmp_path):
    """SIGKILL in three places; each process goes on where the one before was killed, and saves
    after every step."""
    path, outer_steps, moments = tmp_path / "run", 200, random.Random()
    steps_saved = []
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "tests/a_run.py"), str(path), str(outer_steps)]
    for _ in range(3):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "imported\n"
        so_far = steps_saved[-1] if steps_saved else 0
        enough = so_far + moments.randint(5, 40)
        while not path.exists() or checkpoints.read(path)[1]["step"] < enough:
            assert process.poll() is None
        process.kill()
        assert process.communicate()[0] == "", (
            "it finished before it was killed: take more outer steps"
        )
        steps_saved.append(checkpoints.read(path)[1]["step"])
    resumed = tiny_run(path, outer_steps)
    assert (
        5 <= steps_saved[0] < steps_saved[1] < steps_saved[2] == resumed[1].resumed_at < outer_steps
    )
    assert same(resumed, tiny_run(None, outer_steps))


@pytest.mark.parametrize(
    "then", [interrupt, lambda episode: episode.map(lambda tensor: tensor * float("nan"))]
)
def test_an_interrupted_or_failed_run_leaves_a_checkpoint_to_go_on_from(tmp_path, then):
    path = tmp_path / "run"
    with pytest.raises((KeyboardInterrupt, ValueError)):
        tiny_run(path, save_every=5, family=Failing(8, then))
    resumed = tiny_run(path)
    assert resumed[1].resumed_at == 5 and same(resumed, tiny_run())


def test_a_finished_run_is_loaded_and_not_trained_further(tmp_path):
    path = tmp_path / "run"
    first = tiny_run(path)
    bytes_before = path.read_bytes()
    again = tiny_run(path, family=Failing(0, interrupt))
    assert same(first, again) and again[1].resumed_at == 12
    assert again[1].seconds == checkpoints.read(path)[1]["seconds"] > 0
    assert path.read_bytes() == bytes_before


def test_seconds_of_the_interrupted_part_count(tmp_path, monkeypatch):
    path, clock = tmp_path / "run", [100.0]
    monkeypatch.setattr("course_lib.training.outer_loop.time.monotonic", lambda: clock[0])

    def one_more_second(episode):
        clock[0] += 1
        return episode

    class Stopping(Failing):
        def sample(self, *tasks, **counts):
            clock[0] += 1
            return super().sample(*tasks, **counts)

    with pytest.raises(KeyboardInterrupt):
        tiny_run(path, family=Stopping(5, interrupt))
    assert tiny_run(path, family=Stopping(99, interrupt))[1].seconds == 12


def test_a_family_that_gives_nan_is_named():
    broken = Failing(2, lambda episode: episode.map(lambda tensor: tensor / 0))
    with pytest.raises(ValueError, match="support_x holds NaN or infinity: mend the task family"):
        tiny_run(family=broken)


@pytest.mark.parametrize("settings", [{"alpha": 1e20}, {"alpha": 3.0, "steps": 60}])
def test_a_diverging_inner_loop_is_refused_with_what_to_lower(settings):
    with pytest.raises(
        ValueError, match=r"outer loss is (nan|inf) at outer step \d+: lower alpha or beta"
    ):
        meta_train(
            MAML(mlp(seed=0), way="vmap", **settings), Sinusoids(), tiny_plan(), progress=False
        )


def test_a_diverging_outer_loop_leaves_the_last_good_checkpoint(tmp_path):
    learner = Joint(mlp(seed=0))
    with pytest.raises(ValueError, match="lower alpha or beta"):
        meta_train(
            learner,
            Sinusoids(),
            tiny_plan(200, beta=1e12),
            checkpoint=tmp_path / "run",
            save_every=1,
            progress=False,
        )
    tensors, _ = checkpoints.read(tmp_path / "run")
    assert all(
        tensor.isfinite().all() for name, tensor in tensors.items() if name.startswith("learner.")
    )


class RootAtZero(Learner):
    """A finite loss whose gradient is not: the square root at zero."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def outer_loss(self, episode):
        return (self.weight * 0).sqrt()


def test_weights_that_become_nan_are_noticed_and_never_saved(tmp_path):
    with pytest.raises(ValueError, match="weights hold NaN or infinity at outer step 0"):
        meta_train(
            RootAtZero(), Sinusoids(), tiny_plan(1), checkpoint=tmp_path / "run", progress=False
        )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "settings, says",
    [
        ({"outer_steps": 0}, "outer_steps=0"),
        ({"tasks": -1}, "tasks=-1: an episode needs at least 1 task"),
        ({"shots": 0}, "shots=0: a support set needs at least 1 example"),
        ({"queries": 2.5}, "queries=2.5: a query set needs at least 1 example"),
        ({"beta": 0.0}, "beta=0.0: the outer learning rate must be a finite number above 0"),
        ({"beta": float("nan")}, "beta=nan"),
        ({"beta": float("inf")}, "beta=inf"),
        ({"seed": -1}, "seed=-1: choose a whole number"),
        ({"seed": 2**63}, "seed=9223372036854775808: choose a whole number"),
    ],
)
def test_a_plan_that_cannot_work_is_refused(settings, says):
    with pytest.raises(ValueError, match=f"^{says}"):
        Plan(**settings)


def test_saving_every_0_steps_is_refused():
    with pytest.raises(ValueError, match="save_every=0"):
        tiny_run(save_every=0)


def test_the_key_of_a_run_survives_being_stored():
    settings = run_settings(tiny_learner(), Sinusoids(), tiny_plan())
    assert json.loads(json.dumps(settings)) == settings
    assert run_settings(tiny_learner(seed=1), Sinusoids(), tiny_plan()) != settings


@pytest.mark.parametrize("said", [repr(nn.BatchNorm2d(4)), repr(nn.Sequential(nn.BatchNorm1d(2)))])
def test_how_a_release_of_torch_words_batch_norm_makes_no_other_run(said):
    """Newer releases print bias=True, which older ones do not know."""
    older = said.replace(", bias=True", "")
    newer = older.replace("affine=True", "affine=True, bias=True")
    assert differences({"network": newer}, {"network": older}) == ""
    other = newer.replace("bias=True", "bias=False")
    assert differences({"network": other}, {"network": older}) != ""


def test_beta_sinks_along_half_a_cosine_where_the_plan_says_so():
    plan, steady = tiny_plan(8, decay=True), tiny_plan(8)
    betas = [plan.beta_at(step) for step in range(8)]
    assert (
        betas[0] == plan.beta
        and betas[4] == pytest.approx(plan.beta / 2)
        and betas[7] < 0.05 * plan.beta
    )
    assert betas == sorted(betas, reverse=True)
    assert {steady.beta_at(step) for step in range(8)} == {steady.beta}
    assert not same(tiny_run(decay=True), tiny_run())


def test_a_run_whose_beta_sinks_resumes_bit_for_bit(tmp_path):
    path = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        tiny_run(path, save_every=5, family=Failing(8, interrupt), decay=True)
    resumed = tiny_run(path, decay=True)
    assert resumed[1].resumed_at == 5 and same(resumed, tiny_run(decay=True))
