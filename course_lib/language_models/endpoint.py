"""A language model behind a web address that speaks OpenAI's protocol, such as a local server of
llama.cpp or vLLM.

Such a server writes answers. Probabilities of given labels it gives only if it can repeat a prompt
with them (`echo` and `logprobs` of its completions, as vLLM does); for others there is `Answering`.
"""

import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request

import torch
from torch import Tensor

from course_lib.language_models.label_scores import ModelError, upto

KEY = "COURSE_API_KEY"  # the name in the environment; its value is never printed or kept
PATIENCE = 120  # seconds for an answer
LARGEST = 20_000_000  # bytes of an answer


class Endpoint:
    """A model behind an address such as http://127.0.0.1:8080/v1, as a `LanguageModel`.

    Args:
        address: of the server, up to /v1.
        model: the name that the server knows it by; None: the first of its list.
        chat: ask for turns of a conversation (`chat/completions`) instead of going on with a text.
            The server then applies its own template.

    Raises:
        ModelError: the address is none, nobody answers there, or the server has no model.
    """

    context = 1_000_000  # the server counts and refuses
    chats = False  # a prompt reaches the server as one text, which it puts into a turn itself

    def __init__(self, address: str, model: str | None = None, chat: bool = False):
        parts = urllib.parse.urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ModelError(f"{address!r} is no address: write one as http://127.0.0.1:8080/v1")
        if parts.username or parts.password:
            raise ModelError(f"take the password out of the address and put it into {KEY}")
        self.address, self.chat = address.rstrip("/"), chat
        self.device = torch.device("cpu")  # of the numbers that come back
        self.name = model or self.first()

    def first(self) -> str:
        listed = self.ask("models").get("data")
        try:
            return str(listed[0]["id"])
        except (LookupError, TypeError):
            raise ModelError(f"{self.address} lists no model: name one with model=...") from None

    def tokens(self, text: str) -> list[int]:
        """The bytes of a text: the server does not say how it cuts."""
        return list(text.encode())

    def generate(self, prompt: str, words: int = 40, stop: str | None = "\n") -> str:
        """See `LanguageModel.generate`."""
        asked = {"model": self.name, "max_tokens": words, "temperature": 0}
        if self.chat:
            said = self.ask("chat/completions", asked | {"messages": [turn(prompt)]})
        else:
            said = self.ask("completions", asked | {"prompt": prompt})
        try:
            choice = said["choices"][0]
            text = choice["message"]["content"] if self.chat else choice["text"]
            return upto(text or "", stop)
        except (LookupError, TypeError, AttributeError):
            raise self.odd(said) from None

    def log_probs(
        self, prompts: list[str], labels: list[list[str]], per_token: bool = False
    ) -> Tensor:
        """See `LanguageModel.log_probs`.

        Raises:
            ModelError: the server does not repeat a prompt with its probabilities.
        """
        rows = [
            [self.one(prompt, label, per_token) for label in own]
            for prompt, own in zip(prompts, labels, strict=True)
        ]
        return torch.tensor(rows)

    def one(self, prompt: str, label: str, per_token: bool) -> float:
        """log P(label | prompt). A token that begins in the prompt and ends in the label counts."""
        asked = {"model": self.name, "prompt": prompt + label, "max_tokens": 0, "temperature": 0}
        said = self.ask("completions", asked | {"echo": True, "logprobs": 1})
        try:
            found = said["choices"][0]["logprobs"]
            starts, values = found["text_offset"], found["token_logprobs"]
            ends = [*starts[1:], len(prompt + label)]
            own = [value for value, end in zip(values, ends, strict=True) if end > len(prompt)]
            total = float(sum(own))
        except (LookupError, TypeError, ValueError):
            raise ModelError(
                f"{self.address} does not give the probability of a given text; let it write its "
                "answers instead: Answering(model, ...)"
            ) from None
        if not own:
            raise self.odd(said)
        return total / len(own) if per_token else total

    def ask(self, path: str, body: dict | None = None) -> dict:
        """One question to the server, and its answer as a table.

        Raises:
            ModelError: nobody answers, the server refuses, or what it says is no table.
        """
        headers = {"Content-Type": "application/json", "User-Agent": "learning-to-learn"}
        if key := os.environ.get(KEY):
            headers["Authorization"] = f"Bearer {key}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/{path}", data, headers)
        try:
            with OPENER.open(request, timeout=PATIENCE) as answer:
                text = answer.read(LARGEST + 1)
        except urllib.error.HTTPError as error:
            why = error.read(300).decode(errors="replace")
            raise ModelError(self.hidden(f"{self.address} refuses: {error.code} {why}")) from None
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "reason", None) or error
            raise ModelError(
                f"nobody answers at {self.address} ({why}): start the server, or correct the "
                "address"
            ) from None
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise self.odd(text[:100].decode(errors="replace"))
        return found

    def odd(self, said) -> ModelError:
        return ModelError(
            self.hidden(f"{self.address} does not speak OpenAI's protocol, it said {said!r:.150}")
        )

    @staticmethod
    def hidden(text: str) -> str:
        """A text without the key, which a server might repeat."""
        key = os.environ.get(KEY)
        return text.replace(key, "(the key)") if key else text


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """The key goes to the address that was named and to no other."""

    def redirect_request(self, *given):
        return None


OPENER = urllib.request.build_opener(NoRedirect)


def turn(text: str) -> dict:
    return {"role": "user", "content": text}
