"""Image files: every format round trip, and every kind of bad file."""

from __future__ import annotations

import dataclasses
import errno
import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import pyvips
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import IFDRational

from adair.errors import AdairError
from adair.images import ImageFile, read_image, write_image

LOSSLESS = [".png", ".tif", ".tiff", ".bmp"]
LOSSY = [".jpg", ".jpeg", ".webp", ".avif"]
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif_block(orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker of cameras", orientation
    exif.get_ifd(0x8769)[0x9003] = "2020:01:02 03:04:05"
    exif.get_ifd(0x8769)[0x829A] = IFDRational(1, 250)
    exif.get_ifd(0x8825)[1] = "N"
    return exif.tobytes()


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


@pytest.mark.parametrize("suffix", LOSSLESS + LOSSY)
@pytest.mark.parametrize("bands", [1, 3])
def test_round_trip_8_bit(tmp_path: Path, photo: np.ndarray, suffix: str, bands: int) -> None:
    path = tmp_path / f"a{suffix}"
    assert write_image(path, photo[..., :bands]) == ()
    image = read_image(path)
    assert image.pixels.shape == (60, 90, 3 if suffix == ".webp" else bands)  # WebP knows no gray, and loses a little
    assert image.pixels.dtype == np.uint8
    assert difference(image.pixels, photo[..., :bands]) <= (0 if suffix in LOSSLESS else 2)
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", [".webp", ".avif"])
def test_quality_100_is_lossless_where_the_format_can(tmp_path: Path, photo: np.ndarray, suffix: str) -> None:
    write_image(tmp_path / f"a{suffix}", photo, quality=100)
    assert difference(read_image(tmp_path / f"a{suffix}").pixels, photo) == 0


def test_jpeg_keeps_full_colour_resolution_and_quality_matters(tmp_path: Path, photo: np.ndarray) -> None:
    write_image(tmp_path / "a.jpg", photo)
    write_image(tmp_path / "b.jpg", photo, quality=30)
    assert pyvips.Image.new_from_file(str(tmp_path / "a.jpg")).get("jpeg-chroma-subsample") == "4:4:4"
    assert (tmp_path / "b.jpg").stat().st_size < (tmp_path / "a.jpg").stat().st_size


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize("with_alpha", [False, True])
def test_16_bits_stay(tmp_path: Path, suffix: str, bands: int, with_alpha: bool) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 65536, (20, 30, bands), dtype=np.uint16)
    alpha = rng.integers(0, 65536, (20, 30), dtype=np.uint16) if with_alpha else None
    write_image(tmp_path / f"a{suffix}", pixels, ImageFile(pixels, alpha))
    image = read_image(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(image.pixels, pixels)
    assert (image.alpha is not None) == with_alpha
    if alpha is not None and image.alpha is not None:
        np.testing.assert_array_equal(image.alpha, alpha)


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".bmp"])
def test_16_bits_are_rounded_for_formats_of_8_with_a_note(tmp_path: Path, photo: np.ndarray, suffix: str) -> None:
    notes = write_image(tmp_path / f"a{suffix}", photo.astype(np.uint16) * 257 + 100)
    assert "rounded" in notes[0]
    image = read_image(tmp_path / f"a{suffix}")
    assert image.pixels.dtype == np.uint8
    assert difference(image.pixels, photo) < 3


def test_avif_of_16_bits_keeps_12(tmp_path: Path, photo: np.ndarray) -> None:
    deep = photo.astype(np.uint16) * 257
    write_image(tmp_path / "a.avif", deep, quality=100)
    image = read_image(tmp_path / "a.avif")
    assert image.pixels.dtype == np.uint16
    assert np.abs(image.pixels.astype(int) - deep).max() < 32


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".avif"])
@pytest.mark.parametrize("bands", [1, 3])
def test_alpha_is_kept(tmp_path: Path, photo: np.ndarray, suffix: str, bands: int) -> None:
    alpha = np.tile(np.arange(90, dtype=np.uint8) * 2, (60, 1))
    pixels = photo[..., :bands]
    write_image(tmp_path / f"a{suffix}", pixels, ImageFile(pixels, alpha), quality=100)
    image = read_image(tmp_path / f"a{suffix}")
    assert image.alpha is not None
    np.testing.assert_array_equal(image.alpha, alpha)
    assert image.pixels.shape[:2] == (60, 90)


