"""The decision table of chapter 12: each method at 32 examples and its yardsticks, in one table."""

from course_lib.chapters.ch12.explorers import WHO
from course_lib.chapters.ch12.line_up import percent, stored, tasks_of
from course_lib.training.evaluation import evaluate


def decision_table(numbers: dict[str, int], yardsticks: dict) -> list[str]:
    """Its lines. Rows of methods are stored; those of yardsticks are measured now, on the same
    tasks.

    Args:
        numbers: what a task trains, by method.   yardsticks: learners by their names.
    """
    seconds = stored()[1]["seconds"]
    lines = [row("32 examples, chance 50 %", "kinds", "lists", "elsewhere", "numbers", "seconds")]
    for who in WHO:
        there = percent(f"kinds/32/{'zero-shot' if who == 'prompt' else who}/others")
        tuned = who != "prompt"
        trained, took = (numbers[who], seconds[f"kinds/32/{who}"]) if tuned else (0, 0)
        here = percent(f"kinds/32/{who}"), percent(f"lists/32/{who}")
        lines.append(row(WHO[who], *here, there, f"{trained:,}", f"{took:.2f}"))
    for name, learner in yardsticks.items():
        found = [evaluate(learner, tasks_of(family, 32)) for family in ("kinds", "lists")]
        here = [f"{100 * s.mean:.1f} ± {100 * s.half_width:.1f}" for s in found]
        lines.append(row(name.split(", ")[0], *here, "untouched", "0", "0.00"))
    cells = [percent(f"practice/final, lists/after/{family}/32") for family in ("kinds", "lists")]
    lines.append(row("in-context tuned on lists", *cells, "no figure", 0, "0.00"))
    practice = seconds["practice/final, lists"]
    return [
        *lines,
        f"    and {practice:.0f} seconds of practice, once for all lists",
        "elsewhere: left in place after tuning on kinds; after lists LoRA has "
        + percent("lists/32/lora/others"),
        f"taken off, soft prompt, LoRA and adapter have {percent('kinds/32/zero-shot/others')}",
    ]


def row(name: str, *cells) -> str:
    return f"{name:26}" + "".join(f"{cell:>13}" for cell in cells)
