"""Restoring a folder, or many dropped photos, one after the other; it can be resumed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from adair.errors import InputError, Interrupted
from adair.restore import FileOptions, Outcome, RestoreOptions, Restorer, Runner
from adair.restore.batch import Naming, plan_batch
from adair.restore.record import Record
from adair.ui.wording import duration

RESULTS = "restored"  # folder of results in a folder of photos
FAILURES_SHOWN = 50
PATIENCE = 0.2  # seconds between two looks at whether a job that waits for its turn was cancelled
YIELD = 0.01  # seconds between photos: a lock is not fair, and a photo of another tab may be waiting for its turn


@dataclass(frozen=True)
class Tally:
    """The progress of a folder.

    Attributes:
        total, done, skipped: numbers of photos; skipped ones were already done.
        failures: one line each.
        left_out: number of files that are not photos, or results of earlier runs.
        seconds: time since the start.
        current: the photo that is being restored.
        ended: "" while it runs, "finished" or "cancelled".
    """

    total: int
    done: int = 0
    skipped: int = 0
    failures: tuple[str, ...] = ()
    seconds: float = 0.0
    current: str = ""
    ended: str = ""
    left_out: int = 0

    def __str__(self) -> str:
        """The progress as text for a visitor.

        >>> str(Tally(5, done=1, skipped=2, seconds=10, current="a.jpg"))
        '3 of 5 photos; 2 of them were already done; now a.jpg, about 20 s left'
        """
        finished = self.done + self.skipped + len(self.failures)
        parts = [f"{finished} of {self.total} photos"]
        parts += [f"{self.skipped} of them were already done"] if self.skipped else []
        parts += [f"{len(self.failures)} failed"] if self.failures else []
        parts += [f"{self.left_out} other files are earlier results or no photos"] if self.left_out else []
        if self.ended:
            return "; ".join([*parts, f"{self.ended} after {duration(self.seconds)}"])
        worked = self.done + len(self.failures)
        left = f", about {duration(self.seconds / worked * (self.total - finished))} left" if worked else ""
        return "; ".join([*parts, f"now {self.current}{left}"])


class FolderJob:
    """Restores files with one restorer; `cancel` may be called by any thread.

    Args:
        sources: files, or folders that are searched for photos.
        output: folder of the results; None for the folder of each photo.
        turn: held while a photo is being restored, so that jobs that share it take turns.

    Raises:
        InputError: options that do not fit, no photos, or two photos with the same result.
    """

    def __init__(
        self,
        sources: list[Path],
        output: Path | None,
        options: RestoreOptions,
        files: FileOptions,
        restorer: Restorer,
        turn: threading.Lock,
    ) -> None:
        if not sources:
            raise InputError("no photos; drop some, or choose a folder")
        naming = Naming(restorer.check(options), tasks=restorer.tasks)
        self.batch = plan_batch(sources, output, naming)
        record = Record(f"{restorer.mark(options)} {files.quality}")
        self._runner = Runner(restorer, options, files, record=record)
        self._turn, self._stop = turn, threading.Event()

    def cancel(self) -> None:
        """Stop after the current tile; finished photos stay."""
        self._stop.set()

    def run(self) -> Iterator[Tally]:
        """Yield the progress, after every photo."""
        start = time.monotonic()
        jobs, left_out = self.batch.jobs, len(self.batch.notes)
        tally = Tally(len(jobs), current=jobs[0].source.name, left_out=left_out)
        yield tally
        outcomes = self._runner.run(self.batch.jobs, self._progress)
        try:
            while (outcome := self._next(outcomes)) is not None:
                tally = self._added(tally, outcome, time.monotonic() - start)
                yield tally
                if outcome.status != "skipped":
                    time.sleep(YIELD)
        except Interrupted:
            yield replace(tally, ended="cancelled", seconds=time.monotonic() - start)
            return
        yield replace(tally, ended="finished", seconds=time.monotonic() - start)

    def _next(self, outcomes: Iterator[Outcome]) -> Outcome | None:
        while not self._turn.acquire(timeout=PATIENCE):
            self._progress(0, 0.0)
        try:
            self._progress(0, 0.0)
            return next(outcomes, None)
        finally:
            self._turn.release()

    def _added(self, tally: Tally, outcome: Outcome, seconds: float) -> Tally:
        failures = tally.failures
        if outcome.status == "failed":
            text = (outcome.error or "failed").replace(str(outcome.job.source), outcome.job.source.name)
            failures = (*failures, text.replace(str(outcome.job.output), outcome.job.output.name))
        done, skipped = (getattr(tally, name) + (outcome.status == name) for name in ("done", "skipped"))
        number = min(done + skipped + len(failures), tally.total - 1)
        current = self.batch.jobs[number].source.name
        return replace(tally, done=done, skipped=skipped, failures=failures, seconds=seconds, current=current)

    def _progress(self, number: int, part: float) -> None:
        if self._stop.is_set():
            raise Interrupted("cancelled")
