"""Reading files without ever blocking, and writing them atomically.

A file is written under a temporary name in the folder of its target and then renamed. Temporary files that a killed
process leaves behind are deleted by the next one that writes into the same folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from adair.errors import AdairError, InputError
from adair.images import scratch
from adair.images.parts import explain, part_path, sweep

_NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK, errno.EXDEV, errno.EINVAL}


@contextlib.contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading; anything but a regular file is refused, because opening it might block.

    Raises:
        InputError: the path is a folder, a pipe, a socket or a device.
        OSError: the file cannot be opened.
    """
    # Opening a pipe that nobody writes to would block forever, hence O_NONBLOCK; regular files ignore it.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            what = "folder" if stat.S_ISDIR(mode) else "pipe" if stat.S_ISFIFO(mode) else "device or a socket"
            raise InputError(f"{path}: is a {what}; give a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def read_stable(path: Path, most: int, folder: Path | None = None) -> scratch.Data:
    """Return the bytes of a regular file, at most ``most`` of them, and make sure that it did not change meanwhile.

    Args:
        path: the file.
        most: a larger one is refused.
        folder: where a copy of a file too large for memory goes (see `scratch`); None keeps every file in memory.

    Raises:
        InputError: the file is missing, unreadable, not a regular file, larger than ``most``, or it changed.
    """
    try:
        with open_regular(path) as file:
            before = os.fstat(file.fileno())
            if before.st_size > most:
                raise InputError(f"{path}: {before.st_size:,} bytes; files of at most {most:,} bytes are read")
            data = _read(file, before.st_size, folder)
        after = path.stat()
    except OSError as error:
        exists = os.path.lexists(path)
        what = "cannot be read" if exists and not isinstance(error, FileNotFoundError) else "not found"
        raise InputError(f"{path}: {what}; give a file that you may read") from error
    same = all(getattr(before, name) == getattr(after, name) for name in ("st_ino", "st_dev", "st_size", "st_mtime_ns"))
    if not same or len(data) != before.st_size:
        raise InputError(f"{path}: changed while it was being read; try again when it is finished")
    return data


def _read(file: BinaryIO, size: int, folder: Path | None) -> scratch.Data:
    """Read a file; what is returned has another length than ``size`` if the file has."""
    if folder is None or size < scratch.LARGE:
        return file.read(size + 1)
    room = scratch.mapped(size, folder)
    while block := file.read(scratch.BLOCK):
        if len(block) > size - room.tell():
            return b""
        room.write(block)
        scratch.release(room)
    if room.tell() < size:
        return b""
    room.seek(0)
    return room


def write_whole(path: Path, data: scratch.Data, overwrite: bool = True) -> None:
    """Write a file atomically; missing folders are created.

    Whatever goes wrong (a full disk, Ctrl-C, a lost network drive), ``path`` keeps its former content and no temporary
    file remains.

    Args:
        path: the file.
        data: its content.
        overwrite: whether an existing file is replaced. If not, and several processes write to one name, exactly
            one succeeds.

    Raises:
        AdairError: one line that names the file and the cause.
    """
    try:
        with new_file(path, overwrite) as part, part.open("xb") as file:
            file.write(data)
    except OSError as error:
        raise AdairError(f"{path}: cannot be written: {explain(error)}") from error


@contextlib.contextmanager
def new_file(path: Path, overwrite: bool = True) -> Iterator[Path]:
    """Provide a temporary path to write to; it is renamed to ``path`` when the block ends without an error.

    For files that are too large to hold in memory; `write_whole` does the same for bytes.

    Args:
        path: the file; missing folders are created.
        overwrite: as for `write_whole`.

    Raises:
        AdairError: ``path`` is a folder, or exists although it may not be replaced.
        OSError: the file cannot be written.
    """
    part = part_path(path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise AdairError(f"{path}: is a folder; name a file to write")
    sweep(path.parent)
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        if overwrite:
            part.replace(path)
        else:
            _publish_new(part, path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def exists_error(path: Path) -> AdairError:
    """The message for a file that may not be replaced."""
    way_out = "choose another name with -o, or replace it with --overwrite (overwrite=True in Python)"
    return AdairError(f"{path}: exists; {way_out}")


def _publish_new(part: Path, path: Path) -> None:
    """Rename ``part`` to ``path``; fail if that exists, even if it appears at the last moment."""
    try:
        if sys.platform == "win32":
            part.rename(path)  # never replaces on Windows
            return
        try:
            os.link(part, path)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            path.touch(exist_ok=False)  # no hard links on this disk: an empty file reserves the name
            part.replace(path)
    except FileExistsError as error:
        raise exists_error(path) from error
