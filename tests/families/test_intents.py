"""Few-shot tasks from sentences: words as ids, episodes without leaks, the rules of the course's
own data, and files of the reader's."""

import itertools
import re
from collections import Counter

import pytest
import torch
from torch.nn.functional import normalize, one_hot

from course_lib.families import Intents, Vocabulary, own_sentences
from course_lib.families.intents import DATA, PARTS, SentenceClasses, SentenceError, read_sentences
from course_lib.families.vocabulary import tokens
from course_lib.learners.bag_of_words import BagOfWords
from course_lib.training.evaluation import accuracy, evaluate
from course_lib.training.evaluation import test_episodes as same_episodes

DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available()
OTHER_TEXTS = sorted((DATA.parent / "sentences").glob("*.tsv"))


def numbered(counts=(4, 5, 6, 7, 8, 9), device="cpu", **settings):
    """Sentences that say which they are: "c 3 2" is sentence 2 of class 3."""
    sentences = {
        f"class {i}": [f"c {i} {j}" for j in range(count)] for i, count in enumerate(counts)
    }
    return SentenceClasses(
        sentences, Vocabulary(itertools.chain(*sentences.values())), device=device, **settings
    )


def numbers(family, x):
    """(T, items) class and sentence numbers, read from the words."""
    read = torch.tensor(
        [
            [[int(family.vocabulary.words[i - 1]) for i in row[1:]] for row in task]
            for task in x.tolist()
        ]
    )
    return read.unbind(-1)


# ------------------------------------------------------------------ words


def test_a_sentence_is_split_into_words_digits_and_signs():
    assert tokens("I'm 24, check-in?") == ["i'm", "2", "4", ",", "check", "-", "in", "?"]
    assert tokens("Can\u2019t  open snake_case") == ["can't", "open", "snake", "_", "case"]
    assert tokens("'quoted'") == ["'", "quoted", "'"] and tokens(" \t") == []
    assert tokens("Cafe\u0301 \uce74\ub4dc") == ["caf\u00e9", "\uce74\ub4dc"]


def test_known_words_have_ids_of_their_own_and_unknown_ones_a_bucket():
    vocabulary = Vocabulary(["b a", "B c!"], buckets=10)
    assert vocabulary.words == ["!", "a", "b", "c"] and len(vocabulary) == 15
    assert vocabulary.encode(["A b C !"]).tolist() == [[2, 3, 4, 1]]
    unknown = vocabulary.encode(
        [" ".join(f"word{letter}" for letter in "abcdefghijklmnopqrstuvwxyz" * 4)]
    )
    assert (
        unknown.min() == 5 and unknown.max() == 14
    )  # every bucket is met, and none is a known word or beyond the end
    assert vocabulary.id("zebra") == 13  # CRC-32 of the letters: the same on every machine
    assert "a" in vocabulary and "zebra" not in vocabulary


def test_rows_are_filled_up_or_cut_to_a_length():
    vocabulary = Vocabulary(["a b c d"])
    assert vocabulary.encode(["a b", "c"]).tolist() == [[1, 2], [3, 0]]
    assert vocabulary.encode(["a b c d", "c"], length=3).tolist() == [[1, 2, 3], [3, 0, 0]]
    assert vocabulary.encode(["a"]).dtype == torch.int64


def test_a_row_reads_as_its_sentence():
    vocabulary = Vocabulary(["gate 2 4 , please ! is it open ?"])
    assert (
        vocabulary.text(vocabulary.encode(["Gate 24, please!"], length=9)[0]) == "gate 24, please!"
    )
    assert vocabulary.text(vocabulary.encode(["is zebra open?"])[0].tolist()) == "is [?] open?"


@pytest.mark.parametrize(
    "call, says",
    [
        (dict(sentences="a"), "give a list"),
        (dict(sentences=[]), "give a list"),
        (dict(sentences=["a", " "]), "' ' has no word"),
        (dict(sentences=["a"], length=0), "length=0"),
    ],
)
def test_what_is_no_sentence_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        Vocabulary(["a"]).encode(**call)
    with pytest.raises(ValueError, match="buckets=0"):
        Vocabulary(["a"], buckets=0)


# ------------------------------------------------------------------ episodes


