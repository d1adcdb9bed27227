"""What chapter 09 says about sentences, each sentence as a test."""

import pytest
import torch
import torch.nn.functional as F

from course_lib.chapters import named_run
from course_lib.chapters.ch09 import study as intent_line_up
from course_lib.chapters.ch09.cue_words import COUNTS, DOMAINS, IDF, LEARNED, cues, shuffled
from course_lib.chapters.ch09.pretrained import LAYERS, pretrained_scores
from course_lib.chapters.ch09.sentence_typist import QUERIES, SUPPORTS, classify
from course_lib.chapters.ch09.study import (
    EPISODES,
    NAMES,
    bag_of_words,
    episodes,
    prepare,
    scores,
    trained,
    with_learned_vectors,
)
from course_lib.families import Intents, Vocabulary, own_sentences
from course_lib.families.intents import DATA
from course_lib.learners import Prototypical
from course_lib.networks.sentences import CountEncoder, SentenceEncoder, idf
from course_lib.training.evaluation import Score, evaluate, evaluate_each_step, paired
from course_lib.training.evaluation import test_episodes as same_episodes
from course_lib.training.outer_loop import meta_train


@pytest.fixture(scope="module")
def bag():
    return bag_of_words()


@pytest.fixture(scope="module")
def table(bag):
    learners = {"bag": bag, "untrained": prepare("prototypical")[0]} | {
        name: trained(name) for name in NAMES
    }
    return {name: scores(learner) for name, learner in learners.items()}


@pytest.fixture(scope="module")
def learned():
    """The prototypical network with learned word vectors after its training, and its accuracies on
    both parts by time."""
    learner, family, plan = with_learned_vectors()
    parts = {"train": episodes(5, "train", 300), "test": episodes(5, "test", 300)}
    before = {part: evaluate(learner, tasks) for part, tasks in parts.items()}
    meta_train(learner, family, plan, progress=False)
    after = {part: evaluate(learner, tasks) for part, tasks in parts.items()}
    return learner, parts, before, after


@pytest.fixture(scope="module")
def remarks():
    return own_sentences(
        DATA.parent / "sentences" / "positive_negative.tsv", vocabulary=Intents().vocabulary
    )


def clear(difference: Score) -> bool:
    return difference.mean > difference.half_width


# --- words and domains ----------------------------------------------------------------------------


def test_1440_requests_in_12_domains_of_6_intents_with_20_sentences_each():
    everything = Intents(part="all")
    assert (
        len(everything.rows) == 1440 and len(everything.domains) == 12 and everything.classes == 72
    )
    assert Intents(part="test").domains == ["banking", "city", "travel"] and set(
        Intents(part="validation").domains
    ) == {"food", "phone"}


def test_most_tokens_also_occur_in_training_sentences_and_four_in_ten_different_words_of_the_test_domains_do_not():  # noqa: E501
    train, test = (Intents(part=part).rows for part in ("train", "test"))
    known, words = set(train.flatten().tolist()), set(test.flatten().tolist()) - {0}
    new = torch.tensor(sorted(words - known))
    assert 0.35 < len(new) / len(words) < 0.5
    assert torch.isin(test[test > 0], new).float().mean() < 0.2


def test_a_mean_forgets_the_order_of_its_words_and_the_correction_starts_at_0():
    vocabulary = Intents().vocabulary
    encoder = SentenceEncoder(len(vocabulary), 16, seed=0)
    one, other = encoder(vocabulary.encode(["the dog bites the man", "the man bites the dog"]))
    torch.testing.assert_close(one, other)
    assert not encoder.second.weight.any()


def test_giving_all_unknown_words_one_id_would_make_zebras_and_yaks_the_same_thing():
    several, one = Vocabulary(["a"]), Vocabulary(["a"], buckets=1)
    assert several.id("zebra") != several.id("yak") and one.id("zebra") == one.id("yak")


