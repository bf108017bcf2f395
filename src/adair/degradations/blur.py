"""Gaussian blur."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from adair.degradations.linear import along_height, along_width, mirror, rows_from_taps
from adair.metrics import quantise

_DENSE = 160  # sides up to this blur as a product with a small matrix, longer ones as a convolution
_REACH = 4.0  # standard deviations; what lies beyond moves a pixel by less than 0.02 of 255


def blur(x: Tensor, generator: torch.Generator, *, sigma: Tensor, kernel: Tensor) -> Tensor:
    """Isotropic Gaussian blur: weights exp(-(u^2 + v^2) / (2 sigma^2)) on kernel x kernel pixels, summing to 1.

    Reflected border, result rounded to 8 bits: the project's deblurring protocol (kernel 25, sigma 1.2 to 3). The
    kernel separates into a column and a row; it is cut where its tail is lost in the rounding.
    """
    radius = torch.minimum((kernel / 2).floor(), (_REACH * sigma).ceil())
    reach = int(radius.max())
    if reach == 0:
        return quantise(x)
    taps = gaussian_taps(sigma, radius, reach).to(x.device, non_blocking=True)
    return quantise(_blur_side(_blur_side(x, taps, 3), taps, 2))


def gaussian_taps(sigma: Tensor, radius: Tensor, reach: int) -> Tensor:
    """Weights (N, 2 * reach + 1) of each sample's Gaussian, zero beyond its own radius, summing to 1."""
    offset = torch.arange(-reach, reach + 1, dtype=torch.float32)
    weight = torch.exp(-offset.square() / (2 * sigma.clamp(min=1e-3).square().unsqueeze(1)))
    weight = weight.masked_fill(offset.abs() > radius.unsqueeze(1), 0.0)
    return weight / weight.sum(dim=1, keepdim=True)


def _blur_side(x: Tensor, taps: Tensor, side: int) -> Tensor:
    n, c, h, w = x.shape
    size, reach = x.shape[side], taps.shape[1] // 2
    if size <= _DENSE:
        place = torch.arange(size, device=x.device).unsqueeze(1) + torch.arange(-reach, reach + 1, device=x.device)
        index = mirror(place, size).unsqueeze(0).expand(n, -1, -1)
        matrix = rows_from_taps(index, taps.unsqueeze(1).expand(-1, size, -1).contiguous(), size)
        return along_width(x, matrix) if side == 3 else along_height(x, matrix)
    border = mirror(torch.arange(-reach, size + reach, device=x.device), size)
    shape = (n * c, 1, 1, -1) if side == 3 else (n * c, 1, -1, 1)
    weight = taps.repeat_interleave(c, dim=0).view(shape)
    padded = x.index_select(side, border)
    return F.conv2d(padded.view(1, n * c, *padded.shape[2:]), weight, groups=n * c).view(n, c, h, w)
