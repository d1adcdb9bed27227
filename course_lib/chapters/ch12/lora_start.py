"""MAML for LoRA: the numbers that every task starts to tune from are themselves trained, first
order, over many tasks; beside LoRA that starts from zero, with the same steps."""

from collections.abc import Callable, Iterator
from functools import lru_cache

import torch
from torch import Tensor
from torch.func import vmap

from course_lib import DATA
from course_lib.chapters.ch12.forgetting import elsewhere, kept
from course_lib.chapters.ch12.line_up import (
    CHOICE_GROUPS,
    CHOICE_SEED,
    OTHER_SHOTS,
    OTHERS,
    TEST_SEED,
    as_counts,
    from_counts,
    tasks_of,
    tuned_scores,
)
from course_lib.episodes import Episode
from course_lib.families.lists_by_heart import Practice
from course_lib.language_models.tiny_gpt import TinyGPT, shipped_model
from course_lib.learners.in_context import InContext
from course_lib.learners.token_prompts import labels_of, questions
from course_lib.learners.tuning import LoRA
from course_lib.learners.tuning.tuned import Parts
from course_lib.networks import checkpoints
from course_lib.training.evaluation import Score, evaluate
from course_lib.training.runs import Measurement

SEEDS, STEPS, SHOTS, TASKS = (0, 1, 2), (1, 5, 20), 8, 40
INNER, BETA, OUTER_STEPS, AT_ONCE = 5, 3e-3, 150, 8  # of meta-training
RATES = (0.01, 0.03, 0.1, 0.3)  # tried for LoRA from zero, on tasks of other groups


class StartedLoRA(LoRA):
    """LoRA in which every task starts from given numbers.

    Args:
        parts: what to start from, by name; None starts from zero, as `LoRA` does.
    """

    def __init__(self, model: TinyGPT, parts: Parts | None = None, **settings):
        super().__init__(model, **settings)
        self.parts = parts

    def start(self, labels: Tensor, draw: Callable[..., Tensor]) -> Parts:
        if self.parts is None:
            return super().start(labels, draw)
        return {name: part.detach().clone() for name, part in self.parts.items()}


def first_order(learner: StartedLoRA, tasks: Episode) -> tuple[Parts, float]:
    """The gradient of the query loss at the end of each task's steps, averaged over the tasks, and
    that loss: first-order MAML."""
    labels = labels_of(tasks)
    phi = learner.adapt(tasks.support_x, tasks.support_y, labels)
    phi = {name: part.clone().requires_grad_() for name, part in phi.items()}
    loss = vmap(learner.loss)(phi, *questions(tasks.query_x), tasks.query_y, labels).mean()
    gradients = torch.autograd.grad(loss, list(phi.values()))  # of the mean: sum over the tasks
    return {n: g.sum(0) for n, g in zip(phi, gradients, strict=True)}, loss.item()


def meta_train_start(
    model: TinyGPT, lr: float, outer_steps: int = OUTER_STEPS, seed: int = 0
) -> Iterator[tuple[Parts, float]]:
    """The start after each outer step, and the loss of the queries that led there."""
    family, learner = Practice(2, 2), StartedLoRA(model, steps=INNER, lr=lr, seed=seed)
    generator = family.generator(1000 + seed)
    theta = {
        name: part.requires_grad_()
        for name, part in learner.start(torch.arange(2), learner.drawing()).items()
    }
    optimizer = torch.optim.Adam(theta.values(), lr=BETA)
    for _ in range(outer_steps):
        learner.parts = theta
        tasks = family.sample(AT_ONCE, shots=SHOTS, queries=8, generator=generator)
        gradient, loss = first_order(learner, tasks)
        for name, part in theta.items():
            part.grad = gradient[name]
        optimizer.step()
        yield theta, loss


def chosen_rate(model: TinyGPT) -> float:
    """The rate at which LoRA from zero is best after `INNER` steps, on tasks of other groups."""
    tasks = tasks_of("kinds", SHOTS, TASKS, CHOICE_GROUPS, CHOICE_SEED)
    found = {lr: evaluate(LoRA(model, steps=INNER, lr=lr), tasks).mean for lr in RATES}
    print("LoRA from zero, by rate:", {lr: round(mean, 3) for lr, mean in found.items()})
    return max(found, key=found.get)


def measure(o) -> tuple[dict[str, Tensor], dict]:
    """Both starts after the same steps, on the same held-out tasks, for three seeds: right answers
    by "seed/start/steps", and elsewhere."""
    model = shipped_model().requires_grad_(False)
    tasks, lr, found, losses = tasks_of("kinds", SHOTS, TASKS), chosen_rate(model), {}, {}
    others = elsewhere(tasks, shots=OTHER_SHOTS, others=OTHERS, seed=TEST_SEED)
    found["prompt"] = as_counts(evaluate(InContext(model), tasks))
    found["untuned/others"] = as_counts(kept([model] * len(tasks), others, OTHER_SHOTS), OTHERS)
    for seed in SEEDS:
        *walk, (trained, _) = meta_train_start(model, lr, o.outer_steps, seed)
        losses[str(seed)] = [round(loss, 4) for _, loss in walk]
        for name, parts in (("zero", None), ("meta-trained", trained)):
            for steps in STEPS:
                learner = StartedLoRA(model, parts, steps=steps, lr=lr, seed=seed)
                score, there, _ = tuned_scores(learner, tasks, others)
                key = f"{seed}/{name}/{steps}"
                found[key], found[f"{key}/others"] = as_counts(score), as_counts(there, OTHERS)
                print(f"{key}: {score}, elsewhere {there.mean:.3f}", flush=True)
    return found, {"rate": lr, "losses": losses, "tasks": TASKS, "shots": SHOTS, "inner": INNER}


RUN = Measurement(
    "lora_start",
    "LoRA from zero and from a start that was meta-trained, first order, three seeds",
    usual={"outer_steps": OUTER_STEPS},
    measure=measure,
)


@lru_cache
def start_table() -> dict[str, dict[int, list[tuple[Score, Score]]]]:
    """By start, "zero" or "meta-trained", and steps: for each seed the accuracy and what is left
    elsewhere, from the shipped file."""
    counts = checkpoints.read(DATA / f"{RUN.name}.safetensors")[0]
    return {
        name: {
            steps: [
                (from_counts(counts[key]), from_counts(counts[f"{key}/others"], OTHERS))
                for key in (f"{seed}/{name}/{steps}" for seed in SEEDS)
            ]
            for steps in STEPS
        }
        for name in ("zero", "meta-trained")
    }
