"""The page: what is on it, and what happens on a click. Everything it knows is in `Desk`."""

from __future__ import annotations

from typing import Any

import gradio as gr

from adair.ui.desk import Desk
from adair.ui.restore_tab import restore_tab

CSS = """
.adair-status { min-height: 3.2em; }
.adair-status progress { width: 100%; height: 1.1em; }
footer { display: none !important; }
"""
TITLE = "AdaIR"


def build_page(desk: Desk) -> Any:
    """Return the page, a `gradio.Blocks`, ready to be launched."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(3600, 86400)) as page:
        gr.Markdown("# AdaIR\nRestores photos on this machine: nothing leaves it.")
        with gr.Tabs(), gr.Tab("One photo"):
            restore_tab(desk)
    page.queue(max_size=int(desk.config.queue), default_concurrency_limit=2)
    return page
