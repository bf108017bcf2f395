"""Writing files so that they appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

from adair.errors import AdairError


def write_whole(path: Path, data: bytes) -> None:
    """Write ``data`` beside ``path`` and rename it into place; missing folders are made.

    Whatever goes wrong (a full disk, Ctrl-C, a lost network drive), ``path`` keeps what it held and no part remains.

    Raises:
        AdairError: one line that names the file and the cause.
    """
    part = path.parent / f".adair-{secrets.token_hex(6)}.part"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise AdairError(f"{path}: is a folder; name a file to write")
        try:
            with part.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
    except OSError as error:
        raise AdairError(f"{path}: cannot be written: {_cause(error)}") from error


def _cause(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free some space or choose another folder"
    if error.errno == errno.EFBIG:
        return "the file would be larger than this disk or account allows; choose another folder"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "no permission to write there; choose another folder"
    return (error.strerror or str(error)).lower()
