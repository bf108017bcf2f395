"""Threads that share a network: what waits together runs together, and nobody gets another's tile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from adair.runtimes import BatchingRuntime, create_runtime


class Slow(nn.Module):
    """Adds one; notes the batches, waits at a gate, and finds some batches too large."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.batches, self.most = threading.Event(), list[int](), 99

    def forward(self, x: Tensor) -> Tensor:
        self.batches.append(len(x))
        assert self.gate.wait(60)
        if len(x) > self.most:
            raise MemoryError
        return x + 1


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def runtime(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> BatchingRuntime:
    inner = create_runtime("torch", "cpu", "fp32")

    class Session:
        nbytes = 5

        def __call__(self, tiles: Tensor) -> Tensor:
            return slow(tiles)

    monkeypatch.setattr(inner, "load", lambda network: Session())
    return BatchingRuntime(inner, 4, 100)


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def answers(runtime: BatchingRuntime, slow: Slow, tiles: list[Tensor]) -> list[Tensor]:
    """Send the first tile, then the others while it runs."""
    session = runtime.load(slow)
    with ThreadPoolExecutor(len(tiles)) as threads:
        results = [threads.submit(session, tiles[0])]
        wait_for(lambda: slow.batches)
        results += [threads.submit(session, tile) for tile in tiles[1:]]
        wait_for(lambda: runtime.waiting == len(tiles) - 1)
        slow.gate.set()
        return [result.result() for result in results]


def test_equal_tiles_run_together_up_to_the_limit(runtime: BatchingRuntime, slow: Slow) -> None:
    tiles = [torch.full((1, 3, 5, 6), float(i)) for i in range(7)]
    results = answers(runtime, slow, tiles)
    assert slow.batches == [1, 4, 2]
    assert sorted(float(result.mean()) for result in results) == [1, 2, 3, 4, 5, 6, 7]
    assert all(torch.equal(result, tile + 1) for tile, result in zip(tiles, results, strict=True))


def test_other_sizes_and_large_tiles_run_alone(runtime: BatchingRuntime, slow: Slow) -> None:
    tiles = [torch.rand(1, 3, *size) for size in ((4, 4), (20, 20), (20, 20), (4, 5), (5, 4))]
    results = answers(runtime, slow, tiles)
    assert slow.batches == [1] * 5
    assert all(torch.equal(result, tile + 1) for tile, result in zip(tiles, results, strict=True))


def test_sessions_do_not_mix(runtime: BatchingRuntime, slow: Slow) -> None:
    assert runtime.load(slow) is not runtime.load(slow)
    assert runtime.load(slow).nbytes == 5


def test_a_batch_that_fails_is_tried_one_by_one(runtime: BatchingRuntime, slow: Slow) -> None:
    slow.most = 1
    tiles = [torch.rand(1, 3, 5, 5) for _ in range(4)]
    results = answers(runtime, slow, tiles)
    assert slow.batches == [1, 3, 1, 1, 1]
    assert all(torch.equal(result, tile + 1) for tile, result in zip(tiles, results, strict=True))


def test_a_failure_reaches_its_thread_and_the_line_goes_on(runtime: BatchingRuntime, slow: Slow) -> None:
    slow.most = 0
    slow.gate.set()
    session = runtime.load(slow)
    with pytest.raises(MemoryError):
        session(torch.rand(1, 3, 5, 5))
    slow.most = 1
    assert session(torch.rand(1, 3, 5, 5)).shape == (1, 3, 5, 5)
