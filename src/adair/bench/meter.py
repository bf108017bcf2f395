"""Time and memory that a method takes."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from adair import __version__
from adair.hardware import cpu_name

_PROCESS = Path("/proc/self")
_RESET_PEAK = "5"  # man 5 proc: writing it to clear_refs sets the peak resident size to the present one


class Meter:
    """Adds up seconds, and keeps the most memory taken, over the calls that it watches.

    Memory is what a call takes beyond what the process held when the meter was made: Python, libraries and weights
    that were loaded by then are not in it, the method's own buffers and result are. On a GPU it is what torch
    allocated there, else the peak resident size that Linux keeps, which is set back before each call; memory that
    the C library keeps for reuse is given back first. Elsewhere it is not known.

    With one thread on a CPU, seconds are those of the processor, which other work on the machine hardly changes; else
    they are those of the clock.

    Args:
        device: where the method works.
    """

    def __init__(self, device: torch.device) -> None:
        self._cuda = device if device.type == "cuda" else None
        self.seconds = 0.0
        self._clock = time.process_time if alone(device) else time.perf_counter
        self._most: int | None = None
        _give_back()
        self._before = self._held()

    @property
    def peak_mb(self) -> float | None:
        """The most memory taken, in megabytes (10^6 bytes)."""
        return None if self._most is None else self._most / 1e6

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Measure what happens inside."""
        known = self._reset()
        started = self._clock()
        yield
        if self._cuda:
            torch.cuda.synchronize(self._cuda)
        self.seconds += self._clock() - started
        if known and self._before is not None:
            self._most = max(self._most or 0, self._peak() - self._before, 0)

    def _held(self) -> int | None:
        return torch.cuda.memory_allocated(self._cuda) if self._cuda else _status("VmRSS")

    def _peak(self) -> int:
        return torch.cuda.max_memory_allocated(self._cuda) if self._cuda else _status("VmHWM") or 0

    def _reset(self) -> bool:
        """Forget the peak so far; whether that is possible."""
        if self._cuda:
            torch.cuda.reset_peak_memory_stats(self._cuda)
            return True
        try:
            (_PROCESS / "clear_refs").write_text(_RESET_PEAK)
        except OSError:
            return False
        return True


def alone(device: torch.device) -> bool:
    """Whether a single thread does the work."""
    return device.type == "cpu" and torch.get_num_threads() == 1


def machine(device: torch.device, precision: str) -> str:
    """What measures, in one line."""
    threads = torch.get_num_threads()
    cpu = f"{cpu_name()}, {threads} threads" if threads > 1 else f"{cpu_name()}, 1 thread, processor time"
    where = f"{torch.cuda.get_device_name(device)} (peers: {cpu})" if device.type == "cuda" else cpu
    return f"{where}, {precision}, torch {torch.__version__}, adair {__version__}"


def _status(name: str) -> int | None:
    """Bytes that the kernel states of this process."""
    try:
        lines = (_PROCESS / "status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), None)


def _give_back() -> None:
    """Ask glibc to return what was freed; without it the next method would find its memory already there."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries do not have it
        if trim is not None:
            trim(0)
