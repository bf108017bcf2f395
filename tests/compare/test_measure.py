"""Numbers of a comparison: those of the metrics on whole images, whatever the strips, depths and channels."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adair.compare import PROTOCOLS, measure
from adair.errors import AdairError
from adair.images import ImageFile
from adair.metrics import luma, psnr, ssim


def photo(seed: int, height: int = 40, width: int = 30, bands: int = 3, dtype: type = np.uint8) -> np.ndarray:
    white = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, white + 1, (height, width, bands)).astype(dtype)


def tensor(pixels: np.ndarray) -> torch.Tensor:
    white = float(np.iinfo(pixels.dtype).max)
    return torch.from_numpy(pixels.astype(np.float64) / white).permute(2, 0, 1)[None].expand(-1, 3, -1, -1)


@settings(deadline=None, max_examples=20)
@given(
    height=st.sampled_from([11, 12, 255, 256, 257, 266, 267, 300, 520]),
    crop=st.integers(0, 3),
    bands=st.sampled_from([1, 3]),
    dtype=st.sampled_from([np.uint8, np.uint16]),
)
def test_strips_change_nothing(height: int, crop: int, bands: int, dtype: type) -> None:
    a, b = photo(0, height, 23, bands, dtype), photo(1, height, 23, bands, dtype)
    found = measure(ImageFile(a), ImageFile(b), crop)
    inside = slice(crop, height - crop), slice(crop, 23 - crop)
    x, y = tensor(a[inside]), tensor(b[inside])
    assert found.psnr_rgb == pytest.approx(float(psnr(x, y)), abs=1e-9)
    assert found.psnr_y == pytest.approx(float(psnr(luma(x), luma(y))), abs=1e-9)
    assert found.largest_difference == pytest.approx(255 * float((x - y).abs().max()))
    if height - 2 * crop >= 11:
        assert found.ssim_rgb == pytest.approx(float(ssim(x, y)), abs=1e-9)
        assert found.ssim_y == pytest.approx(float(ssim(luma(x), luma(y))), abs=1e-9)
    else:
        assert found.ssim_rgb is None and found.ssim_y is None


def test_known_numbers() -> None:
    a = np.full((20, 20, 3), 100, np.uint8)
    b = a.copy()
    b[3, 4, 1] = 110
    found = measure(ImageFile(a), ImageFile(b))
    assert found.psnr_rgb == pytest.approx(10 * math.log10(255**2 * 1200 / 100))
    assert found.psnr_y == pytest.approx(10 * math.log10(255**2 * 400 / (10 * 128.553 / 255) ** 2))
    assert found.largest_difference == pytest.approx(10) and found.differing == 1 / 400
    assert not found.identical and found.notes == ()


def test_identical_images() -> None:
    found = measure(ImageFile(photo(0)), ImageFile(photo(0)))
    assert found.identical and found.psnr_rgb is None and found.psnr_y is None
    assert found.ssim_rgb == pytest.approx(1) and found.largest_difference == 0 and found.differing == 0


def test_every_number_has_a_protocol() -> None:
    names = {field.name for field in dataclasses.fields(measure(ImageFile(photo(0)), ImageFile(photo(1))))}
    assert set(PROTOCOLS) == names - {"width", "height", "crop", "identical", "notes"}


def test_8_and_16_bits_meet() -> None:
    a = photo(0)
    found = measure(ImageFile(a), ImageFile(a.astype(np.uint16) * 257))
    assert found.identical and "8 bits" in found.notes[0]


def test_gray_and_colour_meet() -> None:
    gray = photo(0, bands=1)
    found = measure(ImageFile(gray), ImageFile(np.repeat(gray, 3, axis=2)))
    assert found.identical and "gray" in found.notes[0]


def test_notes_on_transparency_and_profiles() -> None:
    pixels, alpha = photo(0), photo(2, bands=1)[..., 0]
    other = np.where(alpha < 250, alpha + 5, alpha).astype(np.uint8)
    assert "it is the same in both" in measure(ImageFile(pixels, alpha), ImageFile(pixels, alpha)).notes[0]
    assert "differs by up to 5 of 255" in measure(ImageFile(pixels, alpha), ImageFile(pixels, other)).notes[0]
    assert "only the image has it" in measure(ImageFile(pixels), ImageFile(pixels, alpha)).notes[0]
    assert "profiles differ" in measure(ImageFile(pixels), ImageFile(pixels, icc=b"x" * 200)).notes[0]
    noted = measure(ImageFile(pixels, notes=("converted from CMYK to sRGB",)), ImageFile(pixels))
    assert noted.notes == ("reference: converted from CMYK to sRGB",)


def test_too_small_for_ssim() -> None:
    found = measure(ImageFile(photo(0, 10, 40)), ImageFile(photo(1, 10, 40)))
    assert found.ssim_rgb is None and "11x11" in found.notes[0] and found.psnr_rgb is not None


@pytest.mark.parametrize(
    ("size", "hint"),
    [
        ((30, 40), "rotate one"),
        ((20, 15), "enlarge .* 2"),
        ((41, 30), "the same size"),
        ((120, 90), "enlarge .* --scale 3"),
    ],
)
def test_different_sizes(size: tuple[int, int], hint: str) -> None:
    with pytest.raises(AdairError, match=rf"reference is 30x40, the image {size[1]}x{size[0]}; .*{hint}"):
        measure(ImageFile(photo(0)), ImageFile(photo(0, *size)))


@pytest.mark.parametrize("crop", [-1, 15, 99])
def test_a_crop_that_leaves_nothing(crop: int) -> None:
    with pytest.raises(AdairError, match="leaves nothing of 30x40"):
        measure(ImageFile(photo(0)), ImageFile(photo(0)), crop)
