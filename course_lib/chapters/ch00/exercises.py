"""Exercises of chapter 00: the accuracy of guessing, the nearest example, and an interval over
episodes."""

import torch

from course_lib.chapters.ch00.mistakes import MORE
from course_lib.classroom.exercises import Exercise, told

NAMESPACE = {}


# 00.chance


def chance(ways):
    return 1 / ways


def chance_by_counting(ways):
    return torch.full((ways,), 1.0).softmax(0)[0]


def half(ways):
    return 0.5


# 00.nearest


def one_example_each(generator: torch.Generator) -> list[tuple]:
    """Support sets with one or more noisy images of each class, and some more images of those
    classes."""
    cases = []
    for ways, shots, queries, size in ((5, 1, 4, 4), (3, 2, 5, 6), (4, 1, 4, 1), (2, 3, 6, 8)):
        classes = torch.rand(ways, 1, size, size, generator=generator)
        classes = classes * (
            0.4 + torch.rand(ways, 1, 1, 1, generator=generator)
        )  # some classes hold more ink than others
        support_y = torch.arange(ways).repeat_interleave(shots)[
            torch.randperm(ways * shots, generator=generator)
        ]
        query_y = torch.randint(ways, (queries,), generator=generator)
        support_x, query_x = (
            (classes[y] + 0.25 * torch.randn(len(y), 1, size, size, generator=generator)).clamp(
                0, 1
            )
            for y in (support_y, query_y)
        )
        cases.append((support_x, support_y, query_x))
    # grey squares: the nearest example is of another class than the nearest mean
    grey = torch.tensor([0.0, 0.9, 0.3, 0.3])[:, None, None, None].expand(4, 1, 2, 2)
    cases.append((grey.clone(), torch.tensor([0, 0, 1, 1]), grey[:1] + 0.1))
    return cases


def nearest(support_x, support_y, query_x):
    distances = torch.cdist(query_x.flatten(1), support_x.flatten(1))
    return support_y[distances.argmin(1)]


def nearest_by_loop(support_x, support_y, query_x):
    guesses = []
    for query in query_x:
        squared = [(query - example).square().sum() for example in support_x]
        guesses.append(support_y[torch.stack(squared).argmin()])
    return torch.stack(guesses)


def nearest_by_broadcasting(support_x, support_y, query_x):
    differences = query_x[:, None] - support_x[None]
    return support_y[differences.square().sum((2, 3, 4)).argmin(1)]


def farthest(support_x, support_y, query_x):
    return support_y[torch.cdist(query_x.flatten(1), support_x.flatten(1)).argmax(1)]


def the_other_way(support_x, support_y, query_x):
    distances = torch.cdist(support_x.flatten(1), query_x.flatten(1))
    return support_y[distances.argmin(1) % len(support_y)]


# 00.interval


def hits_of_episodes(generator: torch.Generator) -> list[tuple]:
    """Right (1) or wrong (0): some episodes are easy and some are hard, as they are."""
    cases = []
    for episodes, items, hardness in ((300, 15, 0.5), (600, 5, 0.3), (250, 30, 0.8)):
        odds = (hardness + 0.25 * torch.randn(episodes, 1, generator=generator)).clamp(0.02, 0.98)
        cases.append(((torch.rand(episodes, items, generator=generator) < odds).float(),))
    return cases


def interval(hits):
    accuracies = hits.mean(1)
    return accuracies.mean(), 1.96 * accuracies.std() / len(accuracies) ** 0.5


def interval_by_hand(hits):
    accuracies = hits.mean(dim=1)
    mean = accuracies.sum() / len(accuracies)
    variance = ((accuracies - mean) ** 2).mean()
    return mean.item(), 1.96 * (variance / len(accuracies)).sqrt().item()


def whole_width(hits):
    mean, half_width = interval(hits)
    return mean, 2 * half_width


def variance(hits):
    accuracies = hits.mean(1)
    return accuracies.mean(), 1.96 * accuracies.var() / len(accuracies) ** 0.5


