"""Working the cells of a study: in order, each once, several at a time, going on where an earlier call stopped."""

from __future__ import annotations

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
from adair.studies.cell import Cell
from adair.studies.lab import Lab, Place
from adair.train.stop import stop_signals

WAIT = 0.2  # seconds between looks at what others are working on


@dataclass(frozen=True)
class Outlook:
    """The plan of a study before it starts.

    Attributes:
        done, left: how many cells have their results, and how many do not.
        seconds: that those left will take one after the other, estimated.
        longest: seconds of the longest chain of cells that need each other.
    """

    done: int
    left: int
    seconds: float
    longest: float

    def minutes(self, jobs: int) -> float:
        """Estimated minutes with so many cells worked at once."""
        return max(self.seconds / jobs, self.longest) / 60


def in_order(cells: Iterable[Cell], lab: Lab) -> list[Cell]:
    """Return the cells and all that they need, each once, needs first."""
    found: dict[str, Cell] = {}

    def visit(cell: Cell) -> None:
        key = lab.key(cell)
        if key not in found:
            for need in cell.needs():
                visit(need)
            found[key] = cell

    for cell in cells:
        visit(cell)
    return list(found.values())


def outlook(cells: Sequence[Cell], lab: Lab) -> Outlook:
    """Estimate what is left of ``cells`` (in order): from finished cells of the same pace, else from short tries."""
    rates: dict[str, list[float]] = {}
    for cell in cells:
        result, (pace, units) = lab.find(cell), cell.pace()
        if result is not None and "worked" in result.costs:
            rates.setdefault(pace, []).append(result.costs["worked"] / max(units, 1))
    left = [cell for cell in cells if not lab.done(cell)]
    chains: dict[str, float] = {}
    total = 0.0
    for cell in left:
        pace, units = cell.pace()
        if pace not in rates:
            rates[pace] = [cell.trial(lab)]
        seconds = units * sum(rates[pace]) / len(rates[pace])
        chains[lab.key(cell)] = seconds + max((chains.get(lab.key(need), 0.0) for need in cell.needs()), default=0.0)
        total += seconds
    return Outlook(len(cells) - len(left), len(left), total, max(chains.values(), default=0.0))


def work_off(cells: Sequence[Cell], lab: Lab) -> None:
    """Work those of ``cells`` (in order) that have no result; other processes may do so at the same time.

    Raises:
        AdairError: a cell that failed.
        KeyboardInterrupt: stopped by a signal; a call with the same cells goes on from there.
    """
    left = list(cells)
    with stop_signals() as stopped:
        while left := [cell for cell in left if not lab.done(cell)]:
            if not any(_tried(cell, len(cells) - len(left), len(cells), lab) for cell in left):
                time.sleep(WAIT)
            if stopped:
                raise KeyboardInterrupt


def _tried(cell: Cell, done: int, total: int, lab: Lab) -> bool:
    """Work a cell if it is time for it and nobody else does."""
    if not all(lab.done(need) for need in cell.needs()):
        return False
    with lab.claim(cell) as mine:
        if not mine:
            return False
        if not lab.done(cell):
            lab.say(f"[{done + 1}/{total}] {cell.title}")
            lab.work(cell)
    return True


def work_together(cells: Sequence[Cell], place: Place, jobs: int) -> None:
    """Work ``cells`` in ``jobs`` processes of one thread each; a signal stops them all at their checkpoints.

    Raises:
        AdairError: a cell failed in one of them.
        KeyboardInterrupt: stopped by a signal.
    """
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_worker, args=(list(cells), place), daemon=True) for _ in range(jobs)]
    with stop_signals() as stopped:
        for worker in workers:
            worker.start()
        _wait(workers, stopped)
    if stopped:
        raise KeyboardInterrupt
    if failed := [worker for worker in workers if worker.exitcode]:
        raise AdairError(f"{len(failed)} of {jobs} processes failed, as said above; run the study again to go on")


def _wait(workers: Sequence[BaseProcess], stopped: list[float]) -> None:
    told = False
    while any(worker.is_alive() for worker in workers):
        for worker in workers:
            worker.join(WAIT / len(workers))
        if stopped and not told:
            told = True
            for worker in workers:
                if worker.pid is not None and worker.is_alive():
                    os.kill(worker.pid, signal.SIGTERM)


def _end_with(parent: BaseProcess) -> None:
    """End this process when ``parent`` is gone, however it went."""
    parent.join()
    os._exit(1)


def _worker(cells: Sequence[Cell], place: Place) -> None:
    """One of several processes: ends with code 1 after an error and 130 after a signal."""
    parent = multiprocessing.parent_process()
    if parent is not None:  # without it nobody would see, or stop, what is worked here
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    try:
        work_off(cells, Lab(place, say))
    except KeyboardInterrupt:
        sys.exit(130)
    except AdairError as error:
        say(f"adair: {error}")
        sys.exit(1)
