"""What chapter 00 says about pixel comparison, intervals and invented hands, each sentence as a
test."""

import pytest
import torch

from course_lib.chapters.ch00.exercises import interval, nearest
from course_lib.chapters.ch00.explorers import (
    LETTERS,
    ROUNDS,
    blurred,
    copy_over_original,
    moved,
    question,
    taste,
)
from course_lib.chapters.ch00.study import SLOPPINESS, WAYS, measure, measured, pixel_nearest
from course_lib.families import Strokes
from course_lib.training.evaluation import Score, paired

AT_1 = SLOPPINESS.index(1.0)


def hits(predict, episode):
    return torch.stack([predict(sx, sy, qx) == qy for sx, sy, qx, qy in episode]).float()


def score(predict, episode):
    return Score(hits(predict, episode).mean(1), "accuracy")


def sample(ways=5, shots=1, seed=1, tasks=600, queries=3):
    family = Strokes(ways=ways)
    return family.sample(tasks, shots=shots, queries=queries, generator=family.generator(seed))


@pytest.fixture(scope="module")
def episode():
    return sample()


@pytest.fixture(scope="module")
def one_shot(episode):
    return score(pixel_nearest, episode)


def test_pixel_comparison_is_right_about_twice_as_often_as_a_guess_and_wrong_more_often_than_right(
    one_shot,
):
    for result in (one_shot, score(pixel_nearest, sample(seed=77))):
        assert 0.35 < result.mean - result.half_width and result.mean + result.half_width < 0.5


def test_in_one_episode_no_answer_of_fifteen_is_right_and_in_the_best_ones_twelve_are(one_shot):
    assert one_shot.per_episode.min() == 0 and one_shot.per_episode.max().item() == pytest.approx(
        12 / 15
    )


def test_about_nineteen_of_twenty_intervals_contain_the_true_mean():
    truth = score(pixel_nearest, sample(seed=3, tasks=3000)).mean
    groups = [
        Score(group)
        for group in score(pixel_nearest, sample(seed=4, tasks=3000)).per_episode.split(30)
    ]
    assert 0.88 <= sum(abs(g.mean - truth) < g.half_width for g in groups) / len(groups) <= 0.99


