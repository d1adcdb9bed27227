"""The comparison of chapter 12: prompting and tuning on the same held-out tasks, two kinds of
tasks, with what each costs.

`tuning_grid` tries rates, sizes and steps on tasks of groups 0 to 2, `tuning_scores` has everyone
on tasks of groups 3 to 5, and `tuning_seeds` the same for language models of other seeds. Scores
are counts of right answers, task by task, so that intervals and paired differences can be computed
from them.
"""

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from course_lib import DATA
from course_lib.chapters.ch12.forgetting import elsewhere, kept, of_group
from course_lib.episodes import Episode, TaskFamily
from course_lib.families.lists_by_heart import Practice, WordLists
from course_lib.families.prompt_worlds import Worlds
from course_lib.language_models.tiny_gpt import TinyGPT, shipped_model
from course_lib.learners import Learner
from course_lib.learners.in_context import InContext, InContextTuning
from course_lib.learners.tuning import Adapter, FineTune, LoRA, SoftPrompt
from course_lib.learners.tuning.tuned import SIDE_BY_SIDE, Trained, Tuned
from course_lib.networks import checkpoints
from course_lib.training.evaluation import Score, evaluate
from course_lib.training.outer_loop import Plan, meta_train
from course_lib.training.pretraining import PretrainingPlan, train_language_model
from course_lib.training.runs import Measurement

SHOTS = (4, 8, 16, 32)
TASKS, QUERIES, OTHERS = (
    40,
    20,
    25,
)  # tasks of each family, queries a task, prompts of other tasks after each task
OTHER_SHOTS = 8  # examples in those prompts
TEST_SEED, CHOICE_SEED = 11, 12
OTHER_SEEDS = (1, 2)  # of the language models whose table is the third file
CHOICE_GROUPS, TEST_GROUPS = (
    (0, 1, 2),
    (3, 4, 5),
)  # of kinds and labels: settings were chosen on the first
FAMILIES: dict[str, Callable[..., TaskFamily]] = {
    "kinds": lambda: Worlds(2, kinds_per_label=2),
    "lists": WordLists,
}


@dataclass(frozen=True)
class Method:
    """A tuning method of the table: its name in figures, how it is made, and the settings chosen on
    the tasks of the grid."""

    label: str
    make: Callable[..., Tuned]
    settings: dict
    scratch: bool = False  # from fresh random weights instead of the trained model


METHODS = {
    "soft 20": Method("soft prompt, 20 vectors", SoftPrompt, {"length": 20, "lr": 0.03,
    "steps": 100}),
    "soft 5": Method("soft prompt, 5 vectors", SoftPrompt, {"length": 5, "lr": 0.03, "steps": 100}),
    "lora": Method("LoRA, rank 4", LoRA, {"rank": 4, "lr": 0.003, "steps": 100}),
    "adapter": Method("adapter, size 8", Adapter, {"size": 8, "lr": 0.001, "steps": 100}),
    "full": Method("fine-tuning, label words", FineTune, {"head": "prompt", "lr": 3e-4,
    "steps": 50}),
    "new head": Method("fine-tuning, new head", FineTune, {"head": "new", "lr": 3e-4, "steps": 50}),
    "scratch": Method("fine-tuning from scratch", FineTune, {"head": "prompt", "lr": 3e-3,
    "steps": 50}, scratch=True),
}  # fmt: skip
SEEN = (0, 1, 2, 5, 10, 20, 50, 100)  # steps after which the grid looks
GRID = {  # method: (what gives its size, sizes, rates)
    "soft": (SoftPrompt, "length", (1, 5, 20), (0.01, 0.03, 0.1, 0.3)),
    "lora": (LoRA, "rank", (1, 4, 16), (0.001, 0.003, 0.01, 0.03)),
    "adapter": (Adapter, "size", (2, 8, 32), (0.001, 0.003, 0.01, 0.03)),
    "full": (FineTune, "head", ("prompt", "new"), (1e-4, 3e-4, 1e-3, 3e-3)),
}
GRID_TASKS, GRID_SHOTS = 20, {"kinds": 8, "lists": 16}
PRACTICE_STEPS = 300  # outer steps of in-context tuning
PRACTICE_PLAN = Plan(PRACTICE_STEPS, tasks=8, shots=16, queries=4, beta=1e-3, decay=True)


def tasks_of(
    family: str, shots: int, count: int = TASKS, groups=TEST_GROUPS, seed: int = TEST_SEED
) -> Episode:
    """Held-out tasks of one family, two labels each, whose kinds and labels come from
    ``groups``."""
    source = FAMILIES[family]()
    pool = source.sample(4 * count, shots=shots, queries=QUERIES, generator=source.generator(seed))
    return pool[torch.isin(of_group(pool), torch.tensor(groups)).nonzero()[:count, 0]]


