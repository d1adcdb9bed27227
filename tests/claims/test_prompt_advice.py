"""Which advice of prompt guides holds for the shipped model: the statements of chapter 10, each measured on held-out tasks."""

import pytest
import torch

from course_lib.evaluate import paired
from course_lib.families.world_words import KINDS
from course_lib.families.worlds import TOKENS
from course_lib.language_training import shipped_model
from course_lib.prompt_advice import ADVICE, chosen, place, worlds

TASKS, SEED = 150, 31


@pytest.fixture(scope="module")
def measured():
    model = shipped_model()
    return {name: function(model, TASKS, SEED) for name, function in ADVICE.items()}


def test_chosen_examples_are_of_the_kinds_asked_for():
    episode = worlds(50, 0, kinds_per_label=2)
    places = torch.tensor([3, 0, 0, 2]).expand(50, -1)
    some = chosen(episode, places)
    assert torch.equal(place(some, some.support_x), places) and torch.equal(some.support_y, places % 2)
    names = list(KINDS)
    assert TOKENS[some.support_x[7, 0, 0]] in KINDS[names[some.hidden["kinds"][7, 3]]]
    with pytest.raises(ValueError, match="too few examples of a kind"):
        chosen(episode, torch.zeros(50, 40, dtype=torch.long))


def test_wrong_labels_hurt_in_proportion(measured):
    some, half, all_ = (measured["wrong labels"][f"{n} of 8 labels wrong"].mean for n in (0, 4, 8))
    assert some > 0.97 and abs(half - 0.5) < 0.1 and all_ < 0.05


def test_diversity_matters(measured):
    both, one = measured["diversity"].values()
    assert paired(both, one).mean > 0.15 and both.mean > 0.95


def test_a_relevant_example_matters(measured):
    own, other = measured["relevance"].values()
    assert own.mean > 0.95 and abs(other.mean - 0.5) < 0.15


def test_separators_and_chatter_do_not_matter(measured):
    for advice in ("consistency", "conciseness"):
        first, *others = measured[advice].values()
        assert all(abs(paired(first, other).mean) < 0.02 for other in others)


def test_known_instructions_work_alone_and_others_are_repaired_by_examples(measured):
    ways = measured["instruction or examples"]
    assert ways["known wording"].mean > 0.98 and ways["unknown wording"].mean < 0.6 and ways["unknown wording, 4 examples"].mean > 0.95


def test_no_majority_bias_but_an_unseen_label_is_never_answered(measured):
    shares = [score.mean for score in measured["balance"].values()]
    assert shares[0] > 0.97 and shares[-1] < 0.03 and all(abs(share - 0.5) < 0.06 for share in shares[1:-1])
