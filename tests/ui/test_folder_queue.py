"""The queue of folders: order, stopping, removing, and going on after the page was closed or killed."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adair.errors import AdairError, InputError
from adair.restore import Restorer
from adair.ui.folder_job import RESULTS
from adair.ui.folder_queue import FolderQueue
from adair.ui.queue_store import FolderRequest, QueueItem, QueueStore, state_folder

DENOISE = FolderRequest("photos", "denoise")
WAIT = 60.0  # seconds, on a loaded machine


def pictures(folder: Path, number: int = 3) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{index}.png" for index in range(number)]
    for index, path in enumerate(paths):
        Image.fromarray(np.full((16, 24, 3), 50 * index % 256, np.uint8)).save(path)
    return paths


def queue_in(folder: Path, restorer: Restorer) -> FolderQueue:
    return FolderQueue(QueueStore(folder), restorer, threading.Lock(), 10**6)


def until(queue: FolderQueue, condition: Callable[[tuple[QueueItem, ...]], bool]) -> tuple[QueueItem, ...]:
    end = time.monotonic() + WAIT
    while not condition(queue.items):
        assert time.monotonic() < end, queue.items
        time.sleep(0.01)
    return queue.items


def ended(items: tuple[QueueItem, ...]) -> bool:
    return all(item.ended for item in items)


def test_batches_run_in_order_and_dropped_photos_are_taken_over(restorer: Restorer, tmp_path: Path) -> None:
    uploads = [*pictures(tmp_path / "a", 2), *pictures(tmp_path / "b", 1)]
    given = tmp_path / "given"
    pictures(given, 2)
    with queue_in(tmp_path / "queue", restorer) as queue:
        first = queue.add(DENOISE, uploads)
        queue.add(FolderRequest("given", "denoise", folder=str(given)))
        queue.add(FolderRequest("given", "denoise", folder=str(given), beside=True))
        items = until(queue, ended)
        assert [(item.state, item.tally.done) for item in items] == [("finished", 3), ("finished", 2), ("finished", 2)]
        assert [path.name for path in queue.results(first.key)] == ["0.png", "0_2.png", "1.png"]
        assert not any(path.exists() for path in uploads)
        if os.name != "nt":
            assert stat.S_IMODE((tmp_path / "queue").stat().st_mode) == 0o700
    assert sorted(path.name for path in (given / RESULTS).glob("*.png")) == ["0.png", "1.png"]
    assert sorted(path.name for path in given.glob("*.denoise.png")) == ["0.denoise.png", "1.denoise.png"]
    assert [path.name for path in (tmp_path / "queue").iterdir()] == ["lock"]  # what is finished ends with the page


def test_it_goes_on_with_what_a_closed_page_left(restorer: Restorer, tmp_path: Path) -> None:
    queue = queue_in(tmp_path / "queue", restorer)
    with queue.turn, queue:  # another tab's photo takes its turn for the whole time
        queue.add(DENOISE, pictures(tmp_path / "a", 3))
        queue.add(DENOISE, pictures(tmp_path / "b", 2))
        until(queue, lambda items: items[0].tally.total == 3)
    with queue_in(tmp_path / "queue", restorer) as queue:
        assert [item.tally.done for item in until(queue, ended)] == [3, 2]


def test_stop_go_on_and_remove(restorer: Restorer, tmp_path: Path) -> None:
    with queue_in(tmp_path / "queue", restorer) as queue:
        with queue.turn:
            one = queue.add(DENOISE, pictures(tmp_path / "a", 2))
            two = queue.add(DENOISE, pictures(tmp_path / "b", 2))
            three = queue.add(DENOISE, pictures(tmp_path / "c", 2))
            until(queue, lambda items: items[0].tally.total == 2)
            queue.stop(one.key)
            queue.stop(two.key)
            queue.remove(three.key)
        assert [item.state for item in until(queue, ended)] == ["stopped", "stopped"]
        assert not (tmp_path / "queue" / three.key).exists()
        queue.again(one.key)
        assert [item.state for item in until(queue, ended)] == ["finished", "stopped"]
        queue.remove("no such batch")
    with queue_in(tmp_path / "queue", restorer) as queue:  # what was stopped is kept, and stays stopped
        assert [(item.key, item.state) for item in queue.items] == [(two.key, "stopped")]


def test_a_batch_that_cannot_start_fails_alone(restorer: Restorer, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    with queue_in(tmp_path / "queue", restorer) as queue:
        with pytest.raises(InputError, match="nonsense"):
            queue.add(FolderRequest("photos", "nonsense"))
        queue.add(FolderRequest("given", "denoise", folder=str(given)))
        queue.add(DENOISE, pictures(tmp_path / "a"))
        items = until(queue, ended)
        assert [item.state for item in items] == ["failed", "finished"]
        assert items[0].error.startswith("given: no images")
        pictures(given)
        queue.again(items[0].key)
        assert [item.state for item in until(queue, ended)] == ["finished", "finished"]


def test_a_store_belongs_to_one_page(tmp_path: Path) -> None:
    store = QueueStore(tmp_path / "queue")
    if os.name != "nt":
        with pytest.raises(InputError, match="another page"):
            QueueStore(tmp_path / "queue")
    store.close()
    QueueStore(tmp_path / "queue").close()


@pytest.mark.parametrize("content", [None, "{", "[]", '{"request": {"title": "x"}}', '{"state": "odd"}'])
def test_what_cannot_be_read_is_deleted(content: str | None, tmp_path: Path) -> None:
    store = QueueStore(tmp_path / "queue")
    item, broken = (store.add(DENOISE, pictures(tmp_path / "a")) for _ in range(2))
    file = tmp_path / "queue" / broken.key / "batch.json"
    file.unlink()
    if content is not None:
        file.write_text(content, encoding="utf-8")
    (tmp_path / "queue" / "mine.txt").write_text("kept", encoding="utf-8")
    assert store.load() == [item]
    assert not (tmp_path / "queue" / broken.key).exists()
    assert (tmp_path / "queue" / "mine.txt").exists()
    store.close()


def test_where_it_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_folder() == tmp_path / "adair" / "queue"


KILLED = """
import os, signal, sys, threading
from pathlib import Path
from adair.restore import Restorer
from adair.ui import folder_job
from adair.ui.folder_queue import FolderQueue
from adair.ui.queue_store import FolderRequest, QueueStore

