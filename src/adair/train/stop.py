"""Stopping: the first Ctrl-C or SIGTERM ends a run at a checkpoint, a second Ctrl-C at once."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SAME_WISH = 1.0  # seconds in which a launcher may pass on the Ctrl-C that the terminal has sent already


_open: list[list[float]] = []  # the notes of all that are under way, one inside the other


@contextmanager
def stop_signals() -> Iterator[list[float]]:
    """Turn Ctrl-C and SIGTERM into a note (the list is no longer empty), so that the step under way ends first.

    Within another one, both note it: a signal that ends a run ends what the run is a part of. One that came while the
    run was being prepared ends the run as well.

    Raises:
        KeyboardInterrupt: on another Ctrl-C later than a second after the first signal.
    """
    received = list(_open[-1]) if _open else []

    def note(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if number == signal.SIGINT and received and now - received[0] > SAME_WISH:
            raise KeyboardInterrupt
        for notes in _open:
            notes.append(now)

    try:
        kept = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        _open.append(received)
    except ValueError:  # not the main thread: signals are its business
        kept = {}
    try:
        yield received
    finally:
        _open[:] = [notes for notes in _open if notes is not received]
        for number, handler in kept.items():
            signal.signal(number, handler)
