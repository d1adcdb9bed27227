"""Two models that can be prompted: the course's own small one, and any causal language model of
Hugging Face.

Both answer the same questions: how probable is this text after that one, and how does that one go
on?
"""

import torch
from torch import Tensor, nn

from course_lib import expanded
from course_lib.families import prompt_worlds as worlds
from course_lib.language_models import smollm
from course_lib.language_models.endpoint import Endpoint
from course_lib.language_models.hugging_face import HOW_TO_INSTALL, TransformersModel
from course_lib.language_models.label_scores import Cut, ModelError, ended, room, score_labels, upto
from course_lib.language_models.tiny_gpt import TinyGPT, shipped_model

__all__ = [
    "Endpoint",
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

    def scores(self, rows: Tensor, lengths: Tensor, places: Tensor, memory=None) -> Tensor:
        past = {} if memory is None else {"memory": memory}
        return self.network(rows, **past)[:, places]

    def remember(self, ids: list[int]):
        """See `TinyGPT.remember`."""
        return self.network.remember(torch.tensor([ids], device=self.device))

    def log_probs(
        self, prompts: list[str], labels: list[list[str]], per_token: bool = False
    ) -> Tensor:
        """See `LanguageModel.log_probs`."""
        return score_labels(self, prompts, labels, self.device, self.batch, per_token)

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


def open_model(
    name=None, device=None, *, dtype: torch.dtype | None = None, batch: int | None = None
) -> TinyModel | TransformersModel | Endpoint:
    """A model to be prompted, on the best device there is. Prints what was opened.

    Args:
        name: None, the small model of the course; "smollm", SmolLM2-135M-Instruct once it was
            fetched; a folder, a GGUF file, or a name on the hub, one of Hugging Face; an address
            such as http://127.0.0.1:8080/v1, one behind an `Endpoint`.
        dtype: of the weights. None: as the model was saved, but single precision on a CPU for
            "smollm".
        batch: texts that run through the model together.

    Raises:
        ModelError: see `TransformersModel`; a notebook shows its sentence alone.
    """
    if isinstance(name, str) and name.startswith(("http://", "https://")):
        model = Endpoint(name)
        print(f"{model.name} at {model.address}: it writes answers, so use Answering")
        return model
    device = device or best_device()
    asked = {} if batch is None else {"batch": batch}
    if name is None:
        model = TinyModel(shipped_model().to(device, dtype), **asked)
        called = "the small model of this course"
    elif name == "smollm" and not expanded(name).exists():
        if dtype is None:
            dtype = torch.float32 if str(device) == "cpu" else torch.bfloat16
        folder = smollm.whole(smollm.smollm_folder())
        model, called = TransformersModel(folder, device, dtype=dtype, **asked), smollm.NAME
    else:
        model, called = TransformersModel(name, device, dtype=dtype, **asked), str(name)
    numbers = sum(weights.numel() for weights in model.network.parameters())
    size = (
        f"{numbers / 1e9:.1f} billion"
        if numbers >= 1e9
        else f"{numbers / 1e6:.1f} million"
        if numbers >= 1e5
        else f"{numbers:,}"
    )
    print(f"{called}: {size} weights on {model.device}, reads up to {model.context} tokens")
    if getattr(model, "chats", False):
        print("it has a chat template: Prompting writes examples as turns (chat=False: as text)")
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
