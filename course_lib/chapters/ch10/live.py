"""The real model in the notebook: opened where it was fetched, and asked again a small share of
what is stored."""

from course_lib.chapters.ch10 import readings, study_smollm
from course_lib.chapters.ch10.cells import Cell
from course_lib.language_models import smollm
from course_lib.language_models.label_scores import ModelError
from course_lib.language_models.opening import open_model

SHARE = (
    Cell("sentiment"),
    Cell("sentiment", shots=4),
    Cell("question"),
    Cell("question", shots=4),
)
MISSING = f"{smollm.NAME} is not here, only its stored answers: {smollm.ADVICE}"


def opened():
    """The real model if it was fetched, else None; says which."""
    if not smollm.fetched():
        print(MISSING)
        return None
    try:
        return open_model("smollm")
    except ModelError as error:
        print(f"{smollm.NAME} cannot be opened: {error}")
        return None


def repeated(model, cells=SHARE) -> list[str]:
    """Ask some cells again, and compare with the file: one line each.

    Args:
        model: None says in one line what is missing.
    """
    if model is None:
        return [MISSING]
    lines = []
    for cell in cells:
        again = study_smollm.ask(model, cell)[: len(readings.truth(cell))]
        kept = readings.said(cell)[0]
        same = (again.argmax(-1) == kept.argmax(-1)).sum().item()
        right = (again.argmax(-1) == readings.truth(cell)).sum().item()
        far = (again - kept).abs().max().item()
        lines.append(
            f"{cell.task}, {cell.shots} examples: {right} of {len(again)} right, {same} answers as "
            f"stored, log probabilities at most {far:.2f} apart"
        )
    return lines
