"""``adair serve``: restoring over HTTP."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from adair.cli.machine import Device, PrecisionName, RuntimeName
from adair.cli.names import Adapters, FoundationFile

TOKEN = "ADAIR_TOKEN"


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for all addresses of this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 lets the system choose.")] = 8000,
    token_file: Annotated[
        Path | None, typer.Option(help=f"File with the token that clients must send; or set {TOKEN}.")
    ] = None,
    queue: Annotated[int, typer.Option(help="Limit of concurrent requests; more get 429.")] = 32,
    max_megabytes: Annotated[float, typer.Option(help="Of one upload.")] = 64.0,
    max_megapixels: Annotated[float, typer.Option(help="Limit of one image, before and after enlarging.")] = 64.0,
    memory_gigabytes: Annotated[float, typer.Option(help="Limit of all decoded images together.")] = 2.0,
    upload_seconds: Annotated[float, typer.Option(help="Time limit of one upload.")] = 30.0,
    seconds: Annotated[float, typer.Option(help="Time limit of waiting and restoring.")] = 120.0,
    parallel: Annotated[
        int, typer.Option(help="Images to restore at a time; small ones of equal size are batched.")
    ] = 8,
    device: Device = None,
    precision: PrecisionName = None,
    runtime: RuntimeName = "torch",
    foundation: FoundationFile = None,
    adapter: Adapters = None,
) -> None:
    """Serve restoring over HTTP: POST an image to /restore?task=denoise to get it back restored.

    Listens only on this machine unless --host is given. SIGTERM and Ctrl-C finish running requests first.
    """
    from adair.errors import AdairError

    try:
        from adair.serve.run import build_server, build_service, listen
    except ModuleNotFoundError as error:
        raise AdairError(f"the server needs {error.name}; run: pip install 'adair[serve]'") from error
    from adair.serve.config import ServeConfig

    config = ServeConfig(
        host=host,
        port=port,
        token=_token(token_file),
        queue=queue,
        max_megabytes=max_megabytes,
        max_megapixels=max_megapixels,
        memory_gigabytes=memory_gigabytes,
        upload_seconds=upload_seconds,
        seconds=seconds,
        parallel=parallel,
    )
    with listen(config) as socket:
        service = build_service(config, foundation, adapter or [], device, precision, runtime)
        address = f"[{host}]" if ":" in host else host
        print(f"adair: serving at http://{address}:{socket.getsockname()[1]}", file=sys.stderr, flush=True)
        if not config.loopback and config.token is None:
            print("adair: anyone who can reach this address can use it; set a token", file=sys.stderr, flush=True)
        # Uvicorn finishes running requests and then sends itself the signal again, which here means that all is done.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            build_server(service).run([socket])


def _token(path: Path | None) -> str | None:
    """Read the token from a file or the environment, not from the command line, which other users can see."""
    from adair.errors import InputError

    if path is None:
        return os.environ.get(TOKEN) or None
    try:
        token = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not text; write the token into a text file") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"{path}: the token cannot be read, {reason}; give a text file") from error
    if not token:
        raise InputError(f"{path}: is empty; write the token into it")
    return token
