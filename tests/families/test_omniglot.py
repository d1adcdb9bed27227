"""Omniglot from archives that the tests make, with everything that can be wrong with them; and the
real drawings, where they are."""

import io
import os
import random
import struct
import zipfile
import zlib

import numpy as np
import pytest
import torch
from pretend_omniglot import ALPHABETS, files, png, zipped

from course_lib.families import Omniglot, Strokes
from course_lib.families.omniglot import load
from course_lib.families.picture_files import PictureError
from course_lib.learners import Nearest
from course_lib.training.evaluation import evaluate
from course_lib.training.evaluation import test_episodes as same_episodes

SEED = int(os.environ.get("COURSE_SEED", 0))
DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available()


@pytest.fixture(scope="module")
def contents():
    return files("images_background")


@pytest.fixture(scope="module")
def root(tmp_path_factory, contents):
    """A folder with a background and an evaluation archive."""
    folder = tmp_path_factory.mktemp("archives")
    (folder / "images_background.zip").write_bytes(zipped(contents))
    (folder / "images_evaluation.zip").write_bytes(
        zipped(files("images_evaluation", {"Dotted": 4, "Even": 3}, seed=5))
    )
    return folder


def unpack(contents, folder):
    for name, data in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


@pytest.mark.parametrize("device", DEVICES)
def test_episodes_are_like_those_of_strokes(root, device):
    family, strokes = Omniglot(root=root, device=device), Strokes(device=device)
    one, other = (same_episodes(f, 3, shots=2, queries=4, seed=0) for f in (family, strokes))
    for part in ("support_x", "support_y", "query_x", "query_y"):
        mine, theirs = getattr(one, part), getattr(other, part)
        assert (mine.shape, mine.dtype, mine.device) == (theirs.shape, theirs.dtype, theirs.device)
    assert (
        one.query_x.min() == 0 and 0.9 < one.query_x.max() <= 1 and one.query_x.mean() < 0.3
    )  # ink 1 on paper 0
    assert evaluate(Nearest(), one).mean > 0.4


def test_parts_and_what_is_known_about_them(root):
    background, evaluation, everything = (
        Omniglot(root=root, part=part) for part in ("background", "evaluation", "all")
    )
    assert background.alphabets == list(ALPHABETS) and evaluation.alphabets == ["Dotted", "Even"]
    assert background.classes == 18 and evaluation.classes == 7 and everything.classes == 25
    assert (
        background.characters[0] == ("Angular", "character01")
        and background.names[-1] == "Curly/character05"
    )
    assert (
        background.drawers.shape == (18, 20) and (background.drawers == torch.arange(1, 21)).all()
    )
    two = Omniglot(root=root, part=("Curly", "Dotted"))
    assert two.alphabets == ["Curly", "Dotted"] and two.classes == 9
    assert Omniglot(root=root, part="Bent").alphabets == ["Bent"]
    with pytest.raises(ValueError, match="Klingon.*out of Angular, Bent, Curly, Dotted, Even"):
        Omniglot(root=root, part=("Klingon",))
    with pytest.raises(ValueError, match="ways=19: there are 18 classes"):
        Omniglot(root=root, ways=19)


def test_settings_name_what_defines_the_family(root):
    settings = Omniglot(root=root, ways=3, within=0.5).settings()
    assert settings | {"fingerprint": ""} == {
        "family": "omniglot",
        "ways": 3,
        "within": 0.5,
        "classes": 18,
        "fingerprint": "",
        "part": "background",
        "rotations": False,
    }
    assert settings["fingerprint"] != Omniglot(root=root, part="all").settings()["fingerprint"]


def test_zipped_and_unpacked_are_the_same(root, contents, tmp_path):
    unpack(contents, tmp_path)
    (tmp_path / "images_background" / ".DS_Store").write_bytes(b"x")
    assert Omniglot(root=tmp_path).fingerprint == Omniglot(root=root).fingerprint


def test_the_small_archives_serve_where_the_full_one_is_missing(tmp_path):
    same = files("x", {"Angular": 7})
    (tmp_path / "images_background_small1.zip").write_bytes(zipped(same | files("x", {"Bent": 6})))
    (tmp_path / "images_background_small2.zip").write_bytes(
        zipped(same | files("x", {"Curly": 5}) | {"__MACOSX/x.png": b"junk", "x/.DS_Store": b""})
    )
    family = Omniglot(root=tmp_path)
    assert (
        family.alphabets == ["Angular", "Bent", "Curly"] and family.classes == 18
    )  # Angular stands in both and counts once
    with pytest.raises(
        PictureError,
        match=r"no images_evaluation\.zip here; run `python -m course_lib fetch omniglot`",
    ):
        Omniglot(root=tmp_path, part="evaluation")


