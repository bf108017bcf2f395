"""MATLAB's bicubic ``imresize``, and the degradation that it makes: smaller, then large again."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from adair.degradations.linear import along_height, along_width, rows_from_taps
from adair.degradations.transfer import on_device_of

_DENSE = 512  # sides up to this become one product with a matrix; longer ones are gathered tap by tap


def resize(x: Tensor, size: tuple[int, int], scale: float | tuple[float, float] | None = None) -> Tensor:
    """Bicubic resize as MATLAB's ``imresize`` computes it.

    Keys' cubic with a = -0.5 (Keys 1981, IEEE TASSP 29(6)), widened by 1/scale where the image shrinks (antialiasing),
    weights normalised, border pixels repeated outwards. (MATLAB's published source mirrors the border instead; the
    low-resolution files that MATLAB wrote for Set5 and Set14 repeat it, and so reproduce bit for bit.) Nothing is
    clamped or rounded.

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


def shrink(x: Tensor, scale: float) -> Tensor:
    """MATLAB's ``imresize(x, 1/scale)`` of an 8-bit image: ceil(side / scale) pixels to a side, 8 bits.

    MATLAB rounds to 8 bits, halves up, after each of its two passes; this does too, and gives its very pixels.

    Args:
        x: (N, C, H, W) in 0..1.
        scale: 1 or more, whole or not.
    """
    height, wide = (small_side(side, scale) for side in x.shape[2:])
    rows = _round_half_up(_resize_side(x.double(), 2, height, 1 / scale))
    return _round_half_up(_resize_side(rows, 3, wide, 1 / scale)).to(x.dtype)


def resize_down_up(x: Tensor, generator: torch.Generator, *, scale: Tensor) -> Tensor:
    """Shrink by ``scale`` (bicubic, 8 bits; see ``shrink``), enlarge to the first size: what super-resolution starts
    from.

    The small image is enlarged by exactly ``scale``; where ``scale`` does not divide a side, the pixels beyond the
    first size are cut off at the right and bottom, so the image never shifts. Clamped to 0..1 but not rounded again, as
    the enlarged image never is a file. ``scale`` may be any real number and differ from sample to sample: every
    sample's weights are one small matrix, filled with zeros up to the largest small size of the batch.
    """
    height, wide = x.shape[2:]
    if max(height, wide) > _DENSE:
        one_by_one = zip(x.split(1), scale.double().tolist(), strict=True)
        return torch.cat([resize(shrink(one, s), (height, wide), s) for one, s in one_by_one]).clamp_(0.0, 1.0)
    down_h, up_h = _down_up_matrices(height, scale, x)
    down_w, up_w = (down_h, up_h) if wide == height else _down_up_matrices(wide, scale, x)
    small = _round_half_up(along_width(_round_half_up(along_height(x, down_h)), down_w))
    return along_width(along_height(small, up_h), up_w).clamp_(0.0, 1.0)


def downscale(x: Tensor, generator: torch.Generator, *, scale: Tensor) -> Tensor:
    """A smaller image (`shrink`): the only operator that changes the size, for making inputs, not for training.

    Every sample of a batch gets the scale of the first, as the samples share one size.
    """
    return shrink(x, float(scale[0]))


def small_side(side: int, scale: float) -> int:
    """Return ceil(side / scale), ignoring rounding errors in the last bit of the quotient."""
    return max(1, math.ceil(side / scale - 1e-4))


def _round_half_up(x: Tensor) -> Tensor:
    """Round to 8 bits like MATLAB; the small offset keeps rounding errors from turning exact halves down."""
    dust = 1e-4 if x.dtype == torch.float32 else 1e-8
    return x.clamp(0.0, 1.0).mul_(255.0).add_(0.5 + dust).floor_().div_(255.0)


def _down_up_matrices(side: int, scale: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return matrices (N, small, side) and (N, side, small) for every sample's scale, on the device of ``x``."""
    factor = scale.double()
    small = (side / factor - 1e-4).ceil().clamp(min=1).long()
    most = int(small.max())
    down = rows_from_taps(*_taps(side, most, 1 / factor, x), side)
    up = rows_from_taps(*_taps(small, side, factor, x), most)
    beyond = torch.arange(most) >= small.unsqueeze(1)
    down = down.masked_fill_(on_device_of(beyond, down).unsqueeze(2), 0.0)
    return down.float().to(x.device), up.float().to(x.device)


def _resize_side(x: Tensor, side: int, length: int, scale: float) -> Tensor:
    size = x.shape[side]
    if size == length and scale == 1.0:
        return x
    index, weight = _taps(size, length, torch.tensor([scale], dtype=torch.float64), x)
    if max(size, length) <= _DENSE:
        matrix = rows_from_taps(index, weight, size).to(x.dtype).to(x.device).expand(len(x), -1, -1)
        return along_height(x, matrix) if side == 2 else along_width(x, matrix)
    index, weight = index[0].to(x.device), weight[0].to(x.dtype).to(x.device)
    shape = (-1, 1) if side == 2 else (1, -1)
    result = x.index_select(side, index[:, 0]).mul_(weight[:, 0].view(shape))
    for tap in range(1, index.shape[1]):
        result.addcmul_(x.index_select(side, index[:, tap]), weight[:, tap].view(shape))
    return result


def _taps(size: int | Tensor, length: int, scale: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Which inputs, with which weights, make each of ``length`` outputs.

    Args:
        size: inputs; a number, or (N,) on the CPU where it differs between samples.
        scale: (N,) float64 on the CPU.
        x: the result is on its device, or on the CPU if that device lacks float64.

    Returns:
        Indices and weights, both (N, length, taps), the weights float64.
    """
    count = math.ceil(4 / min(1.0, float(scale.min()))) + 2
    home = x if x.is_cuda else torch.empty(0)
    last = on_device_of(torch.as_tensor(size), home).view(-1, 1, 1) - 1
    scale = on_device_of(scale, home).view(-1, 1, 1)
    squeeze = scale.clamp(max=1.0)  # below 1 the kernel widens by 1 / scale, which removes what would alias
    place = torch.arange(1, length + 1, dtype=torch.float64, device=home.device).view(1, -1, 1)
    centre = place / scale + 0.5 * (1 - 1 / scale)  # MATLAB counts from 1
    index = (centre - 2 / squeeze).floor() + torch.arange(count, device=home.device)
    weight = squeeze * _cubic(squeeze * (centre - index))
    weight = weight / weight.sum(dim=2, keepdim=True)
    index = index.long() - 1
    # What falls beyond a border adds to the pixel there, here and once: a GPU that scatters the weights into a matrix
    # then never adds two numbers in one place, in whichever order they come.
    left = weight.masked_fill(index >= 0, 0.0).sum(dim=2, keepdim=True)
    right = weight.masked_fill(index <= last, 0.0).sum(dim=2, keepdim=True)
    weight = weight.masked_fill((index < 0) | (index > last), 0.0)
    weight = weight + left * (index == 0) + right * (index == last)
    return torch.minimum(index.clamp(min=0), last), weight


def _cubic(x: Tensor) -> Tensor:
    """Keys' cubic, a = -0.5: zero from 2 on."""
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x <= 1, near, torch.where(x < 2, far, 0.0))
