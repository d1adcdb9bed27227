"""Nothing in the model changes and no example is read: frozen vectors with a head fitted to the
examples, and what a query costs when the examples were read once."""

import time

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.chapters.ch12.line_up import METHODS, SHOTS, made, reads_more, tasks_of
from course_lib.episodes import Episode
from course_lib.language_models.tiny_gpt import TinyGPT, shipped_model
from course_lib.learners import Learner
from course_lib.learners.in_context import InContext
from course_lib.learners.token_prompts import at, labels_of, prompts, questions
from course_lib.training.runs import Measurement

PENALTY = 0.003  # chosen on tasks of other groups, among 0.003, 0.01, 0.03, 0.1, 0.3, 1 and 3


class FrozenHead(Learner):
    """A linear head on the last hidden vector of ``word :``, by ridge regression on the classes;
    the model stays as it is.

    Args:
        model: gives the vectors.   penalty: of the ridge.
    """

    loss_fn = staticmethod(F.cross_entropy)

    def __init__(self, model: TinyGPT, penalty: float = PENALTY):
        super().__init__()
        self.model, self.penalty = model, penalty

    @torch.no_grad()
    def vectors(self, x: Tensor) -> Tensor:
        """Items (T, n, l) -> vectors of length one, (T, n, W)."""
        tokens, place = questions(x)
        hidden = self.model(tokens.flatten(0, 1), scores=False)
        return F.normalize(at(hidden, place.flatten()), dim=-1).unflatten(0, place.shape)

    def forward(self, episode: Episode) -> Tensor:
        """All tasks of an episode: (T, Q, N)."""
        shown, asked = self.vectors(episode.support_x), self.vectors(episode.query_x)
        y = F.one_hot(episode.support_y, labels_of(episode).shape[1]).to(shown)
        return ridge_head(shown, y, asked, self.penalty)


def ridge_head(shown: Tensor, y: Tensor, asked: Tensor, penalty: float) -> Tensor:
    """Ridge regression on the classes, its constant not penalised: vectors (..., S, W) with classes
    as rows of 0 and 1 (..., S, N), queries (..., Q, W) -> (..., Q, N)."""
    middle, usual = shown.mean(-2, keepdim=True), y.mean(-2, keepdim=True)
    x, gram = shown - middle, torch.eye(shown.shape[-2]) * penalty
    weights = x.mT @ torch.linalg.solve(x @ x.mT + gram, y - usual)
    return (asked - middle) @ weights + usual


@torch.no_grad()
def read_once(model: TinyGPT, tasks: Episode) -> Tensor:
    """As `InContext`, with the examples of each task read once: (T, Q, N)."""
    labels, found = labels_of(tasks), []
    tokens, place = prompts(tasks, labels)
    front = 4 * tasks.support_y.shape[1]  # tokens of the examples, the same for all queries
    for task in range(len(tasks)):
        memory = model.remember(tokens[task, :1, :front])
        scores = model(tokens[task, :, front:], memory=memory)
        found.append(at(scores, place[task] - front)[:, labels[task]])
    return torch.stack(found)


def seconds_of(
    model: TinyGPT, shots: int = 32, tasks: int = 10, names=("soft 20", "lora", "full")
) -> dict[str, float]:
    """CPU seconds, on the same tasks in one go: of a query behind ``shots`` examples read anew or
    read once, of a query without examples and behind 20 vectors, and of tuning a task by each of
    the methods ``names``."""
    some, longer, each = tasks_of("kinds", shots, tasks), reads_more(model), {}

    def timed(name: str, run, of: int) -> None:
        run()  # once before the clock starts
        began = time.process_time()
        run()
        each[name] = (time.process_time() - began) / of

    queries = some.query_y.numel()
    with torch.no_grad():
        timed("read anew", lambda: InContext(longer)(some), queries)
        timed("read once", lambda: read_once(longer, some), queries)
        timed("no examples", lambda: InContext(model, 0)(some), queries)
    soft = made("soft 20", model, steps=1).trained_on(some)
    timed("behind 20 vectors", lambda: soft(some), queries)
    for name in names:
        began = time.process_time()
        made(name, model).trained_on(some)
        each[name] = (time.process_time() - began) / tasks
    return each


def measure_seconds(o) -> tuple[dict[str, Tensor], dict]:
    """`seconds_of` for every number of examples and every method of the table."""
    names = [name for name, method in METHODS.items() if not method.scratch]
    model = shipped_model()
    found = {str(k): seconds_of(model, k, o.tasks, names) for k in SHOTS}
    row = torch.tensor([found[str(k)]["read once"] for k in SHOTS])
    return {"read once": row}, {"seconds": found, "examples": list(SHOTS)}


RUN = Measurement(
    "prompt_seconds",
    "CPU seconds of a query and of tuning, with the examples read anew and read once",
    usual={"tasks": 3},
    measure=measure_seconds,
)