@pytest.mark.parametrize("device", DEVICES)
def test_episodes_have_word_ids_of_the_right_shape_type_and_place(device):
    family = numbered(ways=3, device=device)
    one = family.sample(4, shots=1, queries=2, generator=family.generator(0))
    assert one.support_x.shape == (4, 3, 3) and one.query_x.shape == (4, 6, 3)
    assert (
        one.support_y.shape == (4, 3)
        and one.query_y.shape == (4, 6)
        and one.names["classes"].shape == (4, 3)
    )
    four = (one.support_x, one.support_y, one.query_x, one.query_y)
    assert all(t.dtype == torch.int64 and t.device.type == device for t in four)


def test_sentences_belong_to_their_labels_and_none_is_drawn_twice():
    family = numbered(ways=4)
    one = family.sample(200, shots=2, queries=2, generator=family.generator(1))
    kinds = []
    for x, y in ((one.support_x, one.support_y), (one.query_x, one.query_y)):
        kind, sentence = numbers(family, x)
        assert torch.equal(kind, one.names["classes"].gather(1, y))
        assert all(torch.bincount(row, minlength=4).tolist() == [2] * 4 for row in y)
        kinds.append(kind * 100 + sentence)
    assert all(len(set(row.tolist())) == 16 for row in torch.cat(kinds, dim=1))
    assert all(len(set(row.tolist())) == 4 for row in one.names["classes"])


def test_every_class_and_every_sentence_is_met_about_equally_often():
    family = numbered(ways=2, counts=(4, 4, 8))
    one = family.sample(6000, shots=1, queries=1, generator=family.generator(2))
    kind, sentence = (part.flatten() for part in numbers(family, one.query_x))
    assert torch.allclose(torch.bincount(kind) / len(kind), torch.full((3,), 1 / 3), atol=0.02)
    assert torch.allclose(
        torch.bincount(sentence[kind == 2]) / (kind == 2).sum(), torch.full((8,), 1 / 8), atol=0.02
    )


def test_neither_class_numbers_nor_places_tell_anything():
    one = numbered(ways=4).sample(
        500, shots=1, queries=1, generator=torch.Generator().manual_seed(3)
    )
    assert 0.18 < (one.support_y == one.query_y).float().mean() < 0.32
    assert torch.bincount(one.names["classes"][:, 0], minlength=6).min() > 40


def test_the_same_seed_gives_the_same_episodes():
    a, b, c = (same_episodes(Intents(), 5, shots=1, queries=1, seed=seed) for seed in (1, 1, 2))
    assert (
        torch.equal(a.support_x, b.support_x)
        and torch.equal(a.query_y, b.query_y)
        and not torch.equal(a.query_x, c.query_x)
    )


@pytest.mark.parametrize(
    "call, says",
    [
        (
            dict(shots=1, queries=4),
            r"shots=1 and queries=4: class 0 has 4 sentences and needs 5, like 1 of 6 classes",
        ),
        (dict(shots=0, queries=1), "shots=0"),
    ],
)
def test_a_class_with_too_few_sentences_is_named(call, says):
    with pytest.raises(ValueError, match=says):
        numbered().sample(1, **call)


def test_wrong_classes_are_refused():
    with pytest.raises(ValueError, match="ways=7: there are 6 classes"):
        numbered(ways=7)
    for wrong in ([], "one"):
        with pytest.raises(ValueError, match="b: give a list"):
            SentenceClasses({"a": ["one"], "b": wrong}, Vocabulary(["one"]), ways=2)


def test_the_fingerprint_follows_sentences_and_vocabulary():
    first, again, other, longer = (
        numbered(),
        numbered(),
        numbered((4, 5, 6, 7, 9, 8)),
        numbered(length=5),
    )
    more = SentenceClasses(first.by_name, Vocabulary(["c 0 1 2 3 4 5 6 7 8 9"]))
    assert first.settings() == again.settings()
    assert len({first.fingerprint, other.fingerprint, longer.fingerprint, more.fingerprint}) == 4


# ------------------------------------------------------------------ the course's own sentences


def test_the_parts_share_no_domain_and_all_ids():
    parts = {part: Intents(part=part) for part in (*PARTS, "all")}
    assert sorted(parts["all"].domains) == sorted(itertools.chain(*PARTS.values()))
    for one, other in itertools.combinations(PARTS, 2):
        assert not set(parts[one].domains) & set(parts[other].domains) and not set(
            parts[one].names
        ) & set(parts[other].names)
    assert len({(tuple(part.vocabulary.words), part.rows.shape[1]) for part in parts.values()}) == 1
    assert parts["all"].rows.max() <= len(
        parts["all"].vocabulary.words
    )  # no word of the data needs a bucket
    assert (parts["all"].rows[:, 0] > 0).all()
    assert [part.classes for part in parts.values()] == [42, 12, 18, 72]
    assert len({part.fingerprint for part in parts.values()}) == 4


