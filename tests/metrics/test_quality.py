"""PSNR and SSIM against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from adair.metrics import psnr, ssim


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
