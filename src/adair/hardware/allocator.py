"""Ask glibc to keep large blocks instead of handing them back after every layer.

A restoration network frees and asks again for feature maps of many megabytes at every layer. glibc serves such
blocks with ``mmap`` and returns them at once, so every layer pays for fresh zeroed pages. Keeping the blocks makes
a NAFNet on two CPU cores two to three times faster (the figures are in ``benchmarks/restore_speed.py``).
Other threads than the first get heaps of 64 MiB at most from glibc, which are too small for such blocks; so all threads
share the first one's. See ``man 3 mallopt``.
"""

from __future__ import annotations

import ctypes
import platform
import sys

# From glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8

_GIB = 1 << 30
_MIB = 1 << 20

# Blocks below the mmap threshold come from the heap and are reused. glibc refuses a threshold above half of its
# largest heap on some versions, so smaller ones are tried in turn.
_MMAP_CHOICES = (_GIB, 32 * _MIB)

_state = "not tuned"


def tune_allocator() -> bool:
    """Tell glibc to keep and reuse large blocks for the rest of this process.

    Call it before torch computes anything: heaps that threads have by then are used further. Calling it again does
    nothing. On anything but Linux with glibc (musl, macOS, Windows) it changes nothing. A replaced allocator (jemalloc,
    tcmalloc) ignores the call.

    Returns:
        True if glibc took the settings.
    """
    global _state
    if _state == "tuned":
        return True
    if not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc":
        _state = "not tuned: this system does not use glibc"
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        _state = "not tuned: the C library has no mallopt"
        return False
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    kept = any(mallopt(_MMAP_THRESHOLD, size) for size in _MMAP_CHOICES)
    kept = bool(mallopt(_TRIM_THRESHOLD, 2 * _GIB - 1)) and kept
    kept = bool(mallopt(_TOP_PAD, 64 * _MIB)) and kept
    kept = bool(mallopt(_ARENA_MAX, 1)) and kept
    _state = "tuned" if kept else "not tuned: glibc refused the settings"
    return kept


def free_unused() -> None:
    """Give memory that this process no longer uses back to the system now, as `tune_allocator` keeps it from doing."""
    if _state == "tuned":
        ctypes.CDLL(None).malloc_trim(0)


def allocator_state() -> str:
    """``"tuned"``, or ``"not tuned"`` with the reason."""
    return _state
