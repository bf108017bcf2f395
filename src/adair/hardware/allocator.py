"""Ask glibc to keep large blocks instead of handing them back after every layer.

A restoration network frees and asks again for feature maps of many megabytes at every layer. glibc serves such
blocks with ``mmap`` and returns them at once, so every layer pays for fresh zeroed pages. Keeping the blocks makes
a NAFNet on two CPU cores two to three times faster (the figures are in ``benchmarks/restore_speed.py``).
Other threads than the first get heaps of 64 MiB at most from glibc, which are too small for such blocks; so all threads
share the first one's. See ``man 3 mallopt``.

Feature maps go through memory faster on huge pages (2 MiB instead of 4 KiB), most of all on virtual machines: 3 to 10 %
of restoring. Many Linux systems give them only to those who ask (``man 2 madvise``).
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import sys

# From glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8

_GIB = 1 << 30
_MIB = 1 << 20

# Blocks below the mmap threshold come from the heap and are reused. glibc refuses a threshold above half of its
# largest heap on some versions, so smaller ones are tried in turn.
_MMAP_CHOICES = (_GIB, 32 * _MIB)

_HEAP = 2  # blocks of this size are asked for huge pages in advance; together they stay below the trim threshold
_HEAP_BLOCK = 900 * _MIB
_MADV_HUGEPAGE = 14  # of Linux; Python's mmap has it there only

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
    if kept:
        _ask_for_huge_pages()
    return kept


def _ask_for_huge_pages() -> None:
    """Let the heap grow without using the new part, and ask for huge pages where it will be used.

    Only addresses are taken, no memory. glibc's own setting (``GLIBC_TUNABLES``) is read before the process starts.
    """
    library = ctypes.CDLL(None)
    library.malloc.argtypes, library.malloc.restype = (ctypes.c_size_t,), ctypes.c_void_p
    library.free.argtypes, library.free.restype = (ctypes.c_void_p,), None
    library.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    blocks = [block for block in (library.malloc(_HEAP_BLOCK) for _ in range(_HEAP)) if block]
    for block in blocks:
        start = block + -block % mmap.PAGESIZE
        whole = (block + _HEAP_BLOCK - start) // mmap.PAGESIZE * mmap.PAGESIZE
        library.madvise(start, whole, _MADV_HUGEPAGE)  # advice: may be refused
    for block in reversed(blocks):  # from the end, so that the heap takes them back
        library.free(block)


def free_unused() -> None:
    """Give memory that this process no longer uses back to the system now, as `tune_allocator` keeps it from doing."""
    if _state == "tuned":
        ctypes.CDLL(None).malloc_trim(0)
        _ask_for_huge_pages()


def allocator_state() -> str:
    """``"tuned"``, or ``"not tuned"`` with the reason."""
    return _state
