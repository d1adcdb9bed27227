"""Any causal language model of Hugging Face, to be prompted like the small one of the course. The
package transformers is optional."""

import inspect
import re
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from course_lib import expanded
from course_lib.episodes import at_least_one
from course_lib.language_models.label_scores import (
    WORTH,
    Cut,
    ModelError,
    common,
    cut_together,
    ended,
    room,
    score_labels,
    upto,
)

HOW_TO_INSTALL = (
    "this needs the package transformers, which the course does not install by itself: pip "
    'install "transformers==5.23.0"'
)
ROLES = ("user", "assistant")
CANNOT_LOAD = "give a folder with config.json, weights and a tokenizer, or a name on the hub"


class TransformersModel(nn.Module):
    """A causal language model of Hugging Face, as a `LanguageModel`. Scores are in single
    precision.

    Its weights are frozen, so that a prompt needs no memory for gradients;
    ``model.requires_grad_()`` opens them to training. Marks that the tokenizer puts before every
    text, such as ``<s>``, are put before every prompt: the model was trained with them.

    Args:
        name: a folder that holds model and tokenizer, a GGUF file of llama.cpp (this needs the
            package gguf), or a name on the hub, which is then downloaded.
        device: where it runs.   batch: texts at a time.   dtype: of the weights, such as
            torch.bfloat16; None: as they were saved.

    Raises:
        ModelError: transformers is not installed, there is no such model or device, weights are
            missing, or it is not causal.
    """

    def __init__(self, name, device="cpu", batch: int = 16, dtype: torch.dtype | None = None):
        super().__init__()
        try:
            import transformers
        except ImportError:
            raise ModelError(HOW_TO_INSTALL) from None
        folder = expanded(name)
        where, one_file = str(folder) if folder.exists() else str(name), {}
        if folder.is_file() and folder.suffix == ".gguf":
            where, one_file = str(folder.parent), {"gguf_file": folder.name}
        if not folder.exists() and not re.fullmatch(
            r"[\w.-]+(/[\w.-]+)?", where
        ):  # no name of the hub looks like that
            raise ModelError(
                f"no causal language model at {name} (there is no such folder): {CANNOT_LOAD}"
            )
        try:
            with quiet(transformers):
                # never run code that comes with a model, and never ask whether to
                safe = {"trust_remote_code": False} | one_file
                tokenizer = transformers.AutoTokenizer.from_pretrained(where, **safe)
                load = transformers.AutoModelForCausalLM.from_pretrained
                kind = "auto" if dtype is None else dtype
                network, about = load(where, dtype=kind, output_loading_info=True, **safe)
        # whatever the library raises: no file, no network, damaged weights, a tokenizer that needs
        # a package
        except Exception as error:
            if "trust_remote_code" in str(error):
                raise ModelError(
                    f"{name} would run code of its own, which the course does not do: choose a "
                    "model of a kind that transformers knows, such as GPT-2 or Llama"
                ) from None
            raise ModelError(
                f"no causal language model at {name} ({reason(error)}): {CANNOT_LOAD}"
            ) from None
        if about["missing_keys"]:
            raise ModelError(
                f"{name} is not a causal language model: it lacks the weights "
                f"{', '.join(sorted(about['missing_keys'])[:3])}; choose another"
            )
        try:
            network = network.to(device).eval().requires_grad_(False)
        except (RuntimeError, AssertionError) as error:
            raise ModelError(
                f"{name} cannot be put on device {device!r} ({reason(error)}): choose another "
                "device or a smaller model"
            ) from None
        if not is_causal(network):
            raise ModelError(
                f"{name} is not a causal language model: what it says of a word depends on later "
                "words; choose one such as GPT-2 or Llama"
            )
        self.prepare(network, tokenizer, batch)

    def prepare(self, network, tokenizer, batch: int, vectors: int = 0) -> None:
        at_least_one(batch=batch)
        self.network, self.tokenizer, self.batch, self.vectors = network, tokenizer, batch, vectors
        config = network.config.get_text_config(decoder=True)
        self.context = (
            getattr(config, "max_position_embeddings", None) or tokenizer.model_max_length
        ) - vectors
        self.front = front_marks(tokenizer)
        self.read: tuple[list[int], list | None] = ([], None)  # by the last `generate`
        self.keeps: bool | None = None  # whether keys and values are all it keeps; None: not known
        if getattr(network, "dtype", torch.float32).itemsize < 4:
            exact_scores(network)

    def around(self, network, vectors: int = 0) -> "TransformersModel":
        """The same tokenizer and settings with another network, which puts so many trained vectors
        before each text."""
        other = TransformersModel.__new__(TransformersModel)
        nn.Module.__init__(other)
        other.prepare(network, self.tokenizer, self.batch, vectors)
        return other

    @property
    def chooses(self) -> bool:
        """Whether the network gives scores at chosen places alone."""
        asked = getattr(self.network, "forward", self.network)
        return "logits_to_keep" in inspect.signature(asked).parameters

    @property
    def device(self) -> torch.device:
        return self.network.device

    def tokens(self, text: str) -> list[int]:
        """Token ids, without marks of beginning or end.

        Raises:
            ModelError: the tokenizer knows more tokens than the model.
        """
        ids = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        rows = self.network.get_input_embeddings().num_embeddings
        if ids and max(ids) >= rows:
            raise ModelError(
                f"{text[-40:]!r} has token {max(ids)} and the model knows {rows}: this is not the "
                "model's own tokenizer"
            )
        return ids

    def cut(self, prompt: str, labels: list[str]) -> list[Cut]:
        """See `cut_together`."""
        return cut_together(self.tokens, self.front_of(prompt), prompt, labels)

    def front_of(self, prompt: str) -> list[int]:
        """The marks before a prompt: none where a chat template has written them already."""
        mark = self.tokenizer.bos_token
        return [] if mark and prompt.startswith(mark) else self.front

    def marked(self, prompt: str) -> list[int]:
        return self.front_of(prompt) + self.tokens(prompt)

    @property
    def chats(self) -> bool:
        """Whether the model's tokenizer knows how a conversation is written."""
        return bool(getattr(self.tokenizer, "chat_template", None))

    def conversation(self, turns, query: str, instruction: str = "") -> tuple[str, str]:
        """Examples as turns of a conversation, and the query as its last: the text up to where the
        answer begins, and what ends an answer.

        Args:
            turns: pairs (said by the user, answered by the model).
            instruction: for the system's turn; before the first turn where a template has none.

        Raises:
            ModelError: there is no chat template, or it refuses these turns.
        """
        if not self.chats:
            raise ModelError("this model has no chat template: use chat=False")
        said = [(role, text) for pair in turns for role, text in zip(ROLES, pair, strict=True)]
        said.append(("user", query))
        told = [("system", instruction.strip())] if instruction.strip() else []
        try:
            text = self.rendered(told + said, open_end=True)
        except Exception:  # some templates know no system
            first = (said[0][0], f"{instruction.strip()}\n\n{said[0][1]}")
            try:
                text = self.rendered([first, *said[1:]], open_end=True)
            except Exception as error:
                why = f"the chat template refuses ({reason(error)}): use chat=False"
                raise ModelError(why) from None
        sign = "\u2603"  # stands nowhere in a template
        tail = self.rendered([("user", "a"), ("assistant", sign)], open_end=False)
        return text, tail.partition(sign)[2].rstrip()

    def rendered(self, said, open_end: bool) -> str:
        """Turns as text; a model that would think aloud first is told not to."""
        messages = [{"role": role, "content": text} for role, text in said]
        form = {"tokenize": False, "add_generation_prompt": open_end, "enable_thinking": False}
        return self.tokenizer.apply_chat_template(messages, **form)

    def scores(self, rows: Tensor, lengths: Tensor, places: Tensor, memory=None) -> Tensor:
        before = 0 if memory is None else memory[0][0].shape[2]
        columns = torch.arange(before + rows.shape[1], device=rows.device)
        seen = (columns < before + lengths[:, None]).long()
        past: dict = {"use_cache": False}
        if memory is not None:  # one row's keys and values stand before every row
            kept = [tuple(part.expand(len(rows), -1, -1, -1) for part in layer) for layer in memory]
            past = {"use_cache": True, "past_key_values": self.cache(kept)}
        # a row of scores has as many numbers as there are tokens
        if self.chooses:
            return self.network(
                input_ids=rows, attention_mask=seen, logits_to_keep=places, **past
            ).logits
        return self.network(input_ids=rows, attention_mask=seen, **past).logits[
            :, places + self.vectors
        ]

    def remember(self, ids: list[int]) -> list[tuple[Tensor, Tensor]] | None:
        """Keys and values of tokens that many rows begin with, each (1, heads, P, D), a pair a
        layer. None for a network that keeps anything else, such as states or a window."""
        if self.vectors or self.keeps is False:
            return None
        few = {"logits_to_keep": 1} if self.chooses else {}
        row = torch.tensor([ids], device=self.device)
        answer = self.network(input_ids=row, use_cache=True, **few)
        return self.kept(getattr(answer, "past_key_values", None))

    def kept(self, cache) -> list[tuple[Tensor, Tensor]] | None:
        """Keys and values of a cache, a pair a layer, if it holds these and nothing else."""
        from transformers.cache_utils import DynamicCache, DynamicLayer

        self.keeps = type(cache) is DynamicCache and all(
            type(layer) is DynamicLayer for layer in cache.layers
        )
        return [(layer.keys, layer.values) for layer in cache.layers] if self.keeps else None

    def cache(self, pairs: list[tuple[Tensor, Tensor]]):
        from transformers.cache_utils import DynamicCache

        return DynamicCache(pairs)

    def log_probs(
        self, prompts: list[str], labels: list[list[str]], per_token: bool = False
    ) -> Tensor:
        """See `LanguageModel.log_probs`. Prompt and label are cut into tokens together: see
        `cut_together`."""
        return score_labels(self, prompts, labels, self.device, self.batch, per_token)

    @torch.no_grad()
    def generate(self, prompt: str, words: int = 40, stop: str | None = "\n") -> str:
        """See `LanguageModel.generate`. Spaces at the end of the prompt are left out: the next word
        brings its own. What the prompt shares with the one before it is not read again."""
        ids, begin = room(self, self.marked(prompt.rstrip(" ")), words)
        ends, text = end_marks(self.network, self.tokenizer), ""
        shown, cache = self.going_on(ids)
        while len(ids) < begin + words and len(ids) < self.context and not ended(text, stop):
            past = {} if cache is None else {"past_key_values": cache}
            answer = self.network(
                input_ids=torch.tensor([shown], device=self.device), use_cache=True, **past
            )
            cache, following = (
                getattr(answer, "past_key_values", None),
                int(answer.logits[0, -1].argmax()),
            )
            if len(shown) == len(ids) == begin:  # the whole prompt was read
                self.read = ids[:begin], self.kept(cache)
            if following in ends:
                break
            ids.append(following)
            shown = ids if cache is None else ids[-1:]
            text = self.decode(ids)[len(self.decode(ids[:begin])) :]
        return upto(text, stop)

    def going_on(self, ids: list[int]) -> tuple:
        """What of a prompt is still to be read, and the cache of what it shares with the last."""
        before, memory = self.read
        shared = min(common(before, ids), len(ids) - 1)
        if memory is None or shared < max(WORTH, len(ids) // 2):
            return ids, None
        return ids[shared:], self.cache([(k[:, :, :shared], v[:, :, :shared]) for k, v in memory])

    def decode(self, ids: list[int]) -> str:
        return self.tokenizer.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )


