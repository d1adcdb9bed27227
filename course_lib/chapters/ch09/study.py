"""Three learners on short requests, tried on domains that nobody has trained on, beside a bag of words.

    python -m course_lib.chapters.ch09.study                  trains them, writes data/intents_*.safetensors, prints their scores
    python -m course_lib.chapters.ch09.study --seed 1         trains them from another seed and only prints their scores

The setting is that of Bao et al. 2020: which words tell classes apart changes with the classes. Dou et al. 2019 compare MAML,
FOMAML and Reptile on language understanding with few examples. "MAML for text classification" is the name of no single paper.
"""

import argparse
import sys
from functools import lru_cache

import torch
import torch.nn.functional as F

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
from course_lib.training import shipped
from course_lib.training.evaluation import Score, evaluate, paired, test_episodes
from course_lib.training.outer_loop import Plan, meta_train, run_settings

PIECE, BUCKETS = 4, 2048  # letters in a piece of a word, and how many numbers the pieces share
HOLES = 0.3  # share of words hidden in training
WIDTH = 128  # of word vectors that are learned
WAYS, QUERIES, SHOTS = 5, 5, (1, 5)  # of the episodes that everyone is scored on; 5 queries a class
EPISODES, TEST_SEED = 600, 9
NAMES = {"maml": "MAML", "prototypical": "Prototypical", "baselinepp": "Baseline++"}


class WideBaselinePlusPlus(BaselinePlusPlus):
    """Baseline++ for embeddings with more numbers than a task has sentences: the same answers, in a fraction of the time.

    All embeddings of a task lie in the space that they span, and so does its head, from the first step to the last. So the head is
    trained on their coordinates in an orthonormal basis of that space: S + Q numbers instead of thousands.
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
    """What all three learners start from: counts of words and of pieces of words, weighted by idf in the training domains."""
    vocabulary = family.vocabulary
    table = ngram_table(vocabulary.words, len(vocabulary), BUCKETS, PIECE)
    return CountEncoder(len(vocabulary), idf(Intents().rows, len(vocabulary)), table)


def prepare(name: str, seed: int = 0) -> tuple[Learner, TaskFamily, Plan]:
    """One learner before its training, its family and its plan.

    Raises:
        ValueError: there is no such learner.
    """
    if name not in NAMES:
        raise ValueError(f"{name!r}: choose one of {', '.join(NAMES)}")
    family = Intents(ways=20 if name == "baselinepp" else WAYS)
    encoder = counting(family)
    learner = {
        "maml": lambda: MAML(
            text_classifier(encoder, WAYS),
            F.cross_entropy,
            alpha=5.0,
            steps=5,
            first_order=True,
            way="vmap",
        ),
        "prototypical": lambda: Prototypical(encoder, "cosine"),
        "baselinepp": lambda: WideBaselinePlusPlus(
            encoder, family.classes, encoder.width, seed=seed
        ),
    }[name]()
    tasks = 1 if name == "baselinepp" else 2
    plan = Plan(
        STEPS[name], tasks=tasks, shots=5, queries=QUERIES, beta=BETA[name], seed=seed, decay=True
    )
    return learner, WordDropout(family, HOLES), plan


STEPS = {"maml": 100, "prototypical": 200, "baselinepp": 200}  # outer steps
BETA = {"maml": 1e-3, "prototypical": 3e-3, "baselinepp": 3e-3}  # outer rates


def with_learned_vectors(seed: int = 0) -> tuple[Learner, TaskFamily, Plan]:
    """A prototypical network whose word vectors are learned, its family and its plan: it learns the training domains by heart."""
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


@lru_cache(maxsize=8)
def trained(name: str, seed: int = 0) -> tuple[Learner, str]:
    """The learner after its training, and a sentence that says whether it was loaded or trained: once a process, so copy it to change it."""
    learner, family, plan = prepare(name, seed)
    return learner, shipped.load_or_train(f"intents_{name}", learner, family, plan)


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


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m course_lib.chapters.ch09.study", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of weights and tasks; the one that ships is 0"
    )
    parser.add_argument("--only", choices=list(NAMES), help="one of the learners; all unless told")
    options = parser.parse_args(words)
    seed, chosen = options.seed, [options.only] if options.only else list(NAMES)
    torch.set_num_threads(1)
    yardstick = scores(bag_of_words())
    print(
        "bag of words",
        *(f"{shots}-shot {score}" for shots, score in yardstick.items()),
        sep="   ",
        flush=True,
    )
    for name in chosen:
        learner, family, plan = prepare(name, seed)
        settings = run_settings(learner, family, plan)
        untrained = scores(learner)
        run = meta_train(learner, family, plan)
        found = scores(learner)
        print(f"\n{NAMES[name]}: {run.seconds:.0f} s")
        for shots, score in found.items():
            print(
                f"  {shots}-shot {score}; before training {untrained[shots].mean:.3f}; {paired(score, yardstick[shots])} to the bag",
                flush=True,
            )
        if seed == 0:
            about = {str(shots): [score.mean, score.half_width] for shots, score in found.items()}
            path = shipped.DATA / f"intents_{name}.safetensors"
            shipped.ship(
                path,
                learner,
                settings,
                run,
                command="python -m course_lib.chapters.ch09.study",
                test_accuracy=about,
                test_episodes=EPISODES,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
