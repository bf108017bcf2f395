"""Pixels too large for memory: on disk they are the same pixels, and nothing of them is left behind."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from adair.errors import AdairError, FileFormatError, InputError
from adair.images import ImageFile, decode_image, read_image, scratch, write_image
from adair.images.files import read_stable
from adair.images.image_file import convert_depth

DEPTHS = [np.uint8, np.uint16]
FORMATS = [".png", ".tif", ".jpg"]


@pytest.fixture
def all_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "LARGE", 64)
    monkeypatch.setattr(scratch, "LINES", 7)


def noise(*shape: int, dtype: Any = np.uint8) -> Any:
    return np.random.default_rng(1).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def on_disk(array: Any) -> bool:
    while isinstance(array, (np.ndarray, memoryview)):
        array = array.base if isinstance(array, np.ndarray) else array.obj
    return type(array).__name__ == "mmap"


def test_only_large_arrays_go_to_disk_and_only_where_there_is_a_folder(tmp_path: Path) -> None:
    side = 2**14
    assert on_disk(scratch.empty((side, side), np.uint8, tmp_path))
    assert not on_disk(scratch.empty((side, side - 1), np.uint8, tmp_path))
    assert not on_disk(scratch.empty((side, side), np.uint8, None))


@pytest.mark.skipif(sys.platform == "win32", reason="there the file has a name while it is open")
def test_values_stay_after_release_and_no_file_is_seen(all_large: None, tmp_path: Path) -> None:
    values = noise(50, 40, 3)
    array = scratch.empty(values.shape, np.uint8, tmp_path / "new")
    array[:] = values
    scratch.release(array[3:, :, 1])
    scratch.release(values)  # in memory: nothing happens
    np.testing.assert_array_equal(array, values)
    assert os.listdir(tmp_path / "new") == []


def test_a_full_disk_is_one_line(all_large: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    if hasattr(os, "posix_fallocate"):
        monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(AdairError, match=r"temporary space: the disk is full"):
        scratch.empty((50, 50), np.uint8, tmp_path)
    assert os.listdir(tmp_path) == []


def test_space_is_taken_at_once_where_it_cannot_be_reserved(
    all_large: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    monkeypatch.setattr(scratch, "BLOCK", 1000)
    assert scratch.empty((50, 50), np.uint8, tmp_path).sum() == 0


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", DEPTHS)
def test_files_hold_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, bands: int, dtype: Any
) -> None:
    stored = noise(50, 41, bands, dtype=dtype)
    alpha = stored[..., -1] if bands in (2, 4) else None
    like = ImageFile(stored[..., : bands - (alpha is not None)], alpha, density=(4.0, 4.0))
    said = write_image(tmp_path / f"memory{suffix}", like.pixels, like)
    expected = read_image(tmp_path / f"memory{suffix}")
    monkeypatch.setattr(scratch, "LARGE", 64)
    monkeypatch.setattr(scratch, "LINES", 7)
    data = read_stable(tmp_path / f"memory{suffix}", 10**6, tmp_path)
    assert on_disk(memoryview(data))
    image = decode_image(data, tmp_path / f"memory{suffix}", scratch=tmp_path)
    assert on_disk(image.pixels) and (image.alpha is None or on_disk(image.alpha))
    np.testing.assert_array_equal(image.pixels, expected.pixels)
    assert write_image(tmp_path / f"disk{suffix}", like.pixels, like) == said
    again = read_image(tmp_path / f"disk{suffix}")
    np.testing.assert_array_equal(again.pixels, expected.pixels)
    assert (again.alpha is None) == (expected.alpha is None) == (image.alpha is None)
    if expected.alpha is not None:
        np.testing.assert_array_equal(again.alpha, expected.alpha)
        np.testing.assert_array_equal(image.alpha, expected.alpha)
    assert again.density == image.density == expected.density
    assert sorted(os.listdir(tmp_path)) == sorted([f"memory{suffix}", f"disk{suffix}"])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_photos_come_upright(all_large: None, tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(noise(30, 20, 3)).save(tmp_path / "a.jpg", exif=exif)
    image = decode_image((tmp_path / "a.jpg").read_bytes(), Path("a.jpg"), scratch=tmp_path)
    assert on_disk(image.pixels)
    np.testing.assert_array_equal(image.pixels, read_image(tmp_path / "a.jpg").pixels)


@pytest.mark.parametrize("suffix", FORMATS)
def test_cut_off_files_are_named_as_ever(all_large: None, tmp_path: Path, suffix: str) -> None:
    write_image(tmp_path / f"a{suffix}", noise(200, 200, 3))
    whole = (tmp_path / f"a{suffix}").read_bytes()
    (tmp_path / f"b{suffix}").write_bytes(whole[: len(whole) // 2])
    data = read_stable(tmp_path / f"b{suffix}", 10**6, tmp_path)
    with pytest.raises(FileFormatError, match="damaged or truncated"):
        decode_image(data, tmp_path / f"b{suffix}", scratch=tmp_path)


@pytest.mark.parametrize("now", [b"x" * 90, b"x" * 110], ids=["shorter", "longer"])
def test_a_file_that_changes_is_refused(
    all_large: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: bytes
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"x" * 100)
    mapped = scratch.mapped

    def change(*given: Any) -> Any:
        path.write_bytes(now)
        return mapped(*given)

    monkeypatch.setattr(scratch, "mapped", change)
    with pytest.raises(InputError, match="changed while it was being read"):
        read_stable(path, 1000, tmp_path)


@pytest.mark.parametrize("dtype", DEPTHS)
def test_depth_is_converted_alike(all_large: None, tmp_path: Path, dtype: Any) -> None:
    values = noise(31, 9, 3, dtype=np.uint8 if dtype == np.uint16 else np.uint16)
    result = convert_depth(values, dtype, tmp_path)
    assert on_disk(result)
    np.testing.assert_array_equal(result, convert_depth(values, dtype))
