"""Rows of the comparison on a real language model, SmolLM2-135M-Instruct: forward passes only.
Requests of five intents from domains that no learner of the course trained on."""

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib import DATA
from course_lib.chapters.ch12.frozen import PENALTY, ridge_head
from course_lib.episodes import Episode
from course_lib.families.as_written import AsWritten
from course_lib.families.intents import Intents
from course_lib.language_models.opening import open_model
from course_lib.language_models.sentence_vectors import sentence_vectors
from course_lib.learners.bag_of_words import BagOfWords
from course_lib.learners.prompting import Template, fill
from course_lib.networks import checkpoints
from course_lib.training.evaluation import Score
from course_lib.training.progress_bar import bar
from course_lib.training.runs import Measurement

WAYS, SHOTS, QUERIES, SEED = 5, 4, 5, 21
REQUEST = Template("Request: {x}\nIntent: {y}\n\n", "Request: {x}\nIntent:")
ROWS = (
    "bag of words, idf", "nearest example, input embedding", "nearest example, last layer",
    "frozen vectors, linear head", "prompt, no example", "prompt, one example a class",
    "prompt, the 5 nearest of 20",
)  # fmt: skip


def by_prompt(own, shown: list[tuple[str, str]], asked: list[str], labels: list[str]) -> Tensor:
    """The label of the largest log-probability for each query, behind the examples shown: (Q,)."""
    xs, ys = [x for x, _ in shown], [y for _, y in shown]
    prompts = [REQUEST.write(xs, ys, x) for x in asked]
    scored = [[fill(REQUEST.label, y=label) for label in labels]] * len(asked)
    return own.log_probs(prompts, scored).argmax(-1).cpu()


def answers(own, family: AsWritten, first: Tensor, last: Tensor, tasks: Episode) -> Tensor:
    """Right or wrong, by row, task and query: (rows, T, Q)."""
    found, rows = torch.zeros(len(ROWS), *tasks.query_y.shape, dtype=torch.bool), []
    bag = BagOfWords(Intents(part="train").rows, len(family.family.vocabulary))
    found[0] = bag(family.as_ids(tasks)).argmax(-1) == tasks.query_y
    for t in bar(range(len(tasks)), len(tasks), "prompts"):
        s, q = tasks.support_x[t, :, 0], tasks.query_x[t, :, 0]
        y, names = tasks.support_y[t], [family.names[n] for n in tasks.names["classes"][t]]
        labels = [name.replace("_", " ") for name in names]
        text, asked = family.texts, [family.texts[i] for i in q]
        near = last[q] @ last[s].T
        ones = [(y == n).nonzero()[0, 0] for n in range(WAYS)]
        few = [(text[s[i]], labels[y[i]]) for i in ones]
        chosen = [
            by_prompt(own, [(text[s[i]], labels[y[i]]) for i in best.flip(0)], [one], labels)
            for best, one in zip(near.topk(WAYS).indices, asked, strict=True)
        ]
        rows = [
            y[(first[q] @ first[s].T).argmax(-1)], y[near.argmax(-1)],
            ridge_head(last[s], F.one_hot(y, WAYS).float(), last[q], PENALTY).argmax(-1),
            by_prompt(own, [], asked, labels), by_prompt(own, few, asked, labels),
            torch.cat(chosen),
        ]  # fmt: skip
        found[1:, t] = torch.stack(rows) == tasks.query_y[t]
    return found


def measure(o) -> tuple[dict[str, Tensor], dict]:
    """Right answers of each row, task by task; the bag of words too, on the same tasks."""
    own, family = open_model("smollm"), AsWritten(Intents(ways=WAYS, part="test"))
    texts = bar(family.texts, len(family.texts), "sentences")
    first, last = F.normalize(sentence_vectors(own, texts, (0, -1)).cpu(), dim=-1)
    tasks = family.sample(o.tasks, shots=SHOTS, queries=1, generator=family.generator(SEED))
    right = answers(own, family, first, last, tasks)
    for name, one in zip(ROWS, right, strict=True):
        print(f"{name}: {Score(one.float().mean(1), 'accuracy', 1 / WAYS)}", flush=True)
    return {"right": right.to(torch.uint8)}, {"rows": list(ROWS), "tasks": o.tasks}


RUN = Measurement(
    "real_rows",
    "prompts, chosen examples, frozen vectors and a bag of words on a real language model",
    usual={"tasks": 12},
    measure=measure,
)


def stored_rows() -> tuple[dict[str, Score], str]:
    """Accuracy of each row from the shipped file, and the command that made it."""
    tensors, about = checkpoints.read(DATA / "real_rows.safetensors", "rows")
    scores = {
        name: Score(right.double().mean(1), "accuracy", 1 / WAYS)
        for name, right in zip(about["rows"], tensors["right"], strict=True)
    }
    return scores, about["command"]
