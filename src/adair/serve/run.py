"""Building the server, and listening."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from adair.errors import InputError
from adair.restore import Restorer
from adair.runtimes import BatchingRuntime, create_runtime
from adair.serve.app import create_app
from adair.serve.config import ServeConfig
from adair.serve.metrics import Metrics
from adair.serve.service import Service

IDLE_SECONDS = 5
MOST_HEADER_BYTES = 16 * 1024


def build_service(
    config: ServeConfig,
    foundation: Path | None = None,
    adapters: Sequence[Path] = (),
    device: str | None = None,
    precision: str | None = None,
    runtime: str = "torch",
) -> Service:
    """Load a restorer for a server.

    Raises:
        AdairError: a file, runtime, device or precision that cannot be used.
    """
    metrics = Metrics()
    inner = create_runtime(runtime, device, precision)
    # In float32 a batch rounds differently from its images one by one, and results must not depend on other clients.
    batch = 1 if inner.precision.name == "fp32" else config.parallel
    shared = BatchingRuntime(inner, batch, config.batch_pixels, metrics.observe_batch)
    restorer = Restorer.load(foundation, runtime=shared)
    for path in adapters:
        restorer.add_adapter(path, replace=True)
    return Service(restorer, config, metrics)


def build_server(service: Service) -> uvicorn.Server:
    """Return the server, not yet running.

    After SIGTERM or Ctrl-C it accepts no new connections and finishes running requests, which their time limits
    keep short.
    """
    config = service.config
    return uvicorn.Server(
        uvicorn.Config(
            create_app(service),
            http="h11",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=int(config.seconds + config.upload_seconds) + 1,
            h11_max_incomplete_event_size=MOST_HEADER_BYTES,
        )
    )


def listen(config: ServeConfig) -> socket.socket:
    """Bind the address.

    Raises:
        InputError: it is in use, or not one of this machine.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        return socket.create_server((config.host, config.port), family=family, backlog=128)
    except OSError as error:
        raise InputError(
            f"{config.host}:{config.port}: cannot listen there ({error.strerror}); choose another --port or --host"
        ) from error
