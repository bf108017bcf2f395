from __future__ import annotations

import threading
from pathlib import Path

import pytest
from PIL import Image

from adair.errors import InputError
from adair.restore import FileOptions, RestoreOptions, Restorer
from adair.ui.folder_job import RESULTS, FolderJob


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(3):
        Image.new("RGB", (24, 16), (50 * number, 0, 0)).save(photos / f"{number}.png")
    return photos


def job(folder: Path, restorer: Restorer, task: str = "denoise") -> FolderJob:
    return FolderJob([folder], folder / RESULTS, RestoreOptions(task), FileOptions(), restorer, threading.Lock())


def test_a_folder_with_a_bad_file(folder: Path, restorer: Restorer) -> None:
    (folder / "1.png").write_text("no image", encoding="utf-8")
    (folder / "notes.txt").write_text("no photo", encoding="utf-8")
    last = list(job(folder, restorer).run())[-1]
    assert (last.total, last.done, last.left_out, last.ended) == (3, 2, 1, "finished")
    assert len(last.failures) == 1
    assert last.failures[0].startswith("1.png: ")
    assert sorted(path.name for path in (folder / RESULTS).glob("*.png")) == ["0.png", "2.png"]


def test_goes_on_where_it_stopped(folder: Path, restorer: Restorer) -> None:
    first = job(folder, restorer)
    for tally in first.run():
        if tally.done == 1:
            first.cancel()
    assert (tally.done, tally.ended) == (1, "cancelled")
    again = list(job(folder, restorer).run())[-1]
    assert (again.skipped, again.done, again.ended) == (1, 2, "finished")
    other = list(job(folder, restorer, "dejpeg").run())[-1]
    assert (other.skipped, other.done) == (0, 3)  # other settings, other results


def test_nothing_to_do_is_said(restorer: Restorer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no photos"):
        FolderJob([], None, RestoreOptions("denoise"), FileOptions(), restorer, threading.Lock())
