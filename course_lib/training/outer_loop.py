"""The outer loop: sample tasks, let the learner adapt, improve what it started from. The same for
every learner."""

import math
import re
import time
from dataclasses import asdict, dataclass, field
from statistics import mean

import torch

from course_lib import interrupts
from course_lib.episodes import TaskFamily, at_least_one
from course_lib.files import check_place
from course_lib.learners.base import Learner
from course_lib.learners.mismatch import no_derivative
from course_lib.networks import checkpoints
from course_lib.training import processes
from course_lib.training.progress_bar import bar

# Raised whenever a change of the code changes what training computes; a test replays the shipped
# runs to notice.
CODE_VERSION = 1


@dataclass(frozen=True)
class Plan:
    """The settings of one meta-training run.

    Args:
        outer_steps: how many times the start is improved.   tasks: tasks per outer step.
        shots, queries: support and query items per task (per class, where there are classes).
        beta: outer learning rate, of Adam.   seed: of the tasks drawn, and of torch while training.
        decay: let the outer learning rate sink to 0 along half a cosine, instead of keeping it.

    Raises:
        ValueError: a setting is out of range.
    """

    outer_steps: int = 1000
    tasks: int = 25
    shots: int = 10
    queries: int = 10
    beta: float = 1e-3
    seed: int = 0
    decay: bool = False

    def beta_at(self, step: int) -> float:
        """The outer learning rate of outer step 0, 1, ..."""
        return (
            self.beta * (1 + math.cos(math.pi * step / self.outer_steps)) / 2
            if self.decay
            else self.beta
        )

    def settings(self) -> dict:
        """The plan as plain values. What came later than the first shipped runs is named only where
        it is used."""
        return {name: value for name, value in asdict(self).items() if name != "decay" or value}

    def __post_init__(self):
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed={self.seed}: choose a whole number of at least 0, below 2**63")
        at_least_one(
            outer_steps=self.outer_steps, tasks=self.tasks, shots=self.shots, queries=self.queries
        )
        if not (math.isfinite(self.beta) and self.beta > 0):
            raise ValueError(
                f"beta={self.beta}: the outer learning rate must be a finite number above 0"
            )


@dataclass
class Training:
    """What a run left behind: the outer loss of every step, the seconds it took in all, and the
    step it resumed from."""

    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    resumed_at: int = 0


def run_settings(learner: Learner, family: TaskFamily, plan: Plan) -> dict:
    """Everything that decides the numbers of a run, as plain values: the key of its checkpoint. Ask
    before training."""
    start = sum(p.detach().double().abs().sum().item() for p in learner.parameters())
    everything = {"code": CODE_VERSION} | family.settings() | learner.settings() | plan.settings()
    everything["start"] = round(start, 3)  # a fingerprint of the weights that training starts from
    everything["dtype"] = str(next(learner.parameters()).dtype)
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in everything.items()
    }


def meta_train(
    learner: Learner,
    family: TaskFamily,
    plan: Plan,
    *,
    checkpoint=None,
    save_every: int = 1000,
    progress: bool = True,
) -> Training:
    """Train a learner over a family of tasks. Learner and family must be on the same device; the
    learner is left in training mode. Where torchrun has started several processes, each takes its
    share of the tasks, and the first alone shows the bar and saves: see `processes`.

    Args:
        checkpoint: a path; the run saves there and, if the file exists, resumes from it. On one
            thread a resumed run gives bit for bit the numbers of an uninterrupted one.
        save_every: outer steps between two saves.
        progress: show a bar with the outer loss and the time left.

    Raises:
        ValueError: the family gives NaN, the learner a wrong shape, or loss or weights are no
            longer finite.
        PlaceError: no file can be written at ``checkpoint``.
        CheckpointError: the file there belongs to other settings, or is damaged.
    """
    at_least_one(save_every=save_every)
    if checkpoint is not None and processes.first():
        check_place(checkpoint)
    mine = processes.share(plan.tasks)
    settings = run_settings(learner, family, plan)
    learner.train()
    optimizer = torch.optim.Adam(learner.parameters(), lr=plan.beta)
    generator = family.generator(plan.seed)
    run = Training()
    with interrupts.held(), torch.random.fork_rng():
        torch.manual_seed(plan.seed)
        if checkpoint is not None:
            run = resume(checkpoint, settings, learner, optimizer, generator)
        processes.start_alike(learner, run.resumed_at)
        began = time.monotonic() - run.seconds
        steps = range(run.resumed_at, plan.outer_steps)
        if progress and processes.first():
            note = lambda: f"outer loss {mean(run.losses[-100:]):.3f}"  # noqa: E731
            steps = bar(steps, plan.outer_steps, "meta-training", note, start=run.resumed_at)
        for step in steps:
            interrupts.now()
            episode = family.sample(
                plan.tasks, shots=plan.shots, queries=plan.queries, generator=generator
            )
            if processes.count() > 1:
                if step == run.resumed_at:
                    processes.check_divisible(learner, episode)
                episode = episode[mine]
            loss = learner.outer_loss(episode)
            optimizer.zero_grad()
            optimizer.param_groups[0]["lr"] = plan.beta_at(step)
            differentiate(learner, loss)
            loss = processes.average(learner, loss, episode.tasks, plan.tasks)
            if not torch.isfinite(loss):
                raise ValueError(
                    f"the outer loss is {loss.item()} at outer step {step}: lower alpha or beta"
                )
            optimizer.step()
            run.losses.append(loss.item())
            if (step + 1) % save_every == 0 or step + 1 == plan.outer_steps:
                if not all(torch.isfinite(weights).all() for weights in learner.parameters()):
                    raise ValueError(
                        f"weights hold NaN or infinity at outer step {step}: a gradient did, "
                        "though the loss did not"
                    )
                run.seconds = time.monotonic() - began
                if checkpoint is not None and processes.first():
                    save_run(checkpoint, settings, learner, optimizer, generator, run)
    return run


