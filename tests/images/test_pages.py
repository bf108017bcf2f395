"""All pages of a TIFF, all frames of an animation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import AvifImagePlugin, Image, ImageCms, ImageOps

from adair.errors import FileFormatError, TooLargeError
from adair.images import ImageFile, read_image
from adair.images.avif import with_plays
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


@pytest.mark.parametrize("loop", [0, 1, 3])
@pytest.mark.parametrize(("source", "target"), [("png", "png"), ("avif", "avif"), ("png", "webp"), ("gif", "png")])
def test_animations_keep_frames_timing_and_loop(
    tmp_path: Path, restorer: Restorer, source: str, target: str, loop: int
) -> None:
    frames = [Image.fromarray(noise(seed, 20, 30, 3)) for seed in range(3)]
    given, out = tmp_path / f"in.{source}", tmp_path / f"out.{target}"
    repeats = loop if source != "gif" else loop - 1 if loop else 0
    options = {"loop": repeats} if source != "gif" or loop != 1 else {}  # a GIF without a count is shown once
    frames[0].save(given, save_all=True, append_images=frames[1:], duration=[100, 250, 400], **options)
    if source == "avif":
        given.write_bytes(with_plays(given.read_bytes(), loop))
    pages = read_pages(given.read_bytes(), given, out)
    assert pages is not None and pages.loop == loop and pages.delays == (100, 250, 400)
    result = restore_file(given, out, "foundation", files=FileOptions(quality=100), restorer=restorer)
    assert len(result.notes) == (target == "avif")
    again = read_pages(out.read_bytes(), out, out)
    assert again is not None and again.loop == loop and again.delays == (100, 250, 400)
    for before, after in zip(pages.images, again.images, strict=True):
        expected = restorer.restore(before.pixels, "foundation")
        assert np.abs(after.pixels.astype(int) - expected).max() <= (3 if target == "avif" else 0)


@pytest.mark.parametrize("suffix", [".png", ".avif"])
def test_animations_keep_transparency_and_metadata(tmp_path: Path, suffix: str) -> None:
    frames = [Image.fromarray(noise(seed, 20, 30, 4)) for seed in range(2)]
    exif = Image.Exif()
    exif[0x010F] = "AdaIR"
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    given, out = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    options = {"exif": exif, "icc_profile": icc, "quality": 100}
    frames[0].save(given, save_all=True, append_images=frames[1:], duration=50, **options)
    pages = read_pages(given.read_bytes(), given, out)
    assert pages is not None
    write_pages(out, pages)
    again = read_pages(out.read_bytes(), out, out)
    assert again is not None
    for page, written, frame in zip(pages.images, again.images, frames, strict=True):
        assert page.alpha is not None and written.alpha is not None
        np.testing.assert_array_equal(page.alpha, np.asarray(frame)[..., 3])
        assert np.abs(written.alpha.astype(int) - page.alpha).max() <= 8 * (suffix == ".avif")
        assert written.icc == icc and written.exif is not None and b"AdaIR" in written.exif


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_frames_come_upright(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, orientation: int) -> None:
    """Pillow cannot write such files, only read them."""
    frames = [Image.fromarray(noise(seed, 20, 30)) for seed in range(2)]
    path = tmp_path / "in.avif"
    frames[0].save(path, save_all=True, append_images=frames[1:], quality=100)
    monkeypatch.setattr(AvifImagePlugin.AvifImageFile, "getexif", lambda _: {0x0112: orientation})
    pages = read_pages(path.read_bytes(), path, path)
    turned = frames[1].copy()
    turned.getexif()[0x0112] = orientation
    assert pages is not None
    np.testing.assert_array_equal(pages.images[1].pixels[..., 0], np.asarray(ImageOps.exif_transpose(turned)))


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("suffix", [".webp", ".png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_frame_is_turned_by_itself(tmp_path: Path, orientation: int, suffix: str, channels: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    frames = [Image.fromarray(noise(seed, 20, 30, channels) | 1) for seed in range(3)]  # no pixel wholly transparent
    path = tmp_path / f"in{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=50, exif=exif, lossless=True, dpi=(300, 600))
    pages = read_pages(path.read_bytes(), path, path)
    assert pages is not None and len(pages.images) == 3
    for page, frame in zip(pages.images, frames, strict=True):
        frame.getexif()[0x0112] = orientation
        turned = np.asarray(ImageOps.exif_transpose(frame))
        np.testing.assert_array_equal(page.pixels, turned[..., :3])
        if channels == 4:
            np.testing.assert_array_equal(page.alpha, turned[..., 3])
        if suffix == ".png":
            assert page.density is not None
            across, down = page.density
            assert (across < down) == (orientation < 5)


def test_the_exif_of_turned_photos_says_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "AdaIR", 6
    page = ImageFile(noise(0, 20, 30, 3), exif=exif.tobytes())
    for suffix in (".png", ".avif"):
        write_pages(tmp_path / f"out{suffix}", Pages((page, page)))
        with Image.open(tmp_path / f"out{suffix}") as out:
            assert out.size == (30, 20) and out.getexif().get(0x0112, 1) == 1 and out.getexif()[0x010F] == "AdaIR"


def test_broken_exif_does_not_cost_the_frames(tmp_path: Path) -> None:
    frames = [Image.fromarray(noise(seed, 20, 30, 3)) for seed in range(2)]
    frames[0].save(tmp_path / "in.png", save_all=True, append_images=frames[1:], exif=b"no EXIF at all")
    pages = read_pages((tmp_path / "in.png").read_bytes(), tmp_path / "in.png", tmp_path / "out.png")
    assert pages is not None
    np.testing.assert_array_equal(pages.images[1].pixels, np.asarray(frames[1]))


def test_what_an_animation_cannot_keep_is_said(tmp_path: Path) -> None:
    frames = [Image.fromarray(noise(seed, 20, 30, 3)) for seed in range(3)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:], default_image=True, duration=[50, 60])
    pages = read_pages((tmp_path / "a.png").read_bytes(), tmp_path / "a.png", tmp_path / "b.png")
    assert pages is not None and pages.delays == (50, 60)
    assert "without animations" in pages.images[0].notes[0]
    np.testing.assert_array_equal(pages.images[0].pixels, np.asarray(frames[1]))
    assert "2 pages or frames" in " ".join(read_image(tmp_path / "a.png").notes)


def test_the_first_frame_of_an_avif_animation_is_read_and_damage_is_named(tmp_path: Path) -> None:
    frames = [Image.fromarray(noise(seed, 20, 30, 3)) for seed in range(3)]
    path = tmp_path / "a.avif"
    frames[0].save(path, save_all=True, append_images=frames[1:], quality=100, subsampling="4:4:4")
    assert np.abs(read_image(path).pixels.astype(int) - np.asarray(frames[0])).max() <= 3
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(FileFormatError, match="damaged"):
        read_pages(path.read_bytes(), path, path)
    with pytest.raises(TooLargeError):
        frames[0].save(path, save_all=True, append_images=frames[1:])
        read_pages(path.read_bytes(), path, path, 1799)


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
