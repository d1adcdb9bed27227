"""Few-shot tasks from given pictures and from folders: the same kind of episode, and one sentence
for everything that can be wrong."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib.families import PictureClasses, own_pictures
from course_lib.families import picture_files as files
from course_lib.families.pictures import as_floats
from course_lib.training.evaluation import test_episodes as same_episodes

DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available()


def numbered(counts=(4, 5, 6, 7, 8, 9), device="cpu", **settings):
    """Pictures 1 x 2 x 2 that say which they are: the first pixel is the class, the second the
    drawing."""
    stacks = []
    for number, count in enumerate(counts):
        stack = torch.zeros(count, 1, 2, 2, dtype=torch.uint8)
        stack[:, 0, 0, 0], stack[:, 0, 0, 1] = number, torch.arange(count)
        stacks.append(stack)
    return PictureClasses(stacks, device=device, **settings)


def numbers(x):
    return (x[:, :, 0, 0] * 255).round().long().unbind(-1)


@pytest.mark.parametrize("device", DEVICES)
def test_episodes_have_the_shape_type_and_place_of_those_of_strokes(device):
    family = numbered(ways=3, device=device)
    one = family.sample(4, shots=1, queries=2, generator=family.generator(0))
    assert one.support_x.shape == (4, 3, 1, 2, 2) and one.query_x.shape == (4, 6, 1, 2, 2)
    assert (
        one.support_y.shape == (4, 3)
        and one.query_y.shape == (4, 6)
        and one.names["classes"].shape == (4, 3)
    )
    assert one.support_x.dtype == torch.float32 and one.query_y.dtype == torch.int64
    assert all(
        t.device.type == device for t in (one.support_x, one.support_y, one.query_x, one.query_y)
    )


def test_pictures_belong_to_their_labels_and_none_is_drawn_twice():
    family = numbered(ways=4)
    one = family.sample(200, shots=2, queries=2, generator=family.generator(1))
    kinds = []
    for x, y in ((one.support_x, one.support_y), (one.query_x, one.query_y)):
        kind, drawing = numbers(x)
        assert torch.equal(kind, one.names["classes"].gather(1, y))
        assert all(torch.bincount(row, minlength=4).tolist() == [2] * 4 for row in y)
        assert (drawing < family.counts[kind]).all()
        kinds.append(kind * 100 + drawing)
    assert all(len(set(row.tolist())) == 16 for row in torch.cat(kinds, dim=1))
    assert all(len(set(row.tolist())) == 4 for row in one.names["classes"])


def test_every_drawing_and_every_class_is_met_about_equally_often():
    family = numbered(ways=2, counts=(4, 4, 8))
    one = family.sample(6000, shots=1, queries=1, generator=family.generator(2))
    kind, drawing = (part.flatten() for part in numbers(one.query_x))
    assert torch.allclose(torch.bincount(kind) / len(kind), torch.full((3,), 1 / 3), atol=0.02)
    assert torch.allclose(
        torch.bincount(drawing[kind == 2]) / (kind == 2).sum(), torch.full((8,), 1 / 8), atol=0.02
    )


def test_neither_class_numbers_nor_places_tell_anything():
    one = numbered(ways=4).sample(
        500, shots=1, queries=1, generator=torch.Generator().manual_seed(3)
    )
    assert 0.18 < (one.support_y == one.query_y).float().mean() < 0.32
    first = one.names["classes"][:, 0]
    assert torch.bincount(first, minlength=6).min() > 40


def test_the_same_seed_gives_the_same_episodes():
    family = numbered()
    a, b, c = (same_episodes(family, 5, shots=1, queries=1, seed=seed) for seed in (1, 1, 2))
    assert (
        torch.equal(a.support_x, b.support_x)
        and torch.equal(a.query_y, b.query_y)
        and not torch.equal(a.query_x, c.query_x)
    )


def test_tasks_within_a_group():
    family = numbered(
        counts=[4] * 10,
        ways=3,
        groups=["a", "b", "a", "b", "a", "b", "a", "c", "c", "b"],
        within=0.5,
    )
    classes = family.sample(1000, shots=1, queries=1, generator=family.generator(0)).names[
        "classes"
    ]
    groups = family.group_of[classes]
    alike = (groups == groups[:, :1]).all(1)
    assert 0.45 < alike.float().mean() < 0.65  # half of them by choice, some by chance
    assert 2 in groups and 2 not in groups[alike]  # a group of two classes serves the mixed tasks
    whole = numbered(counts=[4] * 10, ways=3, groups=[0, 1] * 5, within=1)
    classes = whole.sample(300, shots=1, queries=1, generator=whole.generator(0)).names["classes"]
    assert (classes % 2 == classes[:, :1] % 2).all() and {0, 1} == set((classes[:, 0] % 2).tolist())


def test_a_split_keeps_groups_whole():
    family = numbered(ways=2, groups=["x", "y", "x", "z", "z", "y"], names="abcdef")
    for held_out in (["z"], "z", 1):
        kept, rest = family.split(held_out)
        assert (
            kept.names == ["a", "b", "c", "f"]
            and rest.names == ["d", "e"]
            and rest.groups == ["z", "z"]
        )
        assert torch.equal(rest.drawings(0), family.drawings(3)) and len(rest.drawings(1)) == 8
    kept, rest = numbered(ways=2).split(2)  # without groups each class is its own
    assert (kept.classes, rest.classes) == (4, 2)


@pytest.mark.parametrize(
    "held_out, says",
    [
        (0, "hold out at least 1"),
        (3, "keep at least 1"),
        (["q"], "'q'.*no such group; there are x, y, z"),
        ("z", "ways=3"),
    ],
)
def test_a_split_that_makes_no_sense_is_refused(held_out, says):
    with pytest.raises(ValueError, match=says):
        numbered(ways=3, groups=["x", "y", "x", "z", "z", "y"]).split(held_out)


def test_the_fingerprint_follows_the_pictures():
    prints = [
        numbered().settings(),
        numbered().settings(),
        numbered(counts=(4, 5, 6, 7, 9, 8)).settings(),
        numbered(groups=[0] * 6).settings(),
    ]
    assert prints[0] == prints[1] and prints[0]["fingerprint"] not in (
        prints[2]["fingerprint"],
        prints[3]["fingerprint"],
    )
    other = numbered()
    other.pictures[-1, 0, 1, 1] = 1
    assert other.fingerprint != prints[0]["fingerprint"]
    assert prints[0].keys() == {"family", "ways", "within", "classes", "fingerprint"}


@pytest.mark.parametrize(
    "wrong, says",
    [
        (dict(ways=7), "ways=7: there are 6 classes"),
        (dict(ways=0), "ways=0"),
        (dict(within=2), "within=2"),
        (dict(names=["a"]), "1 names"),
        (dict(groups=[1, 1, 2, 2, 3, 3], ways=3, within=0.1), "no group has 3 classes"),
    ],
)
def test_wrong_settings_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        numbered(**wrong)


@pytest.mark.parametrize(
    "stack, says",
    [
        (torch.zeros(0, 1, 2, 2), "at least one"),
        (torch.zeros(2, 2), "at least one"),
        (torch.zeros(2, 1, 3, 3), "make them alike"),
        (torch.zeros(2, 1, 2, 2).byte(), "make them alike"),
        (torch.full((2, 1, 2, 2), 2.0), "floats from 0 to 1"),
        (torch.full((2, 1, 2, 2), torch.nan), "from 0 to 1"),
    ],
)
def test_wrong_pictures_are_refused_by_class(stack, says):
    with pytest.raises(ValueError, match=f"(?s)kappa.*{says}"):
        PictureClasses([torch.zeros(3, 1, 2, 2), stack], ways=2, names=["iota", "kappa"])


def test_a_class_with_too_few_pictures_is_named():
    with pytest.raises(
        ValueError,
        match=r"shots=1 and queries=4: class 0 has 4 pictures and needs 5, like 1 of 6 classes",
    ):
        numbered().sample(1, shots=1, queries=4)
    with pytest.raises(ValueError, match="shots=0"):
        numbered().sample(1, shots=0, queries=1)


# ------------------------------------------------------------------ own pictures


def ring(size=(40, 40), paper=255, ink=0, thick=4):
    picture = np.full((size[1], size[0]), paper, np.uint8)
    picture[8:-8, 8:-8] = ink
    picture[8 + thick : -8 - thick, 8 + thick : -8 - thick] = paper
    return picture


@pytest.fixture
def folder(tmp_path):
    """Three classes of four drawings, dark on light, with what operating systems leave behind."""
    for name, thick in (("alpha", 2), ("beta", 4), ("gamma", 6)):
        (tmp_path / name).mkdir()
        for i in range(4):
            Image.fromarray(ring((40 + i, 40), thick=thick)).save(tmp_path / name / f"{i}.png")
    (tmp_path / "alpha" / ".DS_Store").write_bytes(b"x")
    (tmp_path / "beta" / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "gamma" / "notes").mkdir()
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "readme.txt").write_text("mine")
    return tmp_path


def test_a_folder_becomes_tasks_in_one_line(folder):
    family = own_pictures(folder, ways=3)
    assert family.names == ["alpha", "beta", "gamma"] and family.counts.tolist() == [4, 4, 4]
    one = family.sample(2, shots=1, queries=3, generator=family.generator(0))
    assert one.support_x.shape == (2, 3, 1, 28, 28)
    assert one.query_x[..., 0, :].max() < 0.05 and one.query_x.amax() > 0.95  # paper 0, ink 1
    ink = [family.drawings(i).mean() for i in range(3)]
    assert ink[0] < ink[1] < ink[2]


def test_neither_names_order_nor_copies_change_the_pictures(folder, tmp_path, monkeypatch):
    before = own_pictures(folder, ways=2).fingerprint
    listed = type(folder).iterdir
    monkeypatch.setattr(type(folder), "iterdir", lambda self: reversed(sorted(listed(self))))
    assert own_pictures(str(folder), ways=2).fingerprint == before


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "tif", "webp"])
def test_formats_give_the_same_picture(tmp_path, suffix):
    Image.fromarray(ring()).save(tmp_path / f"a.{suffix}")
    picture, rim = files.read_picture(tmp_path / f"a.{suffix}", 28, grey=True)
    Image.fromarray(ring()).save(tmp_path / "b.png")
    assert torch.allclose(
        as_floats(picture), as_floats(files.read_picture(tmp_path / "b.png", 28, True)[0]), atol=0.1
    )
    assert rim == pytest.approx(1, abs=0.02)


def variants():
    base = Image.fromarray(ring())
    clear = Image.new("RGBA", base.size, (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), mask=Image.fromarray(255 - ring()))
    palette = base.convert("P", palette=Image.Palette.ADAPTIVE)
    see_through = clear.quantize(8)
    deep = Image.fromarray(ring().astype(np.uint16) * 257)
    return {
        "one bit": base.convert("1"),
        "palette": palette,
        "transparent": clear,
        "transparent palette": see_through,
        "grey and alpha": clear.convert("LA"),
        "16 bit": deep,
        "32 bit": Image.fromarray(ring().astype(np.int32) * 257),
        "float": Image.fromarray(ring() / np.float32(255)),
        "cmyk": base.convert("CMYK"),
    }


@pytest.mark.parametrize("kind", variants())
@pytest.mark.parametrize("grey", [True, False])
def test_every_kind_of_pixel_is_read_as_the_same_picture(tmp_path, kind, grey):
    file = tmp_path / ("a.tif" if kind in ("float", "cmyk", "32 bit") else "a.png")
    variants()[kind].save(file)
    picture, rim = files.read_picture(file, 28, grey)
    wanted = files.shrink(torch.from_numpy(ring()).float()[None] / 255, 28)
    assert picture.shape == ((1 if grey else 3), 28, 28)
    assert torch.allclose(
        as_floats(picture), wanted.expand_as(picture), atol=0.02
    ) and rim == pytest.approx(1, abs=0.01)


def test_a_camera_held_sideways_is_corrected(tmp_path):
    picture = ring((60, 40))
    picture[:, :20] = 255  # the ring lies to the right
    upright, turned = Image.fromarray(picture), Image.fromarray(np.rot90(picture))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    upright.save(tmp_path / "upright.png")
    turned.save(tmp_path / "turned.png", exif=exif)
    one, other = (
        files.read_picture(tmp_path / name, 28, True)[0] for name in ("upright.png", "turned.png")
    )
    assert torch.equal(one, other)


def test_a_wide_picture_keeps_its_proportions(tmp_path):
    Image.fromarray(np.full((10, 40), 90, np.uint8)).save(tmp_path / "bar.png")
    wide = np.full((10, 40), 200, np.uint8)
    wide[3:7, 5:35] = 0
    Image.fromarray(wide).save(tmp_path / "wide.png")
    picture, _ = files.read_picture(tmp_path / "wide.png", 40, True)
    assert (
        picture.shape == (1, 40, 40)
        and torch.equal(picture[0, 15:25], torch.from_numpy(wide))
        and (picture[0, :15] == 200).all()
    )


def test_shrinking_averages_areas_exactly():
    picture = torch.rand(
        3, 105, 105, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    assert torch.allclose(
        files.shrink(picture.float(), 28).mean(), picture.mean().float(), atol=1e-5
    )
    assert torch.allclose(
        files.shrink(picture.float(), 35),
        torch.nn.functional.avg_pool2d(picture, 3).float(),
        atol=1e-5,
    )
    assert torch.equal(
        files.shrink(torch.eye(2), 4), torch.eye(2).repeat_interleave(2, 0).repeat_interleave(2, 1)
    )


def test_a_photograph_is_shrunk_before_it_fills_the_memory(tmp_path):
    large = np.kron(ring(), np.ones((60, 60), np.uint8))
    Image.fromarray(large).save(tmp_path / "large.png")
    picture, _ = files.read_picture(tmp_path / "large.png", 28, True)
    assert torch.allclose(
        as_floats(picture),
        files.shrink(torch.from_numpy(ring()).float()[None] / 255, 28),
        atol=0.02,
    )


def test_inversion_is_a_choice(folder):
    dark, light, auto = (
        own_pictures(folder, ways=2, invert=choice).drawings(0) for choice in (True, False, "auto")
    )
    assert torch.equal(dark, auto) and torch.allclose(dark, 1 - light, atol=1e-6)
    for file in folder.glob("*/*.png"):
        Image.fromarray(255 - np.array(Image.open(file))).save(file)
    assert torch.equal(
        own_pictures(folder, ways=2).drawings(0), dark
    )  # light ink on dark paper is as it should be
    colour = own_pictures(folder, ways=2, grey=False)
    assert colour.drawings(0).shape == (4, 3, 28, 28) and torch.allclose(
        colour.drawings(0)[:, :1], dark, atol=0.01
    )
    with pytest.raises(ValueError, match="invert='perhaps'"):
        own_pictures(folder, invert="perhaps")


def test_folders_that_hold_no_classes(tmp_path, folder):
    with pytest.raises(files.PictureError, match="nowhere: there is no such folder"):
        own_pictures(tmp_path / "nowhere")
    with pytest.raises(files.PictureError, match="no class folder in it"):
        own_pictures(folder / "gamma" / "notes")
    (folder / "delta").mkdir()
    with pytest.raises(files.PictureError, match="delta: this class has no pictures"):
        own_pictures(folder)


def test_a_small_class_is_named_with_its_count(folder):
    for i in (2, 3):
        (folder / "beta" / f"{i}.png").unlink()
    with pytest.raises(ValueError, match="beta has 2 pictures and needs 4"):
        own_pictures(folder, ways=2).sample(1, shots=1, queries=3)
    with pytest.raises(ValueError, match="ways=5: there are 3 classes"):
        own_pictures(folder)


def damage(kind, file):
    if kind == "text":
        file.write_text("no picture")
    elif kind == "empty":
        file.write_bytes(b"")
    elif kind == "truncated":
        noise = np.random.default_rng(0).integers(0, 255, (60, 60), np.uint8)
        Image.fromarray(noise).save(file, "PNG")
        file.write_bytes(file.read_bytes()[:2000])
    elif kind == "bomb":
        Image.new("1", (20000, 10000)).save(file, "PNG")


@pytest.mark.parametrize(
    "kind, says",
    [
        ("text", "no picture"),
        ("empty", "no picture"),
        ("truncated", "damaged"),
        ("bomb", "million pixels"),
    ],
)
def test_a_file_that_is_no_picture_is_named(folder, kind, says):
    damage(kind, folder / "beta" / "5.png")
    with pytest.raises(files.PictureError, match=rf"5\.png: .*{says}") as caught:
        own_pictures(folder, ways=2)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(
    os.name == "nt" or os.geteuid() == 0, reason="nothing is unreadable here for this user"
)
def test_a_file_that_may_not_be_read_is_named(folder):
    (folder / "beta" / "1.png").chmod(0)
    with pytest.raises(files.PictureError, match="1.png: the file cannot be read"):
        own_pictures(folder)
