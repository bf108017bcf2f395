"""CMYK, Lab and floating-point files: restored as sRGB, written back as they were."""

from __future__ import annotations

import dataclasses
import struct
from pathlib import Path

import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image, ImageCms

from adair.errors import InputError
from adair.images import ImageFile, read_image, scratch, write_image
from adair.images.tiff import Tiff
from adair.restore import Restorer, restore_file


@pytest.fixture(scope="module")
def restorer(model_files: Path) -> Restorer:
    return Restorer.load(model_files / "foundation.safetensors", device="cpu", precision="fp32")


def vips(array: np.ndarray) -> pyvips.Image:
    space = {"uint8": "srgb", "uint16": "rgb16", "float32": "scrgb"}[array.dtype.name]
    return pyvips.Image.new_from_array(array).copy(interpretation=space)


def written(image: pyvips.Image, path: Path, **options: object) -> Path:
    image.write_to_file(str(path), **options)
    return path


def loaded(path: Path) -> pyvips.Image:
    return pyvips.Image.new_from_file(str(path))


def linear_profile() -> bytes:
    """The profile of sRGB with straight curves."""
    icc = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    (count,) = struct.unpack_from(">I", icc, 128)
    for number in range(count):
        name, place, _ = struct.unpack_from(">4sII", icc, 132 + 12 * number)
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            icc[place : place + 12] = b"curv" + bytes(8)
            struct.pack_into(">I", icc, 132 + 12 * number + 8, 12)
    return bytes(icc)


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize(("suffix", "bits"), [(".tif", 8), (".tif", 16), (".jpg", 8)])
def test_inks_come_back_as_inks_with_their_profile(
    tmp_path: Path, photo: np.ndarray, restorer: Restorer, suffix: str, bits: int, alpha: bool
) -> None:
    if alpha and suffix == ".jpg":
        pytest.skip("JPEG has no alpha")
    inks = vips(photo).icc_export(output_profile="cmyk", depth=bits)
    opacity = np.full(photo.shape[:2], 77 * (257 if bits == 16 else 1), f"uint{bits}")
    given = inks.bandjoin(pyvips.Image.new_from_array(opacity)).copy(interpretation="cmyk") if alpha else inks
    source, target = written(given, tmp_path / f"in{suffix}"), tmp_path / f"out{suffix}"
    image = read_image(source)
    assert image.icc is None and image.pixels.dtype == f"uint{bits}" and image.notes == ()
    assert np.abs(image.pixels / (2**bits - 1) - photo / 255).mean() < 0.03
    result = restore_file(source, target, "foundation", restorer=restorer)
    assert result.notes == ()
    out = loaded(target)
    assert (out.interpretation, out.bands, out.format) == ("cmyk", 4 + alpha, inks.format)
    assert out.get("icc-profile-data") == inks.get("icc-profile-data")
    if alpha:
        np.testing.assert_array_equal(out.numpy()[..., 4], opacity)
    expected = restorer.restore(image.pixels, "foundation") / (2**bits - 1)
    assert np.abs(read_image(target).pixels / (2**bits - 1) - expected).mean() < 0.03
    write_image(target, image.pixels, image, quality=100, overwrite=True)
    assert np.abs(loaded(target).numpy()[..., :4] / (2**bits - 1) - inks.numpy() / (2**bits - 1)).mean() < 0.02


def test_formats_without_inks_say_so(tmp_path: Path, photo: np.ndarray) -> None:
    source = written(vips(photo).icc_export(output_profile="cmyk", depth=8), tmp_path / "in.tif")
    image = read_image(source)
    for suffix in (".png", ".webp"):
        (note,) = write_image(tmp_path / f"out{suffix}", image.pixels, image, overwrite=True)
        assert "no CMYK" in note
    assert read_image(tmp_path / "out.png").pixels.shape == photo.shape


def test_a_profile_of_inks_that_cannot_be_used_is_left_out(tmp_path: Path) -> None:
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    inks = np.zeros((32, 48, 4), np.uint8)
    Image.fromarray(inks, mode="CMYK").save(tmp_path / "in.tif", icc_profile=icc[:16] + b"CMYK" + icc[20:])
    image = read_image(tmp_path / "in.tif")
    write_image(tmp_path / "out.tif", image.pixels, image)
    with Image.open(tmp_path / "out.tif") as out:
        assert out.mode == "CMYK" and "icc_profile" not in out.info
        assert np.asarray(out).max() < 8


