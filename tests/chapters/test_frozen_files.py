"""What chapters 08 and 11 say about the scores that ship: sentence, what is read, and its bounds.

A row reads the files look_scores, look_more, tuning_scores, tuning_seeds and tuning_grid. An
accuracy is `m("key")`, a paired difference of two is `gap("one", "other")`, and what is left of it
after its interval is `surely("one", "other")`: above 0, the one is clearly ahead.
"""

import pytest
import torch

from course_lib.chapters import named_run
from course_lib.chapters.ch08.study import LINE_UP
from course_lib.chapters.ch12.explorers import path
from course_lib.chapters.ch12.line_up import FAMILIES, GRID, METHODS, SHOTS, points
from course_lib.training.evaluation import Score, paired

TUNED = [name for name, method in METHODS.items() if not method.scratch]
KEPT = ("soft 20", "lora", "adapter", "full")
FILES = {
    name: named_run(name).tensors()
    for name in ("look_scores", "look_more", "tuning_scores", "tuning_seeds")
}


def score(key: str) -> Score:
    """Accuracies by key, from the file that has it; "/others" is of 25 prompts, a task of 20."""
    tensors = next(tensors for tensors in FILES.values() if key in tensors)
    looks = tensors in (FILES["look_scores"], FILES["look_more"])
    return Score(tensors[key].double() / (25 if looks or key.endswith("/others") else 20))


def m(key: str) -> float:
    return score(key).mean


def gap(one: str, other: str) -> float:
    return paired(score(one), score(other)).mean


def surely(one: str, other: str) -> float:
    difference = paired(score(one), score(other))
    return difference.mean - difference.half_width


def spread(values) -> float:
    values = list(values)
    return max(values) - min(values)


def rising(values) -> bool:
    values = list(values)
    return values == sorted(values)


def best(names, domain="held out") -> str:
    return max(names, key=lambda name: m(f"{domain}/{name}"))


def place(name: str, domain: str) -> int:
    """1 for the learner with the highest accuracy."""
    return 1 + sum(m(f"{domain}/{other}") > m(f"{domain}/{name}") for other in LINE_UP)


def level_on_three_models(one: str, other: str) -> float:
    """The larger end of the interval of the mean difference over three language models."""
    gaps = [
        paired(score(f"{model}{one}"), score(f"{model}{other}")).per_episode
        for model in ("", "seed 1/", "seed 2/")
    ]
    mean = Score(torch.stack(gaps).mean(0))
    return abs(mean.mean) + mean.half_width


def loses_most(model: str = "") -> str:
    return min(KEPT, key=lambda who: m(f"{model}kinds/32/{who}/others"))


def elsewhere(name: str, size, rate: float, step: int = 100) -> float:
    """Accuracy on other tasks after so many steps, from the grid."""
    run = named_run("tuning_grid")
    at = run.about()["seen"].index(step)
    return run.tensors()[f"kinds/{name}/{size}/{rate}/others"][at].double().mean().item() / 25


def before(practice: str, family: str, shots: int = 32) -> str:
    return f"practice/{practice}/before/{family}/{shots}"


def after(practice: str, family: str, shots: int = 32) -> str:
    return f"practice/{practice}/after/{family}/{shots}"


