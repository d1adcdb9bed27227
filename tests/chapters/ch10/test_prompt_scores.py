"""Prompts in batches: the same words as written by hand, and scores of the right place."""

import torch
from course_lib.chapters.ch10.prompts import as_prompts, choose, shots_curve

from course_lib.families.prompt_worlds import TOKENS, Worlds, text
from course_lib.language_models.tiny_gpt import Size, TinyGPT


def episode(ways=2, tasks=5):
    family = Worlds(ways)
    return family.sample(tasks, shots=4, queries=2, generator=family.generator(3))


def test_a_prompt_reads_as_written_by_hand():
    some = episode()
    labels = [TOKENS[i] for i in some.names["labels"][0]]
    lines = [
        f"{TOKENS[x]} : {labels[y]}" for x, y in zip(some.support_x[0, :2, 0], some.support_y[0])
    ]
    wanted = " \n ".join([*lines, f"{TOKENS[some.query_x[0, 1, 0]]} :"])
    assert text(as_prompts(some, 2)[0, 1].tolist()).split() == wanted.split()


def test_what_stands_before_and_between():
    some = episode()
    words = text(
        as_prompts(
            some,
            3,
            separators=("->", "="),
            end=";",
            wording="{kind} means {label}",
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
    scores = choose(model, some, 3)
    assert scores.shape == (5, 2, 4)
    alone = model(as_prompts(some, 3)[2, 1][None])[0, -1][some.names["labels"][2]]
    torch.testing.assert_close(scores[2, 1], alone)


def test_a_curve_names_its_chance():
    curve = shots_curve(TinyGPT(Size(len(TOKENS)), seed=0), episode(4), (0, 2))
    assert list(curve) == [0, 2] and curve[2].chance == 0.25 and len(curve[0]) == 5
