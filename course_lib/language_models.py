"""Two models that can be prompted: the course's own small one, and any causal language model of Hugging Face.

Both answer the same question: how probable is this text after that one?
"""

import torch
from torch import Tensor, nn

from course_lib.families import worlds
from course_lib.tiny_gpt import TinyGPT

HOW_TO_INSTALL = 'this needs the package transformers, which the course does not install by itself: pip install "transformers==5.23.0"'


class ModelError(ValueError):
    """A language model that cannot be loaded, or not be asked this. The message says what to change."""


class TinyModel(nn.Module):
    """The small transformer of the course, as a `LanguageModel`: words with spaces between them, one token each."""

    def __init__(self, network: TinyGPT, batch: int = 256):
        super().__init__()
        self.network, self.batch, self.context = network, batch, network.size.context

    def tokens(self, text: str) -> list[int]:
        """See `worlds.encode`, which refuses words that the model has never seen."""
        return worlds.encode(text)

    def log_probs(self, prompts: list[str], labels: list[list[str]]) -> Tensor:
        """See `LanguageModel.log_probs`."""
        device = self.network.embedding.weight.device
        return score_labels(self, prompts, labels, lambda rows, _: self.network(rows), device, self.batch)

    def next_words(self, prompt: str, count: int = 8) -> list[tuple[str, float]]:
        """The most probable next tokens with their probabilities.

        Raises:
            ValueError: the prompt is empty, too long, or holds a word that the model has never seen.
        """
        ids = self.tokens(prompt)
        if not ids:
            raise ModelError("the prompt is empty: write at least one word")
        with torch.no_grad():
            chances = self.network(torch.tensor([ids], device=self.network.embedding.weight.device))[0, -1].softmax(-1)
        top = chances.topk(count)
        return [(worlds.TOKENS[i], p) for i, p in zip(top.indices.tolist(), top.values.tolist())]


class TransformersModel(nn.Module):
    """A causal language model of Hugging Face, as a `LanguageModel`.

    Args:
        name: a folder that holds model and tokenizer, or a name on the hub, which is then downloaded.
        device: where it runs.   batch: texts at a time.

    Raises:
        ModelError: transformers is not installed, or there is no such model.
    """

    def __init__(self, name, device="cpu", batch: int = 16):
        super().__init__()
        try:
            import transformers
        except ImportError as error:
            raise ModelError(HOW_TO_INSTALL) from error
        try:
            self.tokenizer = transformers.AutoTokenizer.from_pretrained(name)
            self.network = transformers.AutoModelForCausalLM.from_pretrained(name).to(device).eval()
        except (OSError, ValueError) as error:
            raise ModelError(f"no causal language model at {name}: give a folder with config.json and a tokenizer, or a name on the hub") from error
        self.batch = batch
        self.context = getattr(self.network.config, "max_position_embeddings", None) or self.tokenizer.model_max_length

    def tokens(self, text: str) -> list[int]:
        """Token ids, without marks of beginning or end."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def log_probs(self, prompts: list[str], labels: list[list[str]]) -> Tensor:
        """See `LanguageModel.log_probs`. Prompt and label are cut into tokens one by one, and put side by side."""

        def scores(rows: Tensor, lengths: Tensor) -> Tensor:
            seen = (torch.arange(rows.shape[1], device=rows.device) < lengths[:, None]).long()
            return self.network(input_ids=rows, attention_mask=seen).logits

        return score_labels(self, prompts, labels, scores, self.network.device, self.batch)


def score_labels(model, prompts: list[str], labels: list[list[str]], scores_of, device, batch: int) -> Tensor:
    """log P(label | prompt) of n prompts with N labels each: (n, N).

    Texts are filled up on the right. A causal model never looks there, so filling changes nothing.

    Args:
        scores_of: (rows (B, L), lengths (B,)) -> scores (B, L, V) of the next token at every place.

    Raises:
        ValueError: a label has no tokens, a prompt has more labels than another, or with its label is longer than the context.
    """
    if len({len(row) for row in labels}) != 1:
        raise ModelError(f"labels a prompt: {[len(row) for row in labels]}: give at least one prompt, and every prompt equally many labels")
    known = {text: model.tokens(text) for text in {*prompts, *(label for row in labels for label in row)}}
    jobs = [(known[prompt], known[label], label) for prompt, row in zip(prompts, labels, strict=True) for label in row]
    for before, after, label in jobs:
        if not after:
            raise ModelError(f"label {label!r} has no tokens: choose a word that the model can read")
        if not before:
            raise ModelError("a prompt is empty: it needs at least one token in front of the label")
        if len(before) + len(after) > model.context:
            raise ModelError(
                f"a prompt with its label has {len(before) + len(after)} tokens and the model reads {model.context}: use fewer or shorter examples"
            )
    order = sorted(range(len(jobs)), key=lambda i: len(jobs[i][0]) + len(jobs[i][1]))  # texts of like length together
    found: dict[int, Tensor] = {}
    for start in range(0, len(order), batch):
        part = order[start : start + batch]
        texts = [torch.tensor(jobs[i][0] + jobs[i][1], device=device) for i in part]
        rows = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True)
        lengths = torch.tensor([len(text) for text in texts], device=device)
        scores = scores_of(rows, lengths)
        for row, i in enumerate(part):
            first, end = len(jobs[i][0]), int(lengths[row])
            log_p = scores[row, first - 1 : end - 1].log_softmax(-1)  # each token is foretold one place earlier
            found[i] = log_p.gather(1, rows[row, first:end, None]).sum()
    return torch.stack([found[i] for i in range(len(jobs))]).view(len(prompts), -1)
