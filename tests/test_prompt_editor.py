"""The prompt editor's numbers are the model's own, and every text has an answer or a sentence that says what is wrong."""

import time

import pytest
import torch

from course_lib.explorers.prompt_editor import EXAMPLES, MOST, compute, model
from course_lib.families.worlds import TOKENS, encode

TEXTS = [*EXAMPLES.values(), "dog", "\n", "cow :\n", "\n\ndog :", "dog\t: blip\r\ncow :", " ".join(["dog"] * MOST)]


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
        assert torch.allclose(reading.probabilities, scores[0, -1].softmax(-1)) and abs(reading.probabilities.sum() - 1) < 1e-5
        assert torch.allclose(reading.attention, looks[layer - 1][0, head - 1, len(ids) - 1]) and abs(reading.attention.sum() - 1) < 1e-5
        assert sum(share for _, share in reading.lines) == pytest.approx(1, abs=1e-5)


def test_sums_of_the_lines_by_hand():
    reading = compute("dog : blip\nsaw : zug\ncow :")
    each = reading.attention.tolist()
    assert [text for text, _ in reading.lines] == ["dog : blip", "saw : zug", "cow :"]
    assert [share for _, share in reading.lines] == pytest.approx([sum(each[:4]), sum(each[4:8]), sum(each[8:])])
    assert [text for text, _ in compute("cow :\n").lines] == ["cow :"]
    assert [text for text, _ in compute("\n\ncow").lines] == ["", "", "cow"]


def test_examples_decide_the_answer():
    assert compute(EXAMPLES["2 labels, 4 examples"]).best[0][0] == "blip"
    assert compute(EXAMPLES["flipped labels"]).best[0][0] == "zug"
    best = compute(EXAMPLES["instruction, no examples"]).best
    assert len(best) == 8 and best == sorted(best, key=lambda pair: -pair[1]) and best[0][0] == "blip"


def test_what_cannot_be_read_is_said():
    for text in ("", "  ", "\n \n"):
        assert compute(text).problem == "The prompt is empty: write a word."
    reading = compute("dog : blpi\ncow :")
    assert "'blpi'" in reading.problem and "did you mean blip" in reading.problem and reading.problem.startswith("The small model")
    assert reading.tokens == () and reading.lines == () and reading.best == []
    assert compute("äöü").problem.endswith("'äöü'.")
    assert str(MOST + 1) in compute(" ".join(["dog"] * (MOST + 1))).problem
    assert "letters" in compute("q" * 100_000).problem


@pytest.mark.parametrize("layer, head", [(0, 1), (4, 1), (1, 0), (1, 5)])
def test_heads_that_do_not_exist(layer, head):
    with pytest.raises(ValueError, match="choose layer 1 to 3 and head 1 to 4"):
        compute("dog", layer, head)


def test_it_is_quick():
    prompt, times = " ".join(["dog"] * 70), []
    for _ in range(21):
        began = time.perf_counter()
        compute(prompt)
        times.append(time.perf_counter() - began)
    assert min(times) < 0.02
    print(f"median {1e3 * sorted(times)[10]:.1f} ms")
