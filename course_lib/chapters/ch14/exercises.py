"""Exercises of chapter 14: how many episodes a claim needs, what an answer costs, and a figure that
was not picked for being high."""

import math

import torch

from course_lib.classroom.exercises import Exercise, told

NAMESPACE = {}

# 14.episodes


def episodes(spread, half_width):
    return math.ceil((1.96 * spread / half_width) ** 2)


def episodes_by_counting(spread, half_width):
    count = 1
    while 1.96 * spread / count**0.5 > half_width:
        count += 1
    return count


def episodes_cases(generator):
    return [(0.2, 0.02), (0.13, 0.01), (0.31, 0.03), (0.08, 0.0045)]


# 14.cost


def cost(probabilities, wrong, ask):
    answered = (1 - probabilities.max(1).values) * wrong
    return torch.minimum(answered, torch.full_like(answered, ask)).mean()


def cost_by_loop(probabilities, wrong, ask):
    total = 0.0
    for row in probabilities:
        total = total + min((1 - float(row.max())) * wrong, ask)
    return torch.tensor(total / len(probabilities))


def cost_cases(generator):
    cases = []
    for queries, wrong, ask in ((8, 10.0, 2.0), (6, 4.0, 1.5), (9, 25.0, 3.0), (7, 6.0, 1.0)):
        logits = 2 * torch.randn(queries, 4, generator=generator)
        cases.append((logits.softmax(1), wrong, ask))
    return cases


# 14.kept_apart


def kept_apart(scores):
    half = scores.shape[1] // 2
    chosen = scores[:, :half].mean(1).argmax()
    return scores[chosen, half:].mean()


def kept_apart_by_lists(scores):
    half = scores.shape[1] // 2
    means = [row[:half].mean().item() for row in scores]
    return scores[means.index(max(means))][half:].mean()


def kept_apart_cases(generator):
    return [(torch.rand(m, n, generator=generator),) for m, n in ((5, 12), (8, 20), (4, 16))]


EXERCISES = (
    Exercise(
        "14.episodes",
        solution=episodes,
        cases=episodes_cases,
        others=(episodes_by_counting,),
        read="How lucky is the best row?",
        mistakes={
            "math.ceil(1.96 * spread / half_width)": (
                "You forgot the square: {got:.0f} instead of {wanted:.0f}. The interval shrinks "
                "with the square *root* of the number, so half of it costs four times as many."
            ),
            "math.ceil((spread / half_width) ** 2)": (
                "{got:.0f} episodes make one *standard error* that small. A 95 % interval is 1.96 "
                "of them to each side: {wanted:.0f}."
            ),
            "math.floor((1.96 * spread / half_width) ** 2)": (
                "You rounded down. With {got:.0f} episodes the interval is a little too wide; "
                "{wanted:.0f} are enough."
            ),
            "math.ceil((2 * 1.96 * spread / half_width) ** 2)": (
                "Your {got:.0f} make the *whole* interval that narrow. half_width is the ±, one "
                "side of it: {wanted:.0f}."
            ),
        },
    ),
    Exercise(
        "14.cost",
        solution=cost,
        cases=cost_cases,
        others=(cost_by_loop,),
        read="What is it worth?",
        mistakes={
            "((1 - probabilities.max(1).values) * wrong).mean()": (
                "You always answer: {got:.3f}. Where the learner is unsure, asking is cheaper, and "
                "the mean falls to {wanted:.3f}."
            ),
            "((1 - probabilities.max(1).values) * wrong).clamp(min=ask).mean()": (
                "You took the *dearer* of the two, {got:.3f}. The cheaper one is {wanted:.3f}."
            ),
            "(probabilities.max(1).values * wrong).clamp(max=ask).mean()": (
                "You pay for being right: {got:.3f}. The price falls due with the probability of "
                "being wrong, 1 minus the largest one: {wanted:.3f}."
            ),
            "((1 - probabilities.max(1).values) * wrong).clamp(max=ask).sum()": (
                "{got:.3f} is the price of all queries together; for one it is {wanted:.3f}."
            ),
            "((1 - probabilities.min(1).values) * wrong).clamp(max=ask).mean()": told(
                "You answer the *least* likely class: {got:.3f} instead of {wanted:.3f}."
            ),
        },
    ),
    Exercise(
        "14.kept_apart",
        solution=kept_apart,
        cases=kept_apart_cases,
        others=(kept_apart_by_lists,),
        read="How lucky is the best row?",
        mistakes={
            "scores.mean(1).max()": (
                "You chose and reported on the same episodes: {got:.3f}. That is the lucky figure; "
                "on episodes kept apart the chosen one has {wanted:.3f}."
            ),
            "scores[:, : scores.shape[1] // 2].mean(1).max()": (
                "You reported on the half on which you chose: {got:.3f}. Report on the other one: "
                "{wanted:.3f}."
            ),
            "scores[:, scores.shape[1] // 2 :].mean(1).max()": (
                "You chose again on the second half: {got:.3f}. It must not choose anything, or it "
                "is no longer kept apart: {wanted:.3f}."
            ),
            "scores[scores[:, : scores.shape[1] // 2].mean(1).argmax()].mean()": (
                "The first half is still in your mean, with its luck: {got:.3f} instead of "
                "{wanted:.3f}."
            ),
            "scores[:, scores.shape[1] // 2 :].mean()": (
                "This is the mean of all methods, {got:.3f}. Report the one chosen on the first "
                "half: {wanted:.3f}."
            ),
        },
    ),
)
