"""One's own data: what is read, what is refused in one sentence, and that memory stays bounded."""

import pytest
import torch
from PIL import Image

from course_lib.chapters.ch14.projects import HELP_DESK, PROJECTS, made, write_pictures
from course_lib.chapters.ch14.sources import drawn, is_curves, of_stacks, own_data
from course_lib.chapters.ch14.table import compare
from course_lib.classroom.drawpad import DrawPad
from course_lib.families import Strokes, hand_drawn
from course_lib.families.curve_files import Curves, own_curves
from course_lib.training.peak_memory import peak_memory

PIXELS = ["pixels, nearest example", "pixels, nearest mean"]


def folder(place, classes=3, each=3, seed=0):
    family = Strokes(ways=2, scripts=1, characters=classes, seed=seed)
    classes = torch.arange(classes).repeat_interleave(each)
    ink = family.draw(classes, generator=family.generator(seed))
    return write_pictures(place / "mine", ink, each, "kind")


def stacks(classes=4, each=6):
    family = Strokes(ways=2, scripts=1, characters=classes)
    ink = family.draw(torch.arange(classes).repeat_interleave(each), generator=family.generator(1))
    names = [f"class {i}" for i in range(classes)]
    return dict(zip(names, ink.view(classes, each, 1, 28, 28), strict=True))


# --- what is read ---------------------------------------------------------------------------------


def test_a_folder_a_file_of_sentences_and_one_of_curves_are_told_apart(tmp_path):
    found = [own_data(folder(tmp_path)), own_data(HELP_DESK), own_data(made("sensors"))]
    assert [data.kind for data in found] == ["pictures", "sentences", "curves"]
    assert [data.ways for data in found] == [3, 5, None]
    assert found[0].says == "3 classes, 9 pictures" and "8 labels" in found[1].says


def test_both_forms_of_sentences_show_the_same_items_in_the_same_order():
    data = own_data(HELP_DESK)
    for piece in data.pieces(60, shots=2, queries=2, seed=3):
        as_ids = data.others["text"].as_ids(piece["text"])
        for part in ("support_x", "support_y", "query_x", "query_y"):
            assert getattr(as_ids, part).equal(getattr(piece["usual"], part))


def test_symbols_of_two_pads_are_classes_of_two():
    names = list(hand_drawn.SHAPES)[:5]
    pads = [
        DrawPad(names, hand_drawn,
                start={n: hand_drawn.another_hand(hand_drawn.SHAPES[n], seed + i)
                       for i, n in enumerate(names)})
        for seed in (0, 50)
    ]  # fmt: skip
    data = drawn(*pads)
    assert data.says == "5 classes, 10 pictures" and data.queries(1) == 1
    with pytest.raises(ValueError, match="draw each symbol at least twice"):
        drawn(pads[0])
    with pytest.raises(ValueError, match="the same drawing twice"):
        drawn(pads[0], pads[0])
    pads[1].clear(names[2])
    with pytest.raises(ValueError, match=f"{names[2]}: a paper is empty"):
        drawn(*pads)


def test_the_error_of_answering_the_mean_of_all_curves_is_near_one():
    curves = own_curves(made("sensors"))
    episode = curves.sample(500, shots=5, queries=20, generator=curves.generator(0))
    assert 0.9 < episode.query_y.square().mean() < 1.1
    assert curves.x.min() > -5.001 and curves.x.max() < 5.001


# --- what is refused, in one sentence -------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a request\tone\nanother one\tone\nlast\ttwo\nmore\ttwo\n", "the columns are swapped"),
        ("one\ta b\none\tA b\ntwo\tc\ntwo\td\n", "line 2: the sentence of line 1 once more"),
        ("one\ta\none\tb\ntwo\tc\n", "'two' has 1 sentence and needs at least 2"),
        ("one;a\none;b\ntwo;c\ntwo;d\n", "no tab, and ';' in every line"),
    ],
)
def test_a_file_of_sentences_that_cannot_be_used(tmp_path, text, says):
    file = tmp_path / "own.tsv"
    file.write_text(text)
    with pytest.raises(ValueError, match=says):
        own_data(file)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a\t1\t2\na\t1\t2\nb\t1\t3\nb\t2\t2\n", "line 2: the point of line 1 once more"),
        ("a\t1\t2\na\t2\tnan\nb\t1\t3\nb\t2\t2\n", "line 2: '2' and 'nan' should be two finite"),
        ("a\t1\t2\na\t2\t2\nb\t1\t3\n", "'b' has 1 point and needs at least 2"),
        ("a\t1\t2\na\t2\t3\n", "curves in it: 1, and at least 2"),
        ("a\t1\t2\na\t2\t2\nb\t1\t2\nb\t3\t2\n", "every y is the same"),
    ],
)
def test_a_file_of_curves_that_cannot_be_used(tmp_path, text, says):
    file = tmp_path / "own.tsv"
    file.write_text(text)
    with pytest.raises(ValueError, match=says):
        own_data(file)


def test_curves_with_the_name_in_the_last_column_are_told(tmp_path):
    file = tmp_path / "own.tsv"
    file.write_text("1\t2\ta\n2\t2\ta\n1\t3\tb\n2\t4\tb\n")
    assert not is_curves(file)
    with pytest.raises(ValueError, match="name may stand last"):
        own_curves(file)


def test_a_folder_that_cannot_be_used(tmp_path):
    place = folder(tmp_path, classes=3, each=2)
    one = place / "kind_01" / "0001.png"
    one.unlink()
    with pytest.raises(ValueError, match="kind_01 has 1 pictures and needs 2, like 1 of 3 classes"):
        compare(own_data(place), only=PIXELS, episodes=4)
    one.write_bytes(b"no picture")
    with pytest.raises(ValueError, match="0001.png: this is no picture, or a damaged one"):
        own_data(place)
    one.write_bytes((place / "kind_00" / "0000.png").read_bytes())
    with pytest.raises(ValueError, match="once more; keep one"):
        own_data(place)
    with pytest.raises(ValueError, match="cannot be read"):
        own_data(tmp_path / "nothing_here")


def test_curves_have_no_ways_and_need_two():
    with pytest.raises(ValueError, match="curves have no classes"):
        own_data(made("sensors"), ways=3)
    with pytest.raises(ValueError, match="give at least 2"):
        Curves({"a": torch.rand(4, 2)})


# --- thousands of items ---------------------------------------------------------------------------


def test_memory_does_not_grow_with_the_number_of_episodes():
    data = of_stacks(stacks())
    held = {
        count: peak_memory(lambda count=count: compare(data, only=PIXELS, episodes=count))
        for count in (150, 450)
    }
    assert held[450] < 1.05 * held[150]


def test_hundreds_of_large_pictures_are_kept_as_small_ones(tmp_path):
    generator = torch.Generator().manual_seed(0)
    for i in range(60):
        noise = torch.randint(0, 255, (200, 200), generator=generator, dtype=torch.uint8)
        file = tmp_path / "large" / f"kind {i % 3}" / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.numpy()).save(file)
    data = own_data(tmp_path / "large")
    assert data.family.pictures.shape == (60, 1, 28, 28)
    assert data.family.pictures.dtype == torch.uint8
    assert len(compare(data, only=PIXELS, episodes=20).rows) == 2


def test_every_project_makes_data_of_its_own():
    kinds = {name: own_data(made(name)).kind for name in PROJECTS}
    assert kinds == {"alphabet": "pictures", "help_desk": "sentences", "sensors": "curves"}
