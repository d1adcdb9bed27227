"""The transformer of chapter 11 that learns regressions from its input, and what it is measured
against."""

from functools import lru_cache

import torch
from torch import Tensor

from course_lib.episodes import Episode
from course_lib.families import LinearRegressions
from course_lib.learners import InContextRegression, Learner, LeastSquares, Ridge
from course_lib.training.evaluation import Score, evaluate, test_episodes
from course_lib.training.outer_loop import Plan
from course_lib.training.runs import Run, load_or_train, plan_of

SHOTS = 16  # of training: its sequences hold every number of examples from 0 to 16
QUERIES = 10  # of the episodes that everyone is scored on
EPISODES = 2000
TEST_SEED = 12345
COUNTS = (0, 1, 2, 4, 8, 16)  # of examples, at which errors are printed
ELSEWHERE = {
    "as in training": {},
    "x twice as large": {"scale": 2.0},
    "x three times as large": {"scale": 3.0},
    "no noise": {"noise": 0.0},
}


def prepare(o) -> tuple[InContextRegression, LinearRegressions, Plan]:
    """The transformer before its training, its family and its plan."""
    learner = InContextRegression(seed=o.seed).to(o.device)
    return learner, LinearRegressions(device=o.device), plan_of(o)


def yardsticks(family: LinearRegressions) -> dict[str, Learner]:
    """Who answers without having been trained; ridge knows the noise of ``family`` and the spread
    of its weights."""
    return {"ridge": Ridge(family.best_penalty), "least squares": LeastSquares()}


def episodes(family: LinearRegressions, count: int = EPISODES, seed: int = TEST_SEED) -> Episode:
    """Tasks with 16 examples, the same for everyone: whoever gets fewer gets the first of them."""
    return test_episodes(family, count, shots=SHOTS, queries=QUERIES, seed=seed)


class FirstExamples(Learner):
    """A learner that is shown the first ``examples`` of each support set only; 0 are allowed.

    Raises:
        ValueError: there are not so many examples.
    """

    def __init__(self, learner: Learner, examples: int):
        super().__init__()
        self.learner, self.examples = learner, examples

    def forward(self, episode: Episode) -> Tensor:
        x, y, k = episode.support_x, episode.support_y, self.examples
        if not 0 <= k <= x.shape[1]:
            raise ValueError(
                f"examples={k}: choose from 0 to the {x.shape[1]} that these episodes hold"
            )
        return torch.vmap(self.learner.predict)(x[:, :k], y[:, :k], episode.query_x)


def error_after(learner: Learner, tasks: Episode, examples: int) -> Score:
    """Mean squared error of each episode after ``examples`` examples; ``.per_episode.median()``
    where the mean does not settle."""
    return evaluate(FirstExamples(learner, examples), tasks, batch=250)


class Descent(Learner):
    """Plain gradient descent on the mean of the squares, from w = 0.

    Args:
        steps: how many.   eta: the size of a step.
    """

    def __init__(self, steps: int, eta: float):
        super().__init__()
        self.steps, self.eta = steps, eta

    def forward(self, episode: Episode) -> Tensor:
        return self.predict(episode.support_x, episode.support_y, episode.query_x)

    def predict(self, support_x: Tensor, support_y: Tensor, query_x: Tensor) -> Tensor:
        """One task or, with a leading T everywhere, many: see `Learner.predict`."""
        w = support_x.new_zeros(*support_x.shape[:-2], support_x.shape[-1], 1)
        for _ in range(self.steps):
            errors = support_x @ w - support_y
            w = w - self.eta * support_x.mT @ errors / max(1, support_x.shape[-2])
        return query_x @ w


ETAS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
CHOICE_SEED, CHOICE = 54321, 500  # of the other tasks on which the size of a step is chosen


@lru_cache
def best_descent(steps: int, examples: int) -> Descent:
    """So many steps, of the size that is best with so many examples on other tasks."""
    others = episodes(LinearRegressions(), CHOICE, CHOICE_SEED)
    error = {eta: error_after(Descent(steps, eta), others, examples).mean for eta in ETAS}
    return Descent(steps, min(error, key=error.get))


def report(learner: InContextRegression, o) -> dict[str, Score]:
    """The error of the learner and of the yardsticks, here and elsewhere, in a table."""
    found = {}
    for where, other in ELSEWHERE.items():
        family = LinearRegressions(**other, device=learner.slopes.device)
        tasks = episodes(family, o.episodes, o.test_seed)
        print(f"{where}, {o.episodes} episodes: MSE ± 95 % interval (median)")
        for name, who in {"in context": learner, **yardsticks(family)}.items():
            scores = {k: error_after(who, tasks, k) for k in COUNTS}
            found |= {f"{where}, {name}, {k} examples": score for k, score in scores.items()}
            cells = [
                f"{k}: {s.mean:.4g} ± {s.half_width:.2g} ({s.per_episode.median().item():.3g})"
                for k, s in scores.items()
            ]
            print(f"  {name:14s}" + "   ".join(cells), flush=True)
    return found


RUN = Run(
    "regressions_in_context", "a transformer that reads linear regressions in its input",
    dict(
        outer_steps=3200, tasks=64, shots=SHOTS, queries=1, beta=3e-3, decay=True,
        episodes=EPISODES, test_seed=TEST_SEED,
    ),
    prepare, report,
)  # fmt: skip


def trained(seed: int = 0) -> InContextRegression:
    """The transformer after its training. Prints whether it was loaded or trained."""
    return load_or_train(RUN, seed)
