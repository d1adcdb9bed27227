"""What the prompts of a task begin with is read once: the same scores in fewer tokens, for models
of several kinds; and other ways to score and to write the same examples."""


import own_models
import pytest
import torch
from own_models import needs_transformers, transformers

from course_lib.families import AsWritten, SentenceClasses, Vocabulary
from course_lib.families.prompt_worlds import Worlds
from course_lib.language_models.label_scores import together
from course_lib.language_models.opening import ModelError, TransformersModel, open_model
from course_lib.language_models.sentence_vectors import sentence_vectors
from course_lib.learners.bag_of_words import BagOfWords
from course_lib.learners.prompting import Prompting, Template

LABELS = [" good", " not good", " great"]


@pytest.fixture(scope="module", params=["tiny", "gpt2", "llama", "bfloat16", "batch of 2"])
def model(request, tmp_path_factory):
    if request.param == "tiny":
        return open_model(device="cpu")
    if transformers is None:
        pytest.skip("transformers is not installed: NOT tested")
    make = own_models.gpt2 if request.param == "gpt2" else own_models.llama
    about = {"bfloat16": {"dtype": torch.bfloat16}, "batch of 2": {"batch": 2}}
    folder = make(tmp_path_factory.mktemp("own"))
    return TransformersModel(folder, **about.get(request.param, {}))


def prompts_of(model, tasks: int = 3, queries: int = 5):
    """Prompts of several tasks, with words that the model knows; one label is two words long."""
    if not hasattr(model, "text"):
        words, labels = ["good", "bad", "great", "dog", "cat"], LABELS
        begin = ["the dog is {}\n" * 2, "a cat and the dog is {}\n" * 2, "it is {}\nthey are {}\n"]
        asked = [
            begin[t].format(*[words[(t + i) % 5] for i in range(2)]) + f"the {words[q]} is"
            for t in range(tasks)
            for q in range(queries)
        ]
        return asked, [labels] * len(asked)
    family = Worlds()
    episode = family.sample(tasks, shots=4, queries=queries, generator=family.generator(0))
    learner = Prompting(model)
    asked, labels = [], []
    for task, words in zip(episode, learner.words_of(episode), strict=True):
        xs, ys = learner.shown(task[0], task[1], words)
        asked += [learner.write(xs, ys, model.text(row))[0] for row in task[2].tolist()]
        labels += [[" " + word for word in words]] * len(task[2])
    return asked, labels


def whole(model, prompts, labels, **how):
    """Every prompt alone, so that nothing can be shared."""
    rows = zip(prompts, labels, strict=True)
    return torch.cat([model.log_probs([prompt], [own], **how) for prompt, own in rows])


def test_scores_are_those_of_prompts_that_are_read_whole(model, monkeypatch):
    asked = prompts_of(model)
    remembered = []
    keep = type(model).remember
    monkeypatch.setattr(
        type(model), "remember", lambda self, ids: remembered.append(ids) or keep(self, ids)
    )
    with torch.no_grad():
        once = model.log_probs(*asked)
        assert len(remembered) == 3, "a task's examples are read once a task: nothing is tested"
        monkeypatch.setattr(type(model), "remember", lambda self, ids: None)
        rounding = 3e-2 if once.dtype == torch.float32 and half(model) else 1e-4
        torch.testing.assert_close(once, whole(model, *asked), atol=rounding, rtol=0)


def half(model) -> bool:
    return next(model.network.parameters()).dtype == torch.bfloat16


def test_where_gradients_are_wanted_nothing_is_kept(model):
    asked = prompts_of(model, tasks=1)
    model.requires_grad_()
    model.log_probs(*asked).sum().backward()
    grads = [weight.grad.abs().sum().item() for weight in model.parameters()]
    model.zero_grad()
    model.requires_grad_(False)
    assert max(grads) > 0


def test_which_rows_are_read_together():
    """Two tasks of three rows, a lonely row, and rows that share less than is worth it."""
    first, second, short = list(range(20)), list(range(30, 60)), [90, 91, 92]
    rows = [first + [60 + q] for q in range(3)] + [second + [70 + q, 5] for q in range(3)]
    rows += [[99] * 9] + [short + [80 + q] for q in range(2)]
    asked = [[(0, len(row) - 1, 0)] for row in rows]
    found = list(together(rows, asked))
    assert found == [([0, 1, 2], 20), ([3, 4, 5], 30), ([6], 0), ([7], 0), ([8], 0)]
    asked[1] = [(0, 12, 0)]  # a label that begins earlier
    assert next(together(rows, asked)) == ([0, 1, 2], 12)


