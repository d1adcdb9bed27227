"""Learning to Learn: the library behind the notebooks of the course.

    from course_lib import MAML, Sinusoids, evaluate, meta_train

Importing it loads nothing heavy: a name of FACES is fetched from its room when it is first used. `python -m course_lib` lists what
the course does without a notebook. CONTRIBUTING.md describes the rooms.
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
        "Intents", "LinearRegressions", "Omniglot", "PictureError", "Sinusoids", "Strokes", "Vocabulary", "own_pictures",
        "own_sentences", "sine", "tokens",
    ],
    "networks": ["CountEncoder", "SentenceEncoder", "SineModel", "conv4", "idf", "mlp"],
    "language_models.opening": ["TinyModel", "open_model"],
    "learners": [
        "Baseline", "BaselinePlusPlus", "Joint", "Koch", "Learner", "LeastSquares", "MAML", "Matching", "MetaBaseline",
        "Prompting", "Prototypical", "Relation", "Ridge", "Siamese", "Template", "contrastive", "distance", "inner_loop",
        "linear_attention", "pairs_of", "predict_with", "prototypes", "squared", "written_out",
    ],
    "training": [
        "Plan", "Score", "accuracy", "as_score", "bar", "evaluate", "evaluate_each_step", "load_or_train", "meta_train", "paired",
        "shipped_network", "squared_error", "test_episodes",
    ],
}  # fmt: skip
_ROOM = {name: room for room, names in FACES.items() for name in names}


def cache_folder() -> Path:
    """Where downloads are kept: COURSE_CACHE, or `learning-to-learn` in the system's cache folder of this user. It need not exist yet."""
    if os.environ.get("COURSE_CACHE"):
        return Path(os.environ["COURSE_CACHE"]).expanduser()
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "learning-to-learn"
    if os.name == "nt":
        return (
            Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
            / "learning-to-learn"
            / "Cache"
        )
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "learning-to-learn"


def __getattr__(name: str):
    if name not in _ROOM:
        raise AttributeError(
            f"course_lib has no {name!r}: it offers {', '.join(sorted(_ROOM))}, and its rooms have more"
        )
    return getattr(importlib.import_module(f"course_lib.{_ROOM[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_ROOM])
