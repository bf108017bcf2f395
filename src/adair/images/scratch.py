"""Pixels too large for memory: arrays in a file on disk, of which only the parts in use take memory.

Everything that works on arrays works on these too. What has been read or written stays in memory until `release` lets
go of it; the system then keeps it as long as nobody else needs the room. The file has no name (on Windows a temporary
one), so that nothing of it is left behind however the process ends.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from adair.errors import AdairError
from adair.images.parts import explain, part_path

Data = bytes | mmap.mmap  # what a file holds, in memory or in a copy on disk
LARGE = 2**28  # bytes; smaller arrays lie in memory
STREAMED = ("JPEG", "PNG", "TIFF")  # formats that are decoded and encoded line by line
LINES = 256  # of an image that are worked on at a time
BLOCK = 2**24  # bytes that are written at once where a file's space cannot be reserved


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike, folder: Path | None) -> npt.NDArray[Any]:
    """Return an array like `np.empty`; one of `LARGE` bytes or more lies in a file.

    Args:
        shape, dtype: of the array.
        folder: where the file goes, created if missing; None for memory in any case.

    Raises:
        AdairError: the file cannot be written, mostly since the disk is full.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if folder is None or size < LARGE:
        return np.empty(shape, dtype)
    return np.frombuffer(mapped(size, folder), dtype).reshape(shape)


def mapped(size: int, folder: Path) -> mmap.mmap:
    """Return ``size`` bytes in a file of their own, which goes with the last array that uses them.

    Raises:
        AdairError: as `empty`.
    """
    path = part_path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_TEMPORARY", 0)
        descriptor = os.open(path, flags, 0o600)
        try:
            if sys.platform != "win32":
                path.unlink()
            _reserve(descriptor, size)
            return mmap.mmap(descriptor, size)
        finally:
            if sys.platform != "win32":  # closing it there deletes the file, so it is left to the end of the process
                os.close(descriptor)
    except OSError as error:
        raise AdairError(f"{folder}: {size / 1e9:.1f} GB of temporary space: {explain(error)}") from error


def release(array: Any) -> None:
    """Let go of the memory that parts of a large array take; their values stay. Other arrays are left alone."""
    while isinstance(array, (np.ndarray, memoryview)):
        array = array.base if isinstance(array, np.ndarray) else array.obj
    if isinstance(array, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        array.madvise(mmap.MADV_DONTNEED)


def by_lines(
    function: Callable[..., npt.NDArray[Any]], dtype: npt.DTypeLike, folder: Path | None, *arrays: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    """Return ``function(*arrays)``, computed a few lines at a time.

    Args:
        function: gives an array of the shape of its first argument.
        dtype: of the result.
        folder: as for `empty`.
        arrays: all of one height.
    """
    result = empty(arrays[0].shape, dtype, folder)
    for top in range(0, len(result), LINES):
        result[top : top + LINES] = function(*(array[top : top + LINES] for array in arrays))
        for array in (*arrays, result):
            release(array)
    return result


def _reserve(descriptor: int, size: int) -> None:
    """Take the space now: a disk that is full later would end the process without a word."""
    if hasattr(os, "posix_fallocate"):
        with contextlib.suppress(OSError):
            os.posix_fallocate(descriptor, 0, size)
            return
    written = 0
    while written < size:
        written += os.write(descriptor, bytes(min(BLOCK, size - written)))
