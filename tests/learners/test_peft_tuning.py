"""Tuning of a model of Hugging Face: what is trained, that a task is learned, and that the model is
untouched afterwards."""

import os
import sys

import own_models
import pytest
import torch

from course_lib.episodes import one_task
from course_lib.families import Vocabulary
from course_lib.families.prompt_worlds import Worlds, text
from course_lib.language_models.opening import ModelError, TinyModel, TransformersModel
from course_lib.language_models.tiny_gpt import shipped_model
from course_lib.learners.prompting import Prompting, Template
from course_lib.learners.tuning.hugging_face_peft import HOW_TO_INSTALL, RATES, PeftTuning

try:
    import peft
    import transformers  # noqa: F401
except ImportError:
    peft = None
    if os.environ.get("CI"):
        raise

needs_peft = pytest.mark.skipif(
    peft is None, reason="peft is not installed: PeftTuning was NOT tested"
)
each_method = pytest.mark.parametrize("method", RATES)
SENTENCES = ["the dog", "a cat", "the cat", "a dog"]
WORDS = Vocabulary(SENTENCES)
X, Y = WORDS.encode(SENTENCES), torch.tensor([0, 1, 1, 0])
FAST = {"soft prompt": 0.01, "lora": 0.05, "ia3": 0.3, "full": 0.01}  # for two layers of width 16


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def own(request, tmp_path_factory):
    make = getattr(own_models, request.param)
    return own_models.taught(TransformersModel(make(tmp_path_factory.mktemp(request.param))))


def learner(model, method, **settings):
    settings = {"lr": FAST[method], "steps": 100 if method == "soft prompt" else 30} | settings
    return PeftTuning(
        model,
        method,
        Template("{x} is {y}\n", "{x} is"),
        ["good", "not bad"],
        read=WORDS.text,
        **settings,
    )


@needs_peft
@each_method
def test_the_support_set_is_learned_and_the_model_is_bit_for_bit_what_it_was(own, method):
    network = own.network
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    about, names = (
        [(p.requires_grad, p.grad) for p in network.parameters()],
        [name for name, _ in network.named_modules()],
    )
    tuned, untuned = (
        learner(own, method),
        Prompting(
            own, Template("{x} is {y}\n", "{x} is"), ["good", "not bad"], read=WORDS.text, shots=0
        ),
    )
    with torch.no_grad():
        zero = untuned.predict(X, Y, X)
        scores = tuned.predict(X, Y, X)
        assert torch.equal(untuned.predict(X, Y, X), zero)
    assert scores.shape == (4, 2) and not scores.requires_grad
    right = torch.arange(4), Y
    assert scores[right].mean() > zero[right].mean() + 1, "the labels have not become more probable"
    after = network.state_dict()
    assert list(after) == list(before) and all(
        torch.equal(after[name], tensor) for name, tensor in before.items()
    )
    assert [(p.requires_grad, p.grad) for p in network.parameters()] == about and [
        name for name, _ in network.named_modules()
    ] == names
    assert not network.training


@needs_peft
@pytest.mark.parametrize("method", ["lora", "full"])
def test_which_label_a_sentence_has_is_learned(own, method):
    """Dogs are good and cats are not bad: it takes more than knowing the labels."""
    assert learner(own, method, steps=60).predict(X, Y, X).argmax(-1).tolist() == Y.tolist()


@needs_peft
@each_method
def test_the_same_seed_gives_the_same_answers_and_leaves_torchs_own_alone(own, method):
    state = torch.get_rng_state()
    one, again = (learner(own, method, steps=3).predict(X, Y, X) for _ in range(2))
    assert torch.equal(one, again) and torch.equal(torch.get_rng_state(), state)
    if method in ("soft prompt", "lora"):
        assert not torch.equal(learner(own, method, steps=3, seed=1).predict(X, Y, X), one)


