"""Exercises of chapter 00: the accuracy of guessing, the nearest example, and an interval over episodes."""

import torch

from course_lib.classroom.exercises.judging import Exercise, Mistake

NAMESPACE = {}


# 00.chance


def chance(ways):
    return 1 / ways


def chance_by_counting(ways):
    return torch.full((ways,), 1.0).softmax(0)[0]


def half(ways):
    return 0.5


def wrong_share(ways):
    return 1 - 1 / ways


def percent(ways):
    return 100 / ways


def one_too_few(ways):
    return 1 / (ways - 1)


def whole_division(ways):
    return 1 // ways


# 00.nearest


def one_example_each(generator: torch.Generator) -> list[tuple]:
    """Support sets with one or more noisy images of each class, and some more images of those classes."""
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


def place_of_nearest(support_x, support_y, query_x):
    return torch.cdist(query_x.flatten(1), support_x.flatten(1)).argmin(1)


def farthest(support_x, support_y, query_x):
    return support_y[torch.cdist(query_x.flatten(1), support_x.flatten(1)).argmax(1)]


def signed(support_x, support_y, query_x):
    differences = query_x[:, None] - support_x[None]
    return support_y[differences.sum((2, 3, 4)).abs().argmin(1)]


def most_negative(support_x, support_y, query_x):
    differences = query_x[:, None] - support_x[None]
    return support_y[differences.sum((2, 3, 4)).argmin(1)]


def largest_product(support_x, support_y, query_x):
    return support_y[(query_x.flatten(1) @ support_x.flatten(1).T).argmax(1)]


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


def spread(hits):
    return hits.mean(), 1.96 * hits.mean(1).std()


def one_error(hits):
    accuracies = hits.mean(1)
    return accuracies.mean(), accuracies.std() / len(accuracies) ** 0.5


def over_items(hits):
    return hits.mean(), 1.96 * hits.std() / hits.numel() ** 0.5


def whole_width(hits):
    mean, half_width = interval(hits)
    return mean, 2 * half_width


def no_root(hits):
    accuracies = hits.mean(1)
    return accuracies.mean(), 1.96 * accuracies.std() / len(accuracies)


def variance(hits):
    accuracies = hits.mean(1)
    return accuracies.mean(), 1.96 * accuracies.var() / len(accuracies) ** 0.5


def root_of_drawings(hits):
    accuracies = hits.mean(1)
    return accuracies.mean(), 1.96 * accuracies.std() / hits.numel() ** 0.5


def wrong_side(hits):
    return hits.mean(), 1.96 * hits.mean(0).std() / hits.shape[1] ** 0.5


