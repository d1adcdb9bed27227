"""Models of Hugging Face: where a label begins, marks of beginning, one pass for many labels, what
is no language model, and free text."""

import json

import own_models
import pytest
import torch
from own_models import needs_transformers, transformers

from course_lib.language_models.opening import ModelError, TransformersModel, open_model
from course_lib.learners.prompting import Prompting, Template

pytestmark = needs_transformers


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    return TransformersModel(own_models.gpt2(tmp_path_factory.mktemp("gpt2")))


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    return TransformersModel(own_models.llama(tmp_path_factory.mktemp("llama")))


def chain(model, ids, first):
    """log P of ids[first:] after ids[:first], a token at a time, without filling, batches or shared
    rows."""
    total = 0.0
    for place in range(first, len(ids)):
        total += (
            model.network(torch.tensor([ids[:place]]))
            .logits[0, -1]
            .log_softmax(-1)[ids[place]]
            .item()
        )
    return total


def close(scores, wanted):
    torch.testing.assert_close(scores.detach(), torch.tensor(wanted), rtol=1e-4, atol=1e-4)


# --- where a label begins -------------------------------------------------------------------------


def test_a_label_that_joins_with_the_prompt_is_cut_as_the_whole_text_is(own):
    """ "the d" + "og" is "the", " dog" to the tokenizer, as in every text that it was trained
    on."""
    prompt, labels = "the d", ["og", "addy"]
    assert own.tokens(prompt) + own.tokens("og") != own.tokens("the dog"), (
        "nothing joins: nothing is tested"
    )
    (one, first), (other, same) = own.cut(prompt, labels)
    assert one == own.tokens("the dog") and other == own.tokens("the daddy")
    assert first == same == len(own.tokens("the"))
    close(own.log_probs([prompt], [labels]), [[chain(own, one, first), chain(own, other, first)]])


def test_all_labels_of_a_prompt_are_scored_from_the_same_place(own):
    """ " great" takes the space of the prompt with it, "xyz" would not; both are then scored from
    before the space."""
    prompt, labels = "it is ", ["great", "xyz"]
    cuts = own.cut(prompt, labels)
    assert [first for _, first in cuts] == [len(own.tokens("it is"))] * 2
    assert cuts[0][0][-1:] == own.tokens(" great") and len(own.tokens(" great")) == 1
    close(own.log_probs([prompt], [labels]), [[chain(own, *cut) for cut in cuts]])


def test_a_space_at_the_end_of_the_query_changes_no_score(own):
    """Between "it is" + " great" and "it is " + "great" lies no difference: it is the same text,
    and the same tokens are scored."""
    texts = ["great", "good"]
    close(
        own.log_probs(["it is"], [[" " + text for text in texts]]),
        own.log_probs(["it is "], [texts]).tolist(),
    )


def test_without_a_join_the_score_begins_at_the_end_of_the_prompt(own):
    for ids, first in own.cut("the dog is", [" good", " not good"]):
        assert ids[:first] == own.tokens("the dog is")


def test_labels_that_are_the_same_tokens_are_refused(own):
    with pytest.raises(ModelError, match="label '' has no tokens"):
        own.log_probs(["it is"], [["", " great"]])
    with pytest.raises(ModelError, match="equally many labels"):
        own.log_probs(["it is", "it is"], [[" great"]])
    with pytest.raises(ModelError, match="equally many labels"):
        own.log_probs(["it is"], [[]])
    assert own.log_probs(["it is"], [[" great", " great"]]).unique().numel() == 1


def words_only(folder):
    """A tokenizer of four words, which drops spaces and reads everything else as unknown."""
    import tokenizers

    own_models.gpt2(folder)
    words = tokenizers.models.WordLevel(
        {"[UNK]": 0, "the": 1, "dog": 2, "is": 3, "good": 4}, unk_token="[UNK]"
    )
    cutter = tokenizers.Tokenizer(words)
    cutter.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=cutter, unk_token="[UNK]"
    ).save_pretrained(folder)
    return TransformersModel(folder)


