"""Answers that readers gave to the exercises of chapter 10, in their own words, and the diagnosis
that each must meet."""

import math

import nbformat
import pytest
import torch
from torch.nn import functional as F

from course_lib import ROOT
from course_lib.chapters.ch10 import exercises as prompting
from course_lib.classroom.exercises import check

NOTEBOOK = ROOT / "notebooks" / "10_few_shot_prompting.ipynb"


# --- prompts --------------------------------------------------------------------------------------


def assigned(words, y, names):
    p = ""
    for word, n in zip(words[:-1], y, strict=False):
        p = f"{word} : {names[n]}\n"
    return p + words[-1] + " :"


def paired(words, y, names, left, right):
    return "".join(f"{a} : {b}\n" for a, b in zip(left, right, strict=False)) + f"{words[-1]} :"


def by_place(words, y, names):
    p = ""
    for i in range(len(words) - 1):
        p += f"{words[i]} : {names[i]}\n"
    return p + f"{words[-1]} :"


def taken_out(words, y, names):
    query = words.pop()
    return paired([query], y, names, words, [names[n] for n in y])


def label_taken_out(words, y, names):
    del y[-1]
    return paired(words, y, names, words[:-1], [names[n] for n in y])


PROMPTS = {
    '"".join(_examples(words, y, names).splitlines(keepends=True)[-1:]) + f"{words[-1]} :"': [
        assigned
    ],
    'f"{words[-1]} :"': [lambda words, y, names: words[-1] + " :"],
    '"".join(f"{word} : {name}\\n" for word, name in zip(words[:-1], names)) + f"{words[-1]} :"': [
        lambda words, y, names: paired(words, y, names, words[:-1], names)
    ],
    '"".join(f"{word} : {names[n - 1]}\\n" for word, n in zip(words[:-1], y[:-1])) + f"{words[-1]} :"': [  # noqa: E501
        lambda words, y, names: paired(words, y, names, words[:-1], [names[n - 1] for n in y])
    ],
    '"".join(f"{word} : {names[n]}\\n" for word, n in zip(words[:-1], y[1:])) + f"{words[-1]} :"': [
        lambda words, y, names: paired(words, y, names, words[:-1], [names[n] for n in y[1:]])
    ],
    '"".join(f"{word} : {names[i % len(names)]}\\n" for i, word in enumerate(words[:-1])) + f"{words[-1]} :"': [  # noqa: E501
        by_place
    ],
}


# --- scores ---------------------------------------------------------------------------------------


def rows(first, last):
    return torch.arange(first, last)


def added(log_p, tokens, start, places, row=-1, ahead=0, log=lambda term: term):
    score = 0
    for i in places:
        score += log(log_p[i + row, tokens[i + ahead]])
    return score


