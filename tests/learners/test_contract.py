"""The one idea: everything that answers is a learner, is scored by `evaluate`, and sees nothing
that is hidden."""

import dataclasses
import re
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import DATA, ROOT, chapters, families
from course_lib import __main__ as program
from course_lib.families.prompt_worlds import Worlds
from course_lib.language_models.opening import TinyModel
from course_lib.language_models.tiny_gpt import shipped_model
from course_lib.learners import (
    IMAML,
    MAML,
    Baseline,
    BaselinePlusPlus,
    InContext,
    InContextRegression,
    Joint,
    Koch,
    Learner,
    LeastSquares,
    Matching,
    MetaBaseline,
    MetaSGD,
    Nearest,
    Prompting,
    Prototypical,
    Relation,
    Reptile,
    Ridge,
    Siamese,
)
from course_lib.learners.bag_of_words import BagOfWords
from course_lib.learners.tuning import Adapter, FineTune, InContextTuning, LoRA, SoftPrompt
from course_lib.networks import BatchNorm, conv4, mlp
from course_lib.training.evaluation import Score, evaluate, test_episodes

MODEL = shipped_model()


class Words(nn.Module):
    """Token ids (n, 1) -> the vectors that the small language model has for them (n, 96); nothing
    to train."""

    def forward(self, ids):
        return MODEL.embedding.weight.detach()[ids[:, 0]]


# --- one table ------------------------------------------------------------------------------------

TABLE = {
    "nearest example": lambda: Nearest(Words()),
    "MAML": lambda: MAML(
        nn.Sequential(Words(), nn.Linear(96, 2)), F.cross_entropy, alpha=1.0, steps=5, way="vmap"
    ),
    "ProtoNet": lambda: Prototypical(Words()),
    "prompt, as text": lambda: Prompting(TinyModel(MODEL)),
    "prompt, as tokens": lambda: InContext(MODEL),
    "in-context tuning": lambda: InContextTuning(MODEL),
    "soft prompt": lambda: SoftPrompt(MODEL),
    "LoRA": lambda: LoRA(MODEL),
    "adapter": lambda: Adapter(MODEL),
    "fine-tuning": lambda: FineTune(MODEL),
}


@pytest.fixture(scope="module")
def tasks():
    return test_episodes(Worlds(2), 30, shots=12, queries=4, seed=5)


@pytest.fixture(scope="module")
def table(tasks):
    torch.manual_seed(0)
    return {name: evaluate(make(), tasks) for name, make in TABLE.items()}


def test_everyone_stands_in_one_table_made_by_one_loop(table):
    for name, score in table.items():
        print(f"{name:20} {score}")
        assert isinstance(score, Score) and len(score) == 30 and score.chance == 0.5
        assert score.mean - score.half_width > 0.5, name


def test_the_prompt_as_text_and_as_tokens_is_one_and_the_same_learner(tasks):
    as_text, as_tokens = Prompting(TinyModel(MODEL))(tasks), InContext(MODEL)(tasks)
    torch.testing.assert_close(as_text.log_softmax(-1), as_tokens.log_softmax(-1))


# --- what is hidden -------------------------------------------------------------------------------

PICTURES = {
    "Baseline": lambda: Baseline(conv4(8, seed=0), 2000, 8, seed=0),
    "Baseline++": lambda: BaselinePlusPlus(conv4(8, seed=0), 2000, 8, seed=0),
    "Meta-Baseline": lambda: MetaBaseline(conv4(8, seed=0)),
    "Matching": lambda: Matching(conv4(8, seed=0)),
    "Prototypical": lambda: Prototypical(conv4(8, seed=0)),
    "Relation": lambda: Relation(conv4(8, seed=0), features=8, seed=0),
    "Siamese": lambda: Siamese(conv4(8, seed=0)),
    "Koch": lambda: Koch(conv4(8, seed=0), features=8, seed=0),
    "Nearest": Nearest,
    "MAML on pictures": lambda: MAML(
        conv4(8, outputs=3, norm=BatchNorm, seed=0), F.cross_entropy, way="vmap"
    ),
}
CURVES = {
    "MAML": lambda: MAML(mlp(seed=0), way="vmap"),
    "Joint": lambda: Joint(mlp(seed=0), way="vmap"),
    "Reptile": lambda: Reptile(mlp(seed=0), way="vmap", batch=2),
    "Meta-SGD": lambda: MetaSGD(mlp(seed=0), way="vmap"),
    "implicit MAML": lambda: IMAML(mlp(seed=0), way="vmap"),
}
LINES = {
    "in-context regression": lambda: InContextRegression(seed=0),
    "least squares": LeastSquares,
    "ridge": lambda: Ridge(0.1),
}
SENTENCES = {
    "bag of words": lambda: BagOfWords(families.Intents().rows, len(families.Intents().vocabulary))
}
KINDS = [
    (PICTURES, lambda: families.Strokes(ways=3)),
    (CURVES, families.Sinusoids),
    (LINES, families.LinearRegressions),
    (SENTENCES, lambda: families.Intents(ways=3)),
    (TABLE, lambda: Worlds(2)),
]
EVERYONE = [
    pytest.param(make, family, id=name) for table, family in KINDS for name, make in table.items()
]