def differentiate(learner: Learner, loss: torch.Tensor) -> None:
    """``loss.backward()``, and one sentence where a layer turns out to have no second derivative.

    Raises:
        ValueError: names the layer's derivative, and what to change.
    """
    try:
        loss.backward()
    except NotImplementedError as error:
        raise ValueError(no_derivative(str(error))) from error


def save_run(path, settings: dict, learner, optimizer, generator, run: Training) -> None:
    """Write all that a run needs to go on: weights, outer optimiser, random states, losses, seconds
    so far."""
    tensors = {f"learner.{name}": tensor for name, tensor in learner.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in state.items()}
    tensors |= {"random.tasks": generator.get_state(), "random.torch": torch.get_rng_state()}
    tensors["losses"] = torch.tensor(run.losses, dtype=torch.float64)
    about = {
        "settings": settings,
        "step": len(run.losses),
        "seconds": run.seconds,
        "tensors": sorted(tensors),
    }
    checkpoints.write(path, tensors, about)


def resume(path, settings: dict, learner, optimizer, generator) -> Training:
    """Put a saved run back, or start anew where there is no file. Everything is checked before
    anything changes.

    Raises:
        CheckpointError: the file is damaged, or its settings are not the ones asked for.
    """
    try:
        tensors, about = checkpoints.read(path)
    except FileNotFoundError:
        return Training()
    if not {"settings", "step", "seconds", "tensors"} <= about.keys():
        raise checkpoints.CheckpointError(
            "the file holds weights, but not a training run: choose another path to train to"
        )
    checkpoints.one_number("the checkpoint", about)
    if differing := differences(about["settings"], settings):
        raise checkpoints.CheckpointError(
            f"the checkpoint belongs to another run: {differing}. Delete it or choose another path"
        )
    check_run(tensors, about, learner, optimizer, generator)
    checkpoints.load_weights(learner, checkpoints.weights(tensors))
    state: dict[int, dict] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict(
        {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
    )
    generator.set_state(tensors["random.tasks"])
    torch.set_rng_state(tensors["random.torch"])
    return Training(tensors["losses"].tolist(), about["seconds"], about["step"])


def check_run(tensors: dict, about: dict, learner, optimizer, generator) -> None:
    """Whether a saved run is complete and fits, so that putting it back cannot stop half-way.

    Raises:
        CheckpointError: says what is missing or does not fit.
    """
    if missing := {"losses", "random.tasks", "random.torch", *about["tensors"]} - tensors.keys():
        raise checkpoints.CheckpointError(
            f"the checkpoint is damaged, it lacks {sorted(missing)}: delete it and train again"
        )
    wanted = {f"learner.{name}": tensor for name, tensor in learner.state_dict().items()}
    for index, parameter in enumerate(optimizer.param_groups[0]["params"]):
        moments = {"step": torch.zeros(()), "exp_avg": parameter, "exp_avg_sq": parameter}
        # a parameter that no gradient has reached yet has no state
        if f"optimizer.{index}.step" in tensors:
            wanted |= {f"optimizer.{index}.{name}": tensor for name, tensor in moments.items()}
    wanted |= {"random.tasks": generator.get_state(), "random.torch": torch.get_rng_state()}
    if len(tensors["losses"]) != about["step"]:
        raise checkpoints.CheckpointError(
            f"the checkpoint is damaged, it says {about['step']} steps and has "
            f"{len(tensors['losses'])} losses: delete it and train again"
        )
    wanted["losses"] = torch.zeros(about["step"], dtype=torch.float64)
    checkpoints.check_fit(wanted, tensors, "the checkpoint")
    try:
        torch.Generator(generator.device).set_state(tensors["random.tasks"])
        torch.Generator().set_state(tensors["random.torch"])
    except (RuntimeError, TypeError) as error:
        raise checkpoints.CheckpointError(
            "the checkpoint's random state is damaged: delete it and train again"
        ) from error


def in_one_form(value):
    """A setting without what only some releases of torch say of a network: batch norm's bias has
    always come with affine=True, and newer releases print it too."""
    return re.sub(r"(affine=True), bias=True", r"\1", value) if isinstance(value, str) else value


def differences(found: dict, wanted: dict) -> str:
    """In words, which settings differ; empty where none does."""
    keys = sorted(found.keys() | wanted.keys())
    return ", ".join(
        f"{key} is {wanted.get(key)!r} here and {found.get(key)!r} there"
        for key in keys
        if in_one_form(found.get(key)) != in_one_form(wanted.get(key))
    )
