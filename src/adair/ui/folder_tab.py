"""The tab for many photos: dropped ones, or a folder that was given when the page was started."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import gradio as gr

from adair.errors import AdairError
from adair.images import suffixes_read
from adair.restore import FileOptions
from adair.ui.desk import Desk
from adair.ui.folder_job import FAILURES_SHOWN, RESULTS, FolderJob, Tally
from adair.ui.messages import failure
from adair.ui.photo import options_for

DROPPED = "dropped photos"


class FolderTab:
    """The event handlers of the tab."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def begin(
        self, uploads: list[str] | None, folder: int, task: str, scale: str, strength: float
    ) -> tuple[FolderJob | None, str]:
        """Plan the work."""
        try:
            options = options_for(task, scale, strength, self.desk.restorer)
            if folder >= 0:
                sources, output = [self.desk.config.folders[folder]], None
            else:
                sources = [self.desk.workspace.checked(path) for path in uploads or []]
                output = self.desk.workspace.new_file(RESULTS)
            files = FileOptions(max_pixels=self.desk.config.max_pixels)
            job = FolderJob(sources, output, options, files, self.desk.restorer, self.desk.turn)
        except (AdairError, IndexError) as error:
            return None, failure(self.desk, error if isinstance(error, AdairError) else "no such folder")
        return job, "<p>Waiting for its turn …</p>"

    def watch(self, job: FolderJob | None, folder: int) -> Iterator[tuple[Any, Any]]:
        """Yield status and results, after every photo."""
        if job is None:
            yield gr.skip(), None
            return
        tally = Tally(0)
        for tally in job.run():
            yield _shown(tally), gr.skip()
        yield _shown(tally), None if folder >= 0 else [str(path) for path in tally.results]

    def cancel(self, job: FolderJob | None) -> None:
        """Stop the job after the current tile."""
        if job is not None:
            job.cancel()


def folder_tab(desk: Desk) -> Any:
    """Lay out the tab; return its choice of tasks."""
    tab, job = FolderTab(desk), gr.State()
    private = {"api_visibility": "private"}
    choices = [(DROPPED, -1), *((str(path), number) for number, path in enumerate(desk.config.folders))]
    gr.Markdown(
        f"Drop photos, or choose a folder: its results go into `{RESULTS}` inside it, and it resumes when started "
        "again. Folders are given on the command line: `adair ui --folder scans`."
    )
    folder = gr.Radio(choices, value=-1, label="Photos", elem_id="folder")
    uploads = gr.File(
        label="Photos", file_count="multiple", file_types=sorted(suffixes_read()), elem_id="many", height=160
    )
    with gr.Row():
        task = gr.Dropdown(desk.tasks, value=desk.tasks[0], label="Task", allow_custom_value=True, elem_id="many-task")
        strength = gr.Slider(0, 1, 1, step=0.05, label="Strength")
        scale = gr.Radio(["1", "2", "3", "4"], value="2", label="Enlarge (task sr)")
    with gr.Row():
        run = gr.Button("Restore all", variant="primary", elem_id="many-run")
        stop = gr.Button("Cancel", variant="stop")
    status = gr.HTML(elem_id="many-status", elem_classes="adair-status")
    results = gr.File(label="Results", interactive=False, elem_id="many-results")
    run.click(tab.begin, [uploads, folder, task, scale, strength], [job, status], **private).then(
        tab.watch, [job, folder], [status, results], show_progress="hidden", **private
    )
    stop.click(tab.cancel, [job], None, queue=False, **private)
    return task


def _shown(tally: Tally) -> str:
    finished = tally.done + tally.skipped + len(tally.failures)
    bar = "" if tally.ended else f'<progress value="{finished}" max="{tally.total}"></progress>'
    lines = "".join(f"<li>{html.escape(line)}</li>" for line in tally.failures[:FAILURES_SHOWN])
    return f"<p>{html.escape(str(tally))}{bar}</p>" + (f"<ul>{lines}</ul>" if lines else "")
