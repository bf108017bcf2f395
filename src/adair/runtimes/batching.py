"""A runtime that several threads share: one group of tiles at a time, small ones of equal size together.

A small image does not keep the network busy: eight of 64x64 together take less than half the time of one after the
other. Tiles of different images meet here, so whatever differs elsewhere (format, bit depth, strength) does not matter,
and a small image does not wait for a large one, only for its current tile.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from adair.runtimes.protocol import Runtime, Session

Observe = Callable[[int, float], None]


@dataclass(eq=False)
class Call:
    """Tiles that wait for a session, and the promise of what becomes of them."""

    session: Session
    tiles: Tensor
    result: Future[Tensor] = field(default_factory=Future)

    def fits(self, other: Call) -> bool:
        """Whether both can run together."""
        return self.session is other.session and self.tiles.shape == other.tiles.shape


class BatchingRuntime:
    """Makes sessions of another runtime that run together what waits together; see `Runtime`.

    Results are those of the inner runtime for a batch: in bfloat16 on the CPU bit for bit those of single tiles, in
    float32 equal but for rounding (some 1e-7).

    Args:
        inner: what runs the networks.
        batch: tiles that run together at most.
        batch_pixels: a tile of more pixels runs alone.
        observe: told after each group how many calls ran together, and for how many seconds.
    """

    def __init__(self, inner: Runtime, batch: int, batch_pixels: int, observe: Observe | None = None) -> None:
        self.name, self.device, self.precision = inner.name, inner.device, inner.precision
        self._inner, self._batch, self._batch_pixels, self._observe = inner, batch, batch_pixels, observe
        self._waiting: deque[Call] = deque()
        self._lock = threading.Lock()
        # One thread for all: each that computes would keep a team of threads of its own.
        self._network = ThreadPoolExecutor(1, "adair-network")

    def load(self, network: nn.Module) -> BatchingSession:
        """Make a session of a network."""
        return BatchingSession(self._inner.load(network), self)

    def run(self, session: Session, tiles: Tensor) -> Tensor:
        """Wait in line, and return what ``session`` makes of ``tiles``."""
        call = Call(session, tiles)
        with self._lock:
            self._waiting.append(call)
        self._network.submit(self._run_next)
        return call.result.result()

    @property
    def waiting(self) -> int:
        """Calls that wait."""
        with self._lock:
            return len(self._waiting)

    def _run_next(self) -> None:
        if not (calls := self._take()):
            return  # they ran with an earlier group
        start = time.perf_counter()
        try:
            restored = calls[0].session(torch.cat([call.tiles for call in calls]))
        except Exception:  # out of memory perhaps: alone, a tile may fit
            for call in calls:
                self._answer_alone(call)
            return
        if self._observe is not None:
            self._observe(len(calls), time.perf_counter() - start)
        for call, part in zip(calls, restored.chunk(len(calls)), strict=True):
            call.result.set_result(part)

    def _take(self) -> list[Call]:
        with self._lock:
            if not self._waiting:
                return []
            first = self._waiting.popleft()
            count, height, width = first.tiles.shape[0], *first.tiles.shape[-2:]
            most = self._batch // count if height * width <= self._batch_pixels else 1
            more = [call for call in self._waiting if call.fits(first)][: max(most - 1, 0)]
            for call in more:
                self._waiting.remove(call)
            return [first, *more]

    def _answer_alone(self, call: Call) -> None:
        try:
            call.result.set_result(call.session(call.tiles))
        except BaseException as error:  # whatever it is, it belongs to the thread that waits for this tile
            call.result.set_exception(error)


class BatchingSession:
    """A session behind the line; see `Session`."""

    def __init__(self, inner: Session, runtime: BatchingRuntime) -> None:
        self._inner, self._runtime = inner, runtime

    @property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        return self._inner.nbytes

    def __call__(self, tiles: Tensor) -> Tensor:
        """Restore tiles (N, 3, H, W)."""
        return self._runtime.run(self._inner, tiles)
