"""Spatial statistics for channel attention: over the whole input while training, over a window when restoring.

A network trained on patches sees different statistics on a full photo, and again in each of its tiles. Test-time local
statistics (TLC, Chu et al. 2022, arXiv 2112.04491) fix both: every pixel is judged by a window of about the size of a
training patch. The paper slides that window over every pixel; here window means live on a coarse grid of cells and are
interpolated between them, which costs next to nothing. Tiles that start at multiples of the cell see the same grid.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from adair.backbones.layers import Border

CELL = 32  # pixels of the full-resolution image; a multiple of the deepest level's stride


class ChannelPool(nn.Module):
    """Mean of every channel, over the whole input or over a window of ``2 * reach + 1`` cells around each cell.

    Args:
        stride: how many pixels of the full-resolution image one pixel at this level covers.
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.cell = max(1, CELL // stride)
        self.reach: int | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Return means of ``x`` (N, C, H, W): (N, C, 1, 1), or (N, C, cells high, cells wide) when local."""
        if self.reach is None:
            return F.adaptive_avg_pool2d(x, 1)
        if self.cell > 1:
            x = F.avg_pool2d(x, self.cell, ceil_mode=True, count_include_pad=False)
        return F.avg_pool2d(x, 2 * self.reach + 1, stride=1, padding=self.reach, count_include_pad=False)

    def spread(self, attention: Tensor, height: int, width: int) -> Tensor:
        """Interpolate per-cell ``attention`` to ``height`` x ``width`` pixels; a global one is broadcast."""
        if self.reach is None:
            return attention
        rows, columns = attention.shape[-2:]
        if self.cell > 1:
            size = (rows * self.cell, columns * self.cell)
            attention = F.interpolate(attention, size=size, mode="bilinear", align_corners=False)
        return attention[..., :height, :width]


def set_local_statistics(model: nn.Module, reach: int | None) -> None:
    """Prepare ``model`` for images of any size: channel attention looks at windows, and borders are mirrored.

    Args:
        model: a backbone, with or without adapters.
        reach: windows have ``2 * reach + 1`` cells a side; None for the network as it was trained and published, which
            looks at the whole input and pads with zeros.
    """
    for module in model.modules():
        if isinstance(module, ChannelPool):
            module.reach = reach
        elif isinstance(module, Border):
            module.mirrored = reach is not None
