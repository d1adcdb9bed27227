"""Checkpoints: whole or refused, and never half loaded."""

import errno
import json
import pickle
import zipfile

import pytest
import torch
from a_run import tiny_learner, tiny_run
from safetensors.torch import save, save_file

from course_lib import files
from course_lib.families import Sinusoids
from course_lib.learners import MAML
from course_lib.networks import checkpoints
from course_lib.networks.checkpoints import CheckpointError
from course_lib.networks.small import mlp
from course_lib.training.outer_loop import resume

TENSORS = {
    "a": torch.arange(6.0).view(2, 3),
    "b": torch.tensor(7),
    "none": torch.zeros(0, 4),
    "turned": torch.arange(6).view(2, 3).T,
}


class Trained:
    """A learner, its outer optimiser and its generators in the middle of a run, and a picture of
    all their bits."""

    def __init__(self):
        self.learner, self.generator = tiny_learner(seed=9), torch.Generator().manual_seed(9)
        self.optimizer = torch.optim.Adam(self.learner.parameters(), lr=0.01)
        self.learner.outer_loss(
            Sinusoids().sample(2, shots=3, queries=3, generator=self.generator)
        ).backward()
        self.optimizer.step()

    def resume(self, path, settings):
        return resume(path, settings, self.learner, self.optimizer, self.generator)

    def bits(self) -> bytes:
        randoms = [self.generator.get_state(), torch.get_rng_state()]
        return pickle.dumps([t.tolist() for t in self.tensors() + randoms])

    def tensors(self) -> list[torch.Tensor]:
        moments = [
            t for state in self.optimizer.state_dict()["state"].values() for t in state.values()
        ]
        return [*self.learner.state_dict().values(), *moments]


@pytest.fixture
def saved(tmp_path):
    """A run of five steps: where it is stored, its tensors, and what is said about it."""
    path = tmp_path / "run"
    tiny_run(path, outer_steps=5)
    return path, *checkpoints.read(path)


def test_what_is_written_is_read(tmp_path):
    about = {"text": "한국어", "numbers": [0.1, 1e-300], "nothing": None}
    checkpoints.write(tmp_path / "new" / "folder" / "file", TENSORS, about)
    tensors, again = checkpoints.read(tmp_path / "new" / "folder" / "file")
    assert again == about and tensors.keys() == TENSORS.keys()
    for name, tensor in tensors.items():
        assert (
            tensor.dtype == TENSORS[name].dtype
            and tensor.shape == TENSORS[name].shape
            and tensor.equal(TENSORS[name])
        )


def test_what_was_read_does_not_change_with_the_file(tmp_path):
    path = tmp_path / "file"
    checkpoints.write(path, TENSORS, {})
    tensors, _ = checkpoints.read(path)
    with open(path, "r+b") as file:
        file.write(b"\xff" * path.stat().st_size)
    assert all(tensor.equal(TENSORS[name]) for name, tensor in tensors.items())


def test_resuming_puts_everything_back(saved):
    path, tensors, about = saved
    trained = Trained()
    run = trained.resume(path, about["settings"])
    assert (run.resumed_at, run.losses, run.seconds) == (
        5,
        tensors["losses"].tolist(),
        about["seconds"],
    )
    assert all(
        t.equal(tensors[f"learner.{name}"]) for name, t in trained.learner.state_dict().items()
    )
    for index, state in trained.optimizer.state_dict()["state"].items():
        assert (
            all(t.equal(tensors[f"optimizer.{index}.{name}"]) for name, t in state.items())
            and len(state) == 3
        )
    assert trained.generator.get_state().equal(tensors["random.tasks"])


def without(name):
    return lambda tensors, about: ({key: t for key, t in tensors.items() if key != name}, about)


def with_tensor(name, change):
    return lambda tensors, about: (tensors | {name: change(tensors.get(name))}, about)


def with_about(**changes):
    return lambda tensors, about: (tensors, about | changes)


def other_settings(tensors, about):
    return tensors, about | {"settings": about["settings"] | {"alpha": 0.5}}


def weights_alone(tensors, about):
    return {name: t for name, t in tensors.items() if name.startswith("learner.")}, {
        "settings": about["settings"],
        "seconds": 1.0,
    }


