"""Luma and rounding."""

from __future__ import annotations

import pytest
import torch

from adair.metrics import luma, quantise


def test_luma_is_matlabs() -> None:
    # rgb2ycbcr of black, white, red, green and blue in MATLAB: 16, 235, 81.481, 144.553, 40.966
    colours = torch.tensor([[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=torch.float64)
    y = luma(colours.view(5, 3, 1, 1)).flatten() * 255
    assert torch.allclose(y, torch.tensor([16, 235, 81.481, 144.553, 40.966], dtype=torch.float64))


def test_luma_of_gray_is_refused() -> None:
    with pytest.raises(ValueError, match="3"):
        luma(torch.rand(1, 1, 4, 4))


def test_quantise_keeps_the_256_levels_bit_for_bit_and_clamps() -> None:
    levels = torch.arange(256, dtype=torch.float32) / 255
    assert torch.equal(quantise(levels), levels)
    assert quantise(torch.tensor([-3.0, 0.4 / 255, 0.6 / 255, 7.0])).mul(255).tolist() == [0, 0, 1, 255]
