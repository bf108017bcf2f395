"""The tab for many photos: dropped ones, or a folder that was given when the page was started."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import gradio as gr

from adair.errors import AdairError
from adair.images import suffixes_read
from adair.ui.desk import Desk
from adair.ui.downloads import Downloads
from adair.ui.folder_job import FAILURES_SHOWN, RESULTS
from adair.ui.messages import failure
from adair.ui.queue_store import FolderRequest, QueueItem

DROPPED = "dropped photos"
IN_FOLDER, BESIDE = f"in {RESULTS}", "next to the photos"
EVERY = 1.0  # seconds between looks at the queue
STATES = {"waiting": "waits for its turn", "running": "is being restored", "stopped": "stopped", "failed": "failed"}


class FolderTab:
    """The event handlers of the tab; all visitors see the same queue, and a reload of the page changes nothing."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.queue, self.downloads = desk, desk.queue, Downloads(desk.workspace)

    def add(
        self, uploads: list[str] | None, folder: int, place: str, task: str, scale: str, strength: float
    ) -> tuple[Any, Any, str]:
        """Append a batch to the queue; return the emptied drop zone, the chosen batch, and what went wrong."""
        try:
            if folder >= 0:
                path = str(self.desk.config.folders[folder])
                photos, given, title = [], str(Path(path).resolve()), path
            else:
                photos = sorted(map(self.desk.workspace.checked, photos_of(uploads)), key=lambda path: path.name)
                if not photos:
                    raise AdairError("no photos; drop some, or choose a folder")
                given, title = "", photos[0].name + (f" and {len(photos) - 1} more" if len(photos) > 1 else "")
            request = FolderRequest(title, task, scale, float(strength), given, bool(given) and place == BESIDE)
            item = self.queue.add(request, photos)
        except (AdairError, IndexError) as error:
            text = failure(self.desk, error if isinstance(error, AdairError) else "no such folder")
            return gr.skip(), gr.skip(), text
        return None, self._choices(item.key), ""

    def look(self, seen: int, offered: list[str], listed: str, chosen: str | None) -> tuple[Any, ...]:
        """Return the queue, its controls, the choice of batches, and results, as far as they have changed.

        Args:
            seen, offered, listed: the version of the queue, the batches that can be chosen, and the batch whose results
                are listed, as the last call returned them.
        """
        version, items = self.queue.version, self.queue.items
        text = gr.skip() if version == seen else "".join(map(_shown, items))
        keys = [item.key for item in items]
        choice = gr.skip() if keys == offered else self._choices(chosen)
        item = next((item for item in items if item.key == chosen), None)
        ended = f"{item.key} {item.state} {item.tally.seconds}" if item and item.ended else ""
        files = gr.skip() if ended == listed else self._results(item, ended)
        controls = gr.skip() if keys == offered else gr.update(visible=bool(items))
        return text, controls, choice, files, version, keys, ended

    def stop(self, key: str | None) -> None:
        """Stop the chosen batch after the current tile."""
        self.queue.stop(key or "")

    def again(self, key: str | None) -> None:
        """Go on with the chosen batch."""
        self.queue.again(key or "")

    def remove(self, key: str | None) -> None:
        """Remove the chosen batch."""
        self.queue.remove(key or "")
        self.downloads.delete(key or "")

    def _choices(self, chosen: str | None) -> Any:
        items = self.queue.items
        keys = [item.key for item in items]
        value = chosen if chosen in keys else keys[-1] if keys else None
        return gr.update(choices=[(_title(item), item.key) for item in items], value=value)

    def _results(self, item: QueueItem | None, ended: str) -> list[str] | None:
        """Return the files to download, once a batch has ended."""
        if item is None or not ended:
            return None
        return [str(path) for path in self.downloads.of(item.key, ended, self.queue.results(item.key))] or None


def photos_of(uploads: list[str] | None) -> list[str]:
    """Return the uploads that may be photos; whole folders hold other files, too."""
    readable = suffixes_read()
    return [path for path in uploads or [] if Path(path).suffix.lower() in readable]


def folder_tab(desk: Desk) -> Any:
    """Lay out the tab; return its choice of tasks."""
    tab, seen, offered, listed = FolderTab(desk), gr.State(-1), gr.State([]), gr.State("")
    private = {"api_visibility": "private"}
    given = bool(desk.config.folders)
    choices = [(DROPPED, -1), *((str(path), number) for number, path in enumerate(desk.config.folders))]
    gr.Markdown(
        "Drop photos, or choose a folder that was given on the command line (`adair ui --folder scans`), and add them "
        "to the queue. It goes on when the browser is closed, and when the page is started again."
    )
    folder = gr.Radio(choices, value=-1, label="Photos", elem_id="folder", visible=given)
    place = gr.Radio([IN_FOLDER, BESIDE], value=IN_FOLDER, label="Results of a folder", elem_id="place", visible=given)
    uploads = gr.File(
        label="Photos", file_count="multiple", file_types=sorted(suffixes_read()), elem_id="many", height=160
    )
    whole = gr.UploadButton("Choose a whole folder …", file_count="directory", size="sm", elem_id="many-folder")
    with gr.Row():
        task = gr.Dropdown(desk.tasks, value=desk.tasks[0], label="Task", allow_custom_value=True, elem_id="many-task")
        strength = gr.Slider(0, 1, 1, step=0.05, label="Strength")
        scale = gr.Radio(["1", "2", "3", "4"], value="2", label="Enlarge (task sr)")
    run = gr.Button("Add to the queue", variant="primary", elem_id="many-run")
    message = gr.HTML(elem_id="many-message")
    status = gr.HTML(elem_id="many-status", elem_classes="adair-status")
    with gr.Column(visible=False) as controls:
        chosen = gr.Dropdown([], label="Batch", elem_id="batch")
        with gr.Row():
            stop = gr.Button("Stop", variant="stop", elem_id="many-stop")
            again = gr.Button("Go on, or try again", elem_id="many-again")
            remove = gr.Button("Remove", elem_id="many-remove")
        results = gr.File(label="Results of dropped photos", interactive=False, elem_id="many-results", height=160)
    look = {
        "fn": tab.look,
        "inputs": [seen, offered, listed, chosen],
        "outputs": [status, controls, chosen, results, seen, offered, listed],
        "show_progress": "hidden",
        "queue": False,
    }
    run.click(tab.add, [uploads, folder, place, task, scale, strength], [uploads, chosen, message], **private)
    whole.upload(photos_of, [whole], [uploads], **private)
    stop.click(tab.stop, [chosen], None, queue=False, **private)
    again.click(tab.again, [chosen], None, queue=False, **private)
    remove.click(tab.remove, [chosen], None, queue=False, **private)
    gr.Timer(EVERY).tick(**look, **private)
    return task


def _title(item: QueueItem) -> str:
    return f"{item.request.title}, {item.request.task}"


def _shown(item: QueueItem) -> str:
    tally = item.tally
    finished = tally.done + tally.skipped + len(tally.failures)
    how = STATES.get(item.state, "")
    parts = [item.error or how] if item.state != "finished" else []
    parts += [str(tally)] if tally.total else []
    running = item.state == "running" and tally.total
    bar = f'<progress value="{finished}" max="{tally.total}"></progress>' if running else ""
    lines = "".join(f"<li>{html.escape(line)}</li>" for line in tally.failures[:FAILURES_SHOWN])
    text = f"<strong>{html.escape(_title(item))}</strong><br>{html.escape('; '.join(parts))}{bar}"
    return f"<p>{text}</p>" + (f"<ul>{lines}</ul>" if lines else "")
