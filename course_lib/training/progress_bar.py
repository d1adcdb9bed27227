"""A progress bar that says what is going on: HTML in a notebook, one line of text in a terminal."""

import html
import sys
import time
from collections.abc import Callable, Iterable, Iterator


def in_notebook() -> bool:
    """Whether this code runs in a Jupyter kernel, without importing IPython where nobody else
    has."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell is not None and hasattr(shell, "kernel")


def duration(seconds: float) -> str:
    """Seconds as a reader says them: 9 s, 2 min 5 s, 1 h 3 min."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def bar(
    items: Iterable, total: int, name: str, note: Callable[[], str] = lambda: "", start: int = 0
) -> Iterator:
    """Yield the items, showing how many of ``total`` are done, a note, and the time left.

    Args:
        name: what is running, such as "meta-training".   note: called at each refresh, such as the
            current loss.
        start: items done before this run, so that a resumed run counts on.
    """
    began, shown, done, handle = time.monotonic(), 0.0, start, None
    notebook = in_notebook()

    def refresh(final: bool = False) -> None:
        nonlocal handle
        seconds = time.monotonic() - began
        left = seconds / max(done - start, 1) * (total - done)
        tail = (
            f"took {duration(seconds)}"
            if final
            else f"{duration(left)} left"
            if done > start
            else "starting"
        )
        words = ", ".join(
            part
            for part in (f"{name}: {done} of {total}", note() if done > start else "", tail)
            if part
        )
        if notebook:
            from IPython.display import HTML, display

            content = HTML(
                f'<div><progress aria-label="{html.escape(name)}" value="{done}" max="{total}" '
                f'style="width:14em;vertical-align:middle"></progress> {html.escape(words)}</div>'
            )
            handle = (
                display(content, display_id=True)
                if handle is None
                else (handle.update(content), handle)[1]
            )
        else:
            print(f"\r{words:<79}", end="\n" if final else "", file=sys.stderr, flush=True)

    refresh()
    for item in items:
        yield item
        done += 1
        if time.monotonic() - shown > 0.2:
            shown = time.monotonic()
            refresh()
    refresh(final=True)