def reads_more(model: TinyGPT, context: int = 160) -> TinyGPT:
    """The same weights with a longer context: 32 examples take 130 tokens, the model as it ships
    reads 128. It has no table of places."""
    other = TinyGPT(dataclasses.replace(model.size, context=context))
    other.load_state_dict(model.state_dict())
    return other.eval()


def made(name: str, model: TinyGPT, **other) -> Tuned:
    """A tuning method of the table on a model, or on fresh weights of the same size."""
    method = METHODS[name]
    return method.make(
        TinyGPT(model.size, seed=1) if method.scratch else model, **method.settings | other
    )


# --- scores ---------------------------------------------------------------------------------------


def tuned_scores(
    learner: Tuned, tasks: Episode, others: list[Episode]
) -> tuple[Score, Score, float]:
    """Accuracy on each task, accuracy elsewhere, and the CPU seconds that training took a task."""
    found, there, seconds = [], [], 0.0
    for first in range(0, len(tasks), SIDE_BY_SIDE):
        some = tasks[first : first + SIDE_BY_SIDE]
        began = time.process_time()
        trained = learner.trained_on(some)
        seconds += time.process_time() - began
        found.append(evaluate(trained, some).per_episode)
        models = [trained.model_of(task) for task in range(len(some))]
        there.append(kept(models, others[first : first + SIDE_BY_SIDE], OTHER_SHOTS).per_episode)
    return accuracies(found), accuracies(there), seconds / len(tasks)


def accuracies(found: list[Tensor]) -> Score:
    return Score(torch.cat(found), "accuracy", chance=0.5)


def timed(learner: Learner, tasks: Episode) -> tuple[Score, float]:
    """Accuracy on each task, and the CPU seconds that a query took."""
    began = time.process_time()
    score = evaluate(learner, tasks)
    return score, (time.process_time() - began) / tasks.query_y.numel()


def as_counts(score: Score, of: int = QUERIES) -> Tensor:
    """Right answers of each task, as the files keep them."""
    return (score.per_episode * of).round().to(torch.uint8)


def from_counts(counts: Tensor, of: int = QUERIES) -> Score:
    """Accuracy of each task, from right answers."""
    return Score(counts.double() / of, "accuracy", 0.5)


