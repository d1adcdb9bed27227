"""What a language model must be able to do to be prompted."""

from typing import Protocol

from torch import Tensor


class LanguageModel(Protocol):
    """What a model must be able to do to be prompted."""

    context: int  # how many tokens it can read

    def tokens(self, text: str) -> list[int]:
        """The ids of the tokens of a text."""

    def log_probs(
        self, prompts: list[str], labels: list[list[str]], per_token: bool = False
    ) -> Tensor:
        """log P(label | prompt), summed over the label's tokens: n prompts with N labels each ->
        (n, N). With ``per_token`` the mean over them instead, so that a long label costs no more
        than a short one."""

    def generate(self, prompt: str, words: int = 40, stop: str | None = "\n") -> str:
        """How the prompt goes on when the most probable token is taken each time.

        Args:
            words: at most so many tokens, which are words or parts of them.
            stop: ends the text, once something stands before it; it is left out. None: only the
                model or ``words`` end it.

        Returns:
            The text without space around it. It also ends where the model ends it, and where no
            more fits into its context.
        """