def test_scores_a_token_are_means(model):
    asked = prompts_of(model, tasks=1, queries=2)
    with torch.no_grad():
        total, mean = model.log_probs(*asked), model.log_probs(*asked, per_token=True)
    cut = [model.cut(prompt, own) for prompt, own in zip(*asked, strict=True)]
    lengths = torch.tensor([[len(ids) - first for ids, first in row] for row in cut])
    torch.testing.assert_close(mean * lengths, total, rtol=1e-5, atol=1e-5)


@needs_transformers
def test_scores_of_half_precision_differ_less_than_its_steps(tmp_path):
    """The last layer is multiplied out in single precision: scores are no multiples of bfloat16's
    steps, and stay within rounding of what the same weights say in single precision."""
    folder = own_models.llama(tmp_path)
    low = TransformersModel(folder, dtype=torch.bfloat16)
    row = low.network(torch.tensor([[5, 6, 7]])).logits
    assert row.dtype == torch.float32 and not torch.equal(row, row.bfloat16().float())


# --- turns ----------------------------------------------------------------------------------------


@needs_transformers
def test_examples_become_turns_where_the_model_has_a_template(tmp_path, capsys):
    model = open_model(own_models.talking(tmp_path), "cpu")
    assert "it has a chat template" in capsys.readouterr().out
    template = Template("{x} is {y}\n", "{x} is", instruction="Say what it is.\n\n")
    learner = Prompting(model, template, ["good", "bad"], read=lambda row: f"dog {row[0]}")
    assert learner.chat and learner.settings()["chat"]
    text, label = learner.write(["the dog"], ["good"], "a cat")
    assert text == (
        "<system>Say what it is.</s>\n<user>the dog is</s>\n<assistant>good</s>\n"
        "<user>a cat is</s>\n<assistant>"
    )
    assert label == "{y}</s>"
    x, y = torch.tensor([[1], [2]]), torch.tensor([0, 1])
    with torch.no_grad():
        found = learner.predict(x, y, x)
        plain = Prompting(model, template, ["good", "bad"], read=learner.read, chat=False)
        assert not torch.allclose(found, plain.predict(x, y, x))


@needs_transformers
def test_a_template_without_a_system_gets_the_instruction_in_the_first_turn(tmp_path):
    folder = own_models.talking(tmp_path, own_models.NO_SYSTEM + own_models.CHAT)
    model = open_model(folder, "cpu")
    text, _ = model.conversation([("a", "b")], "c", "Do this.")
    assert text == "<user>Do this.\n\na</s>\n<assistant>b</s>\n<user>c</s>\n<assistant>"
    model.tokenizer.chat_template = "{{ raise_exception('never') }}"
    with pytest.raises(ModelError, match="the chat template refuses .*never.* chat=False"):
        model.conversation([], "c")


@needs_transformers
def test_a_mark_that_the_template_writes_is_not_written_again(tmp_path):
    model = open_model(own_models.talking(tmp_path, "{{ bos_token }}" + own_models.CHAT), "cpu")
    text, _ = model.conversation([], "it is")
    assert text.startswith("<s>") and model.front == [1]
    (ids, _), *_ = model.cut(text, [" good", " bad"])
    assert ids[0] == 1 and ids.count(1) == 1


def test_what_prompting_refuses():
    model = open_model(device="cpu")
    with pytest.raises(ValueError, match="chat=True: this model has no chat template"):
        Prompting(model, chat=True)
    with pytest.raises(ValueError, match='chat=.*: choose True, False or "auto"'):
        Prompting(model, chat="yes")
    with pytest.raises(ValueError, match="calibrate in one way"):
        Prompting(model, neutral=["dog"], batch=True)


# --- calibration by the batch ---------------------------------------------------------------------


def test_a_bias_that_all_queries_share_is_divided_out():
    """A model that adds 5 to one label: calibrated by the batch, its answers are those without."""

    class Biased:
        context = 100

        def tokens(self, text):
            return list(text.encode())

        def log_probs(self, prompts, labels):
            truth = torch.tensor([[1.0, 0.0] if "a" in p else [0.0, 1.0] for p in prompts])
            return (truth + torch.tensor([5.0, 0.0])).log_softmax(-1)

    said = ["a", "b", "aa", "bb"]
    x, y = torch.arange(4)[:, None], torch.tensor([0, 1, 0, 1])
    ask = {"labels": ["yes", "no"], "read": lambda row: said[row[0]], "shots": 0}
    plain = Prompting(Biased(), Template("{x}={y}\n", "{x}="), **ask).predict(x, y, x)
    assert plain.argmax(-1).tolist() == [0, 0, 0, 0]
    even = Prompting(Biased(), Template("{x}={y}\n", "{x}="), **ask, batch=True).predict(x, y, x)
    assert even.argmax(-1).tolist() == y.tolist()


