"""A tiny network with a few adapters, and what the page needs around it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adair.restore import Restorer
from adair.ui.config import UiConfig
from adair.ui.desk import Desk
from adair.ui.folder_queue import FolderQueue
from adair.ui.queue_store import QueueStore
from adair.ui.workspace import Workspace

TASKS = ("dejpeg", "denoise", "sr")
Upload = Callable[..., Path]


@pytest.fixture
def restorer(model_files: Path) -> Restorer:
    restorer = Restorer.load(model_files / "foundation.safetensors", precision="fp32")
    for task in TASKS:
        restorer.add_adapter(model_files / f"{task}.safetensors")
    return restorer


@pytest.fixture
def desk(restorer: Restorer, tmp_path: Path) -> Iterator[Desk]:
    store = QueueStore(tmp_path / "queue")
    with Workspace(tmp_path) as workspace, FolderQueue(store, restorer, threading.Lock(), 10**6) as queue:
        yield Desk(UiConfig(max_megapixels=1), restorer, workspace, queue)


@pytest.fixture
def upload(desk: Desk) -> Upload:
    """Makes a photo where Gradio would have put it."""

    def make(name: str = "photo.png", size: tuple[int, int] = (96, 64)) -> Path:
        generator = np.random.default_rng(0)
        path = desk.workspace.uploads / name
        Image.fromarray(generator.integers(0, 256, (size[1], size[0], 3), np.uint8)).save(path)
        return path

    return make
