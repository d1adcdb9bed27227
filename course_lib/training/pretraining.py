"""Training of the small language model: next-token prediction on prompts, and the moment when it
begins to read examples."""

import math
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.episodes import Episode, at_least_one
from course_lib.families.pretraining_prompts import (
    UNSEEN_WORDINGS,
    WORDINGS,
    PromptMixture,
    instructed,
)
from course_lib.families.prompt_worlds import TOKENS, Worlds
from course_lib.files import check_place
from course_lib.language_models.tiny_gpt import Size, TinyGPT, shipped_model
from course_lib.learners.in_context import InContext
from course_lib.networks import checkpoints
from course_lib.training.evaluation import Score, evaluate
from course_lib.training.progress_bar import bar, duration
from course_lib.training.runs import TEST_SEED, Named, made_with

# the early checkpoint is taken when accuracy with 8 examples first passes this: in the middle of
# the phase change
EARLY = 0.75


@dataclass(frozen=True)
class PretrainingPlan:
    """The settings of one training run.

    Args:
        steps: of the optimisers.   batch: prompts a step.   length: tokens a prompt.
        rate: learning rate, reached after ``warm_up`` steps and then sinking to 5 % along half a
            cosine.
        seed: of starting weights and prompts.

    Raises:
        ValueError: a setting is out of range.
    """

    steps: int = 1500
    batch: int = 32
    length: int = 72
    rate: float = 3e-3
    warm_up: int = 100
    seed: int = 0

    def __post_init__(self):
        at_least_one(steps=self.steps, batch=self.batch, length=self.length, warm_up=self.warm_up)
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise ValueError(f"rate={self.rate}: the learning rate must be a finite number above 0")

    def rate_at(self, step: int) -> float:
        """The learning rate of step 0, 1, ..."""
        return (
            self.rate
            * min(1, (step + 1) / self.warm_up)
            * (0.525 + 0.475 * math.cos(math.pi * step / self.steps))
        )


