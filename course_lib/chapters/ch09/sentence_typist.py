"""Intents that readers make up and type: which learner recognises them in a new sentence, and which
of its words decide.

    known = "pizza: a large pizza\\ntaxi: get me a taxi"
    verdict = classify(known, "a taxi please", "bag of words")
    verdict.names[verdict.order[0]]  # "taxi"

`your_own_intents` in explorers.py is the same to type into.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.chapters.ch09.study import RUN_OF, bag_of_words
from course_lib.families import Intents
from course_lib.families.vocabulary import Vocabulary, tokens
from course_lib.learners import Learner
from course_lib.learners.prototypical import prototypes
from course_lib.training.runs import once

BAG = "bag of words"
LEARNERS = {BAG: BAG, "Prototypical": "prototypical", "MAML": "maml", "Baseline++": "baselinepp"}
FEWEST, MOST = 2, 5  # intents: the head of the shipped MAML has 5 outputs
SENTENCES, WORDS = 30, 40  # at most, in all and in each: more would not follow the keys
FORM = "write an intent, a colon and a sentence, as in: pizza: I want a pizza"

SUPPORTS = {
    "pizza, taxi, lost card": (
        "pizza: I want to order a pizza\npizza: a large pizza with cheese please\ntaxi: get me a "
        "taxi to the station\ntaxi: I need a taxi at seven\nlost card: I lost my bank card\nlost "
        "card: my card was stolen, please block it"
    ),
    "without the obvious word": (
        "pizza: something hot with cheese and tomato\npizza: we are hungry, bring dinner to my "
        "door\ntaxi: somebody should drive me to the station\n"
        "taxi: pick me up at seven\nlost card: it was in my wallet this morning\nlost card: "
        "please block it before a thief pays with it"
    ),
    "one wrong label": (
        "pizza: I want to order a pizza\ntaxi: a large pizza with cheese please\ntaxi: get me a "
        "taxi to the station\ntaxi: I need a taxi at seven\nlost card: I lost my bank card\nlost "
        "card: my card was stolen, please block it"
    ),
}
QUERIES = {
    "a word that was shown": "please bring me a large pizza",
    "no word that was shown": "someone has taken everything out of my bag",
    "words of two intents": "a pizza in a taxi",
}


@dataclass(frozen=True)
class Answered:
    """What a learner makes of a query of L words among N intents, or why it cannot.

    Args:
        learner: a name in `LEARNERS`.
        names: of the N intents, in the order of the lines.
        scores: (N,) the logits.
        probabilities: (N,) their softmax.
        words: the L words of the query, each with whether the vocabulary has it.
        effects: (L,) for the bag of words, the part of the winner's cosine that comes from this
            word: they sum to it. For the others, how much the lead of the winner's logit over the
                next one shrinks when the word is left out.
        problem: a sentence for the reader; empty when there is a verdict. With a problem, all else
            but the learner is empty.
    """

    learner: str
    names: tuple[str, ...] = ()
    scores: Tensor = torch.empty(0)
    probabilities: Tensor = torch.empty(0)
    words: tuple[tuple[str, bool], ...] = ()
    effects: Tensor = torch.empty(0)
    problem: str = ""

    @property
    def order(self) -> list[int]:
        """The numbers of the intents, the winner first."""
        return self.scores.argsort(descending=True, stable=True).tolist()

    @property
    def tied(self) -> bool:
        """Whether no intent is ahead of the next one."""
        first, second = self.scores.topk(2).values.tolist()
        return first - second < 1e-6


@lru_cache
def vocabulary() -> Vocabulary:
    """The words that the shipped learners were made for."""
    return Intents().vocabulary


@lru_cache
def learner(name: str) -> Learner:
    """A learner by its name in `LEARNERS`, loaded once."""
    return bag_of_words() if name == BAG else once(RUN_OF[LEARNERS[name]])


def parse(support: str) -> tuple[list[str], list[int], list[str], str]:
    """Lines "intent: sentence" as sentences, the numbers of their intents and the names of these,
    and what is wrong with them, if anything.

    Intents are told apart by their letters, large or small. Empty lines are left out.
    """
    sentences, labels, names = [], [], {}
    for number, line in enumerate(support.split("\n"), start=1):
        if not line.strip():
            continue
        name, colon, sentence = (part.strip() for part in line.partition(":"))
        if not colon:
            return [], [], [], f"Line {number} has no colon: {FORM}."
        if not name:
            return [], [], [], f"Line {number} has no intent before its colon: {FORM}."
        if wrong := unfit(sentence):
            return [], [], [], f"The sentence in line {number} has {wrong}."
        names.setdefault(name.casefold(), name)
        labels.append(list(names).index(name.casefold()))
        sentences.append(sentence)
    if len(names) < FEWEST:
        found = (
            f"There is only one intent, {next(iter(names.values()))!r:.40}"
            if names
            else "There is no intent yet"
        )
        return (
            [],
            [],
            [],
            (
                f"{found}: write sentences for at least two, each in a line such as pizza: I want "
                "a pizza."
            ),
        )
    if len(names) > MOST:
        return (
            [],
            [],
            [],
            (
                f"There are {len(names)} intents, and at most {MOST} fit: delete some, or give "
                "several lines the same name."
            ),
        )
    if len(sentences) > SENTENCES:
        return (
            [],
            [],
            [],
            f"There are {len(sentences)} sentences, and at most {SENTENCES} fit: delete some.",
        )
    return sentences, labels, list(names.values()), ""


def unfit(sentence: str) -> str:
    """What a sentence has too few or too many of, such as "no word"; empty when it can be used."""
    words = tokens(sentence)
    if not any(word[0].isalnum() for word in words):
        return "no word"
    return (
        f"{len(words)} words and signs, and at most {WORDS} fit: shorten it"
        if len(words) > WORDS
        else ""
    )


def classify(support: str, query: str, name: str) -> Answered:
    """Learn intents from a few sentences and recognise one of them in another.

    Args:
        support: lines "intent: sentence".
        query: a sentence.
        name: of the learner, as in `LEARNERS`.
    """
    sentences, labels, names, problem = parse(support)
    if not problem and (wrong := unfit(query)):
        problem = (
            f"The new sentence has {wrong}."
            if tokens(query)
            else "The new sentence is empty: write one."
        )
    if problem:
        return Answered(name, problem=problem)
    rows, y, judge = vocabulary().encode([*sentences, query]), torch.tensor(labels), learner(name)
    x, words = rows[:-1], tokens(query)
    asked = rows[-1].repeat(len(words) + 1, 1)  # the query, and once more without each of its words
    asked[torch.arange(len(words)) + 1, torch.arange(len(words))] = 0
    with torch.no_grad():
        logits = judge.predict(x, y, asked)[
            :, : len(names)
        ]  # MAML has outputs for 5 intents, always
    scores = logits[0]
    if name == BAG:
        effects = parts_of_cosine(judge, x, y, asked[0], int(scores.argmax()))[: len(words)]
    else:
        winner = scores.argmax()
        others = logits.clone()
        others[:, winner] = -torch.inf
        lead = logits[:, winner] - others.amax(1)
        effects = lead[0] - lead[1:]
    return Answered(
        name,
        tuple(names),
        scores,
        scores.softmax(0),
        tuple((word, word in vocabulary()) for word in words),
        effects,
    )


def parts_of_cosine(bag: Learner, support: Tensor, y: Tensor, query: Tensor, winner: int) -> Tensor:
    """What each word of a query (L,) adds to its cosine with the prototype of the winner: (L,). A
    word that stands twice has two equal parts."""
    centre = F.normalize(prototypes(bag.count(support)[None], y[None])[0, winner], dim=0)
    held = F.one_hot(query, len(centre)).sum(0)
    return (bag.count(query) * centre / held.clamp(min=1))[query] * (query != 0)
