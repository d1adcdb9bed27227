"""Two models that can be prompted: the course's own small one, and any causal language model of
Hugging Face.

Both answer the same questions: how probable is this text after that one, and how does that one go
on?
"""

import torch
from torch import Tensor, nn

from course_lib.families import prompt_worlds as worlds
from course_lib.language_models.hugging_face import HOW_TO_INSTALL, TransformersModel
from course_lib.language_models.label_scores import Cut, ModelError, ended, room, score_labels, upto
from course_lib.language_models.tiny_gpt import TinyGPT, shipped_model

__all__ = [
    "HOW_TO_INSTALL",
    "ModelError",
    "TinyModel",
    "TransformersModel",
    "best_device",
    "open_model",
]


class TinyModel(nn.Module):
    """The small transformer of the course, as a `LanguageModel`: words with spaces between them,
    one token each."""

    def __init__(self, network: TinyGPT, batch: int = 256):
        super().__init__()
        self.network, self.batch, self.context = network, batch, network.size.context

    text = staticmethod(worlds.text)  # how its token ids are read

    @property
    def device(self) -> torch.device:
        return self.network.embedding.weight.device

    def tokens(self, text: str) -> list[int]:
        """See `worlds.encode`, which refuses words that the model has never seen."""
        try:
            return worlds.encode(text)
        except ValueError as error:
            raise ModelError(str(error)) from None

    def cut(self, prompt: str, labels: list[str]) -> list[Cut]:
        """Words never join, so prompt and label are cut apart, whether or not a space stands
        between them."""
        before = self.tokens(prompt)
        return [(before + self.tokens(label), len(before)) for label in labels]

    def scores(self, rows: Tensor, lengths: Tensor, places: Tensor) -> Tensor:
        return self.network(rows)[:, places]

    def log_probs(self, prompts: list[str], labels: list[list[str]]) -> Tensor:
        """See `LanguageModel.log_probs`."""
        return score_labels(self, prompts, labels, self.device, self.batch)

    @torch.no_grad()
    def generate(self, prompt: str, words: int = 40, stop: str | None = "\n") -> str:
        """See `LanguageModel.generate`."""
        ids, begin = room(self, self.tokens(prompt), words)
        while (
            len(ids) < begin + words
            and len(ids) < self.context
            and not ended(worlds.text(ids[begin:]), stop)
        ):
            following = int(self.network(torch.tensor([ids], device=self.device))[0, -1].argmax())
            if not following:  # the filling: the model has nothing to add
                break
            ids.append(following)
        return upto(worlds.text(ids[begin:]), stop)

    def next_words(self, prompt: str, count: int = 8) -> list[tuple[str, float]]:
        """The most probable next tokens with their probabilities.

        Raises:
            ValueError: the prompt is empty, too long, or holds a word that the model has never
                seen.
        """
        ids = self.tokens(prompt)
        if not ids:
            raise ModelError("the prompt is empty: write at least one word")
        with torch.no_grad():
            chances = self.network(torch.tensor([ids], device=self.device))[0, -1].softmax(-1)
        top = chances.topk(count)
        return [
            (worlds.TOKENS[i], p)
            for i, p in zip(top.indices.tolist(), top.values.tolist(), strict=True)
        ]


def open_model(name=None, device=None) -> TinyModel | TransformersModel:
    """The model of the course, or with a folder or hub name one of Hugging Face, on the best device
    there is. Prints what was opened.

    Raises:
        ModelError: see `TransformersModel`; a notebook shows its sentence alone.
    """
    device = device or best_device()
    if name is None:
        model, called = TinyModel(shipped_model().to(device)), "the small model of this course"
    else:
        model, called = TransformersModel(name, device), str(name)
    numbers = sum(weights.numel() for weights in model.network.parameters())
    size = (
        f"{numbers / 1e9:.1f} billion"
        if numbers >= 1e9
        else f"{numbers / 1e6:.1f} million"
        if numbers >= 1e5
        else f"{numbers:,}"
    )
    print(f"{called}: {size} weights on {model.device}, reads up to {model.context} tokens")
    return model


def best_device() -> str:
    """cuda, mps or cpu."""
    return (
        "cuda"
        if torch.cuda.is_available()
        else "mps"
        if torch.backends.mps.is_available()
        else "cpu"
    )