def test_two_unknown_words_and_a_label_of_spaces_are_refused(tmp_path):
    model = words_only(tmp_path)
    assert model.log_probs(["the dog is"], [[" good", " bad"]]).shape == (1, 2)
    with pytest.raises(ModelError, match="' bad' and ' sad' are the same tokens to this model"):
        model.log_probs(["the dog is"], [[" bad", " sad", " good"]])
    with pytest.raises(ModelError, match="label '  ' has no tokens"):
        model.log_probs(["the dog is"], [["  ", " good"]])


def test_a_label_that_joins_with_the_whole_prompt_is_refused(own):
    assert len(own.tokens("the")) == 1
    with pytest.raises(ModelError, match="'th' leaves no token in front of label"):
        own.log_probs(["th"], [["e", "is"]])


def test_a_tokenizer_of_another_model_is_refused(tmp_path):
    own_models.gpt2(tmp_path)
    transformers.AutoTokenizer.from_pretrained(tmp_path)
    tokenizer = own_models.tokenizer(tmp_path)
    tokenizer.add_tokens(["brandnew"])
    tokenizer.save_pretrained(tmp_path)
    model = TransformersModel(tmp_path)
    assert model.log_probs(["it is"], [[" good", " bad"]]).shape == (1, 2)
    with pytest.raises(ModelError, match="not the model's own tokenizer"):
        model.log_probs(["it is"], [[" brandnew", " bad"]])


# --- marks of beginning ---------------------------------------------------------------------------


def test_a_mark_of_the_beginning_stands_before_every_prompt(marked):
    assert marked.front == [1] and marked.tokenizer("it is")["input_ids"] == [
        1,
        *marked.tokens("it is"),
    ]
    prompts, labels = ["it is", "the dog is"], [[" great", " not good"]] * 2
    wanted = []
    for prompt, row in zip(prompts, labels, strict=True):
        begin = len(marked.tokenizer(prompt)["input_ids"])
        wanted.append(
            [chain(marked, marked.tokenizer(prompt + label)["input_ids"], begin) for label in row]
        )
    close(marked.log_probs(prompts, labels), wanted)


def test_with_a_mark_an_empty_prompt_can_be_asked_and_without_one_it_cannot(own, marked):
    labels = [["the", "it"]]
    close(
        marked.log_probs([""], labels),
        [[chain(marked, [1, *marked.tokens(label)], 1) for label in labels[0]]],
    )
    with pytest.raises(ModelError, match="prompt is empty"):
        own.log_probs([""], labels)


def test_a_mark_of_the_end_is_no_part_of_a_text_that_goes_on(tmp_path):
    folder = own_models.llama(tmp_path)
    plain = TransformersModel(folder)
    own_models.tokenizer(folder, bos=True, eos=True)
    ended = TransformersModel(folder)
    assert ended.tokenizer("it is")["input_ids"][-1] == 2 and ended.front == [1]
    close(
        ended.log_probs(["it is"], [[" good", " bad"]]),
        plain.log_probs(["it is"], [[" good", " bad"]]).tolist(),
    )
    own_models.tokenizer(folder)  # no marks at all
    assert TransformersModel(folder).front == []


def test_the_mark_counts_among_what_the_model_reads(marked):
    assert marked.context == 64
    word = "the" + " dog" * 70
    fits = marked.tokenizer.decode(marked.tokens(word)[:62])
    assert marked.log_probs([fits], [[" good", " bad"]]).shape == (1, 2)  # 1 + 62 + 1
    with pytest.raises(ModelError, match="has 65 tokens and the model reads 64"):
        marked.log_probs([fits + " dog"], [[" good", " bad"]])


