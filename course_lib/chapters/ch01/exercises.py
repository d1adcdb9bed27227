"""Exercises of chapter 01: splitting a task, numbering classes, and the error of the best single
function."""

import torch

from course_lib.chapters.ch01.mistakes import MORE
from course_lib.classroom.exercises import Exercise, Numbers, told
from course_lib.families import Sinusoids
from course_lib.families.sinusoids import sine

NAMESPACE = {}


def points_of_tasks(generator: torch.Generator) -> list[tuple]:
    """(x, y, shots, order) for tasks of several sizes; the points lie sorted, so that an order
    matters."""
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


def swapped(x, y, shots, order):
    support_x, support_y, query_x, query_y = split(x, y, shots, order)
    return query_x, query_y, support_x, support_y


def bookkeeping(x, result) -> tuple[int, int, int] | None:
    """How many support points come back in the query set, how many query points are support points,
    and how many points are in neither set.

    None if the result is not four tensors with points of the task at the places of x.
    """
    if not (
        isinstance(result, (tuple, list))
        and len(result) == 4
        and all(isinstance(part, torch.Tensor) for part in result)
    ):
        return None
    everything, support, query = (
        set(part.flatten().tolist()) for part in (x, result[0], result[2])
    )
    if not support | query <= everything:
        return None
    return (
        len(support & query),
        sum(q in support for q in result[2].flatten().tolist()),
        len(everything - support - query),
    )


def seen_drawn_twice(pairs: list) -> bool:
    found = [bookkeeping(inputs[0], result) for inputs, result in pairs]
    return None not in found and found[0][0] > 0 and found[0][2] > 0


def seen_leak(pairs: list) -> bool:
    found = [bookkeeping(inputs[0], result) for inputs, result in pairs]
    return None not in found and found[0][0] > 0


def seen_other_split(pairs: list) -> bool:
    """No point twice, none left out, the sizes right, and each point with its own answer."""
    for (x, y, shots, _), result in pairs:
        if (
            bookkeeping(x, result) is None
            or [tuple(p.shape) for p in result] != [(shots, 1)] * 2 + [(len(x) - shots, 1)] * 2
        ):
            return False
        answers = dict(zip(x.flatten().tolist(), y.flatten().tolist(), strict=False))
        given = list(
            zip(
                torch.cat([result[0], result[2]]).flatten().tolist(),
                torch.cat([result[1], result[3]]).flatten().tolist(),
                strict=False,
            )
        )
        if len(dict(given)) != len(x) or any(answers[a] != b for a, b in given):
            return False
    return True


def says_drawn_twice(numbers: Numbers) -> str:
    _, leaked, missing = bookkeeping(numbers.inputs[0], numbers.result)
    return (
        f"{leaked} of your query points are support points too, and {missing} points are in "
        "neither set: you drew twice. Draw once, and cut what you drew in two"
    )


def says_overlap(numbers: Numbers) -> str:
    return (
        f"{bookkeeping(numbers.inputs[0], numbers.result)[0]} of your {len(numbers.result[0])} "
        f"support points are query points too: your query set has {len(numbers.result[2])} "
        f"points, and {len(numbers.right[2])} are left once the support set is taken out. A "
        "learner that only memorises would look good"
    )


def labelled_items(generator: torch.Generator) -> list[tuple]:
    """(names, support, query): global class names of an episode, and the class names of its
    items."""
    cases = []
    for way, shots, queries in ((3, 2, 4), (5, 1, 6), (4, 3, 3)):
        names = torch.randperm(90, generator=generator)[:way] + 10
        if names.argmin() == 0:
            names = names.roll(1)  # so that the order of the names is never the order of their size
        support = names.repeat_interleave(shots)[torch.randperm(way * shots, generator=generator)]
        query = names[
            torch.randint(1, way, (queries,), generator=generator)
        ]  # the class with number 0 never comes
        cases.append((names, support, query))
    return cases


def relabel(names, support, query):
    number = {name: n for n, name in enumerate(names.tolist())}
    return torch.tensor([number[s] for s in support.tolist()]), torch.tensor(
        [number[q] for q in query.tolist()]
    )


def relabel_by_comparing(names, support, query):
    return (support[:, None] == names).int().argmax(1), (query[:, None] == names).int().argmax(1)


def by_size(names, support, query):
    ordered = names.sort().values
    return torch.searchsorted(ordered, support), torch.searchsorted(ordered, query)


def by_first_appearance(items, known=()):
    number = {name: n for n, name in enumerate(known)}
    return torch.tensor([number.setdefault(item, len(number)) for item in items.tolist()])


def in_order_of_the_support(names, support, query):
    seen = list(dict.fromkeys(support.tolist()))
    return by_first_appearance(support, seen), by_first_appearance(query, seen)


def modulo(names, support, query):
    return support % len(names), query % len(names)


def tensor_keys(names, support, query):
    number = {name: n for n, name in enumerate(names)}
    return torch.tensor([number[s] for s in support]), torch.tensor([number[q] for q in query])


