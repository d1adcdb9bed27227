"""Training of the small language model: next-token prediction on prompts, and the moment when it begins to read examples.

``python -m course_lib train --data worlds`` trains it as shipped; ``--seed`` and ``--outer-steps`` change the run.
"""

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.chapters.ch10.prompts import shots_curve
from course_lib.episodes import at_least_one
from course_lib.families.pretraining_prompts import UNSEEN_WORDINGS, WORDINGS, PromptMixture
from course_lib.families.prompt_worlds import TOKENS, Worlds
from course_lib.language_models.tiny_gpt import Size, TinyGPT
from course_lib.training import checkpoints
from course_lib.training.progress_bar import bar, duration
from course_lib.training.shipped import DATA

EARLY = 0.75  # the early checkpoint is taken when accuracy with 8 examples first passes this: in the middle of the phase change


@dataclass(frozen=True)
class LanguagePlan:
    """The settings of one training run.

    Args:
        steps: of the optimisers.   batch: prompts a step.   length: tokens a prompt.
        rate: learning rate, reached after ``warm_up`` steps and then sinking to 5 % along half a cosine.
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

    With AdamW for everything the phase change did not come within 2000 steps (measured while the course was made).
    """
    inside = [p for block in model.blocks for p in block.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if not any(p is q for q in inside)]
    muon = torch.optim.Muon(
        inside, lr=1.0, momentum=0.95, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
    )
    return [muon, torch.optim.AdamW(others, lr=1.0, weight_decay=0.01)]


def next_token_loss(model: TinyGPT, tokens: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of -log p(next token | the tokens before it): tokens and weights (B, L) -> a scalar."""
    scores = model(tokens[:, :-1])  # (B, L - 1, V)
    each = F.cross_entropy(scores.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
    weights = weights[:, 1:].flatten()
    return (each * weights).sum() / weights.sum()


def train_language_model(
    plan: LanguagePlan,
    *,
    watch: int = 25,
    early: float = EARLY,
    device="cpu",
    progress: bool = True,
):
    """Train a model from nothing.

    Args:
        watch: every so many steps, accuracy with 8 examples on 200 held-out tasks is noted.
        early: a copy of the weights is kept when that accuracy first passes this.

    Returns:
        The model, the early weights (empty if it never did), the history as a list of (step, loss, accuracy), and the seconds.
    """
    model = TinyGPT(Size(len(TOKENS)), seed=plan.seed).to(device)
    family = Worlds(device=device)
    held_out = family.sample(200, shots=8, queries=1, generator=family.generator(999))
    mixture, steppers, history, copy = PromptMixture(plan.length), optimizers(model), [], {}
    began, losses = time.monotonic(), []
    steps = range(plan.steps)
    for step in (
        bar(steps, plan.steps, "training", lambda: f"loss {losses[-1]:.2f}") if progress else steps
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
            accuracy = shots_curve(model, held_out, [8])[8].mean
            history.append((step + 1, sum(losses[-watch:]) / watch, accuracy))
            if accuracy > early and not copy:
                copy = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    return model.eval(), copy, history, time.monotonic() - began


def run(plan: LanguagePlan, device="cpu") -> tuple[TinyGPT, dict, dict]:
    """Train, on the CPU or on a GPU: the model, the early weights (empty if accuracy never passed `EARLY`), and what to write beside them."""
    model, early, history, seconds = train_language_model(plan, device=device)
    print(f"trained for {duration(seconds)}")
    return (
        model.cpu(),
        early,
        {
            "settings": asdict(plan),
            "size": model.settings(),
            "seconds": round(seconds, 1),
            "history": history,
        },
    )


def shipped_model(name: str = "tiny_gpt", folder: Path = DATA) -> TinyGPT:
    """A model that comes with the course: "tiny_gpt", trained to the end, or "tiny_gpt_early", in the middle of the phase change."""
    tensors, about = checkpoints.read(folder / f"{name}.safetensors")
    model = TinyGPT(Size(**about["size"]))
    checkpoints.load_weights(model, tensors, source=name)
    return model.eval()


def shipped_history(name: str = "tiny_gpt", folder: Path = DATA) -> list[tuple[int, float, float]]:
    """(step, loss, accuracy with 8 examples on held-out tasks) along the training of a shipped model."""
    return [tuple(row) for row in checkpoints.read(folder / f"{name}.safetensors")[1]["history"]]


def report(model: TinyGPT, tasks: int = 1000) -> dict[str, list[float]]:
    """Print and return shots curves on held-out tasks, without and with an instruction: [mean, half of the interval] for each."""
    curves = {}
    for family in (Worlds(2), Worlds(4), Worlds(2, kinds_per_label=2)):
        episode = family.sample(tasks, shots=16, queries=1, generator=family.generator(12345))
        curves[f"{family.ways} labels, {family.kinds_per_label} kinds each"] = shots_curve(
            model, episode
        )
    for wording in WORDINGS + UNSEEN_WORDINGS:
        episode = Worlds().sample(tasks, shots=4, queries=1, generator=Worlds().generator(12345))
        seen = "seen" if wording in WORDINGS else "unseen"
        curves[f"2 labels, {seen} instruction {wording!r}"] = shots_curve(
            model, episode, (0, 4), wording=wording
        )
    figures = {
        f"{what}, {k} shots": score for what, curve in curves.items() for k, score in curve.items()
    }
    for what, score in figures.items():
        print(f"{what}: {score}")
    return {
        what: [round(score.mean, 4), round(score.half_width, 4)] for what, score in figures.items()
    }