def optimizers(model: TinyGPT) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the blocks, AdamW for the embedding and the scales of the norms.

    With AdamW for everything the phase change did not come within 2000 steps (measured while the
    course was made).
    """
    inside = [p for block in model.blocks for p in block.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if not any(p is q for q in inside)]
    muon = torch.optim.Muon(
        inside, lr=1.0, momentum=0.95, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
    )
    return [muon, torch.optim.AdamW(others, lr=1.0, weight_decay=0.01)]


def next_token_loss(model: TinyGPT, tokens: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of -log p(next token | the tokens before it): tokens and weights (B, L) -> a
    scalar."""
    scores = model(tokens[:, :-1])  # (B, L - 1, V)
    each = F.cross_entropy(scores.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
    weights = weights[:, 1:].flatten()
    return (each * weights).sum() / weights.sum()


def train_language_model(
    plan: PretrainingPlan,
    *,
    watch: int = 25,
    early: float = EARLY,
    device="cpu",
    progress: bool = True,
    look: Callable[[TinyGPT], None] | None = None,
    start: TinyGPT | None = None,
    mixture: PromptMixture | None = None,
    until: int | None = None,
):
    """Train a model from nothing.

    Args:
        watch: every so many steps, accuracy with 8 examples on 200 held-out tasks is noted.
        early: a copy of the weights is kept when that accuracy first passes this.
        look: called with the model whenever accuracy is noted.
        start: go on from a copy of this model, instead of from nothing.
        mixture: where the prompts come from; `PromptMixture` of ``plan.length`` unless told.
        until: stop after so many steps of the plan; the rates are those of the whole plan.

    Returns:
        The model, the early weights (empty if it never did), the history as a list of (step, loss,
        accuracy), and the seconds.
    """
    model = TinyGPT(Size(len(TOKENS)), seed=plan.seed) if start is None else deepcopy(start)
    model = model.train().to(device)
    family = Worlds(device=device)
    held_out = family.sample(200, shots=8, queries=1, generator=family.generator(999))
    mixture = mixture or PromptMixture(plan.length)
    steppers, history, copy = optimizers(model), [], {}
    began, losses = time.monotonic(), []
    steps = range(plan.steps if until is None else min(until, plan.steps))
    for step in (
        bar(steps, len(steps), "training", lambda: f"loss {losses[-1]:.2f}") if progress else steps
    ):
        tokens, weights = (
            part.to(device) for part in mixture.batch(plan.batch, seed=f"{plan.seed}-{step}")
        )
        loss = next_token_loss(model, tokens, weights)
        if not torch.isfinite(loss):
            raise ValueError(f"the loss is {loss.item()} at step {step}: lower the learning rate")
        for stepper in steppers:
            stepper.zero_grad()
            stepper.param_groups[0]["lr"] = plan.rate_at(step)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for stepper in steppers:
            stepper.step()
        losses.append(loss.item())
        if (step + 1) % watch == 0:
            accuracy = evaluate(InContext(model, 8), held_out).mean
            history.append((step + 1, sum(losses[-watch:]) / watch, accuracy))
            if look is not None:
                look(model)
            if accuracy > early and not copy:
                copy = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    return model.eval(), copy, history, time.monotonic() - began


USUAL = {"steps": PretrainingPlan.steps, "rate": PretrainingPlan.rate, "episodes": 1000}


@dataclass(frozen=True, eq=False)
class LanguageRun(Named):
    """A training run of the small language model.

    Args:
        early: the file holds the weights of the moment when accuracy first passed `EARLY`, not
            those of the end.
    """

    usual: dict = field(default_factory=lambda: dict(USUAL))
    early: bool = False
    headline: ClassVar[str] = "2 labels, 1 kinds each, 8 shots"

    def load(self, path: Path | None = None) -> TinyGPT:
        """The model of a file, in eval mode; of the one that ships, unless told."""
        path = path or self.file
        return shipped_model(path.stem, path.parent)

    def train(
        self, out: Path, seed: int = 0, device: str = "cpu", save_every: int = 0, **changed
    ) -> None:
        """Train from nothing, print shots curves on fresh tasks, and write the file.

        Raises:
            ValueError: an early model is asked for, and accuracy never passed `EARLY`.
        """
        o = self.settings(seed, device, **changed)
        check_place(out)
        plan = PretrainingPlan(steps=o.steps, rate=o.rate, seed=seed)
        model, early, history, seconds = train_language_model(plan, device=device)
        print(f"trained for {duration(seconds)}")
        if self.early and not early:
            raise ValueError(
                f"accuracy with 8 examples never passed {EARLY} in {plan.steps} steps: train for "
                "longer"
            )
        model = model.cpu()
        if self.early:
            model.load_state_dict(early)
        about = {"settings": asdict(plan), "size": model.settings(), "seconds": round(seconds, 1)}
        about |= {"history": history, "figures": report(model, o.episodes)}
        checkpoints.write(out, model.state_dict(), about | self.stamp(seed, **changed))
        print(f"wrote {out}")

    def evaluate_file(self, path: Path, device: str = "cpu", **changed) -> None:
        """Print the shots curves of a file's model on fresh tasks."""
        made = made_with(self, self.about(path), path)
        o = self.settings(made.pop("seed"), device, **made | changed)
        report(self.load(path).to(device), o.episodes)


def report(model: TinyGPT, tasks: int = 1000, seed: int = TEST_SEED) -> dict[str, list[float]]:
    """Print and return shots curves on held-out tasks, without and with an instruction: [mean, half
    of the interval] for each."""
    found: dict[str, Score] = {}

    def keep(what: str, episode: Episode, all_shots: tuple[int, ...]) -> None:
        for shots in all_shots:
            score = found[f"{what}, {shots} shots"] = evaluate(InContext(model, shots), episode)
            print(f"{what}, {shots} shots: {score}", flush=True)

    for family in (Worlds(2), Worlds(4), Worlds(2, kinds_per_label=2)):
        episode = family.sample(tasks, shots=16, queries=1, generator=family.generator(seed))
        what = f"{family.ways} labels, {family.kinds_per_label} kinds each"
        keep(what, episode, (0, 1, 2, 4, 8, 16))
    for wording in WORDINGS + UNSEEN_WORDINGS:
        episode = Worlds().sample(tasks, shots=4, queries=1, generator=Worlds().generator(seed))
        seen = "seen" if wording in WORDINGS else "unseen"
        what = f"2 labels, {seen} instruction {wording!r}"
        keep(what, instructed(episode, wording), (0, 4))
    return {what: [round(s.mean, 4), round(s.half_width, 4)] for what, s in found.items()}
