"""A record of earlier results in a folder, so that a run that is started again continues where the last one stopped.

A file ``.adair-results.jsonl`` in the folder of the results has one line for each: its name, its size and time, those
of its source, and a mark of the settings. A result is done if all of these still match. If its source or the settings
have changed, it is made again; if the result itself has changed, somebody has edited it, and it is left alone.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAME = ".adair-results.jsonl"


class Record:
    """The records of all folders that results go to; any number of threads may use one.

    Args:
        mark: a hash of the settings of this run, see `Restorer.mark`.
    """

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self._folders: dict[Path, dict[str, dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def done(self, source: Path, target: Path) -> bool:
        """Whether ``target`` is the result of ``source`` with the settings of this run."""
        entry = self._entry(target)
        return entry is not None and entry == self._line(source, target)

    def ours(self, target: Path) -> bool:
        """Whether ``target`` is a result of an earlier run, and nobody has changed it since."""
        entry = self._entry(target)
        return entry is not None and entry["result"] in ([], _state(target))

    @contextlib.contextmanager
    def writing(self, source: Path, target: Path) -> Iterator[None]:
        """Record that ``target`` is being written, and then that it was: it is ours even if the run dies in between.

        If nothing has been written in the end, all is as before: a file that somebody puts there later is not ours.
        """
        entry, state = self._entry(target) or {"name": target.name, "result": None}, _state(target)
        self._append(target, {**self._line(source, target), "result": []})
        try:
            yield
        except BaseException:
            if _state(target) == state:
                self._append(target, entry)
            raise
        self._append(target, self._line(source, target))

    def _append(self, target: Path, line: dict[str, Any]) -> None:
        """Add a line to the folder's file, unless the folder cannot be written to."""
        with self._lock:
            self._folder(target.parent)[target.name] = line
            with contextlib.suppress(OSError):
                target.parent.mkdir(parents=True, exist_ok=True)
                with (target.parent / NAME).open("a", encoding="utf-8") as file:
                    file.write("\n" + json.dumps(line))  # the line break comes first: the last line may be truncated

    def _line(self, source: Path, target: Path) -> dict[str, Any]:
        return {
            "name": target.name,
            "result": _state(target),
            "source": [str(source.resolve()), *_state(source)],
            "settings": self.mark,
        }

    def _entry(self, target: Path) -> dict[str, Any] | None:
        with self._lock:
            return self._folder(target.parent).get(target.name)

    def _folder(self, folder: Path) -> dict[str, dict[str, Any]]:
        if folder not in self._folders:
            self._folders[folder] = read_record(folder)
        return self._folders[folder]


def read_record(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the newest entry for every result in ``folder``; foreign or truncated lines are ignored."""
    entries: dict[str, dict[str, Any]] = {}
    try:
        text = (folder / NAME).read_text(encoding="utf-8")
    except (OSError, UnicodeError):
        return entries
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and isinstance(entry.get("name"), str) and "result" in entry:
            entries[entry["name"]] = entry
    return entries


def made_here(folder: Path) -> set[str]:
    """Return the names of results in ``folder`` whose sources are in the same folder."""
    entries = read_record(folder)
    sources = {name: entry.get("source") for name, entry in entries.items()}
    here = str(folder.resolve())
    return {
        name
        for name, source in sources.items()
        if isinstance(source, list) and source and str(Path(str(source[0])).parent) == here
    }


def _state(path: Path) -> list[int]:
    """Return size and time of a file; nothing if it does not exist."""
    try:
        facts = path.stat()
    except OSError:
        return []
    return [facts.st_size, facts.st_mtime_ns]
