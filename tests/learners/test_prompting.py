"""Prompting as a learner: what it writes, how it scores, and what it refuses."""

import math

import pytest
import torch
from toys import DEVICES

from course_lib.families import Vocabulary
from course_lib.families.intents import SentenceClasses
from course_lib.families.prompt_worlds import ID, TOKENS, Worlds, text
from course_lib.language_models.opening import TinyModel
from course_lib.language_models.tiny_gpt import shipped_model
from course_lib.learners.in_context import InContext
from course_lib.learners.prompting import Prompting, Template, calibrated
from course_lib.training.evaluation import evaluate


@pytest.fixture(scope="module")
def model():
    return TinyModel(shipped_model())


def held_out(tasks=100, ways=2, shots=8, seed=4):
    family = Worlds(ways)
    return family.sample(tasks, shots=shots, queries=1, generator=family.generator(seed))


class Counts:
    """A model that finds a label probable if its letters stand in the prompt: enough to follow what
    is asked of it."""

    context = 1000
    text = staticmethod(text)

    def __init__(self):
        self.prompts = []

    def tokens(self, text):
        return list(text.encode())

    def log_probs(self, prompts, labels):
        self.prompts += prompts
        return torch.tensor(
            [
                [float(prompt.count(label.strip())) for label in row]
                for prompt, row in zip(prompts, labels, strict=True)
            ]
        )


def ids(*words):
    return torch.tensor([[ID[word]] for word in words])


def test_the_prompt_is_written_as_the_template_says():
    counts = Counts()
    template = Template(example="word {x} has {y};", query="word {x} has", instruction="Sort. ")
    learner = Prompting(counts, template, ["zug", "blip"])
    learner.predict(ids("dog", "saw"), torch.tensor([1, 0]), ids("cow", "axe"))
    assert counts.prompts == [
        "Sort. word dog has blip;word saw has zug;word cow has",
        "Sort. word dog has blip;word saw has zug;word axe has",
    ]


def test_braces_in_a_text_are_left_alone():
    assert (
        Template(example="{x} = {y}\n", query="{x} =").write(["{y}"], ["{x}"], "{y} {x}")
        == "{y} = {x}\n{y} {x} ="
    )


def test_braces_of_a_template_that_hold_no_name_are_left_alone():
    template = Template(
        '{"text": "{x}", "label": "{y}"}\n',
        '{"text": "{x}", "label": "',
        instruction="Answer as JSON {}: ",
    )
    assert (
        template.write(["a"], ["b"], "c")
        == 'Answer as JSON {}: {"text": "a", "label": "b"}\n{"text": "c", "label": "'
    )
    assert template.label == "{y}"


@pytest.mark.parametrize(
    ("example", "query", "label"),
    [
        ("{x} : {y}\n", "{x} :", " {y}"),
        ("{x} It was {y}.\n", "{x} It was", " {y}"),
        ("{x} It was {y}.\n", "{x} It was ", "{y}"),  # the space stands in the query already
        ("{x}\n{y}\n\n", "{x}\n", "{y}"),
        ("Text: {x}\nKind: {y}\n", "Text: {x}\nKind:", " {y}"),
        ("{x} is a {y}\n", "{x} is", " a {y}"),
        ("{y}: {x}\n", "{x} is called", " {y}"),  # they share nothing: one space
        ("{y}: {x}\n", "{x}\n", "{y}"),
    ],
)
def test_a_label_is_scored_as_the_examples_write_it_behind_the_query(example, query, label):
    assert Template(example, query).label == label
    assert Template(example, query, label="{y}!").label == "{y}!"


def test_what_is_scored_goes_on_as_an_example_does(model):
    """Query and label, side by side, are the beginning of the example."""
    for query in ("{x} :", "{x} : ", "{x}"):
        template = Template(query=query)
        assert "dog : zug\n".startswith(
            template.write([], [], "dog") + template.label.replace("{y}", "zug")
        )
        scores = Prompting(model, template, ["zug", "blip"]).predict(
            ids("dog"), torch.tensor([0]), ids("cow")
        )
        assert scores.shape == (1, 2) and torch.isfinite(scores).all()


