"""A server with a tiny network on loopback, and a client that knows nothing but HTTP."""

from __future__ import annotations

import faulthandler
import http.client
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image
from torch import Tensor, nn

from adair.restore import Restorer
from adair.runtimes import BatchingRuntime, Runtime, Session, create_runtime
from adair.serve.config import ServeConfig
from adair.serve.metrics import Metrics
from adair.serve.run import build_server, listen
from adair.serve.service import Service

TASKS = ("dejpeg", "denoise", "sr")


class GatedRuntime:
    """A runtime whose sessions wait at a gate, so that tests decide how long restoring takes."""

    def __init__(self, inner: Runtime) -> None:
        self.name, self.device, self.precision, self.inner = inner.name, inner.device, inner.precision, inner
        self.gate = threading.Event()
        self.gate.set()
        self.reached = threading.Semaphore(0)
        self.batches: list[int] = []

    def load(self, network: nn.Module) -> Session:
        session = self.inner.load(network)
        runtime = self

        class Gated:
            nbytes = session.nbytes

            def __call__(self, tiles: Tensor) -> Tensor:
                runtime.batches.append(len(tiles))
                runtime.reached.release()
                assert runtime.gate.wait(60)
                return session(tiles)

        return Gated()


@dataclass
class Reply:
    """What a server answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def error(self) -> str:
        """The one line of an error."""
        assert self.headers["content-type"] == "application/json"
        text: str = json.loads(self.body)["error"]
        assert "\n" not in text and len(text) <= 400
        return text

    @property
    def pixels(self) -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(self.body)))


@dataclass
class Server:
    """A running server and what is inside it."""

    port: int
    service: Service
    runtime: GatedRuntime
    uvicorn: object

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Reply:
        connection = self.connect()
        try:
            connection.request(method, path, body, headers or {})  # type: ignore[arg-type]
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, headers=headers)

    def restore(self, data: bytes, headers: dict[str, str] | None = None, **query: object) -> Reply:
        return self.ask("POST", f"/restore?{urlencode({'task': 'denoise', **query})}", data, headers)


@contextmanager
def running(model_files: Path, config: ServeConfig) -> Iterator[Server]:
    metrics = Metrics()
    gated = GatedRuntime(create_runtime("torch", "cpu", "fp32"))
    runtime = BatchingRuntime(gated, config.parallel, config.batch_pixels, metrics.observe_batch)
    restorer = Restorer.load(model_files / "foundation.safetensors", runtime=runtime)
    for task in TASKS:
        restorer.add_adapter(model_files / f"{task}.safetensors")
    service = Service(restorer, config, metrics)
    with listen(config) as socket:
        server = build_server(service)
        thread = threading.Thread(target=server.run, args=([socket],))
        thread.start()
        try:
            wait_for(lambda: server.started)
            yield Server(socket.getsockname()[1], service, gated, server)
        finally:
            gated.gate.set()
            server.should_exit = True
            try:
                wait_for(lambda: not thread.is_alive())
            except AssertionError:
                faulthandler.dump_traceback(all_threads=True)  # says who is stuck
                raise


Start = Callable[..., Server]


@pytest.fixture
def start(model_files: Path) -> Iterator[Start]:
    """A function that starts a server with limits of one's own, which ends with the test."""
    with ExitStack() as stack:
        yield lambda **limits: stack.enter_context(running(model_files, ServeConfig(port=0, **limits)))


@pytest.fixture(scope="module")
def server(model_files: Path) -> Iterator[Server]:
    """A server that many tests share; they leave it as it is.

    It ends with its module: tests elsewhere replace the clock, and an event loop that sleeps meanwhile never wakes up.
    """
    with running(model_files, ServeConfig(port=0, max_megabytes=1, max_megapixels=0.05)) as one:
        yield one


@pytest.fixture(scope="session")
def library(model_files: Path) -> Restorer:
    """The same network without a server."""
    restorer = Restorer.load(model_files / "foundation.safetensors", device="cpu", precision="fp32")
    for task in TASKS:
        restorer.add_adapter(model_files / f"{task}.safetensors")
    return restorer


@pytest.fixture(scope="session")
def photo() -> Callable[..., np.ndarray]:
    """A function that makes pictures: (H, W, 3) uint8, a slope with noise."""

    def make(height: int = 40, width: int = 60, seed: int = 0) -> np.ndarray:
        slope = np.linspace(40, 200, height * width * 3).reshape(height, width, 3)
        return (slope + np.random.default_rng(seed).normal(0, 9, slope.shape)).clip(0, 255).astype(np.uint8)

    return make


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """A function that makes a file of an array."""

    def make(pixels: np.ndarray, format: str = "PNG", **options: object) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, format, **options)
        return buffer.getvalue()

    return make


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., None]:
    """A function that waits for a condition and fails if it never holds."""
    return wait_for


def wait_for(condition: Callable[[], object], checks: int = 6000) -> None:
    """Wait for at least a minute; counted in checks, since clocks may jump where a machine is put to sleep."""
    for _ in range(checks):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("waited in vain")
