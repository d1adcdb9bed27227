"""What an outer step on Conv-4 will cost, before it is paid: 5-way 1-shot, second order and what
is cheaper.

Operations are counted by a formula and are exact. Bytes come from four measured constants, seconds
from the speed of the machine that measured `price_curves`. Tests compare operations and bytes with
torch's counters.
"""

from dataclasses import dataclass
from functools import lru_cache

from course_lib.chapters import named_run

WAYS = ("second order", "first order", "head only", "checkpointed", "forward over reverse")
CLASSES = 5
MAPS = (784, 196, 49, 9)  # pixels of the four blocks' feature maps
# bytes a picture and channel, counted on Conv-4 with 64 channels by `peak_memory`
FORWARD = 19.9e3  # a forward pass with its graph
STEP = 39.7e3  # the same, and the graph of its gradient
PRODUCT = {"checkpointed": 51e3, "forward over reverse": 100e3}  # one Hessian-vector product


@dataclass(frozen=True)
class Price:
    """Of one outer step.

    Args:
        operations: floating-point, of convolutions and matrix products.   seconds: on the machine
            of the shipped file, one core.   megabytes: of tensors, at the worst moment.
    """

    operations: float
    seconds: float
    megabytes: float


def parameters_of(channels: int) -> int:
    """How many parameters Conv-4 has: convolutions with biases, batch norm, head."""
    convolutions = 9 * channels + 3 * 9 * channels**2 + 4 * channels
    return convolutions + 4 * 2 * channels + CLASSES * channels + CLASSES


def operations_of(channels: int) -> dict[str, float]:
    """For one picture: a forward pass, a gradient, and a Hessian-vector product in two ways. With F
    all layers and first the first convolution, which needs no gradient for the picture."""
    first = 18 * channels * MAPS[0]
    forward = first + 18 * channels**2 * sum(MAPS[1:]) + 2 * channels * CLASSES
    gradient = 3 * forward - first
    return {
        "forward": forward,
        "gradient": gradient,
        "double backward": 9 * forward - 4 * first,  # the gradient in it
        "forward over reverse": 3 * gradient,  # the gradient in it
    }


def operations(way: str, k: int, tasks: int, channels: int, queries: int) -> float:
    """Of one outer step: support pictures k times, query pictures once."""
    of, asked = operations_of(channels), CLASSES * queries
    gradient, twice = of["gradient"], of["double backward"]
    step, query = {
        "second order": (twice, gradient),
        "first order": (gradient, gradient),
        "head only": (gradient, gradient),
        "checkpointed": (2 * gradient + twice, of["forward"] + gradient),
        "forward over reverse": (
            2 * gradient + of["forward over reverse"],
            of["forward"] + gradient,
        ),
    }[way]
    return tasks * (k * CLASSES * step + asked * query)


def megabytes(way: str, k: int, tasks: int, channels: int, queries: int) -> float:
    """Of tensors at the worst moment of one outer step."""
    phi, asked = 4 * parameters_of(channels), CLASSES * queries
    query, support = asked * channels * FORWARD, CLASSES * channels
    if way == "second order":
        held = tasks * (k * (support * STEP + 2 * phi) + query)
    elif way == "first order":
        held = tasks * (k * phi + query)
    elif way == "head only":
        held = tasks * (k * support * FORWARD + query)
    else:
        held = max(query, support * PRODUCT[way]) + k * phi
    return held / 1e6


@lru_cache(maxsize=1)
def speeds() -> dict[str, float]:
    """Operations a second by way, of the machine of the shipped file: Conv-4, 8 steps."""
    run = named_run("price_curves")
    tensors, at = run.tensors(), list(run.about()["steps"]).index(8)
    return {
        way: (tensors[f"operations/Conv-4/{way}"][at] / tensors[f"seconds/Conv-4/{way}"][at]).item()
        for way in WAYS
    }


def price_of(way: str, k: int, tasks: int, channels: int, queries: int) -> Price:
    """The price of one outer step.

    Args:
        way: one of WAYS.   k: inner steps.   queries: a class.

    Raises:
        ValueError: there is no such way.
    """
    if way not in WAYS:
        raise ValueError(f"way={way!r}: choose one of {', '.join(WAYS)}")
    settings = (way, k, tasks, channels, queries)
    count = operations(*settings)
    return Price(count, count / speeds()[way], megabytes(*settings))