@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_transparency_is_laid_on_white_where_it_cannot_be_held(tmp_path: Path, suffix: str) -> None:
    black, clear = np.zeros((16, 16, 3), np.uint8), np.zeros((16, 16), np.uint8)
    notes = write_image(tmp_path / f"a{suffix}", black, ImageFile(black, clear))
    assert "white" in notes[0]
    assert read_image(tmp_path / f"a{suffix}").pixels.min() == 255


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".avif"])
def test_profile_exif_and_xmp_survive_reading_and_writing(tmp_path: Path, photo: np.ndarray, suffix: str) -> None:
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'></x:xmpmeta>"
    write_image(tmp_path / f"a{suffix}", photo, ImageFile(photo, icc=ICC, exif=exif_block(), xmp=xmp))
    image = read_image(tmp_path / f"a{suffix}")
    write_image(tmp_path / f"b{suffix}", image.pixels, image)
    again = read_image(tmp_path / f"b{suffix}")
    assert image.icc == again.icc == ICC
    assert image.xmp is not None
    assert again.xmp is not None
    with Image.open(tmp_path / f"b{suffix}") as opened:  # another reader agrees
        exif = opened.getexif()
        assert exif[0x010F] == "Maker of cameras"
        assert exif.get_ifd(0x8769)[0x9003] == "2020:01:02 03:04:05"
        assert float(exif.get_ifd(0x8769)[0x829A]) == pytest.approx(1 / 250)
        assert exif.get_ifd(0x8825)[1] == "N"
        np.testing.assert_array_equal(np.asarray(opened.convert("RGB")).shape, photo.shape)


def test_tiff_with_exif_of_16_bits_keeps_its_pixels(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (40, 50, 3), dtype=np.uint16)
    write_image(tmp_path / "a.tif", pixels, ImageFile(pixels, exif=exif_block()))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_orientation_is_applied_once(tmp_path: Path, photo: np.ndarray, orientation: int, suffix: str) -> None:
    Image.fromarray(photo).save(tmp_path / f"a{suffix}", exif=exif_block(orientation), quality=95)
    turned = {
        1: photo,
        2: photo[:, ::-1],
        3: photo[::-1, ::-1],
        4: photo[::-1],
        5: photo.swapaxes(0, 1),
        6: np.rot90(photo, -1),
        7: np.rot90(photo, 2).swapaxes(0, 1),
        8: np.rot90(photo),
    }[orientation]
    image = read_image(tmp_path / f"a{suffix}")
    assert image.pixels.shape == turned.shape
    assert difference(image.pixels, turned) < 6
    write_image(tmp_path / f"b{suffix}", image.pixels, image)
    again = read_image(tmp_path / f"b{suffix}")
    assert difference(again.pixels, turned) < 7
    with Image.open(tmp_path / f"b{suffix}") as opened:
        assert opened.getexif().get(0x0112, 1) == 1


def test_a_stale_thumbnail_does_not_survive(tmp_path: Path, photo: np.ndarray) -> None:
    thumbnail = io.BytesIO()
    Image.fromarray(photo[::4, ::4]).save(thumbnail, "JPEG")
    jpeg = thumbnail.getvalue()
    # Directory 0: one tag and a pointer to directory 1: the thumbnail's place and length.
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<HHHIII", 1, 0x0112, 3, 1, 1, 26)
    first = head + struct.pack("<HHHIIHHIII", 2, 0x0201, 4, 1, 56, 0x0202, 4, 1, len(jpeg), 0)
    block = b"Exif\0\0" + first + jpeg
    plain = io.BytesIO()
    Image.fromarray(photo).save(plain, "JPEG", exif=block)
    (tmp_path / "a.jpg").write_bytes(plain.getvalue())
    assert plain.getvalue().count(b"\xff\xd8\xff") == 2
    image = read_image(tmp_path / "a.jpg")
    assert image.exif is not None
    write_image(tmp_path / "b.jpg", photo, image)
    assert (tmp_path / "b.jpg").read_bytes().count(b"\xff\xd8\xff") == 1