queue, photos, *model = map(Path, sys.argv[1:])
restorer = Restorer.load(model[0], precision="fp32")
restorer.add_adapter(model[1])
added = folder_job.FolderJob._added

def dies(job, tally, outcome, seconds):
    tally = added(job, tally, outcome, seconds)
    if tally.done == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return tally

folder_job.FolderJob._added = dies
with FolderQueue(QueueStore(queue), restorer, threading.Lock(), 10**6) as one:
    one.add(FolderRequest("photos", "denoise"), sorted(photos.iterdir()))
    one._thread.join()
"""


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_it_goes_on_after_a_kill(restorer: Restorer, model_files: Path, tmp_path: Path) -> None:
    photos = pictures(tmp_path / "photos", 5)
    photos[3].write_text("no image", encoding="utf-8")
    model = [str(model_files / f"{name}.safetensors") for name in ("foundation", "denoise")]
    words = [sys.executable, "-c", KILLED, str(tmp_path / "queue"), str(tmp_path / "photos"), *model]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    (key,) = [path.name for path in (tmp_path / "queue").iterdir() if path.is_dir()]
    results = tmp_path / "queue" / key / RESULTS
    first = {path.name: path.stat().st_mtime_ns for path in results.glob("*.png")}
    assert sorted(first) == ["0.png", "1.png"]
    assert json.loads((tmp_path / "queue" / key / "batch.json").read_text())["state"] == "running"
    with queue_in(tmp_path / "queue", restorer) as queue:
        (item,) = until(queue, ended)
        tally = item.tally
        assert (item.state, tally.total, tally.skipped, tally.done, len(tally.failures)) == ("finished", 5, 2, 2, 1)
        assert tally.failures[0].startswith("3.png: ")
        assert [path.name for path in queue.results(key)] == ["0.png", "1.png", "2.png", "4.png"]
        assert {name: (results / name).stat().st_mtime_ns for name in first} == first


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = QueueStore(tmp_path / "queue")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("adair.ui.queue_store.shutil.move", full)
    with pytest.raises(AdairError, match="cannot be written"):
        store.add(DENOISE, pictures(tmp_path / "a"))
    assert store.load() == []
    store.close()
