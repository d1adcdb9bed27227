"""Of plausible wrong answers, how many meet a diagnosis that names their mistake: those that the
tables were made with, and a third that was held out."""

import pytest

from course_lib.classroom.exercises import chapter
from tools import diagnosed

REACHED = {  # per cent, rounded down: of the tabled answers, and of those held out
    # (who wrote the answers for 03 had read its table before)
    "00": (100, 66),
    "01": (100, 66),
    "02": (100, 58),
    "03": (100, 75),
    "04": (98, 70),
    "05": (100, 80),
    "06": (100, 52),
    "07": (100, 77),
    "08": (100, 66),
    "09": (100, 69),
}


@pytest.mark.parametrize("number", diagnosed.chapters())
def test_as_many_meet_a_diagnosis_by_name_as_was_reached(number):
    found = list(diagnosed.answers(number))
    assert not [answer.text for answer in found if answer.verdict == "passed"]
    for least, held_out in zip(REACHED[number], (False, True), strict=True):
        named, of = diagnosed.share(found, held_out)
        assert 100 * named // of >= least, f"{named} of {of}, held out: {held_out}"


def test_every_exercise_has_ten_wrong_answers_and_no_two_alike():
    for number in diagnosed.chapters():
        wrong = diagnosed.wrong(number)
        assert wrong.keys() == {exercise.id for exercise in chapter(number)}
        for identity, texts in wrong.items():
            assert len(set(texts)) == len(texts) >= 10, identity


def test_a_general_verdict_ends_with_a_section_and_a_hint():
    """`different` and every kind say where to go on."""
    exercise = diagnosed.exercises.find("03.maml_loss")
    for function in (
        lambda theta, loss_of, support, query, alpha: loss_of(theta, query) ** 3 + 0.123,
        lambda theta, loss_of, support, query, alpha: theta.sum(),
    ):
        said = diagnosed.judge(exercise, function).text
        assert said.endswith('hint("03.maml_loss", 1)`.') and "Read again: The outer loss" in said
