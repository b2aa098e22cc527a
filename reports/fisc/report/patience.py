"""Stopping what hangs: a section gets so many minutes."""

from __future__ import annotations

import contextlib
import faulthandler
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from fisc.core import FiscError

__all__ = ["SectionTimeoutError", "at_most"]

# Seconds that compiled code, which no Python signal reaches, may go on before the process is ended.
_GRACE = 120.0


class SectionTimeoutError(FiscError):
    """A section took longer than its time."""


@contextlib.contextmanager
def at_most(minutes: float) -> Iterator[None]:
    """Raise in a block that takes too long; each part that swallows it gets the same time again.

    A block stuck in compiled code is ended with its process: its run then counts as lost. Outside the
    main thread, or where there are no such signals, only that second stop works.

    Raises
    ------
    SectionTimeoutError
        After `minutes`.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        faulthandler.dump_traceback_later(seconds + _GRACE, exit=True, file=2)
        raise SectionTimeoutError(
            f"it took longer than {minutes:g} minutes; give it more by section_minutes = {2 * minutes:g}, "
            "or less to do"
        )

    seconds = minutes * 60
    alarmed = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    faulthandler.dump_traceback_later(seconds + _GRACE, exit=True, file=2)
    before = signal.signal(signal.SIGALRM, stop) if alarmed else None
    if alarmed:
        signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        if alarmed:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
