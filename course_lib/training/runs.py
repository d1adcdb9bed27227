"""Named runs: whatever the course trains or measures has a name, and its file says it.

A run is a value. The chapter that teaches a method declares its runs in a table, and
`course_lib.chapters.named_run` finds them. The commands, the notebooks and the tests all take the
same value.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import torch
from torch import Tensor

from course_lib import DATA
from course_lib.episodes import TaskFamily
from course_lib.files import check_place
from course_lib.learners.base import Learner
from course_lib.networks import checkpoints
from course_lib.training import processes
from course_lib.training.evaluation import Score
from course_lib.training.outer_loop import Plan, Training, differences, meta_train, run_settings
from course_lib.training.progress_bar import duration

STRIDE = 100  # files keep the outer loss as averages over this many outer steps
FROM_PLAN = ("outer_steps", "tasks", "shots", "queries", "beta", "decay")
TEST_SEED = 12345  # of the fresh tasks that the commands report


@dataclass(frozen=True, eq=False)
class Named:
    """What all named runs share.

    Args:
        name: of the run, and of its file, data/NAME.safetensors.   says: one line about it.
        usual: the settings that may be changed, with their usual values.
    """

    name: str
    says: str
    usual: dict = field(default_factory=dict)
    repeats: ClassVar[str] = "python -m course_lib train"
    headline: ClassVar[str] = ""  # the figure that `list` shows; the last one, unless told

    @property
    def file(self) -> Path:
        return DATA / f"{self.name}.safetensors"

    def settings(self, seed: int = 0, device: str = "cpu", **changed) -> SimpleNamespace:
        """The usual settings with some changed.

        Raises:
            ValueError: there is no such setting.
        """
        if unknown := sorted(changed.keys() - self.usual.keys()):
            known = ", ".join(self.usual) or "nothing"
            raise ValueError(f"{self.name} has no setting {unknown[0]!r}: it lets you set {known}")
        for name, value in changed.items():
            kind = type(self.usual[name])
            if type(value) is not kind and not (kind is float and type(value) is int):
                raise ValueError(
                    f"{self.name}: {name}={value!r} should be of the kind of {self.usual[name]!r}"
                )
        return SimpleNamespace(**self.usual | changed, seed=seed, device=device)

    def about(self, path: Path | None = None) -> dict:
        """What the file says of the run: settings, seconds, figures."""
        return checkpoints.read(path or self.file)[1]

    def tensors(self, path: Path | None = None) -> dict[str, Tensor]:
        """The numbers in the file: weights, losses, or what was measured."""
        return checkpoints.read(path or self.file)[0]

    def command(self, seed: int = 0, **changed) -> str:
        """The command that repeats it."""
        words = [f"{self.repeats} {self.name}"] + [f"--set {k}={v}" for k, v in changed.items()]
        return " ".join(words + [f"--seed {seed}"] * bool(seed))

    def stamp(self, seed: int = 0, **changed) -> dict:
        """What every file says of the run that made it."""
        run = {"name": self.name, "set": changed, "seed": seed}
        return {"run": run, "command": self.command(seed, **changed)}


@dataclass(frozen=True, eq=False)
class Run(Named):
    """A training run: the outer loop makes one learner good at the tasks of one family.

    Args:
        prepare: from settings (with seed and device) to a learner before its training, the family
            it learns from, and the plan.
        report: from a learner and settings to scores on fresh tasks, by what each score is of. It
            prints them too.
    """

    prepare: Callable[[SimpleNamespace], tuple[Learner, TaskFamily, Plan]] = None
    report: Callable[[Learner, SimpleNamespace], dict[str, Score]] = None

    def prepared(self, seed: int = 0, device: str = "cpu", **changed):
        """Learner, family and plan, before training."""
        return self.prepare(self.settings(seed, device, **changed))

    def load(self, path: Path | None = None, device: str = "cpu", **changed) -> Learner:
        """The learner of a file of this run, in eval mode; of the one that ships, unless told.
        Settings may change, such as alpha.

        Raises:
            CheckpointError: the file is damaged, was made by another run, or otherwise than this
                run is made now.
        """
        path = path or self.file
        tensors, about = checkpoints.read(path, "run", "settings")
        made = made_with(self, about, path)
        learner, family, plan = self.prepared(**made)
        checkpoints.load_weights(learner, checkpoints.weights(tensors), source=path.name)
        settings = run_settings(learner, family, plan)
        settings["start"] = about["settings"].get("start")  # the weights are trained by now
        if differing := differences(about["settings"], settings):
            raise checkpoints.CheckpointError(
                f"{path.name} was trained otherwise than the code does it now: {differing}. Train "
                "it again"
            )
        if changed:
            learner = self.prepared(**made | changed)[0]
            checkpoints.load_weights(learner, checkpoints.weights(tensors), source=path.name)
        return learner.to(device).eval()

    def ready(self, seed: int = 0, folder: Path = DATA, **changed) -> tuple[Learner, str]:
        """The learner with the shipped weights, or trained now when any setting differs.

        Returns:
            The learner, and one sentence that begins with "loaded" or "trained" and says why.

        Raises:
            CheckpointError: the shipped file is damaged.
        """
        learner, family, plan = self.prepared(seed, **changed)
        path = folder / self.file.name
        if path.is_file():
            tensors, about = checkpoints.read(path, "settings", "seconds")
            reason = differences(about["settings"], run_settings(learner, family, plan))
            if not reason:
                checkpoints.load_weights(learner, checkpoints.weights(tensors), source=path.name)
                seconds = checkpoints.one_number(path.name, about)
                took = f"{plan.outer_steps} outer steps, which took {duration(seconds)}"
                return learner, f"loaded {path.name}: {took}"
        else:
            reason = f"the course ships no {path.name}"
        run = meta_train(learner, family, plan)
        return learner, f"trained for {duration(run.seconds)}, because {reason}"

    def train(
        self, out: Path, seed: int = 0, device: str = "cpu", save_every: int = 2000, **changed
    ):
        """Meta-train, print scores on fresh tasks, and write the file. Resumes where an earlier try
        was interrupted. Of several processes (see `processes`) the first prints and writes."""
        o = self.settings(seed, device, **changed)
        learner, family, plan = self.prepare(o)
        settings = run_settings(learner, family, plan)
        if processes.first():
            check_place(out)
        running = out.with_name(out.name + ".run")
        run = meta_train(learner, family, plan, checkpoint=running, save_every=save_every)
        if not processes.first():
            return
        resumed = f", resumed at outer step {run.resumed_at}" if run.resumed_at else ""
        print(f"trained for {duration(run.seconds)}{resumed}")
        told = {"figures": self.evaluate(learner, o), "test_episodes": o.episodes}
        self.write(out, learner, settings, run, **told, **self.stamp(seed, **changed))
        print(f"wrote {out}; the run itself is in {running}")

    def evaluate(self, learner: Learner, o: SimpleNamespace) -> dict[str, list[float]]:
        """Print the scores of a trained learner; returns {what: [mean, half of the interval]}."""
        return {what: [s.mean, s.half_width] for what, s in self.report(learner, o).items()}

    def evaluate_file(self, path: Path, device: str = "cpu", **changed) -> None:
        """Print the scores of a file's learner on fresh tasks; settings may change where that makes
        sense, such as shots."""
        made = made_with(self, self.about(path), path)
        o = self.settings(made.pop("seed"), device, **made | changed)
        self.evaluate(self.load(path, device, **changed), o)

    def write(self, path, learner: Learner, settings: dict, training: Training, **about) -> None:
        """Write a finished run as a small file: weights, averaged losses, settings, and what else
        is worth knowing."""
        tensors = {f"learner.{name}": tensor for name, tensor in learner.state_dict().items()}
        whole = len(training.losses) // STRIDE * STRIDE
        tensors["losses"] = (
            torch.tensor(training.losses[:whole]).view(whole // STRIDE, STRIDE).mean(1)
        )
        tensors["first_losses"] = torch.tensor(training.losses[:STRIDE], dtype=torch.float64)
        seconds = round(training.seconds, 1)
        checkpoints.write(path, tensors, {"settings": settings, "seconds": seconds, **about})


@dataclass(frozen=True, eq=False)
class Measurement(Named):
    """A run that trains nothing new that is kept: its file holds scores.

    Args:
        measure: from settings to the tensors of the file and what else it says.
    """

    measure: Callable[[SimpleNamespace], tuple[dict[str, Tensor], dict]] = None

    def train(self, out: Path, seed: int = 0, device: str = "cpu", save_every: int = 0, **changed):
        """Measure again, and write the file."""
        check_place(out)
        tensors, about = self.measure(self.settings(seed, device, **changed))
        checkpoints.write(out, tensors, about | self.stamp(seed, **changed))
        print(f"wrote {out}")

    def evaluate_file(self, path: Path, device: str = "cpu", **changed) -> None:
        raise ValueError(
            f"{path} holds scores, not a learner: `{self.command()}` measures them again"
        )


def made_with(run: Named, about: dict, path) -> dict:
    """The seed and the changed settings that a file was made with.

    Raises:
        CheckpointError: the file names another run, or none.
    """
    made = about.get("run", {})  # of the form that `checkpoints.read` has checked
    if made.get("name") != run.name:
        said = repr(made["name"]) if "name" in made else "no run"
        raise checkpoints.CheckpointError(f"{path} was made by {said}, not by {run.name!r}")
    return {"seed": made["seed"], **made["set"]}


@lru_cache(maxsize=64)
def _ready(run: Run, seed: int, **changed) -> tuple[Learner, str]:
    learner, sentence = run.ready(seed, **changed)
    return learner.eval(), sentence


def once(run: Run, seed: int = 0, **changed) -> Learner:
    """As `Run.ready`, once a process and in eval mode: copy it to change it."""
    return _ready(run, seed, **changed)[0]


def load_or_train(run: Run, seed: int = 0, **changed) -> Learner:
    """The learner of a named run: from the file that ships if the settings are the shipped ones, or
    trained now. Prints which."""
    learner, sentence = _ready(run, seed, **changed)
    print(sentence)
    return copy.deepcopy(learner)


def printed(scores: dict[str, Score]) -> dict[str, Score]:
    """The scores themselves, after a line for each."""
    for what, score in scores.items():
        print(f"{what}: {score}", flush=True)
    return scores


def plan_of(o: SimpleNamespace) -> Plan:
    """The plan that the settings describe."""
    return Plan(**{name: getattr(o, name) for name in FROM_PLAN}, seed=o.seed)
