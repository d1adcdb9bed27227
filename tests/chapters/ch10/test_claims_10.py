"""What chapter 10 says about prompts and those who read them, measured on other held-out tasks than
in the notebook."""

import pytest
import torch

from course_lib.chapters.ch10.advice import ADVICE, place, with_examples, worlds
from course_lib.chapters.ch10.readings import best_and_worst_order
from course_lib.chapters.ch10.yardsticks import look_up, orders_within_tasks, threshold
from course_lib.families.pretraining_prompts import PromptMixture
from course_lib.families.prompt_tokens import KINDS, LABELS, SEPARATORS
from course_lib.families.prompt_worlds import ID, KIND_GROUP, LABEL_GROUP, TOKENS, Worlds, covered
from course_lib.language_models.opening import TinyModel
from course_lib.language_models.tiny_gpt import shipped_model
from course_lib.learners.in_context import InContext
from course_lib.learners.prompting import Prompting
from course_lib.training.evaluation import Score, evaluate, paired

TASKS, SEED = 150, 31


@pytest.fixture(scope="module")
def model():
    return shipped_model()


@pytest.fixture(scope="module")
def early():
    return shipped_model("tiny_gpt_early")


@pytest.fixture(scope="module")
def measured(model):
    return {name: function(model, TASKS, SEED) for name, function in ADVICE.items()}


@pytest.fixture(scope="module")
def measured_early(early):
    return {
        name: ADVICE[name](early, TASKS, SEED) for name in ("label words", "balance", "diversity")
    }


def held_out(ways=2, tasks=300, shots=16, seed=SEED, kinds_per_label=1):
    family = Worlds(ways, kinds_per_label)
    return family.sample(tasks, shots=shots, queries=1, generator=family.generator(seed))


# --- a prompt is a support set, and the model answers ---------------------------------------------


def test_the_model_is_376128_numbers(model):
    assert sum(parameter.numel() for parameter in model.parameters()) == 376_128


def test_trees_fish_vehicles_and_metals_with_ten_labels_are_one_of_six_groups():
    group = KIND_GROUP["tree"]
    assert {kind for kind in KINDS if KIND_GROUP[kind] == group} == {
        "tree",
        "fish",
        "vehicle",
        "metal",
    }
    assert (
        sum(LABEL_GROUP[label] == group for label in LABELS) == 10
        and len({*KIND_GROUP.values()}) == len({*LABEL_GROUP.values()}) == 6
    )


def test_no_training_prompt_with_made_up_labels_held_two_kinds_of_one_group_or_a_kind_with_a_label_of_its_group():  # noqa: E501
    kind_of = {word: kind for kind, words in KINDS.items() for word in words}
    mixture, seen = PromptMixture(), 0
    for batch in range(12):
        for row in mixture.batch(64, f"test-{batch}")[0].tolist():
            words = [TOKENS[i] for i in row]
            labels = {LABEL_GROUP[word] for word in words if word in LABELS}
            kinds = {kind_of[word] for word in words if word in kind_of}
            if labels:
                groups = [KIND_GROUP[kind] for kind in kinds]
                assert len(set(groups)) == len(groups) and not labels & set(groups)
                seen += 1
    assert seen > 200


def test_every_test_task_consists_of_such_pairs():
    tasks = held_out(ways=4)
    groups = torch.tensor(list(KIND_GROUP.values()))[tasks.hidden["kinds"]]
    labels = torch.tensor(list(LABEL_GROUP.values()))[tasks.names["labels"] - ID[LABELS[0]]]
    assert (groups == groups[:, :1]).all() and (labels == groups).all()


# --- how many examples ----------------------------------------------------------------------------


def test_with_one_example_it_answers_with_the_label_that_it_has_seen(model):
    for ways in (2, 4):
        tasks = held_out(ways)
        assert (
            InContext(model, 1)(tasks).argmax(-1) == tasks.support_y[:, :1]
        ).float().mean() > 0.98


def test_the_model_does_what_the_nearest_example_does_and_whoever_excludes_does_better(model):
    limit = threshold(model)
    for ways in (2, 4):
        tasks = held_out(ways, 500)
        for k in (1, 2, 4, 8):
            score = evaluate(InContext(model, k), tasks)
            assert abs(score.mean - look_up(model, tasks, k).mean) < 0.03, (ways, k)
            assert abs(score.mean - covered(tasks, k).float().mean().item()) < 0.04, (ways, k)
            better = look_up(model, tasks, k, exclude=limit)
            assert paired(better, score).mean > (0.002 if k == 8 and ways == 2 else 0.05)
    one = look_up(model, held_out(2), 1, exclude=limit)
    assert one.mean > 0.96  # coverage is 0.5, and no ceiling


# --- labels ---------------------------------------------------------------------------------------