def test_domains_can_be_named():
    family = Intents(domains=["food", "city"])
    assert family.domain_of == ["food"] * 6 + ["city"] * 6
    assert (
        family.settings()["domains"] == ["food", "city"] and family.settings()["part"] == "chosen"
    )
    name = family.names[7]
    assert [family.vocabulary.text(row) for row in family.rows[7 * 20 : 8 * 20]][
        3
    ] == family.vocabulary.text(family.vocabulary.encode(family.sentences(name))[3])
    with pytest.raises(ValueError, match="'fly'.*there are"):
        family.sentences("fly")


@pytest.mark.parametrize(
    "wrong, says",
    [
        (dict(part="tests"), "part='tests'"),
        (dict(domains=["sea"]), "sea.*banking, city"),
        (dict(domains=[]), "give a list"),
        (dict(domains="food"), "give a list"),
        (dict(domains=["food", "food"]), "give a list"),
        (dict(domains=["food"], ways=7), "ways=7: there are 6 classes"),
        (dict(folder=DATA / "nowhere"), "has no file"),
    ],
)
def test_wrong_choices_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        Intents(**wrong)


def test_two_domains_may_not_share_an_intent(tmp_path):
    for domain in ("one", "two"):
        (tmp_path / f"{domain}.tsv").write_text(
            f"pay\tpay {domain}\npay\tmoney {domain}\ngo {domain}\tgo {domain}\ngo {domain}\trun "
            f"{domain}\n"
        )
    with pytest.raises(SentenceError, match="same name"):
        Intents(domains=["one", "two"], folder=tmp_path)


def bags(family, rows):
    """How often each id occurs, without the padding: (..., L) -> (..., ids)."""
    return torch.zeros(*rows.shape[:-1], len(family.vocabulary)).scatter_add_(
        -1, rows, (rows > 0).float()
    )


def test_word_counts_tell_something_and_shuffled_labels_nothing():
    training, family = Intents(), Intents(part="test")
    known = (bags(training, training.rows) > 0).sum(0)
    idf = 1 + torch.log((1 + len(training.rows)) / (1 + known))
    one = family.sample(200, shots=5, queries=5, generator=family.generator(0))
    support, query = (
        normalize(bags(family, x) * idf, dim=-1) for x in (one.support_x, one.query_x)
    )
    logits = (
        query @ normalize(one_hot(one.support_y).float().mT @ support, dim=-1).mT
    )  # cosine with the mean of each class
    assert 0.45 < accuracy(logits, one.query_y).mean() < 0.95
    shuffled = one.query_y.gather(
        1, torch.rand(one.query_y.shape, generator=family.generator(1)).argsort()
    )
    assert abs(accuracy(logits, shuffled).mean() - 0.2) < 0.02


@pytest.mark.parametrize("domain", [file.stem for file in sorted(DATA.glob("*.tsv"))])
def test_within_one_domain_words_tell_most_intents_apart_and_not_all(domain):
    training, family = Intents(), Intents(domains=[domain])
    bag = BagOfWords(training.rows, len(training.vocabulary))
    score = evaluate(bag, same_episodes(family, 200, shots=5, queries=5, seed=1), batch=50)
    assert 0.6 < score.mean < 0.85


FILES = sorted(DATA.glob("*.tsv"))


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_a_domain_has_6_intents_of_20_utterances_in_plain_letters(file):
    data = file.read_bytes()
    assert data.isascii() and data.endswith(b"\n") and b"\r" not in data
    lines = data.decode().splitlines()
    assert len(lines) == 120 and all(
        re.fullmatch(r"[a-z]+(_[a-z]+)*\t[A-Za-z0-9 ?.,!'-]+", line) for line in lines
    )
    labels = [line.split("\t")[0] for line in lines]
    assert list(Counter(labels).values()) == [20] * 6 and len(list(itertools.groupby(labels))) == 6
    for line in lines:
        words = re.findall(r"[A-Za-z0-9'-]+", line.split("\t")[1])
        assert 2 <= len(words) <= 22, line
        assert line == re.sub(" +", " ", line).strip(), line