def test_a_tokenizer_that_writes_spaces_into_its_words_is_read_as_it_cuts_whole_texts(tmp_path):
    """Llama's puts one before every text: cut apart, "great" and " great" would be the same tokens,
    and "the d" + "og" three words."""
    import tokenizers

    folder = own_models.llama(tmp_path)
    cutter = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="<unk>"))
    cutter.pre_tokenizer, cutter.decoder = (
        tokenizers.pre_tokenizers.Metaspace(),
        tokenizers.decoders.Metaspace(),
    )
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=100, special_tokens=["<unk>", "<s>", "</s>"]
    )
    cutter.train_from_iterator(own_models.LINES, trainer)
    cutter.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=cutter, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    model = TransformersModel(folder)
    assert model.front == [1] and model.tokens("great") == model.tokens(" great"), (
        "it writes no space: nothing is tested"
    )
    for prompt, labels in (
        ("it is", [" great", " not good"]),
        ("it is ", ["great", "not good"]),
        ("the d", ["og", "a"]),
    ):
        cuts = model.cut(prompt, labels)
        assert [ids for ids, _ in cuts] == [
            model.tokenizer(prompt + label)["input_ids"] for label in labels
        ]
        close(model.log_probs([prompt], [labels]), [[chain(model, *cut) for cut in cuts]])
    close(
        model.log_probs(["it is"], [[" great", " not good"]]),
        model.log_probs(["it is "], [["great", "not good"]]).tolist(),
    )
    assert model.around(Says(model, "great dog is not")).generate("it is", 4) == "great dog is not"


# --- one pass for many labels ---------------------------------------------------------------------


def rows_run(model, monkeypatch, prompts, labels):
    """The scores, and how many rows of tokens the model was shown for them."""
    seen, before = [], model.network.forward

    def forward(input_ids, attention_mask, use_cache, logits_to_keep):
        seen.append(len(input_ids))
        return before(
            input_ids=input_ids,
            attention_mask=attention_mask,
            use_cache=use_cache,
            logits_to_keep=logits_to_keep,
        )

    with monkeypatch.context() as patch:
        patch.setattr(model.network, "forward", forward)
        return model.log_probs(prompts, labels), sum(seen)


@pytest.mark.parametrize("name", ["own", "marked"])
def test_labels_of_one_token_cost_one_row_a_prompt(name, request, monkeypatch):
    model = request.getfixturevalue(name)
    prompts, labels = (
        ["the dog is", "a cat and the dog is", "it is"],
        [[" good", " great", " bad", " a", " the"]] * 3,
    )
    assert {len(model.tokens(label)) for label in labels[0]} == {1}
    scores, rows = rows_run(model, monkeypatch, prompts, labels)
    assert rows == 3
    close(
        scores,
        [
            [chain(model, *cut) for cut in model.cut(prompt, row)]
            for prompt, row in zip(prompts, labels, strict=True)
        ],
    )


def test_a_label_that_begins_another_shares_its_row(own, monkeypatch):
    scores, rows = rows_run(
        own, monkeypatch, ["the dog is"], [[" not", " not good", " good", " not good dog"]]
    )
    assert rows == 1
    close(
        scores,
        [
            [
                chain(own, *cut)
                for cut in own.cut("the dog is", [" not", " not good", " good", " not good dog"])
            ]
        ],
    )
    assert scores[0, 0] > scores[0, 1] > scores[0, 3]


def test_a_model_that_gives_all_scores_is_read_at_the_same_places(own, monkeypatch):
    """Some models of Hugging Face cannot be asked for the scores of a few places only."""
    prompts, labels = ["the dog is", "it is"], [[" not good", " bad", " great\n"]] * 2
    wanted, before = own.log_probs(prompts, labels), own.network.forward
    monkeypatch.setattr(
        own.network,
        "forward",
        lambda input_ids, attention_mask, use_cache: before(
            input_ids=input_ids, attention_mask=attention_mask
        ),
    )
    close(own.log_probs(prompts, labels), wanted.tolist())


