"""Networks for sentences: padding and order change nothing, unseen words share parts with seen
ones, and MAML's three ways agree."""

import pytest
import torch
import torch.nn.functional as F
from toys import flat

from course_lib.families import Intents, Vocabulary
from course_lib.families.hidden_words import WordDropout
from course_lib.learners import MAML, Prototypical
from course_lib.learners.bag_of_words import BagOfWords
from course_lib.networks.sentences import (
    CountEncoder,
    SentenceEncoder,
    idf,
    ngram_table,
    text_classifier,
)
from course_lib.training.evaluation import test_episodes as same_episodes

VOCABULARY = Vocabulary(["my card is lost", "cards are not accepted", "a train"], buckets=4)
WORDS = len(VOCABULARY)
TABLE = ngram_table(VOCABULARY.words, WORDS, buckets=64)
KINDS = [{}, {"learned": True}, {"ngrams": TABLE}, {"ngrams": TABLE, "learned": True}]
each_kind = pytest.mark.parametrize(
    "kind", KINDS, ids=["frozen", "learned", "frozen n-grams", "learned n-grams"]
)


def encoder(words=WORDS, **kind) -> SentenceEncoder:
    """A small one in float64 whose correction is not 0."""
    made = SentenceEncoder(words, 8, hidden=6, seed=0, **kind).double()
    torch.nn.init.normal_(made.second.weight, generator=torch.Generator().manual_seed(1))
    return made


@each_kind
def test_padding_and_word_order_change_nothing(kind):
    ids = VOCABULARY.encode(["my card is lost", "a train"])
    f = encoder(**kind)(ids)
    assert f.shape == (2, 8) and f.dtype == torch.float64
    torch.testing.assert_close(encoder(**kind)(F.pad(ids, (0, 5))), f)
    torch.testing.assert_close(encoder(**kind)(ids.flip(-1)), f)


def test_it_starts_as_the_weighted_mean_of_word_vectors():
    weights = torch.arange(1.0, WORDS + 1)
    network, ids = SentenceEncoder(WORDS, 8, weights=weights, seed=0), torch.tensor([[2, 3, 0]])
    wanted = (3 * network.vectors[2] + 4 * network.vectors[3]) / 7
    torch.testing.assert_close(network(ids)[0], wanted)


def test_words_with_the_same_pieces_are_near_each_other():
    ids = [VOCABULARY.ids[word] for word in ("card", "cards", "train")]
    with_pieces = SentenceEncoder(WORDS, 512, ngrams=TABLE, seed=0).word_vectors(torch.tensor(ids))
    near, far = F.cosine_similarity(with_pieces[:1], with_pieces[1:]).tolist()
    assert near > 0.2 > far
    assert set(TABLE[ids[0]].tolist()) & set(TABLE[ids[1]].tolist()) - {0}
    assert not TABLE[0].any() and not TABLE[len(VOCABULARY.words) + 1 :].any()


@each_kind
def test_the_seed_decides_the_weights_and_leaves_torch_alone(kind):
    before = torch.random.get_rng_state()
    one, same, other = (SentenceEncoder(WORDS, 8, seed=seed, **kind) for seed in (0, 0, 1))
    assert torch.random.get_rng_state().equal(before)
    assert one.vectors.equal(same.vectors) and not one.vectors.equal(other.vectors)


def test_vectors_that_stay_as_drawn_are_not_stored():
    assert set(SentenceEncoder(WORDS, 8, ngrams=TABLE).state_dict()) == {
        "gate",
        "first.weight",
        "first.bias",
        "second.weight",
    }