EXERCISES = (
    Exercise(
        id="00.chance",
        title="what guessing scores",
        minutes=2,
        difficulty=1,
        cases=lambda generator: [(ways,) for ways in (5, 20, 2, 3)],
        solution=chance,
        others=(chance_by_counting,),
        mistakes=(
            Mistake(
                "half",
                half,
                "You answered one half, as if right and wrong were equally likely. They are with 2 classes only: "
                "with more there is one right answer and several wrong ones.",
                "An episode",
            ),
            Mistake(
                "wrong_share",
                wrong_share,
                "{got:.2f} is how often a guess is wrong. How often is it right?",
                "An episode",
            ),
            Mistake(
                "percent",
                percent,
                "You returned {got:.0f}, which is per cent. The course writes an accuracy as a number from 0 to 1: "
                "{wanted:.2f}.",
                "An episode",
            ),
            Mistake(
                "one_too_few",
                one_too_few,
                "You left one class out and got {got:.2f}. The right class is among those a guess can hit: "
                "all of them count.",
                "An episode",
            ),
            Mistake(
                "whole_division",
                whole_division,
                "`//` divides and drops everything behind the point, so 1 // ways is {got:.0f}. A single `/` keeps "
                "it: {wanted:.2f}.",
                "An episode",
            ),
        ),
        hints=(
            "With 5 classes, and one guess for each of 100 drawings, about how many guesses are right?",
            "One of `ways` answers is right, and a guess hits each equally often.",
        ),
    ),
    Exercise(
        id="00.nearest",
        title="the nearest example",
        minutes=6,
        difficulty=2,
        cases=one_example_each,
        solution=nearest,
        others=(nearest_by_loop, nearest_by_broadcasting),
        mistakes=(
            Mistake(
                "place",
                place_of_nearest,
                "You returned the place of the nearest drawing in the support set ({got:.0f}), not its class "
                "({wanted:.0f}). `support_y` knows which class stands at that place.",
                "Nearest, pixel by pixel",
            ),
            Mistake(
                "farthest",
                farthest,
                "You answered with the farthest drawing: class {got:.0f} in place of {wanted:.0f}. A small distance "
                "means alike.",
                "Nearest, pixel by pixel",
            ),
            Mistake(
                "signed",
                signed,
                "You added up the differences before making them positive, so dark and light cancel: what is left compares "
                "the amount of ink. Square each difference first.",
                "Nearest, pixel by pixel",
            ),
            Mistake(
                "most_negative",
                most_negative,
                "You took the smallest sum of differences, and the most negative one wins: the drawing with "
                "the most ink. Square each difference first.",
                "Nearest, pixel by pixel",
            ),
            Mistake(
                "largest_product",
                largest_product,
                "You took the largest dot product, and a drawing with much ink shares much with everything. A "
                "distance also subtracts what each drawing has alone: the sum of squared differences, and the smallest wins.",
                "Move it yourself",
            ),
            Mistake(
                "the_other_way",
                the_other_way,
                lambda n: (
                    f"You asked, for each of {len(n.inputs[0])} support drawings, which query is nearest. "
                    f"Turn it round: one answer for each of {len(n.inputs[2])} queries."
                ),
                "Nearest, pixel by pixel",
            ),
        ),
        hints=(
            "`x.flatten(1)` makes each drawing one row of numbers. `torch.cdist(a, b)` gives all distances between rows of a and rows of b.",
            "With distances of shape (queries, support), `.argmin(1)` gives the place of the nearest support drawing for each query.",
        ),
    ),
    Exercise(
        id="00.interval",
        title="how well is it known?",
        minutes=6,
        difficulty=2,
        cases=hits_of_episodes,
        solution=interval,
        others=(interval_by_hand,),
        mistakes=(
            Mistake(
                "spread",
                spread,
                "Your {got:.3f} says how much single episodes differ. The mean of many is known better: divide by the root of "
                "their number, and it is {wanted:.4f}.",
                "What the ± means",
            ),
            Mistake(
                "one_error",
                one_error,
                "{got:.4f} is one standard error. The 95 % interval reaches 1.96 of them to each side: {wanted:.4f}.",
                "What the ± means",
            ),
            Mistake(
                "over_items",
                over_items,
                "You counted single drawings, {got:.4f}. Drawings of one episode share a support set, so they are not "
                "independent: take one accuracy for each episode, {wanted:.4f}.",
                "What the ± means",
            ),
            Mistake(
                "whole_width",
                whole_width,
                "{got:.4f} is the whole width of the interval. After ± stands half of it: {wanted:.4f}.",
                "What the ± means",
            ),
            Mistake(
                "no_root",
                no_root,
                "You divided by the number of episodes, {got:.6f}. The error shrinks with its root: {wanted:.4f}.",
                "What the ± means",
            ),
            Mistake(
                "variance",
                variance,
                "You used the variance of the accuracies, {got:.4f}. The standard error needs its root, the standard deviation: "
                "{wanted:.4f}.",
                "What the ± means",
            ),
            Mistake(
                "root_of_drawings",
                root_of_drawings,
                lambda n: (
                    "Your standard deviation is over episodes, and your root over all "
                    f"{n.inputs[0].numel()} drawings. It is a mean of {len(n.inputs[0])} accuracies: divide by the root of that, {n.wanted:.4f}."
                ),
                "What the ± means",
            ),
            Mistake(
                "wrong_side",
                wrong_side,
                lambda n: (
                    f"You averaged over the episodes first and kept the {n.inputs[0].shape[1]} items. Keep the "
                    f"{n.inputs[0].shape[0]} episodes: `hits.mean(1)`."
                ),
                "What the ± means",
            ),
        ),
        hints=(
            "First one accuracy for each episode: `hits.mean(1)`. Everything else is about these numbers.",
            "The standard error of a mean is the standard deviation divided by the root of how many numbers it is a mean of.",
        ),
    ),
)