def test_weights_are_frozen_and_can_be_opened(own):
    assert not own.log_probs(["it is"], [[" good", " not good"]]).requires_grad
    own.requires_grad_()
    own.log_probs(["it is"], [[" good", " not good"]]).sum().backward()
    assert own.network.transformer.h[0].attn.c_attn.weight.grad.abs().sum() > 0
    own.network.zero_grad()
    own.requires_grad_(False)


# --- weights of half precision --------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_loaded_as_saved_or_as_asked_and_scored_in_single(own, tmp_path, dtype):
    folder = own_models.gpt2(tmp_path, dtype=dtype)
    prompts, labels = ["the dog is", "it is"], [[" not good", " bad"]] * 2
    saved, asked = TransformersModel(folder), TransformersModel(folder, dtype=torch.float32)
    assert saved.network.dtype == dtype and asked.network.dtype == torch.float32
    scores = saved.log_probs(prompts, labels)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, asked.log_probs(prompts, labels), rtol=0.02, atol=0.05)


def test_a_text_that_is_too_long_is_one_sentence_without_a_warning_of_the_tokenizer(
    tmp_path, capfd
):
    own_models.gpt2(tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path, model_max_length=128)
    tokenizer.save_pretrained(tmp_path)
    model = TransformersModel(tmp_path)
    capfd.readouterr()
    with pytest.raises(ModelError, match="the model reads 128: use fewer or shorter examples"):
        model.log_probs(["the" + " dog" * 200], [[" good", " bad"]])
    assert capfd.readouterr() == ("", "")


def test_a_device_that_is_not_there_is_one_sentence(tmp_path):
    folder = own_models.gpt2(tmp_path)
    with pytest.raises(ModelError, match="cannot be put on device 'abacus'"):
        TransformersModel(folder, device="abacus")


# --- what is no causal language model -------------------------------------------------------------


def test_an_encoder_is_refused(tmp_path, capsys):
    with pytest.raises(
        ModelError,
        match="is not a causal language model: what it says of a word depends on later words",
    ):
        TransformersModel(own_models.bert(tmp_path))


def test_a_model_without_its_output_layer_is_refused(tmp_path):
    with pytest.raises(
        ModelError, match="is not a causal language model: it lacks the weights lm_head.weight"
    ):
        TransformersModel(own_models.llama(tmp_path, base=True))


def test_damaged_weights_an_empty_folder_and_no_folder_are_one_sentence(tmp_path):
    folder = own_models.gpt2(tmp_path / "own")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    (tmp_path / "empty").mkdir()
    for place, says in (
        (folder, "no causal language model at"),
        (tmp_path / "empty", "give a folder with config.json"),
        (tmp_path / "none", "no such folder"),
    ):
        with pytest.raises(ModelError, match=says) as error:
            TransformersModel(place)
        assert "\n" not in str(error.value) and error.value.__cause__ is None


# --- free text ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["own", "marked"])
def test_free_text_is_the_most_probable_token_each_time(name, request):
    model = request.getfixturevalue(name)
    ids = model.front + model.tokens("the dog is")
    begin = len(ids)
    for _ in range(8):
        ids.append(int(model.network(torch.tensor([ids])).logits[0, -1].argmax()))
    whole = model.decode(ids)[len(model.decode(ids[:begin])) :]
    assert not set(ids[begin:]) & {0, 1, 2}, "an end mark came: choose another start"
    assert (
        model.generate("the dog is", 8, stop=None)
        == whole.strip()
        == model.generate("the dog is  ", 8, stop=None)
    )
    assert len(model.generate("the dog is", 2, stop=None)) < len(whole)


class Says:
    """A network that says the given tokens, one after the other, whatever it reads."""

    def __init__(self, model, text):
        self.config, self.generation_config, self.device = (
            model.network.config,
            model.network.generation_config,
            "cpu",
        )
        self.ids, self.words, self.get_input_embeddings = (
            model.tokens(text),
            len(model.tokenizer),
            model.network.get_input_embeddings,
        )

    def __call__(self, input_ids, use_cache):
        logits = torch.zeros(1, input_ids.shape[1], self.words)
        logits[0, -1, self.ids.pop(0)] = 1
        return transformers.modeling_outputs.CausalLMOutput(logits=logits)