def test_labels_of_several_words_are_calibrated_as_a_whole(model):
    learner = Prompting(model, labels=["zug", "blip blip"], neutral=("dog", "red"))
    scores = learner.predict(ids("dog"), torch.tensor([1]), ids("cow"))
    said, *usual = model.log_probs(
        ["dog : blip blip\ncow :", "dog : blip blip\ndog :", "dog : blip blip\nred :"],
        [[" zug", " blip blip"]] * 3,
    )
    ratio = said.exp() / torch.stack(usual).exp().mean(0)
    torch.testing.assert_close(scores.exp()[0], ratio / ratio.sum())


@pytest.mark.parametrize("device", DEVICES)
def test_answers_lie_where_the_questions_do_wherever_the_model_is(device):
    learner, episode = (
        Prompting(TinyModel(shipped_model().to(device)), neutral=("dog",)),
        held_out(4),
    )
    assert learner(episode).device == episode.query_y.device
    assert evaluate(learner, episode.map(lambda t: t.to(device))).mean > 0.5


def test_scores_equal_those_of_the_direct_way(model):
    """Word by word through text, and as one tensor without any text: the same numbers."""
    episode = held_out(40)
    with torch.no_grad():
        through_text = Prompting(model)(episode)
    direct = InContext(model.network, 8)(episode)
    torch.testing.assert_close(
        through_text.log_softmax(-1), direct.log_softmax(-1), rtol=1e-3, atol=1e-3
    )


def test_a_whole_shots_curve_from_the_same_episodes(model):
    episode = held_out(150)
    none, one, all_ = (
        evaluate(Prompting(model, shots=shots), episode).mean for shots in (0, 1, None)
    )
    assert abs(none - 0.5) < 0.12 and abs(one - 0.5) < 0.12 and all_ > 0.95


def test_an_empty_support_set_is_a_prompt_without_examples(model):
    learner = Prompting(model, labels=["zug", "blip"])
    nothing = learner.predict(ids("dog")[:0], torch.zeros(0, dtype=torch.long), ids("cow"))
    first = Prompting(model, labels=["zug", "blip"], shots=0).predict(
        ids("dog"), torch.tensor([0]), ids("cow")
    )
    assert torch.equal(nothing, first) and nothing.shape == (1, 2)


def test_numbering_the_classes_otherwise_changes_only_their_order(model):
    episode = held_out(1, shots=6)
    sx, sy, qx, _ = next(iter(episode))
    labels = [TOKENS[i] for i in episode.names["labels"][0]]
    one = Prompting(model, labels=labels).predict(sx, sy, qx)
    other = Prompting(model, labels=labels[::-1]).predict(sx, 1 - sy, qx)
    torch.testing.assert_close(one, other.flip(-1))


def test_no_weight_changes_and_gradients_reach_the_model():
    network = shipped_model()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    learner = Prompting(TinyModel(network))
    loss = learner.outer_loss(held_out(4, shots=2))
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    loss.backward()
    assert network.blocks[0].attention.q.weight.grad.abs().sum() > 0


def test_calibration_by_hand():
    """The model says 0.8 and 0.2, but 0.9 and 0.1 to a query without content: the second label is
    the surprise."""
    said, empty = torch.tensor([[0.8, 0.2]]).log(), torch.tensor([[0.9, 0.1]]).log()
    wanted = torch.tensor([[0.8 / 0.9, 0.2 / 0.1]])
    torch.testing.assert_close(calibrated(said, empty).exp(), wanted / wanted.sum())
    two = torch.tensor([[0.9, 0.1], [0.5, 0.5]]).log()
    wanted = torch.tensor([[0.8 / 0.7, 0.2 / 0.3]])
    torch.testing.assert_close(calibrated(said, two).exp(), wanted / wanted.sum())
    torch.testing.assert_close(calibrated(said - 3, empty), calibrated(said, empty))


