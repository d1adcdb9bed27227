"""The look-up in a frozen embedding, against a loop by hand."""

import torch
import torch.nn.functional as F

from course_lib.families.prompt_worlds import Worlds
from course_lib.families.two_words import TwoWords
from course_lib.learners.look_up import LookUp
from course_lib.training.evaluation import evaluate

WORDS = torch.randn(455, 16, generator=torch.Generator().manual_seed(0))


def test_one_word_is_compared_by_cosine():
    family = Worlds(4)
    tasks = family.sample(20, shots=6, queries=3, generator=family.generator(2))
    said = LookUp(WORDS)(tasks)
    for t, (support_x, support_y, query_x, _) in enumerate(tasks):
        near = F.cosine_similarity(WORDS[query_x], WORDS[support_x][:, 0][None], dim=-1)
        assert torch.equal(said[t].argmax(-1), support_y[near.argmax(-1)])
        alone = LookUp(WORDS, ways=4).predict(support_x, support_y, query_x, range(1, 5))
        torch.testing.assert_close(alone, said[t])


def test_a_class_without_an_example_is_never_chosen_and_without_any_all_are_equal():
    family = Worlds(4)
    tasks = family.sample(10, shots=1, queries=2, generator=family.generator(3))
    said = LookUp(WORDS)(tasks)
    assert torch.equal(said.argmax(-1), tasks.support_y.expand(-1, 2))
    assert LookUp(WORDS, shots=0)(tasks).eq(0).all()


def test_other_features_compare_otherwise():
    family = TwoWords("either-or")
    tasks = family.sample(50, shots=8, queries=2, generator=family.generator(4))
    apart = torch.eye(455)  # with all words apart, the likeness of two tells nothing
    alike = lambda words: words.prod(-2).sum(-1, keepdim=True)  # noqa: E731
    assert LookUp(apart, alike)(tasks).eq(0).all()
    assert abs(evaluate(LookUp(apart), tasks).mean - 0.5) < 0.2
