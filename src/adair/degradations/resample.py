"""MATLAB's bicubic ``imresize``, and the degradation that it makes: smaller, then large again."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from adair.degradations.linear import along_height, along_width, mirror, rows_from_taps
from adair.metrics import quantise

_DENSE = 512  # sides up to this become one product with a matrix; longer ones are gathered tap by tap


def resize(x: Tensor, size: tuple[int, int], scale: float | tuple[float, float] | None = None) -> Tensor:
    """Bicubic resize as MATLAB's ``imresize`` computes it.

    Keys' cubic with a = -0.5 (Keys 1981, IEEE TASSP 29(6)), widened by 1/scale where the image shrinks (antialiasing),
    weights normalised, symmetric border. Nothing is clamped or rounded.

    Args:
        x: (N, C, H, W) float.
        size: (height, width) of the result.
        scale: factor (or factors for height and width) that place the samples; from the sizes if not given.
            ``imresize(A, 0.5)`` on an odd side is ``size=ceil(side / 2), scale=0.5``.

    Returns:
        (N, C, *size).
    """
    if min(size) < 1:
        raise ValueError(f"cannot resize to {size[0]}x{size[1]}")
    if scale is None:
        scale = (size[0] / x.shape[2], size[1] / x.shape[3])
    elif isinstance(scale, int | float):
        scale = (float(scale), float(scale))
    # MATLAB takes the side that shrinks most first, and rows first on a tie.
    for side in (2, 3) if scale[0] <= scale[1] else (3, 2):
        x = _resize_side(x, side, size[side - 2], scale[side - 2])
    return x


def resize_down_up(x: Tensor, generator: torch.Generator, *, scale: Tensor) -> Tensor:
    """Shrink by ``scale``, round to 8 bits, enlarge to the first size: what super-resolution gets to see.

    The small image is MATLAB's ``imresize(x, 1/scale)``, ceil(side / scale) pixels to a side; it is enlarged by exactly
    ``scale`` and the few pixels beyond the first size (a side that ``scale`` does not divide) are cut off at the right
    and bottom, so the image never shifts. ``scale`` may be any real number and differ from sample to sample: every
    sample's weights are one small matrix, filled with zeros to the largest small size of the batch.
    """
    height, width = x.shape[2:]
    if max(height, width) > _DENSE:
        return torch.cat([_down_up_one(x[i : i + 1], float(scale[i])) for i in range(len(x))])
    (down_h, up_h), (down_w, up_w) = (_down_up_matrices(side, scale, x.device) for side in (height, width))
    small = quantise(along_width(along_height(x, down_h), down_w))
    return quantise(along_width(along_height(small, up_h), up_w))


def shrink(x: Tensor, scale: float) -> Tensor:
    """MATLAB's ``imresize(x, 1/scale)`` of (N, C, H, W), rounded to 8 bits: ceil(side / scale) pixels to a side."""
    height, width = (small_side(side, scale) for side in x.shape[2:])
    return quantise(resize(x, (height, width), 1 / scale))


def small_side(side: int, scale: float) -> int:
    """ceil(side / scale), not misled by a quotient that is whole but for its last bit."""
    return max(1, math.ceil(side / scale - 1e-4))


def _down_up_one(x: Tensor, scale: float) -> Tensor:
    small = shrink(x, scale)
    return quantise(resize(small, (x.shape[2], x.shape[3]), scale))


def _down_up_matrices(side: int, scale: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
    """Matrices (N, small, side) and (N, side, small) for every sample's scale."""
    factor = scale.double()
    small = (side / factor - 1e-4).ceil().clamp(min=1).long()
    most = int(small.max())
    down = rows_from_taps(*_taps(side, most, 1 / factor), side)
    down = down.masked_fill(torch.arange(most).view(1, -1, 1) >= small.view(-1, 1, 1), 0.0)
    up = rows_from_taps(*_taps(small.view(-1, 1, 1), side, factor), most)
    return down.float().to(device, non_blocking=True), up.float().to(device, non_blocking=True)


def _resize_side(x: Tensor, side: int, length: int, scale: float) -> Tensor:
    size = x.shape[side]
    if size == length and scale == 1.0:
        return x
    index, weight = _taps(size, length, torch.tensor([scale], dtype=torch.float64))
    if max(size, length) <= _DENSE:
        matrix = rows_from_taps(index, weight, size).to(x.device, x.dtype).expand(len(x), -1, -1)
        return along_height(x, matrix) if side == 2 else along_width(x, matrix)
    index, weight = index[0].to(x.device), weight[0].to(x.device, x.dtype)
    shape = (-1, 1) if side == 2 else (1, -1)
    result = x.index_select(side, index[:, 0]).mul_(weight[:, 0].view(shape))
    for tap in range(1, index.shape[1]):
        result.addcmul_(x.index_select(side, index[:, tap]), weight[:, tap].view(shape))
    return result


def _taps(size: int | Tensor, length: int, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Which inputs, with which weights, make each of ``length`` outputs.

    Args:
        size: inputs; a number, or (N, 1, 1) where it differs between samples.
        scale: (N,) float64.

    Returns:
        Indices and weights, both (N, length, taps).
    """
    scale = scale.view(-1, 1, 1)
    squeeze = scale.clamp(max=1.0)  # below 1 the kernel widens by 1 / scale, which removes what would alias
    place = torch.arange(1, length + 1, dtype=torch.float64).view(1, -1, 1)
    centre = place / scale + 0.5 * (1 - 1 / scale)  # MATLAB counts from 1
    reach = 2 / float(squeeze.min())
    left = (centre - 2 / squeeze).floor()
    index = left + torch.arange(math.ceil(2 * reach) + 2)
    weight = squeeze * _cubic(squeeze * (centre - index))
    weight = weight / weight.sum(dim=2, keepdim=True)
    return mirror(index.long() - 1, size, repeat_edge=True), weight


def _cubic(x: Tensor) -> Tensor:
    """Keys' cubic, a = -0.5: zero from 2 on."""
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x <= 1, near, torch.where(x < 2, far, 0.0))
