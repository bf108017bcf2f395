from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from adair.images import read_image
from adair.restore import RestoreOptions, restore_file
from adair.ui.desk import Desk
from adair.ui.work import Status, Work


def finished(work: Work) -> Status:
    work.start()
    work.join()
    return work.wait(seconds=0)


@pytest.mark.parametrize("options", [RestoreOptions("denoise"), RestoreOptions("dejpeg > sr", 2, 0.5)])
def test_the_download_is_what_the_command_writes(
    desk: Desk, upload: Callable[..., Path], tmp_path: Path, options: RestoreOptions
) -> None:
    photo = desk.open(upload())
    status = finished(desk.work(photo, options))
    assert status.result is not None
    restore_file(photo.path, tmp_path / "command.png", options=options, restorer=desk.restorer)
    assert status.result.target.read_bytes() == (tmp_path / "command.png").read_bytes()
    assert status.result.target.name == f"photo.{desk.restorer.check(options)}.png"


def test_the_type_of_file_can_be_chosen(desk: Desk, upload: Callable[..., Path]) -> None:
    status = finished(desk.work(desk.open(upload("odd name!.webp")), RestoreOptions("denoise"), "tif"))
    assert status.result is not None
    assert status.result.target.name == "odd_name.denoise.tif"
    assert read_image(status.result.target).pixels.shape == (64, 96, 3)


def test_cancelled_before_its_turn(desk: Desk, upload: Callable[..., Path]) -> None:
    work = desk.work(desk.open(upload()), RestoreOptions("denoise"))
    with desk.turn:
        work.start()
        start = time.monotonic()
        work.cancel()
        assert work.wait().cancelled
        assert time.monotonic() - start < 1
    work.join()
    assert work.wait(seconds=0).result is None
    assert list(desk.workspace.folder.rglob("*.denoise.png")) == []


def test_cancelled_between_tiles(desk: Desk, upload: Callable[..., Path]) -> None:
    photo = desk.open(upload(size=(700, 600)))
    work = desk.work(photo, RestoreOptions("denoise", tile=256))
    seen = []
    work.start()
    status = Status()
    while not status.over:
        status = work.wait(status, 10)
        seen.append(status)
        if status.done:
            work.cancel()
    work.join()
    assert status.cancelled
    assert any(0 < one.done < one.total and one.left is not None for one in seen)
    assert list(desk.workspace.folder.rglob("*.denoise.png")) == []


def test_failures_are_one_line(desk: Desk, upload: Callable[..., Path]) -> None:
    photo = desk.open(upload())
    photo.path.write_bytes(b"\x89PNG\r\n\x1a\n broken")
    status = finished(desk.work(photo, RestoreOptions("denoise")))
    assert status.error is not None
    assert "\n" not in status.error
    assert np.isfinite(status.total)
