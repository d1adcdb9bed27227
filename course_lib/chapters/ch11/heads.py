"""Which attention heads read the examples: where each head looks in a prompt, and what is lost
without it.

After "induction heads" (Olsson et al. 2022): there, one layer notes at each token what stood before
it, and a later layer looks the note up. Layers and heads are counted from 0 here, as in the
tensors.
"""

import copy

import torch
from torch import Tensor

from course_lib.episodes import Episode
from course_lib.families.prompt_worlds import WORDS
from course_lib.language_models.tiny_gpt import TinyGPT
from course_lib.learners.in_context import InContext
from course_lib.learners.token_prompts import as_prompts
from course_lib.training.evaluation import Score, evaluate


def head_scores(model: TinyGPT, episode: Episode, shots: int) -> dict[str, Tensor]:
    """Mean attention between the parts of prompts ``word : label`` with ``shots`` examples, for
    each head: tensors (layers, heads).

    Raises:
        ValueError: the episode does not have that many examples, or shots is 0.
    """
    prompts = as_prompts(episode, shots).flatten(
        0, 1
    )  # (T * Q, L), the order of the queries of `shares`
    sums, queries = {}, episode.query_y.shape[1]
    step = max(1, 256 // queries)  # whole tasks at a time
    with torch.no_grad():
        for i in range(0, episode.tasks, step):
            part = episode[i : i + step]
            attention = model.look(prompts[i * queries : (i + step) * queries])[1]
            looks = torch.stack(attention, 1).unflatten(
                0, part.query_y.shape
            )  # (T, Q, layers, heads, L, L)
            for name, each in shares(looks, part, shots).items():
                sums[name] = sums.get(name, 0) + each.sum((0, 1))
    return {name: total / len(prompts) for name, total in sums.items()}


def shares(looks: Tensor, episode: Episode, shots: int) -> dict[str, Tensor]:
    """Attention between the parts of each prompt: looks (T, Q, ..., L, L), with L = 4 * shots + 2,
    -> tensors (T, Q, ...).

    "separator to its word", "label to its word": how much these tokens of an example look at the
    word of the same example; mean over examples. The others say how the last token, the separator
    after the query's word, divides its attention: "to labels like its own", the labels of the
    examples that have the query's label, and "to other labels"; "to words of its kind", the words
    of the examples that are of the query's kind, and "to other words". Each is a sum over examples,
    so a head that looks nowhere else makes them sum to 1.

    Raises:
        ValueError: shots is below 1 or above the number of examples, or L does not fit.
    """
    if not 1 <= shots <= episode.support_y.shape[1]:
        raise ValueError(
            f"shots={shots}: the episode has {episode.support_y.shape[1]} examples; ask for 1 or "
            "more of them"
        )
    if looks.shape[-1] != 4 * shots + 2:
        raise ValueError(
            f"attention over {looks.shape[-1]} tokens: a prompt with {shots} examples has "
            f"{4 * shots + 2}, in the form of as_prompts"
        )
    word = 4 * torch.arange(shots, device=looks.device)
    separator, label = word + 1, word + 2
    between = (None,) * (looks.ndim - 4)  # the axes of layers and heads

    def last(places: Tensor, which: Tensor) -> Tensor:
        return (looks[..., -1, places] * which[(slice(None), slice(None), *between)]).sum(-1)

    own_label = episode.support_y[:, None, :shots] == episode.query_y[..., None]  # (T, Q, shots)
    own_kind = (episode.support_x[:, None, :shots, 0] - 1) // WORDS == (
        episode.query_x - 1
    ) // WORDS
    return {
        "separator to its word": looks[..., separator, word].mean(-1),
        "label to its word": looks[..., label, word].mean(-1),
        "to labels like its own": last(label, own_label),
        "to other labels": last(label, ~own_label),
        "to words of its kind": last(word, own_kind),
        "to other words": last(word, ~own_kind),
    }


@torch.no_grad()
def votes(model: TinyGPT, episode: Episode, shots: int, layer: int, head: int) -> Tensor:
    """A head taken for a matching network: each example votes for its class, with the attention
    that the end of the prompt pays to its label. (T, Q, N), the votes of each class.

    Raises:
        ValueError: the episode does not have that many examples, or shots is 0.
    """
    if not 1 <= shots <= episode.support_y.shape[1]:
        raise ValueError(
            f"shots={shots}: the episode has {episode.support_y.shape[1]} examples; ask for 1 or "
            "more of them"
        )
    prompts, size = as_prompts(episode, shots), episode.query_y.shape
    length = episode.support_x.shape[2] + 3  # tokens of an example; the label is the last but one
    labels = length * torch.arange(1, shots + 1, device=prompts.device) - 2
    looks = model.look(prompts.flatten(0, 1))[1][layer][:, head, -1, labels]  # (T * Q, shots)
    y = episode.support_y[:, None, :shots].expand(*size, -1)
    counted = looks.new_zeros(*size, episode.names["labels"].shape[1])
    return counted.scatter_add(2, y, looks.unflatten(0, size))


def without_head(model: TinyGPT, layer: int, head: int) -> TinyGPT:
    """A copy whose head adds nothing: its columns of the output projection are 0. The model itself
    stays as it is.

    Raises:
        ValueError: there is no such head.
    """
    size = model.size
    if not (0 <= layer < size.layers and 0 <= head < size.heads):
        raise ValueError(
            f"layer={layer}, head={head}: count from 0, below {size.layers} layers and "
            f"{size.heads} heads"
        )
    model, width = copy.deepcopy(model), size.width // size.heads
    with torch.no_grad():
        model.blocks[layer].attention.out.weight[:, head * width : (head + 1) * width] = 0
    return model


def accuracy_without_each(
    model: TinyGPT, episode: Episode, shots: int
) -> dict[tuple[int, int], Score]:
    """Accuracy among the labels of a task with one head removed, for every (layer, head). Compare
    with the whole model by `paired`."""
    heads = [
        (layer, head) for layer in range(model.size.layers) for head in range(model.size.heads)
    ]
    return {
        place: evaluate(InContext(without_head(model, *place), shots), episode) for place in heads
    }
