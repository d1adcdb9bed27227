"""Generate and match: let a language model write its answer, and look for a label in it.

For models that give no probabilities, such as those behind a web address. What matches no label is
counted: it is part of the result.
"""

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from course_lib.learners.prompting import Prompting

SURE = 20.0  # the logit of the label that was found


class Answering(Prompting):
    """The logit of a class is `SURE` where its label stands first in the written answer, else 0.

    An answer without a label leaves all classes at 0, and class 0 counts as the answer: families
    number classes anew in each task, so this is a guess.

    Args:
        words: tokens that the model may write.   others: see `Prompting`; there is nothing to
            calibrate.

    Attributes:
        unmatched: the share of the last call's answers in which no label stood.
        said: those answers, as they were written.
    """

    def __init__(self, model, *given, words: int = 12, **settings):
        super().__init__(model, *given, **settings)
        if self.neutral or self.batch or self.per_token:
            raise ValueError("answers that are written have no probabilities to be calibrated")
        self.words, self.unmatched, self.said = words, 0.0, []

    def answers(self, tasks) -> list[Tensor]:
        found, self.said = [], []
        for support_x, support_y, query_x, words in tasks:
            xs, ys = self.shown(support_x, support_y, words)
            prompts = [self.write(xs, ys, self.read(row))[0] for row in query_x.tolist()]
            said = [self.model.generate(prompt, self.words) for prompt in prompts]
            self.said += said
            found.append([match(answer, words) for answer in said])
        every = [number for row in found for number in row]
        self.unmatched = every.count(None) / len(every)
        return [
            torch.stack([one_hot(number, len(words), query_x.device) for number in row])
            for row, (_, _, query_x, words) in zip(found, tasks, strict=True)
        ]


def one_hot(number: int | None, classes: int, device) -> Tensor:
    logits = torch.zeros(classes, device=device)
    if number is not None:
        logits[number] = SURE
    return logits


def match(answer: str, labels: Sequence[str]) -> int | None:
    """The number of the label that stands first in an answer, as a whole word and in any case; of
    two that begin at the same place, the longer one. None: there is none."""
    places = []
    for number, label in enumerate(labels):
        whole = rf"(?<!\w){re.escape(label.strip().casefold())}(?!\w)"
        if place := re.search(whole, answer.casefold()):
            places.append((place.start(), -len(label), number))
    return min(places)[2] if places else None