def test_the_idf_of_a_word_of_a_new_domain_is_finite_and_the_largest(bag):
    vocabulary = Intents().vocabulary
    the, please, card, luggage = (
        bag.idf[vocabulary.id(word)] for word in ("the", "please", "card", "luggage")
    )
    assert the < please < card < luggage == bag.idf.max() < torch.inf


# --- what training does ---------------------------------------------------------------------------


def test_learned_word_vectors_learn_the_training_domains_by_heart_and_fall_below_their_own_start_elsewhere(  # noqa: E501
    learned, bag
):
    _, parts, before, after = learned
    assert after["train"].mean > 0.9 and clear(paired(before["test"], after["test"]))
    assert clear(paired(after["train"], evaluate(bag, parts["train"]))) and clear(
        paired(evaluate(bag, parts["test"]), before["test"])
    )


def test_the_correction_does_the_harm_and_the_vectors_alone_do_little(learned):
    learner, parts, before, after = learned
    correction = learner.encoder.second.weight.data
    learner.encoder.second.weight.data = torch.zeros_like(correction)
    alone = evaluate(learner, parts["test"])
    learner.encoder.second.weight.data = correction
    assert clear(paired(alone, after["test"])) and abs(alone.mean - before["test"].mean) < 0.03


def test_the_vectors_of_new_words_stay_as_they_were_drawn(learned):
    start = with_learned_vectors()[0].encoder.vectors
    new = sorted(
        set(Intents(part="test").rows.flatten().tolist()) - set(Intents().rows.flatten().tolist())
    )
    assert learned[0].encoder.vectors[new].equal(start[new]) and not learned[
        0
    ].encoder.vectors.equal(start)


def test_a_strong_word_returns_in_about_an_eighth_of_its_own_intent_and_hardly_in_other_domains():
    found = [cues(domain, IDF, 5) for domain in DOMAINS]
    own, wrong, elsewhere = (
        torch.stack([getattr(f, part).mean() for f in found])
        for part in ("own", "wrong", "elsewhere")
    )
    assert 0.1 < own.mean() < 0.15 and elsewhere.max() < 0.025 and (own > 4 * wrong).all()


def test_idf_names_more_sentences_than_plain_counts_in_each_domain():
    for domain in DOMAINS:
        assert cues(domain, IDF, 5).accuracy > cues(domain, COUNTS, 5).accuracy


def test_cue_words_are_counted_as_by_hand():
    found, (names, rows) = cues("travel", LEARNED, 5), shuffled("travel")
    word = Intents().vocabulary.id(found.words[4][0])
    assert (
        names[4] == "entry_documents"
        and found.own[4, 0] == (rows[4, 5:] == word).any(1).double().mean()
    )
    rest = [(rows[i, 5:] == word).any(1).double().mean() for i in range(6) if i != 4]
    assert found.wrong[4, 0].item() == pytest.approx(sum(rest).item() / 5)
    everything = Intents(part="all")
    held = [
        (everything.rows[20 * i : 20 * i + 20] == word).any(1).sum()
        for i, domain in enumerate(everything.domain_of)
        if domain != "travel"
    ]
    assert found.elsewhere[4, 0].item() == pytest.approx(sum(held).item() / (11 * 120))


# --- the table ------------------------------------------------------------------------------------


def test_without_pieces_and_before_training_counts_are_the_bag_of_words(bag):
    tasks, words = episodes(5, count=20), len(Intents().vocabulary)
    plain = Prototypical(CountEncoder(words, idf(Intents().rows, words)), "cosine", scale=1.0)
    with torch.no_grad():
        torch.testing.assert_close(plain(tasks), bag(tasks), rtol=1e-4, atol=1e-5)


def test_everything_is_within_four_points_of_counting_words_and_ahead_of_it(table):
    for name in ("untrained", *NAMES):
        for shots in (1, 5):
            lead = paired(table[name][shots], table["bag"][shots])
            assert clear(lead) and lead.mean < 0.04, (name, shots)
    assert EPISODES == 600 == len(table["bag"][5].per_episode)


