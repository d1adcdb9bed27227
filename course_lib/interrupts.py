"""Ctrl-C, or the stop button, at a moment when nothing is half done.

An interrupt inside ``functional_call``, ``vmap`` or the exit of ``no_grad`` leaves their state
behind: the same call then gives another number. Inside `held` an interrupt waits for the next
`now`, which stands between tasks, batches and steps, or for the end.

Python itself loses an interrupt in two cases: it arrives inside a callback of the garbage
collector, or what is being left raises an error of its own, which takes its place. `pass_on` and
`let_through` bring both back.
"""

import _thread
import signal
import sys
import threading
import time

AT_ONCE = 3  # whoever presses so often wants out, whatever it leaves behind


class held:  # noqa: N801 (it is used like a function)
    """``with held():`` interrupts wait. A nested one is part of the outermost; the third interrupt
    takes effect at once. Only the main thread gets interrupts, so elsewhere nothing happens."""

    outermost: "held | None" = None

    def __enter__(self) -> None:
        self.noted, self.before = 0, None
        if held.outermost is None and threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            if before not in (None, signal.SIG_IGN, signal.SIG_DFL):
                held.outermost, self.before = self, before
                signal.signal(signal.SIGINT, self.note)

    def note(self, *_) -> None:
        self.noted += 1
        if self.noted >= AT_ONCE:
            raise KeyboardInterrupt

    def __exit__(self, *_) -> None:
        if self.before is not None:
            held.outermost = None
            signal.signal(signal.SIGINT, self.before)
            if self.noted:
                raise KeyboardInterrupt


def now() -> None:
    """Let an interrupt that waits take effect here.

    Raises:
        KeyboardInterrupt: there was one.
    """
    holding = held.outermost
    if holding is not None and holding.noted:
        holding.noted = 0
        raise KeyboardInterrupt


def let_through(error: BaseException) -> None:
    """Go on with an interrupt that an error has taken the place of; nothing, where there was none.
    For whoever catches every Exception to explain it.

    Raises:
        KeyboardInterrupt: there was one.
    """
    hidden: BaseException | None = error
    while hidden is not None and not isinstance(hidden, KeyboardInterrupt):
        hidden = hidden.__context__
    if hidden is not None:
        raise KeyboardInterrupt from error


def send_again() -> None:
    """Interrupt the main thread a moment later, when it has left the callback."""
    time.sleep(0.01)
    _thread.interrupt_main()


def pass_on(unraisable, usual=sys.unraisablehook) -> None:
    """As ``sys.unraisablehook``: what was raised where nobody can catch it is told as usual, and an
    interrupt is sent again."""
    if unraisable.exc_type is KeyboardInterrupt:
        _thread.start_new_thread(send_again, ())
    else:
        usual(unraisable)