@pytest.mark.parametrize(("make", "family"), EVERYONE)
def test_no_learner_reads_what_is_hidden(make, family):
    """The same answers, and the same loss, when nothing is hidden and when what is hidden is
    nonsense."""
    source = family()
    episode = source.sample(2, shots=3, queries=2, generator=source.generator(0))
    nonsense = {name: torch.zeros_like(part) - 9 for name, part in episode.hidden.items()}
    torch.manual_seed(0)
    learner = make().eval()
    answers = learner(episode).detach()
    for hidden in ({}, nonsense | {"secret": torch.arange(2)}):
        other = dataclasses.replace(episode, hidden=hidden)
        torch.testing.assert_close(learner(other).detach(), answers)
        try:
            losses = learner.outer_loss(episode), learner.outer_loss(other)
        except ValueError as nothing_to_train:  # a tuning method: it says so, whatever is hidden
            assert "nothing to meta-train" in str(nothing_to_train)
        else:
            torch.testing.assert_close(*losses)


def test_no_file_of_the_learners_mentions_the_field():
    rooms = [ROOT / "course_lib" / room for room in ("learners", "language_models", "networks")]
    found = [
        path
        for room in rooms
        for path in room.rglob("*.py")
        if re.search(r"(episode|tasks|part)\.hidden|hidden\[", path.read_text())
    ]
    assert not found


class Knows(Learner):
    """Reads the answers where a learner may read, in the names of an episode."""

    def forward(self, episode):
        return F.one_hot(episode.names["answers"], 2).float()


@pytest.mark.parametrize("batch", [1, 20, 100, 200])
def test_a_perfect_reader_of_names_is_perfect_in_every_batch(batch):
    tasks = test_episodes(Worlds(2), 200, shots=4, queries=2, seed=0)
    tasks = dataclasses.replace(tasks, names=tasks.names | {"answers": tasks.query_y})
    assert evaluate(Knows(), tasks, batch=batch).mean == 1.0


@pytest.mark.parametrize("name", ["prompt, as text", "prompt, as tokens", "soft prompt"])
def test_label_words_are_cut_with_their_tasks(name, tasks):
    learner, few = TABLE[name](), tasks[:6]
    whole = evaluate(learner, few, batch=6).per_episode
    assert evaluate(learner, few, batch=4).per_episode.equal(whole)


# --- a new learner --------------------------------------------------------------------------------

TOY = """
import torch

from course_lib.families import Strokes
from course_lib.learners import Prototypical
from course_lib.networks import conv4
from course_lib.training.evaluation import evaluate, test_episodes
from course_lib.training.runs import Run, plan_of, printed


class Dots(Prototypical):
    'A toy: classes are compared by the dot product.'

    def compare(self, support, support_y, query):
        return query @ support.mT @ torch.nn.functional.one_hot(support_y).float()


def prepare(o):
    return Dots(conv4(4, seed=o.seed)), Strokes(ways=3, scripts=2), plan_of(o)


def report(learner, o):
    tasks = test_episodes(Strokes(ways=3, seed=1), o.episodes, shots=1, queries=2, seed=0)
    return printed({"3-way 1-shot": evaluate(learner, tasks)})


PLAN = dict(outer_steps=2, tasks=1, shots=1, queries=2, beta=0.001, decay=False, episodes=10)
RUNS = [Run("toy_dots", "a toy", PLAN, prepare, report)]
"""


@pytest.fixture
def toy_chapter(tmp_path, monkeypatch):
    """A chapter with one file: a learner, and its row in the table of runs."""
    folder = tmp_path / "ch98"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "study.py").write_text(TOY)
    monkeypatch.setattr(chapters, "__path__", [*chapters.__path__, str(tmp_path)])
    chapters.named_runs.cache_clear()
    yield
    chapters.named_runs.cache_clear()
    for name in ("course_lib.chapters.ch98", "course_lib.chapters.ch98.study"):
        sys.modules.pop(name, None)


def test_a_toy_learner_is_one_file_and_one_row_of_a_table(toy_chapter, tmp_path, capsys):
    file = tmp_path / "made.safetensors"
    assert program.main(["list"]) == 0
    assert "toy_dots: a toy\n  no file ships" in capsys.readouterr().out
    assert program.main(["train", "toy_dots", "--out", str(file), "--device", "cpu"]) == 0
    trained = [line for line in capsys.readouterr().out.splitlines() if line.startswith("3-way")]
    assert program.main(["evaluate", str(file), "--device", "cpu"]) == 0
    assert capsys.readouterr().out.splitlines() == trained
    learner = chapters.load_or_train("toy_dots", beta=0.002)
    assert type(learner).__name__ == "Dots" and not (DATA / "toy_dots.safetensors").exists()
    assert "because the course ships no toy_dots.safetensors" in capsys.readouterr().out
