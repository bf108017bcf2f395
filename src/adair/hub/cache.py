"""Downloaded files, stored in the user's cache with their checksum, which is verified at every use."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock

from adair.data.download import digest
from adair.images.files import write_whole

RECORD = "source.json"  # written last: it proves that the file is complete
LOCK = "lock"


@dataclass(frozen=True)
class Record:
    """The origin of a file.

    Attributes:
        name: the name that was requested.
        file: its name, in the folder of the record.
        sha256: its checksum.
        bytes: its size.
        revision: the commit of a repository; "" for other origins.
        fetched: date of the download, YYYY-MM-DD.
    """

    name: str
    file: str
    sha256: str
    bytes: int
    revision: str
    fetched: str


def cache_folder() -> Path:
    """Return the folder of the cache: ``$ADAIR_CACHE``, or ``adair/weights`` in the user's cache."""
    own = os.environ.get("ADAIR_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adair" / "weights"


def entry_folder(key: str) -> Path:
    """Return the folder for ``key``; it may not exist."""
    return cache_folder() / hashlib.sha256(key.encode()).hexdigest()[:24]


def find(folder: Path) -> tuple[Path, Record] | None:
    """Return the file of a folder with its record; None if there is none, or if it has changed."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        record = Record(**json.loads((folder / RECORD).read_text(encoding="utf-8")))
        path = folder / record.file
        if path.parent == folder and path.stat().st_size == record.bytes and digest(path) == record.sha256:
            return path, record
    return None


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other process changes ``folder``, which is created, and keep others from it during the block.

    The lock belongs to the operating system, so it ends with the process in any case.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / LOCK):
        yield


def keep(folder: Path, fetched: Path, name: str, revision: str = "") -> tuple[Path, Record]:
    """Move a downloaded file into ``folder``, which is `locked`, replacing its content, and write its record."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    record = Record(name, fetched.name, digest(fetched), fetched.stat().st_size, revision, today)
    (folder / RECORD).unlink(missing_ok=True)
    path = folder / fetched.name
    fetched.replace(path)
    write_whole(folder / RECORD, (json.dumps(asdict(record), indent=1) + "\n").encode())
    for other in folder.iterdir():
        if other.is_file() and other.name not in (RECORD, LOCK, path.name):
            other.unlink(missing_ok=True)
    return path, record