def line_up(
    model: TinyGPT, family: str, all_shots=SHOTS, names=tuple(METHODS), note=print
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Everyone on the same tasks: counts by "family/shots/who" and "family/shots/who/others", and
    seconds a task, or a query for a prompt."""
    found, seconds = {}, {}

    def keep(key: str, score: Score, took: float, there: Score) -> None:
        found[key], found[f"{key}/others"] = as_counts(score), as_counts(there, OTHERS)
        seconds[key] = float(f"{took:.4g}")
        note(f"{key}: {score}, {took:.3f} s, elsewhere {there.mean:.3f}", flush=True)

    for shots in all_shots:
        tasks = tasks_of(family, shots)
        others = elsewhere(tasks, shots=OTHER_SHOTS, others=OTHERS, seed=TEST_SEED)
        untuned = kept([model] * len(tasks), others, OTHER_SHOTS)
        keep(f"{family}/{shots}/zero-shot", *timed(InContext(model, 0), tasks), untuned)
        keep(f"{family}/{shots}/prompt", *timed(InContext(reads_more(model)), tasks), untuned)
        for name in names:
            score, there, took = tuned_scores(made(name, model), tasks, others)
            keep(f"{family}/{shots}/{name}", score, took, there)
    return found, seconds


@lru_cache
def stored(what: str = "scores") -> tuple[dict[str, Tensor], dict]:
    """The tensors of a shipped file, "scores", "seeds" or "grid", and what it says about them."""
    return checkpoints.read(DATA / f"tuning_{what}.safetensors")


def stored_score(key: str, what: str = "scores") -> Score:
    """Accuracy task by task, such as of "kinds/16/lora", or of "kinds/16/lora/others" for what is
    left of other tasks."""
    return from_counts(stored(what)[0][key], OTHERS if key.endswith("/others") else QUERIES)


def percent(key: str) -> str:
    """The same in percent with its interval, as tables print it."""
    score = stored_score(key)
    return f"{100 * score.mean:.1f} ± {100 * score.half_width:.1f}"


# --- in-context tuning ----------------------------------------------------------------------------


def practise(
    start: TinyGPT, family: TaskFamily, plan: Plan = PRACTICE_PLAN, progress: bool = True
) -> tuple[TinyGPT, float]:
    """In-context tuning: a copy of the model after practice on the tasks of a family, and the CPU
    seconds it took."""
    learner, began = InContextTuning(start), time.process_time()
    meta_train(learner, family, plan, progress=progress)
    return learner.model.eval(), time.process_time() - began


PRACTICE = {  # name: (model that it starts from, what it practises on)
    "early, kinds": ("tiny_gpt_early", lambda: Practice(2, 2)),
    "early, lists": ("tiny_gpt_early", lambda: WordLists(practice=True)),
    "final, lists": ("tiny_gpt", lambda: WordLists(practice=True)),
}


def practice_scores(note=print) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Few-shot prompting before and after in-context tuning, on held-out tasks:
    "practice/name/before or after/family/shots"."""
    found, seconds = {}, {}
    for name, (start, family) in PRACTICE.items():
        before = shipped_model(start)
        after, seconds[f"practice/{name}"] = practise(before, family(), progress=False)
        for when, model in (("before", before), ("after", after)):
            for kind in FAMILIES:
                for shots in SHOTS:
                    key = f"practice/{name}/{when}/{kind}/{shots}"
                    score = evaluate(InContext(reads_more(model)), tasks_of(kind, shots))
                    found[key] = as_counts(score)
                    note(f"{key}: {score}", flush=True)
        note(f"{name}: {seconds[f'practice/{name}']:.0f} s", flush=True)
    return found, seconds


# --- what is measured -----------------------------------------------------------------------------


def grid(model: TinyGPT, families=tuple(FAMILIES), note=print) -> dict[str, Tensor]:
    """Right answers by "family/method/size/rate" and "family/method/size/rate/others": (steps seen,
    tasks), on tasks that the table does not use."""
    found = {}
    for family in families:
        shots = GRID_SHOTS[family]
        tasks = tasks_of(family, shots, GRID_TASKS, CHOICE_GROUPS, CHOICE_SEED)
        others = elsewhere(tasks, shots=OTHER_SHOTS, others=OTHERS, seed=CHOICE_SEED)
        found[f"{family}/prompt"] = as_counts(evaluate(InContext(model), tasks))
        for name, size, lr in points():
            make, what, _, _ = GRID[name]
            learner, key = (
                make(model, steps=max(SEEN), lr=lr, **{what: size}),
                f"{family}/{name}/{size}/{lr}",
            )
            walk = learner.walk(tasks.support_x, tasks.support_y, tasks.names["labels"])
            looks = [[], []]  # the scores here, and elsewhere, at the steps seen
            for step, (now, _) in enumerate(walk):
                if step in SEEN:
                    trained = Trained(learner, now)
                    models = [trained.model_of(task) for task in range(len(tasks))]
                    looks[0].append(evaluate(trained, tasks))
                    looks[1].append(kept(models, others, OTHER_SHOTS))
            found[key] = torch.stack([as_counts(score) for score in looks[0]])
            found[f"{key}/others"] = torch.stack([as_counts(score, OTHERS) for score in looks[1]])
            pairs = zip(*looks, strict=True)
            note(key, *(f"{here.mean:.3f}/{there.mean:.2f}" for here, there in pairs), flush=True)
    return found


def points() -> list[tuple[str, int | str, float]]:
    """Every (method, size, rate) of the grid."""
    return [
        (name, size, lr)
        for name, (_, _, sizes, rates) in GRID.items()
        for size in sizes
        for lr in rates
    ]


def told(**more) -> dict:
    """What the files say about their numbers."""
    settings = {name: method.settings for name, method in METHODS.items()}
    same = {"queries": QUERIES, "others": OTHERS, "other_shots": OTHER_SHOTS, "settings": settings}
    return same | {"test_seed": TEST_SEED, "choice_seed": CHOICE_SEED} | more


def measure_grid(o) -> tuple[dict[str, Tensor], dict]:
    """Every setting, on tasks that the table does not use."""
    return grid(shipped_model()), told(seen=SEEN, tasks=GRID_TASKS, shots=GRID_SHOTS)


def measure_scores(o) -> tuple[dict[str, Tensor], dict]:
    """Everyone on the same tasks, and in-context tuning before and after its practice."""
    found, seconds = practice_scores()
    trainable = {name: made(name, shipped_model()).trainable() for name in METHODS}
    for family in FAMILIES:
        counts, took = line_up(shipped_model(), family)
        found |= counts
        seconds |= took
    practice = dataclasses.asdict(PRACTICE_PLAN)
    return found, told(seconds=seconds, trainable=trainable, practice=practice)


def measure_seeds(o) -> tuple[dict[str, Tensor], dict]:
    """The table on language models that were trained here from other seeds: about 5 minutes each,
    and the table itself."""
    found, names = {}, [name for name in METHODS if name != "soft 5"]
    for seed in OTHER_SEEDS:
        model = train_language_model(PretrainingPlan(seed=seed))[0]
        counts, _ = line_up(model, "kinds", (16, 32), names)
        found |= {f"seed {seed}/{key}": each for key, each in counts.items()}
    return found, told(seeds=list(OTHER_SEEDS))


RUNS = [
    Measurement(
        "tuning_grid",
        "tuning with every size and rate, on tasks of other groups",
        measure=measure_grid,
    ),
    Measurement(
        "tuning_scores",
        "tuning, prompting and in-context tuning on the same tasks",
        measure=measure_scores,
    ),
    Measurement(
        "tuning_seeds", "the same for language models of two other seeds", measure=measure_seeds
    ),
]
