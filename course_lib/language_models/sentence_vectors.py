"""What a frozen language model makes of whole sentences, as vectors that can be compared."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from course_lib.episodes import at_least_one


@torch.no_grad()
def sentence_vectors(
    model, sentences: Iterable[str], layers: Sequence[int] = (-1,), batch: int = 1
) -> Tensor:
    """The mean over its tokens of each sentence, after each of the layers: (layers, n, W), in
    single precision. Nothing is trained.

    Args:
        model: a `TransformersModel`.
        layers: 0 is the input embedding, k the k-th block, -1 the last hidden layer.
        batch: sentences that run through the model together; the shorter ones are filled up, and
            the filling is not part of the mean.
    """
    at_least_one(batch=batch)
    sentences, found = list(sentences), []
    for start in range(0, len(sentences), batch):
        rows = [torch.tensor(model.tokens(text)) for text in sentences[start : start + batch]]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).to(model.device)
        lengths = torch.tensor([len(row) for row in rows], device=model.device)
        real = torch.arange(ids.shape[1], device=model.device) < lengths[:, None]
        states = (
            model.network(
                input_ids=ids,
                attention_mask=real.long(),
                output_hidden_states=True,
                use_cache=False,
            ).hidden_states
            if any(layers)
            else ()
        )
        embedded = model.network.get_input_embeddings()(ids)  # no places added, as GPT-2 would
        of_layers = [states[k] if k else embedded for k in layers]
        means = [(x.float() * real[..., None]).sum(1) / lengths[:, None] for x in of_layers]
        found.append(torch.stack(means))
    return torch.cat(found, dim=1)
