"""Restoring a folder, or many dropped photos, one after the other; it can be resumed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from adair.errors import InputError, Interrupted
from adair.restore import FileOptions, Outcome, RestoreOptions, Restorer, Runner
from adair.restore.batch import Naming, plan_batch
from adair.restore.record import Record
from adair.ui.wording import duration

RESULTS = "restored"  # folder of results in a folder of photos
FAILURES_SHOWN = 50


@dataclass(frozen=True)
class Tally:
    """The progress of a folder.

    Attributes:
        total, done, skipped: numbers of photos; skipped ones were already done.
        failures: one line each.
        results: files that were written by this run, in order.
        seconds: time since the start.
        current: the photo that is being restored.
        ended: "" while it runs, "finished" or "cancelled".
    """

    total: int
    done: int = 0
    skipped: int = 0
    failures: tuple[str, ...] = ()
    results: tuple[Path, ...] = ()
    seconds: float = 0.0
    current: str = ""
    ended: str = ""

    def __str__(self) -> str:
        """The progress as text for a visitor.

        >>> str(Tally(5, done=1, skipped=2, seconds=10, current="a.jpg"))
        '3 of 5 photos; 2 of them were already done; now a.jpg, about 20 s left'
        """
        finished = self.done + self.skipped + len(self.failures)
        parts = [f"{finished} of {self.total} photos"]
        parts += [f"{self.skipped} of them were already done"] if self.skipped else []
        parts += [f"{len(self.failures)} failed"] if self.failures else []
        if self.ended:
            return "; ".join([*parts, f"{self.ended} after {duration(self.seconds)}"])
        worked = self.done + len(self.failures)
        left = f", about {duration(self.seconds / worked * (self.total - finished))} left" if worked else ""
        return "; ".join([*parts, f"now {self.current}{left}"])


class FolderJob:
    """Restores files with one restorer; `cancel` may be called by any thread.

    Args:
        sources: files, or folders that are searched for photos.
        output: folder of the results; None for `RESULTS` in the first source, which is then a folder.
        turn: jobs that share it run one after the other.

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
        output = sources[0] / RESULTS if output is None else output
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
        tally = Tally(len(self.batch.jobs), current=self.batch.jobs[0].source.name)
        yield tally
        with self._turn:
            start = time.monotonic()
            try:
                for outcome in self._runner.run(self.batch.jobs, self._progress):
                    tally = self._added(tally, outcome, time.monotonic() - start)
                    yield tally
                    self._progress(0, 0.0)
            except Interrupted:
                yield _ended(tally, "cancelled", time.monotonic() - start)
                return
        yield _ended(tally, "finished", time.monotonic() - start)

    def _added(self, tally: Tally, outcome: Outcome, seconds: float) -> Tally:
        done, results, failures = tally.done, tally.results, tally.failures
        if outcome.status == "done":
            done, results = done + 1, (*results, outcome.job.output)
        elif outcome.status == "failed":
            text = (outcome.error or "failed").replace(str(outcome.job.source), outcome.job.source.name)
            failures = (*failures, text.replace(str(outcome.job.output), outcome.job.output.name))
        skipped = tally.skipped + (outcome.status == "skipped")
        number = min(done + skipped + len(failures), tally.total - 1)
        return Tally(tally.total, done, skipped, failures, results, seconds, self.batch.jobs[number].source.name)

    def _progress(self, number: int, part: float) -> None:
        if self._stop.is_set():
            raise Interrupted("cancelled")


def _ended(tally: Tally, how: str, seconds: float) -> Tally:
    return Tally(tally.total, tally.done, tally.skipped, tally.failures, tally.results, seconds, "", how)
