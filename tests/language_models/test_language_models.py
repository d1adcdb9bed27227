"""Language models that can be prompted: the small one of the course, and one of Hugging Face that
the test makes itself."""

import sys
import textwrap

import own_models
import pytest
import torch
from own_models import needs_transformers

from course_lib import ROOT
from course_lib.families.prompt_worlds import TOKENS, Worlds, encode, text
from course_lib.language_models import opening as language_models
from course_lib.language_models.opening import (
    HOW_TO_INSTALL,
    ModelError,
    TinyModel,
    TransformersModel,
    best_device,
    open_model,
)
from course_lib.language_models.tiny_gpt import Size, TinyGPT
from course_lib.learners.prompting import Prompting, Template

PROMPTS = ["the dog is", "a cat and the dog is", "is"]
LABELS = [[" good", " not good", " not"]] * 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return own_models.gpt2(tmp_path_factory.mktemp("own_model"), merges=31)


@pytest.fixture(scope="module")
def own(folder):
    return TransformersModel(folder)


def one_by_one(model, forward, prompt, label):
    """The chain rule, a token at a time, without filling and without batches."""
    ids, total = model.tokens(prompt), 0.0
    for token in model.tokens(label):
        total += forward(torch.tensor([ids]))[0, -1].log_softmax(-1)[token].item()
        ids = ids + [token]
    return total


@needs_transformers
def test_labels_of_several_tokens_are_scored_as_the_chain_rule_says(own):
    with torch.no_grad():
        scores = own.log_probs(PROMPTS, LABELS)
        wanted = [
            [one_by_one(own, lambda ids: own.network(ids).logits, prompt, label) for label in row]
            for prompt, row in zip(PROMPTS, LABELS, strict=True)
        ]
    assert {len(own.tokens(label)) for label in LABELS[0]} != {1}, (
        "the tokenizer knows every label as one token: nothing is tested"
    )
    torch.testing.assert_close(scores, torch.tensor(wanted), rtol=1e-4, atol=1e-4)


@needs_transformers
@pytest.mark.parametrize("batch", [1, 2, 16])
def test_batches_change_nothing(folder, own, batch):
    with torch.no_grad():
        torch.testing.assert_close(
            TransformersModel(folder, batch=batch).log_probs(PROMPTS, LABELS),
            own.log_probs(PROMPTS, LABELS),
            rtol=1e-4,
            atol=1e-4,
        )


@needs_transformers
def test_a_label_that_begins_another_is_at_least_as_probable_until_its_end_is_scored(own):
    """P(" not") >= P(" not good"), whatever the model: a template with an end mark makes the two
    comparable."""
    with torch.no_grad():
        scores = own.log_probs(PROMPTS, LABELS)
        ended = own.log_probs(PROMPTS, [[label + "\n" for label in row] for row in LABELS])
    assert (scores[:, 2] >= scores[:, 1]).all()
    assert not torch.allclose(ended, scores)


@needs_transformers
def test_it_can_be_prompted_on_sentences_of_the_family(own):
    family = Worlds()
    episode = family.sample(2, shots=1, queries=2, generator=family.generator(0))
    template = Template(query="{x} is", example="{x} is {y}\n")
    learner = Prompting(own, template, ["good", "not good"], read=text)
    assert learner(episode).shape == (2, 2, 2)


@needs_transformers
def test_the_example_of_the_readme_runs(folder):
    readme = (ROOT / "README.md").read_text()
    lines = readme.partition("import torch\n    from course_lib.language_models.opening")[1:]
    block = textwrap.dedent("    " + "".join(lines).partition("\n\n")[0])
    *before, last = block.replace("path/to/model", str(folder)).splitlines()
    names: dict = {}
    exec("\n".join(before), names)
    assert eval(last, names).shape == (1, 2)


@needs_transformers
def test_what_a_transformers_model_refuses(own, tmp_path):
    with pytest.raises(ModelError, match="no causal language model at"):
        TransformersModel(tmp_path / "nothing here")
    with pytest.raises(ModelError, match="no tokens"):
        own.log_probs(["the dog is"], [["", " good"]])
    with pytest.raises(ModelError, match="the model reads 128"):
        own.log_probs(["the dog is " * 100], [[" good", " bad"]])
    with pytest.raises(ModelError, match="prompt is empty"):
        own.log_probs([""], [[" good", " bad"]])


def test_without_transformers_one_sentence_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ModelError) as error:
        TransformersModel("any")
    assert str(error.value) == HOW_TO_INSTALL


@pytest.fixture
def tiny():
    return TinyModel(TinyGPT(Size(len(TOKENS)), seed=0))