def exact_scores(network) -> None:
    """Let a network of half precision multiply its last layer out in single precision: labels are
    compared by differences that bfloat16, with its 8 bits, would round away.

    In pieces of the vocabulary, so that no second copy of the layer is ever held.
    """
    last = network.get_output_embeddings()
    if not isinstance(last, nn.Linear):
        return

    def forward(hidden: Tensor) -> Tensor:
        pieces = last.weight.split(8192)
        scores = torch.cat([hidden.float() @ piece.float().T for piece in pieces], -1)
        return scores if last.bias is None else scores + last.bias.float()

    last.forward = forward


def is_causal(network) -> bool:
    """Whether another last token leaves all that is said before it as it was. Asked of the model
    itself: its name and settings can mislead."""
    rows = (
        torch.tensor([[0, 1, 2, 0], [0, 1, 2, 3]], device=network.device)
        % network.get_input_embeddings().num_embeddings
    )
    with torch.no_grad():
        one, other = network(input_ids=rows, use_cache=False).logits[:, :3].float()
    rounding = 1e-5 if network.dtype == torch.float32 else 1e-2
    return bool((one - other).abs().max() <= rounding * one.abs().max())


def front_marks(tokenizer) -> list[int]:
    """The tokens that a tokenizer puts before every text unless told not to; marks at the end are
    no part of a text that goes on."""
    marked, plain = (
        tokenizer("a")["input_ids"],
        tokenizer("a", add_special_tokens=False)["input_ids"],
    )
    places = [i for i in range(len(marked) - len(plain) + 1) if marked[i : i + len(plain)] == plain]
    return marked[: places[0]] if places else []


def end_marks(network, tokenizer) -> set[int]:
    """The tokens with which a model ends a text."""
    said = [tokenizer.eos_token_id, getattr(network.generation_config, "eos_token_id", None)]
    return {
        mark
        for marks in said
        if marks is not None
        for mark in (marks if isinstance(marks, list) else [marks])
    }


def reason(error: Exception) -> str:
    """The first line of an error, without its full stop and not longer than a line."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".:")
    return line if len(line) <= 160 else line[:157] + "..."


@contextmanager
def quiet(transformers):
    """Neither the warnings nor the bars of transformers while a model is loaded; a download still
    shows its own."""
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
