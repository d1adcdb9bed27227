"""Answers that readers gave to the exercises of chapter 10, in their own words, and the diagnosis
that each must meet."""

import re

import nbformat
import pytest
import torch
from torch.nn import functional as F

from course_lib import ROOT
from course_lib.chapters.ch10 import exercises as prompting
from course_lib.classroom.exercises import check

NOTEBOOK = ROOT / "notebooks" / "10_few_shot_prompting.ipynb"


# --- calibration ----------------------------------------------------------------------------------


def shares(q):
    return q / q.sum(-1, keepdim=True)


CALIBRATIONS = {
    "_shares(p)": [
        lambda p, p_cf: shares(p),
        lambda p, p_cf: p / p_cf.sum(),
        lambda p, p_cf: shares(p / p_cf.max()),
        lambda p, p_cf: p,
    ],
    "(p - p_cf).softmax(-1)": [
        lambda p, p_cf: (p - p_cf).softmax(-1),
        lambda p, p_cf: F.softmax(p - p_cf, dim=1),
    ],
    "_shares(p.log() - p_cf.log())": [
        lambda p, p_cf: shares(p.log() - p_cf.log()),
        lambda p, p_cf: shares((p / p_cf).log()),
    ],
    "p.log() - p_cf.log()": [
        lambda p, p_cf: p.log() - p_cf.log(),
        lambda p, p_cf: (p / p_cf).log(),
    ],
    "(p.log() / p_cf.log()).softmax(-1)": [
        lambda p, p_cf: p.log() / p_cf.log(),
        lambda p, p_cf: shares(p.log() / p_cf.log()),
    ],
    "p / p_cf": [lambda p, p_cf: p / p_cf, lambda p, p_cf: p * (1 / len(p_cf)) / p_cf],
    "(p.log() - p_cf.log()).log_softmax(-1)": [
        lambda p, p_cf: (p.log() - p_cf.log()).log_softmax(-1),
        lambda p, p_cf: shares(p / p_cf).log(),
    ],
    "torch.nn.functional.normalize(p / p_cf, dim=-1)": [
        lambda p, p_cf: F.normalize(p / p_cf),
        lambda p, p_cf: p / p_cf / (p / p_cf).norm(dim=1, keepdim=True),
    ],
    "_shares(p - p_cf)": [
        lambda p, p_cf: shares(p - p_cf),
        lambda p, p_cf: (p - p_cf) / (p.sum(1, keepdim=True) - p_cf.sum()),
    ],
    "1, keepdim=True -> 1": [
        lambda p, p_cf: (p / p_cf) / (p / p_cf).sum(-1),
        lambda p, p_cf: (p / p_cf) / torch.sum(p / p_cf, dim=1),
    ],
    "_shares(p / p_cf[:, None])": [
        lambda p, p_cf: p / p_cf.unsqueeze(1),
        lambda p, p_cf: shares(p / p_cf.view(-1, 1)),
    ],
    "_shares(p / p.mean(0))": [lambda p, p_cf: shares(p / p.mean(0))],
}


# --- written answers, prompts, demonstrations -----------------------------------------------------

MATCHES = {
    "equal_only": [lambda a, ls: ls.index(a.strip().lower()) if a.strip().lower() in ls else None],
    "inside_words": [
        lambda a, ls: min(
            ((a.lower().find(w), n) for n, w in enumerate(ls) if w in a.lower()), default=(0, None)
        )[1]
    ],
    "first_of_the_list": [
        lambda a, ls: next(
            (n for n, w in enumerate(ls) if re.search(rf"\b{w}\b", a, re.IGNORECASE)), None
        )
    ],
}
CHOICES = {
    "right[:, :labelled].mean(1).max()": [lambda r, k: max(row[:k].mean() for row in r)],
    "right[:, labelled:].mean(1).max()": [lambda r, k: r[r[:, k:].sum(1).argmax(), k:].mean()],
    "right[right.mean(1).argmax(), labelled:].mean()": [
        lambda r, k: r[r.sum(1).argmax()][k:].mean().item()
    ],
    "right[right[:, :labelled].mean(1).argmax()].mean()": [
        lambda r, k: r[r[:, :k].sum(1).argmax()].mean()
    ],
}
DEMONSTRATIONS = {
    "(examples @ query).argsort(descending=True)[:k].flip(0)": [
        lambda q, x, k: (x @ q).argsort()[-k:]
    ],
    "(examples - query).norm(dim=-1).argsort()[:k].flip(0)": [
        lambda q, x, k: (x - q).square().sum(1).argsort()[:k].flip(0)
    ],
    ".flip(0) ->": [
        lambda q, x, k: torch.cosine_similarity(x, q[None]).argsort(descending=True)[:k]
    ],
}

TABLES = {
    "10.match": MATCHES,
    "10.calibrate": CALIBRATIONS,
    "10.honest": CHOICES,
    "10.nearest": DEMONSTRATIONS,
}
ANSWERS = [
    (identity, name, form)
    for identity, table in TABLES.items()
    for name, forms in table.items()
    for form in forms
]


@pytest.mark.parametrize(
    "identity, name, answer", ANSWERS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_an_answer_in_another_form_meets_the_same_diagnosis(identity, name, answer):
    verdict = check(identity, answer)
    assert verdict.name == f"mistake:{name}" and "nan" not in verdict.text.lower(), verdict


def test_each_diagnosis_sends_to_a_section_that_exists():
    lines = [
        line
        for cell in nbformat.read(NOTEBOOK, 4).cells
        if cell.cell_type == "markdown"
        for line in cell.source.splitlines()
    ]
    headings = {line.lstrip("# ") for line in lines if line.startswith("#")}
    assert {row.read for exercise in prompting.EXERCISES for row in exercise.rows} <= headings
