"""Pictures altered one by one: each part does what it says, and none of them does nothing at
all."""

import pytest
import torch

from course_lib.families import Strokes
from course_lib.families.altered import GRIDS, Altered
from course_lib.training.evaluation import test_episodes

SIDE, MIDDLE = 28, 13.5
PIXELS = torch.arange(SIDE, dtype=torch.float32)
ALL = dict(size=1.3, place=0.08, blur=1.0, coarse=0.3, faint=0.2)


@pytest.fixture(scope="module")
def family():
    return Strokes(ways=3, scripts=4, characters=5)


def squares(n: int, side: int = 10) -> torch.Tensor:
    """n times the same square of ink in the middle of the paper."""
    x = torch.zeros(n, 1, SIDE, SIDE)
    edge = (SIDE - side) // 2
    x[:, :, edge : edge + side, edge : edge + side] = 1
    return x


def altered(family, n: int = 200, x=None, seed: int = 0, **parts) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return Altered(family, **parts).alter(squares(n) if x is None else x, generator)


def centre(x) -> torch.Tensor:
    """The middle of the ink, down and across: (n, 2)."""
    ink = x[:, 0] / x[:, 0].sum((1, 2), keepdim=True)
    return torch.stack([(ink.sum(2) * PIXELS).sum(1), (ink.sum(1) * PIXELS).sum(1)], dim=1)


def extent(x) -> torch.Tensor:
    """The spread of the ink, down and across, as the side of a full square would have it: (n,
    2)."""
    ink, at = x[:, 0] / x[:, 0].sum((1, 2), keepdim=True), centre(x)
    spread = [
        (ink.sum(axis) * (PIXELS - at[:, i : i + 1]).square()).sum(1)
        for i, axis in enumerate((2, 1))
    ]
    return (12 * torch.stack(spread, dim=1)).sqrt()


# --- episodes -------------------------------------------------------------------------------------


def test_off_is_the_family_bit_for_bit_and_for_all_that_follows(family):
    one, other = (torch.Generator().manual_seed(3) for _ in range(2))
    for _ in range(2):
        plain = family.sample(2, shots=1, queries=2, generator=one)
        same = Altered(family).sample(2, shots=1, queries=2, generator=other)
        assert all(a.equal(b) for a, b in zip(plain.four, same.four, strict=True))


def test_pictures_change_and_all_else_stays(family):
    plain = test_episodes(family, 4, shots=1, queries=2, seed=3)
    other = test_episodes(Altered(family, **ALL), 4, shots=1, queries=2, seed=3)
    assert other.support_x.shape == plain.support_x.shape == (4, 3, 1, 28, 28)
    assert other.query_x.shape == plain.query_x.shape == (4, 6, 1, 28, 28)
    assert other.support_y.equal(plain.support_y) and other.query_y.equal(plain.query_y)
    assert other.names["classes"].equal(plain.names["classes"])
    for before, after in ((plain.support_x, other.support_x), (plain.query_x, other.query_x)):
        assert after.dtype == before.dtype and 0 <= after.min() and after.max() <= 1
        assert ((before - after).flatten(2).abs().amax(2) > 0.05).all()


def test_a_seed_gives_the_same_pictures_again(family):
    with_seed = [
        test_episodes(Altered(family, **ALL), 3, shots=1, queries=1, seed=seed).support_x
        for seed in (5, 5, 6)
    ]
    assert with_seed[0].equal(with_seed[1]) and not with_seed[0].equal(with_seed[2])


def test_every_picture_is_altered_by_itself(family):
    x = altered(family, **ALL)
    assert len(x.flatten(1).unique(dim=0)) == len(x)


def test_the_settings_say_how_much(family):
    one = Altered(family, **ALL)
    assert one.settings() == family.settings() | {"altered": ALL} and one.classes == family.classes
    assert Altered(family).settings() != one.settings()


# --- each part alone ------------------------------------------------------------------------------


def test_size_alone_makes_larger_and_smaller_in_place(family):
    x = altered(family, size=1.5)
    assert (centre(x) - MIDDLE).abs().max() < 0.01
    factor = extent(x) / extent(squares(1))
    assert factor.max() <= 1.53 and factor.min() >= 1 / 1.53
    assert factor.max() > 1.4 and factor.min() < 1 / 1.4
    assert (factor[:, 0] - factor[:, 1]).abs().max() < 1e-4  # no other shape
    assert x.amax((1, 2, 3)).allclose(torch.ones(1))


