"""Images too large for memory are restored as others are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adair import RestoreOptions
from adair.images import ImageFile, read_image, scratch, write_image
from adair.restore import Restorer, restore_file
from adair.restore.mask import Mask

MASK = Mask.of(np.tile(np.uint8([[0, 90, 255]]), (60, 30)))
WAYS = {
    "one task": RestoreOptions("denoise"),
    "a sequence": RestoreOptions("dejpeg > denoise"),
    "enlarged": RestoreOptions("sr", scale=2),
    "mixed": RestoreOptions("denoise", strength=0.5, colour=0.2, mask=MASK),
    "auto": RestoreOptions("auto", strength=0.7),
    "unchanged": RestoreOptions("denoise", strength=0),
}


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
@pytest.mark.parametrize("way", WAYS)
def test_files_are_the_same(
    restorer: Restorer, photo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, way: str
) -> None:
    noisy = (photo + np.random.default_rng(0).normal(0, 25, photo.shape)).clip(0, 255).astype(np.uint8)
    write_image(tmp_path / f"in{suffix}", noisy, ImageFile(noisy, None if suffix == ".jpg" else noisy[..., 1]))
    expected = restore_file(
        tmp_path / f"in{suffix}", tmp_path / f"memory{suffix}", options=WAYS[way], restorer=restorer
    )
    monkeypatch.setattr(scratch, "LARGE", 64)
    result = restore_file(tmp_path / f"in{suffix}", tmp_path / f"disk{suffix}", options=WAYS[way], restorer=restorer)
    assert result.notes == expected.notes and result.megapixels == expected.megapixels
    memory, disk = read_image(tmp_path / f"memory{suffix}"), read_image(tmp_path / f"disk{suffix}")
    np.testing.assert_array_equal(disk.pixels, memory.pixels)
    if memory.alpha is not None:
        np.testing.assert_array_equal(disk.alpha, memory.alpha)
    assert len(os.listdir(tmp_path)) == 3
