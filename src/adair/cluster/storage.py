"""Local and remote folders through fsspec: list, read, and write files atomically."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from adair.errors import AdairError, FileFormatError, InputError
from adair.images import write_whole

MOST_BYTES = 2**32  # of one file; collections of images have no larger ones
TIMES = ("mtime", "LastModified", "updated", "last_modified", "modified", "created")  # as file systems name it


@dataclass(frozen=True)
class Entry:
    """A file in a storage.

    Attributes:
        name: path below the root, with slashes.
        size: in bytes.
        modified: seconds since 1970 by the storage's clock; 0 if unknown.
    """

    name: str
    size: int
    modified: float


class Storage:
    """A folder, local or remote.

    Args:
        url: a path, or a URL of any protocol that fsspec has a file system for, such as ``s3://bucket/photos``.

    Raises:
        InputError: the protocol is unknown, or its package is not installed.
    """

    def __init__(self, url: str) -> None:
        from fsspec.core import url_to_fs

        self.url = url.rstrip("/") or "/"
        try:
            self._system, root = url_to_fs(url, use_listings_cache=False)
        except (ValueError, ImportError) as error:
            text = " ".join(str(error).split())
            raise InputError(f"{url}: cannot be opened ({text}); install its package, or use a folder") from error
        self._root = str(root).rstrip("/")
        self.local = "file" in _protocols(self._system)

    def url_of(self, name: str) -> str:
        """Return the name of a file in messages."""
        return posixpath.join(self.url, name)

    def place_in(self, other: Storage) -> str | None:
        """Return the name of this folder below another, with a slash at its end; None if it is not below it."""
        mine, theirs = self._place(), other._place()
        if self._system != other._system or mine == theirs or (theirs and not mine.startswith(f"{theirs}/")):
            return None
        return mine[len(theirs) :].lstrip("/") + "/"

    def is_same(self, other: Storage) -> bool:
        """Whether this is the same folder as another."""
        return self._system == other._system and self._place() == other._place()

    def _place(self) -> str:
        return Path(self._root or "/").resolve().as_posix().rstrip("/") if self.local else self._root

    def list(self, recursive: bool = True) -> dict[str, Entry]:
        """Return regular files by name, without hidden files and folders; empty if there is no folder.

        Raises:
            AdairError: no permission, no such bucket, no connection.
        """
        try:
            found: dict[str, dict[str, Any]] = self._system.find(
                self._root, maxdepth=None if recursive else 1, detail=True
            )
        except FileNotFoundError:
            return {}
        except Exception as error:  # every protocol has its own exceptions
            raise _failure(self.url, "cannot be listed", error) from error
        entries = {}
        for path, facts in found.items():
            name = path[len(self._root) :].lstrip("/")
            if name and facts.get("type") == "file" and not any(part.startswith(".") for part in name.split("/")):
                entries[name] = Entry(name, int(facts.get("size") or 0), _time(facts))
        return entries

    def find(self, name: str) -> Entry | None:
        """Return one file, hidden or not; None if it does not exist."""
        try:
            facts = self._system.info(f"{self._root}/{name}")
        except FileNotFoundError:
            return None
        except Exception as error:
            raise _failure(self.url_of(name), "cannot be looked up", error) from error
        return Entry(name, int(facts.get("size") or 0), _time(facts))

    def read(self, name: str) -> bytes:
        """Return the bytes of a file.

        Raises:
            AdairError: it cannot be read, or is too large for an image.
        """
        try:
            with self._system.open(f"{self._root}/{name}", "rb") as file:
                data: bytes = file.read(MOST_BYTES + 1)
        except Exception as error:
            raise _failure(self.url_of(name), "cannot be read", error) from error
        if len(data) > MOST_BYTES:
            raise FileFormatError(f"{self.url_of(name)}: too large for an image; remove it from the folder")
        return data

    def write(self, name: str, data: bytes) -> None:
        """Write a file atomically: renamed into place on a disk, uploaded at once to an object store.

        Raises:
            AdairError: it cannot be written.
        """
        if self.local:
            write_whole(Path(self._root) / name, data)
            return
        try:
            self._system.pipe_file(f"{self._root}/{name}", data)
        except Exception as error:
            raise _failure(self.url_of(name), "cannot be written", error) from error


def _protocols(system: Any) -> tuple[str, ...]:
    protocol = system.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


def _time(facts: dict[str, Any]) -> float:
    value = next((facts[key] for key in TIMES if facts.get(key)), 0)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return 0.0
    return value.timestamp() if isinstance(value, datetime) else float(value)


def _failure(url: str, what: str, error: Exception) -> AdairError:
    if isinstance(error, AdairError):
        return error
    text = " ".join(str(error).split())[:200] or type(error).__name__
    return AdairError(f"{url}: {what} ({text}); check the address, your permissions and the connection")