@needs_peft
def test_the_numbers_trained_are_those_of_the_formulas(own):
    width, inside, layers = 16, {"gpt2": 64, "llama": 32}[own.network.config.model_type], 2
    counts = {method: learner(own, method).trainable() for method in RATES}
    assert (
        counts["soft prompt"] == 20 * width
        and learner(own, "soft prompt", size=7).trainable() == 7 * width
    )
    assert counts["full"] == sum(p.numel() for p in own.network.parameters())
    if own.network.config.model_type == "gpt2":  # one matrix makes q, k and v
        assert counts["lora"] == layers * 4 * (width + 3 * width) and counts["ia3"] == layers * (
            3 * width + inside
        )
    else:  # q is width x width; k and v have one head of two
        assert counts["lora"] == layers * 4 * (2 * width + width + width // 2) and counts[
            "ia3"
        ] == layers * (2 * width // 2 + inside)


@needs_peft
def test_before_any_training_lora_and_ia3_are_the_frozen_model(own):
    zero = own.log_probs(["the dog is"], [[" good", " not bad"]])
    for method in ("lora", "ia3"):
        with learner(own, method).prepared() as model:
            torch.testing.assert_close(
                model.log_probs(["the dog is"], [[" good", " not bad"]]), zero
            )


@needs_peft
def test_the_soft_prompt_stands_before_the_text_and_takes_its_room(own):
    with learner(own, "soft prompt", size=5).prepared() as model:
        assert model.context == own.context - 5
        ids, first = own.cut("the dog is", [" not bad"])[0]
        vectors = model.network.prompt_encoder["default"].embedding.weight
        embedded = torch.cat([vectors, own.network.get_input_embeddings()(torch.tensor(ids))])[None]
        log_p = own.network(inputs_embeds=embedded).logits[0].log_softmax(-1)
        wanted = sum(log_p[5 + place - 1, ids[place]] for place in range(first, len(ids)))
        torch.testing.assert_close(
            model.log_probs(["the dog is"], [[" not bad"]])[0, 0], wanted, rtol=1e-4, atol=1e-4
        )


@needs_peft
def test_batches_change_nothing(own):
    small = TransformersModel.around(own, own.network)
    small.batch = 3
    one, other = (learner(model, "lora", steps=2).predict(X, Y, X) for model in (own, small))
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


@needs_peft
def test_an_episode_brings_its_labels_and_queries_can_be_calibrated(own):
    family = Worlds()
    episode = family.sample(2, shots=2, queries=3, generator=family.generator(0))
    scores = PeftTuning(own, "lora", steps=2, neutral=("N/A",), read=text)(episode)
    assert scores.shape == (2, 3, 2)
    torch.testing.assert_close(scores.exp().sum(-1), torch.ones(2, 3))


@needs_peft
@each_method
def test_half_precision_can_be_tuned(tmp_path, method):
    model = own_models.taught(TransformersModel(own_models.llama(tmp_path)))
    model.network.to(torch.bfloat16)
    zero = Prompting(
        model, Template("{x} is {y}\n", "{x} is"), ["good", "not bad"], read=WORDS.text, shots=0
    ).predict(X, Y, X)
    scores = learner(model, method).predict(X, Y, X)
    assert (
        scores[torch.arange(4), Y].mean() > zero[torch.arange(4), Y].mean() + 1
        and model.network.dtype == torch.bfloat16
    )


@needs_peft
@each_method
def test_a_training_that_fails_leaves_the_model_as_it_was(own, method, monkeypatch):
    before = {name: tensor.clone() for name, tensor in own.network.state_dict().items()}
    monkeypatch.setattr(
        torch.optim.Adam,
        "step",
        lambda self: [p.data.fill_(torch.nan) for p in self.param_groups[0]["params"]],
    )
    with pytest.raises(ValueError, match="no longer finite at step 1: lower lr="):
        learner(own, method).predict(X, Y, X)
    after = own.network.state_dict()
    assert list(after) == list(before) and all(
        torch.equal(after[name], tensor) for name, tensor in before.items()
    )


@needs_peft
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"method": "adapter"}, "method='adapter': choose one of soft prompt, lora, ia3, full"),
        ({"method": "full", "size": 3}, "size=3: full has none"),
        ({"size": 0}, "size=0"),
        ({"steps": 0}, "steps=0"),
        ({"lr": -1.0}, "lr=-1.0"),
        ({"labels": ["good", ""]}, "label 1 is empty"),
    ],
)
def test_impossible_settings_are_refused(own, settings, says):
    with pytest.raises(ValueError, match=says):
        PeftTuning(own, read=WORDS.text, **settings)


@needs_peft
def test_what_cannot_be_tuned_is_refused(own):
    with pytest.raises(
        ValueError, match="TinyModel is no model of Hugging Face: tune .* with learners/tuning"
    ):
        PeftTuning(TinyModel(shipped_model()))
    with pytest.raises(ValueError, match="support set is empty"):
        learner(own, "lora").predict(X[:0], Y[:0], X)
    with pytest.raises(ValueError, match="of class 2, and there are labels for 2 classes"):
        learner(own, "lora").predict(X, Y + 1, X)
    with pytest.raises(ValueError, match="nothing to meta-train"):
        learner(own, "lora").outer_loss(one_task(X, Y, X))


@needs_peft
def test_layers_are_named_where_peft_does_not_know_the_model(own, monkeypatch):
    inner = {"gpt2": "c_fc", "llama": "up_proj"}[own.network.config.model_type]
    for config in (own.network.config, type(own.network.config)):
        monkeypatch.setattr(config, "model_type", "mystery")
    before = [name for name, _ in own.network.named_modules()]
    for targets in (None, ["nothing"]):
        with pytest.raises(
            ModelError, match=f"peft finds no layers for lora in a mystery: give targets=.*{inner}"
        ):
            learner(own, "lora", targets=targets).predict(X, Y, X)
    assert [name for name, _ in own.network.named_modules()] == before
    with learner(own, "lora", targets=[inner]).prepared() as model:
        assert {
            name.split(".")[-4]
            for name, weights in model.network.named_parameters()
            if weights.requires_grad
        } == {inner}


@needs_peft
def test_without_peft_one_sentence_says_how_to_install_it(own, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ModelError) as error:
        learner(own, "lora").predict(X, Y, X)
    assert str(error.value) == HOW_TO_INSTALL
    assert learner(own, "full", steps=1).predict(X, Y, X).shape == (4, 2)  # which needs no peft
