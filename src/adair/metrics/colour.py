"""MATLAB's luma, and rounding to the 8 bits that an image file holds."""

from __future__ import annotations

import torch
from torch import Tensor

# MATLAB rgb2ycbcr (ITU-R BT.601, studio range): Y = 16 + 65.481 R + 128.553 G + 24.966 B with R, G, B in 0..1.
_WEIGHTS = (65.481, 128.553, 24.966)
_OFFSET = 16.0


def luma(x: Tensor) -> Tensor:
    """MATLAB's Y of an RGB tensor (N, 3, H, W) in 0..1, as (N, 1, H, W) in 0..1 (that is, Y / 255).

    Not OpenCV's full-range Y and not YIQ: PSNR on those is another number.
    """
    if x.ndim != 4 or x.shape[1] != 3:
        raise ValueError(f"luma needs a tensor (N, 3, H, W), got {tuple(x.shape)}")
    weights = torch.tensor(_WEIGHTS, dtype=x.dtype, device=x.device).view(1, 3, 1, 1)
    return ((x * weights).sum(dim=1, keepdim=True) + _OFFSET) / 255.0


def quantise(x: Tensor) -> Tensor:
    """Clamp to 0..1 and round to the nearest of 256 levels; shape, type and range stay."""
    return x.clamp(0.0, 1.0).mul(255.0).round().div(255.0)
