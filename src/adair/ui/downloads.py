"""The files in which the page offers the results of a batch that has ended."""

from __future__ import annotations

import os
import shutil
import threading
import zipfile
from collections.abc import Sequence
from pathlib import Path

from adair.ui.folder_job import RESULTS
from adair.ui.workspace import Workspace

ONE_BY_ONE = 12  # results; more become one archive


class Downloads:
    """Makes the files once for each batch and run, however often the page is loaded; thread-safe.

    Args:
        workspace: the folder that the page serves files from.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._made: dict[str, tuple[str, list[Path]]] = {}  # for each batch its latest run, and the files
        self._lock = threading.Lock()

    def of(self, key: str, run: str, results: Sequence[Path]) -> list[Path]:
        """Return the files to download.

        Args:
            key: the batch.
            run: another one when the batch has run again, whose files replace the earlier ones.
        """
        with self._lock:
            latest, files = self._made.get(key, ("", []))
            if latest != run or not all(path.is_file() for path in files):  # Gradio deletes files after a day
                self._delete(key)
                files = self._make(results) if results else []
                self._made[key] = run, files
            return files

    def delete(self, key: str) -> None:
        """Delete the files of a batch."""
        with self._lock:
            self._delete(key)

    def _delete(self, key: str) -> None:
        for path in self._made.pop(key, ("", []))[1]:
            shutil.rmtree(path.parent, ignore_errors=True)

    def _make(self, results: Sequence[Path]) -> list[Path]:
        folder = self._workspace.new_file(RESULTS).parent
        try:
            if len(results) > ONE_BY_ONE:
                archive = folder / f"{RESULTS}.zip"
                with zipfile.ZipFile(archive, "w") as file:  # not compressed: images hardly shrink
                    for path in results:
                        file.write(path, path.name)
                return [archive]
            return [_copied(path, folder / path.name) for path in results]
        except BaseException:  # a full disk: the page tries again, and must not fill it further
            shutil.rmtree(folder, ignore_errors=True)
            raise


def _copied(result: Path, copy: Path) -> Path:
    try:
        os.link(result, copy)
    except OSError:  # another disk, or one without links
        shutil.copyfile(result, copy)
    return copy
