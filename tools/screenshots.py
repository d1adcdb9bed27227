"""What a reader sees: run a notebook in JupyterLab and photograph its explorers, and the page
screen by screen.

    python -m tools.screenshots notebooks/02_inner_loop.ipynb /tmp/look [--dark] [--width 640]
        [--height 720] [--density 2] [--plain]

--plain leaves the notebook as it is stored, without running it.
"""

import argparse
from pathlib import Path

from tools.lab import Lab, browser


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebook", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--density", type=float, default=1.0)
    parser.add_argument("--plain", action="store_true")
    wish = parser.parse_args()
    wish.folder.mkdir(parents=True, exist_ok=True)
    name = f"{wish.notebook.stem}_{wish.width}" + "_dark" * wish.dark
    with Lab(wish.notebook, wish.dark) as lab, browser() as chromium:
        with lab.open(
            chromium, wish.notebook.name, wish.width, wish.height, wish.density
        ) as reader:
            if wish.width < 1000:
                reader.page.evaluate(
                    "window.jupyterapp.shell.collapseLeft()"
                )  # as a reader with half a screen does
            if not wish.plain:
                reader.run_all()
            for index, explorer in enumerate(reader.explorers()):
                explorer.root.scroll_into_view_if_needed()
                explorer.settle()
                explorer.root.screenshot(path=wish.folder / f"{name}_explorer{index}.png")
            for index, _ in enumerate(reader.screens()):
                reader.page.screenshot(path=wish.folder / f"{name}_screen{index:02}.png")
            print(
                *sorted(path.name for path in wish.folder.glob(f"{name}_*.png")),
                *reader.complaints,
                sep="\n",
            )


if __name__ == "__main__":
    main()
