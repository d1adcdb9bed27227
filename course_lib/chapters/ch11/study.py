"""The comparison of chapter 11: prompting and tuning on the same held-out tasks, two kinds of tasks, with what each costs.

    python -m course_lib.chapters.ch11.study grid        rates, sizes and steps on tasks of groups 0 to 2: data/tuning_grid.safetensors
    python -m course_lib.chapters.ch11.study scores      everyone on tasks of groups 3 to 5: data/tuning_scores.safetensors
    python -m course_lib.chapters.ch11.study seeds runs/one.safetensors runs/two.safetensors
                                                    the same on language models of other seeds: data/tuning_seeds.safetensors

Scores are counts of right answers, task by task, so that intervals and paired differences can be computed from them.
"""

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor
from torch.func import vmap

from course_lib.chapters.ch10.prompts import as_prompts, choose
from course_lib.chapters.ch11.forgetting import chosen, elsewhere, of_group
from course_lib.episodes import Episode, TaskFamily
from course_lib.families.lists_by_heart import Practice, WordLists
from course_lib.families.prompt_worlds import Worlds
from course_lib.language_models.tiny_gpt import TinyGPT
from course_lib.learners.tuned import SIDE_BY_SIDE, Tuned
from course_lib.learners.tuned_parts import questions
from course_lib.learners.tuning import Adapter, FineTune, InContextTuning, LoRA, SoftPrompt
from course_lib.training import checkpoints, shipped
from course_lib.training.evaluation import Score
from course_lib.training.outer_loop import Plan, meta_train
from course_lib.training.pretraining import shipped_model

SHOTS = (4, 8, 16, 32)
TASKS, QUERIES, OTHERS = (
    40,
    20,
    25,
)  # tasks of each family, queries a task, prompts of other tasks after each task
OTHER_SHOTS = 8  # examples in those prompts
TEST_SEED, CHOICE_SEED = 11, 12
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
    """A tuning method of the table: its name in figures, how it is made, and the settings chosen on the tasks of the grid."""

    label: str
    make: Callable[..., Tuned]
    settings: dict
    scratch: bool = False  # from fresh random weights instead of the trained model


