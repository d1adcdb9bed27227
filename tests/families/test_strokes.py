"""Generated characters: repeatable, neither trivial nor hopeless, whole inside the image, and quick
to draw."""

import time

import pytest
import torch
from toys import TIMED

from course_lib.families import Strokes
from course_lib.families.scripts import BASES, CONTROL, KINDS, POINTS
from course_lib.families.strokes import SIZE, VERSION, fit

DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available()


@pytest.fixture(scope="module")
def family():
    return Strokes()


def episode(family, tasks=3, shots=1, queries=2, seed=0):
    return family.sample(tasks, shots=shots, queries=queries, generator=family.generator(seed))


def pixel_accuracy(family, tasks=300, shots=1, queries=3, shuffled=False):
    scores = []
    for support_x, support_y, query_x, query_y in episode(family, tasks, shots, queries):
        if shuffled:
            support_y = support_y[
                torch.randperm(len(support_y), generator=torch.Generator().manual_seed(len(scores)))
            ]
        nearest = torch.cdist(query_x.flatten(1), support_x.flatten(1)).argmin(1)
        scores.append((support_y[nearest] == query_y).float().mean())
    return torch.stack(scores).mean().item()


@pytest.mark.parametrize("device", DEVICES)
def test_shapes_types_and_places(device):
    family = Strokes(ways=4, device=device)
    one = episode(family, tasks=3, shots=2, queries=5)
    assert one.support_x.shape == (3, 8, 1, SIZE, SIZE) and one.query_x.shape == (
        3,
        20,
        1,
        SIZE,
        SIZE,
    )
    assert (
        one.support_y.shape == (3, 8)
        and one.query_y.shape == (3, 20)
        and one.names["classes"].shape == (3, 4)
    )
    assert one.support_x.dtype == torch.float32 and one.support_y.dtype == torch.int64
    assert all(
        t.device.type == device for t in (one.support_x, one.support_y, one.query_x, one.query_y)
    )
    assert (
        one.support_x.min() >= 0 and one.support_x.max() <= 1 and torch.isfinite(one.query_x).all()
    )


def test_each_class_has_its_shots_and_queries(family):
    one = episode(family, tasks=20, shots=3, queries=4)
    for y, each in ((one.support_y, 3), (one.query_y, 4)):
        assert all(torch.bincount(row, minlength=5).tolist() == [each] * 5 for row in y)
    assert all(len(set(row.tolist())) == 5 for row in one.names["classes"])


def test_neither_class_numbers_nor_places_tell_anything(family):
    one = episode(family, tasks=400, shots=2)
    assert (
        len({tuple(row.tolist()) for row in one.support_y}) > 300
    )  # the order within a set is random
    first = (one.support_y[:, 0] == one.query_y[:, 0]).float().mean()
    assert 0.12 < first < 0.28
    numbers = {}
    for classes in episode(Strokes(ways=5, scripts=1, characters=6), tasks=50).names["classes"]:
        for number, character in enumerate(classes.tolist()):
            numbers.setdefault(character, set()).add(number)
    assert all(len(seen) == 5 for seen in numbers.values())  # a character gets every number


def test_drawings_belong_to_the_classes_they_are_labelled_with():
    family = Strokes(sloppiness=0)
    one = episode(family, tasks=4, shots=2)
    for (x, y, *_), classes in zip(one, one.names["classes"], strict=True):
        assert torch.allclose(x, family.draw(classes[y]), atol=1e-5)