@pytest.mark.parametrize(
    ("text", "stop", "wanted"),
    [
        (" good\nit is", "\n", "good"),
        ("\n\n good\nit is bad", "\n", "good"),  # it begins with empty lines
        (" good\nit is\n\n bad", "\n\n", "good\nit is"),
        (" good<|endoftext|> bad", "\n", "good"),
        (" good it is bad, not great", ",", "good it is bad"),
    ],
)
def test_free_text_ends_at_the_end_of_a_line_or_of_the_text(own, text, stop, wanted):
    assert (
        own.around(Says(own, text + " and on and on and on")).generate("the dog is", 12, stop)
        == wanted
    )


def test_free_text_ends_where_no_more_can_be_read(own):
    long = "the" + " dog" * 120
    assert own.around(Says(own, " good" * 40)).generate(long, 40, stop=None).split() == ["good"] * (
        own.context - len(own.tokens(long))
    )
    for prompt, says in (
        ("the" + " dog" * 200, "the model reads 128, with its answer"),
        ("", "prompt is empty"),
    ):
        with pytest.raises(ModelError, match=says):
            own.generate(prompt)
    with pytest.raises(ValueError, match="words=0"):
        own.generate("it is", 0)


# --- the reader's own model -----------------------------------------------------------------------


def test_a_folder_is_opened_on_the_best_device_and_said_quietly(tmp_path, capfd):
    folder = own_models.gpt2(tmp_path / "mine")
    capfd.readouterr()
    model = open_model(folder, device="cpu")
    printed, noise = capfd.readouterr()
    assert isinstance(model, TransformersModel) and noise == ""
    assert printed == (
        f"{folder}: {sum(p.numel() for p in model.network.parameters()):,} weights on cpu, "
        "reads up to 128 tokens\n"
    )


def test_it_is_prompted_with_calibration_and_labels_of_several_tokens(own):
    """What calibration divides by is the whole label's probability, as it is for the query."""
    from course_lib.families import Vocabulary

    words = Vocabulary(["the dog", "a cat", "bad dogs"])
    learner = Prompting(
        own,
        Template("{x} is {y}\n", "{x} is"),
        ["good", "not good"],
        read=words.text,
        neutral=("it",),
    )
    x = words.encode(["the dog", "a cat"])
    scores = learner.predict(x, torch.tensor([0, 1]), words.encode(["bad dogs"]))
    before = "the dog is good\na cat is not good\n"
    said, usual = own.log_probs(
        [before + "bad dogs is", before + "it is"], [[" good", " not good"]] * 2
    )
    torch.testing.assert_close(scores[0], (said - usual).log_softmax(-1))


@pytest.mark.parametrize("kind", ["gpt2", "mystery"])
@pytest.mark.parametrize("part", ["config.json", "tokenizer_config.json"])
def test_code_that_comes_with_a_model_is_never_run_and_never_asked_about(
    tmp_path, part, kind, monkeypatch, capsys
):
    """A folder whose files name code of its own: it is not run, whatever is answered."""
    own_models.gpt2(tmp_path)
    (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    for name in ("config.json", part):
        about = json.loads((tmp_path / name).read_text())
        about["auto_map"] = {
            "AutoConfig": "own.Config",
            "AutoModelForCausalLM": "own.Model",
            "AutoTokenizer": ["own.Tokenizer", "own.Tokenizer"],
        }
        if name == "config.json":
            about["model_type"] = kind
        (tmp_path / name).write_text(json.dumps(about))

    def asked(*words):
        raise AssertionError("a question was asked")

    monkeypatch.setattr("builtins.input", asked)
    if kind == "gpt2":  # transformers knows the kind and needs no code of the folder's
        TransformersModel(tmp_path)
    else:
        with pytest.raises(ModelError) as caught:
            TransformersModel(tmp_path)
        assert "would run code of its own" in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()