METRIC, TRANSFER = ("prototypical", "matching", "relation", "siamese"), ("baseline", "baseline++")
ROWS = {
    # --- chapter 08 ---
    "the best of those who practised is a metric learner and clearly ahead of plain transfer": [
        (lambda: best(LINE_UP) in METRIC, True, True),
        (lambda: surely(f"held out/{best(LINE_UP)}", f"held out/{best(TRANSFER)}"), 0, 1),
    ],
    "the two baselines come in the other order than in the paper": [
        (lambda: surely("held out/baseline", "held out/baseline++"), 0, 1)
    ],
    "the marker costs every learner accuracy": [
        (lambda: min(m(f"held out/{n}") - m(f"shifted/{n}") for n in LINE_UP), 0.02, 1)
    ],
    "the marker costs MAML least": [
        (
            lambda: min(LINE_UP, key=lambda n: m(f"held out/{n}") - m(f"shifted/{n}")),
            "maml, support",
            None,
        )
    ],
    "real characters are no harder than the invented ones": [
        (lambda: min(m(f"omniglot/{n}") - m(f"held out/{n}") for n in LINE_UP), -0.02, 1)
    ],
    "MAML moves from seventh to fourth": [
        (lambda: place("maml, support", "held out"), 7, 7),
        (lambda: place("maml, support", "omniglot"), 4, 4),
    ],
    "the more queries come together the better": [
        (lambda: rising(m(f"query/{size}") for size in (1, 2, 3, 5, 10, 25)), True, True)
    ],
    "with running averages MAML is below chance, for NaN is no answer": [
        (lambda: m("running/25"), 0.1, 0.18),
        (lambda: m("query/25"), 0.8, 1),
    ],
    # --- chapter 12: accuracy ---
    "without examples and without a rule nobody can know a made-up label": [
        (lambda: max(abs(m(f"kinds/{k}/zero-shot") - 0.5) for k in SHOTS), 0, 0.1)
    ],
    "a soft prompt of 20 vectors is level with the same 32 examples on three language models": [
        (lambda: level_on_three_models("kinds/32/soft 20", "kinds/32/prompt"), 0, 0.02)
    ],
    "for kinds of words it hardly matters which method you take": [
        (
            lambda: max(spread(m(f"kinds/{k}/{who}") for who in ["prompt", *TUNED]) for k in SHOTS),
            0,
            0.1,
        ),
        (lambda: max(abs(gap(f"kinds/32/{who}", "kinds/32/prompt")) for who in TUNED), 0, 0.03),
    ],
    "label words gain little over a new head here": [
        (lambda: max(abs(gap(f"kinds/{k}/full", f"kinds/{k}/new head")) for k in SHOTS), 0, 0.05)
    ],
    "from scratch it stays far behind": [
        (lambda: m("kinds/32/scratch") / m("kinds/32/full"), 0, 0.75)
    ],
    # --- lists ---
    "on word lists the prompt falls towards chance": [
        (lambda: rising(-m(f"lists/{k}/prompt") for k in SHOTS), True, True),
        (lambda: m("lists/4/prompt"), 0.95, 1),
        (lambda: m("lists/32/prompt"), 0.5, 0.65),
    ],
    "and tuning learns them by heart": [
        (
            lambda: min(
                surely(f"lists/32/{who}", "lists/32/prompt")
                for who in ("soft 20", "lora", "full", "new head")
            ),
            0,
            1,
        )
    ],
    "to learn by heart takes no pretraining and to conclude from one word to another does": [
        (lambda: min(m(f"lists/{k}/scratch") for k in SHOTS), 0.98, 1),
        (lambda: max(abs(m(f"kinds/{k}/scratch") - 0.5) for k in SHOTS), 0, 0.05),
    ],
    "five vectors and the adapter are not done with 32 words": [
        (lambda: max(m(f"lists/32/{who}") for who in ("soft 5", "adapter")), 0.5, 0.95)
    ],
    "the model compares by kind in a list: with one word of each kind there is no error": [
        (lambda: m("lists/4/prompt"), 0.98, 1),
        (lambda: m("lists/8/prompt"), 0.5, 0.98),
    ],
    "130 tokens do no harm on kinds of words": [
        (lambda: gap("kinds/32/prompt", "kinds/16/prompt"), -0.01, 1),
        (lambda: m("kinds/16/prompt"), 0.95, 1),
    ],
    # --- forgetting ---
    "untuned the model gets nearly all other prompts right": [
        (lambda: m("kinds/32/zero-shot/others"), 0.98, 1)
    ],
    "LoRA loses most at the chosen rates, for each of three language models": [
        (lambda: loses_most(), "lora", None),
        (lambda: surely("kinds/32/zero-shot/others", "kinds/32/lora/others"), 0, 1),
        (lambda: loses_most("seed 1/"), "lora", None),
        (lambda: loses_most("seed 2/"), "lora", None),
    ],
    "and the soft prompt loses nothing": [
        (lambda: gap("kinds/32/zero-shot/others", "kinds/32/soft 20/others"), -0.01, 0.01)
    ],
    "each method has a rate at which it does not forget and one at which it does": [
        (
            lambda: min(path("kinds", n, s, GRID[n][3][0])[1, -1, 0].item() for n, s in WHOLE),
            95,
            100,
        ),
        (
            lambda: max(path("kinds", n, s, GRID[n][3][-1])[1, -1, 0].item() for n, s in WHOLE),
            0,
            60,
        ),
    ],
    "no soft prompt of the grid costs other tasks anything": [
        (
            lambda: min(
                path(f, n, s, r)[1, :, 0].min().item() for f in FAMILIES for n, s, r in SOFT
            ),
            99,
            100,
        )
    ],
    "at one rate fine-tuning forgets most, then LoRA, then adapters": [
        (
            lambda: (
                elsewhere("full", "prompt", 0.003) - min(elsewhere("lora", r, 0.003) for r in RANKS)
            ),
            -1,
            -0.2,
        ),
        (
            lambda: (
                max(elsewhere("lora", r, 0.003) for r in RANKS)
                - min(elsewhere("adapter", s, 0.003) for s in SIZES)
            ),
            -1,
            0,
        ),
    ],
    "at a high rate more numbers forget more": [
        (lambda: rising(-elsewhere("lora", r, 0.01) for r in RANKS), True, True),
        (lambda: rising(-elsewhere("adapter", s, 0.01) for s in SIZES), True, True),
    ],
    # --- in-context tuning ---
    "practice on other lists teaches the model to read them and costs it kinds": [
        (lambda: m(before("final, lists", "lists")), 0.5, 0.65),
        (lambda: m(after("final, lists", "lists")), 0.95, 1),
        (lambda: surely(before("final, lists", "kinds"), after("final, lists", "kinds")), 0.1, 1),
    ],
    "the early model gains on kinds when it practises those": [
        (
            lambda: min(
                surely(after("early, kinds", "kinds", k), before("early, kinds", "kinds", k))
                for k in (8, 16, 32)
            ),
            0,
            1,
        )
    ],
    "the early model gains nothing on lists and loses on kinds when it practises lists": [
        (lambda: m(after("early, lists", "lists")), 0.4, 0.55),
        (lambda: surely(before("early, lists", "kinds"), after("early, lists", "kinds")), 0, 1),
    ],
}
RANKS, SIZES = (1, 4, 16), (2, 8, 32)
WHOLE = [(name, size) for name in ("lora", "adapter", "full") for size in GRID[name][2]]
SOFT = [point for point in points() if point[0] == "soft"]


@pytest.mark.parametrize("sentence", ROWS)
def test_a_sentence_about_a_frozen_file(sentence):
    for number, (what, low, high) in enumerate(ROWS[sentence], start=1):
        found = what()
        fine = found == low if high is None else low <= found <= high
        assert fine, f"line {number} of the row: {found}, not between {low} and {high}"
