"""With how many ways and shots should one train? The experiment of docs/questions.md.

    python -m tools.ways_and_shots          about ten minutes on one quiet core

Four prototypical networks of each seed, each with other ways and shots in its training tasks. An
outer step holds 240 drawings for all of them, and there are 300. They are tested on the same
episodes of scripts that none of them has met. The result is written to docs/measured.json.
"""

import json
from itertools import product

import torch

from course_lib import (
    ROOT,
    Plan,
    Prototypical,
    Score,
    Strokes,
    conv4,
    evaluate,
    meta_train,
    paired,
    test_episodes,
)

FILE = ROOT / "docs" / "measured.json"
SEEDS, OUTER_STEPS, DRAWINGS = (0, 1, 2), 300, 240
TRAINED = {  # (ways, shots) -> (tasks, queries): ways * (shots + queries) * tasks is DRAWINGS
    (5, 1): (8, 5), (5, 5): (4, 7), (20, 1): (2, 5), (20, 5): (1, 7),
}  # fmt: skip
TESTED = ((5, 1), (5, 5), (20, 1))
LESS = "minus 5-way 1-shot"


def words(ways_and_shots: tuple[int, int]) -> str:
    """(5, 1) -> "5-way 1-shot"."""
    return "{}-way {}-shot".format(*ways_and_shots)


def train(kind: tuple[int, int], seed: int, outer_steps: int = OUTER_STEPS):
    """One network trained with (ways, shots), and its outer losses."""
    (ways, shots), (tasks, queries) = kind, TRAINED[kind]
    plan = Plan(outer_steps, tasks, shots, queries, beta=2e-3, seed=seed, decay=True)
    learner = Prototypical(conv4(32, seed=seed))
    run = meta_train(learner, Strokes(ways=ways), plan, progress=False)
    return learner, run.losses


def numbers(score: Score) -> list[float]:
    """Mean and half of the 95 % interval."""
    return [round(score.mean, 4), round(score.half_width, 4)]


def measure() -> dict:
    """All scores, each a pair of mean and half-width, and the differences to training with the
    ways and shots of the test: a list of one a seed, and the mean of the seeds."""
    tests = {
        kind: test_episodes(Strokes(kind[0], seed=1), 400, shots=kind[1], queries=3, seed=2)
        for kind in TESTED
    }
    scores, first = {}, {}
    for kind, seed in product(TRAINED, SEEDS):
        learner, losses = train(kind, seed)
        if seed == 0:
            first[words(kind)] = [round(loss, 4) for loss in losses[:2]]
        for test, episode in tests.items():
            scores[kind, test, seed] = evaluate(learner, episode, batch=20)
        print(words(kind), "seed", seed, *(scores[kind, t, seed] for t in TESTED), flush=True)

    def over_seeds(kind, test):
        every = [scores[kind, test, seed].per_episode for seed in SEEDS]
        return Score(torch.stack(every).mean(0), "accuracy")

    return {
        "outer_steps": OUTER_STEPS,
        "drawings": DRAWINGS,
        "accuracy": {
            words(kind): {
                words(test): {
                    "seeds": [numbers(scores[kind, test, seed]) for seed in SEEDS],
                    "mean": numbers(over_seeds(kind, test)),
                }
                for test in TESTED
            }
            for kind in TRAINED
        },
        LESS: {
            words(kind): {
                words(test): {
                    "seeds": [
                        numbers(paired(scores[kind, test, s], scores[(5, 1), test, s]))
                        for s in SEEDS
                    ],
                    "mean": numbers(paired(over_seeds(kind, test), over_seeds((5, 1), test))),
                }
                for test in TESTED
            }
            for kind in TRAINED
            if kind != (5, 1)
        },
        "first_losses": first,
    }


def table(measured: dict) -> str:
    """The table of docs/questions.md, in percent."""
    rows = ["| trained with | " + " | ".join(f"tested {words(test)}" for test in TESTED) + " |"]
    rows.append("|---" * (1 + len(TESTED)) + "|")
    for kind in map(words, TRAINED):
        cells = []
        for test in map(words, TESTED):
            mean, half = measured["accuracy"][kind][test]["mean"]
            cell = f"{100 * mean:.1f} ± {100 * half:.1f}"
            if kind in measured[LESS]:
                gain = measured[LESS][kind][test]
                (mean, half), seeds = gain["mean"], [100 * m for m, _ in gain["seeds"]]
                cell += f"<br>{100 * mean:+.1f} ± {100 * half:.1f}"
                cell += " (" + ", ".join(f"{m:+.1f}" for m in seeds) + ")"
            cells.append(cell)
        rows.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


if __name__ == "__main__":
    torch.set_num_threads(1)  # repeats to the last digit on one kind of machine
    known = json.loads(FILE.read_text(encoding="utf-8"))
    known["ways_and_shots"] = measure()
    FILE.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    print(table(known["ways_and_shots"]))
