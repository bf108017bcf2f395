"""Building the page and serving it, without requests to other servers."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adair.errors import AdairError, InputError, one_line
from adair.restore import Restorer
from adair.ui.config import UiConfig
from adair.ui.desk import Desk
from adair.ui.folder_queue import FolderQueue
from adair.ui.queue_store import QueueStore, state_folder
from adair.ui.workspace import Workspace


def serve(
    config: UiConfig,
    restorer: Restorer,
    workspace: Workspace,
    queue: FolderQueue,
    browser: bool = False,
    block: bool = True,
    foundation: Path | None = None,
) -> tuple[Any, str]:
    """Serve the page.

    Args:
        browser: whether to open the page in a browser.
        block: whether to run until Ctrl-C.
        foundation: file of the restorer's foundation; None for the bundled one.

    Returns:
        The running page and its address.

    Raises:
        InputError: the address cannot be used.
    """
    # Read by Gradio when it is imported or when components are created: use our folder, and send nothing.
    os.environ["GRADIO_TEMP_DIR"] = str(workspace.uploads)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    from starlette.middleware import Middleware

    from adair.ui.guard import Guard
    from adair.ui.page import CSS, THEME, build_page

    page = build_page(Desk(config, restorer, workspace, queue, foundation))
    try:
        _, address, _ = page.launch(
            server_name=config.host,
            server_port=config.port or free_port(config.host),
            inbrowser=browser,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            show_error=False,
            footer_links=[],
            max_file_size=int(config.max_megabytes * 1e6),
            state_session_capacity=8,
            enable_monitoring=False,
            ssr_mode=False,
            mcp_server=False,
            pwa=False,
            run_history=False,
            css=CSS,
            theme=THEME,
            app_kwargs={"middleware": [Middleware(Guard, host=config.host)]},
        )
    except OSError as error:
        raise InputError(
            f"{config.host}:{config.port}: cannot listen there ({error}); choose another --port or --host"
        ) from error
    print(f"adair: the page is at {address}", file=sys.stderr, flush=True)
    if not config.loopback:
        print("adair: anyone who can reach this address can use the page", file=sys.stderr, flush=True)
    if block:
        page.block_thread()
    return page, str(address)


def load_restorer(
    foundation: Path | None,
    adapters: Sequence[Path],
    device: str | None,
    precision: str | None,
    runtime: str = "torch",
) -> Restorer:
    """Load a restorer with the user's own adapters.

    Raises:
        AdairError: a file, runtime, device or precision that cannot be used.
    """
    restorer = Restorer.load(foundation, device=device, precision=precision, runtime=runtime)
    for path in adapters:
        restorer.add_adapter(path, replace=True)
    return restorer


def open_queue(config: UiConfig, restorer: Restorer, workspace: Workspace) -> FolderQueue:
    """Open the user's queue of folders, or one that ends with the page if that is impossible."""
    try:
        store = QueueStore(state_folder())
    except (AdairError, OSError) as error:
        print(f"adair: {one_line(str(error))}; the queue of this page ends with it", file=sys.stderr, flush=True)
        store = QueueStore(workspace.folder / "queue")
    return FolderQueue(store, restorer, threading.Lock(), config.max_pixels)


def free_port(host: str) -> int:
    """Return a port that is free right now."""
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        return int(server.getsockname()[1])
