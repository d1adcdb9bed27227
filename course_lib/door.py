"""The door for data: what every tensor of an episode must be like before a learner sees it.

A wrong shape would broadcast, a missing class would be scored as a wrong answer, a NaN would be
trained on: without a word. `Episode` looks here, so all methods and all ways refuse the same.
"""

import math

import torch
from torch import Tensor


def tensors_that_fit(part: str, x: Tensor, y: Tensor) -> None:
    """Whether x and y are inputs and targets of the same items.

    Raises:
        ValueError: says what is wrong with which.
    """
    for name, tensor in ((f"{part}_x", x), (f"{part}_y", y)):
        if not isinstance(tensor, Tensor):
            raise ValueError(f"{name} is a {type(tensor).__name__}: write torch.as_tensor(...)")
    if x.ndim < 2 or y.ndim < 2:
        raise ValueError(
            f"{part}: x {tuple(x.shape)} and y {tuple(y.shape)} need (tasks, items, ...): add "
            "[None]"
        )
    if x.shape[:2] != y.shape[:2]:
        raise ValueError(
            f"{part}: x has (tasks, items) {tuple(x.shape[:2])} and y {tuple(y.shape[:2])}: make "
            "them equal"
        )
    if x.shape[1] == 0:
        raise ValueError(f"{part}: the set is empty: it needs at least 1 item")
    if x.shape[0] == 0:
        raise ValueError(f"{part}: there are no tasks: an episode needs at least 1")
    for name, tensor in ((f"{part}_x", x), (f"{part}_y", y)):
        if tensor.is_floating_point() and not finite(tensor):
            raise ValueError(
                f"{name} holds NaN or infinity: mend the task family before training on it"
            )
    if y.is_floating_point() and y.ndim > 2:
        return
    if y.is_floating_point():
        raise ValueError(
            f"{part}_y is {y.dtype} of shape {tuple(y.shape)}: class numbers are int64, write "
            "y.long(); targets of a regression are (tasks, items, outputs), write y[..., None]"
        )
    if y.dtype != torch.long:
        raise ValueError(f"{part}_y is {y.dtype}: class numbers are int64, write y.long()")
    if y.ndim != 2:
        raise ValueError(
            f"{part}_y of shape {tuple(y.shape)}: class numbers are (tasks, items), so it has a "
            "dimension too many"
        )


def finite(tensor: Tensor) -> bool:
    """No NaN and no infinity. The sum is asked first, which is quicker and nearly always enough."""
    return math.isfinite(tensor.detach().sum()) or bool(torch.isfinite(tensor).all())


def alike(letter: str, support: Tensor, query: Tensor) -> None:
    """Whether support and query items are of one kind.

    Raises:
        ValueError: they differ in shape, dtype or device.
    """
    for what, one, other in (
        ("shape of an item", tuple(support.shape[2:]), tuple(query.shape[2:])),
        ("dtype", support.dtype, query.dtype),
        ("device", support.device, query.device),
    ):
        if one != other:
            raise ValueError(
                f"support_{letter} and query_{letter} differ in the {what}: {one} and {other}, "
                "make them equal"
            )


def ways_of(support_y: Tensor, query_y: Tensor, known: int | None = None) -> int | None:
    """N, the number of classes: (T, S) and (T, Q) class numbers -> N; None for regression.

    Args:
        known: N where label words tell it; the support set may then lack some of the classes.

    Raises:
        ValueError: a class number is negative or beyond N - 1, there is one class only, or a task
            lacks a support example of a class.
    """
    if support_y.is_floating_point():
        return None
    ways = int(support_y.max()) + 1 if known is None else known
    for name, y in (("support_y", support_y), ("query_y", query_y)):
        lowest, highest = int(y.min()), int(y.max())
        if lowest < 0:
            raise ValueError(
                f"{name} holds the class number {lowest}: number the classes 0, 1, ..., N - 1 in "
                "every task"
            )
        if highest >= ways and known is not None:
            raise ValueError(
                f"{name} reaches up to class {highest}, and names['labels'] has words for {known}: "
                "give one a class"
            )
        if highest >= ways:
            raise ValueError(
                f"{name} reaches up to class {highest}, and the support sets show classes up to "
                f"{ways - 1}: a learner can only answer classes that it has seen "
                "(course_lib.learners.none_of_these lets it say that it knows none)"
            )
    if ways < 2:
        raise ValueError("all items are of one class: a task needs at least 2 classes")
    if known is None:
        every_class_shown(support_y, ways)
    return ways


def every_class_shown(support_y: Tensor, ways: int) -> None:
    """Whether each task shows each class: (T, S) class numbers below ``ways``.

    Raises:
        ValueError: names a task and a class that it lacks.
    """
    rule = "number the classes 0, 1, ..., N - 1 in every task"
    tasks, items = support_y.shape
    if ways > items:
        raise ValueError(
            f"support_y reaches up to class {ways - 1}, and a task has {items} examples: a class "
            f"has no support example, {rule}"
        )
    shown = torch.zeros(tasks, ways, dtype=torch.bool, device=support_y.device)
    shown.scatter_(1, support_y, True)
    if not shown.all():
        task, missing = (~shown).nonzero()[0].tolist()
        raise ValueError(
            f"class {missing} has no support example in task {task}, and others have: {rule}"
        )
