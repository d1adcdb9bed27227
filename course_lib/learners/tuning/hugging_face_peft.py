"""A model of Hugging Face, fitted to one task with the package peft: soft prompt, LoRA, IA3, or all
its weights.

The same idea as in the files beside this one, which show how each works on the small model of the
course: train on the support set, as pairs of a query without examples and its label, then score the
labels of the queries. In place of bottleneck adapters (Houlsby et al. 2019), which peft does not
have, IA3 trains one factor for each key, value and inner number of the feed-forward part (Liu et
al. 2022).
"""

import copy
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from course_lib.episodes import Episode, at_least_one
from course_lib.language_models.hugging_face import TransformersModel
from course_lib.language_models.label_scores import ModelError
from course_lib.learners.prompting import Prompting, Template, fill, word
from course_lib.learners.tuning.tuned import finite_above_0
from course_lib.networks.small import seeded

HOW_TO_INSTALL = (
    "this needs the package peft, which the course does not install by itself: pip install "
    '"peft==0.21.2"'
)
RATES = {
    "soft prompt": 0.01,
    "lora": 1e-3,
    "ia3": 1e-2,
    "full": 1e-4,
}  # learning rates that are usual for a method: try others on your own model
SIZES = {"soft prompt": 20, "lora": 4}  # vectors; rank


