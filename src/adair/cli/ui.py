"""``adair ui``: restoring on a web page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adair.cli.machine import Device, PrecisionName, RuntimeName
from adair.cli.names import Adapters, FoundationFile


def ui(
    folder: Annotated[
        list[Path] | None, typer.Option(help="Folder of photos that the page may read and write; repeat for more.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for all addresses of this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 lets the system choose.")] = 7860,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
    queue: Annotated[int, typer.Option(help="Limit of waiting clicks.")] = 16,
    max_megabytes: Annotated[float, typer.Option(help="Of one upload.")] = 200.0,
    max_megapixels: Annotated[float, typer.Option(help="Of one image.")] = 100.0,
    device: Device = None,
    precision: PrecisionName = None,
    runtime: RuntimeName = "torch",
    foundation: FoundationFile = None,
    adapter: Adapters = None,
) -> None:
    """Restore photos on a web page, only on this machine unless --host is given. Ctrl-C ends it."""
    import importlib.util

    from adair.errors import AdairError
    from adair.ui.config import UiConfig

    config = UiConfig(host, port, max_megabytes, max_megapixels, queue, tuple(folder or ()))
    if importlib.util.find_spec("gradio") is None:
        raise AdairError("the page needs gradio; run: pip install 'adair[ui]'")
    from adair.ui.run import load_restorer, open_queue, serve
    from adair.ui.workspace import Workspace

    restorer = load_restorer(foundation, adapter or [], device, precision, runtime)
    with Workspace() as workspace, open_queue(config, restorer, workspace) as batches:
        serve(config, restorer, workspace, batches, browser, foundation=foundation)
