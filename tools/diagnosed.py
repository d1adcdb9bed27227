"""How many plausible wrong answers meet a diagnosis that names their mistake.

    python -m tools.diagnosed                each chapter: the answers that the tables were made
                                             with, and the third that was held out
    python -m tools.diagnosed 03 --missed    those of a chapter that met none; held-out ones never

tests/classroom/wrong_answers/chNN.py holds them, at least ten an exercise: an expression over the
parameters of the stub, or the body of a function. Every third is held out: rows are added to the
tables for kinds of the others only, so that the held-out share says how a stranger's mistake fares.
"""

import ast
import importlib.util
import json
import math
import random
import re
import sys
import textwrap
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import torch
from torch.nn import functional as F

from course_lib import ROOT
from course_lib.classroom import exercises
from course_lib.classroom.exercises import judge
from course_lib.classroom.exercises.diagnose import SLIPS
from course_lib.classroom.teacher.slices import parsed

PLACE = ROOT / "tests" / "classroom" / "wrong_answers"
NAMED = ("mistake", "kind", "property", "none", "detached", "mutated")  # they say what was done
KNOWN = {"torch": torch, "F": F, "math": math, "random": random, "zlib": zlib}


@dataclass(frozen=True)
class Answer:
    """One wrong answer, and the verdict that it met."""

    identity: str
    text: str
    held_out: bool
    verdict: str
    said: str

    @property
    def named(self) -> bool:
        """A verdict of NAMED, or an error of Python with what it means here."""
        slip = any(words in self.said for words in SLIPS.values())
        return self.verdict.partition(":")[0] in NAMED or slip


def chapters() -> list[str]:
    """The chapters with wrong answers: "00", "01", ..."""
    return sorted(path.stem[2:] for path in PLACE.glob("ch[0-9][0-9].py"))


def wrong(chapter: str) -> dict[str, list[str]]:
    """The wrong answers to the exercises of a chapter."""
    spec = importlib.util.spec_from_file_location(f"wrong_{chapter}", PLACE / f"ch{chapter}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.WRONG


@cache
def parameters(chapter: str) -> dict[str, list[str]]:
    """The parameters of each exercise's stub, by id."""
    (path,) = (ROOT / "notebooks").glob(f"{chapter}_*.ipynb")
    made = parsed(path.read_text(encoding="utf-8"), notebook=True)
    stubs = {line.tree.name: line.tree for line in made.lines if hasattr(line.tree, "args")}
    return {
        identity: [argument.arg for argument in stubs[function.id].args.args]
        for identity, (function, _) in made.checked.items()
    }


def function_of(text: str, names: list[str]) -> Callable:
    """The function that a wrong answer is."""
    body = text if re.search(r"^\s*return\b", text, re.M) or "\n" in text else f"return {text}"
    source = f"def answer({', '.join(names)}):\n{textwrap.indent(body, '    ')}\n"
    space = dict(KNOWN)
    exec(compile(ast.parse(source), "<a wrong answer>", "exec"), space)
    return space["answer"]


def answers(chapter: str) -> Iterator[Answer]:
    """Every wrong answer of a chapter with its verdict."""
    for identity, texts in wrong(chapter).items():
        exercise = exercises.find(identity)
        names = parameters(chapter)[identity]
        for place, text in enumerate(texts):
            verdict = judge(exercise, function_of(text, names))
            yield Answer(identity, text, place % 3 == 2, verdict.name, verdict.text)


def share(found: list[Answer], held_out: bool) -> tuple[int, int]:
    """How many met a diagnosis by name, of how many."""
    these = [answer for answer in found if answer.held_out == held_out]
    return sum(answer.named for answer in these), len(these)


def main(words: list[str]) -> None:
    total: list[Answer] = []
    asked = [word for word in words if word.isdigit()] or chapters()
    print("chapter   in the tables   held out")
    for chapter in asked:
        found = list(answers(chapter))
        total += found
        line = "".join(f"{a:6} of {b:3}   " for a, b in (share(found, False), share(found, True)))
        print(f"{chapter:7} {line}", flush=True)
        for answer in found if "--missed" in words else []:
            if not answer.named and not answer.held_out:
                print(f"  {answer.identity} {answer.verdict}: {json.dumps(answer.text)}")
            if answer.verdict == "passed":
                print(f"  PASSED: {answer.identity} {json.dumps(answer.text)}")
    line = "".join(f"{a:6} of {b:3}   " for a, b in (share(total, False), share(total, True)))
    print(f"all     {line}")


if __name__ == "__main__":
    main(sys.argv[1:])
