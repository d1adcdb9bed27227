"""The controls an explorer can have: what each may hold, and how it travels to the browser and
back.

The browser holds a slider's position and a choice's place in its list, never the value itself; the
value is looked up here. So a slider that is declared with whole numbers hands whole numbers to
``compute``, and nothing is rounded twice. A text is its own value.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from math import isclose, log10


@dataclass(frozen=True)
class Slider:
    """A number between ``low`` and ``high``, in steps of ``step``; with ``log=True`` the step is in
    powers of ten.

    Args:
        play: add a button that steps through the values, for scrubbers.
        unit: written after the value, as in "5 steps".
        words: what is written for each position, where that says more than its number.
    """

    name: str
    label: str
    low: float
    high: float
    step: float
    value: float
    log: bool = False
    play: bool = False
    unit: str = ""
    words: tuple[str, ...] = ()

    def __post_init__(self):
        if not self.low < self.high:
            raise ValueError(f"{self.name}: low={self.low} must be smaller than high={self.high}")
        if self.step <= 0:
            raise ValueError(f"{self.name}: step={self.step} must be greater than 0")
        if self.log and self.low <= 0:
            raise ValueError(
                f"{self.name}: low={self.low}: a slider with log=True needs low greater than 0"
            )
        width = log10(self.high / self.low) if self.log else self.high - self.low
        if not isclose(width / self.step, round(width / self.step), abs_tol=1e-6):
            raise ValueError(
                f"{self.name}: {self.step} steps from {self.low} do not arrive at {self.high}: "
                "change high"
            )
        if self.words and len(self.words) != len(self.values):
            raise ValueError(
                f"{self.name}: {len(self.words)} words for {len(self.values)} positions"
            )
        if self.value not in self.values:
            nearest = min(self.values, key=lambda value: abs(value - self.value))
            raise ValueError(
                f"{self.name}: value={self.value} is not a position of the slider; the nearest is "
                f"{nearest}"
            )

    @cached_property
    def values(self) -> tuple:
        if self.log:
            count = round(log10(self.high / self.low) / self.step)
            return tuple(float(f"{self.low * 10 ** (i * self.step):.3g}") for i in range(count + 1))
        count = round((self.high - self.low) / self.step)
        whole = all(isinstance(number, int) for number in (self.low, self.high, self.step))
        return tuple(
            self.low + i * self.step if whole else round(self.low + i * self.step, 10)
            for i in range(count + 1)
        )

    def text(self, value) -> str:
        if self.words:
            return self.words[self.values.index(value)]
        places = max(
            0, *(-Decimal(str(number)).as_tuple().exponent for number in (self.low, self.step))
        )
        short = f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
        number = (
            short if self.log else str(value) if isinstance(value, int) else f"{value:.{places}f}"
        )
        return f"{number.replace('-', '−')} {self.unit}".rstrip()

    def extremes(self) -> list:
        return [self.values[0], self.values[-1]]

    def pack(self, value) -> int:
        if value not in self.values:
            raise ValueError(
                f"{self.name}={value} is not a position of the slider from {self.low} to "
                f"{self.high}"
            )
        return self.values.index(value)

    def unpack(self, place):
        return self.values[min(max(int(place), 0), len(self.values) - 1)]

    def spec(self) -> dict:
        return {
            "kind": "slider",
            "play": self.play,
            "texts": [self.text(value) for value in self.values],
        }


@dataclass(frozen=True)
class Choice:
    """One of several options: words or numbers."""

    name: str
    label: str
    options: tuple
    value: object

    def __post_init__(self):
        object.__setattr__(self, "options", tuple(self.options))
        if self.value not in self.options:
            raise ValueError(
                f"{self.name}: value={self.value!r} is not among the options {list(self.options)}"
            )

    def extremes(self) -> list:
        return list(self.options)

    def pack(self, value) -> int:
        if value not in self.options:
            raise ValueError(f"{self.name}={value!r} is not among the options {list(self.options)}")
        return self.options.index(value)

    def unpack(self, place):
        return self.options[min(max(int(place), 0), len(self.options) - 1)]

    def spec(self) -> dict:
        return {"kind": "choice", "texts": [str(option) for option in self.options]}


@dataclass(frozen=True)
class Toggle:
    """Yes or no."""

    name: str
    label: str
    value: bool

    def extremes(self) -> list:
        return [False, True]

    def pack(self, value) -> bool:
        return bool(value)

    unpack = pack

    def spec(self) -> dict:
        return {"kind": "toggle"}


@dataclass(frozen=True)
class Points:
    """Points that the reader drags in the picture; ``compute`` gets them as a tuple of (x, y).

    Args:
        bounds: ((x_low, x_high), (y_low, y_high)), which no point leaves.
        axes: which axes of the mosaic they lie in; None when there is only one.
        move: "xy", or "x" or "y" when only that coordinate may change.
    """

    name: str
    label: str
    value: tuple
    bounds: tuple
    axes: str | None = None
    move: str = "xy"

    def __post_init__(self):
        object.__setattr__(self, "value", tuple((float(x), float(y)) for x, y in self.value))
        object.__setattr__(
            self, "bounds", tuple((float(low), float(high)) for low, high in self.bounds)
        )
        if not self.value:
            raise ValueError(f"{self.name}: value is empty: give at least one (x, y)")
        if self.move not in ("xy", "x", "y"):
            raise ValueError(f"{self.name}: move={self.move!r} must be 'xy', 'x' or 'y'")
        for low, high in self.bounds:
            if not low < high:
                raise ValueError(f"{self.name}: bounds {low} to {high}: the first must be smaller")
        for point in self.value:
            if point != self._inside(point):
                raise ValueError(
                    f"{self.name}: the point {point} lies outside the bounds {self.bounds}"
                )

    def _inside(self, point) -> tuple:
        if any(float(value) != float(value) for value in point):
            raise ValueError(f"{self.name}: a point lies at {tuple(point)}, which is nowhere")
        return tuple(
            min(max(float(value), low), high)
            for value, (low, high) in zip(point, self.bounds, strict=True)
        )

    def _allowed(self, point, start) -> tuple:
        x, y = self._inside(point)
        return (x if "x" in self.move else start[0], y if "y" in self.move else start[1])

    def extremes(self) -> list:
        """As declared, all in one corner, all in the opposite one, and spread over the four
        corners."""
        (left, right), (low, high) = self.bounds
        corners = [(left, low), (right, high), (left, high), (right, low)]
        patterns = [[corners[0]] * 4, [corners[1]] * 4, corners]
        moved = [
            tuple(self._allowed(p[i % 4], start) for i, start in enumerate(self.value))
            for p in patterns
        ]
        return [self.value, *moved]

    def pack(self, value) -> list:
        if len(value) != len(self.value):
            raise ValueError(
                f"{self.name}: {len(value)} points where {len(self.value)} were declared"
            )
        return [
            list(self._allowed(point, start))
            for point, start in zip(value, self.value, strict=True)
        ]

    def unpack(self, places) -> tuple:
        return tuple(tuple(point) for point in self.pack(places))

    def spec(self) -> dict:
        return {"kind": "points", "bounds": self.bounds, "move": self.move}


NONSENSE = "qxzv Grüße $x^ 한국어 <b>&\\\tword: 3.5 🎈 dog :\n"  # unknown words, signs that mean something elsewhere, a tab, a line end  # noqa: E501


@dataclass(frozen=True)
class Text:
    """Words that the reader types; ``compute`` gets the string, at every key, finished or not.

    Args:
        rows: 1 for a single line; with more, a field of that many lines in letters of one width.
        most: how many characters fit in.
        samples: pairs (title, text) to choose from, which fill the field.
    """

    name: str
    label: str
    value: str
    rows: int = 1
    most: int = 2000
    samples: tuple = ()

    def __post_init__(self):
        if self.rows < 1 or self.most < 1:
            raise ValueError(
                f"{self.name}: rows={self.rows} and most={self.most} must be at least 1"
            )
        object.__setattr__(self, "value", self.pack(self.value))
        object.__setattr__(
            self, "samples", tuple((str(title), self.pack(text)) for title, text in self.samples)
        )
        titles = [title for title, _ in self.samples]
        if len(set(titles)) < len(titles) or not all(titles):
            raise ValueError(
                f"{self.name}: the samples are called {titles}: give each a title of its own"
            )

    def extremes(self) -> list:
        """As declared, empty, as long as can be and without sense, and each sample."""
        line = NONSENSE if self.rows > 1 else NONSENSE.replace("\n", " ")
        long = (line * (self.most // len(line) + 1))[: self.most]
        return list(dict.fromkeys([self.value, "", long, *(text for _, text in self.samples)]))

    def pack(self, value) -> str:
        """The text with plain line ends, as browsers have them; half of a character that needs two
        becomes a question mark.

        Raises:
            ValueError: it is no text, too long, or has several lines where one is shown.
        """
        if not isinstance(value, str):
            raise ValueError(f"{self.name}={value!r} is no text: put it in quotes")
        text = value.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode()
        if len(text) > self.most:
            raise ValueError(
                f"{self.name}: the text has {len(text)} characters, and at most {self.most} fit: "
                "shorten it"
            )
        if self.rows == 1 and "\n" in text:
            raise ValueError(
                f"{self.name}: the text has several lines, and the field shows one: set rows, or "
                "write it in one line"
            )
        return text

    unpack = pack

    def spec(self) -> dict:
        return {"kind": "text", "rows": self.rows, "most": self.most, "samples": self.samples}
