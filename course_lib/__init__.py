"""Learning to Learn: the library behind the notebooks of the course.

    from course_lib import MAML, Sinusoids, evaluate, meta_train

Importing it loads nothing heavy: a name of FACES is fetched from its room when it is first used.
`python -m course_lib` lists what the course does without a notebook. CONTRIBUTING.md describes the
rooms.
"""

import importlib
import os
import sys
from pathlib import Path

__version__ = "0.1.0"

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data"  # what ships with the course

FACES = {  # what the notebooks take from here, and the room it lives in
    "episodes": ["Episode", "TaskFamily"],
    "families": [
        "Bandits", "Intents", "LinearRegressions", "Omniglot", "PictureClasses", "PictureError",
        "Points", "Sinusoids", "Strokes", "Vocabulary", "own_pictures", "own_sentences", "sine",
        "tokens",
    ],
    "families.as_written": ["AsWritten"],
    "families.lists_by_heart": ["Practice"],
    "families.pretraining_prompts": [
        "MIXTURE", "PromptMixture", "UNSEEN_WORDINGS", "WORDINGS", "instructed",
    ],
    "families.two_words": ["TwoWords"],
    "families.prompt_worlds": ["ID", "KINDS", "TOKENS", "Worlds", "covered", "encode", "text"],
    "networks": [
        "BatchNorm", "CountEncoder", "SentenceEncoder", "SineModel", "conv4", "idf", "mlp",
    ],
    "language_models.opening": ["TinyModel", "open_model"],
    "language_models.tiny_gpt": ["shipped_model"],
    "learners": [
        "Baseline", "BaselinePlusPlus", "IMAML", "InContext", "Joint", "Koch", "Learner",
        "LeastSquares", "MAML", "Matching", "MetaBaseline", "MetaSGD", "Nearest", "Prompting",
        "Prototypical", "Relation", "Reptile", "Ridge", "Siamese", "Template", "contrastive",
        "distance", "inner_loop", "linear_attention", "pairs_of", "predict_with", "prototypes",
        "squared", "written_out",
    ],
    "learners.bandit_players": ["Greedy", "Random", "Thompson", "UCB", "play"],
    "learners.best_player": ["Best"],
    "learners.rl2": ["RL2"],
    "learners.policy_maml": ["PolicyMAML", "gains", "surrogate"],
    "learners.look_up": ["LookUp"],
    "learners.answering": ["Answering"],
    "learners.none_of_these": ["best_scores", "threshold", "with_foreign_queries"],
    "learners.token_prompts": ["as_prompts", "questions"],
    "learners.tuning": ["Adapter", "FineTune", "LoRA", "PeftTuning", "SoftPrompt"],
    "training": [
        "Plan", "Score", "accuracy", "as_score", "bar", "evaluate", "evaluate_each_step",
        "meta_train", "paired", "squared_error",
        "test_episodes",
    ],
    "chapters": ["load_or_train", "named_run"],
}  # fmt: skip


def cache_folder() -> Path:
    """Where downloads are kept: COURSE_CACHE, or `learning-to-learn` in the system's cache folder
    of this user. It need not exist yet."""
    if os.environ.get("COURSE_CACHE"):
        return expanded(os.environ["COURSE_CACHE"])
    home = expanded("~")
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "learning-to-learn"
    if os.name == "nt":
        return (
            Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
            / "learning-to-learn"
            / "Cache"
        )
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "learning-to-learn"


def expanded(path) -> Path:
    """The path with ``~`` as the home folder of this user.

    Raises:
        ValueError: nobody knows where that is.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ValueError(
            f"{path}: this user has no home folder; set HOME, or COURSE_CACHE to a folder for "
            "downloads"
        ) from None


def faces(package: str, table: dict[str, list[str]]):
    """The functions __getattr__ and __dir__ of a package that offers names of its modules, each
    loaded when it is first used.

    Args:
        table: for each module below ``package``, the names that it offers.
    """
    room = {name: module for module, names in table.items() for name in names}

    def get(name: str):
        if name not in room:
            raise AttributeError(f"{package} has no {name!r}: it offers {', '.join(sorted(room))}")
        return getattr(importlib.import_module(f"{package}.{room[name]}"), name)

    return get, lambda: sorted([*vars(sys.modules[package]), *room])


__getattr__, __dir__ = faces(__name__, FACES)
