"""docs/scaling.md: every figure was measured, every command exists, and what it says of the
methods is so."""

import json
import re

import pytest
import torch
import torch.nn.functional as F
import yaml
from toys import relative

from course_lib import MAML, ROOT, conv4
from course_lib import __main__ as program
from course_lib.networks import BatchNorm
from course_lib.training import processes
from tools import memory, scale

TEXT = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
MEASURED = json.loads((ROOT / "docs" / "measured.json").read_text(encoding="utf-8"))
FOUND = MEASURED["scale"]


def test_the_tables_are_what_was_measured():
    assert scale.ways_table(FOUND["gradients"]) in TEXT
    assert scale.steps_table(FOUND["steps"]) in TEXT
    assert scale.class_table(MEASURED["memory"]) in TEXT


def test_what_is_predicted_follows_from_what_was_measured():
    assert scale.hours(FOUND["steps"]) in " ".join(TEXT.split())
    assert f"make {scale.largest(MEASURED['memory'])} MB" in TEXT
    compiled = FOUND["gradients"]["way='compiled'"]
    assert f"compiled way took {compiled['first']:.0f} s" in TEXT
    assert compiled["ratio"] <= 0.05


def test_every_decimal_of_the_text_was_measured():
    prose = re.sub(r"```.*?```|^    .*$|\d+\.\d+\+\w+", " ", TEXT, flags=re.S | re.M)
    known = {f"{row['ratio']:.3f}" for row in FOUND["gradients"].values()}
    known |= {f"{s['seconds']:.2f}" for way in FOUND["steps"].values() for s in way.values()}
    known |= set(re.findall(r"\d+\.\d+", FOUND["machine"]))
    assert set(re.findall(r"\d+\.\d+", prose)) <= known


def test_it_is_short_and_names_the_machine():
    assert len(TEXT.splitlines()) < 120
    assert FOUND["machine"] in " ".join(TEXT.split())
    assert "**Nothing was measured on a GPU**" in TEXT


def test_its_commands_exist_and_so_do_their_settings():
    starts = "(?:python|torchrun --nproc-per-node 2) -m course_lib"
    commands = re.findall(rf"{starts} (.*?)(?:`|$)", TEXT, flags=re.M)
    assert len(commands) >= 4
    for words in commands:
        program.parser(words.split()).parse_args(words.split())
    assert f"{processes.PATIENCE:.0f} unless told" in TEXT


def test_its_links_lead_to_files_and_entries():
    for target in re.findall(r"\]\(([^)]*)\)", TEXT):
        path, _, entry = target.partition("#")
        text = (ROOT / "docs" / path).read_text(encoding="utf-8")
        assert not entry or f"(#{entry})" in text, target


def test_the_hub_holds_every_chapter():
    """The names are those of Zero to JupyterHub."""
    (block,) = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.S)
    hub = yaml.safe_load(block)
    assert hub.keys() == {"singleuser", "cull"}
    student = hub["singleuser"]
    assert student.keys() == {"image", "defaultUrl", "memory", "cpu", "extraEnv"}
    limit, sure = (int(student["memory"][k].removesuffix("G")) for k in ("limit", "guarantee"))
    assert limit * 1024 > scale.largest(MEASURED["memory"]) and sure <= limit
    assert limit * 1024 == memory.LIMIT
    assert all(isinstance(value, str) for value in student["extraEnv"].values())
    place = student["defaultUrl"].removeprefix("/lab/tree/")
    assert (ROOT / place).is_file()
    assert hub["cull"]["enabled"] is True and hub["cull"]["timeout"] > 0


def test_at_that_size_the_fast_way_gives_the_gradient_of_autograd():
    """84 pixels are halved to 42, 21, 10 and 5: two of the halves lose a line."""
    episode = scale.noise(1)[:1].map(lambda t: t[:, :10])
    episode = episode.map(lambda t: t.double() if t.is_floating_point() else t)
    found = []
    for way in scale.WAYS:
        network = conv4(4, outputs=5, inputs=3, size=84, norm=BatchNorm, seed=0).double()
        learner = MAML(network, F.cross_entropy, alpha=0.01, steps=2, way=way)
        learner.outer_loss(episode).backward()
        found.append(torch.cat([p.grad.flatten() for p in network.parameters()]))
    assert relative(*found) < 1e-9


def test_bfloat16_is_refused_where_second_derivatives_are_taken(tmp_path, capsys):
    words = f"train look_maml_support --set half=True --out {tmp_path / 'x'} --device cpu".split()
    assert program.main(words) == 2
    assert capsys.readouterr().err.startswith("half=True: MAML computes in float32 only; bfloat16")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="NOT TESTED ON A GPU: there is none")
def test_training_runs_on_a_gpu(tmp_path):
    for words in ("sinusoids_maml_5shot", "strokes_prototypical --set half=True"):
        name, *settings = words.split()
        settings = settings or ["--set"]
        small = ["outer_steps=2", "episodes=5", "--device", "cuda", "--out", str(tmp_path / name)]
        assert program.main(["train", name, *settings, *small]) == 0
