"""Compare: the previewed part of the photo, restored in up to four ways."""

from __future__ import annotations

from typing import Any

import gradio as gr

from adair.errors import AdairError
from adair.ui.comparison import MOST, compare_tasks
from adair.ui.desk import Desk
from adair.ui.messages import failure
from adair.ui.photo import Photo


class CompareTab:
    """What happens on a click."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def compare(
        self, photo: Photo | None, across: float, down: float, reference: str | None, *tasks: str
    ) -> tuple[list[Any], str]:
        """Pictures with captions, and what went wrong."""
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
    gr.Markdown("The part of the photo that the first tab previews, at its own size, restored in up to four ways.")
    defaults = ["auto", *desk.restorer.tasks, "foundation"][:MOST]
    with gr.Row():
        tasks = [
            gr.Dropdown(desk.tasks, value=value, label=f"Task {number}", allow_custom_value=True)
            for number, value in enumerate([*defaults, *[""] * (MOST - len(defaults))], 1)
        ]
    reference = gr.File(
        label="Reference, if there is one: gives PSNR and SSIM of this part", type="filepath", height=120
    )
    run = gr.Button("Compare", variant="primary", elem_id="compare")
    status = gr.HTML()
    gallery = gr.Gallery(
        label="Results", columns=3, format="png", elem_id="gallery", object_fit="contain", interactive=False
    )
    run.click(tab.compare, [photo, across, down, reference, *tasks], [gallery, status], api_visibility="private")
