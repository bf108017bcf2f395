"""The tab for one photo: drop it, preview a part, restore all of it, download."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr
from PIL import Image

from adair.errors import AdairError
from adair.images import read_image, suffixes_read
from adair.restore import RestoreOptions
from adair.ui.desk import AS_SOURCE, Desk
from adair.ui.messages import failure, named
from adair.ui.photo import Photo, options_for, preview
from adair.ui.protect import painted_mask
from adair.ui.view import write_view
from adair.ui.wording import command_line, describe, duration
from adair.ui.work import Status, Work
from adair.ui.workspace import safe_stem

SCALES = ["1", "2", "3", "4"]
HIDDEN = gr.update(value=None, visible=False)
TYPES = [AS_SOURCE, "png", "tif", "jpg", "webp", "avif"]


class RestoreTab:
    """The event handlers of the tab; each visitor's photo and job are passed in and returned."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def load(self, upload: str | None) -> tuple[Any, ...]:
        """Return photo, overview, description, and the image to paint on."""
        if not upload:
            return None, None, "", None
        try:
            photo = self.desk.open(upload)
        except AdairError as error:
            return None, None, failure(self.desk, error, upload), None
        width, height = photo.size
        facts = f"{width} × {height} pixels, {8 * photo.image.pixels.itemsize} bits"
        notes = "".join(f"<br>{html.escape(note)}" for note in photo.image.notes)
        text = f"<p>{html.escape(describe(photo.advice))}<br><small>{facts}{notes}</small></p>"
        small = photo.overview
        return photo, small, text, {"background": small, "layers": [], "composite": small}

    def preview(self, photo: Photo | None, across: float, down: float, *chosen: Any) -> tuple[Any, str]:
        """Slider, status."""
        if photo is None:
            return None, ""
        try:
            options = self._options(photo, *chosen)
            return tuple(preview(photo, options, across / 100, down / 100, self.desk.restorer)), ""
        except AdairError as error:
            return None, failure(self.desk, error, photo.path)

    def place(self, photo: Photo | None, event: gr.SelectData) -> tuple[float, float]:
        """Return the part that was clicked on, in percent."""
        if photo is None:
            return 50, 50
        height, width = photo.overview.shape[:2]
        return round(100 * event.index[0] / width), round(100 * event.index[1] / height)

    def protect(self, photo: Photo | None, editor: Any) -> tuple[Photo | None, str]:
        """Return the photo with its mask, and how much is painted over."""
        mask = painted_mask(editor, photo.size) if photo else None
        text = "" if mask is None else f"{(mask.weights == 0).mean():.1%} of the photo stays unchanged."
        return photo and replace(photo, mask=mask), text

    def begin(
        self, former: Work | None, photo: Photo | None, format: str, quality: float, *chosen: Any
    ) -> tuple[Work | None, str]:
        """Start restoring the whole photo, in place of the visitor's former work, which nothing could cancel later."""
        if former is not None:
            former.replaced = True
            former.cancel()
        if photo is None:
            return None, "<p>Drop a photo first.</p>"
        try:
            options = self._options(photo, *chosen)
            if format not in TYPES:
                raise AdairError(f"type '{format}' is not offered")
            work = self.desk.work(photo, options, format, int(quality))
        except AdairError as error:
            return None, failure(self.desk, error, photo.path)
        work.start()
        return work, "<p>Waiting for its turn …</p>"

    def watch(self, photo: Photo | None, work: Work | None) -> Iterator[Any]:
        """Yield status, slider, and downloads of result and mask, until the job has ended."""
        if photo is None or work is None:
            yield gr.skip(), gr.skip(), None, HIDDEN
            return
        status = work.wait(seconds=0)
        try:
            while not status.over:
                yield _bar(status), gr.skip(), None, HIDDEN
                status = work.wait(status)
        finally:
            work.cancel()  # for a visitor who has left; what has ended stays as it is
        if status.result is None:
            text = "<p>Cancelled. Nothing was written.</p>" if status.cancelled else ""
            text = text or failure(self.desk, status.error or "failed", photo.path)
            yield gr.skip() if work.replaced else text, gr.skip(), None, HIDDEN
            return
        result, options = status.result, work.options
        notes = "".join(f"<br>{html.escape(named(self.desk, note, photo.path))}" for note in result.notes)
        mask = HIDDEN
        if options.mask is not None:
            path = self.desk.workspace.new_file(f"{safe_stem(photo.name)}.mask.png")
            Image.fromarray(options.mask.weights).save(path)
            mask = gr.update(value=str(path), visible=True)
        name = f"{safe_stem(photo.name)}.mask.png"
        command = html.escape(command_line(photo.name, options, name))
        done = f"<p>Done in {duration(result.seconds)}. The same on the command line: <code>{command}</code>{notes}</p>"
        yield done, gr.skip(), str(result.target), mask
        after = read_image(result.target, self.desk.config.max_pixels)
        before = photo.image
        if before.pixels.shape[:2] != after.pixels.shape[:2]:
            before = self.desk.restorer.run(before, replace(options, strength=0.0, mask=None)).image
        pair = [write_view(self.desk.view(name), image) for name, image in (("before", before), ("after", after))]
        yield done, tuple(map(str, pair)), str(result.target), mask

    def cancel(self, work: Work | None) -> None:
        """End the work."""
        if work is not None:
            work.cancel()

    def _options(
        self, photo: Photo, task: str, scale: str, strength: float, luma: float, colour: float
    ) -> RestoreOptions:
        return options_for(task, scale, strength, self.desk.restorer, luma, colour, photo.mask)


