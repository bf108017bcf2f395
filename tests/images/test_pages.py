"""All pages of a TIFF, all frames of an animation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adair.errors import TooLargeError
from adair.images import read_image
from adair.images.pages import Pages, read_pages, write_pages
from adair.restore import FileOptions, Restorer, restore_file


@pytest.fixture(scope="module")
def restorer(model_files: Path) -> Restorer:
    return Restorer.load(model_files / "foundation.safetensors", device="cpu", precision="fp32")


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_pages_of_different_size_and_depth_are_restored_each(tmp_path: Path, restorer: Restorer) -> None:
    arrays = [noise(0, 30, 40, 3), noise(1, 20, 26), noise(2, 24, 24).astype(np.uint16) * 257]
    pages = [Image.fromarray(array) for array in arrays]
    pages[0].save(tmp_path / "in.tif", save_all=True, append_images=pages[1:], dpi=(300, 300), compression="tiff_lzw")
    result = restore_file(tmp_path / "in.tif", tmp_path / "out.tif", "foundation", restorer=restorer)
    assert result.notes == () and result.megapixels == pytest.approx((1200 + 520 + 576) / 1e6)
    with Image.open(tmp_path / "out.tif") as out:
        assert out.n_frames == 3 and out.info["dpi"][0] == pytest.approx(300, rel=0.01)
        for number, array in enumerate(arrays):
            out.seek(number)
            expected = restorer.restore(array, "foundation")
            np.testing.assert_array_equal(np.asarray(out), expected)
    restore_file(tmp_path / "in.tif", tmp_path / "first.png", "foundation", restorer=restorer)
    np.testing.assert_array_equal(read_image(tmp_path / "first.png").pixels, restorer.restore(arrays[0], "foundation"))


def test_exif_of_the_first_page_is_kept(tmp_path: Path, restorer: Restorer) -> None:
    exif = Image.Exif()
    exif[0x010F] = "AdaIR"
    exif.get_ifd(0x8769)[0x9003] = "2026:01:02 03:04:05"
    Image.fromarray(noise(0, 20, 20, 3)).save(tmp_path / "a.jpg", exif=exif)
    like = read_image(tmp_path / "a.jpg")
    write_pages(tmp_path / "in.tif", Pages((like, like)))
    restore_file(tmp_path / "in.tif", tmp_path / "out.tif", "foundation", restorer=restorer)
    with Image.open(tmp_path / "out.tif") as out:
        assert out.n_frames == 2
        assert out.getexif()[0x010F] == "AdaIR"
        assert out.getexif().get_ifd(0x8769)[0x9003] == "2026:01:02 03:04:05"


@pytest.mark.parametrize("suffix", [".webp", ".gif"])
def test_frames_keep_their_timing(tmp_path: Path, restorer: Restorer, suffix: str) -> None:
    frames = [Image.fromarray(noise(seed, 20, 30, 3)) for seed in range(3)]
    options = {"duration": [100, 200, 300], "loop": 2, **({"lossless": True} if suffix == ".webp" else {})}
    source, target = tmp_path / f"in{suffix}", tmp_path / "out.webp"
    frames[0].save(source, save_all=True, append_images=frames[1:], **options)
    restore_file(source, target, "foundation", files=FileOptions(quality=100), restorer=restorer)
    with Image.open(target) as out, Image.open(source) as given:
        assert out.n_frames == 3
        for number in range(3):
            out.seek(number)
            given.seek(number)
            out.load()
            assert out.info["duration"] == [100, 200, 300][number]
            expected = restorer.restore(np.asarray(given.convert("RGB")), "foundation")
            np.testing.assert_array_equal(np.asarray(out.convert("RGB")), expected)


def test_the_limit_counts_all_pages(tmp_path: Path) -> None:
    page = Image.fromarray(noise(0, 20, 20, 3))
    page.save(tmp_path / "in.tif", save_all=True, append_images=[page, page])
    data = (tmp_path / "in.tif").read_bytes()
    pages = read_pages(data, tmp_path / "in.tif", Path("out.tif"), 1200)
    assert pages is not None and len(pages.images) == 3
    assert read_pages(data, tmp_path / "in.tif", Path("out.png")) is None
    with pytest.raises(TooLargeError):
        read_pages(data, tmp_path / "in.tif", Path("out.tif"), 1100)
    write_pages(tmp_path / "out.tif", pages)
    with pytest.raises(Exception, match="exists"):
        write_pages(tmp_path / "out.tif", pages, overwrite=False)
