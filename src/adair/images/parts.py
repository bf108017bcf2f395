"""Temporary files: their names, what killed processes left of them, and why one cannot be written."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import socket
import sys
import time
from pathlib import Path

MINUTE = 60.0  # seconds; a younger temporary file is never deleted
_HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]  # a process number means nothing elsewhere
_PART = re.compile(rf"\.adair-{_HOST}-(\d+)-[0-9a-f]+\.part")
_swept: set[Path] = set()


def part_path(folder: Path) -> Path:
    """Return a new name for a temporary file in ``folder``; if this process is killed, the next one sweeps it."""
    return folder / f".adair-{_HOST}-{os.getpid()}-{secrets.token_hex(6)}.part"


def sweep(folder: Path) -> None:
    """Delete what killed processes of this machine left in ``folder``; once for each folder and process."""
    folder = folder.absolute()
    if folder in _swept:
        return
    _swept.add(folder)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _PART.fullmatch(entry.name)
            if found and not is_alive(int(found[1])):
                with contextlib.suppress(OSError):
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime > MINUTE:
                        os.unlink(entry.path)


def is_alive(process: int) -> bool:
    """Whether a process of this machine still runs; where that cannot be asked, it is said to."""
    if sys.platform == "win32":
        return True  # asking with a signal would end it
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass
    return True


def explain(error: OSError) -> str:
    """Why a file cannot be written, and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free some space or choose another folder"
    if error.errno == errno.EFBIG:
        return "the file would be larger than this disk or the quota allows; choose another folder"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "no permission to write there; choose another folder"
    if error.errno == errno.ENAMETOOLONG:
        return "the name is too long for this disk; choose a shorter one"
    return (error.strerror or str(error)).lower()