def test_the_folder_is_an_argument_a_variable_or_the_cache(root, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(root.parent / "cache"))
    monkeypatch.delenv("OMNIGLOT_ROOT", raising=False)
    with pytest.raises(
        PictureError,
        match=(
            "cache.*no images_background.zip here; run `python -m course_lib fetch omniglot`, or "
            "name a folder"
        ),
    ):
        Omniglot()
    (root.parent / "cache").mkdir(exist_ok=True)
    (root.parent / "cache" / "omniglot").symlink_to(root)
    assert Omniglot().classes == 18
    monkeypatch.setenv("OMNIGLOT_ROOT", str(tmp_path))
    with pytest.raises(PictureError, match="no images_background.zip"):
        Omniglot()
    assert Omniglot(root=root).classes == 18


def test_a_split_shares_no_alphabet(root):
    kept, held_out = Omniglot(root=root, ways=3, within=0.5, rotations=True).split(["Bent"])
    assert kept.alphabets == ["Angular", "Curly"] and held_out.alphabets == ["Bent"]
    assert (
        kept.classes == 4 * 12
        and held_out.classes == 6
        and held_out.within == 0.5
        and held_out.ways == 3
    )
    assert not held_out.rotations and set(held_out.turns) == {0}  # only training has rotations
    assert Omniglot(root=root).split(1)[1].alphabets == ["Curly"]
    with pytest.raises(ValueError, match="no such group"):
        Omniglot(root=root).split("Klingon")


def test_rotations_are_whole_classes(root):
    plain, turned = Omniglot(root=root), Omniglot(root=root, rotations=True, ways=8, within=1)
    assert (
        turned.classes == 4 * plain.classes
        and turned.turns[:4] == [0, 90, 180, 270]
        and turned.names[3] == "Angular/character01 turned by 270"
    )
    for i in range(4):
        assert turned.characters[i] == ("Angular", "character01")
        assert torch.equal(turned.drawings(i), plain.drawings(0).rot90(i, (2, 3)))
    one = same_episodes(turned, 20, shots=1, queries=2, seed=1)
    for (support_x, support_y, query_x, query_y), classes in zip(
        one, one.names["classes"], strict=True
    ):
        for x, y in ((support_x, support_y), (query_x, query_y)):
            for picture, number in zip(x, classes[y].tolist(), strict=True):
                assert (
                    (turned.drawings(number) == picture).flatten(1).all(1).any()
                )  # the same turn for support and query


# --- archives that are not as they should be ---


def claims(side: int) -> bytes:
    """The beginning of a PNG that says it is so large."""
    head = b"IHDR" + struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + head
        + struct.pack(">I", zlib.crc32(head))
        + struct.pack(">I", 10)
        + b"IDAT"
    )


FIRST = "images_background/Angular/character01/0001_01.png"
BAD = {
    "text for a drawing": (
        lambda c: c | {FIRST: b"no picture"},
        r"0001_01\.png is no PNG, or a damaged one",
    ),
    "half a drawing": (
        lambda c: c | {FIRST: c[FIRST][:60]},
        r"0001_01\.png is no PNG, or a damaged one",
    ),
    "another size": (
        lambda c: c | {FIRST: png(np.ones((50, 60), bool))},
        r"60 x 50 pixels and should have 105 x 105",
    ),
    "a bomb": (lambda c: c | {FIRST: claims(12000)}, r"12000 x 12000 pixels"),
    "a larger bomb": (
        lambda c: c | {FIRST: claims(200_000)},
        r"0001_01\.png is no PNG, or a damaged one",
    ),
    "a huge member": (
        lambda c: c | {FIRST: bytes(2**20 + 1)},
        r"0001_01\.png unpacks to 1048577 bytes",
    ),
    "a way out": (
        lambda c: c | {"../../evil.png": b"x"},
        r"named '../../evil.png', which leads out of it",
    ),
    "a way out for Windows": (lambda c: c | {"a\\..\\..\\evil.png": b"x"}, "leads out of it"),
    "an absolute name": (lambda c: c | {"/etc/evil.png": b"x"}, "leads out of it"),
    "a drive": (lambda c: c | {"C:evil.png": b"x"}, "leads out of it"),
    "a lost drawing": (
        lambda c: {name: data for name, data in c.items() if name != FIRST},
        "Angular/character01 has 19 drawings and not those of 20",
    ),
    "another name": (
        lambda c: c | {"images_background/Angular/character01/extra.png": c[FIRST]},
        "extra.png is not named alphabet/character/number_drawer.png",
    ),
    "nothing": (lambda c: {"readme.txt": b""}, "there is no drawing in it"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_foreign_archive_gets_one_sentence_and_leaves_nothing(contents, tmp_path, case):
    change, says = BAD[case]
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    (inside / "images_background.zip").write_bytes(zipped(change(contents)))
    with pytest.raises(PictureError, match=says) as caught:
        Omniglot(root=inside)
    assert "\n" not in str(caught.value) and "course_lib fetch omniglot" in str(caught.value)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [
        inside / "images_background.zip"
    ]
    (inside / "images_background.zip").write_bytes(zipped(contents))
    assert Omniglot(root=inside).classes == 18  # what failed is not remembered


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: b"<html>",
        lambda data: data[:5000] + bytes(300) + data[5300:],
    ],
)
def test_a_damaged_archive_gets_one_sentence(contents, tmp_path, damage):
    (tmp_path / "images_background.zip").write_bytes(damage(zipped(contents)))
    with pytest.raises(PictureError, match="is damaged or no zip archive.*; delete it, then run"):
        Omniglot(root=tmp_path)


