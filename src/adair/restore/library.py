"""The adapters that a restorer knows: by name, opened when first needed, added and deleted while it runs."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adair.adapters import Adapter, load_adapter
from adair.adapters.files import TASK_NAME
from adair.errors import InputError
from adair.hub import locate
from adair.restore.tasks import AUTO, Blend, parse_task
from adair.tasks import FOUNDATION
from adair.weights import Foundation, fingerprint, read_header
from adair.weights.cards import joint_licence


@dataclass(frozen=True)
class AdapterInfo:
    """What is known about an adapter without reading its tensors.

    Attributes:
        name: its name in tasks.
        path: its file; None for a weighted combination.
        kind: "merge" or "conv"; "combination" for a weighted one.
        parameters: number of its parameters.
        bytes: size of its file.
        card: recipe, training facts, measured figures, licence: whatever its author recorded.
        parts: the adapters of a weighted combination, with their weights.
    """

    name: str
    path: Path | None
    kind: str
    parameters: int
    bytes: int
    card: dict[str, Any]
    parts: Blend = field(default_factory=dict)


@dataclass
class _Entry:
    """The file or the parts behind a name; adapter and fingerprint once they have been needed."""

    path: Path | None = None
    parts: Blend = field(default_factory=dict)
    adapter: Adapter | None = None
    fingerprint: str = ""


class AdapterLibrary:
    """The adapters for one foundation by name; any number of threads may use it.

    Args:
        foundation: the foundation that all of them belong to.
        files: name to file; a file is opened when its name is first used.
    """

    def __init__(self, foundation: Foundation, files: Mapping[str, Path]) -> None:
        self.foundation = foundation
        self._entries = {name: _Entry(path) for name, path in files.items()}
        self._lock = threading.RLock()

    @property
    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        with self._lock:
            return tuple(sorted(self._entries))

    def add(self, path: str | os.PathLike[str], name: str | None, replace: bool) -> str:
        """Open a file and register it under a name (None: that of its task); see `Restorer.add_adapter`."""
        path = locate(path)
        loaded = load_adapter(path, self.foundation)
        return self._put(name or loaded.task, _Entry(path, adapter=loaded.adapter), str(path), replace)

    def add_weighted(self, parts: Mapping[str, float], name: str, replace: bool) -> str:
        """Register a blend under a name; see `Restorer.add_weighted_adapter`."""
        with self._lock:
            (blend,) = parse_task(dict(parts), self.names)
            if not blend:
                raise InputError(f"combination '{name}': has no adapters; the task '{FOUNDATION}' is the network alone")
            flat: Blend = {}
            for part, weight in blend.items():
                for member, share in (self._entries[part].parts or {part: 1.0}).items():
                    flat[member] = flat.get(member, 0.0) + weight * share
            return self._put(name, _Entry(parts=flat), f"combination '{name}'", replace)

    def delete(self, name: str) -> Adapter | None:
        """Remove a name and return its adapter, if it was open.

        Raises:
            InputError: the name is unknown, or a combination needs it.
        """
        with self._lock:
            self._known(name)
            users = [other for other, entry in self._entries.items() if name in entry.parts]
            if users:
                raise InputError(f"adapter '{name}': is part of '{users[0]}'; delete that first")
            return self._entries.pop(name).adapter

    def adapters(self, blend: Mapping[str, float]) -> dict[Adapter, float]:
        """Return the adapters of a blend with their strengths; combinations are replaced by their members.

        Raises:
            InputError: an unknown name, or adapters that work at different resolutions.
        """
        found: dict[Adapter, float] = {}
        for name, strength in blend.items():
            with self._lock:
                parts = self._known(name).parts or {name: 1.0}
                members = [(self._open(member), weight) for member, weight in parts.items()]
            for adapter, weight in members:
                found[adapter] = found.get(adapter, 0.0) + strength * weight
        if len({adapter.unshuffle for adapter in found}) > 1:
            raise InputError(
                f"{', '.join(blend)}: work at different resolutions, so they cannot blend; "
                f"use one after the other: {' > '.join(blend)}"
            )
        return found

    def info(self) -> dict[str, AdapterInfo]:
        """Return what is known about every adapter, by name."""
        with self._lock:
            return {name: self._info(name, entry) for name, entry in sorted(self._entries.items())}

    def licence(self, blend: Mapping[str, float]) -> str:
        """Return the licences of the foundation and of every adapter in a blend, as one line."""
        known = self.info()
        members = [known[member] for name in blend for member in known[name].parts or (name,)]
        return joint_licence([self.foundation.card, *(one.card for one in members)])

    def fingerprint(self, name: str) -> str:
        """Return a hash of the values of an adapter, or of the members of a combination."""
        with self._lock:
            entry = self._known(name)
            if entry.parts:
                return repr([(self.fingerprint(member), weight) for member, weight in entry.parts.items()])
            if not entry.fingerprint:
                entry.fingerprint = fingerprint(self._open(name).state_dict())
            return entry.fingerprint

    def _put(self, name: str, entry: _Entry, what: str, replace: bool) -> str:
        if name in (FOUNDATION, AUTO):
            meaning = "the network without adapters" if name == FOUNDATION else "the choice by what each image needs"
            raise InputError(f"{what}: task name '{name}' is taken by {meaning}; choose another")
        if not TASK_NAME.fullmatch(name):
            raise InputError(f"{what}: '{name}' cannot be a name; use at most 64 letters, digits, '-', '_' and '.'")
        with self._lock:
            if name in self._entries:
                if not replace:
                    raise InputError(f"{what}: an adapter '{name}' exists already; give another name, or replace=True")
                if name in entry.parts or any(name in other.parts for other in self._entries.values()):
                    raise InputError(f"{what}: '{name}' is part of a combination; choose another name")
            self._entries[name] = entry
        return name

    def _open(self, name: str) -> Adapter:
        entry = self._entries[name]
        if entry.adapter is None:
            assert entry.path is not None  # an adapter without a file is open, or a combination
            entry.adapter = load_adapter(entry.path, self.foundation).adapter
        return entry.adapter

    def _known(self, name: str) -> _Entry:
        if name not in self._entries:
            raise InputError(f"adapter '{name}': unknown name; known: {', '.join(self.names)}")
        return self._entries[name]

    def _info(self, name: str, entry: _Entry) -> AdapterInfo:
        if entry.path is None:
            return AdapterInfo(name, None, "combination", 0, 0, {}, dict(entry.parts))
        header = read_header(entry.path)
        described, card = header.metadata.get("adapter"), header.metadata.get("card")
        kind = str(described.get("kind")) if isinstance(described, dict) else "unknown"
        size = header.parameters, header.file_bytes
        return AdapterInfo(name, entry.path, kind, *size, card if isinstance(card, dict) else {})
