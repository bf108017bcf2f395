"""Restoring one photo in the background: progress, remaining time, and cancelling."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from adair.errors import AdairError, Interrupted
from adair.restore import FileOptions, FileResult, RestoreOptions, Restorer, restore_file


@dataclass(frozen=True)
class Status:
    """The progress of a job.

    Attributes:
        done, total: numbers of tiles; total is 0 before the first is done.
        left: estimated seconds; None while unknown.
        result: the result, once it is finished.
        error: one line, once it has failed.
        cancelled: whether it was cancelled.
    """

    done: int = 0
    total: int = 0
    left: float | None = None
    result: FileResult | None = None
    error: str | None = None
    cancelled: bool = False

    @property
    def over(self) -> bool:
        """Whether there is nothing to wait for."""
        return self.result is not None or self.error is not None or self.cancelled


class Work:
    """Restores a file like the command; `cancel` may be called by any thread.

    Args:
        source, target: the files.
        turn: jobs that share it run one after the other.

    Attributes:
        replaced: whether the page shows another one instead, so that the end of this one is not told.
    """

    def __init__(
        self,
        source: Path,
        target: Path,
        options: RestoreOptions,
        files: FileOptions,
        restorer: Restorer,
        turn: threading.Lock,
    ) -> None:
        self.options, self.replaced = options, False
        self._source, self._target = source, target
        self._files, self._restorer, self._turn = files, restorer, turn
        self._status = Status()
        self._changed = threading.Condition()
        self._start = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="adair-ui", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def cancel(self) -> None:
        """Cancel: waiting callers return at once, the job ends after the current tile, and nothing is written."""
        self._set(cancelled=True)

    def wait(self, seen: Status | None = None, seconds: float = 1.0) -> Status:
        """Return the status as soon as it differs from ``seen``, at the latest after ``seconds``."""
        with self._changed:
            self._changed.wait_for(lambda: self._status is not seen, seconds)
            return self._status

    def join(self) -> None:
        """Wait until the job has really ended."""
        self._thread.join()

    def _run(self) -> None:
        try:
            with self._turn:
                self._start = time.monotonic()
                self._check()
                result = restore_file(
                    self._source,
                    self._target,
                    options=self.options,
                    files=self._files,
                    restorer=self._restorer,
                    progress=self._progress,
                )
            self._set(result=result)
        except Interrupted:
            self._set(cancelled=True)
        except (AdairError, OSError, MemoryError) as error:
            self._set(error=" ".join(str(error).split()) or type(error).__name__)
        except Exception as error:  # a page that waits forever would be worse
            self._set(error=f"unexpected: {type(error).__name__}: {error}")

    def _progress(self, done: int, total: int) -> None:
        self._check()
        passed = time.monotonic() - self._start
        self._set(done=done, total=total, left=passed / done * (total - done))

    def _check(self) -> None:
        if self._status.cancelled:
            raise Interrupted("cancelled")

    def _set(self, **changes: object) -> None:
        with self._changed:
            if not self._status.over:
                self._status = replace(self._status, **changes)  # type: ignore[arg-type]
                self._changed.notify_all()
