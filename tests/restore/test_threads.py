"""Many threads on one restorer: every result is the serial one, and a task that comes again is not merged again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from adair.adapters import Adapter, create_adapter, load_adapter
from adair.restore import Restorer
from adair.restore.sessions import SessionCache
from adair.runtimes import TorchRuntime, TorchSession
from adair.weights import Foundation, load_foundation

THREADS, IMAGES = 8, 50
TASKS = ("denoise", "dejpeg", "denoise=0.7,dejpeg=0.3", "branches")


class CountingRuntime(TorchRuntime):
    """Counts how many networks it was asked for."""

    def __init__(self) -> None:
        super().__init__("cpu", "fp32")
        self.loaded = 0

    def load(self, network: nn.Module) -> TorchSession:
        self.loaded += 1
        return super().load(network)


@pytest.fixture
def runtime() -> CountingRuntime:
    return CountingRuntime()


@pytest.fixture
def small_images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    sides = rng.integers(4, 20, (IMAGES, 2))
    return [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for height, width in sides]


@pytest.fixture
def single_threaded() -> Iterator[None]:
    """One computing thread each: the threads of this test share the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("single_threaded")
def test_threads_and_tasks_at_once_equal_serial_results(
    model_files: Path, runtime: CountingRuntime, small_images: list[np.ndarray]
) -> None:
    def fresh() -> Restorer:
        made = Restorer.load(model_files / "foundation.safetensors", runtime=runtime)
        for name in ("denoise", "dejpeg", "branches"):
            made.add_adapter(model_files / f"{name}.safetensors")
        return made

    alone = fresh()
    expected = {task: [alone.restore(image, task) for image in small_images] for task in TASKS}
    shared, wrong = fresh(), []
    begin = threading.Barrier(THREADS)

    def work(thread: int) -> None:
        begin.wait()
        for number, image in enumerate(small_images):
            for turn in range(len(TASKS)):
                task = TASKS[(turn + thread + number) % len(TASKS)]
                if not np.array_equal(shared.restore(image, task), expected[task][number]):
                    wrong.append((thread, number, task))

    runtime.loaded = 0
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    assert wrong == []
    assert runtime.loaded == len(TASKS)  # each merged once, though all wanted it at the same moment
    for task in TASKS:
        np.testing.assert_array_equal(shared.restore(small_images[0], task), expected[task][0])


@pytest.fixture
def foundation(model_files: Path) -> Foundation:
    return load_foundation(model_files / "foundation.safetensors")


def adapters(model_files: Path, foundation: Foundation) -> list[Adapter]:
    return [load_adapter(model_files / f"{name}.safetensors", foundation).adapter for name in ("denoise", "dejpeg")]


def test_the_least_recently_used_session_goes_first(
    model_files: Path, foundation: Foundation, runtime: CountingRuntime
) -> None:
    first, second = adapters(model_files, foundation)
    size = SessionCache(foundation, runtime).session({}).nbytes
    cache = SessionCache(foundation, runtime, limit=int(2.5 * size))
    runtime.loaded = 0
    kept = cache.session({first: 1.0})
    cache.session({second: 1.0})
    assert cache.session({first: 1.0}) is kept
    cache.session({})  # pushes out the second
    assert runtime.loaded == 3
    assert cache.session({first: 1.0}) is kept
    cache.session({second: 1.0})
    assert runtime.loaded == 4


def test_a_session_beyond_the_limit_still_works_and_is_kept_until_the_next(
    model_files: Path, foundation: Foundation, runtime: CountingRuntime
) -> None:
    first, second = adapters(model_files, foundation)
    cache = SessionCache(foundation, runtime, limit=0)
    assert cache.session({first: 1.0}) is cache.session({first: 1.0})
    cache.session({second: 1.0})
    cache.session({first: 1.0})
    assert runtime.loaded == 3


def test_strength_zero_is_no_network_of_its_own(
    model_files: Path, foundation: Foundation, runtime: CountingRuntime
) -> None:
    first, _ = adapters(model_files, foundation)
    cache = SessionCache(foundation, runtime)
    assert cache.session({first: 0.0}) is cache.session({})


def test_a_forgotten_adapter_is_merged_again(
    model_files: Path, foundation: Foundation, runtime: CountingRuntime
) -> None:
    first, second = adapters(model_files, foundation)
    cache = SessionCache(foundation, runtime)
    plain, blended = cache.session({}), cache.session({first: 0.5, second: 0.5})
    cache.forget(first)
    assert cache.session({}) is plain
    assert cache.session({first: 0.5, second: 0.5}) is not blended


def test_a_network_that_cannot_be_made_leaves_no_trace(foundation: Foundation, runtime: CountingRuntime) -> None:
    x = torch.rand(1, 3, 16, 16)
    cache = SessionCache(foundation, runtime)
    before = cache.session({})(x)
    weights = {name: value.clone() for name, value in foundation.model.state_dict().items()}
    other = create_adapter("merge", nn.Sequential(nn.Conv2d(8, 8, 1)))
    with pytest.raises(Exception, match="does not fit"):
        cache.session({other: 1.0})
    assert torch.equal(cache.session({})(x), before)
    assert all(torch.equal(value, weights[name]) for name, value in foundation.model.state_dict().items())
