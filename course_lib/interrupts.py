"""Ctrl-C, or the stop button, at a moment when nothing is half done.

An interrupt inside ``functional_call``, ``vmap`` or the exit of ``no_grad`` leaves their state
behind: the same call then gives another number. Inside `held` an interrupt waits for the next
`now`, which stands between tasks, batches and steps, or for the end.
"""

import signal
import threading

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
