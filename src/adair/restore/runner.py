"""Restoring many files, one or several at a time; a file that fails does not affect the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Literal, Protocol

from adair.errors import AdairError, InputError, Interrupted
from adair.images.parts import explain, sweep
from adair.restore.batch import Job
from adair.restore.options import RestoreOptions
from adair.restore.record import Record
from adair.restore.restoration import FileRestorer, Progress
from adair.restore.single import FileOptions, FileResult, check_free, restore_file

SMALL_FILE = 2**17  # bytes; most of the time for such a file is spent on other things than its pixels

Existing = Literal["resume", "skip", "overwrite"]
Status = Literal["done", "skipped", "failed", "planned"]
FilesProgress = Callable[[int, float], None]
"""Called with the number of a job and the fraction of it that is done, 0 to 1, from the thread that works on it."""


class RestoreOne(Protocol):
    """Restores one file, as `restore_file` does."""

    def __call__(
        self,
        source: Path,
        target: Path,
        *,
        options: RestoreOptions,
        files: FileOptions,
        restorer: FileRestorer,
        progress: Progress,
    ) -> FileResult:
        """See `restore_file`."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a job.

    Attributes:
        job: its files.
        status: "done"; "skipped" if an earlier run has done it; "failed"; "planned" in a dry run.
        result: the result of a job that is done.
        error: the message of a job that failed, one line that names the file.
    """

    job: Job
    status: Status
    result: FileResult | None = None
    error: str | None = None


@dataclass(frozen=True)
class Runner:
    """Restores many files with the same settings.

    Attributes:
        restorer: the restorer.
        options: how images are restored.
        files: how files are read and written; ``overwrite`` is decided for each file by ``existing``.
        existing: what to do if the target exists. "resume": skip it if an earlier run has made it from the same
            source with the same settings, make it again if those have changed, and fail if it is not ours. "skip":
            always skip it. "overwrite": always make it again.
        record: the results of earlier runs; None to neither read nor write records.
        workers: files at a time; with several, reading and writing overlap with restoring.
        small_workers: files at a time among neighbours that are small, `SMALL_FILE` at most; ``workers`` if that is
            more.
        dry_run: only report what would be done.
        restore_one: restores one file; `restore_file`, unless there are videos.

    Raises:
        InputError: fewer workers than 1.
    """

    restorer: FileRestorer
    options: RestoreOptions
    files: FileOptions = FileOptions()  # noqa: RUF009 - frozen
    existing: Existing = "resume"
    record: Record | None = None
    workers: int = 1
    small_workers: int = 1
    dry_run: bool = False
    restore_one: RestoreOne = restore_file

    def __post_init__(self) -> None:
        for workers in (self.workers, self.small_workers):
            if not 1 <= workers <= 64:
                raise InputError(f"workers {workers}: give 1 to 64 files at a time")
        self.restorer.check(self.options)

    def run(self, jobs: Sequence[Job], progress: FilesProgress | None = None) -> Iterator[Outcome]:
        """Yield the outcome of every job, in order, as soon as it is available.

        Closing the iterator, or an exception in the code that reads it, stops the work: finished files stay, and no
        partial file is left.

        Raises:
            Interrupted: ``progress`` raised it.
        """
        for workers, group in groupby(enumerate(jobs), key=lambda numbered: self._at_once(numbered[1])):
            if workers == 1:
                yield from (self._one(job, number, progress, None) for number, job in group)
            else:
                yield from self._together(workers, list(group), progress)

    def _at_once(self, job: Job) -> int:
        """How many files like that of ``job`` are restored at a time."""
        if self.small_workers <= self.workers:
            return self.workers
        try:
            small = job.source.stat().st_size <= SMALL_FILE
        except OSError:
            small = False
        return self.small_workers if small else self.workers

    def _together(
        self, workers: int, jobs: Sequence[tuple[int, Job]], progress: FilesProgress | None
    ) -> Iterator[Outcome]:
        stop = threading.Event()
        pool = ThreadPoolExecutor(workers, thread_name_prefix="adair")
        try:
            futures = [pool.submit(self._one, job, number, progress, stop) for number, job in jobs]
            for future in futures:
                yield future.result()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)

    def _one(self, job: Job, number: int, progress: FilesProgress | None, stop: threading.Event | None) -> Outcome:
        try:
            overwrite = self._may_replace(job)
            if overwrite is None:
                if not self.dry_run:
                    sweep(job.output.parent)  # where everything is done, nothing is written that would do it
                return Outcome(job, "skipped")
            check_free(job.output, overwrite)
            if self.dry_run:
                return Outcome(job, "planned")
            with self.record.writing(job.source, job.output) if self.record is not None else nullcontext():
                result = self.restore_one(
                    job.source,
                    job.output,
                    options=self.options,
                    files=replace(self.files, overwrite=overwrite),
                    restorer=self.restorer,
                    progress=partial(_report, progress, stop, number),
                )
            return Outcome(job, "done", result)
        except Interrupted:
            raise
        except OSError as error:
            read = error.filename == str(job.source)  # other files are the result and temporary ones beside it
            text = f"{job.source}: cannot be read" if read else f"{job.output}: cannot be written: {explain(error)}"
            return Outcome(job, "failed", error=text)
        except (AdairError, MemoryError) as error:
            text = " ".join(str(error).split()) or type(error).__name__
            named = str(job.source) in text or str(job.output) in text
            return Outcome(job, "failed", error=text if named else f"{job.source}: {text}")

    def _may_replace(self, job: Job) -> bool | None:
        """Whether an existing target may be replaced; None if there is nothing to do."""
        if self.existing == "overwrite" or not job.output.exists():
            return self.existing == "overwrite"
        if self.existing == "skip" or (self.record is not None and self.record.done(job.source, job.output)):
            return None
        return self.record is not None and self.record.ours(job.output)


def _report(progress: FilesProgress | None, stop: threading.Event | None, number: int, done: int, total: int) -> None:
    if stop is not None and stop.is_set():
        raise Interrupted("stopped before it was finished")
    if progress is not None:
        progress(number, done / total)
