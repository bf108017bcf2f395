"""Separable linear maps whose weights differ from sample to sample, as small dense matrices."""

from __future__ import annotations

import torch
from torch import Tensor


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
    return torch.bmm(x.reshape(n, c * h, w), matrix.transpose(1, 2)).view(n, c, h, -1)


def along_height(x: Tensor, matrix: Tensor) -> Tensor:
    """(N, C, H, W) by (N, U, H) -> (N, C, U, W)."""
    n, c, h, w = x.shape
    matrix = matrix.unsqueeze(1).expand(-1, c, -1, -1).reshape(n * c, -1, h)
    return torch.bmm(matrix, x.reshape(n * c, h, w)).view(n, c, -1, w)
