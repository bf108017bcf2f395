"""Pixels per inch: kept where a file states them, and nowhere made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adair.images import read_image, write_image

SUFFIXES = [".png", ".jpg", ".tif"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dpi", [None, 72, 300])
def test_it_is_kept_and_not_made_up(photo: np.ndarray, tmp_path: Path, suffix: str, dpi: int | None) -> None:
    Image.fromarray(photo).save(tmp_path / f"in{suffix}", **({"dpi": (dpi, dpi)} if dpi else {}))
    image = read_image(tmp_path / f"in{suffix}")
    assert (image.density is None) == (dpi is None)
    for target in SUFFIXES:
        write_image(tmp_path / f"out{target}", image.pixels, image)
        with Image.open(tmp_path / f"out{target}") as written:
            written.load()
            assert not written.getexif().get_ifd(0x8769)
            if dpi is None:
                assert written.info.get("jfif_unit", 0) == 0
                assert "dpi" not in written.info or target == ".tif"
                assert target != ".tif" or written.tag_v2[296] == 1
            else:
                assert written.info["dpi"] == pytest.approx((dpi, dpi), rel=0.01)
        assert (read_image(tmp_path / f"out{target}").density is None) == (dpi is None)
        np.testing.assert_array_equal(read_image(tmp_path / f"out{target}").pixels.shape, image.pixels.shape)


def test_no_exif_is_made_up(photo: np.ndarray, tmp_path: Path) -> None:
    for suffix in (*SUFFIXES, ".webp", ".avif"):
        write_image(tmp_path / f"a{suffix}", photo)
        assert read_image(tmp_path / f"a{suffix}").exif is None


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("orientation", [1, 3, 5, 6, 8])
def test_it_is_turned_with_the_photo(photo: np.ndarray, tmp_path: Path, suffix: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(photo).save(tmp_path / f"in{suffix}", dpi=(300, 600), exif=exif)
    density = read_image(tmp_path / f"in{suffix}").density
    assert density is not None
    expected = (300, 600) if orientation < 5 else (600, 300)
    assert [value * 25.4 for value in density] == pytest.approx(expected, rel=0.01)
