"""Prompts in batches: the same words as written by hand, and scores of the right place."""

import pytest
import torch

from course_lib.families.pretraining_prompts import instructed
from course_lib.families.prompt_worlds import TOKENS, Worlds, text
from course_lib.language_models.tiny_gpt import Size, TinyGPT
from course_lib.learners.in_context import InContext
from course_lib.learners.token_prompts import as_prompts
from course_lib.training.evaluation import evaluate


def episode(ways=2, tasks=5):
    family = Worlds(ways)
    return family.sample(tasks, shots=4, queries=2, generator=family.generator(3))


def test_a_prompt_reads_as_written_by_hand():
    some = episode()
    labels = [TOKENS[i] for i in some.names["labels"][0]]
    lines = [
        f"{TOKENS[x]} : {labels[y]}"
        for x, y in zip(some.support_x[0, :2, 0], some.support_y[0], strict=False)
    ]
    wanted = " \n ".join([*lines, f"{TOKENS[some.query_x[0, 1, 0]]} :"])
    assert text(as_prompts(some, 2)[0, 1].tolist()).split() == wanted.split()


def test_what_stands_before_and_between():
    some = episode()
    words = text(
        as_prompts(
            instructed(some, "{kind} means {label}"),
            3,
            separators=("->", "="),
            end=";",
            before="please answer",
        )[0, 0].tolist()
    ).split()
    assert words[:2] == ["please", "answer"] and words.count("means") == 2 and words.count(";") == 3
    assert words[-1] == "->" and [word for word in words if word in ("->", "=")] == [
        "->",
        "=",
        "->",
        "->",
    ]


def test_scores_are_those_of_the_labels_after_the_prompt():
    model, some = TinyGPT(Size(len(TOKENS)), seed=0), episode(4)
    scores = InContext(model, 3)(some)
    assert scores.shape == (5, 2, 4)
    alone = model(as_prompts(some, 3)[2, 1][None])[0, -1][some.names["labels"][2]]
    torch.testing.assert_close(scores[2, 1], alone)


def test_a_score_names_its_chance_and_more_shots_than_examples_are_refused():
    model = TinyGPT(Size(len(TOKENS)), seed=0)
    score = evaluate(InContext(model, 2), episode(4, tasks=30))
    assert score.chance == 0.25 and len(score) == 30
    with pytest.raises(ValueError, match="shots=5: choose from 0 to the 4 examples"):
        InContext(model, 5)(episode())