def test_calibration_asks_the_neutral_queries_with_the_same_examples():
    counts = Counts()
    learner = Prompting(counts, labels=["zug", "blip"], neutral=("N/A", "?"))
    scores = learner.predict(ids("dog"), torch.tensor([1]), ids("cow"))
    assert counts.prompts == ["dog : blip\ncow :", "dog : blip\nN/A :", "dog : blip\n? :"]
    assert scores.exp().sum().item() == pytest.approx(1) and math.isclose(
        scores[0, 0], scores[0, 1], abs_tol=1e-6
    )


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"labels": ["zug", " "]}, "label 1 is empty"),
        ({"labels": ["zug"]}, "at least 2"),
        ({"labels": ["zug", "zug"]}, "same word"),
        ({"shots": -1}, "shots=-1"),
        ({"labels": "ab"}, "is one text: give a list"),
        ({"labels": ["zug", " blip"]}, "write 'blip', the space before it is part of the template"),
        ({"labels": ["zug ", "blip"]}, "write 'zug'"),
        (
            {"labels": ["zug", "blip"], "neutral": "N/A"},
            "neutral='N/A' is one text: put it into a list",
        ),
    ],
)
def test_impossible_learners_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        Prompting(Counts(), **wrong)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"example": "{x}\n"}, "it needs {y}"),
        ({"query": "what?"}, "it needs {x}"),
        ({"query": "{x} {y}"}, "tell the answer"),
        ({"label": " "}, "it needs {y}"),
        ({"example": "{x} {text}: {y}\n"}, "{text} is not filled in there, only {x} and {y}"),
        ({"query": "{x} {z} :"}, "{z} is not filled in there, only {x}"),
        ({"label": " {x} {y}"}, "{x} is not filled in there, only {y}"),
        ({"instruction": "Sort {x}. "}, "{x} is not filled in there"),
        (
            {"query": "{x} It was ", "label": " {y}"},
            "ends with a space and label=' {y}' begins with one",
        ),
    ],
)
def test_impossible_templates_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        Template(**wrong)


def test_a_family_that_numbers_its_classes_anew_in_each_task_gets_the_right_words():
    """Three classes, two a task: 0 and 1 stand for other classes each time, and
    ``names["classes"]`` says for which."""
    own = {
        "fruit": ["an apple", "a pear", "a plum"],
        "tool": ["a saw", "an axe", "a file"],
        "pet": ["a dog", "a cat", "a hen"],
    }
    vocabulary = Vocabulary(sentence for sentences in own.values() for sentence in sentences)
    family, counts = SentenceClasses(own, vocabulary, ways=2), Counts()
    episode = family.sample(30, shots=1, queries=1, generator=family.generator(0))
    learner = Prompting(counts, labels=family.names, read=vocabulary.text)
    assert learner(episode).shape == (30, 2, 2) and len(counts.prompts) == 60
    shown = [
        tuple(line.split(" : ")) for prompt in counts.prompts for line in prompt.splitlines()[:-1]
    ]
    assert {label for _, label in shown} == set(own) and all(
        sentence in own[label] for sentence, label in shown
    )
    with pytest.raises(ValueError, match="of class 2, and there are labels for 2 classes"):
        Prompting(counts, labels=["fruit", "tool"], read=vocabulary.text)(episode)


def test_what_an_episode_may_lack(model):
    sx, sy, qx, _ = next(iter(held_out(1)))
    with pytest.raises(ValueError, match="no words: give labels"):
        Prompting(model).predict(sx, sy, qx)
    with pytest.raises(ValueError, match="of class 2, and there are labels for 2 classes"):
        Prompting(model, labels=["zug", "blip"]).predict(sx, torch.full_like(sy, 2), qx)


def test_too_long_a_prompt_says_what_to_do(model):
    with pytest.raises(
        ValueError, match="tokens and the model reads 128: use fewer or shorter examples"
    ):
        Prompting(model)(held_out(1, shots=40))


def test_an_optimizer_finds_the_model_and_in_context_tuning_lowers_the_loss():
    learner, episode = Prompting(TinyModel(shipped_model("tiny_gpt_early"))), held_out(32, shots=4)
    optimizer = torch.optim.Adam(learner.parameters(), lr=1e-3)
    losses = []
    for _ in range(5):
        loss = learner.outer_loss(episode)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_the_usual_answers_are_averaged_before_they_are_normalised():
    """As in the authors' code: a query without content that finds both labels improbable counts
    little."""
    said, empty = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.09, 0.01], [0.10, 0.40]]).log()
    usual = torch.tensor([0.19, 0.41])  # the sums; halves and factors cancel
    torch.testing.assert_close(
        calibrated(said, empty).exp(), ((1 / usual) / (1 / usual).sum())[None]
    )


def test_settings_tell_two_prompts_apart(model):
    one, other = (
        Prompting(model, shots=1).settings(),
        Prompting(model, Template(instruction="Sort. "), shots=1).settings(),
    )
    assert one["learner"] == "prompting" and one["shown"] == 1 and one != other


def test_a_model_without_words_of_its_own_needs_to_be_told_how_ids_are_read():
    class Silent(Counts):
        text = None

    with pytest.raises(ValueError, match="Silent has no words of its own: give read="):
        Prompting(Silent(), labels=["zug", "blip"])
