"""Running the jobs of a study: in order, each once, several at a time, resuming where an earlier call stopped."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess

from adair.errors import AdairError
from adair.studies.workspace import Job, Place, Workspace
from adair.train.processes import stop_signals, time_limit

WAIT = 0.2  # seconds between checks of what other processes are running


@dataclass(frozen=True)
class Outlook:
    """The plan of a study before it starts.

    Attributes:
        done, left: number of jobs with and without results.
        seconds: estimated time of the remaining jobs, one after the other.
        longest: seconds of the longest chain of dependent jobs.
    """

    done: int
    left: int
    seconds: float
    longest: float

    def minutes(self, processes: int) -> float:
        """Return the estimated minutes with this many jobs at a time."""
        return max(self.seconds / processes, self.longest) / 60


def in_order(jobs: Iterable[Job], workspace: Workspace) -> list[Job]:
    """Return the jobs and all that they depend on, each once, dependencies first."""
    found: dict[str, Job] = {}

    def visit(job: Job) -> None:
        key = workspace.key(job)
        if key not in found:
            for need in job.needs():
                visit(need)
            found[key] = job

    for job in jobs:
        visit(job)
    return list(found.values())


def outlook(jobs: Sequence[Job], workspace: Workspace) -> Outlook:
    """Estimate the remaining time of ``jobs`` (in order) from finished jobs of the same workload or short trials."""
    rates: dict[str, list[float]] = {}
    for job in jobs:
        result, (kind, units) = workspace.find(job), job.workload()
        if result is not None and "worked" in result.costs:
            rates.setdefault(kind, []).append(result.costs["worked"] / max(units, 1))
    left = [job for job in jobs if not workspace.done(job)]
    chains: dict[str, float] = {}
    total = 0.0
    for job in left:
        kind, units = job.workload()
        if kind not in rates:
            rates[kind] = [job.trial(workspace)]
        seconds = units * sum(rates[kind]) / len(rates[kind])
        chains[workspace.key(job)] = seconds + max(
            (chains.get(workspace.key(need), 0.0) for need in job.needs()), default=0.0
        )
        total += seconds
    return Outlook(len(jobs) - len(left), len(left), total, max(chains.values(), default=0.0))


def work_off(jobs: Sequence[Job], workspace: Workspace) -> None:
    """Run those of ``jobs`` (in order) that have no result; other processes may do so at the same time.

    Raises:
        AdairError: a job that failed.
        KeyboardInterrupt: stopped by a signal; a call with the same jobs resumes.
    """
    left = list(jobs)
    with stop_signals() as stopped:
        while not stopped and (left := [job for job in left if not workspace.done(job)]):
            if not any(_tried(job, len(jobs) - len(left), len(jobs), workspace) for job in left):
                time.sleep(WAIT)
        if stopped:
            raise KeyboardInterrupt


def work_in_turns(
    groups: Sequence[Sequence[Job]], workspace: Workspace, processes: int, seconds: float | None = None
) -> None:
    """Run groups of jobs (each in order), several jobs at a time; if time is limited, each group gets an equal part.

    A group that is done early leaves its time to the others. When time is over, trainings stop at a checkpoint, from
    which the next call goes on; a test is finished first.

    Raises:
        AdairError, KeyboardInterrupt: as `work_off`.
    """
    end = math.inf if seconds is None else time.monotonic() + seconds
    while time.monotonic() < end and (left := [one for one in groups if not all(map(workspace.done, one))]):
        for place, group in enumerate(left):
            part = None if seconds is None else max(0.0, end - time.monotonic()) / (len(left) - place)
            with time_limit(part):
                if processes == 1:
                    work_off(group, workspace)
                else:
                    work_together(group, workspace.place, processes)


def _tried(job: Job, done: int, total: int, workspace: Workspace) -> bool:
    """Run a job if its dependencies are done and no other process runs it."""
    if not all(workspace.done(need) for need in job.needs()):
        return False
    with workspace.claim(job) as mine:
        if not mine:
            return False
        if not workspace.done(job):
            workspace.say(f"[{done + 1}/{total}] {job.title}")
            workspace.work(job)
    return True


def work_together(jobs: Sequence[Job], place: Place, processes: int) -> None:
    """Run ``jobs`` in several ``processes`` of one thread each; a signal stops them all at their checkpoints.

    Raises:
        AdairError: a job failed in one of them.
        KeyboardInterrupt: stopped by a signal.
    """
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_worker, args=(list(jobs), place), daemon=True) for _ in range(processes)]
    with stop_signals() as stopped:
        for worker in workers:
            worker.start()
        _wait(workers, stopped)
    if stopped:
        raise KeyboardInterrupt
    if failed := [worker for worker in workers if worker.exitcode]:
        raise AdairError(f"{len(failed)} of {processes} processes failed, see above; run the study again to resume")


def _wait(workers: Sequence[BaseProcess], stopped: list[float]) -> None:
    warned = False
    while any(worker.is_alive() for worker in workers):
        for worker in workers:
            worker.join(WAIT / len(workers))
        if stopped and not warned:
            warned = True
            for worker in workers:
                if worker.pid is not None and worker.is_alive():
                    os.kill(worker.pid, signal.SIGTERM)


def _end_with(parent: BaseProcess) -> None:
    """End this process when ``parent`` has ended, for whatever reason."""
    parent.join()
    os._exit(1)


def say(line: str) -> None:
    """Print a line in one write: two, as of `print` with PYTHONUNBUFFERED set, mix with those of other processes."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _worker(jobs: Sequence[Job], place: Place) -> None:
    """Run one of several processes: exit code 1 after an error, 130 after a signal."""
    parent = multiprocessing.parent_process()
    if parent is not None:  # without the parent, nobody would see or stop this process
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    try:
        work_off(jobs, Workspace(place, say))
    except KeyboardInterrupt:
        sys.exit(130)
    except AdairError as error:
        say(f"adair: {error}")
        sys.exit(1)