def test_most_of_the_lead_comes_from_the_pieces_before_any_training(table):
    pieces = paired(table["untrained"][5], table["bag"][5]).mean
    assert all(paired(table[name][5], table["bag"][5]).mean < 2 * pieces for name in NAMES)


def test_practice_adds_about_a_point_to_baselinepp_less_to_prototypes_and_nothing_to_maml(table):
    plus, prototypes = (
        paired(table[name][5], table["untrained"][5]) for name in ("baselinepp", "prototypical")
    )
    maml = paired(table["maml"][5], scores(prepare("maml")[0])[5])
    assert (
        clear(plus)
        and 0.005 < plus.mean < 0.02
        and clear(prototypes)
        and prototypes.mean < plus.mean
    )
    assert not clear(maml)


def test_from_one_example_to_five_everyone_gains_about_thirty_points(table):
    for name, score in table.items():
        assert 0.28 < score[5].mean - score[1].mean < 0.34, name


def test_maml_before_its_inner_loop_is_at_chance_and_one_step_does_most_of_the_work():
    steps = evaluate_each_step(trained("maml"), episodes(5, count=100), 5)
    assert abs(steps[0].mean - 0.2) < 0.03
    assert steps[1].mean - 0.2 > 0.9 * (steps[-1].mean - 0.2)


def test_from_a_layer_of_zeros_the_first_step_points_each_classs_weights_towards_its_examples():
    g = torch.Generator().manual_seed(0)
    f, y = F.normalize(torch.randn(10, 6, generator=g), dim=1), torch.arange(5).repeat(2)
    W, b = torch.zeros(5, 6, requires_grad=True), torch.zeros(5)
    (gradient,) = torch.autograd.grad(F.cross_entropy(f @ W.T + b, y), W)
    means = torch.stack([f[y == n].mean(0) for n in range(5)])
    torch.testing.assert_close(-gradient, (means - f.mean(0)) / 5)


def test_one_domain_is_harder_than_three_by_a_few_points(table, bag):
    single = torch.cat([evaluate(bag, same_episodes(Intents(domains=[name]), 200, shots=5,
    queries=5, seed=9)).per_episode
                        for name in ("banking", "city", "travel")])  # fmt: skip
    assert 0.01 < table["bag"][5].mean - single.mean() < 0.1


@pytest.mark.parametrize(
    "word, intent",
    [("passport", "entry_documents"), ("belt", "missing_luggage"), ("nights", "book_hotel_room")],
)
def test_some_words_belong_to_one_intent_each_even_within_travel(word, intent):
    family = Intents(domains=["travel"])
    held = (family.rows.view(6, 20, -1) == family.vocabulary.id(word)).any(-1).sum(1)
    assert held.sum() == held[family.names.index(intent)] > 4


# --- twins ----------------------------------------------------------------------------------------


def test_more_examples_of_remarks_that_come_in_twins_make_counting_worse_than_a_coin(remarks, bag):
    few, many = (
        evaluate(bag, same_episodes(remarks, 200, shots=shots, queries=10, seed=1))
        for shots in (1, 20)
    )
    assert abs(few.mean - 0.5) < 0.03 and many.mean + many.half_width < 0.45


def test_with_its_twin_among_the_examples_a_query_is_mostly_wrong_and_without_it_about_as_good_as_a_coin(  # noqa: E501
    remarks, bag
):
    v, kind = bag.count(remarks.rows), torch.arange(2).repeat_interleave(60)
    twin_of = (v @ v.T).masked_fill(kind[:, None] == kind, -1).argmax(1)
    tasks = same_episodes(remarks, 200, shots=20, queries=10, seed=2)
    asked, known = (
        (x[:, :, None] == remarks.rows).all(-1).int().argmax(-1)
        for x in (tasks.query_x, tasks.support_x)
    )
    shown = (twin_of[asked][..., None] == known[:, None]).any(-1)
    right = (bag(tasks).argmax(-1) == tasks.query_y).float()
    assert right[shown].mean() < 0.25 and abs(right[~shown].mean() - 0.5) < 0.08


