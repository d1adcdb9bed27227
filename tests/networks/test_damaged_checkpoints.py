"""Of 1,000 damaged files none loads wrongly and none ends in a raw error: cut, flipped, foreign,
and with headers of any shape."""

import json
import os
import random

import pytest
import torch
from a_run import tiny_learner, tiny_run
from safetensors.torch import save

from course_lib import DATA
from course_lib.families import Sinusoids
from course_lib.language_models.tiny_gpt import shipped_model
from course_lib.networks import checkpoints
from course_lib.training.outer_loop import Plan, resume, run_settings
from course_lib.training.runs import Run

SEED = int(os.environ.get("COURSE_SEED", 0))
MUTATIONS = 1000
PLAN = Plan(outer_steps=3, tasks=2, shots=3, queries=3)
SHAPES = [None, True, -1, 10**30, 0.5, "", "text", [], [1], [[]], {}, {"a": 1}, {"name": None},
          {"a": 1.5}, {"a": {"b": 2}},
          {"name": "tiny", "set": [], "seed": 0}, {"name": "tiny", "set": {"x": 1}, "seed": 0},
          {"name": "tiny", "set": {"steps": "3"}, "seed": 0}]  # fmt: skip


def prepare(o):
    return tiny_learner(seed=o.seed), Sinusoids(), PLAN