def seen_two_lists(pairs: list) -> bool:
    return all(
        isinstance(result, (tuple, list))
        and len(result) == 2
        and all(isinstance(part, list) for part in result)
        for _, result in pairs
    )


def seen_tensor_keys(pairs: list) -> bool:
    return all(isinstance(result, KeyError) for _, result in pairs)


def seen_wrong_way(pairs: list) -> bool:
    return all(
        isinstance(result, IndexError) and "out of bounds" in str(result) for _, result in pairs
    )


def says_separate(numbers: Numbers) -> str:
    names, support, query = numbers.inputs
    gave, number = (
        numbers.result,
        dict(zip(support.tolist(), numbers.result[0].tolist(), strict=False)),
    )
    name, other = next(
        (q, n) for q, n in zip(query.tolist(), gave[1].tolist(), strict=False) if number[q] != n
    )
    return (
        f"You number support and query separately: class {name} is {number[name]} in your support "
        f"set and {other} in your query set. One table of numbers must serve both"
    )


def says_by_size(numbers: Numbers) -> str:
    names = numbers.inputs[0].tolist()
    return (
        f"Your numbers follow the size of the names: class {min(names)} gets 0, because no name "
        f"is smaller. `names` gives 0 to {names[0]}. "
        "Numbers that never change can be memorised without looking at the support set"
    )


def grids_of_curves(generator: torch.Generator) -> list[tuple]:
    """(tasks, positions): curves of tasks on one grid, for three families."""
    x = torch.linspace(-5, 5, 41)
    cases = []
    for family, tasks in (
        (Sinusoids(), 50),
        (Sinusoids(amplitude=(2, 3), phase=(0, 1)), 8),
        (Sinusoids(phase=(0, 6.28)), 20),
    ):
        hidden = family.sample(tasks, shots=1, queries=1, generator=generator).hidden
        cases.append((sine(x, hidden["amplitude"][:, None], hidden["phase"][:, None]) + 0.5,))
    return cases


def floor(curves):
    best = curves.mean(0)
    return (curves - best).square().mean()


def floor_by_variance(curves):
    return curves.var(0, correction=0).mean()


def root(curves):
    return floor(curves).sqrt()


def absolute(curves):
    return (curves - curves.mean(0)).abs().mean()


def median(curves):
    return (curves - curves.median(0).values).square().mean()