@pytest.mark.parametrize(
    "damage, says",
    [
        (without("learner.network.0.bias"), r"lacks \['learner.network.0.bias'\]"),
        (without("optimizer.2.exp_avg_sq"), r"lacks \['optimizer.2.exp_avg_sq'\]"),
        (without("optimizer.0.step"), r"lacks \['optimizer.0.step'\]"),
        (without("random.tasks"), r"lacks \['random.tasks'\]"),
        (without("random.torch"), r"lacks \['random.torch'\]"),
        (without("losses"), r"lacks \['losses'\]"),
        (with_tensor("surplus", lambda _: torch.zeros(1)), r"has \['surplus'\] besides"),
        (
            with_tensor("optimizer.9.step", lambda _: torch.zeros(())),
            r"has \['optimizer.9.step'\] besides",
        ),
        (
            with_tensor("learner.network.0.weight", torch.t),
            r"network.0.weight has shape \(1, 8\) there and \(8, 1\) here",
        ),
        (
            with_tensor("optimizer.1.exp_avg", lambda t: t[:-1]),
            r"optimizer.1.exp_avg has shape \(7,\) there and \(8,\) here",
        ),
        (with_tensor("random.tasks", lambda t: t[:16]), r"random.tasks has shape \(16,\) there"),
        (with_tensor("random.tasks", torch.zeros_like), "random state is damaged"),
        (with_tensor("random.torch", lambda t: t.float()), "random.torch is torch.float32"),
        (with_tensor("losses", lambda t: t[:-1]), "it says 5 steps and has 4 losses"),
        (with_about(step=4), "it says 4 steps and has 5 losses"),
        (
            other_settings,
            (
                "belongs to another run: alpha is 0.05 here and 0.5 there. Delete it or choose "
                "another path"
            ),
        ),
        (weights_alone, "holds weights, but not a training run: choose another path"),
    ],
)
def test_a_run_that_does_not_fit_is_refused_and_nothing_is_loaded(saved, damage, says):
    path, tensors, about = saved
    checkpoints.write(path, *damage(tensors, about))
    trained = Trained()
    before = trained.bits()
    with pytest.raises(CheckpointError, match=says):
        trained.resume(path, about["settings"])
    assert trained.bits() == before


