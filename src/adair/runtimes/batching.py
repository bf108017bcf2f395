"""A runtime that several threads share; it batches small tiles of equal size.

A small image does not keep the network busy: eight of 64x64 together take less than half the time of one after the
other. Tiles of different images are batched, so differences in format, bit depth or strength do not matter, and a small
image never waits for a whole large one, only for its current tile.
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

from adair.hardware import compute_alone
from adair.runtimes.protocol import Runtime, Session

Observe = Callable[[int, float], None]


@dataclass(eq=False)
class Call:
    """Tiles that wait for a session, and the future of their result."""

    session: Session
    tiles: Tensor
    result: Future[Tensor] = field(default_factory=Future)

    def fits(self, other: Call) -> bool:
        """Whether both can run together."""
        return self.session is other.session and self.tiles.shape == other.tiles.shape


class BatchingRuntime:
    """Makes sessions of another runtime that batch waiting tiles; see `Runtime`.

    Results are those of the inner runtime for a batch: in bfloat16 on the CPU bit for bit those of single tiles, in
    float32 equal but for rounding (some 1e-7). Threads that make or ask it compute with one thread from then on,
    also in other work with PyTorch (`compute_alone`).

    Args:
        inner: what runs the networks.
        batch: largest number of tiles in a batch.
        batch_pixels: a tile of more pixels runs alone.
        observe: called after each batch with the number of calls in it, and its seconds.
    """

    def __init__(self, inner: Runtime, batch: int, batch_pixels: int, observe: Observe | None = None) -> None:
        compute_alone()
        self.name, self.device, self.precision = inner.name, inner.device, inner.precision
        self._inner, self._batch, self._batch_pixels, self._observe = inner, batch, batch_pixels, observe
        self._waiting: deque[Call] = deque()
        self._lock = threading.Lock()
        # One thread for all, and `compute_alone` for those that ask: every thread that computes has a team of its own.
        self._network = ThreadPoolExecutor(1, "adair-network")

    def load(self, network: nn.Module) -> BatchingSession:
        """Make a session of a network."""
        return BatchingSession(self._inner.load(network), self)

    def run(self, session: Session, tiles: Tensor) -> Tensor:
        """Queue ``tiles``, and return the result of ``session``."""
        compute_alone()
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
        except Exception:  # perhaps out of memory: a single tile may fit
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
        except BaseException as error:  # any exception belongs to the thread that waits for this tile
            call.result.set_exception(error)


class BatchingSession:
    """A session behind the queue; see `Session`."""

    def __init__(self, inner: Session, runtime: BatchingRuntime) -> None:
        self._inner, self._runtime = inner, runtime

    @property
    def nbytes(self) -> int:
        """Bytes of the weights."""
        return self._inner.nbytes

    def __call__(self, tiles: Tensor) -> Tensor:
        """Restore tiles (N, 3, H, W)."""
        return self._runtime.run(self._inner, tiles)
