"""Which optimisers ``higher`` 0.2.1 follows rightly in the inner loop, and which of their settings.

It takes some settings without a word and without effect, and gives a wrong gradient for others. A
test compares every setting that is left with finite differences.
"""

import math

import torch
from torch import Tensor, nn

# what each one reads as a number, and so can learn
NUMBERS = {
    torch.optim.SGD: ("lr", "momentum", "dampening", "weight_decay"),
    torch.optim.Adam: ("lr", "eps", "weight_decay"),
    torch.optim.RMSprop: ("lr", "alpha", "eps", "momentum", "weight_decay"),
    torch.optim.Adagrad: ("lr", "lr_decay", "eps", "weight_decay"),
}
# what each one reads too, but follows wrongly (beta2, by a square root outside of the graph) or as
# a switch; RMSprop's centered is not here, because its gradient is NaN where a gradient is 0
FIXED = {
    torch.optim.SGD: ("nesterov",),
    torch.optim.Adam: ("betas", "amsgrad"),
    torch.optim.RMSprop: (),
    torch.optim.Adagrad: (),
}
OFF_AT_ZERO = ("momentum", "weight_decay")  # looked at only where it is not 0


def check_optimizer(inner_optimizer, override: dict | None, way: str) -> None:
    """Refuse what ``higher`` would take wrongly or without a word.

    Raises:
        ValueError: says what to use instead.
    """
    plain = inner_optimizer is torch.optim.SGD and override is None
    if way != "higher" and not plain:
        raise ValueError(
            f"way={way!r} takes plain gradient steps: for another inner optimiser or override use "
            "way='higher'"
        )
    if inner_optimizer not in NUMBERS:
        name = getattr(inner_optimizer, "__name__", inner_optimizer)
        raise ValueError(
            f"higher cannot differentiate through {name}: use torch.optim.SGD or torch.optim.Adam"
        )
    if not isinstance(override, dict | None):
        raise ValueError(f"override={override!r}: give a table, such as {{'lr': [rate]}}")
    for key, values in (override or {}).items():
        check_setting(inner_optimizer, key, values)
    numbers = {key: plain_number(values[0]) for key, values in (override or {}).items()}
    if numbers.get("dampening") and not numbers.get("momentum"):
        raise ValueError("override['dampening'] has no effect without momentum: give both")
    try:
        # torch knows the range of each
        inner_optimizer([torch.zeros(1)], **{"lr": 0.1} | numbers)
    except (ValueError, TypeError) as error:
        raise ValueError(f"override: {error}") from None


def plain_number(value):
    """A setting without its graph: a number, a switch, or a pair of numbers."""
    if isinstance(value, tuple):
        return tuple(plain_number(one) for one in value)
    return value.item() if isinstance(value, Tensor) else value


def check_setting(inner_optimizer, key: str, values) -> None:
    """One setting of an override.

    Raises:
        ValueError: it has no effect, cannot be learned, or is not a list of one value.
    """
    name = inner_optimizer.__name__
    choices = sorted(NUMBERS[inner_optimizer] + FIXED[inner_optimizer])
    if key not in inner_optimizer([torch.zeros(1)], lr=0.1).defaults:
        raise ValueError(f"override key {key!r} is no setting of {name}: choose from {choices}")
    if key not in choices:
        raise ValueError(
            f"override key {key!r} has no effect on {name} in higher: choose from {choices}"
        )
    if not isinstance(values, (list, tuple)) or len(values) != 1:
        raise ValueError(f"override[{key!r}]={values!r}: give a list of one value, [{key}]")
    for value in flat(values):
        if not isinstance(value, int | float | Tensor):
            raise ValueError(f"override[{key!r}] holds {value!r}: give a number or a tensor of one")
        if isinstance(value, Tensor) and value.numel() != 1:
            raise ValueError(
                f"override[{key!r}] holds a tensor of {value.numel()} numbers: give one number"
            )
        if not math.isfinite(value):
            raise ValueError(f"override[{key!r}] holds NaN or infinity: give finite numbers")
        if not (isinstance(value, Tensor) and value.requires_grad):
            continue
        if key in FIXED[inner_optimizer]:
            raise ValueError(
                f"override[{key!r}] is to be learned, and higher gives a wrong gradient for it: "
                "give it as a number"
            )
        if key in OFF_AT_ZERO and not value.detach().any():
            raise ValueError(
                f"override[{key!r}] is to be learned and starts at 0, where higher does not look "
                "at it and it would stay: start a little above 0"
            )


def flat(values) -> list:
    """The values of a setting, those of pairs such as betas too."""
    return [one for value in values for one in (value if isinstance(value, tuple) else [value])]


def learned(override: dict | None) -> list[nn.Parameter]:
    """The parameters among the values of an override."""
    values = [value for setting in (override or {}).values() for value in flat(setting)]
    return [value for value in values if isinstance(value, nn.Parameter)]


def plain_numbers(override: dict | None) -> dict | None:
    """The tensors of an override as lists of numbers, to be compared and stored."""
    return override and {
        key: [torch.as_tensor(value).tolist() for value in values]
        for key, values in override.items()
    }
