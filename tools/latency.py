"""How long a reader waits for the picture: from key press to new picture on the page, for each
explorer of a notebook.

    python -m tools.latency notebooks/02_inner_loop.ipynb [--changes 40] [--density 2]
        [--width 1280] [--text " a b"]

Where there is a field to type into, it types into the last one; else it moves the first slider,
point or box to tick.

Measured inside the page, from the time stamp of the key event to the moment the new picture is
loaded, in headless Chromium. Targets on a quiet machine: median under 80 ms, 95th percentile under
150 ms; the exit status is 1 when one is missed.
"""

import argparse
import statistics
import sys
from pathlib import Path

from tools.lab import Lab, browser

MEDIAN, SLOWEST = 80, 150

WATCH = """(img) => {
    window.courseTimes = [];
    let pressed = null;
    document.addEventListener('keydown', (event) => { pressed = event.timeStamp; }, true);
    new MutationObserver(() => {
        if (pressed !== null) window.courseTimes.push(performance.now() - pressed);
        pressed = null;
    }).observe(img, { attributes: true, attributeFilter: ['data-frame'] });
}"""


def measure(explorer, changes: int, text: str = " a b c d e f g") -> list[float]:
    """Milliseconds, one for each change; empty when the explorer has nothing that keys can move.
    Into a field, the text is typed over and over."""
    movable = explorer.controls(".course-text input, .course-text textarea")[
        -1:
    ] or explorer.controls("input[type=range]")
    movable = (
        movable
        or explorer.controls(".course-stage.has-points")
        or explorer.controls("input[type=checkbox]")
    )
    if not movable:
        return []
    control = movable[0]
    control.focus()
    lines = control.evaluate("(one) => one.tagName") == "TEXTAREA"
    typed = lines or control.get_attribute("type") == "text"
    if typed:
        control.press("Control+End")
    explorer.settle()
    explorer.picture.evaluate(WATCH)
    key = "ArrowRight"
    for turn in range(changes):
        before = explorer.frame()
        if typed:
            letter = text[turn % len(text)]
            key = {"\n": "Enter" if lines else "Space", " ": "Space"}.get(letter, letter)
        elif control.get_attribute("type") == "range":
            place, end = int(control.input_value()), int(control.get_attribute("max"))
            key = "ArrowLeft" if place == end else "ArrowRight" if place == 0 else key
        elif control.get_attribute("type") == "checkbox":
            key = "Space"
        explorer.page.keyboard.press(key)
        explorer.page.wait_for_function(
            "([img, frame]) => Number(img.dataset.frame) > frame",
            arg=[explorer.picture.element_handle(), before],
        )
        explorer.page.wait_for_timeout(60)
    return explorer.page.evaluate("window.courseTimes")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--changes", type=int, default=40)
    parser.add_argument("--density", type=float, default=1.0)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument(
        "--text", default=" a b c d e f g", help="what is typed where there is a field"
    )
    wish = parser.parse_args()
    late = 0
    with Lab(wish.notebook) as lab, browser() as chromium:
        with lab.open(
            chromium, wish.notebook.name, width=wish.width, density=wish.density
        ) as reader:
            reader.run_all()
            for explorer in reader.explorers():
                times = measure(explorer, wish.changes, wish.text)
                if not times:
                    print(f"nothing to press   {explorer.question}")
                    continue
                median, slowest = statistics.median(times), statistics.quantiles(times, n=20)[-1]
                late += median > MEDIAN or slowest > SLOWEST
                print(
                    f"median {median:4.0f} ms, 95th percentile {slowest:4.0f} ms, {len(times)} "
                    f"changes   {explorer.question}"
                )
    sys.exit(late > 0)


if __name__ == "__main__":
    main()