def restore_tab(desk: Desk) -> tuple[Any, ...]:
    """Lay out the tab; return the visitor's photo and task, and the position of the previewed part."""
    tab = RestoreTab(desk)
    photo = gr.State()
    work = gr.State(delete_callback=tab.cancel)  # of a visitor who left before watching began
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            upload = gr.File(
                label="Photo", file_types=sorted(suffixes_read()), type="filepath", elem_id="photo", height=140
            )
            words = gr.HTML(elem_id="words")
            task = gr.Dropdown(
                desk.tasks,
                value=desk.tasks[0],
                label="Task",
                info="Choose one, or write a sequence (dejpeg > denoise) or a blend (denoise=0.7,dejpeg=0.3)",
                allow_custom_value=True,
                elem_id="task",
            )
            strength = gr.Slider(0, 1, 1, step=0.05, label="Strength", elem_id="strength")
            scale = gr.Radio(SCALES, value="2", label="Enlarge (task sr)", elem_id="scale")
            with gr.Accordion("Brightness and colour", open=False):
                luma = gr.Slider(0, 1, 1, step=0.05, label="Correction of brightness", elem_id="luma")
                colour = gr.Slider(0, 1, 1, step=0.05, label="Correction of colour", elem_id="colour")
            with gr.Accordion("Parts that must not change", open=False, elem_id="protect"):
                editor = gr.ImageEditor(
                    label="Paint over them",
                    type="numpy",
                    format="png",
                    sources=(),
                    transforms=(),
                    layers=False,
                    buttons=[],
                    brush=gr.Brush(colors=["#e02020"], color_mode="fixed"),
                    elem_id="editor",
                )
                kept = gr.HTML(elem_id="kept")
            with gr.Accordion("Part to preview", open=False):
                overview = gr.Image(
                    label="Click on a part, or use the sliders", interactive=False, format="png", buttons=[]
                )
                across = gr.Slider(0, 100, 50, step=1, label="Left to right, %", elem_id="across")
                down = gr.Slider(0, 100, 50, step=1, label="Top to bottom, %", elem_id="down")
            with gr.Accordion("Result", open=False):
                kind = gr.Dropdown(TYPES, value=AS_SOURCE, label="Type of file")
                quality = gr.Slider(1, 100, 95, step=1, label="Quality of JPEG, WebP and AVIF")
        with gr.Column(scale=2, min_width=320):
            slider = gr.ImageSlider(
                label="Before | after", format="png", interactive=False, max_height=700, elem_id="slider"
            )
            status = gr.HTML(elem_id="status", elem_classes="adair-status")
            with gr.Row():
                run = gr.Button("Restore the whole photo", variant="primary", elem_id="run")
                stop = gr.Button("Cancel", variant="stop", elem_id="cancel")
            with gr.Row():
                download = gr.DownloadButton("Download", elem_id="download")
                mask = gr.DownloadButton("Download the mask", visible=False, elem_id="mask")

    chosen = [task, scale, strength, luma, colour]
    look = [photo, across, down, *chosen]
    shown = {"fn": tab.preview, "inputs": look, "outputs": [slider, status], "show_progress": "minimal"}
    private = {"api_visibility": "private"}
    loaded = upload.change(tab.load, [upload], [photo, overview, words, editor], **private)
    loaded.then(**shown, **private)
    editor.input(tab.protect, [photo, editor], [photo, kept], show_progress="hidden", **private).then(
        **shown, **private
    )
    overview.select(tab.place, [photo], [across, down], **private).then(**shown, **private)
    for control in (strength, luma, colour, across, down):
        control.release(**shown, trigger_mode="always_last", **private)
    for control in (task, scale):
        control.change(**shown, trigger_mode="always_last", **private)
    begun = run.click(tab.begin, [work, photo, kind, quality, *chosen], [work, status], **private)
    # While the former work is still watched, Gradio would leave out the next watching, unless it is put off.
    watched = {"outputs": [status, slider, download, mask], "trigger_mode": "always_last", "show_progress": "hidden"}
    begun.then(tab.watch, [photo, work], **watched, **private)
    stop.click(tab.cancel, [work], None, queue=False, **private)
    return photo, task, across, down


def _bar(status: Status) -> str:
    if not status.total:
        return "<p>Working on the first tile …<progress></progress></p>"
    left = "" if status.left is None else f", about {duration(status.left)} left"
    tiles = f"Tile {status.done} of {status.total}{left}"
    return f'<p>{tiles}<progress value="{status.done}" max="{status.total}"></progress></p>'