SCORES = {
    "sum(log_p[i - 1, tokens[i]] for i in range(start, len(tokens) - 1))": [
        lambda log_p, tokens, start: added(log_p, tokens, start, range(start, len(tokens) - 1)),
        lambda log_p, tokens, start: log_p[
            rows(start - 1, len(tokens) - 2), tokens[start:-1]
        ].sum(),
    ],
    "log_p[torch.arange(start, len(tokens)), tokens[start - 1 : -1]].sum()": [
        lambda log_p, tokens, start: log_p[rows(start, len(tokens)), tokens[start - 1 : -1]].sum()
    ],
    "log_p[torch.arange(start - 2, len(tokens) - 2), tokens[start:]].sum()": [
        lambda log_p, tokens, start: log_p[rows(start - 2, len(tokens) - 2), tokens[start:]].sum(),
        lambda log_p, tokens, start: added(log_p, tokens, start, range(start, len(tokens)), -2),
    ],
    "log_p[torch.arange(start - 1, len(tokens)), tokens[start - 1 :]].sum()": [
        lambda log_p, tokens, start: log_p[rows(start - 1, len(tokens)), tokens[start - 1 :]].sum(),
        lambda log_p, tokens, start: added(log_p, tokens, start, range(start - 1, len(tokens)), 0),
    ],
    "log_p[start - 1 : -1][:, tokens[start:]].sum()": [
        lambda log_p, tokens, start: log_p[start - 1 :, tokens[start:]],
        lambda log_p, tokens, start: log_p[start - 1 :, tokens[start:]].sum(),
        lambda log_p, tokens, start: log_p[start - 1 : -1, tokens[start:]],
        lambda log_p, tokens, start: log_p[start:, tokens[start:]].sum().item(),
    ],
    "log_p[-1, tokens[start:]].sum()": [
        lambda log_p, tokens, start: log_p[-1, tokens[start:]].sum(),
        lambda log_p, tokens, start: sum(log_p[-1][t] for t in tokens[start:]),
    ],
    "log_p[start - 1 : -1].sum()": [
        lambda log_p, tokens, start: log_p[range(start - 1, len(tokens) - 1)].sum(),
        lambda log_p, tokens, start: log_p[tokens[start:]].sum(),
    ],
    "sum(math.log(term) for term in _terms(log_p, tokens, start))": [
        lambda log_p, tokens, start: added(
            log_p, tokens, start, range(start, len(tokens)), log=math.log
        ),
        lambda log_p, tokens, start: (
            log_p[rows(start - 1, len(tokens) - 1), tokens[start:]].log().sum()
        ),
    ],
    "sum(log_p[i, tokens[i + 1]] for i in range(start - 1, len(tokens)))": [
        lambda log_p, tokens, start: added(
            log_p, tokens, start, range(start - 1, len(tokens)), 0, 1
        )
    ],
    "log_p[torch.arange(start - 1, len(tokens)), tokens[start:]].sum()": [
        lambda log_p, tokens, start: log_p[rows(start - 1, len(tokens)), tokens[start:]].sum(),
        lambda log_p, tokens, start: log_p[rows(start, len(tokens)), tokens[start - 1 :]].sum(),
    ],
}


# --- ceilings -------------------------------------------------------------------------------------

CEILINGS = {
    "** k -> * k": [lambda k, ways: (1 - 1 / ways) * k, lambda k, ways: 1 - (1 - 1 / ways) * k],
    "** k -> ** (k - 1)": [lambda k, ways: 1 - ((ways - 1) / ways) ** (k - 1)],
    "1 - (1 - 1 / k) ** ways if k else 0.0": [
        lambda k, ways: 1 - (1 - 1 / k) ** ways,
        lambda k, ways: 1 - (1 - 1 / k) ** ways if k else 0,
    ],
    "1 / -> 1 //": [lambda k, ways: 1 - (1 - 1 // ways) ** k],
    "** k -> ^ k": [
        lambda k, ways: 1 - (1 - 1 / ways) ^ k,
        lambda k, ways: 1 - ((1 - 1 / ways) ^ k),
    ],
}


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


TABLES = {
    "10.write_prompt": PROMPTS,
    "10.label_score": SCORES,
    "10.ceiling": CEILINGS,
    "10.calibrate": CALIBRATIONS,
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


@pytest.mark.parametrize("answer, what", [(taken_out, "`words`"), (label_taken_out, "`y`")])
def test_a_prompt_that_takes_from_the_readers_lists_does_not_pass(answer, what):
    verdict = check("10.write_prompt", answer)
    assert verdict.name == "property:lists_left_alone" and what in verdict.text


def test_a_mistake_before_the_lists_are_changed_is_named_first():
    assert (
        check("10.write_prompt", lambda words, y, names: taken_out(words, y, names) + "\n").name
        == 'mistake:write_prompt(words, y, names) + "\\n"'
    )


def test_each_diagnosis_sends_to_a_section_that_exists():
    lines = [
        line
        for cell in nbformat.read(NOTEBOOK, 4).cells
        if cell.cell_type == "markdown"
        for line in cell.source.splitlines()
    ]
    headings = {line.lstrip("# ") for line in lines if line.startswith("#")}
    assert {row.read for exercise in prompting.EXERCISES for row in exercise.rows} <= headings
