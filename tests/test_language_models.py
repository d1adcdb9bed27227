"""Language models that can be prompted: the small one of the course, and one of Hugging Face that the test makes itself."""

import os
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from course_lib import language_models
from course_lib.families.worlds import TOKENS, Worlds, encode
from course_lib.language_models import HOW_TO_INSTALL, ModelError, TinyModel, TransformersModel
from course_lib.learners.prompting import Prompting, Template
from course_lib.tiny_gpt import Size, TinyGPT

try:
    import tokenizers
    import transformers
except ImportError:
    transformers = None
    if os.environ.get("CI"):
        raise

needs_transformers = pytest.mark.skipif(transformers is None, reason="transformers is not installed: TransformersModel was NOT tested")

PROMPTS = ["the dog is", "a cat and the dog is", "is"]
LABELS = [[" good", " not good", " not"]] * 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A GPT-2 of two layers with random weights, and a tokenizer trained on a few lines, saved as a user's model would be."""
    where = tmp_path_factory.mktemp("own_model")
    lines = ["the dog is good", "a cat and the dog is not good", "bad dogs are not bad cats"] * 5
    cutter = tokenizers.ByteLevelBPETokenizer()
    cutter.train_from_iterator(lines, vocab_size=290, special_tokens=["<|endoftext|>"])
    transformers.PreTrainedTokenizerFast(tokenizer_object=cutter._tokenizer, eos_token="<|endoftext|>").save_pretrained(where)
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=cutter.get_vocab_size(), n_positions=128, n_embd=16, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0)
    transformers.GPT2LMHeadModel(config).save_pretrained(where)
    return where


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
        wanted = [[one_by_one(own, lambda ids: own.network(ids).logits, prompt, label) for label in row] for prompt, row in zip(PROMPTS, LABELS)]
    assert {len(own.tokens(label)) for label in LABELS[0]} != {1}, "the tokenizer knows every label as one token: nothing is tested"
    torch.testing.assert_close(scores, torch.tensor(wanted), rtol=1e-4, atol=1e-4)


@needs_transformers
@pytest.mark.parametrize("batch", [1, 2, 16])
def test_batches_change_nothing(folder, own, batch):
    with torch.no_grad():
        torch.testing.assert_close(TransformersModel(folder, batch=batch).log_probs(PROMPTS, LABELS), own.log_probs(PROMPTS, LABELS), rtol=1e-4, atol=1e-4)


@needs_transformers
def test_a_label_that_begins_another_is_at_least_as_probable_until_its_end_is_scored(own):
    """P(" not") >= P(" not good"), whatever the model: a template with an end mark makes the two comparable."""
    with torch.no_grad():
        scores = own.log_probs(PROMPTS, LABELS)
        ended = own.log_probs(PROMPTS, [[label + "\n" for label in row] for row in LABELS])
    assert (scores[:, 2] >= scores[:, 1]).all()
    assert not torch.allclose(ended, scores)


@needs_transformers
def test_it_can_be_prompted_on_sentences_of_the_family(own):
    family = Worlds()
    episode = family.sample(2, shots=1, queries=2, generator=family.generator(0))
    learner = Prompting(own, Template(query="{x} is", example="{x} is {y}\n"), ["good", "not good"])
    assert learner(episode).shape == (2, 2, 2)


@needs_transformers
def test_the_example_of_the_readme_runs(folder):
    readme = (Path(__file__).resolve().parents[1] / "README.md").read_text()
    lines = readme.partition("import torch\n    from course_lib.families import Vocabulary")[1:]
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
    prompts, labels = ["dog : blip\nsaw :", "cow :", "red = zug ; one ="], [["zug", "blip", "zug wug"]] * 3
    with torch.no_grad():
        scores = tiny.log_probs(prompts, labels)
        wanted = [[one_by_one(tiny, tiny.network, prompt, label) for label in row] for prompt, row in zip(prompts, labels)]
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