EXERCISES = (
    Exercise(
        "00.chance",
        solution=chance,
        cases=lambda generator: [(ways,) for ways in (5, 20, 2, 3)],
        others=(chance_by_counting,),
        read="An episode",
        mistakes={
            "0.5": (
                "You answered one half, as if right and wrong were equally likely. They are with "
                "2 classes only: with more there is one right answer and several wrong ones."
            ),
            "1 - 1 / ways": "{got:.2f} is how often a guess is wrong. How often is it right?",
            "100 / ways": (
                "You returned {got:.0f}, which is per cent. The course writes an accuracy as a "
                "number from 0 to 1: {wanted:.2f}."
            ),
            "1 / (ways - 1)": (
                "You left one class out and got {got:.2f}. The right class is among those a "
                "guess can hit: all of them count."
            ),
            "1 // ways": (
                "`//` divides and drops everything behind the point, so 1 // ways is {got:.0f}. "
                "A single `/` keeps it: {wanted:.2f}."
            ),
        },
    ),
    Exercise(
        "00.nearest",
        solution=nearest,
        cases=one_example_each,
        others=(nearest_by_loop, nearest_by_broadcasting),
        read="Nearest, pixel by pixel",
        mistakes={
            "torch.cdist(query_x.flatten(1), support_x.flatten(1)).argmin(1)": (
                "You returned the place of the nearest drawing in the support set ({got:.0f}), "
                "not its class ({wanted:.0f}). `support_y` knows which class stands at that place."
            ),
            "support_y[torch.cdist(query_x.flatten(1), support_x.flatten(1)).argmax(1)]": (
                "You answered with the farthest drawing: class {got:.0f} in place of "
                "{wanted:.0f}. A small distance means alike."
            ),
            "support_y[(query_x[:, None] - support_x[None]).sum((2, 3, 4)).abs().argmin(1)]": (
                "You added up the differences before making them positive, so dark and light "
                "cancel: what is left compares the amount of ink. Square each difference first."
            ),
            "support_y[(query_x[:, None] - support_x[None]).sum((2, 3, 4)).argmin(1)]": (
                "You took the smallest sum of differences, and the most negative one wins: the "
                "drawing with the most ink. Square each difference first."
            ),
            "support_y[(query_x.flatten(1) @ support_x.flatten(1).T).argmax(1)]": told(
                "You took the largest dot product, and a drawing with much ink shares much with "
                "everything. A distance also subtracts what each drawing has alone: the sum of "
                "squared differences, and the smallest wins.",
                read="Move it yourself",
            ),
            the_other_way: lambda n: (
                f"You asked, for each of {len(n.inputs[0])} support drawings, which query is "
                f"nearest. Turn it round: one answer for each of {len(n.inputs[2])} queries."
            ),
            **MORE["nearest"],
        },
    ),
    Exercise(
        "00.interval",
        solution=interval,
        cases=hits_of_episodes,
        others=(interval_by_hand,),
        read="What the ± means",
        mistakes={
            "hits.mean(), 1.96 * hits.mean(1).std()": (
                "Your {got:.3f} says how much single episodes differ. The mean of many is known "
                "better: divide by the root of their number, and it is {wanted:.4f}."
            ),
            "1.96 * accuracies -> accuracies": (
                "{got:.4f} is one standard error. The 95 % interval reaches 1.96 of them to "
                "each side: {wanted:.4f}."
            ),
            "hits.mean(), 1.96 * hits.std() / hits.numel() ** 0.5": (
                "You counted single drawings, {got:.4f}. Drawings of one episode share a "
                "support set, so they are not independent: take one accuracy for each episode, "
                "{wanted:.4f}."
            ),
            whole_width: (
                "{got:.4f} is the whole width of the interval. After ± stands half of it: "
                "{wanted:.4f}."
            ),
            "(accuracies) ** 0.5 -> (accuracies)": (
                "You divided by the number of episodes, {got:.6f}. The error shrinks with its "
                "root: {wanted:.4f}."
            ),
            "std -> var": (
                "You used the variance of the accuracies, {got:.4f}. The standard error needs "
                "its root, the standard deviation: {wanted:.4f}."
            ),
            "len(accuracies) -> hits.numel()": lambda n: (
                "Your standard deviation is over episodes, and your root over all "
                f"{n.inputs[0].numel()} drawings. It is a mean of {len(n.inputs[0])} accuracies: "
                f"divide by the root of that, {n.wanted:.4f}."
            ),
            "hits.mean(), 1.96 * hits.mean(0).std() / hits.shape[1] ** 0.5": lambda n: (
                f"You averaged over the episodes first and kept the {n.inputs[0].shape[1]} items. "
                f"Keep the {n.inputs[0].shape[0]} episodes: `hits.mean(1)`."
            ),
            **MORE["interval"],
        },
    ),
)