def test_there_are_72_intents_with_a_name_each():
    names = [name for file in FILES for name in read_sentences(file)]
    assert len(names) == len(set(names)) == 72


def test_no_two_utterances_are_nearly_the_same():
    said = [
        (name, text) for file in FILES for name, own in read_sentences(file).items() for text in own
    ]
    bags = [
        frozenset(re.sub(r"[^a-z0-9 ]", "", text.lower().replace("-", " ")).split())
        for _, text in said
    ]
    assert len({" ".join(re.findall("[a-z0-9]+", text.lower())) for _, text in said}) == len(said)
    near = []
    for (one, a), (other, b) in itertools.combinations(zip(said, bags, strict=True), 2):
        if len(a & b) / len(a | b) >= (0.85 if one[0] == other[0] else 0.75):
            near.append((one, other))
    assert not near, near


def test_no_intent_opens_its_utterances_all_alike():
    for file in FILES:
        for name, own in read_sentences(file).items():
            opening, times = Counter(tuple(tokens(text)[:2]) for text in own).most_common(1)[0]
            assert times <= 2, (name, opening)


def test_the_words_of_an_intents_name_are_in_a_third_of_its_utterances_at_most():
    for file in FILES:
        for name, own in read_sentences(file).items():
            for word in (word for word in name.split("_") if len(word) > 3):
                holding = [
                    text for text in own if any(token.startswith(word) for token in tokens(text))
                ]
                assert len(holding) <= 6, (name, word, holding)


def test_sentences_of_other_kinds_are_read_in_the_same_way():
    assert len(OTHER_TEXTS) >= 2
    for file in OTHER_TEXTS:
        family = own_sentences(file, vocabulary=Intents().vocabulary)
        one = family.sample(3, shots=1, queries=2, generator=family.generator(0))
        assert one.support_x.shape[:2] == (3, family.classes) and one.query_x.max() < len(
            family.vocabulary
        )


# ------------------------------------------------------------------ own sentences


def test_a_file_becomes_tasks_in_one_line(tmp_path):
    file = tmp_path / "mine.tsv"
    file.write_bytes(
        "\ufeffyes\tOf course!\r\nno\tNever.\r\n\r\nyes\tGladly\r\nno\tNot today\r\nno\tNot now".encode()  # noqa: E501
    )
    family = own_sentences(str(file))
    assert family.names == ["yes", "no"] and family.counts.tolist() == [2, 3] and family.ways == 2
    assert family.sentences("yes") == ["Of course!", "Gladly"]
    assert family.sample(2, shots=1, queries=1, generator=family.generator(0)).query_x.shape == (
        2,
        2,
        3,
    )
    with pytest.raises(ValueError, match="yes has 2 sentences and needs 3"):
        family.sample(1, shots=1, queries=2)
    with pytest.raises(ValueError, match="ways=3: there are 2 classes"):
        own_sentences(file, ways=3)
    assert own_sentences(
        file, vocabulary=Vocabulary(["never"], buckets=1)
    ).rows.unique().tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "data, says",
    [
        (b"", "labels in it: 0"),
        (b"a\tone\na\ttwo", "labels in it: 1"),
        (b"a\tone\nb two", "line 2: tabs in it: 0"),
        (b"a\tone\ttwo", "line 1: tabs in it: 2"),
        (b"a\tone\n\n\ttwo", "line 3: the label is missing"),
        (b"a\tone\nb\t ", "line 2: the sentence is missing"),
        (b"a\t \n", "the sentence is missing"),
        (b"a\tone\na\ttwo\nb\tOne", "line 3: the sentence of line 1 once more"),
        (b"a\tone\na\ttwo\nb\tthree", "label 'b' has 1 sentence and needs at least 2"),
        ("a\tcaf\u00e9".encode("latin-1"), "not UTF-8"),
        ("a\tone".encode("utf-16"), "not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_says_why_in_one_sentence(tmp_path, data, says):
    (tmp_path / "mine.tsv").write_bytes(data)
    with pytest.raises(SentenceError, match=rf"mine\.tsv.*{says}") as caught:
        own_sentences(tmp_path / "mine.tsv")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    for place in (tmp_path / "nowhere.tsv", tmp_path):
        with pytest.raises(SentenceError, match="cannot be read"):
            own_sentences(place)
