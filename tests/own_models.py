"""Small models of Hugging Face with random weights, and tokenizers trained on a few lines, saved as
a user's own would be."""

import json
import os

import numpy as np
import pytest
import torch

try:
    import transformers
except ImportError:
    transformers = None
    if os.environ.get("CI"):
        raise

needs_transformers = pytest.mark.skipif(
    transformers is None, reason="transformers is not installed: its models were NOT tested"
)

LINES = [
    "the dog is good",
    "a cat and the dog is not good",
    "bad dogs are not bad cats",
    "they are great\nit is great",
] * 5
MARKS = ["<|endoftext|>", "<s>", "</s>"]


def tokenizer(where, *, merges: int = 40, bos: bool = False, eos: bool = False):
    """Bytes that join to words, as those of GPT-2; with ``bos``, <s> before every text as Llama's,
    with ``eos`` </s> behind it."""
    import tokenizers
    cutter = tokenizers.ByteLevelBPETokenizer()
    cutter.train_from_iterator(LINES, vocab_size=256 + len(MARKS) + merges, special_tokens=MARKS)
    if bos or eos:
        single = f"{'<s> ' if bos else ''}$A{' </s>' if eos else ''}"
        around = tokenizers.processors.TemplateProcessing(
            single=single, special_tokens=[("<s>", 1), ("</s>", 2)]
        )
        cutter._tokenizer.post_processor = around
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=cutter._tokenizer, bos_token="<s>", eos_token="<|endoftext|>"
    )
    made.save_pretrained(where)
    return made


def gpt2(where, *, dtype=torch.float32, context: int = 128, **about):
    """Two layers."""
    words = len(tokenizer(where, **about))
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=words,
        n_positions=context,
        n_embd=16,
        n_layer=2,
        n_head=2,
        bos_token_id=0,
        eos_token_id=0,
    )
    transformers.GPT2LMHeadModel(config).to(dtype).save_pretrained(where)
    return where


def llama(where, *, base: bool = False, dtype=torch.float32, context: int = 64, **about):
    """Two layers, with <s> before every text; ``base``: without the output layer, as an encoder of
    sentences is saved."""
    words = len(tokenizer(where, bos=True, **about))
    torch.manual_seed(1)
    sizes = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
    }
    config = transformers.LlamaConfig(
        vocab_size=words,
        max_position_embeddings=context,
        bos_token_id=1,
        eos_token_id=2,
        tie_word_embeddings=False,
        **sizes,
    )
    kind = transformers.LlamaModel if base else transformers.LlamaForCausalLM
    kind(config).to(dtype).save_pretrained(where)
    return where


def bert(where):
    """An encoder, which reads in both directions."""
    words = len(tokenizer(where))
    torch.manual_seed(0)
    sizes = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    transformers.BertLMHeadModel(
        transformers.BertConfig(vocab_size=words, **sizes)
    ).save_pretrained(where)
    return where


def taught(model, steps: int = 60):
    """The model after reading the lines many times: with random weights, what a frozen output layer
    can say hardly depends on what goes in."""
    lines = [line.partition(" ") for line in LINES[:4]]
    weights = [parameter.requires_grad_() for parameter in model.network.parameters()]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        (
            -model.log_probs(
                [first for first, _, _ in lines], [[" " + rest] for _, _, rest in lines]
            ).mean()
        ).backward()
        optimizer.step()
    optimizer.zero_grad()
    return model


CHAT = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"


def talking(where, template: str = CHAT):
    """A Llama whose tokenizer has a chat template, with marks of their own for the turns."""
    llama(where, context=400)
    made = transformers.AutoTokenizer.from_pretrained(where)
    made.chat_template = template
    made.save_pretrained(where)
    return where


def llama_gguf(file):
    """A Llama of two layers with random weights, as a file of llama.cpp in half precision."""
    import gguf
    import tokenizers

    cutter = tokenizers.ByteLevelBPETokenizer()
    cutter.train_from_iterator(LINES, vocab_size=256 + len(MARKS) + 40, special_tokens=MARKS)
    words = cutter.get_vocab()
    names = sorted(words, key=words.get)
    merges = json.loads(cutter._tokenizer.to_str())["model"]["merges"]
    writer = gguf.GGUFWriter(str(file), "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_block_count(2)
    writer.add_feed_forward_length(32)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(names))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(names)
    writer.add_token_types([3 if name in MARKS else 1 for name in names])
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    random = np.random.default_rng(0)
    shapes = {"token_embd": (len(names), 32), "output_norm": (32,), "output": (len(names), 32)}
    for i in range(2):
        own = {
            "attn_norm": (32,), "ffn_norm": (32,), "attn_q": (32, 32), "attn_k": (16, 32),
            "attn_v": (16, 32), "attn_output": (32, 32), "ffn_gate": (32, 32), "ffn_up": (32, 32),
            "ffn_down": (32, 32),
        }  # fmt: skip
        shapes |= {f"blk.{i}.{name}": shape for name, shape in own.items()}
    for name, shape in shapes.items():
        dtype = np.float32 if len(shape) == 1 else np.float16
        writer.add_tensor(f"{name}.weight", random.normal(0, 0.5, shape).astype(dtype))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file
