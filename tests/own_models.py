"""Small models of Hugging Face with random weights, and tokenizers trained on a few lines, saved as
a user's own would be."""

import torch

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
    import transformers

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
    import transformers

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


def llama(where, *, base: bool = False, **about):
    """Two layers, with <s> before every text; ``base``: without the output layer, as an encoder of
    sentences is saved."""
    import transformers

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
        max_position_embeddings=64,
        bos_token_id=1,
        eos_token_id=2,
        tie_word_embeddings=False,
        **sizes,
    )
    (transformers.LlamaModel if base else transformers.LlamaForCausalLM)(config).save_pretrained(
        where
    )
    return where


def bert(where):
    """An encoder, which reads in both directions."""
    import transformers

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
