"""Exercises of chapter 01: splitting a task, numbering classes, and the error of the best single function."""

import torch

from course_lib.exercises.base import Exercise, Mistake, Numbers
from course_lib.families import Sinusoids
from course_lib.families.sinusoids import sine

NAMESPACE = {}


def points_of_tasks(generator: torch.Generator) -> list[tuple]:
    """(x, y, shots, order) for tasks of several sizes; the points lie sorted, so that an order matters."""
    cases = []
    for points, shots in ((12, 5), (7, 1), (30, 10)):
        x = (10 * torch.rand(points, 1, generator=generator) - 5).sort(dim=0).values
        cases.append((x, sine(x, 3.0, 1.0), shots, torch.randperm(points, generator=generator)))
    return cases


def split(x, y, shots, order):
    support, query = order[:shots], order[shots:]
    return x[support], y[support], x[query], y[query]


def split_after_shuffling(x, y, shots, order):
    x, y = x[order], y[order]
    sizes = [shots, len(x) - shots]
    (support_x, query_x), (support_y, query_y) = x.split(sizes), y.split(sizes)
    return support_x, support_y, query_x, query_y


def overlapping(x, y, shots, order):
    return x[order[:shots]], y[order[:shots]], x[order], y[order]


def everything_is_query(x, y, shots, order):
    return x[order[:shots]], y[order[:shots]], x, y


def unshuffled(x, y, shots, order):
    return x[:shots], y[:shots], x[shots:], y[shots:]


def one_too_few(x, y, shots, order):
    return split(x, y, shots - 1, order)


def swapped(x, y, shots, order):
    support_x, support_y, query_x, query_y = split(x, y, shots, order)
    return query_x, query_y, support_x, support_y


def torn_apart(x, y, shots, order):
    return x[order[:shots]], y[:shots], x[order[shots:]], y[shots:]


def shared(numbers: Numbers) -> int:
    """How many support points come back in the query set."""
    support, query = numbers.result[0], numbers.result[2]
    return int((support == query.T).any(1).sum())


def says_overlap(numbers: Numbers) -> str:
    return (f"{shared(numbers)} of your {len(numbers.result[0])} support points are query points too: your query set has {len(numbers.result[2])} points, "
            f"and {len(numbers.right[2])} are left once the support set is taken out. A learner that only memorises would look good")


def labelled_items(generator: torch.Generator) -> list[tuple]:
    """(names, support, query): global class names of an episode, and the class names of its items."""
    cases = []
    for way, shots, queries in ((3, 2, 4), (5, 1, 6), (4, 3, 3)):
        names = torch.randperm(90, generator=generator)[:way] + 10
        if names.argmin() == 0:
            names = names.roll(1)  # so that the order of the names is never the order of their size
        support = names.repeat_interleave(shots)[torch.randperm(way * shots, generator=generator)]
        query = names[torch.randint(1, way, (queries,), generator=generator)]  # the class with number 0 never comes
        cases.append((names, support, query))
    return cases


def relabel(names, support, query):
    number = {name: n for n, name in enumerate(names.tolist())}
    return torch.tensor([number[s] for s in support.tolist()]), torch.tensor([number[q] for q in query.tolist()])


def relabel_by_comparing(names, support, query):
    return (support[:, None] == names).int().argmax(1), (query[:, None] == names).int().argmax(1)


def global_numbers(names, support, query):
    return support, query


def by_size(names, support, query):
    ordered = names.sort().values
    return torch.searchsorted(ordered, support), torch.searchsorted(ordered, query)


def by_first_appearance(items, known=()):
    number = {name: n for n, name in enumerate(known)}
    return torch.tensor([number.setdefault(item, len(number)) for item in items.tolist()])


def each_set_for_itself(names, support, query):
    return by_first_appearance(support), by_first_appearance(query)


def in_order_of_the_support(names, support, query):
    seen = list(dict.fromkeys(support.tolist()))
    return by_first_appearance(support, seen), by_first_appearance(query, seen)


def one_number_an_item(names, support, query):
    return torch.arange(len(support)), torch.arange(len(query))


def says_separate(numbers: Numbers) -> str:
    names, support, query = numbers.inputs
    gave, number = numbers.result, dict(zip(support.tolist(), numbers.result[0].tolist()))
    name, other = next((q, n) for q, n in zip(query.tolist(), gave[1].tolist()) if number[q] != n)
    return (f"You number support and query separately: class {name} is {number[name]} in your support set and {other} in your query set. "
            "One table of numbers must serve both")


def says_by_size(numbers: Numbers) -> str:
    names = numbers.inputs[0].tolist()
    return (f"Your numbers follow the size of the names: class {min(names)} gets 0, because no name is smaller. `names` gives 0 to {names[0]}. "
            "Numbers that never change can be memorised without looking at the support set")


def grids_of_curves(generator: torch.Generator) -> list[tuple]:
    """(tasks, positions): curves of tasks on one grid, for three families."""
    x = torch.linspace(-5, 5, 41)
    cases = []
    for family, tasks in ((Sinusoids(), 50), (Sinusoids(amplitude=(2, 3), phase=(0, 1)), 8), (Sinusoids(phase=(0, 6.28)), 20)):
        hidden = family.sample(tasks, shots=1, queries=1, generator=generator).hidden
        cases.append((sine(x, hidden["amplitude"][:, None], hidden["phase"][:, None]) + 0.5,))
    return cases