def test_only_the_model_at_the_end_follows_examples_against_what_it_believes(
    measured, measured_early
):
    exchanged = "names of the kinds, exchanged"
    assert (
        measured["label words"][exchanged].mean > 0.97
        and measured_early["label words"][exchanged].mean < 0.35
    )
    for scores in (measured, measured_early):
        assert (
            scores["label words"]["names of the kinds, no examples"].mean > 0.97
        )  # both know what a dog is


# --- advice ---------------------------------------------------------------------------------------


def test_training_prompts_have_one_separator_each_and_random_words_in_front_half_of_the_time():
    mixture, with_words, separators = PromptMixture(), 0, set()
    rows = [row for batch in range(8) for row in mixture.batch(64, f"form-{batch}")[0].tolist()]
    for row in rows:
        words = [TOKENS[i] for i in row]
        mine = {word for word in words[12:] if word in SEPARATORS and word not in ("is", ":")}
        assert len(mine) <= 1
        separators |= mine
        with_words += words[0] in "abcdefghijklmnopqrstuvwxyz0123456789" or words[:2] in (
            ["here", "are"],
            ["please", "answer"],
        )
    assert separators == {"->", "="}
    assert 0.4 < with_words / len(rows) < 0.6


def test_chosen_examples_are_of_the_kinds_asked_for():
    episode = worlds(50, 0, kinds_per_label=2)
    places = torch.tensor([3, 0, 0, 2]).expand(50, -1)
    some = with_examples(episode, places)
    assert torch.equal(place(some, some.support_x), places) and torch.equal(
        some.support_y, places % 2
    )
    names = list(KINDS)
    assert TOKENS[some.support_x[7, 0, 0]] in KINDS[names[some.hidden["kinds"][7, 3]]]
    with pytest.raises(ValueError, match="too few examples of a kind"):
        with_examples(episode, torch.zeros(50, 40, dtype=torch.long))


def test_random_labels_leave_chance_and_flipped_ones_state_another_task(measured):
    right, drawn, flipped = (score.mean for score in measured["labels"].values())
    assert right > 0.97 and abs(drawn - 0.5) < 0.1 and flipped < 0.05


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
    assert (
        ways["known wording"].mean > 0.98
        and ways["unknown wording"].mean < 0.6
        and ways["unknown wording, 4 examples"].mean > 0.95
    )


def test_with_one_kind_of_each_label_queries_of_that_kind_are_read_and_the_others_guessed(model):
    some = worlds(TASKS, SEED, kinds_per_label=2)
    one_kind = with_examples(
        some, torch.tensor([0, 1] * 4).expand(TASKS, -1)
    )  # kinds 0 and 1 are shown, 2 and 3 are not
    right, shown = (
        InContext(model, 8)(one_kind).argmax(-1) == one_kind.query_y,
        place(some, some.query_x) < 2,
    )
    assert right[shown].float().mean() > 0.97 and abs(right[~shown].float().mean() - 0.5) < 0.12


def test_an_order_is_good_within_a_task_of_the_early_model_and_nothing_to_copy_to_the_next(early):
    right, halves = orders_within_tasks(early, 24, SEED)
    ways = best_and_worst_order(right, halves)
    gap = Score(ways["best"] - ways["worst"])
    assert gap.mean > 0.05 and gap.mean > gap.half_width
    first = right[:12].mean((0, 2)).argmax()  # one order for all tasks, chosen on half of them
    across = (right[12:, first].mean() - right[12:].mean()).item()
    assert abs(across) < gap.mean / 2


def test_the_early_model_goes_with_the_majority(measured_early):
    assert (
        measured_early["balance"]["3 of 4 examples"].mean > 0.6
        and measured_early["balance"]["1 of 4 examples"].mean < 0.4
    )


def test_no_majority_bias_but_an_unseen_label_is_never_answered(measured):
    shares = [score.mean for score in measured["balance"].values()]
    assert (
        shares[0] > 0.97
        and shares[-1] < 0.03
        and all(abs(share - 0.5) < 0.06 for share in shares[1:-1])
    )


# --- calibration ----------------------------------------------------------------------------------


def test_calibration_removes_the_early_models_bias_and_with_another_empty_query_harms_the_final_one(
    model, early
):
    few = with_examples(worlds(300, SEED), torch.tensor([0, 0, 0, 1]).expand(300, -1))

    def answers(which, neutral=()):
        return Prompting(TinyModel(which), neutral=neutral)(few).argmax(-1)

    def share(found):
        return (found == 0).float().mean()

    def accuracy(found):
        return (found == few.query_y).float().mean()

    plain, mended = answers(early), answers(early, ("a", "k", "7"))
    assert (
        share(plain) > 0.6
        and abs(share(mended) - 0.5) < 0.08
        and accuracy(mended) > accuracy(plain)
    )
    assert accuracy(answers(model)) - accuracy(answers(model, ("?",))) > 0.05
