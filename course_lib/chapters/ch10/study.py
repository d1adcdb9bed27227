"""The runs of chapter 10: the small language model, and prompts measured on a real one."""

from course_lib.chapters.ch10 import study_smollm
from course_lib.training.pretraining import LanguageRun

RUNS = [
    LanguageRun("tiny_gpt", "the small language model, trained on prompts"),
    LanguageRun("tiny_gpt_early", "the same, in the middle of the phase change", early=True),
    study_smollm.RUN,
]


def history(name: str = "tiny_gpt") -> list[tuple[int, float, float]]:
    """(step, loss, accuracy with 8 examples on held-out tasks) along the training of a shipped
    model."""
    return [tuple(row) for run in RUNS if run.name == name for row in run.about()["history"]]
