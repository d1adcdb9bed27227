"""What belongs to one chapter: its explorers, exercises, predictions, and what it measured (study),
with its named runs."""

import importlib
import importlib.util
import pkgutil
from functools import lru_cache


@lru_cache(maxsize=1)
def named_runs() -> dict:
    """All named runs by name: the tables RUNS of the chapters' study.py, in the order of the
    chapters."""
    found = {}
    for chapter in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        if importlib.util.find_spec(f"{__name__}.{chapter}.study"):
            for run in importlib.import_module(f"{__name__}.{chapter}.study").RUNS:
                if run.name in found:
                    raise ValueError(f"two runs are called {run.name}: rename one of them")
                found[run.name] = run
    return found


def named_run(name: str):
    """The run of this name.

    Raises:
        ValueError: there is none.
    """
    if name not in named_runs():
        raise ValueError(f"there is no run {name!r}: `python -m course_lib list` names them all")
    return named_runs()[name]


def load_or_train(name: str, seed: int = 0, **changed):
    """The learner of a named run, with some settings changed: see
    `course_lib.training.runs.load_or_train`."""
    from course_lib.training.runs import load_or_train

    return load_or_train(named_run(name), seed, **changed)