class PeftTuning(Prompting):
    """Tunes the model on each task, then prompts it without examples: the logit of a class is log
    P(its label | the query).

    Adam with a constant rate takes every step on the whole support set. The loss is the
    cross-entropy of the labels' tokens over the full vocabulary, so the model also has to learn
    which words are labels. Dropout stays off. Afterwards the model is what it was. While a task is
    tuned, LoRA and IA3 stand inside the model, so it serves one task at a time; "full" trains a
    copy in single precision.

    Args:
        model: a `TransformersModel`.
        labels, template, read, neutral: see `Prompting`; the template's query and label are trained
            on, its example is not used.
        method: one of "soft prompt" (Lester et al. 2021, from words drawn at random), "lora" (Hu et
            al. 2022, a = rank), "ia3", "full".
        size: vectors of the soft prompt, or rank of LoRA.   targets: names of the layers to change,
            where peft does not know the model.
        steps, lr: of Adam.   seed: of what starts at random; every task starts from the same
            numbers.

    Raises:
        ValueError: a setting is out of range, see also `Prompting`.   ModelError: peft is not
            installed, or cannot change this model.
    """

    def __init__(
        self,
        model: TransformersModel,
        method: str = "lora",
        template: Template = Template(),  # noqa: B008, frozen
        labels: Sequence[str] | None = None,
        *,
        read: Callable[[Sequence[int]], str] | None = None,
        neutral: Sequence[str] = (),
        size: int | None = None,
        targets: Sequence[str] | None = None,
        steps: int = 50,
        lr: float | None = None,
        seed: int = 0,
    ):
        super().__init__(model, template, labels, read=read, shots=0, neutral=neutral)
        if not isinstance(model, TransformersModel):
            raise ValueError(
                f"{type(model).__name__} is no model of Hugging Face: tune the small model of the "
                "course with learners/tuning"
            )
        if method not in RATES:
            raise ValueError(f"method={method!r}: choose one of {', '.join(RATES)}")
        if size is not None and method not in SIZES:
            raise ValueError(f"size={size}: {method} has none, leave it out")
        self.method, self.size, self.targets = (
            method,
            SIZES.get(method, 0) if size is None else size,
            targets,
        )
        self.steps, self.lr, self.seed = steps, RATES[method] if lr is None else lr, seed
        at_least_one(steps=steps, **({"size": self.size} if method in SIZES else {}))
        finite_above_0(lr=self.lr)

    def answers(self, tasks: list[tuple[Tensor, Tensor, Tensor, list[str]]]) -> list[Tensor]:
        """Scores of several tasks, one after the other: each (support_x, support_y, query_x,
        labels) -> (Q, N)."""
        found = []
        for task in tasks:
            with self.tuned(*task[:2], task[3]) as model, torch.no_grad():
                found += Prompting(
                    model, self.template, read=self.read, shots=0, neutral=self.neutral
                ).answers([task])
        return found

    @contextmanager
    def tuned(
        self, support_x: Tensor, support_y: Tensor, labels: Sequence[str]
    ) -> Iterator[TransformersModel]:
        """The model as one task leaves it, for as long as the ``with`` block lasts.

        Raises:
            ValueError: the support set is empty or holds a class without a label, or the loss is no
                longer finite.
        """
        prompts = [self.template.write([], [], self.read(row)) for row in support_x.tolist()]
        said = [
            [fill(self.template.label, y=word(list(labels), number))]
            for number in support_y.tolist()
        ]
        if not prompts:
            raise ValueError("the support set is empty: tuning needs at least 1 example")
        with self.prepared() as model, torch.enable_grad():
            optimizer = torch.optim.Adam(
                [weights for weights in model.network.parameters() if weights.requires_grad],
                lr=self.lr,
            )
            for step in range(self.steps):
                optimizer.zero_grad()
                for start in range(0, len(prompts), model.batch):
                    part = slice(start, start + model.batch)
                    loss = -model.log_probs(prompts[part], said[part]).sum() / len(prompts)
                    if not torch.isfinite(loss):
                        raise ValueError(
                            f"the loss of a task is no longer finite at step {step}: lower "
                            f"lr={self.lr}"
                        )
                    loss.backward()
                optimizer.step()
            yield model

    @contextmanager
    def prepared(self) -> Iterator[TransformersModel]:
        """The model with what is to be trained in its place, and nothing else open to training;
        afterwards all is as it was."""
        network = self.model.network
        if self.method == "full":
            yield self.model.around(copy.deepcopy(network).float().requires_grad_())
            return
        try:
            import peft
        except ImportError:
            raise ModelError(HOW_TO_INSTALL) from None
        were_open = [weights.requires_grad for weights in network.parameters()]
        wrapped = None
        try:
            with seeded(self.seed), warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore"
                )  # peft sets what it warns of, the direction of GPT-2's matrices, by itself
                wrapped = self.wrapped(peft)
            soft = self.method == "soft prompt"
            yield self.model.around(wrapped, self.size) if soft else self.model.around(network)
        finally:
            if wrapped is not None and self.method != "soft prompt":
                wrapped.unload()
            for weights, was_open in zip(network.parameters(), were_open, strict=True):
                weights.requires_grad_(was_open)

    def wrapped(self, peft):
        """The model inside peft's.

        Raises:
            ModelError: peft does not know which layers of this model to change, or there are none
                of the names given.
        """
        try:
            return peft.get_peft_model(self.model.network, self.config(peft))
        except ValueError:
            kind, layers = self.model.network.config.model_type, self.model.network.named_modules()
            names = sorted(
                {
                    name.split(".")[-1]
                    for name, layer in layers
                    if getattr(layer, "weight", torch.empty(0)).ndim == 2
                }
            )
            raise ModelError(
                f"peft finds no layers for {self.method} in a {kind}: give targets=[...] with "
                f"some of {', '.join(names)}"
            ) from None

    def config(self, peft):
        """What peft calls a configuration."""
        if self.method == "soft prompt":
            return peft.PromptTuningConfig(
                task_type="CAUSAL_LM",
                num_virtual_tokens=self.size,
                prompt_tuning_init="SAMPLE_VOCAB",
            )
        targets = None if self.targets is None else list(self.targets)
        if self.method == "lora":
            return peft.LoraConfig(
                task_type="CAUSAL_LM", r=self.size, lora_alpha=self.size, target_modules=targets
            )
        return peft.IA3Config(task_type="CAUSAL_LM", target_modules=targets)

    def trainable(self) -> int:
        """How many numbers a task trains."""
        with self.prepared() as model:
            return sum(
                weights.numel() for weights in model.network.parameters() if weights.requires_grad
            )

    def outer_loss(self, episode: Episode) -> Tensor:
        raise ValueError(
            "PeftTuning learns each task from the same start, so there is nothing to meta-train: "
            "use it as it is"
        )

    def settings(self) -> dict:
        return super().settings() | {
            "method": self.method,
            "size": self.size,
            "steps": self.steps,
            "lr": self.lr,
            "seed": self.seed,
        }
