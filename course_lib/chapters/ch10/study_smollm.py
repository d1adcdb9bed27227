"""What chapter 10 measured on SmolLM2-135M-Instruct: log probabilities of the labels for every
prompt of `design`, examples looked up instead of read, chosen demonstrations, and summaries.

    python -m course_lib train smollm_prompts     measures it again, about 12 minutes of a core

The file holds what the model said, and no verdict: accuracies, calibration and the choice of
prompts are computed from it when they are asked for.
"""

import torch
from torch import Tensor

from course_lib.chapters.ch10 import design, summaries
from course_lib.chapters.ch10.cells import Cell, examples, task, with_examples, written
from course_lib.chapters.ch10.lookup import most_like, prototypes_answer
from course_lib.language_models.sentence_vectors import sentence_vectors
from course_lib.training.runs import Measurement

TASKS = ("sentiment", "question", "subject")
LAYERS = {"input": 0, "last": -1}  # which frozen vectors of a sentence are compared
LOOKED = (1, 2, 4, 8, 16)
CHOOSING = ("random", "nearest", "nearest of each label")  # ways to choose four demonstrations
DEMONSTRATIONS = 4


def key(cell: Cell) -> str:
    """The tensor of the file that a cell belongs to: one for each task and number of queries."""
    return f"scores/{cell.task}/{len(task(cell.task).queries[: cell.queries])}"


def groups() -> dict[str, list[Cell]]:
    """The cells of each tensor, in the order of its rows."""
    found: dict[str, list[Cell]] = {}
    for cell in dict.fromkeys(design.all_cells()):
        found.setdefault(key(cell), []).append(cell)
    return found


def ask(model, cell: Cell) -> Tensor:
    """What the model says to all queries of a cell and the neutral ones after them: (Q + 3, N) log
    probabilities of the labels."""
    prompts, labels, _ = written(cell, model)
    return model.log_probs(prompts, [labels] * len(prompts))


# --- frozen vectors, and demonstrations that they choose ------------------------------------------


def vectors(model, sentences, layer: str) -> Tensor:
    """Sentences by one of `LAYERS`: (n, W). See `sentence_vectors`."""
    return sentence_vectors(model, sentences, (LAYERS[layer],))[0]


def looked_up(model, name: str) -> dict[str, Tensor]:
    """Answers without reading: the label of the nearest example, and the nearest mean of a class,
    for each layer: (8 sets, numbers of examples in `LOOKED`, Q)."""
    this, found = task(name), {}
    queries = [x for x, _ in this.queries[:50]]
    place = {x: i for i, x in enumerate(sum(this.shown, ()))}
    for layer in LAYERS:
        stored, asked = vectors(model, place, layer), vectors(model, queries, layer)
        for how in ("nearest", "prototypes"):
            answers = torch.zeros(len(design.SETS), len(LOOKED), len(queries), dtype=torch.uint8)
            for s in design.SETS:
                for j, k in enumerate(LOOKED):
                    shown = examples(Cell(name, shots=k, seed=s))
                    x = stored[[place[sentence] for sentence, _ in shown]]
                    y = torch.tensor([n for _, n in shown])
                    if how == "nearest":
                        answers[s, j] = y[most_like(asked, x)[:, 0]]
                    else:
                        answers[s, j] = prototypes_answer(asked, x, y)
            found[f"{how}/{name}/{layer}"] = answers
    return found


def chosen(model, name: str, how: str) -> Tensor:
    """Log probabilities of the labels when each query has its own four demonstrations: (Q, N).

    Args:
        how: "random"; "nearest", the four of all sentences that may be shown with the most similar
            last hidden vectors, the most similar last; "nearest of each label": the same from each
            class in turn.
    """
    this = task(name)
    store = [(x, n) for n, own in enumerate(this.shown) for x in own]
    labels = torch.tensor([n for _, n in store])
    asked = this.queries[:50]
    like = most_like(
        vectors(model, [x for x, _ in asked], "last"),
        vectors(model, [x for x, _ in store], "last"),
        len(store),
    )
    dice = torch.Generator().manual_seed(0)
    prompts = []
    for row, (x, _) in zip(like, asked, strict=True):
        if how == "random":
            row = torch.randperm(len(store), generator=dice)
        if how == "nearest of each label":
            ways = len(this.shown)
            best = [row[labels[row] == n] for n in range(ways)]
            row = torch.stack([best[i % ways][i // ways] for i in range(DEMONSTRATIONS)])
        shown = [store[i] for i in row[:DEMONSTRATIONS].flip(0)]
        (prompt,), words = with_examples(Cell(name, shots=DEMONSTRATIONS), shown, [x])
        prompts.append(prompt)
    return model.log_probs(prompts, [words] * len(prompts))


def measure(o) -> tuple[dict[str, Tensor], dict]:
    """Everything, with the model that `python -m course_lib fetch smollm` brings."""
    from course_lib.language_models.opening import open_model

    model = open_model("smollm", dtype=getattr(torch, o.dtype))
    tensors = {name: torch.stack([ask(model, c) for c in own]) for name, own in groups().items()}
    for name in TASKS:
        tensors |= looked_up(model, name)
        tensors |= {f"chosen/{name}/{how}": chosen(model, name, how) for how in CHOOSING}
    words = task("intents").wordings["base"].labels
    tensors["lengths/intents"] = torch.tensor([len(model.tokens(f" {word}")) for word in words])
    tensors["summaries"] = as_bytes(summaries.summarised(model))
    return tensors, {}


RUN = Measurement(
    "smollm_prompts", "prompts, measured on SmolLM2-135M-Instruct", {"dtype": "bfloat16"},
    measure=measure,
)  # fmt: skip


def as_bytes(texts: list[str]) -> Tensor:
    """Texts as one row of bytes: a file of tensors holds no others."""
    return torch.tensor(list("\0".join(texts).encode()), dtype=torch.uint8)


def as_texts(row: Tensor) -> list[str]:
    """See `as_bytes`."""
    return bytes(row.tolist()).decode().split("\0")