def test_a_file_cut_at_any_length_is_refused_and_nothing_is_loaded(saved):
    path, _, about = saved
    whole, trained = path.read_bytes(), Trained()
    before = trained.bits()
    for length in {0, 1, 7, 8, 9, 100, len(whole) - 1, *range(0, len(whole), len(whole) // 50)}:
        path.write_bytes(whole[:length])
        with pytest.raises(
            CheckpointError, match=r"run is truncated or no checkpoint: delete it and train again"
        ):
            trained.resume(path, about["settings"])
    assert trained.bits() == before


def foreign_safetensors(path, whole):
    save_file({"a": torch.zeros(3)}, path)


def foreign_safetensors_with_metadata(path, whole):
    save_file({"a": torch.zeros(3)}, path, metadata={"made by": "somebody"})


def older_format(path, whole):
    path.write_bytes(
        save({"a": torch.zeros(3)}, metadata={"format": "learning-to-learn/1", "about": "{}"})
    )


def nothing_said(path, whole):
    path.write_bytes(save({"a": torch.zeros(3)}, metadata={"format": checkpoints.FORMAT}))


def nonsense_said(path, whole):
    path.write_bytes(
        save({"a": torch.zeros(3)}, metadata={"format": checkpoints.FORMAT, "about": "{'a': "})
    )


def picture(path, whole):
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)


def text(path, whole):
    path.write_text("outer loss 0.5\n" * 100)


def archive(path, whole):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("weights", whole)


def header_flipped(path, whole):
    path.write_bytes(whole[:8] + b"[" + whole[9:])


@pytest.mark.parametrize(
    "put, says",
    [
        (
            foreign_safetensors,
            "a safetensors file, but no checkpoint of this course: choose another file",
        ),
        (foreign_safetensors_with_metadata, "no checkpoint of this course"),
        (
            older_format,
            "format 'learning-to-learn/1' and this code reads 'learning-to-learn/2': train again",
        ),
        (nothing_said, "truncated or no checkpoint"),
        (nonsense_said, "truncated or no checkpoint"),
        (picture, "truncated or no checkpoint"),
        (text, "truncated or no checkpoint"),
        (archive, "truncated or no checkpoint"),
        (header_flipped, "truncated or no checkpoint"),
    ],
)
def test_a_foreign_file_is_refused_in_one_sentence_and_nothing_is_loaded(saved, put, says):
    path, _, about = saved
    put(path, path.read_bytes())
    trained = Trained()
    before = trained.bits()
    with pytest.raises(CheckpointError, match=says) as caught:
        trained.resume(path, about["settings"])
    assert "\n" not in str(caught.value) and path.name in str(caught.value)
    assert trained.bits() == before


class Evil:
    """Unpickling it makes a folder: a harmless stand-in for any code at all."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        import os

        return os.mkdir, (str(self.place),)


def test_a_pickle_is_refused_and_its_code_does_not_run(saved, tmp_path):
    path, _, about = saved
    for place, put in (
        (tmp_path / "one", torch.save),
        (tmp_path / "two", lambda evil, file: file.write(pickle.dumps(evil))),
    ):
        with open(path, "wb") as file:
            put(Evil(place), file)
        with pytest.raises(CheckpointError, match="truncated or no checkpoint"):
            Trained().resume(path, about["settings"])
        assert not place.exists()
        if put is torch.save:
            torch.load(path, weights_only=False)
        else:
            pickle.loads(path.read_bytes())
        assert place.exists(), "the trap itself does not work"


def test_no_file_means_a_new_run_and_reading_says_there_is_none(tmp_path):
    trained = Trained()
    before = trained.bits()
    assert trained.resume(tmp_path / "nothing", {}).resumed_at == 0
    assert trained.bits() == before
    with pytest.raises(
        FileNotFoundError, match="no checkpoint at nothing: train first, or check the path"
    ):
        checkpoints.read(tmp_path / "nothing")


def test_the_partial_file_of_a_killed_process_is_in_nobodys_way(tmp_path):
    path = tmp_path / "run"
    (tmp_path / "run.4711.partial").write_bytes(b"half of a")
    tiny_run(path, outer_steps=2)
    assert tiny_run(path, outer_steps=2)[1].resumed_at == 2


@pytest.mark.parametrize("moment", ["fsync", "replace"])
@pytest.mark.parametrize(
    "failure, raised, says",
    [
        (KeyboardInterrupt(), KeyboardInterrupt, None),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            CheckpointError,
            "No space left on device. The file .* untouched: make room",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied"),
            CheckpointError,
            "Permission denied.* or choose another place",
        ),
    ],
)
def test_a_failure_while_saving_leaves_the_old_file_whole(
    saved, monkeypatch, moment, failure, raised, says
):
    path, _, about = saved
    before = path.read_bytes()

    def fail(*_):
        raise failure

    with monkeypatch.context() as broken:
        broken.setattr(files.os, moment, fail)
        with pytest.raises(raised, match=says) as caught:
            checkpoints.write(path, TENSORS, {})
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before and [file.name for file in path.parent.glob("run*")] == [
        "run"
    ]
    assert Trained().resume(path, about["settings"]).resumed_at == 5


def test_a_full_disk_in_the_middle_of_a_run_keeps_the_last_save_to_go_on_from(
    tmp_path, monkeypatch
):
    path, saves = tmp_path / "run", []

    def full_at_the_third(file):
        saves.append(file)
        if len(saves) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(files.os, "fsync", full_at_the_third)
        with pytest.raises(CheckpointError, match="No space left on device"):
            tiny_run(path, outer_steps=5)
    assert tiny_run(path, outer_steps=5)[1].resumed_at == 2


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="cannot write .*make room or choose another place"):
        checkpoints.write(tmp_path / "file" / "run", TENSORS, {})


@pytest.mark.parametrize(
    "learner, says",
    [
        (
            MAML(mlp(hidden=(9,))),
            r"shipped: network.0.weight has shape \(8, 1\) there and \(9, 1\) here",
        ),
        (
            MAML(mlp(hidden=(8, 8))),
            r"shipped does not fit this learner: it lacks \['network.4.bias', 'network.4.weight'\]",
        ),
        (mlp(hidden=(8,)), r"has \['network.0.bias', .*\] besides"),
    ],
)
def test_weights_of_another_learner_are_refused_and_none_is_loaded(learner, says):
    before = [tensor.clone() for tensor in learner.state_dict().values()]
    with pytest.raises(CheckpointError, match=says):
        checkpoints.load_weights(learner, MAML(mlp(hidden=(8,))).state_dict(), source="shipped")
    assert all(
        old.equal(new) for old, new in zip(before, learner.state_dict().values(), strict=True)
    )


def test_a_checkpoint_holds_only_numbers_and_plain_text(saved):
    """The first bytes are the length of a JSON header; the rest is as long as the header says."""
    whole = saved[0].read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    assert json.loads(header.pop("__metadata__")["about"]) == saved[2]
    assert max(entry["data_offsets"][1] for entry in header.values()) == len(whole) - 8 - length
