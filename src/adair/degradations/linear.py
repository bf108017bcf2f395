"""Separable linear maps whose weights differ from sample to sample, as small dense matrices."""

from __future__ import annotations

import torch
from torch import Tensor

_DENSE = 160  # on a CPU, sides up to this are filtered as a product with a small matrix; longer ones tap by tap


def mirror(index: Tensor, size: int) -> Tensor:
    """Fold indices into 0..size-1 by reflection (.. 2 1 | 0 1 2 ..), however far outside they lie."""
    period = max(1, 2 * size - 2)
    index = index.remainder(period)
    return torch.minimum(index, period - index) if size > 1 else torch.zeros_like(index)


def rows_from_taps(index: Tensor, weight: Tensor, size: int) -> Tensor:
    """Matrices (N, out, size) that take ``weight`` (N, out, taps) of the inputs at ``index`` (N, out, taps)."""
    matrix = weight.new_zeros(*weight.shape[:2], size)
    return matrix.scatter_add_(2, index.expand_as(weight), weight)


def along_width(x: Tensor, matrix: Tensor) -> Tensor:
    """(N, C, H, W) by (N, V, W) -> (N, C, H, V)."""
    n, c, h, w = x.shape
    return torch.bmm(x.reshape(n, c * h, w), matrix.transpose(1, 2)).view(n, c, h, matrix.shape[1])


def along_height(x: Tensor, matrix: Tensor) -> Tensor:
    """(N, C, H, W) by (N, U, H) -> (N, C, U, W)."""
    n, c, h, w = x.shape
    matrix = matrix.unsqueeze(1).expand(-1, c, -1, -1).reshape(n * c, matrix.shape[1], h)
    return torch.bmm(matrix, x.reshape(n * c, h, w)).view(n, c, matrix.shape[1], w)


def filter_side(x: Tensor, taps: Tensor, side: int) -> Tensor:
    """Filter (N, C, H, W) along dimension ``side`` (2 or 3) with each sample's own taps (N, odd); reflected border."""
    size, reach = x.shape[side], taps.shape[1] // 2
    if size <= _DENSE and x.device.type == "cpu":
        place = torch.arange(size).unsqueeze(1) + torch.arange(-reach, reach + 1)
        index = mirror(place, size).unsqueeze(0).expand(len(x), -1, -1)
        matrix = rows_from_taps(index, taps.unsqueeze(1).expand(-1, size, -1), size)
        return along_width(x, matrix) if side == 3 else along_height(x, matrix)
    padded = x.index_select(side, mirror(torch.arange(-reach, size + reach, device=x.device), size))
    result = torch.zeros_like(x)
    for tap, weight in enumerate(taps.unbind(1)):
        result.addcmul_(padded.narrow(side, tap, size), weight.view(-1, 1, 1, 1))
    return result


def convolve(x: Tensor, kernel: Tensor) -> Tensor:
    """Convolve (N, C, H, W) with one kernel (N, k, k), k odd, per sample: border reflected, Fourier transform."""
    reach = kernel.shape[-1] // 2
    for side in (2, 3):
        x = x.index_select(side, mirror(torch.arange(-reach, x.shape[side] + reach, device=x.device), x.shape[side]))
    size = tuple(fast_length(side) for side in x.shape[2:])
    spectrum = torch.fft.rfft2(x, s=size) * torch.fft.rfft2(kernel, s=size).unsqueeze(1)
    # The kernel's centre lies `reach` from its corner, and everything before 2 * reach is wrapped around.
    wide: Tensor = torch.fft.irfft2(spectrum, s=size)
    return wide[:, :, 2 * reach : x.shape[2], 2 * reach : x.shape[3]]


def fast_length(length: int) -> int:
    """The next length that the Fourier transform takes well: no prime factor above 5."""
    while True:
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 1