@each_kind
@pytest.mark.parametrize("first_order", [True, False])
def test_the_gradients_of_maml_are_the_same_in_all_three_ways(kind, first_order):
    family = Intents(part="validation", ways=3)
    table = (
        {"ngrams": ngram_table(family.vocabulary.words, len(family.vocabulary), 64)}
        if "ngrams" in kind
        else {}
    )
    tasks, found = same_episodes(family, 2, shots=2, queries=2, seed=0), {}
    for way in ("autograd", "vmap", "higher"):
        network = text_classifier(
            encoder(len(family.vocabulary), **kind | table), 3, seed=0
        ).double()
        torch.nn.init.normal_(network[1].weight, generator=torch.Generator().manual_seed(2))
        maml = MAML(network, F.cross_entropy, alpha=0.3, steps=2, first_order=first_order, way=way)
        loss = maml.outer_loss(tasks)
        loss.backward()
        found[way] = flat([loss, *(parameter.grad for parameter in maml.parameters())])
    torch.testing.assert_close(found["vmap"], found["autograd"], rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(found["higher"], found["autograd"], rtol=1e-9, atol=1e-12)


def test_counts_with_idf_start_as_the_bag_of_words():
    training, tasks = (
        Intents(),
        same_episodes(Intents(part="validation"), 20, shots=3, queries=2, seed=0),
    )
    words = len(training.vocabulary)
    bag, counts = BagOfWords(training.rows, words), CountEncoder(words, idf(training.rows, words))
    torch.testing.assert_close(
        counts(tasks.query_x), bag.count(tasks.query_x), rtol=1e-4, atol=1e-5
    )
    torch.testing.assert_close(
        Prototypical(counts, "cosine", scale=1.0)(tasks), bag(tasks), rtol=1e-4, atol=1e-5
    )


def test_pieces_are_counted_behind_the_words_and_both_weigh_the_same():
    v = CountEncoder(WORDS, ngrams=TABLE)(
        VOCABULARY.encode(["my card is lost", "cards are not accepted", "a train"])
    )
    assert v.shape == (3, WORDS + int(TABLE.max()) + 1)
    for part in v.split([WORDS, v.shape[1] - WORDS], dim=1):
        torch.testing.assert_close(part.square().sum(1), torch.full((3,), 0.5))
    assert (
        v[0, :WORDS] @ v[1, :WORDS] == 0 < v[0, WORDS:] @ v[1, WORDS:]
    )  # "card" and "cards" share pieces


def test_counts_do_not_depend_on_padding_or_order_and_an_unknown_word_has_no_pieces():
    counts, ids = (
        CountEncoder(WORDS, ngrams=TABLE),
        VOCABULARY.encode(["my card is lost", "a train"]),
    )
    torch.testing.assert_close(counts(F.pad(ids, (0, 5))), counts(ids))
    torch.testing.assert_close(counts(ids.flip(-1)), counts(ids))
    unknown = counts(VOCABULARY.encode(["zebra"]))[0]
    assert (
        unknown[:WORDS].count_nonzero() == 1
        and not unknown[WORDS:].any()
        and set(counts.state_dict()) == {"gate"}
    )


@pytest.mark.parametrize("first_order", [True, False])
def test_the_gradients_of_maml_through_counts_are_the_same_in_two_ways(first_order):
    tasks, found = (
        same_episodes(Intents(part="validation", ways=3), 2, shots=2, queries=2, seed=0),
        [],
    )
    vocabulary = Intents().vocabulary
    for way in ("autograd", "vmap"):
        counts = CountEncoder(
            len(vocabulary), ngrams=ngram_table(vocabulary.words, len(vocabulary), 64)
        ).double()
        network = text_classifier(counts, 3).double()
        torch.nn.init.normal_(network[1].weight, generator=torch.Generator().manual_seed(2))
        maml = MAML(network, F.cross_entropy, alpha=0.3, steps=2, first_order=first_order, way=way)
        loss = maml.outer_loss(tasks)
        loss.backward()
        found.append(flat([loss, *(parameter.grad for parameter in maml.parameters())]))
    torch.testing.assert_close(found[1], found[0], rtol=1e-9, atol=1e-12)


def test_metric_learners_take_word_ids():
    tasks = same_episodes(Intents(part="validation", ways=3), 2, shots=2, queries=2, seed=0)
    predictions = Prototypical(encoder(len(Intents().vocabulary)))(tasks)
    assert predictions.dtype == torch.float64 and predictions.shape == (2, 6, 3)


def test_holes_fall_in_the_asked_share_and_never_on_padding():
    family = WordDropout(Intents(), 0.25)
    ids, known = Intents().rows, len(Intents().vocabulary.words)
    holed = family.with_holes(ids, torch.Generator().manual_seed(0))
    assert holed[ids == 0].eq(0).all() and holed.max() < len(Intents().vocabulary)
    changed = (holed != ids)[ids != 0]
    assert abs(changed.float().mean() - 0.25) < 0.02 and (holed[holed != ids] > known).all()
    assert WordDropout(Intents(), 0.0).with_holes(ids).equal(ids)


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: SentenceEncoder(0), "words=0"),
        (lambda: SentenceEncoder(WORDS, 0), "width=0"),
        (lambda: SentenceEncoder(WORDS, weights=torch.ones(2)), f"give {WORDS} numbers"),
        (lambda: SentenceEncoder(WORDS, weights=-torch.ones(WORDS)), "at least 0"),
        (lambda: SentenceEncoder(WORDS, ngrams=TABLE[1:]), "a row for each id"),
        (lambda: SentenceEncoder(WORDS)(torch.rand(2, 3)), "whole numbers"),
        (lambda: CountEncoder(0), "words=0"),
        (lambda: CountEncoder(WORDS, torch.ones(2)), f"give {WORDS} numbers"),
        (lambda: CountEncoder(WORDS, ngrams=TABLE[1:]), "a row for each id"),
        (lambda: CountEncoder(WORDS)(torch.rand(2, 3)), "whole numbers"),
        (lambda: ngram_table(["a", "b"], 2), "rows=2 and 2 words"),
        (lambda: ngram_table(["a"], 2, buckets=0), "buckets=0"),
        (lambda: text_classifier(SentenceEncoder(WORDS), 0), "ways=0"),
        (lambda: idf(torch.zeros(3, dtype=torch.int64), 2), r"\(n, L\)"),
        (lambda: WordDropout(Intents(), 1.0), "share=1.0"),
    ],
)
def test_what_cannot_work_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()
