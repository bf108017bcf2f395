"""How many requests may be inside, and how much memory their images may take."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from adair.serve.config import ServeConfig
from adair.serve.errors import BusyError
from adair.serve.metrics import Metrics


class Admission:
    """Counts what is inside and refuses what is too much; any thread may ask."""

    def __init__(self, config: ServeConfig, metrics: Metrics) -> None:
        self._config, self._metrics = config, metrics
        self._lock = threading.Lock()
        self._requests = 0
        self._bytes = 0

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Hold a place for one request.

        Raises:
            BusyError: all places are taken.
        """
        with self._lock:
            if self._requests >= self._config.queue:
                raise BusyError(f"the server works on {self._requests} requests, which is its limit; try again later")
            self._requests += 1
            self._metrics.inside.set(self._requests)
        try:
            yield
        finally:
            with self._lock:
                self._requests -= 1
                self._metrics.inside.set(self._requests)

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Hold ``size`` bytes of memory for an image and its result.

        Raises:
            BusyError: other images take too much; never for the only one.
        """
        with self._lock:
            if self._bytes and self._bytes + size > self._config.memory_bytes:
                raise BusyError("other images take the memory that this one needs; try again later")
            self._bytes += size
        try:
            yield
        finally:
            with self._lock:
                self._bytes -= size
