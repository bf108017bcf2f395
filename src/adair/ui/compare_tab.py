"""The tab for comparison: the previewed part of the photo, restored with up to four tasks."""

from __future__ import annotations

from typing import Any

import gradio as gr

from adair.errors import AdairError
from adair.ui.comparison import MOST, compare_tasks
from adair.ui.desk import Desk
from adair.ui.messages import failure
from adair.ui.photo import Photo


class CompareTab:
    """The event handlers of the tab."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def compare(
        self, photo: Photo | None, across: float, down: float, reference: str | None, *tasks: str
    ) -> tuple[list[Any], str]:
        """Return images with captions, and an error message."""
        if photo is None:
            return [], "<p>Drop a photo on the first tab.</p>"
        try:
            target = None if not reference else self.desk.open(reference)
            place = across / 100, down / 100
            found = compare_tasks(photo, list(tasks), place, self.desk.restorer, target)
        except AdairError as error:
            return [], failure(self.desk, error, reference)
        return [(one.pixels, str(one)) for one in found], ""


def compare_tab(desk: Desk, photo: Any, across: Any, down: Any) -> None:
    """Lay out the tab.

    Args:
        photo, across, down: parts of the first tab: the visitor's photo and the part that is previewed.
    """
    tab = CompareTab(desk)
    gr.Markdown("The part of the photo that the first tab previews, at full size, restored with up to four tasks.")
    defaults = ["auto", *desk.restorer.tasks, "foundation"][:MOST]
    with gr.Row():
        tasks = [
            gr.Dropdown(desk.tasks, value=value, label=f"Task {number}", allow_custom_value=True)
            for number, value in enumerate([*defaults, *[""] * (MOST - len(defaults))], 1)
        ]
    reference = gr.File(
        label="Reference, if you have one: shows PSNR and SSIM of this part", type="filepath", height=120
    )
    run = gr.Button("Compare", variant="primary", elem_id="compare")
    status = gr.HTML()
    gallery = gr.Gallery(
        label="Results",
        columns=3,
        format="png",
        elem_id="gallery",
        object_fit="contain",
        interactive=False,
        height="auto",
    )
    run.click(tab.compare, [photo, across, down, reference, *tasks], [gallery, status], api_visibility="private")
