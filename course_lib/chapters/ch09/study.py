"""Three learners on short requests, tried on domains that nobody has trained on, beside a bag of
words.

The setting is that of Bao et al. 2020: which words tell classes apart changes with the classes. Dou
et al. 2019 compare MAML, FOMAML and Reptile on language understanding with few examples. "MAML for
text classification" is the name of no single paper.
"""

from functools import partial

import torch
import torch.nn.functional as F

from course_lib.chapters.ch09 import pretrained
from course_lib.episodes import Episode, TaskFamily
from course_lib.families import Intents
from course_lib.families.hidden_words import WordDropout
from course_lib.learners import MAML, BaselinePlusPlus, Learner, Prototypical
from course_lib.learners.bag_of_words import BagOfWords
from course_lib.learners.baseline import train_head
from course_lib.networks.sentences import (
    CountEncoder,
    SentenceEncoder,
    idf,
    ngram_table,
    text_classifier,
)
from course_lib.training.evaluation import Score, evaluate, test_episodes
from course_lib.training.outer_loop import Plan
from course_lib.training.runs import Measurement, Run, load_or_train, plan_of, printed

PIECE, BUCKETS = 4, 2048  # letters in a piece of a word, and how many numbers the pieces share
HOLES = 0.3  # share of words hidden in training
WIDTH = 128  # of word vectors that are learned
WAYS, QUERIES, SHOTS = 5, 5, (1, 5)  # of the episodes that everyone is scored on; 5 queries a class
EPISODES, TEST_SEED = 600, 9
NAMES = {"maml": "MAML", "prototypical": "Prototypical", "baselinepp": "Baseline++"}


class WideBaselinePlusPlus(BaselinePlusPlus):
    """Baseline++ for embeddings with more numbers than a task has sentences: the same answers, in a
    fraction of the time.

    All embeddings of a task lie in the space that they span, and so does its head, from the first
    step to the last. So the head is trained on their coordinates in an orthonormal basis of that
    space: S + Q numbers instead of thousands.
    """

    def compare(self, support, support_y, query):
        both = torch.cat([self.fitting(support), query], dim=1)
        f_support, f_query = torch.linalg.qr(both.mT, mode="r").R.mT.split(
            [support.shape[1], query.shape[1]], dim=1
        )
        head = train_head(
            self.task_logits,
            self.new_head(f_support.detach(), support_y),
            f_support.detach(),
            support_y,
            self.steps,
        )
        return self.task_logits(f_query, *head)


def counting(family: Intents) -> CountEncoder:
    """What all three learners start from: counts of words and of pieces of words, weighted by idf
    in the training domains."""
    vocabulary = family.vocabulary
    table = ngram_table(vocabulary.words, len(vocabulary), BUCKETS, PIECE)
    return CountEncoder(len(vocabulary), idf(Intents().rows, len(vocabulary)), table)


def maml(o, encoder, classes):
    network = text_classifier(encoder, WAYS)
    return MAML(network, F.cross_entropy, alpha=o.alpha, steps=5, first_order=True, way="vmap")


def prototypical(o, encoder, classes):
    return Prototypical(encoder, "cosine")


def baseline_plus_plus(o, encoder, classes):
    return WideBaselinePlusPlus(encoder, classes, encoder.width, seed=o.seed)


def prepare_requests(make, o) -> tuple[Learner, TaskFamily, Plan]:
    """Learner, family and plan. All stay on the CPU, where a run takes seconds."""
    family = Intents(ways=o.ways)
    learner = make(o, counting(family), family.classes)
    return learner, WordDropout(family, o.holes), plan_of(o)


def report(learner: Learner, o) -> dict[str, Score]:
    """On domains that nobody has trained on, beside the bag of words."""
    found, bag = {}, bag_of_words()
    for shots in SHOTS:
        tasks = episodes(shots, count=o.episodes, seed=o.test_seed)
        for who, answers in (("", learner), (", bag of words", bag)):
            found[f"{WAYS}-way {shots}-shot{who}"] = evaluate(answers, tasks, batch=50)
    return printed(found)


def request_run(name: str, says: str, make, **usual) -> Run:
    """A run on short requests."""
    plan = dict(
        outer_steps=200, tasks=2, ways=WAYS, shots=5, queries=QUERIES, beta=3e-3, decay=True
    )
    same = dict(holes=HOLES, episodes=EPISODES, test_seed=TEST_SEED)
    says = f"{says} on short requests"
    return Run(
        f"intents_{name}", says, plan | same | usual, partial(prepare_requests, make), report
    )


RUNS = [
    request_run("maml", "MAML, first order", maml, alpha=5.0, outer_steps=100, beta=1e-3),
    request_run("prototypical", "a prototypical network", prototypical),
    request_run("baselinepp", "Baseline++", baseline_plus_plus, ways=20, tasks=1),
]
RUN_OF = {run.name.removeprefix("intents_"): run for run in RUNS}
RUNS.append(
    Measurement(
        "intents_smollm",
        "short requests, by the frozen vectors of SmolLM2-135M-Instruct",
        measure=lambda o: pretrained.measure(episodes, bag_of_words()),
    )
)


def prepare(name: str, seed: int = 0) -> tuple[Learner, TaskFamily, Plan]:
    """One learner before its training, its family and its plan.

    Raises:
        ValueError: there is no such learner.
    """
    if name not in RUN_OF:
        raise ValueError(f"{name!r}: choose one of {', '.join(RUN_OF)}")
    return RUN_OF[name].prepared(seed)


def with_learned_vectors(seed: int = 0) -> tuple[Learner, TaskFamily, Plan]:
    """A prototypical network whose word vectors are learned, its family and its plan: it learns the
    training domains by heart."""
    family = Intents(ways=WAYS)
    words = len(family.vocabulary)
    learner = Prototypical(
        SentenceEncoder(words, WIDTH, weights=idf(family.rows, words), learned=True, seed=seed),
        "cosine",
    )
    return (
        learner,
        WordDropout(family, HOLES),
        Plan(400, tasks=2, shots=5, queries=QUERIES, beta=3e-3, seed=seed, decay=True),
    )


def trained(name: str, seed: int = 0) -> Learner:
    """One learner after its training. Prints whether it was loaded or trained."""
    return load_or_train(RUN_OF[name], seed)


def bag_of_words() -> BagOfWords:
    """The yardstick, with its idf from the training domains."""
    training = Intents()
    return BagOfWords(training.rows, len(training.vocabulary))


def episodes(
    shots: int, part: str = "test", count: int = EPISODES, seed: int = TEST_SEED
) -> Episode:
    """5-way episodes of domains without training, the same for everyone."""
    return test_episodes(
        Intents(ways=WAYS, part=part), count, shots=shots, queries=QUERIES, seed=seed
    )


def scores(learner: Learner, part: str = "test", count: int = EPISODES) -> dict[int, Score]:
    """Accuracy for each number of shots, on the same episodes for everyone."""
    return {shots: evaluate(learner, episodes(shots, part, count), batch=50) for shots in SHOTS}