def test_more_queries_narrow_an_interval_without_another_episode_and_leave_what_differs_between_episodes():  # noqa: E501
    many = hits(pixel_nearest, sample(tasks=600, queries=15, seed=11))
    five, all_75 = (Score(many[:, :: 75 // n].mean(1)).half_width for n in (5, 75))
    assert many.shape[1] == 75 and five > 2 * all_75
    assert all_75 > 1.3 * (five * (5 / 75) ** 0.5), "no more than counting drawings would give"


def test_the_exercises_agree_with_the_library(episode):
    everything = hits(nearest, episode)
    torch.testing.assert_close(everything, hits(pixel_nearest, episode))
    result = Score(everything.mean(1))
    assert interval(everything) == pytest.approx((result.mean, result.half_width))


def test_five_examples_of_each_raise_the_accuracy_by_more_than_10_and_less_than_20_points(one_shot):
    for seed in (1, 2):
        gain = score(pixel_nearest, sample(shots=5, seed=seed)).mean - one_shot.mean
        assert 0.10 < gain < 0.20


def test_a_copy_moved_by_four_pixels_is_found_less_often_than_a_new_drawing_by_another_hand(
    episode, one_shot
):
    found = {}
    for distance in (1, 4):
        copies = [pixel_nearest(sx, sy, moved(sx, distance, 0)) == sy for sx, sy, _, _ in episode]
        found[distance] = Score(torch.stack(copies).float().mean(1))
    assert found[1].mean > 0.99
    difference = paired(found[4], one_shot)
    assert difference.mean + difference.half_width < 0


def test_where_no_ink_overlaps_the_drawing_with_the_least_ink_wins():
    support, query = torch.zeros(3, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    for place, amount in enumerate((5, 2, 7)):
        support[place, 0, place, :amount] = 1
    query[0, 0, 7] = 1
    assert pixel_nearest(support, torch.arange(3), query).tolist() == [1]


def test_it_chooses_the_drawing_with_the_least_ink_more_than_twice_as_often_as_is_fair(episode):
    palest = [sy[sx.flatten(1).square().sum(1).argmin()] for sx, sy, _, _ in episode]
    chosen = [
        (pixel_nearest(sx, sy, qx) == p).float().mean()
        for (sx, sy, qx, _), p in zip(episode, palest, strict=True)
    ]
    assert torch.stack(chosen).mean() > 0.4


def test_after_four_pixels_about_a_quarter_of_the_ink_still_overlaps(episode):
    drawings = episode.support_x.flatten(0, 1)
    shared = (drawings * moved(drawings, 4, 0)).flatten(1).sum(1) / drawings.square().flatten(
        1
    ).sum(1)
    assert 0.2 < shared.mean() < 0.3


def test_strokes_are_one_to_two_pixels_wide():
    family = Strokes()
    drawings = family.draw(torch.arange(500), generator=family.generator(0))[:, 0]
    dark = drawings > 0.5
    inner = dark[
        :, 1:-1, 1:-1
    ]  # a pixel with dark ones on all four sides lies inside a stroke at least three wide
    buried = inner & dark[:, :-2, 1:-1] & dark[:, 2:, 1:-1] & dark[:, 1:-1, :-2] & dark[:, 1:-1, 2:]
    assert buried.sum() < 0.1 * dark.sum()


def test_a_blur_is_worth_more_than_10_points_and_about_as_much_as_four_more_examples_of_each(
    episode, one_shot
):
    def with_blur(sx, sy, qx):
        return pixel_nearest(blurred(sx, 5), sy, blurred(qx, 5))

    soft, five = score(with_blur, episode), score(pixel_nearest, sample(shots=5))
    gain = paired(soft, one_shot)
    assert gain.mean - gain.half_width > 0.10
    assert 0.8 < gain.mean / (five.mean - one_shot.mean) < 1.2
    assert (
        gain.half_width < 0.8 * (soft.half_width**2 + one_shot.half_width**2) ** 0.5
    )  # narrower than on two separate sets of episodes


def test_a_copy_moved_five_pixels_is_taken_for_e_and_with_a_blur_of_three_for_a_again():
    nearest_of = [
        LETTERS[int(copy_over_original(5, 0, blur)["distances"].argmin())] for blur in (1, 3)
    ]
    assert nearest_of == ["E", "A"] and copy_over_original(4, 0, 1)["distances"].argmin() == 0


def test_with_20_ways_the_accuracy_is_lower_and_more_times_its_chance_level():
    five, twenty = (measured()[AT_1, WAYS.index(ways), 0, 0] for ways in (5, 20))
    assert twenty < five and 20 * twenty > 1.5 * 5 * five


def test_with_ten_examples_of_each_it_is_still_wrong_for_more_than_a_third_of_the_drawings():
    mean, half = measured()[AT_1, WAYS.index(5), 9].tolist()
    assert 0.6 < mean - half and mean + half < 2 / 3


def test_at_sloppiness_zero_it_makes_no_mistake_at_all():
    assert (measured()[SLOPPINESS.index(0.0), ..., 0] == 1).all()


def test_pixels_do_about_equally_badly_here_and_on_omniglot():
    ours = score(pixel_nearest, sample(ways=20, tasks=300, queries=1))
    assert ours.mean == pytest.approx(
        0.217, abs=0.04
    )  # Koch et al. 2015, nearest neighbour, within one alphabet


@pytest.mark.parametrize("sloppiness", [0.5, 1.0])
def test_the_numbers_behind_the_slider_can_be_measured_again(sloppiness):
    again, kept = measure(sloppiness, episodes=60, seed=9), measured()[SLOPPINESS.index(sloppiness)]
    drawings = 60 * torch.tensor(WAYS)[:, None] * 2
    (mean, half), (stored, stored_half) = again.unbind(-1), kept.unbind(-1)
    half = torch.where(mean == 1, torch.maximum(half, 3 / drawings), half)
    # no mistake in n drawings: 3/n is where its interval ends
    assert ((mean - stored).abs() < 1.5 * (half + stored_half)).all()


def test_in_the_rounds_of_the_quiz_pixels_are_right_about_as_often_as_in_the_long_run():
    right = [
        question(number, 1.0)["answer"] == question(number, 1.0)["pixels"]
        for number in range(1, ROUNDS + 1)
    ]
    assert 7 <= sum(right) <= 11


def test_the_numbers_move_by_about_their_interval_when_the_seed_changes(one_shot):
    means = torch.tensor([score(pixel_nearest, sample(seed=seed)).mean for seed in range(10, 18)])
    assert 0.2 * one_shot.half_width < means.std() < 1.2 * one_shot.half_width


def test_in_the_quiz_a_new_round_takes_the_old_answer_away_and_the_first_answer_counts():
    quiz = taste()
    right = LETTERS[question(1, 1.0)["answer"]]
    wrong = next(letter for letter in LETTERS if letter != right)
    quiz.show(answer=right)
    assert "you 1" in quiz.answer["number"] and f"It is {right}" in quiz.answer["number"]
    quiz.show(answer=wrong)
    assert (
        "Of 1 so far: you 1" in quiz.answer["number"]
    )  # a second answer in the same round changes no score
    quiz.show(round=2)
    assert quiz.state["answer"] == "not yet" and "It is" not in quiz.answer["number"]


def test_in_the_quiz_a_slider_that_is_drawn_quickly_reveals_nothing():
    """The browser still sends the old answer along, and a message may come late: what counts is
    which move was the last."""
    quiz = taste()

    def says(letter, number, **touched):
        moved = {"answer": 1, "round": 0, "sloppiness": 0} | touched
        values = {"answer": LETTERS.index(letter) + 1, "round": number - 1, "sloppiness": 2}
        quiz._answer({"values": values, "touched": moved})
        return quiz.state["answer"]

    assert says("A", 1) == "A"
    for move, number in enumerate((2, 5, 9, 9), start=2):
        assert says("A", number, round=move) == "not yet"
        assert quiz.state["round"] == number and len(quiz.tally) == 1
    assert says("B", 9, round=5, answer=6) == "B" and len(quiz.tally) == 2
    assert says("B", 9, round=5, answer=6, sloppiness=7) == "not yet"


def test_sloppier_hands_make_the_same_drawings_harder_and_none_makes_them_equal():
    for number in (1, 5):
        calm = question(number, 0.0)
        assert calm["distances"][calm["answer"]] < 1e-3 and calm["pixels"] == calm["answer"]
    share = [
        sum(question(n, s)["answer"] == question(n, s)["pixels"] for n in range(100, 300))
        for s in (0.5, 1.0, 2.0)
    ]
    assert share[0] > share[1] > share[2]