def photoshop_lab(photo: np.ndarray, bits: int) -> np.ndarray:
    """The numbers of a Lab TIFF, as Adobe's TIFF specification has them."""
    lab = vips(photo).icc_import(embedded=False, input_profile="srgb").numpy()
    light = lab[..., :1] * (2**bits - 1) / 100
    colours = np.rint(lab[..., 1:] * 2 ** (bits - 8)).astype(int) % 2**bits
    return np.concatenate([np.rint(light).astype(int), colours], -1).astype(f"uint{bits}")


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
def test_lab_comes_back_as_lab(tmp_path: Path, photo: np.ndarray, restorer: Restorer, bits: int, alpha: bool) -> None:
    numbers = photoshop_lab(photo, bits)
    opacity = np.full(photo.shape[:2], 2**bits - 9, f"uint{bits}")
    stack = np.dstack([numbers, opacity]) if alpha else numbers
    extra = {"extrasamples": ["unassalpha"]} if alpha else {}
    tifffile.imwrite(tmp_path / "in.tif", stack, photometric="cielab", **extra)
    image = read_image(tmp_path / "in.tif")
    assert image.pixels.dtype == f"uint{bits}" and image.notes == ()
    assert np.abs(image.pixels / (2**bits - 1) - photo / 255).max() < (0.04 if bits == 8 else 0.004)
    result = restore_file(tmp_path / "in.tif", tmp_path / "out.tif", "foundation", restorer=restorer)
    assert result.notes == ()
    write_image(tmp_path / "same.tif", image.pixels, image)
    with tifffile.TiffFile(tmp_path / "same.tif") as file:
        assert file.pages[0].photometric.name == "CIELAB"
        again = file.asarray()
    assert again.dtype == stack.dtype and again.shape == stack.shape
    signed = again.astype(f"int{bits}").astype(int) - stack.astype(f"int{bits}")
    most = 3 if bits == 8 else 40
    assert np.abs(signed[..., 1:3]).max() <= most and np.abs(signed[..., 0].astype(f"int{bits}")).max() <= most
    assert not signed[..., 3:].any()
    expected = restorer.restore(image.pixels, "foundation") / (2**bits - 1)
    assert np.abs(read_image(tmp_path / "out.tif").pixels / (2**bits - 1) - expected).mean() < 0.03
    (note,) = write_image(tmp_path / "out.png", image.pixels, dataclasses.replace(image, alpha=None))
    assert "no Lab" in note


def linear(photo: np.ndarray) -> np.ndarray:
    x = photo.astype(np.float32) / 255
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4).astype(np.float32)


@pytest.mark.parametrize("bands", [1, 3, 4])
def test_scene_linear_floats_come_back(tmp_path: Path, photo: np.ndarray, restorer: Restorer, bands: int) -> None:
    light = linear(photo)[..., :bands]
    if bands == 4:
        light = np.dstack([linear(photo), np.full(photo.shape[:2], 0.25, np.float32)])
    vips(light).write_to_file(str(tmp_path / "in.tif"))
    image = read_image(tmp_path / "in.tif")
    assert image.pixels.dtype == np.float32 and "linear" in image.notes[0]
    np.testing.assert_allclose(image.pixels, photo[..., : min(bands, 3)] / 255, atol=1e-4)
    restore_file(tmp_path / "in.tif", tmp_path / "out.tif", "foundation", restorer=restorer)
    out = loaded(tmp_path / "out.tif").numpy()
    assert out.dtype == np.float32
    expected = linear(restorer.restore(image.pixels, "foundation") * 255)
    np.testing.assert_allclose(np.atleast_3d(out)[..., : min(bands, 3)], expected, atol=1e-5)
    if bands == 4:
        assert (out[..., 3] == 0.25).all()
    notes = write_image(tmp_path / "out.png", image.pixels, image)
    assert "floating point" in notes[0]
    eight = read_image(tmp_path / "out.png").pixels / 257
    assert np.abs(eight - photo[..., : min(bands, 3)]).max() < 0.6


def test_highlights_stay_and_enlarge(tmp_path: Path, photo: np.ndarray, restorer: Restorer) -> None:
    light = linear(photo)
    light[10:30, 20:50] *= 12
    vips(light).write_to_file(str(tmp_path / "in.tif"))
    image = read_image(tmp_path / "in.tif")
    assert image.pixels.max() == pytest.approx(1) and "above 1" in image.notes[1]
    restored = restorer.run(image, options("foundation")).image
    write_image(tmp_path / "out.tif", restored.pixels, restored)
    out = loaded(tmp_path / "out.tif").numpy()
    bright = light > 1
    np.testing.assert_allclose((out - linear(restored.pixels * 255))[bright], light[bright] - 1, rtol=1e-3, atol=1e-3)
    write_image(tmp_path / "same.tif", image.pixels, image)
    np.testing.assert_allclose(loaded(tmp_path / "same.tif").numpy(), light, rtol=1e-4, atol=1e-6)
    larger = np.repeat(np.repeat(image.pixels, 2, 0), 2, 1)
    write_image(tmp_path / "larger.tif", larger, image)
    twice = loaded(tmp_path / "larger.tif").numpy()
    assert twice.shape == (120, 180, 3)
    assert abs(float(twice[30:50, 50:90].mean()) - float(light[15:25, 25:45].mean())) < 0.05 * light.max()


def options(task: str) -> object:
    from adair.restore import RestoreOptions

    return RestoreOptions(task)


