"""The time and memory that a method needs."""

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
    """Sums the seconds, and records the peak memory, of the calls that it watches.

    Memory is what a call needs in addition to what the process used when the meter was created: not Python, libraries
    and weights that were loaded by then, but the method's own buffers and its result. On a GPU it is what torch
    allocates there; on Linux it is the peak resident size, which is reset before each call, after the C library has
    released the memory that it keeps for reuse. On other systems it is unknown.

    With one thread on a CPU, seconds are processor time, which other work on the machine hardly changes; otherwise they
    are wall-clock time.

    Args:
        device: where the method runs.
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
        """The peak memory, in megabytes (10^6 bytes)."""
        return None if self._most is None else self._most / 1e6

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Measure the block."""
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
        """Reset the peak; return whether that is possible."""
        if self._cuda:
            torch.cuda.reset_peak_memory_stats(self._cuda)
            return True
        try:
            (_PROCESS / "clear_refs").write_text(_RESET_PEAK)
        except OSError:
            return False
        return True


def alone(device: torch.device) -> bool:
    """Whether a single CPU thread does the work."""
    return device.type == "cpu" and torch.get_num_threads() == 1


def machine(device: torch.device, precision: str) -> str:
    """Describe the machine in one line."""
    threads = torch.get_num_threads()
    cpu = f"{cpu_name()}, {threads} threads" if threads > 1 else f"{cpu_name()}, 1 thread, processor time"
    where = f"{torch.cuda.get_device_name(device)} (baselines: {cpu})" if device.type == "cuda" else cpu
    return f"{where}, {precision}, torch {torch.__version__}, adair {__version__}"


def _status(name: str) -> int | None:
    """Return a number of bytes from the kernel's status of this process."""
    try:
        lines = (_PROCESS / "status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), None)


def _give_back() -> None:
    """Ask glibc to return freed memory; otherwise the next method could use it without it being counted."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries do not have it
        if trim is not None:
            trim(0)
