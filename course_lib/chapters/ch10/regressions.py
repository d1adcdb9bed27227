"""The transformer of chapter 10 that learns regressions from its input, and what it is measured against.

    python -m course_lib.chapters.ch10.regressions            trains it and writes data/regressions_in_context.safetensors
    python -m course_lib.chapters.ch10.regressions --seed 1   trains it from another seed and only prints its scores

``python -m course_lib train --data regressions`` trains it too, with other settings where they are given, and writes it to ``runs``.
"""

import argparse
import sys

import torch
from torch import Tensor

from course_lib.episodes import Episode
from course_lib.families import LinearRegressions
from course_lib.learners import InContextRegression, Learner, LeastSquares, Ridge
from course_lib.training import shipped
from course_lib.training.evaluation import Score, parts, squared_error, test_episodes
from course_lib.training.outer_loop import Plan, meta_train, run_settings

NAME = "regressions_in_context"
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


def prepare(seed: int = 0, device="cpu") -> tuple[InContextRegression, LinearRegressions, Plan]:
    """The transformer before its training, its family and its plan."""
    plan = Plan(
        outer_steps=3200, tasks=64, shots=SHOTS, queries=1, beta=3e-3, seed=seed, decay=True
    )
    return InContextRegression(seed=seed).to(device), LinearRegressions(device=device), plan


def trained(seed: int = 0) -> tuple[InContextRegression, str]:
    """The transformer after its training, and a sentence that says whether it was loaded or trained."""
    learner, family, plan = prepare(seed)
    return learner, shipped.load_or_train(NAME, learner, family, plan)


def yardsticks(family: LinearRegressions) -> dict[str, Learner]:
    """Who answers without having been trained; ridge knows the noise of ``family`` and the spread of its weights."""
    return {"ridge": Ridge(family.best_penalty), "least squares": LeastSquares()}


def episodes(family: LinearRegressions, count: int = EPISODES, seed: int = TEST_SEED) -> Episode:
    """Tasks with 16 examples, the same for everyone: whoever gets fewer gets the first of them."""
    return test_episodes(family, count, shots=SHOTS, queries=QUERIES, seed=seed)


def answers_after(learner: Learner, tasks: Episode, examples: int) -> Tensor:
    """Answers to the queries from the first ``examples`` of each support set: (T, Q, 1). 0 examples are allowed.

    Raises:
        ValueError: there are not so many examples.
    """
    if not 0 <= examples <= tasks.support_x.shape[1]:
        raise ValueError(
            f"examples={examples}: choose from 0 to the {tasks.support_x.shape[1]} that these episodes hold"
        )
    return torch.vmap(learner.predict)(
        tasks.support_x[:, :examples], tasks.support_y[:, :examples], tasks.query_x
    )


def error_after(learner: Learner, tasks: Episode, examples: int, batch: int = 250) -> Score:
    """Mean squared error of each episode after ``examples`` examples; ``.per_episode.median()`` where the mean does not settle."""
    with torch.no_grad():
        return Score(
            torch.cat(
                [
                    squared_error(answers_after(learner, part, examples), part.query_y)
                    for part in parts(tasks, batch)
                ]
            )
        )


def print_scores(
    learner: InContextRegression, count: int, seed: int = TEST_SEED
) -> dict[str, list]:
    """Print the error of the learner and of the yardsticks, here and elsewhere; return the learner's here."""
    here = {}
    for where, other in ELSEWHERE.items():
        family = LinearRegressions(**other, device=learner.slopes.device)
        tasks = episodes(family, count, seed)
        print(f"{where}, {count} episodes: MSE ± 95 % interval (median)")
        for name, who in {"in context": learner, **yardsticks(family)}.items():
            scores = {k: error_after(who, tasks, k) for k in COUNTS}
            cells = [
                f"{k}: {s.mean:.4g} ± {s.half_width:.2g} ({s.per_episode.median().item():.3g})"
                for k, s in scores.items()
            ]
            print(f"  {name:14s}" + "   ".join(cells), flush=True)
            if not other and who is learner:
                here = {str(k): [s.mean, s.half_width] for k, s in scores.items()}
    return here


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m course_lib.chapters.ch10.regressions", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of weights and tasks; the one that ships is 0"
    )
    seed = parser.parse_args(words).seed
    torch.set_num_threads(1)
    learner, family, plan = prepare(seed)
    settings = run_settings(learner, family, plan)
    run = meta_train(learner, family, plan)
    print(f"seed {seed}: trained for {run.seconds:.0f} s")
    scores = print_scores(learner, EPISODES)
    if seed == 0:
        call = "python -m course_lib.chapters.ch10.regressions"
        shipped.ship(
            shipped.DATA / f"{NAME}.safetensors",
            learner,
            settings,
            run,
            command=call,
            test_mse=scores,
            test_episodes=EPISODES,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
