"""The queue of folders: batches are restored one after the other, whether or not a browser watches."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from adair.errors import AdairError
from adair.restore import FileOptions, Restorer
from adair.ui.folder_job import FolderJob
from adair.ui.photo import options_for
from adair.ui.queue_store import FolderRequest, QueueItem, QueueStore


class FolderQueue:
    """Restores the batches of a store in a thread of its own; any thread may call its methods.

    A context manager: entering it starts with what an earlier page has left; leaving it stops after the current tile,
    deletes what is finished, and keeps the rest for the next page.

    Args:
        turn: held while a photo is being restored; other jobs of the page take turns with it.
        max_pixels: limit of one photo.
    """

    def __init__(self, store: QueueStore, restorer: Restorer, turn: threading.Lock, max_pixels: int) -> None:
        self._store, self._restorer, self.turn = store, restorer, turn
        self._files = FileOptions(max_pixels=max_pixels)
        self._items = {item.key: item for item in store.load()}
        self._job: FolderJob | None = None
        self._closed, self.version = False, 0
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="adair-queue", daemon=True)

    def __enter__(self) -> FolderQueue:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._closed = True
            if self._job is not None:
                self._job.cancel()
            self._changed.notify_all()
        self._thread.join()
        for item in self.items:
            if item.state == "finished":
                self._store.delete(item.key)
        self._store.close()

    @property
    def items(self) -> tuple[QueueItem, ...]:
        """The batches in the order in which they were added; ``version`` grows with every change."""
        with self._changed:
            return tuple(self._items.values())

    def add(self, request: FolderRequest, uploads: Sequence[Path] = ()) -> QueueItem:
        """Add a batch.

        Args:
            uploads: dropped photos, which the queue takes over.

        Raises:
            AdairError: options that do not fit, or a disk that is full.
        """
        options_for(request.task, request.scale, request.strength, self._restorer)
        item = self._store.add(request, uploads)
        self._put(item)
        return item

    def stop(self, key: str) -> None:
        """Stop a batch that waits or runs, after the current tile; finished photos stay."""
        with self._changed:
            item = self._items.get(key)
            if item is not None and not item.ended:
                if item.state == "running" and self._job is not None:
                    self._job.cancel()
                self._put(replace(item, state="stopped"))

    def again(self, key: str) -> None:
        """Go on with a batch that has ended: what is done is skipped, what failed is tried once more."""
        with self._changed:
            item = self._items.get(key)
            if item is not None and item.ended:
                self._put(replace(item, state="waiting", error=""))

    def remove(self, key: str) -> None:
        """Remove a batch, with its dropped photos and their results; results in given folders stay."""
        self.stop(key)
        with self._changed:
            if self._items.pop(key, None) is not None:
                self.version += 1
                self._store.delete(key)

    def results(self, key: str) -> list[Path]:
        """Return the results of the dropped photos of a batch."""
        with self._changed:
            item = self._items.get(key)
        return [] if item is None else self._store.results(item)

    def _work(self) -> None:
        while (item := self._next()) is not None:
            try:
                self._run(item)
            except (AdairError, OSError, MemoryError) as error:
                text = str(error).replace(str(self._store.places(item)[0]), item.request.title)
                self._end(item.key, "failed", " ".join(text.split()) or type(error).__name__)
            except Exception as error:  # a queue that stands still would be worse
                self._end(item.key, "failed", f"unexpected: {type(error).__name__}: {error}")

    def _next(self) -> QueueItem | None:
        """Wait for a batch, and return it as running; None once the queue is closed."""
        with self._changed:
            while not self._closed:
                waiting = [item for item in self._items.values() if item.state == "waiting"]
                if waiting:
                    return self._put(replace(waiting[0], state="running"))
                self._changed.wait()
            return None

    def _run(self, item: QueueItem) -> None:
        request = item.request
        source, output = self._store.places(item)
        options = options_for(request.task, request.scale, request.strength, self._restorer)
        job = FolderJob([source], output, options, self._files, self._restorer, self.turn)
        with self._changed:
            if self._closed or self._state(item.key) != "running":
                job.cancel()
            self._job = job
        for tally in job.run():
            with self._changed:
                if item.key in self._items:
                    self._items[item.key] = replace(self._items[item.key], tally=tally)
                    self.version += 1
        self._end(item.key, "finished" if tally.ended == "finished" else "waiting" if self._closed else "stopped")

    def _end(self, key: str, state: str, error: str = "") -> None:
        """Set the state of the batch that ran, unless it was stopped, resumed or removed meanwhile."""
        with self._changed:
            self._job = None
            if self._state(key) == "running":
                self._put(replace(self._items[key], state=state, error=error))
            elif key not in self._items:
                self._store.delete(key)  # once more: its last photo may have been written meanwhile

    def _state(self, key: str) -> str:
        return self._items[key].state if key in self._items else ""

    def _put(self, item: QueueItem) -> QueueItem:
        with self._changed:
            with contextlib.suppress(AdairError):  # a full disk: the next page finds an older state
                self._store.save(item)
            self._items[item.key] = item
            self.version += 1
            self._changed.notify_all()
        return item
