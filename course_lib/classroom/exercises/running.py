"""Run a reader's function with a time limit, also where signals do not exist (Windows, a thread of
JupyterLab)."""

from __future__ import annotations

import contextvars
import ctypes
import linecache
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass


class TimeUp(BaseException):
    """Raised inside the reader's function when its time is over."""


@dataclass(frozen=True)
class Raised:
    """A function that stopped with an error in place of a result."""

    error: BaseException
    ended: bool = True

    def where(self, function: Callable) -> str:
        """The last line of the reader's own code in the traceback, as "line 3 of your cell:
        `...`"."""
        own = getattr(getattr(function, "__code__", None), "co_filename", None)
        for frame, line in reversed(list(traceback.walk_tb(self.error.__traceback__))):
            name = frame.f_code.co_filename
            if name == own or "ipykernel" in name:
                text = linecache.getline(name, line).strip()
                return f"line {line} of your cell" + (f": `{text}`" if text else "")
        return ""


def run_limited(work: Callable, seconds: float):
    """`work()` in a thread of its own; after `seconds` the thread is asked to stop, and
    `Raised(TimeUp)` is returned."""
    box: list = []
    done = (
        threading.Event()
    )  # not thread.join: Python 3.11 takes an interrupted join for a finished thread

    def keep():
        try:
            box.append(work())
        except BaseException as error:
            box.append(Raised(error))
        finally:
            done.set()

    # The context carries the notebook's cell along, so that what the function prints appears below
    # that cell.
    thread = threading.Thread(target=contextvars.copy_context().run, args=(keep,), daemon=True)
    thread.start()
    end = time.monotonic() + seconds
    try:
        while not done.wait(0.05) and time.monotonic() < end:
            pass  # short waits, so that an interrupt reaches this thread on every system
    finally:
        stopped = done.is_set() or _stop(thread, done)
    return box[0] if box else Raised(TimeUp(), ended=stopped)


def _stop(thread: threading.Thread, done: threading.Event) -> bool:
    """Raise TimeUp inside the thread. It reaches a Python loop at once, and one long torch call
    when that call returns."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident), ctypes.py_object(TimeUp)
    )
    return done.wait(1.0)
