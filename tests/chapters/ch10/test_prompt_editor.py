"""The prompt editor's numbers are the model's own, and every text has an answer or a sentence that
says what is wrong."""

import time

import pytest
import torch
from toys import TIMED

from course_lib.chapters.ch10.prompt_editor import (
    EXAMPLES,
    HEAD,
    HEADS,
    LAYER,
    MODELS,
    MOST,
    compute,
    model,
    prompt_editor,
    shaded,
    unread,
)
from course_lib.families.prompt_worlds import TOKENS, encode

TEXTS = [
    *EXAMPLES.values(),
    "dog",
    "\n",
    "cow :\n",
    "\n\ndog :",
    "dog\t: blip\r\ncow :",
    " ".join(["dog"] * MOST),
]


@pytest.mark.parametrize("layer", [1, 2, 3])
@pytest.mark.parametrize("head", [1, 2, 3, 4])
def test_every_text_at_every_head_agrees_with_the_model(layer, head):
    for text in TEXTS:
        reading = compute(text, layer, head)
        if not text.strip():
            assert "empty" in reading.problem
            continue
        ids = encode(text.replace("\r\n", "\n").replace("\t", " "))
        scores, looks = model().look(torch.tensor([ids]))
        assert not reading.problem and reading.tokens == tuple(TOKENS[i] for i in ids)
        assert (
            torch.allclose(reading.probabilities, scores[0, -1].softmax(-1))
            and abs(reading.probabilities.sum() - 1) < 1e-5
        )
        assert (
            torch.allclose(reading.attention, looks[layer - 1][0, head - 1, len(ids) - 1])
            and abs(reading.attention.sum() - 1) < 1e-5
        )
        assert sum(share for _, share in reading.lines) == pytest.approx(1, abs=1e-5)


def test_sums_of_the_lines_by_hand():
    reading = compute("dog : blip\nsaw : zug\ncow :")
    each = reading.attention.tolist()
    assert [text for text, _ in reading.lines] == ["dog : blip", "saw : zug", "cow :"]
    assert [share for _, share in reading.lines] == pytest.approx(
        [sum(each[:4]), sum(each[4:8]), sum(each[8:])]
    )
    assert [text for text, _ in compute("cow :\n").lines] == ["cow :"]
    assert [text for text, _ in compute("\n\ncow").lines] == ["", "", "cow"]


def test_examples_decide_the_answer():
    assert compute(EXAMPLES["2 labels, 4 examples"]).best[0][0] == "blip"
    assert compute(EXAMPLES["flipped labels"]).best[0][0] == "zug"
    best = compute(EXAMPLES["instruction, no examples"]).best
    assert (
        len(best) == 8 and best == sorted(best, key=lambda pair: -pair[1]) and best[0][0] == "blip"
    )


def test_what_cannot_be_read_is_said():
    for text in ("", "  ", "\n \n"):
        assert compute(text).problem == "The prompt is empty: write a word."
    reading = compute("dog : blpi\ncow :")
    assert (
        "'blpi'" in reading.problem
        and "did you mean blip" in reading.problem
        and reading.problem.startswith("The small model")
    )
    assert reading.tokens == () and reading.lines == () and reading.best == []
    assert compute("äöü").problem.endswith("'äöü'.")
    assert str(MOST + 1) in compute(" ".join(["dog"] * (MOST + 1))).problem
    assert "letters" in compute("q" * 100_000).problem


@pytest.mark.parametrize("layer, head", [(0, 1), (4, 1), (1, 0), (1, 5)])
def test_heads_that_do_not_exist(layer, head):
    with pytest.raises(ValueError, match="choose layer 1 to 3 and head 1 to 4"):
        compute("dog", layer, head)


@TIMED
def test_it_is_quick():
    prompt, times = " ".join(["dog"] * 70), []
    for _ in range(21):
        began = time.perf_counter()
        compute(prompt)
        times.append(time.perf_counter() - began)
    assert min(times) < 0.02
    print(f"median {1e3 * sorted(times)[10]:.1f} ms")


# The explorer


def test_the_heads_on_offer_are_those_that_matter_counted_from_1():
    assert set(HEADS.values()) == {
        (3, 4),
        (3, 3),
        (2, 1),
        (1, 1),
    }  # from 0: (2, 3), (2, 2), (1, 0), (0, 0)
    assert all(name == f"layer {layer}, head {head}" for name, (layer, head) in HEADS.items())
    explorer = prompt_editor()
    assert (
        "counted from 1" in explorer.controls[1].label
        and explorer.defaults["head"] == f"layer {LAYER}, head {HEAD}"
    )


def test_the_picture_says_what_the_model_says():
    explorer = prompt_editor()
    result = explorer.compute(**explorer.defaults)
    reading, (word, p) = compute(explorer.defaults["prompt"]), result["reading"].best[0]
    assert result["reading"].best == reading.best and (word, round(p, 1)) == ("blip", 1.0)
    number, alt = explorer.number(result), explorer.alt(result)
    line, text, share = max(
        ((i, text, share) for i, (text, share) in enumerate(reading.lines, start=1)),
        key=lambda one: one[2],
    )
    assert f"blip {p:.1%}" in number and f"line {line}, {text!r}: {share:.0%}" in number
    assert all(f"{name} {q:.1%}" in alt for name, q in reading.best)


def test_shades_follow_the_attention_and_the_last_token_has_the_frame():
    for text in ("dog : blip\nsaw : zug\ncow :", "dog\n", "\n\ndog"):
        reading = compute(text)
        lines = shaded(reading)
        assert [token.text.replace("↵", "\n") for line in lines for token in line] == list(
            reading.tokens
        )
        assert [token.weight**2 for line in lines for token in line] == pytest.approx(
            reading.attention.tolist(), abs=1e-6
        )
        assert [bool(token.mark) for line in lines for token in line] == [False] * (
            len(reading.tokens) - 1
        ) + [True]
        assert len(lines) == len(reading.lines)


def test_a_problem_stands_in_place_of_the_bars():
    explorer = prompt_editor()
    for text in (
        "",
        "dog : blpi\ncow :",
        " ".join(["dog"] * (MOST + 1)),
        "한국어 🎈",
        "$x_1^2$",
        "x" * 1999,
    ):
        result = explorer.compute(**{**explorer.defaults, "prompt": text})
        problem = result["reading"].problem
        assert problem and len(problem) < 200
        assert explorer.number(result) == problem and problem in explorer.alt(result)
        assert explorer.examine(prompt=text) == []
    marked = [
        token.text for line in unread("dog : blpi\n\ncow \tzot") for token in line if token.mark
    ]
    assert marked == ["blpi", "zot"]


def test_the_early_model_and_other_heads_give_other_answers():
    text = EXAMPLES["2 labels, 4 examples"]
    final, early = compute(text), compute(text, name="early")
    assert (
        not torch.allclose(final.probabilities, early.probabilities, atol=0.05)
        and final.tokens == early.tokens
    )
    explorer = prompt_editor()
    assert len(
        {explorer.picture(head=head, name=name) for head in HEADS for name in MODELS}
    ) == len(HEADS) * len(MODELS)


def test_a_picture_for_each_key_of_a_prompt():
    """As it is typed, from nothing on: every beginning of a prompt has a picture and a sentence."""
    explorer, text = prompt_editor(), EXAMPLES["1 example"]
    for end in range(len(text) + 1):
        result = explorer.compute(**{**explorer.defaults, "prompt": text[:end]})
        assert explorer.number(result).strip() and explorer.picture(prompt=text[:end])
    assert result["reading"].best
