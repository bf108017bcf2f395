"""The tab for adapters: cards with measured figures, and adding a file."""

from __future__ import annotations

from typing import Any

import gradio as gr

from adair.errors import AdairError
from adair.ui.cards import COLUMNS, card_rows
from adair.ui.desk import Desk
from adair.ui.messages import failure

WIDTHS = ("11%", "18%", "26%", "8%", "7%", "20%", "10%")


class AdaptersTab:
    """The event handlers of the tab."""

    def __init__(self, desk: Desk, choices: int) -> None:
        self.desk, self.choices = desk, choices

    def add(self, upload: str | None, name: str) -> tuple[Any, ...]:
        """Return cards, status, and the choices of tasks on the other tabs."""
        message = ""
        if upload:
            try:
                path = self.desk.workspace.checked(upload)
                known = self.desk.restorer.add_adapter(path, name.strip() or None)
                message = f"<p>Added: choose task {known}.</p>"
            except AdairError as error:
                message = failure(self.desk, error, upload)
        update = gr.update(choices=self.desk.tasks)
        return card_rows(self.desk.restorer.adapters), message, *[update] * self.choices


def adapters_tab(desk: Desk, tasks: list[Any]) -> None:
    """Lay out the tab.

    Args:
        tasks: the choices of tasks on the other tabs, which are updated with new adapters.
    """
    tab = AdaptersTab(desk, len(tasks))
    cards = gr.Dataframe(
        card_rows(desk.restorer.adapters),
        headers=list(COLUMNS),
        column_widths=list(WIDTHS),
        interactive=False,
        wrap=True,
        max_height=800,
        elem_id="cards",
    )
    with gr.Row():
        upload = gr.File(label="Adapter file", file_types=[".safetensors"], elem_id="adapter", height=120)
        name = gr.Textbox(label="Name (empty: the one in the file)", max_length=64)
    add = gr.Button("Add", variant="primary", elem_id="add")
    status = gr.HTML(elem_id="adapter-status")
    add.click(tab.add, [upload, name], [cards, status, *tasks], api_visibility="private")