def floor(curves):
    best = curves.mean(0)
    return (curves - best).square().mean()


def floor_by_variance(curves):
    return curves.var(0, correction=0).mean()


def always_zero(curves):
    return curves.square().mean()


def standard_deviation(curves):
    return curves.std(0, correction=0).mean()


def over_positions(curves):
    return curves.var(1, correction=0).mean()


def best_constant(curves):
    return curves.var(correction=0)


def one_less(curves):
    return curves.var(0).mean()


EXERCISES = (
    Exercise(
        id="01.split",
        title="one task, two sets",
        minutes=4,
        difficulty=1,
        cases=points_of_tasks,
        solution=split,
        others=(split_after_shuffling,),
        mistakes=(
            Mistake("overlap", overlapping, says_overlap, "Why the query points are other points"),
            Mistake("all_query", everything_is_query, lambda n: says_overlap(n) + ". Besides, your query points are not in the order of `order`",
                    "Why the query points are other points"),
            Mistake("unshuffled", unshuffled, lambda n: f"You took the first {len(n.right[0])} points as they lie. They are sorted here, so your support "
                    f"set ends at x = {n.result[0].max():.2f} and never sees the rest. `order` spreads it, up to {n.right[0].max():.2f}", "One task, two sets"),
            Mistake("too_small", one_too_few, lambda n: f"Your support set has {len(n.result[0])} points where shots = {len(n.right[0])}. "
                    "A slice `order[:k]` holds k items", "One task, two sets"),
            Mistake("swapped", swapped, lambda n: f"Your support set has {len(n.result[0])} points and your query set {len(n.result[2])}: they are swapped. "
                    f"The learner may look at {len(n.right[0])}", "One task, two sets"),
            Mistake("torn_apart", torn_apart, "You shuffled x and left y as it was, so a point gets the answer of another: {got:.2f} where {wanted:.2f} "
                    "belongs. Use the same places for both", "One task, two sets"),
        ),
        hints=("`order` is a random order of the places 0, 1, 2, ... Which part of it says where the support points are?",
               "`x[order[:shots]]` are the support inputs. The places that remain are `order[shots:]`; take the same places of y."),
    ),
    Exercise(
        id="01.relabel",
        title="class numbers for one episode",
        minutes=6,
        difficulty=2,
        cases=labelled_items,
        solution=relabel,
        others=(relabel_by_comparing,),
        mistakes=(
            Mistake("global", global_numbers, lambda n: f"You kept the global names: {int(n.got)} stands where the episode has {int(n.wanted)}. "
                    f"A learner with {len(n.inputs[0])} outputs has no output {int(n.result[0].max())}", "Way and shot"),
            Mistake("by_size", by_size, says_by_size, "Why the numbers are reshuffled"),
            Mistake("separate", each_set_for_itself, says_separate, "Way and shot"),
            Mistake("support_order", in_order_of_the_support, lambda n: "You number classes in the order in which they come up in the support set: "
                    f"class {int(n.inputs[1][0])} gets {int(n.result[0][0])}, and `names` gives it {int(n.right[0][0])}", "Way and shot"),
            Mistake("by_item", one_number_an_item, lambda n: f"You numbered items, not classes: the {len(n.inputs[1])} support items got the numbers up to "
                    f"{int(n.result[0].max())}, and there are only {len(n.inputs[0])} classes", "Way and shot"),
        ),
        hints=("Make one table from name to number, and use it for both sets. The place of a name in `names` is its number.",
               "`number = {name: n for n, name in enumerate(names.tolist())}` is that table; `torch.tensor([number[s] for s in support.tolist()])` uses it."),
    ),
    Exercise(
        id="01.floor",
        title="the best that one function can do",
        minutes=6,
        difficulty=2,
        cases=grids_of_curves,
        solution=floor,
        others=(floor_by_variance,),
        tolerance=1e-5,
        mistakes=(
            Mistake("zero", always_zero, "{got:.3f} is the error of always answering zero. A better single function answers, at each x, the mean of the "
                    "tasks there: {wanted:.3f}", "One function cannot fit them all"),
            Mistake("standard_deviation", standard_deviation, "You averaged standard deviations and got {got:.3f}. A mean *squared* error is a variance: "
                    "{wanted:.3f}", "What the best single function costs"),
            Mistake("over_positions", over_positions, "You took the variance along x, within each task, and got {got:.3f}: how much one wave swings. The floor "
                    "is how much the tasks disagree at the same x: {wanted:.3f}", "What the best single function costs"),
            Mistake("constant", best_constant, "You took one variance over everything: {got:.3f} is the error of the best *constant*. A function may answer "
                    "differently at each x, which brings it down to {wanted:.3f}", "What the best single function costs"),
            Mistake("one_less", one_less, "{got:.3f} divides by the number of tasks minus one, as `torch.var` does when it estimates the variance of a larger "
                    "population. The error on these tasks is {wanted:.3f}: `correction=0`", "What the best single function costs"),
        ),
        hints=("At one x the tasks say different things. Which single answer has the smallest mean squared error there, and how large is that error?",
               "The best answers are `curves.mean(0)`. Subtract them, square, and take the mean over everything."),
    ),
)
