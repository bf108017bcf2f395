"""PSNR and SSIM against scikit-image, and against a reference in plain float64 that goes pixel by pixel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from adair.metrics import luma, psnr, ssim

Picture = npt.NDArray[np.float64]


def pair(seed: int, count: int, channels: int, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    clean = torch.rand(count, channels, height, width, generator=generator)
    spread = torch.rand(count, 1, 1, 1, generator=generator) * 0.3 + 0.01
    return clean, clean + spread * torch.randn(clean.shape, generator=generator)


@given(seed=st.integers(0, 1000), channels=st.sampled_from([1, 3]), crop=st.integers(0, 4))
@settings(deadline=None, max_examples=15)
def test_psnr_is_scikit_images(seed: int, channels: int, crop: int) -> None:
    a, b = pair(seed, 3, channels, 17, 23)
    inside = slice(crop, -crop or None)
    expected = [
        peak_signal_noise_ratio(
            x[:, inside, inside].double().numpy(), y[:, inside, inside].double().numpy(), data_range=1
        )
        for x, y in zip(a, b, strict=True)
    ]
    assert np.allclose(psnr(a, b, crop).numpy(), expected, atol=1e-9)


def test_psnr_of_equal_images_is_infinite_and_small_errors_are_not_lost() -> None:
    a = torch.full((2, 1, 8, 8), 0.75)
    b = a.clone()
    b[1, 0, 0, 0] += 1e-4
    values = psnr(a, b)
    assert values[0] == float("inf")
    assert values[1] == pytest.approx(98.06, abs=0.01)


def plain_psnr(x: Picture, y: Picture) -> float:
    return float(10 * np.log10(1.0 / np.mean((x - y) ** 2)))


def plain_ssim(x: Picture, y: Picture) -> float:
    """Wang et al. 2004, equations 14 to 17 as they are written: one window after the other, one channel (H, W)."""
    place = np.arange(11) - 5
    window = np.exp(-(place[:, None] ** 2 + place[None, :] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = 0.01**2, 0.03**2
    values = []
    for top in range(x.shape[0] - 10):
        for left in range(x.shape[1] - 10):
            p, q = (z[top : top + 11, left : left + 11] for z in (x, y))
            mean_p, mean_q = (window * p).sum(), (window * q).sum()
            var_p, var_q = (window * (p - mean_p) ** 2).sum(), (window * (q - mean_q) ** 2).sum()
            both = (window * (p - mean_p) * (q - mean_q)).sum()
            top_part = (2 * mean_p * mean_q + c1) * (2 * both + c2)
            values.append(top_part / ((mean_p**2 + mean_q**2 + c1) * (var_p + var_q + c2)))
    return float(np.mean(values))


def matlab_luma(x: Picture) -> Picture:
    """(3, H, W) in 0..1 -> (H, W), Y / 255."""
    return (16 + 65.481 * x[0] + 128.553 * x[1] + 24.966 * x[2]) / 255


@given(seed=st.integers(0, 1000), crop=st.integers(0, 3))
@settings(deadline=None, max_examples=5)
def test_a_plain_float64_reference_agrees_for_rgb_and_luma(seed: int, crop: int) -> None:
    a, b = pair(seed, 2, 3, 19, 22)
    inside = slice(crop, -crop or None)
    rgb_psnr, rgb_ssim = psnr(a, b, crop), ssim(a, b, crop)
    y_psnr, y_ssim = psnr(luma(a), luma(b), crop), ssim(luma(a), luma(b), crop)
    for index in range(2):
        x, y = (z[index].double().numpy()[:, inside, inside] for z in (a, b))
        assert rgb_psnr[index].item() == pytest.approx(plain_psnr(x, y), abs=1e-4)
        channels = [plain_ssim(one, other) for one, other in zip(x, y, strict=True)]
        assert rgb_ssim[index].item() == pytest.approx(np.mean(channels), abs=1e-4)
        assert y_psnr[index].item() == pytest.approx(plain_psnr(matlab_luma(x), matlab_luma(y)), abs=1e-4)
        assert y_ssim[index].item() == pytest.approx(plain_ssim(matlab_luma(x), matlab_luma(y)), abs=1e-4)


@given(seed=st.integers(0, 1000), channels=st.sampled_from([1, 3]))
@settings(deadline=None, max_examples=10)
def test_ssim_is_scikit_images_gaussian_one(seed: int, channels: int) -> None:
    a, b = pair(seed, 2, channels, 24, 31)
    for x, y, ours in zip(a, b, ssim(a, b), strict=True):
        # scikit-image averages over the region where its window fits only for the uniform window; cropping by 5 is it.
        _, each = structural_similarity(
            x.double().numpy(),
            y.double().numpy(),
            data_range=1,
            channel_axis=0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )
        assert ours.item() == pytest.approx(each[:, 5:-5, 5:-5].mean(), abs=1e-9)


def test_ssim_of_equal_images_is_one() -> None:
    x, _ = pair(0, 2, 3, 11, 11)
    assert torch.allclose(ssim(x, x), torch.ones(2, dtype=torch.float64))


@pytest.mark.parametrize("function", [psnr, ssim])
def test_shapes_must_agree(function: object) -> None:
    with pytest.raises(ValueError, match="shape"):
        function(torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 17))  # type: ignore[operator]


def test_what_leaves_nothing_is_refused() -> None:
    x = torch.rand(1, 1, 8, 8)
    with pytest.raises(ValueError, match="crop 4"):
        psnr(x, x, crop=4)
    with pytest.raises(ValueError, match="11x11"):
        ssim(x, x)
    with pytest.raises(ValueError, match="11x11"):
        ssim(torch.rand(1, 1, 16, 16), torch.rand(1, 1, 16, 16), crop=3)
    with pytest.raises(ValueError, match="crop -1"):
        psnr(x, x, crop=-1)
