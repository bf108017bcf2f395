"""OpenMP's teams: every thread that computes with PyTorch on a CPU gets a team of threads of its own.

Threads of GNU's libgomp that wait for work keep their core busy, so that they go on at once, but only as long as all
teams of a process together have no more threads than there are cores. With a second team every layer of every network
has to wake its threads: on two cores an image of 64x64 takes twice as long.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
from pathlib import Path

import torch

_HARD = 2  # omp_pause_hard of omp.h
_state = threading.local()


def compute_alone() -> None:
    """End the team of the calling thread, which computes without one from now on.

    For threads that leave the heavy work to another one. Calling it again costs nothing. With other OpenMP libraries
    than libgomp (macOS, Windows) it does nothing.
    """
    if getattr(_state, "alone", False):
        return
    _state.alone = True
    torch.get_num_threads()  # PyTorch gives a new thread its number of threads when it is first asked
    for library in _libgomps():
        library.omp_set_num_threads(1)
        library.omp_pause_resource_all(_HARD)


def _libgomps() -> list[ctypes.CDLL]:
    """The copies of libgomp in this process that can end a team (GCC 9 and newer)."""
    if not sys.platform.startswith("linux"):
        return []
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return []
    libraries = []
    for name in sorted({line.split(maxsplit=5)[-1] for line in lines if "libgomp" in line}):
        with contextlib.suppress(OSError):  # the file was replaced while the program runs: its threads stay as they are
            libraries.append(ctypes.CDLL(name))
    return [library for library in libraries if hasattr(library, "omp_pause_resource_all")]
