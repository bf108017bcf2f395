"""libvips and Pillow give the same pixels, so training data do not depend on what is installed."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adair.images import convert_depth, pillow, read_image, vips, write_image
from adair.images.image_file import ImageFile
from adair.images.limits import Limits
from adair.images.sniff import find_format


def decoded(path: Path) -> tuple[ImageFile, ImageFile]:
    data = path.read_bytes()
    kind = find_format(data)
    assert kind is not None
    return vips.decode(data, kind, Limits(path)), pillow.decode(data, kind, Limits(path))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".avif"])
@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize("with_alpha", [False, True])
def test_files_of_8_bits_are_the_same_and_avif_colour_is_a_level_off_at_most(
    tmp_path: Path, photo: np.ndarray, suffix: str, bands: int, with_alpha: bool
) -> None:
    alpha = np.tile(np.arange(90, dtype=np.uint8) * 2, (60, 1)) if with_alpha else None
    pixels = photo[..., :bands]
    write_image(tmp_path / f"a{suffix}", pixels, ImageFile(pixels, alpha))
    first, second = decoded(tmp_path / f"a{suffix}")
    colours = np.broadcast_to(first.pixels, (60, 90, 3)).astype(int) - np.broadcast_to(second.pixels, (60, 90, 3))
    assert np.abs(colours).max() <= (suffix == ".avif" and bands == 3)  # two conversions from YUV
    assert (first.alpha is None) == (second.alpha is None)
    if first.alpha is not None and second.alpha is not None:
        np.testing.assert_array_equal(first.alpha, second.alpha)


@pytest.mark.parametrize("options", [{"subsampling": 2}, {"progressive": True}, {"quality": 30}])
def test_jpeg_of_any_sort_is_the_same(tmp_path: Path, photo: np.ndarray, options: dict[str, object]) -> None:
    Image.fromarray(photo).save(tmp_path / "a.jpg", **options)
    first, second = decoded(tmp_path / "a.jpg")
    np.testing.assert_array_equal(first.pixels, second.pixels)


def test_16_bit_gray_is_the_same_and_16_bit_colour_is_a_level_off_at_most(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (40, 50, 3), dtype=np.uint16)
    write_image(tmp_path / "gray.png", deep[..., :1])
    first, second = decoded(tmp_path / "gray.png")
    np.testing.assert_array_equal(first.pixels, second.pixels)
    write_image(tmp_path / "rgb.png", deep)
    first, second = decoded(tmp_path / "rgb.png")
    difference = convert_depth(first.pixels, np.uint8).astype(int) - convert_depth(second.pixels, np.uint8)
    assert np.abs(difference).max() <= 1


def test_without_libvips_files_are_still_read(tmp_path: Path, photo: np.ndarray) -> None:
    Image.fromarray(photo).save(tmp_path / "a.jpg")
    script = f"""
import sys
sys.modules["pyvips"] = None
import numpy as np
from adair.train.photos import read_photo
from pathlib import Path
np.save({str(tmp_path / "a.npy")!r}, read_photo(Path({str(tmp_path / "a.jpg")!r}), smallest_side=8))
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), read_image(tmp_path / "a.jpg").pixels)


def test_orientation_is_applied_by_both(tmp_path: Path, photo: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "PNG", exif=exif)
    (tmp_path / "a.png").write_bytes(buffer.getvalue())
    first, second = decoded(tmp_path / "a.png")
    np.testing.assert_array_equal(first.pixels, second.pixels)
    assert first.pixels.shape == (90, 60, 3)
