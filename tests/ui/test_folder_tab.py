"""What the tab for many photos offers, without a browser; skipped where Gradio is missing."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adair.ui.desk import Desk
from adair.ui.queue_store import FolderRequest

pytestmark = pytest.mark.filterwarnings("default")  # other people's warnings are theirs


@pytest.fixture
def tab(desk: Desk) -> Any:
    pytest.importorskip("gradio", exc_type=ImportError)
    from adair.ui.folder_tab import FolderTab

    return FolderTab(desk)


def test_every_load_of_the_page_offers_the_same_archive(tab: Any, desk: Desk, upload: Callable[..., Path]) -> None:
    photos = [upload(f"{index:02}.png", (16, 16)) for index in range(13)]
    key = desk.queue.add(FolderRequest("photos", "denoise"), photos).key
    end = time.monotonic() + 60
    while not desk.queue.items[0].ended:
        assert time.monotonic() < end
        time.sleep(0.01)
    first, second = (tab.look(-1, [], "", key)[3] for _ in range(2))
    assert first == second and first[0].endswith("restored.zip")
    assert len(list(desk.workspace.folder.rglob("*.zip"))) == 1
    tab.remove(key)
    assert list(desk.workspace.folder.rglob("*.zip")) == []
