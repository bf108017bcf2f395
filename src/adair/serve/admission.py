"""Limits of concurrent requests, and of the memory for their images."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from adair.serve.config import ServeConfig
from adair.serve.errors import BusyError
from adair.serve.metrics import Metrics


class Admission:
    """Counts requests and memory, and refuses what exceeds the limits; thread-safe."""

    def __init__(self, config: ServeConfig, metrics: Metrics) -> None:
        self._config, self._metrics = config, metrics
        self._lock = threading.Lock()
        self._requests = 0
        self._bytes = 0

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Reserve a place for one request.

        Raises:
            BusyError: all places are taken.
        """
        with self._lock:
            if self._requests >= self._config.queue:
                raise BusyError(f"the server is working on {self._requests} requests, its limit; try again later")
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
        """Reserve ``size`` bytes of memory for an image and its result.

        Raises:
            BusyError: other images use too much; never raised for a single image.
        """
        with self._lock:
            if self._bytes and self._bytes + size > self._config.memory_bytes:
                raise BusyError("other images use the memory that this one needs; try again later")
            self._bytes += size
        try:
            yield
        finally:
            with self._lock:
                self._bytes -= size
