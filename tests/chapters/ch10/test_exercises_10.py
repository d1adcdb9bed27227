"""The exercises of chapter 10 say the same as the library that the chapter runs."""

import torch

from course_lib.chapters.ch10.exercises import (
    calibrate,
    calibration_cases,
    honest,
    honest_cases,
    match,
    match_cases,
    nearest,
    nearest_cases,
)
from course_lib.chapters.ch10.lookup import most_like
from course_lib.chapters.ch10.readings import choose_prompt
from course_lib.learners import answering
from course_lib.learners.prompting import calibrated


def dice():
    return torch.Generator().manual_seed(1)


def test_a_query_without_content_is_calibrated_to_even_shares():
    for p, p_cf in calibration_cases(dice()):
        even = torch.full((1, len(p_cf)), 1 / len(p_cf))
        assert torch.allclose(calibrate(p_cf[None], p_cf), even)
        library = calibrated(p.log(), p_cf.log()[None]).exp()
        assert torch.allclose(calibrate(p, p_cf), library, atol=1e-6)


def test_a_label_is_found_where_the_library_finds_it():
    for answer, labels in match_cases(dice()):
        assert match(answer, labels) == answering.match(answer, labels)


def test_the_nearest_demonstrations_are_those_of_the_study():
    for query, shown, k in nearest_cases(dice()):
        mine, library = nearest(query, shown, k), most_like(query[None], shown, k)[0]
        assert mine.flip(0).tolist() == library.tolist()


def test_an_honest_choice_is_one_draw_of_the_table():
    """With the labelled queries in every order, the table's mean is the mean of honest choices."""
    right, labelled = honest_cases(dice())[1]
    drawn = []
    for seed in range(400):
        order = torch.randperm(right.shape[1], generator=torch.Generator().manual_seed(seed))
        drawn.append(float(honest(right[:, order], labelled)))
    table = choose_prompt(right, labelled, draws=400)["on fresh ones"]
    assert abs(100 * sum(drawn) / len(drawn) - table) < 2
