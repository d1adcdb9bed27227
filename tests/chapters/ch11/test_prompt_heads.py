"""Where heads look: the definitions on attention made by hand, what removing a head changes, and
which heads matter in the shipped model."""

import pytest
import torch

from course_lib.chapters.ch11.heads import accuracy_without_each, head_scores, shares, without_head
from course_lib.episodes import Episode
from course_lib.families.prompt_worlds import TOKENS, WORDS, Worlds
from course_lib.language_models.tiny_gpt import Size, TinyGPT, in_order, shipped_model
from course_lib.learners.in_context import InContext
from course_lib.learners.token_prompts import as_prompts
from course_lib.training.evaluation import evaluate, paired


def by_hand():
    """One task of three examples, of kinds 0, 1, 0 with labels 0, 1, 1, and queries of kind 0 with
    label 0 and kind 1 with label 1."""
    first, second = 1, 1 + WORDS  # the first words of two kinds
    return Episode(
        torch.tensor([[[first], [second], [first + 1]]]), torch.tensor([[0, 1, 1]]),
        torch.tensor([[[first + 2], [second + 3]]]), torch.tensor([[0, 1]]),
    )  # fmt: skip


def test_the_definitions_on_attention_made_by_hand():
    looks = torch.zeros(1, 2, 1, 2, 14, 14)  # 1 task, 2 queries, 1 layer, 2 heads, L = 4 * 3 + 2
    one, two = looks[0, :, 0, 0], looks[0, :, 0, 1]
    one[:, 1, 0], one[:, 5, 4], one[:, 9, 8] = 0.9, 0.6, 0.3  # separators to their words
    two[:, 2, 0], two[:, 6, 4], two[:, 10, 4] = (
        0.3,
        0.6,
        0.5,
    )  # labels to their words, but the last to the word of another example
    one[:, 13, 2], one[:, 13, 6], one[:, 13, 10] = 0.5, 0.2, 0.1  # the query to the labels
    two[:, 13, 0], two[:, 13, 4], two[:, 13, 8] = 0.4, 0.3, 0.2  # the query to the words
    found = {
        name: value[0].squeeze(1) for name, value in shares(looks, by_hand(), 3).items()
    }  # (queries, heads)
    wanted = {
        "separator to its word": [[0.6, 0], [0.6, 0]],
        "label to its word": [[0, 0.3], [0, 0.3]],
        "to labels like its own": [[0.5, 0], [0.3, 0]],
        "to other labels": [[0.3, 0], [0.5, 0]],
        "to words of its kind": [[0, 0.6], [0, 0.3]],
        "to other words": [[0, 0.3], [0, 0.6]],
    }
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], torch.tensor(value, dtype=torch.float32), msg=name)


def test_what_does_not_fit_is_refused():
    for shots in (0, 4):
        with pytest.raises(ValueError, match="has 3 examples"):
            shares(torch.zeros(1, 2, 14, 14), by_hand(), shots)
    with pytest.raises(ValueError, match="with 2 examples has 10"):
        shares(torch.zeros(1, 2, 14, 14), by_hand(), 2)


def test_scores_are_means_over_all_prompts_however_they_are_split():
    family, model = Worlds(), TinyGPT(Size(len(TOKENS)), seed=0)
    episode = family.sample(
        150, shots=3, queries=2, generator=family.generator(1)
    )  # 300 prompts: two parts
    scores = head_scores(model, episode, 2)
    with torch.no_grad():
        looks = torch.stack(model.look(as_prompts(episode, 2).flatten(0, 1))[1], 1).unflatten(
            0, (150, 2)
        )
    for name, each in shares(looks, episode, 2).items():
        assert scores[name].shape == (3, 4)
        torch.testing.assert_close(scores[name], each.mean((0, 1)), msg=name)


def test_removing_a_head_takes_away_its_own_contribution_and_nothing_else():
    model = TinyGPT(Size(len(TOKENS)), seed=0)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    less, x = (
        without_head(model, 1, 2),
        torch.randn(2, 7, 96, generator=torch.Generator().manual_seed(0)),
    )
    full, cut = model.blocks[1].attention, less.blocks[1].attention
    with torch.no_grad():
        gathered, looks = full(x, *in_order(x.shape[1]))
        values = full.v(x).view(2, 7, 4, 24)[:, :, 2]  # of that head: (B, L, D)
        own = (looks[:, 2] @ values) @ full.out.weight[:, 48:72].T
        torch.testing.assert_close(cut(x, *in_order(x.shape[1]))[0], gathered - own)
        assert own.abs().max() > 0.01 and torch.equal(cut(x, *in_order(x.shape[1]))[1], looks)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items()), (
        "the model itself was changed"
    )
    assert [
        name for name, tensor in less.state_dict().items() if not torch.equal(tensor, before[name])
    ] == ["blocks.1.attention.out.weight"]


@pytest.mark.parametrize("place", [(3, 0), (0, 4), (-1, 0)])
def test_a_head_that_does_not_exist_is_refused(place):
    with pytest.raises(ValueError, match="below 3 layers and 4 heads"):
        without_head(TinyGPT(Size(len(TOKENS)), seed=0), *place)


# Claims about the shipped model, on other tasks than those of which the chapter reports numbers


@pytest.fixture(scope="module")
def episode():
    family = Worlds()
    return family.sample(200, shots=8, queries=1, generator=family.generator(72))


def test_three_heads_carry_the_answer_and_no_other_is_needed(episode):
    model = shipped_model()
    whole = evaluate(InContext(model, 8), episode)
    lost = {
        place: paired(whole, score)
        for place, score in accuracy_without_each(model, episode, 8).items()
    }
    needed = {(0, 0), (1, 0), (2, 3)}
    assert whole.mean > 0.97
    assert all(lost[place].mean - lost[place].half_width > 0.1 for place in needed)
    assert all(abs(score.mean) < 0.03 for place, score in lost.items() if place not in needed)


def test_one_head_carries_the_word_to_its_label_and_a_later_one_finds_the_right_labels(episode):
    scores = head_scores(shipped_model(), episode, 8)
    assert (
        scores["label to its word"].argmax() == 4 and scores["label to its word"][1, 0] > 0.9
    )  # layer 1, head 0
    assert (
        scores["separator to its word"].argmax() == 4
        and scores["separator to its word"][1, 0] > 0.9
    )
    right, other = scores["to labels like its own"], scores["to other labels"]
    assert right[2, 3] > 0.85 and other[2, 3] < 0.05
    assert right[2, 2] > 0.75, "a second such head, which can be removed without harm"
    assert abs(right[0] - other[0]).max() < 0.15, "the first layer cannot tell the labels apart yet"
    kind, others = scores["to words of its kind"], scores["to other words"]
    assert abs(kind - others).max() < 0.03, (
        "no head picks out the words of the query's kind: words are not compared from the query "
        "itself"
    )


def test_in_the_middle_of_the_phase_change_the_head_that_carries_words_is_there_and_the_one_that_finds_labels_is_weaker(  # noqa: E501
    episode,
):
    scores = head_scores(shipped_model("tiny_gpt_early"), episode, 8)
    assert scores["label to its word"][1, 0] > 0.85
    right, other = scores["to labels like its own"], scores["to other labels"]
    assert 0.7 < right[2, 3] < 0.85 and other[2, 3] > 0.1 and right[2, 2] < 0.45