TINY = Run("tiny", "for this test", {"steps": 3}, prepare, lambda learner, o: {})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The files of a finished run: the run itself, and the small one that ships."""
    folder = tmp_path_factory.mktemp("whole")
    learner, run = tiny_run(folder / "run", outer_steps=3)
    settings = run_settings(*TINY.prepared())
    TINY.write(folder / "tiny.safetensors", learner, settings, run, **TINY.stamp())
    return folder


def flip(data: bytes, dice: random.Random) -> bytes:
    where = dice.randrange(len(data))
    return data[:where] + bytes([data[where] ^ (1 << dice.randrange(8))]) + data[where + 1 :]


def cut(data: bytes, dice: random.Random) -> bytes:
    return data[: dice.randrange(len(data))]


def foreign(data: bytes, dice: random.Random) -> bytes:
    return dice.choice([b"", b"\0" * 100, b"PK\3\4" + data, dice.randbytes(400),
                        data[:8] + b'{"a": NaN}', b"\xff" * 8 + data[8:], data + data,
                        save({"a": torch.zeros(2)}, metadata={"format": "pt"})])  # fmt: skip


def header(data: bytes, dice: random.Random) -> bytes:
    """Written by somebody who knows the checksum: another shape of what the file says."""
    tensors, about = checkpoints.load(data), json.loads(checkpoints.metadata_of(data)["about"])
    kind = dice.randrange(4)
    if kind == 0:
        about = dice.choice(SHAPES)
    elif kind == 1:
        about[dice.choice(sorted(about))] = dice.choice(SHAPES)
    elif kind == 2:
        del about[dice.choice(sorted(about))]
    else:
        name = dice.choice(sorted(tensors))
        tensors[name] = dice.choice([tensors[name][..., None], tensors[name].double() + 1,
                                     torch.full((3,), torch.nan)])  # fmt: skip
    text = dice.choice([json.dumps(about), json.dumps(about), "{", "NaN", '{"seconds": Infinity}'])
    said = {"format": checkpoints.FORMAT, "about": text}
    said["sha256"] = checkpoints.checksum(tensors, text)
    if dice.random() < 0.1:
        del said[dice.choice(sorted(said))]
    return save(tensors, metadata=said)


def by_resume(path):
    learner, generator = tiny_learner(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(learner.parameters())
    settings = checkpoints.read(path.with_name("whole"))[1]["settings"]
    resume(path, settings, learner, optimizer, generator)
    return learner.state_dict()


def by_load(path):
    return TINY.load(path).state_dict()


def by_load_or_train(path):
    learner, sentence = TINY.ready(folder=path.parent)
    assert sentence.startswith("loaded")
    return learner.state_dict()


def by_evaluate(path):
    TINY.evaluate_file(path)
    return by_load(path)


READERS = {"run": [by_resume], "tiny.safetensors": [by_load, by_load_or_train, by_evaluate]}


def test_no_damaged_file_is_loaded_wrongly_or_ends_in_a_raw_error(whole, tmp_path, capsys):
    dice, count, loaded = random.Random(SEED), {}, 0
    for i in range(MUTATIONS):
        name = dice.choice(sorted(READERS))
        damage = dice.choice([flip, cut, foreign, header, header])
        reader = dice.choice(READERS[name])
        data = (whole / name).read_bytes()
        (tmp_path / "whole").write_bytes(data)
        damaged = damage(data, dice)
        (tmp_path / name).write_bytes(damaged)
        wanted = checkpoints.weights(checkpoints.load(data))
        key = f"{damage.__name__}, {reader.__name__}"
        try:
            got = reader(tmp_path / name)
        except (checkpoints.CheckpointError, ValueError) as refusal:
            assert "\n" not in str(refusal) and len(str(refusal)) > 20, (i, refusal)
            count[key] = count.get(key, 0) + 1
            continue
        except AssertionError:  # trained anew, because the file says other settings
            assert reader is by_load_or_train
            continue
        loaded += 1  # nothing that matters was changed: all bits are the right ones
        assert all(got[part].equal(tensor) for part, tensor in wanted.items()), (i, key)
    print(f"COURSE_SEED={SEED}: {MUTATIONS} mutations, {loaded} of them harmless")
    assert len(count) >= 12 and loaded < MUTATIONS // 5


def test_an_undamaged_file_is_read_by_all(whole, tmp_path):
    for name, readers in READERS.items():
        data = (whole / name).read_bytes()
        (tmp_path / "whole").write_bytes(data)
        (tmp_path / name).write_bytes(data)
        for reader in readers:
            assert reader(tmp_path / name).keys() == tiny_learner().state_dict().keys()


def test_every_reader_of_seconds_refuses_a_table_of_them(whole, tmp_path):
    for name in READERS:
        data = (whole / name).read_bytes()
        about = json.loads(checkpoints.metadata_of(data)["about"]) | {"seconds": {"a": 1.5}}
        checkpoints.write(tmp_path / name, checkpoints.load(data), about)
        (tmp_path / "whole").write_bytes(data)
    with pytest.raises(checkpoints.CheckpointError, match="'seconds' cannot be: train again"):
        by_load_or_train(tmp_path / "tiny.safetensors")
    with pytest.raises(checkpoints.CheckpointError, match="'seconds' cannot be: train again"):
        by_resume(tmp_path / "run")


def test_what_a_file_lacks_is_told_where_it_is_asked_for(tmp_path):
    checkpoints.write(tmp_path / "tiny.safetensors", {"a": torch.zeros(1)}, {"seconds": 1})
    place = tmp_path / "tiny.safetensors"
    for asked, says in ((TINY.tensors, "tensor 'losses'"), (TINY.about, "entry 'losses'")):
        with pytest.raises(checkpoints.CheckpointError, match=f"tiny.safetensors has no {says}"):
            asked(place)["losses"]
        assert asked(place).get("losses") is None and "losses" not in asked(place)


@pytest.mark.parametrize(
    "size", [{"width": "x"}, {"width": -1}, {"heads": 0}, {"width": 7, "heads": 2}, {"cats": 1}, {}]
)
def test_a_language_model_of_no_possible_size_is_refused(tmp_path, size):
    tensors, about = checkpoints.read(DATA / "tiny_gpt.safetensors")
    said = about | {"size": about["size"] | size if size else {}}
    checkpoints.write(tmp_path / "odd.safetensors", tensors, said)
    with pytest.raises(checkpoints.CheckpointError, match="odd"):
        shipped_model("odd", tmp_path)