def test_an_archive_that_changed_is_read_again(tmp_path, contents):
    place = tmp_path / "images_background.zip"
    place.write_bytes(zipped(contents))
    assert Omniglot(root=tmp_path).classes == 18
    with zipfile.ZipFile(place, "a") as packed:
        for name, data in files("images_background", {"Added": 3}).items():
            packed.writestr(name, data)
    assert Omniglot(root=tmp_path).classes == 21


# ------------------------------------------------------------------ the real drawings


def test_the_small_archives_hold_242_characters_by_20_drawers(omniglot_root):
    family = Omniglot(root=omniglot_root)
    assert family.classes == 242 and family.counts.unique().tolist() == [20]
    assert family.alphabets == [
        "Balinese",
        "Early_Aramaic",
        "Greek",
        "Japanese_(katakana)",
        "Korean",
        "Latin",
        "Sanskrit",
        "Tagalog",
    ]
    assert (family.drawers == torch.arange(1, 21)).all()
    kept, held_out = family.split(["Greek", "Latin"])
    assert kept.classes == 192 and held_out.classes == 50


def test_real_drawings_are_as_dark_and_as_hard_as_generated_ones(omniglot_root):
    family, strokes = Omniglot(root=omniglot_root), Strokes()
    drawn = strokes.draw(torch.arange(strokes.classes), generator=strokes.generator(0))
    real = family.pictures.float() / 255
    assert real.mean() == pytest.approx(0.0925, abs=0.0005)
    assert 0.8 < real.mean() / drawn.mean() < 1.2
    assert evaluate(
        Nearest(), same_episodes(family, 2000, shots=1, queries=1, seed=0)
    ).mean == pytest.approx(0.417, abs=0.03)
    twenty = Omniglot(root=omniglot_root, ways=20)
    assert evaluate(
        Nearest(), same_episodes(twenty, 500, shots=1, queries=1, seed=0)
    ).mean == pytest.approx(0.225, abs=0.03)


PACKED = {"stored": 0, "deflated": 8, "bzip2": 12, "lzma": 14}  # numbers of the zip standard


@pytest.mark.parametrize("how", PACKED)
def test_an_archive_damaged_at_random_gets_one_sentence(tmp_path, how):
    """150 seeded damages for each way of packing: cut, flipped bits, other bytes, bytes gone."""
    dice = random.Random(f"{SEED} {how}")
    buffer, place = io.BytesIO(), tmp_path / "images_background_small1.zip"
    with zipfile.ZipFile(buffer, "w", PACKED[how]) as packed:
        for name, data in files("images_background_small1", {"Gréek": 2}).items():
            packed.writestr(name, data)
    whole, refused = buffer.getvalue(), 0
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(dice.randrange(1, 5)):
            at = dice.choice([0, max(0, len(data) - 4000)])
            at = min(at + dice.randrange(4000), len(data) - 1)
            match dice.randrange(4):
                case 0:
                    data[at] ^= 1 << dice.randrange(8)
                case 1:
                    data[at : at + 4] = dice.randbytes(4)
                case 2:
                    del data[at : at + dice.randrange(1, 40)]
                case 3:
                    data = data[: max(1, at)] if dice.random() < 0.3 else data
        place.write_bytes(data)
        try:
            load.__wrapped__(place, 0)
        except PictureError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 100
    print(f"COURSE_SEED={SEED}: {refused} of 150 refused, none raw")