def test_palette_becomes_rgb_and_keeps_transparency(tmp_path: Path, photo: np.ndarray) -> None:
    palette = Image.fromarray(photo).quantize(16)
    palette.save(tmp_path / "a.png")
    palette.save(tmp_path / "b.png", transparency=0)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels, np.asarray(palette.convert("RGB")))
    alpha = read_image(tmp_path / "b.png").alpha
    assert alpha is not None
    np.testing.assert_array_equal(alpha == 0, np.asarray(palette) == 0)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_one_bit_becomes_gray(tmp_path: Path, suffix: str) -> None:
    bits = np.indices((20, 20)).sum(0) % 2 == 0
    Image.fromarray(bits).save(tmp_path / f"a{suffix}")
    image = read_image(tmp_path / f"a{suffix}")
    assert image.pixels.shape == (20, 20, 1)
    np.testing.assert_array_equal(image.pixels[..., 0], bits * 255)


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_becomes_srgb(tmp_path: Path, suffix: str) -> None:
    inks = np.zeros((32, 48, 4), np.uint8)
    inks[:, 24:, 1:3] = 255  # magenta and yellow: red
    Image.fromarray(inks, mode="CMYK").save(tmp_path / f"a{suffix}", icc_profile=ICC[:16] + b"CMYK" + ICC[20:])
    image = read_image(tmp_path / f"a{suffix}")
    assert image.pixels.shape == (32, 48, 3)
    assert image.icc is None
    assert image.stored is not None and image.stored.space == "cmyk"
    paper, red = image.pixels[16, 10].astype(int), image.pixels[16, 40].astype(int)
    assert paper.min() > 240
    assert red[0] > 150
    assert max(red[1:]) < 110


def test_several_pages_give_the_first_with_a_note(tmp_path: Path, photo: np.ndarray) -> None:
    pages = [Image.fromarray(photo), Image.fromarray(255 - photo)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.pixels, photo)
    assert "2 pages" in image.notes[0]


def test_content_decides_the_format_and_brackets_in_names_are_names(tmp_path: Path, photo: np.ndarray) -> None:
    write_image(tmp_path / "a.png", photo)
    (tmp_path / "a.png").rename(tmp_path / "photo[1,n=2].jpg")
    np.testing.assert_array_equal(read_image(tmp_path / "photo[1,n=2].jpg").pixels, photo)


def test_a_profile_that_does_not_fit_is_dropped(tmp_path: Path, photo: np.ndarray) -> None:
    write_image(tmp_path / "a.png", photo[..., :1], ImageFile(photo, icc=ICC))
    assert read_image(tmp_path / "a.png").icc is None


def one_line(error: pytest.ExceptionInfo[AdairError], path: Path) -> str:
    text = str(error.value)
    assert str(path) in text
    assert "\n" not in text
    assert len(text) < 400
    return text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"just some text", "not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", "not an image"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (b"\x89PNG\r\n\x1a\n" + bytes(500), "damaged"),
        (b"\xff\xd8\xff" + bytes(500), "damaged"),
        (b"BM" + bytes(100), "damaged"),
        (b"II*\0" + bytes(100), "damaged"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "damaged"),
        (b"\0\0\0\x1cftypavif" + bytes(60), "damaged"),
    ],
)
def test_what_is_no_image_is_refused_in_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(AdairError) as error:
        read_image(path)
    assert words in one_line(error, path)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(AdairError, match="not found") as error:
        read_image(tmp_path / "none.png")
    one_line(error, tmp_path / "none.png")
    with pytest.raises(AdairError, match="folder"):
        read_image(tmp_path)


