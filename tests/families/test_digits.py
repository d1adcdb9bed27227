"""The digits are those of scikit-learn, blown up and nothing else."""

import sys

import numpy as np
import pytest

from course_lib import __main__ as program
from course_lib.families.digits import Digits


@pytest.fixture(scope="module")
def published():
    """scikit-learn's arrays. It stands in requirements-test.txt: without it these tests fail."""
    from sklearn.datasets import load_digits

    return load_digits()


def test_the_small_pictures_are_scikit_learns(published):
    family = Digits(size=8)
    assert family.counts.tolist() == np.bincount(published.target).tolist()
    assert family.counts.sum() == 1797 and family.names == list("0123456789")
    for digit in range(10):
        theirs = published.images[published.target == digit] / 16
        assert np.abs(family.drawings(digit)[:, 0].numpy() - theirs).max() < 1e-6


def test_the_large_pictures_are_between_the_pixels_of_the_small_ones(published):
    family, digit = Digits(), 4
    theirs = published.images[published.target == digit] / 16
    at = (np.arange(28) + 0.5) * 8 / 28 - 0.5  # numpy holds the border's value beyond it
    wide = np.apply_along_axis(lambda row: np.interp(at, range(8), row), 2, theirs)
    large = np.apply_along_axis(lambda column: np.interp(at, range(8), column), 1, wide)
    mine = family.drawings(digit)
    assert mine.shape == (181, 1, 28, 28) and mine.max() <= 1
    assert np.abs(mine[:, 0].numpy() - large).max() < 1e-5


def test_the_stored_scores_are_about_these_pictures():
    assert Digits().settings()["fingerprint"] == "8e25422111808c02"


@pytest.mark.parametrize(
    "asked, sentence",
    [
        ({"ways": 11}, "ways=11: there are 10 classes"),
        ({"ways": 1}, "ways=1: a task needs at least 2 classes"),
        ({"size": 0}, "size=0: it must be a whole number of at least 1"),
        ({"size": 2.5}, "size=2.5: it must be a whole number of at least 1"),
    ],
)
def test_what_cannot_be_is_refused(asked, sentence):
    with pytest.raises(ValueError, match=sentence):
        Digits(**asked)


def test_without_scikit_learn_one_sentence_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ValueError, match="pip install scikit-learn"):
        Digits()
    assert program.main(["train", "digits_scores", "--device", "cpu"]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and "pip install scikit-learn" in said.err
    assert said.out == ""
