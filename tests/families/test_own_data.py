"""The reader's own pictures and sentences: nothing is left out without a word, and nothing is read
wrongly."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from course_lib.families import PictureError, own_pictures, own_sentences
from course_lib.families.intents import SentenceError
from course_lib.learners import Prototypical
from course_lib.networks import conv4

DICE = np.random.default_rng(0)


def save(path, pixels=None, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = DICE.integers(0, 255, (20, 24), dtype=np.uint8) if pixels is None else pixels
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(path, **how)


@pytest.fixture
def folder(tmp_path):
    """Two classes of three pictures each; one has a name with an umlaut and a space."""
    for name in ("Käfer und Mücke", "b"):
        for i in range(3):
            save(tmp_path / "mine" / name / f"{i}.png")
    return tmp_path / "mine"


# --- what is left out -----------------------------------------------------------------------------


def test_what_is_left_out_is_told_and_kept(folder, capsys):
    (folder / "b" / "gone.png").symlink_to(folder / "nowhere.png")
    (folder / "notes.txt").write_text("beside")
    (folder / "b" / ".hidden").write_text("")
    (folder / "b" / "deeper").mkdir()
    tasks = own_pictures(folder, ways=2)
    assert tasks.left_out == {
        "files beside the class folders": ["notes.txt"],
        "hidden files": [".hidden"],
        "broken links": ["gone.png"],
        "folders inside a class folder": ["deeper"],
    }
    assert "left out of mine: " in (said := capsys.readouterr().out)
    assert "1 broken links (gone.png)" in said and said.count("\n") == 1


def test_nothing_is_said_where_nothing_is_left_out(folder, capsys):
    assert own_pictures(folder, ways=2).left_out == {} and capsys.readouterr().out == ""


@pytest.mark.parametrize("where", ["b", "Käfer und Mücke"])
def test_the_same_picture_twice_is_refused(folder, where):
    again = folder / where / "again.bmp"
    Image.open(folder / "b" / "0.png").save(again)
    says = "the picture of .* once more; keep one, or a task could ask what it has shown"
    with pytest.raises(PictureError, match=says):
        own_pictures(folder, ways=2)


def test_one_class_and_one_example_are_refused(tmp_path, folder):
    save(tmp_path / "one" / "a" / "0.png")
    with pytest.raises(PictureError, match="there is one class in it, a; a task needs at least 2"):
        own_pictures(tmp_path / "one", ways=2)
    with pytest.raises(ValueError, match="has 3 pictures and needs 4"):
        own_pictures(folder, ways=2).sample(1, shots=2, queries=2)


# --- how pictures are read ------------------------------------------------------------------------

RAMP = np.tile(np.linspace(0, 255, 28).astype(np.uint8), (28, 1))


def exif_turned() -> bytes:
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    Image.fromarray(np.rot90(RAMP).copy()).save(file, "JPEG", exif=exif, quality=100)
    return file.getvalue()


SAME = {
    "8 bits": lambda at: save(at, RAMP),
    "16 bits": lambda at: save(at, RAMP.astype(np.uint16) * 257),
    "8 bits in 16": lambda at: save(at, RAMP.astype(np.uint16)),
    "8 bits in 32": lambda at: save(at.with_suffix(".tiff"), RAMP.astype(np.int32)),
    "16 bits in 32": lambda at: save(at.with_suffix(".tiff"), RAMP.astype(np.int32) * 257),
    "floats to 1": lambda at: save(at.with_suffix(".tiff"), (RAMP / 255).astype(np.float32)),
    "floats to 255": lambda at: save(at.with_suffix(".tiff"), RAMP.astype(np.float32)),
    "palette": lambda at: save(at, Image.fromarray(RAMP).convert("P")),
    "colours": lambda at: save(at, np.stack([RAMP] * 3, -1)),
    "opaque": lambda at: save(at, Image.fromarray(RAMP).convert("RGBA")),
    "CMYK": lambda at: save(at.with_suffix(".tiff"), Image.fromarray(np.stack([RAMP] * 3, -1))
                            .convert("CMYK")),
    "turned": lambda at: at.with_suffix(".jpg").write_bytes(exif_turned()),
    "animated": lambda at: save(at.with_suffix(".gif"), Image.fromarray(RAMP), save_all=True,
                                append_images=[Image.fromarray(255 - RAMP)]),
}  # fmt: skip


@pytest.mark.parametrize("kind", SAME)
def test_the_same_ramp_is_read_whatever_the_file(kind, folder):
    (folder / "ramp").mkdir()
    SAME[kind](folder / "ramp" / "0.png")
    tasks = own_pictures(folder, ways=3, invert=False)
    (number,) = [i for i, name in enumerate(tasks.names) if name == "ramp"]
    got = tasks.drawings(number)[0, 0]
    near = 0.03 if kind in ("turned", "animated", "palette") else 0.005
    torch.testing.assert_close(got, torch.from_numpy(RAMP / 255).float(), atol=near, rtol=0)


@pytest.mark.parametrize("size", [(80_000, 1), (1, 80_000)])
def test_a_picture_that_would_fill_the_memory_is_refused_before(folder, size):
    save(folder / "b" / "line.png", Image.new("1", size))
    with pytest.raises(PictureError, match="80000 .*pixels, and as a square too many; cut it"):
        own_pictures(folder, ways=2)


# --- one new picture ------------------------------------------------------------------------------


@pytest.mark.parametrize("grey", [True, False])
@pytest.mark.parametrize("invert", [True, False, "auto"])
@pytest.mark.parametrize("size", [20, 28])
def test_a_picture_read_by_itself_is_what_the_folder_has(folder, grey, invert, size):
    tasks = own_pictures(folder, ways=2, size=size, grey=grey, invert=invert)
    for number, name in enumerate(tasks.names):
        files = sorted((folder / name).iterdir())
        assert tasks.read(*files).equal(tasks.drawings(number))


def test_a_folder_is_a_support_set_for_new_pictures(folder, tmp_path):
    for name in ("Käfer und Mücke", "b"):  # a picture of the class with a little noise
        pixels = np.array(Image.open(folder / name / "1.png"))
        save(tmp_path / f"new {name}.png", pixels ^ 1)
    tasks = own_pictures(folder, ways=2)
    learner = Prototypical(nn.Flatten()).train()
    answers = tasks.recognise(learner, *(tmp_path / f"new {name}.png" for name in tasks.names))
    assert [next(iter(answer)) for answer in answers] == tasks.names
    for answer in answers:
        assert sum(answer.values()) == pytest.approx(1) and list(answer.values())[0] > 0.5
    assert learner.training
    with pytest.raises(PictureError, match="this is no picture"):
        (tmp_path / "text").write_text("no")
        tasks.recognise(learner, tmp_path / "text")
    assert len(tasks.recognise(Prototypical(conv4(4, seed=0)), tmp_path / "new b.png")) == 1


# --- sentences ------------------------------------------------------------------------------------

GOOD = "yes\tof course\nno\tnever again\nyes\tsure thing\nno\tnot at all\n"


@pytest.mark.parametrize(
    "text, says",
    [
        ("\n".join("\t".join(reversed(line.split("\t"))) for line in GOOD.split("\n")[:-1]),
         "'yes': the columns are swapped; write the label first"),
        (GOOD.replace("\t", ";"), "no tab, and ';' in every line"),
        (GOOD.replace("\t", "|"), r"no tab, and '\|' in every line"),
        (GOOD.replace("\t", ","), "no tab, and ',' in every line"),
        ("label\ttext\n" + GOOD, "line 1: 'label' looks like the heading of a column; take it out"),
        ("a\0b\tc\n" + GOOD, "null bytes in it"),
        ("yes\tof course\nyes\tsure\n", "labels in it: 1, and at least 2 are needed"),
        (GOOD + "maybe\twho knows\n", "'maybe' has 1 sentence and needs at least 2"),
        (GOOD + "no\tOf course\n", "line 5: the sentence of line 1 once more"),
        (GOOD + "no tab here\n", "line 5: tabs in it: 0"),
        ("", "labels in it: 0"),
    ],
)  # fmt: skip
def test_files_that_are_not_labels_and_sentences_are_told(tmp_path, text, says):
    (tmp_path / "mine.tsv").write_text(text)
    with pytest.raises(SentenceError, match=says):
        own_sentences(tmp_path / "mine.tsv")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_usual_ways_to_save_a_file_are_read(tmp_path, encoding, end):
    (tmp_path / "Sätze.tsv").write_bytes((GOOD + "\n\n").replace("\n", end).encode(encoding))
    assert own_sentences(tmp_path / "Sätze.tsv").names == ["yes", "no"]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_other_encodings_are_told(tmp_path, encoding):
    (tmp_path / "mine.tsv").write_bytes(GOOD.replace("sure", "sûre").encode(encoding))
    with pytest.raises(SentenceError, match="is not UTF-8 text; save it again"):
        own_sentences(tmp_path / "mine.tsv")
