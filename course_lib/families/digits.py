"""Handwritten digits that no pen of the course has drawn: those of scikit-learn."""

import torch
import torch.nn.functional as F

from course_lib.episodes import at_least_one
from course_lib.families.pictures import PictureClasses


class Digits(PictureClasses):
    """1,797 digits of 43 people, 8 x 8 pixels with 17 shades (Alpaydin and Kaynak 1998), blown up
    to the size that the encoders of the course take.

    Pictures are (1, size, size), ink 1 on paper 0. Nothing is downloaded: scikit-learn brings them.

    Args:
        ways: up to 10.   size: pixels along a side.

    Raises:
        ValueError: scikit-learn is not installed, there are no such pixels, or see
            `PictureClasses`.
    """

    family = "digits"

    def __init__(self, ways: int = 10, size: int = 28, device="cpu"):
        at_least_one(size=size)
        try:
            from sklearn.datasets import load_digits
        except ImportError:
            raise ValueError(
                "the digits come with scikit-learn, which is not installed: pip install "
                "scikit-learn"
            ) from None
        found = load_digits()
        x = torch.from_numpy(found.images / 16).float()[:, None]
        x = F.interpolate(x, size, mode="bilinear").clamp(0, 1)
        y = torch.from_numpy(found.target)
        stacks = [x[y == digit] for digit in range(10)]
        super().__init__(stacks, ways, [str(digit) for digit in range(10)], device=device)