EXERCISES = (
    Exercise(
        "01.split",
        solution=split,
        cases=points_of_tasks,
        others=(split_after_shuffling,),
        read="One task, two sets",
        mistakes={
            "x[order[:shots]], y[order[:shots]], x[order], y[order]": told(
                says_overlap, read="Why the query points are other points"
            ),
            "x[order[:shots]], y[order[:shots]], x, y": told(
                lambda n: (
                    says_overlap(n) + ". Besides, your query points are not in the order of `order`"
                ),
                read="Why the query points are other points",
            ),
            "x[:shots], y[:shots], x[shots:], y[shots:]": lambda n: (
                f"You took the first {len(n.right[0])} points as they lie. They are sorted here, "
                f"so your support set ends at x = {n.result[0].max():.2f} and never sees the "
                f"rest. `order` spreads it, up to {n.right[0].max():.2f}"
            ),
            "split(x, y, shots - 1, order)": lambda n: (
                f"Your support set has {len(n.result[0])} points where shots = {len(n.right[0])}. "
                "A slice `order[:k]` holds k items"
            ),
            "x[order < shots], y[order < shots], x[order >= shots], y[order >= shots]": (
                "`order < shots` compares the places themselves, so it marks where the small "
                "places happen to stand. `order` holds places: index with it, `x[order[:shots]]`"
            ),
            swapped: lambda n: (
                f"Your support set has {len(n.result[0])} points and your query set "
                f"{len(n.result[2])}: they are swapped. The learner may look at {len(n.right[0])}"
            ),
            "x[order[:shots]], y[:shots], x[order[shots:]], y[shots:]": (
                "You shuffled x and left y as it was, so a point gets the answer of another: "
                "{got:.2f} where {wanted:.2f} belongs. Use the same places for both"
            ),
            "order[:shots], order -> torch.randperm(len(x))[:shots], torch.randperm(len(x))": told(
                says_drawn_twice,
                read="Why the query points are other points",
                seen=seen_drawn_twice,
            ),
            "shots: -> shots - 1 :": told(
                lambda n: says_overlap(n) + ". Cut `order` at one place",
                read="Why the query points are other points",
                seen=seen_leak,
            ),
            "split(x, y, shots, order.flip(0))": told(
                "A valid split, but the checks compare in the order of `order`: its first "
                "`shots` places are support, and the others are query, as they stand in `order`",
                seen=seen_other_split,
            ),
            **MORE["split"],
        },
    ),
    Exercise(
        "01.relabel",
        solution=relabel,
        cases=labelled_items,
        others=(relabel_by_comparing,),
        read="Why class numbers are reshuffled",
        mistakes={
            "tuple(numbers.tolist() for numbers in relabel(names, support, query))": told(
                "Your two results are lists; two tensors are wanted. Wrap each in "
                "`torch.tensor(...)`",
                seen=seen_two_lists,
            ),
            tensor_keys: told(
                "A name was not found in your table. If its keys are tensors, that is why: a "
                "dict takes two tensors for two keys, even when they hold the same number. "
                "`.tolist()` makes plain numbers of `names`, `support` and `query`",
                seen=seen_tensor_keys,
            ),
            "names[support], names[query]": told(
                lambda n: (
                    "`names[...]` asks for the name that stands at a place, and class "
                    f"{int(n.inputs[1].max())} is no place among {len(n.inputs[0])} names. You "
                    "need the other direction: from a name to its place"
                ),
                seen=seen_wrong_way,
            ),
            "tuple(numbers + 1 for numbers in relabel(names, support, query))": (
                "You count from 1: {got:.0f} stands where {wanted:.0f} belongs. The first name "
                "in `names` gets 0"
            ),
            "support % len(names), query % len(names)": lambda n: (
                f"You took the name modulo {len(n.inputs[0])}. That is a number below "
                f"{len(n.inputs[0])}, but two classes "
                "can get the same one, and it has nothing to do with the place in `names`"
            ),
            "support.unique(return_inverse=True)[1], query.unique(return_inverse=True)[1]": told(
                lambda n: (
                    "`unique` numbers the names by their size, and within each set for itself: "
                    f"{len(n.inputs[1].unique())} different ones in the support set, "
                    f"{len(n.inputs[2].unique())} in the query set. One table, from `names`, "
                    "must serve both"
                ),
                read="Why class numbers are reshuffled",
            ),
            "support, query": lambda n: (
                f"You kept the global names: {int(n.got)} stands where the episode has "
                f"{int(n.wanted)}. "
                f"A learner with {len(n.inputs[0])} outputs has no output {int(n.result[0].max())}"
            ),
            by_size: told(says_by_size, read="Why class numbers are reshuffled"),
            "by_first_appearance(support), by_first_appearance(query)": says_separate,
            in_order_of_the_support: lambda n: (
                "You number classes in the order in which they come up in the support set: "
                f"class {int(n.inputs[1][0])} gets {int(n.result[0][0])}, and `names` gives it "
                f"{int(n.right[0][0])}"
            ),
            "torch.arange(len(support)), torch.arange(len(query))": lambda n: (
                f"You numbered items, not classes: the {len(n.inputs[1])} support items got the "
                "numbers up to "
                f"{int(n.result[0].max())}, and there are only {len(n.inputs[0])} classes"
            ),
            **MORE["relabel"],
        },
    ),
    Exercise(
        "01.floor",
        solution=floor,
        cases=grids_of_curves,
        others=(floor_by_variance,),
        tolerance=1e-5,
        read="Why no function can do better",
        mistakes={
            "curves.square().mean()": told(
                "{got:.3f} is the error of always answering zero. A better single function "
                "answers, at each x, the mean of the tasks there: {wanted:.3f}",
                read="One function cannot fit them all",
            ),
            "curves.std(0, correction=0).mean()": (
                "You averaged standard deviations and got {got:.3f}. A mean *squared* error is "
                "a variance: {wanted:.3f}"
            ),
            "floor(curves).sqrt()": (
                "You took the root: {got:.3f} is an error in units of y. The mean squared error "
                "itself is {wanted:.3f}"
            ),
            "(curves - curves.mean(0)).abs().mean()": (
                "{got:.3f} is the mean *absolute* error of the right curve. The exercise asks "
                "for the squared one: {wanted:.3f}"
            ),
            "(curves - curves.median(0).values).square().mean()": told(
                "You took the median of the tasks at each x, and got {got:.3f}. It is best for "
                "absolute errors; for squared ones the mean is, with {wanted:.3f}",
                read="One function cannot fit them all",
            ),
            "curves.mean(0)": lambda n: (
                f"You returned a curve of {n.result.numel()} places. This is the best curve; its "
                "error is asked: one number"
            ),
            "curves.var(1, correction=0).mean()": (
                "You took the variance along x, within each task, and got {got:.3f}: how much one "
                "wave swings. The floor is how much the tasks disagree at the same x: {wanted:.3f}"
            ),
            "curves.var(correction=0)": (
                "You took one variance over everything: {got:.3f} is the error of the best "
                "*constant*. A function may answer differently at each x, which brings it down "
                "to {wanted:.3f}"
            ),
            "curves.var(0).mean()": (
                "{got:.3f} divides by the number of tasks minus one, as `torch.var` does when "
                "it estimates the variance of a larger population. The error on these tasks is "
                "{wanted:.3f}: `correction=0`"
            ),
            **MORE["floor"],
        },
    ),
)