def test_the_same_seed_gives_the_same_drawings():
    a, b, c = (episode(Strokes(seed=3), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(a.support_x, b.support_x) and torch.equal(a.query_y, b.query_y)
    assert not torch.equal(a.support_x, c.support_x)
    assert not torch.equal(Strokes(seed=4).control, Strokes(seed=3).control)


def test_how_many_are_drawn_at_a_time_changes_nothing(family, monkeypatch):
    whole = episode(family).support_x
    monkeypatch.setattr("course_lib.families.strokes.CHUNK", 4)
    assert torch.allclose(whole, episode(family).support_x, atol=1e-6)


@pytest.mark.skipif(len(DEVICES) < 2, reason="needs a GPU")
def test_the_alphabet_and_its_drawings_are_the_same_on_every_device(family):
    there, classes, hands = Strokes(device="cuda"), torch.arange(40), torch.zeros(40, 7)
    assert torch.equal(family.control, there.control.cpu())
    calm, calm_there = Strokes(sloppiness=0), Strokes(sloppiness=0, device="cuda")
    assert torch.allclose(
        calm.draw(classes, hands), calm_there.draw(classes.cuda(), hands.cuda()).cpu(), atol=1e-4
    )


def test_pixel_comparison_is_above_chance_and_far_from_solving_the_task(family):
    assert 0.30 < pixel_accuracy(family) < 0.50
    assert 0.12 < pixel_accuracy(Strokes(ways=20), tasks=100, queries=1) < 0.28


def test_shuffled_labels_leave_chance(family):
    assert pixel_accuracy(family, shots=5, shuffled=True) == pytest.approx(0.2, abs=0.03)


def test_sloppiness_makes_it_harder_and_none_makes_all_drawings_equal():
    assert pixel_accuracy(Strokes(sloppiness=0), tasks=50) > 0.99
    easy, usual, hard = (pixel_accuracy(Strokes(sloppiness=s), tasks=150) for s in (0.5, 1, 2))
    assert easy > usual + 0.1 > hard + 0.2


def test_characters_are_not_degenerate(family):
    plain = Strokes(sloppiness=0)
    drawings = plain.draw(torch.arange(plain.classes)).flatten(1)
    assert drawings.sum(1).min() > 8  # no speck
    assert drawings.mean(1).max() < 0.45  # no blot
    distance = torch.cdist(drawings, drawings).fill_diagonal_(99).amin(1)
    assert (distance < 1.0).float().mean() < 0.01  # next to no twins
    assert family.used.sum(1).min() >= 2


@pytest.mark.parametrize("sloppiness", [0, 1, 2, 4])
def test_no_stroke_leaves_the_image(sloppiness):
    family = Strokes(sloppiness=sloppiness)
    drawings = family.draw(torch.arange(family.classes), generator=family.generator(0))[:, 0]
    edge = torch.cat(
        [drawings[:, 0], drawings[:, -1], drawings[:, :, 0], drawings[:, :, -1]], dim=1
    )
    assert edge.max() < 0.3 and edge.mean() < 0.01  # the soft rim of a stroke at most
    lowest, highest = torch.full((2, 2), -2.0)
    points, used = torch.randn(50, 30, 2), torch.ones(50, 30, dtype=torch.bool)
    for place in (lowest, highest, -lowest):
        placed = fit(points, used, size=torch.full((50,), 3.0), place=10 * place.expand(50, 2))
        assert placed.min() > 1.4 and placed.max() < SIZE - 2.4


def test_each_basis_reproduces_a_point():
    assert torch.allclose(
        BASES.sum(2), torch.ones(len(BASES), POINTS), atol=1e-5
    )  # a stroke moves with its control points
    assert torch.allclose(
        BASES[:, 0], torch.eye(CONTROL)[0].expand(len(BASES), CONTROL), atol=1e-5
    )  # and begins at the first


def test_an_open_stroke_ends_at_its_last_control_point_and_a_loop_at_its_first():
    for name, (_, basis, points) in KINDS.items():
        last = basis[-1] @ torch.tensor(
            points + [(0, 0)] * (CONTROL - len(points)), dtype=torch.float
        )
        if name == "loop":
            assert torch.allclose(last, torch.tensor(points[0]), atol=1e-5)
        elif name != "arc":  # which stops on its way
            assert torch.allclose(last, torch.tensor(points[-1], dtype=torch.float), atol=1e-5)


def test_relatives_differ_from_a_character_of_their_script():
    family = Strokes(sloppiness=0, scripts=40)
    drawings = family.draw(torch.arange(family.classes)).flatten(1).view(40, 25, -1)
    within = torch.cdist(drawings, drawings) + 99 * torch.eye(25)
    across = torch.cdist(drawings, drawings.roll(1, 0))
    assert (
        within.amin(2).median() < across.amin(2).median()
    )  # the nearest look-alike is more often of the same script


def test_one_hand_draws_alike(family):
    hand = family.hands(1, family.generator(5)).expand(30, 7)
    classes = torch.arange(30) * 60
    same = (
        family.draw(classes, hand, family.generator(1)),
        family.draw(classes, hand, family.generator(2)),
    )
    other = family.draw(classes, None, family.generator(3))
    near, far = (same[0] - same[1]).flatten(1).norm(dim=1), (same[0] - other).flatten(1).norm(dim=1)
    assert near.mean() < far.mean()


@TIMED
def test_at_least_5000_images_a_second_on_one_core(family):
    classes = torch.arange(family.classes)
    family.draw(classes[:500])
    rates = []
    for _ in range(3):
        start = time.process_time()
        family.draw(classes)
        rates.append(len(classes) / (time.process_time() - start))
    assert max(rates) > 5000, rates


@pytest.mark.parametrize(
    "wrong, says",
    [
        (dict(ways=0), "ways=0"),
        (dict(ways=30, scripts=1), "fewer ways"),
        (dict(sloppiness=-1), "0 or more"),
        (dict(sloppiness=float("nan")), "0 or more"),
    ],
)
def test_wrong_settings_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        Strokes(**wrong)


def test_wrong_counts_are_refused(family):
    with pytest.raises(ValueError, match="support set needs at least 1"):
        episode(family, shots=0)


def test_settings_name_everything_that_defines_the_family():
    assert Strokes(ways=3, seed=8).settings() == {
        "family": "strokes",
        "drawings": VERSION,
        "ways": 3,
        "sloppiness": 1.0,
        "scripts": 80,
        "characters": 25,
        "seed": 8,
        "only": (0, 80),
        "within": 0.0,
    }


def test_split_families_share_no_script():
    kept, held_out = Strokes(ways=20, scripts=10, within=0.5).split(3)
    for family, scripts in ((kept, range(0, 7)), (held_out, range(7, 10))):
        seen = episode(family, tasks=100).names["classes"] // family.characters
        assert set(seen.flatten().tolist()) == set(scripts)
        alike = (seen == seen[:, :1]).all(dim=1).float().mean()
        assert 0.3 < alike < 0.7  # about half of the tasks stay within one script


@pytest.mark.parametrize(
    "wrong",
    [
        {"only": (3, 3)},
        {"only": (0, 81)},
        {"within": 1.5},
        {"within": 0.5, "ways": 26},
        {"only": (0, 1), "ways": 26},
    ],
)
def test_ranges_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="="):
        Strokes(**wrong)


@pytest.mark.parametrize("held_out", [0, 80])
def test_a_split_needs_scripts_on_both_sides(held_out):
    with pytest.raises(ValueError, match="hold out at least 1"):
        Strokes().split(held_out)
