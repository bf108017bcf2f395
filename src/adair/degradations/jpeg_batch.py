"""libjpeg's arithmetic on a whole batch at once, for images that live on a GPU.

Everything that makes a difference to a pixel is followed: the tables and their scaling, colour conversion, the 2x2 mean
of chroma, 8x8 DCT, rounding, "fancy" (triangle) chroma upsampling, and clamping between the steps. Entropy coding loses
nothing and is left out.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from adair.degradations.transfer import on_device_of

# ITU-T T.81, tables K.1 and K.2: what quality 50 divides the coefficients by.
_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)


def jpeg_batch(levels: Tensor, quality: Tensor, halve: bool) -> Tensor:
    """Compress and decompress.

    Args:
        levels: (N, 3, H, W) or (N, 1, H, W) float32, whole numbers in 0..255.
        quality: (N,) on the device of ``levels``, 1..100.
        halve: chroma at half the size (4:2:0); without effect on gray.

    Returns:
        As ``levels``.
    """
    if levels.shape[1] == 1:
        return _coded(levels, _table(_LUMA, quality))
    height, wide = levels.shape[2:]
    ycc = _to_ycc(levels)
    chroma = ycc[:, 1:]
    if halve:
        chroma = _halved(chroma)
    chroma = _coded(chroma, _table(_CHROMA, quality))
    if halve:
        chroma = _doubled(chroma[..., : (wide + 1) // 2])[:, :, :height, :wide]
    y = _coded(ycc[:, :1], _table(_LUMA, quality))
    blue, red = (chroma - 128.0).split(1, dim=1)
    green = _rounded(-0.34414 * blue - 0.71414 * red)
    return torch.cat((y + _rounded(1.402 * red), y + green, y + _rounded(1.772 * blue)), dim=1).clamp_(0.0, 255.0)


def _to_ycc(rgb: Tensor) -> Tensor:
    """JFIF's YCbCr (full range) in libjpeg's 16-bit fixed point; chroma rounds halves down."""
    red, green, blue = rgb.int().split(1, dim=1)
    half = 1 << 15
    y = 19595 * red + 38470 * green + 7471 * blue + half
    cb = -11059 * red - 21709 * green + (blue << 15) + (128 << 16) + half - 1
    cr = (red << 15) - 27439 * green - 5329 * blue + (128 << 16) + half - 1
    return torch.cat((y, cb, cr), dim=1).bitwise_right_shift(16).to(rgb.dtype)


def _table(base: tuple[tuple[int, ...], ...], quality: Tensor) -> Tensor:
    """Quantisation tables (N, 8, 8) by the Independent JPEG Group's scaling, 8-bit as in a baseline file."""
    scale = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality).view(-1, 1, 1)
    table = on_device_of(torch.tensor(base, dtype=torch.float32), quality)
    return ((table * scale + 50) / 100).floor().clamp(1.0, 255.0)


def _coded(planes: Tensor, table: Tensor) -> Tensor:
    """Planes (N, C, H, W) of 0..255 after the DCT of their 8x8 blocks was rounded to steps of ``table`` (N, 8, 8)."""
    n, c, h, w = planes.shape
    padded = F.pad(planes, (0, -w % 8, 0, -h % 8), mode="replicate") - 128.0
    rows, cols = padded.shape[2] // 8, padded.shape[3] // 8
    blocks = padded.view(n, c, rows, 8, cols, 8).transpose(3, 4)
    frequency = torch.arange(8, device=planes.device, dtype=torch.float32).view(8, 1)
    dct = 0.5 * torch.cos((2 * frequency.T + 1) * frequency * (math.pi / 16))
    dct[0] /= math.sqrt(2)
    step = table.view(n, 1, 1, 1, 8, 8)
    # libjpeg works in whole numbers: quarters after the first direction, eighths after the second. Many coefficients
    # therefore lie exactly between two steps; those go away from zero.
    root = math.sqrt(8)
    eighths = _rounded(dct @ _rounded(blocks @ dct.T * (4 * root)) * (2 / root))
    coefficients = eighths.sign() * ((eighths.abs() + 4 * step) / (8 * step)).floor_()
    blocks = _rounded(dct.T @ (coefficients * step) * (4 * root)) @ dct / (4 * root)
    levels = blocks.transpose(3, 4).reshape(padded.shape)[:, :, :h, :w]
    return _rounded(levels).add_(128.0).clamp_(0.0, 255.0)


def _rounded(x: Tensor) -> Tensor:
    """The nearest whole number, halves up, as adding one half and shifting right gives it (halves are exact there)."""
    return (x + (0.5 + 1e-3)).floor_()


def _halved(planes: Tensor) -> Tensor:
    """Means of 2x2 pixels; their rounding alternates along a row, as in libjpeg, so that it favours no direction.

    The right edge is repeated to whole blocks before, the bottom edge after: that, too, is libjpeg's way.
    """
    h, w = planes.shape[2:]
    total = F.avg_pool2d(F.pad(planes, (0, -w % 16, 0, h % 2), mode="replicate"), 2, divisor_override=1)
    bias = torch.arange(total.shape[3], device=planes.device).remainder(2) + 1
    return ((total + bias) / 4).floor()


def _doubled(planes: Tensor) -> Tensor:
    """Twice the size: each new pixel 3/4 from the nearer and 1/4 from the farther neighbour, in both directions."""
    if planes.shape[3] <= 2:  # libjpeg repeats where there is nothing to interpolate
        return planes.repeat_interleave(2, 2).repeat_interleave(2, 3)
    wide = F.pad(planes, (1, 1, 1, 1), mode="replicate")
    rows = 3 * wide[:, :, 1:-1]
    tall = torch.stack((rows + wide[:, :, :-2], rows + wide[:, :, 2:]), dim=3).flatten(2, 3)
    here = 3 * tall[..., 1:-1]
    left, right = (here + tall[..., :-2] + 8) / 16, (here + tall[..., 2:] + 7) / 16
    return torch.stack((left.floor(), right.floor()), dim=4).flatten(3, 4)
