"""The page: its tabs. All state is in `Desk`."""

from __future__ import annotations

from typing import Any

import gradio as gr

from adair.ui.adapters_tab import adapters_tab
from adair.ui.compare_tab import compare_tab
from adair.ui.desk import Desk
from adair.ui.folder_tab import folder_tab
from adair.ui.restore_tab import restore_tab
from adair.ui.train_tab import train_tab

CSS = """
.adair-status { min-height: 3.2em; }
.adair-status progress { width: 100%; height: 1.1em; }
#gallery .grid-wrap { max-height: none; height: auto; }
footer { display: none !important; }
"""
TITLE = "AdaIR"
THEME = gr.themes.Default(font=("system-ui", "sans-serif"))  # Gradio's own font lacks most semi-bold letters


def build_page(desk: Desk) -> Any:
    """Return the page, a `gradio.Blocks`, ready to launch."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(3600, 86400)) as page:
        gr.Markdown("# AdaIR\nRestores photos on this machine: nothing leaves it.")
        with gr.Tabs():
            with gr.Tab("One photo"):
                photo, task, across, down = restore_tab(desk)
            with gr.Tab("Compare"):
                compare_tab(desk, photo, across, down)
            with gr.Tab("Many photos"):
                many = folder_tab(desk)
            with gr.Tab("Adapters"):
                adapters_tab(desk, [task, many])
            with gr.Tab("Train"):
                train_tab(desk, [task, many])
    page.queue(max_size=int(desk.config.queue), default_concurrency_limit=2)
    return page