METHODS = {
    "soft 20": Method("soft prompt, 20 vectors", SoftPrompt, {"length": 20, "lr": 0.03, "steps": 100}),
    "soft 5": Method("soft prompt, 5 vectors", SoftPrompt, {"length": 5, "lr": 0.03, "steps": 100}),
    "lora": Method("LoRA, rank 4", LoRA, {"rank": 4, "lr": 0.003, "steps": 100}),
    "adapter": Method("adapter, size 8", Adapter, {"size": 8, "lr": 0.001, "steps": 100}),
    "full": Method("fine-tuning, label words", FineTune, {"head": "prompt", "lr": 3e-4, "steps": 50}),
    "new head": Method("fine-tuning, new head", FineTune, {"head": "new", "lr": 3e-4, "steps": 50}),
    "scratch": Method("fine-tuning from scratch", FineTune, {"head": "prompt", "lr": 3e-3, "steps": 50}, scratch=True),
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
    """Held-out tasks of one family, two labels each, whose kinds and labels come from ``groups``."""
    source = FAMILIES[family]()
    pool = source.sample(4 * count, shots=shots, queries=QUERIES, generator=source.generator(seed))
    return chosen(pool, torch.isin(of_group(pool), torch.tensor(groups)).nonzero()[:count, 0])


def reads_more(model: TinyGPT, context: int = 160) -> TinyGPT:
    """The same weights with a longer context: 32 examples take 130 tokens, the model as it ships reads 128. It has no table of places."""
    other = TinyGPT(dataclasses.replace(model.size, context=context))
    other.load_state_dict(model.state_dict())
    return other.eval()


def made(name: str, model: TinyGPT, **other) -> Tuned:
    """A tuning method of the table on a model, or on fresh weights of the same size."""
    method = METHODS[name]
    return method.make(
        TinyGPT(model.size, seed=1) if method.scratch else model, **method.settings | other
    )


# --- scores -----------------------------------------------------------------------------------------------------------------------


def right(learner: Tuned, trained: dict[str, Tensor], tasks: Episode) -> Tensor:
    """How many queries of each task are answered right with what it trained: (T,)."""
    with torch.no_grad():
        logits = vmap(learner.logits)(trained, *questions(tasks.query_x), tasks.hidden["labels"])
    return (logits.argmax(-1) == tasks.query_y).sum(1)


def right_elsewhere(learner: Tuned, trained: dict[str, Tensor], others: list[Episode]) -> Tensor:
    """How many prompts of other tasks are answered right while what a task trained is in place: (T,)."""
    tokens = torch.stack([as_prompts(other, OTHER_SHOTS)[:, 0] for other in others])
    labels = torch.stack([other.hidden["labels"] for other in others])
    with torch.no_grad():
        scores = torch.stack(
            [
                learner.scores({name: part[i] for name, part in trained.items()}, row)[:, -1]
                for i, row in enumerate(tokens)
            ]
        )
    return (
        scores.gather(2, labels).argmax(-1)
        == torch.stack([other.query_y[:, 0] for other in others])
    ).sum(1)


def tuned_scores(
    learner: Tuned, tasks: Episode, others: list[Episode]
) -> tuple[Tensor, Tensor, float]:
    """Right answers of each task, right answers elsewhere, and the CPU seconds that training took a task."""
    found, there, seconds = [], [], 0.0
    for first in range(0, len(tasks), SIDE_BY_SIDE):
        some = chosen(tasks, torch.arange(first, min(first + SIDE_BY_SIDE, len(tasks))))
        began = time.process_time()
        trained = learner.adapt(some.support_x, some.support_y, some.hidden["labels"])
        seconds += time.process_time() - began
        found.append(right(learner, trained, some))
        there.append(right_elsewhere(learner, trained, others[first : first + SIDE_BY_SIDE]))
    return torch.cat(found), torch.cat(there), seconds / len(tasks)


def prompted(model: TinyGPT, tasks: Episode, shots: int) -> tuple[Tensor, float]:
    """Right answers of each task from prompts with the first ``shots`` examples, and the CPU seconds a query took."""
    began = time.process_time()
    answers = choose(model, tasks, shots).argmax(-1)
    return (answers == tasks.query_y).sum(1), (time.process_time() - began) / tasks.query_y.numel()


def line_up(
    model: TinyGPT, family: str, all_shots=SHOTS, names=tuple(METHODS), note=print
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Everyone on the same tasks: counts by "family/shots/who" and "family/shots/who/others", and seconds a task, or a query for a prompt."""
    found, seconds = {}, {}

    def keep(key: str, counts: Tensor, took: float, there: Tensor | None = None) -> None:
        found[key], seconds[key] = counts.to(torch.uint8), float(f"{took:.4g}")
        if there is not None:
            found[f"{key}/others"] = there.to(torch.uint8)
        note(
            f"{key}: {score(found[key])}, {took:.3f} s"
            + ("" if there is None else f", elsewhere {there.float().mean() / OTHERS:.3f}"),
            flush=True,
        )

    for shots in all_shots:
        tasks = tasks_of(family, shots)
        others = elsewhere(tasks, shots=OTHER_SHOTS, others=OTHERS, seed=TEST_SEED)
        untuned = torch.stack(
            [
                (choose(model, other, OTHER_SHOTS).argmax(-1) == other.query_y).sum()
                for other in others
            ]
        )
        keep(f"{family}/{shots}/zero-shot", *prompted(model, tasks, 0), untuned)
        keep(f"{family}/{shots}/prompt", *prompted(reads_more(model), tasks, shots), untuned)
        for name in names:
            counts, there, took = tuned_scores(made(name, model), tasks, others)
            keep(f"{family}/{shots}/{name}", counts, took, there)
    return found, seconds


def score(counts: Tensor, of: int = QUERIES) -> Score:
    """Counts of right answers as accuracies."""
    return Score(counts.double() / of, "accuracy", 0.5)


@lru_cache
def stored(what: str = "scores") -> tuple[dict[str, Tensor], dict]:
    """The tensors of a shipped file, "scores", "seeds" or "grid", and what it says about them."""
    return checkpoints.read(shipped.DATA / f"tuning_{what}.safetensors")


def stored_score(key: str, what: str = "scores") -> Score:
    """Accuracy task by task, such as of "kinds/16/lora", or of "kinds/16/lora/others" for what is left of other tasks."""
    return score(stored(what)[0][key], OTHERS if key.endswith("/others") else QUERIES)


# --- in-context tuning -----------------------------------------------------------------------------------------------------------------


def practise(
    start: TinyGPT, family: TaskFamily, plan: Plan = PRACTICE_PLAN, progress: bool = True
) -> tuple[TinyGPT, float]:
    """In-context tuning: a copy of the model after practice on the tasks of a family, and the CPU seconds it took."""
    learner, began = InContextTuning(start), time.process_time()
    meta_train(learner, family, plan, progress=progress)
    return learner.model.eval(), time.process_time() - began


PRACTICE = {  # name: (model that it starts from, what it practises on)
    "early, kinds": ("tiny_gpt_early", lambda: Practice(2, 2)),
    "early, lists": ("tiny_gpt_early", lambda: WordLists(practice=True)),
    "final, lists": ("tiny_gpt", lambda: WordLists(practice=True)),
}


def practice_scores(note=print) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Few-shot prompting before and after in-context tuning, on held-out tasks: "practice/name/before or after/family/shots"."""
    found, seconds = {}, {}
    for name, (start, family) in PRACTICE.items():
        before = shipped_model(start)
        after, seconds[f"practice/{name}"] = practise(before, family(), progress=False)
        for when, model in (("before", before), ("after", after)):
            for kind in FAMILIES:
                for shots in SHOTS:
                    key = f"practice/{name}/{when}/{kind}/{shots}"
                    found[key] = prompted(reads_more(model), tasks_of(kind, shots), shots)[0].to(
                        torch.uint8
                    )
                    note(f"{key}: {score(found[key])}", flush=True)
        note(f"{name}: {seconds[f'practice/{name}']:.0f} s", flush=True)
    return found, seconds


# --- the commands ---------------------------------------------------------------------------------------------------------------------


def grid(model: TinyGPT, families=tuple(FAMILIES), note=print) -> dict[str, Tensor]:
    """Right answers by "family/method/size/rate" and "family/method/size/rate/others": (steps seen, tasks), on tasks that the table does not use."""
    found = {}
    for family in families:
        shots = GRID_SHOTS[family]
        tasks = tasks_of(family, shots, GRID_TASKS, CHOICE_GROUPS, CHOICE_SEED)
        others = elsewhere(tasks, shots=OTHER_SHOTS, others=OTHERS, seed=CHOICE_SEED)
        found[f"{family}/prompt"] = prompted(model, tasks, shots)[0].to(torch.uint8)
        for name, size, lr in points():
            make, what, _, _ = GRID[name]
            learner, key = (
                make(model, steps=max(SEEN), lr=lr, **{what: size}),
                f"{family}/{name}/{size}/{lr}",
            )
            walk = learner.walk(tasks.support_x, tasks.support_y, tasks.hidden["labels"])
            looks = [
                (right(learner, now, tasks), right_elsewhere(learner, now, others))
                for step, (now, _) in enumerate(walk)
                if step in SEEN
            ]
            found[key], found[f"{key}/others"] = (
                torch.stack(column).to(torch.uint8) for column in zip(*looks)
            )
            note(
                key,
                *(
                    f"{a.float().mean() / QUERIES:.3f}/{b.float().mean() / OTHERS:.2f}"
                    for a, b in looks
                ),
                flush=True,
            )
    return found


def points() -> list[tuple[str, int | str, float]]:
    """Every (method, size, rate) of the grid."""
    return [
        (name, size, lr)
        for name, (_, _, sizes, rates) in GRID.items()
        for size in sizes
        for lr in rates
    ]


def about(what: str, **more) -> dict:
    """What the files say about their numbers."""
    settings = {name: method.settings for name, method in METHODS.items()}
    return {"command": f"python -m course_lib.chapters.ch11.study {what}", "queries": QUERIES, "others": OTHERS, "other_shots": OTHER_SHOTS,
            "test_seed": TEST_SEED, "choice_seed": CHOICE_SEED, "settings": settings, **more}  # fmt: skip


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m course_lib.chapters.ch11.study", description=__doc__.splitlines()[0]
    )
    parser.add_argument("what", choices=["grid", "scores", "seeds"])
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        help="seeds: language models made by: python -m course_lib train --data worlds --seed 1",
    )
    options = parser.parse_args(words)
    torch.set_num_threads(1)
    place = shipped.DATA / f"tuning_{options.what}.safetensors"
    if options.what == "grid":
        checkpoints.write(
            place,
            grid(shipped_model()),
            about("grid", seen=SEEN, tasks=GRID_TASKS, shots=GRID_SHOTS),
        )
    elif options.what == "scores":
        found, seconds = practice_scores()
        trainable = {name: made(name, shipped_model()).trainable() for name in METHODS}
        for family in FAMILIES:
            for more, into in zip(line_up(shipped_model(), family), (found, seconds)):
                into |= more
        checkpoints.write(
            place,
            found,
            about(
                "scores",
                seconds=seconds,
                trainable=trainable,
                practice=dataclasses.asdict(PRACTICE_PLAN),
            ),
        )
    else:
        found, seeds = {}, []
        for file in options.files:
            seeds.append(checkpoints.read(file)[1]["settings"]["seed"])
            counts, _ = line_up(
                shipped_model(file.stem, file.parent),
                "kinds",
                (16, 32),
                [name for name in METHODS if name != "soft 5"],
            )
            found |= {f"seed {seeds[-1]}/{key}": each for key, each in counts.items()}
        checkpoints.write(place, found, about("seeds", seeds=seeds))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