def test_the_small_model_scores_prompts_of_different_lengths(tiny):
    prompts, labels = (
        ["dog : blip\nsaw :", "cow :", "red = zug ; one ="],
        [["zug", "blip", "zug wug"]] * 3,
    )
    with torch.no_grad():
        scores = tiny.log_probs(prompts, labels)
        wanted = [
            [one_by_one(tiny, tiny.network, prompt, label) for label in row]
            for prompt, row in zip(prompts, labels, strict=True)
        ]
    torch.testing.assert_close(scores, torch.tensor(wanted), rtol=1e-4, atol=1e-4)


def test_the_next_words_are_the_most_probable(tiny):
    words = tiny.next_words("dog : blip\nsaw :", 5)
    chances = tiny.network(torch.tensor([encode("dog : blip\nsaw :")]))[0, -1].softmax(-1)
    assert [TOKENS.index(word) for word, _ in words] == chances.topk(5).indices.tolist()
    assert words[0][1] == pytest.approx(chances.max().item())
    with pytest.raises(ModelError, match="empty"):
        tiny.next_words("  ")
    with pytest.raises(ValueError, match="never seen"):
        tiny.next_words("xylophone :")


def test_errors_are_value_errors():
    assert issubclass(language_models.ModelError, ValueError)


def test_every_prompt_needs_equally_many_labels(tiny):
    with pytest.raises(ModelError, match="equally many labels"):
        tiny.log_probs(["dog :", "saw :"], [["zug", "blip"], ["zug", "blip", "wug", "zug"]])


def test_the_small_model_shows_each_prompt_once_whatever_the_number_of_labels(tiny, monkeypatch):
    prompts, labels, seen = ["dog : blip\nsaw :", "cow :"], [["zug", "blip", "wug"]] * 2, []
    before = tiny.network.forward
    monkeypatch.setattr(
        tiny.network, "forward", lambda rows: seen.append(len(rows)) or before(rows)
    )
    assert tiny.log_probs(prompts, labels).shape == (2, 3) and sum(seen) == 2


def test_double_precision_stays_double():
    exact, single = (
        TinyModel(TinyGPT(Size(len(TOKENS)), seed=0).to(dtype))
        for dtype in (torch.float64, torch.float32)
    )
    asked = ["dog :"], [["zug", "blip wug"]]
    assert exact.log_probs(*asked).dtype == torch.float64
    torch.testing.assert_close(exact.log_probs(*asked).float(), single.log_probs(*asked))


def test_one_word_with_and_without_its_space_is_the_same_label_to_the_small_model(tiny):
    with pytest.raises(ModelError, match="'zug' and ' zug' are the same tokens"):
        tiny.log_probs(["dog :"], [["zug", " zug"]])
    with pytest.raises(ModelError, match="never seen 'xylophone'"):
        tiny.log_probs(["dog :"], [["zug", "xylophone"]])


def test_the_small_model_goes_on_with_the_most_probable_word_to_the_end_of_the_line():
    model, prompt = open_model(device="cpu"), "dog : blip\nsaw : zug\ncow :"
    ids = encode(prompt)
    begin = len(ids)
    while TOKENS[ids[-1]] != "\n" or len(ids) == begin:
        ids.append(int(model.network(torch.tensor([ids]))[0, -1].argmax()))
    line = " ".join(TOKENS[i] for i in ids[begin:-1])
    assert model.generate(prompt) == line and line.split()[0] == "blip"
    assert (
        model.generate(prompt, 1) == "blip"
        and len(model.generate(prompt, 6, stop=None).split()) <= 6
    )
    assert model.generate(prompt, 6, stop=None).startswith(line)
    with pytest.raises(ModelError, match="empty"):
        model.generate("")
    with pytest.raises(ModelError, match="the model reads 128, with its answer"):
        model.generate("dog : blip\n" * 40)


def test_without_a_name_the_model_of_the_course_is_opened_and_said(capsys):
    model = open_model()
    assert (
        isinstance(model, TinyModel)
        and model.device.type == best_device()
        and not model.network.training
    )
    size = sum(p.numel() for p in model.network.parameters()) / 1e6
    assert capsys.readouterr().out == (
        f"the small model of this course: {size:.1f} million weights on {model.device}, reads "
        "up to 128 tokens\n"
    )


def test_a_notebook_shows_the_sentence_of_an_error_and_no_line_of_the_library(capsys):
    from IPython.core.interactiveshell import InteractiveShell

    code = "from course_lib.language_models.opening import open_model\nopen_model('no/folder/here')"
    InteractiveShell().run_cell(code)
    said = "".join(capsys.readouterr())
    assert "no causal language model at no/folder/here (there is no such folder)" in said
    assert "Traceback" not in said and "hugging_face.py" not in said
