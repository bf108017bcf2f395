"""What is offered of batches: made once, again after another run, and deleted with the batch."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from adair.ui.downloads import ONE_BY_ONE, Downloads
from adair.ui.workspace import Workspace


def results(folder: Path, number: int) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{index:03}.png" for index in range(number)]
    for path in paths:
        path.write_bytes(path.name.encode())
    return paths


def made(workspace: Workspace) -> list[Path]:
    return [path for path in workspace.uploads.rglob("*") if path.is_file()]


@pytest.mark.parametrize("number", [2, ONE_BY_ONE + 1])
def test_files_are_made_once_for_each_batch_and_run(tmp_path: Path, number: int) -> None:
    with Workspace(tmp_path) as workspace:
        downloads, photos = Downloads(workspace), results(tmp_path / "results", number)
        files = downloads.of("a", "first", photos)
        assert downloads.of("a", "first", photos) == files and sorted(made(workspace)) == sorted(files)
        again = downloads.of("a", "second", results(tmp_path / "results", number + 1))
        assert not set(again) & set(files) and sorted(made(workspace)) == sorted(again)
        if number > ONE_BY_ONE:
            assert [path.name for path in again] == ["restored.zip"]
            with zipfile.ZipFile(again[0]) as archive:
                assert archive.namelist() == [f"{index:03}.png" for index in range(number + 1)]
                assert archive.read("000.png") == b"000.png"
        else:
            assert [path.read_bytes() for path in again] == [b"000.png", b"001.png", b"002.png"]
        again[0].unlink()  # as Gradio does after a day
        assert all(path.is_file() for path in downloads.of("a", "second", photos))
        downloads.delete("a")
        assert made(workspace) == []
        assert downloads.of("b", "first", []) == []


def test_a_failure_leaves_no_part_of_an_archive(tmp_path: Path) -> None:
    with Workspace(tmp_path) as workspace:
        downloads, photos = Downloads(workspace), results(tmp_path / "results", ONE_BY_ONE + 1)
        photos[-1].unlink()
        with pytest.raises(FileNotFoundError):
            downloads.of("a", "first", photos)
        assert made(workspace) == []