@pytest.mark.parametrize("profile", ["linear", "srgb"])
def test_the_profile_says_whether_floats_are_linear(tmp_path: Path, photo: np.ndarray, profile: str) -> None:
    icc = (
        linear_profile() if profile == "linear" else ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    )
    values = linear(photo) if profile == "linear" else photo.astype(np.float32) / 255
    image = vips(values).copy()
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", icc)
    image.write_to_file(str(tmp_path / "in.tif"))
    read = read_image(tmp_path / "in.tif")
    assert read.notes == ()
    np.testing.assert_allclose(read.pixels, photo / 255, atol=1e-4)
    write_image(tmp_path / "out.tif", read.pixels, read)
    np.testing.assert_allclose(loaded(tmp_path / "out.tif").numpy(), values, atol=1e-5)
    assert loaded(tmp_path / "out.tif").get("icc-profile-data") == icc
    write_image(tmp_path / "out.png", read.pixels, read)
    png = loaded(tmp_path / "out.png")
    assert png.get("icc-profile-data") == icc
    assert np.abs(png.numpy() / 65535 - values).max() < 1e-4


def test_half_floats_are_read_and_come_back_as_floats(tmp_path: Path, photo: np.ndarray) -> None:
    tifffile.imwrite(tmp_path / "in.tif", linear(photo).astype(np.float16), photometric="rgb")
    image = read_image(tmp_path / "in.tif")
    np.testing.assert_allclose(image.pixels, photo / 255, atol=2e-3)
    assert "16-bit floats" in image.notes[-1]
    assert write_image(tmp_path / "out.tif", image.pixels, image) == ()
    out = loaded(tmp_path / "out.tif").numpy()
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, linear(photo).astype(np.float16).astype(np.float32), rtol=1e-3, atol=1e-5)
    (note,) = write_image(tmp_path / "out.png", image.pixels, image)
    assert "floating point" in note and read_image(tmp_path / "out.png").pixels.dtype == np.uint16


@pytest.mark.parametrize(
    ("change", "words"),
    [(lambda x: x * 255, "above 1"), (lambda x: x / 0 * 0, "not finite"), (lambda x: x * 4 - 2, "down to -1.8")],
)
def test_other_floats_are_refused_in_one_line(tmp_path: Path, photo: np.ndarray, change: object, words: str) -> None:
    with np.errstate(all="ignore"):
        tifffile.imwrite(tmp_path / "in.tif", np.float32(change(photo / 255)), photometric="rgb")  # type: ignore[operator]
    with pytest.raises(InputError, match=words) as error:
        read_image(tmp_path / "in.tif")
    assert str(tmp_path / "in.tif") in str(error.value) and "\n" not in str(error.value)


def test_arrays_of_floats_are_written_with_16_bits(tmp_path: Path, photo: np.ndarray) -> None:
    write_image(tmp_path / "a.tif", photo.astype(np.float32) / 255, ImageFile(photo))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, photo.astype(np.uint16) * 257)


def test_one_bit_is_said_and_gray_palettes_stay_gray(tmp_path: Path, photo: np.ndarray) -> None:
    bits = Image.fromarray(photo).convert("1")
    bits.save(tmp_path / "a.tif", compression="group4")
    bits.save(tmp_path / "a.png")
    for name in ("a.tif", "a.png"):
        image = read_image(tmp_path / name)
        assert "1 bit" in image.notes[0]
        np.testing.assert_array_equal(image.pixels[..., 0] > 0, np.asarray(bits))
    gray = Image.fromarray(photo).convert("L")
    gray.convert("P").save(tmp_path / "b.png")
    np.testing.assert_array_equal(read_image(tmp_path / "b.png").pixels[..., 0], np.asarray(gray))
    assert read_image(tmp_path / "b.png").pixels.shape[2] == 1


def test_directories_of_all_kinds_of_tiff_are_read(tmp_path: Path, photo: np.ndarray) -> None:
    for big in (False, True):
        for order in "<>":
            tifffile.imwrite(tmp_path / "a.tif", photo, bigtiff=big, byteorder=order)
            tiff = Tiff((tmp_path / "a.tif").read_bytes())
            (entries,) = tiff.directories()
            assert tiff.numbers(entries[256]) == (90,) and tiff.numbers(entries[258]) == (8, 8, 8)
            assert tiff.bytes(entries[305]).startswith(b"tifffile")


@pytest.mark.parametrize("kind", ["cmyk", "lab", "float"])
def test_images_too_large_for_memory_come_back_alike(
    tmp_path: Path, photo: np.ndarray, restorer: Restorer, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    source = tmp_path / "in.tif"
    if kind == "lab":
        tifffile.imwrite(source, photoshop_lab(photo, 16), photometric="cielab")
    else:
        bright = vips(linear(photo) * np.float32(1.5))
        written(vips(photo).icc_export(output_profile="cmyk", depth=8) if kind == "cmyk" else bright, source)
    notes = restore_file(source, tmp_path / "memory.tif", "foundation", restorer=restorer).notes
    monkeypatch.setattr(scratch, "LARGE", 64)
    monkeypatch.setattr(scratch, "LINES", 7)
    assert restore_file(source, tmp_path / "disk.tif", "foundation", restorer=restorer).notes == notes
    memory, disk = loaded(tmp_path / "memory.tif"), loaded(tmp_path / "disk.tif")
    assert disk.interpretation == memory.interpretation
    np.testing.assert_array_equal(disk.numpy(), memory.numpy())
