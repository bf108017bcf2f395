"""Formats that are only read: HEIC, JPEG XL, raw photos. The samples are of our own making (CC0)."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adair.cli.main import main
from adair.errors import FileFormatError, InputError, TooLargeError
from adair.images import read_image, suffixes_read

SAMPLES = Path(__file__).parent / "samples"


def drawn() -> np.ndarray:
    """What the samples show, (40, 56, 3), 0 to 1."""
    rows, columns = np.mgrid[0:40, 0:56]
    waves = 0.5 + 0.3 * np.sin(rows / 7) * np.cos(columns / 5) + 0.15 * (columns > 30)
    return np.stack([waves, waves**2, 1 - waves], -1).clip(0, 1)


def test_heic_comes_upright_with_profile_and_exif() -> None:
    pytest.importorskip("pi_heif")
    image = read_image(SAMPLES / "turned.heic")
    assert image.pixels.shape == (56, 40, 3) and image.pixels.dtype == np.uint8
    assert np.abs(image.pixels / 255 - np.rot90(drawn(), -1)).mean() < 0.02
    assert image.icc is not None and image.exif is not None
    exif = Image.Exif()
    exif.load(image.exif)
    assert exif[0x010F] == "AdaIR"
    assert image.notes == ()


def test_items_of_unreadable_types_do_not_crash(tmp_path: Path) -> None:
    pytest.importorskip("pi_heif")
    data = (SAMPLES / "turned.heic").read_bytes()
    assert data.count(b"Exif\0") >= 1
    place = data.index(b"Exif", data.index(b"infe"))
    (tmp_path / "a.heic").write_bytes(data[:place] + b"E\xeaif" + data[place + 4 :])
    script = (
        f"import sys; from adair.images import read_image; print(read_image({str(tmp_path / 'a.heic')!r}).pixels.shape)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0 and "(56, 40, 3)" in done.stdout, done.stderr


def test_ten_bits_become_sixteen() -> None:
    pytest.importorskip("pi_heif")
    pixels = read_image(SAMPLES / "ten-bits.heic").pixels
    assert pixels.dtype == np.uint16 and pixels.shape == (40, 56, 3)
    assert np.abs(pixels / 65535 - drawn()).mean() < 0.02
    assert len(np.unique(pixels[..., 0])) > 256


def test_frames_of_a_heic_sequence_are_left_out_in_words(tmp_path: Path) -> None:
    """A picture with a sequence (``moov``) behind it gives the picture; a sequence alone is refused."""
    pytest.importorskip("pi_heif")
    data, moov = (SAMPLES / "turned.heic").read_bytes(), struct.pack(">I4s", 8, b"moov")
    (tmp_path / "both.heics").write_bytes(data + moov)
    image = read_image(tmp_path / "both.heics")
    assert image.pixels.shape == (56, 40, 3)
    assert image.notes == ("holds a sequence of frames: left out, only its still picture is used",)
    size = int.from_bytes(data[:4], "big")
    large = struct.pack(">I4sQ", 1, b"mdat", 24) + bytes(8)  # its size follows its name
    for rest in (moov, large + moov, struct.pack(">I4s", 8, b"free") + moov + struct.pack(">I4s", 0, b"mdat")):
        (tmp_path / "frames.heics").write_bytes(data[:size] + rest)
        with pytest.raises(InputError, match=r"frames\.heics: is a HEIC sequence without a still picture"):
            read_image(tmp_path / "frames.heics")


def test_the_first_frame_of_a_jpeg_xl_animation_is_read() -> None:
    """The sample has a red, a green and a blue frame."""
    pytest.importorskip("pylibjxl")
    image = read_image(SAMPLES / "three-frames.jxl")
    assert image.pixels.shape == (24, 32, 3) and image.pixels[20, 20].tolist() == [200, 0, 0]
    assert image.notes == ("holds several frames: only the first is used",)


@pytest.mark.parametrize(
    ("name", "start", "words"),
    [("a.exr", b"\x76\x2f\x31\x01\x02", "is OpenEXR, which"), ("a.hdr", b"#?RADIANCE\n", "is Radiance HDR, which")],
)
def test_scene_linear_formats_that_are_not_read_or_written_say_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, start: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(start + bytes(100))
    with pytest.raises(FileFormatError, match=f"{words} is not read; convert it to a TIFF of 32-bit floats"):
        read_image(tmp_path / name)
    Image.fromarray((drawn() * 255).astype(np.uint8)).save(tmp_path / "photo.png")
    assert (
        main(["restore", str(tmp_path / "photo.png"), "--task", "denoise", "-o", str(tmp_path / f"out{name[1:]}")]) == 2
    )
    assert "unknown image extension" in capsys.readouterr().err


def test_jpeg_xl() -> None:
    pylibjxl = pytest.importorskip("pylibjxl")
    from adair.images import decode_image

    pixels = (drawn() * 255).astype(np.uint8)
    exif = Image.Exif()
    exif[0x010F] = "AdaIR"
    colour = decode_image(pylibjxl.encode(pixels, lossless=True, exif=exif.tobytes()), Path("a.jxl"))
    np.testing.assert_array_equal(colour.pixels, pixels)
    assert colour.exif is not None and b"AdaIR" in colour.exif
    gray = decode_image(pylibjxl.encode(pixels[..., :1].copy(), lossless=True), Path("a.jxl"))
    np.testing.assert_array_equal(gray.pixels, pixels[..., :1])


def negative(folder: Path, white: tuple[float, float, float] = (0.5, 1.0, 0.5)) -> Path:
    """A raw photo (DNG) of an even gray at half of white, as a sensor with a red and blue half as sensitive sees it."""
    height, width = 96, 128
    mosaic = np.full((height, width), 2048, "<u2")
    mosaic[::2, ::2] = round(2048 * white[0])
    mosaic[1::2, 1::2] = round(2048 * white[2])
    rationals = struct.pack("<18i", *(int(i in (0, 4, 8)) if part == 0 else 1 for i in range(9) for part in (0, 1)))
    neutral = struct.pack("<6I", *(number for value in white for number in (round(value * 1000), 1000)))
    entries = [
        (0xFE, 4, struct.pack("<I", 0)), (0x100, 4, struct.pack("<I", width)), (0x101, 4, struct.pack("<I", height)),
        (0x102, 3, struct.pack("<H", 16)), (0x103, 3, struct.pack("<H", 1)), (0x106, 3, struct.pack("<H", 32803)),
        (0x10F, 2, b"AdaIR\0"), (0x110, 2, b"Test camera\0"), (0x111, 4, None), (0x112, 3, struct.pack("<H", 1)),
        (0x115, 3, struct.pack("<H", 1)), (0x116, 4, struct.pack("<I", height)),
        (0x117, 4, struct.pack("<I", mosaic.nbytes)), (0x11C, 3, struct.pack("<H", 1)),
        (0x828D, 3, struct.pack("<2H", 2, 2)), (0x828E, 1, bytes((0, 1, 1, 2))), (0xC612, 1, bytes((1, 4, 0, 0))),
        (0xC614, 2, b"AdaIR Test camera\0"), (0xC61D, 4, struct.pack("<I", 4095)), (0xC621, 10, rationals),
        (0xC628, 5, neutral),
    ]  # fmt: skip
    items = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 10: 8}
    place = 8 + 2 + 12 * len(entries) + 4
    directory, data = struct.pack("<H", len(entries)), b""
    pixels_at = place + sum(len(value or b"") + 1 for _, _, value in entries) // 2 * 2 + 64
    for tag, kind, value in entries:
        value = struct.pack("<I", pixels_at) if value is None else value
        directory += struct.pack("<HHI", tag, kind, len(value) // items[kind])
        if len(value) <= 4:
            directory += value.ljust(4, b"\0")
        else:
            directory += struct.pack("<I", place + len(data))
            data += value + bytes(len(value) % 2)
    head = b"II*\0" + struct.pack("<I", 8) + directory + bytes(4) + data
    path = folder / "photo.dng"
    path.write_bytes(head.ljust(pixels_at, b"\0") + mosaic.tobytes())
    return path


def test_raw_is_developed_with_the_cameras_white_balance(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    image = read_image(negative(tmp_path))
    assert image.pixels.dtype == np.uint16 and image.pixels.shape == (96, 128, 3)
    middle = image.pixels[20:-20, 20:-20].reshape(-1, 3).mean(0) / 65535
    assert np.ptp(middle) < 0.02  # gray is gray
    assert middle.mean() == pytest.approx(1.055 * 0.5 ** (1 / 2.4) - 0.055, abs=0.02)  # half of white, as sRGB
    assert image.exif is not None and b"Test camera" in image.exif
    assert image.notes[0].startswith("developed from DNG")


@pytest.mark.parametrize("cut", [1, 1000])
def test_a_raw_photo_that_was_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    pytest.importorskip("rawpy")
    path = negative(tmp_path)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(FileFormatError, match=f"{cut:,} bytes are missing"):
        read_image(path)


def test_results_have_a_format_that_can_be_written(
    tmp_path: Path, model_files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rawpy")
    pytest.importorskip("pi_heif")
    folder = tmp_path / "in"
    folder.mkdir()
    negative(folder)
    (folder / "phone.HEIC").write_bytes((SAMPLES / "turned.heic").read_bytes())
    words = ["--task", "foundation", "--foundation", str(model_files / "foundation.safetensors"), "--device", "cpu"]
    assert main(["restore", str(folder), "-o", str(tmp_path / "out"), *words]) == 0
    with Image.open(tmp_path / "out" / "photo.tif") as developed, Image.open(tmp_path / "out" / "phone.jpg") as phone:
        assert developed.size == (128, 96) and developed.getexif()[0x0110] == "Test camera"
        assert phone.size == (40, 56) and phone.getexif()[0x010F] == "AdaIR"
    assert read_image(tmp_path / "out" / "photo.tif").pixels.dtype == np.uint16
    assert "developed from DNG" in capsys.readouterr().err


@pytest.mark.parametrize(("suffix", "module", "extra"), [(".heic", "pi_heif", "heic"), (".jxl", "pylibjxl", "jxl")])
def test_without_its_package_a_format_is_named(
    suffix: str, module: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = (SAMPLES / "turned.heic").read_bytes() if suffix == ".heic" else b"\xff\x0a" + bytes(50)
    (tmp_path / f"a{suffix}").write_bytes(data)
    monkeypatch.setitem(sys.modules, module, None)
    assert suffix not in suffixes_read()
    with pytest.raises(InputError, match=rf"adair\[{extra}\]"):
        read_image(tmp_path / f"a{suffix}")


def test_damage_and_size_are_found_before_decoding(tmp_path: Path) -> None:
    pytest.importorskip("pi_heif")
    data = (SAMPLES / "turned.heic").read_bytes()
    (tmp_path / "cut.heic").write_bytes(data[: len(data) // 2])
    with pytest.raises(FileFormatError, match=r"cut.heic: HEIC damaged or truncated"):
        read_image(tmp_path / "cut.heic")
    with pytest.raises(TooLargeError):
        read_image(SAMPLES / "turned.heic", max_pixels=100)
    pytest.importorskip("pylibjxl")
    rubbish = io.BytesIO(b"\xff\x0a" + bytes(range(100))).getvalue()
    (tmp_path / "bad.jxl").write_bytes(rubbish)
    with pytest.raises(FileFormatError):
        read_image(tmp_path / "bad.jxl")