# --- sentences as they were written ---------------------------------------------------------------

WRITTEN = {
    "odd": [
        "See https://example.org/a?b=C&d=1  today!", "It costs $1,299.00 (was £1.5k)…",
        "for i in range(3): print(f\"{i}\")", "한국어 문장입니다.", "这是中文，没有空格。",
        "Great 👍🏽 job",
    ],
    "plain": [
        "Where IS it?", "where is it", "O'Neill’s  place", "tab\tin it", "x" * 300,
        " spaces around ",
    ],
}  # fmt: skip


def test_sentences_come_back_as_they_were_written():
    words = Vocabulary(["a few known words"], buckets=2)  # nearly all share two ids
    family = SentenceClasses(WRITTEN, words, ways=2)
    written = AsWritten(family)
    assert [written.text([i]) for i in range(12)] == WRITTEN["odd"] + WRITTEN["plain"]
    draws = [f.sample(5, shots=2, queries=3, generator=f.generator(1)) for f in (family, written)]
    ids = written.as_ids(draws[1])
    for one, other in zip(draws[0].four, ids.four, strict=True):
        assert torch.equal(one, other)
    asked = draws[1].query_x[0].tolist()
    said = [written.text(row) for row in asked]
    owners = [name for text in said for name, own in WRITTEN.items() if text in own]
    numbers = [family.names.index(name) for name in owners]
    assert numbers == draws[1].names["classes"][0][draws[1].query_y[0]].tolist()
    assert BagOfWords(family.rows, len(words))(ids).shape == (5, 6, 2)


@needs_transformers
def test_a_sentence_goes_into_the_prompt_as_it_was_written(tmp_path):
    family = AsWritten(SentenceClasses(WRITTEN, Vocabulary(["a b"]), ways=2))
    model = TransformersModel(own_models.gpt2(tmp_path, context=2000))
    learner = Prompting(model, Template("{x} -> {y}\n", "{x} ->"), family.names, read=family.text)
    xs, ys = learner.shown(torch.arange(12)[:, None], torch.tensor([0] * 6 + [1] * 6), family.names)
    text, _ = learner.write(xs, ys, "end")
    for sentence in WRITTEN["odd"] + WRITTEN["plain"]:
        assert f"{sentence} -> " in text
    assert model.decode(model.tokens(text)) == text


def test_each_query_counts_alike_in_the_mean_answer():
    """A query after which the labels are improbable altogether weighs as much as another."""

    class Says:
        def tokens(self, text):
            return list(text.encode())

        def log_probs(self, prompts, labels):
            found = torch.tensor([[0.6, 0.4], [0.8, 0.2], [0.9, 0.1]]).log()
            return found - torch.tensor([[0.0], [7.0], [9.0]]) * self.rare

    x, answers = torch.arange(3)[:, None], []
    for rare in (0.0, 1.0):
        model = Says()
        model.rare = rare
        ask = Prompting(
            model, Template("{x}={y}\n", "{x}="), ["yes", "no"], read=str, shots=0, batch=True
        )
        answers.append(ask.predict(x[:0], x[:0, 0], x))
    torch.testing.assert_close(answers[0], answers[1])


# --- sentences as vectors -------------------------------------------------------------------------


@needs_transformers
def test_a_sentence_is_the_mean_over_its_own_tokens_after_any_layer(tmp_path):
    model = TransformersModel(own_models.gpt2(tmp_path))
    texts = ["the dog is good", "a cat", "they are not bad"]
    found = sentence_vectors(model, texts, (0, 1, -1))
    assert found.shape == (3, 3, 16)
    torch.testing.assert_close(sentence_vectors(model, texts, (0, 1, -1), batch=2), found)
    ids = torch.tensor([model.tokens(texts[1])])
    with torch.no_grad():
        states = model.network(ids, output_hidden_states=True).hidden_states
    torch.testing.assert_close(found[0, 1], model.network.get_input_embeddings()(ids)[0].mean(0))
    torch.testing.assert_close(found[1:, 1], torch.stack([states[k][0].mean(0) for k in (1, 2)]))
