"""The tab for training an adapter, from clean photos and a recipe or from pairs."""

from __future__ import annotations

import html
import threading
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pandas as pd

from adair.degradations import degrade
from adair.errors import AdairError
from adair.images import FORMATS, read_image
from adair.ui.desk import Desk
from adair.ui.messages import failure, named
from adair.ui.photo import part_at, shown
from adair.ui.training_job import LONGEST, TrainingJob, TrainingRequest, TrainingState
from adair.ui.wording import duration

RECIPE = "blur(sigma=0.5..1.5) > noise(sigma=5..20) > jpeg(quality=30..70)"
LINES_SHOWN = 6


class TrainTab:
    """The event handlers of the tab."""

    def __init__(self, desk: Desk, choices: int) -> None:
        self.desk, self.choices = desk, choices
        self._latest: TrainingJob | None = None
        self._starting = threading.Lock()  # two visitors may ask at the same time

    def preview(self, clean: list[str] | None, recipe: str) -> tuple[Any, str]:
        """Return the centre of the first clean photo before and after the recipe, and what is wrong with the recipe."""
        if not clean:
            return None, ""
        try:
            pixels = read_image(self.desk.workspace.checked(clean[0]), self.desk.config.max_pixels).pixels
            part = shown(pixels[part_at((pixels.shape[1], pixels.shape[0]), 0.5, 0.5)])
            worse = degrade(part, recipe)
        except AdairError as error:
            return None, failure(self.desk, error, clean[0])
        return ((part, worse), "") if worse.shape == part.shape else (None, "")

    def begin(
        self,
        former: TrainingJob | None,
        clean: list[str] | None,
        degraded: list[str] | None,
        recipe: str,
        name: str,
        minutes: float,
    ) -> tuple[TrainingJob | None, str]:
        """Start the training; if that is refused, the visitor's ``former`` one can still be stopped."""
        try:
            name = name.strip()
            with self._starting:
                # The job is asked, since a visitor who has left never watches its end.
                if self._latest is not None and self._latest.running:
                    raise AdairError("a training is already running; stop it first")
                if name in self.desk.restorer.tasks:
                    raise AdairError(f"a task '{name}' exists already; choose another name")
                before, after = (tuple(map(self.desk.workspace.checked, files or ())) for files in (degraded, clean))
                request = TrainingRequest(name, after, before, recipe, float(minutes))
                folder = self.desk.workspace.new_file("training")
                folder.mkdir()
                self._latest = job = TrainingJob(request, folder, self.desk.foundation)
        except AdairError as error:
            return former if former is not None and former.running else None, failure(self.desk, error)
        return job, "<p>Starting …</p>"

    def watch(self, job: TrainingJob | None) -> Iterator[tuple[Any, ...]]:
        """Yield status, curve, sheet, files, and the choices of tasks on the other tabs."""
        same = [gr.skip()] * self.choices
        if job is None:
            yield gr.skip(), gr.skip(), None, None, *same
            return
        state, points = TrainingState(), 0
        try:
            for state in job.watch():
                if state.over:
                    break
                curve = gr.skip() if len(state.curve) == points else _curve(state)
                points = len(state.curve)
                yield self._shown(state), curve, gr.skip(), gr.skip(), *same
        finally:
            job.stop()
        if state.adapter is None:
            yield self._shown(state), _curve(state), None, None, *same
            return
        name = self.desk.restorer.add_adapter(state.adapter, job.request.name, replace=True)
        done = f"<p><strong>Done: it is now task {html.escape(name)}. Download it to keep it.</strong></p>"
        update = [gr.update(choices=self.desk.tasks)] * self.choices
        files = [str(path) for path in state.files]
        yield done + self._shown(state), _curve(state), state.sheet and str(state.sheet), files, *update

    def stop(self, job: TrainingJob | None) -> None:
        """Stop the training and keep the best weights."""
        if job is not None:
            job.stop()

    def _shown(self, state: TrainingState) -> str:
        lines = "<br>".join(html.escape(named(self.desk, line)) for line in state.lines[-LINES_SHOWN:])
        head = f"{'Ended after' if state.over else 'Training since'} {duration(state.seconds)}."
        return f"<p>{head}</p><p><small>{lines}</small></p>"


def train_tab(desk: Desk, tasks: list[Any]) -> None:
    """Lay out the tab.

    Args:
        tasks: the choices of tasks on the other tabs, which are updated with the new adapter.
    """
    tab = TrainTab(desk, len(tasks))
    job = gr.State(delete_callback=tab.stop)  # of a visitor who left before watching began
    private = {"api_visibility": "private"}
    gr.Markdown(
        "Train an adapter for your own kind of damage. Drop clean photos and describe the damage as a recipe; or drop "
        "the same photos degraded and clean, under the same names. Ten minutes are enough to see whether it works."
    )
    with gr.Row():
        with gr.Column(scale=1, min_width=280):
            kind = {"file_count": "multiple", "file_types": sorted(FORMATS), "height": 150}
            clean = gr.File(label="Clean photos", elem_id="clean", **kind)
            recipe = gr.Textbox(RECIPE, label="Damage, as a recipe", max_length=2000, elem_id="recipe")
            degraded = gr.File(label="Or: the same photos, degraded", elem_id="degraded", **kind)
            name = gr.Textbox(label="Name of the task", max_length=64, elem_id="train-name")
            minutes = gr.Slider(1, min(LONGEST, 240), 10, step=1, label="Minutes", elem_id="minutes")
            with gr.Row():
                run = gr.Button("Train", variant="primary", elem_id="train")
                stop = gr.Button("Stop and keep", variant="stop", elem_id="train-stop")
        with gr.Column(scale=2, min_width=320):
            damage = gr.ImageSlider(
                label="Clean | degraded by the recipe",
                format="png",
                interactive=False,
                max_height=400,
                elem_id="damage",
            )
            status = gr.HTML(elem_id="train-status", elem_classes="adair-status")
            curve = gr.LinePlot(
                x="step",
                y="PSNR",
                color="held-out photos",
                height=260,
                elem_id="curve",
            )
            sheet = gr.Image(
                label="Held-out photos before and after", interactive=False, format="png", buttons=[], elem_id="sheet"
            )
            files = gr.File(label="Downloads", interactive=False, elem_id="trained", height=150)
    look = {"fn": tab.preview, "inputs": [clean, recipe], "outputs": [damage, status], "show_progress": "minimal"}
    clean.change(**look, **private)
    recipe.change(**look, trigger_mode="always_last", **private)
    begun = run.click(tab.begin, [job, clean, degraded, recipe, name, minutes], [job, status], **private)
    begun.then(tab.watch, [job], [status, curve, sheet, files, *tasks], show_progress="hidden", **private)
    stop.click(tab.stop, [job], None, queue=False, **private)


def _curve(state: TrainingState) -> pd.DataFrame | None:
    """The curve as a table; None without points, as Gradio draws no line in a plot that began with an empty table."""
    return pd.DataFrame(state.curve, columns=["step", "held-out photos", "PSNR"]) if state.curve else None