@pytest.mark.parametrize("suffix", LOSSLESS + LOSSY)
@pytest.mark.parametrize("part", [0.2, 0.5, 0.9, 0.98])
def test_a_truncated_image_is_refused_never_half(tmp_path: Path, photo: np.ndarray, suffix: str, part: float) -> None:
    path = tmp_path / f"a{suffix}"
    noisy = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    write_image(path, noisy)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(AdairError) as error:
        read_image(path)
    one_line(error, path)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(suffix=st.sampled_from(LOSSLESS + LOSSY), place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_gives_an_image_or_one_line(
    tmp_path: Path, photo: np.ndarray, suffix: str, place: float, bit: int
) -> None:
    path = tmp_path / f"a{suffix}"
    write_image(path, photo, overwrite=True)
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    path.write_bytes(data)
    try:
        image = read_image(path, max_pixels=10_000_000)
    except AdairError as error:
        assert str(path) in str(error)
        assert "\n" not in str(error)
    else:
        assert image.pixels.size


def test_a_flipped_bit_in_a_png_is_always_noticed(tmp_path: Path, photo: np.ndarray) -> None:
    path = tmp_path / "a.png"
    write_image(path, photo)
    whole = path.read_bytes()
    for place in range(len(whole) // 4, len(whole) * 3 // 4, len(whole) // 20):
        data = bytearray(whole)
        data[place] ^= 16
        path.write_bytes(data)
        with pytest.raises(AdairError, match="damaged"):
            read_image(path)


def bomb(side: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def test_a_decompression_bomb_is_refused_before_it_takes_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(100_000))
    with pytest.raises(AdairError, match="10000 megapixels, more than 500") as error:
        read_image(path)
    assert "--max-megapixels" in one_line(error, path)


def test_the_limit_can_be_set(tmp_path: Path, photo: np.ndarray) -> None:
    write_image(tmp_path / "a.png", photo)
    write_image(tmp_path / "a.bmp", photo)
    assert read_image(tmp_path / "a.png", max_pixels=5400).pixels.shape == photo.shape
    for name in ("a.png", "a.bmp"):
        with pytest.raises(AdairError, match="more than"):
            read_image(tmp_path / name, max_pixels=5399)


def test_pixels_of_32_bits_are_refused(tmp_path: Path) -> None:
    pyvips.Image.black(8, 8).cast("uint").write_to_file(str(tmp_path / "a.tif"))
    with pytest.raises(AdairError, match="8 or 16 bits"):
        read_image(tmp_path / "a.tif")


def test_a_photo_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    write_image(path, photo)
    stat = Path.stat

    def stat_after_a_change(self: Path, **options: bool) -> os.stat_result:
        if self == path:
            with path.open("ab") as file:
                file.write(b"more")
        return stat(self, **options)

    monkeypatch.setattr(Path, "stat", stat_after_a_change)
    with pytest.raises(AdairError, match="changed while") as error:
        read_image(path)
    one_line(error, path)


@pytest.mark.parametrize(("code", "words"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "permission")])
def test_a_failed_write_leaves_what_was_there(
    tmp_path: Path, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(AdairError, match=words) as error:
        write_image(path, photo)
    one_line(error, path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX limits")
def test_a_disk_that_really_fills_up_leaves_nothing(tmp_path: Path) -> None:
    script = f"""
import resource, signal
import numpy as np
from adair.errors import AdairError
from adair.images import write_image
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_image({str(tmp_path / "a.png")!r}, np.random.default_rng(0).integers(0, 256, (99, 99, 3), dtype=np.uint8))
except AdairError as error:
    print(error)
"""
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "a.png: cannot be written" in out
    assert os.listdir(tmp_path) == []


def test_ctrl_c_while_writing_leaves_nothing(
    tmp_path: Path, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_image(tmp_path / "a.png", photo)
    assert os.listdir(tmp_path) == []


def test_bad_outputs_are_named(tmp_path: Path, photo: np.ndarray) -> None:
    with pytest.raises(AdairError, match=r"'\.gif'; use one of"):
        write_image(tmp_path / "a.gif", photo)
    with pytest.raises(AdairError, match="quality 101"):
        write_image(tmp_path / "a.jpg", photo, quality=101)
    (tmp_path / "d.png").mkdir()
    with pytest.raises(AdairError, match="is a folder"):
        write_image(tmp_path / "d.png", photo)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(AdairError, match="cannot be written"):
        write_image(tmp_path / "file" / "a.png", photo)
    with pytest.raises(AdairError, match=r"at most 65535 pixels per side.*\.png"):
        write_image(tmp_path / "a.jpg", np.zeros((1, 70_000, 3), np.uint8))


@pytest.mark.parametrize("shape", [(1, 1), (1, 20000), (20000, 1)])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp"])
def test_extreme_shapes_round_trip(tmp_path: Path, shape: tuple[int, int], suffix: str) -> None:
    pixels = np.full((*shape, 3), 77, np.uint8)
    write_image(tmp_path / f"a{suffix}", pixels)
    image = read_image(tmp_path / f"a{suffix}")
    assert image.pixels.shape == pixels.shape
    assert difference(image.pixels, pixels) <= 1


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    bands=st.sampled_from([1, 3]),
    wide=st.booleans(),
    with_alpha=st.booleans(),
    suffix=st.sampled_from([".png", ".tif"]),
)
def test_lossless_formats_hold_any_image(
    tmp_path: Path, height: int, width: int, bands: int, wide: bool, with_alpha: bool, suffix: str
) -> None:
    rng = np.random.default_rng(height * 41 + width)
    dtype, white = (np.uint16, 65536) if wide else (np.uint8, 256)
    pixels = rng.integers(0, white, (height, width, bands), dtype=dtype)
    alpha = rng.integers(0, white, (height, width), dtype=dtype) if with_alpha else None
    image = ImageFile(pixels, alpha, exif=exif_block())
    write_image(tmp_path / f"a{suffix}", pixels, image, overwrite=True)
    again = read_image(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(again.pixels, pixels)
    assert again.pixels.dtype == dtype
    assert (again.alpha is None) == (alpha is None)
    if alpha is not None:
        np.testing.assert_array_equal(again.alpha, alpha)
    write_image(tmp_path / f"b{suffix}", again.pixels, dataclasses.replace(again, alpha=None), overwrite=True)
    assert read_image(tmp_path / f"b{suffix}").alpha is None
