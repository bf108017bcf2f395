"""What the tab for one photo does with its jobs, without a browser; skipped where Gradio is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adair.ui.desk import Desk

pytestmark = pytest.mark.filterwarnings("default")  # other people's warnings are theirs

CHOSEN = ("as the photo", 95, "denoise", "1", 1.0, 1.0, 1.0)


@pytest.fixture
def tab(desk: Desk) -> Any:
    pytest.importorskip("gradio", exc_type=ImportError)
    from adair.ui.restore_tab import RestoreTab

    return RestoreTab(desk)


def test_another_start_cancels_the_former_and_tells_only_of_its_own(
    tab: Any, desk: Desk, upload: Callable[..., Path]
) -> None:
    photo = desk.open(upload())
    with desk.turn:
        first, _ = tab.begin(None, photo, *CHOSEN)
        watching = tab.watch(photo, first)
        assert "progress" in next(watching)[0]
        second, text = tab.begin(first, photo, *CHOSEN)
        assert "Waiting" in text and first.wait(seconds=0).cancelled and not second.wait(seconds=0).over
        assert [shown[0] for shown in watching] == [{"__type__": "update"}]  # the page keeps what it shows
        none, text = tab.begin(second, photo, "exe", *CHOSEN[1:])
        assert none is None and "exe" in text and second.wait(seconds=0).cancelled
        third, _ = tab.begin(None, photo, *CHOSEN)
        tab.cancel(third)
        assert "Cancelled" in next(tab.watch(photo, third))[0]
    for work in (first, second, third):
        work.join()
    assert not list(desk.workspace.folder.rglob("*.denoise.png"))


def test_a_visitor_who_leaves_cancels(tab: Any, desk: Desk, upload: Callable[..., Path]) -> None:
    photo = desk.open(upload())
    with desk.turn:
        work, _ = tab.begin(None, photo, *CHOSEN)
        watching = tab.watch(photo, work)
        next(watching)
        watching.close()  # as Gradio does when the connection ends
        assert work.wait(seconds=0).cancelled
    work.join()