def test_place_alone_moves_along_both_axes(family):
    x = altered(family, place=0.1)
    moved = centre(x) - MIDDLE
    assert moved.abs().max() <= 2.81  # a tenth of 28 pixels
    assert (moved.amax(0) > 2).all() and (moved.amin(0) < -2).all()
    assert torch.corrcoef(moved.T)[0, 1].abs() < 0.3
    assert (x.sum((1, 2, 3)) - 100).abs().max() < 0.01  # the ink is all there


def test_what_moves_beyond_the_border_is_gone_and_paper_comes_in(family):
    x = torch.zeros(50, 1, SIDE, SIDE)
    x[..., :2] = 1  # a line along the left border
    moved = altered(family, x=x, place=0.5)
    assert (moved.sum((1, 2, 3)) < 57).all() and (moved.sum((1, 2, 3)) < 1).any()


def test_blur_alone_spreads_the_ink_and_keeps_it_as_dark(family):
    pen = squares(200, side=2)
    x = altered(family, x=pen, blur=2.0)
    assert x.amax((1, 2, 3)).allclose(torch.ones(1)) and (centre(x) - MIDDLE).abs().max() < 0.01
    assert (extent(x) >= extent(pen) - 0.01).all() and extent(x).max() > 2 * extent(pen).max()
    assert x.sum((1, 2, 3)).max() > 3 * 4  # a thicker pen


def test_coarse_alone_sends_a_share_through_a_lower_resolution(family):
    x = family.draw(torch.arange(15).repeat(20), generator=torch.Generator().manual_seed(1))
    for share in (0.3, 1.0):
        after = altered(family, x=x, coarse=share)
        changed = after / after.amax((2, 3), keepdim=True) - x / x.amax((2, 3), keepdim=True)
        lower = changed.flatten(1).abs().amax(1) > 1e-5
        assert abs(lower.float().mean() - share) < 0.08
    # what went through a grid is made of as many tents as the grid has pixels
    left = torch.stack([residual(after, grid) for grid in GRIDS])
    assert left.amin(0).max() < 1e-3 and residual(x, max(GRIDS)).min() > 1e-3
    assert set(left.argmin(0).tolist()) == set(range(len(GRIDS)))


def residual(x, grid: int) -> torch.Tensor:
    """How far pictures are from those that ``grid`` pixels a side, blown up, can show: (n,)."""
    tents = torch.nn.functional.interpolate(torch.eye(grid)[None], SIDE, mode="linear")[0].mT
    project = torch.eye(SIDE) - tents @ torch.linalg.pinv(tents)
    return (project @ x[:, 0]).flatten(1).norm(dim=1)


def test_faint_alone_scales_the_ink(family):
    half = squares(200) / 2
    x = altered(family, x=half, faint=0.2)
    darkest = x.amax((2, 3), keepdim=True)
    assert darkest.min() >= 0.8 and darkest.min() < 0.83
    assert (darkest == 1).float().mean() == pytest.approx(0.5, abs=0.1)  # cut off
    assert (x / darkest).allclose(half * 2)


def test_a_picture_without_ink_stays_empty(family):
    assert altered(family, x=torch.zeros(5, 1, SIDE, SIDE), **ALL).eq(0).all()


@pytest.mark.parametrize(
    "parts, sentence",
    [
        ({"size": 0.9}, "size=0.9: a factor of at least 1"),
        ({"size": float("nan")}, "size=nan: a factor of at least 1"),
        ({"blur": -1}, "blur=-1: a width in pixels, 0 or more"),
        ({"blur": float("inf")}, "blur=inf: a width in pixels"),
        ({"place": 1.5}, "place=1.5: a share lies between 0 and 1"),
        ({"coarse": -0.1}, "coarse=-0.1: a share lies between 0 and 1"),
        ({"faint": float("nan")}, "faint=nan: a share lies between 0 and 1"),
    ],
)
def test_settings_out_of_range_are_refused(family, parts, sentence):
    with pytest.raises(ValueError, match=sentence):
        Altered(family, **parts)
