"""Comparing results: tensors, numbers, and tuples, lists, dicts or dataclasses of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Made:
    """A result, its gradients with respect to the inputs (if asked for), and the inputs that were
    changed in place, by name."""

    result: Any
    gradients: list
    changed: dict


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every tensor, number or other plain value inside `value`, with the path that leads to it."""
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            yield from leaves(value[key], f"{path}[{key!r}]")
    elif isinstance(value, (tuple, list)):
        for place, item in enumerate(value):
            yield from leaves(item, f"{path}[{place}]")
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from leaves(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, torch.nn.Module):
        for name, item in value.state_dict(keep_vars=True).items():
            yield f"{path}.{name}", item
    else:
        yield path, value


def paths(value: Any) -> list[str]:
    return [path for path, _ in leaves(value)]


def pairs(a: Any, b: Any) -> Iterator[tuple[str, Any, Any]]:
    """(path, leaf of a, leaf of b), as far as both go."""
    for (path, x), (_, y) in zip(leaves(a), leaves(b), strict=False):
        yield path, x, y


def tensors(value: Any) -> list[torch.Tensor]:
    return [leaf for _, leaf in leaves(value) if isinstance(leaf, torch.Tensor)]


def is_number(leaf: Any) -> bool:
    """A float, int, bool or 0-d tensor: one is as good as the other."""
    return (
        isinstance(leaf, (bool, int, float))
        or isinstance(leaf, torch.Tensor)
        and leaf.ndim == 0
        or (type(leaf).__module__ == "numpy" and getattr(leaf, "shape", None) == ())
    )


def wide(leaf: Any) -> torch.Tensor:
    """The leaf as float64 on the CPU, without its graph."""
    return (
        leaf.detach().to("cpu", torch.float64)
        if isinstance(leaf, torch.Tensor)
        else torch.tensor(float(leaf), dtype=torch.float64)
    )


def comparable(a: Any, b: Any) -> bool:
    return (
        is_number(a)
        and is_number(b)
        or isinstance(a, torch.Tensor)
        and isinstance(b, torch.Tensor)
        and a.shape == b.shape
    )


def same_leaf(a: Any, b: Any, tolerance: float) -> bool:
    if comparable(a, b):
        return torch.allclose(wide(a), wide(b), rtol=tolerance, atol=tolerance, equal_nan=True)
    if isinstance(a, torch.Tensor) or isinstance(b, torch.Tensor) or is_number(b):
        return False
    try:
        return bool(a == b)
    except Exception:
        return a is b


def same_values(a: Any, b: Any, tolerance: float) -> bool:
    """Same structure (a list is as good as a tuple), same shapes, close values."""
    return paths(a) == paths(b) and all(same_leaf(x, y, tolerance) for _, x, y in pairs(a, b))


def same(a: Any, b: Any, tolerance: float) -> bool:
    """Do two outcomes agree: results, gradients (if asked for), changed inputs; or the same
    error?"""
    if not (isinstance(a, Made) and isinstance(b, Made)):
        errors = getattr(a, "error", None), getattr(b, "error", None)
        return (
            None not in errors
            and type(errors[0]) is type(errors[1])
            and str(errors[0]) == str(errors[1])
        )
    return all(
        same_values(getattr(a, part), getattr(b, part), tolerance)
        for part in ("result", "gradients", "changed")
    )


def detached(result: Any, right: Any) -> str | None:
    """The path of a tensor that has lost its graph where the right one has it."""
    for path, a, b in pairs(result, right):
        if (
            isinstance(b, torch.Tensor)
            and b.requires_grad
            and not (isinstance(a, torch.Tensor) and a.requires_grad)
        ):
            return path or "the result"
    return None


def gradients(result: Any, case: Any) -> list[torch.Tensor]:
    """The gradient of a fixed weighted sum of the results, with respect to each input that requires
    one (zeros where none flows)."""
    inputs = [t for t in tensors(case) if t.requires_grad and t.is_leaf]
    outputs = [t for t in tensors(result) if t.requires_grad]
    if not outputs or not inputs:
        return [torch.zeros_like(t) for t in inputs]
    total = sum(
        (t * torch.arange(1.0, t.numel() + 1).cos().to(t).reshape(t.shape)).sum() for t in outputs
    )
    return (
        list(torch.autograd.grad(total, inputs, allow_unused=True, materialize_grads=True))
        if total.requires_grad
        else []
    )


def changed(case: Any, pristine: Any) -> dict[str, torch.Tensor]:
    """The inputs that no longer equal their untouched twins."""
    return {
        path: after.detach().clone()
        for path, after, before in pairs(case, pristine)
        if isinstance(after, torch.Tensor) and not same_leaf(after, before, 0.0)
    }


def furthest(got: Made, wanted: Made) -> tuple[float, float]:
    """The two numbers that differ most, in the results or else in the gradients or the changed
    inputs."""
    best, gap = (math.nan, math.nan), -1.0
    for part in ("result", "gradients", "changed"):
        for _, a, b in pairs(getattr(got, part), getattr(wanted, part)):
            if not comparable(a, b) or not wide(b).numel():
                continue
            difference = (wide(a) - wide(b)).abs().nan_to_num(math.inf).flatten()
            place = int(difference.argmax())
            if float(difference[place]) > gap:
                gap, best = (
                    float(difference[place]),
                    (float(wide(a).flatten()[place]), float(wide(b).flatten()[place])),
                )
        if gap > 0:
            break
    return best


def any_of(*functions: Callable) -> Callable[[list], bool]:
    """Does the reader's function do in every case what one of these does? For `seen`: several forms
    of one mistake."""

    def made(function, inputs):
        try:
            return function(*inputs)
        except Exception as error:
            return error

    def fits(result, other):
        if isinstance(result, Exception) or isinstance(other, Exception):
            return type(result) is type(other) and str(result) == str(other)
        return same_values(result, other, 1e-4)

    return lambda runs: any(
        all(fits(result, made(function, inputs)) for inputs, result in runs)
        for function in functions
    )
