from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from adair.errors import AdairError
from adair.train.photos import PhotoStore, open_store


def store_of(*shapes: tuple[int, int]) -> PhotoStore:
    """A store whose pixels count upwards, so that every patch betrays where it came from."""
    sizes = [h * w * 3 for h, w in shapes]
    pixels = (np.arange(sum(sizes)) % 251).astype(np.uint8)
    offsets = tuple(int(x) for x in np.cumsum([0, *sizes[:-1]]))
    return PhotoStore(pixels, tuple(f"p{i}" for i in range(len(shapes))), shapes, offsets)


def test_photos_come_back_as_they_were_decoded(photo_folder: Path, photos: PhotoStore) -> None:
    assert len(photos) == 6
    for index, name in enumerate(photos.names):
        with Image.open(photo_folder / name) as image:
            assert np.array_equal(photos.photo(index), np.asarray(image))


def test_decodes_once(photo_folder: Path, tmp_path: Path) -> None:
    calls: list[int] = []
    for _ in range(2):
        open_store(photo_folder, tmp_path, progress=lambda done, total: calls.append(done))
    assert calls == [1, 2, 3, 4, 5, 6]
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".json", ".u8"]


def test_a_changed_folder_gets_a_new_store(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), (10, 0, 0)).save(tmp_path / "a.png")
    first = open_store(tmp_path, tmp_path / "cache")
    Image.new("RGB", (64, 64), (20, 0, 0)).save(tmp_path / "a.png")
    os.utime(tmp_path / "a.png", ns=(1, 1))
    second = open_store(tmp_path, tmp_path / "cache")
    assert first.photo(0)[0, 0, 0] == 10
    assert second.photo(0)[0, 0, 0] == 20


def test_orientation_is_applied_and_large_photos_shrink(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.new("RGB", (400, 200)).save(tmp_path / "a.jpg", exif=exif)
    store = open_store(tmp_path, tmp_path / "cache", longest_side=200)
    assert store.shapes == ((200, 100),)


def test_unusable_files_are_named_and_skipped(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "good.png")
    Image.new("RGB", (63, 900)).save(tmp_path / "small.png")
    (tmp_path / "text.png").write_text("not an image")
    store = open_store(tmp_path, tmp_path / "cache")
    assert store.names == ("good.png",)
    assert [Path(reason.split(":")[0]).name for reason in store.skipped] == ["small.png", "text.png"]


def test_excluded_stems_stay_out(photo_folder: Path, tmp_path: Path) -> None:
    store = open_store(photo_folder, tmp_path, exclude=["photo1", "photo5"])
    assert [Path(name).stem for name in store.names] == ["photo4", "photo0", "photo2", "photo3"]


@pytest.mark.parametrize("content", ["missing", "empty", "useless"])
def test_folders_without_photos_are_refused(tmp_path: Path, content: str) -> None:
    folder = tmp_path / content
    if content != "missing":
        folder.mkdir()
    if content == "useless":
        (folder / "a.png").write_text("no")
    with pytest.raises(AdairError, match=content):
        open_store(folder, tmp_path / "cache")
    assert not list(tmp_path.glob("cache/*"))


def test_split_holds_out_without_overlap(photos: PhotoStore) -> None:
    train, held_out = photos.split(2)
    assert len(train) == 4
    assert len(held_out) == 2
    assert set(train.names) | set(held_out.names) == set(photos.names)
    with pytest.raises(AdairError, match="too few"):
        held_out.split(2)


def test_centres_are_the_middle_of_each_photo() -> None:
    store = store_of((70, 90), (64, 64))
    centres = store.centres(65)
    assert centres.shape == (2, 3, 65, 65)
    middle = torch.from_numpy(store.photo(0)[2:67, 12:77].copy()).permute(2, 0, 1)
    assert torch.equal(centres[0].mul(255).round().to(torch.uint8), middle)
