"""Training text for the small language model: prompts that give examples, or an instruction, or
both.

A prompt is a list of tokens. Most tokens are worth little to learn; the answers are what counts, so
each token carries a weight. Nothing that is held out ever stands in a training prompt that maps
words to labels: two kinds of one group, or a kind and a label of one group (see prompt_worlds.py).
Prompts that ask for the kind itself, or copy a word, use all words together.
"""

import random
from dataclasses import replace

import torch
from torch import Tensor

from course_lib.episodes import Episode, at_least_one
from course_lib.families.prompt_tokens import (
    DIGITS,
    GROUPS,
    KINDS,
    LABELS,
    LETTERS,
    LINE_ENDS,
    SEPARATORS,
)
from course_lib.families.prompt_worlds import ID, KIND_GROUP, LABEL_GROUP, TOKENS

OTHER = 0.1  # weight of a token that is no answer
MIXTURE = {"map": 0.50, "instructed": 0.20, "kind": 0.15, "yes_no": 0.08, "copy": 0.07}
WORDINGS = [
    "{kind} means {label}",
    "{kind} is called {label}",
    "write {kind} as {label}",
    "if {kind} then {label}",
]
UNSEEN_WORDINGS = [
    "every {kind} goes with {label}",
    "{kind} belongs under {label}",
    "use {label} when {kind}",
    "{label} stands for {kind}",
]
KIND_ASKED = ["name the kind", "what kind is it ?", "write the kind ."]
COPY_ASKED = ["copy the word", "write the word ."]


class PromptMixture:
    """Random training prompts, by `MIXTURE`.

    Args:
        length: tokens a prompt is cut to.
    """

    def __init__(self, length: int = 72):
        at_least_one(length=length)
        self.length = length

    def batch(self, size: int, seed: str) -> tuple[Tensor, Tensor]:
        """Token ids (size, length) and the weight of each token as a thing to predict, of the same
        shape. The seed decides all."""
        draw = random.Random(seed)
        prompts = [self.prompt(draw) for _ in range(size)]
        tokens = torch.tensor([[ID[token] for token, _ in prompt] for prompt in prompts])
        return tokens, torch.tensor([[weight for _, weight in prompt] for prompt in prompts])

    def prompt(self, draw: random.Random, kind: str = "") -> list[tuple[str, float]]:
        """One prompt as (token, weight) pairs, exactly ``length`` of them; of one ``kind`` of
        `MIXTURE`, if it is told."""
        make = getattr(self, kind or draw.choices(list(MIXTURE), MIXTURE.values())[0])
        self.separator, self.end = draw.choice(SEPARATORS), draw.choice(LINE_ENDS)
        asked, examples = make(draw)
        prompt = [(token, OTHER) for token in prefix(draw) + asked]
        while len(prompt) < self.length:
            word, answer, weight = examples()
            prompt += [(word, OTHER), (self.separator, OTHER), (answer, weight), (self.end, OTHER)]
        return prompt[: self.length]

    def map(self, draw: random.Random, instructed: bool = False):
        """Words to made-up labels: 2 to 4 labels, one kind each, or two kinds each of 2 labels."""
        count, per_label = draw.choice([(2, 1), (2, 1), (2, 2), (3, 1), (4, 1)])
        groups = draw.sample(range(GROUPS), count * per_label)
        kinds = [
            draw.choice([kind for kind in KINDS if KIND_GROUP[kind] == group]) for group in groups
        ]
        free = [label for label in LABELS if LABEL_GROUP[label] not in groups]
        # names of any kinds, as labels that mean nothing
        if not instructed and draw.random() < 0.14:
            free = list(KINDS)
        labels = draw.sample(free, count)
        few = draw.randint(1, 3) if draw.random() < 0.5 else 12
        words = {kind: draw.sample(KINDS[kind], few) for kind in kinds}
        noise = 0.0 if instructed or draw.random() > 0.3 else draw.uniform(0, 0.4)

        def example():
            which = draw.randrange(len(kinds))
            word, label = draw.choice(words[kinds[which]]), labels[which % count]
            return (word, draw.choice(labels), 0.0) if draw.random() < noise else (word, label, 1.0)

        asked = []
        if instructed:
            wording = draw.choice(WORDINGS)
            rules = [(kind, labels[i % count]) for i, kind in enumerate(kinds)]
            asked = instruction(draw.sample(rules, len(rules)), wording)
        return asked, example

    def instructed(self, draw: random.Random):
        """As `map`, with the rule said first."""
        return self.map(draw, instructed=True)

    def kind(self, draw: random.Random):
        """Words to the names of their kinds, in half of the cases with the question."""
        kinds = draw.sample(list(KINDS), draw.randint(2, 8))

        def example():
            kind = draw.choice(kinds)
            return draw.choice(KINDS[kind]), kind, 1.0

        return draw.choice([draw.choice(KIND_ASKED), ""]).split(), example

    def yes_no(self, draw: random.Random):
        """Is the word of this kind?"""
        asked = draw.choice(list(KINDS))

        def example():
            yes = draw.random() < 0.5
            kind = asked if yes else draw.choice([kind for kind in KINDS if kind != asked])
            return draw.choice(KINDS[kind]), "yes" if yes else "no", 1.0

        return ["is", "it", asked, "?"], example

    def copy(self, draw: random.Random):
        """The word itself, in half of the cases with the request."""
        words = [word for words in KINDS.values() for word in words]

        def example():
            word = draw.choice(words)
            return word, word, 1.0

        return draw.choice([draw.choice(COPY_ASKED), ""]).split(), example


def instruction(rules: list[tuple[str, str]], wording: str) -> list[str]:
    """The tokens of an instruction, such as ``fruit means blip , tool means zug .``"""
    clauses = [wording.format(kind=kind, label=label) for kind, label in rules]
    return f"{' , '.join(clauses)} .".split()


def prefix(draw: random.Random) -> list[str]:
    """Noise before the prompt, so that nothing can be learned from where a token stands."""
    if draw.random() < 0.5:
        return []
    if draw.random() < 0.3:
        return draw.choice(
            ["here are examples :", "here are more words :", "please answer"]
        ).split()
    return draw.choices(LETTERS + DIGITS, k=draw.randint(1, 6))


def instructed(episode: Episode, wording: str) -> Episode:
    """The tasks of a `Worlds` episode with the rule told: ``names["instruction"]`` (T, n) holds
    what stands before the examples.

    Args:
        wording: a pattern such as "{kind} means {label}", filled in for every kind, in the order of
            the kinds.
    """
    names, said = list(KINDS), []
    for kinds, labels in zip(
        episode.hidden["kinds"].tolist(), episode.names["labels"].tolist(), strict=True
    ):
        rules = [(names[k], TOKENS[labels[i % len(labels)]]) for i, k in enumerate(kinds)]
        said.append([ID[token] for token in instruction(rules, wording)])
    told = torch.tensor(said, device=episode.query_y.device)
    return replace(episode, names=episode.names | {"instruction": told})
