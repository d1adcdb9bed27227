"""Exercise 10.ceiling: how often the label of the query has been shown."""

import math

import torch

from course_lib.chapters.ch10.exercises_common import CEILING, SUPPORT
from course_lib.classroom.exercises.compare import any_of
from course_lib.classroom.exercises.judging import Exercise, Mistake


def ceiling(k, ways):
    return 1 - (1 - 1 / ways) ** k


def ceiling_example_by_example(k, ways):
    shown = 0.0
    for _ in range(k):
        shown += (1 - shown) / ways
    return shown


def shares_added(k, ways):
    return k / ways


def each_a_new_label(k, ways):
    return min(k, ways) / ways


def all_the_same(k, ways):
    return 1 - 1 / ways**k


def not_shown(k, ways):
    return (1 - 1 / ways) ** k


def every_example_shows_it(k, ways):
    return 1 / ways**k


def chance_at_least(k, ways):
    return max(1 / ways, ceiling(k, ways))


def chance_added(k, ways):
    return ceiling(k, ways) + 1 / ways


def guesses_the_rest(k, ways):
    return 1 - (1 - 1 / ways) ** (k + 1)


def exactly_once(k, ways):
    return k / ways * (1 - 1 / ways) ** (k - 1)


def all_labels_shown(k, ways):
    return sum((-1) ** j * math.comb(ways, j) * (1 - j / ways) ** k for j in range(ways + 1))


def exchanged(k, ways):
    return 1 - (1 - 1 / k) ** ways if k else 0.0


def exchanged_without_care(k, ways):
    return 1 - (1 - 1 / k) ** ways


def times_k(k, ways):
    return 1 - (1 - 1 / ways) * k


def shown_times_k(k, ways):
    return (1 - 1 / ways) * k


def one_example_fewer(k, ways):
    return 1 - (1 - 1 / ways) ** (k - 1)


def whole_division(k, ways):
    return 1 - (1 - 1 // ways) ** k


def caret(k, ways):
    return 1 - (1 - 1 / ways) ^ k


def shots_per_class(k, ways):
    return 1 - (1 - 1 / ways) ** (k * ways)


def always_one(k, ways):
    return 1.0 if k else 0.0


def caret_met(runs: list) -> bool:
    return all(isinstance(result, TypeError) and "for ^" in str(result) for _, result in runs)


def ceiling_cases(generator: torch.Generator) -> list[tuple]:
    """(examples, labels)."""
    return [(2, 4), (4, 4), (8, 4), (3, 2), (16, 5), (1, 3), (0, 4)]


EXERCISE = Exercise(
    id="10.ceiling",
    title="only labels that were shown",
    minutes=5,
    difficulty=1,
    cases=ceiling_cases,
    solution=ceiling,
    others=(ceiling_example_by_example,),
    mistakes=(
        Mistake(
            "shares_added",
            shares_added,
            lambda n: (
                f"You added {_percent(1 / n.inputs[1])} for each example: {_percent(n.got)}. Two examples may show "
                f"the same label, and that is counted twice. It is {_percent(n.wanted)}."
            ),
            CEILING,
        ),
        Mistake(
            "each_a_new_label",
            each_a_new_label,
            "Your examples never repeat a label: {got:.2f}. Here each class is drawn at random, whatever the "
            "others are, so repeats are common ({wanted:.2f}).",
            CEILING,
        ),
        Mistake(
            "all_the_same",
            all_the_same,
            "{got:.2f} is the probability that not *all* examples have the query's label. It is enough that one has it: "
            "{wanted:.2f}. What is the probability that one example misses it?",
            CEILING,
        ),
        Mistake(
            "not_shown",
            not_shown,
            "{got:.2f} is the probability that the label is *not* among the examples. The reader is right in the other cases: {wanted:.2f}.",
            CEILING,
        ),
        Mistake(
            "every_example_shows_it",
            every_example_shows_it,
            "Yours is the probability that *every* example has the query's label, {got:.2f}. It "
            "falls as examples are added. One of them is enough: {wanted:.2f}.",
            CEILING,
        ),
        Mistake(
            "chance_at_least",
            chance_at_least,
            "With no example at all you still give the reader chance, {got:.2f}. Who has to *say* a made-up word "
            "that was never shown is never right: {wanted:.2f}. Chance belongs to a reader who chooses from a list.",
            CEILING,
        ),
        Mistake(
            "chance_added",
            chance_added,
            "You added chance on top: {got:.2f}. It can even pass 1. Who has not been shown the label has no list to guess from: {wanted:.2f}.",
            CEILING,
        ),
        Mistake(
            "guesses_the_rest",
            guesses_the_rest,
            "Your reader guesses among all labels when the right one was not shown: {got:.2f}. This reader has to "
            "*say* it and has never met it: {wanted:.2f}.",
            CEILING,
        ),
        Mistake(
            "exactly_once",
            exactly_once,
            "{got:.2f} is the probability that exactly one example has the label. Two or three of them do no harm: {wanted:.2f}.",
            CEILING,
        ),
        Mistake(
            "all_labels_shown",
            all_labels_shown,
            "You asked for *every* label to be shown: {got:.2f}. One query needs its own label only: {wanted:.2f}.",
            CEILING,
        ),
        Mistake(
            "exchanged",
            exchanged,
            "`k` and `ways` have changed places: {got:.2f} instead of {wanted:.2f}. One example has the label with probability "
            "1 / ways, and there are k of them.",
            CEILING,
            seen=any_of(exchanged, exchanged_without_care),
        ),
        Mistake(
            "times_k",
            times_k,
            lambda n: (
                f"You multiplied by k: {n.got:.2f}"
                + ("" if 0 <= n.got <= 1 else ", and no probability leaves the range from 0 to 1")
                + f". All {n.inputs[0]} examples miss the label when each of them does: that is a *power*, `** k`. It leads to {n.wanted:.2f}."
            ),
            CEILING,
            seen=any_of(times_k, shown_times_k),
        ),
        Mistake(
            "one_example_fewer",
            one_example_fewer,
            lambda n: (
                f"Your power is {n.inputs[0] - 1}, and k is {n.inputs[0]}: {n.got:.2f} instead of {n.wanted:.2f}. "
                "The query is not one of the k examples, so each of the k has its factor."
            ),
            CEILING,
        ),
        Mistake(
            "whole_division",
            whole_division,
            lambda n: (
                f"`1 // ways` is {1 // n.inputs[1]}: `//` cuts off what is behind the point. So no example ever shows the label ({n.got:.2f}). "
                f"Write `1 / ways`, here {1 / n.inputs[1]:.2f}; the result is {n.wanted:.2f}."
            ),
            CEILING,
        ),
        Mistake(
            "caret",
            caret,
            lambda n: (
                f"In Python a power is written `**`. `^` compares the bits of whole numbers, and {1 - 1 / n.inputs[1]:.2f} is none. "
                "Write `(1 - 1 / ways) ** k`."
            ),
            CEILING,
            seen=caret_met,
        ),
        Mistake(
            "shots_per_class",
            shots_per_class,
            "You counted k examples *of each class*, as in the chapters before. A prompt counts all its examples together: {wanted:.2f}, not {got:.2f}.",
            SUPPORT,
        ),
        Mistake(
            "always_one",
            always_one,
            "You let one example be enough for every query. It shows one label, and the query may have another: {wanted:.2f}, not {got:.2f}.",
            CEILING,
        ),
    ),
    hints=(
        "When is the reader wrong? When none of the k examples has the query's class.",
        "One example misses it with probability 1 − 1/N. All k of them?",
    ),
)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
