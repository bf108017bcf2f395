"""The queue of folders on disk: a private folder for each batch, which outlives a page that is killed."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from adair.errors import AdairError, InputError
from adair.images.files import write_whole
from adair.ui.folder_job import RESULTS, Tally
from adair.ui.workspace import safe_stem

STATES = ("waiting", "running", "finished", "stopped", "failed")
PHOTOS = "photos"  # dropped photos, in the folder of their batch
_ITEM = "batch.json"
_KEY = re.compile(r"\d{20}-[0-9a-f]{16}")


@dataclass(frozen=True)
class FolderRequest:
    """What a visitor wants done with many photos.

    Attributes:
        title: how the queue calls it.
        task, scale, strength: as chosen on the page.
        folder: a folder that was given on the command line; "" for dropped photos.
        beside: whether results go next to the photos of ``folder`` instead of into a folder in it.
    """

    title: str
    task: str
    scale: str = "1"
    strength: float = 1.0
    folder: str = ""
    beside: bool = False


@dataclass(frozen=True)
class QueueItem:
    """A batch of the queue.

    Attributes:
        key: its name on disk; keys sort in the order in which batches were added.
        state: one of `STATES`.
        error: why it failed as a whole.
        tally: its progress; of an earlier run if it has ended.
    """

    key: str
    request: FolderRequest
    state: str = "waiting"
    error: str = ""
    tally: Tally = field(default_factory=lambda: Tally(0))

    @property
    def ended(self) -> bool:
        """Whether it neither waits nor runs."""
        return self.state not in ("waiting", "running")


class QueueStore:
    """The batches in a folder that only this user can read.

    Args:
        folder: created if it is missing.

    Raises:
        InputError: another page uses it.
        OSError: it cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.folder = folder.resolve()
        # The lock is the system's, so it ends with the process; any thread may close the store.
        self._lock = FileLock(self.folder / "lock", timeout=0, thread_local=False)
        try:
            self._lock.acquire()
        except Timeout:
            raise InputError(f"{folder}: another page uses this queue") from None

    def close(self) -> None:
        """Let another page have the folder."""
        self._lock.release()

    def load(self) -> list[QueueItem]:
        """Return the batches that an earlier page left, in order; running ones wait again.

        A batch without a readable description was being added when the page was killed; it is deleted.
        """
        items = []
        for folder in sorted(path for path in self.folder.iterdir() if _KEY.fullmatch(path.name)):
            item = _read(folder)
            if item is None:
                self.delete(folder.name)
            else:
                items.append(replace(item, state="waiting") if item.state == "running" else item)
        return items

    def add(self, request: FolderRequest, uploads: Sequence[Path] = ()) -> QueueItem:
        """Add a batch, whose dropped photos are moved into its folder.

        Raises:
            AdairError: the disk is full, or the folder cannot be written to.
        """
        item = QueueItem(f"{time.time_ns():020d}-{secrets.token_hex(8)}", request)
        photos = self.folder / item.key / PHOTOS
        try:
            photos.mkdir(mode=0o700, parents=True)
            for upload in uploads:
                shutil.move(upload, _free(photos, upload))
            self.save(item)
        except (AdairError, OSError) as error:
            self.delete(item.key)
            raise AdairError(f"the queue cannot be written: {error}") from error
        return item

    def save(self, item: QueueItem) -> None:
        """Write a batch, replacing its former state.

        Raises:
            AdairError: the disk is full, or the folder cannot be written to.
        """
        write_whole(self.folder / item.key / _ITEM, json.dumps(asdict(item), indent=1).encode())

    def delete(self, key: str) -> None:
        """Delete a batch with its dropped photos and their results; results in given folders stay."""
        shutil.rmtree(self.folder / key, ignore_errors=True)

    def places(self, item: QueueItem) -> tuple[Path, Path | None]:
        """Return the folder of a batch's photos, and that of its results, None for the same."""
        if not item.request.folder:
            return self.folder / item.key / PHOTOS, self.folder / item.key / RESULTS
        folder = Path(item.request.folder)
        return folder, None if item.request.beside else folder / RESULTS

    def results(self, item: QueueItem) -> list[Path]:
        """Return the results of dropped photos."""
        folder = self.folder / item.key / RESULTS
        if item.request.folder or not folder.is_dir():
            return []
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def state_folder() -> Path:
    """Return where the queue is kept: ``adair/queue`` in ``$XDG_STATE_HOME`` or ``~/.local/state``."""
    root = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(root) / "adair" / "queue"


def _read(folder: Path) -> QueueItem | None:
    try:
        facts: dict[str, Any] = json.loads((folder / _ITEM).read_text(encoding="utf-8"))
        tally = Tally(**{**facts["tally"], "failures": tuple(map(str, facts["tally"]["failures"]))})
        item = QueueItem(folder.name, FolderRequest(**facts["request"]), facts["state"], facts["error"], tally)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return item if item.state in STATES else None


def _free(folder: Path, upload: Path) -> Path:
    """Return a safe name in ``folder`` that is not taken, since photos of several folders may share one."""
    stem, suffix, number = safe_stem(upload.name), upload.suffix.lower(), 1
    path = folder / f"{stem}{suffix}"
    while path.exists():
        number += 1
        path = folder / f"{stem}_{number}{suffix}"
    return path
