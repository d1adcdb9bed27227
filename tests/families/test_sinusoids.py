"""The family of sine waves: what is drawn, and the two yardsticks without adaptation."""

import math

import pytest
import torch
from toys import DEVICES

from course_lib.families import Sinusoids
from course_lib.families.sinusoids import sine

# E[A^2] / 2, and what remains of it beside the mean curve -(2 * 2.55 / pi) cos x; by hand from the
# default ranges
ZERO_FUNCTION = (5**3 - 0.1**3) / (3 * 4.9) / 2
BEST_FUNCTION = ZERO_FUNCTION - (2 * 2.55 / math.pi) ** 2 * (0.5 + math.sin(10) / 20)


def draw(tasks=4000, shots=5, queries=5, seed=0, **ranges):
    family = Sinusoids(**ranges)
    return family.sample(tasks, shots=shots, queries=queries, generator=family.generator(seed))


@pytest.mark.parametrize(
    "ranges",
    [
        {"amplitude": (0.1, 5.0), "phase": (0.0, math.pi), "x": (-5.0, 5.0)},
        {"amplitude": (2.0, 2.5), "phase": (-1.0, 0.5), "x": (0.0, 0.1)},
    ],
)
def test_amplitude_phase_and_x_fill_their_ranges_evenly(ranges):
    episode = draw(**ranges)
    x = torch.cat([episode.support_x, episode.query_x], dim=1).flatten()
    for name, values in {**episode.hidden, "x": x}.items():
        low, high = ranges[name]
        unit = ((values - low) / (high - low)).double()
        assert -1e-6 <= unit.min() < 0.01 and 0.99 < unit.max() <= 1 + 1e-6
        five_errors = 5 / math.sqrt(12 * len(unit))
        assert abs(unit.mean() - 0.5) < five_errors
        assert abs(unit.var() - 1 / 12) < five_errors


def test_y_is_the_sine_of_its_own_task_and_shapes_are_as_said():
    episode = draw(tasks=7, shots=3, queries=4)
    amplitude, phase = episode.hidden["amplitude"], episode.hidden["phase"]
    assert amplitude.shape == phase.shape == (7,)
    for i, (support_x, support_y, query_x, query_y) in enumerate(episode):
        assert support_x.shape == support_y.shape == (3, 1) and query_x.shape == query_y.shape == (
            4,
            1,
        )
        torch.testing.assert_close(support_y, amplitude[i] * torch.sin(support_x - phase[i]))
        torch.testing.assert_close(query_y, amplitude[i] * torch.sin(query_x - phase[i]))


def test_the_same_seed_gives_the_same_tasks_and_another_seed_others():
    one, again, other = draw(seed=5), draw(seed=5), draw(seed=6)
    assert all(
        getattr(one, name).equal(getattr(again, name))
        for name in ("support_x", "support_y", "query_x", "query_y")
    )
    assert not one.support_x.equal(other.support_x)


def test_no_point_is_in_support_and_query_of_a_task():
    episode = draw(shots=10, queries=20)
    assert not (episode.support_x == episode.query_x.transpose(1, 2)).any()


@pytest.mark.parametrize("device", DEVICES)
def test_everything_is_made_on_the_device_of_the_family(device):
    family = Sinusoids(device=device)
    episode = family.sample(2, shots=3, queries=4, generator=family.generator(0))
    tensors = [
        episode.support_x,
        episode.support_y,
        episode.query_x,
        episode.query_y,
        *episode.hidden.values(),
    ]
    assert {tensor.device.type for tensor in tensors} == {device}
    assert family.best_single_function(episode.query_x).device.type == device


def mean_and_error(function, episode):
    """MSE of one function over all tasks, with its standard error."""
    each = (function(episode.query_x) - episode.query_y).square().mean(dim=(1, 2)).double()
    return each.mean().item(), each.std().item() / math.sqrt(len(each))


def test_yardsticks_are_4_25_for_zero_and_3_01_for_the_best_function():
    assert (round(ZERO_FUNCTION, 2), round(BEST_FUNCTION, 2)) == (4.25, 3.01)
    episode = draw(tasks=60_000, shots=1, queries=20)
    for function, exact in (
        (torch.zeros_like, ZERO_FUNCTION),
        (Sinusoids().best_single_function, BEST_FUNCTION),
    ):
        mean, error = mean_and_error(function, episode)
        assert error < 0.025
        assert abs(mean - exact) < 3 * error


@pytest.mark.parametrize(
    "change",
    [
        lambda x, y: 0.9 * y,
        lambda x, y: 1.1 * y,
        lambda x, y: y + 0.1,
        lambda x, y: y + 0.1 * x.sin(),
    ],
)
def test_any_change_makes_the_best_single_function_worse(change):
    family = Sinusoids(amplitude=(1.0, 2.0), phase=(0.3, 2.0))
    episode = draw(
        tasks=40_000, shots=1, queries=10, amplitude=family.amplitude, phase=family.phase
    )
    best = mean_and_error(family.best_single_function, episode)[0]
    assert mean_and_error(lambda x: change(x, family.best_single_function(x)), episode)[0] > best


def test_with_one_phase_the_best_function_is_the_sine_of_mean_amplitude():
    x = torch.linspace(-5, 5, 11)
    torch.testing.assert_close(
        Sinusoids(amplitude=(1.0, 3.0), phase=(0.4, 0.4)).best_single_function(x), sine(x, 2.0, 0.4)
    )


@pytest.mark.parametrize("name", ["amplitude", "phase", "x"])
@pytest.mark.parametrize("range_", [(2.0, 1.0), (0.0, float("nan")), (0.0, float("inf"))])
def test_ranges_without_numbers_are_refused(name, range_):
    with pytest.raises(ValueError, match=f"^{name}=.*two finite numbers, the lower one first"):
        Sinusoids(**{name: range_})


@pytest.mark.parametrize("name", ["tasks", "shots", "queries"])
def test_counts_below_one_are_refused(name):
    with pytest.raises(ValueError, match=f"^{name}=0: "):
        draw(**{name: 0})
