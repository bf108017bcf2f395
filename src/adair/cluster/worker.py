"""A worker: it loads the network once, then reads, restores and writes single files."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import torch

from adair.cluster.storage import Storage
from adair.errors import AdairError, one_line
from adair.restore.options import RestoreOptions
from adair.restore.restorer import Restorer
from adair.restore.single import FileOptions, restore_file

MOST_ATTEMPTS = 3  # attempts at a file whose workers die


@dataclass(frozen=True)
class WorkerSpec:
    """Everything that a worker needs on any machine; model files are transferred as bytes.

    Attributes:
        source, target: URLs of folders.
        options: how images are restored.
        files: how files are read and written.
        foundation: content of the foundation file; None for the bundled one.
        adapters: contents of adapter files to add.
        runtime: what runs the network, one of `adair.runtimes.RUNTIMES`.
        device: "cpu", "cuda" or "mps".
        precision: the same for all workers, because results differ between precisions.
        threads: threads for the network.
    """

    source: str
    target: str
    options: RestoreOptions
    files: FileOptions
    foundation: bytes | None
    adapters: tuple[bytes, ...]
    runtime: str
    device: str
    precision: str
    threads: int

    def load(self) -> Restorer:
        """Make the restorer."""
        torch.set_num_threads(self.threads)
        with tempfile.TemporaryDirectory(prefix="adair-model-") as folder:
            foundation = None
            if self.foundation is not None:
                foundation = Path(folder, "foundation.safetensors")
                foundation.write_bytes(self.foundation)
            neighbours = max(1, (os.cpu_count() or 1) // self.threads)  # workers that may run on this machine
            restorer = Restorer.load(foundation, self.device, self.precision, runtime=self.runtime, at_once=neighbours)
            for number, data in enumerate(self.adapters):
                path = Path(folder, f"adapter{number}.safetensors")
                path.write_bytes(data)
                restorer.add_adapter(path, replace=True)
        return restorer


class AttemptCounter(Protocol):
    """Counts the attempts at each file that have begun and not ended, as far as anyone knows."""

    def begin(self, name: str) -> int:
        """Count an attempt, and return the number of attempts that have not ended, with this one."""

    def end(self, name: str) -> None:
        """Forget the attempts at a file: its worker has lived to report the outcome."""


class Worker:
    """Restores files of the source, one after the other; created once in each worker process.

    Args:
        spec: the settings.
        attempts: counts how often workers have died at a file.
    """

    def __init__(self, spec: WorkerSpec, attempts: AttemptCounter) -> None:
        self._spec, self._attempts = spec, attempts
        self._restorer = spec.load()
        self._source, self._target = Storage(spec.source), Storage(spec.target)
        self._host = platform.node()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Restore one file.

        Args:
            row: ``source`` and ``target``, names in the two folders.

        Returns:
            The row with ``status`` ("done" or "failed"), ``error``, ``notes``, ``megapixels``, ``seconds``, ``host``.
        """
        start, name = time.perf_counter(), str(row["source"])
        outcome = {**row, "status": "done", "error": "", "notes": [], "megapixels": 0.0, "host": self._host}
        if self._attempts.begin(name) > MOST_ATTEMPTS:  # no end here: the count outlasts repetitions of its block
            text = f"{name}: its workers died {MOST_ATTEMPTS} times; see Ray's logs"
            return {**outcome, "status": "failed", "error": text, "seconds": time.perf_counter() - start}
        try:
            notes, outcome["megapixels"] = self._restore(name, str(row["target"]))
            outcome["notes"] = list(notes)
        except (AdairError, OSError, MemoryError) as error:
            text = one_line(str(error)) or type(error).__name__
            outcome |= {"status": "failed", "error": text if self._source.url in text else f"{name}: {text}"}
        self._attempts.end(name)
        return {**outcome, "seconds": time.perf_counter() - start}

    def _restore(self, source: str, target: str) -> tuple[tuple[str, ...], float]:
        # Through a local file, so that reading and writing images is the same everywhere.
        with tempfile.TemporaryDirectory(prefix="adair-work-") as folder:
            before = Path(folder, "source" + PurePosixPath(source).suffix)
            after = Path(folder, "result" + PurePosixPath(target).suffix)
            before.write_bytes(self._source.read(source))
            try:
                result = restore_file(
                    before,
                    after,
                    options=self._spec.options,
                    files=replace(self._spec.files, overwrite=True),
                    restorer=self._restorer,
                )
            except AdairError as error:
                text = str(error).replace(str(before), self._source.url_of(source))
                raise type(error)(text.replace(str(after), self._target.url_of(target))) from error
            self._target.write(target, after.read_bytes())
            found = () if result.advice is None else (str(result.advice),)
            return (*found, *result.notes), result.megapixels