def test_idf_counted_on_other_domains_is_the_largest_step(bag):
    words = len(bag.idf)
    alike, tasks = (
        Prototypical(CountEncoder(words, torch.ones(words)), "cosine", scale=1.0),
        episodes(5, count=200),
    )
    assert paired(evaluate(bag, tasks), evaluate(alike, tasks)).mean > 0.15


def test_four_of_five_remarks_have_their_nearest_neighbour_under_the_other_label(remarks, bag):
    v = bag.count(remarks.rows)
    kind = torch.arange(2).repeat_interleave(60)
    assert 0.75 < (kind[(v @ v.T).fill_diagonal_(-1).argmax(1)] != kind).float().mean() < 0.9


def test_the_bag_follows_the_subject_and_a_word_of_opinion_where_it_returns(bag):
    vocabulary = Intents().vocabulary
    sentences = [
        "The room was quiet.",
        "I would come again.",
        "The soup was not hot.",
        "I would never come again.",
    ]
    x = vocabulary.encode(
        [
            *sentences,
            "The soup was hot.",
            "The room was not quiet.",
            "The staff were never friendly.",
        ]
    )
    assert bag.predict(x[:4], torch.tensor([0, 0, 1, 1]), x[4:]).argmax(1).tolist() == [
        1,
        0,
        1,
    ]  # two wrong, and one right by "never"


def test_a_request_without_its_cue_word_hangs_on_little_words():
    verdict = classify(
        next(iter(SUPPORTS.values())), QUERIES["no word that was shown"], "bag of words"
    )
    best = verdict.words[int(verdict.effects.argmax())][0]
    assert best in {"has", "out", "of", "my"}
    assert "card" not in [word for word, _ in verdict.words]


def test_the_settings_are_those_that_the_chapter_names():
    maml = trained("maml")
    assert (maml.alpha, maml.steps, maml.first_order) == (
        5.0,
        5,
        True,
    ) and intent_line_up.PIECE == 4
    assert with_learned_vectors()[2].outer_steps == 400
    f = maml.network[0](episodes(5, count=1).query_x[0])
    torch.testing.assert_close(f.norm(dim=1), torch.ones(25), rtol=1e-4, atol=1e-4)


def test_wider_random_vectors_come_close_to_counting(bag):
    tasks, words = episodes(5, count=200), len(bag.idf)
    found = [
        evaluate(
            Prototypical(SentenceEncoder(words, width, weights=bag.idf, learned=True), "cosine"),
            tasks,
            batch=50,
        ).mean
        for width in (128, 512, 2048)
    ]
    counted = evaluate(bag, tasks).mean
    assert found[0] + 0.1 < found[1] < found[2] < counted
    assert counted - found[2] < (counted - found[0]) / 3


def test_frozen_smollm2_is_level_with_counting_at_one_example_and_ten_points_below_at_five(table):
    frozen, layer = pretrained_scores()
    one, five = (paired(frozen[k], table["bag"][k]) for k in (1, 5))
    assert abs(one.mean) < 0.03 and -0.12 < five.mean < -0.08
    told = named_run("intents_smollm").tensors()
    means = {k: told[f"validation, layer {k}"].mean() for k in LAYERS}
    assert layer == max(means, key=means.get)


def test_the_gain_of_practice_is_not_the_same_in_every_domain():
    trained_one, start, gains = trained("baselinepp"), prepare("baselinepp")[0], {}
    for name in ("banking", "travel"):
        tasks = same_episodes(Intents(domains=[name]), 200, shots=5, queries=5, seed=9)
        gains[name] = paired(*(evaluate(who, tasks, batch=50) for who in (trained_one, start)))
    assert 0 <= gains["banking"].mean < gains["travel"].mean - 0.005 < 0.02
