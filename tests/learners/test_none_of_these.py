"""A threshold declines foreign queries, at a price that is chosen beforehand."""

import pytest
import torch
from torch import nn

from course_lib.episodes import Episode
from course_lib.families import Strokes
from course_lib.learners import Prototypical
from course_lib.learners.none_of_these import best_scores, threshold, with_foreign_queries

FAMILY = Strokes(6, scripts=3)


def drawn(seed: int) -> Episode:
    return FAMILY.sample(20, shots=2, queries=3, generator=FAMILY.generator(seed))


def test_support_sets_show_some_classes_and_the_rest_is_foreign():
    episode = drawn(0)
    known, foreign = with_foreign_queries(episode, 4)
    assert known.ways == 4 and len(known) == 20
    assert known.support_x.shape[1] == 8 and known.query_x.shape[1] == 12
    assert foreign.shape[1] == 6
    for task in range(20):
        for part, x, y in (("support", known.support_x, known.support_y),
                           ("query", known.query_x, known.query_y)):  # fmt: skip
            all_x, all_y = getattr(episode, f"{part}_x")[task], getattr(episode, f"{part}_y")[task]
            for number in range(4):
                assert x[task][y[task] == number].equal(all_x[all_y == number])
        strange = episode.query_x[task][episode.query_y[task] >= 4]
        assert foreign[task].equal(strange)
    assert known.names["classes"].equal(episode.names["classes"][:, :4])


@pytest.mark.parametrize("ways", [0, 1, 6, 7])
def test_there_must_be_classes_to_show_and_others(ways):
    with pytest.raises(ValueError, match=f"ways={ways}: show at least 2 classes, and fewer than 6"):
        with_foreign_queries(drawn(0), ways)


def test_scores_are_distances_by_hand_and_the_threshold_keeps_what_was_asked():
    known, foreign = with_foreign_queries(drawn(0), 4)
    learner = Prototypical(nn.Flatten())
    belong, strange, right = best_scores(learner, known, foreign)
    x, y = known.support_x[0].flatten(1), known.support_y[0]
    centres = torch.stack([x[y == number].mean(0) for number in range(4)])
    apart = torch.cdist(known.query_x[0].flatten(1), centres).square()
    torch.testing.assert_close(belong[0], -apart.amin(1), rtol=1e-4, atol=1e-4)
    assert right[0].equal(apart.argmin(1) == known.query_y[0])
    for keep in (0.99, 0.9, 0.5):
        kept = (belong >= threshold(belong, keep)).float().mean().item()
        assert kept == pytest.approx(keep, abs=0.01)
    assert strange.shape == foreign.shape[:2]
    confidence, _, _ = best_scores(learner, known, foreign, "confidence")
    assert ((confidence > 0.25 - 1e-6) & (confidence <= 1)).all()


def test_what_is_unknown_is_refused():
    known, foreign = with_foreign_queries(drawn(0), 4)
    with pytest.raises(ValueError, match="kind='best': choose from"):
        best_scores(Prototypical(nn.Flatten()), known, foreign, "best")
    for keep in (0, 1, 1.5):
        with pytest.raises(ValueError, match=f"keep={keep}"):
            threshold(torch.zeros(3), keep)
